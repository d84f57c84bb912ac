package redisq

import (
	"testing"

	"hotline/queue"
)

// A service that goes alone while several of its phones ring for one caller of
// another knows of none of them whether it was answered. It says so of each, and
// each is free again as soon as their Asterisk says that it was not.
func TestRingAllAndAServiceThatGoesAlone(t *testing.T) {
	s := startRedis(t)
	rules := bills
	rules.Strategy, rules.RingAtMost = queue.RingAll, 8
	all := func(o *queue.Options) { o.Queues = []queue.Rules{rules} }
	agents := []string{"2001", "2002", "2003"}
	north, south := openAs(t, s, "north", all, "1001"), openAs(t, s, "south", all, agents...)
	south.signIn(agents...)
	caller := north.join("n")
	offers := map[string]*queue.Offer{}
	for range agents {
		o := <-caller.Offers()
		offers[o.Agent.ID] = o
		north.must(o.Ringing())
	}
	south.inState("2003", queue.StateRinging)
	s.Kill()
	north.alone()
	south.alone()
	for _, id := range agents {
		north.ended(offers[id], queue.ErrWithdrawn)
		v, _ := south.Agent(id)
		if v.State != queue.StateTalking || !v.CallAway {
			t.Errorf("agent %s is %+v, want perhaps talking with a call of which nothing is heard", id, v)
		}
	}
	for _, id := range agents {
		south.must(south.EndTalk(id, "n"))
		south.must(south.Ready(id))
	}
	own := south.join("s")
	for range agents {
		o := <-own.Offers()
		delete(offers, o.Agent.ID)
	}
	if len(offers) > 0 {
		t.Errorf("alone the south offers its caller to all but %v", offers)
	}
	s.Start()
	for _, h := range []*house{north, south} {
		h.together()
		h.stands("n", "s")
	}
	north.signIn("1001")
	north.must(north.offered(caller, "1001").Connected())
}
