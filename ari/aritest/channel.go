package aritest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Caller is an inbound call.
type Caller struct {
	ID           string // empty: Asterisk's numbering
	Name, Number string
	Exten        string        // 96196 by default
	Args         []string      // of Stasis()
	Answered     bool          // by the dialplan already
	Age          time.Duration // how long ago the channel was created
	Endpoint     string        // PJSIP/trunk by default
}

// Phone is how the phone at an endpoint behaves when it is dialed. The zero
// value is not registered.
type Phone struct {
	Does  Behaviour
	After time.Duration // until it answers or refuses; it rings at once

	// Draw, unless it is nil, says for each dial anew how the phone behaves.
	// Does then only says whether it is registered.
	Draw func() Phone
	// Then, unless it is nil, is what whoever answered does: it runs in a
	// goroutine of its own, which the server's end waits for.
	Then func(*Channel)
}

// Behaviour of a phone that is dialed.
type Behaviour int

// Behaviours.
const (
	Unreachable Behaviour = iota // no contact: create fails
	Answers                      // rings, then answers
	NoAnswer                     // rings for ever
	Busy                         // 486
	Declines                     // 603
	Silent                       // never even rings
)

// Phone sets how an endpoint, "PJSIP/1001", behaves from now on.
func (s *Server) Phone(endpoint string, p Phone) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phones[endpoint] = p
}

// Channel is one channel of the fake Asterisk, and the phone at its end.
type Channel struct {
	s       *Server
	id      string
	name    string
	state   string // Down, Ring, Ringing, Up
	caller  party
	shown   party // connected line: what the phone displays
	context string
	exten   string
	args    []string
	created time.Time
	up      time.Time
	vars    map[string]string

	endpoint  string
	phone     *Phone   // drawn for this dial; nil: the endpoint's
	entry     []string // Stasis() arguments of the dialplan, for an inbound channel
	inbound   bool
	continued bool // has been sent into the dialplan, which goes on to its net where Stasis() does not take it
	inStasis  bool
	music     bool // the net's, until something else is played
	gone      bool
	wasJoined bool
	bridge    *bridge
	ringing   bool // 180 was sent to the caller
	played    []Heard
	commands  []command
	current   *playback
	recording *recording
	timers    []func()
	endCause  int
	commanded bool          // ended by a command
	muted     bool          // nobody hears it
	keyless   bool          // the others in the bridge do not get its keys
	whispers  bool          // a snoop that is heard by who is listened in on
	keys      string        // that have reached the phone
	snoops    []*Channel    // that listen in
	over      chan struct{} // closed at the end

	silentSince time.Time // zero: something is heard
	silences    []Silence
}

// Heard is a medium that began to play, and when.
type Heard struct {
	At     time.Time
	Medium string
}

// Silence is a time in which somebody heard nothing: no ringing, nothing
// played, nobody in the same bridge, nobody listening to them either.
type Silence struct{ From, To time.Time }

// command waits its turn behind whatever plays on the channel. It says whether the
// channel is busy afterwards.
type command func() (busy bool)

// Arrive makes a call come in and enter Stasis.
func (s *Server) Arrive(c Caller) *Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.ID == "" {
		c.ID = s.newID()
	}
	if c.Exten == "" {
		c.Exten = "96196"
	}
	if c.Endpoint == "" {
		c.Endpoint = "PJSIP/trunk"
	}
	ch := s.newChannel(c.ID, c.Endpoint)
	ch.inbound, ch.state, ch.entry = true, "Ring", c.Args
	ch.caller = party{c.Name, c.Number}
	ch.context, ch.exten = "in", c.Exten
	ch.created = ch.created.Add(-c.Age)
	if c.Answered {
		ch.answered()
	}
	ch.enter(c.Args)
	return ch
}

// Elsewhere is a line of a phone that the dialplan has, and no application: it
// rings, or is answered, and ends by Bye.
func (s *Server) Elsewhere(endpoint string, answered bool) *Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.newChannel(s.newID(), endpoint)
	ch.state = "Ringing"
	if answered {
		ch.answered()
	}
	return ch
}

// Channel finds a channel by its ID; nil if there is none.
func (s *Server) Channel(id string) *Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.channels[id]
}

// At finds the living channels to an endpoint, oldest first.
func (s *Server) At(endpoint string) []*Channel {
	return slices.DeleteFunc(s.List(), func(c *Channel) bool { return c.endpoint != endpoint })
}

