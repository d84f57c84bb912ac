package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"hotline/call/scene"
	"hotline/queue"
	"hotline/web/sso"
	"hotline/web/sso/ssotest"
)

func loadOpenAPI(t *testing.T) *openapi3.T {
	t.Helper()
	file, err := loadOnce()
	if err != nil {
		t.Fatalf("openapi.yaml is not right by itself: %v", err)
	}
	return file
}

var loadOnce = sync.OnceValues(func() (*openapi3.T, error) {
	file, err := openapi3.NewLoader().LoadFromData(OpenAPI)
	if err != nil {
		return nil, err
	}
	return file, file.Validate(context.Background())
})

// Each path and method of the file is answered, and what is answered is in it.
func TestOpenAPINamesEveryOperation(t *testing.T) {
	var described, served []string
	for path, item := range loadOpenAPI(t).Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	for _, r := range routes {
		served = append(served, r.method+" "+r.path)
	}
	slices.Sort(described)
	slices.Sort(served)
	if diff := cmp.Diff(described, served); diff != "" {
		t.Errorf("described and served differ (-openapi.yaml +routes):\n%s", diff)
	}
}

// The fields of a body are those of its type, with nothing forgotten.
func TestOpenAPINamesEveryField(t *testing.T) {
	schemas := loadOpenAPI(t).Components.Schemas
	for name, value := range map[string]any{
		"Rules": Rules{}, "Profile": Profile{}, "Order": Order{}, "Problem": Problem{Field: "x", Values: map[string]string{"a": "b"}}, "Figures": Figures{},
		"Queue": Queue{}, "Caller": Caller{}, "Agent": Agent{}, "State": State{},
		"Credentials": Credentials{}, "Ways": Ways{}, "Me": Me{}, "Account": Account{}, "NewAccount": NewAccount{}, "AccountChange": AccountChange{},
		"NewPassword": NewPassword{}, "Given": Given{}, "Desk": Desk{}, "DeskAgent": DeskAgent{}, "DeskCall": scene.Desk{Region: scene.Names{"en": "x"}, Times: 1},
		"DeskWrapUp": DeskWrapUp{}, "DeskToday": DeskToday{}, "Link": Link{}, "DeskOrder": DeskOrder{}, "Ticket": Ticket{}, "Visit": Visit{}, "VisitTicket": VisitTicket{}, "TargetView": TargetView{},
		"History": History{}, "PastCall": PastCall{}, "Served": Served{}, "Notes": Notes{}, "WrapUp": WrapUp{}, "Forms": Forms{}, "Topic": Topic{}, "Code": Code{}, "Monitoring": Monitoring{},
		"FloorQueue": FloorQueue{}, "FloorCaller": FloorCaller{}, "FloorAgent": FloorAgent{}, "WallAgent": WallAgent{}, "HourDay": HourDay{},
		"ApologyDay": ApologyDay{}, "PromiseDay": PromiseDay{}, "Health": Health{},
	} {
		var shown map[string]any
		if err := json.Unmarshal(encode(value), &shown); err != nil {
			t.Fatal(err)
		}
		got, want := slices.Sorted(maps.Keys(schemas[name].Value.Properties)), slices.Sorted(maps.Keys(shown))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-type +openapi.yaml):\n%s", name, diff)
		}
	}
}

