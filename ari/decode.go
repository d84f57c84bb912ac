package ari

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	arilib "github.com/CyCoreSystems/ari/v5"
)

// What is read of the events that every call has. The library's types hold all
// that Asterisk says, some forty values for each channel, and cost three times
// as much to fill; they lack what Asterisk has added since.
type (
	channelSeen struct {
		ID, Name, State string
		ChannelVars     struct{ RTPAUDIOQOS string }
	}
	stasisStart struct {
		Timestamp moment
		Channel   channelSeen
		Args      []string
		message   []byte // for what only an arrival is asked for
	}
	stasisEnd struct {
		Timestamp moment
		Channel   channelSeen
	}
	destroyed struct {
		Timestamp moment
		Channel   channelSeen
		Cause     int
		CauseTxt  string `json:"cause_txt"`
		TechCause int    `json:"tech_cause"`
	}
	hangupRequest struct {
		Timestamp moment
		Channel   channelSeen
		Soft      bool
		Cause     int
		TechCause int `json:"tech_cause"`
	}
	keyReceived struct {
		Timestamp moment
		Channel   channelSeen
		Digit     string
	}
	channelHold struct {
		Timestamp moment
		Channel   channelSeen
	}
	channelUnhold struct {
		Timestamp moment
		Channel   channelSeen
	}
	dialStep struct {
		Timestamp  moment
		Peer       channelSeen
		Dialstatus string
	}
	playbackFinished struct {
		Timestamp moment
		Playback  struct{ ID, State string }
	}
)

// moment is a time as Asterisk writes it.
type moment time.Time

func (m *moment) UnmarshalText(text []byte) error {
	t, err := time.Parse(arilib.DateFormat, string(text))
	*m = moment(t)
	return err
}

// arriving is a StasisStart with all that an arrival is asked for.
type arriving struct {
	arilib.StasisStart
	language string
}

// whole reads the rest. Most channels that enter Stasis are ours or come back, and nobody asks it of them.
func (s *stasisStart) whole() (a arriving, err error) {
	var more struct{ Channel struct{ Language string } }
	err = errors.Join(json.Unmarshal(s.message, &a.StasisStart), json.Unmarshal(s.message, &more))
	a.language = more.Channel.Language
	return a, err
}

// kind is one event kind the service uses.
type kind struct {
	name string
	make func() any
	// target is the ID the event is routed by.
	target func(ev any) string
}

// kinds are the events the service listens to; the event filter asks Asterisk
// for exactly these.
var kinds = []kind{
	{"StasisStart", func() any { return new(stasisStart) }, func(ev any) string { return ev.(*stasisStart).Channel.ID }},
	{"StasisEnd", func() any { return new(stasisEnd) }, func(ev any) string { return ev.(*stasisEnd).Channel.ID }},
	{"ChannelDestroyed", func() any { return new(destroyed) }, func(ev any) string { return ev.(*destroyed).Channel.ID }},
	{"ChannelHangupRequest", func() any { return new(hangupRequest) }, func(ev any) string { return ev.(*hangupRequest).Channel.ID }},
	{"ChannelDtmfReceived", func() any { return new(keyReceived) }, func(ev any) string { return ev.(*keyReceived).Channel.ID }},
	{"ChannelHold", func() any { return new(channelHold) }, func(ev any) string { return ev.(*channelHold).Channel.ID }},
	{"ChannelUnhold", func() any { return new(channelUnhold) }, func(ev any) string { return ev.(*channelUnhold).Channel.ID }},
	{"Dial", func() any { return new(dialStep) }, func(ev any) string { return ev.(*dialStep).Peer.ID }},
	{"PlaybackFinished", func() any { return new(playbackFinished) }, func(ev any) string { return ev.(*playbackFinished).Playback.ID }},
	{"RecordingFinished", func() any { return new(arilib.RecordingFinished) }, func(ev any) string { return ev.(*arilib.RecordingFinished).Recording.Name }},
	{"RecordingFailed", func() any { return new(arilib.RecordingFailed) }, func(ev any) string { return ev.(*arilib.RecordingFailed).Recording.Name }},
	{"ApplicationReplaced", func() any { return new(arilib.ApplicationReplaced) }, func(any) string { return "" }},
}

var kindByName = func() map[string]*kind {
	m := make(map[string]*kind, len(kinds))
	for i := range kinds {
		m[kinds[i].name] = &kinds[i]
	}
	return m
}()

// decode reads one message. A kind that is not used yields nil, its name and no
// error; whatever is not an event with a type is an error.
func decode(data []byte) (k *kind, name string, ev any, err error) {
	name, err = typeOf(data)
	if err != nil {
		return nil, "", nil, err
	}
	k = kindByName[name]
	if k == nil {
		return nil, name, nil, nil
	}
	ev = k.make()
	if err := json.Unmarshal(data, ev); err != nil {
		return nil, name, nil, fmt.Errorf("ari: event %s cannot be read: %w", name, err)
	}
	if start, ok := ev.(*stasisStart); ok {
		start.message = data
	}
	return k, name, ev, nil
}

// isEnd says whether the event ends what it is about.
func isEnd(ev any) bool {
	switch ev.(type) {
	case *destroyed, *playbackFinished, *arilib.RecordingFinished, *arilib.RecordingFailed:
		return true
	}
	return false
}

// Asterisk writes the type first; then the rest need not be looked at to find it.
var typeFirst = []byte(`{"type":"`)

func typeOf(data []byte) (string, error) {
	if rest, ok := bytes.CutPrefix(data, typeFirst); ok {
		if name, _, ok := bytes.Cut(rest, []byte(`"`)); ok && len(name) > 0 && !bytes.ContainsRune(name, '\\') {
			return string(name), nil
		}
	}
	var message struct{ Type string }
	if err := json.Unmarshal(data, &message); err != nil {
		return "", fmt.Errorf("ari: a message is not JSON: %w", err)
	}
	if message.Type == "" {
		return "", fmt.Errorf("ari: a message has no type")
	}
	return message.Type, nil
}
