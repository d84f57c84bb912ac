package configs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAPrintedConfigurationReadsBackTheSame(t *testing.T) {
	want := Default()
	text, err := want.YAML()
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{}
	for _, line := range want.Secrets() {
		name, value, _ := strings.Cut(line, "=")
		secrets[name] = value
	}
	got, err := Parse("printed.yaml", text, func(name string) (string, bool) { v, ok := secrets[name]; return v, ok })
	if err != nil {
		t.Fatalf("a printed configuration is not accepted: %v\n%s", err, text)
	}
	again, err := got.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), string(again)); diff != "" {
		t.Errorf("printing changed the configuration (-first +second):\n%s", diff)
	}
	if diff := cmp.Diff(want.Secrets(), got.Secrets()); diff != "" {
		t.Errorf("the secrets changed (-want +got):\n%s", diff)
	}
	if strings.Contains(string(text), want.Asterisk.ARI.Password.Reveal()) {
		t.Error("the printed configuration holds a password")
	}
}
