package queue

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// twin is a log whose entries a machine of its own carries out, as those of other
// services would. The test takes it away from its follower and gives it back.
type twin struct {
	Follower
	entries chan Command
	ended   sync.WaitGroup
	late    time.Duration // by which the follower is told after it has happened
	ahead   time.Duration // by which the log's clock is of everybody's

	others *Machine
	last   time.Time // entry
}

func (w *twin) Start(f Follower) {
	w.Follower, w.entries = f, make(chan Command, 100)
	w.ended.Go(func() {
		for c := range w.entries {
			w.happens(c)
		}
	})
	f.Alone(errors.New("the test has not begun"))
	f.Serve()
}

func (w *twin) Append(c Command)   { w.entries <- c }
func (w *twin) Tick(due time.Time) { w.entries <- Command{Do: VerbTick, At: due} }
func (w *twin) Stop()              { close(w.entries); w.ended.Wait() }

// happens has a command be the next entry: one of the follower's own, or a tick
// that is wanted and that no entry since has made needless.
func (w *twin) happens(c Command) {
	now := time.Now().Add(w.ahead)
	switch {
	case c.Do == VerbTick && !w.last.Before(c.At):
		return
	case c.Do == VerbReturn:
		w.Enter(w.machine(), now)
	}
	c.At, w.last = now, now
	_, _ = w.others.Apply(c)
	time.Sleep(w.late)
	if c.Do == VerbTick {
		w.Happened(now, 0, []Command{c})
	} else {
		w.Happened(now, 1, nil)
	}
}

// machine is the common one as it stands in the log.
func (w *twin) machine() *Machine {
	data, err := w.others.Snapshot()
	if err != nil {
		panic(err)
	}
	m, err := LoadMachine(data)
	if err != nil {
		panic(err)
	}
	return m
}

// shared runs a test against an engine with a twin that it is with.
func shared(t *testing.T, test func(d *desk, w *twin)) {
	t.Helper()
	o, w := usual(), &twin{}
	o.Log, o.Owner = w, "north"
	for i := range o.Agents {
		o.Agents[i].Home = "north"
	}
	atDesk(t, o, func(t *testing.T, d *desk) {
		var err error
		if w.others, err = NewMachine(o.Queues, o.Agents, false, time.Now()); err != nil {
			t.Fatal(err)
		}
		w.Bring()
		synctest.Wait()
		test(d, w)
	})
}

// away leaves the follower alone.
func (w *twin) away() { w.Alone(errors.New("the test has taken it away")) }

// said are the states that the record gives an agent, from a change on.
func (d *desk) said(agent string, from int) (states []State) {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.recorded[from:] {
		if c, about := c.About(agent); about && c.To != 0 {
			states = append(states, c.To)
		}
	}
	return states
}

func (d *desk) mark() int {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.recorded)
}

// What has fallen due in the machine of the others while a service was away is
// none of its own: an agent whose wrap-up ended meanwhile is offered the caller
// who waits once, when all is in place.
func TestAnAgentIsOfferedOnceAtTheReturn(t *testing.T) {
	shared(t, func(d *desk, w *twin) {
		d.signIn("1001")
		d.talking("talk", "1001")
		d.must(d.EndTalk("1001", "talk"))
		waits := d.join("waits")
		time.Sleep(19 * time.Second)
		from := d.mark()
		w.away()
		time.Sleep(2 * time.Second) // less than a lease: nobody is offered anybody
		d.inState("1001", StateReady)
		w.Bring()
		first := d.offered(waits, "1001")
		d.unoffered(waits)
		if got, want := d.said("1001", from), []State{StateReady, StateReserved}; !slices.Equal(got, want) {
			t.Errorf("the record has 1001 be %v, want %v: was something recorded that the others' machine did?", got, want)
		}
		d.must(first.Ringing())
		d.must(first.Connected())
		d.inState("1001", StateTalking)
	})
}

// What an agent did while their service was alone is what the record says of them
// at last, though the others' machine has them in a wrap-up that is over by then,
// or in a rest.
func TestTheRecordOfTheTimeAlone(t *testing.T) {
	for name, busy := range map[string]func(d *desk){
		"in wrap-up": func(d *desk) {
			d.talking("talk", "1001")
			d.must(d.EndTalk("1001", "talk"))
		},
		"resting": func(d *desk) {
			ticket := d.join("talk")
			d.offered(ticket, "1001").Failed(Declined)
			ticket.Leave("hang-up")
		},
	} {
		t.Run(name, func(t *testing.T) {
			shared(t, func(d *desk, w *twin) {
				d.signIn("1001")
				busy(d)
				from := d.mark()
				w.away()
				w.Serve()
				time.Sleep(time.Minute)
				d.must(d.SignOut("1001"))
				w.Bring()
				if got, want := d.said("1001", from), []State{StateReady, StateOffline}; !slices.Equal(got, want) {
					t.Errorf("the record has 1001 be %v, want %v: a restart believes the last", got, want)
				}
				d.inState("1001", StateOffline)
			})
		})
	}
}

