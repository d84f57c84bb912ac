package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hotline/test/phone"
)

// Both READMEs show the same commands, and every one of them runs: those of
// the program on a service that has had a call, make's by asking make; what is
// to be copied is there.
func TestTheCommandsOfTheReadmesRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Minute, nil)
	caller := w.dial(w.caller(phone.Options{}))
	w.hears(caller, "menu.main", 0)
	if err := caller.Hangup(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.summary("138****8000")

	english, chinese := commandsOf(t, "README.md"), commandsOf(t, "README.zh-CN.md")
	if strings.Join(english, "\n") != strings.Join(chinese, "\n") {
		t.Errorf("the READMEs show different commands:\n%s\n\n%s", strings.Join(english, "\n"), strings.Join(chinese, "\n"))
	}
	for _, command := range english {
		words := fields(command)
		switch words[0] {
		case "hotline":
			if out, err := w.Run(w.ctx, words[1:]...); err != nil || out == "" {
				t.Errorf("%s: %v; it prints %q", command, err, out)
			}
		case "make":
			dry := exec.CommandContext(w.ctx, "make", "-n", words[1])
			dry.Dir = filepath.Join("..", "..")
			if out, err := dry.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", command, err, out)
			}
		case "cp":
			if _, err := os.Stat(filepath.Join("..", "..", words[1])); err != nil {
				t.Errorf("%s: %v", command, err)
			}
		default:
			t.Errorf("%q is neither make's nor the program's", command)
		}
	}
	if len(english) < 8 {
		t.Errorf("only %d commands were found", len(english))
	}
}

var comment = regexp.MustCompile(`\s+#.*$`)

// commandsOf lists the indented command lines of a file, without comments.
func commandsOf(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			list = append(list, comment.ReplaceAllString(strings.TrimSpace(command), ""))
		}
	}
	return list
}

var word = regexp.MustCompile(`'[^']*'|\S+`)

// fields splits a command as a shell does, single quotes included.
func fields(command string) []string {
	words := word.FindAllString(command, -1)
	for i := range words {
		words[i] = strings.Trim(words[i], "'")
	}
	return words
}

// The demonstration is the first thing a newcomer runs, so it runs here too;
// by itself, since it judges a recording to a tenth of a second.
func TestTheDemonstrationHolds(t *testing.T) {
	demo := exec.CommandContext(t.Context(), "go", "run", "./test/demo")
	demo.Dir = filepath.Join("..", "..")
	if out, err := demo.CombinedOutput(); err != nil {
		t.Errorf("make demo: %v\n%s", err, out)
	}
}
