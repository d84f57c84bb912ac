package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"hotline/call"
	"hotline/call/scene"
	"hotline/ivr"
	"hotline/journal"
	"hotline/queue"
	"hotline/web"
	"hotline/web/region"
)

// What pages show of the past: folds of the journal that go on where they ended,
// so that a look costs what has happened since the one before.

// past implements web.Past.
type past struct {
	book  *journal.Reader
	level func(queueID string) time.Duration // within which a caller is to be answered
	zone  *time.Location
	menus ivr.Menus
	now   func() time.Time
	log   *slog.Logger

	callers *callers

	telling sync.Mutex
	told    map[string]web.Known // by call: what desks were shown

	mu     sync.Mutex
	day    day
	looked time.Time // on the machine's clock
}

func newPast(book *journal.Reader, lines *queue.Engine, menus ivr.Menus, zone *time.Location, now func() time.Time, log *slog.Logger) *past {
	return &past{book: book, zone: zone, menus: menus, now: now, log: log, callers: newCallers(book, now), level: func(id string) time.Duration {
		for _, r := range lines.Rules() {
			if r.ID == id {
				return r.ServiceLevel
			}
		}
		return 0
	}}
}

// day is today so far.
type day struct {
	began    time.Time // midnight
	seq      int64     // of the last entry taken in
	shown    web.Today
	arrived  map[string]bool // calls, and calls in queues
	unserved map[string]bool // calls in queues
	answered map[string]bool
	talks    map[string]*talk // by agent: the last, which may go on
	gaps     []call.Gap       // in which nothing was seen
	served   map[string][]web.Served
	codes    map[string]string // by call
}

// talk is an agent's part in a call.
type talk struct {
	call        string
	since, over time.Time // over is zero while it goes on
	unseen      bool      // nobody saw its end
	credited    time.Duration
}

// lasted is for how long a talk that is over went on, as far as was seen.
func (t *talk) lasted(gaps []call.Gap) time.Duration {
	over := t.over
	for _, g := range gaps {
		if seen := g.LastSeen(t.over); t.unseen && seen.Before(over) {
			over = seen
		}
	}
	return max(0, over.Sub(t.since))
}

// Limits of a look.
const (
	readEvery   = 300 * time.Millisecond
	readWithin  = 2 * time.Second
	believable  = time.Minute // an apology that is later was told by a clock that was set
	mostHistory = 10          // calls of a number that are shown
	mostOfOne   = 50          // … and known
	mostServed  = 100         // calls of an agent that are shown
	mostTold    = 1000        // callers of whom desks were told
	remembered  = 180 * 24 * time.Hour
	readAtOnce  = 500             // arrivals
	knownWithin = 8 * time.Second // from when a history is asked for; the answer has 10 s
	toldWithin  = 250 * time.Millisecond
)

// dayKinds are what a day's figures are made of.
var dayKinds = []string{queue.KindJoined, queue.KindConnected, queue.KindLeft, queue.KindLapsed, queue.KindAgentState, queue.KindHandedOver,
	call.KindApology, call.KindAgentLeft, call.KindEnded, call.KindServiceStarted, call.KindServiceConnected, web.KindWrapped}

// Today is what happened since midnight. Where the journal cannot be read it is
// what was known before.
func (p *past) Today() web.Today {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.looked) < readEvery {
		return p.day.copy()
	}
	now := p.now().In(p.zone)
	if midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, p.zone); !midnight.Equal(p.day.began) {
		p.day = newDay(midnight)
	}
	ctx, cancel := context.WithTimeout(context.Background(), readWithin)
	defer cancel()
	for e, err := range p.book.Read(ctx, journal.Query{Kinds: dayKinds, After: p.day.seq, Since: p.day.began}) {
		if err != nil {
			p.log.Warn("the figures of the day are not up to date", "err", err)
			break
		}
		p.day.take(e, p.zone, p.level)
	}
	p.looked = time.Now()
	return p.day.copy()
}

func newDay(midnight time.Time) day {
	return day{
		began: midnight, arrived: map[string]bool{}, unserved: map[string]bool{}, answered: map[string]bool{}, talks: map[string]*talk{},
		served: map[string][]web.Served{}, codes: map[string]string{},
		shown: web.Today{Queues: map[string]web.QueueDay{}, Agents: map[string]web.AgentDay{}},
	}
}

// copy is for whoever looks meanwhile.
func (d *day) copy() web.Today {
	t := d.shown
	t.Queues, t.Agents = map[string]web.QueueDay{}, map[string]web.AgentDay{}
	for id, q := range d.shown.Queues {
		t.Queues[id] = q
	}
	for id, a := range d.shown.Agents {
		t.Agents[id] = a
	}
	return t
}

