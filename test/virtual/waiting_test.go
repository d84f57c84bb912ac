package virtual

import (
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"hotline/ari/aritest"
	"hotline/call"
	"hotline/journal"
	"hotline/queue"
)

// What a caller who only waits may cost the service: requests of an hour, and bytes of what it keeps for them, stack
// included.
const (
	mostRequestsAnHour = 30
	mostBytes          = 18 << 10
)

// The figures that this prints with -v are those in docs/benchmarks.md: hundreds of callers wait, and nothing is said to
// them but the apologies.
func TestWhatAWaitingCallerCosts(t *testing.T) {
	const waiters, waited = 300, 20 * time.Minute
	makeParts(t, t.TempDir())
	inWorld(t, end{kind: killed, nth: farAway}, func(w *world) {
		w.rules = []queue.Rules{{ID: "service"}, {ID: "bill"}}
		w.queues = map[string]call.QueueOptions{"service": {Name: "service"}, "bill": {Name: "bill"}}
		w.asterisk.Dialplan("hotline-record", "", func(*aritest.Channel) {}) // whose files would be the world's
		p := w.next(false)
		for !p.link.Status().Connected && w.sleep(10*time.Millisecond) {
		}
		for _, do := range []func(string) error{p.lines.SignIn, func(id string) error { return p.lines.Pause(id, "break") }} {
			if err := do("1001"); err != nil {
				t.Fatal(err)
			}
		}
		w.waiters(p, 50) // whatever is there once
		usual := runtime.MemProfileRate
		runtime.MemProfileRate = 1
		before := w.costs()
		w.waiters(p, waiters)
		after := w.costs()
		runtime.MemProfileRate = usual
		each := func(n int64) int64 { return n / waiters }
		kept := after.memory["stacks"] - before.memory["stacks"]
		for _, owner := range slices.Sorted(maps.Keys(after.memory)) {
			bytes := after.memory[owner] - before.memory[owner]
			if owner == "stacks" {
				t.Logf("%6d bytes each: stacks, the fake Asterisk's included", each(bytes))
			} else if strings.HasPrefix(owner, "hotline/") && !strings.HasPrefix(owner, "hotline/test") && owner != "hotline/ari/aritest" {
				t.Logf("%6d bytes each: %s", each(bytes), owner)
				kept += bytes
			}
		}
		t.Logf("%6d bytes each in all", each(kept))
		if each(kept) > mostBytes && !raced {
			t.Errorf("a waiting caller costs %d bytes, want at most %d", each(kept), mostBytes)
		}

		all := w.costs()
		began := processorTime()
		w.sleep(waited)
		used, then := processorTime()-began, w.costs()
		perHour := func(n int) float64 { return float64(n) / (waiters + 50) / waited.Hours() }
		t.Logf("each in an hour: %.1f requests, %.1f entries in the journal", perHour(then.requests-all.requests), perHour(then.entries-all.entries))
		t.Logf("%v of processor time in %v, that of the fake Asterisk included: %.2f %% of a core", used, waited, 100*used.Seconds()/waited.Seconds())
		if n := perHour(then.requests - all.requests); n > mostRequestsAnHour {
			t.Errorf("a waiting caller costs %.1f requests an hour, want at most %d", n, mostRequestsAnHour)
		}
		w.finish()
	})
}

// waiters has so many more callers come and wait.
func (w *world) waiters(p *process, n int) {
	want := p.waiting() + n
	for i := range n {
		w.asterisk.Arrive(aritest.Caller{Number: phoneNumber(want + i), Args: []string{"in", dialled}})
		w.sleep(100 * time.Millisecond)
	}
	for began := time.Now(); p.waiting() < want && time.Since(began) < 2*time.Minute && w.sleep(time.Second); {
	}
	if got := p.waiting(); got != want {
		w.t.Fatalf("%d callers wait, want %d", got, want)
	}
	w.sleep(time.Minute) // connections that are not needed any more go
}

// costs is what there was to pay for so far.
type costs struct {
	requests, entries int
	memory            map[string]int64 // bytes in use by owner: the package that asked for them, and "stacks"
}

func (w *world) costs() costs {
	c := costs{requests: len(w.asterisk.Requests()), memory: map[string]int64{}}
	reader, err := journal.OpenReader(w.t.Context(), w.file)
	if err != nil {
		w.t.Fatal(err)
	}
	defer reader.Close()
	for e, err := range reader.Read(w.t.Context(), journal.Query{Newest: true, Limit: 1}) {
		if err != nil {
			w.t.Fatal(err)
		}
		c.entries = int(e.Seq)
	}
	for range 6 { // each halves stacks that have become too large, and the profile is two behind
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	c.memory["stacks"] = int64(stats.StackInuse)
	records := make([]runtime.MemProfileRecord, 1<<16)
	n, ok := runtime.MemProfile(records, false)
	if !ok {
		w.t.Fatalf("%d places have memory, which is more than expected", n)
	}
	for _, r := range records[:n] {
		c.memory[owner(r.Stack())] += r.InUseBytes()
	}
	return c
}

// owner is the package of ours that had memory allocated: the fake Asterisk where it is on the way there at all.
func owner(stack []uintptr) string {
	found := ""
	frames := runtime.CallersFrames(stack)
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		slash := strings.LastIndexByte(frame.Function, '/') + 1
		name, _, _ := strings.Cut(frame.Function[slash:], ".")
		switch pkg := frame.Function[:slash] + name; {
		case pkg == "hotline/ari/aritest":
			return pkg
		case found == "" && strings.HasPrefix(pkg, "hotline/"):
			found = pkg
		}
	}
	return found
}
