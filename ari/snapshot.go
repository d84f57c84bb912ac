package ari

import (
	"context"
	"net/http"
	"net/url"
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
	ID      string
	Name    string
	State   string // Down, Ring, Ringing, Up …
	Created time.Time
	Context string
	Exten   string
	App     string   // Stasis application the channel is in; empty: none
	Args    []string // with which it entered: legs of ours have leg, call ID, role
	Vars    map[string]string
}

// Channels lists all channels of this Asterisk.
func (l *Link) Channels(ctx context.Context) ([]Channel, error) {
	raw, err := l.channels(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Channel, len(raw))
	for i, c := range raw {
		app, args := c.stasis()
		out[i] = Channel{
			ID: c.ID, Name: c.Name, State: c.State, Created: at(c.Creationtime),
			Context: c.Dialplan.Context, Exten: c.Dialplan.Exten, App: app, Args: args, Vars: c.ChannelVars,
		}
	}
	return out, nil
}

func (l *Link) channels(ctx context.Context) ([]channel, error) {
	var raw []channel
	err := l.do(ctx, request{op: opChannels, target: "all", method: http.MethodGet, path: []string{"channels"}}, &raw)
	return raw, err
}

// stasis says which application the channel is in.
func (c *channel) stasis() (app string, args []string) {
	if c.Dialplan.AppName != "Stasis" {
		return "", nil
	}
	fields := strings.Split(c.Dialplan.AppData, ",")
	return fields[0], fields[1:]
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

// application is what Asterisk keeps about our application.
type application struct {
	ChannelIDs    []string `json:"channel_ids"`
	EventsAllowed []struct {
		Type string `json:"type"`
	} `json:"events_allowed"`
}

func (l *Link) subscribe(ctx context.Context, channelID string) error {
	return l.do(ctx, request{
		op: opSubscribe, target: channelID, method: http.MethodPost,
		path:  []string{"applications", l.o.App, "subscription"},
		query: url.Values{"eventSource": {"channel:" + channelID}},
	}, nil)
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
