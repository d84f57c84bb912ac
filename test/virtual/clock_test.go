package virtual

import (
	"testing"
	"time"

	"hotline/ari/aritest"
	"hotline/queue"
)

// Who comes after the wall clock was set back stands behind who waits already, also when another process goes on.
func TestNobodyOvertakesByTheClock(t *testing.T) {
	makeParts(t, t.TempDir())
	for name, restarts := range map[string]bool{"in one life": false, "over a restart": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, end{kind: killed, nth: farAway}, func(w *world) {
				w.asterisk.Phone(endpoint("1001"), aritest.Phone{Does: aritest.Answers, After: time.Second})
				p := w.next(false)
				first := (&redialRun{world: w, number: phoneNumber(1)}).waits(p)
				w.offset.Add(int64(-time.Hour))
				if restarts {
					p.cut()
					p = w.succeed(p, end{kind: killed, outage: time.Second})
				}
				second := w.arrives(p)
				w.hears(second, "menu.main")
				second.Press("0")
				w.hears(second, "hold.tone.")
				w.operator("is ready", "1001", func(e *queue.Engine) error { return e.Ready("1001") })
				w.sleep(5 * time.Second)
				if len(first.Joined()) != 2 || len(second.Joined()) != 0 {
					w.fail("the agent talks with %v, and with who came later: %v", first.Joined(), second.Joined())
				}
				first.Bye()
				second.Bye()
				w.sleep(time.Minute)
				w.checkLeftovers()
				w.finish()
				w.checkJournal()
			})
		})
	}
}
