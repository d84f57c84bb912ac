// Package stand owns what end-to-end tests stand on: a real Asterisk of their own, started from the shared root with
// free ports, its own folder and prompts made of tone codes, and stopped when the test ends. It must not know what is
// tested on it.
package stand

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hotline/configs"
	"hotline/configs/asterisk"
)

// TrunkAddress is where callers call from: the trunk is known by it. Agents' phones register from 127.0.0.1.
const TrunkAddress = "127.0.0.2"

// Options say how this stand differs from the configuration shipped.
type Options struct {
	// Configure changes the configuration before Asterisk is set up. Addresses, ports and folders are the stand's own
	// already and are best left alone.
	Configure func(*configs.Config)
	// StateDir is the service's folder; empty: one of the stand's, removed with it.
	StateDir string
	// Prompts is a folder of a built library to be played instead of tone codes; it must hold the configured
	// language and codec.
	Prompts string
}

// Instance is a running Asterisk.
type Instance struct {
	Config *configs.Config // as Asterisk was set up with, and as a service on it is to be started with
	Dir    string          // Asterisk's folder on this machine: etc log raw …

	module string // the repository, for its scripts
	block  *block
}

// Asterisk starts an Asterisk for a test and stops it when the test ends. What goes wrong fails the test; a failed
// test shows Asterisk's log.
func Asterisk(t testing.TB, o Options) *Instance {
	t.Helper()
	if o.StateDir == "" {
		o.StateDir = t.TempDir()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	i, err := Start(ctx, o)
	if err != nil {
		t.Fatalf("start Asterisk: %v\nLikely causes: it is not laid down (make asterisk), the test does not run as root, or a port is taken.", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Asterisk's log, %s:\n%s", filepath.Join(i.Dir, "log"), tail(i.Log(), 100))
		}
		if err := i.Stop(); err != nil {
			t.Errorf("stop Asterisk: %v", err)
		}
	})
	return i
}

// Start is Asterisk without a test, for the demonstration. Stop it.
func Start(ctx context.Context, o Options) (*Instance, error) {
	module, err := moduleDir()
	if err != nil {
		return nil, err
	}
	root := os.Getenv("HOTLINE_ASTERISK_ROOT")
	if root == "" {
		root = filepath.Join(module, ".asterisk", "root")
	}
	if _, err := os.Stat(filepath.Join(root, "usr/sbin/asterisk")); err != nil {
		return nil, fmt.Errorf("there is no Asterisk in %s: run `make asterisk`", root)
	}
	b, err := takeBlock(ctx, module, root)
	if err != nil {
		return nil, err
	}
	i := &Instance{module: module, block: b, Dir: b.dir}
	if err := i.begin(ctx, o, root); err != nil {
		return nil, errors.Join(err, i.Stop())
	}
	return i, nil
}

func (i *Instance) begin(ctx context.Context, o Options, root string) error {
	cfg := configs.Default()
	cfg.Asterisk.Root = root
	cfg.Asterisk.Dir = path.Join(instances, filepath.Base(i.Dir))
	cfg.Service.StateDir = o.StateDir
	if o.StateDir == "" {
		cfg.Service.StateDir = filepath.Join(i.Dir, "state")
	}
	i.block.assign(cfg)
	if o.Configure != nil {
		o.Configure(cfg)
	}
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("the stand's configuration: %w", err)
	}
	if err := providePrompts(ctx, cfg, o.Prompts); err != nil {
		return err
	}
	i.Config = cfg
	if _, err := asterisk.Prepare(cfg); err != nil {
		return err
	}
	if err := i.yieldAtStart(); err != nil {
		return err
	}
	return i.Start(ctx)
}

// Asterisk runs before everything else on its machine. While it starts that would silence the stands beside it: two
// that load their modules, on two cores, leave nothing to anybody for a quarter of a second. So it gets its rank as soon
// as it has started.
const (
	ranked   = "highpriority = yes"
	unranked = "highpriority = no"
	rank     = "10" // as Asterisk itself chooses it
)

func (i *Instance) yieldAtStart() error {
	name := filepath.Join(i.Dir, "etc", "asterisk.conf")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if !bytes.Contains(text, []byte(ranked)) {
		return fmt.Errorf("%s does not say %q: is sound still before everything else?", name, ranked)
	}
	return os.WriteFile(name, bytes.Replace(text, []byte(ranked), []byte(unranked), 1), 0o644)
}

// Start starts Asterisk again after a Halt, with whatever Config says by now already rendered.
func (i *Instance) Start(ctx context.Context) error {
	if err := script(ctx, i.module, i.Config.Asterisk.Root, "start", i.Dir); err != nil {
		return err
	}
	pid, err := i.AsteriskPID()
	if err != nil {
		return err
	}
	return raise(ctx, pid)
}

// raise gives all threads of a process the rank. One of them may end meanwhile; then it is done once more.
func raise(ctx context.Context, pid int) (err error) {
	for range 10 {
		var out []byte
		if out, err = exec.CommandContext(ctx, "chrt", "--all-tasks", "--rr", "--pid", rank, strconv.Itoa(pid)).CombinedOutput(); err == nil {
			return nil
		}
		err = fmt.Errorf("let Asterisk run before everything else: %w: %s", err, out)
	}
	return err
}

