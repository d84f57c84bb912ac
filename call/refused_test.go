package call_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"hotline/ari/aritest"
	"hotline/call"
	"hotline/journal"
	"hotline/queue"
)

// What callers experience when Asterisk refuses a command, or when the
// service stops, in the middle of a call.

// waits is a caller in line, and the only agent on a break.
func waits(t *testing.T, does aritest.Phone) (*hotline, *aritest.Channel) {
	h := newHotline(t, 1)
	h.asterisk.Phone("PJSIP/1001", does)
	if err := h.queue.SignIn("1001"); err != nil {
		t.Fatal(err)
	}
	if err := h.queue.Pause("1001", "break"); err != nil {
		t.Fatal(err)
	}
	caller := h.asterisk.Arrive(aritest.Caller{Number: "13800138000", Args: []string{"in", "96196"}})
	h.until("the menu plays", func() bool { return played(caller, "menu.main") })
	h.leaveRawRecording()
	caller.Press("0")
	h.until("the tone plays", func() bool { return played(caller, "hold.tone.30") })
	return h, caller
}

var answers = aritest.Phone{Does: aritest.Answers, After: 20 * time.Millisecond}

func (h *hotline) ready() {
	h.t.Helper()
	if err := h.queue.Ready("1001"); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hotline) talks(caller *aritest.Channel) {
	h.t.Helper()
	h.until("caller and agent hear each other", func() bool { return played(caller, "agent.after") })
}

func (h *hotline) outcome() call.Ended {
	h.t.Helper()
	h.until("the call has ended", func() bool { return len(h.journal.ended()) == 1 })
	return h.journal.ended()[0]
}

func (h *hotline) agentState() queue.State {
	agent, _ := h.queue.Agent("1001")
	return agent.State
}

// A refused command is tried again, and the talk begins all the same.
func TestATalkBeginsThoughACommandIsRefused(t *testing.T) {
	for name, refused := range map[string]struct{ method, route string }{
		"making the bridge": {"POST", "/bridges"},
		"stopping the tone": {"DELETE", "/playbacks/{id}"},
		"joining the two":   {"POST", "/bridges/{id}/addChannel"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, caller := waits(t, answers)
			h.asterisk.Fail(refused.method, refused.route, 500, 2)
			h.ready()
			h.talks(caller)
			caller.Bye()
			if got := h.outcome(); got.Result != call.Served || got.HungUp != "caller pressed (proven)" {
				t.Errorf("the call ended as %+v, %s: %+v", got.Outcome, got.HungUp, got.Legs)
			}
		})
	}
}

// An agent who hangs up before the bridge could be made has not talked. The
// caller stays with us, so that the agent can come back (B4), and nobody
// else's call is harmed.
func TestAnAgentWhoLeavesBeforeTheTalkBeginsHasNotTalked(t *testing.T) {
	h, caller := waits(t, answers)
	h.asterisk.Fail("POST", "/bridges", 500, 1000)
	h.ready()
	h.until("the agent has answered", func() bool {
		legs := h.asterisk.At("PJSIP/1001")
		return len(legs) == 1 && legs[0].State() == "Up"
	})
	h.asterisk.At("PJSIP/1001")[0].Bye()
	h.until("the caller is asked for a rating", func() bool { return played(caller, "rating.ask") })
	caller.Bye()
	if got := h.outcome(); got.Result == call.Served {
		t.Errorf("the call ended as %+v, and nobody has talked", got.Outcome)
	}
}

// One refused command does not end a talk.
func TestAHoldThatIsRefusedEndsNoTalk(t *testing.T) {
	h, caller := talk(t)
	agent := h.asterisk.At("PJSIP/1001")[0]
	h.asterisk.Fail("POST", "/bridges/{id}/removeChannel", 500, 1)
	before := len(caller.Played())
	agent.Hold()
	h.until("the caller hears the tone", func() bool { return strings.Contains(strings.Join(caller.Played()[before:], " "), "hold.tone") })
	agent.Unhold()
	h.until("the agent talks again", func() bool { return h.agentState() == queue.StateTalking })
	if n := len(h.journal.ended()); n != 0 {
		t.Fatal("the talk was ended by us")
	}
	caller.Bye()
	if got := h.outcome(); got.HungUp != "caller pressed (proven)" {
		t.Errorf("%s hung up first: %+v", got.HungUp, got.Legs)
	}
}

// Who hangs up in the very moment of arriving was a caller all the same.
func TestACallerWhoIsGoneAtOnceIsWrittenDown(t *testing.T) {
	for range 20 {
		h := newHotline(t, 1)
		h.asterisk.Arrive(aritest.Caller{Number: "13800138000", Args: []string{"in", "96196"}}).Bye()
		if got := h.outcome(); got.Result != call.Abandoned || got.Reason != "ring" {
			t.Errorf("the call ended as %+v", got.Outcome)
		}
		if len(h.journal.streams(call.KindArrived)) != 1 {
			t.Error("the call has an end and no arrival")
		}
	}
}

