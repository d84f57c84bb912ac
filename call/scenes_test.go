package call_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"hotline/ari"
	"hotline/ari/aritest"
	"hotline/call"
	"hotline/call/scene"
	"hotline/ivr"
	"hotline/queue"
)

// set is caller and agent 1001 in a talk, with agents 1002 and 1003 ready.
type set struct {
	*hotline
	caller, agent *aritest.Channel
}

func newSet(t *testing.T, change ...func(*call.Options)) *set {
	h, caller := talkWith(t, aritest.Caller{Number: theirNumber}, change...)
	s := &set{hotline: h, caller: caller, agent: h.asterisk.At("PJSIP/1001")[0]}
	if err := h.queue.SetProfile(queue.Profile{ID: "1003", Number: "791", Queues: []string{"service"}}, "test"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"1002", "1003"} {
		h.asterisk.Phone("PJSIP/"+id, answers)
		if err := h.queue.SignIn(id); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// do is what an agent asks for at the desk.
func (s *set) do(act scene.Act, to ...scene.Target) {
	s.t.Helper()
	s.until("the desk has the call", func() bool { _, there := s.calls.Desk("1001"); return there }) // a service that has just begun takes it up
	o := scene.Order{Act: act}
	if len(to) > 0 {
		o.Target = &to[0]
	}
	if err := s.calls.Do(s.t.Context(), "1001", o); err != nil {
		s.t.Fatalf("%s: %v", act, err)
	}
}

// refused is what an order is refused with.
func (s *set) refused(agent string, o scene.Order) string {
	s.t.Helper()
	return s.code(string(o.Act)+" by "+agent, s.calls.Do(s.t.Context(), agent, o))
}

// mayNotListen is what a supervisor is refused with.
func (s *set) mayNotListen(supervisor string) string {
	s.t.Helper()
	return s.code("listening by "+supervisor, s.calls.Monitor(s.t.Context(), supervisor, s.callID(), scene.DoListen))
}

func (s *set) code(what string, err error) string {
	s.t.Helper()
	var refused *scene.Refused
	if !errors.As(err, &refused) {
		s.t.Fatalf("%s: %v, and is to be refused", what, err)
	}
	return refused.Code
}

// hear waits until just these are in one bridge.
func (s *set) hear(who ...*aritest.Channel) {
	s.t.Helper()
	var want []string
	for _, ch := range who {
		want = append(want, ch.ID())
	}
	slices.Sort(want)
	s.until("those who are to hear each other do", func() bool {
		return slices.Equal(slices.Sorted(slices.Values(who[0].Joined())), want)
	})
}

// waiting waits until the caller hears the tone, alone.
func (s *set) waiting() {
	s.t.Helper()
	s.until("the caller hears the tone", func() bool {
		list := s.caller.Played()
		return len(s.caller.Joined()) == 0 && len(list) > 0 && strings.Contains(list[len(list)-1], "hold.")
	})
}

// phone is the living line of an agent's phone.
func (s *set) phone(endpoint string) *aritest.Channel {
	s.t.Helper()
	s.until("the phone "+endpoint+" is called", func() bool { return len(s.asterisk.At(endpoint)) == 1 })
	return s.asterisk.At(endpoint)[0]
}

// talk lasts for as long as it takes until who hangs up has had the caller.
func (s *set) talk() {
	s.t.Helper()
	began := time.Now()
	s.until("they have talked", func() bool { return time.Since(began) > 2*time.Second })
}

// is waits for an agent's state.
func (s *set) is(agent string, want queue.State) {
	s.t.Helper()
	s.until("agent "+agent+" is "+want.String(), func() bool {
		view, _ := s.queue.Agent(agent)
		return view.State == want
	})
}

// ends ends the call, and looks that it was served.
func (s *set) ends() call.Ended {
	s.t.Helper()
	s.leaveRaw(s.callID())
	s.caller.Bye()
	got := s.outcome()
	if got.Result != call.Served {
		s.t.Errorf("the call ended as %+v", got.Outcome)
	}
	s.until("nothing is left in Asterisk", func() bool { return s.asterisk.Channels() == 0 && s.asterisk.Bridges() == 0 })
	for _, agent := range s.queue.Agents() {
		s.until("agent "+agent.ID+" is in no talk", func() bool {
			view, _ := s.queue.Agent(agent.ID)
			return !view.State.InTalk() && view.State != queue.StateReserved && view.State != queue.StateRinging
		})
		if desk, there := s.calls.Desk(agent.ID); there {
			s.t.Errorf("the desk of agent %s still shows %+v", agent.ID, desk)
		}
	}
	return got
}

var (
	to1002  = scene.Target{Kind: scene.ToAgent, ID: "1002"}
	repair  = scene.Target{Kind: scene.ToDirectory, ID: "repair"}
	entries = func(o *call.Options) {
		mayBeDialled()(o)
		o.Directory = []call.Entry{{ID: "repair", Name: "the repair team", Number: "02088886666"}}
		o.Duty = []string{"1003"}
	}
	repairPhone = "PJSIP/02088886666@trunk"
)

func TestHoldAndMuteFromTheDesk(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	s.hear(s.caller, s.agent)
	s.do(scene.DoMute)
	s.until("the agent is muted", s.agent.Muted)
	s.do(scene.DoHold)
	s.waiting()
	s.is("1001", queue.StateHold)
	s.until("the desk shows the hold, with its clock", func() bool {
		desk, _ := s.calls.Desk("1001")
		return desk.Scene == scene.Hold && desk.Muted && desk.Hold != nil && slices.Contains(desk.Acts, scene.DoResume)
	})
	s.do(scene.DoResume)
	s.hear(s.caller, s.agent)
	s.is("1001", queue.StateTalking)
	if !s.agent.Muted() {
		t.Error("the hold has unmuted the agent")
	}
	s.do(scene.DoUnmute)
	s.until("the agent is heard", func() bool { return !s.agent.Muted() })
	s.ends()
}

func TestConsult(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	s.do(scene.DoConsult, to1002)
	third := s.phone("PJSIP/1002")
	s.hear(s.agent, third)
	s.waiting()
	s.is("1001", queue.StateConsult)
	s.is("1002", queue.StateConsult)
	if desk, _ := s.calls.Desk("1002"); desk.Kind != scene.PartThird || desk.Scene != scene.Consulting {
		t.Errorf("the third's desk shows %+v", desk)
	}
	s.do(scene.DoCancel)
	s.hear(s.caller, s.agent)
	s.is("1002", queue.StateReady)
	s.until("the third is let go of", func() bool { return third.State() == "" })
	s.ends()
}

func TestWarmTransfer(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	s.do(scene.DoConsult, to1002)
	third := s.phone("PJSIP/1002")
	s.hear(s.agent, third)
	s.waiting()
	time.Sleep(500 * time.Millisecond) // in which the caller waits for the second
	s.do(scene.DoComplete)
	s.hear(s.caller, third)
	s.is("1002", queue.StateTalking)
	if desk, _ := s.calls.Desk("1002"); desk.WaitedMs < 500 || desk.WaitedMs > 5000 {
		t.Errorf("the second agent's desk says that the caller has waited for %d ms, and means another wait than with the tone just now", desk.WaitedMs)
	}
	s.until("the first agent is let go of", func() bool { return s.agent.State() == "" })
	s.until("the caller is told of the second agent, too", func() bool { return count(s.caller.Played(), "sound:/sounds/agent.after") == 2 })
	got := s.ends()
	s.wantLegs(got, "caller: caller pressed (proven)", "agent 1001: service command (proven)", "agent 1002: service command (proven)")
}

func TestThreeWay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ends   func(s *set, third *aritest.Channel)
		stays  func(s *set, third *aritest.Channel) *aritest.Channel
		states map[string]queue.State
	}{
		"the third is dropped": {
			ends:   func(s *set, _ *aritest.Channel) { s.do(scene.DoDrop) },
			stays:  func(s *set, _ *aritest.Channel) *aritest.Channel { return s.agent },
			states: map[string]queue.State{"1001": queue.StateTalking, "1002": queue.StateReady},
		},
		"the third hangs up": {
			ends:   func(_ *set, third *aritest.Channel) { third.Bye() },
			stays:  func(s *set, _ *aritest.Channel) *aritest.Channel { return s.agent },
			states: map[string]queue.State{"1001": queue.StateTalking, "1002": queue.StateReady},
		},
		"the agent hangs up": {
			ends:   func(s *set, _ *aritest.Channel) { s.agent.Bye() },
			stays:  func(_ *set, third *aritest.Channel) *aritest.Channel { return third },
			states: map[string]queue.State{"1002": queue.StateTalking},
		},
		"the agent's line fails": {
			ends:   func(s *set, _ *aritest.Channel) { s.agent.LoseLine() },
			stays:  func(_ *set, third *aritest.Channel) *aritest.Channel { return third },
			states: map[string]queue.State{"1002": queue.StateTalking},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSet(t)
			s.do(scene.DoConsult, to1002)
			third := s.phone("PJSIP/1002")
			s.hear(s.agent, third)
			s.do(scene.DoJoin)
			s.hear(s.caller, s.agent, third)
			test.ends(s, third)
			s.hear(s.caller, test.stays(s, third))
			for agent, state := range test.states {
				s.is(agent, state)
			}
			s.ends()
		})
	}
}

