package redisq

import (
	"slices"
	"testing"

	"hotline/queue"
)

func (h *house) call(agent, call string) *queue.Offer {
	h.t.Helper()
	o, err := h.Call(agent, call)
	h.must(err)
	return o
}

// talking brings a call of this service to an agent.
func (h *house) talking(call, agent string) {
	h.t.Helper()
	h.must(h.offered(h.join(call), agent).Connected())
}

// with waits until an agent has that part in a call, beside that other agent.
func (h *house) with(agent string, state queue.State, call, other string, third bool) {
	h.t.Helper()
	var v queue.AgentView
	defer func() {
		if h.t.Failed() {
			h.t.Logf("at %s: %+v", h.name, v)
		}
	}()
	h.soon(agent+" is "+state.String()+" in call "+call+" with "+other, func() bool {
		v, _ = h.Agent(agent)
		return v.State == state && v.Call == call && v.With == other && v.Third == third
	})
}

// kinds of what a service has recorded of an agent since so many changes.
func (h *house) kinds(agent string, since int) (kinds []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.recorded[since:] {
		if c, says := c.About(agent); says {
			kinds = append(kinds, c.Kind+" "+c.To.String())
		}
	}
	return kinds
}

// An agent of one service is called in by a call of another, and takes it over;
// each service records what its own agents did, and its own call.
func TestConsultAcross(t *testing.T) {
	s := startRedis(t)
	north, south := open(t, s, "north", "1001"), open(t, s, "south", "2001")
	north.signIn("1001")
	north.talking("a", "1001")
	south.signIn("2001")
	north.inState("2001", queue.StateReady)
	o := north.call("2001", "a")
	if o.Agent.Home != "south" || o.With != "1001" {
		t.Errorf("the offer: %+v", o)
	}
	north.must(o.Ringing())
	south.with("2001", queue.StateRinging, "a", "1001", true)
	if _, err := south.Call("2001", "elsewhere"); err == nil {
		t.Error("an agent whose phone rings is called in once more")
	}
	north.must(o.Connected())
	south.with("2001", queue.StateConsult, "a", "1001", true)
	north.must(north.HandOver("a", "1001", "2001"))
	south.with("2001", queue.StateTalking, "a", "", false)
	south.inState("1001", queue.StateWrapUp)
	north.must(north.Ready("1001"))

	north.must(north.call("1001", "a").Connected())
	north.must(north.HandOver("a", "2001", "1001")) // and back
	for _, h := range []*house{north, south} {
		h.with("1001", queue.StateTalking, "a", "", false)
		h.inState("2001", queue.StateWrapUp)
	}
	south.must(south.Pause("2001", "lunch"))
	wanted := []string{"agent.state ready", "agent.called reserved", "agent.state ringing", "agent.consulted consult",
		"agent.handed-over talking", "agent.state wrap-up", "agent.state paused"}
	south.soon("it has recorded what its agent did", func() bool { return slices.Equal(south.kinds("2001", 0), wanted) })
	if got := north.kinds("2001", 0); !slices.Equal(got, wanted[1:6]) {
		t.Errorf("north has recorded of the other's agent %q, want what concerns its call: %q", got, wanted[1:6])
	}
}

// A service that dies calls nobody in any more; who is with its calls as a
// third is there until they say otherwise.
func TestConsultOwnerDies(t *testing.T) {
	s := startRedis(t)
	north, south := open(t, s, "north", "1001"), open(t, s, "south", "2001", "2002")
	north.signIn("1001")
	north.talking("a", "1001")
	south.signIn("2001")
	north.inState("2001", queue.StateReady)
	north.must(north.call("2001", "a").Connected())
	south.signIn("2002")
	north.talking("b", "2002")
	south.must(south.EndTalk("2002", "b"))
	south.must(south.Ready("2002"))
	north.inState("2002", queue.StateReady)
	north.must(north.call("2002", "b").Ringing())
	south.inState("2002", queue.StateRinging)
	north.die()
	south.inState("2002", queue.StateReady)
	south.with("2001", queue.StateConsult, "a", "1001", true)
	south.must(south.Ready("2001"))
	south.inState("2001", queue.StateReady)
	south.offered(south.join("c"), "2002")
	south.offered(south.join("d"), "2001")
}

// Redis goes away and comes back, with or without what it had: thirds and the
// phones of those who are called in go on, and what was handed over meanwhile is.
func TestConsultsWhileRedisIsAway(t *testing.T) {
	for name, back := range map[string]func(s *server){
		"with its data": (*server).Start,
		"without":       func(s *server) { s.Lose(); s.Start() },
	} {
		t.Run(name, func(t *testing.T) {
			s := startRedis(t)
			north, south := open(t, s, "north", "1001", "1002", "1003", "1004"), open(t, s, "south", "2001", "2002")
			for call, agent := range map[string]string{"a": "1001", "b": "1002"} {
				north.signIn(agent)
				north.talking(call, agent)
			}
			south.signIn("2001", "2002")
			north.signIn("1003", "1004")
			north.inState("2002", queue.StateReady)
			north.must(north.call("1003", "a").Connected())
			north.must(north.call("2001", "b").Connected()) // across
			rings := north.call("1004", "c")                // by a call that nobody has
			north.must(rings.Ringing())
			across := north.call("2002", "d")
			north.must(across.Ringing())
			south.inState("2002", queue.StateRinging)

			s.Kill()
			north.alone()
			south.alone()
			north.ended(across, queue.ErrWithdrawn)               // whose agent is not heard of
			south.with("2002", queue.StateConsult, "d", "", true) // and may have answered
			north.with("1003", queue.StateConsult, "a", "1001", true)
			north.with("1004", queue.StateRinging, "c", "", true)
			north.must(north.HandOver("a", "1001", "1003"))
			north.must(north.HandOver("b", "1002", "2001"))           // whose talk goes on, heard of or not
			south.with("2001", queue.StateConsult, "b", "1002", true) // as far as is known there
			north.with("2001", queue.StateTalking, "b", "", false)
			if _, err := north.Call("2002", "a"); err == nil {
				t.Error("an agent of whom nothing is heard is called in")
			}

			back(s)
			north.together()
			south.together()
			for _, h := range []*house{north, south} {
				h.with("1003", queue.StateTalking, "a", "", false)
				h.with("2001", queue.StateTalking, "b", "", false)
				h.with("1004", queue.StateRinging, "c", "", true)
				h.inState("1001", queue.StateWrapUp)
				h.inState("1002", queue.StateWrapUp)
			}
			north.must(rings.Connected())
			south.with("1004", queue.StateTalking, "c", "", false)
			south.inState("2002", queue.StateReady) // north knows that they did not
			north.must(north.EndTalk("2001", "b"))
			south.inState("2001", queue.StateWrapUp)
		})
	}
}
