// Package looks plays the service to its pages, so that they can be looked at without a telephone: what they show comes
// from the real API (package web), with its own headers and its own refusals, on facts that stand in scenes.go. Its test
// looks at every page in every scene: for what overflows, what is not translated, and what axe-core finds.
//
// It owns what is played. It must not know how a page looks.
package looks

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing/fstest"
	"time"

	"hotline/call/scene"
	"hotline/configs"
	"hotline/queue"
	"hotline/web"
	"hotline/web/account"
	"hotline/web/phrase"
	"hotline/web/ui"
)

// Theatre serves one scene at a time: Path has it begin.
type Theatre struct {
	// Embed are the sites whose pages may have the page that customers call from in
	// them, from the next scene on.
	Embed []string

	// Do is told what agents and supervisors ask for; nil: nobody is. It is done either way, and
	// changes nothing.
	Do func(agentID string, o scene.Order)

	// Bye is told when a page gives its line up; nil: nobody is.
	Bye func()

	now     func() time.Time
	book    *account.Book
	phrases phrase.Book
	pages   fs.FS
	dir     string

	mu    sync.Mutex
	stage *stage
}

// stage is a scene as it is played.
type stage struct {
	Scene
	api     *web.API
	handler http.Handler
	bye     func()
}

// New opens a theatre, with the service's clock. Its scenes are [Names].
func New(now func() time.Time) (*Theatre, error) {
	dir, err := os.MkdirTemp("", "looks-")
	if err != nil {
		return nil, fmt.Errorf("looks: %w", err)
	}
	t := &Theatre{now: now, dir: dir}
	if t.book, err = account.Open(account.Options{Path: filepath.Join(dir, "accounts.yaml"), Development: people, Cost: account.Cost{Memory: 64, Passes: 1, Threads: 1}}); err != nil {
		return nil, errors.Join(fmt.Errorf("looks: %w", err), t.Close())
	}
	text, err := configs.Default().Phrases()
	if err == nil {
		t.phrases, err = phrase.Parse(text)
	}
	if err == nil {
		t.pages, err = played(ui.Files())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("looks: %w", err), t.Close())
	}
	return t, nil
}

// Close ends what is played.
func (t *Theatre) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stage != nil {
		t.stage.api.Leave()
	}
	return os.RemoveAll(t.dir)
}

// playedScript is what stands in for a line's other end, before anything else of a page.
//
//go:embed played.js
var playedScript []byte

// played is the pages with that script.
func played(files fs.FS) (fs.FS, error) {
	all := fstest.MapFS{"played.js": {Data: playedScript}}
	return all, fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if name == "index.html" {
			text = bytes.Replace(text, []byte("<head>"), []byte(`<head><script src="/played.js"></script>`), 1)
		}
		all[name] = &fstest.MapFile{Data: text}
		return err
	})
}

// Begins is the address at which a scene begins, and leads to one of the pages. Language is that of the page. A page that
// is fixed has the service's clock stand still, and meters too.
func Begins(name, page, language string, fixed bool) string {
	q := url.Values{"to": {page}, "language": {language}}
	if fixed {
		q.Set("fixed", "1")
	}
	return begins + name + "?" + q.Encode()
}

const begins = "/played/"

// ServeHTTP begins a scene, or is the service in it.
func (t *Theatre) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if name, asked := strings.CutPrefix(r.URL.Path, begins); asked {
		t.begin(w, r, name)
		return
	}
	t.mu.Lock()
	s := t.stage
	t.mu.Unlock()
	switch {
	case s == nil:
		http.Redirect(w, r, Begins("talking", "/", "", false), http.StatusSeeOther)
	case s.Away && strings.HasSuffix(r.URL.Path, "/ticket"):
		hangUp(w)
	default:
		s.handler.ServeHTTP(w, r)
	}
}