// Halt stops Asterisk and leaves its folder and ports as they are.
func (i *Instance) Halt() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return script(ctx, i.module, i.block.root, "stop", i.Dir)
}

// Stop stops Asterisk for good and gives its folder and ports back.
func (i *Instance) Stop() error {
	var err error
	if _, statErr := os.Stat(i.Dir); statErr == nil {
		err = i.Halt()
	}
	return errors.Join(err, os.RemoveAll(i.Dir), i.block.release())
}

// With is the same Asterisk for a service that is configured otherwise: what change does is not rendered for Asterisk.
func (i *Instance) With(change func(*configs.Config)) *Instance {
	other, cfg := *i, *i.Config
	change(&cfg)
	other.Config = &cfg
	return &other
}

// Through is the same Asterisk for a service that finds ARI at another address: that of a proxy.
func (i *Instance) Through(ari netip.AddrPort) *Instance {
	return i.With(func(cfg *configs.Config) { cfg.Asterisk.ARI.Bind = ari })
}

// Beside is the same Asterisk for a second service that runs at the same time, with a folder of its own.
func (i *Instance) Beside(stateDir string) *Instance {
	return i.With(func(cfg *configs.Config) {
		cfg.Service.StateDir, cfg.Listen.Metrics, cfg.Web.Listen = stateDir, i.block.port(3), i.block.port(6)
	})
}

// AsteriskPID is Asterisk's process.
func (i *Instance) AsteriskPID() (int, error) {
	text, err := os.ReadFile(filepath.Join(i.Dir, "run", "pid"))
	if err != nil {
		return 0, fmt.Errorf("find the process of Asterisk: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// Crash ends Asterisk as a crash does (SIGKILL); Start starts it again.
func (i *Instance) Crash() error {
	pid, err := i.AsteriskPID()
	if err != nil {
		return err
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// SIP is the address Asterisk takes calls and registrations at.
func (i *Instance) SIP() netip.AddrPort { return i.Config.Asterisk.SIP.Bind }

// ARI is the base address of its REST interface.
func (i *Instance) ARI() string { return i.Config.Asterisk.ARI.URL() }

// CLI runs one command of Asterisk's console and gives what it prints.
func (i *Instance) CLI(command string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conf := path.Join(i.Config.Asterisk.Inside("etc"), "asterisk.conf")
	out, err := exec.CommandContext(ctx, "chroot", i.Config.Asterisk.Root, "asterisk", "-C", conf, "-rx", command).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("ask Asterisk for %q: %w: %s", command, err, out)
	}
	return string(out), nil
}

// NothingLeft waits until Asterisk has neither channel nor bridge. When ctx ends before, its error tells what is left.
func (i *Instance) NothingLeft(ctx context.Context) error {
	for {
		left, err := i.left()
		if err != nil || left == "" {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("Asterisk still has: %w\n%s%s", context.Cause(ctx), left, i.explain(left))
		}
	}
}

// left is a line for each channel and bridge; a channel's begins with its name and !, a bridge's with its ID.
func (i *Instance) left() (string, error) {
	var left strings.Builder
	for _, command := range []string{"core show channels concise", "bridge show all"} {
		out, err := i.CLI(command)
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(out) {
			if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "Bridge-ID") {
				left.WriteString(line)
			}
		}
	}
	return left.String(), nil
}

// explain is all that Asterisk knows of what is left.
func (i *Instance) explain(left string) string {
	var all strings.Builder
	for line := range strings.Lines(left) {
		command := "bridge show " + strings.Fields(line)[0]
		if name, _, ok := strings.Cut(line, "!"); ok {
			command = "core show channel " + name
		}
		out, err := i.CLI(command)
		fmt.Fprintf(&all, "\n%s\n%s", command, cmp.Or(out, fmt.Sprintln(err)))
	}
	return all.String()
}

// Log is everything Asterisk has complained of so far.
func (i *Instance) Log() string {
	var all strings.Builder
	for _, name := range []string{"console.log", "messages.log"} {
		data, err := os.ReadFile(filepath.Join(i.Dir, "log", name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			fmt.Fprintf(&all, "%v\n", err)
		}
		all.Write(data)
	}
	return all.String()
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// script runs scripts/asterisk, the only place that knows how Asterisk is started and stopped.
func script(ctx context.Context, module, root string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(module, "scripts", "asterisk"), args...)
	cmd.Env = append(os.Environ(), "HOTLINE_ASTERISK_ROOT="+root)
	cmd.WaitDelay = 5 * time.Second // Asterisk itself holds none of our pipes, but a stuck child must not hold us
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("scripts/asterisk %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// moduleDir is the repository the running test belongs to.
func moduleDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("find the repository: no go.mod in this folder or above it; run from inside the checkout")
		}
		dir = filepath.Dir(dir)
	}
}
