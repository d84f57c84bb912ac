// Package audit reads a journal and says where it does not keep what the service promises: eight checks, I1 to I8, each
// a fold over the same entries in one pass.
//
// It owns the checks and how the kinds of entries look to somebody who only reads. It must not know the writers: all
// it shares with them is the form of an entry, so that a mistake in a writer's type cannot hide itself. What it knows
// of a kind is declared anew in entries.go, and a new result or a new state is written down twice on purpose.
//
// The files: audit.go (the pass), report.go (what comes out), entries.go (the kinds), endings.go (I1), pairs.go (I2),
// order.go (I3), promises.go (I4), recorded.go and wav.go (I5), left.go (I6), chain.go (I7), totals.go (I8).
package audit

import (
	"context"
	"time"

	"hotline/journal"
)

// Options say how much is looked at.
type Options struct {
	// Since leaves out findings and calls of before. The entries of before are read all the same, because what holds
	// later follows from them. Zero is everything.
	Since time.Time

	// Files has recordings and messages looked for on the disk, under the paths that the entries name.
	Files bool

	// Reported returns the totals of the reports, by the names Total…, of calls that arrived at Since or later, from
	// entries whose Seq is at most last. It is asked once, when all is read. nil: nothing is compared.
	Reported func(ctx context.Context, last int64) (map[string]int, error)
}

// Run reads the journal from its first entry to the one that is the last when it begins, beside its writer or without
// one. Memory is bounded by the calls that are alive at the same time. An error means that the journal could not be
// read to its end, or that Reported failed; what the checks find is in the report.
func Run(ctx context.Context, r *journal.Reader, o Options) (*Report, error) {
	a := newAuditor(o)
	broken, err := a.chain.verify(ctx, r)
	if err != nil {
		return nil, err
	}
	for stored, err := range r.Read(ctx, journal.Query{}) {
		if err != nil && broken && ctx.Err() == nil {
			a.chain.unreadable(err) // the place is named already, and what comes before it is judged
			break
		}
		if err != nil {
			return nil, err
		}
		a.step(stored)
	}
	a.end()
	if err := a.totals.compare(ctx, o.Reported, a.last); err != nil {
		return nil, err
	}
	return a.report, nil
}

// check is one fold. It sees every entry in order, and the end.
type check interface {
	see(e *entry)
	end()
}

// auditor is one pass.
type auditor struct {
	report *Report
	clock  *clock
	starts starts
	last   int64
	visits *visits
	totals *totals
	chain  *chain
	pairs  *pairs
	checks []check // in the order in which they see an entry
}

func newAuditor(o Options) *auditor {
	report := &Report{}
	open := func(id, name, means string) tally {
		c := &Check{ID: id, Name: name, Means: means}
		report.Checks = append(report.Checks, c)
		return tally{Check: c, since: o.Since}
	}
	a := &auditor{report: report, clock: &clock{}}
	a.visits = &visits{clock: a.clock, live: map[string]*visit{}}
	endings := newEndings(open("I1", "endings", "every call ended once, with one result and one reason, unless it is still live"), a.visits, a.clock)
	a.pairs = newPairs(open("I2", "pairs", "never two agents for a caller, nor two callers for an agent"), a.visits)
	order := newOrder(open("I3", "order", "in each queue the first in line was offered the agent, restarts included"), a.visits)
	promises := newPromises(open("I4", "promises", "messages are complete, and no promise has two dials in flight"), o.Files)
	recorded := newRecorded(open("I5", "recordings", "every recorded call has its file or a named gap"), o.Files)
	left := newLeft(open("I6", "nothing left", "nothing of a call is left in Asterisk after its end"), a.clock)
	a.chain = newChain(open("I7", "entries", "the entries are complete and unchanged, and each says what its kind has to say"))
	a.totals = newTotals(open("I8", "totals", "the totals of the reports are those of the entries"))
	a.pairs.restarted = order.forget
	a.checks = []check{endings, a.pairs, order, promises, recorded, left, a.chain, a.totals}
	return a
}

func (a *auditor) step(stored journal.Entry) {
	a.report.Entries++
	a.last = stored.Seq
	a.clock.see(stored.At)
	e := read(stored)
	e.starts = a.starts.see(stored)
	e.visit = a.visits.live[e.call]
	for _, c := range a.checks {
		c.see(e)
	}
	for v := a.visits.next(); v != nil; v = a.visits.next() {
		a.leave(v)
	}
}

// leave is the last look at a call before it is forgotten.
func (a *auditor) leave(v *visit) {
	a.pairs.parted(v)
	a.totals.count(v)
}

func (a *auditor) end() {
	for _, c := range a.checks {
		c.end()
	}
	for _, v := range a.visits.live {
		a.totals.count(v)
	}
	a.report.Calls = a.totals.entries[TotalCalls]
}

// clock tells how much time has passed between entries. The service's wall clock can be set, so a step back counts for
// nothing and a step ahead for little: what takes long shows in several entries.
type clock struct {
	at     time.Time
	passed time.Duration
}

// longestStep is the most that counts between two entries.
const longestStep = 30 * time.Second

func (c *clock) see(at time.Time) {
	if step := at.Sub(c.at); !c.at.IsZero() && step > 0 {
		c.passed += min(step, longestStep)
	}
	c.at = at
}

// starts tell where a process begins to write: each writes under an epoch of its own and says service.started. Entries
// of before there was either have the epoch 0, and nothing tells where one process ended and the next began.
type starts struct {
	epoch int64
	named bool // service.started was seen in it
}

func (s *starts) see(e journal.Entry) bool {
	named := e.Kind == kindServiceStarted
	switch {
	case e.Epoch > s.epoch:
		s.epoch, s.named = e.Epoch, named
		return true
	case named && !s.named && s.epoch > 0: // the first entries of the process were others
		s.named = true
		return false
	}
	return named
}

// visit is what is known of a call: all that outlives an entry.
type visit struct {
	id            string
	at            time.Time // of the arrival, by the caller's channel
	arrived, last mark
	ended         mark
	endedAfter    time.Duration // on the clock
	result        outcome       // of the ending
	decided       outcome       // by the stage "end"
	decidedBy     mark
	recording     mark // since when it is recorded
	message       mark
	redial        mark

	// For the totals, from entries that can be read.
	messaged, talked bool
	score            int
}

// visits are the calls that are alive, and those that ended a little while ago: other writers, the queue above all,
// tell of a call's end a little later than the call.
type visits struct {
	clock *clock
	live  map[string]*visit
	ended []*visit // in the order of their ends
}

// remember is how long a call is known after its end.
const remember = time.Minute

// next takes out a call that has been over for long enough; nil when there is none.
func (s *visits) next() *visit {
	if len(s.ended) == 0 || s.clock.passed < s.ended[0].endedAfter+remember {
		return nil
	}
	v := s.ended[0]
	s.ended = s.ended[1:]
	delete(s.live, v.id)
	return v
}

// over says that a call has ended, or is not known any more.
func (s *visits) over(call string) bool {
	v := s.live[call]
	return v == nil || v.ended.seq != 0
}
