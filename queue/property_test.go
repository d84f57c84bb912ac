package queue

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// ledger folds recorded changes by rules written anew and slowly: what it
// holds must be what the engine shows, and each change must be allowed by what
// went before.
type ledger struct {
	serves map[string][]string // agent → queues
	states map[string]State
	idle   []string          // ready, reserved and ringing agents, longest idle first
	with   map[string]string // agent → call: reserved, ringing, talking, hold, consult
	thirds map[string]string // agent → call: the same, of those called in
	lines  []Change          // KindJoined of everybody who waits
	held   bool              // between a start and Open
	rules  map[string]Rules

	history map[string][]Change // all of an agent's changes
}

func newLedger(o Options) *ledger {
	l := &ledger{serves: map[string][]string{}, states: map[string]State{}, with: map[string]string{}, thirds: map[string]string{},
		rules: map[string]Rules{}, history: map[string][]Change{}}
	for _, r := range o.Queues {
		l.rules[r.ID] = r
	}
	for _, p := range o.Agents {
		l.serves[p.ID], l.states[p.ID] = p.Queues, StateOffline
	}
	return l
}

// add checks one change and takes it in.
func (l *ledger) add(c Change) error {
	if c.Left != nil {
		half, _ := c.About(c.Left.Agent)
		if err := l.add(half); err != nil {
			return err
		}
		of := l.history[half.Agent]
		of[len(of)-1] = c // which says the same of them
	}
	if c.To != 0 && l.states[c.Agent] != c.From {
		return fmt.Errorf("agent %s goes from %s but was %s", c.Agent, c.From, l.states[c.Agent])
	}
	switch c.Kind {
	case KindJoined:
		if l.agentWith(c.Call) != "" || l.at(c.Call) >= 0 && !c.Again {
			return fmt.Errorf("call %s is there twice", c.Call)
		}
		l.drop(c.Call)
		l.lines = append(l.lines, c)
	case KindOffered:
		if err := l.fair(c); err != nil {
			return err
		}
	case KindConnected:
		found := (c.Cause == CauseFound || l.thirds[c.Agent] == c.Call) && l.with[c.Agent] == "" && l.agentWith(c.Call) == ""
		if l.with[c.Agent] != c.Call && !found {
			return fmt.Errorf("connected to %q, reserved for %q; the call is with %q", c.Call, l.with[c.Agent], l.agentWith(c.Call))
		}
		l.drop(c.Call)
	case KindCalled:
		if who := agentOf(l.thirds, c.Call); who != "" || l.at(c.Call) >= 0 || l.held {
			return fmt.Errorf("called in by call %s, which has %q called in or waits", c.Call, who)
		}
	case KindConsulted:
		found := c.Cause == CauseFound && l.with[c.Agent] == "" && agentOf(l.thirds, c.Call) == ""
		if l.thirds[c.Agent] != c.Call && !found || l.agentWith(c.Call) == "" && c.Cause != CauseFound || !c.Third {
			return fmt.Errorf("the third of call %s, which is with %q and has called in %q", c.Call, l.agentWith(c.Call), agentOf(l.thirds, c.Call))
		}
	case KindHandedOver:
		if with := l.agentWith(c.Call); with != "" || l.thirds[c.Agent] != c.Call {
			return fmt.Errorf("has got call %s, which agent %q has; its third is %q", c.Call, with, agentOf(l.thirds, c.Call))
		}
	case KindRefused:
		if c.Third && l.thirds[c.Agent] == c.Call {
			break
		}
		if l.with[c.Agent] != c.Call || l.at(c.Call) < 0 {
			return fmt.Errorf("refused an offer that was not there")
		}
	case KindLeft, KindLapsed:
		if l.at(c.Call) < 0 || l.agentWith(c.Call) != c.Agent {
			return fmt.Errorf("call %s ended its wait with agent %q, reserved is %q", c.Call, c.Agent, l.agentWith(c.Call))
		}
		l.drop(c.Call)
	}
	if c.Agent != "" {
		l.history[c.Agent] = append(l.history[c.Agent], c)
	}
	if c.To != 0 {
		l.move(c)
	}
	return nil
}

