package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotline/queue"
)

// Rules are read, changed by whoever has seen them, and in force at once; it is
// recorded who asked.
func TestRulesChange(t *testing.T) {
	d := newDesk(t)
	var was, now Rules
	version := d.gets(200, &was, "GET", "/api/v1/queues/service", "").Header().Get("ETag")
	if was.WrapUp != Duration(10*time.Second) || was.DeclinePause != Duration(30*time.Second) || was.Strategy != queue.LongestIdle {
		t.Errorf("the rules read are %+v, want those the engine was made with, defaults filled in", was)
	}
	changed := d.gets(200, &now, "PUT", "/api/v1/queues/service", `{"max_wait": "10m", "decline_pause": "0s"}`, "If-Match", version)
	want := was
	want.MaxWait, want.DeclinePause = Duration(10*time.Minute), 0
	if diff := cmp.Diff(want, now); diff != "" {
		t.Errorf("what is left out is not as usual, or what is said is not in force (-want +got):\n%s", diff)
	}
	if changed.Header().Get("ETag") == version || changed.Header().Get("ETag") != d.version("/api/v1/queues/service") {
		t.Error("the version is not that of the new rules")
	}
	d.gets(412, nil, "PUT", "/api/v1/queues/service", `{}`, "If-Match", version)
	d.gets(200, nil, "PUT", "/api/v1/queues/service", `{}`, "If-Match", "*")
	list := d.records(queue.KindRules)
	if len(list) != 2 {
		t.Fatalf("%d changes of rules were recorded, want the two that were granted: %+v", len(list), list)
	}
	if c := list[0]; c.By != "ops" || c.Queue != "service" || c.Rules.MaxWait != 10*time.Minute || c.Rules.MaxWaitTo != queue.LapseMessage || c.Rules.DeclinePause >= 0 {
		t.Errorf("recorded %+v by %q, want the new rules, by ops", c.Rules, c.By)
	}
}

// What is read can be put back, and then nothing has changed.
func TestWhatIsReadCanBePutBack(t *testing.T) {
	d := newDesk(t)
	for _, path := range []string{"/api/v1/queues/service", "/api/v1/queues/vip", "/api/v1/agents/1001", "/api/v1/agents/1002", "/api/v1/agents/9001"} {
		read := d.gets(200, nil, "GET", path, "")
		version := read.Header().Get("ETag")
		if again := d.gets(200, nil, "PUT", path, read.Body.String(), "If-Match", version); again.Body.String() != read.Body.String() || again.Header().Get("ETag") != version {
			t.Errorf("%s has become\n%s, it was\n%s", path, again.Body, read.Body)
		}
	}
}

// A strategy changes forth and back without the fields that mean nothing under
// the other one being in the way.
func TestStrategiesChange(t *testing.T) {
	d := newDesk(t)
	const path = "/api/v1/queues/service"
	d.gets(200, nil, "PUT", path, `{"strategy":"ring-all","ring_at_most":3,"prefer_for":"10s"}`, "If-Match", "*")
	var r Rules
	all := d.gets(200, &r, "GET", path, "")
	if r.RingAtMost != 3 || r.PreferFor != 0 {
		t.Errorf("with ring-all: %+v", r)
	}
	d.gets(200, &r, "PUT", path, strings.Replace(all.Body.String(), "ring-all", "linear", 1), "If-Match", "*")
	if r.Strategy != queue.Linear || r.RingAtMost != queue.DefaultRingAtMost {
		t.Errorf("with linear: %+v", r)
	}
}

// Two who change the same thing at the same time do not overwrite one another:
// of those who have read the same one is granted.
func TestOneOfManyIsGranted(t *testing.T) {
	d := newDesk(t)
	version := d.version("/api/v1/queues/service")
	var all sync.WaitGroup
	codes := make(chan int, 8)
	for i := range cap(codes) {
		all.Go(func() {
			body := `{"max_waiting": ` + string(rune('1'+i)) + `}`
			codes <- d.ask("PUT", "/api/v1/queues/service", body, "If-Match", version).Code
		})
	}
	all.Wait()
	close(codes)
	count := map[int]int{}
	for code := range codes {
		count[code]++
	}
	if count[200] != 1 || count[412] != cap(codes)-1 {
		t.Errorf("status and how often: %v, want 200 once and 412 otherwise", count)
	}
}

