package ari

import (
	"bytes"
	"encoding/json"
	"fmt"

	arilib "github.com/CyCoreSystems/ari/v5"
)

// The library's types lack what Asterisk added since: these carry it.
type (
	stasisStart struct {
		arilib.StasisStart
		message []byte // for what only an arrival is asked for
	}
	destroyed struct {
		arilib.ChannelDestroyed
		TechCause int `json:"tech_cause"`
	}
	hangupRequest struct {
		arilib.ChannelHangupRequest
		TechCause int `json:"tech_cause"`
	}
)

// language is the channel's. Most channels that enter Stasis are ours or come back, and nobody asks it of them.
func (s *stasisStart) language() string {
	var more struct{ Channel struct{ Language string } }
	_ = json.Unmarshal(s.message, &more) // which has been read before
	return more.Channel.Language
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
	{"StasisEnd", func() any { return new(arilib.StasisEnd) }, func(ev any) string { return ev.(*arilib.StasisEnd).Channel.ID }},
	{"ChannelDestroyed", func() any { return new(destroyed) }, func(ev any) string { return ev.(*destroyed).Channel.ID }},
	{"ChannelHangupRequest", func() any { return new(hangupRequest) }, func(ev any) string { return ev.(*hangupRequest).Channel.ID }},
	{"ChannelDtmfReceived", func() any { return new(arilib.ChannelDtmfReceived) }, func(ev any) string { return ev.(*arilib.ChannelDtmfReceived).Channel.ID }},
	{"ChannelHold", func() any { return new(arilib.ChannelHold) }, func(ev any) string { return ev.(*arilib.ChannelHold).Channel.ID }},
	{"ChannelUnhold", func() any { return new(arilib.ChannelUnhold) }, func(ev any) string { return ev.(*arilib.ChannelUnhold).Channel.ID }},
	{"Dial", func() any { return new(arilib.Dial) }, func(ev any) string { return ev.(*arilib.Dial).Peer.ID }},
	{"PlaybackFinished", func() any { return new(arilib.PlaybackFinished) }, func(ev any) string { return ev.(*arilib.PlaybackFinished).Playback.ID }},
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
	case *destroyed, *arilib.PlaybackFinished, *arilib.RecordingFinished, *arilib.RecordingFailed:
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
