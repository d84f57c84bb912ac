package call

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/ari"
	"hotline/ivr"
	"hotline/ivr/calendar"
	"hotline/ivr/prompt"
	"hotline/journal"
	"hotline/queue"
	"hotline/recordings"
)

// Journal takes entries; an error means that they were not kept. What is
// appended durably is flushed to the disk on return: a promise to the caller.
// What is noted is on its way, behind all that came before: see [journal.Scribe].
type Journal interface {
	Note(entries ...journal.Entry) error
	Append(ctx context.Context, entries ...journal.Entry) (last int64, err error)
	AppendDurable(ctx context.Context, entries ...journal.Entry) (last int64, err error)
}

// Options are the parts a Service is made of. All are required unless said
// otherwise.
type Options struct {
	Link       *ari.Link
	Queue      Queue
	Journal    Journal
	Reader     *journal.Reader                 // of the same journal, for the calls of an earlier process; nil: there are none
	Claim      func(ctx context.Context) error // makes the journal ours, when Asterisk is; nil: it is already
	Calendar   *calendar.Calendar
	Menus      ivr.Menus
	Messages   ivr.MessageTaker
	Library    *prompt.Library
	Speech     *prompt.Speech
	Recordings *recordings.Store

	SoundsDir   string                   // the library's folder, as Asterisk sees it
	MessageFile func(name string) string // where Asterisk leaves a message, as this machine sees it
	PIN         func(agent, pin string) bool
	Name        string                           // of this service where several share their queues: the Home of its own agents
	Phone       func(agent queue.Profile) string // how Asterisk dials an agent's phone; nil: all are registered here, under their accounts
	Ways        map[string]string                // the other services whose agents' phones Asterisk can be told to ring, each with the name of its endpoint in Asterisk
	Browsers    Browsers                         // where agents take calls without a phone; nil: nowhere
	Who         func(number string) string       // a caller's number as a key that tells nobody what it is, for queue.Caller.Who; nil: one of this process's own
	NetLog      string                           // where the dialplan's net writes down its callers, as this machine sees it; "": nowhere

	AfterRings      int           // rings before the answer, 1 to 3 (B1)
	Record          bool          // whether calls are recorded
	RecordingNotice string        // the prompt that tells the caller so
	RTPTimeout      time.Duration // after so long without sound Asterisk ends a caller's leg as a dead line
	RTPTimeoutAgent time.Duration // … and an agent's
	RatingWait      time.Duration // for the rating's key (A11); 0: nobody is asked
	RatingTries     int           // how often a caller who presses wrong keys is asked; 0: once
	MixTalk         bool          // every talk is mixed, never bridged natively: see docs/recording.md
	Queues          map[string]QueueOptions
	Redial          RedialOptions  // whom we dial again, and who is known again, after a lost line
	Announcements   []Announcement // what the operator can put in force
	Directory       []Entry        // whom agents may call in or transfer to, outside; by the trunk of Redial
	Duty            []string       // agents who are the duty manager, in the order in which they are asked

	Now        func() time.Time      // the wall clock; nil: time.Now
	Logger     *slog.Logger          // nil: slog.Default
	Registerer prometheus.Registerer // nil: no metrics
}

// QueueOptions is what a call needs to know about a queue.
type QueueOptions struct {
	Name          string             // what an agent's phone shows
	PositionEvery int                // position and estimate at every n-th apology; 0: never
	Hours         *calendar.Calendar // when it takes callers, within the hotline's hours; nil: always
}

// Service serves every caller who arrives.
type Service struct {
	o             Options
	log           *slog.Logger
	now           func() time.Time
	link          *ari.Link
	queue         Queue
	journal       Journal
	calendar      *calendar.Calendar
	menus         ivr.Menus
	messages      ivr.MessageTaker
	library       *prompt.Library
	speech        *prompt.Speech
	recordings    *recordings.Store
	metrics       *metrics
	announcements announcements
	holdLists     holdLists
	pins          pinGuard
	net           netLog
	lost          lostLines
	asked         talks
	desks         desks
	order         queue.LineClock // by which callers stand in line
	ways          ways

	suspicion chan struct{} // something may be left in Asterisk; capacity 1
	running   chan struct{} // closed once Run has set what follows
	ctx       context.Context
	giveUp    func() // ends every script without an ending: Asterisk keeps the calls
	scripts   sync.WaitGroup
	fenced    atomic.Bool

	mu         sync.Mutex
	byBack     map[string]*wayBack      // agents who may come back to their last call
	talks      map[string]chan []string // to the talks under way: who is in the bridge
	byNumber   map[string][]*call       // live calls
	live       map[string]int64         // calls under way, each with a place in the journal before its first entry
	endedCalls map[string]endedCall     // not yet confirmed to have left nothing in Asterisk
	inNet      map[string]*netCall      // calls whose caller the dialplan has
	restored   bool                     // the calls of an earlier process have been taken up
	draining   bool
	idle       chan struct{} // closed when draining, and no call is live, nor one of before
	before     int           // calls of an earlier process that have not been taken up; unknown: not known how many
	last       int64         // the newest entry of ours, as far as known
}