// List is every living channel, by name.
func (s *Server) List() []*Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.channels), func(a, b *Channel) int { return strings.Compare(a.name, b.name) })
}

func (s *Server) newChannel(id, endpoint string) *Channel {
	s.serial++
	ch := &Channel{
		s: s, id: id, endpoint: endpoint,
		name:    fmt.Sprintf("%s-%08x", endpoint, s.serial),
		state:   "Down",
		created: time.Now(),
		vars:    make(map[string]string),
		over:    make(chan struct{}),
	}
	s.channels[id] = ch
	return ch
}

// ID is the channel's ID.
func (c *Channel) ID() string { return c.id }

// Exten is where the channel is, or was last, in the dialplan.
func (c *Channel) Exten() string {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.exten
}

// InStasis says whether the channel is with the application.
func (c *Channel) InStasis() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.inStasis
}

// State is Down, Ring, Ringing, Up or, when it is no more, "".
func (c *Channel) State() string {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.gone {
		return ""
	}
	return c.state
}

// HeardRinging says whether 180 was sent to the caller.
func (c *Channel) HeardRinging() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.ringing
}

// Display is the name and number the phone shows.
func (c *Channel) Display() (name, number string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.shown.Name, c.shown.Number
}

// Played lists the media that began to play on the channel, or in its bridge
// while it was there.
func (c *Channel) Played() []string {
	var media []string
	for _, h := range c.Heard(0) {
		media = append(media, h.Medium)
	}
	return media
}

// Heard is Played with times, without the first few.
func (c *Channel) Heard(from int) []Heard {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return slices.Clone(c.played[min(from, len(c.played)):])
}

// Var is a channel variable.
func (c *Channel) Var(name string) string {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.vars[name]
}

// Joined lists the channels in the same bridge, this one included; nil: in no
// bridge.
func (c *Channel) Joined() []string {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.bridge == nil {
		return nil
	}
	return c.bridge.ids()
}

// Muted says whether nobody hears the channel's phone.
func (c *Channel) Muted() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.muted
}

// Keys are those that have reached the channel's phone: from a bridge, or by a command.
func (c *Channel) Keys() string {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.keys
}

// Snoops are the channels that listen in on this one.
func (c *Channel) Snoops() []*Channel {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.snoops), func(s *Channel) bool { return s.gone })
}

// Whispers says whether who is listened in on hears this snoop.
func (c *Channel) Whispers() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.whispers
}

// Cause is the Q.850 cause with which the channel ended.
func (c *Channel) Cause() int {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.endCause
}

// Commanded says whether a command ended the channel, and not its phone or its
// line.
func (c *Channel) Commanded() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.commanded
}

// Over is closed when the channel ends.
func (c *Channel) Over() <-chan struct{} { return c.over }

// InNet says whether the dialplan's net has the caller.
func (c *Channel) InNet() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return !c.gone && !c.inStasis && c.music
}

// Silences lists when the party heard nothing since the call was answered, the
// one that lasts included.
func (c *Channel) Silences() []Silence {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	list := slices.Clone(c.silences)
	if !c.silentSince.IsZero() {
		list = append(list, Silence{c.silentSince, time.Now()})
	}
	return list
}

// Press presses keys.
func (c *Channel) Press(digits string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for _, digit := range digits {
		if c.gone {
			return
		}
		c.tell(event{Type: "ChannelDtmfReceived", Digit: string(digit), DurationMS: 100})
		if c.bridge != nil && !c.keyless {
			for _, other := range c.bridge.channels {
				if other != c {
					other.keys += string(digit)
				}
			}
		}
		if c.recording != nil && c.recording.ends(string(digit)) {
			c.recording.finish()
		}
	}
}

// Hold has the phone put the call on hold; Unhold takes it back.
func (c *Channel) Hold() { c.say(event{Type: "ChannelHold"}) }

// Unhold takes the call back.
func (c *Channel) Unhold() { c.say(event{Type: "ChannelUnhold"}) }

func (c *Channel) say(e event) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if !c.gone {
		c.tell(e)
	}
}

// Bye has the phone hang up: BYE, or CANCEL before the call was answered.
func (c *Channel) Bye() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	e := end{cause: 16}
	switch {
	case c.inbound && c.state != "Up":
		e = end{request: 127, tech: 487, cause: 127}
	case c.wasJoined:
		e.request = 16
	case c.inbound:
		e.cause = 0
	}
	c.end(e)
}

