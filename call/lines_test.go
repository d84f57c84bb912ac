package call_test

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"hotline/ari/aritest"
	"hotline/call"
	"hotline/ivr"
	"hotline/ivr/calendar"
	"hotline/queue"
)

var rings = aritest.Phone{Does: aritest.NoAnswer} // until the offer is over

// inLine is a caller in a queue with these rules, agent 1001 signed in and on a break.
func inLine(t *testing.T, change func(*queue.Rules)) (*hotline, *aritest.Channel) {
	h := newHotline(t, 1)
	rules := h.queue.Rules()[0]
	change(&rules)
	if err := h.queue.SetRules(rules, "test"); err != nil {
		t.Fatal(err)
	}
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
	return h, caller
}

// In a queue that rings all the first to answer has the caller, and the other phones stop.
func TestTheFirstPhoneAnsweredStopsTheOthers(t *testing.T) {
	h, caller := inLine(t, func(r *queue.Rules) { r.Strategy, r.RingAtMost, r.PreferFor = queue.RingAll, 2, 0 })
	h.until("the tone plays", func() bool { return played(caller, "hold.tone.30") })
	h.asterisk.Phone("PJSIP/1001", rings)
	h.asterisk.Phone("PJSIP/1002", aritest.Phone{Does: aritest.Answers, After: 200 * time.Millisecond})
	h.ready()
	h.until("the first phone rings", func() bool { return h.agentState() == queue.StateRinging })
	if err := h.queue.SignIn("1002"); err != nil {
		t.Fatal(err)
	}
	h.talks(caller)
	h.until("the other agent is ready again", func() bool { return h.agentState() == queue.StateReady })
	h.until("the other phone has stopped", func() bool { return len(h.asterisk.At("PJSIP/1001")) == 0 })
	if agent, _ := h.queue.Agent("1002"); agent.State != queue.StateTalking {
		t.Errorf("the agent who answered is %s", agent.State)
	}
	caller.Bye()
	if got := h.outcome(); got.Result != call.Served {
		t.Errorf("the call ended as %+v", got.Outcome)
	}
}

// A caller who leaves while several phones ring stops them all.
func TestACallerWhoLeavesStopsEveryPhone(t *testing.T) {
	h, caller := inLine(t, func(r *queue.Rules) { r.Strategy, r.RingAtMost, r.PreferFor = queue.RingAll, 2, 0 })
	h.asterisk.Phone("PJSIP/1001", rings)
	h.asterisk.Phone("PJSIP/1002", rings)
	h.ready()
	if err := h.queue.SignIn("1002"); err != nil {
		t.Fatal(err)
	}
	h.until("both phones ring", func() bool {
		return !slices.ContainsFunc(h.queue.Agents(), func(a queue.AgentView) bool { return a.State != queue.StateRinging })
	})
	caller.Bye()
	if got := h.outcome(); got.Result != call.Abandoned {
		t.Errorf("the call ended as %+v", got.Outcome)
	}
	h.nothingLeft()
	for _, agent := range h.queue.Agents() {
		if agent.State != queue.StateReady {
			t.Errorf("agent %s is %s after the caller left", agent.ID, agent.State)
		}
	}
}

