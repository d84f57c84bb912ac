package e2e

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/test/ear"
	"hotline/test/phone"
)

// welcome is what every caller hears before the menu on an ordinary morning.
var welcome = []string{"greeting.morning", "greeting.company", "notice.recording"}

// after is a whole call's prompts.
func after(welcome []string, then ...string) []string { return append(slices.Clip(welcome), then...) }

// Callers in the menu: they say nothing, press the wrong key, the right one early, too many (C1, C2). Each is a
// caller of its own in one hotline.
func TestCallersInTheMenu(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4*time.Minute, func(cfg *configs.Config) {
		cfg.Queues[0].WrapUp.Duration = 0
		desk := cfg.Queues[0]
		desk.ID, desk.Name = "desk", "前台"
		cfg.Queues = append(cfg.Queues, desk)
		for i := range cfg.Agents {
			if cfg.Agents[i].ID == "1004" {
				cfg.Agents[i].Queues = []string{"desk"}
			}
		}
		cfg.Menus.Menus["main"].Keys["3"] = configs.Action{Queue: "desk"}
	}).calm()
	for _, id := range []string{"1001", "1002", "1003"} {
		w.agent(id, phone.AnswerAfter(time.Second))
	}
	desk := w.agent("1004", phone.AnswerAfter(time.Second))
	part := func(name string, play func(w *world)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(w.in(t))
		})
	}
	part("silence", silenceInTheMenu)
	part("wrong keys", wrongKeys)
	part("silence and wrong keys together", silenceAndWrongKeys)
	part("barge-in", bargeIn)
	part("type-ahead", typeAhead)
	part("submenu and back", submenu)
	part("information", information)
	part("the same information for ever", stuckOnInformation)
	part("a flood of wrong keys", func(w *world) { flood(w, "13900000011", '7') })
	part("a flood of the information's key", func(w *world) { flood(w, "13900000012", '2') })
	part("caller IDs", func(w *world) { callerIDs(w, desk) })
}

// menuCaller calls with a number of its own and waits for the menu.
func menuCaller(w *world, number string) (*phone.Call, ear.Heard) {
	w.t.Helper()
	c := w.dial(w.caller(phone.Options{Number: number, Voice: voices["caller"]}))
	return c, w.hears(c, "menu.main", 0)
}

