package redisq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"hotline/queue"
)

// Why services are not together. What Redis itself says comes on top.
var (
	errNone   = errors.New("there is no log in Redis: it was flushed")
	errLost   = errors.New("the log in Redis is not the one that was followed: it was flushed, or an older copy of it has taken over")
	errStale  = errors.New("the lease has run out, or another process with this service's name has taken it")
	errLate   = errors.New("Redis was so late to renew the lease that nobody waits for it any more, or its clock has leapt ahead")
	errOther  = errors.New("the log in Redis is that of services of another version: this one comes to them, or begins a log anew, once they have been upgraded or stopped")
	errSilent = errors.New("Redis has entries that it does not tell of")
)

var refusals = map[string]error{"none": errNone, "lost": errLost, "stale": errStale, "late": errLate, "version": errOther}

const (
	batchMost    = 500              // commands in an entry
	pageSize     = 500              // entries read at once
	listenFor    = 10 * time.Second // before listening anew, when nothing happens
	snapshotWait = 30 * time.Second // for making one
	snapshotFrom = 1 << 20          // bytes of log that are not worth a snapshot
)

// session is one time of being together, on connections of its own. It ends
// with the first thing that goes wrong.
type session struct {
	*Log
	ctx    context.Context
	end    context.CancelCauseFunc
	redis  redis.UniversalClient
	ear    redis.UniversalClient // for listening
	work   sync.WaitGroup
	token  string
	seen   atomic.Pointer[string]    // the last entry read
	stands atomic.Pointer[time.Time] // until when the lease does, by this process's clock
	binds  atomic.Pointer[time.Time] // until when the others may count on it, whatever was heard
	spoken atomic.Bool               // something was sent that is to be read

	// What Redis' own clock showed, in microseconds, when it was last asked, and
	// when that was answered; of keep alone, once the lease is taken.
	clock    int64
	answered time.Time
}

// together has the follower be with the others until something goes wrong.
func (l *Log) together() error {
	s := &session{Log: l, redis: l.client(l.o.Patience), ear: l.client(listenFor + l.o.Patience)}
	s.ctx, s.end = context.WithCancelCause(l.ctx)
	err := s.follow()
	if cause := context.Cause(s.ctx); cause != nil {
		err = cause
	}
	s.end(err)
	_ = s.ear.Close() // what is under way there ends too
	s.work.Wait()
	if l.leaving.Load() && s.token != "" {
		s.leave()
	}
	_ = s.redis.Close()
	if until := s.binds.Load(); until != nil { // others count on what this service has
		l.bound = *until
	}
	return err
}

// begin runs a part of the session that ends it when it fails.
func (s *session) begin(part func() error) {
	s.work.Go(func() {
		if err := part(); err != nil {
			s.end(err)
		}
	})
}

// run runs a script, and tells what is refused as an error.
func (s *session) run(script *redis.Script, args ...any) ([]any, error) {
	ctx, cancel := context.WithTimeout(s.ctx, 2*s.o.Patience)
	defer cancel()
	reply, err := script.Run(ctx, s.redis, s.keys, args...).Slice()
	if err != nil {
		return nil, fmt.Errorf("redisq: Redis does not do what it is asked: %w", err)
	}
	if len(reply) < 2 {
		return nil, fmt.Errorf("redisq: Redis answers %v", reply)
	}
	if done, _ := reply[0].(int64); done == 1 {
		return reply[1:], nil
	}
	why, _ := reply[1].(string)
	if err := refusals[why]; err != nil {
		return nil, fmt.Errorf("redisq: %w", err)
	}
	return nil, fmt.Errorf("redisq: Redis refuses: %v", reply[1])
}

// ours are the arguments with which every writer says who it is.
func (s *session) ours(more ...any) []any {
	return append([]any{s.follower.Owner(), s.token, *s.seen.Load()}, more...)
}