// take takes an entry in. The queues' figures are of this service's calls: those
// of another are in its own journal.
func (d *day) take(e journal.Entry, zone *time.Location, level func(string) time.Duration) {
	d.seq = e.Seq
	switch e.Kind {
	case call.KindServiceStarted, call.KindServiceConnected:
		if g, tells := call.GapOf(e); tells {
			d.missed(g)
		}
	case call.KindApology:
		var a call.Apology
		if e.Decode(&a) == nil {
			d.apology(e.At.Sub(a.Due))
		}
	case call.KindAgentLeft:
		var left call.AgentLeft
		if e.Decode(&left) == nil && left.Ending.Unseen() {
			d.unseen(callOf(e), left.Agent)
		}
	case call.KindEnded:
		var ended call.Ended
		if e.Decode(&ended) == nil {
			d.unseen(callOf(e), ended.Unseen()...)
		}
	case web.KindWrapped:
		var w web.Wrapped
		if e.Decode(&w) == nil {
			d.codes[w.Call] = w.Code
		}
	default:
		var c queue.Change
		if e.Decode(&c) == nil {
			c.Kind = e.Kind
			d.changed(c, e.At, zone, level)
		}
	}
}

// changed takes a change in of a queue or an agent.
func (d *day) changed(c queue.Change, at time.Time, zone *time.Location, level func(string) time.Duration) {
	if c.Owner == "" && c.Call != "" {
		d.counted(c, at.In(zone).Hour(), level)
	}
	if c.Left != nil { // who hands a call over, and no longer has it
		if left, there := c.About(c.Left.Agent); there {
			d.turned(left, at)
		}
	}
	if c.Agent != "" && c.To != 0 {
		d.turned(c, at)
	}
}

// counted are the figures of queues.
func (d *day) counted(c queue.Change, hour int, level func(string) time.Duration) {
	switch {
	case c.Kind == queue.KindJoined:
		d.joined(c, hour)
	case c.Kind == queue.KindConnected:
		d.connected(c, hour, time.Duration(c.WaitedMs)*time.Millisecond <= level(c.Queue))
	case d.answered[c.Call]:
	case c.Kind == queue.KindLapsed:
		d.ended(c, level)
	case c.Kind == queue.KindLeft:
		d.ended(c, level)
		d.shown.Hours[hour].Abandoned++
		q := d.shown.Queues[c.Queue]
		q.Abandoned++
		d.shown.Queues[c.Queue] = q
	}
}

// ended is a wait without an answer. Who left within the service level had no time to be
// served, and nobody counts twice in a queue.
func (d *day) ended(c queue.Change, level func(string) time.Duration) {
	place := c.Call + " " + c.Queue
	if d.unserved[place] || time.Duration(c.WaitedMs)*time.Millisecond <= level(c.Queue) {
		return
	}
	d.unserved[place] = true
	q := d.shown.Queues[c.Queue]
	q.Unserved++
	d.shown.Queues[c.Queue] = q
}

func (d *day) apology(late time.Duration) {
	if late > believable || late < -believable {
		return
	}
	d.shown.Apologies.CountToday++
	d.shown.Apologies.WorstMsToday = max(d.shown.Apologies.WorstMsToday, late.Milliseconds())
}

// joined counts a caller once, who may come back to the line or be found again
// by another process.
func (d *day) joined(c queue.Change, hour int) {
	if !d.arrived[c.Call] {
		d.arrived[c.Call] = true
		d.shown.Hours[hour].Arrived++
	}
	if place := c.Call + " " + c.Queue; !d.arrived[place] {
		d.arrived[place] = true
		q := d.shown.Queues[c.Queue]
		q.Arrived++
		d.shown.Queues[c.Queue] = q
	}
}

func (d *day) connected(c queue.Change, hour int, within bool) {
	if d.answered[c.Call] {
		return
	}
	d.answered[c.Call] = true
	d.shown.Hours[hour].Answered++
	q := d.shown.Queues[c.Queue]
	q.Answered++
	if within {
		q.Within++
	}
	d.shown.Queues[c.Queue] = q
}

// turned counts an agent's talks, and for how long they last. Who is called in
// to another's call is credited from when the call is theirs.
func (d *day) turned(c queue.Change, at time.Time) {
	if c.Third {
		return
	}
	t := d.talks[c.Agent]
	goesOn := t != nil && t.over.IsZero()
	switch {
	case c.To.InTalk() && !goesOn:
		d.talks[c.Agent] = &talk{call: c.Call, since: at}
		given := c.Kind == queue.KindConnected || c.Kind == queue.KindHandedOver
		if given && c.Cause != queue.CauseFound { // found: it began before a restart
			a := d.shown.Agents[c.Agent]
			a.Calls++
			d.shown.Agents[c.Agent] = a
			list := append(d.served[c.Agent], web.Served{Call: c.Call, At: at.UTC(), Queue: c.Queue})
			d.served[c.Agent] = list[max(0, len(list)-mostServed):]
		}
	case !c.To.InTalk() && goesOn:
		t.over = at
		d.credit(c.Agent)
	}
}