// A caller who leaves while the agent's leg is being made blames no agent, and
// leaves nothing behind.
func TestACallerWhoLeavesWhileTheAgentIsDialed(t *testing.T) {
	h, caller := waits(t, aritest.Phone{Does: aritest.NoAnswer})
	h.asterisk.Stall(300 * time.Millisecond)
	sent := len(h.asterisk.Requests())
	h.ready()
	h.until("the leg is asked for", func() bool { return len(h.asterisk.Requests()) > sent })
	caller.Bye()
	h.outcome()
	h.asterisk.Stall(0)
	h.until("nothing is left in Asterisk", func() bool { return h.asterisk.Channels() == 0 && h.asterisk.Bridges() == 0 })
	h.until("the agent is ready", func() bool { return h.agentState() == queue.StateReady })
}

// Asterisk lets the two hear each other before it answers the command that joins
// them. A caller who hangs up in between has talked, and did not give up.
func TestACallerWhoLeavesAsTheTalkBeginsWasServed(t *testing.T) {
	h, caller := waits(t, answers)
	h.ready()
	h.until("the agent's phone rings", func() bool { return len(h.asterisk.At("PJSIP/1001")) == 1 })
	h.asterisk.Stall(300 * time.Millisecond)
	agent := h.asterisk.At("PJSIP/1001")[0]
	h.until("the two are joined", func() bool {
		return slices.Contains(caller.Joined(), agent.ID()) || slices.Contains(agent.Joined(), caller.ID())
	})
	caller.Bye()
	if got := h.outcome(); got.Outcome != (call.Outcome{Result: call.Served, Reason: "talked"}) {
		t.Errorf("the call ended as %+v", got.Outcome)
	}
}

// A shutdown ends nothing: Asterisk keeps the callers, what they hear and the
// phones that ring, and the journal has no ending.
func TestAShutdownEndsNothing(t *testing.T) {
	for name, begin := range map[string]func(t *testing.T) *hotline{
		"in the menu": func(t *testing.T) *hotline {
			h := newHotline(t, 1)
			caller := h.asterisk.Arrive(aritest.Caller{Number: "13800138000", Args: []string{"in", "96196"}})
			h.until("the menu plays", func() bool { return played(caller, "menu.main") })
			return h
		},
		"in line": func(t *testing.T) *hotline { h, _ := waits(t, answers); return h },
		"while a phone rings": func(t *testing.T) *hotline {
			h, _ := waits(t, aritest.Phone{Does: aritest.NoAnswer})
			h.ready()
			h.until("the phone rings", func() bool { return h.agentState() == queue.StateRinging })
			return h
		},
		"in the talk": func(t *testing.T) *hotline { h, _ := talk(t); return h },
		"in the rating": func(t *testing.T) *hotline {
			h, caller := talk(t)
			h.asterisk.At("PJSIP/1001")[0].Bye()
			h.until("the rating is asked", func() bool { return played(caller, "rating.ask") })
			return h
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := begin(t)
			channels, entries := h.asterisk.Channels(), len(h.journal.streams())
			h.asterisk.ClearLog()
			h.stop()
			for _, r := range h.asterisk.Requests() {
				if r.Method == "DELETE" {
					t.Errorf("the service sent %s %s on its way out", r.Method, r.Route)
				}
			}
			if n := h.asterisk.Channels(); n != channels {
				t.Errorf("%d channels are left of %d", n, channels)
			}
			if late := h.journal.streams()[entries:]; len(late) > 0 {
				t.Errorf("the journal got %d entries on the way out", len(late))
			}
		})
	}
}

// takenBook is a journal that another process claims when a call is about to end.
type takenBook struct {
	call.Journal
	taken chan struct{} // closed by then
}

func (b *takenBook) Append(ctx context.Context, entries ...journal.Entry) (int64, error) {
	var at call.Reached
	if entries[0].Kind == call.KindStage && entries[0].Decode(&at) == nil && at.Stage == "end" {
		close(b.taken)
		return 0, journal.ErrFenced
	}
	return b.Journal.Append(ctx, entries...)
}

// A caller has hung up, and another process has taken the calls over before that was written down: what is left of the
// call is that process's, and nobody is hung up.
func TestACallThatIsAnotherProcesssIsNotEnded(t *testing.T) {
	book := &takenBook{taken: make(chan struct{})}
	h, caller := talk(t, func(o *call.Options) { book.Journal, o.Journal = o.Journal, book })
	agent := h.asterisk.At("PJSIP/1001")[0]
	h.asterisk.ClearLog()
	caller.Bye()
	<-book.taken
	h.stop()
	for _, r := range h.asterisk.Requests() {
		if r.Method == "DELETE" {
			t.Errorf("the service sent %s %s though the calls are another's", r.Method, r.Route)
		}
	}
	if agent.Commanded() {
		t.Error("the agent was hung up on")
	}
}