// restored folds what is known of an agent, as far back as is needed and from
// the very beginning: it must be the same.
func (l *ledger) restored(agent string) (Restored, error) {
	all, needed := Restored{Agent: agent}, Restored{Agent: agent}
	for _, c := range l.history[agent] {
		all = all.After(c)
		if c.Settles() {
			needed = Restored{Agent: agent}
		}
		needed = needed.After(c)
	}
	if all != needed {
		return all, fmt.Errorf("agent %s was %+v by all changes, and %+v by those since one that settles it", agent, all, needed)
	}
	return all, nil
}

// fair: the caller is the first of all the agent's queues, the agent the
// longest idle of all who serve the caller's queue, and both are free.
func (l *ledger) fair(c Change) error {
	if l.held {
		return fmt.Errorf("agent %s was offered call %s before the engine was opened", c.Agent, c.Call)
	}
	if a := l.agentWith(c.Call); a != "" {
		return fmt.Errorf("call %s already has agent %s", c.Call, a)
	}
	i := l.at(c.Call)
	if i < 0 {
		return fmt.Errorf("call %s does not wait", c.Call)
	}
	if !slices.Contains(l.serves[c.Agent], c.Queue) {
		return fmt.Errorf("agent %s does not serve %s", c.Agent, c.Queue)
	}
	for _, other := range l.lines {
		free := l.agentWith(other.Call) == "" && slices.Contains(l.serves[c.Agent], other.Queue) && !l.patient(other, c.Agent, c.At)
		if free && l.before(other, l.lines[i]) {
			return fmt.Errorf("agent %s was offered call %s, but %s stands before it", c.Agent, c.Call, other.Call)
		}
	}
	for _, id := range l.idle {
		if l.states[id] == StateReady && slices.Contains(l.serves[id], c.Queue) {
			if id != c.Agent && l.lines[i].Prefer != c.Agent {
				return fmt.Errorf("agent %s was chosen, but %s has been idle for longer", c.Agent, id)
			}
			break
		}
	}
	return nil
}

// patient: the caller may be waiting for another agent, whom they had before.
func (l *ledger) patient(joined Change, agent string, at time.Time) bool {
	wait := l.rules[joined.Queue].PreferFor
	return wait > 0 && joined.Prefer != "" && joined.Prefer != agent && !at.After(joined.At.Add(wait))
}

func (l *ledger) move(c Change) {
	l.states[c.Agent] = c.To
	released := c.To == StateReady && (c.From == StateReserved || c.From == StateRinging)
	onOffer := (c.To == StateReserved || c.To == StateRinging) && c.From != StateWrapUp
	if !released && !onOffer && c.From != c.To {
		l.idle = slices.DeleteFunc(l.idle, func(id string) bool { return id == c.Agent })
		if c.To == StateReady || c.To == StateReserved { // called back: idle from then on, should it come to nothing
			l.idle = append(l.idle, c.Agent)
		}
	}
	delete(l.with, c.Agent)
	delete(l.thirds, c.Agent)
	switch c.To {
	case StateReserved, StateRinging, StateTalking, StateHold, StateConsult:
		if c.Third {
			l.thirds[c.Agent] = c.Call
		} else {
			l.with[c.Agent] = c.Call
		}
	}
}

func (l *ledger) at(call string) int {
	return slices.IndexFunc(l.lines, func(c Change) bool { return c.Call == call })
}

func (l *ledger) drop(call string) {
	l.lines = slices.DeleteFunc(l.lines, func(c Change) bool { return c.Call == call })
}

func (l *ledger) agentWith(call string) string { return agentOf(l.with, call) }

func agentOf(calls map[string]string, call string) string {
	for agent, with := range calls {
		if with == call {
			return agent
		}
	}
	return ""
}

// before is the order of callers written out once more.
func (l *ledger) before(a, b Change) bool {
	if a.Head != b.Head {
		return a.Head
	}
	if x, y := l.asIf(a), l.asIf(b); !x.Equal(y) {
		return x.Before(y)
	}
	if !a.Arrived.Equal(b.Arrived) {
		return a.Arrived.Before(b.Arrived)
	}
	return a.Call < b.Call
}

// asIf is when somebody of ordinary priority would have had to arrive to stand
// there.
func (l *ledger) asIf(joined Change) time.Time {
	aging := l.rules[joined.Queue].Aging
	if aging == 0 {
		aging = DefaultAging
	}
	return joined.Arrived.Add(-time.Duration(joined.Priority) * aging)
}

