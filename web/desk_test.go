package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"hotline/call/scene"
	"hotline/queue"
)

// What an agent's page shows goes with what happens.
func TestDesk(t *testing.T) {
	d := newDesk(t)
	li := d.as("li")
	look := func() (seen Desk) {
		t.Helper()
		li.gets(200, &seen, "GET", "/desk", "")
		return seen
	}
	if seen := look(); seen.Agent.State != queue.StateOffline || seen.Call != nil || seen.WrapUp != nil || seen.Phrase.Moment != "idle" || seen.Link.Audio != "none" {
		t.Errorf("before work the desk shows %+v", seen)
	}
	li.gets(200, nil, "POST", "/desk/state", `{"do":"sign-in"}`)
	d.talks("1001", "c2")
	since := time.Now().Add(-40 * time.Second)
	answered := func(ago time.Duration) *time.Time {
		at := time.Now().Add(-ago)
		return &at
	}
	for _, row := range []struct {
		has    scene.Desk
		moment string
		hears  string
	}{
		{scene.Desk{Scene: scene.Ringing, WaitedMs: 29_999}, "greeting", "tone"},
		{scene.Desk{Scene: scene.Ringing, WaitedMs: 30_000}, "apology", "tone"},
		{scene.Desk{Scene: scene.Talking, WaitedMs: 30_000, Answered: answered(10 * time.Second)}, "apology", "talk"},
		{scene.Desk{Scene: scene.Ringing, WaitedMs: 30_000, Kind: scene.PartThird}, "greeting", "tone"},
		{scene.Desk{Scene: scene.Talking, WaitedMs: 30_000, Answered: answered(16 * time.Second)}, "hold", "talk"},
		{scene.Desk{Scene: scene.Talking, Answered: answered(14 * time.Second)}, "greeting", "talk"},
		{scene.Desk{Scene: scene.Talking, WaitedMs: 29_999, Answered: answered(time.Second)}, "greeting", "talk"},
		{scene.Desk{Scene: scene.Hold, WaitedMs: 30_000, Answered: answered(10 * time.Second), Hold: scene.HoldAt(since, time.Now())}, "hold", "tone"},
		{scene.Desk{Scene: scene.Hold, Hold: scene.HoldAt(since, time.Now())}, "hold", "tone"},
		{scene.Desk{Scene: scene.Consulting, Hold: scene.HoldAt(since, time.Now())}, "transfer", "tone"},
		{scene.Desk{Scene: scene.ThreeWay}, "transfer", "talk"},
		{scene.Desk{Scene: scene.Transferring}, "transfer", "tone"},
	} {
		row.has.ID = "c2"
		d.scenes.has = map[string]scene.Desk{"1001": row.has}
		if seen := look(); seen.Call == nil || seen.Phrase.Late != (row.has.WaitedMs >= 30_000) || seen.Call.Scene != row.has.Scene || seen.Phrase.Moment != row.moment || seen.Link.CallerHears != row.hears {
			t.Errorf("in %s the desk shows %+v, want the phrase %s, and that the caller hears %s", row.has.Scene, seen, row.moment, row.hears)
		}
	}
	d.past.known = Known{Region: scene.Names{"zh-CN": "北京市", "en": "Beijing"}, Times: 2}
	if seen := look(); seen.Call.Times != 2 || seen.Call.Region["en"] != "Beijing" {
		t.Errorf("who calls is shown as %+v", seen.Call)
	}
	d.scenes.has = nil
	d.past.today.Agents = map[string]AgentDay{"1001": {Calls: 17, Talk: 70 * time.Minute}}
	if err := d.engine.EndTalk("1001", "c2"); err != nil {
		t.Fatal(err)
	}
	d.scenes.back = "c2"
	seen := look()
	if seen.Back != "c2" {
		t.Errorf("the way back is to %q", seen.Back)
	}
	if seen.WrapUp == nil || seen.WrapUp.Call != "c2" || !seen.WrapUp.MayExtend || seen.Phrase.Moment != "closing" || cmp.Diff([]Code{{ID: "resolved"}, {ID: "revisit", Name: "回访"}}, seen.WrapUp.Codes) != "" {
		t.Fatalf("after the talk the desk shows %+v", seen)
	}
	if ends := seen.WrapUp.Ends; ends == nil || ends.Sub(seen.Agent.Since) != usual.WrapUp {
		t.Errorf("the wrap-up ends %v, want %v after %v", ends, usual.WrapUp, seen.Agent.Since)
	}
	if seen.Today != (DeskToday{Calls: 17, TalkMs: 4_200_000}) {
		t.Errorf("the day is %+v", seen.Today)
	}
	li.gets(200, nil, "POST", "/desk/wrap-up", `{"call":"c2","code":"resolved","ready":true}`)
	if seen := look(); seen.Agent.State != queue.StateReady {
		t.Errorf("after the code they are %s", seen.Agent.State)
	}
	if got := d.wrote(KindWrapped); len(got) != 1 || got[0] != (Wrapped{"c2", "li", "1001", "resolved"}) {
		t.Errorf("the journal has %v", got)
	}
}

