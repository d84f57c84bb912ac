package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// command is what a command line asks for, without doing it.
func command(t *testing.T, line ...string) (*cli, *kong.Context) {
	t.Helper()
	c := &cli{}
	parser, err := kong.New(c)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(line)
	if err != nil {
		t.Fatalf("hotline %s: %v", strings.Join(line, " "), err)
	}
	return c, parsed
}

// written is a hotline.yaml with this text, in a folder of its own.
func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hotline.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// judge is what a command says of a configuration before it does anything.
func judge(t *testing.T, path, line string) string {
	t.Helper()
	c, parsed := command(t, append([]string{"-c", path}, strings.Fields(line)...)...)
	if _, err := c.load(used(parsed.Selected())...); err != nil {
		return err.Error()
	}
	return ""
}

// What only the service's environment has keeps no other shell from asking the
// service; what a command uses has to be right all the same.
func TestWhoAsksTheServiceNeedsNotItsSecrets(t *testing.T) {
	secret := written(t, "web: {tokens: [{name: ops, token: \"\"}]}\nasterisk: {ari: {password: \"\"}}\n")
	zone := written(t, "service: {timezone: Asia/Nowhere}\n")
	for _, line := range []string{
		"calls", "call last", "audit", "messages", "outage", "agent", "agent set 1001 queues=[service]", "queue rules", "queue set service max_wait=5m",
		"user list", "changes", "announce outage on", "drain", "clock 2027-02-06", "calendar", "prompts build", "prompts check",
	} {
		if said := judge(t, secret, line); said != "" {
			t.Errorf("hotline %s asks for what it does not use: %s", line, said)
		}
		if said := judge(t, zone, line); !strings.Contains(said, "hotline.yaml:1:") || !strings.Contains(said, "Asia/Nowhere") {
			t.Errorf("hotline %s says %q of a time zone that there is not", line, said)
		}
	}
	for _, line := range []string{"serve", "serve --takeover", "asterisk-config"} {
		if said := judge(t, secret, line); !strings.Contains(said, "web.tokens[0].token") || !strings.Contains(said, "asterisk.ari.password") {
			t.Errorf("hotline %s would start without secrets: it says %q", line, said)
		}
	}
}

// A file of which nothing can be read is told to everybody.
func TestAFileThatIsNoYAMLIsToldToEverybody(t *testing.T) {
	broken := written(t, "service: {number: \"1\n")
	for _, line := range []string{"calls", "serve"} {
		if said := judge(t, broken, line); !strings.Contains(said, "this is not YAML") {
			t.Errorf("hotline %s says %q", line, said)
		}
	}
}

// A word that is not understood is answered by a line, and where help is.
func TestAWordThatIsNotUnderstoodIsAnsweredByALine(t *testing.T) {
	for line, want := range map[string]string{
		"":            "what is to be done? For example: hotline calls; hotline --help lists everything",
		"queue bogus": "see: hotline queue --help",
		"bogus":       "hotline --help lists everything",
		"drain --bog": "see: hotline drain --help",
	} {
		parser, err := kong.New(&cli{}, kong.Name("hotline"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = parser.Parse(strings.Fields(line))
		if err == nil {
			t.Fatalf("hotline %s is understood", line)
		}
		if said := misread(strings.Fields(line), err); strings.Contains(said, "\n") || !strings.HasSuffix(said, want) || len(said) > 250 {
			t.Errorf("hotline %s is answered by\n%s\nwant a line that ends with %q", line, said, want)
		}
	}
}
