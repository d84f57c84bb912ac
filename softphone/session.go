package softphone

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pion/webrtc/v3"
)

// Audio is the state of a session's line.
type Audio string

const (
	AudioNone       Audio = "none"       // the page has made no connection yet
	AudioConnecting Audio = "connecting" // it is being made
	AudioOK         Audio = "ok"         // packets come from the browser
	AudioLost       Audio = "lost"       // none have come for a second
)

// Mic is what is known of a page's microphone.
type Mic string

const (
	MicOK     Mic = "ok"
	MicSilent Mic = "silent" // digital silence throughout: a switch on the headset, or the system's
	MicMuted  Mic = "muted"
	MicDenied Mic = "denied" // the page may not use it
	MicNone   Mic = "none"   // there is none
)

var mics = []string{string(MicOK), string(MicSilent), string(MicMuted), string(MicDenied), string(MicNone)}

// Why a session ended.
const (
	WhyBye     = "bye"     // the page said so
	WhyLost    = "lost"    // no socket for 20 s, and no talk that goes on
	WhySlow    = "slow"    // the page did not acknowledge what it was sent
	WhyClosing = "closing" // the gateway was closed: the service ends or restarts, and the page comes again
)

// ErrGone is what verbs of a session return that has ended.
var ErrGone = errors.New("softphone: the session is gone")

// ErrClosed is what the verbs of a gateway return that was closed.
var ErrClosed = errors.New("softphone: the gateway is closed")

// App is what the desk is for. Its methods are called for one session in order,
// one after another; only Do runs beside the others, one act after another.
// They may use the session's verbs, but hold up what comes after them while
// they do not return.
type App interface {
	Opened(s *Session)
	Closed(s *Session, why string) // the last call
	// Do carries out an act of the agent's. A Refusal is told to the page with its
	// code and values, another error as "failed". ctx ends after 10 s, and with
	// the session.
	Do(ctx context.Context, s *Session, id string, order json.RawMessage) error
	Mic(s *Session, state Mic)
	Digit(s *Session, digit rune) // 0-9, *, #, A-D
	Audio(s *Session, state Audio)
}

// maxOrders is how many acts may wait behind one that is being done.
const maxOrders = 16

const doWithin = 10 * time.Second

// Session is one owner's desk and line: what outlives the page's sockets and
// connections, from the first hello to bye, or to 20 s without a socket and
// without sound in a talk. A
// second tab takes the session over. Its methods may be used from any
// goroutine.
type Session struct {
	gateway *Gateway
	owner   string
	line    *line

	seats  chan *socket
	leaves chan *socket
	frames chan framed
	failed chan *peer
	ends   chan string // of capacity 1
	done   chan struct{}

	ctx    context.Context // of what is done for it
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	id      string   // changes whenever a page begins anew
	names   []string // of the page that has the desk, oldest first: see begin
	former  []string // of pages that it was taken over from
	out     *outbox
	desk    json.RawMessage
	still   func() bool // of the ticket of the page that has the desk; nil: always
	audio   Audio
	changed chan struct{} // closed when audio changes

	// Of the session's goroutine alone:
	sock       *socket
	offers     *bucket
	candidates int
	mic        Mic // as the page says
	silent     bool
	orders     chan order
	tells      chan func(App)
	closers    sync.WaitGroup // of peers
}

type framed struct {
	sock *socket
	inbound
}

type order struct {
	out  *outbox // where the answer belongs
	id   string
	body json.RawMessage
}

