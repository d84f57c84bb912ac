package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotline/configs"
	"hotline/journal"
	"hotline/queue"
	"hotline/web"
)

const apiToken = "a-token-of-the-tests"

// withAPI lets ops ask.
func withAPI(cfg *configs.Config) {
	cfg.Web.Tokens = []configs.Token{{Name: "ops", Token: apiToken}}
}

// asks asks the API over the network; other statuses than want fail the test.
func (w *world) asks(want int, method, path, body string, into any, headers ...string) http.Header {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.ctx, method, "http://"+w.Config.Web.Listen.String()+web.Root+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+apiToken)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // who answers may change
	answer, err := client.Do(r)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != want {
		w.t.Fatalf("%s %s: %s, want %d: %s (%v)", method, path, answer.Status, want, bytes.TrimSpace(text), err)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			w.t.Fatalf("%s %s answers %s: %v", method, path, text, err)
		}
	}
	return answer.Header
}

// Rules that were changed through the API are in force for those who wait, and
// hold over a kill, a takeover and a change on the command line; a queue that is
// taken away is told to its callers; the journal has who asked.
func TestRulesOfTheAPIHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Minute, withAPI)
	w.asks(401, "GET", "/queues", "", nil, "Authorization", "Bearer a-token-of-nobody")
	w.asks(200, "POST", "/agents/1001/state", `{"do": "sign-in"}`, nil)
	w.asks(200, "POST", "/agents/1001/state", `{"do": "pause", "reason": "a test"}`, nil)
	w.asks(201, "PUT", "/queues/second", `{"overflow_to": "service"}`, nil)
	w.asks(200, "PUT", "/agents/1002", `{"number": "790", "name": "客服790", "queues": ["service", "second"], "skills": {"english": 3}}`, nil, "If-Match", "*")
	version := w.asks(200, "GET", "/queues/service", "", nil).Get("ETag")
	changed := w.asks(200, "PUT", "/queues/service", `{"wrap_up": "7s", "max_waiting": 7}`, nil, "If-Match", version).Get("ETag")
	if err := w.Kill(); err != nil { // at once
		t.Fatal(err)
	}

	holds := func(w *world, after string) {
		t.Helper()
		var rules web.Rules
		if got := w.asks(200, "GET", "/queues/service", "", &rules).Get("ETag"); got != changed || rules.MaxWaiting != 7 || rules.WrapUp != web.Duration(7*time.Second) {
			t.Errorf("after %s the rules are %+v, version %s, want those that were changed, version %s", after, rules, got, changed)
		}
		var second web.Rules
		w.asks(200, "GET", "/queues/second", "", &second)
		var profile web.Profile
		if w.asks(200, "GET", "/agents/1002", "", &profile); second.OverflowTo != "service" || profile.Skills["english"] != 3 {
			t.Errorf("after %s the second queue is %+v, and the agent %+v", after, second, profile)
		}
		var state web.State
		if w.asks(200, "GET", "/agents/1001/state", "", &state); state.State != queue.StatePaused || state.Reason != "a test" {
			t.Errorf("after %s agent 1001 is %+v", after, state)
		}
	}
	if err := w.Serve(w.ctx, "2026-03-10 10:00"); err != nil {
		t.Fatal(err)
	}
	holds(w, "a kill")

	w.must("queue", "set", "service", "service_target=90")
	w.asks(412, "PUT", "/queues/service", `{}`, nil, "If-Match", changed)
	changed = w.asks(200, "GET", "/queues/service", "", nil).Get("ETag")
	next, _ := w.successor()
	w.relieved()
	if err := next.WaitReady(w.ctx); err != nil {
		t.Fatal(err)
	}
	holds(next, "a takeover")

	visit := next.visitor()
	visit.key("menu.main", "0")
	visit.hears("queue.joined")
	var waiting struct {
		Waiting int
		Callers []web.Caller
	}
	next.asks(200, "GET", "/queues/service/waiting", "", &waiting)
	if waiting.Waiting != 1 || !strings.Contains(waiting.Callers[0].Number, "****") || len(waiting.Callers[0].Number) != 11 {
		t.Errorf("one waits, with a number that is masked: %+v", waiting)
	}
	next.asks(409, "DELETE", "/queues/service", "", nil, "If-Match", "*") // the second overflows into it
	next.asks(204, "DELETE", "/queues/second", "", nil, "If-Match", "*")
	next.asks(204, "DELETE", "/queues/service", "", nil, "If-Match", changed)
	visit.hears("queue.removed")
	visit.hangup()

	want := []string{
		"queue.rules second ops", "agent.profile 1002 ops", "queue.rules service ops", "queue.rules service command line: ",
		"queue.removed second ops", "queue.removed service ops",
	}
	var got []string
	for _, e := range next.read(journal.Query{Kinds: []string{queue.KindRules, queue.KindProfile, queue.KindRemoved}}) {
		var c queue.Change
		if err := e.Decode(&c); err != nil {
			t.Fatal(err)
		}
		if c.By != "hotline.yaml" {
			got = append(got, e.Kind+" "+c.Queue+c.Agent+" "+c.By)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("the journal has %q, want %q", got, want)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("entry %d is %q, want %q", i, got[i], want[i])
		}
	}
	next.noSecrets(apiToken)
}

// The examples of docs/api.md run, one after the other, and are recorded.
func TestTheExamplesOfTheAPIRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Minute, withAPI)
	script := commandsOf(t, filepath.Join("docs", "api.md"))
	if len(script) < 12 {
		t.Fatalf("only %d commands were found", len(script))
	}
	run := exec.CommandContext(w.ctx, "bash", "-euo", "pipefail", "-c", strings.Join(script, "\n"))
	run.Env = append(os.Environ(), "api=http://"+w.Config.Web.Listen.String()+web.Root, "token="+apiToken, "TMPDIR="+t.TempDir(), "no_proxy=127.0.0.1")
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v; is curl 7.84 or newer installed?\n%s", err, out)
	}
	var rules web.Rules
	if w.asks(200, "GET", "/queues/service", "", &rules); rules.MaxWait != web.Duration(10*time.Minute) {
		t.Errorf("a wait ends after %v, want the example's 10m", rules.MaxWait)
	}
	by := map[string]int{}
	for _, e := range w.read(journal.Query{Kinds: []string{queue.KindRules, queue.KindProfile, queue.KindRemoved, queue.KindAgentState}}) {
		var c queue.Change
		if err := e.Decode(&c); err != nil {
			t.Fatal(err)
		}
		by[c.By]++
	}
	if by["ops"] != 8 || len(by) != 2 { // ops, and hotline.yaml at the start
		t.Errorf("the changes were asked for by %v, want eight by ops", by)
	}
}