// credit gives an agent what is known by now of how long their last talk was.
func (d *day) credit(agentID string) {
	t := d.talks[agentID]
	lasted := t.lasted(d.gaps)
	more := lasted - t.credited
	t.credited = lasted
	a := d.shown.Agents[agentID]
	a.Talk += more
	d.shown.Agents[agentID] = a
	if row := servedIn(d.served[agentID], t.call); row != nil {
		row.TalkMs += more.Milliseconds()
	}
}

// unseen takes from agents the time in which their talk with a call may have been
// over already: nobody saw its end.
func (d *day) unseen(callID string, agentIDs ...string) {
	for _, id := range agentIDs {
		if t := d.talks[id]; t != nil && t.call == callID {
			if t.unseen = true; !t.over.IsZero() {
				d.credit(id)
			}
		}
	}
}

// missed takes a stretch in which nothing was seen.
func (d *day) missed(g call.Gap) {
	d.gaps = append(d.gaps, g)
	for id, t := range d.talks {
		if t.unseen && !t.over.IsZero() {
			d.credit(id)
		}
	}
}

// servedIn is the last row of a call; nil: there is none.
func servedIn(list []web.Served, callID string) *web.Served {
	for i := range slices.Backward(list) {
		if list[i].Call == callID {
			return &list[i]
		}
	}
	return nil
}

// Served are an agent's calls of today, newest first.
func (p *past) Served(ctx context.Context, agentID string) ([]web.Served, error) {
	p.Today()
	p.mu.Lock()
	list := slices.Clone(p.day.served[agentID])
	for i := range list {
		list[i].Code = p.day.codes[list[i].Call]
	}
	if t := p.day.talks[agentID]; t != nil && t.over.IsZero() {
		if row := servedIn(list, t.call); row != nil {
			row.TalkMs += max(0, p.now().Sub(t.since)).Milliseconds()
		}
	}
	p.mu.Unlock()
	slices.Reverse(list)
	for i := range list {
		list[i].Number = callersNumber(ctx, p.book, list[i].Call)
	}
	return list, ctx.Err()
}

// callers are which calls came from one number. Numbers are keys that this
// process alone can make. What is read goes on where it ended, in steps: whoever
// looks meanwhile waits for one of them, and no desk waits at all.
type callers struct {
	book *journal.Reader
	now  func() time.Time
	who  func(string) string

	reading sync.Mutex // one step at a time
	seq     int64      // of the last arrival that was read

	mu    sync.Mutex
	calls map[string][]string // oldest first
	many  map[string]int
}

func newCallers(book *journal.Reader, now func() time.Time) *callers {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // which never fails
	return &callers{book: book, now: now, who: call.NewWho(secret), calls: map[string][]string{}, many: map[string]int{}}
}

// known takes in who has arrived since the last look. rest is called after each
// step but the last.
func (c *callers) known(ctx context.Context, rest func(after time.Duration)) error {
	for ctx.Err() == nil {
		began := time.Now()
		if more, err := c.step(ctx); err != nil || !more {
			return err
		}
		rest(time.Since(began))
	}
	return context.Cause(ctx)
}

// nth is which call of its number a call is, from 1; 0 where others are being read,
// or are to be read first.
func (c *callers) nth(ctx context.Context, number, callID string) int {
	if !c.reading.TryLock() {
		return 0
	}
	more, err := c.read(ctx)
	c.reading.Unlock()
	ids, many := c.of(number)
	at := slices.Index(ids, callID)
	if err != nil || more || at < 0 {
		return 0
	}
	return many - len(ids) + at + 1
}

func (c *callers) step(ctx context.Context) (more bool, err error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	return c.read(ctx)
}

// read reads on; c.reading is held.
func (c *callers) read(ctx context.Context) (more bool, err error) {
	about := journal.Query{Kinds: []string{call.KindArrived}, After: c.seq, Limit: readAtOnce}
	if c.seq == 0 {
		about.Since = c.now().Add(-remembered)
	}
	n := 0
	for e, err := range c.book.Read(ctx, about) {
		if err != nil {
			return false, err
		}
		c.take(e)
		c.seq = e.Seq
		n++
	}
	return n == readAtOnce, nil
}

func (c *callers) take(e journal.Entry) {
	var a call.Arrived
	if e.Decode(&a) != nil || a.Number == "" {
		return
	}
	who, id := c.who(a.Number), callOf(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.many[who]++
	list := append(c.calls[who], id)
	c.calls[who] = list[max(0, len(list)-mostOfOne):]
}

// of are the calls of a number that are known, oldest first, and how many there
// were.
func (c *callers) of(number string) (ids []string, many int) {
	who := c.who(number)
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls[who]), c.many[who]
}

