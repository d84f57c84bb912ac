package ari_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/ari"
	"hotline/ari/aritest"
)

// wire is a proxy that loses requests on their way to Asterisk, or Asterisk's
// answers.
type wire struct {
	*httptest.Server
	mu     sync.Mutex
	method string
	path   string // how it ends
	times  int
	what   lost
}

type lost int

const (
	nothing lost = iota
	theRequest
	theAnswer
)

func lossy(t *testing.T, server *aritest.Server) *wire {
	target, err := url.Parse(strings.TrimSuffix(server.URL(), "/ari"))
	must(t, err)
	transport := &http.Transport{}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = transport
	w := &wire{}
	w.Server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		switch w.loses(r) {
		case nothing:
			proxy.ServeHTTP(out, r)
			return
		case theAnswer:
			proxy.ServeHTTP(httptest.NewRecorder(), r)
		}
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(func() {
		w.CloseClientConnections()
		w.Close()
		transport.CloseIdleConnections()
	})
	return w
}

func (w *wire) lose(what lost, method, path string, times int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.what, w.method, w.path, w.times = what, method, path, times
}

func (w *wire) loses(r *http.Request) lost {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.times == 0 || r.Method != w.method || !strings.HasSuffix(r.URL.Path, w.path) {
		return nothing
	}
	w.times--
	return w.what
}

// desk is a call with a bridge, an agent in it and a playback, behind a lossy
// wire.
type desk struct {
	server  *aritest.Server
	wire    *wire
	metrics *prometheus.Registry
	caller  *aritest.Channel
	session *ari.Session
	leg     *ari.Leg
	agent   *ari.Leg
	bridge  *ari.Bridge
	playing *ari.Playback
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{server: aritest.Start(t), metrics: prometheus.NewRegistry()}
	d.server.MediaLasts(lasting)
	d.server.Phone("PJSIP/1001", aritest.Phone{Does: aritest.Answers})
	d.wire = lossy(t, d.server)
	o := options(d.server)
	o.URL, o.Registerer, o.RequestTimeout = d.wire.URL+"/ari", d.metrics, 2*time.Second
	link := run(t, o)
	d.caller = d.server.Arrive(aritest.Caller{Number: "13800000000"})
	d.session = link.Session("call")
	t.Cleanup(d.session.Close)
	d.leg = d.session.Adopt(arrived(t, link))
	var err error
	d.agent, err = d.session.Create(t.Context(), ari.Dial{Role: "agent", Endpoint: "PJSIP/1001"})
	must(t, err)
	must(t, d.agent.Dial(t.Context(), time.Minute))
	next(t, d.session, ari.Answered)
	d.bridge, err = d.session.Bridge(t.Context(), "mixing")
	must(t, err)
	must(t, d.bridge.Add(t.Context(), d.agent))
	d.playing, err = d.bridge.Play(t.Context(), []string{"sound:/ever"})
	must(t, err)
	d.server.ClearLog()
	return d
}

