package web

import (
	"encoding/json"
	"strings"
	"testing"

	"hotline/queue"
)

// Everything that is refused: with its status, the kind of mistake, the field
// where it is one's, in words that say what would be right; and nothing has
// changed then.
func TestRefused(t *testing.T) {
	const queues, agents = "/api/v1/queues", "/api/v1/agents"
	match := []string{"If-Match", "*"}
	for _, row := range []struct {
		name, method, path, body string
		headers                  []string
		code                     int
		kind, field, says        string
	}{
		{name: "no token", method: "GET", path: queues, headers: []string{"Authorization", ""}, code: 401, kind: "session", says: "Authorization: Bearer"},
		{name: "a wrong token", method: "GET", path: queues, headers: []string{"Authorization", "Bearer " + token + "x"}, code: 401, kind: "token", says: "none of those"},
		{name: "part of a token", method: "GET", path: queues, headers: []string{"Authorization", "Bearer " + token[:10]}, code: 401, kind: "token", says: "none of those"},
		{name: "the token as a password", method: "GET", path: queues, headers: []string{"Authorization", "Basic " + token}, code: 401, kind: "token", says: "Bearer"},
		{name: "no token for what there is not", method: "GET", path: "/", headers: []string{"Authorization", ""}, code: 401, kind: "session", says: "Bearer"},

		{name: "nothing there", method: "GET", path: "/api/v2/queues", code: 404, kind: "no-resource", says: "/api/v1/openapi.yaml"},
		{name: "an unknown queue", method: "GET", path: queues + "/gas", code: 404, kind: "no-queue", says: `no queue "gas"`},
		{name: "an unknown agent", method: "GET", path: agents + "/1234", code: 404, kind: "no-agent", says: `no agent "1234"`},
		{name: "an unknown agent's state", method: "POST", path: agents + "/1234/state", body: `{"do":"sign-in"}`, code: 404, kind: "no-agent", says: `"1234"`},
		{name: "an unknown agent goes", method: "DELETE", path: agents + "/1234", headers: match, code: 404, kind: "no-agent", says: `"1234"`},
		{name: "a wrong method", method: "POST", path: queues + "/service", body: `{}`, code: 405, kind: "method", says: "use DELETE, GET, HEAD, PUT"},
		{name: "a made up method", method: "BREW", path: queues, code: 405, kind: "method", says: "use GET, HEAD"},

		{name: "a form", method: "PUT", path: queues + "/service", body: `{}`, headers: []string{"Content-Type", "application/x-www-form-urlencoded"}, code: 415, kind: "media-type", says: "Content-Type: application/json"},
		{name: "a huge body", method: "PUT", path: queues + "/service", body: `{"overflow_to":"` + strings.Repeat("x", MaxBody) + `"}`, code: 413, kind: "too-large", says: "65536"},
		{name: "no JSON", method: "PUT", path: queues + "/service", body: `{`, code: 400, kind: "no-json", says: "not one JSON value"},
		{name: "two values", method: "PUT", path: queues + "/service", body: `{} {}`, code: 400, kind: "no-json", says: "not one JSON value"},
		{name: "another kind of value", method: "PUT", path: queues + "/service", body: `[]`, code: 400, kind: "value", says: "an object belongs here"},
		{name: "nothing", method: "PUT", path: queues + "/service", body: `null`, code: 400, kind: "no-value", says: "no value"},
		{name: "an unknown field", method: "PUT", path: queues + "/service", body: `{"max_wiat":"1m"}`, code: 400, kind: "unknown-field", field: "max_wiat", says: "known here are max_waiting, max_wait"},
		{name: "another case", method: "PUT", path: queues + "/service", body: `{"Max_Wait":"1m"}`, code: 400, kind: "unknown-field", field: "Max_Wait", says: "not known"},
		{name: "twice", method: "PUT", path: queues + "/service", body: `{"max_wait":"1m","max_wait":"2m"}`, code: 400, kind: "twice", field: "max_wait", says: "twice"},
		{name: "a skill twice", method: "PUT", path: queues + "/service", body: `{"skills":{"a":1,"a":2}}`, code: 400, kind: "twice", field: "skills.a", says: "twice"},
		{name: "no value", method: "PUT", path: queues + "/service", body: `{"max_wait":null}`, code: 400, kind: "no-value", field: "max_wait", says: "leave the field out"},
		{name: "a number for a time", method: "PUT", path: queues + "/service", body: `{"max_wait":60}`, code: 400, kind: "value", field: "max_wait", says: `"1m30s"`},
		{name: "half a phone", method: "PUT", path: queues + "/service", body: `{"ring_at_most":1.5}`, code: 400, kind: "value", field: "ring_at_most", says: "a whole number"},
		{name: "a text for yes", method: "PUT", path: queues + "/service", body: `{"join_empty":"yes"}`, code: 400, kind: "value", field: "join_empty", says: "true or false"},
		{name: "a field deep down", method: "PUT", path: queues + "/service", body: `{"relax":[{"after":"1m","by":1},{"aftre":"2m"}]}`, code: 400, kind: "unknown-field", field: "relax[1].aftre", says: "known here are after, skill, by"},
		{name: "a list that is none", method: "PUT", path: queues + "/service", body: `{"relax":{}}`, code: 400, kind: "value", field: "relax", says: "a list belongs here"},
		{name: "a long ring", method: "PUT", path: queues + "/service", body: `{"ring_timeout":"1m"}`, code: 422, kind: "limit", field: "ring_timeout", says: "use 5s to 15s"},
		{name: "a name that is no agent's", method: "PUT", path: agents + "/local%2F1", body: `{"number":"1","name":"a","queues":["vip"]}`, code: 422, kind: "limit", says: "3 to 8 digits"},

		{name: "unseen", method: "PUT", path: queues + "/service", body: `{}`, code: 428, kind: "condition", says: "If-Match"},
		{name: "stale", method: "PUT", path: queues + "/service", body: `{}`, headers: []string{"If-Match", `"0123456789abcdef"`}, code: 412, kind: "stale", says: "read it again"},
		{name: "weakly seen", method: "DELETE", path: queues + "/vip", headers: []string{"If-Match", `W/"x"`}, code: 412, kind: "stale", says: "read it again"},
		{name: "neither nor", method: "PUT", path: queues + "/service", body: `{}`, headers: []string{"If-Match", "*", "If-None-Match", "*"}, code: 400, kind: "condition", says: "If-None-Match: *"},
		{name: "an agent unseen", method: "DELETE", path: agents + "/1001", code: 428, kind: "condition", says: "If-Match"},

		{name: "a strategy there is not", method: "PUT", path: queues + "/service", body: `{"strategy":"best"}`, headers: match, code: 422, kind: "contradiction", says: `no strategy "best"`},
		{name: "a skill nobody has", method: "PUT", path: queues + "/service", body: `{"skills":{"tax":1}}`, headers: match, code: 422, kind: "contradiction", says: `asks for the skill "tax"`},
		{name: "overflow in a circle", method: "PUT", path: queues + "/service", body: `{"overflow_to":"vip"}`, headers: match, code: 422, kind: "contradiction", says: "in a circle"},
		{name: "overflow to nowhere", method: "PUT", path: queues + "/service", body: `{"overflow_to":"gas"}`, headers: match, code: 422, kind: "contradiction", says: "does not exist"},
		{name: "a wait without end", method: "PUT", path: queues + "/service", body: `{"stay_empty":true}`, headers: match, code: 422, kind: "contradiction", says: "max_wait"},
		{name: "a queue that others need", method: "DELETE", path: queues + "/service", headers: match, code: 409, kind: "conflict", says: `overflows into queue "service"`},

		{name: "an agent of a queue there is not", method: "PUT", path: agents + "/1001", body: `{"number":"789","name":"a","queues":["gas"]}`, headers: match, code: 422, kind: "contradiction", says: `"gas"`},
		{name: "another's number", method: "PUT", path: agents + "/1001", body: `{"number":"790","name":"a","queues":["vip"]}`, headers: match, code: 422, kind: "limit", field: "number", says: "agent 1002's"},
		{name: "a weight for another queue", method: "PUT", path: agents + "/1001", body: `{"number":"789","name":"a","queues":["vip"],"weights":{"service":2}}`, headers: match, code: 422, kind: "contradiction", says: "do not serve"},
		{name: "an agent who is there", method: "DELETE", path: agents + "/1002", headers: match, code: 409, kind: "conflict", says: "signed in"},

		{name: "nothing an agent can do", method: "POST", path: agents + "/1001/state", body: `{"do":"dance"}`, code: 400, kind: "value", field: "do", says: "use sign-in"},
		{name: "nothing at all", method: "POST", path: agents + "/1001/state", body: `{}`, code: 400, kind: "value", field: "do", says: "use sign-in"},
		{name: "a reason without a pause", method: "POST", path: agents + "/1001/state", body: `{"do":"ready","reason":"x"}`, code: 400, kind: "value", field: "reason", says: "only a pause"},
		{name: "a long reason", method: "POST", path: agents + "/1001/state", body: `{"do":"pause","reason":"` + strings.Repeat("x", 101) + `"}`, code: 400, kind: "out-of-range", field: "reason", says: "100"},
		{name: "longer by nothing", method: "POST", path: agents + "/1001/state", body: `{"do":"extend"}`, code: 400, kind: "out-of-range", field: "for", says: `"1m"`},
		{name: "a time without extend", method: "POST", path: agents + "/1001/state", body: `{"do":"pause","for":"1m"}`, code: 400, kind: "value", field: "for", says: "only extend"},
		{name: "too many at once", method: "GET", path: queues + "/service/waiting?limit=1001", code: 400, kind: "query", says: "1 to 1000"},
		{name: "a limit that is none", method: "GET", path: queues + "/service/waiting?limit=all", code: 400, kind: "query", says: `"all"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDesk(t)
			d.signIn("1002")
			before := d.gets(200, nil, "GET", queues, "").Body.String() + d.gets(200, nil, "GET", agents, "").Body.String()
			w := d.ask(row.method, row.path, row.body, row.headers...)
			var p Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Fatalf("%d %s is no problem of RFC 9457: %s (%v)", w.Code, w.Header().Get("Content-Type"), w.Body, err)
			}
			if w.Code != row.code || p.Status != row.code || p.Type != "urn:hotline:"+row.kind || p.Field != row.field || !strings.Contains(p.Detail, row.says) || p.Title == "" {
				t.Errorf("%d %+v, want %d, type %s, field %q, and that it says %q", w.Code, p, row.code, row.kind, row.field, row.says)
			}
			if row.code == 401 && !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") || row.code == 405 && w.Header().Get("Allow") == "" {
				t.Errorf("the header that goes with %d is missing: %v", row.code, w.Header())
			}
			if strings.Contains(w.Body.String(), token) {
				t.Error("the answer gives the token away")
			}
			if after := d.gets(200, nil, "GET", queues, "").Body.String() + d.gets(200, nil, "GET", agents, "").Body.String(); after != before {
				t.Errorf("what was refused has changed something:\n%s\n%s", before, after)
			}
			for _, kind := range []string{queue.KindRules, queue.KindRemoved, queue.KindProfile, queue.KindLetGo} {
				if list := d.records(kind); len(list) > 0 {
					t.Errorf("what was refused is recorded: %+v", list)
				}
			}
		})
	}
}
