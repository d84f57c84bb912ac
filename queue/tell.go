package queue

import "context"

// outbox holds what has happened and is not yet recorded, and what is told to
// calls once it is.
type outbox struct {
	changes []Change
	offers  []*Offer
	lapses  []*Ticket
	awaited []chan struct{} // closed once the changes are recorded
}

// emptied is the outbox's memory, to be filled again.
func (o *outbox) emptied() outbox {
	clear(o.changes)
	clear(o.offers)
	clear(o.lapses)
	clear(o.awaited)
	return outbox{o.changes[:0], o.offers[:0], o.lapses[:0], o.awaited[:0]}
}

// mostSpare is how many changes' memory is kept for the next time.
const mostSpare = 4096

func (o *outbox) empty() bool {
	return len(o.changes)+len(o.offers)+len(o.lapses)+len(o.awaited) == 0
}

// causes of an offer's end, as its context tells them.
var causes = map[string]error{
	string(NoAnswer): ErrOfferOver, string(Declined): ErrOfferOver, string(Unreachable): ErrOfferOver, string(NoWay): ErrOfferOver,
	string(Cancelled): ErrCallerLeft, ResultWithdrawn: ErrWithdrawn, ResultElsewhere: ErrElsewhere,
	ResultUnreported: ErrUnreported, ResultConnected: nil,
}

// carryOut does what a command has led to, as far as it is for the calls of
// this engine; the lock is held.
func (e *Engine) carryOut(fx *Effects, own bool) {
	for i := range fx.Changes {
		if fx.Changes[i].Kind == KindRemoved {
			e.metrics.forget()
		}
		e.changed(&fx.Changes[i])
	}
	for i := range fx.Offers {
		e.offered(&fx.Offers[i])
	}
	for i := range fx.Over {
		e.over(&fx.Over[i])
	}
	for i := range fx.Waits {
		w := &fx.Waits[i]
		e.ended(w.forOwner(own))
		if w.Reason == LapseUnattended && w.How == WaitLapsed && (i == 0 || fx.Waits[i-1].Queue != w.Queue) {
			e.log.Warn("no agent of the queue is in service, its callers lapse", "queue", w.Queue)
		}
	}
	if own {
		e.metrics.turnedAway(fx.Refused)
	}
}

func (e *Engine) changed(c *Change) {
	if !e.concerns(c) {
		return
	}
	if e.record != nil {
		e.out.changes = append(e.out.changes, e.recorded(*c))
	}
	switch {
	case c.Kind == KindJoined && c.Again:
		e.metrics.of(c.Queue).again.Inc()
	case c.Kind == KindRefused && c.Out:
		e.log.Warn("agent taken out of service after missed offers, until they sign in or make themselves ready", "agent_id", c.Agent)
	}
}

// recorded leaves out of a change that its call or agent is this engine's own.
func (e *Engine) recorded(c Change) Change {
	if c.Left != nil && c.Left.Home == e.owner {
		left := *c.Left
		left.Home = ""
		c.Left = &left
	}
	if c.Owner == e.owner {
		c.Owner = ""
	}
	if c.Home == e.owner {
		c.Home = ""
	}
	return c
}

func (e *Engine) offered(made *OfferMade) {
	t := e.tickets[made.Call]
	if t == nil || made.Called {
		return // another service's caller, or somebody who waits for the answer
	}
	o := &Offer{engine: e, call: made.Call, ticket: t}
	o.fill(made)
	if t.ringing == nil {
		t.ringing = t.only[:0]
	}
	t.ringing, t.number = append(t.ringing, o), o.Number
	e.out.offers = append(e.out.offers, o)
}

// fill completes an offer by what was made of it.
func (o *Offer) fill(made *OfferMade) {
	o.ID, o.Number, o.Agent, o.Queue = made.ID, made.Number, *made.profile, made.Queue
	o.RingTimeout, o.Waited, o.With = made.RingTimeout, made.Waited, made.With
	o.ctx, o.cancel = context.WithCancelCause(context.Background())
}

