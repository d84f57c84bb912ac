package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/test/phone"
)

// A caller is greeted for the hour in which the call is answered, and bidden farewell for the hour in which it ends;
// 晚安 is a farewell and never a greeting (B2, C1, C7).
func TestGreetingAndFarewellByTheHour(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3*time.Minute, nil).calm()
	for _, day := range []struct{ clock, greeting, closing string }{
		{"2026-03-10 05:00", "greeting.early", "closing.day"},
		{"2026-03-10 09:00", "greeting.morning", "closing.day"},
		{"2026-03-10 11:30", "greeting.noon", "closing.day"},
		{"2026-03-10 13:30", "greeting.afternoon", "closing.day"},
		{"2026-03-10 18:00", "greeting.evening", "closing.day"},
		{"2026-03-10 19:59:56", "greeting.evening", "closing.night"}, // answered in the evening, ended at night
		{"2026-03-11 04:58", "greeting.evening", "closing.night"},
	} {
		if err := w.SetClock(w.ctx, day.clock); err != nil {
			t.Fatal(err)
		}
		caller := w.dial(w.caller(phone.Options{}))
		w.hears(caller, "menu.main", 0)
		w.keys(caller, "0") // nobody is signed in
		w.hears(caller, "queue.nobody", 0)
		w.keys(caller, "55")
		end := w.ended(caller)

		w.heard(caller, day.greeting, "greeting.company", "notice.recording", "menu.main", "queue.nobody", "menu.wrong", day.closing)
		heard := caller.Transcript()
		if last := heard[len(heard)-1]; !last.Finished || end.By != phone.Them {
			t.Errorf("%s: the farewell is cut short, or not we hung up: %v %v", day.clock, last, end)
		}
		wait := heard[0].At - answeredAt(caller)
		if wait > 300*time.Millisecond {
			t.Errorf("%s: the greeting begins %v after the answer", day.clock, wait)
		}
		t.Logf("%s: %s %v after the answer, %s, %v after the ring", day.clock, day.greeting, wait, day.closing, answeredAt(caller))
		w.silences(caller, answeredAt(caller), end.At)
	}
	if t.Failed() {
		return
	}
	calls, err := w.Calls(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if greeted := calls[0].Greeting; len(greeted) == 0 || greeted[0] != "greeting.evening" {
		t.Errorf("the journal says the last caller was greeted with %v", greeted)
	}
}

// Festivals come before the hour, and the kind of day decides whether the hotline is open (B2, C1).
func TestFestivalsAndKindsOfDay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3*time.Minute, func(cfg *configs.Config) {
		cfg.Hours.Workday, cfg.Hours.Weekend, cfg.Hours.Holiday = spans("08:30-18:00"), spans("09:00-12:00"), nil
	}).calm()
	const open, closed = "menu.main", "closed.hours"
	for n, day := range []struct{ clock, greeting, then, festival string }{
		{"2027-02-05 09:00", "greeting.festival.eve", closed, "eve"},
		{"2027-02-06 09:00", "greeting.festival.spring", closed, "spring"},
		{"2027-02-05 23:59:59", "greeting.festival.spring", closed, "spring"}, // rings on the eve, answered in the new year
		{"2026-02-16 20:30", "greeting.festival.eve", closed, "eve"},
		{"2026-02-17 10:00", "greeting.festival.spring", closed, "spring"},
		{"2026-02-23 10:00", "greeting.morning", closed, ""}, // a day off after the festival's six days
		{"2026-09-25 12:00", "greeting.festival.midautumn", closed, "midautumn"},
		{"2026-02-14 17:30", "greeting.afternoon", open, ""}, // a Saturday, worked for the Spring Festival
		{"2026-03-14 17:30", "greeting.afternoon", closed, ""},
		{"2026-03-15 11:59", "greeting.noon", open, ""}, // a Sunday
		{"2026-03-15 12:00", "greeting.noon", closed, ""},
	} {
		if err := w.SetClock(w.ctx, day.clock); err != nil {
			t.Fatal(err)
		}
		number := fmt.Sprintf("1390000%04d", n)
		caller := w.dial(w.caller(phone.Options{Number: number}))
		w.hears(caller, day.then, 0)
		w.heard(caller, day.greeting, "greeting.company", "notice.recording", day.then)
		hangUp(w, caller)
		greeted := entry[call.Greeted](w, w.summary(mask(number)).ID, call.KindGreeted)
		if greeted.Festival != day.festival || greeted.Prompts[0] != day.greeting || greeted.Why == "" {
			t.Errorf("%s: the journal says %+v", day.clock, greeted)
		}
	}
	printed := w.must("calendar", "--at", "2027-02-06 09:00")
	if !strings.Contains(printed, "greeting.festival.spring") {
		t.Errorf("hotline calendar foretells another greeting than was heard:\n%s", printed)
	}
}

