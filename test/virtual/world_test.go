package virtual

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hotline/ari/aritest"
	"hotline/call"
	"hotline/journal"
	"hotline/queue"
)

// world is one run: an Asterisk with callers and agents, and the lives of the service one after the other.
type world struct {
	t        testing.TB
	plan     plan
	verbose  bool
	asterisk *aritest.Server
	dir      string
	file     string // of the journal
	agents   []queue.Profile
	rules    []queue.Rules
	queues   map[string]call.QueueOptions
	written  func(journal.Entry) // told of what a process has written; nil: nobody
	ctx      context.Context
	end      context.CancelFunc
	work     sync.WaitGroup // everything that is not the server's
	began    time.Time
	offset   atomic.Int64 // of the wall clock from the machine's
	serial   atomic.Int64

	mu       sync.Mutex
	callers  []*caller
	live     *process // nil while there is none
	lives    int
	troubles []trouble
	log      []string
}

// trouble is a time in which the service cannot be expected to act: it is away, cut off, or Asterisk does not answer.
type trouble struct {
	from, to time.Time // to is zero while it lasts
	what     string
}

// netTry is how often the dialplan's net tries the service again.
const netTry = 2 * time.Second

func newWorld(t testing.TB, p plan, dir string, verbose bool) *world {
	w := &world{t: t, plan: p, verbose: verbose, asterisk: aritest.StartPipe(t), dir: dir, file: filepath.Join(dir, "journal.db"),
		agents: profiles(p.agents), rules: rules, queues: queueOptions, began: time.Now()}
	w.ctx, w.end = context.WithCancel(context.Background())
	for _, folder := range folders {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.asterisk.MediaLasts(lasts)
	w.asterisk.Net(netTry)
	w.asterisk.Recorder(func(name, format string) { w.write(filepath.Join("spool", name+"."+format), parts.message) })
	w.asterisk.Dialplan("hotline-record", "", w.record)
	for _, profile := range w.agents {
		a := &agent{id: profile.ID, w: w, r: p.stream("agent "+profile.ID, 0)}
		w.asterisk.Phone(endpoint(a.id), aritest.Phone{Does: aritest.Answers, Draw: a.draw})
	}
	return w
}

// write is what Asterisk puts on the disk.
func (w *world) write(name string, data []byte) {
	if err := os.WriteFile(filepath.Join(w.dir, name), data, 0o600); err != nil {
		w.fail("Asterisk cannot write %s: %v", name, err)
	}
}

// record is what MixMonitor does: the file is its own until the call is over.
func (w *world) record(c *aritest.Channel) {
	name := filepath.Join("raw", strings.TrimPrefix(c.Exten(), "rec-")+".raw")
	w.write(name, parts.raw)
	file, err := os.OpenFile(filepath.Join(w.dir, name), os.O_WRONLY, 0)
	if err != nil {
		w.fail("Asterisk cannot write %s: %v", name, err)
		return
	}
	w.work.Go(func() {
		select {
		case <-c.Over():
		case <-w.ctx.Done():
		}
		if err := file.Close(); err != nil {
			w.fail("Asterisk cannot close %s: %v", name, err)
		}
	})
}

// now is the wall clock, which can be set.
func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.offset.Load())) }

// run is the whole of it, from the first caller to the last check.
func (w *world) run() {
	w.work.Go(w.watchLink)
	w.work.Go(w.watchAgents)
	if !w.supervise() {
		return
	}
	w.signIn()
	var visits sync.WaitGroup
	for n, at := range w.plan.callers {
		c := &caller{n: n, w: w, r: w.plan.stream("caller", n)}
		w.knows(c)
		visits.Go(func() {
			if w.sleep(at) {
				c.call()
			}
		})
	}
	var acts sync.WaitGroup
	if w.plan.acts || w.plan.closes {
		acts.Go(w.operate)
	}
	if w.plan.faults {
		acts.Go(w.disturb)
	}
	if w.plan.steps {
		acts.Go(w.setClock)
	}
	w.sleep(w.plan.lasts)
	acts.Wait()
	visits.Wait()
	w.calm()
	w.sleep(10 * time.Second)
	w.checkLeftovers()
	w.sleep(35 * time.Second) // one more look of the service at Asterisk
	w.finish()
	w.checkJournal()
	w.checkCallers()
}

