package sso

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"hotline/web/sso/ssotest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const back = "https://desk.example.com/api/v1/session/oidc/callback"

func issuer(t *testing.T, claim string) (*ssotest.Issuer, *Issuer) {
	t.Helper()
	fake := ssotest.New(t, "desk", "the-secret")
	return fake, New(Options{Issuer: fake.URL, ClientID: "desk", ClientSecret: "the-secret", Claim: claim, Redirect: back, HTTP: fake.Client()})
}

func TestThereAndBack(t *testing.T) {
	fake, i := issuer(t, "email")
	where, a, err := i.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	asked, err := url.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"response_type": "code", "client_id": "desk", "redirect_uri": back, "code_challenge_method": "S256", "state": a.State, "nonce": a.Nonce} {
		if got := asked.Query().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if strings.Contains(where, a.Verifier) {
		t.Error("the verifier is told to whoever reads the address")
	}
	kept, whole := ParseAttempt(a.String())
	if !whole || kept != a {
		t.Errorf("the attempt is kept as %+v", kept)
	}
	fake.Claims = map[string]any{"email": "Li@Example.com", "email_verified": true}
	who, err := i.Finish(t.Context(), kept, fake.SignIn(t, where))
	if err != nil || who != "li@example.com" {
		t.Errorf("who came back is %q, %v", who, err)
	}
}

func TestDenied(t *testing.T) {
	for name, row := range map[string]struct {
		claims map[string]any
		bend   func(*ssotest.Issuer, *Attempt, url.Values)
		says   string
	}{
		"another state":        {bend: func(_ *ssotest.Issuer, _ *Attempt, v url.Values) { v.Set("state", "x") }, says: "not to what was asked"},
		"no code":              {bend: func(_ *ssotest.Issuer, _ *Attempt, v url.Values) { v.Del("code") }, says: "no code"},
		"a made up code":       {bend: func(_ *ssotest.Issuer, _ *Attempt, v url.Values) { v.Set("code", "x") }, says: "refuses the code"},
		"another verifier":     {bend: func(_ *ssotest.Issuer, a *Attempt, _ url.Values) { a.Verifier = strings.Repeat("x", 43) }, says: "refuses the code"},
		"another nonce":        {bend: func(_ *ssotest.Issuer, a *Attempt, _ url.Values) { a.Nonce = "x" }, says: "another attempt"},
		"for somebody else":    {bend: func(f *ssotest.Issuer, _ *Attempt, _ url.Values) { f.Audience = "another" }, says: "id token"},
		"signed by another":    {bend: func(f *ssotest.Issuer, _ *Attempt, _ url.Values) { f.Forge = true }, says: "id token"},
		"expired":              {bend: func(f *ssotest.Issuer, _ *Attempt, _ url.Values) { f.Expired = true }, says: "id token"},
		"no claim":             {claims: map[string]any{"sub": "1"}, says: "no claim email"},
		"an unverified e-mail": {claims: map[string]any{"email": "li@example.com"}, says: "not verified"},
	} {
		t.Run(name, func(t *testing.T) {
			fake, i := issuer(t, "email")
			where, a, err := i.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			fake.Claims = row.claims
			if row.claims == nil {
				fake.Claims = map[string]any{"email": "li@example.com", "email_verified": true}
			}
			answer := fake.SignIn(t, where)
			if row.bend != nil {
				row.bend(fake, &a, answer)
			}
			who, err := i.Finish(t.Context(), a, answer)
			if !errors.Is(err, ErrDenied) || who != "" || !strings.Contains(err.Error(), row.says) {
				t.Errorf("Finish gives %q, %v; want ErrDenied that says %q", who, err, row.says)
			}
		})
	}
}

// An issuer that is away is asked again the next time.
func TestAway(t *testing.T) {
	fake, i := issuer(t, "preferred_username")
	fake.Away(true)
	if _, _, err := i.Begin(t.Context()); !errors.Is(err, ErrAway) {
		t.Errorf("Begin gives %v", err)
	}
	fake.Away(false)
	where, a, err := i.Begin(t.Context())
	if err != nil {
		t.Fatalf("an issuer that is back is not asked again: %v", err)
	}
	fake.Claims = map[string]any{"preferred_username": "li"}
	answer := fake.SignIn(t, where)
	fake.Away(true)
	if _, err := i.Finish(t.Context(), a, answer); !errors.Is(err, ErrAway) {
		t.Errorf("Finish gives %v", err)
	}
}

func FuzzAttempt(f *testing.F) {
	f.Add("a.b.c")
	f.Add(strings.Repeat("x", 20) + "." + strings.Repeat("y", 20) + "." + strings.Repeat("z", 43))
	f.Fuzz(func(t *testing.T, text string) {
		if a, whole := ParseAttempt(text); whole && (a.String() != text || a.State == "" || a.Nonce == "") {
			t.Errorf("%q is read as %+v", text, a)
		}
	})
}
