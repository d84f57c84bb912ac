package phone

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"hotline/test/ear"
)

// Who ended a call.
const (
	Us   = "us"   // we hung up, cancelled or refused
	Them = "them" // they hung up, cancelled or refused
	Died = "died" // our line was cut
	Lost = "lost" // no answer from the other side at all
)

// End says how a call ended.
type End struct {
	At     time.Duration // since Call.Start
	By     string        // Us, Them, Died or Lost
	Status int           // SIP status of a call that was never up: 486, 487 …
	Reason string        // "BYE", "CANCEL", or the status's words
	Cause  string        // their Reason header, `Q.850;cause=16`
}

func (e End) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", e.By, e.Reason, e.Cause))
}

// Times are the moments of a call; zero is never. INVITE is sent on outgoing
// and came in on incoming calls; so the rest, accordingly.
type Times struct {
	Invite, Trying, Ringing, Progress, Answered, FirstRTP, Ended time.Time
}

// Call is one call of a phone. It may be used by several goroutines.
type Call struct {
	phone    *Phone
	outgoing bool
	id       string
	start    time.Time
	media    *media
	ctx      context.Context // ends with the call, cause *ended
	cancel   context.CancelCauseFunc

	ringing  once // 180 was sent or received
	answered once // 200 was sent or received
	ended    once
	acked    once // incoming: ACK has come
	invited  once // outgoing: something answered the INVITE

	request sync.Mutex // one request of ours at a time (RFC 3261 §14.1)

	mu         sync.Mutex
	times      Times
	how        End
	local      sip.FromHeader // our side of the dialog
	remote     sip.ToHeader   // theirs
	target     sip.Uri        // where requests in the dialog go
	peer       sip.Addr
	cseq       uint32
	invite     *sip.Request          // the first INVITE
	serverTx   sip.ServerTransaction // of an incoming INVITE
	theirs     session               // their last description
	own        direction             // what we want: sendRecv, or sendOnly while we hold
	sdpVersion uint64
	streaming  bool
	hangingUp  bool
	name       string // what the other side shows
	number     string
}

// once is an event that happens at most once.
type once struct {
	sync.Once
	done chan struct{}
}

func newOnce() once { return once{done: make(chan struct{})} }

func (o *once) happen() { o.Do(func() { close(o.done) }) }

func (o *once) happened() bool {
	select {
	case <-o.done:
		return true
	default:
		return false
	}
}

func (p *Phone) newCall(id string, outgoing bool) (*Call, error) {
	c := &Call{
		phone: p, outgoing: outgoing, id: id, start: time.Now(), own: sendRecv,
		ringing: newOnce(), answered: newOnce(), ended: newOnce(), acked: newOnce(), invited: newOnce(),
	}
	c.times.Invite = c.start
	m, err := newMedia(p.o.IP, c.start, p.decoder())
	if err != nil {
		return nil, err
	}
	m.dtx = p.o.DTX
	if p.o.Voice != 0 {
		m.voice, _ = ear.NewVoice(p.o.Voice, 8000) // New has made one from the same note
		m.speaking = true
	}
	c.media = m
	c.ctx, c.cancel = context.WithCancelCause(p.ctx)
	if !p.adopt(c) {
		c.cancel(ErrClosed)
		m.conn.Close()
		return nil, ErrClosed
	}
	p.wg.Go(m.receive)
	return c, nil
}

// end closes the call's books once, and its sockets.
func (c *Call) end(how End) {
	c.ended.Do(func() {
		now := time.Now()
		how.At = now.Sub(c.start)
		c.mu.Lock()
		c.how, c.times.Ended = how, now
		c.mu.Unlock()
		c.phone.forget(c)
		c.cancel(fmt.Errorf("the call has ended: %v", how))
		c.media.conn.Close()
		close(c.ended.done)
	})
}

// Start is when the INVITE was sent or came in: the zero of every duration here.
func (c *Call) Start() time.Time { return c.start }

// ID is the call's SIP Call-ID.
func (c *Call) ID() string { return c.id }

// Phone is the phone the call is on.
func (c *Call) Phone() *Phone { return c.phone }

// Times are the call's moments until now.
func (c *Call) Times() Times {
	c.mu.Lock()
	t := c.times
	c.mu.Unlock()
	if packets := c.Packets(); len(packets) > 0 {
		t.FirstRTP = c.start.Add(packets[0].At)
	}
	return t
}

// Since is how far a moment lies after the call's start.
func (c *Call) Since(t time.Time) time.Duration { return t.Sub(c.start) }

// RemoteName and RemoteNumber are what the phone's display shows of the other
// side, updates in mid-call included.
func (c *Call) RemoteName() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.name
}

// RemoteNumber: see RemoteName.
func (c *Call) RemoteNumber() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.number
}

// Up tells whether the call is answered and not ended.
func (c *Call) Up() bool { return c.answered.happened() && !c.ended.happened() }

