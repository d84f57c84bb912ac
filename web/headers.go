package web

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// What browsers are told to be careful of.

// careful are the headers of everything that is answered.
var careful = map[string]string{
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "same-origin",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy": "microphone=(self), speaker-selection=(self), autoplay=(self), camera=(), geolocation=(), display-capture=(), " +
		"payment=(), usb=(), serial=(), bluetooth=(), midi=()",
}

// policyOfData is for what no page is made of: a browser that is led to it runs
// nothing of it.
const policyOfData = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// The page that customers call from may stand in pages of sites that are named,
// which load the script that puts it there.
const (
	callPage    = "/call"
	embedScript = "/embed.js"
)

// policyOfPages lets pages use what comes from here and nothing else: no script
// or style stands in a page itself. embedders may frame it.
func policyOfPages(r *http.Request, embedders []string) string {
	framed := "'none'"
	if len(embedders) > 0 {
		framed = strings.Join(embedders, " ")
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; media-src 'self' blob:; " +
		"worker-src 'self'; manifest-src 'self'; connect-src 'self'" + socketsOf(r) + "; frame-ancestors " + framed + "; base-uri 'none'; form-action 'self'"
}

var plainHost = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]+)?$|^\[[0-9a-f:]+\](:[0-9]+)?$`)

// socketsOf names our own websockets, which older browsers do not count as
// 'self'.
func socketsOf(r *http.Request) string {
	if !plainHost.MatchString(r.Host) {
		return ""
	}
	return " wss://" + r.Host + " ws://" + r.Host
}

// guarded puts these headers on everything.
func (a *API) guarded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range careful {
			w.Header().Set(name, value)
		}
		embedders := []string(nil)
		if r.URL.Path == callPage {
			embedders = a.o.Embed
		}
		policy := policyOfPages(r, embedders)
		if strings.HasPrefix(r.URL.Path, "/api/") {
			policy = policyOfData
		}
		w.Header().Set("Content-Security-Policy", policy)
		if len(embedders) > 0 {
			w.Header().Del("X-Frame-Options")
		}
		if len(a.o.Embed) > 0 && r.URL.Path == embedScript {
			w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		}
		h.ServeHTTP(w, r)
	})
}

// sameOrigin refuses to change anything for a page of another site, which the
// browser would send our cookies with (CSRF).
func (a *API) sameOrigin(h http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	if origin, err := url.Parse(a.o.Signing.Origin); err == nil && origin.Host != "" {
		_ = guard.AddTrustedOrigin(origin.Scheme + "://" + origin.Host) // of this form it takes any
	}
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.once.warn("cross-origin", "a page of another site asked for a change, and is refused", "path", r.URL.Path)
		w.Header().Set("Cache-Control", "no-store")
		refuse(w, problem(http.StatusForbidden, "cross-origin", "this was asked for by a page of another site"))
	}))
	return guard.Handler(h)
}
