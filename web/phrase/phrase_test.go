package phrase

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"
)

func whole(language string) string {
	text := language + ":\n"
	for _, m := range Moments {
		text += fmt.Sprintf("  %s: [%s]\n", m, m)
	}
	return text
}

// The file that is shipped can be read, in every language.
func TestShipped(t *testing.T) {
	text, err := os.ReadFile("../../configs/phrases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	book, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, language := range Languages {
		if len(book[language]) != len(Moments) {
			t.Errorf("%s has %d moments, want %d", language, len(book[language]), len(Moments))
		}
	}
	halfWidth := regexp.MustCompile(`\p{Han}[,:;?!]|[,:;?!]\p{Han}`)
	for moment, texts := range book["zh-CN"] {
		for _, text := range texts {
			if found := halfWidth.FindString(text); found != "" {
				t.Errorf("%s: %q has the punctuation of another script: %q", moment, text, found)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for name, row := range map[string]struct{ text, says string }{
		"empty":                {"", "empty"},
		"no YAML":              {"a: [", "cannot be read"},
		"a list":               {"- a", "cannot be read"},
		"another language":     {whole("fr"), "no language"},
		"another moment":       {whole("en") + "  lunch: [a]\n", "no moment"},
		"a moment is missing":  {"en: {idle: [a]}", "no phrase for the moment greeting"},
		"an empty phrase":      {strings.Replace(whole("en"), "[hold]", `[" "]`, 1), "en.hold: phrase 1"},
		"a phrase of lines":    {strings.Replace(whole("en"), "[hold]", `["a\nb"]`, 1), "en.hold: phrase 1"},
		"a phrase without end": {strings.Replace(whole("en"), "[hold]", "["+strings.Repeat("x", 301)+"]", 1), "300 letters"},
		"many phrases":         {strings.Replace(whole("en"), "[hold]", "["+strings.Repeat("x,", 30)+"x]", 1), "31 phrases"},
		"a huge file":          {strings.Repeat("#", mostBytes+1), "bytes"},
	} {
		if _, err := Parse([]byte(row.text)); err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s gives %v; want it to say %q", name, err, row.says)
		}
	}
}

// What an operator saves is said at once, and a slip is logged once and changes
// nothing.
func TestKeeper(t *testing.T) {
	text, broken := whole("en"), error(nil)
	var log bytes.Buffer
	k, err := NewKeeper(func() ([]byte, error) { return []byte(text), broken }, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	hold := func() string { return k.Book()["en"]["hold"][0] }
	if text = strings.Replace(text, "[hold]", "[one moment]", 1); hold() != "one moment" {
		t.Errorf("after a change it says %q", hold())
	}
	text = "en: ["
	for range 3 {
		if hold() != "one moment" {
			t.Errorf("after a slip it says %q", hold())
		}
	}
	if got := strings.Count(log.String(), "level=ERROR"); got != 1 {
		t.Errorf("a slip is logged %d times, want once:\n%s", got, log.String())
	}
	broken = errors.New("gone")
	if hold() != "one moment" {
		t.Error("a file that is gone changes what is said")
	}
	if _, err := NewKeeper(func() ([]byte, error) { return nil, broken }, nil); !errors.Is(err, broken) {
		t.Errorf("to begin without a file gives %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(whole("en"))
	f.Add("en: {hold: {a: b}}")
	f.Fuzz(func(t *testing.T, text string) {
		book, err := Parse([]byte(text))
		if err != nil {
			return
		}
		for language, moments := range book {
			if err := check(language, moments); err != nil {
				t.Errorf("%q is accepted, and then: %v", text, err)
			}
		}
	})
}
