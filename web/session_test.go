package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotline/web/account"
	"hotline/web/sso"
	"hotline/web/sso/ssotest"
)

func TestSignInAndOut(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	d := newDeskWith(t, func(o *Options) { o.Zone = shanghai })
	li := d.as("li")
	var me Me
	li.gets(200, &me, "GET", "/session", "")
	if me.Account != "li" || me.Agent != "1001" || me.Number != "789" || me.Name != "客服789" || !slices.Contains(me.May, ownDesk) || slices.Contains(me.May, floorView) || me.Timezone != "Asia/Shanghai" {
		t.Errorf("li is told to be %+v", me)
	}
	if c := li.cookie; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.Path != "/" || c.Domain != "" || c.Name != "hotline" {
		t.Errorf("the cookie on the machine itself is %+v", c)
	}
	for token := range d.api.o.Signing.Store.(*memory).rows {
		if token == li.cookie.Value {
			t.Error("the store has what the cookie has: whoever reads it is signed in")
		}
	}
	other := d.as("li")
	if other.cookie.Value == li.cookie.Value {
		t.Error("two sessions are one")
	}
	li.gets(204, nil, "DELETE", "/session", "")
	li.gets(401, nil, "GET", "/session", "")
	other.gets(200, nil, "GET", "/session", "")
	if got := d.wrote(KindSignedIn); len(got) != 2 || got[0] != (SignedIn{"li", "127.0.0.1", "password"}) {
		t.Errorf("the journal has %v", got)
	}
}

// Over a network the cookie needs TLS, and a session of before is never taken
// over.
func TestCookieBeyondTheMachine(t *testing.T) {
	d := newDesk(t)
	w := d.tries("li", password, "Host", "desk.example.com", "Cookie", "__Host-hotline=chosen-by-somebody")
	c := w.Result().Cookies()[0]
	if !c.Secure || c.Name != "__Host-hotline" || c.Path != "/" || c.Value == "chosen-by-somebody" || c.SameSite != http.SameSiteStrictMode {
		t.Errorf("the cookie is %+v", c)
	}
}

// Whatever takes the right away ends the session at the next request.
func TestSessionsEnd(t *testing.T) {
	for name, end := range map[string]func(*desk, *account.Book) error{
		"locked":  func(d *desk, b *account.Book) error { return b.Lock(d.t.Context(), "li", true, "") },
		"removed": func(d *desk, b *account.Book) error { return b.Remove(d.t.Context(), "li", "") },
		"another password": func(d *desk, b *account.Book) error {
			return b.SetPassword(d.t.Context(), "li", "another long one", "")
		},
		"idle for too long":  func(d *desk, _ *account.Book) error { return d.later(2 * time.Hour) },
		"the store is empty": func(d *desk, _ *account.Book) error { clear(d.api.signing.Store.(*memory).rows); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			li := d.as("li")
			li.gets(200, nil, "GET", "/session", "")
			if err := end(d, d.api.signing.Accounts); err != nil {
				t.Fatal(err)
			}
			if w := li.gets(401, nil, "GET", "/desk", ""); kindOf(w) != "session" {
				t.Errorf("it is refused as %s", kindOf(w))
			}
		})
	}
}

// later has every session be so much older.
func (d *desk) later(by time.Duration) error {
	m := d.api.signing.Store.(*memory)
	for token, ends := range m.ends {
		m.ends[token] = ends.Add(-by)
	}
	return nil
}

// Who is there stays signed in beyond the idle time, and nobody beyond the
// lifetime.
func TestBeingThere(t *testing.T) {
	d := newDesk(t)
	li := d.as("li")
	m := d.api.signing.Store.(*memory)
	began := map[string]time.Time{}
	for token, ends := range m.ends {
		began[token] = ends
	}
	d.api.signing.now = func() time.Time { return time.Now().Add(2 * time.Minute) }
	li.gets(200, nil, "GET", "/session", "")
	for token, ends := range m.ends {
		if !ends.After(began[token]) {
			t.Error("being there does not put off the end")
		}
	}
}

func TestStoreAway(t *testing.T) {
	d := newDesk(t)
	li := d.as("li")
	d.api.signing.Store.(*memory).err = os.ErrPermission
	if w := li.ask("GET", "/session", ""); w.Code != 500 || strings.Contains(w.Body.String(), "permission") {
		t.Errorf("it is answered with %d %s", w.Code, w.Body)
	}
}

