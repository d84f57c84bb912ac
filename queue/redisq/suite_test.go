package redisq

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"hotline/queue"
	"hotline/queue/queuetest"
)

// tick is a moment that passes for everybody.
var tick = redis.NewScript(prelude + `
local h = load_head()
add(h, '0', 0, '[]')
return {1, h.id}
`)

// clock has the queue's time pass second by second, as it would.
func (s *server) clock() queuetest.Clock {
	return queuetest.Clock{Ahead: true, Pass: func(d time.Duration) {
		for d > 0 {
			step := min(d, time.Second)
			d -= step
			s.pass(step)
			if err := tick.Run(s.t.Context(), s.Client, keys(DefaultSpace)).Err(); err != nil {
				s.t.Fatal(err)
			}
		}
	}}
}

// withLog gives an engine a log on a Redis that has been flushed.
func (s *server) withLog(o queue.Options) queue.Options {
	log, err := New(Options{Redis: redis.UniversalOptions{Addrs: []string{s.Addr}}})
	if err != nil {
		s.t.Fatal(err)
	}
	o.Log, o.Owner = log, "north"
	return o
}

// The suite against an engine with a log on Redis.
func TestEngine(t *testing.T) {
	s := startRedis(t)
	queuetest.Run(t, func(t *testing.T, o queue.Options, test func(*testing.T, *queue.Engine, queuetest.Clock)) {
		s.Do("FLUSHALL")
		e, err := queue.New(s.withLog(o))
		if err != nil {
			t.Fatal(err)
		}
		defer e.Stop()
		if _, why := e.Alone(); why != nil {
			t.Fatalf("the engine is alone: %v", why)
		}
		test(t, e, s.clock())
	})
}
