package faults

import (
	"encoding/json"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"
)

// book knows who is who on the wire: which caller's call a channel, a leg, a bridge, a playback or a recording belongs
// to. It learns that from what passes.
type book struct {
	mu      sync.Mutex
	caller  map[string]string // call → the caller's channel
	number  map[string]string // channel → the number it called from
	desk    map[string]bool   // channels of agents who dialled a star code
	playing map[string]string // playback → what it begins with
	channel map[string]string // playback or recording → the caller's channel
	since   map[string]string // the caller's channel → what an agent's phone last did
	calls   map[key]int
	totals  map[string]int
}

// key is a place in one call.
type key struct{ channel, what, since, side string }

func newBook() *book {
	return &book{
		caller: map[string]string{}, number: map[string]string{}, desk: map[string]bool{}, playing: map[string]string{},
		channel: map[string]string{}, since: map[string]string{}, calls: map[key]int{}, totals: map[string]int{},
	}
}

// callID begins the name of everything the service makes for a call.
var callID = regexp.MustCompile(`^\d{8}-\d{6}-[A-Z2-7]{6}`)

// place is where something passes.
type place struct{ what, channel string }

// stamped makes a place a passing and counts it. An answer belongs where its request does, whatever has happened
// meanwhile: asked is the request's passing, nil for the request itself and for an event.
func (b *book) stamped(at place, side Side, asked *Passing) *Passing {
	b.mu.Lock()
	defer b.mu.Unlock()
	since := b.since[at.channel]
	if asked != nil {
		since = asked.Since
	}
	k := key{at.channel, at.what, since, string(side)}
	b.calls[k]++
	total := string(side) + at.what + since
	b.totals[total]++
	return &Passing{
		Boundary: Boundary{Side: side, What: at.what, Since: since, Nth: b.calls[k]},
		Total:    b.totals[total], Number: b.number[at.channel], Channel: at.channel,
	}
}

// command is the part of a request's body that says what it is about.
type command struct {
	Media      list   `json:"media"`
	PlaybackID string `json:"playbackId"`
	BridgeID   string `json:"bridgeId"`
	AppArgs    string `json:"appArgs"`
	ChannelID  string `json:"channelId"`
	Extension  string `json:"extension"`
	Name       string `json:"name"`
	Channel    list   `json:"channel"`
}

// list is a JSON array of strings, or a string alone.
type list []string

func (l *list) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*l = list{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(l))
}

// request says where a request is, and learns from it.
func (b *book) request(r *http.Request, body []byte) place {
	var c command
	_ = json.Unmarshal(body, &c) // a body that is no JSON says nothing about calls
	segments := strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path, "/ari"), "/"), "/")
	b.mu.Lock()
	defer b.mu.Unlock()
	var what string
	var channel string
	switch {
	case segments[0] == "channels" && len(segments) > 1 && segments[1] == "create":
		channel = b.ofName(c.ChannelID)
	case segments[0] == "channels" && len(segments) > 1:
		id := segments[1]
		if call := callID.FindString(c.PlaybackID + c.Name); call != "" && !callID.MatchString(id) {
			b.caller[call] = id
		}
		if call := callID.FindString(c.Extension[strings.IndexByte(c.Extension, '-')+1:]); call != "" {
			b.caller[call] = id
		}
		channel, segments[1] = b.ofName(id), "{"+b.role(id)+"}"
		what = begins(c.Media)
	case segments[0] == "bridges" && len(segments) > 1:
		channel, segments[1] = b.ofName(segments[1]), "{bridge}"
		what = begins(c.Media)
	case segments[0] == "bridges" && c.BridgeID != "":
		channel = b.ofName(c.BridgeID)
	case segments[0] == "playbacks" && len(segments) > 1:
		channel, segments[1] = b.ofName(segments[1]), "{"+b.playing[segments[1]]+"}"
	case segments[0] == "recordings" && len(segments) > 2:
		channel, segments[2] = b.ofName(segments[2]), "{recording}"
	case segments[0] == "applications" && len(segments) > 1:
		segments[1] = "{app}"
		if id, ok := strings.CutPrefix(r.URL.Query().Get("eventSource"), "channel:"); ok {
			channel, what = b.ofName(id), "{"+b.role(id)+"}"
		}
	}
	if c.PlaybackID != "" {
		b.playing[c.PlaybackID], b.channel[c.PlaybackID] = begins(c.Media), channel
	}
	if strings.HasSuffix(r.URL.Path, "/record") {
		b.channel[c.Name] = channel
	}
	return place{strings.TrimSpace(r.Method + " /" + strings.Join(segments, "/") + " " + what), channel}
}

