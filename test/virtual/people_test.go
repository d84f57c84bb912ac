package virtual

import (
	"math/rand/v2"
	"time"

	"hotline/ari/aritest"
)

// caller is somebody who calls once.
type caller struct {
	n       int
	w       *world
	r       *rand.Rand
	ch      *aritest.Channel
	arrived time.Time
	left    time.Time // ended, by whomever
	own     bool      // the caller's own doing, or the line's
	due     []press
	again   bool // somebody who lost the line and calls once more
	heard   int
	way     string // of leaving
	meant   bool   // the journal has a farewell, which a process may not have lived to say
}

// press is a key that will be pressed.
type press struct {
	at   time.Time
	keys string
}

// answers are what callers key when they are asked, "" being nothing.
var answers = map[string][]choice[string]{
	"menu.main":              {{50, "0"}, {14, "1"}, {6, "2"}, {10, "8"}, {7, "9"}, {5, "7"}, {8, ""}},
	"menu.bill":              {{60, "0"}, {10, "*"}, {10, "5"}, {20, ""}},
	"rating.ask":             {{70, "5"}, {10, "1"}, {5, "9"}, {15, ""}},
	"rating.again":           {{70, "4"}, {30, ""}},
	"message.offer":          {{60, "1"}, {10, "9"}, {30, ""}},
	"message.number.confirm": {{50, "1"}, {10, "2"}, {40, ""}},
	"message.number.ask":     {{60, "13912345678#"}, {40, ""}},
	"beep":                   {{60, "#"}, {40, ""}},
	"message.review":         {{50, ""}, {20, "1"}, {15, "2"}, {15, "#"}},
}

// startles are what makes some callers hang up the moment they hear it.
var startles = []choice[string]{
	{60, ""}, {4, "greeting.company"}, {4, "queue.joined"}, {4, "hold.apology"}, {4, "agent.after"}, {4, "rating.ask"}, {4, "talk.line_lost"},
	{3, "message.number.readback"}, {3, "menu.main"},
}

// How callers leave.
const (
	hangsUp   = "hangs up"
	losesLine = "loses the line"
)

// call is the whole visit.
func (c *caller) call() {
	w, r := c.w, c.r
	patience := one(r, []choice[time.Duration]{{2, seconds(r, 0.2, 15)}, {3, seconds(r, 15, 60)}, {5, seconds(r, 60, 200)}})
	startle := one(r, startles)
	fidgets := r.IntN(10) == 0
	c.way = one(r, []choice[string]{{8, hangsUp}, {2, losesLine}})

	c.arrived = time.Now()
	c.ch = w.asterisk.Arrive(aritest.Caller{Number: phoneNumber(c.n), Args: []string{"in", dialled}})
	w.logf("caller %d arrives on %s, patient for %v, startled by %q", c.n, c.ch.ID(), patience.Round(time.Millisecond), startle)
	leave := time.NewTimer(patience)
	defer leave.Stop()
	tick := time.NewTicker(150*time.Millisecond + time.Duration(r.IntN(100))*time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-c.ch.Over():
			c.gone(false)
			return
		case <-leave.C:
			w.logf("caller %d %s", c.n, c.way)
			if c.way == hangsUp {
				c.ch.Bye()
			} else {
				c.reach()
				c.ch.LoseLine()
			}
			c.gone(true)
			if c.way == losesLine {
				c.lostLine()
			}
			return
		case <-tick.C:
		}
		for _, h := range c.ch.Heard(c.heard) {
			c.heard++
			c.react(promptOf(h.Medium))
			if startle != "" && promptOf(h.Medium) == startle {
				leave.Reset(seconds(r, 0, 0.1))
			}
		}
		if fidgets && r.IntN(30) == 0 {
			c.due = append(c.due, press{time.Now(), string("0123456789*#"[r.IntN(12)])})
		}
		for len(c.due) > 0 && !time.Now().Before(c.due[0].at) {
			c.ch.Press(c.due[0].keys)
			c.due = c.due[1:]
		}
	}
}

func (c *caller) react(prompt string) {
	choices, asked := answers[prompt]
	if !asked {
		return
	}
	keys := one(c.r, choices)
	if keys == "" {
		return
	}
	c.due = append(c.due, press{time.Now().Add(seconds(c.r, 0.2, 5)), keys})
}

func (c *caller) gone(own bool) {
	c.left, c.own = time.Now(), own && !c.ch.Commanded()
	c.w.logf("caller %d has left, own doing %v", c.n, c.own)
}

// agent is the person at a phone.
type agent struct {
	id string
	w  *world
	r  *rand.Rand
}