// follow catches up with the others, takes the lease, brings along what the
// follower has, and reads from then on. What can fail without anything having
// been promised is done before the lease.
func (s *session) follow() error {
	m, err := s.prepare()
	if err != nil {
		return err
	}
	s.begin(s.keep)
	last, err := s.replay(m, *s.seen.Load())
	if err != nil {
		return err
	}
	s.seen.Store(&last)
	s.follower.Bring()
	s.begin(s.write)
	stop := context.AfterFunc(s.ctx, func() { _ = s.ear.Close() })
	defer stop()
	return s.read(m)
}

// prepare is the common machine, with the lease taken and the log begun where
// there is none.
func (s *session) prepare() (m *queue.Machine, err error) {
	for range 3 { // whoever flushes Redis at this very moment is not raced for ever
		if m, err = s.catchUp(); err == nil {
			err = s.enter()
		}
		if !errors.Is(err, errNone) && !errors.Is(err, errLost) && !errors.Is(err, errOther) {
			return m, err
		}
		if failed := s.found(); failed != nil {
			return nil, failed
		}
	}
	return nil, err
}

// enter takes the lease.
func (s *session) enter() error {
	asked := time.Now()
	reply, err := s.run(enterScript, s.follower.Owner(), s.o.Lease.Microseconds(), queue.MachineVersion)
	if err != nil {
		if mayBeDone(err) && asked.Before(s.bound) { // by then at the latest, or others know already that it is gone
			s.bind(s.bound.Add(s.o.Lease))
		}
		return err
	}
	s.token, _ = reply[0].(string)
	s.hold(asked)
	s.compare(asked, reply[2])
	return nil
}

// compare notes by how much this machine's clock is ahead of Redis', which was
// asked at a moment and has just answered.
func (s *session) compare(asked time.Time, clock any) {
	text, _ := clock.(string)
	micros, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return // which no script of ours answers
	}
	s.clock, s.answered = micros, time.Now()
	took := time.Since(asked)
	s.ahead.Store(int64(s.wall().Add(-took / 2).Sub(time.UnixMicro(micros))))
}

// hold is that Redis was asked for the lease at a moment and has just answered: it
// stands for its whole length from then on at least, from now on at most.
func (s *session) hold(asked time.Time) {
	until := asked.Add(s.o.Lease)
	s.stands.Store(&until)
	s.bind(time.Now().Add(s.o.Lease))
}

func (s *session) bind(until time.Time) { s.binds.Store(&until) }

// leave gives the lease back. Where that fails it runs out.
func (s *session) leave() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), s.o.Patience)
	defer cancel()
	if err := leaveScript.Run(ctx, s.redis, s.keys, s.ours()...).Err(); err != nil {
		s.log.Info("queue: the other services count on this one until its lease has run out", "err", err)
	}
}

// mayBeDone reports whether what failed may have been done all the same, or may
// yet be: no answer came.
func mayBeDone(err error) bool {
	for _, why := range refusals {
		if errors.Is(err, why) {
			return false
		}
	}
	var said redis.Error
	var unsent *net.OpError
	return !errors.As(err, &said) && !(errors.As(err, &unsent) && unsent.Op == "dial")
}

// renew renews the lease. Redis does it soon or not at all, so that it is known
// how long others count on this service though no answer comes.
func (s *session) renew() ([]any, error) {
	asked, within := time.Now(), 2*s.o.Patience
	latest := s.clock + (asked.Sub(s.answered) + within).Microseconds()
	reply, err := s.run(renewScript, s.ours(s.o.Lease.Microseconds(), snapshotFrom, latest)...)
	switch {
	case err == nil:
		s.hold(asked)
		s.compare(asked, reply[2])
	case mayBeDone(err):
		s.bind(asked.Add(within + s.o.Lease))
	}
	return reply, err
}