// calls completes the offer of the one agent whom a command has called in.
func (e *Engine) calls(o *Offer, fx *Effects) {
	for i := range fx.Offers {
		if fx.Offers[i].Called {
			o.fill(&fx.Offers[i])
			e.called[o.ID] = o
		}
	}
}

func (e *Engine) over(was *OfferOver) {
	t, o := e.tickets[was.Call], e.called[was.ID]
	if t == nil && o == nil {
		return
	}
	e.metrics.over(was)
	if was.Result == ResultUnreported {
		e.log.Error("an offer was not reported on and is taken back; so has the call's wait lapsed, if it was in line", "call_id", was.Call, "agent_id", was.Agent)
	}
	if o != nil {
		delete(e.called, was.ID)
		o.end(causes[was.Result])
		return
	}
	for i, o := range t.ringing {
		if o.ID == was.ID {
			t.ringing[i] = t.ringing[len(t.ringing)-1]
			t.ringing = t.ringing[:len(t.ringing)-1]
			o.end(causes[was.Result])
			return
		}
	}
}

func (e *Engine) ended(w WaitEnded) {
	t := e.tickets[w.Call]
	if t == nil {
		return
	}
	e.metrics.waited(&w)
	t.done, t.last = true, w.Queue
	delete(e.tickets, w.Call)
	if w.How == WaitLapsed {
		t.lapseReason = w.Reason
		e.out.lapses = append(e.out.lapses, t)
	}
}

// tell records changes in their order and only then tells the calls, so that
// the journal knows of an offer before a phone rings for it. It is the one
// goroutine of the engine and ends when the engine has stopped and the outbox
// is empty.
func (e *Engine) tell() {
	defer close(e.told)
	for {
		e.mu.Lock()
		out, stopped := e.out, e.stopped
		e.out, e.spare = e.spare, outbox{}
		e.mu.Unlock()

		e.tellRecord(&out)
		for _, recorded := range out.awaited {
			close(recorded)
		}
		for _, o := range out.offers {
			o.deliver()
		}
		for _, t := range out.lapses {
			close(t.lapsed)
		}
		if stopped {
			return
		}
		if cap(out.changes) <= mostSpare {
			e.mu.Lock()
			e.spare = out.emptied()
			e.mu.Unlock()
		}
		<-e.news
	}
}

// tellRecord has the changes recorded: those that somebody waits for, and with
// them all that was noted before, by the time it returns.
func (e *Engine) tellRecord(out *outbox) {
	awaited := len(out.offers)+len(out.lapses)+len(out.awaited) > 0
	switch {
	case e.record == nil:
	case e.note != nil && awaited:
		e.record(out.changes)
	case len(out.changes) == 0:
	case e.note != nil:
		e.note(out.changes)
	default:
		e.record(out.changes)
	}
}

// Recorded waits until what has happened so far is recorded, and no longer than
// ctx lasts: what is then said to be done is not lost with this process.
func (e *Engine) Recorded(ctx context.Context) {
	recorded := make(chan struct{})
	e.mu.Lock()
	e.out.awaited = append(e.out.awaited, recorded)
	e.leave()
	select {
	case <-recorded:
	case <-e.told:
	case <-ctx.Done():
	}
}

// deliver puts the offer in the ticket's channel, in place of those that ended
// unread. Only the goroutine of tell sends there, and there are never more
// offers at once than the channel holds, so it never blocks.
func (o *Offer) deliver() {
	if len(o.ticket.offers) > 0 {
		o.ticket.dropEnded()
	}
	if o.ctx.Err() == nil {
		o.ticket.offers <- o
	}
}

// dropEnded takes the offers out of the channel that have ended.
func (t *Ticket) dropEnded() {
	var live []*Offer
	for {
		select {
		case o := <-t.offers:
			if o.ctx.Err() == nil {
				live = append(live, o)
			}
			continue
		default:
		}
		break
	}
	for _, o := range live {
		t.offers <- o
	}
}
