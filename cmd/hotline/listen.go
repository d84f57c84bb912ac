package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"hotline/web"
)

// Where the service listens. A process that takes over from another shares its
// TCP address and puts its control socket in the place of the other's, so that
// whoever asks always finds one of the two.

// reusePort is SO_REUSEPORT, which package syscall lacks: processes of one user
// that all ask for it listen on one address.
const reusePort = 0xf

// listenTCP listens on the address of a setting, which a successor can share.
// Unless beside another, the address has to be free: otherwise two services
// that know nothing of each other would share it unnoticed.
func listenTCP(ctx context.Context, setting, address string, beside bool) (net.Listener, error) {
	if !beside {
		free, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; is another hotline running?", setting, err)
		}
		address = free.Addr().String() // where port 0 was asked for
		if err := free.Close(); err != nil {
			return nil, err
		}
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var refused error
		err := c.Control(func(fd uintptr) {
			refused = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, reusePort, 1)
		})
		return errors.Join(err, refused)
	}}
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; does something else than a hotline listen there?", setting, err)
	}
	return l, nil
}

// controlSocket is the unix socket for commands to the service.
type controlSocket struct {
	*net.UnixListener
	path string
	file fs.FileInfo // tells ours from one that was put in its place
}

// listenControl listens on the control socket, in the place of whatever socket
// is there: it is made under another name and renamed, so that there is no
// moment without one.
func listenControl(path string) (*controlSocket, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("the control socket's folder: %w", err)
	}
	made := filepath.Join(dir, fmt.Sprintf(".%d", os.Getpid())) // short: a socket's path has at most 108 bytes
	if err := os.Remove(made); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the control socket of a hotline that is gone: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("the control socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	s := &controlSocket{UnixListener: l, path: path}
	if err := s.appear(made); err != nil {
		return nil, errors.Join(fmt.Errorf("the control socket: %w", err), l.Close(), os.Remove(made))
	}
	return s, nil
}

func (s *controlSocket) appear(made string) (err error) {
	if err := os.Chmod(made, 0o600); err != nil {
		return err
	}
	if s.file, err = os.Lstat(made); err != nil {
		return err
	}
	return os.Rename(made, s.path)
}

// Close stops listening and removes the socket's file, unless a successor has
// put its own there.
func (s *controlSocket) Close() error {
	err := s.UnixListener.Close()
	if there, statErr := os.Lstat(s.path); statErr == nil && os.SameFile(there, s.file) {
		err = errors.Join(err, os.Remove(s.path))
	}
	return err
}

// front is what the service answers: its health to whoever watches it, commands,
// and pages and API to whoever may use them.
type front struct {
	address        string // for health
	socket         string // for commands
	apiAddress     string // for pages and the API
	health         http.Handler
	control        http.Handler
	api            http.Handler // nil: nobody is answered
	leave          func()       // lets go of those who watch; with api
	log            *slog.Logger
	healthListens  net.Listener
	controlListens net.Listener
	apiListens     net.Listener
}

// What the addresses are called in hotline.yaml.
const (
	healthSetting = "listen.metrics"
	apiSetting    = "web.listen"
)

// prepare listens. Beside a service that runs it only makes sure that it can:
// what is asked is answered by the one that acts.
func (f *front) prepare(ctx context.Context, beside bool) error {
	if !beside {
		return f.listen(ctx, false)
	}
	can, err := listenTCP(ctx, healthSetting, f.address, true)
	if err == nil {
		err = can.Close()
	}
	if err == nil && f.api != nil {
		if can, err = listenTCP(ctx, apiSetting, f.apiAddress, true); err == nil {
			err = can.Close()
		}
	}
	return err
}

func (f *front) listen(ctx context.Context, beside bool) (err error) {
	if f.healthListens, err = listenTCP(ctx, healthSetting, f.address, beside); err != nil {
		return err
	}
	if f.api != nil {
		if f.apiListens, err = listenTCP(ctx, apiSetting, f.apiAddress, beside); err != nil {
			return err
		}
	}
	f.controlListens, err = listenControl(f.socket)
	return err
}

// serve answers from the moment this process acts until ctx ends.
func (f *front) serve(ctx context.Context, acts <-chan struct{}) error {
	select {
	case <-acts:
	case <-ctx.Done():
		return nil
	}
	if f.healthListens == nil {
		if err := f.listen(ctx, true); err != nil {
			return err
		}
	}
	if err := tellManager(ready); err != nil {
		f.log.Warn("the service manager does not know that the hotline is up", "err", err)
	}
	f.log.Info("the hotline is up", "metrics", f.healthListens.Addr().String())
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return serveHTTP(ctx, f.healthListens, plainServer(f.health)) })
	all.Go(func() error { return serveHTTP(ctx, f.controlListens, plainServer(f.control)) })
	if f.api != nil {
		f.log.Info("pages and API are up", "address", f.apiListens.Addr().String())
		server := web.Server(f.api)
		if f.leave != nil {
			server.RegisterOnShutdown(f.leave)
		}
		all.Go(func() error { return serveHTTP(ctx, f.apiListens, server) })
	} else {
		f.log.Info("pages and API are off: web.listen names no address")
	}
	return all.Wait()
}

// plainServer is for those who may take their time: they watch a service drain.
func plainServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
}

// serveHTTP serves until ctx ends, then lets requests finish for a moment.
func serveHTTP(ctx context.Context, l net.Listener, server *http.Server) error {
	finished := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(finished)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
		defer cancel()
		if err := server.Shutdown(last); err != nil {
			_ = server.Close() // whoever still asks is cut off: the service is going
		}
	})
	err := server.Serve(l)
	if !stop() {
		<-finished
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving %s: %w", l.Addr(), err)
	}
	return nil
}