// A development password is good on the machine itself alone.
func TestDevelopmentPassword(t *testing.T) {
	for name, row := range map[string]struct {
		headers []string
		want    int
	}{
		"on the machine":          {nil, 200},
		"by its name":             {[]string{"Host", "localhost:8080"}, 200},
		"from elsewhere":          {[]string{"From-Address", "192.0.2.1:5000"}, 401},
		"by another name":         {[]string{"Host", "evil.example.com"}, 401}, // DNS rebinding
		"through a proxy":         {[]string{"X-Forwarded-For", "192.0.2.1"}, 401},
		"through a standard one":  {[]string{"Forwarded", "for=192.0.2.1"}, 401},
		"by a name like loopback": {[]string{"Host", "127.0.0.1.example.com"}, 401},
	} {
		d := newDesk(t)
		body := `{"account":"1001","password":"dev-1001"}`
		w := d.ask("POST", Root+"/session", body, append([]string{"Authorization", ""}, row.headers...)...)
		if w.Code != row.want {
			t.Errorf("%s it is answered with %d, want %d", name, w.Code, row.want)
		}
	}
}

// A thousand attempts: refused with one answer, whether or not there is such an
// account, logged once per kind, and forgotten but for a bounded rest.
func TestAThousandAttempts(t *testing.T) {
	d := newDesk(t)
	kinds, bodies := map[string]int{}, map[string]bool{}
	for n := range 1000 {
		name := []string{"li", "gone", "nobody", fmt.Sprint("name", n)}[n%4]
		w := d.tries(name, fmt.Sprint("secret-guess-", n), "X-Forwarded-For", fmt.Sprintf("192.0.2.%d", n%250))
		kinds[kindOf(w)]++
		if w.Code == 401 {
			bodies[w.Body.String()] = true
		}
		if len(w.Result().Cookies()) > 0 {
			t.Fatal("a guess has a cookie")
		}
		if w.Code == 429 && w.Header().Get("Retry-After") == "" {
			t.Fatal("it is not said when to try again")
		}
	}
	if kinds["credentials"] == 0 || kinds["throttled"] < 900 || len(kinds) != 2 {
		t.Errorf("the answers are %v, want few comparisons and the rest throttled", kinds)
	}
	if len(bodies) != 1 {
		t.Errorf("those who fail are told %d different things: %v", len(bodies), bodies)
	}
	if got := strings.Count(d.log.String(), "\n"); got > 4 {
		t.Errorf("a thousand attempts are %d lines of the log, want one per kind:\n%s", got, &d.log)
	}
	if strings.Contains(d.log.String()+fmt.Sprint(d.written), "secret-guess") || strings.Contains(d.log.String(), "name3") {
		t.Errorf("the log or the journal has what was tried:\n%s", &d.log)
	}
	if got := len(d.wrote(KindLockedOut)); got == 0 || got > 5 {
		t.Errorf("the journal has %d lock-outs, want a few", got)
	}
	if w := d.tries("li", password, "From-Address", "198.51.100.7:1234"); w.Code != 200 {
		t.Errorf("li from elsewhere is answered with %d: who knows a name locks it out", w.Code)
	}
}

