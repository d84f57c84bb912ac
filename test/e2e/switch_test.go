package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hotline/call"
	"hotline/test/phone"
)

// The operator's switch: an outage that callers are told of, and a closing by hand, in force within two seconds and
// across restarts, however the service ended.
func TestTheOperatorsSwitch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3*time.Minute, nil).calm()
	w.agent("1001", phone.RingForEver())
	w.must("agent", "pause", "1001")
	announce := func(want string, args ...string) {
		t.Helper()
		started := time.Now()
		if got := strings.TrimSpace(w.must(append([]string{"announce"}, args...)...)); got != want {
			t.Errorf("hotline announce %v prints %q, want %q", args, got, want)
		}
		if took := time.Since(started); took > 2*time.Second {
			t.Errorf("hotline announce %v took %v", args, took)
		}
	}
	next := 0
	hears := func(want ...string) *phone.Call {
		t.Helper()
		next++
		c := w.dial(w.caller(phone.Options{Number: switchNumber(next)}))
		w.hears(c, want[len(want)-1], 0)
		w.heard(c, want...)
		return c
	}
	ordinary := append(slices.Clip(welcome), "menu.main")
	outage := []string{"greeting.morning", "greeting.company", "announce.outage", "notice.recording", "menu.main"}

	announce("nothing is announced")
	before := hears(ordinary...)
	// A call that rings while the switch is thrown hears it: it is not answered yet.
	ringing, err := w.caller(phone.Options{Number: "13200000090"}).Dial(w.ctx, "96196")
	if err != nil {
		t.Fatal(err)
	}
	announce("in force: outage", "outage", "on")
	announce("in force: outage", "outage", "on") // twice is once
	w.hears(ringing, "menu.main", 0)
	if answeredAt(ringing) > seconds(0.9) { // thrown before it was answered
		w.heard(ringing, outage...)
	}
	hangUp(w, ringing)
	informed := hears(outage...)
	hangUp(w, informed)
	if s := w.summary(mask(switchNumber(next))); !slices.Contains(s.Greeting, "announce.outage") {
		t.Errorf("the journal does not say that the outage was announced: %v", s.Greeting)
	}

	// A closing by hand reaches callers who wait, in its own words, and at once; an emergency stays.
	w.keys(before, "0")
	joined := w.hears(before, "queue.joined", 0)
	emergency := hears(outage...)
	w.keys(emergency, "9")
	connecting := w.hears(emergency, "emergency.connecting", 0)
	thrown := time.Now()
	announce("in force: outage closed", "closed")
	told := w.hears(before, "closed.forced", 0)
	took := told.At - before.Since(thrown)
	if took > seconds(2) {
		t.Errorf("a caller who waits is told of the closing after %v, want 2 s at most", took)
	}
	t.Logf("a caller who waits is told of the closing %v after the command was given", took)
	w.hears(before, "message.offer", told.At)
	w.silences(before, joined.At, told.At)
	hangUp(w, before)
	if s := w.summary(mask(switchNumber(1))); s.Outcome != (call.Outcome{Result: call.TurnedAway, Reason: "closed by the operator"}) {
		t.Errorf("the caller who waited ended as %+v", s.Outcome)
	}
	shut := []string{"greeting.morning", "greeting.company", "announce.outage", "notice.recording", "closed.forced"}
	turned := hears(shut...)
	w.hears(turned, "message.offer", 0)
	w.keys(turned, "1")
	w.hears(turned, "message.number.readback", 0)
	hangUp(w, turned)
	w.silences(emergency, connecting.At, emergency.Since(time.Now()))
	hangUp(w, emergency)

	// Both stay in force over a restart and over a crash.
	restart := func(stop func() error) {
		t.Helper()
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if err := w.Serve(w.ctx, "2026-03-10 10:00"); err != nil {
			t.Fatal(err)
		}
	}
	restart(func() error {
		err := w.Terminate()
		if out, refused := w.Run(w.ctx, "announce", "closed", "off"); refused == nil || !strings.Contains(refused.Error(), "hotline serve") {
			t.Errorf("the switch of a service that is down: %q, %v; want to be told to start it", out, refused)
		}
		return err
	})
	announce("in force: outage closed")
	hangUp(w, hears(shut...))
	announce("in force: outage", "closed", "off")
	restart(w.Kill)
	hangUp(w, hears(outage...))
	announce("nothing is announced", "outage", "off")
	announce("nothing is announced", "outage", "off")
	hangUp(w, hears(ordinary...))
	restart(w.Kill)
	announce("nothing is announced")

	if out, err := w.Run(w.ctx, "announce", "flood"); err == nil || !strings.Contains(err.Error(), "flood") {
		t.Errorf("an announcement that hotline.yaml does not have: %q, %v", out, err)
	}
}

func switchNumber(n int) string { return fmt.Sprintf("132000000%02d", n) }
