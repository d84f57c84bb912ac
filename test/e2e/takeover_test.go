package e2e

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/journal"
	"hotline/queue"
	"hotline/test/ear"
	"hotline/test/phone"
	"hotline/test/stand"
)

// leavesWithin is how long whoever stops or relieves a service waits for it.
const leavesWithin = 2 * time.Second

// successor starts a second service beside the first, on the same Asterisk and
// state folder, that takes over from it.
func (w *world) successor() *world {
	w.t.Helper()
	s, err := stand.On(w.Instance)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := s.Launch(stand.StartClock, "--takeover"); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := s.Terminate(); err != nil {
			w.t.Errorf("stop the successor: %v", err)
		}
		if w.t.Failed() {
			w.t.Logf("the successor's log:\n%s", s.ServiceLog())
		}
	})
	next := *w
	next.Service = s
	return &next
}

// relieved waits until the service has left by itself, in good order and soon
// after it was replaced.
func (w *world) relieved() {
	w.t.Helper()
	w.await("the service hears that it is replaced", func() bool {
		return !w.Runs() || w.logged("another process took over") > 0
	})
	heard := time.Now()
	if err := w.WaitExit(w.ctx); err != nil {
		w.t.Fatalf("the service that was relieved: %v", err)
	}
	took := time.Since(heard)
	w.t.Logf("the service that was relieved left within %v", took.Round(time.Millisecond))
	if took > leavesWithin {
		w.t.Errorf("the service that was relieved took %v to leave, want at most %v", took, leavesWithin)
	}
	if n := w.logged("another hotline has taken the calls over"); n != 1 {
		w.t.Errorf("%d lines of its log say that it was relieved, want one", n)
	}
}

// leaves sends the signals and wants the service to be gone in time.
func (w *world) leaves(signals ...syscall.Signal) {
	w.t.Helper()
	asked := time.Now()
	for _, s := range signals {
		signal(w.t.(*testing.T), w, s)
	}
	if err := w.WaitExit(w.ctx); err != nil {
		w.t.Errorf("the service that was stopped: %v", err)
	}
	took := time.Since(asked)
	w.t.Logf("the service left %v after the signal", took.Round(time.Millisecond))
	if took > leavesWithin {
		w.t.Errorf("the service took %v to leave, want at most %v", took, leavesWithin)
	}
}

// A second service beside a running one is refused, and says how it would be
// welcome; a successor is.
func TestASuccessorTakesOverAnIdleService(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Minute, func(cfg *configs.Config) { cfg.Queues[0].WrapUp.Duration = 2 * time.Second }).calm()
	w.must("agent", "sign-in", "1001")
	out, err := w.Run(w.ctx, "serve")
	if err == nil || !strings.Contains(err.Error(), "hotline serve --takeover") || !strings.Contains(err.Error(), w.Config.Service.StateDir) {
		t.Errorf("a second service says %q %v, want that another one runs there and that --takeover is the way", out, err)
	}
	next := w.successor().calm()
	w.relieved()
	if err := next.WaitReady(w.ctx); err != nil {
		t.Fatal(err)
	}
	next.state("1001", "ready")
	next.serves("13800000051", next.desk("1001", phone.AnswerAfter(time.Second)))

	// Where nobody runs, a successor simply starts.
	next.leaves(syscall.SIGTERM)
	if err := w.Launch(stand.StartClock, "--takeover"); err != nil {
		t.Fatal(err)
	}
	if err := w.WaitReady(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.agentState("1001", queue.StateReady)
}

// company is callers in the stages that a takeover or a restart meets: one
// talks, one is on hold, one is asked for a rating and one waits.
type company struct {
	talks, held, rates, waits *visit
	talking, holding          *phone.Call // the agents' sides
	began                     time.Duration
	desk                      *phone.Phone // of the agent who talks, for whom the other one waits
}

func withCompany(cfg *configs.Config) {
	lanes(func(cfg *configs.Config) { cfg.Rating.Timeout.Duration = 30 * time.Second })(cfg)
}