func TestActs(t *testing.T) {
	d := newDesk(t)
	li, sun := d.as("li"), d.as("sun")
	li.gets(200, nil, "POST", "/desk/do", `{"act":"consult","target":{"kind":"agent","id":"1002"}}`)
	li.gets(200, nil, "POST", "/desk/do", `{"act":"keys","keys":"12#","call":"c2"}`)
	li.gets(200, nil, "POST", "/desk/do", `{"act":"rejoin","call":"c2"}`)
	want := []scene.Order{{Act: scene.DoConsult, Target: &scene.Target{Kind: "agent", ID: "1002"}}, {Act: scene.DoKeys, Keys: "12#", Call: "c2"}, {Act: scene.DoRejoin, Call: "c2"}}
	if diff := cmp.Diff(want, d.scenes.did); diff != "" {
		t.Errorf("done (-want +got):\n%s", diff)
	}
	d.scenes.refuse = &scene.Refused{Code: scene.NotAvailable, Values: map[string]string{"kind": "agent", "id": "1002"}}
	var p Problem
	w := li.gets(409, &p, "POST", "/desk/do", `{"act":"hold"}`)
	if kindOf(w) != scene.NotAvailable || p.Values["id"] != "1002" {
		t.Errorf("a refusal is told as %s", w.Body)
	}
	d.scenes.refuse = errors.New("secrets of the machine")
	if w := li.gets(500, nil, "POST", "/desk/do", `{"act":"hold"}`); strings.Contains(w.Body.String(), "secrets") {
		t.Errorf("a fault is told as %s", w.Body)
	}
	for _, body := range []string{`{"act":"listen"}`, `{"act":"agent-left"}`, `{}`, `{"act":"keys","keys":"` + strings.Repeat("1", 41) + `"}`, `{"act":"hold","target":{"kid":"agent"}}`} {
		li.gets(400, nil, "POST", "/desk/do", body)
	}
	sun.gets(403, nil, "POST", "/desk/do", `{"act":"hold"}`)
}

// A break that is asked for in a talk, by the agent or since the browser has no
// microphone any more, leaves the time to say how the call ended.
func TestABreakAskedForInATalkLeavesTheWrapUp(t *testing.T) {
	for do, state := range map[string]queue.State{`{"do":"pause","reason":"lunch"}`: queue.StatePaused, `{"do":"sign-out"}`: queue.StateOffline} {
		d := newDesk(t)
		li := d.as("li")
		d.signIn("1001")
		d.talks("1001", "c2")
		li.gets(200, nil, "POST", "/desk/state", do)
		if err := d.engine.EndTalk("1001", "c2"); err != nil {
			t.Fatal(err)
		}
		var seen Desk
		li.gets(200, &seen, "GET", "/desk", "")
		if seen.Agent.State != queue.StateWrapUp || seen.Agent.Then != state || seen.WrapUp == nil || len(seen.WrapUp.Codes) == 0 {
			t.Errorf("%s, and after the talk the desk shows %+v", do, seen)
		}
		li.gets(200, &seen, "POST", "/desk/wrap-up", `{"call":"c2","code":"resolved","ready":true}`)
		if seen.Agent.State != state || seen.Agent.Then != 0 || seen.WrapUp != nil {
			t.Errorf("%s, and after the code the desk shows %+v", do, seen)
		}
		if got := d.wrote(KindWrapped); len(got) != 1 {
			t.Errorf("%s: the journal has the codes %v", do, got)
		}
	}
}