// Whyever a queue ends a wait, the caller hears why, in words of its own, and may leave a message.
func TestEveryEndOfAWaitHasItsWords(t *testing.T) {
	for name, end := range map[string]struct {
		rules  func(*queue.Rules)
		does   func(*hotline) error
		hears  string
		reason string
	}{
		"the last agent leaves": {does: func(h *hotline) error { return h.queue.SignOut("1001") }, hears: "queue.signed_out", reason: "agents-left"},
		"the queue is removed":  {does: func(h *hotline) error { return h.queue.RemoveQueue("service", "test") }, hears: "queue.removed", reason: "queue-removed"},
		"the skill goes": {does: func(h *hotline) error {
			return h.queue.SetRules(queue.Rules{ID: "service", Needs: map[string]int{"english": 1}}, "test")
		}, hears: ""}, // refused: nobody has it
		"the wait is over": {rules: func(r *queue.Rules) {
			r.MaxWait, r.MaxWaitTo, r.PreferFor = 300*time.Millisecond, queue.LapseMessage, 0
		},
			hears: "queue.too_long", reason: "too-long"},
		"a call back is offered": {rules: func(r *queue.Rules) {
			r.MaxWait, r.MaxWaitTo, r.PreferFor = 300*time.Millisecond, queue.LapseCallBack, 0
		},
			hears: "queue.call_back", reason: "call-back"},
		"all are out of service": {rules: func(r *queue.Rules) { r.Unattended, r.MissesBeforeOut = 100*time.Millisecond, 1 },
			does: func(h *hotline) error {
				h.asterisk.Phone("PJSIP/1001", aritest.Phone{Does: aritest.Unreachable})
				return h.queue.Ready("1001")
			},
			hears: "queue.unattended", reason: "unattended"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if end.rules == nil {
				end.rules = func(*queue.Rules) {}
			}
			h, caller := inLine(t, end.rules)
			if end.does != nil {
				h.until("the tone plays", func() bool { return played(caller, "hold.tone.30") })
				if err := end.does(h); (err != nil) != (end.hears == "") {
					t.Fatalf("the queue says %v", err)
				}
			}
			if end.hears != "" {
				h.until("the caller hears "+end.hears, func() bool { return played(caller, end.hears) })
				h.until("a message is offered", func() bool { return played(caller, "message.offer") })
			}
			caller.Bye()
			want := call.Outcome{Result: call.TurnedAway, Reason: end.reason}
			if end.hears == "" {
				want = call.Outcome{Result: call.Abandoned, Reason: "wait"}
			}
			if got := h.outcome(); got.Outcome != want {
				t.Errorf("the call ended as %+v, want %+v", got.Outcome, want)
			}
		})
	}
}

// So does whoever is not let in at all.
func TestEveryRefusalHasItsWords(t *testing.T) {
	for name, refused := range map[string]struct {
		does  func(*hotline) error
		hears string
	}{
		"nobody is there":   {func(*hotline) error { return nil }, "queue.nobody"},
		"the queue is gone": {func(h *hotline) error { return h.queue.RemoveQueue("service", "test") }, "queue.removed"},
		"it is full": {func(h *hotline) error {
			if err := h.queue.SignIn("1001"); err != nil {
				return err
			}
			if err := h.queue.Pause("1001", "break"); err != nil {
				return err
			}
			rules := h.queue.Rules()[0]
			rules.MaxWaiting = 1
			if err := h.queue.SetRules(rules, "test"); err != nil {
				return err
			}
			_, err := h.queue.Join(queue.Caller{ID: "before", Queue: "service", Arrived: time.Now().Add(-time.Hour)})
			return err
		}, "queue.full"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHotline(t, 1)
			if err := refused.does(h); err != nil {
				t.Fatal(err)
			}
			caller := h.asterisk.Arrive(aritest.Caller{Number: "13800138000", Args: []string{"in", "96196"}})
			h.until("the menu plays", func() bool { return played(caller, "menu.main") })
			h.leaveRawRecording()
			caller.Press("0")
			h.until("the caller hears "+refused.hears, func() bool { return played(caller, refused.hears) })
			caller.Bye()
			if got := h.outcome(); got.Result != call.TurnedAway {
				t.Errorf("the call ended as %+v", got.Outcome)
			}
		})
	}
}

