package looks

import (
	_ "embed"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"go.uber.org/goleak"

	"hotline/test/browser"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// axe is axe-core 4.14.1 as its makers publish it, unchanged; it is theirs under axe/LICENSE (MPL 2.0), and in no program.
//
//go:embed axe/axe.min.js
var axe string

// look.js says what is wrong with a page, beside that.
//
//go:embed look.js
var look string

// view is a page in a scene, and what is done first. ready finds what it has when it is there.
type view struct {
	name, page, scene string
	ready             string
	first             func(*browser.Tab)
}

// views are every page, in every scene that looks different.
var views = []view{
	{"sign-in", "/sign-in", "visitors", "form a[href='/call']", nil},
	{"sign-in-wrong", "/sign-in", "visitors-off", "form", func(tab *browser.Tab) {
		tab.Type("input[name=username]", "kf789")
		tab.Type("input[name=password]", "wrong"+kb.Enter)
		tab.Until(`document.querySelector('[role=alert]').textContent`)
	}},
	{"desk-check", "/desk", "check", "main select", nil},
	{"desk-first", "/desk", "first", "main", nil},
	{"desk-idle", "/desk", "idle", "main", nil},
	{"desk-ringing", "/desk", "ringing", "#main", nil},
	{"desk-talking", "/desk", "talking", "textarea", nil},
	{"desk-muted", "/desk", "muted", "textarea", nil},
	{"desk-hold", "/desk", "hold", "textarea", nil},
	{"desk-consult", "/desk", "talking", "textarea", presses("#picks [role=option]", kb.F6)},
	{"desk-transfer", "/desk", "talking", "textarea", presses("#picks [role=option]", kb.F7)},
	{"desk-consulting", "/desk", "consulting", "textarea", nil},
	{"desk-not-reached", "/desk", "not-reached", "textarea", nil},
	{"desk-three-way", "/desk", "three-way", "textarea", nil},
	{"desk-keypad", "/desk", "talking", "textarea", presses(".pad", kb.F9, "1", "0")},
	{"desk-hang-up", "/desk", "talking", "textarea", presses("main", kb.F10)},
	{"desk-wrap-up", "/desk", "wrap-up", "textarea", nil},
	{"desk-away", "/desk", "away", "textarea", passes(".bar")},
	{"desk-taken", "/desk", "taken", ".bar", nil},
	{"desk-audio-lost", "/desk", "line-breaks", "textarea", passes(".bar")},
	{"floor", "/floor", "floor", "table", nil},
	{"floor-agent", "/floor?agent=1001", "floor", "aside", nil},
	{"floor-listening", "/floor?agent=1001", "floor-listening", ".monitoring .level", nil},
	{"floor-rules", "/floor?queue=service", "floor", "fieldset", nil},
	{"floor-quiet", "/floor", "floor-quiet", "main", nil},
	{"wall", "/wall", "floor", ".value", nil},
	{"wall-quiet", "/wall", "wall-quiet", ".value", nil},
	{"manager", "/manager", "manager", ".quiet", nil},
	{"manager-first", "/manager", "manager-first", ".ask", nil},
	{"manager-off", "/manager", "manager-off", ".quiet", nil},
	{"manager-ringing", "/manager", "manager-ringing", ".brief", nil},
	{"manager-talking", "/manager", "manager-talking", "textarea", nil},
	{"call", "/call", "visitors", "button.start", nil},
	{"call-talking", "/call", "visitors", "button.start", func(tab *browser.Tab) {
		tab.Click("button.start")
		tab.See("button.end")
		tab.Until(`document.querySelector('.time')`)
	}},
	{"call-off", "/call", "visitors-off", ".sentence", nil},
}

// presses keys, until something is there.
func presses(until string, keys ...string) func(*browser.Tab) {
	return func(tab *browser.Tab) {
		tab.Until(`__settled()`)
		for _, key := range keys {
			tab.Press(key)
		}
		tab.See(until)
	}
}

// passes lets two seconds go by, after which trouble is worth a word.
func passes(until string) func(*browser.Tab) {
	return func(tab *browser.Tab) {
		tab.Until(`__settled()`)
		tab.Evaluate(`__later(2000)`, nil)
		tab.See(until)
	}
}

// A wide screen of an agent's and a telephone's. Both are set to a zone that is not
// the service's: pages show the service's.
var (
	wide   = browser.View{Width: 1280, Height: 720, Still: true, Zone: "America/New_York"}
	narrow = browser.View{Width: 390, Height: 844, Phone: true, Still: true, Zone: "America/New_York"}
)

const zone = "Asia/Shanghai"

// afternoon is when all this is.
var afternoon = time.Date(2026, time.March, 10, 15, 32, 14, 0, time.FixedZone(zone, 8*3600))

// opens a theatre, and serves it until the test ends.
func opens(t *testing.T, now func() time.Time) (*Theatre, *httptest.Server) {
	t.Helper()
	theatre, err := New(now)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(theatre)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		if err := theatre.Close(); err != nil {
			t.Error(err)
		}
	})
	return theatre, server
}

