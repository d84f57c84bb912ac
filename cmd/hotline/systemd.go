package main

import (
	"fmt"
	"net"
	"os"
)

// tellManager tells the service manager how it stands, by sd_notify(3), where
// there is one that wants to know.
func tellManager(state string) error {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return nil
	}
	conn, err := net.Dial("unixgram", socket)
	if err != nil {
		return fmt.Errorf("tell the service manager %q: %w", state, err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("tell the service manager %q: %w", state, err)
	}
	return nil
}

const ready = "READY=1"

// mainProcess says that this process is the service from now on, so that the
// manager does not take the end of the one before it for the service's.
func mainProcess() string { return fmt.Sprintf("MAINPID=%d", os.Getpid()) }
