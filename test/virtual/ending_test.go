package virtual

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hotline/ari/aritest"
	"hotline/call"
	"hotline/journal"
	"hotline/queue"
)

// How calls end whose callers Asterisk does not let go of, or whom it does not let us speak to.

// inWorld runs a scenario in a world of its own, and tells its log where it fails.
func inWorld(t *testing.T, e end, live func(w *world)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plan{agents: 1, ends: []end{e}}, dir, false)
		defer func() {
			if t.Failed() {
				t.Log(strings.Join(w.log, "\n"))
			}
		}()
		live(w)
	})
}

// arrives is a caller of a service that is there.
func (w *world) arrives(p *process) *aritest.Channel {
	for !p.link.Status().Connected && w.sleep(10*time.Millisecond) {
	}
	return w.asterisk.Arrive(aritest.Caller{Number: phoneNumber(1), Args: []string{"in", dialled}})
}

// hears waits, for a minute at most, until the caller has heard a prompt.
func (w *world) hears(ch *aritest.Channel, prompt string) {
	for began := time.Now(); time.Since(began) < time.Minute && !hasHeard(ch, prompt) && w.wait(ch, 100*time.Millisecond); {
	}
}

// A caller whom Asterisk did not let us hang up is hung up when it does, by the next look or the next process, and is
// no new caller: nobody is greeted after the farewell.
func TestWhoCouldNotBeHungUpIsNoNewCaller(t *testing.T) {
	makeParts(t, t.TempDir())
	for name, restarts := range map[string]bool{"by the next look": false, "by the next process": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, end{kind: killed, nth: farAway}, func(w *world) {
				p := w.next(false)
				ch := w.arrives(p) // nobody is signed in: the caller is turned away
				w.hears(ch, "menu.main")
				w.asterisk.Fail("DELETE", "/channels/{id}", 500, 26) // for longer than a call tries
				ch.Press("0")
				for w.told(call.KindEnded) == 0 && w.wait(ch, 100*time.Millisecond) {
				}
				if restarts {
					p.cut()
					w.succeed(p, end{kind: killed, outage: time.Second})
				}
				w.wait(ch, time.Minute)
				if !ch.Commanded() {
					w.fail("the caller is left in Asterisk")
				}
				if n := w.told(call.KindArrived); n != 1 {
					w.fail("the caller has arrived %d times", n)
				}
				if w.told(call.KindServiceLeft) == 0 {
					w.fail("the journal does not say that the caller was left in Asterisk")
				}
				w.sleep(time.Minute)
				w.checkLeftovers()
				w.finish()
				w.checkJournal()
			})
		})
	}
}

// A caller whom Asterisk does not let us speak to goes to the dialplan's net, and is a new caller when it brings them
// back, wherever a process ends meanwhile: nobody is hung up on without a word, and nobody is forgotten.
func TestWhoIsLeftToTheNetIsServedAnew(t *testing.T) {
	makeParts(t, t.TempDir())
	for _, kind := range []ending{killed, relieved, terminated} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			nth := int64(1)
			for ; leftToTheNet(t, kind, nth) && !t.Failed(); nth++ {
			}
			t.Logf("%d boundaries", nth-1)
			if nth < 20 {
				t.Error("a caller who is left to the net has more boundaries than that: does the process end at all?")
			}
		})
	}
}

// leftToTheNet is one run in which the first process ends at its nth boundary after the caller has arrived; false if it
// had fewer.
func leftToTheNet(t *testing.T, kind ending, nth int64) (fated bool) {
	inWorld(t, end{kind: kind, nth: farAway}, func(w *world) {
		w.asterisk.Fail("POST", "/channels/{id}/play", 500, 4) // the greeting and the apology
		p := w.next(false)
		ch := w.arrives(p)
		p.boundaries.Store(farAway - nth)
		arrived := time.Now()
		select {
		case <-p.fated:
			fated = true
			w.succeed(p, end{kind: kind, outage: 500 * time.Millisecond})
		case <-time.After(15 * time.Second):
			fated = !p.spare()
		}
		w.hears(ch, "menu.main")
		if sorry := fated && hasHeard(ch, "error.sorry") && hasHeard(ch, "closing."); !sorry && !hasHeard(ch, "menu.main") {
			w.fail("the caller has not come to the menu in a minute, nor heard an apology; hung up on: %v; heard %v", ch.Commanded(), lastHeard(ch, 10))
		}
		if took := time.Since(arrived); took > 25*time.Second {
			w.fail("the caller has come to the menu after %v", took)
		}
		ch.Bye()
		w.sleep(time.Minute)
		w.checkLeftovers()
		w.finish()
		w.checkJournal()
	})
	return fated
}

