package redisq

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"hotline/queue"
)

// startSentinel starts one that watches a master, and gives its address.
func startSentinel(t *testing.T, master *server) string {
	t.Helper()
	host, port, _ := net.SplitHostPort(master.Addr)
	at := freePort(t)
	file := filepath.Join(t.TempDir(), "sentinel.conf") // which it rewrites
	text := fmt.Sprintf("bind 127.0.0.1\nport %s\nsentinel monitor hotline %s %s 1\nsentinel down-after-milliseconds hotline 500\nsentinel failover-timeout hotline 3000\n", at, host, port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := exec.Command("redis-server", file, "--sentinel")
	sentinel.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := sentinel.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sentinel.Process.Kill(); _ = sentinel.Wait() })
	return "127.0.0.1:" + at
}

// A master that dies and is replaced by Sentinel: services find the new one by its name, with nothing told to them, and
// nobody's place or talk is lost.
func TestSentinelReplacesTheMaster(t *testing.T) {
	master, replica := startRedis(t), startRedis(t)
	host, port, _ := net.SplitHostPort(master.Addr)
	replica.Do("REPLICAOF", host, port)
	sentinel := startSentinel(t, master)
	through := func(o *Options) { o.Redis.Addrs, o.Redis.MasterName = []string{sentinel}, "hotline" }
	north, south := openWith(t, master, "north", through, "1001"), openWith(t, master, "south", through, "2001")
	for _, h := range []*house{north, south} {
		h.together()
	}
	south.signIn("2001")
	north.must(north.offered(north.join("talk"), "2001").Connected())
	north.join("waits")
	south.stands("waits")
	watch := redis.NewSentinelClient(&redis.Options{Addr: sentinel})
	defer watch.Close()
	north.soon("Sentinel knows the replica", func() bool {
		known, err := watch.Replicas(t.Context(), "hotline").Result()
		return err == nil && len(known) == 1 && known[0]["flags"] == "slave"
	})

	killed := time.Now()
	master.Kill()
	for _, h := range []*house{north, south} {
		h.alone()
	}
	for _, h := range []*house{north, south} {
		h.together()
		h.stands("waits")
		h.inState("2001", queue.StateTalking)
	}
	t.Logf("together again %v after the master's death", time.Since(killed).Round(100*time.Millisecond))
	if id, _ := replica.Do("HGET", keys(DefaultSpace)[0], "id").(string); id == "" {
		t.Error("the replica has no log")
	}
}
