package call

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"hotline/journal"
)

// OutageCall is a caller whom an outage cut off or turned away, to be called
// back (A4).
type OutageCall struct {
	Call   string    `json:"call"`            // the call's ID; where the service never had the call, the channel's
	At     time.Time `json:"at"`              // when the caller called, or came into the net
	Number string    `json:"number"`          // whole, for who calls back; "" when withheld
	Stage  string    `json:"stage"`           // where it happened: a call's stage, or "net"
	How    string    `json:"how"`             // lost, failed, line-failed (and dialled again in vain); by the net: hung-up, turned-away
	Why    string    `json:"why,omitempty"`   // of what failed; of a redial, what came of it
	Waited float64   `json:"waited"`          // seconds in line, or in the net
	Talked float64   `json:"talked"`          // seconds with an agent, as far as was seen
	Since  string    `json:"since,omitempty"` // what became of the same number later: served, message, rang; "" is nothing
}

// What became of a caller later, the best last.
const (
	SinceRang    = "rang"
	SinceMessage = "message"
	SinceServed  = "served"
)

// stageNet is where callers are whom the dialplan has by itself.
const stageNet = "net"

// OutageKinds are the entries that [Outages] folds.
var OutageKinds = []string{KindArrived, KindStage, KindRedial, KindRedialled, KindMessage, KindEnded, KindNetCaller, KindServiceStarted, KindServiceConnected}

// Outages is a fold of the journal: every caller, and which of them an outage
// cut off or turned away. The zero value is ready; what is folded further
// takes the place of what it was folded from.
type Outages struct {
	calls    map[string]*visit // by ID
	channels map[string]*visit // the same by the caller's channel
	net      map[string]*visit // by channel: callers whom the dialplan had by itself
	gaps     []Gap             // in which the service saw nothing
}

// Gap is a stretch without the service, or without Asterisk.
type Gap struct{ From, To time.Time }

// GapOf is the gap that an entry tells of; false: of none.
func GapOf(e journal.Entry) (g Gap, tells bool) {
	switch e.Kind {
	case KindServiceStarted:
		d, ok := read[ServiceStarted](e)
		return Gap{d.LastSeen, e.At}, ok && !d.LastSeen.IsZero()
	case KindServiceConnected:
		d, ok := read[ServiceConnected](e)
		return Gap{e.At.Add(-time.Duration(d.Away * float64(time.Second))), e.At}, ok
	}
	return Gap{}, false
}

// noticedWithin is how long after a gap what was lost in it has ended.
const noticedWithin = 15 * time.Second

// LastSeen is when somebody last saw what was found to be over at that moment: what
// was lost in a gap may have ended at its beginning, and is noticed at its end.
func (g Gap) LastSeen(found time.Time) time.Time {
	if found.Sub(g.To).Abs() < noticedWithin && g.From.Before(found) {
		return g.From
	}
	return found
}

// visit is what one caller met with.
type visit struct {
	OutageCall
	channel string
	stage   string    // of those the journal has; a call on hold is in talk
	entered time.Time // since when stage goes on
	over    time.Time // when the end was told
	result  string    // "" while it goes on
	message bool      // left one
	redial  string    // what came of it; "" is none
	given   bool      // by the dialplan to the service, which may know more
	cut     bool      // by an outage
	known   time.Time // when the journal had the end
}

// Fold adds an entry. Entries it cannot read and other kinds change nothing.
func (o Outages) Fold(e journal.Entry) Outages {
	if o.calls == nil {
		o = Outages{calls: map[string]*visit{}, channels: map[string]*visit{}, net: map[string]*visit{}}
	}
	switch e.Kind {
	case KindNetCaller:
		if d, ok := read[NetCaller](e); ok && o.net[d.Channel] == nil {
			o.net[d.Channel] = netVisit(e, d)
		}
	case KindServiceStarted, KindServiceConnected:
		if g, tells := GapOf(e); tells {
			o.gaps = append(o.gaps, g)
		}
	default:
		if id, ok := callOf(e); ok {
			o.visit(id, e)
		}
	}
	return o
}

// visit folds an entry of a call of the service's.
func (o Outages) visit(id string, e journal.Entry) {
	v := o.calls[id]
	if v == nil {
		v = &visit{OutageCall: OutageCall{Call: id, At: e.At}, stage: stageRing, entered: e.At}
		o.calls[id] = v
	}
	v.fold(e)
	if e.Kind == KindArrived {
		o.channels[v.channel] = v
	}
}

// callOf is the call that an entry belongs to.
func callOf(e journal.Entry) (id string, ok bool) {
	for _, stream := range e.Streams {
		if id, ok = strings.CutPrefix(stream, Stream("")); ok {
			return id, true
		}
	}
	return "", false
}

