package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/ivr/prompt"
	"hotline/queue"
	"hotline/test/ear"
	"hotline/test/phone"
	"hotline/test/stand"
)

// idleWorld is an Asterisk with a service that is prepared and not started.
func idleWorld(t testing.TB, limit time.Duration, o stand.Options) *world {
	t.Helper()
	return prepared(t, limit, stand.Asterisk(t, o))
}

func prepared(t testing.TB, limit time.Duration, i *stand.Instance) *world {
	t.Helper()
	s, err := stand.On(i)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Terminate(); err != nil {
			t.Errorf("stop the service: %v", err)
		}
		if t.Failed() {
			t.Logf("the service's log:\n%s", s.ServiceLog())
		}
	})
	return around(t, limit, s)
}

// variant writes a configuration that differs from the world's, in a folder of its own, and gives its path.
func (w *world) variant(change func(*configs.Config)) string {
	w.t.Helper()
	cfg := *w.Config
	change(&cfg)
	text, err := cfg.YAML()
	if err != nil {
		w.t.Fatal(err)
	}
	path := filepath.Join(w.t.TempDir(), "hotline.yaml")
	write(w.t, path, string(text))
	return path
}

// refuses starts the program with a configuration that it must refuse, and gives what it says.
func (w *world) refuses(config string) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 20*time.Second)
	defer cancel()
	_, err := w.Run(ctx, "-c", config, "serve") // the last -c counts
	switch {
	case err == nil:
		w.t.Fatal("the program ended well, want it to refuse to start")
	case ctx.Err() != nil:
		w.t.Fatalf("the program runs, want it to refuse to start: %v", err)
	}
	return err.Error()
}

// wantSaid looks for every one of these in what somebody said.
func wantSaid(t testing.TB, said string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(said, w) {
			t.Errorf("%q is missing in what was said:\n%s", w, said)
		}
	}
}

// Whatever is wrong at the start is named with what would be right, and nothing starts.
func TestWhatIsWrongAtTheStartIsNamed(t *testing.T) {
	t.Parallel()
	w := idleWorld(t, 2*time.Minute, stand.Options{})

	t.Run("wrong lines in hotline.yaml", func(t *testing.T) {
		w := w.in(t)
		dir := t.TempDir()
		config, state, metrics := filepath.Join(dir, "hotline.yaml"), filepath.Join(dir, "state"), w.Config.Listen.Metrics
		write(t, config, fmt.Sprintf(`service:
  nmber: "96196"
  state_dir: %s
listen:
  metrics: %s
answer:
  after_rings: 5
queues:
  - id: service
    ring_timeout: soon
menus:
  start: main
  menus:
    main:
      prompt: menu.main
      otherwise: {queue: servce}
      keys:
        "0": {queue: service}
        "0x": {queue: service}
`, state, metrics))
		wantSaid(t, w.refuses(config),
			"hotline.yaml:2:3: service.nmber: is not a setting; did you mean number?",
			"hotline.yaml:7:16: answer.after_rings: 5 is out of range; use 1, 2 or 3",
			`hotline.yaml:10:19: queues[0].ring_timeout: "soon" is not a duration; use a number with a unit`,
			`hotline.yaml:16:26: menus.menus.main.otherwise.queue: there is no queue "servce"; did you mean service?`,
			`hotline.yaml:19:9: menus.menus.main.keys.0x: "0x" is not a key of a phone; use 0 to 9, * or #`,
		)
		if _, err := os.Stat(state); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("something has started: the state folder is there (%v)", err)
		}
	})

	t.Run("no hotline.yaml", func(t *testing.T) {
		wantSaid(t, w.in(t).refuses("/nowhere/hotline.yaml"), "/nowhere/hotline.yaml", "no such file")
	})

	t.Run("a prompt is missing", func(t *testing.T) {
		w := w.in(t)
		inside := w.Config.Asterisk.Inside("broken-prompts")
		broken := w.Config.Asterisk.OnHost(filepath.Join(inside, string(w.Config.Service.Language)))
		linkAll(t, w.Config.PromptsOutside(), broken)
		for _, file := range []string{"menu.main.alaw", prompt.HoldTone(7) + ".ulaw"} {
			if err := os.Remove(filepath.Join(broken, file)); err != nil {
				t.Fatal(err)
			}
		}
		said := w.refuses(w.variant(func(cfg *configs.Config) { cfg.Asterisk.Prompts = inside }))
		wantSaid(t, said, "menu.main", prompt.HoldTone(7), broken, "hotline prompts build")
		if strings.Contains(said, "greeting.morning") {
			t.Errorf("a prompt that is there is called missing: %s", said)
		}
	})

	t.Run("no prompts at all", func(t *testing.T) {
		w := w.in(t)
		said := w.refuses(w.variant(func(cfg *configs.Config) { cfg.Asterisk.Prompts = "/srv/hotline/nowhere" }))
		wantSaid(t, said, "/srv/hotline/nowhere", "hotline prompts build")
	})

	t.Run("the port is in use", func(t *testing.T) {
		w := w.in(t)
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		said := w.refuses(w.variant(func(cfg *configs.Config) {
			cfg.Service.StateDir = t.TempDir()
			cfg.Listen.Metrics = netip.MustParseAddrPort(taken.Addr().String())
		}))
		wantSaid(t, said, "listen.metrics", taken.Addr().String(), "address already in use")
	})

	t.Run("another hotline on the same state folder", func(t *testing.T) {
		w := w.in(t)
		if err := w.Serve(w.ctx, stand.StartClock); err != nil {
			t.Fatal(err)
		}
		said := w.refuses(w.variant(func(cfg *configs.Config) { cfg.Listen.Metrics = freeTCP(t) }))
		wantSaid(t, said, w.Config.Service.StateDir, "another")
		// The first goes on as if nothing had been.
		if status, body, err := w.Get(w.ctx, "/readyz"); err != nil || status != http.StatusOK {
			t.Errorf("the first hotline says %d %s %v, want ready", status, body, err)
		}
		w.must("agent", "list")
		c := w.dial(w.caller(phone.Options{}))
		w.hears(c, "menu.main", 0)
	})
}

