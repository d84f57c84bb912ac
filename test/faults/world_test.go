package faults_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/journal"
	"hotline/queue"
	"hotline/test/ear"
	"hotline/test/faults"
	"hotline/test/phone"
	"hotline/test/stand"
	"hotline/web"
)

// TestMain lets a few tests run side by side: they wait far more than they work. An explicit -parallel takes precedence.
func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", "6"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	os.Exit(m.Run())
}

// voices of the people in the tests: a note each.
var voices = map[string]int{"caller": 250, "agent": 400}

// world is a real Asterisk and a real service that speak through a proxy, with phones on either side.
type world struct {
	*stand.Service
	asterisk *stand.Instance // without the proxy
	wire     *faults.Proxy
	seed     *faults.Seed
	t        testing.TB
	ctx      context.Context
	code     *ear.Code
}

// newWorld starts them; they end with the test. configure may be nil.
func newWorld(t testing.TB, limit time.Duration, configure func(*configs.Config)) *world {
	t.Helper()
	w := idleWorld(t, limit, configure)
	w.serve()
	return w
}

// idleWorld is a world whose service is prepared and not started.
func idleWorld(t testing.TB, limit time.Duration, configure func(*configs.Config)) *world {
	t.Helper()
	w := &world{t: t, seed: faults.NewSeed(t)}
	w.asterisk = stand.Asterisk(t, stand.Options{Configure: func(cfg *configs.Config) { brisk(cfg); also(configure, cfg) }})
	var cancel context.CancelFunc
	w.ctx, cancel = context.WithTimeoutCause(t.Context(), limit, fmt.Errorf("the test took longer than %s", limit))
	t.Cleanup(cancel)
	w.wire = newProxy(t, w.asterisk)
	w.Service = prepare(t, w.asterisk.Through(w.wire.Addr()))
	var err error
	if w.code, err = w.asterisk.Code(); err != nil {
		t.Fatal(err)
	}
	return w
}

func also(configure func(*configs.Config), cfg *configs.Config) {
	if configure != nil {
		configure(cfg)
	}
}

func newProxy(t testing.TB, asterisk *stand.Instance) *faults.Proxy {
	t.Helper()
	p, err := faults.NewProxy(asterisk.Config.Asterisk.ARI.Bind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// prepare makes a service ready to be started; what runs of it ends with the test.
func prepare(t testing.TB, on *stand.Instance) *stand.Service {
	t.Helper()
	s, err := stand.On(on)
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
	return s
}

// brisk is a hotline in which nobody rests for long.
func brisk(cfg *configs.Config) {
	cfg.Queues[0].WrapUp.Duration = time.Second
	cfg.Rating.Timeout.Duration = 3 * time.Second
}

func (w *world) serve() {
	w.t.Helper()
	if err := w.Serve(w.ctx, stand.StartClock); err != nil {
		w.t.Fatalf("start the service: %v", err)
	}
}

// caller makes a phone that calls from outside and says the callers' note.
func (w *world) caller(number string) *phone.Phone {
	w.t.Helper()
	return w.phone(phone.Options{
		Name: "caller " + number, IP: stand.TrunkAddress, Number: number, Voice: voices["caller"],
	})
}

// desk is an agent's phone and the calls that came to it.
type desk struct {
	*phone.Phone
	id string

	mu    sync.Mutex
	rings []*phone.Call
}

// desk makes an agent's phone, registers it and signs the agent in.
func (w *world) desk(id string, incoming phone.Behaviour) *desk {
	w.t.Helper()
	d := w.registered(id, incoming)
	w.signIn(id)
	return d
}

// registered makes an agent's phone and registers it.
func (w *world) registered(id string, incoming phone.Behaviour) *desk {
	w.t.Helper()
	account, ok := w.Config.Agent(id)
	if !ok {
		w.t.Fatalf("no agent %s in the configuration", id)
	}
	if incoming == nil {
		incoming = phone.RingForEver()
	}
	d := &desk{id: id}
	d.Phone = w.phone(phone.Options{
		Name: "agent " + id, IP: "127.0.0.1", Number: id, Password: account.Password.Reveal(), Voice: voices["agent"],
	})
	d.answers(incoming)
	w.try(d.Register(w.ctx))
	return d
}

// signIn is `hotline agent sign-in` without a program for each agent.
func (w *world) signIn(id string) {
	w.t.Helper()
	_, err := w.control(http.MethodPost, "/api/v1/agents/"+id+"/state", `{"do": "sign-in"}`)
	w.try(err)
}

// status is what the service says of its agents.
func (w *world) status() (agents map[string]web.State, err error) {
	body, err := w.control(http.MethodGet, "/api/v1/agents", "")
	if err != nil {
		return nil, err
	}
	var said struct{ Agents []web.Agent }
	if err := json.Unmarshal(body, &said); err != nil {
		return nil, fmt.Errorf("the service's agents: %w", err)
	}
	agents = map[string]web.State{}
	for _, a := range said.Agents {
		agents[a.ID] = a.State
	}
	return agents, nil
}

// control asks the service on its control socket.
func (w *world) control(method, path, body string) ([]byte, error) {
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", w.Config.ControlSocket())
	}}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(w.ctx, method, "http://hotline"+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, answer.Status, said)
	}
	return said, err
}

