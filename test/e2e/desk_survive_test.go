package e2e

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"hotline/configs"
	"hotline/journal"
	"hotline/queue"
	"hotline/test/browser"
	"hotline/test/ear"
	"hotline/test/faults"
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

// elsewhere is the talk at another tab of the agent's.
func (c *conversation) elsewhere(tab *browser.Tab) *conversation {
	return &conversation{c.world, c.caller, tab}
}

// soon waits until something is so, and gives up in time to say what page, lines and call are.
func (c *conversation) soon(what string, is func() bool) {
	c.t.Helper()
	tick, late := time.NewTicker(50*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-late:
			c.explain()
			c.t.Fatalf("not so within 30 s: %s\nthe caller heard: %s", what, c.caller.Transcript())
		case <-c.ctx.Done():
			c.explain()
			c.t.Fatalf("never came true: %s: %v\nthe caller heard: %s", what, context.Cause(c.ctx), c.caller.Transcript())
		}
	}
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
	silent time.Duration // until the caller had the tone; 0: they have not heard it, so short was it
	caller time.Duration // did not hear the agent
	agent  time.Duration // did not hear the caller
}

// resumes waits until the two have been parted since a moment, and both hear each other again, and measures for how long
// they did not.
func (c *conversation) resumes(what string, since moment) (i interruption) {
	c.t.Helper()
	var back ear.Heard
	parted := since.caller
	c.soon("the caller has the tone, or hears the agent anew", func() bool {
		heard := c.caller.Transcript()
		if tones := heard.Of(ear.HoldTone).Between(since.caller, math.MaxInt64); len(tones) > 0 {
			parted = tones[0].At
			i.silent = parted - lastBefore(heard, "voice.agent", parted)
			return true
		}
		return len(heard.Of("voice.agent").Between(since.caller, math.MaxInt64)) > 0
	})
	c.soon("the caller hears the agent again", func() (is bool) {
		back, i.caller, is = again(c.caller.Transcript(), "voice.agent", since.caller, parted)
		return is
	})
	c.soon("the agent hears the caller again", func() (is bool) {
		_, i.agent, is = again(c.tab.Heard(), "voice.caller", since.page, since.page+max(0, back.At-since.caller))
		return is
	})
	c.t.Logf("%s: the caller did not hear the agent for %v, and had the tone after %v; the agent did not hear the caller for %v",
		what, i.caller.Round(time.Millisecond), i.silent.Round(time.Millisecond), i.agent.Round(time.Millisecond))
	return i
}

// unnoticed is how short a pause the ear takes for lost packets: what sounded before goes on.
const unnoticed = 100 * time.Millisecond