// Who listens in is written down first, and where that is impossible does not.
func TestMonitor(t *testing.T) {
	d := newDesk(t)
	d.signIn("1001")
	d.talks("1001", "c2")
	zhao := d.as("zhao")
	zhao.gets(204, nil, "POST", "/calls/c2/monitor", `{"mode":"whisper"}`)
	if got := d.wrote(KindMonitored); len(got) != 1 || got[0] != (Monitored{"zhao", "c2", "whisper"}) || len(d.scenes.did) != 1 || d.scenes.did[0].Act != scene.DoWhisper {
		t.Errorf("the journal has %v, and %v was done", got, d.scenes.did)
	}
	d.scenes.mu.Lock()
	d.scenes.has = map[string]scene.Desk{"1001": {ID: "c2", Watched: &scene.Watching{Agent: "9001", Mode: scene.Barging}}}
	d.scenes.mu.Unlock()
	_, data := firstEvent(t, zhao.glance("/live?view=floor"))
	var floor struct{ Agents []FloorAgent }
	if err := json.Unmarshal(encode(data), &floor); err != nil {
		t.Fatal(err)
	}
	if m := floor.Agents[0].Monitor; m == nil || *m != (FloorMonitor{"9001", scene.DoBarge}) || floor.Agents[1].Monitor != nil {
		t.Errorf("the floor is told that %+v listens in", m)
	}
	if desk := d.as("li").gets(200, nil, "GET", "/desk", "").Body.String(); strings.Contains(desk, "9001") {
		t.Errorf("the agent is told who listens: %s", desk)
	}
	zhao.gets(400, nil, "POST", "/calls/c2/monitor", `{"mode":"hold"}`)
	zhao.gets(404, nil, "POST", "/calls/c9/monitor", `{"mode":"listen"}`)
	d.full = errors.New("the disk is full")
	zhao.gets(500, nil, "POST", "/calls/c2/monitor", `{"mode":"listen"}`)
	if len(d.scenes.did) != 1 || len(d.wrote(KindMonitored)) != 1 {
		t.Errorf("what was refused is done: %v", d.scenes.did)
	}
}

// Customers' data are seen by who serves them, and every look is written down
// before it is granted.
func TestLooks(t *testing.T) {
	d := newDesk(t)
	d.past.kept = map[string]NotesKept{"c2": {By: "wang", Notes: Notes{Text: "early"}}, "c3": {}}
	d.signIn("1001")
	d.talks("1001", "c2")
	li, zhao, wang := d.as("li"), d.as("zhao"), d.as("wang")
	for range 2 { // which nothing asks for again by itself
		li.gets(200, nil, "GET", "/desk/history?call=c2", "")
	}
	li.gets(403, nil, "GET", "/desk/history?call=c3", "")
	wang.gets(403, nil, "GET", "/desk/notes/c2", "")
	for range 3 { // as a page does that shows how they grow
		zhao.gets(200, nil, "GET", "/desk/notes/c3", "")
	}
	zhao.gets(200, nil, "GET", "/desk/notes/c2", "")
	want := []any{Looked{"li", "history", "c2"}, Looked{"li", "history", "c2"}, Looked{"zhao", "notes", "c3"}, Looked{"zhao", "notes", "c2"}}
	if diff := cmp.Diff(want, d.wrote(KindLooked)); diff != "" {
		t.Errorf("the looks in the journal (-want +got):\n%s", diff)
	}
	d.full = errors.New("the disk is full")
	for range 2 { // the first is no look that goes on
		if w := zhao.gets(500, nil, "GET", "/desk/history?call=c2", ""); strings.Contains(w.Body.String(), "138") {
			t.Errorf("a look that could not be written down shows %s", w.Body)
		}
	}
	li.gets(500, nil, "GET", "/desk/notes/c2", "")
}