// Every example of a body is accepted, every answer that the file names is given
// to somebody, and each has the form that the file says.
func TestOpenAPIIsWhatHappens(t *testing.T) {
	file := loadOpenAPI(t)
	d := newDeskWith(t, func(o *Options) {
		o.Visit = fakeVisits{}
		fake := ssotest.New(t, "desk", "")
		o.Signing.Issuer = sso.New(sso.Options{Issuer: fake.URL, ClientID: "desk", HTTP: fake.Client()})
	})
	bare := newDeskWith(t, func(o *Options) { o.Signing = Signing{} })
	d.signIn("1001", "1002")
	d.waits("c1", "vip")
	d.past.kept = map[string]NotesKept{"c1": {}, "c2": {}}
	d.talks("1001", "c2")
	answered := map[string]bool{}
	judge := func(method, path string, w *httptest.ResponseRecorder) *httptest.ResponseRecorder {
		t.Helper()
		path, _, _ = strings.Cut(path, "?")
		checkAnswer(t, file, method, path, w)
		answered[fmt.Sprintf("%s %s %d", method, path, w.Code)] = true
		return w
	}
	whole := func(path, id string) string { return strings.Replace(path, "{id}", id, 1) }
	ask := func(method, path, id, body string, headers ...string) *httptest.ResponseRecorder {
		t.Helper()
		return judge(method, path, d.ask(method, Root+whole(path, id), body, headers...))
	}
	by := func(p *person, method, path, id, body string, headers ...string) *httptest.ResponseRecorder {
		t.Helper()
		return judge(method, path, p.ask(method, whole(path, id), body, headers...))
	}
	const rules, profile, state = "/queues/{id}", "/agents/{id}", "/agents/{id}/state"
	one := map[string]string{rules: "service", rules + "/waiting": "service", profile: "1001", state: "1001",
		"/desk/notes/{id}": "c2", "/calls/{id}/monitor": "c2", "/accounts/{id}": "gone", "/accounts/{id}/password": "wang"}
	li, zhao, sun, qian, zhou := d.as("li"), d.as("zhao"), d.as("sun"), d.as("qian"), d.as("zhou")
	may := func(r route) *person { // somebody who may, other than with a token
		for _, p := range []*person{li, zhao, qian} {
			if i, _ := d.api.whoever(p.request()); i.may(r.resource) {
				return p
			}
		}
		return nil
	}

	for _, r := range routes { // what anybody may send
		if r.path == "/live" {
			continue
		}
		id := one[r.path]
		ask(r.method, r.path, id, "", "Authorization", "")
		judge(r.method, r.path, bare.ask(r.method, Root+whole(r.path, id), "{}"))
		for _, p := range []*person{sun, li, zhou} {
			by(p, r.method, r.path, id, "")
		}
		p := may(r)
		if p == nil {
			t.Fatalf("nobody may ask for %s %s", r.method, r.path)
		}
		for name, example := range examples(t, file, r.method, r.path) {
			w := by(p, r.method, r.path, id, example, "If-Match", "*")
			if w.Code >= 300 && r.path != "/session" && (!strings.HasSuffix(r.path, "state") || w.Code != 409) { // as an agent's state goes
				t.Errorf("%s %s: the example %q is refused: %s", r.method, r.path, name, w.Body)
			}
		}
		if r.method == "GET" {
			by(p, "GET", r.path, id, "")
		} else {
			by(p, r.method, r.path, id, `{"nonsense":1}`, "If-Match", "*", "If-None-Match", "*")
			by(p, r.method, r.path, id, `{"nonsense":1}`, "Content-Type", "text/plain")
			by(p, r.method, r.path, id, strings.Repeat(" ", MaxBody+1), "Content-Type", "application/json")
			by(p, r.method, r.path, id, `{}`, "Sec-Fetch-Site", "cross-site")
		}
		if strings.Contains(r.path, "{id}") {
			by(p, r.method, r.path, "9999", `{"do":"ready"}`, "If-Match", "*")
		}
		li, zhao, sun, qian, zhou = d.as("li"), d.as("zhao"), d.as("sun"), d.as("qian"), d.as("zhou") // who was signed out
	}
	if w := judge("POST", "/session", d.tries("li", password)); w.Code != 200 {
		t.Errorf("signing in answers %d", w.Code)
	}
	for range 6 {
		judge("POST", "/session", d.tries("nobody", password))
	}
	by(li, "POST", "/desk/ticket", "", "")
	for _, body := range []string{`{"visitor":"found later"}`, `{"visitor":"over"}`} {
		by(&person{desk: d}, "POST", "/call/ticket", "", body)
	}
	for range visitsFrom + 1 {
		by(&person{desk: d}, "POST", "/call/ticket", "", "")
	}
	for _, view := range []string{"wall", "floor", "desk", "x"} {
		for _, p := range []*person{li, zhao} {
			judge("GET", "/live", p.glance("/live?view="+view))
		}
	}
	ask("GET", "/live", "", "", "Authorization", "")
	by(li, "GET", "/desk/history?call=c2", "", "")
	by(zhao, "GET", "/desk/history?call=c9", "", "")
	by(zhao, "GET", "/desk/notes/{id}", "c9", "")
	by(zhao, "GET", "/desk/directory?kind=x", "", "")
	by(li, "POST", "/desk/wrap-up", "", `{"call":"c9","code":"resolved"}`)
	by(li, "POST", "/desk/state", "", `{"do":"extend","for":"1m"}`)
	by(zhou, "POST", "/desk/do", "", `{"act":"hold"}`)
	by(qian, "POST", "/accounts/{id}/password", "nobody", `{}`)
	d.scenes.refuse = &scene.Refused{Code: scene.Impossible, Values: map[string]string{"scene": "hold"}}
	by(li, "POST", "/desk/do", "", `{"act":"hold"}`)
	by(zhao, "POST", "/calls/{id}/monitor", "c2", `{"mode":"listen"}`)
	by(zhao, "POST", "/calls/{id}/monitor", "no_call", `{"mode":"listen"}`)
	by(zhou, "PUT", "/desk/notes/{id}", "c2", `{}`)
	d.past.kept["c2"] = NotesKept{Call: "c2", By: "wang", Notes: Notes{Text: "of somebody else"}}
	by(li, "PUT", "/desk/notes/{id}", "c2", `{}`)
	by(li, "PUT", "/desk/notes/{id}", "c2", `{}`, "If-Match", `"stale"`)
	by(zhou, "POST", "/desk/state", "", `{"do":"ready"}`)
	by(qian, "POST", "/accounts", "", `{"name":"wang","roles":["admin"]}`)
	by(qian, "POST", "/accounts", "", `{"name":"WANG","roles":["admin"]}`)
	for _, bodies := range []string{`{"roles":[]}`, `{"agent":"x"}`} {
		by(qian, "PATCH", "/accounts/{id}", "sun", bodies)
	}
	by(qian, "PATCH", "/accounts/{id}", "qian", `{"roles":["agent"]}`)
	by(qian, "DELETE", "/accounts/{id}", "qian", "")
	by(qian, "POST", "/accounts/{id}/password", "sun", `{"password":"short"}`)
	by(qian, "DELETE", "/accounts/{id}", "sun", "")

	ask("POST", state, "1001", `{"do":"sign-in"}`)
	ask("GET", "/queues/{id}/waiting", "vip", "")
	ask("GET", "/queues/{id}/waiting?limit=0", "vip", "")
	ask("POST", state, "1002", `{"do":"ready"}`)
	ask("POST", state, "9001", `{"do":"ready"}`)
	ask("PUT", rules, "repairs", `{}`)
	ask("PUT", profile, "1009", `{"number":"799","name":"new","queues":["repairs"]}`)
	for path, body := range map[string]string{rules: `{}`, profile: `{"number":"789","name":"a","queues":["gas"]}`} {
		ask("PUT", path, one[path], body)
		ask("PUT", path, one[path], body, "If-Match", `"stale"`)
		ask("PUT", path, one[path], strings.Replace(body, `{}`, `{"overflow_to":"gas"}`, 1), "If-Match", "*")
		ask("DELETE", path, one[path], "")
		ask("DELETE", path, one[path], "", "If-Match", `"stale"`)
		ask("DELETE", path, one[path], "", "If-Match", "*") // in use
	}
	ask("DELETE", profile, "1009", "", "If-Match", "*")
	ask("DELETE", rules, "repairs", "", "If-Match", "*")
	d.engine.Stop()
	ask("PUT", rules, "service", `{}`, "If-Match", "*")
	ask("DELETE", rules, "vip", "", "If-Match", "*")
	ask("PUT", profile, "1001", `{"number":"789","name":"a","queues":["vip"]}`, "If-Match", "*")
	ask("DELETE", profile, "1001", "", "If-Match", "*")
	ask("POST", state, "1001", `{"do":"ready"}`)
	by(li, "POST", "/desk/state", "", `{"do":"ready"}`)

	for path, item := range file.Paths.Map() {
		for method, operation := range item.Operations() {
			for status := range operation.Responses.Map() {
				if what := method + " " + path + " " + status; !answered[what] {
					t.Errorf("%s was never the answer: is it possible at all?", what)
				}
			}
		}
	}
}