func TestBlindTransfer(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	s.asterisk.Phone("PJSIP/1002", aritest.Phone{Does: aritest.Answers, After: 100 * time.Millisecond})
	time.Sleep(500 * time.Millisecond) // a talk, which is no wait
	sent := time.Now()
	s.do(scene.DoTransfer, to1002)
	third := s.phone("PJSIP/1002")
	s.until("the desk says who has sent the caller", func() bool {
		desk, _ := s.calls.Desk("1002")
		if longest := time.Since(sent); desk.WaitedMs > longest.Milliseconds() {
			t.Fatalf("the caller was sent on %v ago, and has waited for %d ms, the desk says", longest, desk.WaitedMs)
		}
		return desk.Kind == scene.PartIn && desk.Third != nil && desk.Third.State == scene.ThirdSent && desk.Third.ID == "1001"
	})
	s.hear(s.caller, third)
	s.is("1002", queue.StateTalking)
	if !played(s.caller, "transfer.please_wait") {
		t.Errorf("the caller heard %v, and not that they are transferred", s.caller.Played())
	}
	s.ends()
}

func TestBlindTransferInVain(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]bool{"back to the agent": true, "back to the line": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSet(t)
			s.asterisk.Phone("PJSIP/1002", aritest.Phone{Does: aritest.Declines, After: 50 * time.Millisecond})
			if !back {
				s.asterisk.Phone("PJSIP/1001", aritest.Phone{Does: aritest.Busy, After: 50 * time.Millisecond})
			}
			s.do(scene.DoTransfer, to1002)
			if back {
				s.until("the first agent is called again", func() bool {
					list := s.asterisk.At("PJSIP/1001")
					return len(list) == 1 && list[0] != s.agent
				})
				s.agent = s.phone("PJSIP/1001")
				s.hear(s.caller, s.agent)
				s.is("1001", queue.StateTalking)
				if !played(s.caller, "transfer.not_reached") {
					t.Errorf("the caller heard %v, and not that nobody answers", s.caller.Played())
				}
			} else {
				s.until("the caller hears the apology", func() bool { return played(s.caller, "transfer.in_vain") })
				s.hear(s.caller, s.phone("PJSIP/1003")) // at the head of the line
			}
			s.ends()
		})
	}
}

