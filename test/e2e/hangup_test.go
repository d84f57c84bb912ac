package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/journal"
	"hotline/queue"
	"hotline/test/ear"
	"hotline/test/phone"
)

// Every way to hang up, with its evidence (B4, E1). The scenarios share a
// hotline; each has a queue and agents of its own.

// laneKeys are the menu's keys that lead to a lane.
const laneKeys = "1234567*#"

// lanes gives each of these keys a queue with two agents of its own, so that
// many scenarios run side by side in one hotline and none meets the agents of
// another: key 3 leads to the queue lane-3 with the agents 2031 and 2032.
func lanes(change func(*configs.Config)) func(*configs.Config) {
	return func(cfg *configs.Config) {
		main := cfg.Menus.Menus["main"]
		keys := map[string]configs.Action{"0": main.Keys["0"], "8": main.Keys["8"], "9": main.Keys["9"]}
		for n, key := range laneKeys {
			q := cfg.Queues[0]
			q.ID = fmt.Sprintf("lane-%d", n+1)
			q.WrapUp.Duration = time.Second
			cfg.Queues = append(cfg.Queues, q)
			keys[string(key)] = configs.Action{Queue: q.ID}
			for _, desk := range []int{1, 2} {
				id := fmt.Sprintf("20%d%d", n+1, desk)
				cfg.Agents = append(cfg.Agents, configs.Agent{
					ID: id, Number: id, Name: "agent " + id, Role: cfg.Agents[0].Role,
					Password: configs.Secret("dev-" + id), PIN: configs.Secret(id), Queues: []string{q.ID},
				})
			}
		}
		main.Keys = keys
		cfg.Menus.Menus["main"] = main
		if change != nil {
			change(cfg)
		}
	}
}

// lane is a scenario's own corner of a shared hotline.
type lane struct {
	*world
	number int // from 1
}

// together runs scenarios side by side, each in a lane of its own, whatever
// -parallel says: they wait and hardly work.
func together(t *testing.T, w *world, scenarios map[string]func(*lane)) {
	t.Helper()
	if len(scenarios) > len(laneKeys) {
		t.Fatalf("%d scenarios for %d lanes", len(scenarios), len(laneKeys))
	}
	var wg sync.WaitGroup
	free := 0
	for name, play := range scenarios {
		free++
		number := free
		wg.Go(func() {
			t.Run(name, func(t *testing.T) { play(&lane{w.in(t), number}) })
		})
	}
	wg.Wait()
}

// desk1 and desk2 are the lane's agents' IDs.
func (l *lane) desk1() string { return fmt.Sprintf("20%d1", l.number) }
func (l *lane) desk2() string { return fmt.Sprintf("20%d2", l.number) }

// calls counts callers, so that each has a number of their own in the journal.
var calls atomic.Int64

func newNumber() string { return fmt.Sprintf("139%08d", calls.Add(1)) }

// visit is a caller and what the journal says of them.
type visit struct {
	*world
	number string
	phone  *phone.Phone
	call   *phone.Call
}

// visitor places a call and waits for the answer.
func (w *world) visitor() *visit {
	w.t.Helper()
	number := newNumber()
	p := w.caller(phone.Options{Voice: voices["caller"], Number: number})
	v := &visit{w, number, p, w.dial(p)}
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("the journal says of %s:\n%s", number, v.story())
		}
	})
	return v
}

// enters places a call and goes to the lane's queue.
func (l *lane) enters() *visit {
	l.t.Helper()
	v := l.visitor()
	v.key("menu.main", laneKeys[l.number-1:l.number])
	return v
}

// talks is enters until an agent has answered and both hear each other.
func (l *lane) talks(desk *phone.Phone) (*visit, *phone.Call) {
	l.t.Helper()
	v := l.enters()
	a := l.incoming(desk)
	if err := a.WaitAnswered(l.ctx); err != nil {
		l.t.Fatal(err)
	}
	v.hears("voice.agent")
	l.world.hears(a, "voice.caller", 0)
	return v, a
}

