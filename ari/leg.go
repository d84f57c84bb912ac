package ari

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// GoneError is the cause of a leg's context once its channel is no more.
type GoneError struct {
	ChannelID string
	At        time.Time
	Cause     int    // Q.850: 16 normal, 17 busy, 19 no answer, 44 no media …; 0 unknown
	CauseText string // Asterisk's name for it
	TechCause int    // SIP status, 0 when not given
	Lost      bool   // found absent: nobody saw how it ended
}

func (g *GoneError) Error() string {
	if g.Lost {
		return "ari: channel " + g.ChannelID + " is gone, its end was not seen"
	}
	return fmt.Sprintf("ari: channel %s is gone: %d %s", g.ChannelID, g.Cause, g.CauseText)
}

// Evidence is everything known about how a leg ended (B4, E1). It can still
// grow after Gone.
//
// Asterisk 22.10.1 was seen to send, in this order:
//
//	phone's BYE    ChannelHangupRequest, not soft; StasisEnd; ChannelDestroyed 16 (0 for a caller who was in no bridge)
//	caller CANCEL  ChannelHangupRequest, not soft, 127/487; StasisEnd; ChannelDestroyed 127/487
//	our Hangup     ChannelHangupRequest, soft; StasisEnd; ChannelDestroyed with our cause
//	rtp_timeout    ChannelHangupRequest, soft; StasisEnd; ChannelDestroyed 44
//
// PlaybackFinished "failed" comes before StasisEnd if something played. For
// callers, another soft request comes after StasisEnd: that is the dialplan's own end
// and is left out, as is the number in a soft request, a flag and no cause.
type Evidence struct {
	ChannelID  string
	Requests   []HangupSeen    // hang-up requests that Asterisk reported
	Commands   []HangupCommand // hang-ups that this service sent
	LeftAt     time.Time       // last StasisEnd that was no Continue of ours; zero: none
	GoneAt     time.Time       // zero: still there
	Cause      int             // Q.850 cause of the end
	CauseText  string
	TechCause  int       // SIP status of the end, 0 when not given
	DialStatus string    // last status of dialing: "", RINGING, ANSWER, or a Dial… constant
	AnsweredAt time.Time // zero: never answered while we listened
	Lost       bool      // its end was not seen
	RTP        RTP       // what had passed by then
}

// RTP counts the packets of a leg, as Asterisk reports them when it ends; they
// come with channelvars=RTPAUDIOQOS in ari.conf. With cause 44 the last packet
// came rtp_timeout before the end.
type RTP struct {
	Known              bool
	Received, Sent     int // packets, normally of 20 ms
	Lost, LostRemotely int // packets; the second as the phone reported by RTCP
}

// HangupSeen is one ChannelHangupRequest.
type HangupSeen struct {
	At        time.Time
	Soft      bool // asked for by a command or by Asterisk, not by the phone
	Cause     int  // Q.850, 0 when not given or Soft
	TechCause int  // SIP status, 0 when not given
}

// HangupCommand is one Hangup that this service sent.
type HangupCommand struct {
	At     time.Time // the service's clock
	Cause  int
	Reason string
	Err    error // why the command failed; nil once accepted
}

// Leg is one channel of a call. Its verbs may be called from any goroutine and
// return once Asterisk has accepted the command.
type Leg struct {
	link *Link
	id   string
	ctx  context.Context
	end  context.CancelCauseFunc

	mu         sync.Mutex
	session    *Session
	pending    []Event // before Adopt
	name       string
	answered   bool
	ringing    bool
	dialing    bool // Dial was sent, no outcome yet
	held       bool
	unsure     bool // held is a guess: the leg was restored
	made       bool // accepted by Asterisk; true for arrived channels
	inStasis   bool
	subscribed bool
	gone       bool
	entries    int           // times the channel entered Stasis
	continuing bool          // a Continue is under way, or Release was asked for
	changed    chan struct{} // closed when any of the above changes; nil while nobody waits for that
	checking   bool
	playing    []*Playback
	recording  []*Recording
	evidence   Evidence
}

func newLeg(l *Link, id string) *Leg {
	leg := &Leg{link: l, id: id, evidence: Evidence{ChannelID: id}}
	leg.ctx, leg.end = context.WithCancelCause(context.Background())
	return leg
}

// ID is the channel's ID.
func (l *Leg) ID() string { return l.id }

// Name is the channel's name, PJSIP/1001-0000002a; empty until it is known.
func (l *Leg) Name() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.name
}

