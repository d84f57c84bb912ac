// Package web lets operators and their programs look at the service and change
// what it goes by while it runs: a JSON API, described for programs in
// openapi.yaml and for people in docs/api.md.
//
// It owns who may ask (tokens), how a request is read (strictly) and answered,
// and that two who change the same thing do not overwrite one another. It must
// not know SQL, ARI or the configuration file, and decides nothing about
// queues: what is asked goes to [Queues], which refuses what contradicts itself
// and records who asked. The command line asks the same handlers through the
// control socket, so that each operation exists once.
//
// The files: web.go (the resources, and what becomes of a request), token.go,
// problem.go (refusals), decode.go (JSON as it is read), rules.go and
// profile.go (what is changed, in the words of hotline.yaml), queues.go and
// agents.go (the operations).
package web

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/queue"
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

	// Tokens are who may ask over the network: by name, at least one.
	Tokens map[string]string

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

	numbering sync.Mutex // one profile at a time, so that nobody takes a number meanwhile
}

// New puts the API together.
func New(o Options) (*API, error) {
	a := &API{o: o, keys: keysOf(o.Tokens), log: o.Logger}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
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

// Public answers whoever has a token.
func (a *API) Public() http.Handler { return a.handler(a.named) }

// Trusted answers whoever reaches it, and takes their word for who they are:
// for a socket that only operators can open.
func (a *API) Trusted(by func(*http.Request) string) http.Handler {
	return a.handler(func(r *http.Request) (string, error) { return by(r), nil })
}

// request is one that is allowed, with who asks.
type request struct {
	*http.Request
	by string
}

// reply is what is answered. No body: 204.
type reply struct {
	status  int // zero: 200
	version string
	body    any // JSON, or []byte of contentType
}

// route is one operation. The paths are below Root, as in the OpenAPI file.
type route struct {
	method, path string
	do           func(*API, request) (reply, error)
}

// routes is everything that can be asked.
var routes = []route{
	{"GET", "/queues", (*API).listQueues},
	{"GET", "/queues/{id}", (*API).getRules},
	{"PUT", "/queues/{id}", (*API).putRules},
	{"DELETE", "/queues/{id}", (*API).removeQueue},
	{"GET", "/queues/{id}/waiting", (*API).listWaiting},
	{"GET", "/agents", (*API).listAgents},
	{"GET", "/agents/{id}", (*API).getProfile},
	{"PUT", "/agents/{id}", (*API).putProfile},
	{"DELETE", "/agents/{id}", (*API).removeAgent},
	{"GET", "/agents/{id}/state", (*API).getState},
	{"POST", "/agents/{id}/state", (*API).order},
	{"GET", "/openapi.yaml", (*API).describe},
}

func (a *API) describe(request) (reply, error) { return reply{body: OpenAPI}, nil }

// handler lets those ask whom who finds out, by token or otherwise. A resource
// is looked for before its method, so that a wrong method is told from a wrong
// address.
func (a *API) handler(who func(*http.Request) (string, error)) http.Handler {
	resources := map[string]map[string]route{}
	for _, r := range routes {
		if resources[r.path] == nil {
			resources[r.path] = map[string]route{}
		}
		resources[r.path][r.method] = r
	}
	serve := func(path string, do func(request) (reply, error)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			status := a.answer(w, r, who, do)
			a.requests.WithLabelValues(known(r.Method), path, fmt.Sprint(status)).Inc()
		}
	}
	mux := http.NewServeMux()
	for path, methods := range resources {
		mux.Handle(Root+path, serve(path, func(r request) (reply, error) {
			method := r.Method
			if method == http.MethodHead {
				method = http.MethodGet
			}
			if op, allowed := methods[method]; allowed {
				return op.do(a, r)
			}
			return reply{}, wrongMethod(r.Method, methods)
		}))
	}
	mux.Handle("/", serve("none", func(r request) (reply, error) {
		return reply{}, problem(http.StatusNotFound, "no-resource", "there is nothing at %s; %s/openapi.yaml names what there is", r.URL.Path, Root)
	}))
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
func (a *API) answer(w http.ResponseWriter, r *http.Request, who func(*http.Request) (string, error), do func(request) (reply, error)) int {
	r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	by, err := who(r)
	if err != nil {
		return refuse(w, err)
	}
	said, err := do(request{r, by})
	if r.Method != http.MethodGet && err == nil {
		err = a.recorded(r.Context())
	}
	if err != nil {
		if p := asProblem(err); p.Status >= http.StatusInternalServerError {
			a.log.Error("the API could not answer", "method", r.Method, "path", r.URL.Path, "by", by, "err", err)
		}
		return refuse(w, err)
	}
	return write(w, said)
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
	if said.version != "" {
		w.Header().Set("ETag", said.version)
	}
	if said.body == nil {
		w.WriteHeader(http.StatusNoContent)
		return http.StatusNoContent
	}
	body, plain := said.body.([]byte)
	w.Header().Set("Content-Type", "application/yaml")
	if !plain {
		body = encode(said.body)
		w.Header().Set("Content-Type", "application/json")
	}
	status := said.status
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
