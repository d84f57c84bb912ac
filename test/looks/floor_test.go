package looks

import (
	"testing"
	"time"

	"hotline/call/scene"
	"hotline/test/browser"
)

// A supervisor goes from an agent's row into the talk, from listening to whispering to joining, and out again; the browser's
// own line is up before anything is asked for.
func TestASupervisorOnTheFloor(t *testing.T) {
	theatre, server := opens(t, time.Now)
	told := make(chan string, 10)
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
}
