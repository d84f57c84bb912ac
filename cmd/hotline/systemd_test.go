package main

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func TestTheServiceManagerIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	for _, state := range []string{mainProcess(), ready} {
		if err := tellManager(state); err != nil {
			t.Fatal(err)
		}
		heard := make([]byte, 100)
		n, err := manager.Read(heard)
		if err != nil || string(heard[:n]) != state {
			t.Errorf("the manager hears %q (%v), want %q", heard[:n], err, state)
		}
	}
	if want := "MAINPID=" + strconv.Itoa(os.Getpid()); mainProcess() != want {
		t.Errorf("the main process is told as %s, want %s", mainProcess(), want)
	}
	manager.Close()
	if err := tellManager(ready); err == nil {
		t.Error("a manager that is gone is no error")
	}
	t.Setenv("NOTIFY_SOCKET", "")
	if err := tellManager(ready); err != nil {
		t.Errorf("without a manager: %v", err)
	}
}
