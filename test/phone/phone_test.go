package phone

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hotline/test/ear"
)

const ms = time.Millisecond

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testVoices = map[string]int{"caller": 300, "agent": 450}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func newPhone(t *testing.T, o Options) *Phone {
	t.Helper()
	if o.Voices == nil {
		o.Voices = testVoices
	}
	if o.IP == "" {
		o.IP = "127.0.0.1"
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// pair makes an agent's phone and a caller's phone that calls it directly.
func pair(t *testing.T, caller, agent Options) (*Phone, *Phone) {
	t.Helper()
	agent.Name, agent.Number = "agent", "1001"
	a := newPhone(t, agent)
	caller.Name, caller.IP, caller.Server = "caller", "127.0.0.2", a.Addr()
	if caller.Number == "" {
		caller.Number = "13800138000"
	}
	return newPhone(t, caller), a
}

// talk brings up a call between two phones.
func talk(t *testing.T, ctx context.Context, caller, agent *Phone) (outgoing, incoming *Call) {
	t.Helper()
	outgoing, err := caller.Call(ctx, "1001")
	if err != nil {
		t.Fatal(err)
	}
	if incoming, err = agent.NextCall(ctx); err != nil {
		t.Fatal(err)
	}
	return outgoing, incoming
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTalk(t *testing.T) {
	for _, law := range []ear.Law{ear.ALaw, ear.MuLaw} {
		t.Run(law.String(), func(t *testing.T) {
			ctx := testContext(t)
			caller, agent := pair(t,
				Options{Voice: 300, Laws: []ear.Law{law}, DisplayName: "王 \"小\" 明"},
				Options{Voice: 450, Incoming: AnswerAfter(200 * ms)})
			out, in := talk(t, ctx, caller, agent)
			must(t, out.WaitRinging(ctx))
			_, err := out.WaitHeard(ctx, "voice.agent", 0)
			must(t, err)
			_, err = in.WaitHeard(ctx, "voice.caller", 0)
			must(t, err)

			if got, want := in.RemoteName(), "王 \"小\" 明"; got != want {
				t.Errorf("the agent's phone shows %q, want %q", got, want)
			}
			if got := in.RemoteNumber(); got != "13800138000" {
				t.Errorf("the agent's phone shows number %q", got)
			}
			times := out.Times()
			if rings := times.Answered.Sub(times.Ringing); rings < 150*ms || rings > 500*ms {
				t.Errorf("answered %v after ringing, want 0.2 s", rings)
			}
			must(t, out.Keys(ctx, "12#"))
			must(t, in.WaitKeys(ctx, "12#"))
			if keys := in.KeysHeard(); len(keys) != 3 || keys[0].Held < 80*ms || keys[0].Held > 120*ms {
				t.Errorf("keys heard: %+v, want three of 0.1 s", keys)
			}
			must(t, out.Hangup(ctx))
			how, err := in.WaitEnded(ctx)
			must(t, err)
			if how.By != Them || how.Reason != "BYE" {
				t.Errorf("the agent's call ended by %v, want their BYE", how)
			}
			if gaps := in.Gaps(150 * ms); len(gaps) > 0 {
				t.Errorf("RTP paused for %v; is the machine overloaded?", gaps)
			}
		})
	}
}

func TestPacing(t *testing.T) {
	ctx := testContext(t)
	caller, agent := pair(t, Options{Voice: 300}, Options{Incoming: AnswerAfter(0)})
	out, in := talk(t, ctx, caller, agent)
	_, err := in.WaitHeard(ctx, "voice.caller", 0)
	must(t, err)
	before := len(in.Packets())
	timer := time.NewTimer(2 * time.Second)
	<-timer.C
	if n := len(in.Packets()) - before; n < 95 || n > 105 {
		t.Errorf("%d packets in 2 s, want 100", n)
	}
	p := in.Packets()
	first, last := p[0], p[len(p)-1]
	if got := last.At - first.At - time.Duration(last.TS-first.TS)*time.Second/8000; got.Abs() > 60*ms {
		t.Errorf("timestamps and arrivals drift apart by %v", got)
	}
	must(t, out.Hangup(ctx))
}

func TestHold(t *testing.T) {
	ctx := testContext(t)
	caller, agent := pair(t, Options{Voice: 300}, Options{Voice: 450, Incoming: AnswerAfter(0)})
	out, in := talk(t, ctx, caller, agent)
	_, err := in.WaitHeard(ctx, "voice.caller", 0)
	must(t, err)
	must(t, in.Hold(ctx))
	held := in.Since(time.Now())
	timer := time.NewTimer(500 * ms)
	<-timer.C
	must(t, in.Unhold(ctx))
	_, err = in.WaitHeard(ctx, "voice.caller", held)
	must(t, err)
	if silences := in.Transcript().Silences(held, in.Since(time.Now()), 300*ms); len(silences) != 1 {
		t.Errorf("the caller was to fall silent once while held, heard %v", in.Transcript())
	}
	must(t, in.Hangup(ctx))
	_, err = out.WaitEnded(ctx)
	must(t, err)
}

func TestRefusals(t *testing.T) {
	for _, code := range []int{486, 480, 603} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			ctx := testContext(t)
			caller, _ := pair(t, Options{}, Options{Incoming: DeclineAfter(50*ms, code)})
			out, err := caller.Dial(ctx, "1001")
			must(t, err)
			how, err := out.WaitEnded(ctx)
			must(t, err)
			if how.By != Them || how.Status != code {
				t.Errorf("ended %+v, want refused with %d", how, code)
			}
			if err := out.WaitAnswered(ctx); err == nil || !strings.Contains(err.Error(), "was not answered") {
				t.Errorf("waiting for an answer gave %v", err)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	ctx := testContext(t)
	caller, agent := pair(t, Options{}, Options{Incoming: RingForEver()})
	out, err := caller.Dial(ctx, "1001")
	must(t, err)
	in, err := agent.NextCall(ctx)
	must(t, err)
	must(t, out.WaitRinging(ctx))
	must(t, out.Hangup(ctx))
	if how, _ := out.Ended(); how.By != Us || how.Status != 487 {
		t.Errorf("the caller's call ended %+v, want our 487", how)
	}
	how, err := in.WaitEnded(ctx)
	must(t, err)
	if how.By != Them || how.Reason != "CANCEL" {
		t.Errorf("the agent's call ended %+v, want their CANCEL", how)
	}
}

func TestEarlyMedia(t *testing.T) {
	ctx := testContext(t)
	caller, _ := pair(t, Options{}, Options{Voice: 450, Incoming: func(_ context.Context, c *Call) { _ = c.EarlyMedia() }})
	out, err := caller.Dial(ctx, "1001")
	must(t, err)
	_, err = out.WaitHeard(ctx, "voice.agent", 0)
	must(t, err)
	if times := out.Times(); !times.Answered.IsZero() || times.Progress.IsZero() || times.FirstRTP.IsZero() {
		t.Errorf("times %+v: want progress and RTP, no answer", times)
	}
	must(t, out.Hangup(ctx))
}

func TestLineDies(t *testing.T) {
	ctx := testContext(t)
	caller, agent := pair(t, Options{Voice: 300}, Options{Voice: 450, Incoming: AnswerAfter(0)})
	out, in := talk(t, ctx, caller, agent)
	_, err := out.WaitHeard(ctx, "voice.agent", 0)
	must(t, err)
	agent.Die()
	if how, ok := in.Ended(); !ok || how.By != Died {
		t.Errorf("the dead phone's call: %+v, %v", how, ok)
	}
	died := len(out.Packets())
	timer := time.NewTimer(300 * ms)
	<-timer.C
	if n := len(out.Packets()); n > died+2 {
		t.Errorf("%d packets came from a dead line", n-died)
	}
	if !out.Up() {
		t.Error("the caller was told of the dead line")
	}
}

func TestDTX(t *testing.T) {
	ctx := testContext(t)
	caller, agent := pair(t, Options{Voice: 300, DTX: true}, Options{Incoming: AnswerAfter(0)})
	out, in := talk(t, ctx, caller, agent)
	_, err := in.WaitHeard(ctx, "voice.caller", 0)
	must(t, err)
	out.Quiet()
	timer := time.NewTimer(600 * ms)
	<-timer.C
	out.Speak()
	resumed := in.Since(time.Now())
	_, err = in.WaitHeard(ctx, "voice.caller", resumed-100*ms)
	must(t, err)
	gaps := in.Gaps(400 * ms)
	if len(gaps) != 1 || gaps[0].Lost != 0 {
		t.Errorf("gaps %+v, want one, with nothing lost", gaps)
	}
	p := in.Packets()
	for i := 1; i < len(p); i++ {
		if p[i].At-p[i-1].At > 400*ms && !p[i].Marker {
			t.Error("the talk spurt after the silence begins without a marker")
		}
	}
}

func TestFlood(t *testing.T) {
	ctx := testContext(t)
	caller, agent := pair(t, Options{Voice: 300}, Options{Incoming: AnswerAfter(0)})
	out, in := talk(t, ctx, caller, agent)
	must(t, out.Flood(ctx, '5', 200, 200))
	must(t, in.WaitKeys(ctx, strings.Repeat("5", 200)))
	if n := len(in.KeysHeard()); n != 200 {
		t.Errorf("%d keys heard of 200", n)
	}
}

func TestOddCallers(t *testing.T) {
	long := strings.Repeat("长", 1000)
	for name, test := range map[string]struct {
		options Options
		shown   string
		number  string
	}{
		"control characters": {Options{DisplayName: "a\x01b\tc\x7f\r\nVia: x"}, "a\x01b\tc\x7fVia: x", "13800138000"},
		"3,000 bytes":        {Options{DisplayName: long}, long, "13800138000"},
		"anonymous":          {Options{Anonymous: true}, "Anonymous", "anonymous"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := testContext(t)
			caller, agent := pair(t, test.options, Options{Incoming: AnswerAfter(0)})
			_, in := talk(t, ctx, caller, agent)
			if got := in.RemoteName(); got != test.shown {
				t.Errorf("shown as %.80q, want %.80q", got, test.shown)
			}
			if got := in.RemoteNumber(); got != test.number {
				t.Errorf("number shown as %q, want %q", got, test.number)
			}
		})
	}
}

func TestCloseHangsUp(t *testing.T) {
	ctx := testContext(t)
	caller, agent := pair(t, Options{}, Options{Incoming: AnswerAfter(0)})
	_, in := talk(t, ctx, caller, agent)
	caller.Close()
	how, err := in.WaitEnded(ctx)
	must(t, err)
	if how.By != Them {
		t.Errorf("ended %+v, want by them", how)
	}
}

// A hundred and twenty phones in one process: every voice arrives both ways. How
// evenly depends on what else the machine does.
func TestManyPhones(t *testing.T) {
	ctx := testContext(t)
	const pairs = 60
	var wg sync.WaitGroup
	for i := range pairs {
		caller, agent := pair(t, Options{Voice: 300}, Options{Voice: 450, Incoming: AnswerAfter(time.Duration(i) * 10 * ms)})
		wg.Go(func() {
			out, err := caller.Call(ctx, "1001")
			if err != nil {
				t.Error(err)
				return
			}
			in, err := agent.NextCall(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			timer := time.NewTimer(3 * time.Second)
			<-timer.C
			for call, voice := range map[*Call]string{out: "voice.agent", in: "voice.caller"} {
				var total time.Duration
				for _, h := range call.Transcript().Of(voice) {
					total += h.Duration()
				}
				if len(call.Transcript()) == 0 || len(call.Transcript().Of(voice)) != len(call.Transcript()) || total < time.Second/2 {
					t.Errorf("pair %d heard %v, want %s alone; gaps in its RTP: %v", i, call.Transcript(), voice, call.Gaps(100*ms))
				}
			}
			if err := out.Hangup(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]Options{
		"voice":  {IP: "127.0.0.1", Voice: 1000},
		"IP":     {IP: "192.0.2.1"},
		"server": {IP: "127.0.0.1", Server: "nowhere"},
		"voices": {IP: "127.0.0.1", Voices: map[string]int{"a": 1}},
	} {
		if p, err := New(o); err == nil {
			p.Close()
			t.Errorf("a phone with a bad %s was made", name)
		}
	}
}

func FuzzParseSDP(f *testing.F) {
	f.Add([]byte("v=0\r\no=- 1 1 IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly\r\n"))
	f.Fuzz(func(t *testing.T, sdp []byte) {
		s, err := parseSDP(sdp)
		if err == nil && (!s.addr.IsValid() || len(s.laws) == 0) {
			t.Errorf("taken for a description: %+v", s)
		}
	})
}

func TestDirections(t *testing.T) {
	for _, c := range []struct{ offer, own, answer direction }{
		{sendRecv, sendRecv, sendRecv}, {sendOnly, sendRecv, recvOnly}, {recvOnly, sendRecv, sendOnly}, {inactive, sendRecv, inactive},
		{sendRecv, sendOnly, sendOnly}, {sendOnly, sendOnly, inactive}, {recvOnly, sendOnly, sendOnly},
	} {
		if got := c.offer.answer(c.own); got != c.answer {
			t.Errorf("an offer of %s to one who wants %s is answered %s, want %s", c.offer, c.own, got, c.answer)
		}
	}
}
