package e2e

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/test/ear"
	"hotline/test/phone"
	"hotline/test/redistest"
)

// Two services, each with an Asterisk of its own, and one queue, on a real Redis. Agents 1001 and 1002 are at home in
// the north, 1003 and 1004 in the south.
type pair struct {
	north, south *world
	redis        *redistest.Server
}

var northern = []string{"1001", "1002"}

func newPair(t *testing.T, limit time.Duration) *pair {
	t.Helper()
	c := &pair{redis: redistest.Start(t)}
	ours, theirs := netip.MustParseAddr("127.0.0.5"), netip.MustParseAddr("127.0.0.6")
	var port uint16 // of both: each must know the other's before that one is there
	share := func(cfg *configs.Config, name, other string, at, otherAt netip.Addr) {
		cfg.Asterisk.SIP.Bind = netip.AddrPortFrom(at, port)
		cfg.Redis.Addresses, cfg.Redis.Name = []string{c.redis.Addr}, name
		cfg.Redis.Peers = map[string]netip.AddrPort{other: netip.AddrPortFrom(otherAt, port)}
		cfg.Agents = slices.DeleteFunc(cfg.Agents, func(a configs.Agent) bool {
			return len(a.Queues) > 0 && slices.Contains(northern, a.ID) != (name == "north")
		})
		cfg.Queues[0].WrapUp.Duration = 0
	}
	c.north = newWorld(t, limit, func(cfg *configs.Config) {
		port = cfg.Asterisk.SIP.Bind.Port()
		share(cfg, "north", "south", ours, theirs)
	})
	c.south = newWorld(t, limit, func(cfg *configs.Config) { share(cfg, "south", "north", theirs, ours) })
	return c
}

// waits is a caller at one of the services who stands in line.
func (w *world) waits(number string) *phone.Call {
	w.t.Helper()
	c := w.dial(w.caller(phone.Options{Number: number, Voice: voices["caller"]}))
	w.hears(c, "menu.main", 0)
	w.keys(c, "0")
	w.hears(c, "queue.joined", 0)
	return c
}

// audits reads the journal as an auditor does.
func (w *world) audits() {
	w.t.Helper()
	if out, err := w.Run(w.ctx, "audit"); err != nil {
		w.t.Errorf("%v\n%s", err, out)
	}
}

// becomes waits until this service says that an agent, who may be another's, is in a state.
func (w *world) becomes(id, want string) {
	w.t.Helper()
	w.await("agent "+id+" is "+want, func() bool {
		lines := strings.Split(strings.TrimSpace(w.must("agent", "list", id)), "\n")
		return strings.Fields(lines[len(lines)-1])[2] == want
	})
}

// talk waits until two phones hear each other.
func (c *pair) talk(caller, agent *phone.Call) {
	c.north.t.Helper()
	c.north.hears(agent, "voice.caller", 0)
	c.north.hears(caller, "voice.agent", 0)
}

// A caller of the north is served by an agent of the south as if they were at one Asterisk: the phone shows the caller,
// the agent's number is said, hold has the tone, the agent's hang-up leads to the rating, a phone that says no gives the
// caller to the next, and a phone that is not there is taken out. Who came first is first, wherever.
func TestTwoServicesServeEachOthersCallers(t *testing.T) {
	t.Parallel()
	c := newPair(t, 3*time.Minute)
	north, south := c.north.calm(), c.south.calm()
	desk := south.agent("1003", phone.RingForEver())

	first := north.waits("13900000001")
	ringing := south.incoming(desk)
	if got := ringing.RemoteNumber(); got != mask("13900000001") {
		t.Errorf("the agent's phone shows %q", got)
	}
	second := south.waits("13900000002")
	third := north.waits("13900000003")
	answered := time.Now()
	if err := ringing.Answer(south.ctx); err != nil {
		t.Fatal(err)
	}
	c.talk(first, ringing)
	t.Logf("a caller and an agent of another service hear each other %v after the answer", first.Transcript().Of("voice.agent")[0].At-first.Since(answered))
	north.hears(first, "agent.after", 0)
	for _, w := range []*world{north, south} {
		w.becomes("1003", "talking")
	}

	held := first.Since(time.Now())
	if err := ringing.Hold(south.ctx); err != nil {
		t.Fatal(err)
	}
	north.hears(first, ear.HoldTone, held)
	north.becomes("1003", "hold")
	back := first.Since(time.Now())
	if err := ringing.Unhold(south.ctx); err != nil {
		t.Fatal(err)
	}
	north.hears(first, "voice.agent", back)
	desk.SetIncoming(phone.AnswerAfter(0))
	gone := first.Since(time.Now())
	hangUp(south, ringing)
	north.hears(first, "rating.ask", gone)
	hangUp(north, first)
	if s := north.summary(mask("13900000001")); s.Outcome != (call.Outcome{Result: call.Served, Reason: "talked"}) || s.HungUp != agentPressed {
		t.Errorf("the call ended as %+v, hung up by %s", s.Outcome, s.HungUp)
	}

	// Who came second waits at the agent's own service, and comes before the third, who does not.
	next := south.incoming(desk)
	c.talk(second, next)
	desk.SetIncoming(phone.DeclineAfter(0, 486))
	hangUp(south, second)
	south.incoming(desk)
	north.becomes("1003", "paused")
	other := north.agent("1001", phone.AnswerAfter(0))
	c.talk(third, north.incoming(other))
	hangUp(north, third)

	// A phone that is not there.
	south.must("agent", "sign-in", "1004")
	north.must("agent", "sign-out", "1001")
	fourth := north.waits("13900000004")
	north.becomes("1004", "unreachable")
	home := south.desk("1004", phone.AnswerAfter(0))
	c.talk(fourth, south.incoming(home))
	hangUp(north, fourth)
	for _, w := range []*world{north, south} {
		w.becomes("1004", "ready")
		w.audits()
	}
}
