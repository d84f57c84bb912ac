// Package sso owns signing in with an account that is kept elsewhere: OpenID
// Connect, by the code flow with PKCE, state and nonce. It says who somebody is
// there; whether that is an account here it must not know.
package sso

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Options of an issuer.
type Options struct {
	Issuer       string // its address
	ClientID     string
	ClientSecret string // "": a public client, which PKCE protects
	Claim        string // whose value says who it is
	Redirect     string // where the issuer sends people back to, whole

	HTTP *http.Client // nil: one of its own, with a limit
}

// Issuer is where people sign in. It is looked up when somebody first wants to,
// so that the service starts without it. Its methods may be called from any
// goroutine.
type Issuer struct {
	o Options

	mu       sync.Mutex
	provider *oidc.Provider
}

// Errors of Finish. ErrAway says that the issuer does not answer or answers
// nonsense; ErrDenied that it did not let them in, or that what came back is not
// what was begun.
var (
	ErrAway   = errors.New("sso: the issuer does not answer as it should")
	ErrDenied = errors.New("sso: not signed in")
)

// Attempt is one way to the issuer and back, which the browser keeps meanwhile.
type Attempt struct {
	State, Nonce, Verifier string
}

// String is the attempt in a cookie.
func (a Attempt) String() string { return strings.Join([]string{a.State, a.Nonce, a.Verifier}, ".") }

// ParseAttempt reads what String wrote.
func ParseAttempt(text string) (Attempt, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || slices.ContainsFunc(parts, func(p string) bool { return len(p) < 16 || len(p) > 128 }) {
		return Attempt{}, false
	}
	return Attempt{parts[0], parts[1], parts[2]}, true
}

const answerWithin = 10 * time.Second

// New names an issuer; it is not asked yet.
func New(o Options) *Issuer {
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: answerWithin}
	}
	return &Issuer{o: o}
}

// Begin is where to send somebody, and what to keep until they are back.
func (i *Issuer) Begin(ctx context.Context) (where string, a Attempt, err error) {
	config, _, err := i.config(ctx)
	if err != nil {
		return "", Attempt{}, err
	}
	a = Attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	return config.AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), a, nil
}

// Finish is who came back, by the claim: the answer is what the issuer put into
// the address.
func (i *Issuer) Finish(ctx context.Context, a Attempt, answer url.Values) (who string, err error) {
	if subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(a.State)) != 1 {
		return "", fmt.Errorf("%w: the answer is not to what was asked", ErrDenied)
	}
	if answer.Get("code") == "" {
		return "", fmt.Errorf("%w: the issuer gave no code", ErrDenied)
	}
	config, provider, err := i.config(ctx)
	if err != nil {
		return "", err
	}
	ctx = oidc.ClientContext(ctx, i.o.HTTP)
	tokens, err := config.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return "", exchangeError(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	token, err := provider.Verifier(&oidc.Config{ClientID: i.o.ClientID}).Verify(ctx, raw)
	if err != nil {
		return "", fmt.Errorf("%w: the id token: %w", ErrDenied, err)
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(a.Nonce)) != 1 {
		return "", fmt.Errorf("%w: the id token is of another attempt", ErrDenied)
	}
	return i.claim(token)
}

// exchangeError tells a code that is refused from an issuer that is away. What
// the issuer wrote is not repeated: it may have tokens in it.
func exchangeError(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode < 500 {
		return fmt.Errorf("%w: the issuer refuses the code: %.40q", ErrDenied, refused.ErrorCode)
	}
	return fmt.Errorf("%w: exchanging the code failed", ErrAway)
}

// claim is who it is. An address that nobody has verified is nobody's.
func (i *Issuer) claim(token *oidc.IDToken) (string, error) {
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		return "", fmt.Errorf("%w: the id token: %w", ErrDenied, err)
	}
	who, _ := claims[i.o.Claim].(string)
	if who == "" {
		return "", fmt.Errorf("%w: the id token has no claim %s", ErrDenied, i.o.Claim)
	}
	if verified, _ := claims["email_verified"].(bool); i.o.Claim == "email" && !verified {
		return "", fmt.Errorf("%w: the issuer has not verified the address", ErrDenied)
	}
	return strings.ToLower(who), nil
}

// config is what the issuer says of itself, asked until it has answered once.
func (i *Issuer) config(ctx context.Context) (*oauth2.Config, *oidc.Provider, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.provider == nil {
		// Keys are fetched later too, by a context that has to last.
		lasting := oidc.ClientContext(context.WithoutCancel(ctx), i.o.HTTP)
		provider, err := oidc.NewProvider(lasting, i.o.Issuer)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrAway, err)
		}
		i.provider = provider
	}
	return &oauth2.Config{
		ClientID: i.o.ClientID, ClientSecret: i.o.ClientSecret, Endpoint: i.provider.Endpoint(), RedirectURL: i.o.Redirect,
		Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
	}, i.provider, nil
}
