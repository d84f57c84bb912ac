package stand_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hotline/test/stand"
)

// complaint is a line of Asterisk's log that something is wrong with what we told it.
var complaint = regexp.MustCompile(`(?m)^.*\b(WARNING|ERROR)\[.*$`)

func TestAsteriskStartsWithoutAComplaint(t *testing.T) {
	t.Parallel()
	ast := stand.Asterisk(t, stand.Options{})
	if found := complaint.FindAllString(ast.Log(), -1); len(found) > 0 {
		t.Errorf("Asterisk complains of our configuration:\n%s\nLikely causes: an option renamed in this version, or a module that needs a file or another module.", strings.Join(found, "\n"))
	}

	wanted, err := os.ReadFile(filepath.Join(ast.Dir, "etc", "modules.conf"))
	if err != nil {
		t.Fatal(err)
	}
	shown, err := ast.CLI("module show")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range regexp.MustCompile(`(?m)^load = (\S+)$`).FindAllStringSubmatch(string(wanted), -1) {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(line[1]) + ` .* Running `).MatchString(shown) {
			t.Errorf("the module %s is on the list and does not run", line[1])
		}
	}
}

func TestStandsStandBesideEachOther(t *testing.T) {
	t.Parallel()
	a, b := stand.Asterisk(t, stand.Options{}), stand.Asterisk(t, stand.Options{})
	if a.SIP() == b.SIP() || a.Dir == b.Dir || a.ARI() == b.ARI() {
		t.Fatalf("two stands share an address or a folder: %v %v, %s %s", a.SIP(), b.SIP(), a.Dir, b.Dir)
	}
	for _, i := range []*stand.Instance{a, b} {
		if _, err := i.CLI("core show uptime"); err != nil {
			t.Error(err)
		}
	}
}

func TestAStandIsGoneAfterStop(t *testing.T) {
	t.Parallel()
	i, err := stand.Start(t.Context(), stand.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(i.Dir); !os.IsNotExist(err) {
		t.Errorf("the folder %s is still there: %v", i.Dir, err)
	}
	if out, err := i.CLI("core show uptime"); err == nil {
		t.Errorf("Asterisk still answers: %s", out)
	}
}