// try fails the test on an error.
func (w *world) try(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// answers changes what the phone does with the next call.
func (d *desk) answers(b phone.Behaviour) {
	d.SetIncoming(func(ctx context.Context, c *phone.Call) {
		d.mu.Lock()
		d.rings = append(d.rings, c)
		d.mu.Unlock()
		b(ctx, c)
	})
}

// calls are those that came to the desk's phone, in order. None may come while another one is there.
func (d *desk) calls(t testing.TB) []*phone.Call {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	rings := slices.SortedFunc(slices.Values(d.rings), func(a, b *phone.Call) int { return a.Start().Compare(b.Start()) })
	for n := 1; n < len(rings); n++ {
		// Both messages come in at once where the queue has the next caller at hand: which one the phone sees to first is
		// its own affair.
		if over := rings[n-1].Times().Ended; over.IsZero() || rings[n].Start().Before(over.Add(-20*time.Millisecond)) {
			t.Errorf("%s is called while it has a call\n%s", d.Name(), d.Trace())
		}
	}
	return rings
}

func (w *world) phone(o phone.Options) *phone.Phone {
	w.t.Helper()
	o.Server, o.Code, o.Voices = w.SIP().String(), w.code, voices
	p, err := phone.New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		p.Close()
		if w.t.Failed() {
			w.t.Logf("%s:\n%s", p.Name(), p.Trace())
		}
	})
	return p
}

// dial places a call to the hotline and waits for the answer.
func (w *world) dial(p *phone.Phone) *phone.Call {
	w.t.Helper()
	c, err := p.Call(w.ctx, w.Config.Service.Number)
	if err != nil {
		w.t.Fatalf("the call is not answered: %v", err)
	}
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("%s heard: %s", p.Name(), c.Transcript())
		}
	})
	return c
}

// hears waits until the phone hears something that begins at or after from.
func (w *world) hears(c *phone.Call, pattern string, from time.Duration) ear.Heard {
	w.t.Helper()
	heard, err := c.WaitHeard(w.ctx, pattern, from)
	if err != nil {
		w.t.Fatal(err)
	}
	return heard
}

func (w *world) keys(c *phone.Call, digits string) {
	w.t.Helper()
	if err := c.Keys(w.ctx, digits); err != nil {
		w.t.Fatal(err)
	}
}

