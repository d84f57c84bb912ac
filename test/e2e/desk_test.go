package e2e

import (
	"net/netip"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"hotline/configs"
	"hotline/queue"
	"hotline/test/browser"
	"hotline/test/ear"
	"hotline/test/phone"
	"hotline/web"
)

// Tests with browsers have the machine to themselves, before those that run side by side: a browser takes most of a
// processor, and all is judged by the clock.

// person is somebody before a browser of their own.
func (w *world) person(name, voice string) *browser.Browser {
	w.t.Helper()
	return browser.Start(w.t, browser.Options{Name: name, Voice: voices[voice], Voices: voices, Code: w.code})
}

// page opens an agent's page, signed in and past the device check, and signs the agent in for calls.
func (w *world) page(account string) *browser.Tab {
	w.t.Helper()
	return w.sits(w.person("agent "+account, "agent"), account)
}

// sits opens that page in somebody's browser.
func (w *world) sits(b *browser.Browser, account string) *browser.Tab {
	w.t.Helper()
	return w.sitsAt(b, w.Config.Web.Listen, account)
}

// sitsAt opens it where the service's pages are found in their network.
func (w *world) sitsAt(b *browser.Browser, at netip.AddrPort, account string) *browser.Tab {
	w.t.Helper()
	tab := b.Open("http://" + at.String() + "/desk")
	w.atDesk(tab, account)
	tab.ClickText("button", "签入")
	return tab
}

// atDesk brings an agent to the desk, past the device check.
func (w *world) atDesk(tab *browser.Tab, account string) {
	w.t.Helper()
	tab.Type(`input[name=username]`, account)
	tab.Type(`input[name=password]`, "dev-"+account)
	tab.Press(kb.Enter)
	tab.ClickText("button", "以后再试")
}

// talks has an agent at a page take a caller, by the keyboard alone: each hears the other.
func (w *world) talks(tab *browser.Tab, number string) *phone.Call {
	w.t.Helper()
	caller := w.wants(number)
	tab.See(".acts")
	began, pressed := tab.Now(), time.Now()
	tab.Press(kb.F2)
	heard := w.hears(caller, "voice.agent", caller.Since(pressed))
	w.t.Logf("the caller heard the agent %v after F2", heard.At-caller.Since(pressed))
	tab.Hears("voice.caller", began)
	return caller
}

// complains fails the test with what a page has logged as wrong.
func complains(t *testing.T, tab *browser.Tab) {
	t.Helper()
	for _, complaint := range tab.Complaints() {
		t.Errorf("the page complains: %s", complaint)
	}
}

// An agent in a browser takes a caller, puts them on hold for two apologies and takes them back, and the caller's hang-up
// ends it: the recording has each voice on its side.
func TestAnAgentInABrowser(t *testing.T) {
	w := newWorld(t, 3*time.Minute, nil)
	tab := w.page("1001")
	caller := w.talks(tab, "13900000001")
	w.hears(caller, "agent.after", 0)

	held := caller.Since(time.Now())
	tab.Press(kb.F4)
	first := w.hears(caller, "hold.apology", held)
	second := w.hears(caller, "hold.apology", first.End)
	if off := (second.At - first.At - 30*time.Second).Abs(); off > 500*time.Millisecond {
		t.Errorf("the second apology began %v after the first, want 30 s", second.At-first.At)
	}
	back := caller.Since(time.Now())
	tab.Press(kb.F4)
	w.hears(caller, "voice.agent", back)
	tab.Press(kb.F3)
	muted := caller.Since(time.Now()) + 300*time.Millisecond
	select { // in which nobody hears the agent
	case <-time.After(2 * time.Second):
	case <-w.ctx.Done():
	}
	for _, h := range caller.Transcript().Voices() {
		if h.ID == "voice.agent" && h.End > muted+100*time.Millisecond {
			t.Errorf("a muted agent was heard until %v, muted at %v", h.End, muted)
		}
	}
	unmuted := caller.Since(time.Now())
	tab.Press(kb.F3)
	w.hears(caller, "voice.agent", unmuted)
	if err := caller.Hangup(w.ctx); err != nil {
		t.Fatal(err)
	}
	tab.Gone(".acts")
	s := w.summary(mask("13900000001"))
	if s.Recording == nil {
		t.Fatalf("there is no recording: %+v", s)
	}
	recorded, err := ear.DecodeFile(s.Recording.File, ear.DecoderOptions{Code: w.code, Voices: voices})
	if err != nil {
		t.Fatal(err)
	}
	if len(recorded.Left.Of("voice.caller")) == 0 || len(recorded.Right.Of("voice.agent")) == 0 ||
		len(recorded.Left.Of("voice.agent")) > 0 || len(recorded.Right.Of("voice.caller")) > 0 {
		t.Errorf("the recording has left %s, right %s; want the caller's voice left alone, and the agent's right alone", recorded.Left, recorded.Right)
	}
	complains(t, tab)
	w.audits()
}