// A look that goes on for long is written down again.
func TestALongLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s seen
		look := Looked{"zhao", "notes", "c3"}
		s.keep(look)
		time.Sleep(lookLasts - time.Millisecond)
		if !s.has(look) {
			t.Errorf("a look is over before %v", lookLasts)
		}
		if s.has(Looked{"zhao", "notes", "c4"}) || s.has(Looked{"sun", "notes", "c3"}) {
			t.Error("a look at one call is one at another, or another's")
		}
		time.Sleep(time.Millisecond)
		if s.has(look) {
			t.Errorf("a look goes on for more than %v", lookLasts)
		}
		s.keep(Looked{"sun", "notes", "c3"})
		if len(s.looks) != 1 {
			t.Errorf("looks that are over are kept: %v", s.looks)
		}
	})
}

func TestNotes(t *testing.T) {
	d := newDesk(t)
	d.past.kept = map[string]NotesKept{"c2": {}, "c3": {By: "li", Notes: Notes{Text: "of before"}}}
	d.signIn("1001")
	d.talks("1001", "c2")
	li, wang := d.as("li"), d.as("wang")
	const body = `{"topic":"bill","fields":{"户号":"1234"},"text":"asks why\nit is higher"}`
	li.gets(200, nil, "PUT", "/desk/notes/c2", body)
	kept := NotesKept{"c2", "li", Notes{"bill", map[string]string{"户号": "1234"}, "asks why\nit is higher"}}
	if diff := cmp.Diff([]any{kept}, d.wrote(KindNotes)); diff != "" {
		t.Errorf("the journal (-want +got):\n%s", diff)
	}
	d.past.kept["c2"] = kept
	li.gets(200, nil, "PUT", "/desk/notes/c2", body)
	if got := len(d.wrote(KindNotes)); got != 1 {
		t.Errorf("what is there already is written again: %d entries", got)
	}
	li.gets(428, nil, "PUT", "/desk/notes/c2", `{"text":"of a page that was loaded anew, and has not read them"}`)
	li.gets(200, nil, "PUT", "/desk/notes/c3", `{"text":"written of before"}`) // which they may read no more
	d.past.kept["c2"] = NotesKept{"c2", "wang", Notes{Text: "of who had the call before"}}
	li.gets(428, nil, "PUT", "/desk/notes/c2", body)
	if stale := li.ask("PUT", "/desk/notes/c2", body, "Content-Type", "application/json", "If-Match", kept.version()+"x"); stale.Code != 412 {
		t.Errorf("notes that were not read are replaced: %d", stale.Code)
	}
	read := li.gets(200, nil, "GET", "/desk/notes/c2", "").Header().Get("ETag")
	for range 2 { // and again, as its answer is lost
		if w := li.ask("PUT", "/desk/notes/c2", body, "Content-Type", "application/json", "If-Match", read); w.Code != 200 {
			t.Fatalf("notes that were read are not replaced: %d %s", w.Code, w.Body)
		}
		d.past.kept["c2"] = kept
	}
	wang.gets(403, nil, "PUT", "/desk/notes/c2", body)
	for _, body := range []string{`{"topic":"gas"}`, `{"fields":{"户号":"1"}}`, `{"topic":"bill","fields":{"a":"b"}}`, `{"text":"\u0007"}`, `{"text":"` + strings.Repeat("x", 4001) + `"}`,
		`{"topic":"bill","fields":{"户号":"` + strings.Repeat("x", 401) + `"}}`} {
		li.gets(400, nil, "PUT", "/desk/notes/c2", body)
	}
	li.gets(404, nil, "PUT", "/desk/notes/c9", body)
	d.full = errors.New("the disk is full")
	if w := li.ask("PUT", "/desk/notes/c2", `{"text":"lost"}`, "Content-Type", "application/json", "If-Match", "*"); w.Code != 500 {
		t.Errorf("notes that cannot be written down are answered with %d", w.Code)
	}
}

