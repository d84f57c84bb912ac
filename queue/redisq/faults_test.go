package redisq

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"hotline/queue"
)

// full is a house with everything under way: 1001 talks with "talk", the phone
// of 1002 rings for "ringing", and "first" and "second" wait.
type full struct {
	*house
	ringing       *queue.Offer
	first, second *queue.Ticket
}

func openFull(t *testing.T, s *server) *full {
	t.Helper()
	f := &full{house: open(t, s, "north", "1001", "1002", "1003")}
	f.signIn("1001")
	f.must(f.offered(f.join("talk"), "1001").Connected())
	f.signIn("1002")
	f.ringing = f.offered(f.join("ringing"), "1002")
	f.must(f.ringing.Ringing())
	f.first, f.second = f.join("first"), f.join("second")
	return f
}

// goesOn checks that nothing that was under way has changed.
func (f *full) goesOn(calls ...string) {
	f.t.Helper()
	f.inState("1001", queue.StateTalking)
	f.inState("1002", queue.StateRinging)
	f.stands(append([]string{"ringing", "first", "second"}, calls...)...)
	if err := context.Cause(f.ringing.Context()); err != nil {
		f.t.Fatalf("the phone that rings has been stopped: %v", err)
	}
	for _, ticket := range []*queue.Ticket{f.first, f.second} {
		select {
		case <-ticket.Lapsed():
			f.t.Fatalf("the wait of call %s has ended: %s", ticket.Caller().ID, ticket.LapseReason())
		default:
		}
	}
}

// Whatever becomes of Redis: talks and phones that ring go on, callers wait in
// their order, the service's own agents go on being served, and all of it holds
// on after the return.
func TestRedisAway(t *testing.T) {
	for _, row := range []struct {
		name       string
		away, back func(s *server)
	}{
		{"stands still", (*server).Pause, (*server).Resume},
		{"restarted with its data", (*server).Kill, (*server).Start},
		{"restarted without its data", (*server).Kill, func(s *server) { s.Lose(); s.Start() }},
		{"flushed", func(s *server) { s.Do("FLUSHALL") }, func(*server) {}},
		{"the log alone is lost", func(s *server) { s.Do("DEL", keys(DefaultSpace)[1]) }, func(*server) {}},
		{"out of memory", func(s *server) { s.Do("CONFIG", "SET", "maxmemory", "1") }, func(s *server) { s.Do("CONFIG", "SET", "maxmemory", "0") }},
		{"read-only", func(s *server) { s.Do("REPLICAOF", "127.0.0.1", "1") }, func(s *server) { s.Do("REPLICAOF", "NO", "ONE") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := startRedis(t)
			f := openFull(t, s)
			row.away(s)
			lasting := row.name != "flushed" && row.name != "the log alone is lost"
			if lasting {
				f.alone()
			}
			f.goesOn()
			last := f.join("last") // callers still come
			f.stands("ringing", "first", "second", "last")
			if lasting {
				f.signIn("1003")
				f.must(f.offered(f.first, "1003").Connected()) // served from the local view
				f.must(f.ringing.Connected())
				f.must(f.EndTalk("1001", "talk"))
				f.must(f.Ready("1001"))
				f.must(f.offered(f.second, "1001").Ringing())
				row.back(s)
				f.together()
				f.inState("1003", queue.StateTalking)
				f.inState("1002", queue.StateTalking)
				f.inState("1001", queue.StateRinging)
				f.stands("second", "last")
				f.must(f.EndTalk("1002", "ringing"))
				f.must(f.Ready("1002"))
			} else {
				f.together()
				f.goesOn("last")
				f.must(f.ringing.Connected())
				f.must(f.EndTalk("1001", "talk"))
				f.must(f.Ready("1001"))
				f.must(f.offered(f.first, "1001").Connected())
				f.signIn("1003")
				f.must(f.offered(f.second, "1003").Connected())
				f.must(f.EndTalk("1002", "ringing"))
				f.must(f.Ready("1002"))
			}
			f.must(f.offered(last, "1002").Connected())
			other := open(t, s, "south")
			other.together()
			other.inState("1002", queue.StateTalking)
		})
	}
}