// knows has what became of a caller looked at in the end.
func (w *world) knows(c *caller) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.callers = append(w.callers, c)
}

// supervise starts the first process and then, as long as there are ends left, the next one after each.
func (w *world) supervise() bool {
	p := w.next(false)
	if p == nil {
		return false
	}
	w.work.Go(func() {
		for {
			select {
			case <-p.fated:
			case <-w.ctx.Done():
				return
			}
			if p = w.succeed(p, p.fate); p == nil {
				return
			}
		}
	})
	return true
}

// succeed replaces a process whose end has come.
func (w *world) succeed(p *process, e end) *process {
	defer w.trouble(string(e.kind))()
	switch e.kind {
	case relieved:
		return w.relieve(p)
	case terminated:
		w.acts(nil)
		asked := time.Now()
		p.stop(errAsked)
		w.mustLeave(p, stopWithin)
		w.logf("process %d has left after %v", p.n, time.Since(asked))
	}
	w.acts(nil)
	w.logf("nobody is there for %v", e.outage.Round(time.Millisecond))
	w.sleep(e.outage)
	return w.next(false)
}

// relieve starts the next process beside one that is at work. One that is pushed out by it, because both connected in the
// same moment, is started again, as systemd does.
func (w *world) relieve(p *process) *process {
	for range 5 {
		next := w.next(true)
		if next == nil {
			return nil
		}
		select {
		case <-next.left:
			w.logf("process %d was pushed out by the one before it", next.n)
			w.acts(p)
		case <-p.left:
			return next
		case <-w.ctx.Done():
			return nil
		case <-time.After(relieveWithin + w.disturbance()):
			w.fail("process %d has not left %v after the next one was started", p.n, relieveWithin+w.disturbance())
			p.cut()
			return next
		}
	}
	w.fail("process %d cannot be relieved", p.n)
	return nil
}

// How soon a process is gone.
const (
	stopWithin    = 2 * time.Second // after SIGTERM
	relieveWithin = 3 * time.Second // after the next one was started, which has to reach Asterisk first
)

// disturbance is how long the network may keep a process from Asterisk.
func (w *world) disturbance() time.Duration {
	if w.plan.faults {
		return time.Minute
	}
	return 0
}

// mustLeave waits for a process that was told to go.
func (w *world) mustLeave(p *process, within time.Duration) {
	select {
	case <-p.left:
	case <-w.ctx.Done():
	case <-time.After(within):
		w.fail("process %d has not left %v after it was told to", p.n, within)
		p.cut()
	}
}

// next starts the next process, to end where the plan says.
func (w *world) next(beside bool) *process {
	w.mu.Lock()
	n := w.lives
	w.lives++
	w.mu.Unlock()
	var fate end
	if n < len(w.plan.ends) {
		fate = w.plan.ends[n]
	}
	w.logf("process %d starts, beside another: %v", n, beside)
	p, err := w.start(n, fate, beside)
	for began := time.Now(); errors.Is(err, journal.ErrInUse) && time.Since(began) < stopWithin; { // one that was relieved is just leaving
		w.sleep(linkLook)
		p, err = w.start(n, fate, beside)
	}
	if err != nil {
		w.fail("process %d cannot start: %v", n, err)
		return nil
	}
	return p
}

// acts notes that a process has claimed the journal, so that it is the one that is asked from now on; nil: nobody is.
func (w *world) acts(p *process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.live = p
}

// current is the live process that has not been killed; nil while there is none.
func (w *world) current() *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.live == nil || w.live.dead.Load() {
		return nil
	}
	return w.live
}

// finish stops the last process as SIGTERM does and ends what is the world's.
func (w *world) finish() {
	if p := w.current(); p != nil {
		p.stop(errAsked)
		w.mustLeave(p, stopWithin)
	}
	w.end()
	w.work.Wait()
}

// signIn has all agents begin work, once the service is there.
func (w *world) signIn() {
	for _, a := range w.agents {
		w.operator("signs in", a.ID, func(e *queue.Engine) error { return e.SignIn(a.ID) })
	}
}

// operator does something in the service's own words; it waits for the service if that is away.
func (w *world) operator(what, agent string, do func(*queue.Engine) error) {
	for {
		if p := w.current(); p != nil {
			err := do(p.lines)
			w.logf("operator: %s %s: %v", agent, what, err)
			return
		}
		if !w.sleep(100 * time.Millisecond) {
			return
		}
	}
}

