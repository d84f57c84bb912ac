package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hotline/call/scene"
	"hotline/queue"
	"hotline/web/account"
	"hotline/web/phrase"
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
	scenes *fakeScenes
	past   *fakePast
	log    bytes.Buffer
	still  func() bool // of the last ticket

	mu       sync.Mutex
	recorded []queue.Change
	written  []entry // by the API itself
	full     error   // why the journal takes nothing
}

// entry is what was written down.
type entry struct {
	kind    string
	data    any
	streams []string
}

// people are those who can sign in, all with one password, beside 1001 for
// development.
var people = []account.Account{
	{Name: "li", Roles: []account.Role{account.Agent}, Agent: "1001"},
	{Name: "wang", Roles: []account.Role{account.Agent}, Agent: "1002", Language: "en"},
	{Name: "zhao", Roles: []account.Role{account.Supervisor}, Agent: "9001"},
	{Name: "sun", Roles: []account.Role{account.Reviewer}},
	{Name: "qian", Roles: []account.Role{account.Admin}},
	{Name: "zhou", Roles: []account.Role{account.DutyManager}, Agent: "7777"},
	{Name: "gone", Roles: []account.Role{account.Admin}},
}

const password = "a long sentence, easily kept"

func newDesk(t *testing.T) *desk { return newDeskWith(t, nil) }

// newDeskWith lets a test say otherwise.
func newDeskWith(t *testing.T, otherwise func(*Options)) *desk {
	t.Helper()
	d := &desk{t: t, scenes: &fakeScenes{}, past: &fakePast{}}
	book, err := account.Open(account.Options{Path: filepath.Join(t.TempDir(), "accounts.yaml"), Cost: account.Cost{Memory: 64, Passes: 1, Threads: 1},
		Record: RecordAccounts(d.write), Development: []account.Development{
			{Account: account.Account{Name: "1001", Roles: []account.Role{account.Agent}, Agent: "1001"}, Password: "dev-1001"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range people {
		if err := book.Add(t.Context(), a, password, "the test"); err != nil {
			t.Fatal(err)
		}
	}
	if err := book.Lock(t.Context(), "gone", true, "the test"); err != nil {
		t.Fatal(err)
	}
	d.written = nil
	service, vip := usual, usual
	service.ID, vip.ID, vip.OverflowTo = "service", "vip", "service"
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
	o := Options{
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
		Number:  func(_ context.Context, callID string) string { return map[string]string{"c1": "138****5678"}[callID] },
		Signing: Signing{Accounts: book, Store: newMemory()},
		Record:  d.write, Scenes: d.scenes, Past: d.past, Phrases: func() phrase.Book { return phrase.Book{"en": {"hold": {"One moment."}}} },
		Forms:   Forms{Codes: []Code{{ID: "resolved"}, {ID: "revisit", Name: "回访"}}, Topics: []Topic{{ID: "bill", Name: "账单", Fields: []string{"户号"}}, {ID: "question", Name: "咨询"}}},
		Targets: Targets{Queues: []Named{{"service", "人工服务"}, {"vip", "贵宾"}}, Directory: []Named{{"repair-team", "抢修班"}}, Duty: []string{"9001"}},
		Ticket:  func(owner string, still func() bool) string { d.still = still; return "for " + owner },
		Logger:  slog.New(slog.NewTextHandler(&d.log, nil)),
	}
	if otherwise != nil {
		otherwise(&o)
	}
	d.api, err = New(o)
	if err != nil {
		t.Fatal(err)
	}
	d.public = d.api.Public()
	return d
}

// write is the journal.
func (d *desk) write(_ context.Context, kind string, data any, streams ...string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full != nil {
		return d.full
	}
	d.written = append(d.written, entry{kind, data, streams})
	return nil
}

// wrote is what was written of a kind.
func (d *desk) wrote(kind string) (list []any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.written {
		if e.kind == kind {
			list = append(list, e.data)
		}
	}
	return list
}

// person is somebody's browser.
type person struct {
	*desk
	cookie *http.Cookie
}

// as signs somebody in.
func (d *desk) as(name string) *person {
	d.t.Helper()
	w := d.tries(name, password)
	if w.Code != 200 || len(w.Result().Cookies()) != 1 {
		d.t.Fatalf("%s signs in: %d %s", name, w.Code, w.Body)
	}
	return &person{d, w.Result().Cookies()[0]}
}

func (d *desk) tries(name, password string, headers ...string) *httptest.ResponseRecorder {
	d.t.Helper()
	body := encode(Credentials{name, password})
	return d.ask("POST", Root+"/session", string(body), append([]string{"Authorization", ""}, headers...)...)
}

// ask sends a request with the session's cookie, if there is one, and no token.
func (p *person) ask(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	p.t.Helper()
	if p.cookie != nil {
		headers = append([]string{"Cookie", p.cookie.Name + "=" + p.cookie.Value}, headers...)
	}
	return p.desk.ask(method, Root+path, body, append([]string{"Authorization", ""}, headers...)...)
}

// gets asks and wants a status.
func (p *person) gets(want int, into any, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	p.t.Helper()
	w := p.ask(method, path, body, headers...)
	if w.Code != want {
		p.t.Fatalf("%s %s %s: %d, want %d: %s", method, path, body, w.Code, want, w.Body)
	}
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			p.t.Fatalf("%s %s answers %s: %v", method, path, w.Body, err)
		}
	}
	return w
}

// request is one of theirs.
func (p *person) request() *http.Request {
	r := httptest.NewRequest("GET", Root+"/session", nil)
	r.Host, r.RemoteAddr = "127.0.0.1:8080", "127.0.0.1:50000"
	r.AddCookie(p.cookie)
	return r
}

// glance asks for what has no end, and leaves once it has the beginning.
func (p *person) glance(path string) *httptest.ResponseRecorder {
	ctx, cancel := context.WithCancel(p.t.Context())
	defer cancel()
	r := p.request().WithContext(ctx)
	r.URL, _ = url.Parse(Root + path) // the test's own
	w := httptest.NewRecorder()
	p.public.ServeHTTP(&leaving{w, cancel}, r)
	return w
}

// leaving ends with the first event.
type leaving struct {
	*httptest.ResponseRecorder
	cancel func()
}

func (l *leaving) Flush() {
	if l.ResponseRecorder.Flush(); strings.Contains(l.Body.String(), "data: ") {
		l.cancel()
	}
}

// talks has an agent serve a caller of the queue service.
func (d *desk) talks(agentID, callID string) {
	d.t.Helper()
	ticket := d.waits(callID, "service")
	for offer := range ticket.Offers() {
		if offer.Agent.ID != agentID {
			offer.Failed(queue.Declined)
			continue
		}
		if err := errors.Join(offer.Ringing(), offer.Connected()); err != nil {
			d.t.Fatal(err)
		}
		return
	}
	d.t.Fatalf("agent %s was not offered the call", agentID)
}

// kindOf is why something was refused: "credentials".
func kindOf(w *httptest.ResponseRecorder) string {
	var p Problem
	_ = json.Unmarshal(w.Body.Bytes(), &p) // none: ""
	return strings.TrimPrefix(p.Type, "urn:hotline:")
}

// memory is a store of sessions.
type memory struct {
	mu   sync.Mutex
	rows map[string][]byte
	ends map[string]time.Time
	err  error
}

func newMemory() *memory { return &memory{rows: map[string][]byte{}, ends: map[string]time.Time{}} }

func (m *memory) Find(token string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, there := m.rows[token]
	return b, there && time.Now().Before(m.ends[token]), m.err
}

func (m *memory) Commit(token string, b []byte, ends time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[token], m.ends[token] = b, ends
	return m.err
}

func (m *memory) Delete(token string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.rows, token)
	return m.err
}

// fakeScenes is calls that do as they are told.
type fakeScenes struct {
	mu     sync.Mutex
	has    map[string]scene.Desk
	did    []scene.Order
	back   string // of everybody
	refuse error
}

func (f *fakeScenes) Do(_ context.Context, _ string, o scene.Order) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse == nil {
		f.did = append(f.did, o)
	}
	return f.refuse
}