// served waits until the caller talks with an agent, hangs up, and gives the call's summary.
func served(w *world, c *phone.Call, number string) call.Summary {
	w.t.Helper()
	w.hears(c, "voice.agent", 0)
	if err := c.Hangup(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	s := w.summary(mask(number))
	if s.Outcome != (call.Outcome{Result: call.Served, Reason: "talked"}) || s.HungUp != "caller pressed (proven)" {
		w.t.Errorf("the call ended as %+v, hung up by %s", s.Outcome, s.HungUp)
	}
	return s
}

// heardUntil compares what a phone has heard, up to the last prompt named, with what it was to hear.
func (w *world) heardUntil(c *phone.Call, want ...string) {
	w.t.Helper()
	got := whole(c.Transcript())
	if last := len(want); len(got) > last {
		got = got[:last]
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("%s heard %v,\nwant %v\nwith times: %s", c.Phone().Name(), got, want, c.Transcript())
	}
}

func silenceInTheMenu(w *world) {
	const number = "13900000001"
	c, first := menuCaller(w, number)
	joined := w.hears(c, "queue.joined", 0)
	w.heardUntil(c, after(welcome, "menu.main", "menu.again", "menu.main", "menu.again", "menu.main", "menu.to_agent", "queue.joined")...)
	again := c.Transcript().Of("menu.again")
	near(w, "asked again after the prompt and 5 s", again[0].At-first.At, seconds(2+5))
	near(w, "asked a third time", again[1].At-again[0].At, seconds(0.8+2+5))
	w.silences(c, answeredAt(c), joined.At, seconds(5), seconds(5), seconds(5))
	s := served(w, c, number)
	if chose := entry[call.Chose](w, s.ID, call.KindChose); chose.Why != "silence" || chose.Do != "queue" || chose.Path != "" {
		w.t.Errorf("the journal says %+v", chose)
	}
}

func wrongKeys(w *world) {
	const number = "13900000002"
	c, _ := menuCaller(w, number)
	w.keys(c, "7")
	wrong := w.hears(c, "menu.wrong", 0)
	w.hears(c, "menu.main", wrong.At)
	w.keys(c, "#")
	wrong = w.hears(c, "menu.wrong", wrong.End)
	w.hears(c, "menu.main", wrong.At)
	w.keys(c, "*")
	w.hears(c, "queue.joined", 0)
	w.heardUntil(c, after(welcome, "menu.main", "menu.wrong", "menu.main", "menu.wrong", "menu.main", "menu.to_agent", "queue.joined")...)
	w.silences(c, answeredAt(c), c.Since(time.Now()))
	s := served(w, c, number)
	if s.Path != "main:7 main:# main:*" {
		w.t.Errorf("the path is %q", s.Path)
	}
}

func silenceAndWrongKeys(w *world) {
	const number = "13900000003"
	c, _ := menuCaller(w, number)
	again := w.hears(c, "menu.again", 0)
	w.keys(c, "6") // over "what can I do for you"
	wrong := w.hears(c, "menu.wrong", again.At)
	w.keys(c, "0")
	w.hears(c, "queue.joined", wrong.At)
	w.heardUntil(c, after(welcome, "menu.main", "menu.again", "menu.wrong", "queue.joined")...)
	served(w, c, number)
}

// A key stops the prompt at once, and what it asked for begins at once.
func bargeIn(w *world) {
	const number = "13900000004"
	c, menu := menuCaller(w, number)
	pressed := c.Since(time.Now())
	w.keys(c, "2")
	info := w.hears(c, "menu.info.hours", 0)
	menu = c.Transcript().Of("menu.main")[0]
	if menu.Finished || menu.Duration() > seconds(1) {
		w.t.Errorf("the key did not stop the menu: it lasted %v", menu.Duration())
	}
	took := info.At - pressed
	if took > 400*time.Millisecond {
		w.t.Errorf("the information began %v after the key, which is held for 0.1 s; want 0.4 s at most", took)
	}
	w.t.Logf("the information began %v after the key went down", took)
	w.silences(c, answeredAt(c), info.At)
	w.keys(c, "0")
	served(w, c, number)
}

// Keys pressed during the greeting are answers; the greeting and the notice of the recording are heard all the same.
func typeAhead(w *world) {
	const number = "13900000005"
	c := w.dial(w.caller(phone.Options{Number: number}))
	w.hears(c, "greeting.company", 0)
	w.keys(c, "10")
	w.hears(c, "queue.joined", 0)
	w.heardUntil(c, after(welcome, "queue.joined")...)
	for _, h := range c.Transcript().Prompts()[:3] {
		if !h.Finished {
			w.t.Errorf("%v is cut short", h)
		}
	}
	if s := served(w, c, number); s.Path != "main:1 bill:0" {
		w.t.Errorf("the path is %q", s.Path)
	}
}

func submenu(w *world) {
	const number = "13900000006"
	c, _ := menuCaller(w, number)
	w.keys(c, "1")
	bill := w.hears(c, "menu.bill", 0)
	w.keys(c, "*")
	w.hears(c, "menu.main", bill.At)
	w.keys(c, "1")
	bill = w.hears(c, "menu.bill", bill.End)
	w.keys(c, "4")
	wrong := w.hears(c, "menu.wrong", bill.At)
	w.hears(c, "menu.bill", wrong.At) // the menu the caller is in, not the first
	w.keys(c, "0")
	w.hears(c, "queue.joined", 0)
	w.heardUntil(c, after(welcome, "menu.main", "menu.bill", "menu.main", "menu.bill", "menu.wrong", "menu.bill", "queue.joined")...)
	if s := served(w, c, number); s.Path != "main:1 bill:* main:1 bill:4 bill:0" {
		w.t.Errorf("the path is %q", s.Path)
	}
}

// A caller who heard what they called for, and hangs up, was informed and is nobody who gave up.
func information(w *world) {
	const number = "13900000007"
	c, _ := menuCaller(w, number)
	w.keys(c, "2")
	info := w.hears(c, "menu.info.hours", 0)
	menu := w.hears(c, "menu.main", info.At)
	if info = c.Transcript().Of("menu.info.hours")[0]; !info.Finished {
		w.t.Errorf("the information is cut short: %v", info)
	}
	w.heard(c, after(welcome, "menu.main", "menu.info.hours", "menu.main")...)
	w.silences(c, answeredAt(c), menu.At)
	if err := c.Hangup(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	if s := w.summary(mask(number)); s.Outcome != (call.Outcome{Result: call.Informed, Reason: "menu"}) {
		w.t.Errorf("the call ended as %+v", s.Outcome)
	}
}

// Nobody goes round in the menu for ever: a person takes over.
func stuckOnInformation(w *world) {
	const number = "13900000008"
	c, _ := menuCaller(w, number)
	w.keys(c, strings.Repeat("2", 30))
	w.hears(c, "menu.to_agent", 0)
	w.hears(c, "queue.joined", 0)
	s := served(w, c, number)
	if chose := entry[call.Chose](w, s.ID, call.KindChose); chose.Why != "too-long" || chose.Do != "queue" {
		w.t.Errorf("the journal says %+v", chose)
	}
}

// Two hundred keys a second, from the answer on and for four seconds: the caller is led to a person like anybody else.
// While the phone sends them, Asterisk gives it no sound (it is busy taking keys in); from then on there is no silence.
func flood(w *world, number string, key rune) {
	c := w.dial(w.caller(phone.Options{Number: number, Voice: voices["caller"]}))
	if err := c.Flood(w.ctx, key, 200, 800); err != nil {
		w.t.Fatal(err)
	}
	flooded := c.Since(time.Now())
	w.hears(c, "voice.agent", 0)
	w.silences(c, flooded+seconds(0.5), c.Since(time.Now()))
	// Asterisk pauses what it plays as long as keys come at this pace: of the greeting a moment may have been heard before.
	heard := whole(slices.DeleteFunc(c.Transcript(), func(h ear.Heard) bool { return h.End < flooded }))
	if len(heard) < 3 || !slices.Equal(heard[:3], welcome) || !slices.Contains(heard, "queue.joined") {
		w.t.Errorf("heard %s", c.Transcript())
	}
	served(w, c, number)
	if strings.Contains(w.ServiceLog(), "does not keep up") {
		w.t.Error("the keys have filled the call's mailbox")
	}
}

// Whatever a phone sends as its caller's name and number, the caller is served, and what is shown to the agent is a
// number or nothing.
func callerIDs(w *world, desk *phone.Phone) {
	for _, id := range []struct {
		what   string
		phone  phone.Options
		number string // as it is shown
	}{
		{"anonymous", phone.Options{Anonymous: true}, ""},
		{"a name of 3,000 characters", phone.Options{Number: "13600000001", DisplayName: strings.Repeat("长途电话", 250) + strings.Repeat("x", 2000)}, mask("13600000001")},
		{"control characters", phone.Options{Number: "13600000002", DisplayName: "a\x01b\tc\x1b[31m\x7f\"\\;<sip:x@y>"}, mask("13600000002")},
		{"letters for a number", phone.Options{Number: "lobby-phone"}, ""},
		{"an international number", phone.Options{Number: "+8613600000003"}, "861******0003"},
		{"forty digits", phone.Options{Number: strings.Repeat("1234567890", 4)}, ""},
	} {
		before, err := w.Calls(w.ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		known := map[string]bool{}
		for _, s := range before {
			known[s.ID] = true
		}
		id.phone.Voice = voices["caller"]
		c := w.dial(w.caller(id.phone))
		w.hears(c, "menu.main", 0)
		w.keys(c, "3")
		talk := w.incoming(desk)
		w.hears(c, "voice.agent", 0)
		w.hears(talk, "voice.caller", 0)
		if got := talk.RemoteNumber(); got != cmp.Or(id.number, "anonymous") || !strings.HasPrefix(talk.RemoteName(), "前台 0:0") {
			w.t.Errorf("%s: the agent's phone shows %q %q, want the queue's name with the wait, and %q", id.what, talk.RemoteName(), got, cmp.Or(id.number, "anonymous"))
		}
		if err := c.Hangup(w.ctx); err != nil {
			w.t.Fatal(err)
		}
		w.await("the journal has the end of the call: "+id.what, func() bool {
			calls, err := w.Calls(w.ctx)
			if err != nil {
				w.t.Fatal(err)
			}
			return slices.ContainsFunc(calls, func(s call.Summary) bool {
				return !known[s.ID] && s.Number == id.number && s.Agent == "1004" && s.Outcome.Result == call.Served
			})
		})
	}
}

// near fails where two times lie further apart than a caller would notice.
func near(w *world, what string, got, want time.Duration) {
	w.t.Helper()
	if (got - want).Abs() > 300*time.Millisecond {
		w.t.Errorf("%s: %v, want %v", what, fmt.Sprint(got), want)
	}
}