// key presses a key once a prompt is heard.
func (v *visit) key(prompt, digits string) {
	v.t.Helper()
	v.hears(prompt)
	v.keys(v.call, digits)
}

// hears waits for something the caller has not heard before.
func (v *visit) hears(pattern string) ear.Heard {
	v.t.Helper()
	return v.world.hears(v.call, pattern, 0)
}

// now is how long the call has lasted.
func (v *visit) now() time.Duration { return time.Since(v.call.Start()) }

func (v *visit) hangup() {
	v.t.Helper()
	hangUp(v.world, v.call)
}

// story is what the journal says of a call, in order.
type story []journal.Entry

// entries waits until the journal has as many entries of a kind about this
// caller, and returns all there is.
func (v *visit) entries(kind string, count int) story {
	v.t.Helper()
	var told story
	v.until(fmt.Sprintf("the journal has not %d entries %s about the caller", count, kind), func() bool {
		told = v.story()
		return len(told.of(kind)) >= count
	})
	return told
}

// story is what the journal says of the caller by now.
func (v *visit) story() story {
	v.t.Helper()
	for _, e := range v.read(journal.Query{StreamPrefix: "call/", Kinds: []string{call.KindArrived}, Newest: true}) {
		if decoded[call.Arrived](v.t, e).Number == v.number {
			return v.read(journal.Query{Stream: e.Streams[0]})
		}
	}
	return nil
}

// read is what the journal answers to a query, once it is there.
func (w *world) read(q journal.Query) (all story) {
	w.t.Helper()
	reader, err := journal.OpenReader(context.Background(), w.Config.Journal())
	if err != nil {
		w.t.Fatal(err)
	}
	defer reader.Close()
	for e, err := range reader.Read(context.Background(), q) {
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// passes lets time go by that people take: it is part of the scenario.
func (w *world) passes(d time.Duration) {
	w.t.Helper()
	select {
	case <-time.After(d):
	case <-w.ctx.Done():
		w.t.Fatal(context.Cause(w.ctx))
	}
}

// until waits for something that the test can only look at.
func (w *world) until(failed string, met func() bool) {
	w.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-w.ctx.Done():
			w.t.Fatalf("%s: %v", failed, context.Cause(w.ctx))
		}
	}
}

