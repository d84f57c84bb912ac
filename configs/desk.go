package configs

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Sessions are how long somebody stays signed in.
type Sessions struct {
	Idle     Duration `yaml:"idle"`     // without a page open
	Lifetime Duration `yaml:"lifetime"` // in all
}

// TURN is a relay that browsers' sound goes through where it has no other way. It knows the same secret, and so asks
// nobody whom it serves.
type TURN struct {
	URLs   []string `yaml:"urls"`   // turn:host:port?transport=udp; none: there is no relay
	Secret Secret   `yaml:"secret"` // HOTLINE_TURN_SECRET overrides it
	Lasts  Duration `yaml:"lasts"`  // how long a page's credentials are good
}

// OIDC is where people sign in who have an account with somebody else.
type OIDC struct {
	Issuer       string `yaml:"issuer"` // its address; empty: nobody signs in so
	ClientID     string `yaml:"client_id"`
	ClientSecret Secret `yaml:"client_secret"` // HOTLINE_OIDC_SECRET overrides it; empty: a public client
	Claim        string `yaml:"claim"`         // whose value is the account's name
}

// On says whether anybody can sign in so.
func (o OIDC) On() bool { return o.Issuer != "" }

// Desk is what agents have beside the call.
type Desk struct {
	Phrases string  `yaml:"phrases"` // the file of what to say at which moment; empty: the one built in
	WrapUp  []Code  `yaml:"wrap_up"` // the codes by which agents close a call (A8)
	Topics  []Topic `yaml:"topics"`  // what calls are about, with what is asked then (B3, C2)
}

// Code closes a call. It may be written as its id alone.
type Code struct {
	ID   string `yaml:"id" alone:"yes"`
	Name string `yaml:"name"` // what agents see; empty: the pages' own word for the id, where they have one
}

// Topic is what a call is about.
type Topic struct {
	ID        string   `yaml:"id"`
	Name      string   `yaml:"name"`
	Fields    []string `yaml:"fields"`    // what the agent asks for, as the form says it
	Complaint bool     `yaml:"complaint"` // what is said to callers who complain goes with it (A2)
}

// Entry is somebody whom calls may be transferred to, beside agents and queues. No other number is ever dialled for an agent.
type Entry struct {
	ID     string `yaml:"id"`
	Name   string `yaml:"name"`
	Number string `yaml:"number"`
}

