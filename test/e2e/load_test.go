package e2e

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/journal"
	"hotline/queue"
	"hotline/test/phone"
)

const (
	crowdCallers = 100
	crowdAgents  = 20
	arriveWithin = 6 * time.Second
	talkLasts    = 17 * time.Second // so that the last callers wait for the better part of a minute
)

// A hundred callers at once, through the menu and the queue to 20 agents. Some callers hang up, in every stage; some
// agents decline, one now and then does not answer. It is not run beside other tests: it is the one that loads the
// machine.
//
// HOTLINE_SEED repeats a run.
func TestAHundredCallersAtOnce(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("HOTLINE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("repeat with HOTLINE_SEED=%d", seed)
	began := time.Now()
	w := newWorld(t, 3*time.Minute, crowded).calm()
	goroutines := w.metric("go_goroutines")
	asterisk, service := cpuOf(t, pidOf(t, w.Dir)), cpuOf(t, w.PID())

	c := newCrowd(w, rand.New(rand.NewPCG(seed, 0)))
	c.openDesks()
	c.callAtOnce()
	t.Logf("everybody has left after %v", time.Since(began).Round(time.Second))

	c.wantOneOutcomeEach()
	c.wantApologiesOnTime()
	c.wantNobodyInSilence()
	c.wantNoDoubleOffer()
	c.wantNoPhoneRungTwice()
	c.logCosts(cpuOf(t, pidOf(t, w.Dir))-asterisk, cpuOf(t, w.PID())-service)
	c.closePhones()
	w.wantNothingLeft(goroutines)
	t.Logf("wall time %v", time.Since(began).Round(time.Second))
}

// crowded is the hotline of the test: agents 1001 to 1020 and a queue that lets nobody rest for long.
func crowded(cfg *configs.Config) {
	q := &cfg.Queues[0]
	q.WrapUp.Duration, q.DeclinePause.Duration, q.RingTimeout.Duration = time.Second, 5*time.Second, 6*time.Second
	q.MissesBeforeOut = 5
	cfg.Rating.Timeout.Duration = 3 * time.Second
	cfg.Agents = nil
	for n := range crowdAgents {
		id := fmt.Sprint(1001 + n)
		cfg.Agents = append(cfg.Agents, configs.Agent{
			ID: id, Number: fmt.Sprint(700 + n), Name: "agent " + id, Role: configs.RoleAgent,
			Password: configs.Secret("dev-" + id), PIN: configs.Secret(id), Queues: []string{q.ID},
		})
	}
}

// crowd is everybody in the test.
type crowd struct {
	*world
	dice *dice

	callers []*member
	desks   []*phone.Phone

	mu    sync.Mutex
	rings map[string][]*phone.Call // by agent, in order
}

// dice is a source of chance for many goroutines.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

func (d *dice) upTo(limit time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Duration(d.r.Int64N(int64(limit)))
}

func (d *dice) percent() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(100)
}

// member is a caller: where they hang up, and what became of it.
type member struct {
	number string
	leaves string        // the stage in which they hang up; "" when they stay until the end
	after  time.Duration // in that stage
	phone  *phone.Phone
	call   *phone.Call
	err    error

	waited time.Duration // since the call's start, when the wait was over by what was done and heard; 0: never in line
}

// stages in which callers hang up, and how many in a hundred do, and at most how long they are in it by then.
var leavers = []struct {
	stage  string
	share  int
	within time.Duration
}{
	{"ring", 6, 800 * time.Millisecond}, {"greet", 6, time.Second}, {"menu", 8, 4 * time.Second}, {"message", 6, 8 * time.Second},
	{"wait", 16, 50 * time.Second}, {"talk", 8, 10 * time.Second}, {"rate", 6, 3 * time.Second}, {"", 44, 0},
}

func newCrowd(w *world, r *rand.Rand) *crowd {
	c := &crowd{world: w, dice: &dice{r: r}, rings: map[string][]*phone.Call{}}
	for _, l := range leavers {
		for range l.share {
			m := &member{leaves: l.stage, number: fmt.Sprintf("138%08d", 1000+len(c.callers))}
			if l.within > 0 {
				m.after = c.dice.upTo(l.within)
			}
			c.callers = append(c.callers, m)
		}
	}
	r.Shuffle(len(c.callers), func(i, j int) { c.callers[i], c.callers[j] = c.callers[j], c.callers[i] })
	for _, m := range c.callers {
		m.phone = w.caller(phone.Options{Number: m.number})
	}
	return c
}

