package faults

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// echo is a service that says back what it hears, at both of its addresses.
func echo(t *testing.T) (web, media netip.AddrPort) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sound, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close(); sound.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); _, _ = io.Copy(conn, conn) }()
		}
	}()
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := sound.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			_, _ = sound.WriteToUDPAddrPort([]byte(from.String()+string(buffer[:n])), from)
		}
	}()
	return netip.MustParseAddrPort(listener.Addr().String()), netip.MustParseAddrPort(sound.LocalAddr().String())
}

// says sends and gives what comes back within a time; "" for nothing.
func says(t *testing.T, conn net.Conn, what string, within time.Duration) string {
	t.Helper()
	if _, err := conn.Write([]byte(what)); err != nil {
		t.Fatal(err)
	}
	return heard(t, conn, within)
}

func heard(t *testing.T, conn net.Conn, within time.Duration) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 1500)
	n, _ := conn.Read(buffer)
	return string(buffer[:n])
}

func TestANetworkIsCutAndLeft(t *testing.T) {
	web, media := echo(t)
	n, err := NewNetwork(netip.MustParseAddr("127.0.0.3"), web, media)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	dial := func(network, at string) net.Conn {
		t.Helper()
		conn, err := net.Dial(network, at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	page, sound := dial("tcp", n.Web().String()), dial("udp", netip.AddrPortFrom(n.Web().Addr(), media.Port()).String())
	const soon, patience = 100 * time.Millisecond, 10 * time.Second
	if got := says(t, page, "hello", patience); got != "hello" {
		t.Errorf("a page hears %q", got)
	}
	from := says(t, sound, "", patience)

	mend := n.Cut()
	if a, b := says(t, page, "waits", soon), says(t, sound, "lost", soon); a != "" || b != "" {
		t.Errorf("over a cut the page hears %q, and the line %q", a, b)
	}
	mend()
	if got := heard(t, page, patience); got != "waits" {
		t.Errorf("what waited arrives as %q", got)
	}
	if got := says(t, sound, "", patience); got != from {
		t.Errorf("the line is at %s, want at %s as before", got, from)
	}

	mend = n.CutPages()
	if a, b := says(t, page, "waits", soon), says(t, sound, "", patience); a != "" || b != from {
		t.Errorf("over a cut of pages the page hears %q, and the line at %s %q", a, from, b)
	}
	mend()
	if got := heard(t, page, patience); got != "waits" {
		t.Errorf("what waited arrives as %q", got)
	}

	n.Leave()
	if got := says(t, page, "nobody hears", soon); got != "" {
		t.Errorf("what was open in the network of before says %q", got)
	}
	if got := says(t, sound, "nobody hears", soon); got != "" {
		t.Errorf("the line of the network of before hears %q", got)
	}
	if got := says(t, dial("udp", sound.RemoteAddr().String()), "", patience); got == "" || got == from {
		t.Errorf("a new line is at %q, want elsewhere than %s", got, from)
	}
	if got := says(t, dial("tcp", n.Web().String()), "again", patience); got != "again" {
		t.Errorf("a new connection hears %q", got)
	}
}
