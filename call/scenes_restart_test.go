package call_test

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hotline/ari/aritest"
	"hotline/call"
	"hotline/call/scene"
	"hotline/queue"
)

// stage is a house with caller and agent 1001 in a talk, and agent 1002 ready.
func stage(t *testing.T, change ...func(*call.Options)) (*house, *set) {
	t.Helper()
	h := startHouse(t, change...)
	for _, id := range []string{"1001", "1002"} {
		h.asterisk.Phone("PJSIP/"+id, answers)
	}
	if err := h.queue.SignIn("1001"); err != nil {
		t.Fatal(err)
	}
	caller := h.asterisk.Arrive(aritest.Caller{Number: theirNumber, Args: []string{"in", "96196"}})
	h.until("the menu plays", func() bool { return played(caller, "menu.main") })
	caller.Press("0")
	h.talks(caller)
	s := &set{hotline: h.hotline, caller: caller, agent: h.asterisk.At("PJSIP/1001")[0]}
	if err := h.queue.SignIn("1002"); err != nil {
		t.Fatal(err)
	}
	return h, s
}

// again has the service replaced while nothing else happens.
func (h *house) again() {
	h.t.Helper()
	h.stop()
	h.serves()
}

// tones is how often the caller's hold tone has begun.
func (s *set) tones() int { return strings.Count(strings.Join(s.caller.Played(), " "), "hold.tone.30") }

