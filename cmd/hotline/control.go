package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"syscall"
	"time"

	"hotline/call"
	"hotline/web"
)

// The control socket is how commands reach the running service: JSON over
// HTTP on a unix socket that only the service's own user can open.

// controlServer answers the commands.
type controlServer struct {
	calls   *call.Service
	api     http.Handler // which knows queues and agents
	journal lateness
	drain   *drain
	clock   *clock
	zone    *time.Location
}

// status is what the service says of itself.
type status struct {
	Now       time.Time `json:"now"`
	Announced []string  `json:"announced"`
	Late      int       `json:"late,omitempty"` // entries that the journal's disk has not taken yet
}

func (s *controlServer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { s.answer(w, nil) })
	mux.Handle(web.Root+"/", s.api)
	mux.HandleFunc("POST /announcements/{name}/{switch}", func(w http.ResponseWriter, r *http.Request) {
		_, err := s.calls.Announce(r.Context(), r.PathValue("name"), r.PathValue("switch") == "on")
		s.answer(w, err)
	})
	mux.HandleFunc("POST /clock", func(w http.ResponseWriter, r *http.Request) {
		s.answer(w, s.setClock(r.FormValue("at")))
	})
	mux.HandleFunc("POST /drain", func(w http.ResponseWriter, r *http.Request) { s.drain.serve(w, r, time.Second) })
	return mux
}

func (s *controlServer) answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
		return
	}
	late, _ := s.journal.Late()
	_ = json.NewEncoder(w).Encode(status{Now: s.clock.now(), Announced: s.calls.Announcements(), Late: late})
}

func (s *controlServer) setClock(at string) error {
	if !s.clock.settable {
		return errors.New("the clock is real: only a service started with --clock has one that can be set")
	}
	moment, err := parseMoment(at, s.zone)
	if err == nil {
		s.clock.set(moment)
	}
	return err
}

// ask sends a command to the running service.
func ask(ctx context.Context, socket, method, path string) (answer status, err error) {
	client := controlClient(socket)
	client.Timeout = 5 * time.Second
	defer client.CloseIdleConnections()
	response, err := request(ctx, client, socket, method, path)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&answer); err != nil {
		return answer, fmt.Errorf("reading the service's answer: %w", err)
	}
	return answer, nil
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 8 << 20

// controlClient speaks to the control socket.
func controlClient(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
}

// request sends a command; what the service refuses is the error.
func request(ctx context.Context, client *http.Client, socket, method, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://hotline"+path, nil)
	if err != nil {
		return nil, err
	}
	return send(client, socket, r)
}

// send does so for a request that is made already.
func send(client *http.Client, socket string, r *http.Request) (*http.Response, error) {
	response, err := client.Do(r)
	if err != nil {
		return nil, unanswered(socket, err)
	}
	if response.StatusCode < 300 {
		return response, nil
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("reading the service's answer: %w", err)
	}
	refused := &refusal{status: response.StatusCode}
	if json.Unmarshal(body, refused) != nil || refused.Error() == "" {
		refused.Detail = fmt.Sprintf("%s: %s", response.Status, bytes.TrimSpace(body))
	}
	return nil, refused
}

// unanswered says why nobody has answered on the control socket, and where that is.
func unanswered(socket string, err error) error {
	if path, absErr := filepath.Abs(socket); absErr == nil {
		socket = path
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no service is running here (control socket %s); start it with: hotline serve; or name its configuration with -c", socket)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the control socket %s is for the user who runs the service; ask as that user, with sudo -u", socket)
	}
	return fmt.Errorf("the service does not answer (control socket %s): %w", socket, err)
}

// refusal is what the service says of a command that it does not carry out.
type refusal struct {
	status int
	Said   string `json:"error"`  // of a command
	Detail string `json:"detail"` // of the API's
}

// isStale says that the service refused since things are not as whoever asked believed.
func isStale(err error) bool {
	var refused *refusal
	return errors.As(err, &refused) && refused.status == http.StatusPreconditionFailed
}

func (r *refusal) Error() string { return r.Said + r.Detail }