// linkAll makes a folder with the same files.
func linkAll(t testing.TB, from, to string) {
	t.Helper()
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.Link(filepath.Join(from, f.Name()), filepath.Join(to, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
}

func freeTCP(t testing.TB) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String())
}

// unready waits until /readyz says that, and why; the service itself is alive.
func (w *world) unready(why ...string) {
	w.t.Helper()
	var body string
	w.await(fmt.Sprintf("/readyz says %q", why), func() bool {
		status, text, err := w.Get(w.ctx, "/readyz")
		body = text
		return err == nil && status == http.StatusServiceUnavailable &&
			!slices.ContainsFunc(why, func(part string) bool { return !strings.Contains(text, part) })
	})
	if status, text, err := w.Get(w.ctx, "/healthz"); err != nil || status != http.StatusOK {
		w.t.Errorf("/healthz says %d %s %v, want ok: the service is alive", status, text, err)
	}
	w.t.Logf("/readyz: %s", strings.TrimSpace(body))
}

// logged counts the lines of the service's log with all of these.
func (w *world) logged(parts ...string) (n int) {
	for line := range strings.Lines(w.ServiceLog()) {
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
			n++
		}
	}
	return n
}

// A wrong password: the service waits, says so on /readyz, and in one log line however often it tries.
func TestAWrongPasswordIsWaitedFor(t *testing.T) {
	t.Parallel()
	i := stand.Asterisk(t, stand.Options{})
	right := *i.Config
	wrong := right
	wrong.Asterisk.ARI.Password = "dev-wrong"
	door, attempts := countingDoor(t, right.Asterisk.ARI.Bind)
	wrong.Asterisk.ARI.Bind = door
	mistaken := *i
	mistaken.Config = &wrong
	w := prepared(t, 2*time.Minute, &mistaken)
	if err := w.Launch(stand.StartClock); err != nil {
		t.Fatal(err)
	}
	w.unready("refuses the user name or password", "ari.conf")
	w.await("a few attempts were made", func() bool { return attempts.Load() >= 6 })
	if n := w.logged("not connected to Asterisk"); n != 1 {
		t.Errorf("%d log lines say that Asterisk is not connected, want one\n%s", n, w.ServiceLog())
	}
	if strings.Contains(w.ServiceLog(), "dev-wrong") || strings.Contains(w.ServiceLog(), "dev-hotline") {
		t.Error("a password is in the log")
	}
	// A caller meanwhile is in the net: the hold tone, and no silence.
	c := w.dial(w.caller(phone.Options{}))
	tone := w.hears(c, ear.HoldTone, 0)
	if err := w.Terminate(); err != nil {
		t.Errorf("a service that waits for Asterisk does not stop: %v", err)
	}
	// With the right password the same caller is taken over.
	*w.Config = right
	w.serveAgain()
	menu := w.hears(c, "menu.main", tone.At)
	if quiet := c.Transcript().Silences(tone.At, menu.At, time.Second); len(quiet) > 0 {
		t.Errorf("the caller heard nothing for a while on the way from the net to the menu: %v\nheard: %s", quiet, c.Transcript())
	}
}