// A service that stops in any scene leaves it to the next as it is.
func TestScenesOutliveTheService(t *testing.T) {
	never := aritest.Phone{Does: aritest.NoAnswer}
	type people struct {
		*set
		third *aritest.Channel
	}
	for name, test := range map[string]struct {
		does    func(p *people)
		before  func(p *people)
		third   aritest.Phone // agent 1002's, while the first service is there
		holds   func(p *people)
		states  map[string]queue.State
		another bool // the third's phone is called anew
	}{
		"hold by the desk": {
			does: func(p *people) {
				before := p.tones() // of the wait
				p.do(scene.DoHold)
				p.until("the hold's tone plays", func() bool { return p.tones() > before })
			},
			holds: func(p *people) {
				p.do(scene.DoResume)
				p.hear(p.caller, p.agent)
			},
			states: map[string]queue.State{"1001": queue.StateTalking, "1002": queue.StateReady},
		},
		"muted": {
			does: func(p *people) { p.do(scene.DoMute); p.until("muted", p.agent.Muted) },
			holds: func(p *people) {
				p.do(scene.DoUnmute)
				p.until("the agent is heard", func() bool { return !p.agent.Muted() })
			},
			states: map[string]queue.State{"1001": queue.StateTalking},
		},
		"consulting": {
			does: func(p *people) {
				p.do(scene.DoConsult, to1002)
				p.third = p.phone("PJSIP/1002")
				p.hear(p.agent, p.third)
				p.waiting()
			},
			holds: func(p *people) {
				p.hear(p.agent, p.third)
				p.do(scene.DoComplete)
				p.hear(p.caller, p.third)
			},
			states: map[string]queue.State{"1002": queue.StateTalking},
		},
		"calling": {
			third: never,
			does: func(p *people) {
				p.do(scene.DoConsult, to1002)
				p.third = p.phone("PJSIP/1002")
				p.until("it rings", func() bool { return p.third.State() == "Ringing" })
				p.waiting()
			},
			holds: func(p *people) {
				p.until("the phone of before is let go of", func() bool { return p.third.State() == "" })
				p.hear(p.agent, p.phone("PJSIP/1002"))
			},
			states: map[string]queue.State{"1001": queue.StateConsult, "1002": queue.StateConsult},
		},
		"transferring": {
			third: never,
			does: func(p *people) {
				p.do(scene.DoTransfer, to1002)
				p.third = p.phone("PJSIP/1002")
				p.until("it rings", func() bool { return p.third.State() == "Ringing" })
				p.waiting()
			},
			holds: func(p *people) {
				p.until("the phone of before is let go of", func() bool { return p.third.State() == "" })
				p.hear(p.caller, p.phone("PJSIP/1002"))
			},
			states: map[string]queue.State{"1002": queue.StateTalking},
		},
		"three-way": {
			does: func(p *people) {
				p.do(scene.DoConsult, to1002)
				p.third = p.phone("PJSIP/1002")
				p.hear(p.agent, p.third)
				p.do(scene.DoJoin)
				p.hear(p.caller, p.agent, p.third)
			},
			holds: func(p *people) {
				p.hear(p.caller, p.agent, p.third)
				p.do(scene.DoDrop)
				p.hear(p.caller, p.agent)
			},
			states: map[string]queue.State{"1001": queue.StateTalking, "1002": queue.StateReady},
		},
		"rejoining": {
			does: func(p *people) {
				p.do(scene.DoHangup)
				p.until("the way back is open", func() bool { return p.calls.Back("1001") != "" })
				p.asterisk.Phone("PJSIP/1001", never)
				if err := p.calls.Do(p.t.Context(), "1001", scene.Order{Act: scene.DoRejoin}); err != nil {
					p.t.Fatal(err)
				}
				p.third = p.phone("PJSIP/1001")
				p.until("it rings", func() bool { return p.third.State() == "Ringing" })
				p.waiting()
				p.asterisk.Phone("PJSIP/1001", answers)
			},
			holds: func(p *people) {
				p.until("the phone of before is let go of", func() bool { return p.third.State() == "" })
				p.hear(p.caller, p.phone("PJSIP/1001"))
			},
			states: map[string]queue.State{"1001": queue.StateTalking},
		},
		"handed over": {
			does: func(p *people) {
				p.do(scene.DoConsult, to1002)
				p.third = p.phone("PJSIP/1002")
				p.hear(p.agent, p.third)
				p.do(scene.DoComplete)
				p.hear(p.caller, p.third)
			},
			holds:  func(p *people) { p.hear(p.caller, p.third) },
			states: map[string]queue.State{"1002": queue.StateTalking},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, s := stage(t)
			if test.third.Does != aritest.Unreachable {
				h.asterisk.Phone("PJSIP/1002", test.third)
			}
			p := &people{set: s}
			test.does(p)
			tones := s.tones()
			h.asterisk.Phone("PJSIP/1002", answers)
			h.again()
			s.hotline = h.hotline
			s.calls = h.calls
			h.until("the call is taken up", func() bool { return len(journaled[call.Resumed](h, call.KindResumed)) == 1 })
			test.holds(p)
			for agent, state := range test.states {
				s.is(agent, state)
			}
			if s.tones() > tones {
				t.Errorf("the tone began anew: %v", s.caller.Played())
			}
			s.unbroken()
			s.caller.Bye()
			h.until("the call has ended", func() bool { return len(journaled[call.Ended](h, call.KindEnded)) == 1 })
			h.until("nothing is left in Asterisk", func() bool { return h.asterisk.Channels() == 0 && h.asterisk.Bridges() == 0 })
			h.until("no agent is in a talk", func() bool {
				return !slices.ContainsFunc(h.queue.Agents(), func(a queue.AgentView) bool { return a.State.InTalk() || a.State == queue.StateReserved })
			})
		})
	}
}

// The way back to a caller who is asked for the rating outlives the service, too.
func TestTheWayBackOutlivesTheService(t *testing.T) {
	t.Parallel()
	h, s := stage(t)
	s.do(scene.DoHangup)
	h.until("the caller is asked for a rating", func() bool { return played(s.caller, "rating.ask") })
	h.again()
	s.hotline = h.hotline
	h.until("the way back is open", func() bool { return h.calls.Back("1001") != "" })
	h.until("the queue is open", func() bool {
		err := h.calls.Do(t.Context(), "1001", scene.Order{Act: scene.DoRejoin})
		return err == nil || len(h.asterisk.At("PJSIP/1001")) == 1
	})
	s.hear(s.caller, s.phone("PJSIP/1001"))
	s.caller.Bye()
	h.until("the call has ended", func() bool { return len(journaled[call.Ended](h, call.KindEnded)) == 1 })
	h.until("nothing is left in Asterisk", func() bool { return h.asterisk.Channels() == 0 && h.asterisk.Bridges() == 0 })
}

// taken has the service replaced, and waits until the next has the call.
func (h *house) taken(s *set) {
	h.t.Helper()
	h.stop()
	h.asterisk.Heal()
	h.serves()
	s.hotline, s.calls = h.hotline, h.calls
	h.until("the call is taken up", func() bool { return len(journaled[call.Resumed](h, call.KindResumed)) == 1 })
}

