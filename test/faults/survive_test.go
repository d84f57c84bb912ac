package faults_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/queue"
	"hotline/test/phone"
	"hotline/test/stand"
)

// The hundred callers, by what they do at the kill.
const (
	talkers  = 22 // of whom some leave, or are left, while the service is dead
	holders  = 8
	raters   = 8
	speakers = 10 // who leave a message
	waiters  = 52 // the first of whom are being offered to agents whose phones ring
	ringers  = 4

	leavers = 3  // talkers who hang up while the service is dead; of as many others the agents do
	fresh   = 16 // agents who sign in at the end, to see in which order callers are served

	deadFor = time.Second // between the kill and the start
)

const (
	everyApology = 30 * time.Second
	onTime       = 500 * time.Millisecond // how late or early an apology may begin (C3)
	smooth       = 40 * time.Millisecond  // the longest pause between two packets that nobody hears
)

// A hundred calls in all their stages, kill -9, a start after a second: no caller's call is ended by it, talks lose no
// packet, callers keep their order and their apologies their time, also those that fell due while the service was dead.
//
// It is not run beside other tests: it loads the machine. It is about time, so the service is built without the race
// detector, which has it take five times as long to start.
func TestAHundredCallsSurviveAKill(t *testing.T) {
	t.Setenv(stand.Race, "")
	c := gatherHundred(t)
	undisturbed := c.rtp(time.Now().Add(-3*time.Second), time.Now())

	c.try(c.Kill())
	killed := time.Now()
	c.partnersLeave()
	c.until(killed.Add(deadFor))
	started := time.Now()
	c.try(c.Launch(""))
	right := c.agentsRight(started)
	c.try(c.WaitReady(c.ctx))
	ready := time.Now()
	cost := c.cpu()
	c.until(killed.Add(3 * time.Second))
	disturbed := c.rtp(killed, time.Now())

	t.Logf("%d calls; killed; started %v later; agents' states right %v after the start, ready %v after it, having used %v of CPU", len(c.callers()),
		rounded(started.Sub(killed)), rounded(right), rounded(ready.Sub(started)), cost)
	if right > 3*time.Second {
		t.Errorf("agents' states were right %v after the start, want within 3 s", right)
	}
	wantSmooth(t, undisturbed, disturbed)
	c.wantPartnersTold(ready)
	c.wantNobodyCutOff()
	c.together(c.ratersRate, c.speakersEnd, func() { c.wantApologies(killed, ready) })
	c.wantServedInOrder(started)
	c.finish()
	c.nothingLeft()
	c.audit()
	c.noDoubleOffers()
}

