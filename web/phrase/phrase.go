// Package phrase owns what agents say at which moment (A2), as an operator
// writes it in a file. It must not know where the file is.
package phrase

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

// Moments are those of a talk, in the order in which they come.
var Moments = []string{"idle", "greeting", "hold", "apology", "transfer", "closing", "complaint"}

// Languages are those there are phrases in.
var Languages = []string{"zh-CN", "en"}

// Book is what is said: by language, then by moment.
type Book map[string]map[string][]string

// Limits of what a page shows at a glance.
const (
	mostPhrases = 20  // of a moment
	mostLetters = 300 // of a phrase
	mostBytes   = 256 << 10
)

// Parse reads a file's text strictly. Every language needs every moment; there
// must be a language.
func Parse(text []byte) (book Book, err error) {
	defer func() {
		if r := recover(); r != nil { // the library's own mistakes on hostile text
			book, err = nil, errors.New("this is not YAML")
		}
	}()
	if len(text) > mostBytes {
		return nil, fmt.Errorf("it has %d bytes; use %d at most", len(text), mostBytes)
	}
	if err := yaml.Unmarshal(text, &book); err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	if len(book) == 0 {
		return nil, fmt.Errorf("it is empty; use %s", strings.Join(Languages, ", "))
	}
	for language, moments := range book {
		if !slices.Contains(Languages, language) {
			return nil, fmt.Errorf("%.20q is no language; use %s", language, strings.Join(Languages, ", "))
		}
		if err := check(language, moments); err != nil {
			return nil, err
		}
	}
	return book, nil
}

func check(language string, moments map[string][]string) error {
	for moment, phrases := range moments {
		at := language + "." + moment
		switch {
		case !slices.Contains(Moments, moment):
			return fmt.Errorf("%.60q is no moment; use %s", at, strings.Join(Moments, ", "))
		case len(phrases) > mostPhrases:
			return fmt.Errorf("%s has %d phrases; use %d at most", at, len(phrases), mostPhrases)
		}
		for i, p := range phrases {
			if strings.TrimSpace(p) == "" || !utf8.ValidString(p) || utf8.RuneCountInString(p) > mostLetters || strings.ContainsFunc(p, unicode.IsControl) {
				return fmt.Errorf("%s: phrase %d is not usable; use 1 to %d letters on one line", at, i+1, mostLetters)
			}
		}
	}
	for _, moment := range Moments {
		if len(moments[moment]) == 0 {
			return fmt.Errorf("%s has no phrase for the moment %s; write one", language, moment)
		}
	}
	return nil
}

// Keeper has the book as it stands in the file, also after that has changed.
// Where it cannot be read, what it said before counts. Its methods may be called
// from any goroutine.
type Keeper struct {
	read func() ([]byte, error)
	log  *slog.Logger

	mu       sync.Mutex
	text     []byte
	book     Book
	complain string
}

// NewKeeper reads the file by read; a file that is wrong is an error.
func NewKeeper(read func() ([]byte, error), log *slog.Logger) (*Keeper, error) {
	k := &Keeper{read: read, log: log}
	if err := k.refresh(); err != nil {
		return nil, fmt.Errorf("the phrases: %w", err)
	}
	return k, nil
}

// Book is what is said now.
func (k *Keeper) Book() Book {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.refresh(); err != nil && err.Error() != k.complain {
		k.complain = err.Error()
		k.log.Error("the phrases cannot be read, those of before go on", "err", err)
	}
	return k.book
}

func (k *Keeper) refresh() error {
	text, err := k.read()
	if err != nil {
		return err
	}
	if k.book != nil && bytes.Equal(text, k.text) {
		return nil
	}
	book, err := Parse(text)
	if err != nil {
		return err
	}
	k.text, k.book, k.complain = text, book, ""
	return nil
}