// examples are those of an operation's body, each of which is of the schema.
func examples(t *testing.T, file *openapi3.T, method, path string) map[string]string {
	t.Helper()
	operation := file.Paths.Value(path).GetOperation(method)
	if operation == nil || operation.RequestBody == nil {
		return nil
	}
	content := operation.RequestBody.Value.Content["application/json"]
	texts := map[string]string{}
	for name, example := range content.Examples {
		if err := content.Schema.Value.VisitJSON(example.Value.Value); err != nil {
			t.Errorf("%s %s: the example %q is not of the schema: %v", method, path, name, err)
		}
		text, err := json.Marshal(example.Value.Value)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	if len(texts) == 0 {
		t.Errorf("%s %s has no example of its body", method, path)
	}
	return texts
}

// checkAnswer has the file judge an answer: its status, type, headers and body.
func checkAnswer(t *testing.T, file *openapi3.T, method, path string, w *httptest.ResponseRecorder) {
	t.Helper()
	said := file.Paths.Value(path).GetOperation(method).Responses.Status(w.Code)
	if said == nil {
		t.Errorf("%s %s answers %d, of which the file says nothing: %s", method, path, w.Code, w.Body)
		return
	}
	for name, header := range said.Value.Headers {
		if header.Value.Required && w.Header().Get(name) == "" {
			t.Errorf("%s %s answers %d without %s", method, path, w.Code, name)
		}
	}
	media := said.Value.Content[w.Header().Get("Content-Type")]
	switch {
	case len(said.Value.Content) == 0 && w.Body.Len() == 0:
		return
	case media == nil:
		t.Errorf("%s %s answers %d with %q: %s", method, path, w.Code, w.Header().Get("Content-Type"), w.Body)
		return
	}
	var body any = w.Body.String()
	if strings.HasSuffix(w.Header().Get("Content-Type"), "json") {
		decoder := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
		if err := decoder.Decode(&body); err != nil {
			t.Fatal(err)
		}
	}
	if err := media.Schema.Value.VisitJSON(body, openapi3.VisitAsResponse()); err != nil {
		t.Errorf("%s %s answers %d with a body that is not as described: %v\n%s", method, path, w.Code, err, w.Body)
	}
}

// Whoever sends what the file allows is not refused by the engine for its form:
// its list of strategies and states is the engine's.
func TestOpenAPIKnowsTheEnginesWords(t *testing.T) {
	schemas := loadOpenAPI(t).Components.Schemas
	want := []any{}
	for _, s := range []queue.Strategy{queue.LongestIdle, queue.FewestCalls, queue.RoundRobin, queue.Linear, queue.RingAll} {
		want = append(want, string(s))
	}
	if diff := cmp.Diff(want, schemas["Rules"].Value.Properties["strategy"].Value.Enum); diff != "" {
		t.Errorf("strategies (-engine +openapi.yaml):\n%s", diff)
	}
	for i, name := range schemas["State"].Value.Properties["state"].Value.Enum {
		if got := queue.State(i + 1).String(); got != name {
			t.Errorf("state %d is %q in openapi.yaml, %q in the engine", i+1, name, got)
		}
	}
	if next := queue.State(len(schemas["State"].Value.Properties["state"].Value.Enum) + 1).String(); !strings.HasPrefix(next, "state ") {
		t.Errorf("the engine has a state %q that openapi.yaml lacks", next)
	}
}
