package call_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"hotline/call"
	"hotline/call/scene"
)

type logged struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *logged) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.String()
}

// A number that could not be dialled is in no log.
func TestNoWholeNumberIsLogged(t *testing.T) {
	var log logged
	s := newSet(t, entries, mayBeDialled(theirNumber), func(o *call.Options) {
		o.Directory = []call.Entry{{ID: "repair", Name: "the repair team", Number: "02088886666"}}
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	s.do(scene.DoConsult, repair) // nobody is registered there
	s.until("the agent is back", func() bool {
		return strings.Contains(log.text(), "a third could not be rung") && len(s.caller.Joined()) == 2
	})
	s.asterisk.Fail("POST", "/channels/create", 503, 20)
	s.leaveRaw(s.callID())
	s.caller.LoseLine()
	s.outcome()
	for _, number := range []string{"02088886666", theirNumber} {
		if at := strings.Index(log.text(), number); at >= 0 {
			t.Errorf("the whole number %s is in the log: …%s…", number, log.text()[max(0, at-160):min(len(log.text()), at+60)])
		}
	}
}