// New puts a service together; Run sets it going.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Who == nil {
		o.Who = NewWho([]byte(rand.Text()))
	}
	if o.Browsers == nil {
		o.Browsers = noBrowsers{}
	}
	if o.Phone == nil {
		o.Phone = func(agent queue.Profile) string { return "PJSIP/" + agent.ID }
	}
	s := &Service{
		o: o, log: o.Logger, now: o.Now,
		link: o.Link, queue: o.Queue, journal: o.Journal,
		calendar: o.Calendar, menus: o.Menus, messages: o.Messages,
		library: o.Library, speech: o.Speech, recordings: o.Recordings,
		metrics:   newMetrics(o.Registerer),
		holdLists: holdLists{lists: map[string][]string{}},
		asked:     talks{byCall: map[string]*seat{}},
		desks:     newDesks(),
		ways:      ways{open: slices.Sorted(maps.Keys(o.Ways))},
		pins:      pinGuard{check: o.PIN, wrong: map[string][]time.Time{}},
		byBack:    map[string]*wayBack{}, byNumber: map[string][]*call{}, talks: map[string]chan []string{}, live: map[string]int64{}, endedCalls: map[string]endedCall{}, inNet: map[string]*netCall{},
		suspicion: make(chan struct{}, 1), running: make(chan struct{}),
	}
	s.announcements.known = map[string]Announcement{}
	for _, a := range o.Announcements {
		s.announcements.known[a.Name] = a
	}
	s.link.OnConnect(s.connected)
	return s
}

// Run serves callers until ctx ends, or until another process has taken the
// calls over, and returns when every script has left its call. Calls are not
// hung up: Asterisk keeps them. Run may be called once.
func (s *Service) Run(ctx context.Context) error {
	calls, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	s.ctx, s.giveUp = calls, func() { s.fenced.Store(true); stop(errShutdown) }
	if s.o.Claim == nil { // otherwise another process is at work, and decides until we connect
		if err := s.recallService(ctx); err != nil {
			stop(errShutdown)
			return err
		}
	}
	close(s.running)
	defer context.AfterFunc(ctx, func() { stop(errShutdown) })()
	defer s.scripts.Wait()
	defer stop(errShutdown)
	s.start(s.watchHours)
	s.start(s.watchPhones)
	s.start(s.watchWays)
	s.start(s.watchTalksElsewhere)
	s.start(s.watchAsterisk)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-calls.Done():
			return nil
		case arrival, ok := <-s.link.Arrivals():
			if !ok {
				return nil
			}
			s.start(func(ctx context.Context) { s.receive(&arrival)(ctx) })
		}
	}
}

// start runs part of the service until Run returns.
func (s *Service) start(part func(context.Context)) {
	if s.ctx.Err() == nil {
		s.scripts.Go(func() { part(s.ctx) })
	}
}

// replaced says whether another process has the calls: nothing may be done or
// written any more.
func (s *Service) replaced() bool { return s.fenced.Load() || s.link.Status().Replaced }

// receive tells what kind of caller has arrived, and with that what is to be
// done: the dialplan says so, and what became of the call that the channel was in
// before. The script that it returns keeps nothing of the arrival that it does
// not need: it may wait for an hour.
func (s *Service) receive(arrival *ari.Arrival) (script func(context.Context)) {
	if len(arrival.Args) > 0 && arrival.Args[0] == "agent" {
		return func(ctx context.Context) { s.serveAgent(ctx, *arrival) }
	}
	if s.isOver(arrival) {
		return func(context.Context) { s.forget(*arrival) }
	}
	if left := s.backFromNet(arrival.ChannelID); left != nil {
		return func(ctx context.Context) { s.serveAgain(ctx, left, *arrival) }
	}
	if s.isDraining() {
		return func(ctx context.Context) { s.refer(ctx, *arrival) }
	}
	c := s.newCall(*arrival)
	c.log.Info("caller arrived", "channel_id", arrival.ChannelID)
	return c.serve
}