func TestTargets(t *testing.T) {
	d := newDesk(t)
	d.signIn("1002", "9001")
	var said struct{ Targets []TargetView }
	d.as("li").gets(200, &said, "GET", "/desk/directory", "")
	want := []TargetView{
		{Kind: "agent", ID: "1002", Name: "客服790", Number: "790", State: "ready", Ready: 1},
		{Kind: "agent", ID: "9001", Name: "值班经理", Number: "901", State: "ready", Ready: 1},
		{Kind: "queue", ID: "service", Name: "人工服务", Ready: 1}, {Kind: "queue", ID: "vip", Name: "贵宾", Ready: 1},
		{Kind: "directory", ID: "repair-team", Name: "抢修班", Ready: 1}, {Kind: "duty", State: "ready", Ready: 1},
	}
	if diff := cmp.Diff(want, said.Targets); diff != "" {
		t.Errorf("whom li can bring a call to (-want +got):\n%s", diff)
	}
}

// A ticket is for the agent who asks; where there are no lines in browsers there are none.
func TestTickets(t *testing.T) {
	d := newDesk(t)
	var one Ticket
	d.as("li").gets(200, &one, "POST", "/desk/ticket", "")
	if one.Ticket != "for 1001" || time.Until(one.Until) > ticketLasts {
		t.Errorf("the ticket is %+v", one)
	}
	d.api.o.Ticket = nil
	d.as("li").gets(404, nil, "POST", "/desk/ticket", "")
}

// A line is its owner's while they may be at the desk: signing out, another password, a lock, a role that is taken, another
// agent and an account that is gone end it; a store that cannot be asked does not.
func TestALineOutlivesNoRight(t *testing.T) {
	for name, ends := range map[string]func(d *desk, li, qian *person){
		"signed out":   func(_ *desk, li, _ *person) { li.gets(204, nil, "DELETE", "/session", "") },
		"a password":   func(_ *desk, _, qian *person) { qian.gets(200, nil, "POST", "/accounts/li/password", "{}") },
		"locked":       func(_ *desk, _, qian *person) { qian.gets(200, nil, "PATCH", "/accounts/li", `{"locked":true}`) },
		"another role": func(_ *desk, _, qian *person) { qian.gets(200, nil, "PATCH", "/accounts/li", `{"roles":["reviewer"]}`) },
		"another agent": func(_ *desk, _, qian *person) {
			qian.gets(200, nil, "PATCH", "/accounts/li", `{"agent":"1002"}`)
		},
		"removed": func(_ *desk, _, qian *person) { qian.gets(204, nil, "DELETE", "/accounts/li", "") },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			li, qian := d.as("li"), d.as("qian")
			ctx, answered := context.WithCancel(t.Context())
			r := li.request().WithContext(ctx)
			r.Method, r.URL.Path = "POST", Root+"/desk/ticket"
			d.public.ServeHTTP(httptest.NewRecorder(), r)
			answered() // as every request's context ends
			if !d.still() {
				t.Fatal("a line that was just asked for is given up")
			}
			ends(d, li, qian)
			if d.still() {
				t.Error("the line goes on")
			}
		})
	}
	d := newDeskWith(t, func(o *Options) { o.Signing.Store = failing{o.Signing.Store, new(atomic.Bool)} })
	d.as("li").gets(200, nil, "POST", "/desk/ticket", "")
	d.api.signing.Store.(failing).fails.Store(true)
	if !d.still() {
		t.Error("a store that fails ends a line")
	}
}

// failing is a store of sessions that cannot be read, once that is said.
type failing struct {
	scs.Store
	fails *atomic.Bool
}

func (f failing) Find(token string) ([]byte, bool, error) {
	if f.fails.Load() {
		return nil, false, errors.New("the disk is gone")
	}
	return f.Store.Find(token)
}

