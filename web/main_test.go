package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hotline/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "tests-own-token-0001"

// usual is what hotline.yaml ships for a queue.
var usual = queue.Rules{
	MaxWaiting: 200, Aging: 15 * time.Minute, Strategy: queue.LongestIdle, WrapUp: 10 * time.Second, WrapUpAtMost: 10 * time.Minute,
	RingTimeout: 15 * time.Second, ServiceLevel: 20 * time.Second, ServiceTarget: 80,
	DeclinePause: 30 * time.Second, MissesBeforeOut: 2, Unattended: time.Minute,
}

// desk is an API on an engine that runs.
type desk struct {
	t      *testing.T
	engine *queue.Engine
	api    *API
	public http.Handler

	mu       sync.Mutex
	recorded []queue.Change
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t}
	service, vip := usual, usual
	service.ID, vip.ID, vip.OverflowTo = "service", "vip", "service"
	var err error
	d.engine, err = queue.New(queue.Options{
		Queues: []queue.Rules{service, vip},
		Agents: []queue.Profile{
			{ID: "1001", Number: "789", Name: "客服789", Queues: []string{"service"}},
			{ID: "1002", Number: "790", Name: "客服790", Queues: []string{"service", "vip"}, Skills: map[string]int{"english": 3}},
			{ID: "9001", Number: "901", Name: "值班经理"},
		},
		Record: func(list []queue.Change) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.recorded = append(d.recorded, list...)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.engine.Stop)
	d.api, err = New(Options{
		Queues: d.engine, Usual: usual,
		Tokens: map[string]string{"ops": token, "night": "another-token-0002"},
		CheckRules: func(r queue.Rules) (string, error) {
			if r.RingTimeout > 15*time.Second {
				return "ring_timeout", errors.New("use 5s to 15s")
			}
			return "", nil
		},
		CheckProfile: func(p queue.Profile) (string, error) {
			if strings.Contains(p.ID, "/") {
				return "", errors.New("use 3 to 8 digits")
			}
			return "", nil
		},
		Number: func(_ context.Context, callID string) string { return map[string]string{"c1": "138****5678"}[callID] },
	})
	if err != nil {
		t.Fatal(err)
	}
	d.public = d.api.Public()
	return d
}

// ask sends a request with the token of ops; headers come in pairs.
func (d *desk) ask(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	d.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.public.ServeHTTP(w, r)
	return w
}

// gets asks and wants a status; the JSON answer is put in into, which may be nil.
func (d *desk) gets(want int, into any, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	d.t.Helper()
	w := d.ask(method, path, body, headers...)
	if w.Code != want {
		d.t.Fatalf("%s %s %s: %d, want %d: %s", method, path, body, w.Code, want, w.Body)
	}
	if into != nil {
		decoder := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(into); err != nil {
			d.t.Fatalf("%s %s answers %s: %v", method, path, w.Body, err)
		}
	}
	return w
}

// version is what a resource has at present.
func (d *desk) version(path string) string {
	d.t.Helper()
	return d.gets(200, nil, "GET", path, "").Header().Get("ETag")
}

// records is what was recorded of some kind, once the engine has told it all.
func (d *desk) records(kind string) (list []queue.Change) {
	d.t.Helper()
	d.engine.Stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.recorded {
		if c.Kind == kind {
			list = append(list, c)
		}
	}
	return list
}

func (d *desk) waits(id, queueID string) *queue.Ticket {
	d.t.Helper()
	ticket, err := d.engine.Join(queue.Caller{ID: id, Queue: queueID})
	if err != nil {
		d.t.Fatal(err)
	}
	return ticket
}

func (d *desk) signIn(ids ...string) {
	d.t.Helper()
	for _, id := range ids {
		if err := d.engine.SignIn(id); err != nil {
			d.t.Fatal(err)
		}
	}
}