// Where somebody comes from is what a proxy of ours says, and nobody else.
func TestAddress(t *testing.T) {
	s := newSigning(Signing{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, nil)
	for _, row := range []struct{ from, forwarded, want string }{
		{"192.0.2.1:5", "", "192.0.2.1"},
		{"192.0.2.1:5", "198.51.100.1", "192.0.2.1"},
		{"10.0.0.1:5", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:5", "203.0.113.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"},
		{"10.0.0.1:5", "nonsense", "10.0.0.1"},
		{"10.0.0.1:5", "", "10.0.0.1"},
		{"[::ffff:192.0.2.1]:5", "", "192.0.2.1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = row.from
		if row.forwarded != "" {
			r.Header.Set("X-Forwarded-For", row.forwarded)
		}
		if got := s.address(r).String(); got != row.want {
			t.Errorf("%s forwarded for %q is %s, want %s", row.from, row.forwarded, got, row.want)
		}
	}
}

// A page of another site changes nothing with our cookie, nor signs anybody in.
func TestCrossOrigin(t *testing.T) {
	d := newDeskWith(t, func(o *Options) { o.Signing.Origin = "https://desk.example.com" })
	li := d.as("li")
	for name, row := range map[string]struct {
		headers []string
		want    int
	}{
		"our page":                 {[]string{"Sec-Fetch-Site", "same-origin", "Origin", "http://127.0.0.1:8080"}, 200},
		"no browser":               {nil, 200},
		"another site":             {[]string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 403},
		"a neighbour":              {[]string{"Sec-Fetch-Site", "same-site", "Origin", "https://evil.example.com"}, 403},
		"an old browser":           {[]string{"Origin", "https://evil.example"}, 403},
		"a page without an origin": {[]string{"Origin", "null"}, 403},
		"our page by a proxy":      {[]string{"Origin", "https://desk.example.com"}, 200},
	} {
		w := li.ask("POST", "/desk/state", `{"do":"sign-in"}`, row.headers...)
		if w.Code != row.want || row.want == 403 && kindOf(w) != "cross-origin" {
			t.Errorf("%s is answered with %d %s, want %d", name, w.Code, w.Body, row.want)
		}
	}
	if w := d.tries("li", password, "Sec-Fetch-Site", "cross-site"); w.Code != 403 {
		t.Errorf("another site signs somebody in: %d", w.Code)
	}
}

func TestHeaders(t *testing.T) {
	d := newDesk(t)
	api := d.ask("GET", Root+"/queues", "").Header()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
	} {
		if got := api.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := api.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'; frame-ancestors 'none'") {
		t.Errorf("the policy of data is %q", got)
	}
	if got := api.Get("Permissions-Policy"); !strings.Contains(got, "microphone=(self)") || !strings.Contains(got, "camera=()") {
		t.Errorf("the permissions are %q", got)
	}
	for host, sockets := range map[string]string{"desk.example.com": " wss://desk.example.com ", "127.0.0.1:8080": " ws://127.0.0.1:8080;", "x;script-src *": "connect-src 'self';"} {
		r := httptest.NewRequest("GET", "/desk", nil)
		r.Host = host
		policy := policyOfPages(r, nil) + ";"
		if !strings.Contains(policy, sockets) || strings.Contains(policy, "unsafe") || strings.Contains(policy, "script-src *") || !strings.Contains(policy, "script-src 'self';") {
			t.Errorf("for %s the policy of pages is %q", host, policy)
		}
	}
}

// Only the page that customers call from stands in other sites' pages, and only
// in those that are named.
func TestEmbedding(t *testing.T) {
	files := fstest.MapFS{"index.html": {}, "embed.js": {}}
	for _, row := range []struct {
		embed                   []string
		path, framed, frame, by string
	}{
		{nil, "/call", "frame-ancestors 'none'", "DENY", "same-origin"},
		{nil, "/embed.js", "frame-ancestors 'none'", "DENY", "same-origin"},
		{[]string{"https://www.example.com"}, "/call", "frame-ancestors https://www.example.com;", "", "same-origin"},
		{[]string{"https://www.example.com"}, "/desk", "frame-ancestors 'none'", "DENY", "same-origin"},
		{[]string{"https://www.example.com"}, "/embed.js", "frame-ancestors 'none'", "DENY", "cross-origin"},
	} {
		d := newDeskWith(t, func(o *Options) { o.Pages, o.Embed = files, row.embed })
		h := d.ask("GET", row.path, "", "Authorization", "").Header()
		if !strings.Contains(h.Get("Content-Security-Policy"), row.framed) || h.Get("X-Frame-Options") != row.frame || h.Get("Cross-Origin-Resource-Policy") != row.by {
			t.Errorf("%s, to be embedded by %v, is answered with %v", row.path, row.embed, h)
		}
	}
}

func TestSSO(t *testing.T) {
	var fake *ssotest.Issuer
	d := newDeskWith(t, func(o *Options) {
		fake = ssotest.New(t, "desk", "s")
		o.Signing.Issuer = sso.New(sso.Options{Issuer: fake.URL, ClientID: "desk", ClientSecret: "s", Claim: "name", Redirect: Callback("https://desk.example.com"), HTTP: fake.Client()})
	})
	nobody := []string{"Authorization", ""}
	begin := func() (where string, kept *http.Cookie) {
		t.Helper()
		w := d.ask("GET", Root+"/session/sso", "", nobody...)
		if w.Code != 303 {
			t.Fatalf("to begin is answered with %d %s", w.Code, w.Body)
		}
		return w.Header().Get("Location"), w.Result().Cookies()[0]
	}
	back := func(answer url.Values, kept *http.Cookie) *httptest.ResponseRecorder {
		return d.ask("GET", Root+pathCallback+"?"+answer.Encode(), "", append(nobody, "Cookie", kept.Name+"="+kept.Value)...)
	}
	for name, want := range map[string]string{"li": "/", "gone": "sso-unknown", "stranger": "sso-unknown", "1001": "sso-unknown"} {
		fake.Claims = map[string]any{"name": name}
		where, kept := begin()
		if !kept.HttpOnly || kept.SameSite != http.SameSiteLaxMode || kept.MaxAge <= 0 {
			t.Errorf("the attempt is kept in %+v", kept)
		}
		w := back(fake.SignIn(t, where), kept)
		if w.Code != 303 || !strings.HasSuffix(w.Header().Get("Location"), want) {
			t.Errorf("%s comes back to %q, want %s", name, w.Header().Get("Location"), want)
		}
		if got := len(w.Result().Cookies()); (want == "/") != (got == 2) {
			t.Errorf("%s has %d cookies", name, got)
		}
	}
	fake.Claims = map[string]any{"name": "li"}
	where, _ := begin()
	_, another := begin()
	if w := back(fake.SignIn(t, where), another); !strings.HasSuffix(w.Header().Get("Location"), "sso-denied") {
		t.Errorf("an answer to somebody else's attempt leads to %s", w.Header().Get("Location"))
	}
	if w := back(url.Values{"state": {"x"}, "code": {"y"}}, &http.Cookie{Name: attemptName, Value: "nonsense"}); !strings.HasSuffix(w.Header().Get("Location"), "sso-denied") {
		t.Errorf("nonsense leads to %s", w.Header().Get("Location"))
	}
	where, kept := begin()
	answer := fake.SignIn(t, where)
	fake.Away(true)
	if w := back(answer, kept); !strings.HasSuffix(w.Header().Get("Location"), "sso-away") {
		t.Errorf("an issuer that is away leads to %s", w.Header().Get("Location"))
	}
	if got := d.wrote(KindSignedIn); len(got) != 1 || got[0] != (SignedIn{"li", "127.0.0.1", "sso"}) {
		t.Errorf("the journal has %v", got)
	}
}

// docs/api.md has the table as it is.
func TestAccessTable(t *testing.T) {
	columns := []account.Role{account.Agent, account.Supervisor, account.Reviewer, account.DutyManager, account.Admin, program, operator}
	var table strings.Builder
	fmt.Fprintf(&table, "| May use |")
	for _, c := range columns {
		fmt.Fprintf(&table, " %s |", c)
	}
	fmt.Fprintf(&table, " What it is |\n|---|%s---|\n", strings.Repeat("---|", len(columns)))
	for _, row := range access {
		fmt.Fprintf(&table, "| %s |", row.Resource)
		for _, c := range columns {
			mark := ""
			if slices.Contains(row.Roles, c) {
				mark = "●"
			}
			fmt.Fprintf(&table, " %s |", mark)
		}
		fmt.Fprintf(&table, " %s |\n", row.Means)
	}
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	said := regexp.MustCompile(`(?m)^\| May use \|(.*\n\|)+.*\n`).FindString(string(text))
	if diff := cmp.Diff(table.String(), said); diff != "" {
		t.Errorf("the table in docs/api.md is another (-access.go +docs/api.md); it should be:\n%s\n%s", &table, diff)
	}
	known := []Resource{forAnybody}
	for _, row := range access {
		known = append(known, row.Resource)
	}
	for _, r := range routes {
		if !slices.Contains(known, r.resource) {
			t.Errorf("%s %s is of %q, which the table does not have", r.method, r.path, r.resource)
		}
	}
}

// What each role may do, over the whole table: what is not allowed is refused
// before anything is looked at.
func TestRoles(t *testing.T) {
	d := newDesk(t)
	for _, name := range []string{"li", "zhao", "sun", "qian", "zhou"} {
		p := d.as(name)
		i, err := d.api.whoever(p.request())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range routes {
			if r.resource == forAnybody || r.path == "/live" {
				continue
			}
			w := p.ask(r.method, strings.Replace(r.path, "{id}", "x", 1), "")
			if refused := kindOf(w) == "role"; refused == i.may(r.resource) {
				t.Errorf("%s asks for %s %s: %d %s", name, r.method, r.path, w.Code, kindOf(w))
			}
		}
	}
	if w := d.as("li").glance("/live?view=floor"); w.Code != 403 {
		t.Errorf("an agent sees the floor: %d", w.Code)
	}
}
