package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/journal"
	"hotline/queue"
	"hotline/test/ear"
	"hotline/test/faults"
	"hotline/test/phone"
	"hotline/test/stand"
)

// A program built with the race detector sleeps for a second before it exits,
// unless told not to: the time a service takes to leave is measured here.
func init() {
	if err := os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0")); err != nil {
		panic(err)
	}
}

// leavesWithin is how long whoever stops or relieves a service waits for it.
const leavesWithin = 2 * time.Second

// successor starts a second service beside the first, on the same Asterisk and
// state folder, that takes over from it; at began it was started.
func (w *world) successor() (next *world, began time.Time) {
	w.t.Helper()
	s, err := stand.On(w.Instance)
	if err != nil {
		w.t.Fatal(err)
	}
	clock := w.clock()
	began = time.Now()
	if err := s.Launch(clock, "--takeover"); err != nil {
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
	other := *w
	other.Service = s
	return &other, began
}

// Another trunk is added while callers talk: Asterisk reads who may call anew without a gap in the talk, and takes its callers.
func TestATrunkIsAddedWhileCallersTalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Minute, nil)
	desk := w.agent("1001", phone.AnswerAfter(0))
	caller := w.wants("13900000051")
	agent := w.incoming(desk)
	w.hears(caller, "agent.after", 0)
	said := w.must("-c", w.variant(func(cfg *configs.Config) {
		cfg.Asterisk.Trunk.Match = append(slices.Clone(cfg.Asterisk.Trunk.Match), configs.Network{Prefix: netip.MustParsePrefix("127.0.0.77/32")})
	}), "asterisk-config")
	if !strings.Contains(said, "pjsip.conf") || !strings.Contains(said, "anew") {
		t.Errorf("the operator is told %q, want that Asterisk has read anew who may call", said)
	}
	other := w.dial(w.caller(phone.Options{IP: "127.0.0.77", Voice: voices["caller"], Number: "13900000052"}))
	w.hears(other, "greeting.company", 0)
	w.passes(time.Second)
	for _, c := range []*phone.Call{caller, agent} {
		if gaps := c.Gaps(200 * time.Millisecond); len(gaps) > 0 {
			t.Errorf("%s has heard gaps: %v", c.Phone().Name(), gaps)
		}
	}
	hangUp(w, caller)
	hangUp(w, other)
	w.ended(agent)
	w.nothingLeft()
	w.audits()
}