// ofName is the caller's channel of whatever has this name.
func (b *book) ofName(id string) string {
	if channel := b.channel[id]; channel != "" {
		return channel
	}
	if call := callID.FindString(id); call != "" {
		return b.caller[call]
	}
	return id
}

// role is what a channel is to its call: those that the service makes for one are agents' phones.
func (b *book) role(id string) string {
	switch {
	case callID.MatchString(id):
		return "agent"
	case b.desk[id]:
		return "desk"
	default:
		return "caller"
	}
}

// begins is the first prompt of a list, as its boundary is called: lengths do not matter.
func begins(media []string) string {
	if len(media) == 0 {
		return ""
	}
	if strings.HasPrefix(media[0], "recording:") {
		return "recording"
	}
	prompt := path.Base(media[0])
	for _, kind := range []string{"hold.tone", "silence", "digit", "number"} {
		if strings.HasPrefix(prompt, kind+".") {
			return kind
		}
	}
	return prompt
}

// event is the part of an event that says what it is about.
type event struct {
	Type       string      `json:"type"`
	Args       []string    `json:"args"`
	DialStatus string      `json:"dialstatus"`
	Channel    liveChannel `json:"channel"`
	Peer       liveChannel `json:"peer"`
	Playback   struct {
		ID string `json:"id"`
	} `json:"playback"`
	Recording struct {
		Name string `json:"name"`
	} `json:"recording"`
}

type liveChannel struct {
	ID     string `json:"id"`
	Caller struct {
		Number string `json:"number"`
	} `json:"caller"`
}

// event says where an event is, and learns from it.
func (b *book) event(data []byte) (place, bool) {
	var e event
	if json.Unmarshal(data, &e) != nil || e.Type == "" {
		return place{}, false
	}
	if e.Channel.ID == "" {
		e.Channel = e.Peer
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	at := place{what: eventPrefix + e.Type}
	switch id := e.Channel.ID; {
	case e.Playback.ID != "":
		at.what += " {" + b.playing[e.Playback.ID] + "}"
		at.channel = b.ofName(e.Playback.ID)
	case e.Recording.Name != "":
		at.what += " {recording}"
		at.channel = b.ofName(e.Recording.Name)
	case id != "":
		if e.Type == "StasisStart" && len(e.Args) > 0 && e.Args[0] == "agent" {
			b.desk[id] = true
		}
		role := b.role(id)
		if role == "caller" && e.Channel.Caller.Number != "" {
			b.number[id] = e.Channel.Caller.Number
		}
		at.channel = b.ofName(id)
		if e.DialStatus != "" {
			at.what += " " + e.DialStatus
		}
		at.what += " {" + role + "}"
		if did := deeds[e.Type+e.DialStatus]; did != "" && role == "agent" {
			b.since[at.channel] = did
		}
	}
	return at, true
}

// deeds of an agent's phone, by the event that tells them.
var deeds = map[string]string{
	"StasisStart": "offered", "DialANSWER": "answered", "ChannelHold": "held", "ChannelUnhold": "resumed", "ChannelDestroyed": "left",
}

// listed learns from an answer that lists channels who called from where: of callers who arrived while nobody heard the
// events.
func (b *book) listed(data []byte) {
	var channels []liveChannel
	if json.Unmarshal(data, &channels) != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range channels {
		if c.Caller.Number != "" && !callID.MatchString(c.ID) && !b.desk[c.ID] {
			b.number[c.ID] = c.Caller.Number
		}
	}
}