// again is a voice that is heard after a moment, and for how long it was not heard before: since something happened.
func again(heard ear.Transcript, id string, since, after time.Duration) (h ear.Heard, away time.Duration, is bool) {
	var before time.Duration
	for _, h := range heard.Of(id) {
		switch {
		case h.At < after && h.End < after+2*unnoticed: // over, or what was under way still
			before = h.End
		case h.At < since:
			return h, unnoticed, true
		case before == 0:
			return h, 0, true
		default:
			return h, h.At - before, true
		}
	}
	return h, 0, false
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
func within(t testing.TB, what string, pause, aim, bound time.Duration, causes string) {
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
	pause := c.resumes("a service that was killed", killed)
	t.Logf("the service was ready %v after it was killed", ready.Round(time.Millisecond))
	const causes = "a page that waits before it comes again, a port that is not free, a hold that is not undone"
	within(t, "a talk's coming back after a kill", pause.caller, 2*time.Second, 8*time.Second, causes)
	within(t, "the tone's beginning after a kill", pause.silent, 1500*time.Millisecond, 6*time.Second, "a service that does not hold a talk whose browser is away")

	next, _ := w.successor()
	w.relieved()
	taken := c.now() // from when on the browser's sound has nowhere to go
	if err := next.WaitReady(w.ctx); err != nil {
		t.Fatal(err)
	}
	c.world = next
	pause = c.resumes("a service that was relieved", taken)
	within(t, "a talk's coming back after a takeover", pause.caller, time.Second, 5*time.Second, causes)
	within(t, "the tone's beginning in a takeover", pause.silent, 500*time.Millisecond, 4*time.Second, "a service that does not hold a talk whose browser is away")

	next.await("the page is with the new service", func() bool { return next.metric(newConnections) > 0 })
	next.passes(2 * time.Second) // tones that are closer than a second the ear takes for one
	does(c.tab, "保持")
	held := c.now()
	c.tab.Press(kb.F4) // the page's acts are the new service's
	next.hears(c.caller, ear.HoldTone, held.caller)
	next.passes(time.Second) // a pause that is too short for the ear is none
	does(c.tab, "取回")
	taken = c.now()
	c.tab.Press(kb.F4)
	next.hears(c.caller, "voice.agent", taken.caller)
	hangUp(next, c.caller)
	c.tab.Gone(".acts")
	if n := next.logged("level=ERROR"); n > 0 {
		t.Errorf("the service that took over has logged %d errors", n)
	}
}

// does waits until a key of the page does this, and what was asked for before is done.
func does(tab *browser.Tab, act string) {
	tab.Until(fmt.Sprintf(`(keys => keys.every(b => b.getAttribute("aria-busy") !== "true") &&
		keys.some(b => b.innerText.includes(%q) && b.getAttribute("aria-disabled") !== "true"))([...document.querySelectorAll(".acts button")])`, act))
}

// newConnections counts the lines that pages have begun anew at a service.
const newConnections = `hotline_softphone_offers_total{result="connection"}`

// takesOver waits until the talk is at this tab, and no longer at the one where it was, and measures what the caller has
// missed since.
func (c *conversation) takesOver(what string, from *conversation, since time.Duration) {
	c.t.Helper()
	const taken = "工作台已在另一个窗口打开"
	from.tab.Says("body", taken)
	c.tab.Until(fmt.Sprintf(`!document.body.innerText.includes(%q) && document.querySelector(".acts")`, taken))
	c.tab.Hears("voice.caller", c.tab.Now())
	c.passes(2 * time.Second)
	now, left := c.now(), from.tab.Now()
	c.soon("the caller hears the agent at the other tab", func() bool {
		_, _, is := again(c.caller.Transcript(), "voice.agent", since, now.caller)
		return is
	})
	c.tab.Hears("voice.caller", now.page)
	if hasHeard(from.tab, "voice.caller", left-time.Second, left) {
		c.t.Errorf("%s: the tab that has lost the desk goes on with the talk: %s", what, from.tab.Heard())
	}
	pause, tone := missed(c.caller.Transcript(), since, now.caller)
	c.t.Logf("%s: the caller did not hear the agent for %v, and had the tone for %v", what, pause, tone)
	within(c.t, what, pause, time.Second, 3*time.Second, "a line that is given up before there is another, a hold that is not undone")
}

// missed is for how long at most a caller did not hear the agent between two moments, and had the tone; less than the ear
// tells is nothing.
func missed(heard ear.Transcript, from, to time.Duration) (pause, tone time.Duration) {
	for _, s := range heard.Of("voice.agent").Silences(from, to, unnoticed) {
		pause = max(pause, s.Duration())
	}
	for _, h := range heard.Of(ear.HoldTone) {
		tone += max(0, min(h.End, to)-max(h.At, from))
	}
	return pause, tone
}

// The agent opens the desk in another tab in the middle of a talk: that tab has it from then on, the first says so, and can
// have it back. Whichever has it, the other can be closed, and a hold is not over because the tab is another.
func TestADeskInASecondTab(t *testing.T) {
	w := newWorld(t, 2*time.Minute, nil)
	desk := "http://" + w.Config.Web.Listen.String() + "/desk"
	first := w.settled(w.page("1001"), "13900000001")

	opened := first.now().caller
	second := first.elsewhere(first.tab.Open(desk))
	second.takesOver("a second tab", first, opened)

	back := first.now().caller
	first.tab.ClickText("button", "在这里工作")
	first.takesOver("the first tab again", second, back)

	closed := first.now().caller
	complains(t, second.tab)
	second.tab.Close()
	w.passes(2 * time.Second)
	pause, tone := missed(first.caller.Transcript(), closed, first.now().caller)
	t.Logf("a tab that had the desk no longer was closed: the caller did not hear the agent for %v", pause)
	if tone > 0 || pause > time.Second {
		t.Errorf("a tab that had the desk no longer was closed: the caller did not hear the agent for %v, and had the tone for %v", pause, tone)
	}

	held := first.now().caller
	first.tab.Press(kb.F4)
	w.hears(first.caller, ear.HoldTone, held)
	third := first.elsewhere(first.tab.Open(desk))
	first.tab.Says("body", "工作台已在另一个窗口打开")
	does(third.tab, "取回")
	w.passes(2 * time.Second)
	resumed := third.now().caller
	if last := lastBefore(third.caller.Transcript(), "voice.agent", resumed); last > held+time.Second {
		t.Errorf("the caller heard the agent until %v, though on hold since %v", last, held)
	}
	third.tab.Press(kb.F4)
	w.hears(third.caller, "voice.agent", resumed)
	third.tab.Hears("voice.caller", third.tab.Now())
	hangUp(w, third.caller)
	third.tab.Gone(".acts")
	complains(t, first.tab)
	complains(t, third.tab)
	w.audits()
}

// newNetworkedWorld is a world with a network between the service and the pages that are opened at it, which
// can be cut or left for another.
func newNetworkedWorld(t *testing.T) (*world, *faults.Network) {
	outside := netip.MustParseAddr("127.0.0.3")
	w := newWorld(t, 2*time.Minute, func(cfg *configs.Config) {
		cfg.Web.Media = netip.AddrPortFrom(cfg.Web.Listen.Addr(), cfg.Web.Listen.Port()+2)
		cfg.Web.MediaNAT = []configs.Address{{Addr: outside}}
	})
	network, err := faults.NewNetwork(outside, w.Config.Web.Listen, w.Config.Web.Media)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(network.Close)
	return w, network
}

// The agent's laptop loses its network in the middle of a talk, and they go on at another machine. When the laptop has its network
// again it says that the desk is in use elsewhere, and takes nothing back: the caller goes on hearing the agent at the
// other machine. Nobody has told the laptop so before, as what it had open goes nowhere.
func TestADeskThatComesBackAfterAnother(t *testing.T) {
	w, network := newNetworkedWorld(t)
	agent := func(name string) *browser.Browser {
		return browser.Start(t, browser.Options{Name: name, Voice: voices["agent"], Voices: voices, Code: w.code, Named: true})
	}
	other := agent("agent 1001 at another machine").Open("http://" + w.Config.Web.Listen.String() + "/desk") // around the network
	w.atDesk(other, "1001")
	laptop := w.settled(w.sitsAt(agent("agent 1001 at a laptop"), network.Web(), "1001"), "13900000001")
	const elsewhere = "工作台已在另一个窗口打开"
	other.Says("body", elsewhere)

	mend := network.CutPages()
	network.Leave() // what is open
	desk := laptop.elsewhere(other)
	took := desk.now()
	other.ClickText("button", "在这里工作")
	other.See(".acts")
	other.Hears("voice.caller", took.page)
	w.hears(laptop.caller, "voice.agent", took.caller)
	if strings.Contains(laptop.tab.Text("body"), elsewhere) {
		t.Error("the laptop knows that the desk is in use elsewhere: its network is not cut")
	}

	w.passes(6 * time.Second) // the laptop has given its socket up by then
	mended := desk.now()
	mend()
	laptop.tab.Says("body", elsewhere)
	told := desk.now()
	w.passes(5 * time.Second) // in which it could try again
	end, left := desk.now(), laptop.tab.Now()
	pause, tone := missed(desk.caller.Transcript(), mended.caller, end.caller)
	t.Logf("the laptop said that the desk is in use elsewhere %v after its network was back; the caller did not hear the agent for %v from then on",
		(told.caller - mended.caller).Round(time.Millisecond), pause)
	if tone > 0 || pause > time.Second {
		t.Errorf("when the laptop had its network again the caller did not hear the agent for %v, and had the tone for %v\nLikely causes: a page that comes back by itself and takes the desk", pause, tone)
	}
	if !hasHeard(other, "voice.caller", end.page-time.Second, end.page) || hasHeard(laptop.tab, "voice.caller", left-time.Second, left) {
		t.Errorf("the talk is not at the other machine alone: there was heard %s, at the laptop %s", other.Heard(), laptop.tab.Heard())
	}
	if strings.Contains(other.Text("body"), elsewhere) {
		t.Error("the laptop has taken the desk from the machine where its agent works")
	}
	other.Press(kb.F4) // and the desk is its own
	w.hears(desk.caller, ear.HoldTone, end.caller)
	hangUp(w, desk.caller)
	other.Gone(".acts")
	w.audits()
}

// The agent's network is away for 5 s, and then is another one, where nothing works any more that was open: the caller
// hears the tone and keeps the agent, ICE begins anew, and what the agent asks for arrives, though nobody has told the page
// that its socket is dead.
func TestATalkOutlivesItsNetwork(t *testing.T) {
	w, network := newNetworkedWorld(t)
	agent := browser.Start(t, browser.Options{Name: "agent 1001", Voice: voices["agent"], Voices: voices, Code: w.code, Named: true})
	c := w.settled(w.sitsAt(agent, network.Web(), "1001"), "13900000001")

	const away = 5 * time.Second
	cut := c.now()
	mend := network.Cut()
	w.passes(away)
	mended := c.caller.Since(time.Now())
	mend()
	pause := c.resumes("a network that was away for 5 s", cut)
	t.Logf("the talk went on %v after the network was back", (cut.caller + pause.caller - mended).Round(time.Millisecond))
	const causes = "a connection that is given up too soon, an ICE restart that waits, a hold that is not undone"
	within(t, "the talk's coming back after a cut", pause.caller, away+time.Second, away+5*time.Second, causes)
	toned(t, "a cut", pause)
	w.agentState("1001", queue.StateTalking)

	const restarts = "hotline_softphone_ice_restarts_total"
	restarted, connected := w.metric(restarts), w.metric(newConnections)
	left := c.now()
	network.Leave()
	pause = c.resumes("another network", left)
	within(t, "the talk's coming back over another network", pause.caller, 10*time.Second, 18*time.Second, causes)
	toned(t, "another network", pause)
	begun, anew := w.metric(restarts)-restarted, w.metric(newConnections)-connected
	t.Logf("over another network there were %v ICE restarts, and %v new connections", begun, anew)
	if begun == 0 || anew > 0 {
		t.Errorf("the talk came back by %v ICE restarts and %v new connections, want restarts alone\nLikely causes: signalling that comes back later than the page waits for an answer (8 s), or a network that was not left", begun, anew)
	}

	w.passes(2 * time.Second) // tones that are closer than a second the ear takes for one
	held := c.now()
	c.tab.Press(kb.F4)
	tone := w.hears(c.caller, ear.HoldTone, held.caller)
	t.Logf("an act over another network was done after %v", (tone.At - held.caller).Round(time.Millisecond))
	within(t, "an act over another network", tone.At-held.caller, time.Second, 5*time.Second, "a page that does not notice that its socket is dead")
	w.passes(time.Second) // a pause that is too short for the ear is none
	back := c.now()
	c.tab.Press(kb.F4)
	w.hears(c.caller, "voice.agent", back.caller)
	hangUp(w, c.caller)
	c.tab.Gone(".acts")
	for _, h := range c.caller.Transcript().Of("talk.line_lost") {
		t.Errorf("the caller was told at %v that the line was lost", h.At)
	}
	w.audits()
}

// toned fails the test when a caller has not had the tone soon after the agent was not heard any more.
func toned(t *testing.T, what string, i interruption) {
	t.Helper()
	if i.silent == 0 {
		t.Errorf("%s: the caller has not had the tone", what)
	}
	within(t, "the tone's beginning after "+what, i.silent, 1300*time.Millisecond, 3*time.Second, "a line whose silence nobody notices")
}

// Nobody could hear an agent whose browser does not let the page use the microphone: the page says so, and no call is
// offered to them, whoever makes them available.
func TestAnAgentWithoutAMicrophone(t *testing.T) {
	w := newWorld(t, time.Minute, nil)
	tab := browser.Start(t, browser.Options{Name: "agent 1001", NoMicrophone: true}).Open("http://" + w.Config.Web.Listen.String() + "/desk")
	w.atDesk(tab, "1001")
	tab.Says("body", "浏览器不允许使用麦克风，您暂时不能接话。")
	tab.Says("body", "没有麦克风，暂不能签入")
	tab.Until(`[...document.querySelectorAll("button")].some((b) => b.innerText.includes("签入") && (b.disabled || b.getAttribute("aria-disabled") === "true"))`)

	w.must("agent", "sign-in", "1001") // by somebody else
	tab.Reload()
	tab.Says(".me", "麦克风未获允许")
	w.agentState("1001", queue.StatePaused)
	caller := w.waits("13900000001")
	w.hears(caller, ear.HoldTone, 0)
	w.passes(3 * time.Second)
	for _, e := range w.read(journal.Query{Kinds: []string{"queue.offered"}}) {
		t.Errorf("a call was offered to an agent without a microphone: %s", e.Data)
	}
	if tab.Text(".call.ringing") != "" {
		t.Errorf("a call rings at the page of an agent without a microphone: %s", tab.Text("body"))
	}
	hangUp(w, caller)
	complains(t, tab)
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
	for _, each := range [][]time.Duration{callers, agents} {
		if half := slices.Sorted(slices.Values(each))[len(each)/2]; half > aim {
			t.Errorf("half of the answers took longer than %v until they were heard: %v", aim, each)
		}
	}
	if least := slices.Min(slices.Concat(callers, agents)); least <= 0 {
		t.Errorf("somebody was heard %v before the answer: the clocks are wrong, or the line was open", -least)
	}
	if s := strings.Join(tab.Complaints(), "\n"); s != "" {
		t.Errorf("the page complains: %s", s)
	}
}
