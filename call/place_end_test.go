package call_test

import (
	"slices"
	"sync/atomic"
	"testing"

	"hotline/ari/aritest"
	"hotline/call"
	"hotline/call/scene"
	"hotline/queue"
)

// hangingUp is a queue whose caller hangs up as it gives them a place.
type hangingUp struct {
	call.Queue
	caller atomic.Pointer[aritest.Channel]
	gone   func()
}

func (q *hangingUp) Join(c queue.Caller) (*queue.Ticket, error) {
	ticket, err := q.Queue.Join(c)
	if caller := q.caller.Load(); caller != nil {
		caller.Bye()
		q.gone()
	}
	return ticket, err
}

// Nobody stays in line who hangs up between being sent there and waiting there: an agent would be reserved for nobody.
func TestAPlaceEndsWithTheCall(t *testing.T) {
	q := &hangingUp{}
	s := newSet(t, func(o *call.Options) {
		q.Queue, o.Queue = o.Queue, q
	})
	q.gone = func() {
		s.until("the caller's end is told", func() bool { return slices.Contains(s.asterisk.Sent(), "ChannelDestroyed") })
	}
	for _, id := range []string{"1002", "1003"} {
		if err := s.queue.Pause(id, "break"); err != nil {
			t.Fatal(err)
		}
	}
	q.caller.Store(s.caller)
	s.do(scene.DoTransfer, scene.Target{Kind: scene.ToQueue, ID: "service"})
	s.outcome()
	s.until("nobody is in line", func() bool { return len(s.queue.Waiting("service")) == 0 })
}