func rounded(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// hundred is everybody in the test.
type hundred struct {
	*world
	talk, hold, rate []*pair
	speak, wait      []*person
	ring, spare      []*desk // agents whose phones ring, and who are to sign in at the end
	left             time.Time
}

// person is a caller.
type person struct {
	*phone.Call
	number string
}

// pair is a caller and the agent who has the call.
type pair struct {
	caller *person
	agent  *phone.Call
	id     string // the agent's
}

// unhurried is a hotline whose agents rest for long after a talk, so that callers wait.
func unhurried(cfg *configs.Config) {
	staffed(talkers + holders + raters + ringers + fresh)(cfg)
	cfg.Queues[0].WrapUp.Duration = 10 * time.Minute
	cfg.Queues[0].PositionEvery = 2
	cfg.Rating.Timeout.Duration = 20 * time.Second
}

// gatherHundred brings everybody to where they are to be at the kill, which is due when it returns: just before the first
// apologies of some who wait.
func gatherHundred(t *testing.T) *hundred {
	t.Helper()
	w := idleWorld(t, 4*time.Minute, unhurried)
	w.try(w.Serve(w.ctx, "")) // a clock of its own would be set back by the start
	c := &hundred{world: w}
	busy := talkers + holders + raters
	var desks []*desk
	for i, account := range w.Config.Agents {
		switch {
		case i < busy:
			desks = append(desks, w.desk(account.ID, phone.AnswerAfter(200*time.Millisecond)))
		case i < busy+ringers:
			c.ring = append(c.ring, w.registered(account.ID, nil))
		default:
			c.spare = append(c.spare, w.registered(account.ID, phone.AnswerAfter(100*time.Millisecond)))
		}
	}
	pairs := c.meet(c.come(0, busy, c.talksWithSomebody), desks)
	c.talk, c.hold, c.rate = pairs[:talkers], pairs[talkers:talkers+holders], pairs[talkers+holders:]
	w.together(
		func() { c.speak = c.come(busy, speakers, c.leavesAMessage) },
		func() { c.wait = c.come(busy+speakers, waiters, c.waitsInLine) },
	)
	for _, p := range c.hold {
		w.try(p.agent.Hold(w.ctx))
	}
	due := c.wait[waiters/8].joined().Add(everyApology - 300*time.Millisecond)
	c.until(due.Add(-3 * time.Second))
	for _, d := range c.ring {
		w.signIn(d.id)
	}
	for _, p := range c.rate {
		w.hangup(p.agent)
	}
	w.each(raters, func(i int) { w.hears(c.rate[i].caller.Call, "rating.ask", 0) })
	for _, d := range c.ring {
		w.becomes(d.id, queue.StateRinging)
	}
	if late := time.Since(due); late > 0 {
		t.Logf("the kill is %v later than it was to be: the machine is busy", late)
	}
	c.until(due)
	for _, one := range c.callers() {
		if !one.Up() {
			t.Fatalf("a call is over before the kill: %s", one.Transcript())
		}
	}
	return c
}

// callers are all of them.
func (c *hundred) callers() (all []*person) {
	for _, pairs := range [][]*pair{c.talk, c.hold, c.rate} {
		for _, p := range pairs {
			all = append(all, p.caller)
		}
	}
	return append(append(all, c.speak...), c.wait...)
}

// until lets time go by up to a moment.
func (w *world) until(moment time.Time) { w.pass(max(time.Until(moment), 0)) }

// numberOf is the number of the nth caller.
func numberOf(n int) string { return fmt.Sprintf("138%08d", 1000+n) }

// come lets n callers call, from the given number on, a fifth of a second after each other, and brings each of them from
// the menu to a stage.
func (c *hundred) come(from, n int, to func(*phone.Call)) []*person {
	c.t.Helper()
	people, phones := make([]*person, n), make([]*phone.Phone, n)
	for i := range phones {
		people[i] = &person{number: numberOf(from + i)}
		phones[i] = c.caller(people[i].number)
	}
	c.each(n, func(i int) {
		c.pass(time.Duration(i) * 200 * time.Millisecond)
		call := c.dial(phones[i])
		people[i].Call = call
		c.hears(call, "menu.main", 0)
		to(call)
	})
	return people
}

func (c *hundred) talksWithSomebody(call *phone.Call) {
	c.keys(call, "0")
	c.hears(call, "agent.after", 0)
}

func (c *hundred) waitsInLine(call *phone.Call) {
	c.keys(call, "0")
	c.hears(call, "queue.joined", 0)
}

func (c *hundred) leavesAMessage(call *phone.Call) {
	c.keys(call, "8")
	c.hears(call, "message.number.confirm", 0)
	c.keys(call, "1")
	c.hears(call, "beep", 0)
}

// joined is when a caller's wait began.
func (p *person) joined() time.Time { return p.Start().Add(p.Transcript().Of("queue.joined")[0].At) }

// meet finds each caller's agent, by the number that the agent's phone shows.
func (c *hundred) meet(callers []*person, desks []*desk) []*pair {
	c.t.Helper()
	pairs := make([]*pair, len(callers))
	for _, d := range desks {
		agent := c.incoming(d)
		for i, caller := range callers {
			if mask(caller.number) == agent.RemoteNumber() {
				pairs[i] = &pair{caller, agent, d.id}
			}
		}
	}
	if i := slices.Index(pairs, nil); i >= 0 {
		c.t.Fatalf("no agent's phone shows the number %s", mask(callers[i].number))
	}
	return pairs
}

// partnersLeave hangs up some talks' callers and other talks' agents, while the service is dead.
func (c *hundred) partnersLeave() {
	c.t.Helper()
	c.left = time.Now()
	c.each(leavers, func(i int) {
		c.hangup(c.talk[i].caller.Call)
		c.hangup(c.talk[leavers+i].agent)
	})
}

// whoLeft are the talks whose caller hung up while the service was dead, whoWasLeft those whose agent did, and whoStays the
// others.
func (c *hundred) whoLeft() []*pair    { return c.talk[:leavers] }
func (c *hundred) whoWasLeft() []*pair { return c.talk[leavers : 2*leavers] }
func (c *hundred) whoStays() []*pair   { return c.talk[2*leavers:] }

// agentsRight waits until the service says of each agent what is so, and gives how long that took since its start.
func (c *hundred) agentsRight(started time.Time) time.Duration {
	c.t.Helper()
	want := map[string][]queue.State{}
	expect := func(pairs []*pair, state queue.State) {
		for _, p := range pairs {
			want[p.id] = []queue.State{state}
		}
	}
	expect(c.whoStays(), queue.StateTalking)
	expect(c.hold, queue.StateHold)
	expect(c.rate, queue.StateWrapUp)
	expect(c.whoLeft(), queue.StateWrapUp)
	expect(c.whoWasLeft(), queue.StateWrapUp)
	for _, d := range c.ring {
		want[d.id] = []queue.State{queue.StateReserved, queue.StateRinging} // the next offer
	}
	var wrong []string
	right := func() bool {
		agents, err := c.status()
		if err != nil {
			wrong = []string{err.Error()}
			return false
		}
		wrong = nil
		for id, states := range want {
			if !slices.Contains(states, agents[id].State) {
				wrong = append(wrong, fmt.Sprintf("%s is %v, want %v", id, agents[id].State, states))
			}
		}
		return len(wrong) == 0
	}
	for !right() {
		if time.Since(started) > 10*time.Second {
			c.t.Fatalf("10 s after the start agents' states are wrong: %s", strings.Join(wrong, "; "))
		}
		c.pass(20 * time.Millisecond)
	}
	return time.Since(started)
}

// cpu is the processor time the service has used.
func (w *world) cpu() time.Duration {
	w.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.PID()))
	w.try(err)
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var user, system int64
	_, err = fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	w.try(err)
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
}

