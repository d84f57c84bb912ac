package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A successor listens beside the one it relieves, and on when that one has
// gone; nobody else can listen there.
func TestASuccessorSharesTheAddress(t *testing.T) {
	first, err := listenTCP(t.Context(), healthSetting, "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	address := first.Addr().String()
	if _, err := listenTCP(t.Context(), healthSetting, address, false); err == nil || !strings.Contains(err.Error(), "another hotline") {
		t.Errorf("a second service listens on the first one's address, or is refused without a reason: %v", err)
	}
	second, err := listenTCP(t.Context(), healthSetting, address, true)
	if err != nil {
		t.Fatalf("a successor cannot listen beside: %v", err)
	}
	defer second.Close()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, second, "tcp", address)
}

// An address that something else than a hotline has is refused to a successor
// too, and before it has taken anything over.
func TestAStrangersAddressIsRefused(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, beside := range []bool{false, true} {
		_, err := listenTCP(t.Context(), healthSetting, taken.Addr().String(), beside)
		if err == nil || !strings.Contains(err.Error(), "listen.metrics") || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("beside another %v: %v, want that the address of listen.metrics is in use", beside, err)
		}
	}
}

// The control socket goes over without a moment in which there is none, and
// the one who goes leaves the successor's alone.
func TestTheControlSocketIsTakenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "control.sock")
	first, err := listenControl(path)
	if err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, first, "unix", path)
	second, err := listenControl(path)
	if err != nil {
		t.Fatalf("a successor cannot take the socket over: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Errorf("the one who goes: %v", err)
	}
	wantAnswer(t, second, "unix", path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v (%v), want it for its owner alone", info.Mode(), err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the last one leaves its socket behind: %v", err)
	}
	if answers(path) {
		t.Error("nobody listens, and somebody answers")
	}
	wantFiles(t, filepath.Dir(path))
}

// The socket of a service that was killed is no hindrance.
func TestAStaleControlSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	if answers(path) {
		t.Fatal("a dead socket answers")
	}
	l, err := listenControl(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	wantAnswer(t, l, "unix", path)
	wantFiles(t, filepath.Dir(path), "control.sock")
}

// wantAnswer connects to the address and wants this listener to get it.
func wantAnswer(t *testing.T, l net.Listener, network, address string) {
	t.Helper()
	accepted := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			_, err = conn.Write([]byte("here"))
			conn.Close()
		}
		accepted <- err
	}()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatalf("%s does not answer: %v", address, err)
	}
	defer conn.Close()
	word := make([]byte, 4)
	if _, err := conn.Read(word); err != nil || string(word) != "here" {
		t.Errorf("%s answers %q: %v", address, word, err)
	}
	if err := <-accepted; err != nil {
		t.Error(err)
	}
}

func wantFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	if strings.Join(names, " ") != strings.Join(want, " ") {
		t.Errorf("%s holds %v, want %v", dir, names, want)
	}
}

// answers says whether somebody listens on a unix socket.
func answers(path string) bool {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was said
	return true
}