func (s story) of(kind string) story {
	var found story
	for _, e := range s {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// String is the story as `hotline call` tells it.
func (s story) String() string {
	var text strings.Builder
	if err := call.Timeline(&text, s); err != nil {
		return err.Error()
	}
	return text.String()
}

func decoded[T any](t testing.TB, e journal.Entry) (data T) {
	t.Helper()
	if err := e.Decode(&data); err != nil {
		t.Fatalf("entry %s: %v", e.Kind, err)
	}
	return data
}

// end waits for the call's last entry.
func (v *visit) end() (call.Ended, story) {
	v.t.Helper()
	told := v.entries(call.KindEnded, 1)
	return decoded[call.Ended](v.t, told.of(call.KindEnded)[0]), told
}

// wantEnd compares how the call ended with what must be known of it. Each leg
// is "agent 2011: agent pressed (proven)".
func (v *visit) wantEnd(result, reason, hungUp string, legs ...string) story {
	v.t.Helper()
	ended, told := v.end()
	if ended.Result != result || ended.Reason != reason {
		v.t.Errorf("the journal says %s (%s), want %s (%s)\n%s", ended.Result, ended.Reason, result, reason, told)
	}
	if ended.HungUp != hungUp {
		v.t.Errorf("the journal says that %q hung up first, want %q\n%s", ended.HungUp, hungUp, told)
	}
	var got []string
	for _, e := range ended.Legs {
		got = append(got, fmt.Sprintf("%s: %s %s (%s)", e.Leg, e.Who, e.How, e.Grade))
		v.t.Logf("evidence %s: %s %s (%s) because %s: %+v", e.Leg, e.Who, e.How, e.Grade, e.Why, e.Facts)
	}
	if fmt.Sprint(got) != fmt.Sprint(legs) {
		v.t.Errorf("the evidence is %q, want %q\n%s", got, legs, told)
	}
	return told
}

// agentState waits until the agent's last change in the journal led to a state.
func (w *world) agentState(id string, want queue.State) {
	w.t.Helper()
	w.until(fmt.Sprintf("agent %s did not become %v", id, want), func() bool {
		var is queue.State
		for _, e := range w.read(journal.Query{Stream: call.AgentStream(id)}) {
			if strings.HasPrefix(e.Kind, "queue.") || strings.HasPrefix(e.Kind, "agent.") {
				if c, about := decoded[queue.Change](w.t, e).About(id); about && c.To != 0 {
					is = c.To
				}
			}
		}
		return is == want
	})
}

// What the evidence says in one line.
const (
	callerPressed = "caller pressed (proven)"
	agentPressed  = "agent pressed (proven)"
	serviceDid    = "service command (proven)"
)

func TestCallerHangsUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Minute, lanes(nil))
	together(t, w, map[string]func(*lane){
		"while it rings": func(l *lane) {
			number := newNumber()
			p := l.caller(phone.Options{Number: number})
			c, err := p.Dial(l.ctx, l.Config.Service.Number)
			if err != nil {
				l.t.Fatal(err)
			}
			if err := c.WaitRinging(l.ctx); err != nil {
				l.t.Fatal(err)
			}
			hangUp(l.world, c)
			v := &visit{l.world, number, p, c}
			v.wantEnd(call.Abandoned, "ring", callerPressed, "caller: "+callerPressed)
		},
		"in the greeting": func(l *lane) {
			v := l.visitor()
			v.hears("greeting.company")
			v.hangup()
			v.wantEnd(call.Abandoned, "greet", callerPressed, "caller: "+callerPressed)
		},
		"in the menu": func(l *lane) {
			v := l.visitor()
			v.hears("menu.main")
			v.hangup()
			v.wantEnd(call.Abandoned, "menu", callerPressed, "caller: "+callerPressed)
		},
		"while waiting": func(l *lane) {
			desk := l.agent(l.desk1(), phone.RingForEver())
			v := l.enters()
			a := l.incoming(desk)
			if err := a.WaitRinging(l.ctx); err != nil {
				l.t.Fatal(err)
			}
			v.hears(ear.HoldTone)
			v.hangup()
			stopped := l.ended(a)
			after := a.Times().Ended.Sub(v.call.Times().Ended)
			l.t.Logf("the agent's phone stopped ringing %v after the caller's BYE", after)
			if stopped.Reason != "CANCEL" || after > 300*time.Millisecond {
				l.t.Errorf("the ringing ended with %v after %v, want CANCEL within 300 ms", stopped, after)
			}
			v.wantEnd(call.Abandoned, "wait", callerPressed, "caller: "+callerPressed)
			l.agentState(l.desk1(), queue.StateReady)
		},
		"in the talk": func(l *lane) {
			v, a := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
			v.hangup()
			l.ended(a)
			v.wantEnd(call.Served, "talked", callerPressed, "caller: "+callerPressed, "agent "+l.desk1()+": "+serviceDid)
			l.agentState(l.desk1(), queue.StateReady)
		},
		"on hold": func(l *lane) {
			v, a := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
			if err := a.Hold(l.ctx); err != nil {
				l.t.Fatal(err)
			}
			l.world.hears(v.call, ear.HoldTone, v.now())
			v.hangup()
			l.ended(a)
			v.wantEnd(call.Served, "talked", callerPressed, "caller: "+callerPressed, "agent "+l.desk1()+": "+serviceDid)
			l.agentState(l.desk1(), queue.StateReady)
		},
		"in the rating": func(l *lane) {
			v, a := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
			hangUp(l.world, a)
			v.hears("rating.ask")
			v.hangup()
			told := v.wantEnd(call.Served, "talked", agentPressed, "caller: "+callerPressed, "agent "+l.desk1()+": "+agentPressed)
			if rated := told.of(call.KindRated); len(rated) != 1 || decoded[call.Rated](l.t, rated[0]).Outcome != "absent" {
				l.t.Errorf("the rating is %v, want absent", rated)
			}
			l.agentState(l.desk1(), queue.StateReady)
		},
	})
	w.nothingLeft()
}

