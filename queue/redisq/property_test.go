package redisq

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"hotline/queue"
	"hotline/queue/queuetest"
)

// sameView checks that a service which only listens sees the same.
func sameView(t *testing.T, e, listens *queue.Engine) {
	t.Helper()
	view := func(e *queue.Engine) string {
		lines := map[string][]queue.CallerView{}
		for _, r := range e.Rules() {
			lines[r.ID] = e.Waiting(r.ID)
			for i := range lines[r.ID] {
				lines[r.ID][i].Waited = 0 // by clocks that differ a little
			}
		}
		return fmt.Sprintf("%+v %+v %+v", e.Rules(), e.Agents(), lines)
	}
	want := view(e)
	for deadline := time.Now().Add(10 * time.Second); view(listens) != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("who asked sees  %s\nwho listens sees %s", want, view(listens))
		}
	}
}

// Whatever happens in whatever order: an engine of its own and one with a log
// on Redis give the same answers, and callers and agents stand alike.
func TestSameAsInMemory(t *testing.T) {
	s := startRedis(t)
	memory := func(t *testing.T, o queue.Options, test func(*testing.T, *queue.Engine, queuetest.Clock)) {
		synctest.Test(t, func(t *testing.T) {
			e, err := queue.New(o)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Stop()
			test(t, e, queuetest.Clock{Pass: time.Sleep, Settle: synctest.Wait})
		})
	}
	onRedis := func(t *testing.T, o queue.Options, test func(*testing.T, *queue.Engine, queuetest.Clock)) {
		s.Do("FLUSHALL")
		e, err := queue.New(s.withLog(o))
		if err != nil {
			t.Fatal(err)
		}
		defer e.Stop()
		other := o
		other.Agents, other.Record = nil, nil
		other = s.withLog(other)
		other.Owner = "south"
		listens, err := queue.New(other)
		if err != nil {
			t.Fatal(err)
		}
		defer listens.Stop()
		test(t, e, s.clock())
		sameView(t, e, listens)
		if _, why := e.Alone(); why != nil {
			t.Fatalf("the engine was alone: %v", why)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		steps := queuetest.Steps().Draw(r, "steps")
		want, got := queuetest.Course(t, memory, steps), queuetest.Course(t, onRedis, steps)
		for i := range want {
			if got[i] != want[i] {
				r.Fatalf("step %d\n in memory: %s\n on Redis:  %s", i, want[i], got[i])
			}
		}
	})
}
