package ari

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Bridge joins legs.
type Bridge struct {
	session *Session
	id      string

	mu      sync.Mutex
	playing []*Playback
}

// Bridge makes a bridge of a kind: "mixing", or "mixing,video_sfu", which mixes
// where "mixing" with two legs would only pass on, so that recordings on a leg
// hear prompt and partner alike.
func (s *Session) Bridge(ctx context.Context, kind string) (*Bridge, error) {
	return s.BridgeOf(ctx, "bridge", kind)
}

// BridgeOf is Bridge for one that is not the call's own: what it is for becomes
// part of its ID, see [BridgeInfo.Of].
func (s *Session) BridgeOf(ctx context.Context, what, kind string) (*Bridge, error) {
	b := newBridge(s, s.newID(what))
	err := s.link.do(ctx, request{
		op: opBridge, target: b.id, method: http.MethodPost, path: []string{"bridges"},
		body: map[string]string{"bridgeId": b.id, "type": kind, "name": s.callID}, again: true,
	}, nil)
	if err == nil || taken(err) {
		return b, nil
	}
	if mayExist(err) {
		s.link.DestroyStray(b.id)
	}
	return nil, err
}

func newBridge(s *Session, id string) *Bridge {
	return &Bridge{session: s, id: id}
}

// ID is the bridge's ID.
func (b *Bridge) ID() string { return b.id }

// Add puts legs into the bridge with one request; if one of them is gone, none
// is added and the *Error is NotFound. A leg that plays something joins only when
// that ends, even after this call has timed out: stop the playback first, and add at once
// (DELETE and addChannel take 2 ms together, without a gap).
func (b *Bridge) Add(ctx context.Context, legs ...*Leg) error {
	return b.legs(ctx, opAddLegs, "addChannel", nil, legs)
}

// AddKeyless is Add for legs whose keys the others do not hear; the mailbox is
// told of them as ever.
func (b *Bridge) AddKeyless(ctx context.Context, legs ...*Leg) error {
	return b.legs(ctx, opAddLegs, "addChannel", map[string]any{"absorbDTMF": true}, legs)
}

// Remove takes legs out of the bridge with one request.
func (b *Bridge) Remove(ctx context.Context, legs ...*Leg) error {
	return b.legs(ctx, opRemoveLegs, "removeChannel", nil, legs)
}

// legs sends a command about legs. It is sent again only if they are not where
// it puts them: a leg that is added twice leaves the bridge in between, and one
// that is removed twice is refused.
func (b *Bridge) legs(ctx context.Context, op, verb string, how map[string]any, legs []*Leg) error {
	ids := make([]string, len(legs))
	for i, leg := range legs {
		ids[i] = leg.id
	}
	body := map[string]any{"channel": ids} // an array: in a JSON body Asterisk does not split a string at commas
	maps.Copy(body, how)
	return b.session.link.do(ctx, request{
		op: op, target: b.id, method: http.MethodPost, path: []string{"bridges", b.id, verb},
		body: body, again: true,
		done: func(ctx context.Context) (bool, error) {
			joined, err := b.Joined(ctx)
			return err == nil && !slices.ContainsFunc(ids, func(id string) bool {
				return slices.Contains(joined, id) != (op == opAddLegs)
			}), err
		},
	}, nil)
}

// Joined lists the IDs of the channels that Asterisk has in the bridge, none if
// the bridge is gone: for whoever could not be told whether a command was
// carried out.
func (b *Bridge) Joined(ctx context.Context) ([]string, error) {
	var now BridgeInfo
	err := b.session.link.do(ctx, request{op: opBridges, target: b.id, method: http.MethodGet, path: []string{"bridges", b.id}}, &now)
	if notFound(err) {
		return nil, nil
	}
	return now.Channels, err
}

// Play plays to everybody in the bridge; it delays no command. Asterisk needs
// chan_bridge_media.so for it, and answers 500 "Could not create playback
// channel" without.
func (b *Bridge) Play(ctx context.Context, media []string) (*Playback, error) {
	p := newPlayback(b.session, nil, "")
	p.bridge = b
	return p.start(ctx, opBridgePlay, []string{"bridges", b.id, "play"}, media, PlayOptions{})
}

func (b *Bridge) track(p *Playback) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.playing = append(b.playing, p)
}

func (b *Bridge) untrack(p *Playback) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.playing = without(b.playing, p)
}

// Destroy ends the bridge and what plays in it; its legs stay, in Stasis and
// alone, so this is also the way to part them with one request. A bridge that is
// gone already is no error.
func (b *Bridge) Destroy(ctx context.Context) error {
	b.mu.Lock()
	playing := slices.Clone(b.playing)
	b.mu.Unlock()
	for _, p := range playing {
		p.stopping()
	}
	err := b.session.link.do(ctx, request{op: opDestroy, target: b.id, method: http.MethodDelete, path: []string{"bridges", b.id}, again: true}, nil)
	if err != nil && !notFound(err) {
		return err
	}
	// For a playback that had not begun, no event comes.
	for _, p := range playing {
		p.finish(Event{At: time.Now()}, Cancelled, true)
	}
	return nil
}
