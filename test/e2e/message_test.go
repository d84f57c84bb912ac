package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/test/ear"
	"hotline/test/phone"
	"hotline/test/stand"
)

// Callers leave messages (A4): nobody is signed in. Each is a caller of its own in one hotline.
func TestCallersLeaveMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4*time.Minute, func(cfg *configs.Config) { cfg.Messages.Max.Duration = 10 * time.Second }).calm()
	part := func(name string, play func(w *world)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(w.in(t))
		})
	}
	part("own number", ownNumber)
	part("another number", anotherNumber)
	part("anonymous", anonymousMessage)
	part("too short", tooShort)
	part("silence ends it", silenceEndsIt)
	part("its limit ends it", limitEndsIt)
	part("played back and recorded again", playedBack)
	part("hung up in the middle", hungUpInTheMiddle)
	part("hung up after it", hungUpAfterIt)
	part("number only", numberOnly)
	part("nothing at all", nothingAtAll)
	part("by the menu's key", byMenuKey)
}

// messenger is a caller who is told that nobody is there, and takes up the offer.
type messenger struct {
	*world
	*phone.Call
	number string
	last   time.Duration // of what was waited for
}

// messageCaller calls and chooses a person, whom there is not.
func messageCaller(w *world, o phone.Options) *messenger {
	w.t.Helper()
	o.Voice = voices["caller"]
	c := w.dial(w.caller(o))
	c.Quiet()
	m := &messenger{world: w, Call: c, number: o.Number}
	m.next("menu.main")
	m.press("0")
	m.next("queue.nobody")
	m.next("message.offer")
	m.press("1")
	return m
}

// next waits for the next thing to be heard, after what was waited for before.
func (m *messenger) next(id string) ear.Heard {
	m.t.Helper()
	h := m.hears(m.Call, id, m.last)
	m.last = h.At + time.Millisecond
	return h
}

func (m *messenger) press(keys string) {
	m.t.Helper()
	m.keys(m.Call, keys)
}

// confirm hears the number read back, digit by digit, and says that it is right.
func (m *messenger) confirm(number string) {
	m.t.Helper()
	from := m.next("message.number.readback")
	to := m.next("message.number.confirm")
	if read := m.Transcript().Between(from.At+1, to.At); !sameDigits(read, number) {
		m.t.Errorf("number %s is read back as %v", number, read.IDs())
	}
	m.press("1")
}

func sameDigits(heard ear.Transcript, number string) bool {
	want := make([]string, 0, len(number))
	for _, d := range number {
		id := "digit." + string(d)
		if d == '1' {
			id = "digit.yao" // in a telephone's number
		}
		want = append(want, id)
	}
	return slices.Equal(whole(heard), want)
}

// speak says something after the tone, for so long, and is silent.
func (m *messenger) speak(d time.Duration) {
	m.t.Helper()
	m.next("message.record")
	m.next("beep")
	m.Speak()
	until(time.Now().Add(d))
	m.Quiet()
}

// bye hears that the message is kept and the farewell, and gives the message and its WAV file.
func (m *messenger) bye() (stand.Message, ear.Recording) {
	m.t.Helper()
	m.next("message.saved")
	m.next("closing.day")
	end := m.ended(m.Call)
	if heard := m.Transcript(); end.By != phone.Them || !heard[len(heard)-1].Finished {
		m.t.Errorf("the farewell is cut short, or not we hung up: %v\nheard: %s", end, heard)
	}
	return m.kept("nobody-signed-in", true)
}