// openDesks lets all agents register and sign in.
func (c *crowd) openDesks() {
	for _, account := range c.Config.Agents {
		p := c.phone(phone.Options{ // without an ear: who listens is the callers
			Name: "agent " + account.ID, IP: "127.0.0.1", Server: c.SIP().String(),
			Number: account.ID, Password: account.Password.Reveal(), Incoming: c.workAs(account.ID),
		})
		c.desks = append(c.desks, p)
		if err := p.Register(c.ctx); err != nil {
			c.t.Fatalf("agent %s cannot register: %v", account.ID, err)
		}
		c.signIn(account.ID)
	}
}

// signIn is `hotline agent sign-in` without a program for each of them.
func (c *crowd) signIn(id string) {
	c.t.Helper()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", c.Config.ControlSocket())
	}}}
	defer client.CloseIdleConnections()
	answer, err := client.Post("http://hotline/api/v1/agents/"+id+"/state", "application/json", strings.NewReader(`{"do": "sign-in"}`))
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		c.t.Fatalf("agent %s cannot sign in: %s", id, answer.Status)
	}
}

// workAs is what an agent does with a call: answers, mostly, talks and hangs up.
func (c *crowd) workAs(id string) phone.Behaviour {
	return func(ctx context.Context, incoming *phone.Call) {
		c.mu.Lock()
		c.rings[id] = append(c.rings[id], incoming)
		c.mu.Unlock()
		do := c.dice.percent()
		thinks, talks := 300*time.Millisecond+c.dice.upTo(2*time.Second), talkLasts-4*time.Second+c.dice.upTo(8*time.Second)
		switch {
		case do < 3:
			phone.RingForEver()(ctx, incoming)
			return
		case do < 18:
			phone.DeclineAfter(thinks, 486)(ctx, incoming)
			return
		}
		phone.AnswerAfter(thinks)(ctx, incoming)
		if sleep(ctx, talks) == nil {
			if err := incoming.Hangup(c.ctx); err != nil && incoming.Up() { // the caller may have done so in this moment
				c.t.Errorf("agent %s cannot hang up: %v", id, err)
			}
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// callAtOnce plays all callers and waits until the last has left.
func (c *crowd) callAtOnce() {
	var all sync.WaitGroup
	for n, m := range c.callers {
		all.Go(func() {
			if m.err = sleep(c.ctx, arriveWithin*time.Duration(n)/crowdCallers); m.err == nil {
				m.err = c.visit(m)
			}
		})
	}
	all.Wait()
	for _, m := range c.callers {
		if m.err != nil {
			c.t.Errorf("the caller %s who leaves in %q: %v\n%s", m.number, m.leaves, m.err, c.storyOf(m))
		}
	}
}

// storyOf is what the journal says of a caller.
func (c *crowd) storyOf(m *member) story {
	v := visit{world: c.world, number: m.number}
	return v.story()
}

// visit is one caller's call.
func (c *crowd) visit(m *member) (err error) {
	if m.call, err = m.phone.Dial(c.ctx, c.Config.Service.Number); err != nil {
		return err
	}
	heard := func(id string) func() error {
		return func() error { _, err := m.call.WaitHeard(c.ctx, id, 0); return err }
	}
	keys := func(digits string) func() error {
		return func() error { return m.call.Keys(c.ctx, digits) }
	}
	way := []struct {
		stage string
		begin []func() error // what the caller does and hears until the stage has begun
	}{
		{"ring", []func() error{func() error { return m.call.WaitRinging(c.ctx) }}},
		{"greet", []func() error{heard("greeting.*")}},
		{"menu", []func() error{heard("menu.main")}},
		{"message", []func() error{keys("8")}},
		{"wait", []func() error{keys("0"), heard("queue.joined")}},
		{"talk", []func() error{heard("agent.before")}},
		{"rate", []func() error{heard("rating.ask")}},
	}
	for _, part := range way {
		if part.stage == "message" && m.leaves != "message" {
			continue
		}
		for _, step := range part.begin {
			if err := step(); err != nil {
				return err
			}
		}
		if part.stage == "talk" {
			m.waited = m.call.Transcript().Of("agent.before")[0].At
		}
		if part.stage != m.leaves {
			continue
		}
		if err := c.linger(m); err != nil {
			return err
		}
		if part.stage == "wait" {
			m.waited = time.Since(m.call.Start())
		}
		return m.call.Hangup(c.ctx)
	}
	if c.dice.percent() < 50 {
		if err := m.call.Keys(c.ctx, "5"); err != nil {
			return err
		}
	}
	_, err = m.call.WaitEnded(c.ctx)
	return err
}

// linger stays in the stage for as long as the caller's patience lasts. Who waits for an agent and gets one stays for a
// moment.
func (c *crowd) linger(m *member) error {
	if m.leaves != "wait" {
		return sleep(c.ctx, m.after)
	}
	patience, cancel := context.WithTimeout(c.ctx, m.after)
	defer cancel()
	if _, err := m.call.WaitHeard(patience, "agent.before", 0); err != nil {
		return context.Cause(c.ctx) // the patience is over, as it was to be
	}
	return nil
}

// outcomes a caller may have who hangs up in a stage. Who hangs up while an agent answers may have talked.
var outcomes = map[string][]call.Outcome{
	"ring":    {{Result: call.Abandoned, Reason: "ring"}},
	"greet":   {{Result: call.Abandoned, Reason: "greet"}},
	"menu":    {{Result: call.Abandoned, Reason: "menu"}},
	"message": {{Result: call.Abandoned, Reason: "message"}, {Result: call.Messaged, Reason: "caller's choice"}},
	"wait":    {{Result: call.Abandoned, Reason: "wait"}, {Result: call.Served, Reason: "talked"}},
	"talk":    {{Result: call.Served, Reason: "talked"}},
	"rate":    {{Result: call.Served, Reason: "talked"}},
	"":        {{Result: call.Served, Reason: "talked"}},
}

// wantOneOutcomeEach looks at every call's stream: it has arrived once, ended once, with a result and a reason that fit
// what the caller did.
func (c *crowd) wantOneOutcomeEach() {
	c.t.Helper()
	c.await("every call has ended", func() bool {
		return len(c.read(journal.Query{StreamPrefix: "call/", Kinds: []string{call.KindEnded}})) >= crowdCallers
	})
	byNumber := map[string]*member{}
	for _, m := range c.callers {
		byNumber[m.number] = m
	}
	arrivals, endings := map[string]string{}, map[string]call.Ended{}
	for _, e := range c.read(journal.Query{StreamPrefix: "call/", Kinds: []string{call.KindArrived, call.KindEnded}}) {
		stream := e.Streams[0]
		if e.Kind == call.KindArrived {
			if _, twice := arrivals[stream]; twice {
				c.t.Errorf("%s has arrived twice", stream)
			}
			arrivals[stream] = decoded[call.Arrived](c.t, e).Number
			continue
		}
		if was, twice := endings[stream]; twice {
			c.t.Errorf("%s has ended twice: %+v", stream, was.Outcome)
		}
		endings[stream] = decoded[call.Ended](c.t, e)
	}
	if len(arrivals) != crowdCallers || len(endings) != crowdCallers {
		c.t.Errorf("%d calls have arrived and %d have ended, want %d", len(arrivals), len(endings), crowdCallers)
	}
	tally := map[call.Outcome]int{}
	for stream, number := range arrivals {
		ended, m := endings[stream], byNumber[number]
		if m == nil {
			c.t.Errorf("%s is from %q, who is not in the test", stream, number)
			continue
		}
		tally[ended.Outcome]++
		if !slices.Contains(outcomes[m.leaves], ended.Outcome) {
			c.t.Errorf("%s, whose caller leaves in %q after %v, ended as %+v, want one of %+v", stream, m.leaves, m.after, ended.Outcome, outcomes[m.leaves])
		}
		if ended.Marked {
			c.t.Errorf("%s misses entries", stream)
		}
	}
	for _, o := range slices.SortedFunc(maps.Keys(tally), func(a, b call.Outcome) int { return strings.Compare(a.Result+a.Reason, b.Result+b.Reason) }) {
		c.t.Logf("%3d %s (%s)", tally[o], o.Result, o.Reason)
	}
}

// wantApologiesOnTime compares the apologies that each caller heard with the clock of their wait (C3).
func (c *crowd) wantApologiesOnTime() {
	c.t.Helper()
	const tolerance = 500 * time.Millisecond
	var heard int
	var worst time.Duration
	for _, m := range c.callers {
		if m.waited == 0 {
			continue
		}
		transcript := m.call.Transcript()
		joined := transcript.Of("queue.joined")[0].At
		var begun []time.Duration
		for _, a := range transcript.Of("hold.apology") {
			if a.At < m.waited {
				begun = append(begun, a.At-joined)
			}
		}
		due := int((m.waited - joined) / (30 * time.Second))
		if m.waited-joined-time.Duration(due)*30*time.Second < tolerance && len(begun) == due-1 {
			due-- // the wait ended as it was due
		}
		if len(begun) != due {
			c.t.Errorf("a caller who waited for %v heard %d apologies, want %d: %s", m.waited-joined, len(begun), due, transcript)
			continue
		}
		for n, at := range begun {
			late := at - time.Duration(n+1)*30*time.Second
			worst = max(worst, late.Abs())
			if heard++; late.Abs() > tolerance {
				c.t.Errorf("apology %d began %v off its time: %s\nLikely causes: the list was not put back on its clock, or the machine cannot carry the load.", n+1, late, transcript)
			}
		}
	}
	c.t.Logf("%d apologies heard, the worst %v off its time", heard, worst)
	if heard < 5 {
		c.t.Errorf("only %d apologies were heard: the crowd did not wait for long enough to prove anything", heard)
	}
}

// wantNobodyInSilence looks for silent seconds between the place in line and the agent (A3).
func (c *crowd) wantNobodyInSilence() {
	c.t.Helper()
	for _, m := range c.callers {
		if m.waited == 0 {
			continue
		}
		transcript := m.call.Transcript()
		if quiet := transcript.Silences(transcript.Of("queue.joined")[0].At, m.waited, time.Second); len(quiet) > 0 {
			c.t.Errorf("a caller in line heard nothing: %v: %s", quiet, transcript)
		}
	}
}

// wantNoDoubleOffer folds the queue's changes: a caller has at most one offer at a time, an agent at most one caller.
func (c *crowd) wantNoDoubleOffer() {
	c.t.Helper()
	caller, agent := map[string]string{}, map[string]string{} // whom they are offered to or talk with
	offers := map[string]int{}
	for _, e := range c.read(journal.Query{}) {
		if !strings.HasPrefix(e.Kind, "queue.") && e.Kind != queue.KindAgentState {
			continue
		}
		change := decoded[queue.Change](c.t, e)
		offers[e.Kind]++
		if e.Kind == queue.KindOffered {
			if with := caller[change.Call]; with != "" {
				c.t.Errorf("entry %d: call %s is offered to %s while it is offered to %s", e.Seq, change.Call, change.Agent, with)
			}
			if with := agent[change.Agent]; with != "" {
				c.t.Errorf("entry %d: agent %s is offered call %s while busy with %s", e.Seq, change.Agent, change.Call, with)
			}
			caller[change.Call], agent[change.Agent] = change.Agent, change.Call
			continue
		}
		switch change.To {
		case 0, queue.StateReserved, queue.StateRinging, queue.StateTalking, queue.StateHold:
		default: // the agent is free of the caller
			delete(caller, agent[change.Agent])
			delete(agent, change.Agent)
		}
	}
	c.t.Logf("%d offers: %d connected, %d refused; %d callers left", offers[queue.KindOffered], offers[queue.KindConnected], offers[queue.KindRefused], offers[queue.KindLeft])
}

// wantNoPhoneRungTwice looks at the agents' phones: none is called while it still has a call.
func (c *crowd) wantNoPhoneRungTwice() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, rung := range c.rings {
		slices.SortFunc(rung, func(a, b *phone.Call) int { return a.Start().Compare(b.Start()) })
		for n := 1; n < len(rung); n++ {
			// Both messages come in at once where the queue has the next caller at hand: which one the phone sees to
			// first is its own affair.
			if over := rung[n-1].Times().Ended; over.IsZero() || rung[n].Start().Before(over.Add(-20*time.Millisecond)) {
				c.t.Errorf("agent %s's phone is called at %v while it has a call until %v", id, rung[n].Start(), over)
			}
		}
	}
}

func (c *crowd) closePhones() {
	var all sync.WaitGroup
	for _, p := range c.desks {
		all.Go(p.Close)
	}
	for _, m := range c.callers {
		all.Go(m.phone.Close)
	}
	all.Wait()
}

// logCosts prints what the calls cost.
func (c *crowd) logCosts(asterisk, service time.Duration) {
	per := func(name string) float64 { return c.metric(name) / crowdCallers }
	c.t.Logf("CPU: Asterisk %v, service %v; per call: %.1f ARI requests, %.1f events; deepest mailbox %v",
		asterisk.Round(100*time.Millisecond), service.Round(100*time.Millisecond),
		per("hotline_ari_request_seconds_count"), per("hotline_ari_events_total"), c.metric("hotline_ari_mailbox_depth_max"))
}

// pidOf is the process of an Asterisk.
func pidOf(t testing.TB, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "run", "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(text)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// cpuOf is the processor time a process has used.
func cpuOf(t testing.TB, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var ticks int64
	for _, field := range fields[11:13] { // utime, stime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	const perSecond = 100 // USER_HZ
	return time.Duration(ticks) * time.Second / perSecond
}
