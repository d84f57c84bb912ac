package redisq

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hotline/queue"
)

// openWith starts a service with a lease and a Redis of its own choice.
func openWith(t *testing.T, s *server, name string, change func(*Options), agents ...string) *house {
	t.Helper()
	return openAs(t, s, name, func(o *queue.Options) {
		own := o.Log.(*Log).o
		change(&own)
		log, err := New(own)
		if err != nil {
			t.Fatal(err)
		}
		o.Log = log
	}, agents...)
}

// endLease has a service's lease be over by Redis' clock, though not by its own.
func (s *server) endLease(service string) {
	s.t.Helper()
	leases := keys(DefaultSpace)[2]
	token, _, _ := strings.Cut(s.Do("HGET", leases, service).(string), " ")
	s.Do("HSET", leases, service, token+" 1")
}

// A service that reads that it is gone, though by its own clock it is not, keeps
// its callers and comes back with them.
func TestWhoReadsOfItsOwnEndKeepsItsCallers(t *testing.T) {
	s := startRedis(t)
	north, south := open(t, s, "north", "1001"), open(t, s, "south", "2001")
	south.signIn("2001")
	south.must(south.offered(south.join("talk"), "2001").Connected())
	waits := south.join("waits")
	north.stands("waits")
	s.endLease("south")
	south.soon("it has lost its lease", func() bool { _, why := south.Alone(); return why != nil })
	south.together()
	south.stands("waits")
	north.stands("waits")
	if at, why := waits.Position(), waits.LapseReason(); at != 1 || why != "" {
		t.Errorf("the caller stands at %d and has lapsed with %q, want 1 and no lapse: their service carried out its own end", at, why)
	}
	south.must(south.EndTalk("2001", "talk"))
	south.must(south.Ready("2001"))
	south.offered(waits, "2001")
}

// A service serves its own callers by its own agents though each try to come
// back gets as far as promising something, and then fails.
func TestServesThoughEveryReturnFails(t *testing.T) {
	for name, denied := range map[string]string{"nothing can be read": "-xread", "nothing can be written": "-xadd"} {
		t.Run(name, func(t *testing.T) {
			s := startRedis(t)
			north := openWith(t, s, "north", func(o *Options) { o.Lease, o.Patience = DefaultLease, DefaultPatience }, "1001")
			north.signIn("1001")
			s.Do("ACL", "SETUSER", "default", denied)
			north.soon("it is alone", func() bool {
				s.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") // one that nobody uses in this moment is not missed
				_, why := north.Alone()
				return why != nil
			})
			north.offered(north.join("a"), "1001")
			s.Do("ACL", "SETUSER", "default", "+@all")
		})
	}
}

// A service that starts without Redis offers nobody an agent of its own whom
// others may be ringing, until that is over.
func TestStartsWithoutRedisAsIfItHadJustLostIt(t *testing.T) {
	s := startRedis(t)
	const lease = 2 * time.Second
	slow := func(o *Options) { o.Lease = lease }
	north, south := openWith(t, s, "north", slow, "1001"), openWith(t, s, "south", slow, "2001")
	north.signIn("1001")
	south.must(south.offered(south.join("s"), "1001").Ringing())
	north.die()
	began := time.Now()
	again := openWith(t, s, "north", func(o *Options) { o.Lease, o.Redis.Addrs = lease, []string{"127.0.0.1:1"} }, "1001")
	again.signIn("1001")
	again.offered(again.join("n"), "1001")
	if took := time.Since(began); took < lease {
		t.Errorf("1001 is offered a caller %v after the start, while the others may be ringing them for the %v of a lease", took, lease)
	}
}

// A service that Redis has renewed the lease of, though the answer was lost, serves
// by itself only once that lease is over, too.
func TestARenewalWhoseAnswerIsLost(t *testing.T) {
	s := startRedis(t)
	g := newGate(t, s.Addr)
	north := openWith(t, s, "north", func(o *Options) { o.Redis.Addrs = []string{g.listener.Addr().String()} }, "1001")
	north.together()
	lease := func() string { return s.Do("HGET", keys(DefaultSpace)[2], "north").(string) }
	was := lease()
	north.soon("the lease has just been renewed", func() bool { return lease() != was })
	was = lease()
	time.Sleep(50 * time.Millisecond) // it has heard of that
	g.mute.Store(true)
	north.soon("the lease has been renewed again", func() bool { return lease() != was })
	north.alone()
	north.signIn("1001")
	north.offered(north.join("a"), "1001")
	now := time.Now().UnixMicro()
	var token, till int64
	_, _ = fmt.Sscan(lease(), &token, &till)
	if now < till {
		t.Errorf("1001 is offered a caller %v before the lease is over, while the others may be ringing them", time.Duration(till-now)*time.Microsecond)
	}
}

// An agent whose wrap-up ends while Redis stands still is offered the caller who
// waits once when it is back: what the common machine would have done meanwhile
// is not theirs.
func TestAWrapUpThatEndsWhileRedisStandsStill(t *testing.T) {
	s := startRedis(t)
	north := openWith(t, s, "north", func(o *Options) { o.Lease, o.Patience = DefaultLease, DefaultPatience }, "1001")
	north.must(north.SetRules(quick(time.Second)[0], "test"))
	north.signIn("1001")
	north.must(north.offered(north.join("talk"), "1001").Connected())
	waits := north.join("waits")
	north.must(north.EndTalk("1001", "talk"))
	s.Pause()
	north.alone()
	north.inState("1001", queue.StateReady)
	s.Resume()
	north.together()
	offer := north.offered(waits, "1001")
	north.must(offer.Ringing()) // which is behind everything that the return led to
	north.Recorded(t.Context())
	select {
	case again := <-waits.Offers():
		t.Errorf("the caller is offered to %s as %s and as %s", again.Agent.ID, offer.ID, again.ID)
	default:
	}
	north.must(offer.Connected())
}
