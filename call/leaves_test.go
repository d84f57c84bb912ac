package call_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"hotline/ari/aritest"
	"hotline/call"
	"hotline/journal"
)

// Callers who leave between two stages, or in the midst of a command: nothing more is done for who is gone.

// slowBook is a journal that is slow with one kind of entry.
type slowBook struct {
	call.Journal
	kind         string
	asked, taken chan struct{} // closed when it is to be noted, and when it may be
}

func newSlowBook(kind string) *slowBook {
	return &slowBook{kind: kind, asked: make(chan struct{}), taken: make(chan struct{})}
}

func (b *slowBook) take(entries []journal.Entry) {
	if slices.ContainsFunc(entries, func(e journal.Entry) bool { return e.Kind == b.kind }) {
		close(b.asked)
		<-b.taken
	}
}

func (b *slowBook) Note(entries ...journal.Entry) error {
	b.take(entries)
	return b.Journal.Note(entries...)
}

func (b *slowBook) Append(ctx context.Context, entries ...journal.Entry) (int64, error) {
	b.take(entries)
	return b.Journal.Append(ctx, entries...)
}

func TestWhoLeavesAfterTheMenuIsOfferedToNobody(t *testing.T) {
	book := newSlowBook(call.KindChose)
	h := newHotline(t, 1, func(o *call.Options) { book.Journal, o.Journal = o.Journal, book })
	h.asterisk.Phone("PJSIP/1001", answers)
	if err := h.queue.SignIn("1001"); err != nil {
		t.Fatal(err)
	}
	caller := h.arrives(theirNumber, "menu.main")
	caller.Press("0")
	<-book.asked
	caller.Bye()
	h.agentComesAndGoes()
	close(book.taken)
	if got := h.outcome(); got.Outcome != (call.Outcome{Result: call.Abandoned, Reason: "menu"}) {
		t.Errorf("the call ended as %+v", got.Outcome)
	}
	if legs := h.asterisk.At("PJSIP/1001"); len(legs) > 0 {
		t.Error("the agent's phone was rung for a caller who was gone")
	}
	for _, at := range decoded[call.Reached](h.journal, call.KindStage) {
		if at.Stage == "wait" {
			t.Error("a caller who was gone has joined the queue")
		}
	}
}

// agentComesAndGoes has the service told something after all that was to be told until now.
func (h *hotline) agentComesAndGoes() {
	h.t.Helper()
	ch := h.asterisk.Arrive(aritest.Caller{Endpoint: "PJSIP/1002", Args: []string{"agent", "*00"}})
	h.until("the agent is told that there is no such code", func() bool { return played(ch, "agent.unknown_code") })
	ch.Bye()
}

// Who calls again and hangs up before the place of before is given back has it at the next call.
func TestWhoLeavesAsTheRecordingBeginsKeepsTheOldPlace(t *testing.T) {
	h := newHotline(t, 1, mayBeDialled())
	if err := h.queue.SignIn("1001"); err != nil {
		t.Fatal(err)
	}
	if err := h.queue.Pause("1001", "break"); err != nil {
		t.Fatal(err)
	}
	h.waitsInLine(theirNumber).LoseLine()
	h.outcome()
	var left atomic.Bool
	h.asterisk.Dialplan("hotline-record", "", func(c *aritest.Channel) {
		if left.CompareAndSwap(false, true) {
			c.Bye()
		}
	})
	h.asterisk.Arrive(aritest.Caller{Number: theirNumber, Args: []string{"in", "96196"}})
	h.until("the call has ended", func() bool { return len(h.journal.ended()) == 2 })
	if back := h.journal.streams(call.KindReturned); len(back) > 0 {
		t.Errorf("a caller who was gone was given the old place: %v", back)
	}
	h.arrives(theirNumber, "return.place")
}

// An agent who comes back in the moment in which the caller leaves is not left on the line.
func TestAnAgentWhoComesBackAsTheCallerLeaves(t *testing.T) {
	h := startHouse(t)
	h.asterisk.Phone("PJSIP/1001", answers)
	if err := h.queue.SignIn("1001"); err != nil {
		t.Fatal(err)
	}
	caller := h.waitsInLine(theirNumber)
	h.talks(caller)
	h.asterisk.At("PJSIP/1001")[0].Bye()
	h.until("the caller is asked for a rating", func() bool { return played(caller, "rating.ask") })
	asked, goOn := make(chan struct{}), make(chan struct{})
	var once atomic.Bool
	h.web = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "DELETE" && strings.HasPrefix(r.URL.Path, "/ari/playbacks/") && once.CompareAndSwap(false, true) {
			close(asked)
			<-goOn
		}
		h.asterisk.ServeHTTP(w, r)
	})
	agent := h.asterisk.Arrive(aritest.Caller{Endpoint: "PJSIP/1001", Number: "1001", Exten: "*69", Args: []string{"agent", "*69"}})
	<-asked // the question is taken back
	caller.Bye()
	h.agentComesAndGoes()
	close(goOn)
	h.until("the agent is let go of", func() bool { return agent.State() == "" || agent.Cause() != 0 })
	h.until("the call has ended", func() bool { return len(journaled[call.Ended](h, call.KindEnded)) == 1 })
	if back := journaled[call.Talk](h, call.KindRejoined); len(back) > 0 {
		t.Errorf("the agent talks to nobody: %+v", back)
	}
}
