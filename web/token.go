package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"maps"
	"net/http"
	"slices"
	"strings"

	"hotline/web/account"
)

// key is a token as it is compared, and whose it is.
type key struct {
	name string
	hash [sha256.Size]byte
}

func keysOf(tokens map[string]string) (keys []key) {
	for _, name := range slices.Sorted(maps.Keys(tokens)) {
		if tokens[name] != "" {
			keys = append(keys, key{name, sha256.Sum256([]byte(tokens[name]))})
		}
	}
	return keys
}

// named finds whose token a request bears (RFC 6750). All are compared, and by
// their hashes, so that the time it takes tells nothing of them.
func (a *API) named(r *http.Request) (identity, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return identity{}, unauthorized("token", "say who asks: Authorization: Bearer TOKEN, with a token of web.tokens in hotline.yaml", "")
	}
	got := sha256.Sum256([]byte(strings.TrimSpace(token)))
	found, by := 0, ""
	for _, k := range a.keys {
		same := subtle.ConstantTimeCompare(got[:], k.hash[:])
		found |= same
		if same == 1 {
			by = k.name
		}
	}
	if found == 0 {
		return identity{}, unauthorized("token", "the token is none of those in web.tokens of hotline.yaml", `, error="invalid_token"`)
	}
	return identity{by: by, roles: []account.Role{program}}, nil
}

// whoever is the program whose token a request bears, or the person whose
// session it has.
func (a *API) whoever(r *http.Request) (identity, error) {
	if r.Header.Get("Authorization") != "" || a.signing == nil {
		return a.named(r)
	}
	who, signedIn, err := a.signing.person(r)
	switch {
	case err != nil:
		return identity{}, err
	case !signedIn:
		return identity{}, unauthorized("session", "sign in first; programs say who they are with Authorization: Bearer TOKEN", "")
	}
	return personal(who), nil
}

func unauthorized(kind, detail, why string) *Problem {
	p := problem(http.StatusUnauthorized, kind, "%s", detail)
	p.header = http.Header{}
	p.header.Set("WWW-Authenticate", `Bearer realm="hotline"`+why)
	return p
}