func (w *world) company() *company {
	w.t.Helper()
	c := &company{}
	first, second, third := &lane{w, 1}, &lane{w, 2}, &lane{w, 3}
	c.desk = first.agent(first.desk1(), phone.AnswerAfter(0))
	c.talks, c.talking = first.talks(c.desk)
	c.held, c.holding = second.talks(second.agent(second.desk1(), phone.AnswerAfter(0)))
	c.held.held(c.holding)
	var asked *phone.Call
	c.rates, asked = third.talks(third.agent(third.desk1(), phone.AnswerAfter(0)))
	hangup(w, asked)
	c.rates.hears("rating.ask")
	c.waits = first.enters()
	c.waits.hears("queue.joined")
	c.waits.hears(ear.HoldTone)
	c.began = c.waits.hears("queue.joined").At
	return c
}

func (c *company) calls() map[string]*phone.Call {
	return map[string]*phone.Call{
		"the caller who talks": c.talks.call, "their agent": c.talking,
		"the caller on hold": c.held.call, "their agent who holds": c.holding,
		"the caller who is asked for a rating": c.rates.call, "the caller who waits": c.waits.call,
	}
}

// allThere wants nobody to have been hung up on.
func (c *company) allThere(w *world) {
	w.t.Helper()
	for who, one := range c.calls() {
		if !one.Up() {
			how, _ := one.Ended()
			w.t.Errorf("%s was hung up on: %v", who, how)
		}
	}
}

// goesOn has everybody come to their natural end, with the service w.
func (c *company) goesOn(w *world, since time.Time) {
	w.t.Helper()
	at := func(v *visit) time.Duration { return since.Sub(v.call.Start()) }
	for _, v := range []*visit{c.talks, c.held, c.rates, c.waits} {
		v.world = w
	}
	c.allThere(w)
	first, second := &lane{w, 1}, &lane{w, 2}

	// Who talks goes on talking, and who is held is taken back.
	w.passes(2 * time.Second)
	c.talks.steady(at(c.talks), c.talks.now())
	c.held.steady(at(c.held), c.held.now())
	first.agentState(first.desk1(), queue.StateTalking)
	second.agentState(second.desk1(), queue.StateHold)
	c.held.resumed(c.holding)
	second.agentState(second.desk1(), queue.StateTalking)

	c.rates.keys(c.rates.call, "4")
	c.rates.hears("rating.thanks")
	w.ended(c.rates.call)

	hangup(w, c.talking)
	w.hears(c.talks.call, "rating.ask", at(c.talks))
	c.talks.keys(c.talks.call, "5")
	w.hears(c.talks.call, "closing.day", at(c.talks))
	w.ended(c.talks.call)

	// Who waited is next, and heard the apologies on their clock.
	served := w.incoming(c.desk)
	voice := c.waits.hears("voice.agent")
	c.waits.steady(c.began, voice.At)
	c.waits.hangup()
	w.ended(served)
	c.held.hangup()
	w.ended(c.holding)
	for who, v := range map[string]*visit{"talked": c.talks, "held": c.held, "rated": c.rates, "waited": c.waits} {
		ended, told := v.end()
		if ended.Result != call.Served || len(told.of(call.KindEnded)) != 1 || len(told.of(call.KindArrived)) != 1 {
			w.t.Errorf("the caller who %s ended as %s (%s), want served, once\n%s", who, ended.Result, ended.Reason, told)
		}
	}
	w.nothingLeft()
	w.must("audit")
}

// A service is relieved while its callers talk, hold, rate and wait: nobody
// notices, and from then on the successor alone acts.
func TestNobodyNoticesATakeover(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3*time.Minute, withCompany).calm()
	c := w.company()
	began := time.Now()
	next := w.successor().calm()
	w.relieved()
	if err := next.WaitReady(w.ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("taken over %v after the successor was started", time.Since(began).Round(time.Millisecond))
	c.goesOn(next, began)
	for _, v := range []*visit{c.talks, c.rates} {
		if gaps := v.call.Gaps(60 * time.Millisecond); len(gaps) > 0 {
			t.Logf("gaps in what %s was sent: %v", v.number, gaps)
		}
	}
}

// A service that is told to stop is gone within two seconds whatever its calls
// do, hangs up nobody, and the next one goes on where it was.
func TestAServiceStopsAndHangsUpNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3*time.Minute, withCompany).calm()
	c := w.company()
	began := time.Now()
	w.leaves(syscall.SIGTERM, syscall.SIGTERM, syscall.SIGINT)
	w.passes(3 * time.Second)
	c.allThere(w)
	if err := w.Serve(w.ctx, stand.StartClock); err != nil {
		t.Fatal(err)
	}
	c.goesOn(w, began)
}

