package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// layers says which of our own packages each package may import. Imports point one way: cmd → call → domain → journal
// types. Adapters never import one another, only cmd and test read the configuration, and nothing imports what is here
// for tests. A package that is not listed may import none of ours.
var layers = map[string][]string{
	"ari":              nil,
	"ari/aritest":      {"ari"},
	"call":             {"ari", "call/scene", "ivr", "ivr/calendar", "ivr/prompt", "queue", "recordings", "journal"},
	"call/scene":       nil,
	"configs":          nil,
	"configs/asterisk": {"configs"},
	"desk":             {"ari", "call/scene", "softphone"},
	"ivr":              {"ivr/calendar", "ivr/prompt"},
	"ivr/calendar":     nil,
	"ivr/prompt":       nil,
	"journal":          nil,
	"journal/audit":    {"journal"},
	"queue":            nil,
	"queue/queuetest":  {"queue"},
	"queue/redisq":     {"queue"},
	"recordings":       {"journal"},
	"softphone":        nil,
	"web":              {"call/scene", "queue", "web/account", "web/live", "web/phrase", "web/sso"},
	"web/account":      nil,
	"web/live":         nil,
	"web/phrase":       nil,
	"web/region":       nil,
	"web/sso":          nil,
	"web/sso/ssotest":  nil,
	"web/ui":           nil,
}

// free are the folders whose packages may import anything: the wiring and the tests.
var free = []string{"cmd/", "test/"}

// doubles stand in for a part in the tests of whoever may import that part.
var doubles = map[string]string{"ari/aritest": "ari", "queue/queuetest": "queue", "softphone/softphonetest": "softphone"}

type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func TestLayers(t *testing.T) {
	packages := list(t)
	if len(packages) < len(layers) {
		t.Fatalf("go list found %d packages, fewer than the %d named here", len(packages), len(layers))
	}
	for _, p := range packages {
		name := strings.TrimPrefix(p.ImportPath, "hotline/")
		if isFree(name) {
			continue
		}
		for _, imported := range ours(p.Imports) {
			if !allows(name, imported) {
				t.Errorf("%s imports %s, which layers does not allow: imports point one way; declare the small interface %s needs and let cmd join the two, or add a new package to the list", name, imported, name)
			}
		}
		for _, imported := range ours(append(p.TestImports, p.XTestImports...)) {
			if imported != name && !allows(name, imported) && !allows(name, doubles[imported]) && !isFree(imported) && !strings.HasPrefix(imported, name+"/") {
				t.Errorf("the tests of %s import %s: a test that needs both belongs into test/", name, imported)
			}
		}
	}
}

func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var packages []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func ours(imports []string) []string {
	var names []string
	for _, path := range imports {
		if name, ok := strings.CutPrefix(path, "hotline/"); ok {
			names = append(names, name)
		}
	}
	return names
}

func allows(name, imported string) bool {
	for _, allowed := range layers[name] {
		if imported == allowed {
			return true
		}
	}
	return false
}

func isFree(name string) bool {
	for _, folder := range free {
		if strings.HasPrefix(name+"/", folder) {
			return true
		}
	}
	return false
}
