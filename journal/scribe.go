package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	// ErrLate says that the disk has not taken the entries yet: they are kept in memory, in order, and are written when
	// it takes them. They are lost only if this process ends before that.
	ErrLate = errors.New("journal: late, the entries are kept in memory")
	// ErrNoRoom says that so many entries wait for the disk that these were dropped.
	ErrNoRoom = errors.New("journal: too many entries wait for the disk, these were dropped")
	// ErrInDoubt says that the disk was at the entries when their writer gave up: they may be found in the journal.
	ErrInDoubt = errors.New("journal: given up while the disk was at it, the entries may still be written")
)

// errSlow is the reason of a lateness that no failure explains, or no longer.
var errSlow = errors.New("the disk has not kept up")

const (
	defaultPatience = 250 * time.Millisecond
	defaultKeep     = 200_000
	// gather is how long a note waits for company: as long as nobody misses it, and long enough that with a few calls a
	// second most notes are written with what somebody waits for, and cost no commit of their own.
	gather = 20 * time.Millisecond
	// A disk that failed is tried again after firstRetry, then after twice as long each time, up to lastRetry.
	firstRetry = 50 * time.Millisecond
	lastRetry  = time.Second
)

// Appender is what a Scribe writes into: a Journal.
type Appender interface {
	Append(ctx context.Context, entries ...Entry) (last int64, err error)
	AppendDurable(ctx context.Context, entries ...Entry) (last int64, err error)
}

// ScribeOptions say how long a Scribe's callers wait and how much it remembers for them.
type ScribeOptions struct {
	Patience   time.Duration         // how long Append waits for the disk; 0 means 250 ms
	Keep       int                   // how many entries wait in memory at most; 0 means 200,000, some 100 MB
	Now        func() time.Time      // the wall clock for entries without a time; nil means time.Now
	Logger     *slog.Logger          // nil means slog.Default
	Registerer prometheus.Registerer // nil means no metrics
}

// Scribe writes a journal for callers who cannot wait for it: calls go on while the disk is full, broken or slow. It is
// one ordered stream for all callers, written by one goroutine; what the disk does not take stays in memory, in its
// order, and is written as soon as it does. All its methods may be called from any goroutine.
type Scribe struct {
	journal  Appender
	patience time.Duration
	keep     int
	now      func() time.Time
	logger   *slog.Logger
	metrics  *scribeMetrics

	wake      chan struct{} // capacity 1: there is something to write, or to end
	hurry     chan struct{} // capacity 1: somebody waits for the next try after a failure
	abandoned context.Context
	abandon   context.CancelFunc
	ended     chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex
	queue   []*letter // in the order of the appends
	tries   int       // of writing, begun so far
	writing int       // how many of the queue's first the disk is at
	kept    int       // entries in the queue
	since   time.Time // when it began to be late; zero while it is not
	behind  chan struct{}
	dropped int   // entries since it began to be late
	fault   error // why the disk did not take the last entries; nil when it did
	final   error // nothing can be written any more
	closed  bool
}

// letter is the entries of one append on their way to the disk.
type letter struct {
	entries []Entry
	durable bool
	noted   bool // nobody waits for it
	came    time.Time
	tries   int          // the tries that had begun when it came
	done    chan outcome // capacity 1, so that the goroutine never waits for a caller
	givenUp bool         // by its caller, who was told that it is in doubt
}

// NewScribe starts a scribe for a journal that nobody else appends to; Close ends it, before the journal is closed.
func NewScribe(j Appender, o ScribeOptions) (*Scribe, error) {
	s := &Scribe{
		journal: j, patience: o.Patience, keep: o.Keep, now: o.Now, logger: o.Logger,
		wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1), ended: make(chan struct{}), behind: make(chan struct{}),
	}
	if s.patience <= 0 {
		s.patience = defaultPatience
	}
	if s.keep <= 0 {
		s.keep = defaultKeep
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.logger == nil {
		s.logger = slog.Default()
	}
	var err error
	if s.metrics, err = newScribeMetrics(o.Registerer, s); err != nil {
		return nil, err
	}
	s.abandoned, s.abandon = context.WithCancel(context.Background())
	go s.run()
	return s, nil
}