func TestConsultInVain(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	s.asterisk.Phone("PJSIP/1002", aritest.Phone{Does: aritest.Busy, After: 50 * time.Millisecond})
	s.do(scene.DoConsult, to1002)
	s.until("the agent is back with the caller", func() bool {
		view, _ := s.queue.Agent("1001")
		return view.State == queue.StateTalking && len(s.caller.Joined()) == 2
	})
	s.until("the desk says who was not reached", func() bool {
		desk, _ := s.calls.Desk("1001")
		return desk.Third != nil && desk.Third.State == scene.ThirdMissed && desk.Third.ID == "1002" && desk.Third.Why == "declined"
	})
	if got := s.refused("1001", scene.Order{Act: scene.DoConsult, Target: &to1002}); got != scene.NotAvailable {
		t.Errorf("who has just declined is %s", got)
	}
	s.do(scene.DoMute)
	if desk, _ := s.calls.Desk("1001"); desk.Third != nil {
		t.Errorf("after the next step the desk still shows %+v", desk.Third)
	}
	s.ends()
}

// hungUp is a caller whose agent has hung up, and who is asked for the rating.
func hungUp(t *testing.T) *set {
	s := newSet(t)
	if got := s.refused("1001", scene.Order{Act: scene.DoRejoin}); got != scene.NoCall {
		t.Errorf("who has not left is refused with %s", got)
	}
	s.do(scene.DoHangup)
	s.until("the caller is asked for a rating", func() bool { return played(s.caller, "rating.ask") })
	if got := s.calls.Back("1001"); got != s.callID() {
		t.Errorf("the desk offers the way back to %q, want %q", got, s.callID())
	}
	return s
}

// The tone of the wait, which is stopped as the talk begins, is shown to nobody as a hold; nor is a hold that is over.
func TestATalkIsNotShownAsAHold(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	shown := func(held bool) {
		t.Helper()
		if desk, _ := s.calls.Desk("1001"); desk.ID == "" || (desk.Hold != nil) != held {
			t.Errorf("the desk shows the hold %+v in %q, want one: %v", desk.Hold, desk.Scene, held)
		}
	}
	shown(false)
	s.do(scene.DoHold)
	s.waiting()
	s.until("the desk shows the hold", func() bool { desk, _ := s.calls.Desk("1001"); return desk.Hold != nil })
	s.do(scene.DoResume)
	s.hear(s.caller, s.agent)
	shown(false)
	s.ends()
}