// unbroken looks that the caller was not left in silence: for longer than it takes
// until a busy machine has carried a request out.
func (s *set) unbroken() {
	s.t.Helper()
	for _, quiet := range s.caller.Silences() {
		if lasted := quiet.To.Sub(quiet.From); lasted > 3*time.Second {
			s.t.Errorf("the caller heard nothing for %v", lasted)
		}
	}
}

// byes ends the call and looks that nothing is left.
func (h *house) byes(s *set) {
	h.t.Helper()
	s.caller.Bye()
	h.until("the call has ended", func() bool { return len(journaled[call.Ended](h, call.KindEnded)) == 1 })
	h.until("nothing is left in Asterisk", func() bool { return h.asterisk.Channels() == 0 && h.asterisk.Bridges() == 0 })
}

// Somebody outside who is called, called in, or has the call, goes on being that
// with the next service: nobody is left with a phone that was never dialled.
func TestSomebodyOutsideOutlivesTheService(t *testing.T) {
	t.Parallel()
	soon := aritest.Phone{Does: aritest.Answers, After: 1500 * time.Millisecond}
	for name, test := range map[string]struct {
		phone aritest.Phone
		does  func(s *set)
		holds func(s *set)
	}{
		"has the call": {answers, func(s *set) {
			s.do(scene.DoTransfer, repair)
			s.hear(s.caller, s.phone(repairPhone))
		}, func(s *set) { s.hear(s.caller, s.phone(repairPhone)) }},
		"is consulted": {answers, func(s *set) {
			s.do(scene.DoConsult, repair)
			s.hear(s.agent, s.phone(repairPhone))
			s.waiting()
		}, func(s *set) {
			s.hear(s.agent, s.phone(repairPhone))
			s.do(scene.DoComplete)
			s.hear(s.caller, s.phone(repairPhone))
		}},
		"rings": {soon, func(s *set) {
			s.do(scene.DoTransfer, repair)
			outside := s.phone(repairPhone)
			s.until("it rings", func() bool { return outside.State() == "Ringing" })
			s.waiting()
		}, func(s *set) { s.hear(s.caller, s.phone(repairPhone)) }},
		"is made and not dialled": {answers, func(s *set) {
			s.do(scene.DoHold)
			s.waiting()
			s.asterisk.Stall(time.Second) // the service stops before it is told that the channel is made
			s.do(scene.DoTransfer, repair)
			s.until("it is made", s.phone(repairPhone).InStasis)
		}, func(s *set) {
			s.until("another is made in its place", func() bool {
				made := s.asterisk.At(repairPhone)
				return len(made) == 1 && strings.HasSuffix(made[0].ID(), "-r1")
			})
			s.hear(s.caller, s.phone(repairPhone))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, s := stage(t, entries)
			h.asterisk.Phone(repairPhone, test.phone)
			test.does(s)
			h.taken(s)
			test.holds(s)
			s.unbroken()
			h.byes(s)
		})
	}
}

// A supervisor who is in a talk stays in it; one whose phone rings is rung anew.
func TestASupervisorOutlivesTheService(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		act   scene.Act
		rings bool
	}{
		"listens": {act: scene.DoListen}, "whispers": {act: scene.DoWhisper}, "has joined": {act: scene.DoBarge},
		"is rung": {scene.DoListen, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, s := stage(t)
			one, _ := s.queue.Agent("1001")
			there := func() {
				t.Helper()
				supervisor := s.phone("PJSIP/1002")
				if test.act == scene.DoBarge {
					s.hear(s.caller, s.agent, supervisor)
					return
				}
				s.until("the supervisor hears the talk, once", func() bool {
					snoops := s.agent.Snoops()
					return len(snoops) == 1 && len(supervisor.Joined()) == 2 && snoops[0].Whispers() == (test.act == scene.DoWhisper)
				})
			}
			if test.rings {
				h.asterisk.Phone("PJSIP/1002", aritest.Phone{Does: aritest.NoAnswer})
			}
			if err := s.calls.Monitor(t.Context(), "1002", one.Call, test.act); err != nil {
				t.Fatal(err)
			}
			supervisor := s.phone("PJSIP/1002")
			if test.rings {
				s.until("it rings", func() bool { return supervisor.State() == "Ringing" })
				h.asterisk.Phone("PJSIP/1002", answers)
			} else {
				there()
			}
			h.taken(s)
			if test.rings {
				s.until("the phone of before is let go of", func() bool { return supervisor.State() == "" })
			}
			there()
			h.byes(s)
			s.is("1002", queue.StateReady)
		})
	}
}