// kept is the caller's message as it is listed, and what its file holds.
func (m *messenger) kept(reason string, spoken bool) (stand.Message, ear.Recording) {
	m.t.Helper()
	s := m.summary(m.masked())
	if s.Outcome != (call.Outcome{Result: call.Messaged, Reason: reason}) {
		m.t.Errorf("the call ended as %+v", s.Outcome)
	}
	list, err := m.Messages(m.ctx)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, message := range list {
		if message.Call != s.ID {
			continue
		}
		if message.Reason != reason {
			m.t.Errorf("the message's reason is %q, want %q", message.Reason, reason)
		}
		if !spoken {
			return message, ear.Recording{}
		}
		if dir := m.Config.MessagesDir(); filepath.Dir(message.File) != dir {
			m.t.Errorf("the message is kept as %s, want it in %s", message.File, dir)
		}
		heard, err := ear.DecodeFile(message.File, ear.DecoderOptions{Code: m.code, Voices: voices})
		if err != nil {
			m.t.Fatalf("the message's file: %v", err)
		}
		return message, heard
	}
	m.t.Fatalf("hotline messages does not list the message of call %s: %+v", s.ID, list)
	return stand.Message{}, ear.Recording{}
}

func (m *messenger) masked() string {
	if m.number == "" {
		return ""
	}
	return mask(m.number)
}

// holds fails unless a message's file holds the caller's voice for about so long, and nothing else.
func (m *messenger) holds(r ear.Recording, voice time.Duration) {
	m.t.Helper()
	var said time.Duration
	for _, h := range r.Left {
		if h.ID != "voice.caller" {
			m.t.Errorf("the message holds %v", h)
		}
		said += h.Duration()
	}
	if (said - voice).Abs() > 500*time.Millisecond {
		m.t.Errorf("the message holds %.2f s of the caller's voice, want %.2f: %s", said.Seconds(), voice.Seconds(), r.Left)
	}
}

func ownNumber(w *world) {
	m := messageCaller(w, phone.Options{Number: "13800000001"})
	m.confirm("13800000001")
	m.speak(seconds(3))
	m.press("#")
	m.next("message.review")
	m.press("#")
	message, heard := m.bye()
	m.holds(heard, seconds(3))
	if message.Number != "13800000001" || !message.Confirmed || message.Seconds < 2 || message.Seconds > 4 {
		w.t.Errorf("listed as %+v", message)
	}
	if info, err := os.Stat(message.File); err != nil || info.Mode().Perm()&0o007 != 0 {
		w.t.Errorf("a message is not for everybody on this machine (B10): %v %v", info, err)
	}
	if text := w.must("messages"); !strings.Contains(text, "13800000001") || !strings.Contains(text, message.File) {
		w.t.Errorf("hotline messages prints\n%s", text)
	}
	w.heard(m.Call, after(welcome, "menu.main", "queue.nobody", "message.offer", "message.number.readback",
		"digit.yao", "digit.3", "digit.8", "digit.0", "digit.0", "digit.0", "digit.0", "digit.0", "digit.0", "digit.0", "digit.yao",
		"message.number.confirm", "message.record", "beep", "message.review", "message.saved", "closing.day")...)
	beep, review := m.Transcript().Of("beep")[0], m.Transcript().Of("message.review")[0]
	w.silences(m.Call, answeredAt(m.Call), beep.End)
	w.silences(m.Call, review.At, m.Since(m.Times().Ended))
	if took := review.At - beep.End; took > seconds(3.8) {
		w.t.Errorf("the question after the message came %.2f s after the tone, though # was pressed after 3 s", took.Seconds())
	}
}

func anotherNumber(w *world) {
	m := messageCaller(w, phone.Options{Number: "13800000002"})
	m.next("message.number.confirm")
	m.press("2")
	m.next("message.number.ask")
	m.press("12#")
	m.next("message.number.wrong")
	m.next("message.number.ask")
	m.press("0108*01088886666#") // * begins anew
	m.confirm("01088886666")
	m.speak(seconds(3))
	m.press("#")
	m.next("message.review")
	m.press("#")
	message, heard := m.bye()
	m.holds(heard, seconds(3))
	if message.Number != "01088886666" || !message.Confirmed {
		w.t.Errorf("listed as %+v", message)
	}
}

func anonymousMessage(w *world) {
	m := messageCaller(w, phone.Options{Anonymous: true})
	m.next("message.number.ask")
	m.press("13511112222#")
	m.confirm("13511112222")
	m.speak(seconds(3))
	m.press("#")
	m.next("message.review")
	m.press("#")
	message, heard := m.bye()
	m.holds(heard, seconds(3))
	if message.Number != "13511112222" || !message.Confirmed {
		w.t.Errorf("listed as %+v", message)
	}
}

