package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
)

// Whatever is sent, reading it ends in a problem that names what is wrong, or in
// values that are written as JSON again and then read as the same.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"max_wait":"1m30s","skills":{"english":3},"relax":[{"after":"30s","by":1}]}`, `{"strategy":"ring-all","ring_at_most":4}`,
		`{"max_wait":1}`, `{"skills":{"a":1,"a":1}}`, `{"relax":[null]}`, `{"\u006dax_wait":"1s"}`, `[[[[`, `{"aging":"-9223372036854775808ns"}`, "{\"\xff\":1}", `{"skills":{"` + "\xff" + `":1}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		ask := func(body string) (r Rules, err error) {
			r = rulesOf(usual)
			request := request{httptest.NewRequest("PUT", "/", strings.NewReader(body)), "fuzz"}
			request.Header.Set("Content-Type", "application/json")
			return r, read(request, &r)
		}
		first, err := ask(body)
		if err != nil {
			var p *Problem
			if !errors.As(err, &p) || p.Status < 400 || p.Status >= 500 || p.Detail == "" {
				t.Fatalf("%q is refused with %v, which is no problem of whoever asks", body, err)
			}
			return
		}
		second, err := ask(string(encode(first)))
		if err != nil {
			t.Fatalf("%q is written as %s, which is refused: %v", body, encode(first), err)
		}
		if !bytes.Equal(encode(first), encode(second)) {
			t.Fatalf("%q is read as %+v, and then as %+v", body, first, second)
		}
		if shown := rulesOf(first.forQueue("service")); !bytes.Equal(encode(shown), encode(rulesOf(shown.forQueue("service")))) {
			t.Fatalf("%q is shown as %+v, which is not what putting it back leads to", body, shown)
		}
		if !json.Valid(encode(first)) {
			t.Fatalf("%s is no JSON", encode(first))
		}
	})
}
