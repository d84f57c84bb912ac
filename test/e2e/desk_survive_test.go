package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"hotline/configs"
	"hotline/journal"
	"hotline/test/browser"
	"hotline/test/ear"
	"hotline/test/phone"
)

// What happens to agents in browsers, and what their callers hear of it. Pauses are measured by what is heard at both ends,
// logged beside what is aimed at, and bounded by what a busy machine keeps.

// conversation is a caller and an agent at a page who hear each other.
type conversation struct {
	*world
	caller *phone.Call
	tab    *browser.Tab
}

// settled is a talk in which everything has been said that a talk begins with.
func (w *world) settled(tab *browser.Tab, number string) *conversation {
	w.t.Helper()
	c := &conversation{w, w.talks(tab, number), tab}
	w.hears(c.caller, "agent.after", 0)
	return c
}

// soon waits until the caller hears something, and gives up in time to say what page, lines and call are.
func (c *conversation) soon(pattern string, from time.Duration) ear.Heard {
	c.t.Helper()
	ctx, cancel := context.WithTimeoutCause(c.ctx, 30*time.Second, errors.New("30 s are over"))
	defer cancel()
	heard, err := c.caller.WaitHeard(ctx, pattern, from)
	if err != nil {
		c.explain()
		c.t.Fatalf("the caller never heard %s after %v: %v\nheard: %s", pattern, from, err, c.caller.Transcript())
	}
	return heard
}

func (c *conversation) explain() {
	c.t.Helper()
	_, figures, err := c.Get(c.ctx, "/metrics")
	lines := slices.DeleteFunc(strings.Split(figures, "\n"), func(line string) bool { return !strings.HasPrefix(line, "hotline_softphone") })
	c.t.Logf("the softphone's figures (%v):\n%s", err, strings.Join(lines, "\n"))
	entries := c.read(journal.Query{})
	for _, e := range entries {
		c.t.Logf("%s %s %s", e.At.Format("15:04:05.000"), e.Kind, e.Data)
	}
	c.t.Logf("the page heard %s and says: %s", c.tab.Heard(), c.tab.Text("body"))
}

// moment is one by both clocks: the caller's and the page's.
type moment struct{ caller, page time.Duration }

func (c *conversation) now() moment {
	c.t.Helper()
	page := c.tab.Now()
	return moment{c.caller.Since(time.Now()), page}
}

// interruption is how long two did not hear each other.
type interruption struct {
	silent time.Duration // until the caller had the tone
	caller time.Duration // did not hear the agent
	agent  time.Duration // did not hear the caller
}

// resumes waits until both hear each other again after a moment, and measures for how long they did not. Without toned
// the caller need not hear the tone: what is short enough is let pass.
func (c *conversation) resumes(what string, since moment, toned bool) (i interruption) {
	c.t.Helper()
	from := since.caller
	var tone ear.Heard
	if toned {
		tone = c.soon(ear.HoldTone, from)
		from = tone.At
	}
	back := c.soon("voice.agent", from)
	before := lastBefore(c.caller.Transcript(), "voice.agent", back.At)
	if i.caller = back.At - before; toned {
		i.silent = tone.At - before
	}
	c.await("the agent hears the caller again", func() bool {
		heard := c.tab.Heard()
		at := slices.IndexFunc(heard, func(h ear.Heard) bool { return h.ID == "voice.caller" && h.At > since.page })
		if at < 0 {
			return false
		}
		if begin := lastBefore(heard, "voice.caller", heard[at].At); begin > 0 {
			i.agent = heard[at].At - begin
		}
		return true
	})
	c.t.Logf("%s: the caller did not hear the agent for %v, and had the tone after %v; the agent did not hear the caller for %v",
		what, i.caller.Round(time.Millisecond), i.silent.Round(time.Millisecond), i.agent.Round(time.Millisecond))
	return i
}

// lastBefore is when a voice was heard last before it began at a time; 0: never.
func lastBefore(heard ear.Transcript, id string, at time.Duration) (end time.Duration) {
	for _, h := range heard.Of(id) {
		if h.At < at {
			end = max(end, h.End)
		}
	}
	return end
}