// fold adds an entry of the visit's.
func (v *visit) fold(e journal.Entry) {
	switch e.Kind {
	case KindArrived:
		if d, ok := read[Arrived](e); ok {
			v.At, v.entered, v.Number, v.channel = d.At, d.At, d.Number, d.Channel
		}
	case KindStage:
		if d, ok := read[Reached](e); ok && d.Stage != stageEnd {
			v.leave(e.At)
			v.stage, v.entered = d.Stage, e.At
		}
	case KindRedial:
		v.redial = RedialLost // until the outcome is told
	case KindRedialled:
		if d, ok := read[Redialled](e); ok {
			v.redial = d.Outcome
		}
	case KindMessage:
		v.message = true
	case KindEnded:
		if d, ok := read[Ended](e); ok {
			v.end(e, d)
		}
	}
}

// leave counts the stage that is over.
func (v *visit) leave(at time.Time) {
	seconds := max(at.Sub(v.entered).Seconds(), 0)
	switch v.stage {
	case stageWait:
		v.Waited += seconds
	case stageTalk:
		v.Talked += seconds
	}
}

// end folds the end of a call.
func (v *visit) end(e journal.Entry, d Ended) {
	v.result, v.known, v.over, v.Stage = d.Result, e.At, e.At, v.stage
	switch {
	case d.Result == Lost:
		v.cut, v.How, v.Stage = true, Lost, d.Reason
	case d.Result == Failed:
		v.cut, v.How, v.Why = true, Failed, d.Reason
	case v.redial != "" && lastOfCaller(d.Legs).How == LineFailed:
		v.cut, v.How, v.Why = true, LineFailed, v.redial
	case cutOff(d):
		v.cut, v.How = slices.Contains(unserved, v.stage) && !v.message, Lost
	}
}

// CutOff says whether an entry is the end of a call that [Outages] may list as
// cut off.
func CutOff(e journal.Entry) bool {
	if e.Kind != KindEnded {
		return false
	}
	d, ok := read[Ended](e)
	return ok && (d.Result == Lost || d.Result == Failed || cutOff(d) || lastOfCaller(d.Legs).How == LineFailed)
}

// cutOff says whether the caller's line ended and nobody had hung up: it was
// found gone, or it went with Asterisk.
func cutOff(d Ended) bool {
	e := lastOfCaller(d.Legs)
	return e.Unseen() || e.Who == AsteriskParty
}

// netVisit is a caller whom the dialplan had by itself.
func netVisit(e journal.Entry, d NetCaller) *visit {
	v := &visit{
		OutageCall: OutageCall{
			Call: d.Channel, At: d.Entered, Number: d.Number, Stage: stageNet, How: d.End,
			Waited: d.Left.Sub(d.Entered).Seconds(),
		},
		channel: d.Channel, result: d.End, cut: d.End != NetServed, known: e.At,
	}
	switch d.End {
	case NetUnanswered:
		v.Stage, v.How, v.given = stageRing, NetHungUp, true
	case NetGiven:
		v.How, v.given = NetHungUp, true
	}
	return v
}

// all are the visits, newest first, each told once: a call of the service's
// that the net has told of as well is the call, unless the service had let go
// of the caller before.
func (o Outages) all() []*visit {
	visits := slices.Collect(maps.Values(o.calls))
	for channel, v := range o.net {
		call := o.channels[channel]
		if call == nil {
			visits = append(visits, v)
			continue
		}
		told := *v
		told.Call = call.Call
		if !v.given && !(v.cut && call.cut) {
			visits = append(visits, &told)
		}
	}
	slices.SortFunc(visits, func(a, b *visit) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.Call, a.Call)) })
	return visits
}

// Calls are those that an outage cut off or turned away, newest first, of
// which the journal has known since that moment: the callers of a weekend
// without the service are known when it starts again.
func (o Outages) Calls(since time.Time) []OutageCall {
	var list []OutageCall
	later := map[string]string{} // by caller: what became of them after the visit that is looked at
	for _, v := range o.all() {
		became := later[v.caller()]
		if v.cut && !v.known.Before(since) {
			one := *v
			one.leave(o.lastSeen(v))
			one.Since = became
			list = append(list, one.OutageCall)
		}
		later[v.caller()] = better(became, v.got())
	}
	return list
}

// lastSeen is when somebody last looked after a visit that is over.
func (o Outages) lastSeen(v *visit) time.Time {
	seen := v.over
	for _, g := range o.gaps {
		if g.LastSeen(v.known).Before(seen) {
			seen = g.From
		}
	}
	return seen
}

// caller is who visits, as far as can be told: one with a withheld number is
// known by the channel alone.
func (v *visit) caller() string {
	if v.Number == "" {
		return v.channel
	}
	return v.Number
}

// got is what the caller got by this visit.
func (v *visit) got() string {
	switch {
	case v.result == Served && !v.cut: // by the net's means too
		return SinceServed
	case v.message:
		return SinceMessage
	default:
		return SinceRang
	}
}

// better is the better of two things that became of a caller.
func better(a, b string) string {
	order := []string{"", SinceRang, SinceMessage, SinceServed}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}