// countingDoor passes requests on to an address and counts them.
func countingDoor(t testing.TB, to netip.AddrPort) (netip.AddrPort, *atomic.Int64) {
	t.Helper()
	var passed atomic.Int64
	onward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: to.String()})
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		passed.Add(1)
		onward.ServeHTTP(w, r)
	}))
	t.Cleanup(door.Close)
	return netip.MustParseAddrPort(door.Listener.Addr().String()), &passed
}

// serveAgain prepares the service anew, with what Config says by now, and starts it.
func (w *world) serveAgain() {
	w.t.Helper()
	s, err := stand.On(w.Instance)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := s.Serve(w.ctx, stand.StartClock); err != nil {
		w.t.Fatal(err)
	}
	w.Service = s
	w.t.Cleanup(func() {
		if err := s.Terminate(); err != nil {
			w.t.Errorf("stop the service: %v", err)
		}
		if w.t.Failed() {
			w.t.Logf("the second service's log:\n%s", s.ServiceLog())
		}
	})
}

// Asterisk is not there at the start: the service waits, says so, and is ready when it comes.
func TestAsteriskComesLater(t *testing.T) {
	t.Parallel()
	w := idleWorld(t, 2*time.Minute, stand.Options{})
	if err := w.Halt(); err != nil {
		t.Fatal(err)
	}
	if err := w.Launch(stand.StartClock); err != nil {
		t.Fatal(err)
	}
	w.unready("waiting for Asterisk", "connection refused")
	if n := w.logged("not connected to Asterisk"); n != 1 {
		t.Errorf("%d log lines say that Asterisk is not connected, want one\n%s", n, w.ServiceLog())
	}
	w.must("agent", "sign-in", "1001") // commands work all the same
	if err := w.Start(w.ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.WaitReady(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.serves("13800000011", w.desk("1001", phone.AnswerAfter(time.Second)))
}

// serves proves a whole call: from the greeting to the journal.
func (w *world) serves(number string, desk *phone.Phone) {
	w.t.Helper()
	c := w.dial(w.caller(phone.Options{Number: number, Voice: voices["caller"]}))
	w.hears(c, "menu.main", 0)
	w.keys(c, "0")
	agent := w.incoming(desk)
	w.hears(c, "voice.agent", 0)
	w.hears(agent, "voice.caller", 0)
	if err := c.Hangup(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	if s := w.summary(mask(number)); s.Outcome != (call.Outcome{Result: call.Served, Reason: "talked"}) {
		w.t.Errorf("the call ended as %+v, want served", s.Outcome)
	}
	w.ended(agent)
}

// Asterisk is stopped, or dies, and is started again under callers who are in the menu, wait and talk: each of their
// calls ends with one result, nobody's agent stays busy, nothing of them is left in the service, and the next caller is
// served.
func TestAsteriskRestartsUnderTheService(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*world) error{"stopped": (*world).Halt, "killed": (*world).killAsterisk} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 3*time.Minute, func(cfg *configs.Config) { cfg.Queues[0].WrapUp.Duration = time.Second })
			restartUnder(w, stop)
		})
	}
}

// killAsterisk ends it as a crash does.
func (w *world) killAsterisk() error { return syscall.Kill(pidOf(w.t, w.Dir), syscall.SIGKILL) }