// Two services and a Redis that is away for longer than the lease: each serves
// its own callers by its own agents, and nobody else's. When Redis is back, with
// or without what it had, there is one line again.
func TestApartAndTogetherAgain(t *testing.T) {
	for name, back := range map[string]func(s *server){
		"with its data": (*server).Start,
		"without":       func(s *server) { s.Lose(); s.Start() },
	} {
		t.Run(name, func(t *testing.T) {
			s := startRedis(t)
			north, south := open(t, s, "north", "1001", "1002"), open(t, s, "south", "2001", "2002")
			south.signIn("2001", "2002")
			north.must(north.offered(north.join("n talk"), "2001").Connected()) // across
			rings := north.offered(north.join("n rings"), "2002")
			north.must(rings.Ringing())
			n1, s1, n2, s2 := north.join("n1"), south.join("s1"), north.join("n2"), south.join("s2")
			south.stands("n rings", "n1", "s1", "n2", "s2")

			s.Kill()
			north.alone()
			south.alone()
			north.stands("n rings", "n1", "n2")
			south.stands("s1", "s2")
			north.ended(rings, queue.ErrWithdrawn)    // whose agent is not heard of
			south.inState("2002", queue.StateTalking) // and may have answered
			north.signIn("1001")
			north.offered(north.byCall["n rings"], "1001")
			if v, _ := north.Agent("2001"); v.State != queue.StateTalking || !v.Away {
				t.Errorf("an agent of elsewhere who talks with our caller: %+v", v)
			}
			south.must(south.Ready("2002"))
			south.must(south.offered(s1, "2002").Connected())

			back(s)
			north.together()
			south.together()
			for _, h := range []*house{north, south} {
				h.stands("n rings", "n1", "n2", "s2")
				h.inState("2001", queue.StateTalking)
				h.inState("2002", queue.StateTalking)
				h.inState("1001", queue.StateReserved)
			}
			north.must(north.EndTalk("2001", "n talk"))
			south.must(south.Ready("2001"))
			north.offered(n1, "2001")
			north.signIn("1002")
			north.offered(n2, "1002")
			s2.Leave("hang-up")
			south.stands("n rings", "n1", "n2")
		})
	}
}

// A service that dies while Redis loses what it had is not heard of in the log
// that begins then, though nothing there says that it is gone.
func TestWhoDiesWhileRedisLosesItsData(t *testing.T) {
	s := startRedis(t)
	north, south := open(t, s, "north", "1001"), open(t, s, "south", "2001")
	south.signIn("2001")
	north.inState("2001", queue.StateReady)
	s.Kill()
	s.Lose()
	south.die()
	s.Start()
	north.alone()
	north.together()
	if others, _ := north.Others(); len(others) > 0 {
		t.Errorf("the north hears of %q, want nobody", others)
	}
	if v, _ := north.Agent("2001"); !v.Away {
		t.Errorf("an agent of the service that has died can be offered callers: %+v", v)
	}
	again := open(t, s, "south", "2001")
	again.together()
	again.signIn("2001")
	north.offered(north.join("a"), "2001")
	if others, _ := north.Others(); len(others) != 1 {
		t.Errorf("the north hears of %q, want the south", others)
	}
}

// Whoever has an old token, or a lease that is over, as a process that stood still
// for long, is refused whatever it says, by Redis.
func TestWhatIsSaidWithoutALeaseIsRefused(t *testing.T) {
	s := startRedis(t)
	north, south := open(t, s, "north", "1001"), open(t, s, "south", "2001")
	south.signIn("2001")
	north.offered(north.join("a"), "2001")

	// Another process under the same name is what a paused one is to itself.
	paused := &session{Log: north.log, redis: north.log.client(time.Second)}
	paused.ctx, paused.end = context.WithCancelCause(context.Background())
	defer func() { _ = paused.redis.Close() }()
	if _, err := paused.prepare(); err != nil {
		t.Fatal(err)
	}
	north.soon("it has noticed that its name was taken", func() bool { _, why := north.Alone(); return errors.Is(why, errStale) })
	north.together() // with a newer token
	for name, write := range map[string]func() error{
		"appending":  func() error { return paused.send([]queue.Command{{Do: queue.VerbSignOut, Agent: "2001"}}) },
		"ticking":    func() error { _, err := paused.tick(time.Now()); return err },
		"renewing":   func() error { _, err := paused.renew(); return err },
		"a snapshot": paused.makeSnapshot,
	} {
		if err := write(); !errors.Is(err, errStale) {
			t.Errorf("%s with an old token: %v, want it refused", name, err)
		}
	}
	if v, _ := south.Agent("2001"); v.State == queue.StateOffline {
		t.Error("what the paused one said has happened")
	}

	// And one whose lease has run out, though nobody has taken it.
	late := &session{Log: north.log, redis: north.log.client(time.Second)}
	late.ctx, late.end = context.WithCancelCause(context.Background())
	defer func() { _ = late.redis.Close() }()
	south.Stop()
	north.Stop()
	if _, err := late.prepare(); err != nil {
		t.Fatal(err)
	}
	s.set(2 * time.Second)
	if err := late.send([]queue.Command{{Do: queue.VerbSignIn, Agent: "2001"}}); !errors.Is(err, errStale) {
		t.Errorf("after the lease: %v, want it refused", err)
	}
}

