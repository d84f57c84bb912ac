package call

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"hotline/call/scene"
	"hotline/journal"
	"hotline/queue"
)

// standing is how far a call has come: a fold of its entries, and all that it
// takes to go on with it in a process that knows nothing else.
type standing struct {
	id       string
	seq      int64 // of the arrival
	last     time.Time
	runs     int // processes that have taken it up so far
	arrived  Arrived
	answered time.Time // machine's clock
	greeted  bool
	stage    Reached // the last one reached
	place    Place   // the last one taken
	outcome  Outcome // so far
	said     *Said   // the last thing begun on the caller's channel
	tone     *ToneBegan
	toneAt   time.Time // of its first entry, on the service's clock
	changed  time.Time // of the last stage or scene, on the same
	parts    []part    // of the recording
	informed bool
	left     *LeftMessage
	talked   string // the agent's leg of the last talk
	rated    *Rated // after it
	state    scene.State
	third    *Called   // of the scene
	watcher  *Watching // of the talk
	path     string
	parted   *Ending // of the agent's leg of the stage talk, once it is over
	callers  *Ending // of the caller's leg, where it was seen
	met      bool    // the agent of the stage talk and the caller have heard each other
	served   bool
	endings  []Ending // of agents' legs
	offers   int
	offered  map[string]string // by offer, the agent
	over     bool

	channel   string  // the caller's, after a redial the new one
	redial    *Redial // the one there was
	redialled string  // what came of it; "" while it is open
}

// fold adds one entry of the call's stream. Entries it cannot read change
// nothing.
func (s *standing) fold(e journal.Entry) {
	s.last = e.At
	if step, known := standingSteps[e.Kind]; known {
		step(s, e)
	}
}

// standingSteps say what each kind of entry means for going on.
var standingSteps = map[string]func(*standing, journal.Entry){
	KindArrived: step(func(s *standing, d Arrived) { s.arrived, s.channel = d, d.Channel }),
	KindStage: step(func(s *standing, d Reached) {
		if d.Stage != stageTalk && d.Stage != stageRedial || d.Leg != s.stage.Leg { // and not the same talk taken up again
			s.met, s.parted, s.state, s.third = false, nil, scene.State{Scene: scene.Talking}, nil
		}
		if d.Stage == stageTalk {
			s.rated, s.talked = nil, d.Leg
		}
		s.stage, s.changed = d, s.last
		if d.Place != nil {
			s.place = *d.Place
		}
		if d.Ending != nil {
			s.callers = d.Ending
		}
		switch {
		case d.Outcome != nil:
			s.outcome = *d.Outcome
		case d.Stage == stageTurnedAway:
			s.outcome = Outcome{TurnedAway, d.Reason}
		case d.Stage == stageMessage && s.outcome == Outcome{}:
			s.outcome = Outcome{Abandoned, stageMessage}
		case d.Stage == stageWait:
			s.outcome = Outcome{}
		}
	}),
	KindAnswered: step(func(s *standing, d Answered) {
		s.answered = s.arrived.Machine.Add(time.Duration(d.After * float64(time.Second)))
	}),
	KindGreeted: step(func(s *standing, _ Greeted) { s.greeted = true }),
	KindRecording: step(func(s *standing, d RecordingStarted) {
		if d.Error != "" && d.Began.IsZero() { // of a version that did not try again
			return
		}
		s.parts = withPart(s.parts, part{n: max(d.Part, 1), began: d.Began, again: s.redialled == RedialAnswered, why: d.Error})
	}),
	KindSaid: step(func(s *standing, d Said) {
		if d.Playback != "" {
			s.said = &d
		}
	}),
	KindChose: step(func(s *standing, d Chose) { s.informed, s.path = s.informed || d.Informed, d.Path }),
	KindToneBegan: step(func(s *standing, d ToneBegan) {
		if s.tone == nil || !s.tone.Machine.Equal(d.Machine) {
			s.toneAt = s.last
		}
		s.tone = &d
	}),
	KindApology: step(func(s *standing, d Apology) {
		if s.tone != nil {
			s.tone.List, s.tone.Apologies = d.List, d.Nth
		}
	}),
	KindTone:     step(func(s *standing, _ Tone) { s.tone = nil }),
	KindTalk:     step(func(s *standing, _ Talk) { s.met, s.served = true, true }),
	KindRejoined: step(func(s *standing, _ Talk) { s.met, s.served = true, true }),
	KindScene: step(func(s *standing, d Scene) {
		s.state, s.third, s.watcher, s.changed = d.State, d.Third, d.Watcher, s.last
	}),
	KindAgentLeft: step(func(s *standing, d AgentLeft) {
		s.endings = append(s.endings, d.Ending)
		if d.Leg == "" || d.Leg == s.stage.Leg { // and not one who had left the talk before
			s.parted = &d.Ending
		}
	}),
	KindRedial: step(func(s *standing, d Redial) {
		s.redial = &d
		s.endings = append(s.endings, d.Ending)
	}),
	KindRedialled: step(func(s *standing, d Redialled) {
		if s.redialled = d.Outcome; d.Outcome == RedialAnswered {
			s.channel = d.Leg
		}
	}),
	KindReturned: step(func(s *standing, d Returned) { s.stage, s.place = Reached{Stage: stageReturned}, d.Place }),
	KindMessage:  step(func(s *standing, d LeftMessage) { s.left = &d }),
	KindResumed:  step(func(s *standing, d Resumed) { s.runs = d.Run }),
	KindEnded:    step(func(s *standing, _ Ended) { s.over = true }),

	queue.KindOffered: step(func(s *standing, d queue.Change) {
		s.offers++
		s.rung(d)
	}),
	queue.KindCalled: step((*standing).rung),
	queue.KindMoved:  step(func(s *standing, d queue.Change) { s.place = s.place.in(d.Into) }),
}