// Every page, in both languages, at both widths, by day and by night: nothing overflows, nothing is left untranslated, the
// browser complains of nothing, and axe-core finds nothing that is worse than minor. SCREENS names a folder for pictures of
// what was looked at, all of them by day.
func TestPages(t *testing.T) {
	_, server := opens(t, func() time.Time { return afternoon })
	screens := album{dir: os.Getenv("SCREENS")}
	person := browser.Start(t, browser.Options{Name: "who looks", Voice: 350})
	for _, v := range views {
		t.Run(v.name, func(t *testing.T) {
			for _, language := range []string{"zh-CN", "en"} {
				v.looks(t, person.Within(t), server.URL, language, &screens)
			}
		})
	}
	if err := screens.forget(); err != nil {
		t.Error(err)
	}
}

// looks at a view in a language, at both widths.
func (v view) looks(t *testing.T, person *browser.Browser, server, language string, screens *album) {
	quiet := 100 // milliseconds in which nothing changes
	if screens.dir != "" {
		quiet = 250 // and nothing is still on its way into the picture
	}
	tab := person.Open("about:blank")
	defer tab.Close()
	tab.Look(wide)
	tab.Go(server + Begins(v.scene, v.page, language, true))
	tab.See(v.ready)
	if v.first != nil {
		v.first(tab)
	}
	tab.Evaluate(axe+"; 0", nil)
	tab.Evaluate(look+"; 0", nil)
	for _, size := range []browser.View{wide, narrow} {
		// Each language and each width by day and by night, though not each of one with each of the other.
		size.Dark = screens.dir == "" && (language == "en") == (size.Width == wide.Width)
		tab.Look(size)
		tab.Until(fmt.Sprintf(`__settled(%d)`, quiet))
		at := fmt.Sprintf("%s.%s.%d", v.name, language, size.Width)
		if err := screens.keep(at, func() []byte { return tab.Picture(size.Width < wide.Width) }); err != nil {
			t.Error(err)
		}
		var wrong []string
		tab.Evaluate(fmt.Sprintf(`look(%t)`, language == "en"), &wrong)
		for _, w := range wrong {
			t.Errorf("%s: %s", at, w)
		}
	}
	for _, complaint := range tab.Complaints() {
		t.Errorf("%s.%s: the browser complains: %s", v.name, language, complaint)
	}
}

// album keeps pictures in a folder; without one it keeps none.
type album struct {
	dir  string
	kept map[string]bool
}

func (a *album) keep(name string, take func() []byte) error {
	if a.dir == "" {
		return nil
	}
	small, err := fewColours(take())
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if a.kept == nil {
		a.kept = map[string]bool{}
	}
	a.kept[name+".png"] = true
	path := filepath.Join(a.dir, name+".png")
	if before, err := os.ReadFile(path); err == nil && alike(before, small) {
		return nil
	}
	return os.WriteFile(path, small, 0o644)
}

// forget removes pictures of views that there are no more.
func (a *album) forget() error {
	if a.dir == "" || len(a.kept) != 4*len(views) {
		return nil // only some were looked at
	}
	files, err := os.ReadDir(a.dir)
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".png") && !a.kept[f.Name()] && err == nil {
			err = os.Remove(filepath.Join(a.dir, f.Name()))
		}
	}
	return err
}