// The agents of these scenarios sit at phones that do as each scenario says.
func TestAgentOrLineOrWeHangUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Minute, lanes(func(cfg *configs.Config) {
		cfg.Asterisk.RTPTimeout.Duration = 5 * time.Second
		cfg.Asterisk.RTPTimeoutAgents.Duration = 5 * time.Second
		cfg.Asterisk.RTPTimeoutHold.Duration = 5 * time.Second
		cfg.Rating.Timeout.Duration = 3 * time.Second
	}))
	together(t, w, map[string]func(*lane){
		"the caller's line dies while waiting": func(l *lane) {
			desk := l.agent(l.desk1(), phone.RingForEver())
			v := l.enters()
			a := l.incoming(desk)
			v.hears(ear.HoldTone)
			v.phone.Die()
			stopped := l.ended(a)
			l.t.Logf("the ringing stopped %v after the line died: %v", a.Times().Ended.Sub(v.call.Times().Ended), stopped)
			if stopped.Reason != "CANCEL" {
				l.t.Errorf("the ringing ended with %v, want CANCEL", stopped)
			}
			v.wantEnd(call.Abandoned, "wait", "caller line-failed (proven)", "caller: caller line-failed (proven)")
		},
		"the caller's line dies in the talk": func(l *lane) {
			v, a := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
			v.phone.Die()
			l.ended(a)
			l.t.Logf("the agent was free %v after the line died", a.Times().Ended.Sub(v.call.Times().Ended))
			v.wantEnd(call.Served, "talked", "caller line-failed (proven)",
				"caller: caller line-failed (proven)", "agent "+l.desk1()+": "+serviceDid)
			l.agentState(l.desk1(), queue.StateReady)
		},
		"the agent's line dies in the talk": func(l *lane) {
			desk := l.agent(l.desk1(), phone.AnswerAfter(0))
			v, _ := l.talks(desk)
			died := v.now()
			second := l.agent(l.desk2(), phone.AnswerAfter(2*time.Second))
			desk.Die()
			lost := v.hears("talk.line_lost")
			a := l.incoming(second)
			if err := a.WaitAnswered(l.ctx); err != nil {
				l.t.Fatal(err)
			}
			again := l.world.hears(v.call, "voice.agent", lost.End)
			l.world.hears(a, "voice.caller", 0)
			l.t.Logf("the line died at %.2f s, apology at %.2f s, the next agent is heard at %.2f s", died.Seconds(), lost.At.Seconds(), again.At.Seconds())
			v.hangup()
			l.ended(a)
			told := v.wantEnd(call.Served, "talked", "agent line-failed (proven)", "caller: "+callerPressed,
				"agent "+l.desk1()+": agent line-failed (proven)", "agent "+l.desk2()+": "+serviceDid)
			if joined := told.of(queue.KindJoined); len(joined) != 2 || !decoded[queue.Change](l.t, joined[1]).Head {
				l.t.Errorf("the caller did not go to the head of the line: %v", joined)
			}
			offers := told.of(queue.KindOffered)
			if first, last := decoded[queue.Change](l.t, offers[0]), decoded[queue.Change](l.t, offers[len(offers)-1]); first.Offer == last.Offer {
				l.t.Errorf("two offers of one call have the name %q", first.Offer)
			}
			v.steady(lost.At, again.At)
		},
		"the agent hangs up": func(l *lane) {
			v, a := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
			hangUp(l.world, a)
			v.hears("rating.ask")
			v.hears("closing.day")
			if end := l.ended(v.call); end.By != phone.Them || end.Reason != "BYE" {
				l.t.Errorf("the caller's call ended with %v, want our BYE", end)
			}
			v.wantEnd(call.Served, "talked", agentPressed, "caller: "+serviceDid, "agent "+l.desk1()+": "+agentPressed)
		},
		"the agent comes back": func(l *lane) {
			desk := l.agent(l.desk1(), phone.AnswerAfter(0))
			v, a := l.talks(desk)
			hangUp(l.world, a)
			asked := v.hears("rating.ask")
			l.passes(time.Second) // until the agent has noticed and dialled
			back, err := desk.Call(l.ctx, "*69")
			if err != nil {
				l.t.Fatalf("the agent cannot come back: %v", err)
			}
			voice := l.world.hears(v.call, "voice.agent", asked.At)
			l.world.hears(back, "voice.caller", 0)
			l.t.Logf("rejoined %.3f s after *69 was dialled", (voice.At - v.call.Since(back.Start())).Seconds())
			l.agentState(l.desk1(), queue.StateTalking)
			hangUp(l.world, back)
			l.world.hears(v.call, "rating.ask", voice.At)
			l.ended(v.call)
			told := v.wantEnd(call.Served, "talked", agentPressed, "caller: "+serviceDid,
				"agent "+l.desk1()+": "+agentPressed, "agent "+l.desk1()+": "+agentPressed)
			if len(told.of(call.KindRejoined)) != 1 {
				l.t.Errorf("the journal does not tell of the return:\n%s", told)
			}
			l.agentState(l.desk1(), queue.StateReady)
		},
		"nobody to come back to": func(l *lane) {
			desk := l.desk(l.desk1(), nil)
			c, err := desk.Call(l.ctx, "*69")
			if err != nil {
				l.t.Fatal(err)
			}
			l.world.hears(c, "agent.rejoin.none", 0)
			if end := l.ended(c); end.By != phone.Them {
				l.t.Errorf("the star code's call ended with %v, want it to be ended by us", end)
			}
		},
		"Asterisk hangs up the caller": func(l *lane) {
			v, a := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
			l.asteriskHangsUp(l.channelOf(v))
			l.ended(v.call)
			l.ended(a)
			v.wantEnd(call.Lost, "talk", "asterisk command (inferred)", "caller: asterisk command (inferred)", "agent "+l.desk1()+": "+serviceDid)
			l.agentState(l.desk1(), queue.StateReady)
		},
		"Asterisk hangs up the agent": func(l *lane) {
			desk := l.agent(l.desk1(), phone.AnswerAfter(0))
			v, a := l.talks(desk)
			l.asteriskHangsUp("PJSIP/" + l.desk1() + "-")
			l.ended(a)
			lost := v.hears("talk.line_lost")
			again := l.incoming(desk)
			if err := again.WaitAnswered(l.ctx); err != nil {
				l.t.Fatal(err)
			}
			l.world.hears(v.call, "voice.agent", lost.At)
			v.hangup()
			l.ended(again)
			v.wantEnd(call.Served, "talked", "asterisk command (inferred)", "caller: "+callerPressed,
				"agent "+l.desk1()+": asterisk command (inferred)", "agent "+l.desk1()+": "+serviceDid)
		},
		"we hang up": func(l *lane) {
			v := l.enters() // nobody is signed in
			v.hears("queue.nobody")
			v.hears("closing.day")
			if end := l.ended(v.call); end.By != phone.Them || end.Reason != "BYE" {
				l.t.Errorf("the call ended with %v, want our BYE", end)
			}
			v.wantEnd(call.TurnedAway, "nobody-signed-in", serviceDid, "caller: "+serviceDid)
		},
	})
	w.nothingLeft()
}