// draw is how the phone behaves when it is dialed. It may not call the server.
func (a *agent) draw() aritest.Phone {
	r := a.r
	quick := a.w.plan.gaps && r.IntN(3) == 0
	after := seconds(r, 0.3, 9)
	if quick {
		after = seconds(r, 0, 0.03)
	}
	does := one(r, []choice[aritest.Behaviour]{
		{78, aritest.Answers}, {6, aritest.NoAnswer}, {6, aritest.Declines}, {4, aritest.Busy}, {3, aritest.Unreachable}, {3, aritest.Silent},
	})
	talk := a.drawTalk()
	return aritest.Phone{Does: does, After: after, Then: talk.run}
}

// talk is what an agent does in one.
type talk struct {
	a     *agent
	holds []time.Duration // how long each lasts, and what lies before it
	codes []string        // feature codes, keyed one after the other
	pause []time.Duration // before each
	lasts time.Duration   // of the rest; 0: the caller is to end it
	lines bool            // the line fails instead of a hang-up
	back  bool            // hung up by accident: comes back
	soon  time.Duration   // … after so long
}

func (a *agent) drawTalk() talk {
	r := a.r
	t := talk{a: a, lasts: seconds(r, 1, 45), lines: r.IntN(6) == 0, back: r.IntN(8) == 0, soon: seconds(r, 0.5, 6)}
	if r.IntN(6) == 0 {
		t.lasts = 0
	}
	if r.IntN(3) == 0 {
		for range 1 + r.IntN(2) {
			t.holds = append(t.holds, seconds(r, 0.3, 10), one(r, []choice[time.Duration]{{3, seconds(r, 0.2, 20)}, {1, seconds(r, 25, 70)}}))
		}
	}
	t.codes = one(r, scenes)
	for range t.codes {
		t.pause = append(t.pause, one(r, []choice[time.Duration]{{3, seconds(r, 0.1, 4)}, {2, seconds(r, 4, 12)}, {1, seconds(r, 25, 40)}}))
	}
	return t
}

// scenes are what agents do in a talk by feature codes.
var scenes = []choice[[]string]{
	{40, nil},
	{6, []string{"*1", "*1"}},
	{4, []string{"*6", "*1", "*1", "*6"}},
	{6, []string{"*2790#", "*5"}}, {6, []string{"*2789#", "*4"}}, {6, []string{"*2791#", "*4"}},
	{6, []string{"*2790#", "*3", "*5"}}, {6, []string{"*2791#", "*3", "*4"}}, {4, []string{"*2790#", "*3"}},
	{8, []string{"*7790#"}}, {6, []string{"*7791#"}}, {4, []string{"*7789#"}}, {4, []string{"*7*1#"}},
	{3, []string{"*1", "*2790#", "*5", "*1"}}, {3, []string{"*2", "7#", "*9", "5", "*", "#"}},
}

func (t talk) run(ch *aritest.Channel) {
	w := t.a.w
	w.logf("agent %s has answered on %s", t.a.id, ch.ID())
	for i, d := range t.holds {
		if !w.wait(ch, d) {
			return
		}
		if i%2 == 0 {
			w.logf("agent %s holds", t.a.id)
			ch.Hold()
		} else {
			w.logf("agent %s resumes", t.a.id)
			ch.Unhold()
		}
	}
	for i, code := range t.codes {
		if !w.wait(ch, t.pause[i]) {
			return
		}
		w.logf("agent %s keys %s", t.a.id, code)
		ch.Press(code)
	}
	if t.lasts == 0 {
		t.lasts = 4 * time.Minute // … but not for ever
	}
	if !w.wait(ch, t.lasts) {
		return
	}
	if t.lines {
		w.logf("agent %s loses the line", t.a.id)
		ch.LoseLine()
		return
	}
	w.logf("agent %s hangs up", t.a.id)
	ch.Bye()
	if t.back && w.sleep(t.soon) {
		t.a.comeBack()
	}
}

// rejoin is the star code of the way back.
const rejoin = "*69"

// comeBack keys the way back to the caller who was hung up on by accident.
func (a *agent) comeBack() {
	if len(a.w.asterisk.At(endpoint(a.id))) > 0 {
		return
	}
	ch := a.w.asterisk.Arrive(aritest.Caller{Endpoint: endpoint(a.id), Number: a.id, Exten: rejoin, Args: []string{"agent", rejoin}})
	a.w.logf("agent %s comes back on %s", a.id, ch.ID())
	a.w.wait(ch, seconds(a.stream(), 2, 30))
	ch.Bye()
}

func (a *agent) stream() *rand.Rand { return a.w.plan.stream("back "+a.id, int(a.w.serial.Add(1))) }

// wait is false if the channel or the world ends before.
func (w *world) wait(ch *aritest.Channel, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ch.Over():
		return false
	case <-w.ctx.Done():
		return false
	}
}

// sleep is false if the world ends before.
func (w *world) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.ctx.Done():
		return false
	}
}
