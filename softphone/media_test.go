package softphone

import (
	"bytes"
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/prometheus/client_golang/prometheus"

	"hotline/softphone/softphonetest"
)

// talk is a browser plugged into a leg, with audio flowing.
func (w *world) talk(owner string) (*softphonetest.Browser, *talker, *asterisk) {
	w.t.Helper()
	b := w.open(owner)
	a := w.leg()
	plugged := make(chan error, 1)
	go func() { plugged <- w.session(owner).Plug(w.within(patience), a.port) }()
	k := w.connect(b)
	k.say(speech(0)) // the first packet makes the track
	if err := <-plugged; err != nil {
		w.t.Fatal(err)
	}
	a.tape.next(w.t)
	w.hears(owner + " audio ok")
	return b, k, a
}

func TestAudioPassesUntouchedBothWays(t *testing.T) {
	w := newWorld(t, nil)
	_, k, a := w.talk("1001")
	var up, down rtp.Packet
	for n := range 100 {
		k.say(speech(n))
		got := a.tape.next(t)
		if !bytes.Equal(got.Payload, speech(n)) {
			t.Fatalf("packet %d reached Asterisk with another payload", n)
		}
		if n > 0 && (got.SequenceNumber != up.SequenceNumber+1 || got.Timestamp != up.Timestamp+frameSize || got.SSRC != up.SSRC || got.Marker) {
			t.Fatalf("packet %d reached Asterisk as %+v after %+v: want the next number, 160 samples on, the same SSRC, no marker", n, got.Header, up.Header)
		}
		up = got

		a.say(speech(n + 1))
		got = k.tape.next(t)
		if !bytes.Equal(got.Payload, speech(n+1)) {
			t.Fatalf("packet %d reached the browser with another payload", n)
		}
		if n > 0 && (got.SequenceNumber != down.SequenceNumber+1 || got.Timestamp != down.Timestamp+frameSize || got.SSRC != down.SSRC || got.PayloadType != 0) {
			t.Fatalf("packet %d reached the browser as %+v after %+v", n, got.Header, down.Header)
		}
		down = got
	}
	eventually(t, "101 packets were sent on", func() bool { return w.session("1001").Stats().ToAsterisk == 101 }) // counted after they are sent
	stats := w.session("1001").Stats()
	if stats.Received != 101 || stats.Lost != 0 || stats.FromAsterisk != 100 || stats.AsteriskLost != 0 {
		t.Errorf("figures %+v, want 101 received, 100 from Asterisk, none lost", stats)
	}
}

func TestGapsAndOrderAreKept(t *testing.T) {
	w := newWorld(t, nil)
	_, k, a := w.talk("1001")
	order := []int{0, 1, 2, 5, 4, 8, 9} // 3, 6 and 7 are lost, 4 is late
	check := func(what string, send func(n int), got *tape) {
		t.Helper()
		var first rtp.Packet
		for i, n := range order {
			send(n)
			p := got.next(t)
			if i == 0 {
				first = p
			}
			if !bytes.Equal(p.Payload, speech(n)) || p.SequenceNumber != first.SequenceNumber+uint16(n) || p.Timestamp != first.Timestamp+uint32(n)*frameSize {
				t.Errorf("%s: packet %d arrived with number first+%d and time first+%d: want both by its own place", what, n,
					p.SequenceNumber-first.SequenceNumber, p.Timestamp-first.Timestamp)
			}
		}
	}
	check("to Asterisk", func(n int) { k.send(0, k.seq+uint16(n), k.ts+uint32(n)*frameSize, speech(n)) }, a.tape)
	check("to the browser", func(n int) { a.send(0, a.seq+uint16(n), a.ts+uint32(n)*frameSize, speech(n)) }, k.tape)
	if s := w.session("1001").Stats(); s.Lost != 3 || s.AsteriskLost != 3 {
		t.Errorf("lost %d from the browser and %d from Asterisk, want 3 and 3", s.Lost, s.AsteriskLost)
	}

	// What was sent before is not sent twice, wherever it comes from.
	a.send(0, a.seq+9, a.ts+9*frameSize, speech(9))
	a.send(0, a.seq+4, a.ts+4*frameSize, speech(4))
	k.tape.empty(t, 100*time.Millisecond)
}