// The views have the form that openapi.yaml says, and no whole number in them.
func TestViews(t *testing.T) {
	d := newDesk(t)
	d.signIn("1001", "1002")
	d.talks("1001", "c2")
	d.waits("c1", "vip")
	d.past.today = Today{Queues: map[string]QueueDay{"service": {Arrived: 3, Answered: 2, Abandoned: 1, Within: 2}}, Agents: map[string]AgentDay{"1001": {Calls: 2}}}
	zhao := d.as("zhao")
	schemas := loadOpenAPI(t).Components.Schemas
	for view, schema := range map[string]string{"floor": "FloorView", "wall": "WallView", "desk": "Desk"} {
		w := zhao.glance("/live?view=" + view)
		name, data := firstEvent(t, w)
		if w.Header().Get("Content-Type") != "text/event-stream" || name != "whole" {
			t.Fatalf("%s begins with %q %s", view, name, w.Header())
		}
		if err := schemas[schema].Value.VisitJSON(data, openapi3.VisitAsResponse()); err != nil {
			t.Errorf("%s is not as described: %v", view, err)
		}
		if text := w.Body.String(); view == "wall" && (strings.Contains(text, "13812345678") || strings.Contains(text, "138****5678") || strings.Contains(text, `"c2"`)) {
			t.Errorf("the wall has a caller on it: %s", text)
		}
		switch view {
		case "floor":
			var floor struct {
				Queues  []FloorQueue
				Callers []FloorCaller
			}
			if err := json.Unmarshal(encode(data), &floor); err != nil {
				t.Fatal(err)
			}
			q := floor.Queues[0]
			if q.ID != "service" || q.Name != "人工服务" || q.Talking != 1 || q.ArrivedToday != 3 || q.WithinToday != 2 || q.ServiceLevel != 20 || q.Target != 80 {
				t.Errorf("a queue is %+v", q)
			}
			if c := floor.Callers; len(c) != 1 || c[0].Call != "c1" || c[0].Number != "138****5678" || c[0].State != "ringing" || cmp.Diff([]string{"1002"}, c[0].Offers) != "" {
				t.Errorf("who waits is %+v", c)
			}
		}
	}
}

// A caller's wait is the same in the table of queues and in that of callers: since
// they are in this queue, whenever they called.
func TestTheFloorTellsOneWait(t *testing.T) {
	d := newDesk(t)
	d.signIn("1001")
	if _, err := d.engine.Join(queue.Caller{ID: "c1", Queue: "service", Arrived: time.Now().Add(-11 * time.Second)}); err != nil {
		t.Fatal(err)
	}
	_, data := firstEvent(t, d.as("zhao").glance("/live?view=floor"))
	var floor struct {
		Queues  []FloorQueue
		Callers []FloorCaller
	}
	if err := json.Unmarshal(encode(data), &floor); err != nil {
		t.Fatal(err)
	}
	if len(floor.Callers) != 1 || floor.Queues[0].OldestSince == nil {
		t.Fatalf("who waits is %+v, of %+v", floor.Callers, floor.Queues)
	}
	if in, all := floor.Callers[0].Since, *floor.Queues[0].OldestSince; in.Sub(all).Abs() > time.Second {
		t.Errorf("the caller waits since %v, and the longest wait began at %v", in, all)
	}
}

func firstEvent(t *testing.T, w *httptest.ResponseRecorder) (name string, data any) {
	t.Helper()
	lines := bufio.NewScanner(bytes.NewReader(w.Body.Bytes()))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if value, is := strings.CutPrefix(lines.Text(), "event: "); is {
			name = value
		}
		if value, is := strings.CutPrefix(lines.Text(), "data: "); is {
			if err := json.Unmarshal([]byte(value), &data); err != nil {
				t.Fatal(err)
			}
			return name, data
		}
	}
	t.Fatalf("no event came: %s", w.Body)
	return "", nil
}

