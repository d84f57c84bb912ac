package ui

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sources are what the pages are built from. scripts/ui writes their sum into dist/sources.txt, which this test
// compares: it needs no Node. `make check-ui` builds anew and compares every file.
var sources = []string{"index.html", "package.json", "package-lock.json", "svelte.config.js", "tsconfig.json", "vite.config.ts", "public", "src"}

func TestBuildIsOfTheseSources(t *testing.T) {
	sum := sha256.New()
	for _, source := range sources {
		var files []string
		err := fs.WalkDir(os.DirFS("."), source, func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				files = append(files, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(files)
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(sum, "%x  %s\n", sha256.Sum256(text), name)
		}
	}
	built, err := fs.ReadFile(Files(), "sources.txt")
	if err != nil {
		t.Fatalf("the pages are not built: run make ui: %v", err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); strings.TrimSpace(string(built)) != got {
		t.Errorf("dist was built from other sources than these: run make ui, and commit dist")
	}
}

var refers = regexp.MustCompile(`(?:src|href)="(/[^"]+)"`)

func TestIndexNamesFilesThatAreThere(t *testing.T) {
	index, err := fs.ReadFile(Files(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	found := refers.FindAllStringSubmatch(string(index), -1)
	if len(found) < 2 {
		t.Fatalf("index.html names %d files: no script or style?\n%s", len(found), index)
	}
	for _, f := range found {
		if _, err := fs.Stat(Files(), strings.TrimPrefix(f[1], "/")); err != nil {
			t.Errorf("index.html names %s: %v", f[1], err)
		}
	}
	if strings.Contains(string(index), "<script>") || strings.Contains(string(index), "style=") {
		t.Error("index.html has code or style in it, which the content security policy forbids")
	}
}

// Nothing of the tests may be in what is served, nor anything fetched from elsewhere.
func TestNothingForeignIsServed(t *testing.T) {
	err := fs.WalkDir(Files(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(Files(), name)
		if err != nil {
			return err
		}
		for _, foreign := range []string{"played.js", "/played/", "googleapis", "cdn.", "unpkg"} {
			if strings.Contains(string(text), foreign) {
				t.Errorf("%s has %q in it", name, foreign)
			}
		}
		if ext := path.Ext(name); !strings.Contains(" .html .js .css .svg .txt ", " "+ext+" ") {
			t.Errorf("%s is of a type that no page needs", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
