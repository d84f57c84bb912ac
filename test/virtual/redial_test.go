package virtual

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hotline/ari/aritest"
	"hotline/call"
	"hotline/journal"
	"hotline/queue"
)

// redial lets everybody be dialled again whose line fails, and be known who calls again.
var redial = call.RedialOptions{
	Allowed: func(string) bool { return true }, Trunk: "trunk", From: dialled, Ring: 5 * time.Second, Remember: time.Minute,
}

// outside is the endpoint by which a number is dialled.
func outside(number string) string { return "PJSIP/" + number + "@trunk" }

// reach has the caller answer, or not, should the hotline call back.
func (c *caller) reach() {
	r := c.w.plan.stream("redial", c.n)
	does := one(r, []choice[aritest.Behaviour]{{6, aritest.Answers}, {2, aritest.NoAnswer}, {1, aritest.Busy}, {1, aritest.Unreachable}})
	lasts, fails := seconds(r, 1, 30), r.IntN(4) == 0
	c.w.asterisk.Phone(outside(phoneNumber(c.n)), aritest.Phone{Does: does, After: seconds(r, 0.3, 6), Then: func(ch *aritest.Channel) {
		c.w.logf("caller %d has answered the redial on %s", c.n, ch.ID())
		c.w.wait(ch, lasts)
		if fails {
			ch.LoseLine()
		} else {
			ch.Bye()
		}
	}})
}

// redialBegins is how long after a lost line the hotline may begin to call back, with everything being late.
const redialBegins = 25 * time.Second

// lostLine is what becomes of a caller whose line fails: they are called back, or call again, or both.
func (c *caller) lostLine() {
	w, r := c.w, c.w.plan.stream("lost line", c.n)
	if !c.again && r.IntN(2) == 0 && w.sleep(seconds(r, 0.5, 30)) {
		again := &caller{n: c.n, w: w, r: w.plan.stream("caller again", c.n), again: true}
		w.knows(again)
		again.call()
	}
	for quiet := time.Duration(0); quiet < redialBegins && w.sleep(time.Second); quiet += time.Second {
		if len(w.asterisk.At(outside(phoneNumber(c.n)))) > 0 {
			quiet = 0
		}
	}
}

// endedRedial is a redial in the middle of which the process ends.
type endedRedial struct {
	phone aritest.Phone // of the caller
	hold  bool          // the agent has the caller on hold when the line fails
	kind  ending
}

// A process that ends at any boundary of a redial leaves it to the next one: nobody is dialled twice, nothing goes on
// ringing, and whoever answered talks with the agent again.
func TestEndedInARedial(t *testing.T) {
	makeParts(t, t.TempDir())
	does := aritest.Phone{Does: aritest.Answers, After: 2 * time.Second}
	for name, e := range map[string]endedRedial{
		"who answers":                {phone: does, kind: killed},
		"who answers, to be on hold": {phone: does, hold: true, kind: killed},
		"who answers, a takeover":    {phone: does, kind: relieved},
		"who answers, a stop":        {phone: does, kind: terminated},
		"who does not answer":        {phone: aritest.Phone{Does: aritest.NoAnswer}, kind: killed},
		"who is busy":                {phone: aritest.Phone{Does: aritest.Busy, After: time.Second}, kind: killed},
		"who is not there":           {phone: aritest.Phone{Does: aritest.Unreachable}, kind: killed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nth := int64(1)
			for ; e.at(t, nth) && !t.Failed(); nth++ {
			}
			t.Logf("%d boundaries", nth-1)
			if nth < 20 {
				t.Error("a redial has more boundaries than that: does the process end at all?")
			}
		})
	}
}

// farAway is a boundary that no process comes to.
const farAway = 1 << 40

// at is one run in which the first process ends at its nth boundary after the caller's line has failed; false if it had
// fewer.
func (e endedRedial) at(t *testing.T, nth int64) (fated bool) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plan{agents: 1, ends: []end{{kind: e.kind, nth: farAway}}}, dir, false)
		defer func() {
			if t.Failed() {
				t.Logf("%s at boundary %d after the line failed:\n%s", e.kind, nth, strings.Join(w.log, "\n"))
			}
		}()
		r := &redialRun{world: w, number: phoneNumber(1)}
		w.asterisk.Phone(endpoint("1001"), aritest.Phone{Does: aritest.Answers, After: time.Second})
		phone := e.phone
		phone.Then = r.answered
		w.asterisk.Phone(outside(r.number), phone)

		p := w.next(false)
		ch := r.talks(p)
		if e.hold {
			w.asterisk.At(endpoint("1001"))[0].Hold()
			w.sleep(2 * time.Second)
		}
		p.boundaries.Store(farAway - nth)
		ch.LoseLine()
		lost := time.Now()
		select {
		case <-p.fated:
			fated = true
			w.succeed(p, end{kind: e.kind, outage: 500 * time.Millisecond})
		case <-time.After(30 * time.Second): // before the service's next look at Asterisk
			fated = !p.spare()
		}
		w.sleep(time.Until(lost.Add(time.Minute)))
		w.checkLeftovers()
		w.finish()
		w.checkJournal()
		r.check(e)
	})
	return fated
}

// redialRun is a caller whose line fails in a talk.
type redialRun struct {
	*world
	number string
	rang   atomic.Bool // the caller has answered the redial
	met    atomic.Bool // … and talked with the agent, or was on hold again
}

// answered is the caller at the redial: they talk for a while, and hang up.
func (r *redialRun) answered(ch *aritest.Channel) {
	r.rang.Store(true)
	for began := time.Now(); time.Since(began) < 15*time.Second && r.wait(ch, 100*time.Millisecond); {
		if len(ch.Joined()) == 2 || hasHeard(ch, "hold.tone.") {
			r.met.Store(true)
			r.wait(ch, 5*time.Second)
			break
		}
	}
	ch.Bye()
}

