package virtual

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"hotline/ari/aritest"
	"hotline/queue"
)

// BenchmarkCall is whole calls at 20 a second, in real time: answered, greeted, a key in the menu, queued, connected,
// recorded, rated, ended. cpu-ms/call is processor time of the service, its journal and the fake Asterisk together: what
// belongs to whom says -cpuprofile.
func BenchmarkCall(b *testing.B) {
	const agents, perSecond = 20, 20
	makeParts(b, b.TempDir())
	w := newWorld(b, plan{}, b.TempDir(), false)
	w.agents = nil
	for n := range agents {
		p := queue.Profile{ID: fmt.Sprint(2000 + n), Number: fmt.Sprint(100 + n), Queues: []string{"service"}}
		w.agents = append(w.agents, p)
		w.asterisk.Phone(endpoint(p.ID), aritest.Phone{Does: aritest.Answers, Then: func(c *aritest.Channel) {
			if w.sleep(300 * time.Millisecond) {
				c.Bye()
			}
		}})
	}
	w.rules = []queue.Rules{{ID: "service"}, {ID: "bill"}}
	w.asterisk.MediaLasts(func(medium string) time.Duration {
		if prompt := promptOf(medium); strings.HasPrefix(prompt, "silence.") || strings.HasPrefix(prompt, "hold.tone.") {
			return time.Hour
		}
		return time.Millisecond
	})
	p, err := w.start(0, end{}, false)
	if err != nil {
		b.Fatal(err)
	}
	w.until("the link is up", func() bool { return p.link.Status().Connected })
	for _, a := range w.agents {
		if err := p.lines.SignIn(a.ID); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	began, first := processorTime(), time.Now()
	var visits sync.WaitGroup
	for n := range b.N {
		time.Sleep(time.Until(first.Add(time.Duration(n) * time.Second / perSecond)))
		visits.Go(func() {
			c := w.asterisk.Arrive(aritest.Caller{Number: phoneNumber(n), Args: []string{"in", dialled}, Age: 2 * time.Second})
			for _, asked := range []struct{ prompt, key string }{{"menu.main", "0"}, {"rating.ask", "5"}} {
				for !heard(c, asked.prompt) && w.wait(c, 10*time.Millisecond) {
				}
				c.Press(asked.key)
			}
			<-c.Over()
		})
	}
	visits.Wait()
	b.ReportMetric(float64((processorTime()-began).Microseconds())/1000/float64(b.N), "cpu-ms/call")
	commits := p.boundaries.Load()/2 - int64(len(w.asterisk.Requests())) // before and after each of both
	b.ReportMetric(float64(commits)/float64(b.N), "commits/call")
	b.ReportMetric(0, "ns/op") // paced: says nothing
	p.stop(errAsked)
	<-p.left
	w.end()
	w.work.Wait()
}