// rtp is what came of the talks' RTP in a stretch of time.
type rtp struct {
	lasts         time.Duration
	packets, lost int
	worst         time.Duration // the longest pause between two packets
	pauses        int           // longer than smooth
}

func (r rtp) String() string {
	return fmt.Sprintf("%d packets in %v, %d lost, the longest pause %v, %d over %v", r.packets, rounded(r.lasts), r.lost, rounded(r.worst), r.pauses, smooth)
}

// rtp is what callers and agents received who talk all the time.
func (c *hundred) rtp(from, to time.Time) (sum rtp) {
	sum.lasts = to.Sub(from)
	for _, p := range c.whoStays() {
		for _, call := range []*phone.Call{p.caller.Call, p.agent} {
			sum.add(call.Packets(), call.Since(from), call.Since(to))
		}
	}
	return sum
}

func (r *rtp) add(packets []phone.Packet, from, to time.Duration) {
	for i := 1; i < len(packets); i++ {
		last, this := packets[i-1], packets[i]
		if this.At < from || this.At >= to {
			continue
		}
		r.packets++
		if missing := int(this.Seq - last.Seq - 1); this.SSRC == last.SSRC && missing > 0 {
			r.lost += missing
		}
		pause := this.At - last.At
		r.worst = max(r.worst, pause)
		if pause > smooth {
			r.pauses++
		}
	}
}