// talks is the caller in a talk with the agent.
func (r *redialRun) talks(p *process) *aritest.Channel {
	for !p.link.Status().Connected && r.sleep(10*time.Millisecond) {
	}
	r.operator("signs in", "1001", func(e *queue.Engine) error { return e.SignIn("1001") })
	ch := r.asterisk.Arrive(aritest.Caller{Number: r.number, Args: []string{"in", dialled}})
	for _, step := range []struct{ heard, keys string }{{"menu.main", "0"}, {"agent.after", ""}} {
		for !hasHeard(ch, step.heard) && r.wait(ch, 100*time.Millisecond) {
		}
		ch.Press(step.keys)
	}
	r.wait(ch, 5*time.Second)
	if len(ch.Joined()) != 2 {
		r.fail("there is no talk; the caller heard %v", lastHeard(ch, 10))
	}
	return ch
}

// hasHeard is asked with a prompt's ID, or with how it begins.
func hasHeard(ch *aritest.Channel, prompt string) bool {
	for _, h := range ch.Heard(0) {
		if strings.HasPrefix(promptOf(h.Medium), prompt) {
			return true
		}
	}
	return false
}

// check is made when everything is over.
func (r *redialRun) check(e endedRedial) {
	made, dialled, leg := 0, 0, ""
	for _, q := range r.asterisk.Requests() {
		switch {
		case q.Route == "/channels/create" && strings.Contains(q.Body, "@trunk"):
			made++
			leg = "-caller-1/dial"
		case leg != "" && strings.HasSuffix(q.Path, leg):
			dialled++
		}
	}
	if made > 1 || dialled > 1 {
		r.fail("the caller was dialled %d times, by %d legs", dialled, made)
	}
	begun, came := r.told(call.KindRedial), r.told(call.KindRedialled)
	switch {
	case begun > 1 || came > begun:
		r.fail("the journal has %d redials, of which %d came to something", begun, came)
	case made > begun:
		r.fail("the caller was dialled without an entry")
	case begun == 1 && came == 0:
		r.fail("the journal does not say what came of the redial")
	}
	if r.rang.Load() && !r.met.Load() {
		r.fail("the caller has answered, and did not talk with anybody")
	}
	if e.phone.Does == aritest.Answers && dialled == 1 && !r.rang.Load() {
		r.fail("the caller was dialled, and would have answered, and could not")
	}
}

// told counts the entries of a kind.
func (w *world) told(kind string) (n int) {
	reader, err := journal.OpenReader(w.t.Context(), w.file)
	if err != nil {
		w.fail("the journal cannot be read: %v", err)
		return 0
	}
	defer reader.Close()
	for _, err := range reader.Read(w.t.Context(), journal.Query{Kinds: []string{kind}}) {
		if err != nil {
			w.fail("the journal cannot be read: %v", err)
		}
		n++
	}
	return n
}

// Who calls again is known by the next process as well, whether the line was lost before it or while nobody was there.
func TestKnownAgainAfterARestart(t *testing.T) {
	makeParts(t, t.TempDir())
	for name, tt := range map[string]struct{ talks, alone bool }{
		"in line":                           {},
		"in a talk":                         {talks: true},
		"in line, while nobody was there":   {alone: true},
		"in a talk, while nobody was there": {talks: true, alone: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, plan{agents: 1, ends: []end{{kind: killed, nth: farAway}}}, dir, false)
				defer func() {
					if t.Failed() {
						t.Log(strings.Join(w.log, "\n"))
					}
				}()
				r := &redialRun{world: w, number: phoneNumber(1)}
				w.asterisk.Phone(endpoint("1001"), aritest.Phone{Does: aritest.Answers, After: time.Second})
				p := w.next(false)
				var ch *aritest.Channel
				word := "return.agent"
				if tt.talks {
					ch = r.talks(p)
				} else {
					word = "return.place"
					ch = r.waits(p)
				}
				if tt.alone {
					p.cut()
				}
				ch.LoseLine()
				w.sleep(10 * time.Second)
				p.cut()
				w.succeed(p, end{kind: killed, outage: time.Second})
				for i, want := range []string{word, "menu.main"} { // once
					again := w.asterisk.Arrive(aritest.Caller{Number: r.number, Args: []string{"in", dialled}})
					for !hasHeard(again, "menu.main") && !hasHeard(again, word) && w.wait(again, 100*time.Millisecond) {
					}
					if !hasHeard(again, want) {
						w.fail("at call %d after the loss the caller heard %v, want %s", i+1, lastHeard(again, 10), want)
					}
					again.Bye()
					w.sleep(15 * time.Second)
				}
				w.sleep(time.Minute)
				w.checkLeftovers()
				w.finish()
				w.checkJournal()
			})
		})
	}
}

// waits is the caller in line.
func (r *redialRun) waits(p *process) *aritest.Channel {
	for !p.link.Status().Connected && r.sleep(10*time.Millisecond) {
	}
	r.operator("signs in", "1001", func(e *queue.Engine) error { return e.SignIn("1001") })
	r.operator("pauses", "1001", func(e *queue.Engine) error { return e.Pause("1001", "break") })
	ch := r.asterisk.Arrive(aritest.Caller{Number: r.number, Args: []string{"in", dialled}})
	for !hasHeard(ch, "menu.main") && r.wait(ch, 100*time.Millisecond) {
	}
	ch.Press("0")
	r.wait(ch, 5*time.Second)
	if !hasHeard(ch, "hold.tone.") {
		r.fail("the caller is not in line, and heard %v", lastHeard(ch, 10))
	}
	return ch
}