// Context is cancelled with a *GoneError once the channel is destroyed or found
// absent, or with ErrClosed when the session is closed.
func (l *Leg) Context() context.Context { return l.ctx }

// Answered says whether the channel is up.
func (l *Leg) Answered() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answered
}

// InStasis says whether the channel is in our hands: not with the dialplan, and
// not on its way out.
func (l *Leg) InStasis() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inStasis
}

// Held says whether the phone has the call on hold.
func (l *Leg) Held() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held
}

// Evidence is a copy of what is known by now about the leg's end.
func (l *Leg) Evidence() Evidence {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.evidence
	e.Requests = append([]HangupSeen(nil), e.Requests...)
	e.Commands = append([]HangupCommand(nil), e.Commands...)
	return e
}

// Subscribe asks for the channel's events even after it has left Stasis: only
// then does the end of an arrived channel carry its cause. Legs made by Create
// have it already, and so has the Originator of one. Without it the leg is taken
// for gone when it leaves Stasis after a hang-up request, and the cause is what
// that request said.
func (l *Leg) Subscribe(ctx context.Context) error {
	err := l.link.subscribe(ctx, l.id)
	if err == nil {
		l.markSubscribed()
	}
	return l.verdict(err)
}

func (l *Leg) markSubscribed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.subscribed = true
}

// Ring sends 180 Ringing. The dialplan's Ringing() before Stasis() does the same without
// a request.
func (l *Leg) Ring(ctx context.Context) error {
	return l.post(ctx, opRing, "ring", nil)
}

// Answer answers the channel.
func (l *Leg) Answer(ctx context.Context) error {
	err := l.postAgain(ctx, opAnswer, "answer", nil)
	if err == nil {
		l.mu.Lock()
		l.answered = true
		if l.evidence.AnsweredAt.IsZero() {
			l.evidence.AnsweredAt = time.Now()
		}
		l.mu.Unlock()
	}
	return err
}

// Hangup ends the channel with a Q.850 cause (16 normal, 17 busy, 21 rejected …;
// 0 means 16). The reason is ours and only kept as evidence. A channel that is
// gone already is no error.
func (l *Leg) Hangup(ctx context.Context, cause int, reason string) error {
	if cause == 0 {
		cause = 16
	}
	l.mu.Lock()
	n := len(l.evidence.Commands)
	l.evidence.Commands = append(l.evidence.Commands, HangupCommand{At: time.Now(), Cause: cause, Reason: reason})
	l.mu.Unlock()

	err := l.hangup(ctx, cause)

	l.mu.Lock()
	l.evidence.Commands[n].Err = err
	l.mu.Unlock()
	return l.unlessGone(err)
}

func (l *Leg) hangup(ctx context.Context, cause int) error {
	return l.link.do(ctx, request{
		op: opHangup, target: l.id, method: http.MethodDelete, path: []string{"channels", l.id},
		query: url.Values{"reason_code": {strconv.Itoa(cause)}}, again: true, done: l.hangsUp,
	}, nil)
}

// unlessGone forgives an end that has come already.
func (l *Leg) unlessGone(err error) error {
	if l.verdict(err) != nil && notFound(err) {
		return nil
	}
	return err
}

// hangsUp says whether Asterisk was told to end the leg, as it is by us: no phone
// has asked for it. Told again, it would not know the leg, and nothing would
// tell that it was us.
func (l *Leg) hangsUp(context.Context) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	requests := l.evidence.Requests
	return len(requests) > 0 && requests[0].Soft, nil
}

// SetVar sets a channel variable or calls a dialplan function:
// SetVar(ctx, "HOLD_INTERCEPT(set)", ""). It waits behind a playback on this
// channel: stop that first.
func (l *Leg) SetVar(ctx context.Context, name, value string) error {
	return l.post(ctx, opSetVar, "variable", map[string]string{"variable": name, "value": value})
}

// SetVars sets several variables and functions with one request.
func (l *Leg) SetVars(ctx context.Context, vars map[string]string) error {
	return l.post(ctx, opSetVars, "variables", map[string]any{"variables": vars})
}

// GetVar reads a channel variable or a dialplan function; one that is not set
// is an empty string. It does not wait behind a playback.
func (l *Leg) GetVar(ctx context.Context, name string) (string, error) {
	var out struct{ Value string }
	err := l.link.do(ctx, request{
		op: opGetVar, target: l.id, method: http.MethodGet, path: []string{"channels", l.id, "variable"},
		query: url.Values{"variable": {name}},
	}, &out)
	var e *Error
	if errors.As(err, &e) && e.Message == "Provided variable was not found" {
		return "", nil
	}
	return out.Value, l.verdict(err)
}