func (s *session) found() error {
	m, err := s.follower.Beginning()
	if err != nil {
		return err
	}
	data, err := m.Snapshot()
	if err != nil {
		return err
	}
	packed, err := pack(data)
	if err != nil {
		return err
	}
	if _, err = s.run(foundScript, packed, len(data), queue.MachineVersion, s.follower.Owner()); err == nil {
		s.log.Info("queue: a log has been begun in Redis, which had none of this version", "space", s.o.Space)
	}
	return err
}

// load is the machine of the last snapshot and the entry it comes after.
func (s *session) load() (m *queue.Machine, last string, err error) {
	ctx, cancel := context.WithTimeout(s.ctx, snapshotWait)
	defer cancel()
	values, err := s.redis.HMGet(ctx, s.keys[3], "id", "data").Result()
	var version []any
	if err == nil {
		version, err = s.redis.HMGet(ctx, s.keys[0], "version").Result()
	}
	if err != nil {
		return nil, "", fmt.Errorf("redisq: reading the snapshot: %w", err)
	}
	last, _ = values[0].(string)
	packed, _ := values[1].(string)
	if last == "" {
		return nil, "", fmt.Errorf("redisq: %w", errNone)
	}
	if is, _ := version[0].(string); is != strconv.Itoa(queue.MachineVersion) {
		return nil, "", fmt.Errorf("redisq: version %q: %w", is, errOther)
	}
	data, err := unpack(packed)
	if err == nil {
		m, err = queue.LoadMachine(data)
	}
	return m, last, err
}

// replay carries out on a machine what comes after an entry, up to the newest
// there is.
func (s *session) replay(m *queue.Machine, last string) (string, error) {
	for {
		page, err := s.redis.XRangeN(s.ctx, s.keys[1], "("+last, "+", pageSize).Result()
		if err != nil {
			return last, fmt.Errorf("redisq: reading the log: %w", err)
		}
		for _, message := range page {
			e, err := parseEntry(message)
			if err == nil {
				err = e.follows(last)
			}
			var list []queue.Command
			if err == nil {
				list, err = e.parse()
			}
			if err != nil {
				return last, err
			}
			e.apply(m, list)
			last = e.id
		}
		if len(page) < pageSize {
			return last, nil
		}
	}
}

// catchUp is the common machine as it is now. It also sees to it that the log
// can be listened to.
func (s *session) catchUp() (*queue.Machine, error) {
	m, last, err := s.load()
	if err == nil {
		last, err = s.replay(m, last)
	}
	if err != nil {
		return nil, err
	}
	s.seen.Store(&last)
	_, err = s.redis.XRead(s.ctx, &redis.XReadArgs{Streams: []string{s.keys[1], last}, Count: 1, Block: -1}).Result()
	if err != nil && err != redis.Nil {
		return nil, fmt.Errorf("redisq: the log cannot be listened to: %w", err)
	}
	return m, nil
}

// read tells the follower what happens. Until what the follower brought has
// happened, the machine is this session's.
func (s *session) read(m *queue.Machine) error {
	for s.ctx.Err() == nil {
		streams, err := s.ear.XRead(s.ctx, &redis.XReadArgs{Streams: []string{s.keys[1], *s.seen.Load()}, Count: pageSize, Block: listenFor}).Result()
		if err == redis.Nil {
			continue
		}
		if err != nil {
			return fmt.Errorf("redisq: listening to the log: %w", err)
		}
		for _, message := range streams[0].Messages {
			e, err := parseEntry(message)
			if err == nil {
				err = e.follows(*s.seen.Load())
			}
			if err == nil && time.Now().After(*s.stands.Load()) {
				err = fmt.Errorf("redisq: this process stood still: %w", errStale) // what follows may say that it is gone
			}
			if err == nil {
				m, err = s.tell(m, e)
			}
			if err != nil {
				return err
			}
			s.seen.Store(&e.id)
		}
	}
	return nil
}

