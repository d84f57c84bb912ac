package queue_test

import (
	"testing"
	"testing/synctest"
	"time"

	"hotline/queue"
	"hotline/queue/queuetest"
)

// The suite against an engine of its own, in a bubble where time passes only
// when everybody waits.
func TestEngine(t *testing.T) {
	queuetest.Run(t, func(t *testing.T, o queue.Options, test func(*testing.T, *queue.Engine, queuetest.Clock)) {
		synctest.Test(t, func(t *testing.T) {
			e, err := queue.New(o)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Stop()
			test(t, e, queuetest.Clock{Pass: time.Sleep, Settle: synctest.Wait})
		})
	})
}