// A command whose request or answer is lost is carried out once, and a command
// that Asterisk fails to carry out is sent again.
func TestACommandIsRepeatedAndCarriedOutOnce(t *testing.T) {
	tests := []struct {
		name string
		path string // how it ends
		verb string // as Asterisk knows it, and how often it gets it when its first answer is lost
		sent int    // how often, where its answer is lost; 0: once, or twice where the end was not seen by then
		do   func(context.Context, *desk) error
		done func(*desk) bool
	}{
		{"answer", "/answer", "POST /channels/{id}/answer", 2,
			func(ctx context.Context, d *desk) error { return d.leg.Answer(ctx) },
			func(d *desk) bool { return d.caller.State() == "Up" }},
		{"subscribe", "/subscription", "POST /applications/{id}/subscription", 2,
			func(ctx context.Context, d *desk) error { return d.leg.Subscribe(ctx) }, nil},
		{"play", "/play", "POST /channels/{id}/play", 1,
			func(ctx context.Context, d *desk) error {
				_, err := d.leg.Play(ctx, []string{"sound:/long/ever"}, ari.PlayOptions{})
				return err
			},
			func(d *desk) bool { return strings.Join(d.caller.Played(), " ") == "sound:/long/ever" }},
		{"play in the bridge", "/play", "POST /bridges/{id}/play", 1,
			func(ctx context.Context, d *desk) error {
				_, err := d.bridge.Play(ctx, []string{"sound:/b/ever"})
				return errors.Join(err, d.playing.Stop(ctx))
			},
			func(d *desk) bool {
				return strings.Join(d.server.Channel(d.agent.ID()).Played(), " ") == "sound:/ever sound:/b/ever"
			}},
		{"stop", "/call-play-1", "DELETE /playbacks/{id}", 2,
			func(ctx context.Context, d *desk) error { return d.playing.Stop(ctx) },
			func(d *desk) bool { <-d.playing.Done(); return d.playing.Result() == ari.Cancelled }},
		{"make a bridge", "/bridges", "POST /bridges", 2,
			func(ctx context.Context, d *desk) error {
				b, err := d.session.Bridge(ctx, "mixing")
				if err == nil {
					err = b.Add(ctx, d.leg)
				}
				return err
			},
			func(d *desk) bool { return d.server.Bridges() == 2 && len(d.caller.Joined()) == 1 }},
		{"add", "/addChannel", "POST /bridges/{id}/addChannel", 1,
			func(ctx context.Context, d *desk) error { return d.bridge.Add(ctx, d.leg) },
			func(d *desk) bool { return len(d.caller.Joined()) == 2 }},
		{"remove", "/removeChannel", "POST /bridges/{id}/removeChannel", 1,
			func(ctx context.Context, d *desk) error { return d.bridge.Remove(ctx, d.agent) },
			func(d *desk) bool { return d.server.Channel(d.agent.ID()).Joined() == nil }},
		{"destroy", "/call-bridge-1", "DELETE /bridges/{id}", 2,
			func(ctx context.Context, d *desk) error { return d.bridge.Destroy(ctx) },
			func(d *desk) bool { return d.server.Bridges() == 0 }},
		{"hang up", "/call-agent-1", "DELETE /channels/{id}", 0,
			func(ctx context.Context, d *desk) error { return d.agent.Hangup(ctx, 16, "over") },
			func(d *desk) bool { <-d.agent.Context().Done(); return len(d.agent.Evidence().Commands) == 1 }},
	}
	for _, test := range tests {
		method, _, _ := strings.Cut(test.verb, " ")
		faults := map[string]struct {
			happens func(*desk)
			sent    int
		}{
			"its request is lost":   {func(d *desk) { d.wire.lose(theRequest, method, test.path, 1) }, 1},
			"its answer is lost":    {func(d *desk) { d.wire.lose(theAnswer, method, test.path, 1) }, test.sent},
			"Asterisk is at fault":  {func(d *desk) { _, route, _ := strings.Cut(test.verb, " "); d.server.Fail(method, route, 500, 1) }, 2},
			"Asterisk is all right": {func(*desk) {}, 1},
		}
		for fault, f := range faults {
			t.Run(test.name+"/"+fault, func(t *testing.T) {
				t.Parallel()
				d := newDesk(t)
				f.happens(d)
				must(t, test.do(t.Context(), d))
				if n := count(d.server, test.verb); n != f.sent && !(f.sent == 0 && (n == 1 || n == 2)) {
					t.Errorf("Asterisk got the command %d times, want %d", n, f.sent)
				}
				if test.done != nil && !test.done(d) {
					t.Error("it is not as if it had been carried out once")
				}
				repeats := value(t, d.metrics, "hotline_ari_repeated_requests_total")
				if want := fault != "Asterisk is all right"; (repeats > 0) != want {
					t.Errorf("%v repeats are counted", repeats)
				}
			})
		}
	}
}

// A playback that was heard to its end while its answer was lost is not played
// again.
func TestWhatIsOverIsNotPlayedAgain(t *testing.T) {
	d := newDesk(t)
	d.wire.lose(theAnswer, "POST", "/play", 1)
	d.server.Stall(50 * time.Millisecond) // its end is told before it is asked after
	p, err := d.leg.Play(t.Context(), []string{"sound:/short"}, ari.PlayOptions{})
	must(t, err)
	over(t, "the playback", p.Done())
	if played := d.caller.Played(); len(played) != 1 {
		t.Errorf("played %v, want it once", played)
	}
}