// An agent who hung up by accident takes the caller back at the desk, while the caller is still there.
func TestBackToTheCaller(t *testing.T) {
	t.Parallel()
	t.Run("at a phone", func(t *testing.T) {
		t.Parallel()
		s := hungUp(t)
		if got := s.refused("1001", scene.Order{Act: scene.DoRejoin, Call: "another"}); got != scene.NoCall {
			t.Errorf("the way back to another call is refused with %s", got)
		}
		s.asterisk.Phone("PJSIP/1001", aritest.Phone{Does: aritest.Answers, After: 100 * time.Millisecond})
		if err := s.calls.Do(t.Context(), "1001", scene.Order{Act: scene.DoRejoin}); err != nil {
			t.Fatal(err)
		}
		s.waiting()
		s.until("the desk shows the caller, and nobody beside", func() bool {
			desk, _ := s.calls.Desk("1001")
			return desk.Kind == scene.PartIn && desk.Third == nil
		})
		s.hear(s.caller, s.phone("PJSIP/1001"))
		s.is("1001", queue.StateTalking)
		s.until("the journal tells of the return", func() bool { return len(decoded[call.Talk](s.journal, call.KindRejoined)) == 1 })
		if s.calls.Back("1001") != "" {
			t.Error("who is back may come back")
		}
		s.agent = s.phone("PJSIP/1001")
		s.do(scene.DoHold)
		s.waiting()
		got := s.ends()
		s.wantLegs(got, "caller: caller pressed (proven)", "agent 1001: agent pressed (proven)", "agent 1001: service command (proven)")
	})
	for name, late := range map[string]time.Duration{"not answered": 0, "asked for as the question begins, and not answered": 200 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSet(t)
			s.asterisk.Phone("PJSIP/1001", aritest.Phone{Does: aritest.Busy, After: 50 * time.Millisecond})
			s.do(scene.DoHangup)
			s.asterisk.Stall(late) // the question plays before the service is told so
			s.until("the caller is asked for a rating", func() bool { return played(s.caller, "rating.ask") })
			if err := s.calls.Do(t.Context(), "1001", scene.Order{Act: scene.DoRejoin, Call: s.callID()}); err != nil {
				t.Fatal(err)
			}
			s.asterisk.Heal()
			s.waiting()
			s.until("the caller is asked again", func() bool { return count(s.caller.Played(), "sound:/sounds/rating.ask") == 2 })
			s.ends()
		})
	}
	t.Run("on a break", func(t *testing.T) {
		t.Parallel()
		s := hungUp(t)
		if err := s.queue.Pause("1001", "rest"); err != nil {
			t.Fatal(err)
		}
		if got := s.refused("1001", scene.Order{Act: scene.DoRejoin}); got != scene.NotAvailable {
			t.Errorf("who is on a break is refused with %s", got)
		}
		s.ends()
	})
}

// An agent who keys the way back as they are reserved for somebody else has their caller back, and the other goes on
// waiting; who talks with the other already does not.
func TestTheWayBackBeforeAnotherCaller(t *testing.T) {
	t.Parallel()
	for name, phone := range map[string]aritest.Phone{"the phone rings": {Does: aritest.NoAnswer}, "the other has been answered": answers} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, caller := talkWith(t, aritest.Caller{Number: theirNumber}, func(o *call.Options) { o.RatingWait, o.Record = time.Minute, false })
			other := h.waitsInLine("13900139000")
			h.asterisk.At("PJSIP/1001")[0].Bye()
			h.until("the caller is asked for a rating", func() bool { return played(caller, "rating.ask") })
			h.asterisk.Phone("PJSIP/1001", phone)
			answered := phone.Does == aritest.Answers
			if answered {
				h.talks(other)
			} else {
				h.until("the phone rings for the other", func() bool { return h.agentState() == queue.StateRinging })
			}
			back := h.asterisk.Arrive(aritest.Caller{Endpoint: "PJSIP/1001", Number: "1001", Exten: "*69", Args: []string{"agent", "*69"}})
			if answered {
				h.until("the agent is let go of", func() bool { return back.Cause() != 0 })
				h.until("the caller is asked again", func() bool { return count(caller.Played(), "sound:/sounds/rating.ask") == 2 })
				other.Bye()
				h.until("the agent wraps up", func() bool { return h.agentState() == queue.StateWrapUp })
				return
			}
			h.until("they hear each other", func() bool { return slices.Contains(caller.Joined(), back.ID()) })
			if agent, _ := h.queue.Agent("1001"); agent.State != queue.StateTalking || len(h.queue.Waiting("service")) != 1 {
				t.Errorf("the queue has the agent %s, and %d in line, want talking, and the other there", agent.State, len(h.queue.Waiting("service")))
			}
			h.until("the phone rings no more", func() bool { return len(h.asterisk.At("PJSIP/1001")) == 1 })
			back.Bye()
			h.asterisk.Phone("PJSIP/1001", answers)
			h.talks(other)
		})
	}
}

func TestDirectoryAndDutyManager(t *testing.T) {
	t.Parallel()
	s := newSet(t, entries)
	s.asterisk.Phone(repairPhone, answers)
	s.do(scene.DoConsult, repair)
	outside := s.phone(repairPhone)
	s.hear(s.agent, outside)
	if err := s.calls.Do(t.Context(), "1001", scene.Order{Act: scene.DoKeys, Keys: "12#"}); err != nil || outside.Keys() != "12#" {
		t.Errorf("the keys that have reached the other end: %q, %v", outside.Keys(), err)
	}
	s.do(scene.DoCancel)
	s.hear(s.caller, s.agent)
	s.do(scene.DoConsult, scene.Target{Kind: scene.ToDuty})
	s.hear(s.agent, s.phone("PJSIP/1003"))
	s.do(scene.DoCancel)
	s.do(scene.DoTransfer, repair)
	outside = s.phone(repairPhone)
	s.hear(s.caller, outside)
	s.is("1001", queue.StateReady)
	s.talk()
	s.leaveRaw(s.callID())
	outside.Bye()
	got := s.outcome()
	s.wantLegs(got, "caller: service command (proven)", "agent 1001: service command (proven)", "directory repair: agent pressed (proven)")
}