// clock is where the service's wall clock is, or was when it last wrote: the
// next service goes on from there.
func (w *world) clock() string {
	w.t.Helper()
	last := w.read(journal.Query{Newest: true, Limit: 1})
	return last[0].At.Add(time.Second).In(w.Config.Service.Timezone.Location).Format("2006-01-02 15:04:05")
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
	next, _ := w.successor()
	next.calm()
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
// talks, one is on hold, one is asked for a rating, one waits, and for one a
// phone rings.
type company struct {
	talks, held, rates, waits, rings *visit
	talking, holding, ringing        *phone.Call   // the agents' sides
	desk, ringingDesk                *phone.Phone  // of the agent who talks, for whom the one who waits is next
	joined                           time.Duration // when the one who waits was told so
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
	c.held.hears("agent.after")
	c.held.held(c.holding)
	var asked *phone.Call
	c.rates, asked = third.talks(third.agent(third.desk1(), phone.AnswerAfter(0)))
	hangUp(w, asked)
	c.rates.hears("rating.ask")
	c.waits = first.enters()
	c.joined = c.waits.hears("queue.joined").At
	c.waits.hears(ear.HoldTone)
	fourth := &lane{w, 4}
	c.ringingDesk = fourth.agent(fourth.desk1(), phone.RingForEver())
	c.rings = fourth.enters()
	c.ringing = w.incoming(c.ringingDesk)
	if err := c.ringing.WaitRinging(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	c.ringingDesk.SetIncoming(phone.AnswerAfter(time.Second)) // when it rings again
	return c
}

func (c *company) calls() map[string]*phone.Call {
	return map[string]*phone.Call{
		"the caller who talks": c.talks.call, "their agent": c.talking,
		"the caller on hold": c.held.call, "their agent who holds": c.holding,
		"the caller who is asked for a rating": c.rates.call, "the caller who waits": c.waits.call,
		"the caller for whom a phone rings": c.rings.call,
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
	for _, v := range []*visit{c.talks, c.held, c.rates, c.waits, c.rings} {
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

	// The phone that rang is let go of, and rings for the same caller again.
	w.ended(c.ringing)
	again := w.incoming(c.ringingDesk)
	met := c.rings.hears("voice.agent")
	c.rings.steady(at(c.rings), met.At)
	c.rings.hangup()
	w.ended(again)

	c.rates.keys(c.rates.call, "4")
	c.rates.hears("rating.thanks")
	w.ended(c.rates.call)

	hangUp(w, c.talking)
	w.hears(c.talks.call, "rating.ask", at(c.talks))
	c.talks.keys(c.talks.call, "5")
	w.hears(c.talks.call, "closing.day", at(c.talks))
	w.ended(c.talks.call)

	// Who waited is next, and heard the apologies on their clock.
	served := w.incoming(c.desk)
	voice := c.waits.hears("voice.agent")
	c.waits.steady(c.joined, voice.At)
	c.waits.hangup()
	w.ended(served)
	c.held.hangup()
	w.ended(c.holding)
	for who, v := range map[string]*visit{"talked": c.talks, "held": c.held, "rated": c.rates, "waited": c.waits, "had a phone ring": c.rings} {
		ended, told := v.end()
		if ended.Result != call.Served || len(told.of(call.KindEnded)) != 1 || len(told.of(call.KindArrived)) != 1 {
			w.t.Errorf("the caller who %s ended as %s (%s), want served, once\n%s", who, ended.Result, ended.Reason, told)
		}
	}
	w.nothingLeft()
	w.must("audit")
}

// A service is relieved while its callers talk, hold, rate and wait: nobody
// who calls notices, and from then on the successor alone acts.
func TestNobodyNoticesATakeover(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3*time.Minute, withCompany).calm()
	c := w.company()
	next, began := w.successor()
	next.calm()
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
	if err := w.Serve(w.ctx, w.clock()); err != nil {
		t.Fatal(err)
	}
	c.goesOn(w, began)
}

// A service whose Asterisk does not answer leaves in time as well, with callers
// who have hung up meanwhile and whose ends it cannot see.
func TestAServiceLeavesAnAsteriskThatIsStuck(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Minute, lanes(nil))
	l := &lane{w, 1}
	v, _ := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
	second := w.visitor()
	second.hears("menu.main")
	asterisk := pidOf(t, w.Dir)
	if err := syscall.Kill(asterisk, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(asterisk, syscall.SIGCONT)
	w.passes(time.Second) // so that something is asked and not answered
	w.leaves(syscall.SIGTERM)
	if err := syscall.Kill(asterisk, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	w.launched()
	for _, c := range []*phone.Call{v.call, second.call} {
		if !c.Up() {
			t.Errorf("%s was hung up on", c.Phone().Name())
		}
	}
	v.hangup()
	v.wantEnd(call.Served, "talked", callerPressed, "caller: "+callerPressed, "agent "+l.desk1()+": "+serviceDid)
}

// A service that has lost Asterisk is relieved by one that reaches it, and does
// not push that one out when it could connect again.
func TestWhoHasLostAsteriskIsRelieved(t *testing.T) {
	t.Parallel()
	i := stand.Asterisk(t, stand.Options{Configure: lanes(nil)})
	wire, err := faults.NewProxy(i.Config.Asterisk.ARI.Bind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wire.Close)
	w := prepared(t, time.Minute, i.Through(wire.Addr()))
	w.launched()
	l := &lane{w, 1}
	v, a := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
	rejoin := wire.Part()
	w.unready("waiting for Asterisk")

	next := *w
	next.Service = &stand.Service{Instance: i}
	relief, _ := next.successor()
	relief.await("the successor acts", func() bool { return relief.logged("the hotline is up") == 1 })
	rejoin()
	if err := w.WaitExit(w.ctx); err != nil {
		t.Errorf("the service that was relieved: %v", err)
	}
	if n := w.logged("another hotline has taken the calls over"); n != 1 {
		t.Errorf("%d lines of its log say that it was relieved, want one", n)
	}
	relief.goesOnAlone(l, v, a)
}

// A service that is frozen is relieved too. When it wakes up it does nothing
// any more.
func TestAFrozenServiceIsRelieved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Minute, lanes(nil))
	l := &lane{w, 1}
	v, a := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
	if err := w.Freeze(); err != nil {
		t.Fatal(err)
	}
	relief, _ := w.successor()
	relief.await("the successor acts", func() bool { return relief.logged("the hotline is up") == 1 })
	if err := w.Thaw(); err != nil {
		t.Fatal(err)
	}
	w.relieved()
	relief.goesOnAlone(l, v, a)
}

// goesOnAlone has a talk go on and end with the successor, which is not pushed
// out.
func (w *world) goesOnAlone(l *lane, v *visit, a *phone.Call) {
	w.t.Helper()
	v.world = w
	began := v.now()
	w.passes(2 * time.Second) // in which somebody could try
	v.steady(began, v.now())
	hangUp(w, a)
	v.hears("rating.ask")
	v.hangup()
	v.wantEnd(call.Served, "talked", agentPressed, "caller: "+callerPressed, "agent "+l.desk1()+": "+agentPressed)
	w.nothingLeft()
	w.must("audit")
	if n := w.logged("another process took over"); n != 0 {
		w.t.Errorf("the successor was pushed out:\n%s", w.ServiceLog())
	}
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

	hangUp(w, talking)
	talks.key("rating.ask", "5")
	w.ended(talks.call)
	waits.hears("voice.agent")
	hangUp(w, waits.call)
	if out := w.finished(said); !strings.Contains(out, "calls left: 2\n") || !strings.HasSuffix(out, "no call is left; the service has left\n") {
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
	hangUp(w, a)
	v.hears("rating.ask")
	v.hangup()
	v.wantEnd(call.Served, "talked", agentPressed, "caller: "+callerPressed, "agent "+l.desk1()+": "+agentPressed)
	w.nothingLeft()
}

// A new version takes over twice while 20 callers arrive each second: no call
// fails, none is missing in the journal, and a talk goes on all the while. It
// is not run beside other tests: it loads the machine.
//
// SOAK=1, as in make soak, has it last for a minute. The service is built without the race detector, which slows it
// down several times.
func TestRollingUpgradeUnderLoad(t *testing.T) {
	needProgram(t, "sipp", "sip-tester")
	t.Setenv(stand.Race, "")
	const perSecond = 20
	lasts := 20 * time.Second
	if os.Getenv("SOAK") != "" {
		lasts = time.Minute
	}
	w := newWorld(t, lasts+2*time.Minute, lanes(nil))
	l := &lane{w, 1}
	talk, talking := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
	crowd := startLoad(w, perSecond, int(lasts.Seconds())*perSecond)

	began := time.Now()
	var upgrades []time.Time
	for _, due := range []time.Duration{lasts / 3, 2 * lasts / 3} {
		w.passes(time.Until(began.Add(due)))
		live := w.metric("hotline_active_calls")
		next, at := w.successor()
		upgrades = append(upgrades, at)
		w.relieved()
		if err := next.WaitReady(w.ctx); err != nil {
			t.Fatal(err)
		}
		t.Logf("upgraded %.1f s into the load, with %v calls: %v from the start of the new version until it was ready",
			due.Seconds(), live, time.Since(at).Round(time.Millisecond))
		w = next
	}
	figures := crowd.wait()
	t.Logf("SIPp: %d calls, %d successful, %d failed, %d messages sent again", figures.made, figures.successful, figures.failed, figures.repeated)
	if figures.failed != 0 || figures.successful != figures.made {
		t.Errorf("%d of %d calls failed, want none", figures.failed, figures.made)
	}
	talk.world = w
	for _, at := range upgrades {
		from := at.Sub(talk.call.Start())
		talk.steady(from, from+3*time.Second)
	}
	if gaps := talk.call.Gaps(60 * time.Millisecond); len(gaps) > 0 {
		t.Logf("what the caller who talks was sent has %d gaps of 60 ms and more or with packets missing, the first %+v", len(gaps), gaps[0])
	}
	hangUp(w, talking)
	talk.hears("rating.ask")
	talk.hangup()
	talk.wantEnd(call.Served, "talked", agentPressed, "caller: "+callerPressed, "agent "+l.desk1()+": "+agentPressed)
	w.wantAllEnded(figures.made + 1)
	w.nothingLeft()
	t.Log(w.must("audit"))
}

// wantAllEnded waits until this many calls have ended and compares how with
// what callers did who hang up in the greeting or the menu.
func (w *world) wantAllEnded(calls int) {
	w.t.Helper()
	query := journal.Query{StreamPrefix: "call/", Kinds: []string{call.KindEnded}}
	w.await(fmt.Sprintf("%d calls have ended", calls), func() bool { return len(w.read(query)) >= calls })
	tally := map[call.Outcome]int{}
	for _, e := range w.read(query) {
		tally[decoded[call.Ended](w.t, e).Outcome]++
	}
	resumed := len(w.read(journal.Query{StreamPrefix: "call/", Kinds: []string{call.KindResumed}}))
	w.t.Logf("%d calls were taken up by a new version; outcomes: %v", resumed, tally)
	if resumed == 0 {
		w.t.Error("no call was taken up: the load was over before the upgrade")
	}
	sum := 0
	for outcome, n := range tally {
		sum += n
		switch outcome.Result {
		case call.Abandoned, call.Served:
		default:
			w.t.Errorf("%d calls ended as %s (%s)", n, outcome.Result, outcome.Reason)
		}
	}
	if sum != calls {
		w.t.Errorf("the journal has the end of %d calls, want %d", sum, calls)
	}
}

// load is many callers made by SIPp.
type load struct {
	*running
	w     *world
	stats string
}

// startLoad lets this many callers arrive each second, count in all. Each hangs
// up by themselves, in the greeting or the menu.
func startLoad(w *world, perSecond, count int) *load {
	w.t.Helper()
	dir := w.t.TempDir()
	write(w.t, filepath.Join(dir, "scenario.xml"), loadScenario)
	l := &load{w: w, stats: filepath.Join(dir, "stats.csv")}
	l.running = start(w, "sipp", dir, w.SIP().String(), "-sf", "scenario.xml", "-s", w.Config.Service.Number,
		"-i", stand.TrunkAddress, "-p", fmt.Sprint(freePort(w.t, stand.TrunkAddress).Port()),
		"-mi", stand.TrunkAddress, "-mp", fmt.Sprint(freePort(w.t, stand.TrunkAddress).Port()),
		"-r", fmt.Sprint(perSecond), "-m", fmt.Sprint(count), "-l", fmt.Sprint(count), "-nostdin",
		"-trace_stat", "-stf", l.stats, "-fd", "1", "-trace_err", "-error_file", "errors.log")
	w.t.Cleanup(func() {
		if w.t.Failed() {
			text, _ := os.ReadFile(filepath.Join(dir, "errors.log"))
			w.t.Logf("SIPp's errors:\n%s", text)
		}
	})
	return l
}

// loadFigures are SIPp's own.
type loadFigures struct{ made, successful, failed, repeated int }

// wait waits for the last caller.
func (l *load) wait() (f loadFigures) {
	l.w.t.Helper()
	select {
	case <-l.done: // its exit status says that calls failed, as its figures do
	case <-l.w.ctx.Done():
		l.w.t.Fatalf("SIPp is still at it: %v", context.Cause(l.w.ctx))
	}
	text, err := os.ReadFile(l.stats)
	if err != nil {
		l.w.t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	names, last := strings.Split(lines[0], ";"), strings.Split(lines[len(lines)-1], ";")
	for name, into := range map[string]*int{
		"TotalCallCreated": &f.made, "SuccessfulCall(C)": &f.successful, "FailedCall(C)": &f.failed, "Retransmissions(C)": &f.repeated,
	} {
		at := slices.Index(names, name)
		if at < 0 || at >= len(last) {
			l.w.t.Fatalf("SIPp's figures have no %s: %s", name, lines[0])
		}
		if *into, err = strconv.Atoi(last[at]); err != nil {
			l.w.t.Fatalf("SIPp's figure %s: %v", name, err)
		}
	}
	return f
}

// A caller who hangs up 3 to 9 s after the answer: in the greeting, or in the menu before it asks again.
const loadScenario = `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="one of many callers">
  <send retrans="500"><![CDATA[
    INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:1370000[call_number]@[local_ip]:[local_port]>;tag=[pid]SIPpTag[call_number]
    To: <sip:[service]@[remote_ip]:[remote_port]>
    Call-ID: [call_id]
    CSeq: 1 INVITE
    Contact: <sip:1370000[call_number]@[local_ip]:[local_port]>
    Max-Forwards: 70
    Content-Type: application/sdp
    Content-Length: [len]

    v=0
    o=load 1 1 IN IP[local_ip_type] [local_ip]
    s=-
    c=IN IP[media_ip_type] [media_ip]
    t=0 0
    m=audio [media_port] RTP/AVP 8 101
    a=rtpmap:8 PCMA/8000
    a=rtpmap:101 telephone-event/8000
    a=fmtp:101 0-15
    a=ptime:20
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="183" optional="true"/>
  <recv response="200" rrs="true" timeout="15000"/>
  <send><![CDATA[
    ACK [next_url] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:1370000[call_number]@[local_ip]:[local_port]>;tag=[pid]SIPpTag[call_number]
    To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
    Call-ID: [call_id]
    CSeq: 1 ACK
    Max-Forwards: 70
    Content-Length: 0
  ]]></send>
  <pause distribution="uniform" min="3000" max="9000"/>
  <send retrans="500"><![CDATA[
    BYE [next_url] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:1370000[call_number]@[local_ip]:[local_port]>;tag=[pid]SIPpTag[call_number]
    To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
    Call-ID: [call_id]
    CSeq: 2 BYE
    Max-Forwards: 70
    Content-Length: 0
  ]]></send>
  <recv response="200"/>
</scenario>
`