// background runs a command of the program beside the test; what it printed,
// and why it failed, comes when it has ended.
func (w *world) background(ctx context.Context, args ...string) <-chan string {
	said := make(chan string, 1)
	go func() {
		out, err := w.Run(ctx, args...)
		if err != nil {
			out += err.Error()
		}
		said <- out
	}()
	return said
}

// finished waits for a command in the background.
func (w *world) finished(said <-chan string) string {
	w.t.Helper()
	select {
	case out := <-said:
		return out
	case <-w.ctx.Done():
		w.t.Fatalf("the command does not end: %v", context.Cause(w.ctx))
		return ""
	}
}

// onlyHears wants the caller to have heard nothing else so far.
func (v *visit) onlyHears(id string) {
	v.t.Helper()
	for _, heard := range v.call.Transcript() {
		if heard.ID != id {
			v.t.Errorf("the caller heard %s, want %s alone", heard.ID, id)
		}
	}
}

// Who drains a service takes no new callers and lets those that are there be
// served; then the service leaves. Whoever calls meanwhile is in the dialplan's
// net and has the next service.
func TestDrain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Minute, lanes(nil)).calm()
	l := &lane{w, 1}
	talks, talking := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
	waits := l.enters()
	waits.hears(ear.HoldTone)

	watching, stop := context.WithCancel(w.ctx)
	forgotten := w.background(watching, "drain")
	w.unready("draining: 2 left")
	stop()
	w.finished(forgotten) // who stops watching does not stop the draining
	said := w.background(w.ctx, "drain")

	late := w.visitor()
	late.hears(ear.HoldTone)
	late.onlyHears(ear.HoldTone)
	w.unready("draining: 2 left")

	hangup(w, talking)
	talks.key("rating.ask", "5")
	w.ended(talks.call)
	waits.hears("voice.agent")
	hangup(w, waits.call)
	if out := w.finished(said); !strings.Contains(out, "calls left: 2\n") || !strings.HasSuffix(out, "the last call has ended; the service has left\n") {
		t.Errorf("who watches is told\n%s\nwant 2 calls left at first, and at last that the service has left", out)
	}
	if err := w.WaitExit(w.ctx); err != nil {
		t.Errorf("a service that has drained: %v", err)
	}
	for _, v := range []*visit{talks, waits} {
		if ended, told := v.end(); ended.Result != call.Served {
			t.Errorf("a call that was under way ended as %s (%s), want served\n%s", ended.Result, ended.Reason, told)
		}
	}
	var left call.ServiceStopping
	for _, e := range w.read(journal.Query{Kinds: []string{call.KindServiceStopping}}) {
		left = decoded[call.ServiceStopping](t, e)
	}
	if left != (call.ServiceStopping{Why: "drained"}) {
		t.Errorf("the journal says that the service left as %+v, want drained with no call left", left)
	}

	w.launched()
	late.hears("menu.main")
	late.steady(answeredAt(late.call)+time.Second, late.now())
	late.hangup()
	late.end()
	w.nothingLeft()
}

// A drain that takes too long ends as a stop does: nobody is hung up on, and
// the next service goes on with those who are left.
func TestADrainHasItsTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Minute, lanes(nil)).calm()
	l := &lane{w, 1}
	v, a := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
	began := v.now()
	out := w.must("drain", "--timeout", "2s")
	if !strings.HasSuffix(out, "the service has left; calls that Asterisk keeps: 1\n") {
		t.Errorf("who watches is told\n%s\nwant that one call is left to Asterisk", out)
	}
	if err := w.WaitExit(w.ctx); err != nil {
		t.Errorf("the service that drained for too long: %v", err)
	}
	w.launched()
	w.passes(2 * time.Second)
	v.steady(began, v.now())
	hangup(w, a)
	v.hears("rating.ask")
	v.hangup()
	v.wantEnd(call.Served, "talked", agentPressed, "caller: "+callerPressed, "agent "+l.desk1()+": "+agentPressed)
	w.nothingLeft()
}