// Ended tells how the call ended, if it has.
func (c *Call) Ended() (End, bool) {
	if !c.ended.happened() {
		return End{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.how, true
}

// WaitRinging waits for 180, or the answer.
func (c *Call) WaitRinging(ctx context.Context) error {
	select {
	case <-c.ringing.done:
		return nil
	default:
		return c.wait(ctx, c.answered.done, c.ringing.done, "did not ring")
	}
}

// WaitAnswered waits for the answer.
func (c *Call) WaitAnswered(ctx context.Context) error {
	return c.wait(ctx, c.answered.done, nil, "was not answered")
}

func (c *Call) wait(ctx context.Context, one, other <-chan struct{}, failed string) error {
	select {
	case <-one:
		return nil
	case <-other:
		return nil
	default:
	}
	select {
	case <-one:
		return nil
	case <-other:
		return nil
	case <-c.ended.done:
		how, _ := c.Ended()
		return c.fail("%s: it ended after %.2f s: %v", failed, how.At.Seconds(), how)
	case <-ctx.Done():
		return c.fail("%s: %w", failed, context.Cause(ctx))
	}
}

// WaitEnded waits for the end.
func (c *Call) WaitEnded(ctx context.Context) (End, error) {
	select {
	case <-c.ended.done:
		how, _ := c.Ended()
		return how, nil
	case <-ctx.Done():
		return End{}, c.fail("did not end: %w", context.Cause(ctx))
	}
}

// fail is an error with everything the phone knows.
func (c *Call) fail(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return fmt.Errorf("phone %s: the call %w\nheard: %v\nSIP:\n%s", c.phone.o.Name, err, c.Transcript(), c.phone.Trace())
}

// Speak lets the phone's user talk, which is how a phone with a Voice begins.
func (c *Call) Speak() { c.speak(true) }

// Quiet keeps the phone's user silent: silence is sent, or with DTX nothing.
func (c *Call) Quiet() { c.speak(false) }

func (c *Call) speak(on bool) {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	c.media.speaking = on
}

// SetDTX changes whether silence is sent as nothing.
func (c *Call) SetDTX(on bool) {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	c.media.dtx = on
}

// StopRTP cuts the media and leaves the signalling: nothing is sent or heard any more.
func (c *Call) StopRTP() {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	c.media.stopped = true
}

// Keys presses keys, 0.1 s each with 0.1 s between, and waits until the last
// one's end was sent.
func (c *Call) Keys(ctx context.Context, digits string) error {
	done, err := c.media.press(digits)
	if err != nil {
		return c.fail("took no keys: %w", err)
	}
	return c.wait(ctx, done, nil, "did not send "+digits)
}

// Flood presses one key count times, so many a second, each a whole key.
func (c *Call) Flood(ctx context.Context, digit rune, perSecond, count int) error {
	event := slices.Index([]rune(keypad), digit)
	if event < 0 || perSecond <= 0 {
		return c.fail("took no keys: %q at %d a second", digit, perSecond)
	}
	began, every := time.Now(), time.Second/time.Duration(perSecond)
	for i := range count {
		due := time.NewTimer(time.Until(began.Add(time.Duration(i) * every))) // late ones are made up for
		select {
		case <-due.C:
			c.media.tap(byte(event), uint16(min(8000/perSecond, keyPressSamples)))
		case <-c.ctx.Done():
			due.Stop()
			return c.fail("ended under the flood of keys: %w", context.Cause(c.ctx))
		case <-ctx.Done():
			due.Stop()
			return c.fail("took longer than the flood of keys: %w", context.Cause(ctx))
		}
	}
	return nil
}

const keyPressSamples = int(keyPress * 8000 / time.Second)

// KeysHeard lists the keys the other side pressed (RFC 4733).
func (c *Call) KeysHeard() []Key {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	return slices.Clone(c.media.keys)
}

// Packets lists every RTP packet that came in.
func (c *Call) Packets() []Packet {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	return slices.Clone(c.media.packets)
}

// PacketsSent counts the RTP packets that left.
func (c *Call) PacketsSent() int {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	return c.media.sent
}

// Gaps lists the pauses of at least min between packets that came in, and those
// where packets are missing.
func (c *Call) Gaps(min time.Duration) []Gap {
	var gaps []Gap
	packets := c.Packets()
	for i := 1; i < len(packets); i++ {
		last, this := packets[i-1], packets[i]
		g := Gap{After: last.At, Lasts: this.At - last.At}
		if missing := int16(this.Seq - last.Seq - 1); last.SSRC == this.SSRC && missing > 0 {
			g.Lost = int(missing)
		}
		if g.Lasts >= min || g.Lost > 0 {
			gaps = append(gaps, g)
		}
	}
	return gaps
}

// Transcript is what was heard until now, times since Start.
func (c *Call) Transcript() ear.Transcript { return c.media.ear.Transcript() }

// WaitHeard waits until something whose ID matches pattern ("menu.main",
// "greeting.*", "voice.agent") began at or after the given time since Start.
func (c *Call) WaitHeard(ctx context.Context, pattern string, after time.Duration) (ear.Heard, error) {
	if _, err := path.Match(pattern, ""); err != nil {
		return ear.Heard{}, fmt.Errorf("phone %s: pattern %q: %w", c.phone.o.Name, pattern, err)
	}
	var found ear.Heard
	return found, c.await(ctx, "did not bring "+pattern, func() bool {
		for _, h := range c.Transcript() {
			if ok, _ := path.Match(pattern, h.ID); ok && h.At >= after {
				found = h
				return true
			}
		}
		return false
	})
}

// WaitKeys waits until the other side has pressed these keys, from the call's beginning.
func (c *Call) WaitKeys(ctx context.Context, digits string) error {
	return c.await(ctx, "did not bring the keys "+digits, func() bool {
		var got strings.Builder
		for _, k := range c.KeysHeard() {
			got.WriteRune(k.Digit)
		}
		return strings.HasPrefix(got.String(), digits)
	})
}

// await waits for something to be heard while the call lasts.
func (c *Call) await(ctx context.Context, failed string, found func() bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.ctx, func() { cancel(context.Cause(c.ctx)) })()
	if err := c.media.await(ctx, found); err != nil {
		return c.fail("%s: %w", failed, err)
	}
	return nil
}

var errNotUp = errors.New("it is not up")
