package ari

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// A step of a channel's life: what Asterisk says of it, and how the channel is
// from then on.
type step struct {
	channel string
	event   string // with a time to be filled in
	state   string // Down, Ringing, Up; empty: there is none
	out     bool   // not in Stasis
}

const (
	aCaller = "1795294669.0"
	anAgent = "call-agent-1"
	aTone   = "call-play-1"
	aRecord = "call-record-1"
)

func about(channel, kind, more, state string, out bool) step {
	return step{channel, fmt.Sprintf(`{"type":%q,"timestamp":"%%s",%s"channel":{"id":%q,"name":%q,"state":%q}}`,
		kind, more, channel, "PJSIP/"+channel, state), state, out}
}

func dial(status, state string) step {
	return step{anAgent, fmt.Sprintf(`{"type":"Dial","timestamp":"%%s","dialstatus":%q,"peer":{"id":%q,"name":%q}}`,
		status, anAgent, "PJSIP/"+anAgent), state, false}
}

// live draws what happens to a channel between its beginning and its end.
func live(t *rapid.T, channel string) (life []step) {
	happens := map[string][]step{
		"key":     {about(channel, "ChannelDtmfReceived", `"digit":"7",`, "Up", false)},
		"hold":    {about(channel, "ChannelHold", "", "Up", false)},
		"unhold":  {about(channel, "ChannelUnhold", "", "Up", false)},
		"journey": {about(channel, "StasisEnd", "", "Up", true), about(channel, "StasisStart", `"args":["back"],`, "Up", false)},
	}
	if channel == aCaller {
		happens["tone over"] = []step{{aCaller, `{"type":"PlaybackFinished","timestamp":"%s","playback":{"id":"` + aTone + `","state":"done"}}`, "Up", false}}
		happens["recorded"] = []step{{aCaller, `{"type":"RecordingFinished","timestamp":"%s","recording":{"name":"` + aRecord + `","duration":3}}`, "Up", false}}
	}
	for _, what := range rapid.SliceOfN(rapid.SampledFrom(sortedKeys(happens)), 0, 5).Draw(t, channel+" does") {
		life = append(life, happens[what]...)
	}
	return life
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// ending are the orders in which Asterisk was seen to end a channel, see
// Evidence and Leg.Dial.
func ending(t *rapid.T, channel, state string) []step {
	end := func(request, cause string) []step {
		steps := []step{about(channel, "ChannelHangupRequest", request, state, false)}
		if channel == aCaller {
			steps = append(steps, step{aCaller, `{"type":"PlaybackFinished","timestamp":"%s","playback":{"id":"` + aTone + `","state":"failed"}}`, state, false})
		}
		steps = append(steps, about(channel, "StasisEnd", "", state, true))
		if channel == aCaller {
			steps = append(steps, about(channel, "ChannelHangupRequest", `"soft":true,"cause":16,`, state, true))
		}
		return append(steps, about(channel, "ChannelDestroyed", cause, "", true))
	}
	ends := map[string][]step{
		"stays":       nil,
		"phone's BYE": end("", `"cause":16,"cause_txt":"Normal Clearing",`),
		"our Hangup":  end(`"soft":true,"cause":32,`, `"cause":16,"cause_txt":"Normal Clearing",`),
		"line lost":   end(`"soft":true,"cause":1,`, `"cause":44,"cause_txt":"Requested channel not available",`),
		"busy":        end(`"cause":17,"tech_cause":486,`, `"cause":17,"cause_txt":"User busy","tech_cause":486,`),
	}
	return ends[rapid.SampledFrom(sortedKeys(ends)).Draw(t, channel+" ends")]
}

// lives draws the lives of a caller, adopted already, and of an agent's leg,
// dialed already, each in Asterisk's order.
func lives(t *rapid.T) map[string][]step {
	caller := append(live(t, aCaller), ending(t, aCaller, "Up")...)
	agent := []step{about(anAgent, "StasisStart", `"args":["leg","call","agent"],`, "Down", false), dial("", "Down")}
	state := "Down"
	if rapid.Bool().Draw(t, "rings") {
		agent, state = append(agent, dial("RINGING", "Ringing")), "Ringing"
	}
	if rapid.Bool().Draw(t, "is answered") {
		agent, state = append(append(agent, dial("ANSWER", "Up")), live(t, anAgent)...), "Up"
	}
	return map[string][]step{aCaller: caller, anAgent: append(agent, ending(t, anAgent, state)...)}
}

// outcome is all that is left of a run.
type outcome struct {
	Legs    map[string]legOutcome
	Tone    PlaybackResult
	Record  RecordingResult
	Mailbox map[string][]Event
}

type legOutcome struct {
	Name                              string
	Answered, InStasis, Held, Dialing bool
	Entries                           int
	Gone                              string
	Evidence                          Evidence
}

// listener is a link with a call of a caller and an agent.
type listener struct {
	link    *Link
	session *Session
	legs    map[string]*Leg
	tone    *Playback
	record  *Recording
	known   map[string]int // how many events the latest look was not behind
}

func newListener(t *rapid.T) *listener {
	l := &listener{link: quietLink2(t)}
	l.session = l.link.Session("call")
	caller := l.session.Adopt(Arrival{ChannelID: aCaller, Name: "PJSIP/" + aCaller, Answered: true})
	caller.subscribed = true
	agent := newLeg(l.link, anAgent)
	agent.subscribed, agent.made, agent.dialing = true, true, true
	l.session.own(anAgent, agent)
	agent.attach(l.session)
	l.legs = map[string]*Leg{aCaller: caller, anAgent: agent}
	l.tone = l.session.RestorePlayback(caller, aTone)
	l.record = l.session.RestoreRecording(caller, aRecord)
	return l
}

func (l *listener) outcome() outcome {
	o := outcome{Tone: l.tone.Result(), Record: l.record.Result(), Legs: make(map[string]legOutcome), Mailbox: make(map[string][]Event)}
	for id, leg := range l.legs {
		out := legOutcome{leg.name, leg.answered, leg.inStasis, leg.held, leg.dialing, leg.entries, "", leg.Evidence()}
		if leg.ctx.Err() != nil {
			out.Gone = context.Cause(leg.ctx).Error()
		}
		o.Legs[id] = out
	}
	for ev, ok := l.session.Poll(); ok; ev, ok = l.session.Poll() {
		id := ev.Leg.ID()
		ev.Leg, ev.Playback, ev.Recording = nil, nil, nil
		o.Mailbox[id] = append(o.Mailbox[id], ev)
	}
	return o
}

func (l *listener) take(t *rapid.T, message []byte) {
	if err := l.link.take(message); err != nil {
		t.Fatalf("the pump stops: %v", err)
	}
}

// stamped gives each event of the lives a time of its own, in one order that
// Asterisk may have had.
func stamped(t *rapid.T, lives map[string][]step) (inOrder [][]byte, by map[string][][]byte) {
	by = make(map[string][][]byte)
	at := time.Date(2026, 2, 6, 9, 0, 0, 0, time.UTC)
	for _, id := range merge(t, "Asterisk", lives) {
		at = at.Add(20 * time.Millisecond)
		message := fmt.Appendf(nil, lives[id][len(by[id])].event, at.Format("2006-01-02T15:04:05.000-0700"))
		by[id] = append(by[id], message)
		inOrder = append(inOrder, message)
	}
	return inOrder, by
}

// merge draws whose turn it is, keeping each channel's order: that is all that
// Asterisk may change.
func merge[T any](t *rapid.T, whose string, lists map[string][]T) (turns []string) {
	left := make(map[string]int)
	for id, list := range lists {
		left[id] = len(list)
	}
	for {
		var able []string
		for _, id := range sortedKeys(left) {
			if left[id] > 0 {
				able = append(able, id)
			}
		}
		if len(able) == 0 {
			return turns
		}
		id := rapid.SampledFrom(able).Draw(t, whose+"'s turn")
		left[id]--
		turns = append(turns, id)
	}
}

// jumbled draws an order of delivery, with each message up to ten times.
func jumbled(t *rapid.T, by map[string][][]byte) (out [][]byte) {
	next := make(map[string]int)
	for _, id := range merge(t, "the wire", by) {
		out = append(out, by[id][next[id]])
		next[id]++
		for range rapid.IntRange(0, 9).Draw(t, "repeats") { // of anything that came before
			out = append(out, out[rapid.IntRange(0, len(out)-1).Draw(t, "which")])
		}
	}
	return out
}

// Whatever order events come in and however often, a call ends as it does when
// they come in order and once.
func TestOrderAndRepeatsChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inOrder, by := stamped(t, lives(t))
		plain, disturbed := newListener(t), newListener(t)
		for _, message := range inOrder {
			plain.take(t, message)
		}
		for _, message := range jumbled(t, by) {
			disturbed.take(t, message)
		}
		if diff := cmp.Diff(plain.outcome(), disturbed.outcome()); diff != "" {
			t.Fatalf("(-in order, once +as they came)\n%s", diff)
		}
	})
}

