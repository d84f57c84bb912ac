package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"hotline/test/faults"
	"hotline/test/phone"
)

// line is how many wait, and what is asked of them.
type line struct {
	waiting int
	arrive  int           // callers a second until so many wait
	idle    time.Duration // for so long nobody is served, and it is measured what the waiting costs
	served  int           // then one agent serves so many
}

// queued is what came of it.
type queued struct {
	lasted                        time.Duration // while nobody was served
	asteriskCPU, serviceCPU       time.Duration // in it; the service's with that of its Redis
	redisCPU                      time.Duration // of it Redis'
	worst                         time.Duration // the most that service and Redis used in one second of it
	requests                      float64       // of the service to Asterisk, in it
	asteriskMemory, serviceMemory float64       // bytes per waiting caller
	redisMemory                   float64       // the same, as Redis itself counts it
	freed                         []time.Duration
}

// mute is put between the service and Asterisk: hold tones are not played, since thousands of them are more than this
// machine can play, and nobody's phone here would hear them. The service goes on as if they were.
func mute(ari netip.AddrPort) (netip.AddrPort, func() error, error) {
	proxy, err := faults.NewProxy(ari)
	if err != nil {
		return ari, nil, err
	}
	proxy.Watch(func(x *faults.Passing) {
		_, tone, _ := strings.Cut(x.What, "}/play ")
		if tone == "" {
			tone, _ = strings.CutPrefix(x.What, "DELETE /playbacks/{")
		}
		if x.Side == faults.Before && (strings.HasPrefix(tone, "queue.joined") || strings.HasPrefix(tone, "hold.")) {
			x.Answer(200, "muted by the benchmark")
		}
	})
	return proxy.Addr(), func() error { proxy.Close(); return nil }, nil
}

// wait fills the queue while its only agent is away, looks at what the waiting costs, and then lets the agent serve
// one caller after the other. Whoever has been served is replaced by a new caller.
func (f *field) wait(ctx context.Context, c contestant, l line) (q queued, err error) {
	t, err := f.begin(ctx, c, bare, netip.AddrPort{}, mute)
	if err != nil {
		return q, err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	if err := errors.Join(t.agents(ctx, "sign-in", agentID(0)), t.agents(ctx, "pause", agentID(0))); err != nil {
		return q, err
	}
	empty, err := t.memory(ctx)
	if err != nil {
		return q, err
	}
	visits, err := t.visits(ctx)
	if err != nil {
		return q, err
	}
	callers, err := startCallers(t.work("waiting"), crowd{perSecond: l.arrive, calls: l.waiting + 2*l.served, atOnce: l.waiting}, bare, t.exten(), t.SIP().String())
	if err != nil {
		return q, err
	}
	t.end = append(t.end, callers.stop)
	if err := callers.fill(ctx, l); err != nil {
		return q, fmt.Errorf("%w\n%s\n%s", err, callers.complaints(), t.logs(ctx))
	}
	if err := t.idle(ctx, l, &q, empty); err != nil {
		return q, err
	}
	if q.freed, err = t.serve(ctx, l.served); err != nil {
		return q, err
	}
	again, err := t.visits(ctx)
	if err == nil && again != visits {
		err = fmt.Errorf("the service lost its Redis and came back %d times: what was measured is no queue on Redis", again-visits)
	}
	return q, err
}

// fill waits until all are in line: there is a ring and an answer before, and after thousands there is something to catch
// up with.
func (s *sipp) fill(ctx context.Context, l line) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(l.waiting/l.arrive)*2*time.Second+30*time.Second, errors.New("the line does not fill"))
	defer cancel()
	for {
		t, err := s.tally()
		switch {
		case err != nil:
			return err
		case t.failed > l.waiting/100:
			return fmt.Errorf("%d callers failed before anybody was served", t.failed)
		case t.open >= l.waiting:
			return sleep(ctx, 4*time.Second+time.Duration(l.waiting)*2*time.Millisecond)
		}
		if err := sleep(ctx, 500*time.Millisecond); err != nil {
			return fmt.Errorf("%w: %+v", err, t)
		}
	}
}