// A page that is loaded anew in a talk goes on with it; a tab that is killed loses the line, and the caller hears so and
// comes first. Its agent, who has no phone either, counts as ready no longer.
func TestAPageThatComesBackAndOneThatDoesNot(t *testing.T) {
	w := newWorld(t, 3*time.Minute, func(cfg *configs.Config) { cfg.Queues[0].WrapUp.Duration = time.Second })
	tab := w.page("1001")
	c := w.settled(tab, "13900000001")
	caller := c.caller
	before := c.now()
	tab.Reload()
	if pause := c.resumes("a page that was loaded anew", before); pause.caller > 3*time.Second {
		t.Errorf("the caller did not hear the agent for %v while the page was loaded anew, and is to hear the tone for 3 s at most", pause.caller)
	}
	tab.Hears("voice.caller", 0)

	killed := caller.Since(time.Now())
	tab.Close()
	w.hears(caller, "hold.tone", killed)
	lost := w.hears(caller, "talk.line_lost", killed)
	if waited := lost.At - killed; waited < 18*time.Second || waited > 26*time.Second {
		t.Errorf("the caller was told %v after the tab was gone, want after 20 s", waited)
	}
	w.hears(caller, "hold.tone", lost.End)
	w.agentState("1001", queue.StateUnreachable) // with neither phone nor page nobody is offered to them
}

// A customer calls from a page without an account, hears the greeting, and presses a key of the menu.
func TestACallerFromAPage(t *testing.T) {
	w := newWorld(t, 2*time.Minute, func(cfg *configs.Config) { cfg.Web.Visitors = true })
	desk := w.agent("1001", phone.AnswerAfter(0))
	tab := w.person("the visitor", "caller").Open("http://" + w.Config.Web.Listen.String() + "/call")
	tab.ClickText("button", "开始通话")
	tab.Hears("greeting.company", 0)
	tab.Hears("menu.main", 0)
	tab.Press("0")
	call := w.incoming(desk)
	w.hears(call, "voice.caller", 0)
	tab.Hears("voice.agent", 0)
	tab.ClickText("button", "结束通话")
	if _, err := call.WaitEnded(w.ctx); err != nil {
		t.Fatal(err)
	}
	complains(t, tab)
}

// A duty manager opens the page for the first time, on a telephone: asked for the microphone they allow it and sign in, read
// what the agent writes while it rings, which is one look however long it rings, and take the customer over.
func TestADutyManagersFirstVisit(t *testing.T) {
	w := newWorld(t, 2*time.Minute, nil)
	desk := w.agent("1001", phone.AnswerAfter(0))
	manager := browser.Start(t, browser.Options{Name: "the duty manager", Voice: voices["other"], Voices: voices, Code: w.code, Unasked: true, Width: 500, Height: 844})
	tab := manager.Open("http://" + w.Config.Web.Listen.String() + "/manager")
	tab.Type(`input[name=username]`, "9001")
	tab.Type(`input[name=password]`, "dev-9001"+kb.Enter)
	tab.ClickText("button", "允许使用麦克风")
	tab.Gone(".ask")
	tab.ClickText("button", "开始值班")
	w.agentState("9001", queue.StateReady)

	caller := w.wants("13900000021")
	agent := w.incoming(desk)
	w.hears(caller, "voice.agent", 0)
	v := &visit{w, "13900000021", caller.Phone(), caller}
	cookie := w.signsIn("1001")
	asks := func(method, path, body string) {
		w.asks(200, method, path, body, nil, "Authorization", "", "Cookie", cookie)
	}
	asks("POST", "/desk/do", `{"act": "consult", "target": {"kind": "duty"}}`)
	tab.See(".call.ringing")
	rings := time.Now()
	asks("PUT", "/desk/notes/"+w.arrived(mask("13900000021")), `{"topic": "", "fields": {}, "text": "第三次断网"}`)
	tab.Says(".brief", "第三次断网")
	w.passes(time.Until(rings.Add(5 * time.Second))) // in which the page reads them again and again
	tab.ClickText("button", "接听")
	w.hears(agent, "voice.other", 0)
	tab.Hears("voice.agent", 0)
	complete := v.now()
	asks("POST", "/desk/do", `{"act": "complete"}`)
	w.hears(caller, "voice.other", complete)
	tab.Hears("voice.caller", 0)
	v.hangup()
	tab.Gone(".acts")
	looks := 0
	for _, e := range v.entries(web.KindLooked, 1).of(web.KindLooked) {
		if l := decoded[web.Looked](t, e); l.By == "9001" && l.What == "notes" {
			looks++
		}
	}
	if looks != 1 {
		t.Errorf("the journal has %d looks of the manager's at the notes, want 1", looks)
	}
	complains(t, tab)
	w.audits()
}

// The device check has an agent hear what has gone to the service and come back.
func TestTheDeviceCheckGoesThroughTheService(t *testing.T) {
	w := newWorld(t, time.Minute, nil)
	agent := browser.Start(t, browser.Options{Name: "agent 1001", Voice: voices["agent"], Voices: voices, Code: w.code, Unasked: true})
	tab := agent.Open("http://" + w.Config.Web.Listen.String() + "/desk")
	tab.Type(`input[name=username]`, "1001")
	tab.Type(`input[name=password]`, "dev-1001"+kb.Enter)
	tab.ClickText("button", "允许使用麦克风")
	tab.Says(".devices", "与热线的线路：正常")
	tab.ClickText("button", "录 3 秒听听看")
	tab.Hears("voice.agent", 0)
	tab.Says(".devices", "经过热线再传回来")
	tab.ClickText("button", "听得清楚")
	tab.Gone(".devices")
	tab.HearsNot("voice.*", 3*time.Second)
	complains(t, tab)
}