// A renewal that reaches Redis when nobody waits for it any more renews nothing.
func TestALateRenewalIsRefused(t *testing.T) {
	s := startRedis(t)
	north := open(t, s, "north")
	x := north.writer(s)
	x.clock, x.answered = time.Now().UnixMicro(), time.Now()
	if _, err := x.renew(); err != nil {
		t.Fatal(err)
	}
	x.clock -= (2*x.o.Patience + time.Millisecond).Microseconds()
	if _, err := x.renew(); !errors.Is(err, errLate) {
		t.Errorf("a renewal of before: %v, want it refused", err)
	}
}

// Who comes back first after Redis was away counts on nobody whose lease has run out meanwhile.
func TestWhoComesBackHasTheOthersGoneWhoseLeaseIsOver(t *testing.T) {
	s := startRedis(t)
	open(t, s, "north")
	leases := keys(DefaultSpace)[2]
	s.Do("HSET", leases, "ghost", "1 1")
	open(t, s, "south").together()
	if s.Do("HEXISTS", leases, "ghost").(int64) != 0 {
		t.Error("a service whose lease has run out is still counted on by who has just come back")
	}
}

// writer is a session with a service's own lease, to have one thing written.
func (h *house) writer(s *server) *session {
	h.t.Helper()
	x := &session{Log: h.log, redis: h.log.client(time.Second)}
	x.ctx, x.end = context.WithCancelCause(context.Background())
	h.t.Cleanup(func() { _ = x.redis.Close() })
	x.token, _, _ = strings.Cut(s.Do("HGET", keys(DefaultSpace)[2], h.name).(string), " ")
	id := s.Do("HGET", keys(DefaultSpace)[0], "id").(string)
	x.seen.Store(&id)
	return x
}

