package ari

import (
	"cmp"
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// asking bounds how many questions are put to Asterisk side by side.
const asking = 8

// prepare makes a fresh connection usable while its events are held back. The
// event filter belongs to the connection's application; then what Asterisk has
// is compared with what is known, the hook may claim what an earlier process
// began, and only what nobody claims is announced.
func (l *Link) prepare(ctx context.Context) error {
	app, err := l.filter(ctx)
	if err != nil {
		return err
	}
	known := l.known()
	snap, err := l.snapshot(ctx, app)
	if err != nil {
		return err
	}
	if err := l.catchUp(ctx, known, snap); err != nil {
		return err
	}
	if err := l.settleOpen(ctx, known); err != nil {
		return err
	}
	if l.hook != nil {
		if err := l.hook(ctx, snap); err != nil {
			return &Error{Op: "connect", Target: l.base.Host, Message: "the calls could not be taken up", Err: err}
		}
	}
	for _, c := range l.strangers(known, snap) {
		l.announceFound(c)
	}
	l.gate.open(l.deliver)
	l.up()
	return nil
}

// Reconcile compares what is known with what Asterisk has, while events go on:
// for a doubt, or from time to time. A leg that is absent is told as lost a
// second later, unless the event of its end comes before; one that rang or
// answered unheard is told so; a channel that sits in Stasis alone and unknown
// is announced. Playbacks and recordings are not asked after. It fails with
// ErrNotConnected or ErrReplaced when there is no connection, or when Asterisk
// does not answer.
func (l *Link) Reconcile(ctx context.Context) (*Snapshot, error) {
	if st := l.Status(); !st.Connected {
		err := ErrNotConnected
		if st.Replaced {
			err = ErrReplaced
		}
		return nil, &Error{Op: "reconcile", Target: l.o.App, Err: err}
	}
	known := l.known()
	app, err := l.application(ctx)
	if err != nil {
		return nil, err
	}
	snap, err := l.snapshot(ctx, app)
	if err != nil {
		return nil, err
	}
	if err := l.keepUp(ctx, known, snap); err != nil {
		return nil, err
	}
	for _, c := range l.strangers(known, snap) {
		if err := l.announceIfThere(ctx, c.ID, known, snap); err != nil {
			return nil, err
		}
	}
	return snap, nil
}

// catchUp brings legs up to a snapshot that is newer than every event that they
// were told.
func (l *Link) catchUp(ctx context.Context, known map[string]route, snap *Snapshot) error {
	var forgotten []string
	for id, leg := range legs(known) {
		c, there := snap.Channels[id]
		switch {
		case there:
			if leg.catchUp(&c, l.o.App) && !c.Subscribed {
				forgotten = append(forgotten, id)
			}
		case !l.gate.tellsEndOf(id):
			leg.lost()
		}
	}
	return l.resubscribe(ctx, forgotten)
}

// keepUp does so with a snapshot that may be older than what the legs were told
// meanwhile: it takes only what cannot have been undone since.
func (l *Link) keepUp(ctx context.Context, known map[string]route, snap *Snapshot) error {
	var forgotten []string
	for id, leg := range legs(known) {
		c, there := snap.Channels[id]
		switch {
		case there:
			if leg.keepUp(&c, l.o.App) && !c.Subscribed {
				forgotten = append(forgotten, id)
			}
		default:
			leg.verifySoon()
		}
	}
	return l.resubscribe(ctx, forgotten)
}

// resubscribe asks for the events of legs that Asterisk has forgotten that we
// want.
func (l *Link) resubscribe(ctx context.Context, ids []string) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, id := range ids { // all at once: they go together
		group.Go(func() error {
			if err := l.subscribe(ctx, id); err != nil && !notFound(err) {
				return err
			}
			return nil
		})
	}
	return group.Wait()
}

// settleOpen asks after each playback and recording that was under way, unless
// an event that was held back tells its end.
func (l *Link) settleOpen(ctx context.Context, known map[string]route) error {
	type medium interface {
		Check(context.Context) (bool, error)
		isAccepted() bool
	}
	var open []medium
	for id, r := range known {
		if m, ok := r.(medium); ok && m.isAccepted() && !l.gate.tellsEndOf(id) {
			open = append(open, m)
		}
	}
	return inParallel(ctx, open, func(ctx context.Context, m medium) error {
		_, err := m.Check(ctx)
		return err
	})
}

func inParallel[T any](ctx context.Context, all []T, do func(context.Context, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(asking)
	for _, one := range all {
		group.Go(func() error { return do(ctx, one) })
	}
	return group.Wait()
}

// catchUp brings the leg's signals up to what the channel's state says, and
// tells whether the leg wants its events.
func (l *Leg) catchUp(c *Channel, app string) (subscribed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch in := c.App == app; {
	case l.inStasis && !in:
		l.leave(time.Now())
	case !l.inStasis && in:
		l.enter(time.Now())
	}
	return l.progress(c, app)
}

func (l *Leg) keepUp(c *Channel, app string) (subscribed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.progress(c, app)
}

// progress is what no later event takes back: that the channel has a name, has
// been in Stasis, rang and was answered.
func (l *Leg) progress(c *Channel, app string) (subscribed bool) {
	l.name = c.Name
	if c.App == app && l.entries == 0 {
		l.enter(time.Now())
	}
	switch {
	case l.dialing && c.State == "Ringing":
		l.dialed(time.Now(), "RINGING")
	case l.dialing && c.State == "Up":
		l.dialed(time.Now(), "ANSWER")
	case c.State == "Up":
		l.answered = true
	}
	return l.subscribed
}

// strangers are the channels that sit in our application alone, with nobody
// knowing, the longest there first. Those in a bridge talk to somebody and are
// left in peace, legs of ours are no callers. A channel that was known when
// Asterisk was asked, and is not any more, is of a call that has just ended.
func (l *Link) strangers(known map[string]route, snap *Snapshot) []*Channel {
	var out []*Channel
	l.mu.Lock()
	for id, c := range snap.Channels {
		if c.App != l.o.App || c.Leg() || snap.bridged[id] || known[id] != nil || l.routes[id] != nil {
			continue
		}
		out = append(out, &c)
	}
	l.mu.Unlock()
	slices.SortFunc(out, func(a, b *Channel) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// announceIfThere looks once more before it announces: between the first look
// and now a call may have begun and ended.
func (l *Link) announceIfThere(ctx context.Context, id string, known map[string]route, snap *Snapshot) error {
	c, err := l.channel(ctx, id)
	switch {
	case notFound(err):
		return nil
	case err != nil:
		return err
	}
	now := Snapshot{Channels: map[string]Channel{id: c}, bridged: snap.bridged}
	for _, c := range l.strangers(known, &now) {
		l.announceFound(c)
	}
	return nil
}

func (l *Link) announceFound(c *Channel) {
	l.log.Info("a caller is found in Stasis whom nobody serves", "channel_id", c.ID)
	l.announce(Arrival{
		ChannelID: c.ID, Name: c.Name, Endpoint: endpointOf(c.Name),
		CallerNumber: c.CallerNumber, CallerName: c.CallerName,
		Exten: c.Exten, Context: c.Context, Language: c.Language,
		Args: c.Args, Created: c.Created, Answered: c.State == "Up",
		Vars: c.Vars, At: time.Now(), Found: true,
	})
}
