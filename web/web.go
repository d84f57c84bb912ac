// Package web lets people work in their browsers, and programs look at the
// service and change what it goes by while it runs: the pages, and the JSON API
// under them, described for programs in openapi.yaml and for people in
// docs/api.md.
//
// It owns who may ask (accounts, sessions, tokens, roles), how a request is read
// (strictly) and answered, and that two who change the same thing do not
// overwrite one another. It must not know SQL, ARI or the configuration file,
// and decides nothing about queues and talks: what is asked goes to [Queues]
// and [Scenes], which refuse what is impossible and record who asked. The
// command line asks the same handlers through the control socket, so that each
// operation exists once.
//
// The files: web.go (the resources, and what becomes of a request), access.go
// (who may use what), session.go and token.go (who it is), headers.go (what
// browsers are told to be careful of), pages.go, problem.go (refusals),
// decode.go (JSON as it is read), rules.go and profile.go (what is changed, in
// the words of hotline.yaml), records.go (what is written down), and the
// operations: queues.go, agents.go, accounts.go, desk.go, customer.go, floor.go.
package web

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/queue"
	"hotline/web/account"
	"hotline/web/live"
	"hotline/web/phrase"
)

// MaxBody is how many bytes a request's body may have.
const MaxBody = 64 << 10

// Root is where the API's resources begin; the version is part of it.
const Root = "/api/v1"

// OpenAPI describes the API for programs.
//
//go:embed openapi.yaml
var OpenAPI []byte

// Queues is what the API shows and changes; a queue.Engine is one. By is who
// asks, for the record.
type Queues interface {
	Queues() []queue.QueueView
	Rules() []queue.Rules
	Waiting(queueID string) []queue.CallerView
	SetRules(r queue.Rules, by string, seen ...queue.Version) error
	RemoveQueue(queueID, by string, seen ...queue.Version) error

	Agents() []queue.AgentView
	Agent(id string) (queue.AgentView, bool)
	SetProfile(p queue.Profile, by string, seen ...queue.Version) error
	RemoveAgent(agentID, by string, seen ...queue.Version) error
	Order(c queue.Command) error

	// Recorded waits until what was changed is recorded, or until ctx ends.
	Recorded(ctx context.Context)
}

// Options of the API. Queues is required.
type Options struct {
	Queues Queues

	// Tokens are programs that may ask over the network, by name.
	Tokens map[string]string

	// Signing is how people sign in; without accounts in it nobody does.
	Signing Signing

	// Pages are what browsers get beside the API, index.html among them; nil:
	// there are none.
	Pages fs.FS

	// Embed are the sites whose pages may have the page that customers call from in
	// them: "https://www.example.com".
	Embed []string

	// Record writes into the journal; nil: what has to be written down first is
	// not done.
	Record Record

	Scenes  Scenes                    // what desks do with calls; nil: nothing
	Past    Past                      // what the journal knows
	Phrases func() phrase.Book        // what agents say
	Forms   Forms                     // what they note, and how they close a call
	Targets Targets                   // whom calls can be brought to, beside agents
	Link    func(agentID string) Link // how a browser's line is; nil: there are none
	Health  func() Health             // of the service
	Signal  http.Handler              // browsers' lines, at /desk/signal; nil: there are none
	Visit   Visits                    // calls from pages without an account; nil: there are none
	Now     func() time.Time          // the service's wall clock; nil: the machine's
	Zone    *time.Location            // an IANA zone, in which pages show its moments; nil: UTC

	// Ticket is one with which a page may open a line, once and soon, and has it
	// while still says so; nil with Signal.
	Ticket func(owner string, still func() bool) string

	// VisitsAtOnce is how many such calls there are at the same time; 0: 20.
	VisitsAtOnce int

	// Usual are the rules of a queue of which nothing is said, all of them: what
	// a field has that a request leaves out.
	Usual queue.Rules

	// CheckRules and CheckProfile hold what is asked for to the operator's limits,
	// before the engine sees it; they name the field that is wrong. nil: there are
	// no limits but the engine's.
	CheckRules   func(queue.Rules) (field string, wrong error)
	CheckProfile func(queue.Profile) (field string, wrong error)

	// Number is a caller's number as it may be shown: masked; nil or "": it is
	// not shown.
	Number func(ctx context.Context, callID string) string

	// Relieved says whether another service acts in this one's place, so that what
	// is changed here is lost; nil: never.
	Relieved func(context.Context) bool

	Logger     *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // nil: no metrics
}