// Nor does it matter how often the link looks at what Asterisk has, whether
// events are held back meanwhile or go on, and how late they are: a call ends
// as if it had been told everything in order, but may be told that a phone was
// answered without having been told that it rang.
func TestLooksChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		told := lives(t)
		inOrder, by := stamped(t, told)
		plain, looking := newListener(t), newListener(t)
		for _, message := range inOrder {
			plain.take(t, message)
		}
		taken := make(map[string]int)
		for _, id := range merge(t, "the wire", by) {
			switch rapid.SampledFrom([]string{"go on", "look", "hold back", "open"}).Draw(t, "the link") {
			case "look":
				looking.look(t, told, taken)
			case "hold back":
				looking.hold(taken)
			case "open":
				looking.open(t, told, taken)
			}
			for range rapid.IntRange(1, 10).Draw(t, "times") {
				looking.take(t, by[id][taken[id]])
			}
			taken[id]++
		}
		looking.open(t, told, taken)

		want, got := plain.outcome(), looking.outcome()
		for id := range told {
			if diff := cmp.Diff(facts(want.Mailbox[id]), facts(got.Mailbox[id]), cmpopts.IgnoreFields(Event{}, "At")); diff != "" {
				t.Errorf("%s's mailbox (-in order +with looks)\n%s", id, diff)
			}
			for _, kinds := range [][]EventKind{{Entered, Left}, {Answered, Gone}} {
				if diff := cmp.Diff(only(want.Mailbox[id], kinds), only(got.Mailbox[id], kinds)); diff != "" {
					t.Errorf("%s's mailbox (-in order +with looks)\n%s", id, diff)
				}
			}
		}
		want.Mailbox, got.Mailbox = nil, nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-in order +with looks)\n%s", diff)
		}
	})
}