// world is an engine with its callers and phones, driven at random.
type world struct {
	t       *rapid.T
	e       *Engine
	o       Options
	ledger  *ledger
	fed     chan []Change
	tickets map[string]*Ticket // by call, as long as their caller is on the line
	offers  map[string]*Offer  // by call, the latest
	called  map[string]*Offer  // by agent, the latest by which they were called in
	calls   int
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, tickets: map[string]*Ticket{}, offers: map[string]*Offer{}, called: map[string]*Offer{}, fed: make(chan []Change, 10_000)}
	queues := []string{"a", "b", "c"}
	for _, id := range queues {
		w.o.Queues = append(w.o.Queues, Rules{
			ID:              id,
			MaxWaiting:      rapid.SampledFrom([]int{0, 0, 2, 5}).Draw(t, "max waiting "+id),
			WrapUp:          time.Duration(rapid.IntRange(0, 20).Draw(t, "wrap-up "+id)) * time.Second,
			DeclinePause:    time.Duration(rapid.IntRange(1, 20).Draw(t, "decline pause "+id)) * time.Second,
			MissesBeforeOut: rapid.IntRange(1, 3).Draw(t, "misses "+id),
			Unattended:      30 * time.Second,
			PreferFor:       time.Duration(rapid.SampledFrom([]int{0, 0, 15}).Draw(t, "prefer for "+id)) * time.Second,
			Aging:           time.Duration(rapid.SampledFrom([]int{0, 0, 2}).Draw(t, "aging "+id)) * time.Second,
		})
	}
	for i := range rapid.IntRange(1, 6).Draw(t, "agents") {
		w.o.Agents = append(w.o.Agents, Profile{
			ID:     fmt.Sprint(1001 + i),
			Queues: rapid.SliceOfNDistinct(rapid.SampledFrom(queues), 1, 3, rapid.ID[string]).Draw(t, "queues"),
		})
	}
	w.ledger = newLedger(w.o)
	w.o.Record = func(c []Change) { w.fed <- slices.Clone(c) }
	var err error
	if w.e, err = New(w.o); err != nil {
		t.Fatal(err)
	}
	for _, p := range w.o.Agents {
		if rapid.IntRange(0, 3).Draw(t, "at their desk") > 0 {
			_ = w.e.SignIn(p.ID)
		}
	}
	return w
}

func (w *world) agent() string {
	return rapid.SampledFrom(w.o.Agents).Draw(w.t, "agent").ID
}

func (w *world) queue() string {
	return rapid.SampledFrom(w.o.Queues).Draw(w.t, "queue").ID
}

func pick[T any](t *rapid.T, from map[string]T) T {
	if len(from) == 0 {
		t.Skip("nothing to pick")
	}
	return from[rapid.SampledFrom(slices.Sorted(maps.Keys(from))).Draw(t, "call")]
}