// Whatever is written after a lease has run out comes after the service's end, at
// the moment of that end: the service serves by itself from then on, and what fell
// due since must not be done with its agents.
func TestNothingIsWrittenBeforeTheEndOfALease(t *testing.T) {
	for name, write := range map[string]func(west *house, x *session) error{
		"a command": func(west *house, _ *session) error { return west.SignIn("3001") },
		"a tick":    func(_ *house, x *session) error { _, err := x.tick(time.UnixMicro(1)); return err },
	} {
		t.Run(name, func(t *testing.T) {
			s := startRedis(t)
			seldom := func(o *Options) { o.Lease = time.Minute } // nobody renews meanwhile
			north, south := openWith(t, s, "north", seldom), openWith(t, s, "south", seldom)
			west := openWith(t, s, "west", seldom, "3001")
			west.together()
			k := keys(DefaultSpace)
			x := west.writer(s)
			_, last, _ := strings.Cut(*x.seen.Load(), "-")
			at, err := strconv.ParseInt(last, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
			ends := map[string]string{north.name: fmt.Sprint(at + 20_000), south.name: fmt.Sprint(at + 10_000)}
			for service, end := range ends {
				token, _, _ := strings.Cut(s.Do("HGET", k[2], service).(string), " ")
				s.Do("HSET", k[2], service, token+" "+end)
			}
			if err := write(west, x); err != nil {
				t.Fatal(err)
			}
			entries, err := s.Client.XRangeN(t.Context(), k[1], "("+*x.seen.Load(), "+", 2).Result()
			if err != nil || len(entries) < 2 {
				t.Fatalf("the log has %v after it, %v, want the end of two services", entries, err)
			}
			for i, service := range []string{"south", "north"} {
				e, err := parseEntry(entries[i])
				if err != nil || !strings.Contains(e.commands, `"gone"`) || !strings.Contains(e.commands, service) || !strings.HasSuffix(e.id, "-"+ends[service]) {
					t.Errorf("entry %s is %s, %v, want the end of the %s at %s", e.id, e.commands, err, service, ends[service])
				}
			}
		})
	}
}

// Whoever comes late finds everything in the snapshot and the entries since.
func TestSnapshot(t *testing.T) {
	s := startRedis(t)
	north := open(t, s, "north", "1001")
	north.signIn("1001")
	north.must(north.offered(north.join("talk"), "1001").Connected())
	for _, id := range []string{"a", "b", "c"} {
		north.join(id)
	}
	snap := func() {
		t.Helper()
		if err := north.writer(s).makeSnapshot(); err != nil {
			t.Fatal(err)
		}
	}
	snap()
	north.join("d")
	snap()
	before := s.Do("XLEN", keys(DefaultSpace)[1]).(int64)
	north.join("e")
	if after := s.Do("XLEN", keys(DefaultSpace)[1]).(int64); after > before+3 {
		t.Errorf("the log has %d entries after two snapshots, %d before", after, before)
	}
	north.stands("a", "b", "c", "d", "e")
	if first := s.Do("XRANGE", keys(DefaultSpace)[1], "-", "+", "COUNT", 1).([]any); len(first) == 0 {
		t.Error("the log is empty: a snapshot has cut off what came after it, too")
	}
	slow := north.writer(s)
	older := s.Do("HMGET", keys(DefaultSpace)[3], "id", "data").([]any)
	snap()
	newer := s.Do("HGET", keys(DefaultSpace)[3], "id").(string)
	if _, err := slow.run(snapshotScript, slow.ours(older[0], older[1], "1")...); err != nil {
		t.Fatal(err)
	}
	if is := s.Do("HGET", keys(DefaultSpace)[3], "id").(string); is != newer {
		t.Errorf("the snapshot after entry %s was replaced by that after %s, of somebody who was slow", newer, is)
	}
	south := open(t, s, "south")
	south.stands("a", "b", "c", "d", "e")
	south.inState("1001", queue.StateTalking)
}

// Clocks that are set back do not stop the queue's.
func TestClockGoesOn(t *testing.T) {
	s := startRedis(t)
	north := open(t, s, "north", "1001")
	north.signIn("1001")
	s.pass(time.Hour) // ahead of Redis' own
	ticket := north.join("a")
	north.must(north.offered(ticket, "1001").Connected())
	s.set(-30 * time.Minute) // a fail-over to a machine whose clock is behind
	north.must(north.EndTalk("1001", "a"))
	s.pass(time.Minute) // the wrap-up
	north.must(north.SetRules(bills, "test"))
	north.inState("1001", queue.StateReady)
}

// A clock that leaps ahead, as at a fail-over to a machine whose clock is, takes
// nobody's place and ends nobody's wait: nobody has waited for so long.
func TestClockThatLeapsAhead(t *testing.T) {
	s := startRedis(t)
	rules := bills
	rules.MaxWait = 10 * time.Minute
	limited := func(o *queue.Options) { o.Queues = []queue.Rules{rules} }
	north, south := openAs(t, s, "north", limited, "1001"), openAs(t, s, "south", limited, "2001")
	for _, h := range []*house{north, south} {
		agent := map[string]string{"north": "1001", "south": "2001"}[h.name]
		h.signIn(agent)
		h.must(h.offered(h.join(agent+" talks"), agent).Connected())
	}
	first, second := north.join("first"), south.join("second")
	before := s.Do("HGET", keys(DefaultSpace)[0], "at").(string)
	s.set(11 * time.Minute)
	open(t, s, "west").together() // who has the others be told of each other's end, at that moment
	north.soon("both have taken a new lease", func() bool { return s.Do("HLEN", keys(DefaultSpace)[2]).(int64) == 3 })
	for _, h := range []*house{north, south} {
		h.stands("first", "second")
		h.inState("1001", queue.StateTalking)
		h.inState("2001", queue.StateTalking)
	}
	for i, ticket := range []*queue.Ticket{first, second} {
		if at, why := ticket.Position(), ticket.LapseReason(); at != i+1 || why != "" {
			t.Errorf("caller %d stands at %d and has lapsed with %q, want no lapse", i+1, at, why)
		}
	}
	var was, is int64
	_, _ = fmt.Sscan(before, &was)
	_, _ = fmt.Sscan(s.Do("HGET", keys(DefaultSpace)[0], "at").(string), &is)
	if went := time.Duration(is-was) * time.Microsecond; went < 11*time.Minute {
		t.Errorf("the log's clock went on by %v, want it to be that of Redis once everybody is back", went)
	}
}