// The service lets go of those who watch when it leaves.
func TestLeave(t *testing.T) {
	d := newDesk(t)
	d.api.Leave()
	d.api.Leave()
	ended := make(chan struct{})
	zhao := d.as("zhao")
	go func() {
		defer close(ended)
		r := zhao.request()
		r.URL.Path, r.URL.RawQuery = Root+"/live", "view=wall"
		d.public.ServeHTTP(httptest.NewRecorder(), r)
	}()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("somebody goes on watching: is Done given to every feed?")
	}
}

func TestPages(t *testing.T) {
	files := fstest.MapFS{
		"index.html":             {Data: []byte("<!doctype html><title>hotline</title>" + strings.Repeat(" ", 2000))},
		"assets/index-abc123.js": {Data: []byte("export {}")},
		"favicon.svg":            {Data: []byte("<svg/>")},
	}
	d := newDeskWith(t, func(o *Options) { o.Pages = files })
	get := func(path string, headers ...string) *httptest.ResponseRecorder {
		return d.ask("GET", path, "", append([]string{"Authorization", ""}, headers...)...)
	}
	for _, path := range pageURLs {
		w := get(path)
		if w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" || w.Header().Get("Cache-Control") != "no-cache" || !strings.Contains(w.Header().Get("Content-Security-Policy"), "script-src 'self'") {
			t.Errorf("%s is answered with %d %v", path, w.Code, w.Header())
		}
		if again := get(path, "If-None-Match", w.Header().Get("ETag")); again.Code != 304 || again.Body.Len() > 0 {
			t.Errorf("%s is sent again: %d", path, again.Code)
		}
	}
	if w := get("/assets/index-abc123.js"); w.Code != 200 || w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/javascript") {
		t.Errorf("an asset is answered with %d %v", w.Code, w.Header())
	}
	if w := get("/desk", "Accept-Encoding", "gzip, br"); w.Header().Get("Content-Encoding") != "gzip" || w.Body.Len() > 500 {
		t.Errorf("a page is not compressed: %v, %d bytes", w.Header(), w.Body.Len())
	}
	if w := get("/favicon.svg"); w.Code != 200 || w.Header().Get("Content-Type") != "image/svg+xml" {
		t.Errorf("a picture is answered with %d %v", w.Code, w.Header())
	}
	for _, path := range []string{"/nothing", "/assets/", "/assets/../index.htm", "/api/nothing"} {
		if w := get(path); w.Code == 200 {
			t.Errorf("%s is answered with %s", path, w.Body)
		}
	}
	if w := get("/dseK", "Accept", "text/html,*/*"); w.Code != 404 || !strings.Contains(w.Body.String(), "<title>") {
		t.Errorf("who mistypes an address is answered with %d %s", w.Code, w.Body)
	}
	if w := d.ask("POST", "/desk", "{}", "Authorization", ""); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("a POST to a page is answered with %d %v", w.Code, w.Header())
	}
	for name, files := range map[string]fstest.MapFS{"no index": {"a.js": {}}, "another type": {"index.html": {}, "run.exe": {}}} {
		if _, err := newPages(files); err == nil {
			t.Errorf("pages with %s are accepted", name)
		}
	}
}

// Accounts are changed with who did it, and nobody changes their own.
func TestAccounts(t *testing.T) {
	d := newDesk(t)
	qian := d.as("qian")
	var given Given
	qian.gets(201, &given, "POST", "/accounts", `{"name":"chen","roles":["agent"],"agent":"1002"}`)
	if w := d.tries("chen", given.Password); w.Code != 200 {
		t.Errorf("chen signs in with what was made: %d", w.Code)
	}
	var changed Account
	qian.gets(200, &changed, "PATCH", "/accounts/chen", `{"locked":true}`)
	if !changed.Locked || changed.Agent != "1002" {
		t.Errorf("the account is %+v", changed)
	}
	if w := qian.gets(409, nil, "PATCH", "/accounts/qian", `{"roles":["agent"],"agent":"1001"}`); kindOf(w) != "own-account" {
		t.Errorf("it is refused as %s", kindOf(w))
	}
	qian.gets(422, nil, "POST", "/accounts", `{"name":"x","roles":["admin"],"sso":true,"password":"a long sentence too"}`)
	d.full = errors.New("the disk is full")
	qian.gets(500, nil, "DELETE", "/accounts/chen", "")
	if _, there := d.api.signing.Accounts.Find("chen"); !there {
		t.Error("an account was removed without being written down")
	}
}