func TestMarkerAfterSilence(t *testing.T) {
	w := newWorld(t, nil)
	_, k, a := w.talk("1001")
	k.say(speech(0), speech(1))
	a.tape.next(t)
	if p := a.tape.next(t); p.Marker {
		t.Error("the second packet of a talk has a marker")
	}
	k.ts += 8000 // a second of silence, in which the browser sent nothing
	k.say(speech(2))
	if p := a.tape.next(t); !p.Marker {
		t.Error("the first packet after silence has no marker")
	}
}

func TestWhatIsNotAudioIsDropped(t *testing.T) {
	w := newWorld(t, nil)
	_, k, a := w.talk("1001")
	a.send(13, a.seq, a.ts, []byte{40})          // comfort noise
	a.send(8, a.seq+1, a.ts+160, speech(1))      // the other codec
	a.send(101, a.seq+2, a.ts+160, []byte{1, 0}) // an event
	a.seq, a.ts = a.seq+3, a.ts+480
	if _, err := a.conn.WriteToUDPAddrPort([]byte("not RTP at all"), a.port.Addr()); err != nil {
		t.Fatal(err)
	}
	a.say(speech(3))
	if p := k.tape.next(t); !bytes.Equal(p.Payload, speech(3)) {
		t.Error("the browser was sent what is not audio of the codec")
	}
	for _, pt := range []uint8{13, 8, 9, 111} {
		k.send(pt, k.seq, k.ts, []byte{1, 2, 3, 4})
		k.seq++
		k.ts += frameSize
	}
	k.say(speech(4))
	if p := a.tape.next(t); !bytes.Equal(p.Payload, speech(4)) {
		t.Error("Asterisk was sent what is not audio of the codec")
	}
}

func TestOnlyAsteriskIsHeardOnAPort(t *testing.T) {
	w := newWorld(t, nil)
	_, k, a := w.talk("1001")
	stranger := newAsterisk(t, a.port)
	stranger.say(speech(1), speech(2))
	a.say(speech(3))
	if p := k.tape.next(t); !bytes.Equal(p.Payload, speech(3)) {
		t.Error("the browser heard a stranger who sent to Asterisk's port")
	}
}

