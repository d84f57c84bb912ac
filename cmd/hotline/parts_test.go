package main

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"hotline/configs"
	"hotline/queue"
)

// Who calls again waits for the agent of before until that one has finished as usual; where every phone rings, for nobody.
func TestHowLongWhoCallsAgainWaitsForTheSameAgent(t *testing.T) {
	shipped := configs.Default().Queues[0]
	if wait := queueRules(shipped).PreferFor; wait < shipped.WrapUp.Duration+5*time.Second {
		t.Errorf("by the rules shipped a caller waits %v for an agent who wraps up for %v", wait, shipped.WrapUp.Duration)
	}
	shipped.Strategy = configs.RingAll
	if wait := queueRules(shipped).PreferFor; wait != 0 {
		t.Errorf("where every phone rings a caller waits %v for one agent", wait)
	}
}

// A service whose agents are in line here has to be named among the peers.
func TestWhoCannotBeRungIsNamed(t *testing.T) {
	agent := func(home string) queue.AgentView { return queue.AgentView{Profile: queue.Profile{Home: home}} }
	south := map[string]netip.AddrPort{"south": netip.MustParseAddrPort("10.0.0.6:5060")}
	for _, test := range []struct {
		own    string
		peers  map[string]netip.AddrPort
		agents []queue.AgentView
		want   []string
	}{
		{own: "", agents: []queue.AgentView{agent(""), agent("")}},
		{own: "north", peers: south, agents: []queue.AgentView{agent("north"), agent("south")}},
		{own: "north", peers: south, agents: []queue.AgentView{agent("west"), agent("north"), agent("west")}, want: []string{"west"}},
	} {
		if got := withoutWay(test.agents, test.own, test.peers); !slices.Equal(got, test.want) {
			t.Errorf("from %q with peers %v agents of %v cannot be rung, want %v", test.own, test.peers, got, test.want)
		}
	}
}
