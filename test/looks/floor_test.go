package looks

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"hotline/call/scene"
	"hotline/test/browser"
)

// A supervisor goes from an agent's row into the talk, from listening to whispering to joining, and out again; the browser's
// own line is up before anything is asked for.
func TestASupervisorOnTheFloor(t *testing.T) {
	theatre, server := opens(t, time.Now)
	told, bye := make(chan string, 10), make(chan struct{}, 10)
	theatre.Bye = func() { bye <- struct{}{} }
	theatre.Do = func(agentID string, o scene.Order) { told <- agentID + " " + string(o.Act) + " " + o.Call }
	tab := browser.Start(t, browser.Options{Name: "the supervisor", Voice: 350}).Open(server.URL + Begins("floor", "/floor?agent=1001", "en", false))
	defer tab.Close()
	asks := func(button, act string) {
		t.Helper()
		tab.ClickText("button", button)
		select {
		case got := <-told:
			if want := aSupervisor + " " + act + " " + theCall; got != want {
				t.Errorf("%s asks for %q, want %q", button, got, want)
			}
		case <-time.After(15 * time.Second):
			t.Fatalf("%s asks for nothing; the page says: %s", button, tab.Text("body"))
		}
	}
	asks("Listen", "listen")
	tab.Until(`document.querySelector('.monitoring .level') && document.querySelector('.monitoring [aria-pressed=true]').textContent === 'Listen'`)
	asks("Whisper", "whisper")
	tab.Until(`document.querySelector('.monitoring [aria-pressed=true]').textContent === 'Whisper'`)
	asks("Join", "barge")
	asks("Stop listening", "leave")
	tab.Gone(".monitoring")
	select {
	case <-bye: // calls would ring where nobody can answer them
	case <-time.After(15 * time.Second):
		t.Error("who listens to nobody any more keeps the line")
	}
}

// Two clicks before the line's code has come make one line.
func TestASupervisorClicksTwice(t *testing.T) {
	theatre, _ := opens(t, time.Now)
	service := &asked{of: theatre, n: map[string]int{}}
	hotline := httptest.NewServer(service)
	t.Cleanup(func() { hotline.CloseClientConnections(); hotline.Close() })
	tab := browser.Start(t, browser.Options{Name: "the supervisor", Voice: 350}).Open(hotline.URL + Begins("floor", "/floor?agent=1001", "en", false))
	defer tab.Close()
	tab.See(".detail button[aria-pressed]")
	tab.Evaluate(`[...document.querySelectorAll('.detail button[aria-pressed]')].slice(0, 2).forEach((b) => b.click())`, nil)
	tab.See(".monitoring .level")
	if n := service.times("POST /api/v1/desk/ticket"); n != 1 {
		t.Errorf("%d lines were opened", n)
	}
}

// Pointing at a table holds its rows where they are, and what is in them goes on. A row that was clicked does not hold them
// for as long as it has the focus.
func TestPointingAtATable(t *testing.T) {
	_, server := opens(t, time.Now)
	tab := browser.Start(t, browser.Options{Name: "the supervisor"}).Open(server.URL + Begins("floor", "/floor", "en", false))
	defer tab.Close()
	tab.See(".agents tbody tr")
	tab.Evaluate(`document.querySelector('.agents .scroll').dispatchEvent(new PointerEvent('pointerenter', { pointerType: 'mouse' }))`, nil)
	tab.Evaluate(`window.before = document.querySelector('.agents tbody').innerText`, nil)
	tab.Until(`document.querySelector('.agents tbody').innerText !== before`)
	tab.Evaluate(`window.before = document.querySelector('.agents tbody').innerText`, nil)
	tab.Until(`document.querySelector('.agents tbody').innerText !== before`)
	const held = `.agents .scroll > .hidden`
	tab.Until(`document.querySelector('` + held + `')`)
	tab.Click(".agents tbody tr")
	tab.Until(`document.activeElement.matches('.agents tbody tr')`)
	tab.Evaluate(`document.querySelector('.agents .scroll').dispatchEvent(new PointerEvent('pointerleave', { pointerType: 'mouse' }))`, nil)
	tab.Until(`!document.querySelector('` + held + `')`)
	if said := tab.Complaints(); len(said) > 0 {
		t.Errorf("the page complains: %q", said)
	}
}