func TestTheFarSideIsLearned(t *testing.T) {
	w := newWorld(t, nil)
	b := w.open("1001")
	k := w.connect(b)
	k.say(speech(0))
	w.hears("1001 audio ok")
	port, err := w.Port(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.session("1001").Plug(w.within(patience), port); err != nil {
		t.Fatal(err)
	}
	a := newAsterisk(t, port)
	k.say(speech(1)) // nobody knows where to
	eventually(t, "the packet was dropped", func() bool { return w.figures.dropped.unconnected.Load() > 0 })
	a.say(speech(2))
	if p := k.tape.next(t); !bytes.Equal(p.Payload, speech(2)) {
		t.Error("the browser did not hear the first packet")
	}
	k.say(speech(3))
	if p := a.tape.next(t); !bytes.Equal(p.Payload, speech(3)) {
		t.Error("Asterisk did not hear the first packet after its own")
	}

	// Another process takes the port's address over after a crash.
	at := port.Addr()
	if err := port.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := w.Port(at)
	if err != nil {
		t.Fatalf("the address of a closed port is not free: %v", err)
	}
	if again.Addr() != at {
		t.Errorf("the port is at %v, want %v as asked", again.Addr(), at)
	}
	if err := w.session("1001").Plug(w.within(patience), port); err == nil {
		t.Error("a closed port was plugged in")
	}
	if err := w.session("1001").Plug(w.within(patience), again); err != nil {
		t.Fatal(err)
	}
	a.say(speech(4))
	if p := k.tape.next(t); !bytes.Equal(p.Payload, speech(4)) {
		t.Error("the browser did not hear Asterisk on the port that was opened again")
	}
}

func TestCallsFollowOneAnotherOnALine(t *testing.T) {
	w := newWorld(t, nil)
	_, k, first := w.talk("1001")
	first.say(speech(1))
	before := k.tape.next(t)
	w.unplug(w.session("1001"), first.port)
	k.say(speech(2))
	first.say(speech(2))
	k.tape.empty(t, 50*time.Millisecond)
	first.tape.empty(t, 50*time.Millisecond)

	second := w.leg()
	second.ssrc, second.seq, second.ts = 99, 17, 17
	if err := w.session("1001").Plug(w.within(patience), second.port); err != nil {
		t.Fatal(err)
	}
	first.say(speech(3)) // a leg that is not hung up yet
	second.say(speech(4), speech(5))
	p := k.tape.next(t)
	if !bytes.Equal(p.Payload, speech(4)) {
		t.Fatal("the browser hears a leg that was unplugged")
	}
	if p.SSRC != before.SSRC || p.SequenceNumber != before.SequenceNumber+1 || int32(p.Timestamp-before.Timestamp) < frameSize || !p.Marker {
		t.Errorf("the next call began with %+v after %+v: want the same SSRC, the next number, a later time, a marker", p.Header, before.Header)
	}
	if p := k.tape.next(t); p.Marker {
		t.Error("the second packet of the next call has a marker")
	}
}

func TestALineMovesToAnotherBrowserAndThePortGoesOn(t *testing.T) {
	for name, move := range map[string]func(w *world, b *softphonetest.Browser, k *talker) *talker{
		"ICE restart": func(w *world, b *softphonetest.Browser, k *talker) *talker {
			if err := k.c.Restart(w.within(patience)); err != nil {
				w.t.Fatal(err)
			}
			return k
		},
		"another connection": func(w *world, b *softphonetest.Browser, k *talker) *talker { return w.connect(b) },
		"another tab":        func(w *world, _ *softphonetest.Browser, k *talker) *talker { return w.connect(w.open("1001")) },
		"reload": func(w *world, b *softphonetest.Browser, k *talker) *talker {
			k.c.Close()
			b.Cut()
			return w.connect(w.open("1001"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			figures := prometheus.NewRegistry()
			w := newWorld(t, func(o *Options, _ *times) { o.Registerer = figures })
			b, k, a := w.talk("1001")
			k.say(speech(1))
			before := a.tape.next(t)
			k = move(w, b, k)
			want := 0.0
			if name == "ICE restart" {
				want = 1
			}
			if got := counted(t, figures, "hotline_softphone_ice_restarts_total"); got != want {
				t.Errorf("%v ICE restarts are counted, want %v", got, want)
			}
			for n := range 50 {
				k.say(speech(n))
				got := a.tape.next(t)
				if !bytes.Equal(got.Payload, speech(n)) || got.SSRC != before.SSRC || got.SequenceNumber != before.SequenceNumber+1 || int32(got.Timestamp-before.Timestamp) < frameSize {
					t.Fatalf("packet %d reached Asterisk as %+v after %+v: want the same SSRC, the next number, a later time", n, got.Header, before.Header)
				}
				before = got
				a.say(speech(n + 1))
				if p := k.tape.next(t); !bytes.Equal(p.Payload, speech(n+1)) {
					t.Fatalf("packet %d reached the browser with another payload", n)
				}
			}
		})
	}
}

// counted is a counter without labels.
func counted(t *testing.T, from *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no figure %s", name)
	return 0
}

func TestAudioIsLostAndFoundByPackets(t *testing.T) {
	w := newWorld(t, func(_ *Options, clocks *times) { clocks.lost = usualTimes.lost })
	b := w.open("1001")
	k := w.connect(b)
	stop := k.speak(speech)
	w.hears("1001 audio ok")
	stop()
	stopped := time.Now()
	w.hears("1001 audio lost")
	if after := time.Since(stopped); after < usualTimes.lost-100*time.Millisecond {
		t.Errorf("audio was lost %v after the last packet, want %v", after, usualTimes.lost)
	}
	if got := w.session("1001").Audio(); got != AudioLost {
		t.Errorf("audio is %s, want lost", got)
	}
	k.say(speech(1))
	w.hears("1001 audio ok")
}

func TestPlugWaitsForAudio(t *testing.T) {
	w := newWorld(t, nil)
	b := w.open("1001")
	w.hears("1001 opened")
	a := w.leg()
	if err := w.session("1001").Plug(w.within(50*time.Millisecond), a.port); err == nil {
		t.Fatal("a leg was plugged into a line without audio")
	}
	plugged := make(chan error, 1)
	go func() { plugged <- w.session("1001").Plug(w.within(patience), a.port) }()
	k := w.connect(b)
	stop := k.speak(speech)
	defer stop()
	if err := <-plugged; err != nil {
		t.Fatal(err)
	}
	a.tape.next(t)

	// A session that ends lets a waiting caller know.
	other := w.open("1002")
	w.hears("1002 opened")
	leg := w.leg()
	s := w.session("1002")
	go func() { plugged <- s.Plug(w.within(patience), leg.port) }()
	w.send(other, map[string]any{"type": "bye"})
	w.hears("1002 closed bye")
	if err := <-plugged; err == nil {
		t.Error("a leg was plugged into a session that said bye")
	}
}

func TestEcho(t *testing.T) {
	w := newWorld(t, nil)
	b := w.open("1001")
	k := w.connect(b)
	k.say(speech(0))
	w.hears("1001 audio ok")
	w.session("1001").Echo(patience)
	k.say(speech(1), speech(2))
	for n := 1; n <= 2; n++ {
		if p := k.tape.next(t); !bytes.Equal(p.Payload, speech(n)) {
			t.Errorf("packet %d came back with another payload", n)
		}
	}
	w.session("1001").Echo(0)
	k.say(speech(3))
	k.tape.empty(t, 50*time.Millisecond)

	w.session("1001").Echo(patience) // and a call comes
	a := w.leg()
	if err := w.session("1001").Plug(w.within(patience), a.port); err != nil {
		t.Fatal(err)
	}
	k.say(speech(4))
	a.tape.next(t)
	k.tape.empty(t, 50*time.Millisecond)
}

func TestKeysAreToldOnceAndNeverSentOn(t *testing.T) {
	w := newWorld(t, nil)
	_, k, a := w.talk("1001")
	k.say(speech(0))
	before := a.tape.next(t)
	press := func(event byte, ends int) {
		k.ts += frameSize
		at := k.ts
		for i := range 4 {
			k.send(softphonetest.EventType, k.seq, at, []byte{event, 10, 0, byte(i+1) * 160})
			k.seq++
		}
		for range ends {
			k.send(softphonetest.EventType, k.seq, at, []byte{event, 0x80 | 10, 3, 0})
			k.seq++
		}
		k.ts += 1000
	}
	press(1, 3)
	press(1, 1)  // two of three ends were lost
	press(11, 0) // all were
	press(5, 3)
	for _, want := range []string{"1", "1", "#", "5"} {
		if before := w.hears("1001 digit " + want); len(before) > 0 {
			t.Errorf("told %q before key %s", before, want)
		}
	}
	k.say(speech(1))
	p := a.tape.next(t)
	if p.PayloadType != 0 {
		t.Errorf("a packet of type %d was sent to Asterisk, which knows none above 34", p.PayloadType)
	}
	if p.SequenceNumber != before.SequenceNumber+1 || !p.Marker {
		t.Errorf("after the keys Asterisk was sent %+v after %+v: want the next number, so that keys are not taken for lost packets, and a marker", p.Header, before.Header)
	}
	if s := w.session("1001").Stats(); s.Lost != 0 {
		t.Errorf("%d packets are said to be lost", s.Lost)
	}
	a.tape.empty(t, 20*time.Millisecond)
	w.quiet("1001 digit", 50*time.Millisecond)
}

func TestASilentMicrophoneIsNoticedInATalk(t *testing.T) {
	w := newWorld(t, func(_ *Options, clocks *times) { clocks.silent = 400 * time.Millisecond })
	b := w.open("1001")
	k := w.connect(b)
	stop := k.speak(hush)
	w.hears("1001 audio ok")
	w.quiet("1001 mic", 600*time.Millisecond) // nobody listens: it does not matter
	a := w.leg()
	if err := w.session("1001").Plug(w.within(patience), a.port); err != nil {
		t.Fatal(err)
	}
	w.hears("1001 mic silent")
	if level := w.session("1001").Stats().Level; level != -90 {
		t.Errorf("silence has level %v, want -90", level)
	}
	stop()
	stop = k.speak(speech)
	w.hears("1001 mic ok")
	stop()
	if level := w.session("1001").Stats().Level; level < -20 || level > 0 {
		t.Errorf("loud noise has level %v", level)
	}

	w.send(b, map[string]any{"type": "mic", "state": "muted"}) // the agent knows
	w.hears("1001 mic muted")
	k.speak(hush)
	w.quiet("1001 mic", 600*time.Millisecond)
}

func TestFiguresOfTheNetwork(t *testing.T) {
	w := newWorld(t, nil)
	_, k, a := w.talk("1001")
	k.speak(speech)
	ctx, cancel := context.WithCancel(w.ctx)
	said := make(chan struct{})
	go func() {
		defer close(said)
		for ticker := time.NewTicker(20 * time.Millisecond); ctx.Err() == nil; <-ticker.C {
			a.say(speech(1))
		}
	}()
	eventually(t, "the browser's reports give a round trip", func() bool { return w.session("1001").Stats().RTT > 0 })
	cancel()
	<-said
	s := w.session("1001").Stats()
	if s.RTT > time.Second || s.Lost > 0 || s.RemoteLost > 0 || s.Jitter > 100*time.Millisecond {
		t.Errorf("figures %+v of a loopback", s)
	}
}

func TestTheBrowserIsToldHowItIsReceived(t *testing.T) {
	w := newWorld(t, nil)
	b := w.open("1001")
	c, err := b.NewConnection()
	if err != nil {
		t.Fatal(err)
	}
	reports := make(chan []rtcp.Packet, 1000)
	c.Reported = func(packets []rtcp.Packet) { reports <- packets }
	k := w.talker(c)
	k.say(speech(0))
	w.hears("1001 audio ok")

	// next is the next report, which must be whole (RFC 3550 §6.1): one of a
	// receiver or a sender, and who that is.
	next := func() rtcp.Packet {
		t.Helper()
		select {
		case r := <-reports:
			if len(r) != 2 || len(r[1].DestinationSSRC()) != 1 {
				t.Fatalf("reported %v: want a report, then a name", r)
			}
			if name, ok := r[1].(*rtcp.SourceDescription); !ok || name.Chunks[0].Items[0].Type != rtcp.SDESCNAME {
				t.Fatalf("reported %v behind the report, want a name", r[1])
			}
			return r[0]
		case <-time.After(patience):
			t.Fatal("nothing was reported: does the session's ticker run, is the connection up?")
			return nil
		}
	}
	received := func(so func(rtcp.ReceptionReport) bool) {
		t.Helper()
		var last rtcp.Packet
		for end := time.Now().Add(patience); time.Now().Before(end); {
			last = next()
			if r, ok := last.(*rtcp.ReceiverReport); ok && len(r.Reports) == 1 && so(r.Reports[0]) {
				return
			}
		}
		t.Fatalf("never reported, at last %v", last)
	}
	received(func(r rtcp.ReceptionReport) bool { return r.TotalLost == 0 && r.FractionLost == 0 })
	k.seq, k.ts = k.seq+3, k.ts+3*frameSize // three are lost
	k.say(speech(4))
	received(func(r rtcp.ReceptionReport) bool {
		return r.TotalLost == 3 && r.FractionLost == 192 && r.LastSequenceNumber == uint32(k.seq-1)
	})
	stop := k.speak(speech)
	received(func(r rtcp.ReceptionReport) bool { return r.LastSenderReport != 0 }) // the browser's own came in between

	w.session("1001").Echo(patience)
	sent := false
	for end := time.Now().Add(patience); !sent && time.Now().Before(end); {
		if r, ok := next().(*rtcp.SenderReport); ok {
			sent = r.PacketCount > 0 && r.OctetCount == r.PacketCount*frameSize && time.Since(fromNTP(r.NTPTime)).Abs() < time.Minute
		}
	}
	if !sent {
		t.Error("the browser hears us, and is not told when what was sent")
	}
	stop()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if r, ok := next().(*rtcp.ReceiverReport); ok && len(r.Reports) == 0 {
			return // nobody speaks: nothing to report, but that we are there
		}
	}
	t.Error("reports go on of what is not sent")
}

func fromNTP(ntp uint64) time.Time {
	return time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(ntp>>32) * time.Second)
}

func TestConnectionsOverTCP(t *testing.T) {
	w := newWorld(t, func(o *Options, _ *times) {
		o.Listen = netip.MustParseAddrPort("127.0.0.1:0")
		o.ListenTCP = netip.MustParseAddrPort("127.0.0.1:0")
	})
	b := w.open("1001")
	c, err := b.NewTCPConnection()
	if err != nil {
		t.Fatal(err)
	}
	tape := newTape()
	c.Heard = tape.add
	if err := c.Connect(w.within(patience)); err != nil {
		t.Fatal(err)
	}
	k := &talker{t: t, c: c, tape: tape, seq: 1, ts: 1}
	k.say(speech(0))
	w.hears("1001 audio ok")
	w.session("1001").Echo(patience)
	k.say(speech(1))
	if p := k.tape.next(t); !bytes.Equal(p.Payload, speech(1)) {
		t.Error("a packet over TCP came back with another payload")
	}
}