// What must not be done twice is not repeated, and what its lost command made is
// not left over.
func TestACommandThatIsNotRepeatedLeavesNothing(t *testing.T) {
	tests := []struct {
		name, verb, path string
		times            int
		do               func(context.Context, *desk) error
	}{
		{"ring", "POST /channels/{id}/ring", "/ring", 1,
			func(ctx context.Context, d *desk) error { return d.leg.Ring(ctx) }},
		{"dial", "POST /channels/{id}/dial", "/dial", 1,
			func(ctx context.Context, d *desk) error { return d.agent.Dial(ctx, time.Second) }},
		{"let go", "POST /channels/{id}/continue", "/continue", 1,
			func(ctx context.Context, d *desk) error { return d.leg.Release(ctx) }},
		{"make a leg", "POST /channels/create", "/create", 1,
			func(ctx context.Context, d *desk) error {
				_, err := d.session.Create(ctx, ari.Dial{Role: "agent", Endpoint: "PJSIP/1001"})
				return err
			}},
		{"make a bridge, in vain", "POST /bridges", "/bridges", 2,
			func(ctx context.Context, d *desk) error {
				_, err := d.session.Bridge(ctx, "mixing")
				return err
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.wire.lose(theAnswer, "POST", test.path, test.times)
			var e *ari.Error
			if err := test.do(t.Context(), d); !errors.As(err, &e) || !e.Unavailable() {
				t.Errorf("%v: want an *Error that is Unavailable", err)
			}
			if n := count(d.server, test.verb); n != test.times {
				t.Errorf("Asterisk got the command %d times, want %d", n, test.times)
			}
			until(t, "only the caller, the agent and their bridge are left", func() bool {
				return d.server.Channels() == 2 && d.server.Bridges() == 1
			})
		})
	}
}

// A command that makes something may be carried out after we have given it up,
// and after we have looked for what it made.
func TestStraysThatComeLateAreEnded(t *testing.T) {
	server, link := connect(t, func(o *ari.Options) { o.RequestTimeout = 200 * time.Millisecond })
	server.Phone("PJSIP/1001", aritest.Phone{Does: aritest.NoAnswer})
	link.DestroyStray("late")
	link.HangUpStray("late-leg")
	until(t, "both were looked for in vain", func() bool {
		return count(server, "DELETE /bridges/{id}")+count(server, "DELETE /channels/{id}") == 2
	})
	request(t, server, http.MethodPost, "/bridges", `{"bridgeId":"late","type":"mixing"}`)
	request(t, server, http.MethodPost, "/channels/create", `{"endpoint":"PJSIP/1001","channelId":"late-leg","app":"hotline","appArgs":"other"}`)
	until(t, "nothing is left", func() bool { return server.Bridges() == 0 && server.Channels() == 0 })
}

// request is what somebody else asks of Asterisk.
func request(t *testing.T, server *aritest.Server, method, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, server.URL()+path, strings.NewReader(body))
	must(t, err)
	req.SetBasicAuth(aritest.User, aritest.Password)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	must(t, res.Body.Close())
	http.DefaultClient.CloseIdleConnections()
	if res.StatusCode >= 300 {
		t.Fatalf("%s %s: %s", method, path, res.Status)
	}
}

// Who has to know that a leg is gone waits for it, though Asterisk refuses at first, and no longer than allowed.
func TestALegIsSeenGone(t *testing.T) {
	server, link := connect(t)
	server.Phone("PJSIP/1001", aritest.Phone{Does: aritest.NoAnswer})
	request(t, server, http.MethodPost, "/channels/create", `{"endpoint":"PJSIP/1001","channelId":"leg","app":"hotline","appArgs":"other"}`)
	server.Fail("DELETE", "/channels/{id}", 500, 2)
	must(t, link.EndStray(t.Context(), "leg"))
	if n := server.Channels(); n != 0 {
		t.Errorf("%d channels are there, and the leg was said to be gone", n)
	}
	server.Fail("DELETE", "/channels/{id}", 500, 1000)
	limited, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := link.EndStray(limited, "leg"); err == nil {
		t.Error("a leg that Asterisk does not let go of is said to be gone")
	}
}