// Whoever was left ringing for more than three rings is answered at once, hears the apology first, and is counted
// (B1). A service that is held up for 16 s stands for whatever may hold it up.
func TestLateAnswerOpensWithTheApology(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Minute, func(cfg *configs.Config) { cfg.Answer.AfterRings = 3 }).calm()
	dial := func(number string) *phone.Call {
		c, err := w.caller(phone.Options{Number: number}).Dial(w.ctx, "96196")
		if err != nil {
			t.Fatal(err)
		}
		if err := c.WaitRinging(w.ctx); err != nil {
			t.Fatal(err)
		}
		return c
	}
	known := dial("13700000001") // the service knows of this one
	w.arrived("137****0001")
	signal(t, w, syscall.SIGSTOP)
	stopped := time.Now()
	late := dial("13700000002")
	gaveUp := dial("13700000003")
	until(stopped.Add(10 * time.Second))
	hangUp(w, gaveUp)
	inTime := dial("13700000004")
	until(stopped.Add(16 * time.Second))
	signal(t, w, syscall.SIGCONT)
	resumed := time.Now()

	for _, c := range []*phone.Call{known, late} {
		if err := c.WaitAnswered(w.ctx); err != nil {
			t.Fatal(err)
		}
		took := c.Times().Answered.Sub(resumed)
		if took > 500*time.Millisecond {
			t.Errorf("%s is answered %v after the service was back, want at once", c.Phone().Name(), took)
		}
		t.Logf("answered %v after the service was back, %v after the ring", took, answeredAt(c))
		w.hears(c, "menu.main", 0)
		w.heard(c, "apology.late", "greeting.morning", "greeting.company", "notice.recording", "menu.main")
		w.silences(c, answeredAt(c), c.Since(time.Now()))
	}
	w.hears(inTime, "menu.main", 0)
	near(w, "the next caller is answered in the third ring", answeredAt(inTime), seconds(11))
	w.heard(inTime, "greeting.morning", "greeting.company", "notice.recording", "menu.main")
	if end := w.ended(gaveUp); end.Status != 487 {
		t.Errorf("the caller who gave up got %v", end)
	}

	if got := w.metric("hotline_three_ring_breaches_total"); got != 2 {
		t.Errorf("%v breaches of the three rings are counted, want 2", got)
	}
	for number, c := range map[string]*phone.Call{"137****0001": known, "137****0002": late} {
		hangUp(w, c)
		s := w.summary(number)
		answer := entry[call.Answered](w, s.ID, call.KindAnswered)
		if !answer.Late || answer.After < 15.9 || answer.Rings != int(answer.After/5)+1 {
			t.Errorf("the journal says of the late answer to %s: %+v", number, answer)
		}
	}
	if s := w.summary("137****0003"); s.Outcome != (call.Outcome{Result: call.Abandoned, Reason: "ring"}) || s.HungUp != "caller pressed (proven)" {
		t.Errorf("the caller who gave up while ringing ended as %v, %s", s.Outcome, s.HungUp)
	}
}

func signal(t *testing.T, w *world, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(w.PID(), s); err != nil {
		t.Fatal(err)
	}
}

// until waits for a moment.
func until(moment time.Time) { <-time.After(time.Until(moment)) }

// spans are opening hours.
func spans(texts ...string) []configs.Span {
	list := make([]configs.Span, len(texts))
	for i, text := range texts {
		if err := list[i].UnmarshalText([]byte(text)); err != nil {
			panic(fmt.Sprintf("a test's opening hours: %v", err))
		}
	}
	return list
}
