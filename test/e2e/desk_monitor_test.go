package e2e

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"hotline/test/phone"
)

// A supervisor listens, whispers and joins from the page of the floor, by the browser's own microphone (E6): who listens is
// heard by nobody, a whisper reaches the agent alone, and who joins is heard by both. The page is loaded anew in the middle of
// it and goes on listening; leaving gives the line up.
func TestASupervisorListensFromTheFloor(t *testing.T) {
	w := newWorld(t, 2*time.Minute, nil)
	desk := w.agent("1001", phone.AnswerAfter(0))
	boss := w.person("the supervisor", "other")
	tab := boss.Open("http://" + w.Config.Web.Listen.String() + "/floor")
	tab.Type(`input[name=username]`, "8001")
	tab.Type(`input[name=password]`, "dev-8001"+kb.Enter)
	caller := w.wants("13900000041")
	v := &visit{w, "13900000041", caller.Phone(), caller}
	agent := w.incoming(desk)
	w.hears(caller, "agent.after", 0)

	began := time.Now()
	tab.ClickText("td", "客服789")
	tab.ClickText(`aside//button`, "监听")
	both := []string{"voice.caller", "voice.agent"}
	hearsAll(w, began, tab, both, nil)
	t.Logf("the supervisor heard the talk within %v of the click", time.Since(began).Round(10*time.Millisecond))
	tab.Says(".monitoring", "监听")
	w.passes(2 * time.Second)
	w.hearsNothing(caller, "voice.other", 0, v.now())
	w.hearsNothing(agent, "voice.other", 0, agent.Since(time.Now()))

	reloaded := time.Now()
	tab.Reload()
	hearsAll(w, reloaded, tab, both, nil)
	tab.Says(".monitoring", "监听")

	whispers := time.Now()
	tab.ClickText(`div[@role="status"]//button`, "耳语")
	hearsAll(w, whispers, tab, both, map[*phone.Call][]string{agent: {"voice.other"}})
	w.passes(2 * time.Second)
	w.hearsNothing(caller, "voice.other", 0, v.now())

	joins := time.Now()
	tab.ClickText(`div[@role="status"]//button`, "加入")
	hearsAll(w, joins, tab, both, map[*phone.Call][]string{agent: {"voice.other"}, caller: {"voice.other", "voice.agent"}})

	tab.ClickText(`div[@role="status"]//button`, "退出监听")
	tab.Gone(".monitoring")
	w.passes(500 * time.Millisecond)
	left := time.Now()
	w.passes(2 * time.Second)
	w.hearsNothing(caller, "voice.other", caller.Since(left), v.now())
	w.hearsOn(caller, "voice.agent", caller.Since(left)+time.Second)
	if hasHeard(tab, "voice.*", tab.Now()-time.Since(left), tab.Now()) {
		t.Errorf("the supervisor hears on after leaving: %s", tab.Heard())
	}
	v.hangup()
	w.ended(agent)
	w.ways("8001 listen", "8001 whisper", "8001 barge", "8001 leave")
	complains(t, tab)
	w.audits()
	w.nothingLeft()
}