// Append writes the entries in one transaction, after everything that was appended before, and returns the sequence
// number of the last. Their data must not be changed afterwards. With no entries it waits for those that were noted.
//
// It waits no longer than the patience, and not at all while the scribe is late: then it returns ErrLate with the reason,
// and the entries are kept. So they are when ctx ends meanwhile. After any other error they are not: entries that no
// journal takes, ErrNoRoom, ErrFenced, ErrStandby, ErrClosed.
func (s *Scribe) Append(ctx context.Context, entries ...Entry) (last int64, err error) {
	l, behind, err := s.take(ctx, &letter{}, entries)
	if err != nil {
		return 0, err
	}
	patience := time.NewTimer(s.patience)
	defer patience.Stop()
	select {
	case o := <-l.done:
		return o.last, o.err
	case <-behind:
	case <-patience.C:
		s.fallBehind(l)
	case <-ctx.Done():
		return l.outcome(fmt.Errorf("%w: %w", ErrLate, context.Cause(ctx)))
	}
	return l.outcome(s.late())
}

// Note writes the entries in one transaction, after everything that was appended before and before everything that is
// appended later, and waits for nothing: they are on their way, and share a commit with what comes within 20 ms. It is
// for what has happened, and never for what is about to be done. After an error they are not kept: see Append.
func (s *Scribe) Note(entries ...Entry) error {
	if len(entries) == 0 {
		return nil
	}
	_, _, err := s.take(context.Background(), &letter{noted: true}, entries)
	return err
}

// AppendDurable writes the entries after everything that was appended before, and returns nil only once they are flushed
// to the disk: for promises. It waits for what is late as long as ctx allows, and tries a disk that failed once more.
// After an error the entries are not kept and nothing was written, with one exception: ErrInDoubt, when ctx ended
// while the disk was writing them.
func (s *Scribe) AppendDurable(ctx context.Context, entries ...Entry) (last int64, err error) {
	if len(entries) == 0 {
		return 0, nil
	}
	l, _, err := s.take(ctx, &letter{durable: true}, entries)
	if err != nil {
		return 0, err
	}
	select {
	case o := <-l.done:
		return o.last, o.err
	case <-ctx.Done():
		return s.withdraw(l, context.Cause(ctx))
	}
}

// outcome is what became of the letter, or what is said of one that is still under way.
func (l *letter) outcome(underWay error) (int64, error) {
	select {
	case o := <-l.done:
		return o.last, o.err
	default:
		return 0, underWay
	}
}

// late is ErrLate with the reason.
func (s *Scribe) late() error {
	if why := s.Err(); why != nil {
		return fmt.Errorf("%w: %w", ErrLate, why)
	}
	return ErrLate // and it has just caught up
}

// take puts a letter with the entries at the end of the queue. behind is closed when nobody may wait for the disk any
// more.
func (s *Scribe) take(ctx context.Context, l *letter, entries []Entry) (_ *letter, behind <-chan struct{}, err error) {
	if ctx.Err() != nil {
		return nil, nil, notTaken(ctx)
	}
	l.entries, l.came, l.done = make([]Entry, len(entries)), time.Now(), make(chan outcome, 1)
	for i, e := range entries {
		if l.entries[i], err = e.accepted(s.now()); err != nil {
			return nil, nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.final != nil:
		return nil, nil, s.final
	case s.closed:
		return nil, nil, ErrClosed
	case s.kept+len(entries) > s.keep:
		return nil, nil, s.drop(len(entries))
	}
	l.tries = s.tries
	s.queue = append(s.queue, l)
	s.kept += len(entries)
	if !l.noted || len(s.queue) == 1 || s.kept >= maxBatch { // otherwise it knows of notes
		signal(s.wake)
	}
	if l.durable || s.since.IsZero() && !l.noted {
		signal(s.hurry)
	}
	return l, s.behind, nil
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is signalled already
	}
}