// operate is the operator's and the agents' own day.
func (w *world) operate() {
	r := w.plan.stream("operator", 0)
	away := map[string]bool{}
	for w.sleep(seconds(r, 3, 25)) && time.Since(w.began) < w.plan.lasts {
		a := w.agents[r.IntN(len(w.agents))].ID
		switch n := r.IntN(10); {
		case w.plan.closes && n < 2:
			w.announce(r, seconds(r, 2, 20))
		case !w.plan.acts:
		case away[a]:
			away[a] = false
			w.operator("signs in", a, func(e *queue.Engine) error { return e.SignIn(a) })
		case n < 5:
			away[a] = true
			w.operator("pauses", a, func(e *queue.Engine) error { return e.Pause(a, "break") })
		case n < 8:
			away[a] = true
			w.operator("signs out", a, func(e *queue.Engine) error { return e.SignOut(a) })
		default:
			w.operator("is ready", a, func(e *queue.Engine) error { return e.Ready(a) })
		}
	}
	for _, a := range w.agents {
		if away[a.ID] {
			w.operator("signs in", a.ID, func(e *queue.Engine) error { return e.SignIn(a.ID) })
		}
	}
}

// announce closes the hotline for a while.
func (w *world) announce(_ *rand.Rand, lasts time.Duration) {
	for _, on := range []bool{true, false} {
		for p := w.current(); ; p = w.current() {
			if p != nil {
				if _, err := p.calls.Announce(w.ctx, "closed", on); err == nil {
					w.logf("operator: closed %v", on)
					break
				}
			}
			if !w.sleep(100 * time.Millisecond) {
				return
			}
		}
		if on {
			w.sleep(lasts)
		}
	}
}

// setClock sets the wall clock now and then, by minutes or hours.
func (w *world) setClock() {
	r := w.plan.stream("clock", 0)
	for w.sleep(seconds(r, 10, 60)) && time.Since(w.began) < w.plan.lasts {
		step := one(r, []choice[time.Duration]{
			{2, seconds(r, -3, 3)}, {1, seconds(r, -120, 120)}, {1, seconds(r, -7200, 7200)},
		})
		w.offset.Add(int64(step))
		w.logf("the clock is set by %v", step.Round(time.Millisecond))
	}
}

// disturb has the network and Asterisk misbehave, one thing at a time.
func (w *world) disturb() {
	r := w.plan.stream("faults", 0)
	routes := []choice[[2]string]{
		{3, [2]string{"POST", "/channels/create"}}, {3, [2]string{"POST", "/channels/{id}/dial"}}, {3, [2]string{"POST", "/bridges"}},
		{3, [2]string{"POST", "/bridges/{id}/addChannel"}}, {2, [2]string{"POST", "/bridges/{id}/removeChannel"}}, {3, [2]string{"DELETE", "/playbacks/{id}"}},
		{3, [2]string{"POST", "/channels/{id}/play"}}, {2, [2]string{"DELETE", "/channels/{id}"}}, {2, [2]string{"DELETE", "/bridges/{id}"}},
		{2, [2]string{"GET", "/channels"}}, {2, [2]string{"GET", "/bridges"}}, {2, [2]string{"POST", "/applications/{id}/subscription"}},
		{1, [2]string{"POST", "/channels/{id}/continue"}}, {1, [2]string{"POST", "/bridges/{id}/play"}}, {1, [2]string{"PUT", "/applications/{id}/eventFilter"}},
	}
	for w.sleep(seconds(r, 1, 20)) && time.Since(w.began) < w.plan.lasts {
		switch r.IntN(8) {
		case 0:
			w.logf("FAULT the websocket drops")
			over := w.trouble("the websocket drops")
			w.asterisk.Drop()
			over()
		case 1:
			lasts := seconds(r, 0.1, 12)
			over := w.trouble("no websocket")
			w.logf("FAULT no websocket for %v", lasts.Round(time.Millisecond))
			w.asterisk.Refuse(true)
			w.asterisk.Drop()
			w.sleep(lasts)
			w.asterisk.Refuse(false)
			over()
		case 2:
			w.logf("FAULT the websocket is a black hole")
			over := w.trouble("a black hole")
			w.asterisk.BlackHole()
			for w.asterisk.Swallowing() && w.sleep(100*time.Millisecond) {
			}
			over()
		case 3:
			n := 1 + r.IntN(40)
			w.logf("FAULT the next %d events come twice", n)
			w.asterisk.Repeat(n)
		case 4:
			n, within := 2+r.IntN(12), seconds(r, 0.005, 0.3)
			w.logf("FAULT the next %d events come in another order, within %v", n, within.Round(time.Millisecond))
			order := w.plan.stream("order", int(w.serial.Add(1)))
			w.asterisk.Jumble(n, within, order.IntN)
		case 5:
			d, lasts := seconds(r, 0.05, 6), seconds(r, 0.5, 10)
			over := w.trouble("answers are late")
			w.logf("FAULT answers come %v late for %v", d.Round(time.Millisecond), lasts.Round(time.Millisecond))
			w.asterisk.Stall(d)
			w.sleep(lasts)
			w.asterisk.Stall(0)
			w.sleep(d)
			over()
		case 6:
			d, lasts := seconds(r, 0.05, 6), seconds(r, 0.5, 10)
			over := w.trouble("commands are carried out late")
			w.logf("FAULT commands are carried out %v late for %v", d.Round(time.Millisecond), lasts.Round(time.Millisecond))
			w.asterisk.Delay(d)
			w.sleep(lasts)
			w.asterisk.Delay(0)
			w.sleep(d)
			over()
		case 7:
			route, n := one(r, routes), 1+r.IntN(3)
			over := w.trouble("refused")
			w.logf("FAULT the next %d %s %s are refused", n, route[0], route[1])
			w.asterisk.Fail(route[0], route[1], one(r, []choice[int]{{3, 500}, {1, 503}}), n)
			w.sleep(seconds(r, 1, 5))
			w.asterisk.Heal()
			over()
		}
	}
	w.asterisk.Heal()
}

