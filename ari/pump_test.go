package ari

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"pgregory.net/rapid"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func quietLink(t testing.TB) *Link {
	t.Helper()
	l, err := New(Options{URL: "http://127.0.0.1:1/ari", App: "hotline", Username: "u", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// seenEvents are events as Asterisk 22.10.1 sent them.
func seenEvents(t testing.TB) [][]byte {
	t.Helper()
	data, err := os.ReadFile("testdata/events.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSpace(data), []byte("\n"))
}

func TestDecodeWhatAsteriskSends(t *testing.T) {
	seen := make(map[string]int)
	for _, data := range seenEvents(t) {
		k, name, ev, err := decode(data)
		if err != nil {
			t.Errorf("%v in %s", err, data)
			continue
		}
		seen[name]++
		if k == nil {
			if name != "ChannelToneDetected" {
				t.Errorf("%s is not known", name)
			}
			continue
		}
		if id := k.target(ev); (id == "") != (name == "ApplicationReplaced") {
			t.Errorf("%s is routed by %q", name, id)
		}
		if start, ok := ev.(*stasisStart); ok {
			whole, err := start.whole()
			if err != nil || whole.language != "en" || whole.Channel.Caller == nil || whole.Channel.Dialplan.Exten == "" {
				t.Errorf("StasisStart lacks language, caller or extension: %+v %v", whole, err)
			}
		}
		if d, ok := ev.(*destroyed); ok && bytes.Contains(data, []byte(`"tech_cause":`)) != (d.TechCause != 0) {
			t.Errorf("ChannelDestroyed has the technical cause %d in %s", d.TechCause, data)
		}
	}
	for _, k := range kinds {
		if seen[k.name] == 0 {
			t.Errorf("no example of %s in testdata/events.jsonl", k.name)
		}
	}
}

func TestPacketCounts(t *testing.T) {
	for stats, want := range map[string]RTP{
		"": {},
		"ssrc=1466214938;themssrc=7;lp=3;rxjitter=0.000000;rxcount=115;txjitter=0.000000;txcount=65;rlp=2;rtt=0.000000;rxmes=0.0": {
			Known: true, Received: 115, Sent: 65, Lost: 3, LostRemotely: 2},
		"rxcount=;txcount=x;lp": {},
	} {
		if got := rtpOf(stats); got != want {
			t.Errorf("%q is %+v, want %+v", stats, got, want)
		}
	}
}

// Whatever is received, the pump neither fails nor panics, and names what it
// decodes.
func FuzzDecode(f *testing.F) {
	for _, data := range seenEvents(f) {
		f.Add(data)
	}
	for _, s := range []string{`{"type":"`, `{"type":"Dial"}`, `{"type":"Dial","peer":null}`, `{"Type":"StasisEnd"}`, `{"type":"A\u0042"}`, `{"type":"StasisStart","channel":{"creationtime":"x"}}`} {
		f.Add([]byte(s))
	}
	l := quietLink(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		k, name, ev, err := decode(data)
		if err == nil && name == "" {
			t.Errorf("an event without a name: %q", data)
		}
		if k != nil && err == nil {
			k.target(ev)
		}
		if err := l.take(data); err != nil && name != "ApplicationReplaced" {
			t.Errorf("the pump stops: %v at %q", err, data)
		}
	})
}

// Whatever order a leg's events come in, and however often: at most one
// ringing, answer and end, no ringing after the answer, nothing after the end.
func TestLegSurvivesAnyOrder(t *testing.T) {
	status := func(s string) *dialStep { return &dialStep{Dialstatus: s} }
	possible := map[string]func() any{
		"start":     func() any { return new(stasisStart) },
		"end":       func() any { return new(stasisEnd) },
		"ringing":   func() any { return status("RINGING") },
		"answer":    func() any { return status("ANSWER") },
		"sent":      func() any { return status("") },
		"request":   func() any { return new(hangupRequest) },
		"soft":      func() any { r := new(hangupRequest); r.Soft = true; return r },
		"destroyed": func() any { d := new(destroyed); d.Cause = 16; return d },
		"key":       func() any { return &keyReceived{Digit: "1"} },
		"hold":      func() any { return new(channelHold) },
		"unhold":    func() any { return new(channelUnhold) },
	}
	names := make([]string, 0, len(possible))
	for name := range possible {
		names = append(names, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		session := quietLink2(t).Session("call")
		leg := session.Adopt(Arrival{ChannelID: "c"})
		leg.subscribed = rapid.Bool().Draw(t, "subscribed")
		leg.dialing = rapid.Bool().Draw(t, "dialing")
		for _, name := range rapid.SliceOf(rapid.SampledFrom(names)).Draw(t, "events") {
			leg.handle(possible[name]())
		}
		count := make(map[EventKind]int)
		held := false
		for ev, ok := session.Poll(); ok; ev, ok = session.Poll() {
			if count[Gone] > 0 {
				t.Fatalf("%s after the end", ev.Kind)
			}
			if ev.Kind == Ringing && count[Answered] > 0 {
				t.Fatal("ringing after the answer")
			}
			if ev.Kind == Held && held || ev.Kind == Resumed && !held {
				t.Fatalf("%s while held is %v", ev.Kind, held)
			}
			held = ev.Kind == Held || held && ev.Kind != Resumed
			count[ev.Kind]++
		}
		for _, once := range []EventKind{Ringing, Answered, DialFailed, Gone} {
			if count[once] > 1 {
				t.Fatalf("%d × %s", count[once], once)
			}
		}
		if (leg.ctx.Err() != nil) != (count[Gone] == 1) {
			t.Fatalf("%d × gone, but the context says %v", count[Gone], leg.ctx.Err())
		}
		if count[DialFailed] > 0 && (count[Answered] > 0 || count[Gone] == 0) {
			t.Fatalf("dial failed: %v", count)
		}
	})
}

func quietLink2(t *rapid.T) *Link {
	l, err := New(Options{URL: "http://127.0.0.1:1/ari", App: "hotline", Username: "u", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// BenchmarkPump shows how many events per second one core decodes, routes and
// delivers to mailboxes that are read: whole calls with an agent's leg, from
// arrival to end. At least 20,000 are wanted.
func BenchmarkPump(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	l := quietLink(b)
	const calls = 1000
	scripts := make([][][]byte, calls)
	for i := range scripts {
		scripts[i] = eventsOfACall(b, i)
	}
	events := 0
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		i := n % calls
		if i == 0 {
			l.repeats = newRepeats() // the same calls once more are not the same events
		}
		session := l.Session(fmt.Sprintf("call-%04d", i))
		agent := newLeg(l, fmt.Sprintf("call-%04d-agent-1", i))
		session.own(agent.id, agent)
		agent.attach(session)
		for _, message := range scripts[i] {
			if err := l.take(message); err != nil {
				b.Fatal(err)
			}
		}
		a, ok := l.arrivals.take()
		if !ok {
			b.Fatalf("call %d did not arrive: %s", n, scripts[i][0])
		}
		session.Adopt(a)
		read := 0
		for _, ok := session.Poll(); ok; _, ok = session.Poll() {
			read++
		}
		if read < 10 {
			b.Fatalf("%d events were delivered", read)
		}
		session.Close()
		events += len(scripts[i])
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}

// eventsOfACall are 20 events of one call, as Asterisk sent them, with IDs of
// their own.
func eventsOfACall(t testing.TB, i int) [][]byte {
	byKind := make(map[string]string)
	for _, data := range seenEvents(t) {
		kind, err := typeOf(data)
		if err != nil {
			t.Fatal(err)
		}
		if kind == "Dial" {
			_, status, _ := strings.Cut(string(data), `"dialstatus":"`)
			kind, _, _ = strings.Cut(status, `"`)
		}
		if byKind[kind] == "" {
			byKind[kind] = string(data)
		}
	}
	caller, agent := fmt.Sprintf("1795294669.%d", i), fmt.Sprintf("call-%04d-agent-1", i)
	about := func(id string, kinds ...string) (out [][]byte) {
		for n, kind := range kinds {
			event := byKind[kind]
			for _, seen := range []string{"1795294669.0", "br1-agent", "call0-agent-1"} {
				event = strings.ReplaceAll(event, `"id":"`+seen+`"`, `"id":"`+id+`"`)
			}
			unique := fmt.Sprintf(`"asterisk_id":"%02d:`, n) // or it counts as a repeat
			out = append(out, []byte(strings.Replace(event, `"asterisk_id":"00:`, unique, 1)))
		}
		return out
	}
	return slices.Concat(
		about(caller, "StasisStart", "ChannelDtmfReceived", "PlaybackFinished", "StasisEnd"),
		about(agent, "", "RINGING", "ANSWER", "ChannelHold", "ChannelUnhold"),
		about(caller, "PlaybackFinished", "ChannelDtmfReceived", "PlaybackFinished", "ChannelDtmfReceived", "PlaybackFinished"),
		about(agent, "ChannelHangupRequest", "StasisEnd", "ChannelDestroyed"),
		about(caller, "ChannelHangupRequest", "StasisEnd", "ChannelDestroyed"),
	)
}