// isOver says whether a channel is found in Stasis whose call has ended: it could
// not be hung up. One that the dialplan brings back is not, whatever was meant to
// become of it: the caller still wants something.
func (s *Service) isOver(arrival *ari.Arrival) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, ended := range s.endedCalls {
		switch {
		case ended.channel != arrival.ChannelID:
		case arrival.Found:
			return true
		default:
			ended.channel = ""
			s.endedCalls[id] = ended
		}
	}
	return false
}

// forget lets go of a channel of an ended call. The look that has found it ends
// it, and tells so (reconcile.go).
func (s *Service) forget(arrival ari.Arrival) {
	session := s.link.Session("")
	session.Adopt(arrival)
	session.Close()
}

// refer leaves a new caller to the dialplan's net, which has a tone and an
// apology of its own and tries the next process.
func (s *Service) refer(ctx context.Context, arrival ari.Arrival) {
	session := s.link.Session(newID(s.now()))
	defer session.Close()
	if err := session.Adopt(arrival).Release(ctx); err != nil {
		s.log.Error("a caller was not left to the dialplan's net; the next look tries again", "channel_id", arrival.ChannelID, "err", err)
		s.suspect()
	}
}

// watchHours sends waiting callers to a spoken outcome when closing time comes,
// the hotline's or their queue's own, and tells the queue when it is over. It looks at the wall clock every second, since that clock can jump.
func (s *Service) watchHours(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	closed := map[string]bool{}
	for {
		reason, _ := s.closed()
		for _, rules := range s.queue.Rules() {
			was, is := closed[rules.ID], reason != "" || s.queueClosed(rules.ID)
			closed[rules.ID] = is
			var err error
			switch {
			case is && !was:
				err = s.queue.Close(rules.ID, queue.LapseClosing)
			case was && !is:
				err = s.queue.Reopen(rules.ID)
			}
			if err != nil && !errors.Is(err, queue.ErrUnknownQueue) {
				s.log.Error("closing or opening time did not reach a queue", "queue", rules.ID, "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// alive notes that a call is under way, whose first entry comes after this one.
func (s *Service) alive(id string, after int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.live[id]; !known {
		s.live[id] = after
	}
}

// gone notes that a call is over; its caller's channel is to be gone, too, unless
// it is left to the dialplan's net ("" then). A call that is left to Asterisk is
// not over.
func (s *Service) gone(id, channel string) {
	if s.ctx.Err() != nil || s.replaced() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endedCalls[id] = endedCall{at: time.Now(), after: s.live[id], channel: channel}
	delete(s.live, id)
	s.rest()
}

func (s *Service) isLive(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, live := s.live[id]
	return live
}

// watchJoined has a talk told, with every look at Asterisk, who is in its
// bridge, until the returned function is called.
func (s *Service) watchJoined(id string) (looks <-chan []string, stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	told := make(chan []string, 1)
	s.talks[id] = told
	return told, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.talks, id)
	}
}

// tellJoined tells the talks; one that has not heard yet of the last look needs
// no other.
func (s *Service) tellJoined(snap *ari.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range snap.Bridges {
		if told, talks := s.talks[b.Name]; talks && !b.Of(ear) {
			select {
			case told <- b.Channels:
			default:
			}
		}
	}
}

// Live counts the calls under way.
func (s *Service) Live() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.live) + max(0, s.before)
}

// Drain takes no new work and waits until the calls under way have ended, or
// until ctx ends. New callers are left to the dialplan's net, which keeps them
// for the next process. Before Asterisk has been reached the calls under way are
// those that the journal has.
func (s *Service) Drain(ctx context.Context) error {
	before := s.callsBefore(ctx)
	s.mu.Lock()
	if !s.draining {
		s.draining, s.idle = true, make(chan struct{})
	}
	if !s.restored {
		s.before = before
	}
	s.rest()
	idle := s.idle
	s.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// callsBefore are the calls that an earlier process has left and this one has not
// taken up; unknown where that cannot be read.
func (s *Service) callsBefore(ctx context.Context) int {
	if s.o.Reader == nil || s.Restored() {
		return unknown
	}
	calls, _, err := recall(ctx, s.o.Reader)
	if err != nil {
		s.log.Error("which calls an earlier process has left is known only once Asterisk is reached", "err", err)
		return unknown
	}
	return len(calls)
}

// unknown is a number of calls.
const unknown = -1

// Draining says whether new callers are left to the dialplan's net.
func (s *Service) Draining() bool { return s.isDraining() }

func (s *Service) isDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// Restored says whether the calls of an earlier process have been taken up: until
// then it is not known which calls there are.
func (s *Service) Restored() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.restored
}

// settle notes that they have: from now on it is known which calls there are.
func (s *Service) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restored, s.before = true, 0
	s.rest()
}