// actions is what people and phones do, sensible or not.
func (w *world) actions() map[string]func(*rapid.T) {
	join := func(t *rapid.T) {
		w.calls++
		id := fmt.Sprintf("call %03d", w.calls)
		if len(w.offers) > 0 && rapid.IntRange(0, 3).Draw(t, "returning") == 0 {
			id = pick(t, w.offers).ticket.Caller().ID
		}
		prefer := ""
		if rapid.IntRange(0, 3).Draw(t, "had an agent before") == 0 {
			prefer = w.agent()
		}
		ticket, err := w.e.Join(Caller{
			ID: id, Queue: w.queue(), Prefer: prefer,
			Priority: rapid.IntRange(0, 2).Draw(t, "priority"),
			Head:     rapid.IntRange(0, 5).Draw(t, "head") == 0,
			Arrived:  time.Now().Add(time.Duration(rapid.IntRange(-3, 3).Draw(t, "arrived")) * time.Second),
		})
		if err == nil {
			w.tickets[id] = ticket
		}
	}
	talk := func(verb func(agent, call string) error) func(*rapid.T) {
		return func(t *rapid.T) { _ = verb(w.agent(), pick(t, w.offers).ticket.Caller().ID) }
	}
	end := func(t *rapid.T) { // the agent's present talk, so that talks do end
		if v, _ := w.e.Agent(w.agent()); v.Call != "" {
			_ = w.e.EndTalk(v.ID, v.Call)
		}
	}
	rejoin := func(t *rapid.T) {
		if v, _ := w.e.Agent(w.agent()); v.Call != "" {
			_ = w.e.Rejoin(v.ID, v.Call)
		}
	}
	fail := func(t *rapid.T) {
		pick(t, w.offers).Failed(rapid.SampledFrom([]Refusal{NoAnswer, Declined, Unreachable, Cancelled}).Draw(t, "refusal"))
	}
	called := func(t *rapid.T) {
		call := pick(t, w.offers).ticket.Caller().ID
		if v, _ := w.e.Agent(w.agent()); v.Call != "" {
			call = v.Call
		}
		if o, err := w.e.Call(w.agent(), call); err == nil {
			w.called[o.Agent.ID] = o
		}
	}
	handOver := func(*rapid.T) {
		v, _ := w.e.Agent(w.agent())
		_ = w.e.HandOver(v.Call, w.agent(), v.ID)
	}
	endConsult := func(*rapid.T) {
		v, _ := w.e.Agent(w.agent())
		_ = w.e.EndConsult(v.ID, v.Call)
	}
	return map[string]func(*rapid.T){
		"call": called, "call in": called, "hand over": handOver, "end consult": endConsult,
		"the called rings":   func(t *rapid.T) { _ = pick(t, w.called).Ringing() },
		"the called comes":   func(t *rapid.T) { _ = pick(t, w.called).Connected() },
		"the called is come": func(t *rapid.T) { _ = pick(t, w.called).Connected() },
		"the called fails": func(t *rapid.T) {
			pick(t, w.called).Failed(rapid.SampledFrom([]Refusal{NoAnswer, Declined, Unreachable, Cancelled}).Draw(t, "refusal"))
		},
		"found third": talk(func(agent, call string) error { return w.e.FoundThird(agent, call, w.queue()) }),
		"join":        join, "join again": join, "and again": join,
		"leave":     func(t *rapid.T) { pick(t, w.tickets).Leave("hang-up") },
		"ringing":   func(t *rapid.T) { _ = pick(t, w.offers).Ringing() },
		"connected": func(t *rapid.T) { _ = pick(t, w.offers).Connected() },
		"answered":  func(t *rapid.T) { _ = pick(t, w.offers).Connected() },
		"failed":    fail,
		"hold":      talk(w.e.Hold), "consult": talk(w.e.Consult), "resume": talk(w.e.Resume), "end": talk(w.e.EndTalk),
		"found":    talk(func(agent, call string) error { return w.e.Found(agent, call, w.queue()) }),
		"end talk": end, "rejoin": rejoin, "rejoin any": talk(w.e.Rejoin),
		"sign in":       func(*rapid.T) { _ = w.e.SignIn(w.agent()) },
		"sign in again": func(*rapid.T) { _ = w.e.SignIn(w.agent()) },
		"sign out":      func(*rapid.T) { _ = w.e.SignOut(w.agent()) },
		"pause":         func(*rapid.T) { _ = w.e.Pause(w.agent(), "lunch") },
		"ready":         func(*rapid.T) { _ = w.e.Ready(w.agent()) },
		"finish":        func(*rapid.T) { _ = w.e.Finish(w.agent()) },
		"reachable":     func(*rapid.T) { _ = w.e.Reachable(w.agent()) },
		"unreachable":   func(*rapid.T) { _ = w.e.Unreachable(w.agent()) },
		"close":         func(*rapid.T) { _ = w.e.Close(w.queue(), LapseClosing) },
		"time passes":   func(t *rapid.T) { time.Sleep(time.Duration(rapid.IntRange(1, 40).Draw(t, "seconds")) * time.Second) },
		"restart":       w.restart,
		"":              w.check,
	}
}

// check holds after every action.
func (w *world) check(t *rapid.T) {
	w.drain(t)
	w.checkAgents(t)
	w.checkIdle(t)
	w.checkCallers(t)
}

// drain takes in what has happened.
func (w *world) drain(t *rapid.T) {
	synctest.Wait()
	for len(w.fed) > 0 {
		for _, c := range <-w.fed {
			if err := w.ledger.add(c); err != nil {
				t.Fatalf("%v\nin %+v", err, c)
			}
		}
	}
	for id, ticket := range w.tickets {
		select {
		case o := <-ticket.Offers():
			if o.Context().Err() == nil {
				w.offers[id] = o
			}
		default:
		}
	}
}

