package stand

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hotline/call"
)

// Service is a running hotline on an Asterisk of its own: the program itself,
// as an operator starts it.
type Service struct {
	*Instance
	Flags []string // before the command: --debug unless changed before the start

	binary string
	config string // path of its hotline.yaml
	env    []string

	mu      sync.Mutex
	log     bytes.Buffer
	process *exec.Cmd
	exited  chan struct{}
}

// StartClock is what a service's wall clock says when it starts, unless the
// test says otherwise: an ordinary working Tuesday in the morning.
const StartClock = "2026-03-10 09:30"

// Hotline starts a service on an Asterisk of its own and stops both when the
// test ends. What goes wrong fails the test; a failed test shows the logs.
func Hotline(t testing.TB, o Options) *Service {
	t.Helper()
	s, err := On(Asterisk(t, o))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(t.Context(), StartClock); err != nil {
		t.Fatalf("start the service: %v\n%s", err, s.ServiceLog())
	}
	t.Cleanup(func() {
		if err := s.Terminate(); err != nil {
			t.Errorf("stop the service: %v", err)
		}
		if t.Failed() {
			t.Logf("the service's log:\n%s", tail(s.ServiceLog(), 150))
		}
	})
	return s
}

// On prepares a service for an Asterisk that runs; Serve starts it.
func On(i *Instance) (*Service, error) {
	binary, err := program(i.module)
	if err != nil {
		return nil, err
	}
	text, err := i.Config.YAML()
	if err != nil {
		return nil, err
	}
	s := &Service{
		Instance: i, Flags: []string{"--debug"}, binary: binary,
		config: filepath.Join(i.Config.Service.StateDir, "hotline.yaml"),
		env:    append(os.Environ(), i.Config.Secrets()...),
	}
	if err := os.MkdirAll(i.Config.Service.StateDir, 0o755); err != nil {
		return nil, err
	}
	return s, os.WriteFile(s.config, text, 0o600)
}

// Race is the variable of the environment with which the service that is tested has the race detector, whether or not
// the tests have: they are the ears, and the detector would make them late.
const Race = "HOTLINE_RACE"

// program builds the hotline. One test process builds at a time; the next finds it up to date.
func program(module string) (string, error) {
	var flags []string
	if os.Getenv(Race) != "" {
		flags = []string{"-race"}
	}
	dir := filepath.Join(module, ".build", "test"+strings.Join(flags, ""))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	held, _, err := lock(filepath.Join(dir, "lock"), syscall.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer held.Close()
	binary := filepath.Join(dir, "hotline")
	build := exec.Command("go", slices.Concat([]string{"build", "-o", binary}, flags, []string{"./cmd/hotline"})...)
	build.Dir = module
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the hotline: %w: %s", err, out)
	}
	return binary, nil
}

// Serve starts the program with its wall clock at the moment given, and waits
// until it is ready for callers.
func (s *Service) Serve(ctx context.Context, clock string) error {
	if err := s.Launch(clock); err != nil {
		return err
	}
	return s.WaitReady(ctx)
}

// Launch starts the program, with further flags of `hotline serve`, and waits
// for nothing.
func (s *Service) Launch(clock string, flags ...string) error {
	args := append([]string{"-c", s.config}, append(s.Flags, "serve")...)
	if clock != "" {
		args = append(args, "--clock", clock)
	}
	cmd := exec.Command(s.binary, append(args, flags...)...)
	cmd.Env, cmd.Dir = s.env, s.module
	pipe, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the hotline: %w", err)
	}
	exited := make(chan struct{})
	s.mu.Lock()
	s.process, s.exited = cmd, exited
	s.mu.Unlock()
	go func() {
		defer close(exited)
		lines := bufio.NewScanner(pipe)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			s.mu.Lock()
			s.log.Write(append(lines.Bytes(), '\n'))
			s.mu.Unlock()
		}
		_ = cmd.Wait() // how it ended is read from ProcessState
	}()
	return nil
}

// WaitReady waits until /readyz says so.
func (s *Service) WaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		status, body, err := s.Get(ctx, "/readyz")
		if err == nil && status == http.StatusOK {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.exited:
			return fmt.Errorf("the service has stopped: %s", tail(s.ServiceLog(), 5))
		case <-ctx.Done():
			return fmt.Errorf("the service is not ready: %s: %w", body, errors.Join(err, ctx.Err()))
		}
	}
}

