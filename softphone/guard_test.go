package softphone

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// faulty is a socket whose reads fail when they are told to.
type faulty struct {
	datagrams
	fail atomic.Int32
}

func (f *faulty) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := f.datagrams.ReadFromUDPAddrPort(b)
	if err == nil && f.fail.Load() > 0 {
		f.fail.Add(-1)
		return 0, netip.AddrPort{}, &net.OpError{Op: "read", Err: syscall.ENETDOWN}
	}
	return n, from, err
}

func TestAnErrorOfTheMediaSocketEndsNoCall(t *testing.T) {
	w := newWorld(t, nil)
	socket := w.muxes.sockets[0]
	socket.mu.Lock()
	broken := &faulty{datagrams: socket.conn}
	socket.conn = broken
	socket.mu.Unlock()
	_, k, a := w.talk("1001")
	speaking := func(what string) {
		t.Helper()
		stop := k.speak(speech)
		defer stop()
		a.tape.drain()
		a.tape.next(t)
		a.say(speech(1))
		if p := k.tape.next(t); !bytes.Equal(p.Payload, speech(1)) {
			t.Errorf("%s: the browser did not hear Asterisk", what)
		}
	}
	speaking("before any error")

	broken.fail.Store(1) // once
	speaking("after one error")
	if socket.current() != datagrams(broken) {
		t.Error("one error replaced the socket")
	}

	broken.fail.Store(1000) // and for good
	speaking("after a socket that failed for good")
	if socket.current() == datagrams(broken) {
		t.Error("a socket that fails again and again was not replaced")
	}

	socket.current().Close() // by whomever
	speaking("after a socket that was closed")
	if n := w.log.count("media socket failed"); n != 3 {
		t.Errorf("three failures were logged %d times", n)
	}
}

func TestASocketWhoseAddressIsNotFreeIsTriedAgain(t *testing.T) {
	w := newWorld(t, nil)
	socket := w.muxes.sockets[0]
	var refused atomic.Int32
	listen := socket.listen
	socket.mu.Lock()
	socket.listen = func() (datagrams, error) {
		if refused.Add(1) <= 3 {
			return nil, errNo
		}
		return listen()
	}
	socket.mu.Unlock()
	socket.current().Close()
	b := w.open("1001")
	w.connect(b)
	if refused.Load() != 4 {
		t.Errorf("the address was asked for %d times, want 4", refused.Load())
	}
}

// A process that takes over waits for the port of the one before it, which lets go of it when it leaves.
func TestAnHeirTakesTheMediaPortWhenItIsFree(t *testing.T) {
	before := newWorld(t, nil)
	at := before.Addr()
	if g, err := New(Options{App: before, Listen: at}); err == nil {
		g.Close()
		t.Fatal("two gateways have one port")
	}
	heir := newWorld(t, func(o *Options, _ *times) { o.Listen, o.Heir = at, true })
	if heir.Addr() != at {
		t.Errorf("media are to arrive at %v, want %v", heir.Addr(), at)
	}
	soon, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errNo)
	defer cancel()
	if err := heir.Listening(soon); !errors.Is(err, errNo) {
		t.Errorf("beside the one that has it, the port is ours: %v", err)
	}
	if err := before.Gateway.Close(); err != nil {
		t.Fatal(err)
	}
	if err := heir.Listening(heir.within(patience)); err != nil {
		t.Fatal(err)
	}
	heir.connect(heir.open("1001"))

	waits, err := New(Options{App: before, Listen: at, Heir: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(waits.Close(), waits.Listening(t.Context())); !errors.Is(err, ErrClosed) {
		t.Errorf("an heir that ends before its time: %v", err)
	}
}

func TestAddressesAreKeptAndBounded(t *testing.T) {
	kept := addresses{}
	at := func(n int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n >> 16)}), uint16(n))
	}
	first := kept.of(at(1))
	if first.AddrPort() != at(1) || kept.of(at(1)) != first {
		t.Errorf("%v was read as %v and then as another", at(1), first)
	}
	for n := range 2 * maxAddresses {
		if got := kept.of(at(n)); got.AddrPort() != at(n) {
			t.Fatalf("%v was read as %v", at(n), got)
		}
	}
	if len(kept) > maxAddresses {
		t.Errorf("%d addresses are kept, more than %d", len(kept), maxAddresses)
	}
}

func TestTURNCredentials(t *testing.T) {
	turn := TURN{URLs: []string{"turn:relay:3478"}, Secret: "north"}
	servers := turn.servers("x", time.Unix(1_000_000, 0))
	if len(servers) != 1 || servers[0].Username != "1043200:x" {
		t.Fatalf("servers are %+v, want one, good for 12 hours", servers)
	}
	digest := hmac.New(sha1.New, []byte("north"))
	digest.Write([]byte("1043200:x"))
	if want := base64.StdEncoding.EncodeToString(digest.Sum(nil)); servers[0].Credential != want {
		t.Errorf("the credential is %q, want %q", servers[0].Credential, want)
	}
	if got := (TURN{}).servers("x", time.Now()); got == nil || len(got) != 0 {
		t.Errorf("without a relay: %v, want an empty list", got)
	}
}

func TestAnswersNameTheAddressOutside(t *testing.T) {
	w := newWorld(t, func(o *Options, _ *times) { o.NAT = []netip.Addr{netip.MustParseAddr("203.0.113.7")} })
	b := w.open("1001")
	c, err := b.NewConnection()
	if err != nil {
		t.Fatal(err)
	}
	sdp, err := c.Offer(w.within(patience))
	if err != nil {
		t.Fatal(err)
	}
	w.send(b, map[string]any{"type": "offer", "sdp": sdp})
	answer := w.next(b, "answer").SDP
	if !strings.Contains(answer, "203.0.113.7") || strings.Contains(answer, "127.0.0.1 ") {
		t.Errorf("the answer's candidates are not the address outside:\n%s", answer)
	}
	for _, line := range strings.Split(answer, "\r\n") {
		if name, found := strings.CutPrefix(line, "a=rtpmap:"); found && name != "0 PCMU/8000" && name != "126 telephone-event/8000" {
			t.Errorf("the answer has %q, want the codec and telephone-event alone", line)
		}
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	app := &world{}
	for name, o := range map[string]Options{
		"no app":      {},
		"codec":       {App: app, Codec: "opus"},
		"origin":      {App: app, Origins: []string{"desk.example"}},
		"not ours":    {App: app, Listen: netip.MustParseAddrPort("192.0.2.1:0")},
		"TCP address": {App: app, Listen: netip.MustParseAddrPort("127.0.0.1:0"), ListenTCP: netip.MustParseAddrPort("192.0.2.1:0")},
	} {
		if g, err := New(o); err == nil {
			g.Close()
			t.Errorf("%s: a gateway was made", name)
		}
	}
	everywhere, err := New(Options{App: app})
	if err != nil {
		t.Fatalf("listening on all addresses: %v", err)
	}
	if !everywhere.Addr().IsValid() || everywhere.Addr().Addr().IsUnspecified() {
		t.Errorf("media arrive at %v, want an address of this machine", everywhere.Addr())
	}
	if err := errors.Join(everywhere.Close()); err != nil {
		t.Error(err)
	}
}