// incoming waits for a call to an agent's phone.
func (w *world) incoming(d *desk) *phone.Call {
	w.t.Helper()
	c, err := d.NextCall(w.ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) hangup(c *phone.Call) {
	w.t.Helper()
	if err := c.Hangup(w.ctx); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) ended(c *phone.Call) phone.End {
	w.t.Helper()
	end, err := c.WaitEnded(w.ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	return end
}

// waits is a caller who has chosen a person in the menu and hears the hold tone.
func (w *world) waits(number string) *phone.Call {
	w.t.Helper()
	c := w.dial(w.caller(number))
	w.hears(c, "menu.main", 0)
	w.keys(c, "0")
	w.hears(c, ear.HoldTone, 0)
	return c
}

// talks is a caller who talks with the agent at that desk; both hear each other.
func (w *world) talks(number string, at *desk) (caller, agent *phone.Call) {
	w.t.Helper()
	caller = w.dial(w.caller(number))
	w.hears(caller, "menu.main", 0)
	w.keys(caller, "0")
	agent = w.incoming(at)
	w.hears(caller, "voice.agent", 0)
	w.hears(agent, "voice.caller", 0)
	return caller, agent
}

// must runs a command of the program.
func (w *world) must(args ...string) string {
	w.t.Helper()
	out, err := w.Run(w.ctx, args...)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// agentState is what the service says an agent is doing.
func (w *world) agentState(id string) queue.State {
	w.t.Helper()
	agents, err := w.status()
	w.try(err)
	return agents[id].State
}

// becomes waits until the agent is in a state, and gives how long that took.
func (w *world) becomes(id string, want queue.State) time.Duration {
	w.t.Helper()
	return w.await(fmt.Sprintf("agent %s is %v", id, want), func() bool { return w.agentState(id) == want })
}

// together does things at the same time, and ends the test where one of them has failed it.
func (w *world) together(things ...func()) {
	w.t.Helper()
	var all sync.WaitGroup
	for _, thing := range things {
		all.Go(thing)
	}
	all.Wait()
	if w.t.Failed() {
		w.t.FailNow()
	}
}

// each does something for each of n, at the same time.
func (w *world) each(n int, do func(i int)) {
	w.t.Helper()
	things := make([]func(), n)
	for i := range things {
		things[i] = func() { do(i) }
	}
	w.together(things...)
}

// await waits until something holds, and gives how long that took.
func (w *world) await(what string, holds func() bool) time.Duration {
	w.t.Helper()
	began := time.Now()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-w.ctx.Done():
			w.t.Fatalf("never came true: %s: %v", what, context.Cause(w.ctx))
		}
	}
	return time.Since(began)
}

// logged counts the lines of the service's log with all of these.
func (w *world) logged(parts ...string) (n int) {
	return logged(w.Service, parts...)
}

func logged(s *stand.Service, parts ...string) (n int) {
lines:
	for line := range strings.Lines(s.ServiceLog()) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue lines
			}
		}
		n++
	}
	return n
}

// summary waits until the journal says how the newest call with this number ended.
func (w *world) summary(number string) (found call.Summary) {
	w.t.Helper()
	w.await("the journal has the end of the call from "+number, func() bool {
		calls, err := w.Calls(w.ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, c := range calls {
			if c.Number == mask(number) && c.Outcome.Result != "" {
				found = c
				return true
			}
		}
		return false
	})
	return found
}

// mask is how a mobile's number is shown.
func mask(mobile string) string { return mobile[:3] + "****" + mobile[7:] }

// entries are those of the whole journal, in order.
func (w *world) entries() (list []journal.Entry) {
	w.t.Helper()
	reader, err := journal.OpenReader(w.ctx, w.Config.Journal())
	if err != nil {
		w.t.Fatal(err)
	}
	defer reader.Close()
	for e, err := range reader.Read(w.ctx, journal.Query{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

func decoded[T any](t testing.TB, e journal.Entry) (data T) {
	t.Helper()
	if err := e.Decode(&data); err != nil {
		t.Fatalf("entry %d, %s: %v", e.Seq, e.Kind, err)
	}
	return data
}
