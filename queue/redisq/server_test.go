package redisq

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a Redis of the test's own, with its log of writes (AOF) on.
type server struct {
	t       testing.TB
	addr    string
	dir     string
	options []string
	process *exec.Cmd
	client  *redis.Client // the test's own
}

func startRedis(t testing.TB, options ...string) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, addr: listener.Addr().String(), dir: t.TempDir(), options: options}
	_ = listener.Close()
	s.client = redis.NewClient(&redis.Options{Addr: s.addr, MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() {
		s.kill()
		_ = s.client.Close()
	})
	s.start()
	return s
}

// start starts the server with whatever it finds in its folder.
func (s *server) start() {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.addr)
	args := append([]string{"--bind", "127.0.0.1", "--port", port, "--dir", s.dir, "--appendonly", "yes", "--save", "", "--logfile", "log"}, s.options...)
	s.process = exec.Command("redis-server", args...)
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.process.Start(); err != nil {
		s.t.Fatalf("starting redis-server: %v: is the Debian package redis-server installed (scripts/bootstrap)?", err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := s.client.Ping(context.Background()).Err()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.t.Fatalf("redis-server does not answer at %s: %v\n%s", s.addr, err, log)
		}
	}
}

func (s *server) kill() {
	if s.process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
		s.process = nil
	}
}

// lose removes what the server has written to its folder.
func (s *server) lose() {
	s.t.Helper()
	if err := os.RemoveAll(filepath.Join(s.dir, "appendonlydir")); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) pause()  { s.signal(syscall.SIGSTOP) }
func (s *server) resume() { s.signal(syscall.SIGCONT) }

func (s *server) signal(which os.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(which); err != nil {
		s.t.Fatal(err)
	}
}

// do runs a command.
func (s *server) do(args ...any) any {
	s.t.Helper()
	reply, err := s.client.Do(context.Background(), args...).Result()
	if err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
	return reply
}

// set has the log's clock be so much later or earlier, as after a fail-over.
func (s *server) set(d time.Duration) {
	s.t.Helper()
	s.do("HINCRBY", keys(DefaultSpace)[0], "shift", fmt.Sprint(d.Microseconds()))
}

// pass has time pass for queues, and none for the services: their leases stand.
func (s *server) pass(d time.Duration) {
	s.t.Helper()
	k := keys(DefaultSpace)
	s.do("EVAL", `
redis.call('HINCRBY', KEYS[1], 'shift', ARGV[1])
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local token, till = string.match(all[i + 1], '^(%d+) (%d+)$')
  redis.call('HSET', KEYS[2], all[i], token .. ' ' .. string.format('%.0f', till + ARGV[1]))
end
return 1`, 2, k[0], k[2], fmt.Sprint(d.Microseconds()))
}
