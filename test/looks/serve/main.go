// Command serve plays the service on loopback, to look at its pages without a telephone: it says where.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"hotline/test/looks"
)

const address = "127.0.0.1:8089"

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func serve() error {
	theatre, err := looks.New(time.Now)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for _, name := range looks.Names() {
		fmt.Printf("http://%s%s\n", address, looks.Begins(name, "/", "", false))
	}
	return http.Serve(listener, theatre) // on loopback, for one developer, until interrupted
}
