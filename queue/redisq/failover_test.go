package redisq

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hotline/queue"
)

// gate is the one address at which services find whichever Redis is the master.
type gate struct {
	listener net.Listener
	work     sync.WaitGroup

	mute atomic.Bool // the services get no answers, though Redis does what they ask

	mu     sync.Mutex
	master string
	open   []net.Conn
}

func newGate(t *testing.T, master string) *gate {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{listener: listener, master: master}
	g.work.Go(g.serve)
	t.Cleanup(func() { _ = listener.Close(); g.lead(""); g.work.Wait() })
	return g
}

func (g *gate) serve() {
	for {
		service, err := g.listener.Accept()
		if err != nil {
			return // closed with the test
		}
		g.mu.Lock()
		redis, err := net.Dial("tcp", g.master)
		if err != nil {
			_ = service.Close()
		} else {
			g.open = append(g.open, service, redis)
			g.work.Go(func() { _, _ = io.Copy(redis, service); _ = redis.Close() })
			g.work.Go(func() { _, _ = io.Copy(answers{g, service}, redis); _ = service.Close() })
		}
		g.mu.Unlock()
	}
}

// answers go to a service, or nowhere.
type answers struct {
	gate *gate
	to   net.Conn
}

func (a answers) Write(data []byte) (int, error) {
	if a.gate.mute.Load() {
		return len(data), nil
	}
	return a.to.Write(data)
}

// lead has the gate lead to another master, "" for none, and cuts what is open.
func (g *gate) lead(master string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.master = master
	for _, c := range g.open {
		_ = c.Close()
	}
	g.open = nil
}

// A replica that is promoted, with all that the master had or without the last
// of it: nobody's place, talk or ringing phone is lost.
func TestReplicaIsPromoted(t *testing.T) {
	for _, row := range []struct {
		name   string
		behind bool // the replica has missed the last entries
	}{{"with everything", false}, {"behind", true}} {
		t.Run(row.name, func(t *testing.T) {
			master, replica := startRedis(t), startRedis(t)
			host, port, _ := net.SplitHostPort(master.Addr)
			replica.Do("REPLICAOF", host, port)
			g := newGate(t, master.Addr)
			through := func(o *Options) { o.Redis.Addrs = []string{g.listener.Addr().String()} }
			north, south := openWith(t, master, "north", through, "1001", "1002"), openWith(t, master, "south", through, "2001")
			north.signIn("1001")
			north.must(north.offered(north.join("talk"), "1001").Connected())
			caughtUp := func() bool {
				k := keys(DefaultSpace)
				at, there := replica.Do("HMGET", k[0], "id").([]any)[0].(string)
				return there && at == master.Do("HGET", k[0], "id")
			}
			north.soon("the replica has caught up", caughtUp)
			if row.behind {
				replica.Do("REPLICAOF", "NO", "ONE")
			}
			waits := south.join("waits")
			north.signIn("1002")
			rings := south.offered(waits, "1002")
			south.must(rings.Ringing())
			second := north.join("second")
			south.stands("waits", "second")
			if !row.behind {
				north.soon("the replica has caught up", caughtUp)
			}

			master.Kill()
			replica.Do("REPLICAOF", "NO", "ONE")
			g.lead(replica.Addr)
			for _, h := range []*house{north, south} {
				h.together()
				h.stands("waits", "second")
				h.inState("1001", queue.StateTalking)
			}
			north.soon("the second caller stands second", func() bool { return second.Position() == 2 }) // south may have been late and counted as gone
			south.signIn("2001")
			select { // whoever is still to be rung, or rings already
			case o := <-waits.Offers():
				south.must(o.Connected())
			case <-time.After(time.Second):
				south.must(rings.Connected())
			}
			south.stands("second")
		})
	}
}