// trouble begins a time in which nothing is expected; the function it returns ends it.
func (w *world) trouble(what string) (over func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := len(w.troubles)
	w.troubles = append(w.troubles, trouble{from: time.Now(), what: what})
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.troubles[i].to = time.Now().Add(recovery)
	}
}

// recovery is how long after a trouble the service may take to try again what failed in it.
const recovery = time.Second

// linkLook is how often the world looks whether service and Asterisk are connected.
const linkLook = 100 * time.Millisecond

// watchLink notes the times in which no process is connected.
func (w *world) watchLink() {
	over := w.trouble("not connected")
	down := true
	for w.sleep(linkLook) {
		p := w.current()
		connected := p != nil && p.link.Status().Connected && w.asterisk.Connected()
		switch {
		case connected && down:
			over()
		case !connected && !down:
			over = w.trouble("not connected")
		}
		down = !connected
	}
	if down {
		over()
	}
}

// calm waits until a process is there, connected, and not disturbed.
func (w *world) calm() {
	w.asterisk.Heal()
	for range 10 * time.Minute / linkLook {
		if p := w.current(); p != nil && p.link.Status().Connected && p.spare() {
			return
		}
		if !w.sleep(linkLook) {
			return
		}
	}
	p := w.current()
	w.t.Errorf("ten minutes after the last disturbance no process is connected to Asterisk with time to spare (is there one: %v).\nLikely causes: a process that could not start, or could not claim the journal; a hook that does not return.", p != nil)
}

// disturbed is how much of a time was in trouble.
func (w *world) disturbed(from, to time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var sum time.Duration
	for at := from; at.Before(to); {
		next := to
		in := false
		for _, tr := range w.troubles {
			until := tr.to
			if until.IsZero() {
				until = to
			}
			begins := tr.from.Add(-linkLook)
			switch {
			case !begins.After(at) && until.After(at):
				in = true
				if until.Before(next) {
					next = until
				}
			case begins.After(at) && begins.Before(next):
				next = begins
			}
		}
		if in {
			sum += next.Sub(at)
		}
		at = next
	}
	return sum
}

func (w *world) logf(format string, args ...any) {
	line := fmt.Sprintf("%10.3f  ", time.Since(w.began).Seconds()) + fmt.Sprintf(format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, line)
}

// fail notes what is wrong; what has led to it is printed at the end.
func (w *world) fail(format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	w.logf("WRONG %s", message)
	w.t.Errorf("%.3f s: %s", time.Since(w.began).Seconds(), message)
}
