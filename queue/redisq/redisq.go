// Package redisq is the log that the engines of several services share, on
// Redis: one queue across machines.
//
// It owns the order of commands (one stream), the leases of the services, the
// snapshots of the common machine, and what is done when Redis cannot be
// reached or has lost what it had. It must not know what the commands mean,
// nor telephony: deciding is queue.Machine's, on every machine the same.
//
// The files: redisq.go (the log as an engine sees it), session.go (one time of
// being together, from the lease to whatever ends it), scripts.go (what is
// written to Redis), entry.go (the form of entries and snapshots).
package redisq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"hotline/queue"
)

// What a zero field of Options stands for.
const (
	DefaultSpace    = "hotline"
	DefaultLease    = 3 * time.Second
	DefaultPatience = 500 * time.Millisecond
)

// Options of a log. Redis.Addrs is required.
type Options struct {
	// Redis says where Redis is: one address, several of a cluster, or those of
	// sentinels with MasterName. Time limits, retries and the size of the pool
	// are set by the log.
	Redis redis.UniversalOptions

	// Space sets the keys of this queue apart from others in the same Redis.
	Space string

	// Lease is how long after it was last heard of a service is gone: its
	// callers lose their places and its agents are offered nobody. For so long
	// a service that hears nothing offers nobody either. 1 s at least.
	Lease time.Duration

	// Patience is how long Redis may take to answer before the service goes on
	// alone. Less than Lease / 3.
	Patience time.Duration

	Logger *slog.Logger
}

// Log implements queue.Log. It is for one engine, which stops it.
type Log struct {
	o    Options
	keys []string
	log  *slog.Logger

	follower queue.Follower
	ctx      context.Context
	cancel   context.CancelFunc
	done     chan struct{} // closed when run has ended; nil before Start
	leaving  atomic.Bool   // it is being stopped

	more chan struct{} // there is something to send

	mu       sync.Mutex
	outgoing []queue.Command
	due      time.Time // a tick is wanted for; zero: none

	wall  func() time.Time // this machine's clock
	ahead atomic.Int64     // of Redis', in nanoseconds

	// Until when what was last heard may hold for the others; of run alone.
	bound time.Time
}

// New checks the options. Redis is not asked before the engine starts the log.
func New(o Options) (*Log, error) {
	if len(o.Redis.Addrs) == 0 {
		return nil, errors.New("redisq: no address of Redis: set Options.Redis.Addrs")
	}
	if o.Space == "" {
		o.Space = DefaultSpace
	}
	if o.Lease == 0 {
		o.Lease = DefaultLease
	}
	if o.Patience == 0 {
		o.Patience = DefaultPatience
	}
	if o.Lease < time.Second || o.Patience <= 0 || o.Patience > o.Lease/3 {
		return nil, fmt.Errorf("redisq: Lease %v, Patience %v: a lease is 1s at least, and three times as long as the patience", o.Lease, o.Patience)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{o: o, keys: keys(o.Space), log: o.Logger, more: make(chan struct{}, 1), wall: time.Now}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l, nil
}

// keys are those of a space, in the order of the scripts. They share a hash
// tag, so that a cluster keeps them in one place.
func keys(space string) []string {
	return []string{"{" + space + "}:head", "{" + space + "}:log", "{" + space + "}:leases", "{" + space + "}:snapshot"}
}

// client is a connection to Redis. Nothing is tried twice: a command that was
// sent may have been carried out though no answer came.
func (l *Log) client(patience time.Duration) redis.UniversalClient {
	o := l.o.Redis
	o.MaxRetries, o.DialerRetries, o.PoolSize = -1, 1, 4
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = l.o.Patience, patience, patience, patience
	o.ContextTimeoutEnabled = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewUniversalClient(&o)
}

// What go-redis says by itself is what its errors say, once per try.
func init() { redis.SetLogger(silent{}) }

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// Start implements queue.Log.
func (l *Log) Start(f queue.Follower) {
	l.follower, l.done = f, make(chan struct{})
	go l.run()
}

// Stop implements queue.Log. The others need not wait for the end of the lease.
func (l *Log) Stop() {
	l.leaving.Store(true)
	l.cancel()
	if l.done != nil {
		<-l.done
	}
}

// ClockAhead is by how much this machine's clock was ahead of Redis' own when the
// lease was last renewed, behind below 0: exact to half of what Redis took to
// answer, half of Patience at most. 0 before it was asked.
func (l *Log) ClockAhead() time.Duration { return time.Duration(l.ahead.Load()) }

// Append implements queue.Log.
func (l *Log) Append(c queue.Command) {
	l.mu.Lock()
	l.outgoing = append(l.outgoing, c)
	l.mu.Unlock()
	l.wake()
}

// Tick implements queue.Log.
func (l *Log) Tick(due time.Time) {
	l.mu.Lock()
	l.due = due
	l.mu.Unlock()
	l.wake()
}

func (l *Log) wake() {
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// run is together with the others whenever that can be. At the start they may
// still count on what was this service's before.
func (l *Log) run() {
	defer close(l.done)
	l.bound = time.Now().Add(l.o.Lease)
	var p pace
	for {
		began, bound := time.Now(), l.bound
		err := l.together()
		if l.ctx.Err() != nil {
			return
		}
		l.follower.Alone(err)
		l.forget()
		if !l.rest(p.after(time.Since(began), l.bound.After(bound))) {
			return
		}
	}
}

// pace says when it is tried again to be together. A try that takes the lease
// keeps the follower from serving by itself for as long as the lease stands. So
// the first that soon fails so is repeated at once, since that may be all there
// was to it; those after it only once the follower has served, and ever more
// seldom.
type pace struct {
	wait time.Duration
	vain int // tries in a row that took the lease and soon failed
}

const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = time.Second      // while nothing is promised
	vainRetry  = 30 * time.Second // where each try keeps the follower from serving
	isSteady   = 10 * time.Second // what lasted for so long did not soon fail
)

// after is how long to wait after a try, and whether the follower is to serve
// before the next.
func (p *pace) after(lasted time.Duration, leased bool) (wait time.Duration, serve bool) {
	if lasted > isSteady {
		*p = pace{}
	}
	longest := lastRetry
	if leased {
		p.vain++
	}
	if serve = leased && p.vain > 1; serve {
		longest = vainRetry
	}
	p.wait = min(max(firstRetry, 2*p.wait), longest)
	return p.wait, serve
}

// rest waits before the next try, and has the follower serve as soon as what
// was last heard binds nobody any more; serve: before the next try.
func (l *Log) rest(retry time.Duration, serve bool) bool {
	bound := time.Until(l.bound)
	if serve {
		retry = max(retry, bound)
	}
	again := time.NewTimer(retry)
	defer again.Stop()
	free := time.NewTimer(bound)
	defer free.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return false
		case <-free.C:
			l.follower.Serve()
		case <-again.C:
			if serve {
				l.follower.Serve()
			}
			return true
		}
	}
}

// forget drops what was to be sent: the follower has done it by itself.
func (l *Log) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outgoing, l.due = nil, time.Time{}
}