// API answers requests. Its handlers may be used from any goroutine.
type API struct {
	o        Options
	keys     []key
	log      *slog.Logger
	requests *prometheus.CounterVec

	once    *once
	signing *signing // nil: nobody signs in
	visits  visits
	floor   *live.Feed
	wall    *live.Feed
	feeds   feeds
	numbers numbers
	seen    seen
	pages   http.Handler // nil: there are none

	leaving chan struct{} // closed when the service leaves
	left    sync.Once

	changing  sync.Mutex // one change of accounts or notes at a time, so that what was compared is what is changed
	numbering sync.Mutex // one profile at a time, so that nobody takes a number meanwhile
}

// New puts the API together.
func New(o Options) (*API, error) {
	a := &API{o: o, keys: keysOf(o.Tokens), log: o.Logger, leaving: make(chan struct{})}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.o.Now == nil {
		a.o.Now = time.Now
	}
	if a.o.Zone == nil {
		a.o.Zone = time.UTC
	}
	if a.o.Scenes == nil {
		a.o.Scenes = noScenes{}
	}
	if a.o.Past == nil {
		a.o.Past = noPast{}
	}
	a.once = newOnce(a.log)
	if o.Signing.Accounts != nil {
		a.signing = newSigning(o.Signing, a.once)
	}
	a.floor = live.New(live.Options{Look: a.lookAtFloor, Done: a.leaving})
	a.wall = live.New(live.Options{Look: a.lookAtWall, Done: a.leaving})
	if o.Pages != nil {
		var err error
		if a.pages, err = newPages(o.Pages); err != nil {
			return nil, err
		}
	}
	a.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hotline_api_requests_total", Help: "Requests to the API, by method, resource and status.",
	}, []string{"method", "resource", "status"})
	if o.Registerer != nil {
		if err := o.Registerer.Register(a.requests); err != nil {
			return nil, fmt.Errorf("web: registering metrics: %w", err)
		}
	}
	return a, nil
}

// Leave lets go of those who watch, so that nobody waits for them: they come back
// to whoever answers then.
func (a *API) Leave() { a.left.Do(func() { close(a.leaving) }) }

// Public answers people who have signed in, and programs that have a token.
func (a *API) Public() http.Handler {
	api := a.handler(a.whoever)
	if a.o.Signal != nil {
		mux := http.NewServeMux()
		mux.Handle(Root+"/desk/signal", a.o.Signal) // which asks for a ticket
		mux.Handle("/", api)
		api = mux
	}
	return a.guarded(a.sameOrigin(api))
}

// Trusted answers whoever reaches it, and takes their word for who they are:
// for a socket that only operators can open.
func (a *API) Trusted(by func(*http.Request) string) http.Handler {
	return a.handler(func(r *http.Request) (identity, error) {
		return identity{by: by(r), roles: []account.Role{operator}}, nil
	})
}

// request is one that is allowed, with who asks.
type request struct {
	*http.Request
	identity
}

// reply is what is answered. No body: 204, unless it is said otherwise.
type reply struct {
	status  int // zero: 200
	version string
	header  http.Header
	body    any                             // JSON, or []byte of YAML
	stream  func(http.ResponseWriter) error // instead of a body; its error is answered if nothing was yet
}

// route is one operation. The paths are below Root, as in the OpenAPI file.
type route struct {
	method, path string
	resource     Resource
	do           func(*API, request) (reply, error)
}