// dying is a queue that hears of no hand-over any more, since the service dies
// before, and that takes its time to open.
type dying struct {
	call.Queue
	h *house
}

func (d dying) Open() {
	if d.h.opens != nil {
		select {
		case <-d.h.opens:
		case <-d.h.t.Context().Done():
		}
	}
	d.Queue.Open()
}

func (d dying) HandOver(callID, from, to string) error {
	if !d.h.dies.Load() {
		return d.Queue.HandOver(callID, from, to)
	}
	known := func(s call.Scene) bool { return s.On == scene.DoComplete }
	if !slices.ContainsFunc(journaled[call.Scene](d.h, call.KindScene), known) {
		d.h.t.Error("the queue is told of a hand-over before the journal has it: should we die now, the next process would not know of it")
	}
	return nil
}

// A service that dies in the middle of a hand-over has nobody whom the queue
// takes for free while they talk.
func TestAHandOverOutlivesTheService(t *testing.T) {
	t.Parallel()
	h, s := stage(t)
	s.do(scene.DoConsult, to1002)
	third := s.phone("PJSIP/1002")
	s.hear(s.agent, third)
	s.waiting()
	h.dies.Store(true)
	s.do(scene.DoComplete)
	s.hear(s.caller, third)
	h.stop()
	h.dies.Store(false)
	h.taken(s)
	s.hear(s.caller, third)
	s.is("1002", queue.StateTalking)
	s.is("1001", queue.StateReady)
	s.unbroken()
	h.byes(s)
}

// Who handed a call over is known to the next service, should this one die before
// the caller hears the new agent: nobody is said to have waited for them.
func TestWhoHandedOverOutlivesTheService(t *testing.T) {
	t.Parallel()
	h, s := stage(t)
	var refuses atomic.Bool
	h.web = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuses.Load() && strings.HasSuffix(r.URL.Path, "/addChannel") {
			http.Error(w, `{"message":"not now"}`, http.StatusInternalServerError)
			return
		}
		h.asterisk.ServeHTTP(w, r)
	})
	refuses.Store(true)
	s.do(scene.DoTransfer, to1002)
	third := s.phone("PJSIP/1002")
	h.until("the journal has the second agent's talk", func() bool {
		return slices.ContainsFunc(journaled[call.Reached](h, call.KindStage), func(r call.Reached) bool { return r.Agent == "1002" && r.From == "agent 1001" })
	})
	h.stop()
	refuses.Store(false)
	h.taken(s)
	s.hear(s.caller, third)
	h.until("the journal has that they talk", func() bool { return len(journaled[call.Talk](h, call.KindTalk)) == 2 })
	if talk := journaled[call.Talk](h, call.KindTalk)[1]; talk.Agent != "1002" || talk.From != "agent 1001" || talk.Waited != 0 {
		t.Errorf("the second talk is %+v, want one given by agent 1001, for whom nobody has waited", talk)
	}
	h.byes(s)
}

// Whoever is called in is shown the call once it can be answered, and not before.
func TestADeskShowsWhatCanBeAnswered(t *testing.T) {
	t.Parallel()
	h, s := stage(t)
	asked, goOn := make(chan struct{}), make(chan struct{})
	h.web = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ari/channels/create" {
			close(asked)
			<-goOn
		}
		h.asterisk.ServeHTTP(w, r)
	})
	s.do(scene.DoTransfer, to1002)
	<-asked // the line of the second agent is being made
	if desk, there := h.calls.Desk("1002"); there {
		t.Errorf("before the phone rings the desk shows %+v", desk)
	}
	close(goOn)
	s.hear(s.caller, s.phone("PJSIP/1002"))
	s.caller.Bye()
	h.until("the call has ended", func() bool { return len(journaled[call.Ended](h, call.KindEnded)) == 1 })
}
