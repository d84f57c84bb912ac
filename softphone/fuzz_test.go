package softphone

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v3"
)

// chromium is an offer as Debian's Chromium makes it, with what is not used
// here shortened.
const chromium = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS s\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n" +
	"a=candidate:1 1 udp 2122260223 3b5b6b7b-aaaa-4bbb-8ccc-0123456789ab.local 51472 typ host generation 0 network-id 1\r\n" +
	"a=candidate:2 1 udp 2122260223 127.0.0.1 51473 typ host generation 0 network-id 1\r\n" +
	"a=ice-ufrag:eKlt\r\na=ice-pwd:0123456789abcdefghijklmn\r\na=ice-options:trickle\r\n" +
	"a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F\r\na=setup:actpass\r\na=mid:0\r\n" +
	"a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=sendrecv\r\na=msid:s t\r\na=rtcp-mux\r\na=rtcp-rsize\r\n" +
	"a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n" +
	"a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\na=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n" +
	"a=ssrc:3735928559 cname:c\r\na=ssrc:3735928559 msid:s t\r\n"

func TestOffers(t *testing.T) {
	o, err := readOffer(chromium, PCMA)
	if err != nil {
		t.Fatal(err)
	}
	if o.origin != "- 4611731400430051336" || o.event != 126 {
		t.Errorf("read %+v", o)
	}
	for _, gone := range []string{"opus", "extmap", "local", "CN", "48000", "PCMU"} {
		if strings.Contains(o.sdp, gone) {
			t.Errorf("pion is given %q:\n%s", gone, o.sdp)
		}
	}
	change := func(old, new string) string { return strings.ReplaceAll(chromium, old, new) }
	for what, offer := range map[string]struct{ sdp, code string }{
		"empty":               {"", codeBadOffer},
		"not SDP":             {"hello", codeBadOffer},
		"video":               {change("m=audio", "m=video"), codeBadOffer},
		"two lines":           {chromium + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n", codeBadOffer},
		"not secure":          {change("UDP/TLS/RTP/SAVPF", "RTP/AVP"), codeBadOffer},
		"no codec":            {change(" 0 8 13", " 13"), codeNoCodec},
		"no rtcp-mux":         {change("a=rtcp-mux\r\n", ""), codeBadOffer},
		"no fingerprint":      {change("a=fingerprint", "a=finger"), codeBadOffer},
		"short password":      {change("0123456789abcdefghijklmn", "short"), codeBadOffer},
		"no setup":            {change("a=setup:actpass", "a=setup:holdconn"), codeBadOffer},
		"no mid":              {change("a=mid:0\r\n", ""), codeBadOffer},
		"inactive":            {change("a=sendrecv", "a=inactive"), codeBadOffer},
		"many candidates":     {chromium + strings.Repeat("a=candidate:2 1 udp 1 127.0.0.1 5 typ host\r\n", 65), codeBadOffer},
		"many attributes":     {chromium + strings.Repeat("a=x\r\n", 300), codeBadOffer},
		"a long attribute":    {chromium + "a=x:" + strings.Repeat("x", 2000) + "\r\n", codeBadOffer},
		"a line without type": {chromium + "\r\n\r\nxyz", codeBadOffer},
	} {
		_, err := readOffer(offer.sdp, PCMA)
		var r Refusal
		if !errors.As(err, &r) || r.Code() != offer.code {
			t.Errorf("%s: %v, want a refusal with %s", what, err, offer.code)
		}
	}
}

// FuzzOffer has a gateway read and answer an offer: what is wrong is refused
// with a code, what is not is answered, and nothing panics.
func FuzzOffer(f *testing.F) {
	f.Add(chromium)
	for _, seed := range []string{"", "v=0\r\n", strings.ReplaceAll(chromium, "sendrecv", "recvonly"), strings.ReplaceAll(chromium, "actpass", "active"),
		strings.ReplaceAll(chromium, "sha-256", "sha-999"), strings.ReplaceAll(chromium, "a=ssrc:3735928559", "a=ssrc:x"), strings.ReplaceAll(chromium, "0 IN IP4", "IN")} {
		f.Add(seed)
	}
	g, err := New(Options{App: &world{told: make(chan string, 1000)}, Listen: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = g.Close() })
	f.Fuzz(func(t *testing.T, text string) {
		o, err := readOffer(text, PCMU)
		if err != nil {
			var r Refusal
			if !errors.As(err, &r) || r.Code() == "" {
				t.Fatalf("refused without a code: %v", err)
			}
			return
		}
		var again sdp.SessionDescription
		if err := again.Unmarshal([]byte(o.sdp)); err != nil {
			t.Fatalf("what pion is given is not SDP: %v\n%s", err, o.sdp)
		}
		p, err := g.newPeer(newLine(PCMU, g.figures), o.origin, make(chan *peer))
		if err != nil {
			t.Fatal(err)
		}
		defer p.close()
		answer, err := p.answer(o)
		if err != nil {
			if strings.Contains(err.Error(), "panicked") {
				t.Fatalf("%v\n%s", err, o.sdp)
			}
			return
		}
		if strings.Count(answer, "m=audio") != 1 || !strings.Contains(answer, "a=candidate") {
			t.Fatalf("answered by\n%s", answer)
		}
	})
}

// FuzzFrame sends a frame on a socket that has said hello: whatever it is, what
// comes back is frames, and the gateway goes on.
func FuzzFrame(f *testing.F) {
	for _, seed := range []string{`{"type":"offer","seq":1,"sdp":"v=0"}`, `{"type":"do","seq":1,"id":"a","order":{"act":"hold"}}`,
		`{"type":"candidate","seq":1,"candidate":{"candidate":"candidate:1 1 udp 1 127.0.0.1 5 typ host","sdpMid":"0","sdpMLineIndex":0}}`,
		`{"type":"candidate","seq":1,"candidate":null}`, `{"type":"mic","seq":1,"state":"muted"}`, `{"type":"ack","seq":18446744073709551615}`,
		`{"type":"bye","seq":1}`, `{"type":"hello","token":""}`, `{"seq":1e3}`, `{"type":"mic","seq":2}`, "[]", "\xff"} {
		f.Add([]byte(seed))
	}
	offer, err := json.Marshal(chromium)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(fmt.Appendf(nil, `{"type":"offer","seq":1,"sdp":%s}`, offer))
	app := &world{told: make(chan string, 1000)}
	app.do = func(context.Context, *Session, string, json.RawMessage) error { return nil }
	g, err := New(Options{App: app, Listen: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = g.Close() })
	f.Fuzz(func(t *testing.T, frame []byte) {
		owner := rand.Text()
		near, far := newPipe()
		served := make(chan struct{})
		go func() { defer close(served); g.Serve(context.Background(), near) }()
		far.in <- fmt.Appendf(nil, `{"type":"hello","token":%q}`, g.Ticket(owner))
		take := func() bool {
			select {
			case data := <-far.out:
				var out map[string]any
				if err := json.Unmarshal(data, &out); err != nil || out["type"] == nil {
					t.Errorf("the gateway sent %q", data)
				}
				return true
			case <-app.told:
				return true
			case <-far.ended:
				return false
			case <-time.After(patience):
				t.Error("the gateway says nothing")
				return false
			}
		}
		far.in <- bytes.Clone(frame)
		far.in <- []byte(`{"type":"nonsense"`) // ends the socket
		for take() {
		}
		<-served
		if s, found := g.Session(owner); found {
			s.Close("closed")
			for over := false; !over; {
				select {
				case <-s.Done():
					over = true
				case <-app.told:
				case <-time.After(patience):
					t.Fatal("the session does not end")
				}
			}
		}
	})
}

// FuzzCandidate reads what may be a candidate.
func FuzzCandidate(f *testing.F) {
	for _, seed := range []string{"", "candidate:1 1 udp 1 127.0.0.1 5 typ host", "candidate:1 1 tcp 1 ::1 9 typ host tcptype active", "candidate:1 1 udp 1 a.local 5 typ host", "candidate:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, err := readCandidate(&webrtc.ICECandidateInit{Candidate: line})
		var r Refusal
		if err != nil && (!errors.As(err, &r) || r.Code() != codeBadCandidate) {
			t.Errorf("refused by %v", err)
		}
		if err == nil && c != nil && !usable(line) {
			t.Errorf("%q is taken alone and not in an offer", line)
		}
	})
}
