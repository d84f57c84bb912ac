// Package redistest owns the Redis that tests use: a real redis-server of a test's own, on a free port, with its log of
// writes (AOF) on, and what can go wrong with it. It must not know what is kept in it.
package redistest

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is a Redis that can be stopped and started again.
type Server struct {
	Addr   string        // host:port, the same after a restart
	Client *redis.Client // the test's own

	t       testing.TB
	dir     string
	options []string
	process *exec.Cmd
}

// Start starts a Redis with further options of redis-server, and ends it with the test.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, Addr: listener.Addr().String(), dir: t.TempDir(), options: options}
	_ = listener.Close()
	s.Client = redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() {
		s.Kill()
		_ = s.Client.Close()
	})
	s.Start()
	return s
}

// Start starts the server again with whatever it finds in its folder.
func (s *Server) Start() {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.Addr)
	args := append([]string{"--bind", "127.0.0.1", "--port", port, "--dir", s.dir, "--appendonly", "yes", "--save", "", "--logfile", "log"}, s.options...)
	s.process = exec.Command("redis-server", args...)
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.process.Start(); err != nil {
		s.t.Fatalf("starting redis-server: %v: is the Debian package redis-server installed (scripts/bootstrap)?", err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := s.Client.Ping(context.Background()).Err()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.t.Fatalf("redis-server does not answer at %s: %v\n%s", s.Addr, err, log)
		}
	}
}

// Kill ends the server as a crash does.
func (s *Server) Kill() {
	if s.process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
		s.process = nil
	}
}

// Lose removes what the server has written to its folder.
func (s *Server) Lose() {
	s.t.Helper()
	if err := os.RemoveAll(filepath.Join(s.dir, "appendonlydir")); err != nil {
		s.t.Fatal(err)
	}
}

// Pause has the server stand still until Resume.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(which os.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(which); err != nil {
		s.t.Fatal(err)
	}
}

// Do runs a command.
func (s *Server) Do(args ...any) any {
	s.t.Helper()
	reply, err := s.Client.Do(context.Background(), args...).Result()
	if err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
	return reply
}
