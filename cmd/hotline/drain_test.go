package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// crowd is calls that end when they are told to.
type crowd struct {
	live  atomic.Int64
	ended chan struct{} // closed when the last has
}

func newCrowd(live int64) *crowd {
	c := &crowd{ended: make(chan struct{})}
	c.live.Store(live)
	return c
}

func (c *crowd) Live() int { return int(c.live.Load()) }

func (c *crowd) Drain(ctx context.Context) error {
	select {
	case <-c.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *crowd) end() {
	c.live.Store(0)
	close(c.ended)
}

// watched answers as the control socket does, only more often.
func watched(d *drain) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.serve(w, r, time.Millisecond) }))
}

func TestDrain(t *testing.T) {
	for _, test := range []struct {
		name, path string
		then       func(c *crowd, terminate context.CancelFunc)
		cause      error
		said       string // the last line
	}{
		{
			"the calls end", "/drain",
			func(c *crowd, _ context.CancelFunc) { c.end() },
			errDrained, "no call is left; the service has left",
		},
		{
			"the time is over", "/drain?timeout=20ms",
			func(*crowd, context.CancelFunc) {},
			errDrainTime, "the service has left; calls that Asterisk keeps: 3",
		},
		{
			"the service is stopped meanwhile", "/drain?timeout=1h",
			func(_ *crowd, terminate context.CancelFunc) { terminate() },
			context.Canceled, "the service has left; calls that Asterisk keeps: 3",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked, terminate := context.WithCancel(t.Context())
			running, leave := context.WithCancelCause(asked)
			calls := newCrowd(3)
			d := &drain{calls: calls, running: running, leave: leave}
			server := watched(d)
			defer server.Close()
			if d.on() {
				t.Error("it drains before anybody has asked for it")
			}
			response, err := http.Post(server.URL+test.path, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if !d.on() {
				t.Error("it does not drain though it was asked to")
			}
			test.then(calls, terminate)
			var told bytes.Buffer
			if err := watchDrain(&told, response.Body); err != nil {
				t.Error(err)
			}
			if !strings.HasPrefix(told.String(), "calls left: 3\n") || !strings.HasSuffix(told.String(), "\n"+test.said+"\n") {
				t.Errorf("who watches is told\n%swant 3 calls left at first, and then %q", told.String(), test.said)
			}
			if cause := context.Cause(running); !errors.Is(cause, test.cause) {
				t.Errorf("the service leaves because of %v, want %v", cause, test.cause)
			}
			terminate()
		})
	}
}

// Who stops watching does not stop the draining, and a second look finds it
// going on, with the limit that was given last.
func TestADrainIsWatchedAgain(t *testing.T) {
	running, leave := context.WithCancelCause(t.Context())
	d := &drain{calls: newCrowd(1), running: running, leave: leave}
	server := watched(d)
	defer server.Close()

	watching, stop := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(watching, "POST", server.URL+"/drain?timeout=1h", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	response.Body.Close()
	if running.Err() != nil || !d.on() {
		t.Fatalf("draining has stopped with whoever watched it: %v", context.Cause(running))
	}
	again, err := http.Post(server.URL+"/drain?timeout=20ms", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Body.Close()
	var told bytes.Buffer
	if err := watchDrain(&told, again.Body); err != nil || !errors.Is(context.Cause(running), errDrainTime) {
		t.Errorf("the second limit does not hold: %v, %v\n%s", err, context.Cause(running), told.String())
	}
}

func TestAWrongDrainLimitIsRefused(t *testing.T) {
	d := &drain{calls: newCrowd(0), running: t.Context(), leave: func(error) {}}
	for _, text := range []string{"soon", "-1s", "5"} {
		w := httptest.NewRecorder()
		d.serve(w, httptest.NewRequest("POST", "/drain?timeout="+text, nil), time.Second)
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "90s") || d.on() {
			t.Errorf("%q: %d %s, draining %v; want it refused with an example", text, w.Code, w.Body, d.on())
		}
	}
}

// A service that dies while it drains is not taken for one that has drained.
func TestAServiceThatDiesWhileItDrainsIsTold(t *testing.T) {
	var told bytes.Buffer
	err := watchDrain(&told, strings.NewReader("{\"left\":2}\n"))
	if err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("watching ends with %v, want that the service is gone", err)
	}
}

// Who watches is told what has changed, and why nothing does.
func TestWhoWatchesADrainIsToldWhatChanges(t *testing.T) {
	for _, test := range []struct{ name, told, want string }{
		{"each number once", `{"left":3}{"left":3}{"left":2}{"left":2}{"left":0}{"left":0,"over":true}`, "calls left: 3\ncalls left: 2\nno call is left; the service has left\n"},
		{"there was none", `{"left":0}{"left":0,"away":true}{"left":0,"over":true}`, "no call is left; the service has left\n"},
		{
			"Asterisk goes away", `{"left":1}{"left":1,"away":true}{"left":1,"away":true}{"left":1,"over":true}`,
			"calls left: 1\ncalls left: 1, and Asterisk is away: whether they go on is known when it is back; hotline drain --timeout 1s does not wait for that\n" +
				"the service has left; calls that Asterisk keeps: 1\n",
		},
	} {
		var said bytes.Buffer
		if err := watchDrain(&said, strings.NewReader(strings.ReplaceAll(test.told, "}{", "}\n{"))); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if said.String() != test.want {
			t.Errorf("%s: it says\n%swant\n%s", test.name, said.String(), test.want)
		}
	}
}

// A drain tells that Asterisk is away.
func TestADrainTellsThatAsteriskIsAway(t *testing.T) {
	running, leave := context.WithCancelCause(t.Context())
	d := &drain{calls: newCrowd(1), running: running, leave: leave, away: func() bool { return true }}
	server := watched(d)
	defer server.Close()
	response, err := http.Post(server.URL+"/drain?timeout=20ms", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var said bytes.Buffer
	if err := watchDrain(&said, response.Body); err != nil || !strings.HasPrefix(said.String(), "calls left: 1, and Asterisk is away") {
		t.Errorf("%v, and it says %q", err, said.String())
	}
}