// tell has an entry happen, and returns the machine as long as it is not the
// follower's. That this service is gone does not happen to it: it was there all
// the time, and comes back with what it has.
func (s *session) tell(m *queue.Machine, e entry) (*queue.Machine, error) {
	if e.token == s.token {
		if m != nil {
			s.follower.Enter(m, e.at)
		}
		s.follower.Happened(e.at, e.count, nil)
		return nil, nil
	}
	list, err := e.parse()
	switch {
	case err != nil:
		return m, err
	case ends(list, s.follower.Owner()):
		return m, fmt.Errorf("redisq: entry %s says that this service is gone: %w", e.id, errStale)
	case m != nil:
		e.apply(m, list)
	default:
		s.follower.Happened(e.at, 0, list)
	}
	return m, nil
}

// write sends what there is to be sent: all that has come together while the
// last was under way.
func (s *session) write() error {
	early := time.NewTimer(0)
	defer early.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return nil
		case <-s.more:
		case <-early.C:
		}
		for {
			batch, due := s.take()
			if len(batch) == 0 && due.IsZero() {
				break
			}
			if err := s.send(batch); err != nil {
				return err
			}
			if !due.IsZero() {
				wait, err := s.tick(due)
				if err != nil {
					return err
				}
				if wait > 0 { // the clocks differ a little
					s.keepDue(due)
					early.Reset(wait)
					break
				}
			}
		}
	}
}

// take takes what is to be sent now.
func (l *Log) take() (batch []queue.Command, due time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.outgoing), batchMost)
	batch, l.outgoing = l.outgoing[:n:n], l.outgoing[n:]
	due, l.due = l.due, time.Time{}
	return batch, due
}

// keepDue keeps a moment that has not come, unless another has been named.
func (l *Log) keepDue(due time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.due.IsZero() {
		l.due = due
	}
}

func (s *session) send(batch []queue.Command) error {
	if len(batch) == 0 {
		return nil
	}
	data, err := json.Marshal(batch)
	if err != nil {
		return fmt.Errorf("redisq: writing commands: %w", err)
	}
	s.spoken.Store(true)
	_, err = s.run(appendScript, s.ours(len(batch), data)...)
	return err
}

// tick has time pass, and says how long it is until then if it is too early.
func (s *session) tick(due time.Time) (time.Duration, error) {
	reply, err := s.run(tickScript, s.ours((due.UnixNano()+999)/1000)...)
	if err != nil {
		return 0, err
	}
	wait, _ := reply[0].(int64)
	return time.Duration(wait) * time.Microsecond, nil
}

// keep renews the lease, sees to it that the log is read, and makes snapshots
// when this service is asked to.
func (s *session) keep() error {
	every := time.NewTicker(s.o.Lease / 3)
	defer every.Stop()
	var was struct{ head, seen string }
	for {
		select {
		case <-s.ctx.Done():
			return nil
		case <-every.C:
		}
		seen := *s.seen.Load()
		if s.spoken.Load() && was.head != "" && was.head != was.seen && was.seen == seen {
			return fmt.Errorf("redisq: nothing after entry %s was told for %v: %w", seen, s.o.Lease/3, errSilent)
		}
		reply, err := s.renew()
		if err != nil {
			return err
		}
		was.head, _ = reply[0].(string)
		was.seen = seen
		if asked, _ := reply[1].(int64); asked == 1 {
			s.work.Go(s.snapshot)
		}
	}
}

// snapshot makes a new one from the last and the log, beside the follower,
// which is not kept waiting. One that fails is made later by somebody.
func (s *session) snapshot() {
	if err := s.makeSnapshot(); err != nil && s.ctx.Err() == nil {
		s.log.Warn("queue: no new snapshot in Redis; the log there grows until there is one", "err", err)
	}
}

func (s *session) makeSnapshot() error {
	m, last, err := s.load()
	if err != nil {
		return err
	}
	if last, err = s.replay(m, last); err != nil {
		return err
	}
	data, err := m.Snapshot()
	if err != nil {
		return err
	}
	packed, err := pack(data)
	if err != nil {
		return err
	}
	_, err = s.run(snapshotScript, s.ours(last, packed, strconv.Itoa(len(data)))...)
	return err
}