// wantSmooth compares the talks around the kill with the same talks before it.
func wantSmooth(t *testing.T, undisturbed, disturbed rtp) {
	t.Helper()
	t.Logf("talks undisturbed: %v", undisturbed)
	t.Logf("talks over the kill: %v", disturbed)
	if disturbed.packets == 0 || disturbed.lost > undisturbed.lost {
		t.Errorf("over the kill %d packets of talks came and %d are missing, want none", disturbed.packets, disturbed.lost)
	}
	if disturbed.worst > max(smooth, undisturbed.worst) {
		t.Errorf("over the kill talks paused for %v, want no longer than %v, or than undisturbed\nLikely causes: the start touches the bridges of talks, or the machine is too busy for Asterisk's timers.", disturbed.worst, smooth)
	}
}

// wantPartnersTold looks at those whose partner hung up while the service was dead: soon after the start they are told.
func (c *hundred) wantPartnersTold(ready time.Time) {
	c.t.Helper()
	limit := ready.Sub(c.left) + time.Second
	var worst time.Duration
	for _, p := range c.whoWasLeft() {
		told := c.hears(p.caller.Call, "talk.line_lost", p.caller.Since(c.left))
		worst = max(worst, told.At-p.caller.Since(c.left))
	}
	for _, p := range c.whoLeft() {
		worst = max(worst, c.ended(p.agent).At-p.agent.Since(c.left))
	}
	c.t.Logf("whose partner hung up while the service was dead was told after %v at the latest; the service was back after %v", rounded(worst), rounded(ready.Sub(c.left)))
	if worst > limit {
		c.t.Errorf("somebody was in silence for %v after the partner hung up, want no longer than %v", worst, limit)
	}
}

func (c *hundred) wantNobodyCutOff() {
	c.t.Helper()
	cut := 0
	for _, one := range c.callers() {
		if end, over := one.Ended(); over && end.By != phone.Us {
			cut++
			c.t.Errorf("the call from %s was ended: %v\nheard: %s", one.number, end, one.Transcript())
		}
	}
	c.t.Logf("%d callers' calls ended by the kill", cut)
}

// ratersRate lets those press a key whose rating was asked for before the kill.
func (c *hundred) ratersRate() {
	c.t.Helper()
	c.each(raters, func(i int) {
		call := c.rate[i].caller.Call
		c.keys(call, "5")
		c.hears(call, "rating.thanks", 0)
		c.hears(call, "closing.*", 0)
		c.endsPolitely(c.rate[i].caller)
	})
}

// speakersEnd lets those come to an end who were in the middle of a message at the kill.
func (c *hundred) speakersEnd() {
	c.t.Helper()
	c.each(speakers, func(i int) {
		call := c.speak[i].Call
		c.keys(call, "#")
		c.hears(call, "message.review", 0)
		c.keys(call, "3")
		c.hears(call, "message.saved", 0)
		c.hears(call, "closing.*", 0)
		c.endsPolitely(c.speak[i])
	})
	messages, err := c.Messages(c.ctx)
	c.try(err)
	kept := map[string]float64{}
	for _, m := range messages {
		kept[m.Number] = m.Seconds
	}
	for _, one := range c.speak {
		spoke := one.Times().Ended.Sub(one.Start().Add(one.Transcript().Of("beep")[0].At))
		if kept[one.number] < 5 {
			c.t.Errorf("of the message from %s, who spoke for the better part of %v, %v s are kept", one.number, spoke, kept[one.number])
		}
	}
}

func (c *hundred) endsPolitely(p *person) {
	c.t.Helper()
	if end, err := p.WaitEnded(c.ctx); err != nil || end.By != phone.Them {
		c.t.Errorf("the call from %s: %v, %v, want the goodbye's end", p.number, end, err)
	}
}