// rest ends a drain when no call is left. The lock is held.
func (s *Service) rest() {
	if !s.draining || s.before != 0 || len(s.live) > 0 {
		return
	}
	select {
	case <-s.idle:
	default:
		close(s.idle)
	}
}

// wrote notes how far the journal has come.
func (s *Service) wrote(seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last, seq)
}

// newest is the newest entry of ours, as far as known.
func (s *Service) newest() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// endedCall is a call that has ended, and of which something may be left.
type endedCall struct {
	at      time.Time // when it ended
	after   int64     // a place in the journal before its first entry
	channel string    // the caller's; "" where it is left to the dialplan's net
}

// seen is a place in the journal before which every call has ended and has left
// nothing in Asterisk. The lock is held.
func (s *Service) seen() int64 {
	before := s.last
	for _, after := range s.live {
		before = min(before, after)
	}
	for _, ended := range s.endedCalls {
		before = min(before, ended.after)
	}
	return before + 1
}

// nextLook is when Asterisk is to be looked at again.
func (s *Service) nextLook() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := reconcileEvery
	for _, ended := range s.endedCalls {
		next = min(next, max(time.Until(ended.at.Add(cleanAfter)), time.Second))
	}
	return next
}

// media names a prompt's file for Asterisk.
func (s *Service) media(id string) string { return "sound:" + s.o.SoundsDir + "/" + id }

func (s *Service) files(prompts []string) []string {
	media := make([]string, len(prompts))
	for i, p := range prompts {
		media[i] = s.media(p)
	}
	return media
}

func (s *Service) queueName(id string) string {
	if name := s.o.Queues[id].Name; name != "" {
		return name
	}
	return id
}

// bridgeKind is the bridge in which a talk takes place.
func (s *Service) bridgeKind() string {
	if s.o.MixTalk {
		return "mixing,video_sfu"
	}
	return "mixing"
}

// wayBack is how an agent comes back to one call: with a leg of their own, or
// without (nil), and is rung.
type wayBack struct {
	call string
	back func(*ari.Arrival)
}

// awaitBack lets the agent come back to a call until the returned function is
// called; a later call of the agent's takes its place. back is called at most
// once, from another goroutine, and never after the returned function has
// returned; it must not block.
func (s *Service) awaitBack(agentID, callID string, back func(*ari.Arrival)) (stop func()) {
	way := &wayBack{callID, back}
	s.mu.Lock()
	s.byBack[agentID] = way
	s.mu.Unlock()
	s.desks.changes(agentID)
	return func() {
		s.mu.Lock()
		if s.byBack[agentID] == way {
			delete(s.byBack, agentID)
		}
		s.mu.Unlock()
		s.desks.changes(agentID)
	}
}

// giveBack takes the way back to a call, once; with callID "" to whichever there
// is. It is false where there is none. a is the agent's leg; nil: they are to be
// rung.
func (s *Service) giveBack(agentID, callID string, a *ari.Arrival) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	way, ok := s.byBack[agentID]
	if !ok || callID != "" && way.call != callID {
		return false
	}
	delete(s.byBack, agentID)
	way.back(a)
	return true
}

// Back is the call to which an agent who has hung up may come back; "" for none.
func (s *Service) Back(agentID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if way := s.byBack[agentID]; way != nil {
		return way.call
	}
	return ""
}

// agentID is the account of an agent's phone: PJSIP/1001 is 1001.
func agentID(endpoint string) string {
	_, account, _ := strings.Cut(endpoint, "/")
	return account
}

// silence is the prompts that last for d, in whole seconds.
func silence(d time.Duration) []string {
	var list []string
	for s := int((d + time.Second - 1) / time.Second); s > 0; s -= 10 {
		list = append(list, prompt.Silence(min(s, 10)))
	}
	return list
}

// spoken leaves out what is only there to keep the time.
func spoken(prompts []string) []string {
	heard := make([]string, 0, len(prompts))
	for _, p := range prompts {
		if !strings.HasPrefix(p, "silence.") {
			heard = append(heard, p)
		}
	}
	return heard
}
