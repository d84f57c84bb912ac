// Package e2e holds the end-to-end tests: a real Asterisk, the real program,
// real SIP phones, and the ear that says what was heard.
package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/test/ear"
	"hotline/test/phone"
	"hotline/test/stand"
)

// TestMain lets many tests run side by side: they wait far more than they work. An explicit -parallel takes precedence.
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

// Voices of the people in the tests: a note each.
var voices = map[string]int{"caller": 250, "agent": 400, "other": 550}

// world is one hotline with its phones.
type world struct {
	*stand.Service
	t     testing.TB
	limit time.Duration   // of the test, and of each part of it
	ctx   context.Context // ends with the limit
	code  *ear.Code
}

// newWorld starts a hotline of the test's own. configure may be nil.
func newWorld(t testing.TB, limit time.Duration, configure func(*configs.Config)) *world {
	t.Helper()
	return around(t, limit, stand.Hotline(t, stand.Options{Configure: configure}))
}

// around is the world of a service.
func around(t testing.TB, limit time.Duration, s *stand.Service) *world {
	t.Helper()
	code, err := s.Code()
	if err != nil {
		t.Fatal(err)
	}
	return (&world{Service: s, limit: limit, code: code}).in(t)
}

// calm fails the test when the service has logged an error by its end.
func (w *world) calm() *world {
	w.t.Cleanup(func() {
		for line := range strings.Lines(w.ServiceLog()) {
			if strings.Contains(line, "level=ERROR") {
				w.t.Errorf("the service has logged an error in an ordinary day's work: %s", line)
			}
		}
	})
	return w
}

// in is the same hotline for a part of a test: what fails and what is cleared
// away belongs to that part, and its time begins now, however long it stood in
// line behind other tests.
func (w *world) in(t testing.TB) *world {
	part := *w
	part.t = t
	ctx, cancel := context.WithTimeoutCause(t.Context(), w.limit, fmt.Errorf("the test took longer than %s", w.limit))
	t.Cleanup(cancel)
	part.ctx = ctx
	return &part
}

// caller makes a phone that calls from outside.
func (w *world) caller(o phone.Options) *phone.Phone {
	w.t.Helper()
	o.Name, o.IP, o.Server = "caller", cmp.Or(o.IP, stand.TrunkAddress), w.SIP().String()
	o.Code, o.Voices = w.code, voices
	if o.Number == "" && !o.Anonymous {
		o.Number = "13800138000"
	}
	return w.phone(o)
}

// agent makes an agent's phone, registers it and signs the agent in.
func (w *world) agent(id string, incoming phone.Behaviour) *phone.Phone {
	w.t.Helper()
	p := w.desk(id, incoming)
	w.must("agent", "sign-in", id)
	return p
}

// desk makes an agent's registered phone.
func (w *world) desk(id string, incoming phone.Behaviour) *phone.Phone {
	w.t.Helper()
	return w.deskOf(id, "agent", incoming)
}

// deskOf makes it with a voice of its own.
func (w *world) deskOf(id, voice string, incoming phone.Behaviour) *phone.Phone {
	w.t.Helper()
	account, ok := w.Config.Agent(id)
	if !ok {
		w.t.Fatalf("no agent %s in the configuration", id)
	}
	p := w.phone(phone.Options{
		Name: "agent " + id, IP: "127.0.0.1", Server: w.SIP().String(),
		Number: id, Password: account.Password.Reveal(),
		Voice: voices[voice], Code: w.code, Voices: voices, Incoming: incoming,
	})
	if err := p.Register(w.ctx); err != nil {
		w.t.Fatalf("agent %s cannot register: %v", id, err)
	}
	return p
}

