package faults_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"hotline/test/faults"
	"hotline/test/phone"
	"hotline/test/stand"
)

// Two services, each with a state folder of its own, on one Asterisk: the one that came last acts, the other says that it
// was replaced and sends not a single command more. Who talks goes on talking, and is served again after it.
func TestTwoServicesOnOneAsterisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 90*time.Second, nil)
	talking, agent := w.talks("13800000021", w.desk("1001", phone.AnswerAfter(0)))
	before := time.Since(talking.Start())

	wire := newProxy(t, w.asterisk)
	second := prepare(t, w.asterisk.Beside(t.TempDir()).Through(wire.Addr()))
	w.try(second.Serve(w.ctx, stand.StartClock))
	replaced := time.Now()
	leaving, cancel := context.WithTimeout(w.ctx, 5*time.Second)
	defer cancel()
	if err := w.WaitExit(leaving); err == nil || strings.Contains(err.Error(), "runs on") {
		t.Errorf("the first service, once it is replaced by a stranger: %v, want it to end with an error", err)
	}
	if w.logged("another process took over") == 0 {
		t.Errorf("the first service does not say that it was replaced:\n%s", w.ServiceLog())
	}

	c := w.dial(w.caller("13800000022"))
	w.hears(c, "menu.main", 0)
	heard := c.Transcript()
	for _, once := range []string{"greeting.morning", "menu.main"} {
		if n := len(heard.Of(once)); n != 1 {
			t.Errorf("the caller heard %s %d times, want once: exactly one service acts\nheard: %s", once, n, heard)
		}
	}
	if quiet := talking.Transcript().Silences(before, time.Since(talking.Start()), 300*time.Millisecond); len(quiet) > 0 || !talking.Up() || !agent.Up() {
		t.Errorf("the talk that went on was disturbed: silent %v\nheard: %s", quiet, talking.Transcript())
	}
	wantNoCommands(t, w.wire, replaced)
	w.hangup(agent)
	alone := time.Since(talking.Start())
	w.hears(talking, "greeting.morning", alone)
	t.Logf("the caller whose talk neither service had was taken up %v after it", time.Since(talking.Start())-alone)
	if acted := commandsSince(wire, replaced); len(acted) == 0 {
		t.Error("the second service sent no command, and yet the caller was served")
	}
}

// wantNoCommands fails the test where anything but a look was sent after a moment.
func wantNoCommands(t *testing.T, wire *faults.Proxy, after time.Time) {
	t.Helper()
	for _, one := range commandsSince(wire, after) {
		t.Errorf("%v after it was replaced the first service sent %s", one.At.Sub(after).Round(time.Millisecond), one.What)
	}
}

func commandsSince(wire *faults.Proxy, moment time.Time) (list []faults.Passed) {
	for _, one := range wire.Passed("") {
		if one.At.After(moment) && one.Side == faults.Before && !one.Event() && !strings.HasPrefix(one.What, "GET ") {
			list = append(list, one)
		}
	}
	return list
}