// Whoever hangs up as a caller is being given to them, or taken back, has not had
// the caller: nobody is asked for a rating who has only waited.
func TestNobodyHasTheCallerYet(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(s *set, third *aritest.Channel){
		"the third hangs up as the transfer completes": func(s *set, third *aritest.Channel) {
			s.do(scene.DoComplete)
			third.Bye()
		},
		"both hang up, the third first": func(s *set, third *aritest.Channel) {
			third.Bye()
			s.agent.Bye()
		},
		"who was called hangs up as they answer": func(s *set, _ *aritest.Channel) {
			s.do(scene.DoCancel)
			s.is("1002", queue.StateReady)
			s.do(scene.DoTransfer, to1002)
			third := s.phone("PJSIP/1002")
			s.until("the third has answered", func() bool { return third.State() == "Up" })
			third.Bye()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSet(t)
			s.do(scene.DoConsult, to1002)
			third := s.phone("PJSIP/1002")
			s.hear(s.agent, third)
			s.waiting()
			leave(s, third)
			s.until("the caller is asked for a rating, or goes on", func() bool {
				return played(s.caller, "rating.ask") || played(s.caller, "transfer.in_vain") || played(s.caller, "transfer.not_reached")
			})
			if played(s.caller, "rating.ask") {
				t.Fatalf("the caller, who has met nobody, heard %v", s.caller.Played())
			}
			s.until("the caller is with an agent", func() bool { return len(s.caller.Joined()) == 2 })
			s.ends()
		})
	}
}

func TestASecondTransferIsTold(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	told := func(times int) {
		t.Helper()
		if n := strings.Count(strings.Join(s.caller.Played(), " "), "transfer.please_wait"); n != times {
			t.Errorf("of %d transfers the caller was told of %d: %v", times, n, s.caller.Played())
		}
	}
	s.do(scene.DoTransfer, to1002)
	s.hear(s.caller, s.phone("PJSIP/1002"))
	told(1)
	s.is("1002", queue.StateTalking)
	if err := s.calls.Do(t.Context(), "1002", scene.Order{Act: scene.DoTransfer, Target: &scene.Target{Kind: scene.ToAgent, ID: "1003"}}); err != nil {
		t.Fatal(err)
	}
	s.hear(s.caller, s.phone("PJSIP/1003"))
	told(2)
	s.ends()
}

// A supervisor's line ends with the talk that they listen to.
func TestASupervisorLeavesWithTheTalk(t *testing.T) {
	t.Parallel()
	for _, act := range []scene.Act{scene.DoListen, scene.DoBarge} {
		t.Run(string(act), func(t *testing.T) {
			t.Parallel()
			s := newSet(t)
			if err := s.calls.Monitor(t.Context(), "1003", s.callID(), act); err != nil {
				t.Fatal(err)
			}
			supervisor := s.phone("PJSIP/1003")
			s.until("the supervisor is in the talk", func() bool { return len(supervisor.Joined()) > 1 })
			s.leaveRaw(s.callID())
			s.do(scene.DoHangup)
			s.until("the rating is asked", func() bool { return played(s.caller, "rating.ask") })
			s.until("the supervisor's line has ended", func() bool { return supervisor.State() == "" && s.asterisk.Bridges() == 0 })
			if s.caller.State() != "Up" {
				t.Error("the supervisor's line has ended with the call alone")
			}
			s.caller.Press("5")
			s.outcome()
		})
	}
}

// A duty manager who has the call themselves asks the other one.
func TestADutyManagerAsksTheOther(t *testing.T) {
	t.Parallel()
	s := newSet(t, entries, func(o *call.Options) { o.Duty = []string{"1900", "1001", "1003"} })
	duty := scene.Target{Kind: scene.ToDuty}
	s.do(scene.DoConsult, duty)
	s.hear(s.agent, s.phone("PJSIP/1003"))
	s.do(scene.DoCancel)
	s.hear(s.caller, s.agent)
	s.is("1003", queue.StateReady)
	if err := s.queue.Pause("1003", "a break"); err != nil {
		t.Fatal(err)
	}
	if got := s.refused("1001", scene.Order{Act: scene.DoConsult, Target: &duty}); got != scene.NotAvailable {
		t.Errorf("where the other is on a break the duty manager is refused with %s", got)
	}
	s.ends()
}

