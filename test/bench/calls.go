package main

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// load is what one turn of the calls has to carry.
type load struct {
	agents int
	desk   desk
	crowd  crowd
}

// outcome is what a turn of calls came to.
type outcome struct {
	made, served      int // calls begun, and those that an agent talked to and that ended as they should
	repeated          int // SIP messages sent again
	asterisk, service time.Duration
	answers           []time.Duration // from the INVITE to its 200
	complaints        string
}

func (o outcome) failed() int { return o.made - o.served }

// settle is how long a turn waits for what comes after the last call: its recording, its entries.
const settle = 2 * time.Second

// patience is how long after the last arrival every call is to be over.
const patience = 30 * time.Second

var errPatience = errors.New("not every call has come to its end")

// calls lets callers come at a steady rate to agents who are always enough, and measures what it takes.
func (f *field) calls(ctx context.Context, c contestant, p profile, l load) (o outcome, err error) {
	at, err := newDesks()
	if err != nil {
		return o, err
	}
	t, err := f.begin(ctx, c, p, at, nil)
	if err != nil {
		return o, err
	}
	defer func() {
		if stopped := t.stop(); err == nil {
			err = stopped
		}
	}()
	if err := t.agents(ctx, "sign-in"); err != nil {
		return o, err
	}
	desks, err := t.openDesks(at, l.desk)
	if err != nil {
		return o, err
	}
	warm, err := t.carry(ctx, desks, crowd{perSecond: 10, calls: 20}, "warm-up")
	if err != nil {
		return o, err
	}
	if warm.failed() > 0 {
		say("    %d of the first %d calls not served: %s", warm.failed(), warm.made, warm.complaints)
	}
	return t.carry(ctx, desks, l.crowd, "calls")
}

func (t *turn) openDesks(at netip.AddrPort, d desk) (*sipp, error) {
	desks, err := startDesks(t.work("desks"), at, d, t.profile, t.SIP().String())
	if err == nil {
		t.end = append(t.end, desks.stop)
	}
	return desks, err
}

// carry lets the crowd come and go.
func (t *turn) carry(ctx context.Context, desks *sipp, c crowd, part string) (o outcome, err error) {
	before, err := desks.tally()
	if err != nil {
		return o, err
	}
	used, err := t.used()
	if err != nil {
		return o, err
	}
	callers, err := startCallers(t.work(part), c, t.profile, t.exten(), t.SIP().String())
	if err != nil {
		return o, err
	}
	ended, stuck := context.WithTimeoutCause(ctx, time.Duration(c.calls/c.perSecond)*time.Second+patience, errPatience)
	defer stuck()
	switch err := callers.wait(ended); {
	case errors.Is(err, errPatience): // those who are still there have failed
		o.complaints = t.logs(ctx)
	case err != nil:
		return o, err
	}
	if err := sleep(ctx, settle); err != nil {
		return o, err
	}
	usedThen, err := t.used()
	if err != nil {
		return o, err
	}
	figures, err := callers.tally()
	if err != nil {
		return o, err
	}
	after, err := desks.tally()
	if err != nil {
		return o, err
	}
	if o.answers, err = callers.answers(); err != nil {
		return o, err
	}
	o.made, o.served = figures.made, min(figures.well, after.well-before.well)
	o.repeated = figures.repeated + after.repeated - before.repeated
	o.asterisk, o.service = usedThen.since(used)
	if o.failed() > 0 {
		o.complaints += "\n" + callers.complaints() + "\n" + desks.complaints()
	}
	return o, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