// routes is everything that can be asked.
var routes = []route{
	{"POST", "/session", forAnybody, (*API).signIn},
	{"GET", "/session", ownSession, (*API).getSession},
	{"DELETE", "/session", forAnybody, (*API).signOut},
	{"GET", "/session/ways", forAnybody, (*API).getWays},
	{"POST", "/call/ticket", forAnybody, (*API).giveVisit},
	{"GET", "/session/sso", forAnybody, (*API).beginSSO},
	{"GET", pathCallback, forAnybody, (*API).endSSO},

	{"GET", "/desk", ownDesk, (*API).getDesk},
	{"POST", "/desk/do", ownDesk, (*API).act},
	{"POST", "/desk/state", ownDesk, (*API).orderSelf},
	{"POST", "/desk/ticket", ownDesk, (*API).giveTicket},
	{"GET", "/desk/directory", ownDesk, (*API).listTargets},
	{"GET", "/desk/history", history, (*API).getHistory},
	{"GET", "/desk/notes/{id}", history, (*API).getNotes},
	{"PUT", "/desk/notes/{id}", ownDesk, (*API).putNotes},
	{"POST", "/desk/wrap-up", ownDesk, (*API).wrapUp},
	{"GET", "/desk/calls", ownDesk, (*API).listServed},
	{"GET", "/desk/forms", ownDesk, (*API).getForms},
	{"GET", "/phrases", ownDesk, (*API).getPhrases},

	{"GET", "/live", wallView, (*API).watch},
	{"POST", "/calls/{id}/monitor", monitorCalls, (*API).monitor},

	{"GET", "/queues", lookQueues, (*API).listQueues},
	{"GET", "/queues/{id}", lookQueues, (*API).getRules},
	{"PUT", "/queues/{id}", changeQueues, (*API).putRules},
	{"DELETE", "/queues/{id}", changeQueues, (*API).removeQueue},
	{"GET", "/queues/{id}/waiting", lookQueues, (*API).listWaiting},
	{"GET", "/agents", lookAgents, (*API).listAgents},
	{"GET", "/agents/{id}", lookAgents, (*API).getProfile},
	{"PUT", "/agents/{id}", changeAgents, (*API).putProfile},
	{"DELETE", "/agents/{id}", changeAgents, (*API).removeAgent},
	{"GET", "/agents/{id}/state", lookAgents, (*API).getState},
	{"POST", "/agents/{id}/state", orderAgents, (*API).order},

	{"GET", "/accounts", manageAccount, (*API).listAccounts},
	{"POST", "/accounts", manageAccount, (*API).addAccount},
	{"PATCH", "/accounts/{id}", manageAccount, (*API).changeAccount},
	{"DELETE", "/accounts/{id}", manageAccount, (*API).removeAccount},
	{"POST", "/accounts/{id}/password", manageAccount, (*API).setPassword},

	{"GET", "/openapi.yaml", ownSession, (*API).describe},
}

func (a *API) describe(request) (reply, error) { return reply{body: OpenAPI}, nil }

// asker finds out who asks.
type asker func(*http.Request) (identity, error)

// handler lets those ask whom who finds out, by session, token or otherwise. A
// resource is looked for before its method, so that a wrong method is told from
// a wrong address.
func (a *API) handler(who asker) http.Handler {
	resources := map[string]map[string]route{}
	for _, r := range routes {
		if resources[r.path] == nil {
			resources[r.path] = map[string]route{}
		}
		resources[r.path][r.method] = r
	}
	serve := func(path string, find func(*http.Request) (route, error)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			status := a.answer(w, r, who, find)
			a.requests.WithLabelValues(known(r.Method), path, fmt.Sprint(status)).Inc()
		}
	}
	mux := http.NewServeMux()
	for path, methods := range resources {
		mux.Handle(Root+path, serve(path, func(r *http.Request) (route, error) {
			method := r.Method
			if method == http.MethodHead {
				method = http.MethodGet
			}
			if op, possible := methods[method]; possible {
				return op, nil
			}
			return route{}, wrongMethod(r.Method, methods)
		}))
	}
	nothing := serve("none", func(r *http.Request) (route, error) {
		return route{}, problem(http.StatusNotFound, "no-resource", "there is nothing at %s; %s/openapi.yaml names what there is", r.URL.Path, Root)
	})
	if a.pages == nil {
		mux.Handle("/", nothing)
		return mux
	}
	mux.Handle("/api/", nothing)
	mux.Handle("/", a.pages)
	return mux
}