func newSession(g *Gateway, owner string) *Session {
	s := &Session{
		gateway: g, owner: owner, line: newLine(g.o.Codec, g.figures),
		seats: make(chan *socket), leaves: make(chan *socket), frames: make(chan framed),
		failed: make(chan *peer), ends: make(chan string, 1), done: make(chan struct{}),
		audio: AudioNone, changed: make(chan struct{}), mic: MicOK,
		offers: newBucket(10, 1), orders: make(chan order, maxOrders), tells: make(chan func(App), 64),
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s
}

// Owner is whose session it is, as Ticket was told.
func (s *Session) Owner() string { return s.owner }

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// Show sends the page its desk, any JSON, whole. A desk that the page has not
// been sent yet is replaced; the last one is sent to every page that comes.
func (s *Session) Show(desk any) error {
	data, err := json.Marshal(desk)
	if err != nil {
		return fmt.Errorf("softphone: showing a desk: %w", err)
	}
	if len(data) > MaxFrame {
		return fmt.Errorf("softphone: a desk of %d bytes, more than %d", len(data), MaxFrame)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.desk = data
	s.put(s.out, outbound{Type: typeDesk, Desk: data})
	return nil
}

// put adds a frame to an outbox of the session's.
func (s *Session) put(out *outbox, f outbound) {
	if out != nil && !out.put(f) {
		s.Close(WhySlow)
	}
}

// Allowed says whether the page that has the desk may still, as whoever gave it
// the ticket says: its person may have been signed out meanwhile. What follows
// from it is the App's.
func (s *Session) Allowed() bool {
	s.mu.Lock()
	still := s.still
	s.mu.Unlock()
	return still == nil || still()
}

// named says whether this is the session's name, which nobody knows but the
// page that has it, and whether that page may have the desk still.
func (s *Session) named(id string) (still func() bool, is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.still, same(id, s.id)
}

// takenFrom says whether a page was taken over from that had this name.
func (s *Session) takenFrom(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.former, func(name string) bool { return same(id, name) })
}

// same compares a name with a secret one.
func same(id, name string) bool {
	return id != "" && subtle.ConstantTimeCompare([]byte(id), []byte(name)) == 1
}

// Close ends the session; the page is told why. It does not wait.
func (s *Session) Close(why string) {
	select {
	case s.ends <- why:
	default: // it is ending
	}
}

// Audio is the line's state.
func (s *Session) Audio() Audio {
	state, _ := s.watchAudio()
	return state
}

func (s *Session) watchAudio() (Audio, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.audio, s.changed
}

// Plug connects a port with the line, and returns when the browser is heard. It
// is connected at once, in the place of any other, and stays so while the
// browser's line comes and goes; if ctx or the session ends before the browser
// was heard, it is taken out again.
func (s *Session) Plug(ctx context.Context, p *Port) error {
	if err := s.gateway.plug(s, p); err != nil {
		return err
	}
	for {
		state, changed := s.watchAudio()
		if state == AudioOK {
			return nil
		}
		select {
		case <-changed:
		case <-s.done:
			s.gateway.unplug(s, p)
			return ErrGone
		case <-ctx.Done():
			s.gateway.unplug(s, p)
			return fmt.Errorf("softphone: waiting for the audio of %s, which is %s: %w", s.owner, state, context.Cause(ctx))
		}
	}
}

// Unplug takes a port out of the line again, if it is there.
func (s *Session) Unplug(p *Port) { s.gateway.unplug(s, p) }

// Echo lets the browser hear what it sends, for so long and while no port is
// plugged in; 0 ends it.
func (s *Session) Echo(d time.Duration) { s.line.echo.Store(time.Now().Add(d).UnixNano()) }

// Stats are the session's figures at the moment.
func (s *Session) Stats() Stats { return s.line.stats() }

// deliver hands the session a frame. Only its end keeps it from being taken;
// the socket then ends when the page has been told.
func (s *Session) deliver(sock *socket, f inbound) error {
	select {
	case s.frames <- framed{sock, f}:
		return nil
	case <-s.done:
		<-sock.ctx.Done()
		return context.Cause(sock.ctx)
	}
}

// leave tells the session that a socket is gone.
func (s *Session) leave(sock *socket) {
	select {
	case s.leaves <- sock:
	case <-s.done:
	}
}

// run is the session's life; the application's calls end after it.
func (s *Session) run() {
	var others sync.WaitGroup
	others.Go(s.tell)
	others.Go(s.carryOut)
	s.tells <- func(a App) { a.Opened(s) }

	why := s.live()

	s.gateway.unplug(s, nil)
	s.cancel(ErrGone)
	s.gateway.forget(s)
	close(s.done)
	s.setAudio(AudioNone)
	switch {
	case s.sock == nil:
	case why == WhyClosing:
		s.sock.finish(closeClosing)
	default:
		s.put(s.out, outbound{Type: typeGone, Code: why})
		s.sock.finish(gone(why))
	}
	s.replacePeer(nil)
	s.closers.Wait()
	s.tells <- func(a App) { a.Closed(s, why) }
	close(s.tells)
	close(s.orders)
	others.Wait()
	s.gateway.figures.closed.WithLabelValues(why).Inc()
}

// live handles what happens, one thing after another, until something ends the
// session, and returns what.
func (s *Session) live() (why string) {
	away := time.NewTimer(s.gateway.times.resume)
	defer away.Stop()
	watch := time.NewTicker(s.gateway.times.watch)
	defer watch.Stop()
	report := time.NewTicker(s.gateway.times.report)
	defer report.Stop()
	renew := time.NewTicker(s.gateway.o.TURN.lifetime() / 2)
	defer renew.Stop()
	for {
		select {
		case sock := <-s.seats:
			if s.seat(sock) {
				away.Stop()
			}
		case sock := <-s.leaves:
			if sock == s.sock {
				s.sock = nil
				away.Reset(s.gateway.times.resume)
			}
		case f := <-s.frames:
			s.frame(f)
		case p := <-s.failed:
			if p == s.line.peer.Load() {
				s.replacePeer(nil)
				s.setAudio(AudioLost)
			}
		case <-s.line.sounded:
			s.setAudio(AudioOK)
		case digit := <-s.line.pressed:
			s.tells <- func(a App) { a.Digit(s, digit) }
		case now := <-watch.C:
			s.look(now)
		case now := <-report.C:
			s.line.report(now)
		case now := <-renew.C:
			s.renew(now)
		case <-away.C:
			if !s.talks() {
				return WhyLost
			}
			away.Reset(s.gateway.times.resume)
		case why := <-s.ends:
			return why
		case <-s.gateway.over.Done():
			return WhyClosing
		}
	}
}

// talks says whether a call hears the browser: its sound needs no socket.
func (s *Session) talks() bool { return s.line.port.Load() != nil && s.Audio() == AudioOK }

// seat gives the session's place to a socket. The page that has the desk goes on
// where it was, or begins anew; one that was just loaded takes over. A page that
// comes back by itself takes over from nobody: another may be in use meanwhile.
func (s *Session) seat(sock *socket) (seated bool) {
	defer close(sock.seated)
	s.mu.Lock()
	defer s.mu.Unlock()
	name := sock.hello.Session
	own := name != "" && slices.Contains(s.names, name)
	resumed := own && name == s.id && s.out.resumable(sock.hello.Last)
	switch {
	case name != "" && !own && s.id != "":
		sock.refused = closeTakenOver
		return false
	case sock.whose.named && !resumed:
		sock.refused = closeBadToken
		return false
	}
	switch old := s.sock; {
	case old != nil && own:
		old.end(closeResumed)
	case old != nil:
		s.put(s.out, outbound{Type: typeTakenOver})
		old.finish(closeTakenOver)
	}
	if !resumed {
		s.begin(name, own)
	}
	last := s.out.last()
	sock.out, sock.holder = s.out, s.out.hold()
	sock.first = outbound{Type: typeWelcome, Session: s.id, Resumed: &resumed, Last: &last,
		ICE: s.gateway.o.TURN.servers(rand.Text(), time.Now())}.bytes()
	s.sock, s.still = sock, sock.whose.still
	if !resumed && s.desk != nil {
		s.put(s.out, outbound{Type: typeDesk, Desk: s.desk})
	}
	return true
}

// maxNames is how many names are kept of a page, and of those before it.
const maxNames = 8

// begin gives the session another name, for a page that came with one of before
// or with none. The page may never hear of the new one, as its socket ends before
// the welcome, and comes with the same again: so it is known by each that it has
// had, until another page takes over. s.mu is held.
func (s *Session) begin(cameWith string, own bool) {
	s.id, s.out = rand.Text(), newOutbox()
	if !own {
		s.former, s.names = newest(append(s.former, s.names...)), nil
	}
	if cameWith != "" && len(cameWith) <= len(s.id) { // what is longer is no name of a session
		s.names = append(s.names, cameWith)
	}
	s.names = newest(append(s.names, s.id))
}

func newest(names []string) []string { return names[max(0, len(names)-maxNames):] }

// renew gives a page other credentials for the relay, long before its last lapse.
// One that has no socket is given some when it comes back.
func (s *Session) renew(now time.Time) {
	if s.sock != nil && len(s.gateway.o.TURN.URLs) > 0 {
		s.put(s.out, outbound{Type: typeICE, ICE: s.gateway.o.TURN.servers(rand.Text(), now)})
	}
}

// handlers are the frames that a page may send. What one returns is told to the
// page as a refusal.
var handlers = map[string]func(*Session, inbound) error{
	typeOffer:     (*Session).offer,
	typeCandidate: (*Session).candidate,
	typeDo:        (*Session).do,
	typeMic:       (*Session).micState,
	typeBye:       func(s *Session, _ inbound) error { s.Close(WhyBye); return nil },
}

// frame handles a frame if it is the next of the page that has the desk.
func (s *Session) frame(f framed) {
	if f.sock.out != s.out {
		return // of a page that was taken over from
	}
	switch s.out.arrived(f.Seq) {
	case again:
		return
	case gap:
		s.gateway.complaints.about(closeGap.reason, "owner", s.owner)
		f.sock.end(closeGap)
		return
	}
	handle, known := handlers[f.Type]
	if !known {
		handle = func(*Session, inbound) error { return refusal{code: codeUnknownType, why: "a type that is unknown"} }
	}
	if err := handle(s, f.inbound); err != nil {
		s.refuse(s.out, f.Type, f.ID, err)
	}
}

// refuse tells the page that something is not done.
func (s *Session) refuse(out *outbox, about, id string, err error) {
	answer := outbound{Type: typeRefused, About: clip(about, 64), ID: clip(id, maxID), Code: codeFailed}
	var r Refusal
	if errors.As(err, &r) {
		answer.Code, answer.Values = r.Code(), r.Values()
	}
	if about != typeDo {
		s.gateway.figures.refused.WithLabelValues(answer.Code).Inc()
		s.gateway.complaints.about(answer.Code, "owner", s.owner, "err", err)
	}
	s.put(out, answer)
}

func clip(text string, most int) string { return text[:min(len(text), most)] }

// offer connects the page's RTCPeerConnection: it is one of before, or another
// that takes its place.
func (s *Session) offer(f inbound) error {
	result, err := s.takeOffer(f.SDP)
	if err != nil {
		result = codeNoAnswer
		var r Refusal
		if errors.As(err, &r) {
			result = r.Code()
		} else {
			err = refusal{code: codeNoAnswer, why: err.Error()}
		}
	}
	s.gateway.figures.offers.WithLabelValues(result).Inc()
	return err
}

func (s *Session) takeOffer(text string) (result string, err error) {
	if !s.offers.take(1) {
		return "", refusal{code: codeTooManyOffers, why: "offers come too fast"}
	}
	o, err := readOffer(text, s.gateway.o.Codec)
	if err != nil {
		return "", err
	}
	result = "renegotiation"
	p := s.line.peer.Load()
	if p == nil || p.origin != o.origin {
		result = "connection"
		if p, err = s.gateway.newPeer(s.line, o.origin, s.failed); err != nil {
			return "", err
		}
		s.replacePeer(p)
	}
	answer, err := p.answer(o)
	if err != nil {
		s.replacePeer(nil)
		return "", err
	}
	if result == "renegotiation" && p.ufrag != o.ufrag {
		s.gateway.figures.restarts.Inc()
	}
	p.ufrag = o.ufrag
	s.candidates = 0
	if s.Audio() != AudioOK || result == "connection" {
		s.setAudio(AudioConnecting)
		s.line.awaited.Store(true)
	}
	s.put(s.out, outbound{Type: typeAnswer, SDP: answer})
	return result, nil
}

// replacePeer gives the line to another connection, or to none, and closes the
// one that had it.
func (s *Session) replacePeer(p *peer) {
	if old := s.line.peer.Swap(p); old != nil {
		s.closers.Go(old.close)
	}
}

func (s *Session) candidate(f inbound) error {
	var c *webrtc.ICECandidateInit
	if err := json.Unmarshal(f.Candidate, &c); err != nil && len(f.Candidate) > 0 {
		return refusal{code: codeBadCandidate, why: err.Error()}
	}
	c, err := readCandidate(c)
	if err != nil || c == nil {
		return err
	}
	p := s.line.peer.Load()
	if p == nil {
		return refusal{code: codeNoOffer, why: "a candidate without an offer"}
	}
	if s.candidates++; s.candidates > maxCandidates {
		return refusal{code: codeTooManyCandidates, why: "more candidates than anybody has"}
	}
	if err := p.pc.AddICECandidate(*c); err != nil {
		return refusal{code: codeBadCandidate, why: err.Error()}
	}
	return nil
}

// maxID is how long the page's name for an act may be.
const maxID = 64

func (s *Session) do(f inbound) error {
	if f.ID == "" || len(f.ID) > maxID || len(f.Order) == 0 {
		return refusal{code: codeBadOrder, why: "an act without id or order"}
	}
	select {
	case s.orders <- order{out: s.out, id: f.ID, body: f.Order}:
		return nil
	default:
		return refusal{code: codeBusy, why: "too many acts wait"}
	}
}

// carryOut has the application do one act after another.
func (s *Session) carryOut() {
	for o := range s.orders {
		if s.ctx.Err() != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(s.ctx, doWithin)
		err := s.gateway.o.App.Do(ctx, s, o.id, o.body)
		cancel()
		if err != nil {
			s.refuse(o.out, typeDo, o.id, err)
		} else {
			s.put(o.out, outbound{Type: typeDone, ID: o.id})
		}
	}
}

func (s *Session) micState(f inbound) error {
	if !slices.Contains(mics, f.State) {
		return refusal{code: codeBadMic, why: "no such state"}
	}
	s.mic, s.silent = Mic(f.State), false
	s.line.soundAt.Store(time.Now().UnixNano())
	s.tells <- func(a App) { a.Mic(s, Mic(f.State)) }
	return nil
}

// tell calls the application, one thing after another.
func (s *Session) tell() {
	for call := range s.tells {
		call(s.gateway.o.App)
	}
}

// look notices what does not come: packets, and sound in them.
func (s *Session) look(now time.Time) {
	if s.Audio() != AudioOK {
		return
	}
	if now.Sub(time.Unix(0, s.line.heard.Load())) > s.gateway.times.lost {
		s.line.awaited.Store(true)
		s.setAudio(AudioLost)
		return
	}
	if s.mic != MicOK {
		return // the page knows better
	}
	talking := s.line.port.Load() != nil // before soundAt is read: plugging in sets that first
	soundless := now.Sub(time.Unix(0, s.line.soundAt.Load()))
	switch {
	case talking && !s.silent && soundless > s.gateway.times.silent:
		s.silent = true
		s.tells <- func(a App) { a.Mic(s, MicSilent) }
	case s.silent && soundless < s.gateway.times.silent:
		s.silent = false
		s.tells <- func(a App) { a.Mic(s, MicOK) }
	}
}

// setAudio changes the line's state and tells of it.
func (s *Session) setAudio(state Audio) {
	s.mu.Lock()
	same := s.audio == state
	if !same {
		s.audio = state
		close(s.changed)
		s.changed = make(chan struct{})
	}
	s.mu.Unlock()
	if !same {
		s.tells <- func(a App) { a.Audio(s, state) }
	}
}