// rung notes whose phone rings for an offer.
func (s *standing) rung(d queue.Change) {
	if s.offered == nil {
		s.offered = map[string]string{}
	}
	s.offered[d.Offer] = d.Agent
}

func step[T any](add func(*standing, T)) func(*standing, journal.Entry) {
	return func(s *standing, e journal.Entry) {
		if data, ok := read[T](e); ok {
			add(s, data)
		}
	}
}

// recall reads how far the calls have come that had not ended when the journal
// was last written, in the order of their arrival, and which calls have ended
// without it having been seen that nothing of them is left in Asterisk.
func recall(ctx context.Context, r *journal.Reader) (calls []*standing, unclean map[string]endedCall, err error) {
	from, err := seenUpTo(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	live := map[string]endedCall{} // as they will be when they have ended
	unclean = map[string]endedCall{}
	query := journal.Query{Kinds: []string{KindArrived, KindEnded, KindServiceClean}, After: from}
	for e, err := range r.Read(ctx, query) {
		if err != nil {
			return nil, nil, fmt.Errorf("which calls were live: %w", err)
		}
		id, _ := callOf(e)
		switch e.Kind {
		case KindArrived:
			arrived, _ := read[Arrived](e)
			for other, ended := range unclean {
				if ended.channel == arrived.Channel { // the dialplan has brought the caller back
					ended.channel = ""
					unclean[other] = ended
				}
			}
			live[id] = endedCall{after: e.Seq - 1, channel: arrived.Channel}
		case KindEnded:
			if ended, known := live[id]; known {
				if d, _ := read[Ended](e); d.Released {
					ended.channel = ""
				}
				unclean[id] = ended
			}
			delete(live, id)
		case KindServiceClean:
			clean, _ := read[ServiceClean](e)
			for _, id := range clean.Calls {
				delete(unclean, id)
			}
		}
	}
	for id, call := range live {
		calls = append(calls, &standing{id: id, seq: call.after + 1})
	}
	slices.SortFunc(calls, func(a, b *standing) int { return int(a.seq - b.seq) })
	return calls, unclean, readThrough(ctx, r, calls)
}

// readThrough folds the entries of calls, which are in the order of their
// arrival: those of many calls in one pass over the journal since the first of
// them arrived, where not much else is in between, and otherwise call by call.
func readThrough(ctx context.Context, r *journal.Reader, calls []*standing) error {
	if len(calls) == 0 {
		return nil
	}
	head, err := journal.Fold(r.Read(ctx, journal.Query{Newest: true, Limit: 1}), 0, func(_ int64, e journal.Entry) int64 { return e.Seq })
	if err != nil {
		return fmt.Errorf("where the journal ends: %w", err)
	}
	if head-calls[0].seq < int64(len(calls))*entriesPerCall {
		byID := make(map[string]*standing, len(calls))
		for _, s := range calls {
			byID[s.id] = s
		}
		return each(r.Read(ctx, journal.Query{After: calls[0].seq - 1}), func(e journal.Entry) {
			if id, _ := callOf(e); byID[id] != nil {
				byID[id].fold(e)
			}
		})
	}
	for _, s := range calls {
		if err := each(r.Read(ctx, journal.Query{Stream: Stream(s.id)}), s.fold); err != nil {
			return err
		}
	}
	return nil
}

// entriesPerCall is how many entries may be read for each that is wanted, before
// looking up one call costs less.
const entriesPerCall = 100

func each(entries iter.Seq2[journal.Entry, error], do func(journal.Entry)) error {
	for e, err := range entries {
		if err != nil {
			return fmt.Errorf("how far the calls had come: %w", err)
		}
		do(e)
	}
	return nil
}

// seenUpTo is a place in the journal before which every call has ended and left
// nothing behind, so that a long journal need not be read whole.
func seenUpTo(ctx context.Context, r *journal.Reader) (int64, error) {
	query := journal.Query{Stream: ServiceStream, Kinds: []string{KindServiceClean}, Newest: true, Limit: 1}
	return journal.Fold(r.Read(ctx, query), 0, func(from int64, e journal.Entry) int64 {
		if d, ok := read[ServiceClean](e); ok {
			return max(d.Seen-1, 0)
		}
		return from
	})
}