// Whatever is sent to a desk is refused by name or done, and nothing falls.
func FuzzDesk(f *testing.F) {
	for _, seed := range []string{`{"act":"hold"}`, `{"act":"consult","target":{"kind":"agent","id":"1"}}`, `{"topic":"bill","fields":{"户号":"1"},"text":"x"}`, `{"call":"c2","code":"resolved"}`, `{"account":"li","password":"x"}`, `[`} {
		f.Add(seed)
	}
	forms := Forms{Topics: []Topic{{ID: "bill", Fields: []string{"户号"}}}}
	f.Fuzz(func(t *testing.T, body string) {
		for _, into := range []any{&DeskOrder{}, &Notes{}, &WrapUp{}, &Credentials{}, &NewAccount{}, &AccountChange{}, &Monitoring{}} {
			r := request{httptest.NewRequest("POST", "/", strings.NewReader(body)), identity{by: "fuzz"}}
			r.Header.Set("Content-Type", "application/json")
			err := read(r, into)
			if o, is := into.(*DeskOrder); is && err == nil {
				_, err = o.order()
			}
			if n, is := into.(*Notes); is && err == nil {
				err = n.check(forms)
			}
			var p *Problem
			if err != nil && (!errors.As(err, &p) || p.Status >= http.StatusInternalServerError) {
				t.Fatalf("%T of %q is refused with %v, which is no problem of whoever asks", into, body, err)
			}
		}
	})
}

// One account watches so many pages at once; its tabs look at its desk once for all of them.
func TestWatchingIsBounded(t *testing.T) {
	d := newDesk(t)
	li := d.as("li")
	ctx, leave := context.WithCancel(t.Context())
	var tabs sync.WaitGroup
	for range mostOfOne {
		w := &begun{ResponseRecorder: httptest.NewRecorder(), begun: make(chan struct{})}
		r := li.request().WithContext(ctx)
		r.URL, _ = url.Parse(Root + "/live?view=desk") // the test's own
		tabs.Go(func() { d.public.ServeHTTP(w, r) })
		<-w.begun
	}
	if got := li.glance("/live?view=wall"); got.Code != 429 {
		t.Errorf("one page more than an account may watch is answered with %d", got.Code)
	}
	if got := d.as("wang").glance("/live?view=desk"); got.Code != 200 {
		t.Errorf("meanwhile somebody else is answered with %d", got.Code)
	}
	leave()
	tabs.Wait()
	if got := li.glance("/live?view=desk"); got.Code != 200 || len(d.api.feeds.desks) != 2 || len(d.api.feeds.watching) != 0 {
		t.Errorf("after that it is %d, with %d feeds of two desks, and %v watch", got.Code, len(d.api.feeds.desks), d.api.feeds.watching)
	}
}

// begun says when the first event has been told.
type begun struct {
	*httptest.ResponseRecorder
	once  sync.Once
	begun chan struct{}
}

func (b *begun) Flush() { b.once.Do(func() { close(b.begun) }) }

// An agent's calls of today name their queues, and codes have names of the operator's own.
func TestWhatAgentsReadHasNames(t *testing.T) {
	d := newDesk(t)
	var day struct{ Calls []Served }
	d.as("li").gets(200, &day, "GET", "/desk/calls", "")
	if len(day.Calls) != 1 || day.Calls[0].Queue != "service" || day.Calls[0].Name != "人工服务" {
		t.Errorf("the day's calls are %+v", day.Calls)
	}
	var forms Forms
	d.as("li").gets(200, &forms, "GET", "/desk/forms", "")
	if diff := cmp.Diff([]Code{{ID: "resolved"}, {ID: "revisit", Name: "回访"}}, forms.Codes); diff != "" {
		t.Errorf("the codes (-want +got):\n%s", diff)
	}
}
