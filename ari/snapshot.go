package ari

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	arilib "github.com/CyCoreSystems/ari/v5"
)

// channel is Asterisk's Channel; the library's type lacks the dialplan's
// application and the language.
type channel struct {
	ID           string
	Name         string
	State        string
	Language     string
	Creationtime arilib.DateTime
	Caller       arilib.CallerID
	Dialplan     struct {
		Context string
		Exten   string
		AppName string `json:"app_name"`
		AppData string `json:"app_data"`
	}
	ChannelVars map[string]string `json:"channelvars"`
}

// Channel is one channel in a snapshot of Asterisk.
type Channel struct {
	ID           string
	Name         string
	State        string // Down, Ring, Ringing, Up …
	CallerNumber string // as the network gave it
	CallerName   string
	Language     string
	Created      time.Time
	Context      string
	Exten        string
	App          string   // Stasis application the channel is in; empty: none
	Args         []string // with which it entered: legs of ours have leg, call ID, role
	Vars         map[string]string
	// Subscribed says that Asterisk lists the channel among those whose events
	// we get. In Stasis it does so anyway: that the channel's end will carry its
	// cause is certain only if Leg.Subscribe has returned at some time. Channels
	// does not fill it.
	Subscribed bool
}

// Leg says whether Session.Create made the channel.
func (c *Channel) Leg() bool { return len(c.Args) > 0 && c.Args[0] == legMark }

// Endpoint is the phone at the other end: PJSIP/1001.
func (c *Channel) Endpoint() string { return endpointOf(c.Name) }

func (c *channel) public() Channel {
	app, args := c.stasis()
	return Channel{
		ID: c.ID, Name: c.Name, State: c.State,
		CallerNumber: c.Caller.Number, CallerName: c.Caller.Name, Language: c.Language,
		Created: time.Time(c.Creationtime), Context: c.Dialplan.Context, Exten: c.Dialplan.Exten,
		App: app, Args: args, Vars: c.ChannelVars,
	}
}

// stasis says which application the channel is in.
func (c *channel) stasis() (app string, args []string) {
	if c.Dialplan.AppName != "Stasis" {
		return "", nil
	}
	fields := strings.Split(c.Dialplan.AppData, ",")
	return fields[0], fields[1:]
}

// Channels lists all channels of this Asterisk.
func (l *Link) Channels(ctx context.Context) ([]Channel, error) {
	var all channels
	err := l.do(ctx, request{op: opChannels, target: "all", method: http.MethodGet, path: []string{"channels"}}, &all)
	return all, err
}

// channel looks at one channel of this Asterisk.
func (l *Link) channel(ctx context.Context, id string) (Channel, error) {
	var raw channel
	err := l.do(ctx, request{op: opChannel, target: id, method: http.MethodGet, path: []string{"channels", id}}, &raw)
	return raw.public(), err
}

// channels are read one after the other: an answer about thousands is megabytes, every half minute.
type channels []Channel

func (all *channels) readFrom(r io.Reader) error {
	*all = nil
	list := json.NewDecoder(r)
	if begin, err := list.Token(); err != nil || begin != json.Delim('[') {
		return cmp.Or(err, errors.New("it is no list"))
	}
	for list.More() {
		var one channel
		if err := list.Decode(&one); err != nil {
			return err
		}
		*all = append(*all, one.public())
	}
	_, err := list.Token()
	return err
}

// BridgeInfo is one bridge in a snapshot of Asterisk.
type BridgeInfo struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"` // the call's ID for those of ours
	Kind     string   `json:"bridge_type"`
	Creator  string   `json:"creator"`
	Channels []string `json:"channels"`
}

// Bridges lists all bridges of this Asterisk.
func (l *Link) Bridges(ctx context.Context) ([]BridgeInfo, error) {
	var out []BridgeInfo
	err := l.do(ctx, request{op: opBridges, target: "all", method: http.MethodGet, path: []string{"bridges"}}, &out)
	return out, err
}

// Of says whether the bridge was made for that, with [Session.BridgeOf].
func (b *BridgeInfo) Of(what string) bool {
	return strings.HasPrefix(b.ID, b.Name+"-"+what+"-")
}

// Snapshot is what Asterisk had at one moment. Those who get it share it: it is
// only to be read.
type Snapshot struct {
	At       time.Time             // when Asterisk was asked, on the service's clock
	Channels map[string]Channel    // by ID, of other applications and the dialplan too
	Bridges  map[string]BridgeInfo // by ID

	bridged map[string]bool         // channels that share a bridge with somebody, by ID
	legs    map[string][]Channel    // by call
	named   map[string][]BridgeInfo // by name
}

// Legs are the channels that were made for a call.
func (s *Snapshot) Legs(callID string) []Channel { return s.legs[callID] }

// BridgesNamed are the bridges with this name: a call's are named after it.
func (s *Snapshot) BridgesNamed(name string) []BridgeInfo { return s.named[name] }

// snapshot asks Asterisk what it has. The bridges come last: a channel that was
// alone and joins somebody meanwhile does not seem alone.
func (l *Link) snapshot(ctx context.Context, app application) (*Snapshot, error) {
	s := &Snapshot{At: time.Now()}
	channels, err := l.Channels(ctx)
	if err != nil {
		return nil, err
	}
	bridges, err := l.Bridges(ctx)
	if err != nil {
		return nil, err
	}
	subscribed := make(map[string]bool, len(app.ChannelIDs))
	for _, id := range app.ChannelIDs {
		subscribed[id] = true
	}
	s.Channels = make(map[string]Channel, len(channels))
	s.legs = make(map[string][]Channel)
	for _, c := range channels {
		c.Subscribed = subscribed[c.ID]
		s.Channels[c.ID] = c
		if c.Leg() && len(c.Args) > 1 {
			s.legs[c.Args[1]] = append(s.legs[c.Args[1]], c)
		}
	}
	s.Bridges = make(map[string]BridgeInfo, len(bridges))
	s.bridged = make(map[string]bool)
	s.named = make(map[string][]BridgeInfo, len(bridges))
	for _, b := range bridges {
		s.Bridges[b.ID] = b
		s.named[b.Name] = append(s.named[b.Name], b)
		for _, id := range b.Channels {
			s.bridged[id] = len(b.Channels) > 1 // whoever is alone in it talks to nobody
		}
	}
	return s, nil
}

// application is what Asterisk keeps about our application.
type application struct {
	ChannelIDs    []string `json:"channel_ids"`
	EventsAllowed []struct {
		Type string `json:"type"`
	} `json:"events_allowed"`
}

func (l *Link) application(ctx context.Context) (app application, err error) {
	err = l.do(ctx, request{op: opApplication, target: l.o.App, method: http.MethodGet, path: []string{"applications", l.o.App}}, &app)
	return app, err
}

// filter tells Asterisk which kinds of events we use and returns what it then
// says about the application.
func (l *Link) filter(ctx context.Context) (application, error) {
	allowed := make([]map[string]string, len(kinds))
	for i, k := range kinds {
		allowed[i] = map[string]string{"type": k.name}
	}
	var app application
	err := l.do(ctx, request{
		op: opFilter, target: l.o.App, method: http.MethodPut, path: []string{"applications", l.o.App, "eventFilter"},
		body: map[string]any{"allowed": allowed},
	}, &app)
	if err == nil && len(app.EventsAllowed) != len(kinds) {
		err = &Error{Op: opFilter, Target: l.o.App, Message: "Asterisk did not take the event filter"}
	}
	return app, err
}