// learn reads where numbers are from and who has called in the past, so that the
// first look after a start need not. It takes half of a processor at most: calls
// come first.
func (p *past) learn(ctx context.Context) {
	region.Load()
	err := p.callers.known(ctx, func(after time.Duration) {
		select {
		case <-time.After(after):
		case <-ctx.Done():
		}
	})
	if err != nil && ctx.Err() == nil {
		p.log.Warn("who has called before is looked up with the next call", "err", err)
	}
}

// callOf is the call that an entry is about.
func callOf(e journal.Entry) string {
	for _, stream := range e.Streams {
		if id, is := strings.CutPrefix(stream, "call/"); is {
			return id
		}
	}
	return ""
}

// History is what is known of the number that a call came from.
func (p *past) History(ctx context.Context, callID string) (web.History, bool, error) {
	arrived, there, err := p.arrival(ctx, callID)
	if err != nil || !there {
		return web.History{}, false, err
	}
	h := web.History{Number: callersNumber(ctx, p.book, callID), Calls: []web.PastCall{}}
	if arrived.Number == "" {
		return h, true, nil
	}
	soon, cancel := context.WithTimeout(ctx, knownWithin)
	defer cancel()
	if err := p.callers.known(soon, func(time.Duration) {}); err != nil {
		return web.History{}, false, err
	}
	ids, many := p.callers.of(arrived.Number)
	for _, id := range slices.Backward(ids) {
		if id == callID || len(h.Calls) == mostHistory {
			continue
		}
		one, err := p.pastCall(ctx, id)
		if err != nil {
			return web.History{}, false, err
		}
		h.Calls = append(h.Calls, one)
	}
	h.More = max(0, many-1-len(h.Calls))
	return h, true, nil
}

// Known is what is known at once of who calls in a call. It is the same as long as
// the call goes on, and looked up once.
func (p *past) Known(callID string) web.Known {
	p.telling.Lock()
	known, there := p.told[callID]
	p.telling.Unlock()
	if there {
		return known
	}
	ctx, cancel := context.WithTimeout(context.Background(), toldWithin)
	defer cancel()
	arrived, there, err := p.arrival(ctx, callID)
	if err != nil || !there {
		return web.Known{}
	}
	if arrived.Number != "" {
		known.Times = p.callers.nth(ctx, arrived.Number, callID)
		known.Region = scene.Names(region.Of(arrived.Number))
		if known.Times == 0 { // so far
			return known
		}
	}
	p.telling.Lock()
	defer p.telling.Unlock()
	if p.told == nil || len(p.told) >= mostTold {
		p.told = map[string]web.Known{}
	}
	p.told[callID] = known
	return known
}

func (p *past) arrival(ctx context.Context, callID string) (a call.Arrived, there bool, err error) {
	about := journal.Query{Stream: call.Stream(callID), Kinds: []string{call.KindArrived}, Limit: 1}
	for e, err := range p.book.Read(ctx, about) {
		if err != nil {
			return a, false, err
		}
		return a, true, e.Decode(&a)
	}
	return a, false, nil
}

func (p *past) pastCall(ctx context.Context, id string) (web.PastCall, error) {
	shown := web.PastCall{Call: id}
	s, err := journal.Fold(p.book.Read(ctx, journal.Query{Stream: call.Stream(id)}), call.Summary{ID: id}, func(s call.Summary, e journal.Entry) call.Summary {
		var notes web.NotesKept
		var wrapped web.Wrapped
		switch {
		case e.Kind == web.KindNotes && e.Decode(&notes) == nil:
			shown.Topic, shown.Notes = notes.Topic, notes.Text
		case e.Kind == web.KindWrapped && e.Decode(&wrapped) == nil:
			shown.Code = wrapped.Code
		}
		return s.Fold(e)
	})
	shown.At, shown.Result, shown.Reason = s.At.UTC(), s.Outcome.Result, s.Outcome.Reason
	shown.Path, shown.Agent, shown.Waited, shown.Rating = strings.Join(p.menus.Words(s.Path), " → "), s.Agent, s.Waited, s.Rating
	return shown, err
}

// Notes are the last that were kept of a call.
func (p *past) Notes(ctx context.Context, callID string) (kept web.NotesKept, there bool, err error) {
	about := journal.Query{Stream: call.Stream(callID), Kinds: []string{call.KindArrived, web.KindNotes}}
	for e, err := range p.book.Read(ctx, about) {
		if err != nil {
			return kept, false, err
		}
		if there = true; e.Kind == web.KindNotes {
			kept = web.NotesKept{}
			if err := e.Decode(&kept); err != nil {
				return kept, false, err
			}
		}
	}
	return kept, there, nil
}
