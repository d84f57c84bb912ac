// Package redistest owns the Redis that tests use: a real redis-server of a test's own, on a free port, with its log of
// writes (AOF) on, and what can go wrong with it. It must not know what is kept in it.
package redistest

import (
	"context"
	"errors"
	"fmt"
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

	dir     string
	options []string
	process *exec.Cmd
}

// Launch starts a Redis in a folder, with further options of redis-server. Kill and Close it.
func Launch(dir string, options ...string) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{Addr: listener.Addr().String(), dir: dir, options: options}
	_ = listener.Close()
	s.Client = redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1, DialerRetries: 1})
	if err := s.launch(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// launch starts the server with whatever it finds in its folder.
func (s *Server) launch() error {
	_, port, _ := net.SplitHostPort(s.Addr)
	args := append([]string{"--bind", "127.0.0.1", "--port", port, "--dir", s.dir, "--appendonly", "yes", "--save", "", "--logfile", "log"}, s.options...)
	s.process = exec.Command("redis-server", args...)
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.process.Start(); err != nil {
		s.process = nil
		return fmt.Errorf("starting redis-server: %w: is the Debian package redis-server installed (scripts/bootstrap)?", err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := s.answers()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("redis-server does not answer at %s: %w\n%s", s.Addr, err, log)
		}
	}
}

// answers fails while the server does not listen, or reads its log of writes. The client is not asked before somebody
// listens: it would print each failure to connect on the standard error of whoever runs.
func (s *Server) answers() error {
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		return err
	}
	_ = conn.Close()
	return s.Client.Ping(context.Background()).Err()
}

// PID is the server's process.
func (s *Server) PID() int { return s.process.Process.Pid }

// Close ends the server for good.
func (s *Server) Close() error {
	s.Kill()
	return s.Client.Close()
}

// Kill ends the server as a crash does.
func (s *Server) Kill() {
	if s.process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
		s.process = nil
	}
}

// Test is a server for one test, which fails with it.
type Test struct {
	*Server
	t testing.TB
}

// Start starts a Redis with further options of redis-server, and ends it with the test.
func Start(t testing.TB, options ...string) *Test {
	t.Helper()
	s, err := Launch(t.TempDir(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &Test{s, t}
}

// Start starts the server again with whatever it finds in its folder.
func (s *Test) Start() {
	s.t.Helper()
	if err := s.launch(); err != nil {
		s.t.Fatal(err)
	}
}

// Lose removes what the server has written to its folder.
func (s *Test) Lose() {
	s.t.Helper()
	if err := os.RemoveAll(filepath.Join(s.dir, "appendonlydir")); err != nil {
		s.t.Fatal(err)
	}
}

// Pause has the server stand still until Resume.
func (s *Test) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends Pause.
func (s *Test) Resume() { s.signal(syscall.SIGCONT) }

func (s *Test) signal(which os.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(which); err != nil {
		s.t.Fatal(err)
	}
}

// Do runs a command.
func (s *Test) Do(args ...any) any {
	s.t.Helper()
	reply, err := s.Client.Do(context.Background(), args...).Result()
	if err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
	return reply
}