// hangUp is a service that does not answer.
func hangUp(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// begin plays a scene from its beginning, and has whoever is in it sign in.
func (t *Theatre) begin(w http.ResponseWriter, r *http.Request, name string) {
	play, there := scenes[name]
	if !there {
		http.Error(w, "there is no such scene; there are: "+strings.Join(Names(), " "), http.StatusNotFound)
		return
	}
	s, err := t.play(play(t.now()))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	t.mu.Lock()
	if t.stage != nil {
		t.stage.api.Leave()
	}
	t.stage = s
	t.mu.Unlock()
	to := r.URL.Query().Get("to")
	if !strings.HasPrefix(to, "/") {
		to = "/"
	}
	http.SetCookie(w, &http.Cookie{Name: "hotline", Path: "/", MaxAge: -1})
	if s.As != "" {
		for _, c := range s.signIn(r) {
			http.SetCookie(w, c)
		}
	}
	said := url.Values{"language": {r.URL.Query().Get("language")}}
	if r.URL.Query().Has("fixed") {
		said.Set("fixed", fmt.Sprint(t.now().UnixMilli()))
	}
	if s.LineBreaks {
		said.Set("line", "lost")
	}
	if s.Untested {
		said.Set("untested", "1")
	}
	if s.Unasked {
		said.Set("unasked", "1")
	}
	http.SetCookie(w, &http.Cookie{Name: "played", Value: url.QueryEscape(said.Encode()), Path: "/"})
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// signIn is what somebody's browser has then.
func (s *stage) signIn(r *http.Request) []*http.Cookie {
	asks := httptest.NewRequest("POST", web.Root+"/session", strings.NewReader(fmt.Sprintf(`{"account":%q,"password":%q}`, s.As, password)))
	asks.Host, asks.RemoteAddr = r.Host, r.RemoteAddr
	asks.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	s.handler.ServeHTTP(answer, asks)
	return answer.Result().Cookies()
}

// play puts the service together on a scene's facts.
func (t *Theatre) play(facts Scene) (*stage, error) {
	s := &stage{Scene: facts, bye: t.Bye}
	o := web.Options{
		Queues: facts, Scenes: acts{facts, t.Do}, Past: facts, Usual: usual, Pages: t.pages, Embed: t.Embed, Now: t.now, Zone: t.now().Location(),
		Signing: web.Signing{Accounts: t.book, Store: newMemory()},
		Record:  func(context.Context, string, any, ...string) error { return nil },
		Phrases: func() phrase.Book { return t.phrases },
		Forms:   forms, Targets: targets, Number: facts.number,
		Ticket: func(string, func() bool) string { return "TICKET" },
		Health: func() web.Health { return facts.Health },
		Link:   func(string) web.Link { return facts.Link },
	}
	if facts.Visitors {
		o.Visit = visits{}
	}
	o.Signal = http.HandlerFunc(s.line)
	var err error
	if s.api, err = web.New(o); err != nil {
		return nil, fmt.Errorf("looks: %w", err)
	}
	s.handler = s.api.Public()
	return s, nil
}

// What follows has a Scene be what the API asks: everything stays as the scene has it, and whatever is ordered is done.

// Queues of web.Queues.
func (s Scene) Queues() []queue.QueueView { return s.Lines }

// Rules of web.Queues.
func (s Scene) Rules() (all []queue.Rules) {
	for _, line := range s.Lines {
		r := usual
		r.ID, r.ServiceTarget = line.ID, line.ServiceTarget
		all = append(all, r)
	}
	return all
}

// Waiting of web.Queues.
func (s Scene) Waiting(queueID string) (all []queue.CallerView) {
	for _, c := range s.Callers {
		if c.Queue == queueID {
			all = append(all, c)
		}
	}
	return all
}

// Agents of web.Queues.
func (s Scene) Agents() []queue.AgentView { return s.Staff }

// Agent of web.Queues.
func (s Scene) Agent(id string) (queue.AgentView, bool) {
	for _, a := range s.Staff {
		if a.ID == id {
			return a, true
		}
	}
	return queue.AgentView{}, false
}

// SetRules of web.Queues.
func (s Scene) SetRules(queue.Rules, string, ...queue.Version) error { return nil }

// RemoveQueue of web.Queues.
func (s Scene) RemoveQueue(string, string, ...queue.Version) error { return nil }

// SetProfile of web.Queues.
func (s Scene) SetProfile(queue.Profile, string, ...queue.Version) error { return nil }

// RemoveAgent of web.Queues.
func (s Scene) RemoveAgent(string, string, ...queue.Version) error { return nil }

// Order of web.Queues.
func (s Scene) Order(queue.Command) error { return nil }

// Recorded of web.Queues.
func (s Scene) Recorded(context.Context) {}

// acts is a scene in which somebody is told what is asked for.
type acts struct {
	Scene
	told func(string, scene.Order)
}

// Do of web.Scenes.
func (a acts) Do(_ context.Context, agentID string, o scene.Order) error {
	if a.told != nil {
		a.told(agentID, o)
	}
	return nil
}

// Monitor of web.Scenes.
func (a acts) Monitor(ctx context.Context, supervisorID, callID string, act scene.Act) error {
	return a.Do(ctx, supervisorID, scene.Order{Call: callID, Act: act})
}

// Desk of web.Scenes.
func (s Scene) Desk(agentID string) (scene.Desk, bool) {
	if s.Call != nil && agentID == s.As {
		return *s.Call, true
	}
	if w, watched := s.Watched[agentID]; watched {
		agent, _ := s.Agent(agentID)
		return scene.Desk{ID: agent.Call, Watched: &w}, true
	}
	return scene.Desk{}, false
}

// Watch of web.Scenes.
func (s Scene) Watch(string) (<-chan struct{}, func()) { return nil, func() {} }

// Back of web.Scenes.
func (s Scene) Back(agentID string) string {
	if agentID != s.As {
		return ""
	}
	return s.Left
}

// Today of web.Past.
func (s Scene) Today() web.Today { return s.Day }

// Served of web.Past.
func (s Scene) Served(context.Context, string) ([]web.Served, error) { return s.Done, nil }

// Known of web.Past.
func (s Scene) Known(string) web.Known {
	return web.Known{Region: scene.Names{"zh-CN": "江苏省连云港市", "en": "Lianyungang, Jiangsu"}, Times: len(s.Before.Calls) + s.Before.More + 1}
}

// History of web.Past.
func (s Scene) History(context.Context, string) (web.History, bool, error) {
	return s.Before, true, nil
}

// Notes of web.Past.
func (s Scene) Notes(_ context.Context, callID string) (web.NotesKept, bool, error) {
	return web.NotesKept{Call: callID, By: s.As, Notes: s.Noted}, true, nil
}

func (s Scene) number(_ context.Context, callID string) string { return s.Numbers[callID] }

// visits are everybody's, and nobody is here yet.
type visits struct{}

func (visits) Ticket(string) string         { return "TICKET" }
func (visits) Visiting(string) (bool, bool) { return false, true }

// memory keeps sessions for as long as a scene is played.
type memory struct {
	mu   sync.Mutex
	rows map[string][]byte
}

func newMemory() *memory { return &memory{rows: map[string][]byte{}} }

// Find of scs.Store.
func (m *memory) Find(token string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, there := m.rows[token]
	return b, there, nil
}

// Commit of scs.Store.
func (m *memory) Commit(token string, b []byte, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[token] = b
	return nil
}

// Delete of scs.Store.
func (m *memory) Delete(token string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.rows, token)
	return nil
}
