package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"hotline/call"
	"hotline/configs"
	"hotline/queue"
	"hotline/test/browser"
	"hotline/test/ear"
	"hotline/test/phone"
	"hotline/test/stand"
	"hotline/web"
)

// What agents do at a page with the call they have, by clicks and by keys (B4, B5, C3): who then hears whom, and what the
// customer hears meanwhile. Nobody's page shows what is not so.

// hearsAll waits until a page and phones hear these after a moment.
func hearsAll(w *world, since time.Time, tab *browser.Tab, heardByPage []string, phones map[*phone.Call][]string) {
	w.t.Helper()
	from := tab.Now() - time.Since(since)
	for _, voice := range heardByPage {
		tab.Hears(voice, from)
	}
	for c, voices := range phones {
		for _, voice := range voices {
			w.goesOn(c, voice, c.Since(since))
		}
	}
}

// goesOn waits until a phone hears something after a moment, since whenever it has.
func (w *world) goesOn(c *phone.Call, id string, from time.Duration) {
	w.t.Helper()
	w.until(c.Phone().Name()+" does not hear "+id+" any more", func() bool {
		return slices.ContainsFunc(c.Transcript().Of(id), func(h ear.Heard) bool { return h.End > from })
	})
}

// hasHeard says whether a page has heard something in a time.
func hasHeard(tab *browser.Tab, id string, from, to time.Duration) bool {
	tab.Heard()
	return slices.ContainsFunc(tab.Heard().Of(id), func(h ear.Heard) bool { return h.At < to && h.End > from })
}

// An agent asks a colleague while the customer hears the tone, calls the colleague in, and leaves the two to each other.
func TestConsultingAtAPage(t *testing.T) {
	w := newWorld(t, 2*time.Minute, nil)
	tab := w.page("1001")
	colleague := w.other("1002", phone.AnswerAfter(2*time.Second))
	caller := w.talks(tab, "13900000011")
	v := &visit{w, "13900000011", caller.Phone(), caller}

	asked := time.Now()
	tab.ClickText("button", "咨询")
	tab.ClickText("li", "客服790")
	held := w.hears(caller, ear.HoldTone, caller.Since(asked)).At
	tab.Says(".other", "正在呼叫 客服790")
	third := w.answered(colleague)
	w.hears(third, "voice.agent", 0)
	tab.Says(".other", "正在与 客服790 通话")
	apart := tab.Now()
	tab.Hears("voice.other", apart)
	w.passes(2 * time.Second)
	if hasHeard(tab, "voice.caller", apart+500*time.Millisecond, tab.Now()) {
		t.Errorf("the agent heard the customer while asking the colleague: %s", tab.Heard())
	}
	w.hearsNothing(third, "voice.caller", 0, third.Since(time.Now()))
	w.agentState("1001", queue.StateConsult)

	joined := time.Now()
	tab.ClickText("button", "三方通话")
	hearsAll(w, joined, tab, []string{"voice.caller", "voice.other"}, map[*phone.Call][]string{
		caller: {"voice.agent", "voice.other"}, third: {"voice.caller", "voice.agent"},
	})
	tab.Says(".other", "三方通话中")

	left := v.now()
	tab.ClickText("button", "完成转接")
	tab.Gone(".acts")
	w.hears(caller, "agent.after", left)
	gone := v.now() + 300*time.Millisecond
	w.goesOn(caller, "voice.other", gone)
	w.passes(2 * time.Second)
	w.hearsNothing(caller, "voice.agent", gone, v.now())
	v.steady(held, v.now())
	w.agentState("1002", queue.StateTalking)
	v.hangup()
	w.ended(third)
	v.wantEnd(call.Served, "talked", callerPressed, "caller: "+callerPressed, "agent 1001: "+serviceDid, "agent 1002: "+serviceDid)
	complains(t, tab)
	w.audits()
}

