package web

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"hotline/web/account"
	"hotline/web/sso"
)

// People sign in and have a cookie then, which no script can read and no other
// site has sent along. Beside the cookie a session has a row in a store that
// outlives the process, so that nobody has to sign in again after a restart.

// Signing is who may sign in, and how long they stay. Accounts and Store are
// required.
type Signing struct {
	Accounts *account.Book
	Store    scs.Store     // of sessions; its tokens are hashes
	Idle     time.Duration // without a page open; 0: 1 h
	Lifetime time.Duration // in all; 0: 16 h
	Proxies  []netip.Prefix
	Origin   string      // what browsers show, where a proxy stands before us: "https://desk.example.com"
	Issuer   *sso.Issuer // nil: people sign in here alone
}

// What a session has.
const (
	sessionAccount    = "account"
	sessionGeneration = "generation" // of the password it was begun with
	sessionSeen       = "seen"       // in seconds since 1970
)

// seenEvery is how often it is written down that somebody is there.
const seenEvery = time.Minute

// signing is Signing at work.
type signing struct {
	Signing
	sessions *scs.SessionManager
	throttle *account.Throttle
	once     *once
	now      func() time.Time
}

func newSigning(s Signing, o *once) *signing {
	if s.Idle == 0 {
		s.Idle = time.Hour
	}
	if s.Lifetime == 0 {
		s.Lifetime = 16 * time.Hour
	}
	return &signing{Signing: s, throttle: account.NewThrottle(nil), once: o, now: time.Now,
		sessions: &scs.SessionManager{Store: s.Store, IdleTimeout: s.Idle, Lifetime: s.Lifetime, Codec: scs.GobCodec{}, HashTokenInStore: true}}
}

// Cookies are bound to the host, and to TLS but on the machine itself.
const (
	cookieName      = "hotline"
	attemptName     = "hotline-sso"
	secureCookie    = "__Host-" // RFC 6265bis: set by this host, over TLS, for all of it
	attemptLifetime = 10 * time.Minute
)

// cookie is one of ours, for a request that came as this one did.
func (s *signing) cookie(r *http.Request, name, value string) *http.Cookie {
	c := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if !s.local(r) {
		c.Name, c.Secure = secureCookie+name, true
	}
	return c
}

func (s *signing) read(r *http.Request, name string) string {
	c, err := r.Cookie(s.cookie(r, name, "").Name)
	if err != nil {
		return ""
	}
	return c.Value
}

