// Package ssotest is an issuer of OpenID Connect for tests: it owns just as much
// of the protocol as an honest issuer has, and ways to be dishonest. It must
// not know what is tested with it.
package ssotest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Issuer is one that is there until its test ends. Its fields are what the next
// id token has.
type Issuer struct {
	*httptest.Server
	Claims   map[string]any // beside those that every token has
	Audience string         // "": the client
	Forge    bool           // signed with another key than the one that is told
	Expired  bool

	client, secret string
	key, forged    *rsa.PrivateKey

	mu    sync.Mutex
	away  bool
	codes map[string]url.Values // what was asked, by the code that was given
}

// New starts an issuer that knows one client.
func New(t *testing.T, client, secret string) *Issuer {
	t.Helper()
	i := &Issuer{client: client, secret: secret, codes: map[string]url.Values{}}
	var err error
	if i.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if i.forged, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /keys", i.keys)
	mux.HandleFunc("POST /token", i.token)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		away := i.away
		i.mu.Unlock()
		if away {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(i.Close)
	return i
}

// Away has it answer nobody, or everybody again.
func (i *Issuer) Away(away bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.away = away
}

// SignIn is what a browser brings back that was sent to the issuer and signed in
// there.
func (i *Issuer) SignIn(t *testing.T, where string) url.Values {
	t.Helper()
	asked, err := url.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	code := rand.Text()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.codes[code] = asked.Query()
	return url.Values{"code": {code}, "state": {asked.Query().Get("state")}}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the asker has gone
}

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

func (i *Issuer) keys(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", "n": text(i.key.N.Bytes()), "e": text(big.NewInt(int64(i.key.E)).Bytes()),
	}}})
}

// token gives an id token for a code, once, to whoever knows the verifier.
func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	asked, known := i.codes[r.FormValue("code")]
	delete(i.codes, r.FormValue("code"))
	i.mu.Unlock()
	client, secret, basic := r.BasicAuth()
	if !basic {
		client, secret = r.FormValue("client_id"), r.FormValue("client_secret")
	}
	challenge := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if !known || client != i.client || secret != i.secret || asked.Get("code_challenge") != text(challenge[:]) || asked.Get("redirect_uri") != r.FormValue("redirect_uri") {
		answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	signed, err := i.sign(asked.Get("nonce"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, http.StatusOK, map[string]any{"access_token": "unused", "token_type": "Bearer", "id_token": signed})
}

func (i *Issuer) sign(nonce string) (string, error) {
	claims := map[string]any{"iss": i.URL, "aud": i.client, "sub": "1", "nonce": nonce, "exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix()}
	if i.Audience != "" {
		claims["aud"] = i.Audience
	}
	if i.Expired {
		claims["exp"] = time.Now().Add(-time.Hour).Unix()
	}
	for name, value := range i.Claims {
		claims[name] = value
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	unsigned := text([]byte(`{"alg":"RS256","kid":"1"}`)) + "." + text(body)
	key := i.key
	if i.Forge {
		key = i.forged
	}
	sum := sha256.Sum256([]byte(unsigned))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	return unsigned + "." + text(signature), err
}

func text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