func restartUnder(w *world, stop func(*world) error) {
	w.t.Helper()
	before := w.metric("go_goroutines")
	desk := w.agent("1001", phone.AnswerAfter(0))
	talking := w.dial(w.caller(phone.Options{Number: "13800000021", Voice: voices["caller"]}))
	w.hears(talking, "menu.main", 0)
	w.keys(talking, "0")
	w.hears(talking, "voice.agent", 0)
	waiting := w.dial(w.caller(phone.Options{Number: "13800000022"}))
	w.hears(waiting, "menu.main", 0)
	w.keys(waiting, "0")
	w.hears(waiting, ear.HoldTone, 0)
	choosing := w.dial(w.caller(phone.Options{Number: "13800000023"}))
	w.hears(choosing, "menu.main", 0)
	ringing, err := w.caller(phone.Options{Number: "13800000024"}).Dial(w.ctx, w.Config.Service.Number)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := ringing.WaitRinging(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	w.arrived(mask("13800000024")) // the phone hears of it sooner than the service

	if err := stop(w); err != nil {
		w.t.Fatal(err)
	}
	w.unready("waiting for Asterisk")
	if err := w.Start(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	if err := w.WaitReady(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	want := map[string][]call.Outcome{
		"13800000021": {{Result: call.Lost, Reason: "talk"}},
		"13800000022": {{Result: call.Lost, Reason: "wait"}},
		"13800000023": {{Result: call.Lost, Reason: "menu"}},
		"13800000024": {{Result: call.Lost, Reason: "ring"}, {Result: call.Lost, Reason: "greet"}, {Result: call.Failed, Reason: "asterisk-unavailable"}},
	}
	for number, outcomes := range want {
		s := w.summary(mask(number))
		w.t.Logf("%s: %+v, hung up by %s", number, s.Outcome, s.HungUp)
		if !slices.Contains(outcomes, s.Outcome) {
			w.t.Errorf("the call from %s ended as %+v, want %+v", number, s.Outcome, outcomes)
		}
		if strings.Contains(s.HungUp, string(call.Proven)) {
			w.t.Errorf("the call from %s is said to be hung up by %s: nobody did", number, s.HungUp)
		}
	}
	w.await("the agent is ready again", func() bool { return w.stateOf("1001") == queue.StateReady })
	desk.Close()
	w.serves("13800000025", w.desk("1001", phone.AnswerAfter(time.Second)))
	w.wantNothingLeft(before)
}

// wantNothingLeft waits until the service has as few goroutines as before, and Asterisk neither channel nor bridge.
func (w *world) wantNothingLeft(goroutines float64) {
	w.t.Helper()
	var left string
	held := func() bool {
		channels, err := w.CLI("core show channels count")
		if err != nil {
			w.t.Fatal(err)
		}
		bridges, err := w.CLI("bridge show all")
		if err != nil {
			w.t.Fatal(err)
		}
		now := w.metric("go_goroutines")
		active := w.metric("hotline_active_calls")
		left = fmt.Sprintf("%v goroutines (%v before), %v active calls\n%s%s", now, goroutines, active, channels, bridges)
		return now <= goroutines && active == 0 && strings.HasPrefix(channels, "0 active channels") && strings.Count(strings.TrimSpace(bridges), "\n") == 0
	}
	deadline := time.Now().Add(40 * time.Second) // idle connections to Asterisk are given up after 10 s
	for !held() {
		if time.Now().After(deadline) {
			w.t.Errorf("something is left over: %s\nLikely causes: a call that did not let go of a leg, a bridge nobody destroys, a goroutine without an end.", left)
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	w.t.Logf("left over: %s", left)
}

// degraded waits until /readyz says that something is worse than it should be,
// and why; the service is ready all the same.
func (w *world) degraded(why ...string) {
	w.t.Helper()
	w.await(fmt.Sprintf("/readyz says %q", why), func() bool {
		status, text, err := w.Get(w.ctx, "/readyz")
		return err == nil && status == http.StatusOK && strings.Contains(text, "degraded") &&
			!slices.ContainsFunc(why, func(part string) bool { return !strings.Contains(text, part) })
	})
}

// The disk of the state folder is full: calls go on, and what happens in them is kept in memory; when there is room it
// is written, and nothing is missing. What is promised is refused meanwhile.
func TestAFullDiskStopsNoCall(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	d := stand.SmallDisk(t, state, "4m")
	w := idleWorld(t, 3*time.Minute, stand.Options{StateDir: state, Configure: func(cfg *configs.Config) {
		cfg.Queues[0].WrapUp.Duration = time.Second
		cfg.Rating.Timeout.Duration = 3 * time.Second
	}})
	if err := w.Serve(w.ctx, stand.StartClock); err != nil {
		t.Fatal(err)
	}
	desk := w.agent("1001", phone.AnswerAfter(time.Second))
	w.serves("13800000031", desk)
	w.await("the agent is ready", func() bool { return w.stateOf("1001") == queue.StateReady })

	d.Fill()
	heard := w.wholeVisit("13800000032", desk)
	t.Logf("on a full disk the caller heard %s", heard)
	w.degraded("journal", "late", "full")
	if n := w.logged("level=ERROR", "journal is late"); n != 1 {
		t.Errorf("%d log lines say that the journal is late, want one", n)
	}
	if n := w.logged("level=ERROR", "the service is degraded", "disk:state"); n != 1 {
		t.Errorf("%d log lines say that the disk is short of room, want one", n)
	}
	if w.metric("hotline_journal_late_entries") == 0 || w.metric(`hotline_degraded{what="disk:state"}`) != 1 || w.metric(`hotline_disk_free_bytes{dir="state"}`) > 1<<20 {
		t.Error("the figures do not tell that the disk is full")
	}
	if w.metric("hotline_unjournaled_entries_total") != 0 {
		t.Error("entries are counted as missing, and they are only late")
	}
	if _, err := w.Run(w.ctx, "announce", "outage"); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("`hotline announce` says %v, want that the disk is full: what is announced must outlive the service", err)
	}
	if out := w.must("announce"); !strings.Contains(out, "nothing is announced") {
		t.Errorf("in force is %q, want nothing: it could not be kept", out)
	}
	w.must("agent", "pause", "1001")
	w.must("agent", "ready", "1001")
	if calls, err := w.Calls(w.ctx); err != nil || len(calls) == 0 {
		t.Errorf("`hotline calls` on a full disk lists %d calls: %v", len(calls), err)
	}

	// It leaves in time, and says how much it could not write. It starts on a full disk too.
	w.leaves(syscall.SIGTERM)
	if n := w.logged("level=ERROR", "what is on its way to the journal", "not written"); n != 1 {
		t.Errorf("%d log lines say what was not written, want one", n)
	}
	d.Fill() // closing the journal has made some room
	if err := w.Launch(stand.StartClock); err != nil {
		t.Fatal(err)
	}
	w.degraded(`"asterisk":"connected"`, "journal", "full")
	w.must("agent", "sign-in", "1001")
	w.wholeVisit("13800000035", desk)
	w.await("the agent is ready", func() bool { return w.stateOf("1001") == queue.StateReady })

	// Room is made in the middle of a call: everything since the start is written, in order.
	c := w.dial(w.caller(phone.Options{Number: "13800000033", Voice: voices["caller"]}))
	w.hears(c, "menu.main", 0)
	d.MakeRoom()
	w.keys(c, "0")
	w.incoming(desk)
	w.hears(c, "voice.agent", 0)
	if err := c.Hangup(w.ctx); err != nil {
		t.Fatal(err)
	}
	for _, number := range []string{"13800000033", "13800000035"} {
		s := w.summary(mask(number))
		ended := entry[call.Ended](w, s.ID, call.KindEnded)
		if ended.Marked || ended.Outcome != (call.Outcome{Result: call.Served, Reason: "talked"}) {
			t.Errorf("the call from %s, whose entries were late, ended as %+v, want served and nothing missing", number, ended)
		}
	}
	if n := w.logged("level=INFO", "journal has caught up"); n != 1 {
		t.Errorf("%d log lines say that the journal has caught up, want one", n)
	}
	if late := w.metric("hotline_journal_late_entries"); late != 0 {
		t.Errorf("%v entries are still late, and there is room", late)
	}
	w.await("the agent is ready", func() bool { return w.stateOf("1001") == queue.StateReady })
	w.serves("13800000034", desk)
}

// wholeVisit is a call from greeting to farewell, by what is heard alone.
func (w *world) wholeVisit(number string, desk *phone.Phone) ear.Transcript {
	w.t.Helper()
	c := w.dial(w.caller(phone.Options{Number: number, Voice: voices["caller"]}))
	greeting := w.hears(c, "greeting.morning", 0)
	w.hears(c, "menu.main", 0)
	w.keys(c, "0")
	w.hears(c, "queue.joined", 0)
	agent := w.incoming(desk)
	w.hears(c, "voice.agent", 0)
	w.hears(agent, "voice.caller", 0)
	if err := agent.Hangup(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	asked := w.hears(c, "rating.ask", 0)
	w.keys(c, "5")
	w.hears(c, "closing.day", asked.At)
	if end := w.ended(c); end.By != phone.Them {
		w.t.Errorf("the call was ended by %v, want the farewell's end", end)
	}
	if quiet := c.Transcript().Silences(greeting.At, asked.At, time.Second); len(quiet) > 0 {
		w.t.Errorf("the caller heard nothing for a while: %v\nheard: %s", quiet, c.Transcript())
	}
	return c.Transcript()
}

// The disk Asterisk records to is full, from the start of a call or in its middle: the call goes on, and its entry says
// that the recording is missing, or how much of it.
func TestAFullDiskForRecordingsIsTold(t *testing.T) {
	t.Parallel()
	w := idleWorld(t, 3*time.Minute, stand.Options{Configure: func(cfg *configs.Config) {
		cfg.Queues[0].WrapUp.Duration = time.Second
		cfg.Rating.Timeout.Duration = 3 * time.Second
	}})
	d := stand.SmallDisk(t, filepath.Join(w.Dir, "raw"), "2m")
	if err := w.Serve(w.ctx, stand.StartClock); err != nil {
		t.Fatal(err)
	}
	desk := w.agent("1001", phone.AnswerAfter(time.Second))

	t.Run("from the start", func(t *testing.T) {
		w := w.in(t)
		d.Fill()
		w.wholeVisit("13800000041", desk)
		s := w.summary(mask("13800000041"))
		if s.Outcome.Result != call.Served || s.Rating != 5 {
			t.Errorf("the call ended as %+v rated %d, want served, 5", s.Outcome, s.Rating)
		}
		if started := entry[call.RecordingStarted](w, s.ID, call.KindRecording); !strings.Contains(started.Error, "full") {
			t.Errorf("the journal says of the recording %+v, want that the disk is full", started)
		}
		if r := s.Recording; r == nil || r.File != "" || !strings.Contains(r.Gap, "full") {
			t.Errorf("the ending says of the recording %+v, want that the disk was full", r)
		}
		d.MakeRoom()
	})

	t.Run("in the middle", func(t *testing.T) {
		w := w.in(t)
		w.await("the agent is ready", func() bool { return w.stateOf("1001") == queue.StateReady })
		c := w.dial(w.caller(phone.Options{Number: "13800000042", Voice: voices["caller"]}))
		w.hears(c, "menu.main", 0)
		w.keys(c, "0")
		agent := w.incoming(desk)
		w.hears(c, "voice.agent", 0)
		d.Fill()
		talk := w.hears(c, "agent.after", 0)
		later := talk.At + 5*time.Second
		w.await("a few seconds of talk were not recorded", func() bool { return time.Since(c.Start()) > later })
		if quiet := c.Transcript().Silences(talk.At, later, 300*time.Millisecond); len(quiet) > 0 {
			t.Errorf("the caller heard silence while the disk was full: %v", quiet)
		}
		if err := c.Hangup(w.ctx); err != nil {
			t.Fatal(err)
		}
		w.ended(agent)
		s := w.summary(mask("13800000042"))
		t.Logf("the recording: %+v", s.Recording)
		if s.Outcome.Result != call.Served || s.Recording == nil || s.Recording.Gap == "" {
			t.Errorf("the call ended as %+v with the recording %+v, want served and a gap that is told", s.Outcome, s.Recording)
		}
		d.MakeRoom()
	})

	t.Run("with room again", func(t *testing.T) {
		w := w.in(t)
		w.await("the agent is ready", func() bool { return w.stateOf("1001") == queue.StateReady })
		w.wholeVisit("13800000043", desk)
		s := w.summary(mask("13800000043"))
		if s.Recording == nil || s.Recording.File == "" {
			t.Errorf("the recording is %+v, want one", s.Recording)
		}
	})
}