// channelOf is the name of the caller's channel.
func (l *lane) channelOf(v *visit) string {
	l.t.Helper()
	arrived := decoded[call.Arrived](l.t, v.entries(call.KindArrived, 1).of(call.KindArrived)[0])
	out, err := l.CLI("core show channels concise")
	if err != nil {
		l.t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		if fields := strings.Split(strings.TrimSpace(line), "!"); fields[len(fields)-1] == arrived.Channel {
			return fields[0]
		}
	}
	l.t.Fatalf("Asterisk has no channel %s:\n%s", arrived.Channel, out)
	return ""
}

// asteriskHangsUp has Asterisk end the channel whose name begins so.
func (l *lane) asteriskHangsUp(name string) {
	l.t.Helper()
	out, err := l.CLI("core show channels concise")
	if err != nil {
		l.t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		if channel, _, _ := strings.Cut(line, "!"); strings.HasPrefix(channel, name) {
			if out, err := l.CLI("channel request hangup " + channel); err != nil {
				l.t.Fatalf("%v: %s", err, out)
			}
			return
		}
	}
	l.t.Fatalf("Asterisk has no channel %s:\n%s", name, out)
}

// steady says that the caller heard something all the time.
func (v *visit) steady(from, to time.Duration) {
	v.t.Helper()
	if silent := v.call.Transcript().Silences(from, to, time.Second); len(silent) > 0 {
		for _, s := range silent {
			v.t.Errorf("the caller heard nothing from %.2f to %.2f s", s.At.Seconds(), s.End.Seconds())
		}
		v.t.Logf("heard: %s", v.call.Transcript())
	}
}