// An agent who is told something, the codes perhaps, goes on in the middle of it:
// what plays on their line keeps no caller waiting.
func TestAWordKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	for name, acts := range map[string]func(s *set){
		"a blind transfer": func(s *set) {
			s.agent.Press("*8")
			s.until("the agent hears the codes", func() bool { return played(s.agent, "code.menu") })
			s.agent.Press("*7790#")
		},
		"a warm one": func(s *set) {
			s.do(scene.DoConsult, to1002)
			s.hear(s.agent, s.phone("PJSIP/1002"))
			s.waiting()
			s.agent.Press("*8")
			s.until("the agent hears the codes", func() bool { return played(s.agent, "code.menu") })
			s.agent.Press("*4")
		},
		"back to the caller": func(s *set) {
			s.agent.Press("*1")
			s.waiting()
			s.agent.Press("*8")
			s.until("the agent hears the codes", func() bool { return played(s.agent, "code.menu") })
			s.agent.Press("*1")
			s.hear(s.caller, s.agent)
			s.agent.Press("*7790#")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSet(t)
			s.asterisk.MediaLasts(func(medium string) time.Duration {
				switch {
				case strings.Contains(medium, "code.menu"):
					return time.Minute
				case strings.Contains(medium, "hold.tone"):
					return 30 * time.Second
				}
				return 0
			})
			s.hear(s.caller, s.agent)
			acts(s)
			s.hear(s.caller, s.phone("PJSIP/1002"))
			for _, quiet := range s.caller.Silences() {
				if lasted := quiet.To.Sub(quiet.From); lasted > 10*time.Second { // of the minute that the word takes; the rest is the machine's
					t.Errorf("the caller heard nothing for %v", lasted)
				}
			}
			s.ends()
		})
	}
}

// Who is called in holds their phone as the call becomes theirs: the caller hears
// the tone, and not a phone that holds.
func TestACallIsGivenToAPhoneThatHolds(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	s.do(scene.DoConsult, to1002)
	third := s.phone("PJSIP/1002")
	s.hear(s.agent, third)
	s.waiting()
	third.Hold()
	s.agent.Press("*6")
	s.until("what has happened after it is known", s.agent.Muted)
	s.do(scene.DoComplete)
	s.is("1002", queue.StateHold)
	s.waiting()
	third.Unhold()
	s.hear(s.caller, third)
	s.is("1002", queue.StateTalking)
	s.ends()
}

// Who has a caller cannot leave them to listen to others, and who listens is
// offered nobody.
func TestASupervisorHasOneCallAtATime(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	id := s.callID()
	s.do(scene.DoConsult, to1002)
	s.hear(s.agent, s.phone("PJSIP/1002"))
	if err := s.queue.Pause("1003", "a break"); err != nil {
		t.Fatal(err)
	}
	other := s.asterisk.Arrive(aritest.Caller{Number: "13900139000", Args: []string{"in", "96196"}})
	s.until("the menu plays", func() bool { return played(other, "menu.main") })
	other.Press("0")
	s.do(scene.DoCancel)
	s.until("the second caller is with agent 1002", func() bool { return len(other.Joined()) == 2 })
	if got := s.code("listening in a talk", s.calls.Monitor(t.Context(), "1002", id, scene.DoListen)); got != scene.NotAvailable {
		t.Errorf("who talks with a caller is refused with %s", got)
	}
	if err := s.queue.Ready("1003"); err != nil {
		t.Fatal(err)
	}
	if err := s.calls.Monitor(t.Context(), "1003", id, scene.DoListen); err != nil {
		t.Fatal(err)
	}
	s.is("1003", queue.StatePaused)
	supervisor := s.phone("PJSIP/1003")
	s.until("the supervisor listens", func() bool { return len(supervisor.Joined()) == 2 })
	supervisor.Bye()
	s.is("1003", queue.StateReady)
	other.Bye()
}

// Who is outside is none of ours: their keys are no codes, of a hold or of calls
// at our expense.
func TestWhoIsOutsideHasNoCodes(t *testing.T) {
	t.Parallel()
	s := newSet(t, entries)
	s.asterisk.Phone(repairPhone, answers)
	s.do(scene.DoTransfer, repair)
	outside := s.phone(repairPhone)
	s.hear(s.caller, outside)
	for _, code := range []string{"*1", "*2790#", "*201#", "*7*1#", "*8"} {
		outside.Press(code)
	}
	outside.Hold() // after the keys: what is told of it tells that they have been heard
	s.waiting()
	outside.Unhold()
	s.hear(s.caller, outside)
	if rung := len(s.asterisk.At("PJSIP/1002")) + len(s.asterisk.At("PJSIP/1003")) + len(s.asterisk.At(repairPhone)); rung != 1 {
		t.Errorf("who is outside has had %d phones rung", rung-1)
	}
	if played(outside, "code.menu") || s.caller.Keys() != "" {
		t.Errorf("who is outside has heard %v, and the caller's phone was sent the keys %q", outside.Played(), s.caller.Keys())
	}
	s.ends()
}

func TestTransferToAQueue(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	s.do(scene.DoTransfer, scene.Target{Kind: scene.ToQueue, ID: "service"})
	s.until("the caller is with the next agent", func() bool { return len(s.caller.Joined()) == 2 && s.agent.State() == "" })
	for _, agent := range s.queue.Agents() {
		if desk, there := s.calls.Desk(agent.ID); there && desk.Third != nil {
			t.Errorf("the desk of agent %s, who has the caller alone, shows the third %+v", agent.ID, *desk.Third)
		}
	}
	s.ends()
}