// PlayOptions refine Play.
type PlayOptions struct {
	Language string
	Skip     time.Duration // start this far into the first medium
	// ID names the playback, so that another process can stop it; empty: the
	// call's next number. It must not be in use: Asterisk 22 plays both then.
	// Where it is refused as being in use, the playback is taken as begun.
	ID string
}

// Play starts a list of media, like "sound:/abs/path/without/extension", and returns
// once it is accepted. Up to 800 media pass in one request. Several playbacks on
// one leg queue up. Its end is the event PlaybackDone and Playback.Done. Answer,
// Continue, variables and joining a bridge wait behind it; a leg in a bridge
// hears it instead of the bridge.
func (l *Leg) Play(ctx context.Context, media []string, o PlayOptions) (*Playback, error) {
	s, err := l.owner(opPlay)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	entries := l.entries
	l.mu.Unlock()
	path := []string{"channels", l.id, "play"}
	p, err := newPlayback(s, l, o.ID).start(ctx, opPlay, path, media, o)
	if outside(err) && l.until(ctx, func() bool { return l.entries > entries }) == nil {
		p, err = newPlayback(s, l, o.ID).start(ctx, opPlay, path, media, o)
	}
	return p, err
}

// outside says that the dialplan has the channel: where it is to come back, as
// from a Continue that was carried out late, that takes a moment.
func outside(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Conflict() && strings.Contains(e.Message, "not in Stasis")
}

// Continue hands the channel to the dialplan and returns once it is back in
// Stasis. The extension must end in Stasis(): MixMonitor can be started this
// way in 1 ms. The mailbox sees Left and Entered, once each; the StasisEnd at the
// end of a call differs in that a ChannelHangupRequest comes before it. It fails
// when the channel does not come back within RequestTimeout, or goes.
func (l *Leg) Continue(ctx context.Context, context, exten string, priority int) error {
	l.mu.Lock()
	entries := l.entries
	l.continuing = true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.continuing = false
		l.mu.Unlock()
	}()

	body := map[string]any{"context": context, "extension": exten, "priority": priority}
	if err := l.post(ctx, opContinue, "continue", body); err != nil {
		return err
	}
	if err := l.until(ctx, func() bool { return l.entries > entries }); err != nil {
		return &Error{Op: opContinue, Target: l.id, Message: "the channel did not come back to Stasis", Err: err}
	}
	return nil
}

// Release lets go of the channel: the dialplan goes on after Stasis(), where its
// net takes callers. It does not wait for anything; the mailbox sees Left, and
// Entered should the dialplan come back while the session is open.
func (l *Leg) Release(ctx context.Context) error {
	l.mu.Lock()
	l.continuing = true
	l.mu.Unlock()
	return l.post(ctx, opContinue, "continue", nil)
}

// Dial describes a leg to be made.
type Dial struct {
	// ID is the channel's ID, for one that was written down before; empty: the
	// call's next number. If a channel has it already, that is the leg, made by
	// an earlier attempt.
	ID string
	// Role names the leg within the call and becomes part of its ID: "agent".
	Role string
	// Endpoint is Asterisk's: PJSIP/1001.
	Endpoint string
	// CallerName and CallerNumber are what the dialed phone shows: they become
	// CONNECTEDLINE(name,i) and (num,i), and From of the INVITE as they are, in
	// UTF-8. An endpoint's own callerid= does not get in the way.
	CallerName, CallerNumber string
	// Originator is the leg on whose behalf we dial; the new leg is offered its
	// codecs alone, so that nothing is transcoded, and Asterisk subscribes us to
	// the originator. Nil: any codec of the endpoint.
	Originator *Leg
	// Vars are further channel variables and functions.
	Vars map[string]string
}