func (f *fakeScenes) Monitor(ctx context.Context, id, callID string, act scene.Act) error {
	return f.Do(ctx, id, scene.Order{Call: callID, Act: act})
}

func (f *fakeScenes) Desk(agentID string) (scene.Desk, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, busy := f.has[agentID]
	return d, busy
}

func (f *fakeScenes) Watch(string) (<-chan struct{}, func()) { return nil, func() {} }
func (f *fakeScenes) Back(string) string                     { return f.back }

// fakePast is a journal of a few calls.
type fakePast struct {
	mu    sync.Mutex
	today Today
	known Known
	kept  map[string]NotesKept // calls there are
	err   error
}

func (f *fakePast) Today() Today {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.today
}

func (f *fakePast) Served(context.Context, string) ([]Served, error) {
	return []Served{{Call: "c0", Number: "138****5678", Queue: "service"}}, f.err
}

func (f *fakePast) Known(string) Known {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known
}

func (f *fakePast) History(_ context.Context, callID string) (History, bool, error) {
	_, there := f.kept[callID]
	return History{Number: "138****5678", Calls: []PastCall{{Call: "c0", Result: "served", Agent: "1002"}}}, there, f.err
}

func (f *fakePast) Notes(_ context.Context, callID string) (NotesKept, bool, error) {
	k, there := f.kept[callID]
	return k, there, f.err
}

// ask sends a request with the token of ops; headers come in pairs.
func (d *desk) ask(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	d.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host, r.RemoteAddr = "127.0.0.1:8080", "127.0.0.1:50000"
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		switch headers[i] {
		case "Host":
			r.Host = headers[i+1]
		case "From-Address":
			r.RemoteAddr = headers[i+1]
		default:
			r.Header.Set(headers[i], headers[i+1])
		}
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