// The caller rates the talk, or not (A11).
func TestRating(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Minute, lanes(func(cfg *configs.Config) { cfg.Rating.Timeout.Duration = 3 * time.Second }))
	scenarios := map[string]func(*lane){
		"a wrong key, then a right one": func(l *lane) {
			v := l.rates("7")
			v.key("rating.wrong", "3")
			v.rated(call.Rated{Score: 3, Outcome: "given"}, "rating.ask", "rating.wrong", "rating.thanks", "closing.day")
		},
		"wrong keys only": func(l *lane) {
			v := l.rates("*")
			v.key("rating.wrong", "0")
			v.rated(call.Rated{Outcome: "wrong"}, "rating.ask", "rating.wrong", "closing.day")
		},
		"nothing": func(l *lane) {
			l.rates("").rated(call.Rated{Outcome: "absent"}, "rating.ask", "closing.day")
		},
	}
	for score := 1; score <= 5; score++ {
		key := fmt.Sprint(score)
		scenarios["the score "+key] = func(l *lane) {
			l.rates(key).rated(call.Rated{Score: score, Outcome: "given"}, "rating.ask", "rating.thanks", "closing.day")
		}
	}
	together(t, w, scenarios)
	w.nothingLeft()
}

// rates is a talk the agent ends, and the caller's answer to the question.
func (l *lane) rates(keys string) *visit {
	l.t.Helper()
	v, a := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
	v.keys(v.call, "9") // in the talk a key is no answer to what is asked later
	hangUp(l.world, a)
	v.key("rating.ask", keys)
	return v
}

// rated says what the caller heard after the talk and what the journal says.
func (v *visit) rated(want call.Rated, heard ...string) {
	v.t.Helper()
	if end := v.ended(v.call); end.By != phone.Them {
		v.t.Errorf("the call ended with %v, want our BYE", end)
	}
	asked := v.hears("rating.ask")
	prompts := v.call.Transcript().Prompts().Between(asked.At, v.now())
	if fmt.Sprint(prompts.IDs()) != fmt.Sprint(heard) {
		v.t.Errorf("the caller heard %v, want %v", prompts, heard)
	}
	if last := prompts[len(prompts)-1]; !last.Finished {
		v.t.Errorf("%s was cut off", last.ID)
	}
	_, told := v.end()
	rated := told.of(call.KindRated)
	if len(rated) != 1 || decoded[call.Rated](v.t, rated[0]) != want {
		v.t.Errorf("the journal's rating is %s, want %+v", rated, want)
	}
}

