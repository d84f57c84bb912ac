package call

import (
	"context"
	"fmt"
	"sync"
	"time"

	"hotline/journal"
)

// Who calls again soon after a lost line is known by the number: whoever was in
// line gets the old place, whoever was in a talk goes to the head of the line
// and, if free, to the same agent (A5). Once for each lost line, and not who
// hung up. Who calls before the loss is noticed: samenumber.go.

// KindReturned is a caller known again, in the stream of the new call.
const KindReturned = "call.returned"

// Returned is a caller who called again after a lost line.
type Returned struct {
	Of    string `json:"of"`    // the call in which the line was lost
	Place Place  `json:"place"` // that the caller gets
}

// lostLines are the callers whose lines were lost a short while ago, by number.
type lostLines struct {
	mu       sync.Mutex
	byNumber map[string]lostLine
}

// lostLine is one of them.
type lostLine struct {
	call  string
	at    time.Time // machine's clock
	place Place     // to be given back
}

// add remembers a lost line, a number's newest, and forgets those that are
// older than keep.
func (l *lostLines) add(number string, lost lostLine, keep time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byNumber == nil {
		l.byNumber = map[string]lostLine{}
	}
	for other, one := range l.byNumber {
		if time.Since(one.at) > keep {
			delete(l.byNumber, other)
		}
	}
	if l.byNumber[number].at.Before(lost.at) {
		l.byNumber[number] = lost
	}
}

// take gives a number's lost line out, once, if it is not older than keep, to a
// call that wants its place and arrived when the line was dead: it goes dead
// before it is noticed, by so much.
func (l *lostLines) take(number string, keep time.Duration, arrived time.Time, before time.Duration, wanted func(Place) bool) (lostLine, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lost, known := l.byNumber[number]
	if !known || arrived.Before(lost.at.Add(-before)) || !wanted(lost.place) { // or it is a colleague's, with the same number
		return lostLine{}, false
	}
	delete(l.byNumber, number)
	return lost, time.Since(lost.at) <= keep
}

// rememberLine remembers a caller whose line was lost while the call was in a
// stage that has something to come back to.
func (c *call) rememberLine(stage string, endings []Ending) {
	keep := c.o.Redial.Remember
	ending := lastOfCaller(endings)
	if keep == 0 || c.number == "" || !lineLost(ending) {
		return
	}
	agent := ""
	if c.agent != nil {
		agent = c.agent.ID
	}
	if place, ok := placeAfter(stage, c.waiting, agent); ok {
		c.lost.add(c.number, lostLine{call: c.id, at: goneAt(ending.Facts.Gone), place: place}, keep)
		c.tellBack()
	}
}

// placeAfter is the place of a caller who comes back after the line was lost in
// a stage; false where there was none.
func placeAfter(stage string, place Place, agent string) (Place, bool) {
	place.Joined, place.Back = time.Time{}, true // the clock of the apologies begins anew
	switch stage {
	case stageWait, stageReturned:
	case stageTalk, stageHold, stageRedial:
		place.Head, place.Prefer = true, agent
	default:
		return Place{}, false
	}
	return place, place.Queue != ""
}

// lastOfCaller is how the caller's last leg ended; the zero Ending where there
// is none.
func lastOfCaller(endings []Ending) (last Ending) {
	for _, e := range endings {
		if e.Leg == legCallerAgain {
			return e
		}
		if e.Leg == legCaller {
			last = e
		}
	}
	return last
}

// lineLost says whether a caller's leg ended by nobody's will: its line failed,
// it went with Asterisk, or it was found gone.
func lineLost(e Ending) bool {
	return e.Who == CallerParty && e.How == LineFailed || e.Who == AsteriskParty || e.Unseen()
}

// returning is where a caller goes on, after the greeting or in line, whose line
// was lost a short while ago, or who had called by so much before that was
// noticed, and wants the place; nil for anybody else, and after closing time.
func (c *call) returning(before time.Duration, wants func(Place) bool) stage {
	if c.number == "" {
		return nil
	}
	lost, known := c.lost.take(c.number, c.o.Redial.Remember, c.started, before, func(p Place) bool { return wants(p) && !c.shutsOut(p) })
	if !known {
		return nil
	}
	c.waiting = lost.place
	c.write(KindReturned, Returned{Of: lost.call, Place: c.waiting})
	c.metrics.returned.Inc()
	return c.returned
}

// gains says whether a place is better than the one this caller has in line. A
// caller who has chosen another queue meanwhile stays in that.
func (c *call) gains(p Place) bool {
	now := c.waiting
	switch {
	case p.Queue != now.Queue:
		return false
	case p.Head || p.Priority > now.Priority:
		return true
	}
	return p.Priority == now.Priority && !p.Since.After(now.Since)
}

// anyPlace is what a caller wants who has none yet.
func anyPlace(Place) bool { return true }

// returned tells callers that we know them, and what they get back.
func (c *call) returned(ctx context.Context) (stage, error) {
	place, word := c.waiting, "return.place"
	if place.Head {
		word = "return.agent"
	}
	c.enter(Reached{Stage: stageReturned, Place: &place})
	if err := c.stopTone(ctx); err != nil { // of one who was in line already
		return nil, err
	}
	if err := c.line.Say(ctx, word); err != nil {
		return nil, err
	}
	return c.wait, nil
}

// mostRecalled bounds how many endings are looked at when the service starts.
const mostRecalled = 10_000

// recallLost reads from the journal whose lines were lost a short while before
// this process, and who of them has not come back yet.
func (s *Service) recallLost(ctx context.Context) error {
	keep := s.o.Redial.Remember
	if keep == 0 {
		return nil
	}
	returned := map[string]bool{}
	query := journal.Query{Kinds: []string{KindEnded, KindReturned}, Since: s.now().Add(-keep), Newest: true, Limit: mostRecalled}
	for e, err := range s.o.Reader.Read(ctx, query) {
		if err != nil {
			return fmt.Errorf("whose line was lost lately is not known: %w", err)
		}
		if d, ok := read[Returned](e); ok && e.Kind == KindReturned {
			returned[d.Of] = true
			continue
		}
		id, _ := callOf(e)
		d, _ := read[Ended](e)
		ending := lastOfCaller(d.Legs)
		at := goneAt(ending.Facts.Gone)
		if returned[id] || !lineLost(ending) || time.Since(at) > keep {
			continue
		}
		number, place, ok, err := s.placeLost(ctx, id)
		if err != nil {
			return err
		}
		if ok && number != "" {
			s.lost.add(number, lostLine{call: id, at: at, place: place}, keep)
		}
	}
	return nil
}

// placeLost is the place of the caller of a call that has ended.
func (s *Service) placeLost(ctx context.Context, id string) (number string, place Place, ok bool, err error) {
	left, last := &standing{id: id}, Reached{}
	for e, err := range s.o.Reader.Read(ctx, journal.Query{Stream: Stream(id)}) {
		if err != nil {
			return "", Place{}, false, fmt.Errorf("which place the caller of call %s had: %w", id, err)
		}
		if left.fold(e); left.stage.Stage != stageEnd {
			last = left.stage
		}
	}
	place, ok = placeAfter(last.Stage, left.place, last.Agent)
	return left.arrived.Number, place, ok, nil
}