// A talk that the journal does not know goes on in peace; whoever of it is left alone is a new caller.
func TestATalkThatNoJournalKnows(t *testing.T) {
	makeParts(t, t.TempDir())
	inWorld(t, end{kind: killed, nth: farAway}, func(w *world) {
		r := &redialRun{world: w, number: phoneNumber(1)}
		w.asterisk.Phone(endpoint("1001"), aritest.Phone{Does: aritest.Answers, After: time.Second})
		p := w.next(false)
		ch := r.talks(p)
		p.cut()
		w.file = filepath.Join(w.dir, "another.db")
		w.succeed(p, end{kind: killed, outage: time.Second})
		w.sleep(2 * time.Minute) // and several looks
		if len(ch.Joined()) != 2 {
			w.fail("the talk was ended; the caller is with %v", ch.Joined())
		}
		if n := w.told(call.KindArrived); n != 0 {
			w.fail("the talk has become %d calls", n)
		}
		w.asterisk.At(endpoint("1001"))[0].Bye()
		for began := time.Now(); w.told(call.KindArrived) == 0 && time.Since(began) < time.Minute && w.sleep(time.Second); {
		}
		w.sleep(10 * time.Second)
		if n := w.told(call.KindArrived); n != 1 || len(ch.Joined()) > 0 || w.asterisk.Bridges() > 0 {
			w.fail("the caller is left with %v in one of %d bridges, in %d calls", ch.Joined(), w.asterisk.Bridges(), n)
		}
		ch.Bye()
		w.sleep(time.Minute)
		w.checkLeftovers()
		w.finish()
		w.checkJournal()
	})
}

// A call whose caller is in the net when a process starts is not forgotten: the journal says so, and the call goes on
// when the net brings the caller back, also to a service that takes no new callers.
func TestACallInTheNetIsTakenUpLater(t *testing.T) {
	makeParts(t, t.TempDir())
	inWorld(t, end{kind: killed, nth: farAway}, func(w *world) {
		w.asterisk.Net(25 * time.Second)
		p := w.next(false)
		w.asterisk.Dialplan("hotline-record", "", func(c *aritest.Channel) { // where the process ends
			w.record(c)
			for p.cut(); w.asterisk.Connected(); time.Sleep(time.Millisecond) {
			}
		})
		ch := w.arrives(p)
		for !ch.InNet() && w.wait(ch, 100*time.Millisecond) {
		}
		p = w.succeed(p, end{kind: killed, outage: time.Second})
		w.operator("signs in", "1001", func(e *queue.Engine) error { return e.SignIn("1001") })
		w.sleep(15 * time.Second)
		if n := w.told(call.KindResumed); n != 1 || !ch.InNet() {
			w.fail("the call is taken up %d times by now, its caller in the net: %v", n, ch.InNet())
		}
		reader, err := journal.OpenReader(w.t.Context(), w.file)
		if err != nil {
			w.t.Fatal(err)
		}
		defer reader.Close()
		w.audit(w.t.Context(), reader)
		w.work.Go(func() { _ = p.calls.Drain(w.ctx) })
		w.hears(ch, "menu.main")
		if n := w.told(call.KindArrived); n != 1 || !hasHeard(ch, "menu.main") {
			w.fail("the caller came back into the call number %d, and has heard %v", n, lastHeard(ch, 10))
		}
		ch.Bye()
		w.sleep(time.Minute)
		w.checkLeftovers()
		w.finish()
		w.checkJournal()
	})
}