// within fails the test when a pause is longer than a busy machine explains.
func within(t *testing.T, what string, pause, aim, bound time.Duration, causes string) {
	t.Helper()
	if pause > bound {
		t.Errorf("%s took %v, want %v at most, and %v on a machine with nothing else to do\nLikely causes: %s, or a machine that is very busy", what, pause, bound, aim, causes)
	}
}

// The service is killed in the middle of a talk, and then relieved by another process: each time the page comes back by
// itself and the talk goes on, and the caller hears the tone meanwhile. The port of the sound is one that a firewall
// could know.
func TestATalkOutlivesItsService(t *testing.T) {
	w := newWorld(t, 75*time.Second, func(cfg *configs.Config) {
		cfg.Web.Media = netip.AddrPortFrom(cfg.Web.Listen.Addr(), cfg.Web.Listen.Port()+2)
	})
	c := w.settled(w.page("1001"), "13900000001")

	clock := w.clock()
	killed := c.now()
	if err := w.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := w.Serve(w.ctx, clock); err != nil {
		t.Fatal(err)
	}
	ready := c.caller.Since(time.Now()) - killed.caller
	pause := c.resumes("a service that was killed", killed, true)
	t.Logf("the service was ready %v after it was killed", ready.Round(time.Millisecond))
	const causes = "a page that waits before it comes again, a port that is not free, a hold that is not undone"
	within(t, "a talk's coming back after a kill", pause.caller, 2*time.Second, 8*time.Second, causes)
	within(t, "the tone's beginning after a kill", pause.silent, 1500*time.Millisecond, 6*time.Second, "a service that does not hold a talk whose browser is away")

	next, began := w.successor()
	taken := moment{c.caller.Since(began), c.tab.Now()}
	w.relieved()
	if err := next.WaitReady(w.ctx); err != nil {
		t.Fatal(err)
	}
	c.world = next
	pause = c.resumes("a service that was relieved", taken, true)
	within(t, "a talk's coming back after a takeover", pause.caller, time.Second, 5*time.Second, causes)
	within(t, "the tone's beginning in a takeover", pause.silent, 500*time.Millisecond, 4*time.Second, "a service that does not hold a talk whose browser is away")

	held := c.now()
	c.tab.Press(kb.F4) // the page's acts are the new service's
	next.hears(c.caller, ear.HoldTone, held.caller)
	taken = c.now()
	c.tab.Press(kb.F4)
	next.hears(c.caller, "voice.agent", taken.caller)
	hangUp(next, c.caller)
	c.tab.Gone(".acts")
	if n := next.logged("level=ERROR"); n > 0 {
		t.Errorf("the service that took over has logged %d errors", n)
	}
}

// From the click on "answer" until each hears the other, over five calls: aimed at are 200 ms.
func TestHowSoonAnAnswerIsHeard(t *testing.T) {
	w := newWorld(t, 100*time.Second, func(cfg *configs.Config) { cfg.Queues[0].WrapUp.Duration = time.Second })
	tab := w.page("1001")
	tab.Acts()
	const aim, bound = 200 * time.Millisecond, time.Second
	var callers, agents []time.Duration
	for n := range 5 {
		caller := w.wants(fmt.Sprintf("1390000000%d", n+1))
		tab.See(".acts")
		answered := tab.Now()
		if n%2 == 0 {
			tab.ClickText("button", "接听")
		} else {
			tab.Press(kb.F2)
		}
		heard := w.hears(caller, "voice.agent", 0)
		page, machine := tab.Acted()
		if page < answered {
			t.Fatalf("the page has seen no answer: %v, want after %v", page, answered)
		}
		hears := tab.Hears("voice.caller", page)
		callers, agents = append(callers, heard.At-caller.Since(machine)), append(agents, hears.At-page)
		hangUp(w, caller)
		tab.Gone(".acts")
	}
	t.Logf("from the answer the caller heard the agent after %v, the agent the caller after %v: aim %v", callers, agents, aim)
	for _, took := range slices.Concat(callers, agents) {
		within(t, "an answer", took, aim, bound, "a leg that is answered before its port is plugged in, a tone that is stopped late, a journal on a slow disk")
	}
	if least := slices.Min(slices.Concat(callers, agents)); least <= 0 {
		t.Errorf("somebody was heard %v before the answer: the clocks are wrong, or the line was open", -least)
	}
	if s := strings.Join(tab.Complaints(), "\n"); s != "" {
		t.Errorf("the page complains: %s", s)
	}
}