// Get asks the service's metrics address.
func (s *Service) Get(ctx context.Context, path string) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Config.Listen.Metrics.String()+path, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// Terminate stops the program as an operator does, and says how it left.
func (s *Service) Terminate() error {
	return s.end(os.Interrupt)
}

// Kill ends the program as a crash does.
func (s *Service) Kill() error { return s.end(os.Kill) }

func (s *Service) end(signal os.Signal) error {
	s.mu.Lock()
	process, exited := s.process, s.exited
	s.process = nil
	s.mu.Unlock()
	if process == nil {
		return nil
	}
	for _, send := range []os.Signal{signal, syscall.SIGCONT} { // one that is frozen hears it once it is not
		if err := process.Process.Signal(send); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
	}
	select {
	case <-exited:
	case <-time.After(15 * time.Second):
		_ = process.Process.Kill() // it is reported as stuck below
		<-exited
		return errors.New("the service did not stop within 15 s")
	}
	if signal != os.Kill && !process.ProcessState.Success() {
		return fmt.Errorf("the service stopped with %s", process.ProcessState)
	}
	return nil
}

// Freeze stops the program where it is (SIGSTOP): it holds on to everything it
// has and does nothing, until Thaw.
func (s *Service) Freeze() error { return s.signal(syscall.SIGSTOP) }

// Thaw lets a frozen program go on.
func (s *Service) Thaw() error { return s.signal(syscall.SIGCONT) }

func (s *Service) signal(signal os.Signal) error {
	s.mu.Lock()
	process := s.process
	s.mu.Unlock()
	if process == nil {
		return errors.New("the service does not run")
	}
	return process.Process.Signal(signal)
}

// WaitExit waits until the program has ended by itself, and gives how: nil for
// one that left in good order.
func (s *Service) WaitExit(ctx context.Context) error {
	s.mu.Lock()
	process, exited := s.process, s.exited
	s.mu.Unlock()
	if process == nil {
		return errors.New("the service does not run")
	}
	select {
	case <-exited:
	case <-ctx.Done():
		return fmt.Errorf("the service runs on: %w", context.Cause(ctx))
	}
	s.mu.Lock()
	s.process = nil
	s.mu.Unlock()
	if !process.ProcessState.Success() {
		return fmt.Errorf("the service ended with %s", process.ProcessState)
	}
	return nil
}

// Runs tells whether the program was started and has neither been ended nor
// ended by itself.
func (s *Service) Runs() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return false
	}
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// PID is the program's process.
func (s *Service) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process.Process.Pid
}

// ServiceLog is everything the program has logged.
func (s *Service) ServiceLog() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// Run runs one of the program's commands and gives what it prints.
func (s *Service) Run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.binary, append([]string{"-c", s.config}, args...)...)
	cmd.Env, cmd.Dir = s.env, s.module
	var failure bytes.Buffer
	cmd.Stderr = &failure
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("hotline %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(failure.String()))
	}
	return string(out), nil
}

// Calls are the calls in the journal, newest first.
func (s *Service) Calls(ctx context.Context) ([]call.Summary, error) {
	return lines[call.Summary](s.Run(ctx, "calls", "--json", "--limit", "1000"))
}

// Entry is a line of `hotline call ID --json`.
type Entry struct {
	At   time.Time       `json:"at"`
	Kind string          `json:"kind"`
	Data json.RawMessage `json:"data"`
}

// Entries is what happened in a call.
func (s *Service) Entries(ctx context.Context, id string) ([]Entry, error) {
	return lines[Entry](s.Run(ctx, "call", id, "--json"))
}

// Message is a line of `hotline messages --json`.
type Message struct {
	Call string `json:"call"`
	call.LeftMessage
}

// Messages are the messages callers left, newest first.
func (s *Service) Messages(ctx context.Context) ([]Message, error) {
	return lines[Message](s.Run(ctx, "messages", "--json"))
}

func lines[T any](text string, err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	var list []T
	decoder := json.NewDecoder(strings.NewReader(text))
	for decoder.More() {
		var one T
		if err := decoder.Decode(&one); err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

// SetClock moves the service's wall clock: "2027-02-06 09:00".
func (s *Service) SetClock(ctx context.Context, moment string) error {
	_, err := s.Run(ctx, "clock", moment)
	return err
}