func TestOurSideHangsUp(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	s.leaveRaw(s.callID())
	s.do(scene.DoHangup)
	s.until("the rating is asked", func() bool { return played(s.caller, "rating.ask") })
	s.is("1001", queue.StateWrapUp)
	s.caller.Press("5")
	got := s.outcome()
	if got.Result != call.Served || got.HungUp != "agent pressed (proven)" {
		t.Errorf("the call ended as %+v, by %s", got.Outcome, got.HungUp)
	}
	s.wantLegs(got, "caller: service command (proven)", "agent 1001: agent pressed (proven)")
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	s := newSet(t, entries)
	for _, test := range []struct {
		agent string
		order scene.Order
		want  string
	}{
		{"1001", scene.Order{Act: scene.DoResume}, scene.Impossible},
		{"1001", scene.Order{Act: "fly"}, scene.Impossible},
		{"1001", scene.Order{Act: scene.ThirdAnswered}, scene.Impossible},
		{"1001", scene.Order{Act: scene.DoConsult}, scene.UnknownTarget},
		{"1001", scene.Order{Act: scene.DoConsult, Target: &scene.Target{Kind: scene.ToAgent, ID: "1900"}}, scene.UnknownTarget},
		{"1001", scene.Order{Act: scene.DoTransfer, Target: &scene.Target{Kind: scene.ToDirectory, ID: "13900139000"}}, scene.UnknownTarget},
		{"1001", scene.Order{Act: scene.DoTransfer, Target: &scene.Target{Kind: scene.ToQueue, ID: "nothing"}}, scene.UnknownTarget},
		{"1001", scene.Order{Act: scene.DoConsult, Target: &scene.Target{Kind: scene.ToAgent, ID: "1001"}}, scene.Self},
		{"1001", scene.Order{Act: scene.DoKeys, Keys: "1;2"}, scene.BadKeys},
		{"1002", scene.Order{Act: scene.DoHold}, scene.NoCall},
		{"1002", scene.Order{Act: scene.DoHold, Call: s.callID()}, scene.NoCall},
		{"1001", scene.Order{Act: scene.DoHold, Call: "20260101-000000-ABCDEF"}, scene.NoCall},
	} {
		if got := s.refused(test.agent, test.order); got != test.want {
			t.Errorf("%+v by %s is refused with %s, want %s", test.order, test.agent, got, test.want)
		}
	}
	s.hear(s.caller, s.agent)
	s.ends()
}

func TestFeatureCodes(t *testing.T) {
	t.Parallel()
	s := newSet(t, entries)
	says := func(ch *aritest.Channel, word string) {
		t.Helper()
		s.until("the agent hears "+word, func() bool { return played(ch, word) })
	}
	s.agent.Press("*1")
	s.waiting()
	says(s.agent, "code.hold")
	s.agent.Press("*1")
	s.hear(s.caller, s.agent)
	says(s.agent, "code.resumed")
	s.agent.Press("*6")
	s.until("the agent is muted", s.agent.Muted)
	says(s.agent, "code.muted")
	s.agent.Press("*6")
	s.until("the agent is heard", func() bool { return !s.agent.Muted() })
	s.agent.Press("*8")
	says(s.agent, "code.menu")
	s.agent.Press("*9")
	says(s.agent, "code.unknown")
	s.agent.Press("*3")
	says(s.agent, "code.refused")
	s.agent.Press("*2555#")
	says(s.agent, "code.unknown_number")
	s.agent.Press("4")
	s.until("a key of no code is passed on", func() bool { return s.caller.Keys() == "4" })

	s.agent.Press("*2790#")
	third := s.phone("PJSIP/1002")
	s.hear(s.agent, third)
	says(s.agent, "code.calling")
	s.agent.Press("*3")
	s.hear(s.caller, s.agent, third)
	s.agent.Press("*5")
	s.hear(s.caller, s.agent)
	says(s.agent, "code.dropped")
	s.agent.Press("*200#")
	s.hear(s.agent, s.phone("PJSIP/1003"))
	s.agent.Press("*4")
	s.hear(s.caller, s.phone("PJSIP/1003"))
	says(s.agent, "code.handed_over")
	s.until("the first agent's line has ended", func() bool { return s.agent.State() == "" })
	for _, ch := range []*aritest.Channel{s.caller, third} {
		for _, word := range []string{"code.hold", "code.resumed", "code.muted", "code.calling", "code.dropped", "code.handed_over", "code.refused"} {
			if played(ch, word) {
				t.Errorf("%s, said to the agent, was heard by %s", word, ch.ID())
			}
		}
	}
	if s.caller.Keys() != "4" || third.Keys() != "" {
		t.Errorf("keys of codes have reached the caller, %q, or the third, %q", s.caller.Keys(), third.Keys())
	}
	s.phone("PJSIP/1003").Press("*7*1#")
	s.until("the caller is sent to the queue", func() bool { return len(s.asterisk.At("PJSIP/1003")) == 0 })
	s.ends()
}