// drop refuses entries for which there is no room.
func (s *Scribe) drop(entries int) error {
	s.beLate(errSlow)
	if s.dropped == 0 {
		s.logger.Error("journal has no room in memory, entries are dropped until the disk takes some", "kept", s.kept, "err", s.fault)
	}
	s.dropped += entries
	s.metrics.dropped.Add(float64(entries))
	return fmt.Errorf("%w: %d wait, %d dropped so far", ErrNoRoom, s.kept, s.dropped)
}

// withdraw takes back a letter whose caller does not wait any longer.
func (s *Scribe) withdraw(l *letter, why error) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.Index(s.queue, l)
	if at < s.writing { // or it has left the queue, just now
		l.givenUp = at >= 0
		return l.outcome(fmt.Errorf("%w: %w", ErrInDoubt, why))
	}
	s.queue = slices.Delete(s.queue, at, at+1)
	if s.kept -= len(l.entries); s.kept == 0 {
		s.settle()
	}
	return 0, fmt.Errorf("journal: given up before the disk took the entries, nothing was written: %w", errors.Join(why, s.fault))
}

// fallBehind is called when a letter has waited for too long.
func (s *Scribe) fallBehind(l *letter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(l.done) == 0 { // it has not come back at the last moment
		s.beLate(errSlow)
	}
}

// beLate lets everybody go who waits, and nobody wait until it has caught up.
func (s *Scribe) beLate(why error) {
	if s.fault == nil || !errors.Is(why, errSlow) { // a failure says more than the time it took
		s.fault = why
	}
	if !s.since.IsZero() {
		return
	}
	s.since = time.Now()
	close(s.behind)
	s.logger.Error("journal is late, entries are kept in memory until the disk takes them", "entries", s.kept, "err", why)
}

// settle ends a lateness when nothing has waited for longer than anybody may.
func (s *Scribe) settle() {
	if s.since.IsZero() || (len(s.queue) > 0 && time.Since(s.queue[0].came) >= s.patience) {
		return
	}
	s.logger.Info("journal has caught up", "late", time.Since(s.since).Round(time.Millisecond).String(), "dropped", s.dropped)
	s.since, s.dropped, s.behind = time.Time{}, 0, make(chan struct{})
}

// run is the goroutine that writes. It ends when the scribe is closed and everything is written or abandoned, or when
// nothing can be written any more.
func (s *Scribe) run() {
	defer close(s.ended)
	retry := firstRetry
	for {
		batch, company, closed := s.batch()
		if len(batch) == 0 {
			if closed {
				return
			}
			s.await(company)
			continue
		}
		last, err := s.write(batch)
		switch {
		case err == nil:
			s.written(batch, last)
			retry = firstRetry
		case errors.Is(err, ErrFenced), errors.Is(err, ErrClosed):
			s.end(err)
			return
		case s.abandoned.Err() != nil:
			s.end(ErrClosed)
			return
		case errors.Is(err, ErrStandby):
			s.refuse(len(batch), err)
		default:
			s.failed(err)
			s.rest(retry)
			retry = min(2*retry, lastRetry)
		}
	}
}

// await returns when there is something new, or when the notes have waited for company long enough; 0: there are none.
func (s *Scribe) await(company time.Duration) {
	if company == 0 {
		<-s.wake
		return
	}
	timer := time.NewTimer(company)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.wake:
	}
}

// batch is what the next transaction writes: the first letters of the queue, either those that need a flush or those
// that need none, so that nobody waits for the flush another one asked for, and notes with either. Where there are
// only notes, and no reason to hurry, it is nothing yet: company is how long they may wait.
func (s *Scribe) batch() (batch []*letter, company time.Duration, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if company := s.company(); company > 0 {
		return nil, company, false
	}
	entries := 0
	var awaited *letter
	for i, l := range s.queue {
		entries += len(l.entries)
		if i > 0 && (entries > maxBatch || awaited != nil && !l.noted && l.durable != awaited.durable) {
			break
		}
		if awaited == nil && !l.noted {
			awaited = l
		}
		s.writing = i + 1
	}
	s.tries++
	return slices.Clone(s.queue[:s.writing]), 0, s.closed
}