// local says that a request never leaves the machine, as far as it tells: it came
// to a loopback address under a loopback name, and through no proxy. A page of
// another name that leads here (DNS rebinding) is not local.
func (s *signing) local(r *http.Request) bool {
	for _, header := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Via"} {
		if r.Header.Get(header) != "" {
			return false
		}
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && from.Addr().Unmap().IsLoopback() && isLoopback(host)
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// address is where a request comes from; proxies are taken at their word, and
// nobody else is.
func (s *signing) address(r *http.Request) netip.Addr {
	at, _ := netip.ParseAddrPort(r.RemoteAddr)
	from := at.Addr().Unmap()
	way := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(way) {
		if !slices.ContainsFunc(s.Proxies, func(p netip.Prefix) bool { return p.Contains(from) }) {
			break
		}
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		from = before.Unmap()
	}
	return from
}

// person is who has the cookie of a request: "" where nobody has.
func (s *signing) person(r *http.Request) (account.Account, bool, error) {
	token := s.read(r, cookieName)
	if token == "" {
		return account.Account{}, false, nil
	}
	ctx, err := s.sessions.Load(r.Context(), token)
	if err != nil {
		return account.Account{}, false, err
	}
	a, there := s.Accounts.Find(s.sessions.GetString(ctx, sessionAccount))
	if !there || a.Locked || a.Generation != s.sessions.GetInt(ctx, sessionGeneration) || a.Development && !s.local(r) {
		return account.Account{}, false, nil
	}
	if seen := time.Unix(s.sessions.GetInt64(ctx, sessionSeen), 0); s.now().Sub(seen) > min(seenEvery, s.Idle/4) {
		s.throttle.SignedIn(a.Name, s.address(r))
		s.sessions.Put(ctx, sessionSeen, s.now().Unix())
		if _, _, err := s.sessions.Commit(ctx); err != nil {
			s.once.warn("seen", "a session may end before its time", "err", err)
		}
	}
	return a, true, nil
}

// begin gives an account a session of its own, whatever the browser had before.
func (s *signing) begin(r *http.Request, a account.Account) (*http.Cookie, error) {
	if err := s.end(r); err != nil {
		s.once.warn("end", "a session of before goes on until its time", "err", err)
	}
	ctx, err := s.sessions.Load(r.Context(), "")
	if err != nil {
		return nil, err
	}
	s.sessions.Put(ctx, sessionAccount, a.Name)
	s.sessions.Put(ctx, sessionGeneration, a.Generation)
	s.sessions.Put(ctx, sessionSeen, s.now().Unix())
	token, _, err := s.sessions.Commit(ctx)
	if err != nil {
		return nil, err
	}
	return s.cookie(r, cookieName, token), nil
}

// end ends the session of a request, if it has one.
func (s *signing) end(r *http.Request) error {
	token := s.read(r, cookieName)
	if token == "" {
		return nil
	}
	ctx, err := s.sessions.Load(r.Context(), token)
	if err != nil {
		return err
	}
	return s.sessions.Destroy(ctx)
}

// Me is who is signed in.
type Me struct {
	Account     string         `json:"account"`
	Agent       string         `json:"agent"`  // "": none
	Number      string         `json:"number"` // that agent's
	Name        string         `json:"name"`   // likewise
	Roles       []account.Role `json:"roles"`
	Language    string         `json:"language"` // "": the service's
	Timezone    string         `json:"timezone"` // of the service, in which pages show its moments
	May         []Resource     `json:"may"`      // what they may use
	Development bool           `json:"development"`
}

func (a *API) me(i identity) Me {
	m := Me{Account: i.account.Name, Agent: i.account.Agent, Roles: i.roles, Language: i.account.Language, Timezone: a.o.Zone.String(), May: []Resource{}, Development: i.account.Development}
	if m.Account == "" {
		m.Account = i.by
	}
	if v, there := a.o.Queues.Agent(m.Agent); there {
		m.Number, m.Name = v.Number, v.Name
	}
	for _, row := range access {
		if i.may(row.Resource) {
			m.May = append(m.May, row.Resource)
		}
	}
	return m
}

func (a *API) getSession(r request) (reply, error) { return reply{body: a.me(r.identity)}, nil }

// Credentials are what somebody signs in with.
type Credentials struct {
	Account  string `json:"account"`
	Password string `json:"password"`
}

var errNoSigning = problem(http.StatusNotFound, "no-resource", "nobody signs in here")

// signIn begins a session. Whatever is wrong, the answer is the same, so that
// nobody learns which accounts there are.
func (a *API) signIn(r request) (reply, error) {
	if a.signing == nil {
		return reply{}, errNoSigning
	}
	var c Credentials
	if err := read(r, &c); err != nil {
		return reply{}, err
	}
	from := a.signing.address(r.Request)
	if wait := a.signing.throttle.Wait(c.Account, from); wait > 0 {
		a.once.warn("throttled", "somebody who failed to sign in has to wait", "from", from, "wait", wait)
		return reply{}, later("throttled", wait)
	}
	who, right, err := a.signing.Accounts.Verify(r.Context(), c.Account, c.Password)
	switch {
	case errors.Is(err, account.ErrBusy):
		a.once.warn("busy", "more sign in at once than are compared", "from", from)
		return reply{}, later("busy", time.Second)
	case err != nil:
		return reply{}, err
	case !right || who.Development && !a.signing.local(r.Request):
		return reply{}, a.failed(r, c.Account, from)
	}
	a.signing.throttle.Succeeded(c.Account, from)
	return a.signedIn(r, who, "password")
}

// failed counts a failure. A name is written down only where there is such an
// account: others may be passwords in the wrong place.
func (a *API) failed(r request, name string, from netip.Addr) error {
	limit := a.signing.throttle.Failed(name, from)
	if _, there := a.signing.Accounts.Find(name); !there {
		name = ""
	}
	a.once.warn("credentials", "somebody failed to sign in", "from", from, "account", name)
	if limit != "" {
		a.once.warn("locked-out", "somebody has to wait before they may try again", "from", from, "account", name, "by", limit)
		if err := a.record(r.Context(), KindLockedOut, SignedIn{Account: name, From: from.String(), How: limit}, accountStreams(name)...); err != nil {
			a.once.warn("unrecorded", "a lock-out is not in the journal", "err", err)
		}
	}
	return unauthorized("credentials", "account and password do not go together, or the account is locked", "")
}

// later asks to come back.
func later(kind string, wait time.Duration) *Problem {
	seconds := int(max(wait.Round(time.Second), time.Second) / time.Second)
	p := problem(http.StatusTooManyRequests, kind, "try again in %d s", seconds)
	p.Values = map[string]string{"seconds": strconv.Itoa(seconds)}
	p.header = http.Header{"Retry-After": {strconv.Itoa(seconds)}}
	return p
}

// signedIn begins the session of somebody who has shown who they are.
func (a *API) signedIn(r request, who account.Account, how string) (reply, error) {
	cookie, err := a.signing.begin(r.Request, who)
	if err != nil {
		return reply{}, err
	}
	from := a.signing.address(r.Request)
	if err := a.record(r.Context(), KindSignedIn, SignedIn{Account: who.Name, From: from.String(), How: how}, accountStreams(who.Name)...); err != nil {
		a.once.warn("unrecorded", "a signing in is not in the journal", "err", err)
	}
	header := http.Header{"Set-Cookie": {cookie.String()}}
	return reply{body: a.me(personal(who)), header: header}, nil
}

// personal is somebody with an account.
func personal(who account.Account) identity {
	return identity{by: who.Name, roles: who.Roles, account: who}
}

func (a *API) signOut(r request) (reply, error) {
	if a.signing == nil {
		return reply{}, errNoSigning
	}
	if err := a.signing.end(r.Request); err != nil {
		return reply{}, err
	}
	gone := a.signing.cookie(r.Request, cookieName, "")
	gone.MaxAge = -1
	return reply{header: http.Header{"Set-Cookie": {gone.String()}}}, nil
}

// Ways are how people can come in.
type Ways struct {
	Password bool `json:"password"`
	SSO      bool `json:"sso"`      // at GET /session/sso
	Visitors bool `json:"visitors"` // customers, without an account, by the page that calls
}

func (a *API) getWays(request) (reply, error) {
	return reply{body: Ways{Password: a.signing != nil, SSO: a.signing != nil && a.signing.Issuer != nil, Visitors: a.visitors()}}, nil
}

// Where the pages are that people come to.
const (
	pageAfterSSO = "/"
	pageSignIn   = "/sign-in"
	pathCallback = "/session/sso/callback"
)

// Callback is where an issuer sends people back to, of a service at an origin.
func Callback(origin string) string { return origin + Root + pathCallback }

// beginSSO sends somebody to the issuer. The attempt is kept in a cookie that
// the way back from another site carries too; it is no session.
func (a *API) beginSSO(r request) (reply, error) {
	if a.signing == nil || a.signing.Issuer == nil {
		return reply{}, errNoSigning
	}
	where, attempt, err := a.signing.Issuer.Begin(r.Context())
	if err != nil {
		a.once.warn("sso-away", "nobody can sign in at the issuer", "err", err)
		return a.backToSignIn("sso-away"), nil
	}
	kept := a.signing.cookie(r.Request, attemptName, attempt.String())
	kept.SameSite, kept.MaxAge = http.SameSiteLaxMode, int(attemptLifetime/time.Second)
	return reply{status: http.StatusSeeOther, header: http.Header{"Location": {where}, "Set-Cookie": {kept.String()}}}, nil
}

// endSSO has somebody who is back from the issuer signed in. They are a person
// before a page, so that whatever is wrong leads to one, with a code.
func (a *API) endSSO(r request) (reply, error) {
	if a.signing == nil || a.signing.Issuer == nil {
		return reply{}, errNoSigning
	}
	done, why := a.cameBack(r)
	if why != "" {
		done = a.backToSignIn(why)
	}
	used := a.signing.cookie(r.Request, attemptName, "")
	used.MaxAge, used.SameSite = -1, http.SameSiteLaxMode
	done.header.Add("Set-Cookie", used.String())
	return done, nil
}

// cameBack says why not, in a code.
func (a *API) cameBack(r request) (done reply, why string) {
	attempt, whole := sso.ParseAttempt(a.signing.read(r.Request, attemptName))
	if !whole {
		return reply{}, "sso-denied"
	}
	name, err := a.signing.Issuer.Finish(r.Context(), attempt, r.URL.Query())
	switch {
	case errors.Is(err, sso.ErrAway):
		a.once.warn("sso-away", "nobody can sign in at the issuer", "err", err)
		return reply{}, "sso-away"
	case err != nil:
		a.once.warn("sso-denied", "somebody came back from the issuer and is not let in", "err", err)
		return reply{}, "sso-denied"
	}
	who, there := a.signing.Accounts.Find(name)
	if !there || who.Locked || who.Development {
		a.once.warn("sso-unknown", "somebody whom the issuer knows has no account here, or it is locked")
		return reply{}, "sso-unknown"
	}
	done, err = a.signedIn(r, who, "sso")
	if err != nil {
		a.log.Error("a session could not be begun", "err", err)
		return reply{}, "sso-away"
	}
	done.body, done.status = nil, http.StatusSeeOther
	done.header.Set("Location", pageAfterSSO)
	return done, ""
}

func (a *API) backToSignIn(why string) reply {
	return reply{status: http.StatusSeeOther, header: http.Header{"Location": {pageSignIn + "?" + url.Values{"why": {why}}.Encode()}}}
}