func tooShort(w *world) {
	m := messageCaller(w, phone.Options{Number: "13800000003"})
	m.confirm("13800000003")
	m.speak(seconds(0.5))
	m.press("#")
	m.next("message.too_short")
	m.speak(seconds(3))
	m.press("#")
	m.next("message.review")
	m.press("#")
	_, heard := m.bye()
	m.holds(heard, seconds(3))
}

// Whoever has said everything need press nothing: silence ends the message, and no answer keeps it.
func silenceEndsIt(w *world) {
	m := messageCaller(w, phone.Options{Number: "13800000004"})
	m.next("message.number.confirm")
	m.next("message.number.confirm") // asked again
	m.speak(seconds(3))
	quiet := m.Since(time.Now())
	review := m.next("message.review")
	near(w, "five seconds of silence end the message", review.At-quiet, seconds(5))
	message, heard := m.bye()
	m.holds(heard, seconds(3))
	if message.Number != "13800000004" || message.Confirmed {
		w.t.Errorf("nobody confirmed the number, and it is listed as %+v", message)
	}
}

func limitEndsIt(w *world) {
	m := messageCaller(w, phone.Options{Number: "13800000005"})
	m.confirm("13800000005")
	m.next("message.record")
	beep := m.next("beep")
	m.Speak()
	review := m.next("message.review") // asked while the caller still speaks
	took := review.At - beep.End
	if took < seconds(10) || took > seconds(11.5) { // Asterisk looks once a second
		w.t.Errorf("a limit of 10 s ended the message after %v", took)
	}
	m.press("#")
	_, heard := m.bye()
	m.holds(heard, took)
}

func playedBack(w *world) {
	m := messageCaller(w, phone.Options{Number: "13800000006"})
	m.confirm("13800000006")
	m.speak(seconds(3))
	m.press("#")
	m.next("message.review")
	m.press("1")
	back := m.next("voice.caller")
	m.next("message.review")
	for _, h := range m.Transcript() {
		if h.At == back.At {
			back = h
		}
	}
	if (back.Duration() - seconds(3)).Abs() > 500*time.Millisecond {
		w.t.Errorf("three seconds were said, and played back for %v", back.Duration())
	}
	m.press("2")
	m.speak(seconds(5))
	m.press("#")
	m.next("message.review")
	m.press("1")
	m.next("voice.caller")
	m.press("#") // has heard enough, and keeps it
	message, heard := m.bye()
	m.holds(heard, seconds(5))
	if message.Seconds < 4 || message.Seconds > 6 {
		w.t.Errorf("listed as %+v", message)
	}
}