// idle measures what those cost who wait and are not served.
func (t *turn) idle(ctx context.Context, l line, q *queued, empty memory) error {
	used, err := t.used()
	if err != nil {
		return err
	}
	requests, err := t.metric(ctx, requestsMetric)
	if err != nil {
		return err
	}
	began, usedThen := time.Now(), used
	for time.Since(began) < l.idle {
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
		before := usedThen
		if usedThen, err = t.used(); err != nil {
			return err
		}
		_, service := usedThen.since(before)
		q.worst = max(q.worst, service)
	}
	q.lasted = time.Since(began)
	requestsThen, err := t.metric(ctx, requestsMetric)
	if err != nil {
		return err
	}
	q.asteriskCPU, q.serviceCPU = usedThen.since(used)
	q.redisCPU = usedThen.redis.cpu - used.redis.cpu
	q.requests = requestsThen - requests
	filled, err := t.memory(ctx)
	each := func(filled, empty int64) float64 { return float64(filled-empty) / float64(l.waiting) }
	q.asteriskMemory = each(filled.asterisk, empty.asterisk)
	q.serviceMemory = each(filled.service, empty.service)
	q.redisMemory = each(filled.redis, empty.redis)
	return err
}

// memory is what each has, in bytes: resident, and of Redis what it has in use.
type memory struct{ asterisk, service, redis int64 }

func (t *turn) memory(ctx context.Context) (m memory, err error) {
	used, err := t.used()
	if err != nil {
		return m, err
	}
	redis, err := t.redisMemory(ctx)
	return memory{used.asterisk.resident, used.service.resident, redis}, err
}

// requestsMetric counts the service's requests to Asterisk.
const requestsMetric = "hotline_ari_request_seconds_count"

// serve has the agent come, answer at once, talk for a moment and hang up, until so many have been served. It gives the
// time from each BYE of the agent's to the next INVITE.
func (t *turn) serve(ctx context.Context, callers int) (freed []time.Duration, err error) {
	desk, err := t.register(ctx, 0, phone.AnswerAfter(0))
	if err != nil {
		return nil, err
	}
	if err := t.agents(ctx, "ready", agentID(0)); err != nil {
		return nil, err
	}
	var free time.Time
	for n := range callers + 1 {
		call, err := next(ctx, desk)
		if err != nil {
			return freed, fmt.Errorf("caller %d is not offered: %w\n%s", n, err, t.logs(ctx))
		}
		if n > 0 {
			freed = append(freed, call.Start().Sub(free))
		}
		if err := call.WaitAnswered(ctx); err != nil {
			return freed, err
		}
		if err := sleep(ctx, 150*time.Millisecond); err != nil {
			return freed, err
		}
		free = time.Now()
		if err := call.Hangup(ctx); err != nil && call.Up() {
			return freed, err
		}
	}
	return freed, nil
}

func next(ctx context.Context, desk *phone.Phone) (*phone.Call, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 20*time.Second, errors.New("20 s are over"))
	defer cancel()
	return desk.NextCall(ctx)
}

// register puts the first agent's phone on the desk. It is closed with the turn.
func (t *turn) register(ctx context.Context, voice int, does phone.Behaviour) (*phone.Phone, error) {
	id := agentID(0)
	account, _ := t.Config.Agent(id)
	desk, err := phone.New(phone.Options{
		Name: "agent " + id, IP: phonesAt, Number: id, Password: account.Password.Reveal(), Server: t.SIP().String(),
		Voice: voice, Voices: voices, DTX: voice == 0, Incoming: does,
	})
	if err != nil {
		return nil, err
	}
	t.end = append(t.end, func() error { desk.Close(); return nil })
	return desk, desk.Register(ctx)
}

// agentID is the n-th agent's.
func agentID(n int) string { return strconv.Itoa(1001 + n) }