func TestASupervisorListensWhispersAndJoins(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	ask := func(act scene.Act) {
		t.Helper()
		if err := s.calls.Monitor(t.Context(), "1003", s.callID(), act); err != nil {
			t.Fatal(err)
		}
	}
	snoop := func(whispers bool, supervisor *aritest.Channel) {
		t.Helper()
		s.until("the supervisor is in the bridge with a snoop on the agent", func() bool {
			snoops := s.agent.Snoops()
			return len(snoops) == 1 && snoops[0].Whispers() == whispers && slices.Contains(supervisor.Joined(), snoops[0].ID())
		})
		s.hear(s.caller, s.agent)
	}
	ask(scene.DoListen)
	supervisor := s.phone("PJSIP/1003")
	snoop(false, supervisor)
	if desk, _ := s.calls.Desk("1001"); desk.Monitor != "" || desk.Watched == nil || *desk.Watched != (scene.Watching{Agent: "1003", Mode: scene.Listening}) {
		t.Errorf("the agent is shown that somebody listens: %q; the floor is shown %+v", desk.Monitor, desk.Watched)
	}
	ask(scene.DoWhisper)
	snoop(true, supervisor)
	if desk, _ := s.calls.Desk("1001"); desk.Monitor != scene.Whispering {
		t.Errorf("the agent is shown %q", desk.Monitor)
	}
	ask(scene.DoBarge)
	s.hear(s.caller, s.agent, supervisor)
	s.until("nobody listens in any more", func() bool { return len(s.agent.Snoops()) == 0 })
	ask(scene.DoListen)
	snoop(false, supervisor)
	if got := s.mayNotListen("1002"); got != scene.Impossible {
		t.Errorf("a second supervisor is refused with %s", got)
	}
	if got := s.mayNotListen("1001"); got != scene.NotAvailable {
		t.Errorf("the agent who listens to themselves is refused with %s", got)
	}
	if got := s.refused("1003", scene.Order{Call: s.callID(), Act: scene.DoWhisper}); got != scene.Impossible {
		t.Errorf("who asks as an agent does is refused with %s", got)
	}
	ask(scene.DoLeave)
	s.until("the supervisor's line has ended", func() bool { return supervisor.State() == "" && s.asterisk.Bridges() == 1 })
	s.hear(s.caller, s.agent)
	if desk, _ := s.calls.Desk("1001"); desk.Watched != nil {
		t.Errorf("the floor is shown %+v, who has left", desk.Watched)
	}
	s.ends()
}

// atBrowser is one agent's browser, which answers what its person has asked for, and nothing else.
type atBrowser struct {
	agent string
	t     *testing.T
}

func (b atBrowser) Line(agentID, _ string) (string, bool) {
	return browserLine + "/c(alaw)", agentID == b.agent
}
func (b atBrowser) Online(agentID string) bool             { return agentID == b.agent }
func (b atBrowser) Unmade(string)                          {}
func (b atBrowser) Ring(*ari.Leg, time.Duration)           {}
func (b atBrowser) Found(string, *ari.Leg, netip.AddrPort) {}
func (b atBrowser) Take(leg *ari.Leg, _ time.Duration) {
	if err := leg.Pickup(b.t.Context()); err != nil {
		b.t.Errorf("the supervisor's line is not answered: %v", err)
	}
}

const browserLine = "UnicastRTP/127.0.0.1:4000"

func TestASupervisorListensInABrowser(t *testing.T) {
	t.Parallel()
	s := newSet(t, func(o *call.Options) { o.Browsers = atBrowser{"1003", t} })
	if err := s.calls.Monitor(t.Context(), "1003", s.callID(), scene.DoListen); err != nil {
		t.Fatal(err)
	}
	s.until("the supervisor hears the agent's line, without having answered anything", func() bool {
		at, snoops := s.asterisk.At(browserLine), s.agent.Snoops()
		return len(at) == 1 && len(snoops) == 1 && slices.Contains(at[0].Joined(), snoops[0].ID())
	})
	s.ends()
}

func TestWatch(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	changed, stop := s.calls.Watch("1001")
	others, stopOthers := s.calls.Watch("1003")
	s.do(scene.DoHold)
	select {
	case <-changed:
	case <-time.After(5 * time.Second):
		t.Error("a hold is not told")
	}
	select {
	case <-others:
		t.Error("another agent's desk is told")
	default:
	}
	stop()
	stopOthers()
	s.ends()
}

// What a desk shows of a caller is in words: a withheld number is none, and the way through the menus has the keys' names.
func TestADeskShowsNoCodes(t *testing.T) {
	h, _ := talkWith(t, aritest.Caller{}, func(o *call.Options) {
		main := o.Menus.ByID["main"]
		main.Keys['0'] = ivr.Action{Do: ivr.DoQueue, Target: "service", Name: "人工服务"}
	})
	h.until("the desk has the call", func() bool { _, there := h.calls.Desk("1001"); return there })
	desk, _ := h.calls.Desk("1001")
	if desk.Number != "" || !slices.Equal(desk.Path, []string{"人工服务"}) {
		t.Errorf("the desk shows the number %q and the way %q", desk.Number, desk.Path)
	}
}