func (w *world) checkAgents(t *rapid.T) {
	withCall := map[string]string{}
	for _, v := range w.e.Agents() {
		if v.State != w.ledger.states[v.ID] {
			t.Fatalf("agent %s is %s, by the changes %s", v.ID, v.State, w.ledger.states[v.ID])
		}
		switch v.State {
		case StateReserved, StateRinging, StateTalking, StateHold, StateConsult:
			part, calls := "own ", w.ledger.with
			if v.Third {
				part, calls = "third ", w.ledger.thirds
			}
			if v.Call != calls[v.ID] || withCall[part+v.Call] != "" {
				t.Fatalf("agent %s is with call %q, by the changes %q; that call also has agent %q", v.ID, v.Call, calls[v.ID], withCall[part+v.Call])
			}
			withCall[part+v.Call] = v.ID
		}
		if v.State == StateReserved || v.State == StateRinging {
			if stuck := time.Since(v.Since); stuck > DefaultRingTimeout+ReportGrace {
				t.Fatalf("agent %s has been %s for %v", v.ID, v.State, stuck)
			}
		}
	}
}

// standing are the ready agents of a queue in order.
func (q *callers) standing() (all []*member) {
	for _, w := range q.crews {
		all = append(all, w.ready.items()...)
	}
	slices.SortFunc(all, readyOrder(q.rules.Strategy))
	return all
}

// checkIdle: the ready agents of a queue stand in the order of the changes.
func (w *world) checkIdle(t *rapid.T) {
	for id, q := range w.e.machine.queues {
		var want, got []string
		for _, agent := range w.ledger.idle {
			if w.ledger.states[agent] == StateReady && slices.Contains(w.ledger.serves[agent], id) {
				want = append(want, agent)
			}
		}
		for _, m := range q.standing() {
			got = append(got, m.agent.profile.ID)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("the ready agents of %s are %q, longest idle first; by the changes %q", id, got, want)
		}
	}
}

func (w *world) checkCallers(t *rapid.T) {
	for _, rules := range w.o.Queues {
		var want []Change
		for _, c := range w.ledger.lines {
			if c.Queue == rules.ID {
				want = append(want, c)
			}
		}
		slices.SortStableFunc(want, func(a, b Change) int { return cmp.Compare(count(w.ledger.before(b, a)), count(w.ledger.before(a, b))) })
		got := w.e.Waiting(rules.ID)
		if len(got) != len(want) {
			t.Fatalf("queue %s holds %d callers, by the changes %d", rules.ID, len(got), len(want))
		}
		for i, v := range got {
			if v.ID != want[i].Call || v.OfferedTo != w.ledger.agentWith(v.ID) || w.tickets[v.ID].Position() != i+1 {
				t.Fatalf("place %d of %s is call %s, offered to %q, position %d; by the changes call %s, offered to %q",
					i+1, rules.ID, v.ID, v.OfferedTo, w.tickets[v.ID].Position(), want[i].Call, w.ledger.agentWith(v.ID))
			}
			if v.OfferedTo == "" && !w.ledger.held {
				w.checkNobodyIdles(t, v)
			}
		}
		if len(got) > 0 && w.e.SignedIn(rules.ID) == 0 && !w.ledger.held {
			t.Fatalf("%d callers wait in %s with nobody signed in", len(got), rules.ID)
		}
	}
}

func (w *world) checkNobodyIdles(t *rapid.T, v CallerView) {
	joined := w.ledger.lines[w.ledger.at(v.ID)]
	for id, state := range w.ledger.states {
		if w.ledger.patient(joined, id, time.Now()) {
			continue
		}
		if state == StateReady && slices.Contains(w.ledger.serves[id], v.Queue) {
			t.Fatalf("call %s waits in %s while agent %s is ready", v.ID, v.Queue, id)
		}
	}
}