func TestAQueueComesAndGoes(t *testing.T) {
	d := newDesk(t)
	d.signIn("1001")
	d.gets(201, nil, "PUT", "/api/v1/queues/repairs", `{"overflow_to":"service"}`, "If-None-Match", "*")
	d.gets(412, nil, "PUT", "/api/v1/queues/repairs", `{}`, "If-None-Match", "*")
	d.gets(201, nil, "PUT", "/api/v1/agents/1005", `{"number":"795","name":"new","queues":["repairs"]}`)
	d.gets(200, nil, "POST", "/api/v1/agents/1005/state", `{"do":"sign-in"}`)
	first, second := d.waits("c1", "repairs"), d.waits("c2", "repairs")
	d.gets(409, nil, "DELETE", "/api/v1/queues/service", "", "If-Match", "*") // others overflow into it
	d.gets(428, nil, "DELETE", "/api/v1/queues/repairs", "")
	d.gets(204, nil, "DELETE", "/api/v1/queues/repairs", "", "If-Match", d.version("/api/v1/queues/repairs"))
	for _, ticket := range []*queue.Ticket{first, second} {
		select {
		case <-ticket.Lapsed():
		case <-time.After(5 * time.Second):
		}
		if got := ticket.LapseReason(); got != queue.LapseRemoved {
			t.Errorf("%s's wait ended with %q, want %q, which has words of its own", ticket.Caller().ID, got, queue.LapseRemoved)
		}
	}
	d.gets(404, nil, "GET", "/api/v1/queues/repairs", "")
	d.gets(404, nil, "GET", "/api/v1/queues/repairs/waiting", "")
	d.gets(404, nil, "DELETE", "/api/v1/queues/repairs", "", "If-Match", "*")
	d.gets(412, nil, "PUT", "/api/v1/queues/repairs", `{}`, "If-Match", "*")
	var p Profile
	d.gets(200, &p, "GET", "/api/v1/agents/1005", "")
	if len(p.Queues) != 0 {
		t.Errorf("1005 serves %v, want none of what is gone", p.Queues)
	}
	d.gets(409, nil, "DELETE", "/api/v1/agents/1005", "", "If-Match", "*") // signed in
	d.gets(200, nil, "POST", "/api/v1/agents/1005/state", `{"do":"sign-out"}`)
	d.gets(204, nil, "DELETE", "/api/v1/agents/1005", "", "If-Match", "*")
	d.gets(404, nil, "GET", "/api/v1/agents/1005/state", "")
	for _, kind := range []string{queue.KindRules, queue.KindRemoved, queue.KindProfile, queue.KindLetGo} {
		if list := d.records(kind); len(list) != 1 || list[0].By != "ops" {
			t.Errorf("%s was recorded as %+v, want once, by ops", kind, list)
		}
	}
}

// Who waits is shown in order, with masked numbers.
func TestWaiting(t *testing.T) {
	d := newDesk(t)
	d.signIn("1001")
	d.waits("c1", "service")
	d.waits("c2", "service")
	var said struct {
		Waiting int
		Callers []Caller
	}
	d.gets(200, &said, "GET", "/api/v1/queues/service/waiting?limit=1", "")
	if said.Waiting != 2 || len(said.Callers) != 1 {
		t.Fatalf("of two callers one is listed: %+v", said)
	}
	if c := said.Callers[0]; c.Call != "c1" || c.Number != "138****5678" || c.Position != 1 || !slices.Equal(c.OfferedTo, []string{"1001"}) {
		t.Errorf("the first is %+v", c)
	}
	var list struct{ Queues []Queue }
	d.gets(200, &list, "GET", "/api/v1/queues", "")
	if f := list.Queues[0].Figures; f.Waiting != 2 || f.Offered != 1 || f.SignedIn != 1 || f.Handling != nil {
		t.Errorf("the figures are %+v", f)
	}
}