func wrongMethod(method string, methods map[string]route) *Problem {
	var allowed []string
	for m := range methods {
		if allowed = append(allowed, m); m == http.MethodGet {
			allowed = append(allowed, http.MethodHead)
		}
	}
	slices.Sort(allowed)
	p := problem(http.StatusMethodNotAllowed, "method", "%s is not possible here; use %s", method, strings.Join(allowed, ", "))
	p.header = http.Header{"Allow": {strings.Join(allowed, ", ")}}
	return p
}

// known keeps methods that somebody made up out of the metrics.
func known(method string) string {
	switch method {
	case "GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS":
		return method
	}
	return "other"
}

// answer has a request done by whoever may ask it, and says with which status
// it was answered.
func (a *API) answer(w http.ResponseWriter, r *http.Request, who asker, find func(*http.Request) (route, error)) int {
	r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
	w.Header().Set("Cache-Control", "no-store")
	asks, said, err := a.ask(r, who, find)
	if err == nil && said.stream != nil {
		if err = said.stream(w); err == nil {
			return http.StatusOK
		}
	}
	if err != nil {
		if p := asProblem(err); p.Status >= http.StatusInternalServerError {
			a.log.Error("the API could not answer", "method", r.Method, "path", r.URL.Path, "by", asks.by, "err", err)
		}
		return refuse(w, err)
	}
	return write(w, said)
}

// ask finds out who asks and what for, and does it if they may.
func (a *API) ask(r *http.Request, who asker, find func(*http.Request) (route, error)) (asks identity, said reply, err error) {
	op, missing := find(r)
	if missing != nil || op.resource != forAnybody {
		if asks, err = who(r); err != nil {
			return asks, reply{}, err
		}
	}
	if missing != nil {
		return asks, reply{}, missing
	}
	if err := asks.allowed(op.resource); err != nil {
		return asks, reply{}, err
	}
	said, err = op.do(a, request{r, asks})
	if err == nil && op.method != http.MethodGet && op.resource != forAnybody {
		err = a.recorded(r.Context())
	}
	return asks, said, err
}

// recorded waits until what was changed is in the journal: whoever is told that
// it is done can rely on it, whatever becomes of this process. A journal that is
// late is not waited for; what is in force is in force, unless another service
// is.
func (a *API) recorded(ctx context.Context) error {
	soon, cancel := context.WithTimeout(ctx, recordWithin)
	defer cancel()
	a.o.Queues.Recorded(soon)
	if a.o.Relieved != nil && a.o.Relieved(ctx) {
		return stopping()
	}
	return nil
}

const recordWithin = time.Second

func write(w http.ResponseWriter, said reply) int {
	for name, values := range said.header {
		w.Header()[name] = values
	}
	if said.version != "" {
		w.Header().Set("ETag", said.version)
	}
	status := said.status
	if said.body == nil {
		if status == 0 {
			status = http.StatusNoContent
		}
		w.WriteHeader(status)
		return status
	}
	body, plain := said.body.([]byte)
	w.Header().Set("Content-Type", "application/yaml")
	if !plain {
		body = encode(said.body)
		w.Header().Set("Content-Type", "application/json")
	}
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the asker has gone: nobody to tell
	return status
}

// encode writes what always has a JSON form, as people read it in a terminal.
func encode(value any) []byte {
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	lines.SetIndent("", "  ")
	lines.SetEscapeHTML(false)
	if err := lines.Encode(value); err != nil {
		panic(fmt.Sprintf("web: %T has no JSON form: %v", value, err)) // a test encodes every type
	}
	return text.Bytes()
}

// Server bounds how long a client may take, and how much it may send before it
// is heard.
func Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

// unlessStopped tells a service that is leaving from a request that is wrong.
func unlessStopped(err error, otherwise func(error) error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, queue.ErrStopped):
		return stopping()
	}
	return otherwise(err)
}

func stopping() *Problem {
	return problem(http.StatusServiceUnavailable, "stopping", "the service is leaving, and it is not done; ask again the one that comes")
}
