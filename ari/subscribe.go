package ari

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// Asterisk answers a subscription with the names of all channels that the
// application is subscribed to: with thousands in line one costs it more than the
// rest of an arrival. So one is under way at a time, those who ask meanwhile go
// together in the next, and at most a tenth of the time is spent on them: with
// few callers a subscription waits for nobody, with 5,000 for less than longestRest.
const (
	restFor     = 9                      // times what a subscription took
	longestRest = 250 * time.Millisecond // of which a caller who rings hears nothing
	mostAtOnce  = 100                    // names in a body that Asterisk takes
)

// subscriber is a channel whose events are wanted, and who waits for that.
type subscriber struct {
	channel string
	told    chan error // takes one without a reader
}

// subscriptions are those that wait for the next request.
type subscriptions struct {
	mu      sync.Mutex
	waiting []subscriber
	served  bool          // somebody sends them
	full    chan struct{} // has one once a request is full
}

func newSubscriptions() *subscriptions { return &subscriptions{full: make(chan struct{}, 1)} }

// add has a channel wait, and says whether nobody serves those who do: whoever
// hears so is to.
func (s *subscriptions) add(one subscriber) (unserved bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, one)
	s.fill()
	unserved, s.served = !s.served, true
	return unserved
}

// fill says whether the next request is full; the lock is held.
func (s *subscriptions) fill() {
	select {
	case <-s.full:
	default:
	}
	if len(s.waiting) >= mostAtOnce {
		s.full <- struct{}{}
	}
}

// next are those of the next request; there are none once nobody waits, and
// nobody serves them from then on.
func (s *subscriptions) next() []subscriber {
	s.mu.Lock()
	defer s.mu.Unlock()
	some := s.waiting[:min(len(s.waiting), mostAtOnce)]
	s.waiting = append([]subscriber(nil), s.waiting[len(some):]...)
	s.fill()
	s.served = len(some) > 0
	return some
}

// rest lets d go by, or as much of it as it takes for a request to be full.
func (s *subscriptions) rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(min(d, longestRest))
	defer timer.Stop()
	select {
	case <-s.full:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// subscribe has Asterisk tell of a channel even after it has left Stasis.
func (l *Link) subscribe(ctx context.Context, channelID string) error {
	told := make(chan error, 1)
	if l.subscriptions.add(subscriber{channelID, told}) && !l.background(l.subscribeAll) {
		l.subscribeAll(ctx) // Run has not begun, or is over
	}
	select {
	case err := <-told:
		return err
	case <-ctx.Done():
		return &Error{Op: opSubscribe, Target: channelID, Err: context.Cause(ctx)}
	}
}

// subscribeAll serves all who wait, until nobody does.
func (l *Link) subscribeAll(ctx context.Context) {
	for some := l.subscriptions.next(); len(some) > 0; some = l.subscriptions.next() {
		began := time.Now()
		l.subscribeTogether(ctx, some)
		l.subscriptions.rest(ctx, restFor*time.Since(began))
	}
}

// subscribeTogether subscribes to some channels and tells who waits for it. Where
// one is gone Asterisk stops there, and does not say which it was: then each half
// goes by itself.
func (l *Link) subscribeTogether(ctx context.Context, some []subscriber) {
	err := l.postSubscription(ctx, some)
	if half := len(some) / 2; half > 0 && notFound(err) {
		l.subscribeTogether(ctx, some[:half])
		l.subscribeTogether(ctx, some[half:])
		return
	}
	for _, one := range some {
		one.told <- concerning(one.channel, err)
	}
}

// concerning names the channel that an error is about, where a request was about many.
func concerning(channelID string, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	own := *e
	own.Target = channelID
	return &own
}

func (l *Link) postSubscription(ctx context.Context, some []subscriber) error {
	sources := make([]string, len(some))
	for i, one := range some {
		sources[i] = "channel:" + one.channel
	}
	return l.do(ctx, request{
		op: opSubscribe, target: l.o.App, method: http.MethodPost,
		path: []string{"applications", l.o.App, "subscription"},
		body: map[string]any{"eventSource": sources}, again: true,
	}, nil)
}
