package redisq

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"hotline/queue"
)

// quick are the rules of all houses with another wrap-up.
func quick(wrapUp time.Duration) []queue.Rules {
	r := bills
	r.WrapUp = wrapUp
	return []queue.Rules{r}
}

func (h *house) wrapUp(want time.Duration) {
	h.t.Helper()
	h.soon("wrap-ups last "+want.String(), func() bool {
		for _, r := range h.Rules() {
			if r.ID == "bills" {
				return r.WrapUp == want
			}
		}
		return false
	})
}

// What a service says anew of a queue holds for everybody; what it merely says
// does not, and it is warned that the others have it otherwise.
func TestRulesOfWhoComes(t *testing.T) {
	s := startRedis(t)
	north := open(t, s, "north", "1001")
	north.wrapUp(time.Minute)
	var heard warnings
	south := openAs(t, s, "south", func(o *queue.Options) {
		o.Queues, o.Logger = quick(5*time.Second), slog.New(slog.NewTextHandler(&heard, nil))
	}, "2001")
	south.wrapUp(time.Minute)
	south.soon("a service whose rules do not hold is warned of queue bills", func() bool { return strings.Contains(heard.String(), "queue=bills") })
	south.die()
	anew := openAs(t, s, "south", func(o *queue.Options) { o.Queues, o.Anew = quick(5*time.Second), []string{"bills"} }, "2001")
	anew.wrapUp(5 * time.Second)
	north.wrapUp(5 * time.Second)
	north.soon("it has recorded the other rules", func() bool {
		north.mu.Lock()
		defer north.mu.Unlock()
		for _, c := range north.recorded {
			if c.Kind == queue.KindRules && c.By == "service south" && c.Rules.WrapUp == 5*time.Second {
				return true
			}
		}
		return false
	})
}

// warnings keeps what is logged.
type warnings struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *warnings) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(line)
}

func (w *warnings) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// An agent whom their service does not bring, and a queue that it says is there
// no more, are there no more, whatever they were doing.
func TestWhoIsNotBroughtIsGone(t *testing.T) {
	s := startRedis(t)
	north := openAs(t, s, "north", func(o *queue.Options) {
		o.Queues = append(o.Queues, queue.Rules{ID: "old"})
		o.Agents[0].Queues = []string{"bills", "old"}
	}, "1001", "1002", "1003", "1004")
	south := open(t, s, "south", "2001")
	north.signIn("1001")
	inOld, err := south.Join(queue.Caller{ID: "in old", Queue: "old"})
	south.must(err)
	south.must(south.offered(inOld, "1001").Ringing())
	north.signIn("1002") // takes nobody of "old" and stays ready
	north.signIn("1003")
	south.must(south.offered(south.join("talk"), "1002").Connected())
	south.inState("1003", queue.StateReady)
	north.die()

	again := openAs(t, s, "north", func(o *queue.Options) { o.Anew = []string{"old"} }, "1004")
	for _, h := range []*house{again, south} {
		h.soon("agents 1001 and 1003 and the queue are gone", func() bool {
			_, first := h.Agent("1001")
			_, third := h.Agent("1003")
			return !first && !third && len(h.Rules()) == 1
		})
		h.inState("1002", queue.StateTalking)
	}
	select {
	case <-inOld.Lapsed():
		if why := inOld.LapseReason(); why != queue.LapseRemoved {
			t.Errorf("the caller of the removed queue has lapsed with %q", why)
		}
	case <-time.After(10 * time.Second):
		t.Error("the caller of the removed queue waits on")
	}
	south.must(south.EndTalk("1002", "talk"))
	south.inState("1002", queue.StateWrapUp)
	south.must(south.Finish("1002"))
	south.inState("1002", queue.StateOffline) // the last of them
	again.signIn("1004")
	south.offered(south.join("a"), "1004")
}

// An agent whom two services list stays where they are, until nothing is heard
// of that service, and the other is told.
func TestAgentOfTwoServices(t *testing.T) {
	s := startRedis(t)
	north := open(t, s, "north", "1001")
	north.signIn("1001")
	numbered := func(o *queue.Options) { o.Agents[1].Number = "789" }
	south := openAs(t, s, "south", numbered, "1001", "2001")
	south.together()
	for _, h := range []*house{north, south} {
		if v, _ := h.Agent("1001"); v.Home != "north" || v.State != queue.StateReady {
			t.Errorf("at %s: 1001 is at home at %s and %s, want north and ready: south has taken them without a word", h.name, v.Home, v.State)
		}
	}
	if got := south.Rivals(); len(got) != 1 || got[0] != (queue.Rival{Agent: "1001", Other: "1001", Home: "north"}) {
		t.Errorf("south is told %v, want that north has 1001", got)
	}
	if got := north.Rivals(); len(got) != 0 {
		t.Errorf("north is told %v, though 1001 is its own", got)
	}
	west := openAs(t, s, "west", func(o *queue.Options) { o.Agents[0].Number = "789" }, "3001")
	west.together()
	if got := west.Rivals(); len(got) != 1 || got[0] != (queue.Rival{Agent: "3001", Other: "2001", Home: "south"}) {
		t.Errorf("west is told %v, want that 2001 of south has the same number", got)
	}
	north.die()
	south.soon("north is gone", func() bool { v, _ := south.Agent("1001"); return v.Away })
	south.die()
	back := openAs(t, s, "south", numbered, "1001", "2001")
	back.together()
	back.soon("1001 is at home in the south, since nothing is heard of the north", func() bool { v, _ := back.Agent("1001"); return v.Home == "south" })
}