// company is how long what is in the queue may wait for more, 0 for not at all.
func (s *Scribe) company() time.Duration {
	awaited := func(l *letter) bool { return !l.noted }
	if len(s.queue) == 0 || s.closed || !s.since.IsZero() || s.kept >= maxBatch || slices.ContainsFunc(s.queue, awaited) {
		return 0
	}
	return max(gather-time.Since(s.queue[0].came), 0)
}

func (s *Scribe) write(batch []*letter) (last int64, err error) {
	var entries []Entry
	durable := false
	for _, l := range batch {
		entries = append(entries, l.entries...)
		durable = durable || l.durable
	}
	if len(entries) == 0 {
		return 0, nil
	}
	if durable {
		return s.journal.AppendDurable(s.abandoned, entries...)
	}
	return s.journal.Append(s.abandoned, entries...)
}

// written tells the callers of a batch that the disk has it.
func (s *Scribe) written(batch []*letter, last int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range slices.Backward(batch) {
		if l.givenUp {
			s.logger.Warn("journal has entries whose writer had given them up", "seq", last, "kind", l.entries[0].Kind)
		}
		l.done <- outcome{last: last}
		last -= int64(len(l.entries))
	}
	s.forget(len(batch))
	s.fault = nil
	if s.settle(); !s.since.IsZero() {
		s.fault = errSlow
	}
}

// refuse tells the callers of the first letters that nothing was written and nothing will be.
func (s *Scribe) refuse(count int, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.queue[:count] {
		l.done <- outcome{err: why}
	}
	s.forget(count)
	s.settle()
}

// forget takes the first letters out of the queue.
func (s *Scribe) forget(count int) {
	for _, l := range s.queue[:count] {
		s.kept -= len(l.entries)
	}
	clear(s.queue[:count])
	s.queue, s.writing = s.queue[count:], 0
}

// failed keeps what need not be durable, and tells the callers of what does: those who came before the try began.
func (s *Scribe) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing = 0
	s.queue = slices.DeleteFunc(s.queue, func(l *letter) bool {
		if !l.durable || l.tries == s.tries {
			return false
		}
		l.done <- outcome{err: err}
		s.kept -= len(l.entries)
		return true
	})
	if s.fault = err; len(s.queue) > 0 {
		s.beLate(err)
	} else {
		s.settle()
	}
}

// rest waits before the next try.
func (s *Scribe) rest(retry time.Duration) {
	timer := time.NewTimer(retry)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.hurry:
	case <-s.abandoned.Done():
	}
}

// end gives up everything that is not written: nothing ever will be.
func (s *Scribe) end(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.final = why
	for _, l := range s.queue {
		l.done <- outcome{err: why}
	}
	s.queue, s.writing = nil, 0
	if s.kept > 0 && !s.closed { // Close returns it otherwise
		s.logger.Error("journal entries are lost", "entries", s.kept, "err", why)
	}
}

// Err says why the disk does not take what is appended, or ErrFenced; nil when it does.
func (s *Scribe) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err()
}

func (s *Scribe) err() error {
	if s.final != nil {
		return s.final
	}
	return s.fault
}

// Late says how many entries wait in memory, and since when the disk has not kept up; zero when it does.
func (s *Scribe) Late() (count int, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() {
		return 0, time.Time{}
	}
	return s.kept, s.since
}

// Close refuses what comes from now on and writes what is kept, for as long as ctx allows. It returns an error that
// names how many entries could not be written. Its goroutine has ended then, unless the disk does not let go of its last
// write: it ends with that.
func (s *Scribe) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	signal(s.wake)
	signal(s.hurry)
	select {
	case <-s.ended:
	case <-ctx.Done():
	}
	s.abandon()
	s.metrics.unregister()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == 0 {
		return nil
	}
	return fmt.Errorf("journal: closed while %d entries were not written: %w", s.kept, errors.Join(context.Cause(ctx), s.err()))
}
