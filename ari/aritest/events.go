package aritest

import (
	"fmt"
	"time"
)

// event has the fields of every kind that is sent, in Asterisk's order.
type event struct {
	Type        string         `json:"type"`
	Timestamp   string         `json:"timestamp"`
	Args        []string       `json:"args,omitempty"`
	Cause       *int           `json:"cause,omitempty"`
	CauseText   string         `json:"cause_txt,omitempty"`
	TechCause   int            `json:"tech_cause,omitempty"`
	Soft        bool           `json:"soft,omitempty"`
	Digit       string         `json:"digit,omitempty"`
	DurationMS  int            `json:"duration_ms,omitempty"`
	Dialstatus  *string        `json:"dialstatus,omitempty"`
	Dialstring  string         `json:"dialstring,omitempty"`
	Peer        *channelJSON   `json:"peer,omitempty"`
	Channel     *channelJSON   `json:"channel,omitempty"`
	Playback    *playbackJSON  `json:"playback,omitempty"`
	Recording   *recordingJSON `json:"recording,omitempty"`
	AsteriskID  string         `json:"asterisk_id"`
	Application string         `json:"application"`
}

func (e *event) fill(at time.Time) {
	e.Timestamp = stamp(at)
	e.AsteriskID, e.Application = "00:00:00:00:00:00", App
}

// about is the channel or bridge an event is about: Asterisk keeps the order of
// what it says about one, and of nothing else.
func (e *event) about() string {
	switch {
	case e.Peer != nil:
		return "channel:" + e.Peer.ID
	case e.Channel != nil:
		return "channel:" + e.Channel.ID
	case e.Playback != nil:
		return e.Playback.Target
	case e.Recording != nil:
		return e.Recording.Target
	}
	return ""
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000-0700") }

type party struct {
	Name   string `json:"name"`
	Number string `json:"number"`
}

type channelJSON struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	State     string `json:"state"`
	Caller    party  `json:"caller"`
	Connected party  `json:"connected"`
	Dialplan  struct {
		Context  string `json:"context"`
		Exten    string `json:"exten"`
		Priority int    `json:"priority"`
		AppName  string `json:"app_name"`
		AppData  string `json:"app_data"`
	} `json:"dialplan"`
	Created  string            `json:"creationtime"`
	Language string            `json:"language"`
	Vars     map[string]string `json:"channelvars"`
}

type playbackJSON struct {
	ID     string `json:"id"`
	Media  string `json:"media_uri"`
	Target string `json:"target_uri"`
	State  string `json:"state"`
}

type recordingJSON struct {
	Name     string `json:"name"`
	Format   string `json:"format"`
	State    string `json:"state"`
	Target   string `json:"target_uri"`
	Duration int    `json:"duration,omitempty"`
	Talking  int    `json:"talking_duration,omitempty"`
	Silence  int    `json:"silence_duration,omitempty"`
	Cause    string `json:"cause,omitempty"`
}

type applicationJSON struct {
	Name          string              `json:"name"`
	ChannelIDs    []string            `json:"channel_ids"`
	BridgeIDs     []string            `json:"bridge_ids"`
	EventsAllowed []map[string]string `json:"events_allowed"`
}

var causes = map[int]string{
	0: "Unknown", 16: "Normal Clearing", 17: "User busy", 19: "User alerting, no answer", 21: "Call Rejected",
	26: "Answered elsewhere", 44: "Requested channel not available", 127: "Interworking, unspecified",
}

func causeText(cause int) string {
	if text, ok := causes[cause]; ok {
		return text
	}
	return fmt.Sprintf("Cause %d", cause)
}
