package virtual

import (
	"testing"
	"time"
)

// Asterisk takes a prompt and never ends it: the caller is not left in silence for it, and is asked what they want.
func TestAPromptThatNeverEndsIsGivenUp(t *testing.T) {
	makeParts(t, t.TempDir())
	inWorld(t, end{kind: killed, nth: farAway}, func(w *world) {
		w.asterisk.MediaLasts(func(medium string) time.Duration {
			if promptOf(medium) == "greeting.company" {
				return time.Hour
			}
			return lasts(medium)
		})
		ch := w.arrives(w.next(false))
		w.hears(ch, "menu.main")
		if !hasHeard(ch, "menu.main") {
			w.fail("the caller heard %v and no menu", lastHeard(ch, 10))
		}
		ch.Bye()
		w.sleep(time.Minute)
		w.finish()
	})
}
