package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"maps"
	"net/http"
	"slices"
	"strings"
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
func (a *API) named(r *http.Request) (by string, err error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", unauthorized("say who asks: Authorization: Bearer TOKEN, with a token of web.tokens in hotline.yaml", "")
	}
	got := sha256.Sum256([]byte(strings.TrimSpace(token)))
	found := 0
	for _, k := range a.keys {
		same := subtle.ConstantTimeCompare(got[:], k.hash[:])
		found |= same
		if same == 1 {
			by = k.name
		}
	}
	if found == 0 {
		return "", unauthorized("the token is none of those in web.tokens of hotline.yaml", `, error="invalid_token"`)
	}
	return by, nil
}

func unauthorized(detail, why string) *Problem {
	p := problem(http.StatusUnauthorized, "token", "%s", detail)
	p.header = http.Header{}
	p.header.Set("WWW-Authenticate", `Bearer realm="hotline"`+why)
	return p
}