// facts are what looks neither tell nor change the order of.
func facts(mailbox []Event) []Event {
	return slices.DeleteFunc(slices.Clone(mailbox), func(ev Event) bool {
		return slices.Contains([]EventKind{Entered, Left, Ringing, Answered}, ev.Kind)
	})
}

func only(mailbox []Event, kinds []EventKind) (out []EventKind) {
	for _, ev := range mailbox {
		if slices.Contains(kinds, ev.Kind) {
			out = append(out, ev.Kind)
		}
	}
	return out
}

func (l *listener) holds() bool {
	l.link.gate.mu.Lock()
	defer l.link.gate.mu.Unlock()
	return l.link.gate.shut
}

func (l *listener) hold(taken map[string]int) {
	if !l.early(taken) {
		l.link.gate.close()
	}
}

// open looks at Asterisk and lets go of what was held back, if anything is.
func (l *listener) open(t *rapid.T, told map[string][]step, taken map[string]int) {
	if !l.holds() || l.early(taken) {
		return
	}
	if err := l.link.catchUp(t.Context(), l.link.known(), l.asteriskHas(t, told, taken)); err != nil {
		t.Fatal(err)
	}
	l.link.gate.open(l.link.deliver)
}

// look does so while events go on, if they do.
func (l *listener) look(t *rapid.T, told map[string][]step, taken map[string]int) {
	if l.holds() || l.early(taken) {
		return
	}
	if err := l.link.keepUp(t.Context(), l.link.known(), l.asteriskHas(t, told, taken)); err != nil {
		t.Fatal(err)
	}
}

// early says whether events are still on their way that the latest look was
// ahead of: they are late by moments, and looks are seconds apart.
func (l *listener) early(taken map[string]int) bool {
	for id, n := range l.known {
		if taken[id] < n {
			return true
		}
	}
	return false
}

// asteriskHas draws a snapshot: nothing in it is older than what was received,
// and what it knows beyond that is on its way. That a channel is gone, it knows
// only once that was received: otherwise the end is told as lost.
func (l *listener) asteriskHas(t *rapid.T, told map[string][]step, taken map[string]int) *Snapshot {
	snap := &Snapshot{Channels: make(map[string]Channel)}
	l.known = make(map[string]int)
	for _, id := range sortedKeys(told) {
		life := told[id]
		seen := taken[id]
		if last := lastThere(life); seen <= last {
			seen = rapid.IntRange(seen, last).Draw(t, id+" as of")
		}
		l.known[id] = seen
		now := step{state: "Down", out: true}
		if id == aCaller {
			now = step{state: "Up"}
		}
		if seen > 0 {
			now = life[seen-1]
		}
		if now.state == "" {
			continue
		}
		c := Channel{ID: id, Name: "PJSIP/" + id, State: now.state, Subscribed: true}
		if !now.out {
			c.App = "hotline"
		}
		snap.Channels[id] = c
	}
	return snap
}

// lastThere is how many steps the channel lives through before it is gone.
func lastThere(life []step) int {
	if n := len(life); n > 0 && life[n-1].state == "" {
		return n - 1
	}
	return len(life)
}
