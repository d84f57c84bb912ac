package e2e

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"hotline/test/browser"
)

// page opens an agent's page in a browser of its own, signed in and past the device check.
func (w *world) page(account string) *browser.Tab {
	w.t.Helper()
	b := browser.Start(w.t, browser.Options{Name: "agent " + account, Voice: voices["agent"], Voices: voices, Code: w.code})
	tab := b.Open("http://" + w.Config.Web.Listen.String() + "/desk")
	tab.Type(`input[name=username]`, account)
	tab.Type(`input[name=password]`, "dev-"+account)
	tab.Press(kb.Enter)
	tab.ClickText("button", "以后再试")
	return tab
}

// An agent in a browser takes a caller: with the keyboard alone, each hears the other, and the caller's hang-up ends it.
func TestAnAgentInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Minute, nil)
	tab := w.page("1001")
	tab.ClickText("button", "上线接话")
	caller := w.wants("13900000001")
	tab.See(".acts")
	began := tab.Now()
	tab.Press(kb.F2)
	answered := caller.Since(time.Now())
	w.hears(caller, "voice.agent", answered)
	tab.Hears("voice.caller", began)
	w.hears(caller, "agent.after", 0)
	if gaps := caller.Gaps(200 * time.Millisecond); len(gaps) > 0 {
		t.Errorf("the caller heard gaps: %v", gaps)
	}
	if err := caller.Hangup(w.ctx); err != nil {
		t.Fatal(err)
	}
	for _, complaint := range tab.Complaints() {
		t.Errorf("the page complains: %s", complaint)
	}
}