// An agent sends the customer on by keys alone: to somebody who does not answer, and gets the customer back; then to an
// agent at another page, who hangs up by mistake and takes the customer back.
func TestTransferringByKeys(t *testing.T) {
	w := newWorld(t, 150*time.Second, func(cfg *configs.Config) {
		cfg.Queues[0].RingTimeout.Duration = 8 * time.Second
		cfg.Queues[0].WrapUp.Duration = time.Minute
	})
	tab := w.page("1001")
	other := w.sits(w.person("agent 1003", "other"), "1003")
	other.Says(".me .state", "空闲")
	w.must("agent", "pause", "1003") // so that the customer comes to the first
	w.other("1002", phone.RingForEver())
	w.must("agent", "pause", "1002")
	caller := w.talks(tab, "13900000012")
	v := &visit{w, "13900000012", caller.Phone(), caller}
	w.must("agent", "ready", "1002")

	sent := v.now()
	tab.Press(kb.F7)
	tab.See(".picker li[role=option]")
	tab.Press("790" + kb.Enter)
	w.hears(caller, "transfer.please_wait", sent)
	told := w.hears(caller, "transfer.not_reached", sent)
	t.Logf("the customer is told after %.1f s that nobody answers", (told.At - sent).Seconds())
	tab.Says(".call", "客服790 没有接通：没有接听")
	back := v.now()
	tab.Press(kb.F2)
	w.hears(caller, "voice.agent", back)
	tab.Hears("voice.caller", tab.Now())
	tab.Says(".call .scene", "通话中")

	w.must("agent", "ready", "1003")
	tab.Press(kb.F7)
	tab.See(".picker li[role=option]")
	tab.Press("791" + kb.Enter)
	other.Says(".call.ringing", "客服789 转来")
	answered := v.now()
	other.Press(kb.F2)
	w.hears(caller, "voice.other", answered)
	other.Hears("voice.caller", 0)
	tab.Gone(".acts")
	v.steady(sent, v.now())
	w.agentState("1003", queue.StateTalking)

	hungUp := v.now()
	other.Press(kb.F10)
	other.Click(`input[value="customer-asked"]`)
	other.Press(kb.Enter)
	w.hears(caller, "rating.ask", hungUp)
	other.See(".back")
	again := v.now()
	other.Press(kb.F2)
	w.goesOn(caller, "voice.other", again+time.Second) // it may be back so soon that it has not been away for the ear
	other.Hears("voice.caller", other.Now())
	v.hangup()
	other.Gone(".acts")
	journaled := v.wantEnd(call.Served, "talked", agentPressed, "caller: "+callerPressed, "agent 1001: "+serviceDid,
		"agent 1001: "+serviceDid, "agent 1003: "+agentPressed, "agent 1003: "+serviceDid)
	if got := len(journaled.of(call.KindRejoined)); got != 2 {
		t.Errorf("the journal tells of %d returns to the customer, want 2\n%s", got, journaled)
	}
	complains(t, tab)
	complains(t, other)
	w.audits()
}

// An agent presses keys for a machine outside, notes what the call is about and closes it with its code. The customer calls
// again, which the page says, and the agent asks for a break in that talk: it comes once that call has its code, too.
func TestKeysNotesAndABreak(t *testing.T) {
	w := newWorld(t, 2*time.Minute, func(cfg *configs.Config) {
		cfg.Directory = []configs.Entry{{ID: "repair-team", Name: "抢修班", Number: "57500000"}}
		cfg.Queues[0].WrapUp.Duration = 30 * time.Second
	})
	tab := w.page("1001")
	machine := w.machine("57500000", phone.AnswerAfter(time.Second))
	caller := w.talks(tab, "13900000013")
	v := &visit{w, "13900000013", caller.Phone(), caller}
	tab.Says("main", "首次来电")
	tab.Type(".notes textarea", "断网，")

	began := v.now()
	tab.ClickText("button", "咨询")
	tab.See(".picker li[role=option]")
	tab.Type(".picker input", "qxb"+kb.Enter)
	menu := w.answered(machine)
	tab.Says(".other", "正在与 抢修班 通话")
	tab.Hears("voice.other", tab.Now())
	tab.Press(kb.F9)
	tab.See(".pad")
	tab.Press("1")
	tab.Click(`.pad button[aria-label="按 2"]`)
	tab.Press("#")
	if err := menu.WaitKeys(w.ctx, "12#"); err != nil {
		t.Fatalf("%v\nthe page says: %s", err, tab.Text("main"))
	}
	if keys := caller.KeysHeard(); len(keys) > 0 {
		t.Errorf("keys for the machine have reached the customer: %v", keys)
	}
	tab.Press(kb.Escape)
	tab.Gone(".pad")
	back := v.now()
	tab.Press(kb.F6)
	w.ended(menu)
	w.hears(caller, "voice.agent", back)
	v.steady(began, v.now())

	tab.Choose(".notes select", "fault")
	tab.Type(".notes .fields input", "和平路 7 号")
	tab.Type(".notes textarea", "已请抢修班")
	v.hangup()
	tab.See(".wrap-up")
	tab.ClickText("button", "再要一分钟")
	tab.Type(".wrap-up input", "xygj"+kb.Enter)
	tab.Says(".wrap-up button[aria-pressed=true]", "需要跟进")
	tab.ClickText("button", "已解决")
	tab.Type(".wrap-up input", kb.Enter)
	tab.Gone(".wrap-up")
	w.agentState("1001", queue.StateReady)
	told := v.entries(web.KindWrapped, 1)
	if got := decoded[web.Wrapped](t, told.of(web.KindWrapped)[0]); got.Code != "resolved" || got.Agent != "1001" {
		t.Errorf("the call was closed as %+v", got)
	}
	kept := told.of(web.KindNotes)
	if len(kept) == 0 {
		t.Fatalf("the journal has no notes\n%s", told)
	}
	notes := decoded[web.NotesKept](t, kept[len(kept)-1])
	if notes.Text != "断网，已请抢修班" || notes.Topic != "fault" || notes.Fields["地址"] != "和平路 7 号" {
		t.Errorf("the notes are %+v", notes)
	}

	caller = w.talks(tab, "13900000013")
	v = &visit{w, "13900000013", caller.Phone(), caller}
	tab.Says("main", "第 2 次来电")
	tab.Says("main", "新疆乌鲁木齐市")
	tab.ClickText("button", "小休")
	tab.ClickText("button", "用餐")
	tab.Says(".me", "处理完本通后小休")
	v.hangup()
	tab.See(".wrap-up")
	w.agentState("1001", queue.StateWrapUp)
	tab.ClickText("button", "已解决")
	tab.Type(".wrap-up input", kb.Enter)
	v.entries(web.KindWrapped, 1)
	w.agentState("1001", queue.StatePaused)
	tab.Says(".me", "用餐")
	tab.ClickText("button", "空闲")
	w.agentState("1001", queue.StateReady)
	complains(t, tab)
	w.audits()
}

