package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"hotline/call"
	"hotline/queue"
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
	hangUp(w, lost)
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
	if table := w.must("outage"); !strings.Contains(table, number) || !strings.Contains(table, line.At.In(w.Config.Service.Timezone.Location).Format("01-02 15:04:05")) {
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

// Asterisk is stopped or dies under the service, with callers at every stage: each is on the list, with the stage, and
// nobody else (A4).
func TestWhomTheEndOfAsteriskCutOffIsListed(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*world) error{"stopped": (*world).Halt, "killed": (*world).Crash} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 2*time.Minute, nil)
			desk := w.agent("1001", phone.AnswerAfter(0))
			w.serves("13800000080", desk)
			w.await("the agent is ready", func() bool { return w.stateOf("1001") == queue.StateReady })
			talking := w.dial(w.caller(phone.Options{Number: "13800000081", Voice: voices["caller"]}))
			w.hears(talking, "menu.main", 0)
			w.keys(talking, "0")
			w.hears(talking, "voice.agent", 0)
			waiting := w.dial(w.caller(phone.Options{Number: "13800000082"}))
			w.hears(waiting, "menu.main", 0)
			w.keys(waiting, "0")
			w.hears(waiting, ear.HoldTone, 0)
			choosing := w.dial(w.caller(phone.Options{Number: "13800000083"}))
			w.hears(choosing, "menu.main", 0)
			ringing, err := w.caller(phone.Options{Number: "13800000084"}).Dial(w.ctx, w.Config.Service.Number)
			if err != nil {
				t.Fatal(err)
			}
			if err := ringing.WaitRinging(w.ctx); err != nil {
				t.Fatal(err)
			}
			w.arrived(mask("13800000084"))

			if err := stop(w); err != nil {
				t.Fatal(err)
			}
			if err := w.Start(w.ctx); err != nil {
				t.Fatal(err)
			}
			if err := w.WaitReady(w.ctx); err != nil {
				t.Fatal(err)
			}
			for number, stage := range map[string]string{"13800000081": "talk", "13800000082": "wait", "13800000083": "menu", "13800000084": "ring"} {
				line := w.listed(number)
				t.Logf("listed: %+v", line)
				if line.Stage != stage || line.Since != "" {
					t.Errorf("%s is listed as %+v, want cut off in the stage %s", number, line, stage)
				}
				if (line.Talked > 0) != (stage == "talk") {
					t.Errorf("%s is said to have talked %.1f s in the stage %s", number, line.Talked, stage)
				}
			}
			if all := w.outageCalls(); len(all) != 4 {
				t.Errorf("listed are %+v, want the four who were cut off", all)
			}
		})
	}
}

// still says whether the service's process has been stopped in its tracks.
func (w *world) still() bool {
	w.t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.PID()))
	if err != nil {
		w.t.Fatal(err)
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "T")
}

// Who hangs up while the service is dead or stuck has not been heard to the end, or not at all: both are on the list.
func TestWhoGivesUpOnADeadServiceIsListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Minute, nil)
	w.agent("1001", phone.RingForEver())
	waiting := w.dial(w.caller(phone.Options{Number: "13800000091"}))
	w.hears(waiting, "menu.main", 0)
	w.keys(waiting, "0")
	w.hears(waiting, ear.HoldTone, 0)
	if err := w.Freeze(); err != nil {
		t.Fatal(err)
	}
	w.await("the service stands still", func() bool { return w.still() })
	ringing, err := w.caller(phone.Options{Number: "13800000092"}).Dial(w.ctx, w.Config.Service.Number)
	if err != nil {
		t.Fatal(err)
	}
	if err := ringing.WaitRinging(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.passes(2 * time.Second)
	hangUp(w, ringing)
	if err := w.Kill(); err != nil {
		t.Fatal(err)
	}
	hangUp(w, waiting)
	w.ended(waiting)
	if err := w.Serve(w.ctx, ""); err != nil {
		t.Fatal(err)
	}
	for number, stage := range map[string]string{"13800000091": "wait", "13800000092": "ring"} {
		line := w.listed(number)
		t.Logf("listed: %+v", line)
		if line.Stage != stage {
			t.Errorf("%s is listed as %+v, want the stage %s", number, line, stage)
		}
		if known := line.How == call.Lost; known != (number == "13800000091") {
			t.Errorf("%s is listed as %+v: the service knew of the one who waited, and never of the one who rang", number, line)
		}
	}
	if all := w.outageCalls(); len(all) != 2 {
		t.Errorf("listed are %+v, want two", all)
	}
}