// restart ends the engine at this moment and builds a new one from what was
// recorded. The callers who waited come back one by one in whatever order.
func (w *world) restart(t *rapid.T) {
	places := w.places()
	w.e.Stop()
	w.drain(t)
	began := time.Now()
	time.Sleep(time.Duration(rapid.IntRange(0, 30).Draw(t, "seconds away")) * time.Second)

	w.o.Hold, w.ledger.held = true, true
	var err error
	if w.e, err = New(w.o); err != nil {
		t.Fatal(err)
	}
	if err := w.e.Restore(w.lastAgents(t)); err != nil {
		t.Fatalf("restoring: %v", err)
	}
	var ids []string
	for _, list := range places {
		ids = append(ids, list...)
	}
	slices.Sort(ids)
	if len(ids) > 1 {
		ids = rapid.Permutation(ids).Draw(t, "rejoining")
	}
	for _, id := range ids {
		w.rejoin(t, id, time.Since(began))
	}
	w.check(t)
	if got := w.places(); !maps.EqualFunc(got, places, slices.Equal) {
		t.Fatalf("after the restart the callers stand as %q, before as %q", got, places)
	}
	if rapid.IntRange(0, 3).Draw(t, "bustle before opening") == 0 {
		asks := []func(string) error{w.e.SignIn, w.e.SignOut, w.e.Ready, w.e.Reachable, w.e.Unreachable, func(id string) error { return w.e.Pause(id, "lunch") }}
		for range 3 {
			_ = rapid.SampledFrom(asks).Draw(t, "ask")(w.agent())
		}
		time.Sleep(time.Duration(rapid.IntRange(0, 10).Draw(t, "seconds held")) * time.Second)
		w.check(t)
	}
	w.e.Open()
	w.ledger.held = false
	w.check(t)
	w.checkNobodyLost(t, places)
}

// places is who stands where in each queue.
func (w *world) places() map[string][]string {
	places := map[string][]string{}
	for _, r := range w.o.Queues {
		for _, v := range w.e.Waiting(r.ID) {
			places[r.ID] = append(places[r.ID], v.ID)
		}
	}
	return places
}

// lastAgents is what is known of the agents, those who have been idle for
// longest first.
func (w *world) lastAgents(t *rapid.T) []Restored {
	var list []Restored
	for _, id := range slices.Sorted(maps.Keys(w.ledger.history)) {
		r, err := w.ledger.restored(id)
		if err != nil {
			t.Fatal(err)
		}
		if r.State == StateWrapUp {
			r.WrapUpLeft = w.ledger.rules[r.Queue].WrapUp - time.Since(r.Since)
		}
		list = append(list, r)
	}
	slices.SortStableFunc(list, func(a, b Restored) int {
		return cmp.Compare(uint(slices.Index(w.ledger.idle, a.Agent)), uint(slices.Index(w.ledger.idle, b.Agent))) // who is not idle comes last
	})
	return list
}

func (w *world) rejoin(t *rapid.T, id string, away time.Duration) {
	old := w.tickets[id]
	c := old.Caller()
	c.Again, c.Offers, c.Waited = true, old.number, old.waited()
	ticket, err := w.e.Join(c)
	if err != nil {
		t.Fatalf("a caller who waited before the restart: %v", err)
	}
	if ticket.waited() != old.waited() {
		t.Fatalf("call %s has waited for %v, of that %v during the restart; now it is %v", id, old.waited(), away, ticket.waited())
	}
	w.tickets[id] = ticket
}

// checkNobodyLost: whoever stood in line before a restart does so after it,
// unless nobody is there to wait for.
func (w *world) checkNobodyLost(t *rapid.T, before map[string][]string) {
	after := w.places()
	for id, places := range before {
		switch {
		case w.e.SignedIn(id) > 0 && !slices.Equal(after[id], places):
			t.Fatalf("in queue %s stood %q before the restart and %q after", id, places, after[id])
		case w.e.SignedIn(id) == 0:
			for _, call := range places {
				if reason := w.tickets[call].LapseReason(); reason != LapseSignedOut {
					t.Fatalf("call %s waited in %s, where nobody is signed in; it lapsed with %q", call, id, reason)
				}
			}
		}
	}
}

// noDeadline hides testing.T's Deadline, which may not be asked in a bubble.
type noDeadline struct{ testing.TB }

// Whatever people and phones do, in any order: never two agents for a caller,
// nor two callers for an agent; the order is kept; nobody waits while an agent
// who could help is ready; no agent is stuck; the changes alone tell it all, so
// that a restart at any moment changes nothing of it.
func TestAnyCourseOfEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(noDeadline{t}, func(t *rapid.T) {
			w := newWorld(t)
			defer func() { w.e.Stop() }()
			t.Repeat(w.actions())
		})
	})
}
