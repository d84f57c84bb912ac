package virtual

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"hotline/ari/aritest"
	"hotline/call"
	"hotline/journal"
	"hotline/queue"
)

// What a killed service leaves behind in the benchmark.
const (
	liveCalls    = 1000
	talkingCalls = 400
	ringingCalls = 50 // the others wait
	freshAgents  = 50 // who come to work later, one after each kill
)

// BenchmarkReconcile is a kill -9 with 1,000 live calls, in real time: from the start of the next process until every
// call's script has been entered again and the queue is open, and until the first caller who waited talks.
func BenchmarkReconcile(b *testing.B) {
	makeParts(b, b.TempDir())
	w, steps := crowd(b)
	p, err := w.start(0, end{}, false)
	if err != nil {
		b.Fatal(err)
	}
	w.gather(p)

	var entered, served time.Duration
	n := 0
	for b.Loop() {
		p.cut()
		<-p.left
		n++
		busy := processorTime()
		steps.begin()
		if p, err = w.start(n, end{}, false); err != nil {
			b.Fatal(err)
		}
		if err := p.lines.SignIn(w.agents[len(w.agents)-n].ID); err != nil {
			b.Fatal(err)
		}
		steps.await(b, w)
		b.Logf("run %d: entered after %v, first served after %v, %v of processor time", n, steps.entered, steps.served, processorTime()-busy)
		entered += steps.entered
		served += steps.served
	}
	b.ReportMetric(float64(entered.Milliseconds())/float64(n), "ms-to-enter-1000")
	b.ReportMetric(float64(served.Milliseconds())/float64(n), "ms-to-first-served")
	p.stop(errAsked)
	<-p.left
	w.end()
	w.work.Wait()
}

// crowd is a world of many callers and agents who stay as they are.
func crowd(b *testing.B) (*world, *steps) {
	w := newWorld(b, plan{}, b.TempDir(), false)
	w.agents = nil
	for n := range talkingCalls + ringingCalls + freshAgents {
		p := queue.Profile{ID: fmt.Sprint(2000 + n), Number: fmt.Sprint(100 + n), Queues: []string{"service"}}
		w.agents = append(w.agents, p)
		does := aritest.Answers
		if n >= talkingCalls && n < talkingCalls+ringingCalls {
			does = aritest.NoAnswer
		}
		w.asterisk.Phone(endpoint(p.ID), aritest.Phone{Does: does})
	}
	w.rules = []queue.Rules{{ID: "service", RingTimeout: time.Hour}, {ID: "bill"}}
	w.asterisk.MediaLasts(func(medium string) time.Duration {
		if prompt := promptOf(medium); strings.HasPrefix(prompt, "silence.") || strings.HasPrefix(prompt, "hold.tone.") {
			return time.Hour
		}
		return time.Millisecond
	})
	s := newSteps()
	w.written = s.written
	return w, s
}

// gather has everybody call and come to where they are to be found.
func (w *world) gather(p *process) {
	for _, a := range w.agents[:talkingCalls+ringingCalls] {
		if err := p.lines.SignIn(a.ID); err != nil {
			w.t.Fatal(err)
		}
	}
	const atATime = 25
	for n := 0; n < liveCalls; n += atATime {
		var callers []*aritest.Channel
		for i := range atATime { // old enough not to have to hear the first ring
			callers = append(callers, w.asterisk.Arrive(aritest.Caller{Number: phoneNumber(n + i), Args: []string{"in", dialled}, Age: 2 * time.Second}))
		}
		for _, c := range callers {
			w.until("the menu plays", func() bool { return heard(c, "menu.main") })
			c.Press("0")
		}
		w.until("everybody waits or talks", func() bool { return p.waiting()+p.talking() == n+atATime })
	}
	w.until("all who can talk do", func() bool { return p.talking() == talkingCalls })
}

func (p *process) waiting() int { return len(p.lines.Waiting("service")) }

func (p *process) talking() (n int) {
	for _, a := range p.lines.Agents() {
		if a.State == queue.StateTalking {
			n++
		}
	}
	return n
}

func heard(c *aritest.Channel, prompt string) bool {
	for _, h := range c.Heard(0) {
		if promptOf(h.Medium) == prompt {
			return true
		}
	}
	return false
}

func (w *world) until(what string, holds func() bool) {
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("never came true: %s\n%s", what, strings.Join(w.log[max(0, len(w.log)-40):], "\n"))
		}
	}
}

// steps are the moments of a restart, read off the journal.
type steps struct {
	entries         chan journal.Entry
	began           time.Time
	entered, served time.Duration
}

func newSteps() *steps { return &steps{entries: make(chan journal.Entry, 1<<20)} }

func (s *steps) written(e journal.Entry) { s.entries <- e }

// begin forgets what was before.
func (s *steps) begin() {
	for {
		select {
		case <-s.entries:
		default:
			s.began, s.entered, s.served = time.Now(), 0, 0
			return
		}
	}
}

// await waits for all calls to be entered, the queue to be open, and the first to be served.
func (s *steps) await(b *testing.B, w *world) {
	resumed, open := 0, false
	deadline := time.After(time.Minute)
	for s.entered == 0 || s.served == 0 {
		select {
		case e := <-s.entries:
			switch e.Kind {
			case call.KindResumed:
				resumed++
			case call.KindServiceConnected:
				open = true
			case queue.KindConnected:
				if s.served == 0 {
					s.served = time.Since(s.began)
				}
			}
			if s.entered == 0 && open && resumed == liveCalls {
				s.entered = time.Since(s.began)
			}
		case <-deadline:
			b.Fatalf("%d of %d calls were taken up, the queue is open: %v\n%s", resumed, liveCalls, open, strings.Join(w.log[max(0, len(w.log)-60):], "\n"))
		}
	}
}

// processorTime is what this process has used so far: on a busy machine it says more than the clock.
func processorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
