package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"hotline/call"
	"hotline/test/ear"
	"hotline/test/phone"
)

// outageCalls are what `hotline outage` lists, by number.
func (w *world) outageCalls() map[string]call.OutageCall {
	w.t.Helper()
	byNumber := map[string]call.OutageCall{}
	for line := range strings.Lines(w.must("outage", "--json", "--since", "100000h")) { // the service's clock may be set
		var one call.OutageCall
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			w.t.Fatalf("`hotline outage --json` prints %q: %v", line, err)
		}
		if old, twice := byNumber[one.Number]; twice {
			w.t.Errorf("the caller is listed twice: %+v and %+v", old, one)
		}
		byNumber[one.Number] = one
	}
	return byNumber
}

// listed waits until a number is on the list, and gives its line.
func (w *world) listed(number string) (line call.OutageCall) {
	w.t.Helper()
	w.await(number+" is on the list of `hotline outage`", func() (is bool) {
		line, is = w.outageCalls()[number]
		return is
	})
	return line
}

// The service is away: who calls meanwhile and hangs up, or is turned away, is on the list as soon as it is back, with
// number and time; who was served is not. A caller who is served later is marked as such (A4).
func TestWhoCallsWhileTheServiceIsAwayIsListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Minute, nil)
	if out := w.must("outage"); !strings.HasPrefix(out, "no call was cut off or turned away") || strings.Count(out, "\n") != 1 {
		t.Errorf("before any outage `hotline outage` prints %q, want a line that says so", out)
	}
	if err := w.Kill(); err != nil {
		t.Fatal(err)
	}
	const number = "13800000071"
	lost := w.dial(w.caller(phone.Options{Number: number}))
	w.hears(lost, ear.HoldTone, 0)
	w.passes(3 * time.Second)
	hangup(w, lost)
	end := w.ended(lost)

	if err := w.Serve(w.ctx, ""); err != nil {
		t.Fatal(err)
	}
	line := w.listed(number)
	t.Logf("listed: %+v", line)
	if line.Stage != "net" || line.How != call.NetHungUp || line.Since != "" {
		t.Errorf("the caller is listed as %+v, want one who hung up in the net", line)
	}
	if off := line.At.Sub(lost.Start()); off.Abs() > time.Second {
		t.Errorf("the caller is said to have called at %v, want %v", line.At, lost.Start())
	}
	if off := line.Waited - (end.At - answeredAt(lost)).Seconds(); off < -1 || off > 1 {
		t.Errorf("the caller is said to have waited %.1f s, want %v", line.Waited, end.At-answeredAt(lost))
	}
	if table := w.must("outage"); !strings.Contains(table, number) || !strings.Contains(table, line.At.Local().Format("01-02 15:04:05")) {
		t.Errorf("`hotline outage` prints\n%s\nwant number and time", table)
	}
	if hint := w.must("messages"); !strings.Contains(hint, "still to be called back: 1;") {
		t.Errorf("`hotline messages` ends with\n%s\nwant that there is a call to be called back", hint)
	}
	if strings.Contains(w.ServiceLog(), number) {
		t.Error("the log has the caller's whole number")
	}

	w.serves(number, w.agent("1001", phone.AnswerAfter(time.Second)))
	if line := w.listed(number); line.Since != call.SinceServed {
		t.Errorf("after being served the caller is listed as %+v", line)
	}
	if hint := w.must("messages"); !strings.Contains(hint, "still to be called back: 0;") {
		t.Errorf("`hotline messages` ends with\n%s\nwant that nobody is to be called back any more", hint)
	}
}
