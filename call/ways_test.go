package call_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hotline/ari/aritest"
	"hotline/call"
	"hotline/queue"
)

// withSouth is a service that has another beside it.
func withSouth(o *call.Options) {
	o.Ways = map[string]string{"south": "peer-south"}
	o.Phone = func(agent queue.Profile) string {
		if agent.Home == "south" {
			return "PJSIP/" + agent.ID + "@peer-south"
		}
		return "PJSIP/" + agent.ID
	}
}

// twoServices is a caller in line whom 1001, who is on a break, and 1002 of another service could take.
func twoServices(t *testing.T, peer aritest.Phone) (*hotline, *aritest.Channel) {
	h := newHotline(t, 1, withSouth)
	h.asterisk.Phone("PJSIP/peer-south", peer)
	h.asterisk.Phone("PJSIP/1001", answers)
	h.southHas1002()
	caller := h.asterisk.Arrive(aritest.Caller{Number: "13800138000", Args: []string{"in", "96196"}})
	h.until("the menu plays", func() bool { return played(caller, "menu.main") })
	h.leaveRawRecording()
	caller.Press("0")
	h.until("the tone plays", func() bool { return played(caller, "hold.tone.30") })
	if peer.Does != aritest.Unreachable {
		h.until("there is a way", func() bool { return len(h.queue.Unreached()) == 0 })
	}
	return h, caller
}

// southHas1002 has 1002 be an agent of the other service, and 1001 on a break.
func (h *hotline) southHas1002() {
	h.t.Helper()
	if err := errors.Join(
		h.queue.SetProfile(queue.Profile{ID: "1002", Number: "790", Home: "south", Queues: []string{"service"}}, "test"),
		h.queue.SignIn("1001"), h.queue.Pause("1001", "break"),
	); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hotline) otherState() queue.State {
	agent, _ := h.queue.Agent("1002")
	return agent.State
}

// An agent of a service to which there is no way is offered nobody from here, and nothing becomes of them by it; once
// there is a way, they are.
func TestAnAgentOfAServiceThatCannotBeReached(t *testing.T) {
	away := aritest.Phone{Does: aritest.Unreachable}
	t.Run("that is known", func(t *testing.T) {
		t.Parallel()
		h, caller := twoServices(t, away)
		h.until("the queue knows that there is no way", func() bool { return len(h.queue.Unreached()) == 1 })
		if err := h.queue.SignIn("1002"); err != nil {
			t.Fatal(err)
		}
		if got := h.otherState(); got != queue.StateReady {
			t.Errorf("the agent is %s, want left alone", got)
		}
		h.asterisk.Phone("PJSIP/1002@peer-south", answers)
		h.asterisk.Phone("PJSIP/peer-south", answers)
		h.talks(caller)
		if got := h.otherState(); got != queue.StateTalking {
			t.Errorf("the agent is %s, want with the caller, since there is a way again", got)
		}
		caller.Bye()
		h.outcome()
	})
	for name, phone := range map[string]aritest.Phone{
		"the phone cannot be dialled": away,
		"nothing is heard of it":      {Does: aritest.Silent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, caller := twoServices(t, answers)
			rules := h.queue.Rules()[0]
			rules.RingTimeout = time.Second
			if err := h.queue.SetRules(rules, "test"); err != nil {
				t.Fatal(err)
			}
			h.asterisk.Phone("PJSIP/1002@peer-south", phone)
			h.asterisk.Phone("PJSIP/peer-south", away)
			if err := h.queue.SignIn("1002"); err != nil { // whose phone is dialled at once, unless it is known by then
				t.Fatal(err)
			}
			h.until("the queue knows that there is no way", func() bool { return len(h.queue.Unreached()) == 1 })
			h.until("the agent is ready for others", func() bool { return h.otherState() == queue.StateReady })
			h.ready()
			h.talks(caller)
			if agent, _ := h.queue.Agent("1002"); agent.State != queue.StateReady || agent.OutOfService {
				t.Errorf("the agent is %+v, want ready", agent)
			}
			caller.Bye()
			h.outcome()
		})
	}
	t.Run("the phone alone is away", func(t *testing.T) {
		t.Parallel()
		h, caller := twoServices(t, answers)
		h.asterisk.Phone("PJSIP/1002@peer-south", away)
		if err := h.queue.SignIn("1002"); err != nil {
			t.Fatal(err)
		}
		h.until("the agent is unreachable", func() bool { return h.otherState() == queue.StateUnreachable })
		h.ready()
		h.talks(caller)
		caller.Bye()
		h.outcome()
	})
}

// Asterisk says nothing of the way to another service. A call whose agent there could not be rung follows its caller
// all the same, and goes by what was known.
func TestACallGoesOnThoughAWayIsNotTold(t *testing.T) {
	for name, leaves := range map[string]bool{"the caller leaves": true, "the caller waits": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := startHouse(t, withSouth)
			h.asterisk.Phone("PJSIP/peer-south", answers)
			h.asterisk.Phone("PJSIP/1002@peer-south", aritest.Phone{Does: aritest.Unreachable})
			h.stop()
			var mute atomic.Bool
			var asked, over atomic.Int32
			h.web = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if mute.Load() && strings.HasSuffix(r.URL.Path, "/PJSIP/peer-south") {
					asked.Add(1)
					<-r.Context().Done()
					over.Add(1)
				}
				h.asterisk.ServeHTTP(w, r)
			})
			h.serves()
			h.southHas1002()
			caller := h.waitsInLine(theirNumber)
			mute.Store(true)
			h.until("Asterisk is asked for the way", func() bool { return asked.Load() > 0 })
			if err := h.queue.SignIn("1002"); err != nil {
				t.Fatal(err)
			}
			h.until("Asterisk refuses to ring the agent's phone", func() bool {
				return slices.ContainsFunc(h.asterisk.Requests(), func(r aritest.Request) bool { return r.Route == "/channels/create" && r.Status >= 400 })
			})
			if leaves {
				caller.Bye()
				h.until("the call has ended", func() bool { return len(journaled[call.Ended](h, call.KindEnded)) == 1 })
			} else {
				h.until("the agent is unreachable", func() bool { return h.otherState() == queue.StateUnreachable })
			}
			if over.Load() > 0 {
				t.Error("the call did nothing before Asterisk had been given up, after 4s: does it wait for that, or did this machine stand still?")
			}
		})
	}
}