// A phone that rings all the time is said to ring, and nothing else.
func TestTheRecordOfAPhoneThatRingsOn(t *testing.T) {
	for name, rings := range map[string]func(d *desk) *Offer{
		"for a caller in line": func(d *desk) *Offer { return d.offered(d.join("rings"), "1001") },
		"called in": func(d *desk) *Offer {
			o, err := d.Call("1001", "talk")
			d.must(err)
			return o
		},
	} {
		t.Run(name, func(t *testing.T) {
			shared(t, func(d *desk, w *twin) {
				d.signIn("1002")
				d.talking("talk", "1002")
				d.signIn("1001")
				phone := rings(d)
				d.must(phone.Ringing())
				from := d.mark()
				w.away()
				time.Sleep(time.Second)
				w.Bring()
				if got := d.said("1001", from); len(got) > 0 {
					t.Errorf("the record has 1001 be %v meanwhile, want nothing", got)
				}
				d.inState("1001", StateRinging)
				d.must(phone.Connected())
			})
		})
	}
}

// A wrap-up that was over long before anybody told the machine lasted no longer
// for that.
func TestALateTickIsNoHandling(t *testing.T) {
	at := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	o := usual()
	m, err := NewMachine(o.Queues, o.Agents, false, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Command{
		{Do: VerbSignIn, Agent: "1001"},
		{Do: VerbFound, Agent: "1001", Call: "a", Queue: "bills"},
		{Do: VerbEnd, Agent: "1001", Call: "a", At: at.Add(time.Minute)},
		{Do: VerbTick, At: at.Add(time.Hour)},
	} {
		if c.At.IsZero() {
			c.At = at
		}
		if _, err := m.Apply(c); err != nil {
			t.Fatalf("%s: %v", c.Do, err)
		}
	}
	if got := m.queues["bills"].handled.recent[0]; got != 80*time.Second {
		t.Errorf("the call was handled for %v, want 1m20s: a minute of talk and the wrap-up", got)
	}
}

// A timer that runs late, as a timer does that was set by an entry read late, and
// finds that what it was for has happened, is set for what falls due next.
func TestATimerThatComesLate(t *testing.T) {
	shared(t, func(d *desk, w *twin) {
		d.signIn("1001", "1002")
		d.talking("a", "1001")
		d.talking("b", "1002")
		time.Sleep(time.Minute) // so that nothing is set any more
		first := time.Now().Add(20 * time.Second)
		w.late = 50 * time.Millisecond
		d.must(d.EndTalk("1001", "a"))
		w.late = 0
		time.Sleep(time.Second - 50*time.Millisecond)
		second := time.Now().Add(20 * time.Second)
		d.must(d.EndTalk("1002", "b"))
		time.Sleep(time.Until(first.Add(20 * time.Millisecond)))
		w.Tick(time.Now()) // which another service asks for
		d.inState("1001", StateReady)
		time.Sleep(time.Until(second.Add(time.Second)))
		d.inState("1002", StateReady)
	})
}

// What falls due after the return does so by the clock that is common then, though
// a timer is set by the one of before.
func TestATimerOfAnotherClock(t *testing.T) {
	shared(t, func(d *desk, w *twin) {
		d.signIn("1001", "1002")
		d.talking("a", "1001")
		d.talking("b", "1002")
		rules := usual().Queues[0]
		rules.WrapUp = 5 * time.Second
		time.Sleep(time.Minute) // so that nothing is set any more
		w.away()
		d.must(d.EndTalk("1001", "a"))
		w.ahead = time.Minute
		w.Bring()
		d.must(d.SetRules(rules, "test"))
		d.must(d.EndTalk("1002", "b"))
		time.Sleep(rules.WrapUp + time.Millisecond)
		d.inState("1002", StateReady)
	})
}

// Clocks that ran while a service was alone, and nothing happened there, have come
// as far as they have when it is back.
func TestClocksGoOnWhereNothingHappens(t *testing.T) {
	shared(t, func(d *desk, w *twin) {
		d.signIn("1001")
		d.talking("talk", "1001")
		d.must(d.EndTalk("1001", "talk"))
		began := time.Now()
		waits := d.join("waits")
		w.away()
		time.Sleep(15 * time.Second)
		w.Bring()
		synctest.Wait()
		if v := d.Waiting("bills"); len(v) != 1 || v[0].Waited != 15*time.Second {
			t.Errorf("in line are %+v, want one who has waited for 15s", v)
		}
		select {
		case <-waits.Offers():
		case <-time.After(time.Minute):
		}
		if got := time.Since(began); got != 20*time.Second {
			t.Errorf("1001 is offered the caller %v after the talk, want 20s: the wrap-up", got)
		}
	})
}
