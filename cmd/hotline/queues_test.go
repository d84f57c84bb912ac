package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2/memstore"

	"hotline/configs"
	"hotline/journal"
	"hotline/queue"
)

// asked is a service without calls, as far as its API and its commands go.
type asked struct {
	*ruling
	out    bytes.Buffer
	client apiClient
}

func newAsked(t *testing.T) *asked {
	t.Helper()
	a := &asked{ruling: newRuling(t)}
	a.cfg.Service.StateDir = t.TempDir()
	a.cfg.Web.Listen = netip.MustParseAddrPort("127.0.0.1:0")
	api, err := newAPI(apiParts{cfg: a.cfg, lines: a.Engine, book: a.book.Reader(), past: newPast(a.book.Reader(), a.Engine, menus(a.cfg), time.UTC, time.Now, slog.New(slog.DiscardHandler)), journal: a.book, sessions: memstore.NewWithCleanupInterval(0), now: time.Now, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(context.WithoutCancel(t.Context()))
	acts := make(chan struct{})
	close(acts)
	f := &front{
		address: "127.0.0.1:0", apiAddress: a.cfg.Web.Listen.String(), socket: a.cfg.ControlSocket(), log: slog.New(slog.DiscardHandler),
		health: http.NotFoundHandler(), control: (&controlServer{api: api.Trusted(commandLine)}).handler(), api: api.Public(),
	}
	if err := f.prepare(ctx, false); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- f.serve(ctx, acts) }()
	t.Cleanup(func() {
		a.client.CloseIdleConnections()
		stop(nil)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	a.client = openAPI(a.cfg, &a.out)
	return a
}

// queue runs `hotline queue`, and agent `hotline agent`.
func (a *asked) queue(verb, id string, settings ...string) error {
	return queueCmd{Verb: verb, ID: id, Settings: settings}.ask(a.Context(), a.client)
}

func (a *asked) agent(verb, id string, settings ...string) error {
	return agentCmd{Verb: verb, ID: id, Settings: settings, For: time.Minute}.ask(a.Context(), a.client)
}

// prints wants what was printed since the last look.
func (a *asked) prints(want ...string) {
	a.Helper()
	for _, w := range want {
		if !strings.Contains(a.out.String(), w) {
			a.Errorf("it prints %q, want %q in it", a.out.String(), w)
		}
	}
	a.out.Reset()
}

// What the command line changes is in force, printed as it stands in
// hotline.yaml, and recorded with who asked for it.
func TestTheCommandLineChangesRules(t *testing.T) {
	a := newAsked(t)
	a.ok(a.queue("set", "service", "max_wait=2m", "strategy: ring-all", "relax=[{after: 30s, by: 1}]"))
	a.prints(`- id: "service"`, "  max_wait: 2m\n", "  strategy: ring-all\n", "  wrap_up: 10s\n")
	a.ok(a.queue("set", "service", "max_waiting=7"))
	if r, _ := a.rules("service"); r.MaxWait != 2*time.Minute || r.Strategy != queue.RingAll || r.MaxWaiting != 7 || len(r.Relax) != 1 {
		t.Errorf("the rules are %+v", r)
	}
	a.ok(a.queue("add", "gas", "overflow_to=service"))
	if r, there := a.rules("gas"); !there || r.OverflowTo != "service" || r.MaxWaiting != a.cfg.Queues[0].MaxWaiting {
		t.Errorf("the new queue is %+v", r)
	}
	a.ok(a.agent("set", "1001", "queues=[service, gas]", "skills={english: 3}", "number=0789"))
	if p, _ := a.Agent("1001"); p.Skills["english"] != 3 || p.Number != "0789" || len(p.Queues) != 2 {
		t.Errorf("the agent is %+v", p)
	}
	a.out.Reset()
	a.ok(a.agent("profile", "1001"))
	a.prints(`- id: "1001"`, "english: 3", "number: 0789")
	a.ok(a.queue("rules", ""))
	a.prints(`- id: "gas"`, `- id: "service"`)
	a.out.Reset()
	a.ok(a.queue("remove", "gas"))
	a.prints("queue gas is removed; menus that led there: none; agents who served it: 1001\n")
	a.ok(a.agent("remove", "1004"))
	a.prints("agent 1004 is removed, until: hotline agent add 1004\n")
	if _, there := a.Agent("1004"); there {
		t.Error("an agent who was removed is there")
	}
	a.Engine.Stop() // so that all is recorded
	a.out.Reset()
	a.ok(changesCmd{Limit: 2}.print(t.Context(), &a.out, a.book.Reader(), configs.Default()))
	a.prints("removed agent 1004  "+byCommandLine, "removed queue gas")
	a.ok(changesCmd{Limit: 6, JSON: true}.print(t.Context(), &a.out, a.book.Reader(), configs.Default()))
	a.prints(`"max_waiting":7`, `"english":3`)
	by := a.by(queue.KindRules, queue.KindRemoved, queue.KindProfile, queue.KindLetGo)
	if want := strings.Repeat(byCommandLine+": "+operator()+"\n", 6); operator() == "" || by != want {
		t.Errorf("it was asked for by\n%s, want\n%s", by, want)
	}
}

// by is who asked for what was recorded at run time, a line each.
func (a *asked) by(kinds ...string) string {
	a.Helper()
	a.Engine.Stop() // so that all is recorded
	var by strings.Builder
	for e, err := range a.book.Reader().Read(a.Context(), journal.Query{Kinds: kinds}) {
		var c queue.Change
		a.ok(err)
		a.ok(e.Decode(&c))
		if c.By != byFile {
			by.WriteString(c.By + "\n")
		}
	}
	return by.String()
}

// Agents' states, and who waits, on the command line.
func TestTheCommandLineMovesAgents(t *testing.T) {
	a := newAsked(t)
	a.Open()
	a.ok(a.agent("sign-in", "1001"))
	a.prints("1001", "ready")
	if strings.Contains(a.out.String(), "1002") {
		t.Error("somebody else is printed")
	}
	a.ok(a.agent("sign-in", "1001")) // twice is no mistake
	a.ok(a.agent("pause", "1001"))
	a.prints("paused", byCommandLine)
	if _, err := a.Join(queue.Caller{ID: "20260310-093000-0001", Queue: "service"}); err != nil {
		t.Fatal(err)
	}
	a.ok(a.queue("waiting", "service"))
	a.prints("PLACE", "20260310-093000-0001")
	a.ok(a.queue("list", ""))
	a.prints("QUEUE", "service  1 ")
	a.ok(a.agent("ready", "1001"))
	a.prints("reserved", "20260310-093000-0001")
	a.ok(a.agent("list", ""))
	a.prints("1001", "1002", "9001")
}

// What cannot be had is said in the words of hotline.yaml, and changes nothing.
func TestTheCommandLineIsToldWhatIsWrong(t *testing.T) {
	a := newAsked(t)
	for _, row := range []struct {
		says string
		err  error
	}{
		{"max_wait: 5s is out of range; use 10s to 24h", a.queue("set", "service", "max_wait=5s")},
		{"max_wiat: is not known", a.queue("set", "service", "max_wiat=2m")},
		{`asks for the skill "english"`, a.queue("set", "service", "skills={english: 3}")},
		{"does not exist", a.queue("set", "service", "overflow_to=gas")},
		{"cannot overflow into itself", a.queue("set", "service", "overflow_to=service")},
		{`no strategy "fastest"`, a.queue("set", "service", "strategy=fastest")},
		{`there is no queue "sevice"`, a.queue("set", "sevice", "max_wait=2m")},
		{"agent 1001 is there already; change them with: hotline agent set 1001", a.agent("add", "1001")},
		{"agent 1099 is not in hotline.yaml", a.agent("add", "1099")},
		{"queue service is there already; change it with: hotline queue set service", a.queue("add", "service", "max_wait=2m")},
		{"write it as max_wait=2m", a.queue("set", "service", "max_waiting")},
		{"what is to be changed", a.queue("set", "service")},
		{"position_every is changed in hotline.yaml and needs a restart", a.queue("set", "service", "max_wait=2m", "position_every=2")},
		{"name is changed in hotline.yaml and needs a restart", a.queue("add", "gas", "name: 燃气")},
		{"hours is changed in hotline.yaml and needs a restart", a.queue("set", "service", "hours={workday: []}")},
		{"pin is changed in hotline.yaml and needs a restart", a.agent("set", "1001", "pin=1234")},
		{"cannot be read", a.queue("set", "service", "relax=[")},
		{`"Gas!" is not usable`, a.queue("add", "Gas!", "max_waiting=7")},
		{`no queue "gas"`, a.queue("remove", "gas")},
		{`no queue "gas"`, a.queue("waiting", "gas")},
		{"which queue?", queueCmd{Verb: "set"}.Run(t.Context(), a.cfg)},
		{"which agent?", agentCmd{Verb: "set"}.Run(t.Context(), a.cfg)},
		{"serves no queue", a.agent("set", "1001", "queues=[]")},
		{"serves queue \"gas\"", a.agent("set", "1001", "queues=[gas]")},
		{"agent 1002's", a.agent("set", "1001", "number=790")},
		{`no agent "2001"`, a.agent("set", "2001", "queues=[service]")},
		{"is offline and cannot", a.agent("ready", "1001")},
		{"is offline and cannot", a.agent("extend", "1001")},
	} {
		if row.err == nil || !strings.Contains(row.err.Error(), row.says) {
			t.Errorf("it says %v, want %q", row.err, row.says)
		}
	}
	if by := a.by(queue.KindRules, queue.KindRemoved, queue.KindProfile, queue.KindLetGo, queue.KindAgentState); by != "" {
		t.Errorf("what was refused is recorded, by\n%s", by)
	}
}

// A hotline that does not run is told from one that refuses.
func TestNobodyAnswersTheCommandLine(t *testing.T) {
	cfg := configs.Default()
	cfg.Service.StateDir = t.TempDir()
	want := "no service is running here (control socket " + cfg.ControlSocket() + "); start it with: hotline serve; or name its configuration with -c"
	for name, run := range map[string]func() error{
		"queue":    func() error { return queueCmd{Verb: "list"}.Run(t.Context(), cfg) },
		"drain":    func() error { return drainCmd{}.Run(t.Context(), cfg) },
		"announce": func() error { return announceCmd{}.Run(t.Context(), cfg) },
	} {
		if err := run(); err == nil || err.Error() != want {
			t.Errorf("hotline %s says %v, want %s", name, err, want)
		}
	}
	if err := (callsCmd{}).Run(t.Context(), cfg); err == nil || err.Error() != "no service has run here yet: there is no journal in "+cfg.Service.StateDir+" (service.state_dir)" {
		t.Errorf("hotline calls says %v", err)
	}
}

// Who was removed comes back as hotline.yaml has them.
func TestAnAgentWhoWasRemovedIsBroughtBack(t *testing.T) {
	a := newAsked(t)
	a.ok(a.agent("remove", "1004"))
	a.ok(a.agent("add", "1004"))
	if v, there := a.Agent("1004"); !there || v.Number != "792" || len(v.Queues) != 1 {
		t.Errorf("an agent who was brought back is %+v", v)
	}
}

// Who takes a queue away that menus lead to learns which keys are dead now.
func TestWhoRemovesAQueueIsToldWhoStoodOnIt(t *testing.T) {
	a := newAsked(t)
	if err := a.queue("remove", "service"); err == nil || !strings.Contains(err.Error(), "main 0") || !strings.Contains(err.Error(), "--force") {
		t.Errorf("a queue that menus lead to is removed unasked: %v", err)
	}
	a.ok(queueCmd{Verb: "remove", ID: "service", Force: true}.ask(a.Context(), a.client))
	a.prints("queue service is removed; menus that led there: bill 0, bill otherwise, main 0, main 9, main otherwise; agents who served it: 1001, 1002, 1003, 1004\n")
}

// A service nobody has a token for does not listen for any.
func TestTheAPIIsOffWithoutTokens(t *testing.T) {
	f := &front{address: "127.0.0.1:0", apiAddress: "127.0.0.1:0", socket: filepath.Join(t.TempDir(), "control.sock")}
	if err := f.prepare(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	defer f.controlListens.Close()
	defer f.healthListens.Close()
	if f.apiListens != nil {
		t.Error("it listens")
	}
}

// The names of whoever asks are fit for the journal, whatever they are.
func TestOperatorsNames(t *testing.T) {
	for given, want := range map[string]string{
		"": byCommandLine, "root": byCommandLine + ": root", "a\x00\nb": byCommandLine + ": ab", strings.Repeat("x", 99): byCommandLine + ": " + strings.Repeat("x", 32),
	} {
		r := &http.Request{Header: http.Header{operatorHeader: {given}}}
		if got := commandLine(r); got != want {
			t.Errorf("%q is %q, want %q", given, got, want)
		}
	}
}
