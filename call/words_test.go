package call

import (
	"testing"

	"hotline/queue"
)

// Every way in which a queue has no place for a caller has words and a reason of its own; that the
// words are in the catalogues is for the catalogues to test.
func TestEveryReasonOfAQueueHasWords(t *testing.T) {
	said := map[noPlace]string{}
	for _, reason := range []string{
		queue.LapseSignedOut, queue.LapseUnattended, queue.LapseTooLong, queue.LapseCallBack, queue.LapseMessage, queue.LapseRemoved, queue.LapseNoSkill,
	} {
		end, known := lapses[reason]
		if !known || end.reason == "" || end.prompt == "" {
			t.Errorf("a caller whose wait ends by %q is told nothing", reason)
		}
		if other := said[end]; other != "" && reason != queue.LapseMessage { // which is the same to the caller as too long
			t.Errorf("a wait that ends by %q is told of as one that ends by %q", reason, other)
		}
		said[end] = reason
	}
}
