package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"hotline/softphone"
)

// nobody is an application without calls: legs are plugged in as the load asks.
type nobody struct{}

func (nobody) Opened(*softphone.Session)                                             {}
func (nobody) Closed(*softphone.Session, string)                                     {}
func (nobody) Mic(*softphone.Session, softphone.Mic)                                 {}
func (nobody) Digit(*softphone.Session, rune)                                        {}
func (nobody) Audio(*softphone.Session, softphone.Audio)                             {}
func (nobody) Do(context.Context, *softphone.Session, string, json.RawMessage) error { return nil }

// serve is the process that is measured: a gateway, its signalling, and three resources for the load. It prints their
// address, and ends with its standard input.
func serve(ctx context.Context, profile string) error {
	g, err := softphone.New(softphone.Options{App: nobody{}, Listen: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		return err
	}
	defer g.Close()
	mux := http.NewServeMux()
	mux.Handle("/signal", g)
	mux.HandleFunc("/ticket", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, g.Ticket(r.FormValue("owner"))) })
	mux.HandleFunc("/plug", func(w http.ResponseWriter, r *http.Request) {
		at, err := plug(r.Context(), g, r.FormValue("owner"), r.FormValue("far"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, at)
	})
	mux.HandleFunc("/used", func(w http.ResponseWriter, _ *http.Request) {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(used{Own: time.Duration(u.Utime.Nano()), Kernel: time.Duration(u.Stime.Nano())})
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux}
	defer server.Close()
	go func() { _ = server.Serve(listener) }() // ends by Close
	if profile != "" {
		file, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	fmt.Println(listener.Addr())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// plug opens a port for a leg and plugs it into the owner's line.
func plug(ctx context.Context, g *softphone.Gateway, owner, far string) (netip.AddrPort, error) {
	address, err := netip.ParseAddrPort(far)
	if err != nil {
		return netip.AddrPort{}, err
	}
	session, found := g.Session(owner)
	if !found {
		return netip.AddrPort{}, errors.New("no session of " + owner)
	}
	port, err := g.Port(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		return netip.AddrPort{}, err
	}
	port.Far(address)
	return port.Addr(), session.Plug(ctx, port)
}

// gateway is that process, as the load sees it.
type gateway struct {
	address string
	cmd     *exec.Cmd
	stdin   io.Closer
}

// start starts it, with so many processors; 0: all.
func start(ctx context.Context, processors int, profile string) (*gateway, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	g := &gateway{cmd: exec.CommandContext(ctx, self, "-gateway", "-profile", profile)}
	g.cmd.Stderr = os.Stderr
	if processors > 0 {
		g.cmd.Env = append(os.Environ(), fmt.Sprint("GOMAXPROCS=", processors))
	}
	if g.stdin, err = g.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the gateway did not start: %w", err), g.stop())
	}
	g.address = strings.TrimSpace(line)
	return g, nil
}

func (g *gateway) stop() error {
	_ = g.stdin.Close()
	return g.cmd.Wait()
}

// ask gets a resource of the gateway's process.
func (g *gateway) ask(ctx context.Context, path string, query url.Values) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.address+path+"?"+query.Encode(), nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, body)
	}
	return string(body), err
}

// used is processor time: the program's own, and the kernel's for it.
type used struct{ Own, Kernel time.Duration }

func (u used) since(before used) used { return used{u.Own - before.Own, u.Kernel - before.Kernel} }

func (u used) total() time.Duration { return u.Own + u.Kernel }

// used is what the process used so far.
func (g *gateway) used() (u used, err error) {
	text, err := g.ask(context.Background(), "/used", nil)
	if err != nil {
		return used{}, err
	}
	return u, json.Unmarshal([]byte(text), &u)
}
