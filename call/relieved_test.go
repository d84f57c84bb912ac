package call_test

import (
	"testing"
	"time"

	"hotline/ari"
	"hotline/call"
)

// A call that is just ending as another process takes the calls over is that one's to end: nobody waits here for what
// only the other one is told, and nothing more is written.
func TestACallThatIsEndingKeepsNobodyFromBeingRelieved(t *testing.T) {
	var link *ari.Link
	h, caller := talk(t, func(o *call.Options) { link = o.Link })
	h.asterisk.Fail("DELETE", "/channels/{id}", 500, 1000)
	asked := func() (n int) {
		for _, r := range h.asterisk.Requests() {
			if r.Method == "DELETE" && r.Route == "/channels/{id}" {
				n++
			}
		}
		return n
	}
	caller.Bye()
	h.until("the agent is hung up, in vain", func() bool { return asked() > 0 })
	h.asterisk.Replace()
	h.until("it is replaced", func() bool { return link.Status().Replaced })
	began := time.Now()
	h.stop()
	if took := time.Since(began); took > time.Second {
		t.Errorf("it leaves after %v: it waits for the end of a leg that it is not told", took)
	}
	if ended := h.journal.ended(); len(ended) > 0 {
		t.Errorf("it has ended a call of another process: %+v", ended)
	}
}