var (
	outside   = regexp.MustCompile(`^[0-9]{3,20}$`)
	relay     = regexp.MustCompile(`^turns?:([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(\?transport=(udp|tcp))?$`)
	claimName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.:/-]{0,99}$`)
)

// Limits of lists that a page shows whole.
const (
	mostDirectory = 500
	mostTopics    = 50
	mostFields    = 20
	mostCodes     = 50
)

// people checks who may sign in, and how.
func (r *rules) people(w Web) {
	if r.lasts("web.sessions.idle", w.Sessions.Idle, time.Minute, 30*24*time.Hour) {
		r.lasts("web.sessions.lifetime", w.Sessions.Lifetime, w.Sessions.Idle.Duration, 30*24*time.Hour)
	}
	if w.Origin != "" {
		r.origin("web.origin", w.Origin)
	}
	for i, site := range w.Embed {
		r.origin(fmt.Sprintf("web.embed[%d]", i), site)
	}
	for i, network := range w.Proxies {
		if network.Bits() == 0 {
			r.wrong(fmt.Sprintf("web.proxies[%d]", i), "%s is everybody, who could then say where they come from; name the proxy's address", plain(network))
		}
	}
	for i, address := range w.TURN.URLs {
		r.matches(fmt.Sprintf("web.turn.urls[%d]", i), address, relay, "use for example turn:turn.example.com:3478?transport=udp")
	}
	r.between("web.visitors_at_once", w.VisitorsAtOnce, 1, 1000)
	if len(w.TURN.URLs) > 0 {
		r.secret("web.turn.secret", w.TURN.Secret, apiToken, "use the relay's static-auth-secret of 16 to 128 letters, digits and . _ ~ + / -, here or in HOTLINE_TURN_SECRET")
		r.lasts("web.turn.lasts", w.TURN.Lasts, time.Hour, 7*24*time.Hour)
	}
	if w.OIDC.On() {
		r.oidc(w)
	}
}

func (r *rules) oidc(w Web) {
	u, err := url.Parse(w.OIDC.Issuer)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Scheme != "https" && !isLoopback(u) {
		r.wrong("web.oidc.issuer", "%q is no issuer; use its address, for example https://login.example.com", w.OIDC.Issuer)
	}
	if w.OIDC.ClientID == "" {
		r.wrong("web.oidc.client_id", "is missing; use the one that the issuer has given this service")
	}
	r.matches("web.oidc.claim", w.OIDC.Claim, claimName, "use a claim's name, for example email or preferred_username")
	if w.Origin == "" {
		r.wrong("web.origin", "is missing, and the issuer must be told where to send people back to; use for example https://desk.example.com")
	}
}

// origin is the address that people see, without a path.
func (r *rules) origin(path, value string) {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Path != "" || strings.ContainsAny(value, " ;,") || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Scheme != "https" && !isLoopback(u) {
		r.wrong(path, "%q is not where pages are; use scheme and name alone, for example https://desk.example.com", value)
	}
}

// isLoopback lets what stays on the machine go without TLS.
func isLoopback(u *url.URL) bool {
	return u.Scheme == "http" && slices.Contains([]string{"127.0.0.1", "localhost", "::1"}, u.Hostname())
}

// desk checks what agents have beside the call.
func (r *rules) desk(c *Config) {
	r.few("desk.wrap_up", len(c.Desk.WrapUp), mostCodes)
	for i, code := range c.Desk.WrapUp {
		path := fmt.Sprintf("desk.wrap_up[%d]", i)
		r.matches(path, code.ID, name, wantName+"; what agents see is its name: {id: revisit, name: 回访}")
		if slices.ContainsFunc(c.Desk.WrapUp[:i], func(before Code) bool { return before.ID == code.ID }) {
			r.wrong(path, "%q is named twice; once is enough", code.ID)
		}
		if code.Name != "" {
			r.text(path+".name", code.Name, 40)
		}
	}
	r.few("desk.topics", len(c.Desk.Topics), mostTopics)
	topics := map[string]int{}
	for i, t := range c.Desk.Topics {
		path := fmt.Sprintf("desk.topics[%d]", i)
		if r.matches(path+".id", t.ID, name, wantName) {
			r.unique(path+".id", t.ID, topics, i, "desk.topics[%d].id")
		}
		r.text(path+".name", t.Name, 40)
		r.few(path+".fields", len(t.Fields), mostFields)
		for j, field := range t.Fields {
			r.text(fmt.Sprintf("%s.fields[%d]", path, j), field, 40)
			if slices.Contains(t.Fields[:j], field) {
				r.wrong(fmt.Sprintf("%s.fields[%d]", path, j), "%q is named twice; once is enough", field)
			}
		}
	}
}

// directory checks whom calls may be transferred to.
func (r *rules) directory(c *Config) {
	r.few("directory", len(c.Directory), mostDirectory)
	ids := map[string]int{}
	for i, e := range c.Directory {
		path := fmt.Sprintf("directory[%d]", i)
		if r.matches(path+".id", e.ID, name, wantName) {
			r.unique(path+".id", e.ID, ids, i, "directory[%d].id")
		}
		r.text(path+".name", e.Name, 40)
		switch {
		case !r.matches(path+".number", e.Number, outside, "use 3 to 20 digits, as the trunk dials them"):
		case e.Number == c.Service.Number:
			r.wrong(path+".number", "%s is our own number, and we would call ourselves; use another", e.Number)
		case !c.Asterisk.Trunk.Dials():
			r.wrong(path+".number", "nobody can be dialled, since asterisk.trunk.out names no way out; name it, for example 192.0.2.10:5060")
		}
	}
}

func (r *rules) few(path string, n, most int) {
	if n > most {
		r.wrong(path, "has %d items; use %d at most", n, most)
	}
}