func (w *world) phone(o phone.Options) *phone.Phone {
	w.t.Helper()
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

// hears waits until the phone hears a prompt that begins at or after from.
func (w *world) hears(c *phone.Call, pattern string, from time.Duration) ear.Heard {
	w.t.Helper()
	heard, err := c.WaitHeard(w.ctx, pattern, from)
	if err != nil {
		w.t.Fatalf("%s never heard %s: %v\nheard: %s", c.Phone().Name(), pattern, err, c.Transcript())
	}
	return heard
}

func (w *world) keys(c *phone.Call, digits string) {
	w.t.Helper()
	if err := c.Keys(w.ctx, digits); err != nil {
		w.t.Fatalf("keys %s: %v", digits, err)
	}
}

// ended waits for the end of a phone's call.
func (w *world) ended(c *phone.Call) phone.End {
	w.t.Helper()
	end, err := c.WaitEnded(w.ctx)
	if err != nil {
		w.t.Fatalf("%s is still on the line: %v\nheard: %s", c.Phone().Name(), err, c.Transcript())
	}
	return end
}

// incoming waits for a call to a phone.
func (w *world) incoming(p *phone.Phone) *phone.Call {
	w.t.Helper()
	c, err := p.NextCall(w.ctx)
	if err != nil {
		w.t.Fatalf("%s is not called: %v", p.Name(), err)
	}
	return c
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

// record waits until the journal says how the newest call with this number
// ended.
func (w *world) summary(masked string) call.Summary {
	w.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		calls, err := w.Calls(w.ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, c := range calls {
			if c.Number == masked && c.Outcome.Result != "" {
				return c
			}
		}
		select {
		case <-tick.C:
		case <-w.ctx.Done():
			w.t.Fatalf("the journal has no end of a call from %s: %+v", masked, calls)
		}
	}
}

// heard compares all the prompts that a phone has heard with what it was to hear.
func (w *world) heard(c *phone.Call, want ...string) {
	w.t.Helper()
	if got := whole(c.Transcript()); !slices.Equal(got, want) {
		w.t.Errorf("%s heard %v,\nwant %v\nwith times: %s", c.Phone().Name(), got, want, c.Transcript())
	}
}

// whole lists the prompts heard. One that was torn, because it was held up, counts once: its later pieces lack the
// beginning, or the first one has little more than that and the next follows within two frames. After a longer pause it
// was cut and begun anew.
func whole(heard ear.Transcript) (ids []string) {
	torn := func(piece, next ear.Heard) bool {
		little := piece.Duration() < 100*time.Millisecond && next.At-piece.End < 40*time.Millisecond
		return piece.ID == next.ID && (!next.Began || little)
	}
	prompts := heard.Prompts()
	for i, h := range prompts {
		if i == 0 || !torn(prompts[i-1], h) {
			ids = append(ids, h.ID)
		}
	}
	return ids
}

// silences compares the stretches of 0.3 s and more in which a phone heard nothing at all between two moments with
// those it was to hear, 0.4 s more or less; without any, there must be none (A3).
func (w *world) silences(c *phone.Call, from, to time.Duration, want ...time.Duration) {
	w.t.Helper()
	got := c.Transcript().Silences(from, to, 300*time.Millisecond)
	same := slices.EqualFunc(got, want, func(g ear.Heard, d time.Duration) bool {
		return (g.Duration() - d).Abs() <= 400*time.Millisecond
	})
	if !same {
		w.t.Errorf("%s heard these silences between %.2f and %.2f s: %v, want %v\nheard: %s\nLikely causes: a stage without a sound, a prompt that was not played, or a machine too busy to send on time.",
			c.Phone().Name(), from.Seconds(), to.Seconds(), got, want, c.Transcript())
	}
}

// arrived waits until the journal knows of a call from this number, and gives its ID.
func (w *world) arrived(masked string) string {
	w.t.Helper()
	var id string
	w.await("the journal knows of a call from "+masked, func() bool {
		calls, err := w.Calls(w.ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, c := range calls {
			if c.Number == masked {
				id = c.ID
				return true
			}
		}
		return false
	})
	return id
}

// await waits until something holds.
func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-w.ctx.Done():
			w.t.Fatalf("never came true: %s: %v", what, context.Cause(w.ctx))
		}
	}
}

// metric is the sum of a figure of /metrics over its labels; a name with labels, as it is printed there, is that one.
func (w *world) metric(name string) (sum float64) {
	w.t.Helper()
	_, text, err := w.Get(w.ctx, "/metrics")
	if err != nil {
		w.t.Fatal(err)
	}
	found := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		end := strings.LastIndexByte(line, ' ') // there may be spaces in labels
		if end < 0 {
			continue
		}
		key := line[:end]
		if bare, _, _ := strings.Cut(key, "{"); key != name && bare != name {
			continue
		}
		n, err := strconv.ParseFloat(line[end+1:], 64)
		if err != nil {
			w.t.Fatalf("/metrics has %q: %v", line, err)
		}
		sum, found = sum+n, true
	}
	if !found {
		w.t.Fatalf("/metrics has no %s", name)
	}
	return sum
}

// entry is the first entry of a kind in a call.
func entry[T any](w *world, id, kind string) (data T) {
	w.t.Helper()
	entries, err := w.Entries(w.ctx, id)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Kind == kind {
			if err := json.Unmarshal(e.Data, &data); err != nil {
				w.t.Fatalf("call %s: %s: %v", id, e.Kind, err)
			}
			return data
		}
	}
	w.t.Fatalf("call %s has no %s", id, kind)
	return data
}

// mask is how a mobile's number is shown.
func mask(mobile string) string { return mobile[:3] + "****" + mobile[7:] }

// answeredAt is when a phone's own call was answered.
func answeredAt(c *phone.Call) time.Duration { return c.Since(c.Times().Answered) }

// seconds is a duration given in seconds.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