// The states an agent is asked for, what they refuse, and who asked.
func TestAgentsStates(t *testing.T) {
	d := newDesk(t)
	const path = "/api/v1/agents/1001/state"
	for _, step := range []struct {
		body string
		code int
		want queue.State
	}{
		{`{"do":"ready"}`, 409, queue.StateOffline},
		{`{"do":"sign-out"}`, 200, queue.StateOffline},
		{`{"do":"sign-in"}`, 200, queue.StateReady},
		{`{"do":"sign-in"}`, 200, queue.StateReady},
		{`{"do":"extend","for":"1m"}`, 409, queue.StateReady},
		{`{"do":"pause","reason":"lunch"}`, 200, queue.StatePaused},
		{`{"do":"ready"}`, 200, queue.StateReady},
		{`{"do":"sign-out"}`, 200, queue.StateOffline},
	} {
		d.gets(step.code, nil, "POST", path, step.body)
		var s State
		d.gets(200, &s, "GET", path, "")
		if s.State != step.want {
			t.Fatalf("after %s the agent is %s, want %s", step.body, s.State, step.want)
		}
		if step.want == queue.StatePaused && s.Reason != "lunch" {
			t.Errorf("the pause's reason is %q", s.Reason)
		}
	}
	d.gets(200, nil, "POST", path, `{"do":"sign-in"}`, "Authorization", "bearer another-token-0002")
	list := d.records(queue.KindAgentState)
	var by []string
	for _, c := range list {
		by = append(by, c.By)
	}
	if want := []string{"ops", "ops", "ops", "ops", "night"}; !slices.Equal(by, want) {
		t.Errorf("the changes were asked for by %v, want %v", by, want)
	}
}

// A wrap-up is made longer, and no longer than the rules say.
func TestExtend(t *testing.T) {
	d := newDesk(t)
	d.signIn("1001")
	ticket := d.waits("c1", "service")
	if err := (<-ticket.Offers()).Connected(); err != nil {
		t.Fatal(err)
	}
	var s State
	d.gets(200, &s, "POST", "/api/v1/agents/1001/state", `{"do":"pause","reason":"lunch"}`)
	if s.State != queue.StateTalking || s.Then != queue.StatePaused || s.Call != "c1" {
		t.Errorf("a pause asked for in a talk: %+v", s)
	}
	d.gets(200, nil, "POST", "/api/v1/agents/1001/state", `{"do":"ready"}`)
	if err := d.engine.EndTalk("1001", "c1"); err != nil {
		t.Fatal(err)
	}
	d.gets(200, &s, "POST", "/api/v1/agents/1001/state", `{"do":"extend","for":"24h"}`)
	if s.State != queue.StateWrapUp {
		t.Errorf("more wrap-up: %+v", s)
	}
	d.gets(409, nil, "POST", "/api/v1/agents/1001/state", `{"do":"extend","for":"1s"}`)
}

// A service that leaves says so.
func TestAServiceThatLeaves(t *testing.T) {
	d := newDesk(t)
	d.engine.Stop()
	for _, r := range []struct{ method, path, body string }{
		{"PUT", "/api/v1/queues/service", `{}`}, {"DELETE", "/api/v1/queues/vip", ""},
		{"PUT", "/api/v1/agents/1001", `{"number":"789","name":"a","queues":["vip"]}`}, {"DELETE", "/api/v1/agents/1001", ""},
		{"POST", "/api/v1/agents/1001/state", `{"do":"sign-in"}`},
	} {
		d.gets(503, nil, r.method, r.path, r.body, "If-Match", "*")
	}
}

// A change that another service does not know of, which has taken over
// meanwhile, is not said to be done.
func TestAServiceThatIsRelieved(t *testing.T) {
	d := newDesk(t)
	d.api.o.Relieved = func(context.Context) bool { return true }
	d.gets(503, nil, "POST", "/api/v1/agents/1001/state", `{"do":"sign-in"}`)
	d.gets(200, nil, "GET", "/api/v1/agents/1001/state", "")
}

// Whoever reaches the trusted handler needs no token, and is who they say.
func TestTrusted(t *testing.T) {
	d := newDesk(t)
	r := httptest.NewRequest("PUT", "/api/v1/queues/service", strings.NewReader(`{}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("If-Match", "*")
	w := httptest.NewRecorder()
	d.api.Trusted(func(*http.Request) string { return "the socket" }).ServeHTTP(w, r)
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	if list := d.records(queue.KindRules); len(list) != 1 || list[0].By != "the socket" {
		t.Errorf("recorded %+v", list)
	}
}

// An API without a token answers nobody over the network, not even an empty one.
func TestNoTokenIsNoWayIn(t *testing.T) {
	d := newDesk(t)
	api, err := New(Options{Queues: d.engine, Tokens: map[string]string{"empty": ""}})
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range []string{"", "Bearer ", "Bearer", "Bearer  "} {
		r := httptest.NewRequest("GET", "/api/v1/queues", nil)
		r.Header.Set("Authorization", header)
		w := httptest.NewRecorder()
		if api.Public().ServeHTTP(w, r); w.Code != 401 {
			t.Errorf("%q is let in: %d", header, w.Code)
		}
	}
}