func hungUpInTheMiddle(w *world) {
	m := messageCaller(w, phone.Options{Number: "13800000007"})
	m.confirm("13800000007")
	m.speak(seconds(4))
	if err := m.Hangup(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	message, heard := m.kept("nobody-signed-in", true)
	m.holds(heard, seconds(4))
	if message.Seconds < 3 || message.Seconds > 5 {
		w.t.Errorf("listed as %+v", message)
	}
}

func hungUpAfterIt(w *world) {
	m := messageCaller(w, phone.Options{Number: "13800000008"})
	m.confirm("13800000008")
	m.speak(seconds(3))
	m.press("#")
	m.next("message.review")
	if err := m.Hangup(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	_, heard := m.kept("nobody-signed-in", true)
	m.holds(heard, seconds(3))
}

// A number that was confirmed is a message: somebody wants to be called.
func numberOnly(w *world) {
	m := messageCaller(w, phone.Options{Number: "13800000009"})
	m.confirm("13800000009")
	m.next("message.record")
	if err := m.Hangup(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	message, _ := m.kept("nobody-signed-in", false)
	if message.Number != "13800000009" || !message.Confirmed || message.File != "" || message.Seconds != 0 {
		w.t.Errorf("listed as %+v", message)
	}
}

// Who takes up the offer and then neither confirms the number nor speaks has left no message.
func nothingAtAll(w *world) {
	m := messageCaller(w, phone.Options{Number: "13800000010"})
	for range 5 {
		m.next("message.record")
		m.next("message.too_short")
	}
	m.next("closing.day")
	end := m.ended(m.Call)
	w.silences(m.Call, m.Transcript().Of("message.too_short")[4].At, end.At)
	if s := w.summary(m.masked()); s.Outcome != (call.Outcome{Result: call.TurnedAway, Reason: "nobody-signed-in"}) || s.Message != nil {
		w.t.Errorf("the call ended as %+v with the message %+v", s.Outcome, s.Message)
	}
}

func byMenuKey(w *world) {
	c, _ := menuCaller(w, "13800000011")
	c.Quiet()
	m := &messenger{world: w, Call: c, number: "13800000011"}
	m.press("8")
	m.confirm("13800000011")
	m.speak(seconds(3))
	m.press("#")
	m.next("message.review")
	m.press("#")
	m.next("message.saved")
	m.next("closing.day")
	w.ended(c)
	_, heard := m.kept("caller's choice", true)
	m.holds(heard, seconds(3))
}

// Whoever cannot be served hears why, can leave a message, and can still key the emergency (A4). One hotline goes
// through a day: closed, open with everybody busy, closing while callers wait, nobody left.
func TestTurnedAwayWithAReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4*time.Minute, func(cfg *configs.Config) {
		cfg.Hours.Workday, cfg.Hours.Weekend, cfg.Hours.Holiday = spans("08:30-18:00"), nil, nil
		cfg.Queues[0].MaxWaiting = 2
		cfg.Queues[0].WrapUp.Duration = 0
	}).calm()
	desk := w.agent("1001", phone.AnswerAfter(time.Second))
	clock := func(moment string) {
		t.Helper()
		if err := w.SetClock(w.ctx, moment); err != nil {
			t.Fatal(err)
		}
	}
	ring := func(number string) *phone.Call {
		t.Helper()
		return w.dial(w.caller(phone.Options{Number: number, Voice: voices["caller"]}))
	}
	choose := func(c *phone.Call, key string) {
		t.Helper()
		w.hears(c, "menu.main", 0)
		w.keys(c, key)
	}
	ended := func(number string, result, reason string) {
		t.Helper()
		if s := w.summary(mask(number)); s.Outcome != (call.Outcome{Result: result, Reason: reason}) {
			t.Errorf("the call of %s ended as %+v, want %s %s", mask(number), s.Outcome, result, reason)
		}
	}

	// Closed: one caller says nothing to the offer, another has an emergency, a third knows the menu by heart and keys
	// the bill's 1 into the greeting, where it is no answer to the offer of a message.
	clock("2026-03-10 19:00")
	silent, emergency, hasty := ring("13300000001"), ring("13300000002"), ring("13300000008")
	w.keys(hasty, "1")
	w.hears(emergency, "closed.hours", 0)
	w.keys(emergency, "9")
	w.hears(emergency, "emergency.connecting", 0)
	w.incoming(desk)
	w.hears(emergency, "voice.agent", 0)
	w.heardUntil(emergency, "greeting.evening", "greeting.company", "notice.recording", "closed.hours", "emergency.connecting")
	w.silences(emergency, answeredAt(emergency), emergency.Since(time.Now()))
	hangUp(w, emergency)
	ended("13300000002", call.Served, "talked")
	w.hears(hasty, "message.offer", 0)
	w.heard(hasty, "greeting.evening", "greeting.company", "notice.recording", "closed.hours", "message.offer")
	hangUp(w, hasty)
	w.ended(silent)
	w.heard(silent, "greeting.evening", "greeting.company", "notice.recording", "closed.hours", "message.offer",
		"closed.hours", "message.offer", "closing.day")
	w.silences(silent, answeredAt(silent), silent.Since(silent.Times().Ended), seconds(5), seconds(5))
	ended("13300000001", call.TurnedAway, "closed")

	// Open, and the only agent does something else: two wait, the third is told that it is full, and an emergency
	// comes before those who came before.
	clock("2026-03-11 10:00")
	w.must("agent", "pause", "1001", "--reason", "lunch")
	first := ring("13300000003")
	choose(first, "0")
	w.hears(first, "queue.joined", 0)
	second := ring("13300000004")
	choose(second, "0")
	w.hears(second, "queue.joined", 0)
	third := ring("13300000005")
	choose(third, "0")
	w.hears(third, "queue.full", 0)
	w.hears(third, "message.offer", 0)
	w.keys(third, "9")
	w.hears(third, "emergency.connecting", 0)
	fourth := ring("13300000006")
	choose(fourth, "0")
	w.hears(fourth, "queue.full", 0)
	w.hears(fourth, "message.offer", 0)
	hangUp(w, fourth)
	ended("13300000006", call.TurnedAway, "full")
	w.must("agent", "ready", "1001")
	if talk := w.incoming(desk); talk.RemoteNumber() != mask("13300000005") {
		t.Errorf("the agent got %s first, want the emergency", talk.RemoteNumber())
	}
	w.hears(third, "voice.agent", 0)

	// The last agent is asked to sign out while talking: nobody will come, and those who wait are told at once.
	w.must("agent", "sign-out", "1001")
	signedOut := time.Now()
	for _, c := range []*phone.Call{first, second} {
		told := w.hears(c, "queue.signed_out", 0)
		took := told.At - c.Since(signedOut)
		if took > seconds(1) {
			t.Errorf("told of the last agent's leaving %v after it", took)
		}
		t.Logf("told of the last agent's leaving %v after the command had returned", took)
		w.hears(c, "message.offer", told.At)
		w.silences(c, answeredAt(c), told.At)
		hangUp(w, c)
	}
	ended("13300000003", call.TurnedAway, "agents-left")
	ended("13300000004", call.TurnedAway, "agents-left")
	hangUp(w, third)
	ended("13300000005", call.Served, "talked")
	again := ring("13300000009") // who keys the emergency where it cannot be served hears that, and can still leave a message
	choose(again, "9")
	offer := w.hears(again, "message.offer", 0)
	w.keys(again, "9")
	w.hears(again, "message.offer", offer.End)
	w.heard(again, after(welcome, "menu.main", "queue.nobody", "message.offer", "queue.nobody", "message.offer")...)
	hangUp(w, again)
	ended("13300000009", call.TurnedAway, "nobody-signed-in")
	last := ring("13300000007")
	choose(last, "0")
	w.hears(last, "queue.nobody", 0)
	w.heard(last, after(welcome, "menu.main", "queue.nobody")...)
	hangUp(w, last)
	ended("13300000007", call.TurnedAway, "nobody-signed-in")
}

// Closing time comes to callers who wait, to one whose phone call is being offered, and to one who is still in the
// menu; an emergency stays. What is promised by the clock on the wall holds wherever in the call it strikes.
func TestClosingTimeComesWhileCallersWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3*time.Minute, func(cfg *configs.Config) {
		cfg.Hours.Workday, cfg.Hours.Weekend, cfg.Hours.Holiday = spans("08:30-18:00"), nil, nil
		menu := cfg.Menus.Menus["main"]
		menu.Timeout.Duration = 30 * time.Second // somebody thinks it over until closing time
		cfg.Menus.Menus["main"] = menu
		for key, id := range map[string]string{"3": "1003", "4": "1004"} {
			q := cfg.Queues[0]
			q.ID = "desk-" + key
			cfg.Queues = append(cfg.Queues, q)
			cfg.Menus.Menus["main"].Keys[key] = configs.Action{Queue: q.ID}
			for i := range cfg.Agents {
				if cfg.Agents[i].ID == id {
					cfg.Agents[i].Queues = []string{q.ID}
				}
			}
		}
	}).calm()
	w.agent("1001", phone.RingForEver())
	w.must("agent", "pause", "1001")
	answers, declines := w.agent("1003", phone.RingForEver()), w.agent("1004", phone.RingForEver())
	set := time.Now() // or up to however long the command takes after it
	if err := w.SetClock(w.ctx, "2026-03-10 17:59:30"); err != nil {
		t.Fatal(err)
	}
	closes, atTheLatest := set.Add(30*time.Second), time.Now().Add(30*time.Second)
	ring := func(number string) *phone.Call {
		t.Helper()
		c, err := w.caller(phone.Options{Number: number}).Dial(w.ctx, w.Config.Service.Number)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	choose := func(c *phone.Call, key string) {
		t.Helper()
		w.hears(c, "menu.main", 0)
		w.keys(c, key)
	}
	waiting, emergency := ring("13300000011"), ring("13300000012")
	choose(waiting, "0")
	choose(emergency, "9")
	joined := w.hears(waiting, "queue.joined", 0)
	connecting := w.hears(emergency, "emergency.connecting", 0)
	until(closes.Add(-12 * time.Second)) // the phones ring for 15 s
	offered, refused, inMenu := ring("13300000014"), ring("13300000015"), ring("13300000013")
	choose(offered, "3")
	choose(refused, "4")
	w.hears(inMenu, "menu.main", 0)

	told := w.hears(waiting, "queue.closing", 0)
	if told.At < waiting.Since(closes) || told.At > waiting.Since(atTheLatest)+seconds(2) {
		t.Errorf("told of closing time at %v, want within 2 s from %v", told, waiting.Since(closes))
	}
	t.Logf("told of closing time %v to %v after it", told.At-waiting.Since(atTheLatest), told.At-waiting.Since(closes))
	w.keys(inMenu, "0") // it is closed by now
	w.silences(waiting, joined.At, told.At)
	w.hears(waiting, "message.offer", told.At)
	w.keys(waiting, "1")
	w.hears(waiting, "message.number.readback", 0)
	hangUp(w, waiting)

	told = w.hears(inMenu, "queue.closing", 0)
	w.hears(inMenu, "message.offer", told.At)
	w.heard(inMenu, "greeting.afternoon", "greeting.company", "notice.recording", "menu.main", "queue.closing", "message.offer")
	hangUp(w, inMenu)

	// A phone that rings already may still be answered; where it is not, the caller is told then.
	if err := w.incoming(answers).Answer(w.ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.incoming(declines).Decline(486); err != nil {
		t.Fatal(err)
	}
	w.hears(offered, "voice.agent", 0)
	told = w.hears(refused, "queue.closing", 0)
	w.silences(refused, refused.Transcript().Of("queue.joined")[0].At, told.At)
	w.silences(offered, offered.Transcript().Of("queue.joined")[0].At, offered.Since(time.Now()))
	hangUp(w, offered)
	hangUp(w, refused)
	for number, want := range map[string]call.Outcome{
		"13300000014": {Result: call.Served, Reason: "talked"}, "13300000015": {Result: call.TurnedAway, Reason: "closing-time"},
	} {
		if s := w.summary(mask(number)); s.Outcome != want {
			t.Errorf("the call of %s ended as %+v, want %+v", mask(number), s.Outcome, want)
		}
	}
	if s := w.summary(mask("13300000011")); s.Outcome != (call.Outcome{Result: call.TurnedAway, Reason: "closing-time"}) {
		t.Errorf("the caller who waited ended as %+v", s.Outcome)
	}

	w.must("agent", "ready", "1001")
	w.await("the emergency is still offered", func() bool { return strings.Contains(w.must("agent", "list", "1001"), "ringing") })
	sorry := w.hears(emergency, "hold.apology", 0)
	near(w, "the apology comes 30 s after the emergency's wait began, closing time or not", sorry.At-connecting.At, seconds(30))
	next := w.hears(emergency, "queue.next", sorry.At)
	w.silences(emergency, connecting.At, next.At)
	hangUp(w, emergency)
	if s := w.summary(mask("13300000012")); s.Outcome != (call.Outcome{Result: call.Abandoned, Reason: "wait"}) {
		t.Errorf("the emergency ended as %+v", s.Outcome)
	}
}

func hangUp(w *world, c *phone.Call) {
	w.t.Helper()
	if err := c.Hangup(w.ctx); err != nil {
		w.t.Fatal(err)
	}
}