// A queue with hours of its own lets nobody in outside of them, and sends away who waits when they end; not an emergency.
func TestAQueueHasHoursOfItsOwn(t *testing.T) {
	var morning calendar.Span
	if err := morning.UnmarshalText([]byte("08:00-12:00")); err != nil {
		t.Fatal(err)
	}
	spans := []calendar.Span{morning}
	hours, err := calendar.New(calendar.Options{Location: time.UTC, Hours: calendar.Hours{Workday: spans, Weekend: spans, Holiday: spans}})
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		comes  time.Time // when the caller comes
		key    string
		hears  string // at noon
		reason string
	}{
		"before noon":  {noon.Add(-time.Minute), "0", "queue.closed", "queue-closed"},
		"after noon":   {noon.Add(time.Minute), "0", "queue.closed", "queue-closed"},
		"an emergency": {noon.Add(time.Minute), "9", "hold.tone.30", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ahead atomic.Int64 // of the clock
			ahead.Store(int64(c.comes.Sub(time.Now())))
			h := newHotline(t, 1, func(o *call.Options) {
				o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
				o.Queues = map[string]call.QueueOptions{"service": {Name: "service", Hours: hours}}
				o.Menus.ByID["main"].Keys['9'] = ivr.Action{Do: ivr.DoEmergency, Target: "service"}
			})
			if err := errors.Join(h.queue.SignIn("1001"), h.queue.Pause("1001", "break")); err != nil {
				t.Fatal(err)
			}
			caller := h.asterisk.Arrive(aritest.Caller{Number: "13800138000", Args: []string{"in", "96196"}})
			h.until("the menu plays", func() bool { return played(caller, "menu.main") })
			h.leaveRawRecording()
			caller.Press(c.key)
			if c.comes.Before(noon) {
				h.until("the tone plays", func() bool { return played(caller, "hold.tone.30") })
				ahead.Add(int64(2 * time.Minute))
			}
			h.until("the caller hears "+c.hears, func() bool { return played(caller, c.hears) })
			caller.Bye()
			if got := h.outcome(); got.Result == call.TurnedAway && got.Reason != c.reason || (got.Result == call.TurnedAway) != (c.reason != "") {
				t.Errorf("the call ended as %+v, want the reason %q", got.Outcome, c.reason)
			}
		})
	}
}

// A caller who has overflowed into a queue that closes goes back to the one they wanted, and is served there; where that
// closes too, they are told so.
func TestAQueueClosesIntoWhichACallerHasOverflowed(t *testing.T) {
	var morning calendar.Span
	if err := morning.UnmarshalText([]byte("08:00-12:00")); err != nil {
		t.Fatal(err)
	}
	spans := []calendar.Span{morning}
	hours, err := calendar.New(calendar.Options{Location: time.UTC, Hours: calendar.Hours{Workday: spans, Weekend: spans, Holiday: spans}})
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for name, both := range map[string]bool{"the first is open": false, "both close": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ahead atomic.Int64 // of the clock
			ahead.Store(int64(noon.Add(-time.Minute).Sub(time.Now())))
			h := newHotline(t, 1, func(o *call.Options) {
				o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
				o.Queues = map[string]call.QueueOptions{"service": {}, "second": {Hours: hours}}
				if both {
					o.Queues["service"] = call.QueueOptions{Hours: hours}
				}
			})
			rules := h.queue.Rules()[0]
			rules.OverflowTo, rules.OverflowAfter, rules.PreferFor = "second", 300*time.Millisecond, 0
			if err := errors.Join(
				h.queue.SetRules(queue.Rules{ID: "second"}, "test"), h.queue.SetRules(rules, "test"),
				h.queue.SetProfile(queue.Profile{ID: "1002", Queues: []string{"second"}}, "test"),
				h.queue.SignIn("1001"), h.queue.Pause("1001", "break"), h.queue.SignIn("1002"), h.queue.Pause("1002", "break"),
			); err != nil {
				t.Fatal(err)
			}
			h.asterisk.Phone("PJSIP/1001", answers)
			caller := h.asterisk.Arrive(aritest.Caller{Number: "13800138000", Args: []string{"in", "96196"}})
			h.until("the menu plays", func() bool { return played(caller, "menu.main") })
			h.leaveRawRecording()
			caller.Press("0")
			h.until("the caller has overflowed", func() bool { return len(h.queue.Waiting("second")) == 1 })
			h.until("the tone plays", func() bool { return played(caller, "hold.tone.30") })
			ahead.Add(int64(2 * time.Minute))
			if both {
				h.until("the caller hears that it is closed", func() bool { return played(caller, "queue.closed") })
				caller.Bye()
				if got, want := h.outcome().Outcome, (call.Outcome{Result: call.TurnedAway, Reason: "queue-closed"}); got != want {
					t.Errorf("the call ended as %+v, want %+v", got, want)
				}
				return
			}
			h.until("the caller is back in the first queue", func() bool { return len(h.queue.Waiting("service")) == 1 })
			if err := h.queue.Ready("1002"); err != nil {
				t.Fatal(err)
			}
			h.ready()
			h.talks(caller)
			caller.Bye()
			if got := h.outcome(); got.Result != call.Served || played(caller, "queue.closed") {
				t.Errorf("the call ended as %+v; told that the queue is closed: %v", got.Outcome, played(caller, "queue.closed"))
			}
		})
	}
}