// Moments in which two things happen at once: nobody is cut off, kept busy or
// left in silence.
func TestTwoThingsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 90*time.Second, lanes(nil))
	together(t, w, map[string]func(*lane){
		"the caller hangs up as the agent answers": func(l *lane) {
			const rings = 200 * time.Millisecond
			desk := l.agent(l.desk1(), phone.AnswerAfter(rings))
			for _, off := range []time.Duration{-10, 0, 3, 8, 15, 40} {
				v := l.enters()
				a := l.incoming(desk)
				if err := a.WaitRinging(l.ctx); err != nil {
					l.t.Fatal(err)
				}
				l.passes(rings + off*time.Millisecond)
				v.hangup()
				l.ended(a)
				ended, told := v.end()
				if ended.HungUp != callerPressed || ended.Result != call.Served && (ended.Result != call.Abandoned || ended.Reason != "wait") {
					l.t.Errorf("hung up %d ms after the answer: %s (%s), %s\n%s", off, ended.Result, ended.Reason, ended.HungUp, told)
				}
				l.t.Logf("hung up %d ms after the answer: %s (%s)", off, ended.Result, ended.Reason)
				l.agentState(l.desk1(), queue.StateReady)
			}
		},
		"both hang up": func(l *lane) {
			desk := l.agent(l.desk1(), phone.AnswerAfter(0))
			for range 3 {
				v, a := l.talks(desk)
				done := make(chan error, 2)
				for _, c := range []*phone.Call{v.call, a} {
					go func() { done <- c.Hangup(l.ctx) }()
				}
				for range 2 {
					<-done // whose BYE came second may be told that there is no call any more
				}
				ended, told := v.end()
				if ended.Result != call.Served || ended.HungUp != callerPressed && ended.HungUp != agentPressed {
					l.t.Errorf("the journal says %s (%s), %s\n%s", ended.Result, ended.Reason, ended.HungUp, told)
				}
				l.agentState(l.desk1(), queue.StateReady)
			}
		},
		"the agent answers and hangs up at once": func(l *lane) {
			desk := l.agent(l.desk1(), func(ctx context.Context, c *phone.Call) {
				if c.Answer(ctx) == nil {
					_ = c.Hangup(ctx) // an error would show as a call that goes on
				}
			})
			v := l.enters()
			a := l.incoming(desk)
			l.ended(a)
			asked := v.hears("rating.ask")
			l.passes(500 * time.Millisecond)
			desk.SetIncoming(nil)
			if _, err := desk.Call(l.ctx, "*69"); err != nil {
				l.t.Fatal(err)
			}
			voice := l.world.hears(v.call, "voice.agent", asked.At)
			v.steady(v.hears("menu.main").At, voice.At)
			v.hangup()
			v.wantEnd(call.Served, "talked", agentPressed, "caller: "+callerPressed,
				"agent "+l.desk1()+": "+agentPressed, "agent "+l.desk1()+": "+serviceDid)
		},
		"Asterisk ends the ringing": func(l *lane) {
			first := l.agent(l.desk1(), phone.RingForEver())
			v := l.enters()
			a := l.incoming(first)
			if err := a.WaitRinging(l.ctx); err != nil {
				l.t.Fatal(err)
			}
			second := l.agent(l.desk2(), phone.AnswerAfter(time.Second))
			l.asteriskHangsUp("PJSIP/" + l.desk1() + "-")
			l.ended(a)
			b := l.incoming(second)
			voice := v.hears("voice.agent")
			l.t.Logf("the next phone rang %v after the first was silenced", b.Start().Sub(a.Times().Ended))
			if late := b.Start().Sub(a.Times().Ended); late > time.Second {
				l.t.Errorf("the next phone rang %v after the first was silenced", late)
			}
			v.steady(v.hears("menu.main").At, voice.At)
			v.hangup()
			v.keptPlace(v.wantEnd(call.Served, "talked", callerPressed, "caller: "+callerPressed, "agent "+l.desk2()+": "+serviceDid))
		},
		"an agent pauses while the phone rings": func(l *lane) {
			first := l.agent(l.desk1(), phone.RingForEver())
			v := l.enters()
			a := l.incoming(first)
			if err := a.WaitRinging(l.ctx); err != nil {
				l.t.Fatal(err)
			}
			l.agent(l.desk2(), phone.AnswerAfter(0))
			l.must("agent", "pause", l.desk1())
			if end := l.ended(a); end.Reason != "CANCEL" {
				l.t.Errorf("the ringing ended with %v, want CANCEL", end)
			}
			voice := v.hears("voice.agent")
			v.steady(v.hears("menu.main").At, voice.At)
			v.hangup()
			v.keptPlace(v.wantEnd(call.Served, "talked", callerPressed, "caller: "+callerPressed, "agent "+l.desk2()+": "+serviceDid))
		},
		"the agent comes back twice, then too late": func(l *lane) {
			desk := l.agent(l.desk1(), phone.AnswerAfter(0))
			v, a := l.talks(desk)
			for range 2 {
				asked := v.left(a)
				l.passes(500 * time.Millisecond)
				var err error
				if a, err = desk.Call(l.ctx, "*69"); err != nil {
					l.t.Fatal(err)
				}
				l.world.hears(v.call, "voice.agent", asked.At)
				l.agentState(l.desk1(), queue.StateTalking)
				l.passes(500 * time.Millisecond)
			}
			v.left(a)
			v.hangup()
			v.end()
			late, err := desk.Call(l.ctx, "*69")
			if err != nil {
				l.t.Fatal(err)
			}
			l.world.hears(late, "agent.rejoin.none", 0)
			l.ended(late)
		},
		"another agent keys the way back": func(l *lane) {
			desk := l.agent(l.desk1(), phone.AnswerAfter(0))
			other := l.desk(l.desk2(), nil)
			v, a := l.talks(desk)
			hangUp(l.world, a)
			v.hears("rating.ask")
			c, err := other.Call(l.ctx, "*69")
			if err != nil {
				l.t.Fatal(err)
			}
			l.world.hears(c, "agent.rejoin.none", 0)
			v.key("rating.ask", "4")
			v.hears("rating.thanks")
			l.ended(v.call)
			v.wantEnd(call.Served, "talked", agentPressed, "caller: "+serviceDid, "agent "+l.desk1()+": "+agentPressed)
		},
		"the caller leaves as the agent comes back": func(l *lane) {
			desk := l.agent(l.desk1(), phone.AnswerAfter(0))
			for range 3 {
				v, a := l.talks(desk)
				hangUp(l.world, a)
				v.hears("rating.ask")
				back, err := desk.Dial(l.ctx, "*69")
				if err != nil {
					l.t.Fatal(err)
				}
				v.hangup()
				end := l.ended(back) // whatever came first, the agent is not left in silence
				l.t.Logf("the way back ended with %v", end)
				ended, told := v.end()
				if ended.Result != call.Served || ended.HungUp != agentPressed {
					l.t.Errorf("the journal says %s (%s), %s\n%s", ended.Result, ended.Reason, ended.HungUp, told)
				}
				l.agentState(l.desk1(), queue.StateReady)
			}
		},
	})
	w.nothingLeft()
}

// left has the agent hang up and waits until the caller is asked for a rating.
func (v *visit) left(a *phone.Call) ear.Heard {
	v.t.Helper()
	before := v.now()
	hangUp(v.world, a)
	return v.world.hears(v.call, "rating.ask", before)
}

// nothingLeft waits until Asterisk has no channel and no bridge any more.
func (w *world) nothingLeft() {
	w.t.Helper()
	if err := w.NothingLeft(w.ctx); err != nil {
		w.t.Fatal(err)
	}
}