// LoseLine lets the phone's line die: Asterisk's rtp_timeout ends the call.
func (c *Channel) LoseLine() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.end(end{soft: true, request: 1, cause: 44})
}

// Vanish removes the channel without any event.
func (c *Channel) Vanish() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.leave()
	close(c.over)
	c.remove()
}

// json is the channel as Asterisk describes it.
func (c *Channel) json() *channelJSON {
	j := &channelJSON{
		ID: c.id, Name: c.name, State: c.state, Caller: c.caller, Connected: c.shown,
		Created: stamp(c.created), Language: "en", Vars: map[string]string{"RTPAUDIOQOS": c.vars["RTPAUDIOQOS"]},
	}
	j.Dialplan.Context, j.Dialplan.Exten, j.Dialplan.Priority = c.context, c.exten, 1
	if c.inStasis {
		j.Dialplan.AppName, j.Dialplan.AppData = "Stasis", strings.Join(append([]string{App}, c.args...), ",")
	}
	return j
}

// tell sends an event about the channel, if the application may know.
func (c *Channel) tell(e event) {
	if !c.inStasis && !c.s.subscribed[c.id] {
		return
	}
	if e.Type == "Dial" {
		e.Peer = c.json()
	} else {
		e.Channel = c.json()
	}
	c.s.emit(e)
}

func (c *Channel) dialed(status, dialstring string) {
	c.tell(event{Type: "Dial", Dialstatus: &status, Dialstring: dialstring})
}

// Enter has the dialplan try Stasis() again, for a channel that arrived while
// nobody was listening.
func (c *Channel) Enter(args ...string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if !c.gone && !c.inStasis {
		c.enter(args)
	}
}

// enter puts the channel into Stasis. With nobody listening Stasis() fails and
// the dialplan goes on: to its net, if it has one.
func (c *Channel) enter(args []string) {
	if c.s.client == nil {
		c.toNet()
		return
	}
	c.inStasis, c.args = true, args
	c.tell(event{Type: "StasisStart", Args: slices.Concat([]string{}, args)})
}

// toNet is where the dialplan goes on with a channel that Stasis() did not take
// or has let go of: a caller hears music and is tried again and again, an
// agent's call to the service ends.
func (c *Channel) toNet() {
	switch {
	case c.s.net == 0 || !c.inbound && !c.continued:
	case len(c.entry) > 0 && c.entry[0] == "agent":
		c.end(end{soft: true})
	default:
		c.answered()
		c.music = true
		c.sound()
		c.later(c.s.net, func() { c.enter(c.entry) })
	}
}

func (c *Channel) answered() {
	if c.state != "Up" {
		c.state, c.up = "Up", time.Now()
		c.sound()
	}
}

// sound notes whether the party hears something from now on.
func (c *Channel) sound() {
	heard := c.state != "Up" || c.music || c.current != nil || c.recording != nil ||
		c.bridge != nil && (len(c.bridge.channels) > 1 || c.bridge.current != nil)
	switch now := time.Now(); {
	case !heard && c.silentSince.IsZero() && !c.gone:
		c.silentSince = now
	case (heard || c.gone) && !c.silentSince.IsZero():
		if now.After(c.silentSince) {
			c.silences = append(c.silences, Silence{c.silentSince, now})
		}
		c.silentSince = time.Time{}
	}
}

// dial rings the phone.
func (c *Channel) dial(timeout time.Duration) {
	phone := c.s.phones[c.endpoint]
	if c.phone != nil {
		phone = *c.phone
	}
	_, number, _ := strings.Cut(c.endpoint, "/")
	c.dialed("", number)
	if c.external() && c.s.deaf {
		return
	}
	if c.external() { // there is nobody who could ring
		c.answered()
		if !c.s.untold {
			c.dialed("ANSWER", "")
		}
		return
	}
	ring := func() {
		c.state = "Ringing"
		c.dialed("RINGING", "")
	}
	switch phone.Does {
	case Answers:
		ring()
		c.later(phone.After, func() {
			c.answered()
			c.dialed("ANSWER", "")
			if phone.Then != nil {
				c.s.work.Go(func() { phone.Then(c) })
			}
		})
	case NoAnswer:
		ring()
	case Busy:
		c.later(phone.After, func() { c.end(end{request: 17, tech: 486, cause: 17}) })
	case Declines:
		c.later(phone.After, func() { c.end(end{request: 21, tech: 603, cause: 21}) })
	}
	if timeout > 0 {
		c.later(timeout, func() {
			if c.state != "Up" {
				c.end(end{soft: true, request: 32, cause: 19, tech: 480})
			}
		})
	}
}

