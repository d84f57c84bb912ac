// Package e2e holds the end-to-end tests: a real Asterisk, the real program,
// real SIP phones, and the ear that says what was heard.
package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
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
		if err := flag.Set("test.parallel", "8"); err != nil {
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
	t    testing.TB
	ctx  context.Context
	code *ear.Code
}

// newWorld starts a hotline of the test's own. configure may be nil.
func newWorld(t testing.TB, limit time.Duration, configure func(*configs.Config)) *world {
	t.Helper()
	s := stand.Hotline(t, stand.Options{Configure: configure})
	ctx, cancel := context.WithTimeoutCause(t.Context(), limit, fmt.Errorf("the test took longer than %s", limit))
	t.Cleanup(cancel)
	code, err := s.Code()
	if err != nil {
		t.Fatal(err)
	}
	return &world{Service: s, t: t, ctx: ctx, code: code}
}

// in is the same hotline for a part of a test: what fails and what is cleared
// away belongs to that part.
func (w *world) in(t testing.TB) *world {
	part := *w
	part.t = t
	return &part
}

// caller makes a phone that calls from outside.
func (w *world) caller(o phone.Options) *phone.Phone {
	w.t.Helper()
	o.Name, o.IP, o.Server = "caller", stand.TrunkAddress, w.SIP().String()
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
	account, ok := w.Config.Agent(id)
	if !ok {
		w.t.Fatalf("no agent %s in the configuration", id)
	}
	p := w.phone(phone.Options{
		Name: "agent " + id, IP: "127.0.0.1", Server: w.SIP().String(),
		Number: id, Password: account.Password.Reveal(),
		Voice: voices["agent"], Code: w.code, Voices: voices, Incoming: incoming,
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

// seconds is a duration given in seconds.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