// wantApologies waits for the next apology of everybody who waits, and compares it with the clock of their wait (C3), as
// the journal has it.
func (c *hundred) wantApologies(killed, ready time.Time) {
	c.t.Helper()
	var worst time.Duration
	dead := 0
	began := c.waitsBegan()
	for _, one := range c.wait {
		clock := began[one.number]
		due := clock.Add((killed.Sub(clock)/everyApology + 1) * everyApology)
		if due.Before(ready) {
			dead++
		}
		heard := c.hears(one.Call, "hold.apology", one.Since(due)-5*time.Second)
		late := heard.At - one.Since(due)
		worst = max(worst, late.Abs())
		if late.Abs() > onTime {
			c.t.Errorf("the apology of %s that was due %v after the kill began %v off its time\nheard: %s", one.number, due.Sub(killed), late, one.Transcript())
		}
	}
	c.t.Logf("%d next apologies, the worst %v off its time; %d of them fell due while the service was dead", len(c.wait), rounded(worst), dead)
	if dead == 0 {
		c.t.Error("no apology fell due while the service was dead: nothing is proven of those")
	}
}

// waitsBegan is when each caller's wait began, by number.
func (c *hundred) waitsBegan() map[string]time.Time {
	number, began := map[string]string{}, map[string]time.Time{}
	for _, e := range c.entries() {
		id := strings.TrimPrefix(e.Streams[0], "call/")
		switch e.Kind {
		case call.KindArrived:
			number[id] = decoded[call.Arrived](c.t, e).Number
		case call.KindToneBegan:
			if _, again := began[number[id]]; !again {
				began[number[id]] = decoded[call.ToneBegan](c.t, e).Machine
			}
		}
	}
	return began
}

// wantServedInOrder lets agents sign in, and looks at the order in which those who wait are offered to them and to
// everybody before them since the start: it is the order in which they came.
func (c *hundred) wantServedInOrder(started time.Time) {
	c.t.Helper()
	for _, d := range c.spare {
		c.signIn(d.id)
	}
	number, offered := map[string]string{}, []string{}
	look := func() bool {
		offered = nil
		for _, e := range c.entries() {
			switch e.Kind {
			case call.KindArrived:
				number[strings.TrimPrefix(e.Streams[0], "call/")] = decoded[call.Arrived](c.t, e).Number
			case queue.KindOffered:
				if who := number[decoded[queue.Change](c.t, e).Call]; e.At.After(started) && c.waits(who) && !slices.Contains(offered, who) {
					offered = append(offered, who)
				}
			}
		}
		return len(offered) >= fresh
	}
	c.await("the agents who have signed in are offered callers", look)
	inLine := slices.Clone(c.wait)
	slices.SortFunc(inLine, func(a, b *person) int { return a.Start().Compare(b.Start()) })
	for i, who := range offered {
		if who != inLine[i].number {
			c.t.Fatalf("after the start callers were offered in the order %v\nwant %d: %s", offered, i, inLine[i].number)
		}
	}
	c.t.Logf("the first %d of those who wait were served in the order in which they came", len(offered))
}

func (c *hundred) waits(number string) bool {
	return slices.ContainsFunc(c.wait, func(p *person) bool { return p.number == number })
}

// finish lets everybody who is still there come to an end.
func (c *hundred) finish() {
	c.t.Helper()
	c.each(holders, func(i int) {
		p := c.hold[i]
		back := time.Since(p.caller.Start())
		c.try(p.agent.Unhold(c.ctx))
		c.hears(p.caller.Call, "voice.agent", back)
	})
	pairs := append(c.whoStays(), c.hold...)
	c.each(len(pairs), func(i int) {
		left := time.Since(pairs[i].caller.Start())
		c.hangup(pairs[i].agent)
		c.hears(pairs[i].caller.Call, "rating.ask", left)
		c.keys(pairs[i].caller.Call, "4")
		c.hears(pairs[i].caller.Call, "closing.*", left)
		c.endsPolitely(pairs[i].caller)
	})
	rest := c.wait
	for _, p := range c.whoWasLeft() {
		rest = append(rest, p.caller)
	}
	c.each(len(rest), func(i int) { c.hangup(rest[i].Call) })
}