// external says whether the channel's other end is an RTP address.
func (c *Channel) external() bool { return strings.HasPrefix(c.endpoint, externalTech) }

// externalTech is the channel driver for RTP addresses.
const externalTech = "UnicastRTP/"

// later runs f under s.mu unless the channel is gone.
func (c *Channel) later(d time.Duration, f func()) {
	if d <= 0 {
		f()
		return
	}
	c.timers = append(c.timers, c.s.after(d, f))
}

// end is how a channel ends.
type end struct {
	soft    bool
	request int // cause in the hang-up request; for soft ones a flag
	cause   int // of the end
	tech    int // SIP status

	commanded bool
}

// end runs the sequence that Asterisk was seen to send.
func (c *Channel) end(e end) {
	if c.gone {
		return
	}
	c.vars["RTPAUDIOQOS"] = c.statistics()
	request := event{Type: "ChannelHangupRequest", Soft: e.soft}
	if e.request != 0 {
		request.Cause = &e.request
	}
	if !e.soft {
		request.TechCause = e.tech
	}
	c.tell(request)
	c.leave()
	if c.inStasis {
		c.tell(event{Type: "StasisEnd"})
		c.inStasis = false
	}
	if c.inbound { // the dialplan ends too
		normal := 16
		c.tell(event{Type: "ChannelHangupRequest", Soft: true, Cause: &normal, TechCause: e.tech})
	}
	for _, snoop := range c.snoops {
		snoop.end(end{soft: true, cause: 16})
	}
	c.endCause, c.commanded = e.cause, e.commanded
	close(c.over)
	c.tell(event{Type: "ChannelDestroyed", Cause: &e.cause, CauseText: causeText(e.cause), TechCause: e.tech})
	c.remove()
}

// leave ends what the channel does: media, recording, bridge.
func (c *Channel) leave() {
	for _, cancel := range c.timers {
		cancel()
	}
	c.timers = nil
	waiting := c.commands
	c.commands = nil
	if c.current != nil {
		c.current.finish("failed")
	}
	if c.recording != nil {
		c.recording.finish()
	}
	if c.bridge != nil {
		c.bridge.remove(c)
	}
	c.gone, c.music = true, false
	c.sound()
	for _, run := range waiting {
		run()
	}
}

func (c *Channel) remove() {
	delete(c.s.channels, c.id)
	delete(c.s.subscribed, c.id)
	maps.DeleteFunc(c.s.playbacks, func(_ string, same []*playback) bool { return same[0].channel == c })
}

// statistics is RTPAUDIOQOS, with 50 packets a second each way.
func (c *Channel) statistics() string {
	packets := 0
	if !c.up.IsZero() {
		packets = int(time.Since(c.up) / (20 * time.Millisecond))
	}
	return fmt.Sprintf("ssrc=1;themssrc=2;lp=0;rxjitter=0.000000;rxcount=%d;txjitter=0.000000;txcount=%d;rlp=0;rtt=0.000000", packets, packets)
}

// do runs a command in its turn.
func (c *Channel) do(run command) {
	c.commands = append(c.commands, run)
	c.next()
}

func (c *Channel) next() {
	for c.current == nil && c.recording == nil && len(c.commands) > 0 {
		run := c.commands[0]
		c.commands = c.commands[1:]
		if run() {
			return
		}
	}
}

// continueTo leaves Stasis for the dialplan, which returns at once, or keeps
// the channel in its net if no extension is named.
func (c *Channel) continueTo(context, exten string) {
	c.tell(event{Type: "StasisEnd"})
	c.inStasis = false
	if exten != "" {
		c.context, c.exten, c.continued = context, exten, true
	}
	run := c.s.dialplan[context+"/"+exten]
	if run == nil {
		run = c.s.dialplan[context+"/"]
	}
	if run != nil {
		c.s.mu.Unlock()
		run(c)
		c.s.mu.Lock()
	}
	switch {
	case c.gone:
	case context == "" && exten == "" && c.s.net > 0:
		c.toNet()
	default:
		c.enter([]string{"back"})
	}
}