// An agent sends customers on by keys to whatever there is beside agents: another queue, an entry of the directory, and the
// duty manager, whom they ask first and call in. Each time the customer is told, hears the tone, and then who answers.
func TestSendingOnToOthersThanAgents(t *testing.T) {
	w := newWorld(t, 3*time.Minute, func(cfg *configs.Config) {
		cfg.Directory = []configs.Entry{{ID: "repair-team", Name: "抢修班", Number: "57500000"}}
		complaints := cfg.Queues[0]
		complaints.ID, complaints.Name = "complaints", "投诉专线"
		cfg.Queues = append(cfg.Queues, complaints)
		cfg.Agents[1].Queues = []string{"complaints"}
		cfg.Queues[0].WrapUp.Duration = time.Second
	})
	tab := w.page("1001")
	complaints := w.other("1002", phone.AnswerAfter(2*time.Second))
	machine := w.machine("57500000", phone.AnswerAfter(2*time.Second))
	manager := w.other("9001", phone.AnswerAfter(2*time.Second))

	blind := func(number, typed string, to *phone.Phone, legs ...string) {
		caller := w.talks(tab, number)
		v := &visit{w, number, caller.Phone(), caller}
		sent := v.now()
		tab.Press(kb.F7)
		tab.See(".picker li[role=option]")
		tab.Type(".picker input", typed+kb.Enter)
		w.hears(caller, "transfer.please_wait", sent)
		w.hears(caller, ear.HoldTone, sent)
		third := w.answered(to)
		w.hears(caller, "voice.other", sent)
		w.hears(third, "voice.caller", 0)
		tab.Gone(".acts")
		w.passes(2 * time.Second)
		w.hearsNothing(caller, "voice.agent", v.now()-time.Second, v.now())
		v.steady(sent, v.now())
		v.hangup()
		w.ended(third)
		v.wantEnd(call.Served, "talked", callerPressed, append([]string{"caller: " + callerPressed, "agent 1001: " + serviceDid}, legs...)...)
		w.agentState("1001", queue.StateReady)
	}
	blind("13900000031", "tszx", complaints, "agent 1002: "+serviceDid)
	blind("13900000032", "qxb", machine, "directory repair-team: "+serviceDid)

	caller := w.talks(tab, "13900000033")
	v := &visit{w, "13900000033", caller.Phone(), caller}
	asked := v.now()
	tab.Press(kb.F8)
	third := w.answered(manager)
	w.hears(third, "voice.agent", 0)
	tab.Says(".other", "正在与 值班经理 通话")
	joined := time.Now()
	tab.Press(kb.F8)
	hearsAll(w, joined, tab, []string{"voice.caller", "voice.other"}, map[*phone.Call][]string{
		caller: {"voice.agent", "voice.other"}, third: {"voice.caller", "voice.agent"},
	})
	w.passes(2 * time.Second)
	left := v.now()
	tab.Press(kb.F7)
	tab.Gone(".acts")
	w.goesOn(caller, "voice.other", left+time.Second)
	v.steady(asked, v.now())
	v.hangup()
	w.ended(third)
	v.wantEnd(call.Served, "talked", callerPressed, "caller: "+callerPressed, "agent 1001: "+serviceDid, "agent 9001: "+serviceDid)

	recorded, err := ear.DecodeFile(w.summary(mask("13900000033")).Recording.File, ear.DecoderOptions{Code: w.code, Voices: voices})
	if err != nil {
		t.Fatal(err)
	}
	if len(recorded.Left.Of("voice.caller")) == 0 || len(recorded.Right.Of("voice.agent")) == 0 || len(recorded.Right.Of("voice.other")) == 0 ||
		len(recorded.Left.Of("voice.agent"))+len(recorded.Left.Of("voice.other"))+len(recorded.Right.Of("voice.caller")) > 0 {
		t.Errorf("the recording has left %s, right %s; want the customer alone on the left, and the agent and the duty manager on the right", recorded.Left, recorded.Right)
	}
	complains(t, tab)
	w.audits()
}

// machine is somebody outside whom the trunk reaches.
func (w *world) machine(number string, incoming phone.Behaviour) *phone.Phone {
	w.t.Helper()
	return w.phone(phone.Options{
		Name: number + " outside", IP: stand.TrunkAddress, Server: w.SIP().String(), Number: number, Port: int(w.Config.Asterisk.Trunk.Out.Port()),
		Voice: voices["other"], Code: w.code, Voices: voices, Incoming: incoming,
	})
}