// Create makes a leg that is in Stasis from the start, so it outlives this
// process, without dialing it yet. A phone without a registered contact is an *Error
// that is Unreachable.
func (s *Session) Create(ctx context.Context, d Dial) (*Leg, error) {
	id := d.ID
	if id == "" {
		id = s.newID(d.Role)
	}
	leg := newLeg(s.link, id)
	leg.subscribed = true
	s.own(id, leg)
	leg.attach(s)

	vars := make(map[string]string, len(d.Vars)+2)
	for k, v := range d.Vars {
		vars[k] = v
	}
	if d.CallerName != "" {
		vars["CONNECTEDLINE(name,i)"] = d.CallerName
	}
	if d.CallerNumber != "" {
		vars["CONNECTEDLINE(num,i)"] = d.CallerNumber
	}
	body := map[string]any{
		"endpoint": d.Endpoint, "app": s.link.o.App, "channelId": id,
		"appArgs":   legMark + "," + s.callID + "," + d.Role,
		"variables": vars,
	}
	if d.Originator != nil {
		body["originator"] = d.Originator.id
	}
	var made channel
	err := s.link.do(ctx, request{op: opCreate, target: id, method: http.MethodPost, path: []string{"channels", "create"}, body: body}, &made)
	if err != nil && !(d.ID != "" && taken(err)) {
		s.disown(id)
		leg.release()
		if mayExist(err) {
			s.link.HangUpStray(id)
		}
		return nil, err
	}
	leg.mu.Lock()
	leg.name, leg.made = made.Name, true
	leg.mu.Unlock()
	if d.Originator != nil {
		d.Originator.markSubscribed()
	}
	return leg, nil
}

// legMark is the first argument with which legs made by Create enter Stasis.
const legMark = "leg"

// Dial rings the phone, at most for timeout (whole seconds, Asterisk's own
// clock, which runs on without us). Progress arrives as Ringing and Answered, or
// as DialFailed and Gone.
//
// Asterisk 22.10.1 was seen to send, after Dial with an empty status:
//
//	answered         Dial RINGING, Dial ANSWER
//	busy (486)       ChannelHangupRequest 17/486, StasisEnd, ChannelDestroyed 17/486
//	declined (603)   ChannelHangupRequest 21/603, StasisEnd, ChannelDestroyed 21/603
//	480 of the phone ChannelHangupRequest 19/480, StasisEnd, ChannelDestroyed 19/480
//	no answer        Dial RINGING; at the timeout ChannelHangupRequest soft, StasisEnd, ChannelDestroyed 19/480
//	silent phone     the same without RINGING
//	our Hangup       ChannelHangupRequest soft, StasisEnd, ChannelDestroyed with our cause
//	no contact       nothing: the create has failed with 500
//
// There is no Dial event with BUSY or NOANSWER: DialFailed is drawn from these.
func (l *Leg) Dial(ctx context.Context, timeout time.Duration) error {
	// A channel can only be dialed once its thread has entered Stasis.
	if err := l.until(ctx, func() bool { return l.entries > 0 }); err != nil {
		return &Error{Op: opDial, Target: l.id, Message: "the channel did not enter Stasis", Err: err}
	}
	l.mu.Lock()
	l.dialing = true
	l.mu.Unlock()
	return l.post(ctx, opDial, "dial", map[string]any{"timeout": seconds(timeout)})
}

// post sends a command to the channel.
func (l *Leg) post(ctx context.Context, op, verb string, body any) error {
	return l.verdict(l.link.do(ctx, l.command(op, verb, body), nil))
}

// postAgain sends one that may be repeated.
func (l *Leg) postAgain(ctx context.Context, op, verb string, body any) error {
	r := l.command(op, verb, body)
	r.again = true
	return l.verdict(l.link.do(ctx, r, nil))
}

func (l *Leg) command(op, verb string, body any) request {
	return request{op: op, target: l.id, method: http.MethodPost, path: []string{"channels", l.id, verb}, body: body}
}

// owner is the session, or an error before Adopt.
func (l *Leg) owner(op string) (*Session, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session == nil {
		return nil, &Error{Op: op, Target: l.id, Message: "the channel belongs to no session: adopt it first"}
	}
	return l.session, nil
}

// until waits for a condition on the fields guarded by mu. It fails with the
// cause of ctx, of the leg's end, or after RequestTimeout.
func (l *Leg) until(ctx context.Context, met func() bool) error {
	timeout := time.NewTimer(l.link.o.RequestTimeout)
	defer timeout.Stop()
	for {
		l.mu.Lock()
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		ok, changed := met(), l.changed
		l.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timeout.C:
			return errNoAnswer
		}
	}
}

// verdict looks at the outcome of a verb: "not found" means that the channel is
// gone, which its event normally says within milliseconds; when none comes the
// leg is marked gone all the same.
func (l *Leg) verdict(err error) error {
	if notFound(err) {
		l.verifySoon()
	}
	return err
}