// The wall counts an agent of several queues once, and says which queue has nobody.
func TestTheWallCountsPeople(t *testing.T) {
	_, server := opens(t, func() time.Time { return afternoon })
	tab := browser.Start(t, browser.Options{Name: "who looks"}).Open(server.URL + Begins("floor", "/wall", "en", true))
	defer tab.Close()
	tab.See(".value")
	var ready, waiting string
	figure := func(name string) string {
		return `(({ className, innerText }) => className + ' ' + innerText.replace(/\s+/g, ' '))([...document.querySelectorAll('section')].find((s) => s.querySelector('h2').innerText === '` + name + `'))`
	}
	tab.Evaluate(figure("Ready"), &ready)
	tab.Evaluate(figure("Waiting"), &waiting)
	if !strings.Contains(ready, "Ready 1") {
		t.Errorf("of one agent who is ready in two queues the wall says %q", ready)
	}
	if !strings.Contains(waiting, "amber") || !strings.Contains(waiting, "人工服务") {
		t.Errorf("of callers in a queue with nobody the wall says %q", waiting)
	}
}

// What is printed is the whole page.
func TestPrinting(t *testing.T) {
	_, server := opens(t, func() time.Time { return afternoon })
	tab := browser.Start(t, browser.Options{Name: "who prints"}).Open("about:blank")
	defer tab.Close()
	paper := wide
	paper.Paper, paper.Height = true, 480
	for _, page := range [][3]string{{"floor", "/floor?agent=1001", ".agents tbody tr"}, {"talking", "/desk", "textarea"}, {"floor", "/wall", ".value"}} {
		tab.Look(paper)
		tab.Go(server.URL + Begins(page[0], page[1], "en", true))
		tab.Until(`document.querySelector('` + page[2] + `') && __settled()`)
		var cut []string
		tab.Evaluate(`[...document.querySelectorAll('main, section, aside, .scroll')].filter((e) => e.scrollHeight > e.clientHeight + 1 && getComputedStyle(e).overflowY !== 'visible').map((e) => e.className)`, &cut)
		var over int
		tab.Evaluate(`document.querySelector('main').parentElement.scrollHeight - document.querySelector('main').parentElement.clientHeight`, &over)
		if len(cut) > 0 || over > 1 {
			t.Errorf("%s: cut off are %q, and %d px below its end", page[1], cut, over)
		}
	}
}

// The duty manager's page has the desk's keys, and closing what one opened leaves the focus where it was.
func TestTheManagersKeys(t *testing.T) {
	_, server := opens(t, func() time.Time { return afternoon })
	tab := browser.Start(t, browser.Options{Name: "the duty manager", Voice: 350}).Open(server.URL + Begins("manager-talking", "/manager", "en", true))
	defer tab.Close()
	tab.See("textarea")
	tab.Until(`__settled()`)
	tab.Evaluate(`document.querySelector('textarea').focus()`, nil)
	tab.Press(kb.F9)
	tab.See(".pad")
	tab.Press(kb.Escape)
	tab.Gone(".pad")
	tab.Until(`document.activeElement === document.querySelector('textarea')`)
}

// A customer who closes the page has hung up.
func TestACustomerClosesThePage(t *testing.T) {
	theatre, server := opens(t, time.Now)
	bye := make(chan struct{}, 10)
	theatre.Bye = func() { bye <- struct{}{} }
	tab := browser.Start(t, browser.Options{Name: "a customer", Voice: 350}).Open(server.URL + Begins("visitors", "/call", "en", false))
	defer tab.Close()
	tab.Click("button.start")
	tab.See(".time")
	tab.Until(`!document.querySelector('.time').innerText.startsWith('0:00')`)
	tab.Go("about:blank")
	select {
	case <-bye:
	case <-time.After(15 * time.Second):
		t.Error("the line of a customer who has left is not given up")
	}
}
