package ari

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// server answers requests, and counts the connections that were opened to it.
func server(t *testing.T, start func(*httptest.Server), handle http.HandlerFunc) (*conns, *httptest.Server, *atomic.Int64) {
	t.Helper()
	opened := new(atomic.Int64)
	s := httptest.NewUnstartedServer(handle)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	start(s)
	t.Cleanup(s.Close)
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := newConns(base, Options{Username: "user", Password: "secret"})
	t.Cleanup(c.close)
	return c, s, opened
}

// said is what came back, or the error.
func (c *conns) said(ctx context.Context, method, target, body string) (string, error) {
	var sent []byte
	if body != "" {
		sent = []byte(body)
	}
	var answer string
	err := c.exchange(ctx, method, target, sent, func(status int, data []byte) error {
		answer = fmt.Sprintf("%d %s", status, data)
		return nil
	})
	return answer, err
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	user, password, _ := r.BasicAuth()
	fmt.Fprintf(w, "%s %s %s/%s %s %s", r.Method, r.RequestURI, user, password, r.Header.Get("Content-Type"), body)
}

// One connection carries requests of every kind, one after the other, whether the answer's length is told or not.
func TestAConnectionIsUsedAgain(t *testing.T) {
	c, _, opened := server(t, (*httptest.Server).Start, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/empty":
			w.WriteHeader(http.StatusNoContent)
		case "/long":
			_, _ = io.WriteString(w, strings.Repeat("x", 3*keptBuffer)) // in chunks
		default:
			echo(w, r)
		}
	})
	for range 3 {
		for _, want := range []struct{ method, target, body, answer string }{
			{http.MethodGet, "/a%2Fb?c=d", "", "200 GET /a%2Fb?c=d user/secret  "},
			{http.MethodPost, "/a", `{"b":1}`, `200 POST /a user/secret application/json {"b":1}`},
			{http.MethodPost, "/a", "", "200 POST /a user/secret  "},
			{http.MethodDelete, "/empty", "", "204 "},
			{http.MethodGet, "/long", "", "200 " + strings.Repeat("x", 3*keptBuffer)},
		} {
			if got, err := c.said(t.Context(), want.method, want.target, want.body); got != want.answer || err != nil {
				t.Fatalf("%s %s: %.200q %v, want %.200q", want.method, want.target, got, err, want.answer)
			}
		}
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections were opened for requests that came one after the other, want 1", n)
	}
}

// Asterisk has closed every connection meanwhile: the next request is not written into one of them.
func TestAClosedConnectionIsNotUsed(t *testing.T) {
	c, s, opened := server(t, (*httptest.Server).Start, echo)
	for round := range 20 {
		if _, err := c.said(t.Context(), http.MethodPost, "/a", ""); err != nil {
			t.Fatalf("round %d: %v; a connection was used that the other end had closed", round, err)
		}
		s.CloseClientConnections()
	}
	if n := opened.Load(); n != 20 {
		t.Errorf("%d connections, want 20", n)
	}
}

// A server that says it will close is believed.
func TestAConnectionThatIsToBeClosedIsNotKept(t *testing.T) {
	c, _, opened := server(t, (*httptest.Server).Start, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		echo(w, r)
	})
	for range 3 {
		if _, err := c.said(t.Context(), http.MethodPost, "/a", ""); err != nil {
			t.Fatal(err)
		}
	}
	if n := opened.Load(); n != 3 || len(c.idle) != 0 {
		t.Errorf("%d connections and %d kept, want 3 and none", n, len(c.idle))
	}
}

// A request that is given up ends at once with the cause; its late answer is not taken for that of another one.
func TestARequestIsGivenUp(t *testing.T) {
	release := make(chan struct{})
	c, _, _ := server(t, (*httptest.Server).Start, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-release
		}
		echo(w, r)
	})
	defer close(release)
	if _, err := c.said(t.Context(), http.MethodGet, "/a", ""); err != nil { // so that there is a connection to use again
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if answer, err := c.said(ctx, http.MethodPost, "/slow", ""); err == nil || ctx.Err() == nil {
		t.Fatalf("%q %v, want no answer", answer, err)
	}
	if answer, err := c.said(t.Context(), http.MethodPost, "/b", ""); err != nil || !strings.HasPrefix(answer, "200 POST /b") {
		t.Errorf("%q %v; the answer to another request was taken, or its end ended this one", answer, err)
	}
}

// A crowd shares what Asterisk allows; nobody is refused, and few connections are kept.
func TestACrowdSharesConnections(t *testing.T) {
	var now, most atomic.Int64
	c, _, _ := server(t, (*httptest.Server).Start, func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		time.Sleep(5 * time.Millisecond)
		echo(w, r)
	})
	var crowd sync.WaitGroup
	var failed atomic.Int64
	for n := range 3 * mostConns {
		crowd.Go(func() {
			target := fmt.Sprintf("/%d", n)
			if answer, err := c.said(t.Context(), http.MethodGet, target, ""); err != nil || !strings.HasPrefix(answer, "200 GET "+target+" ") {
				failed.Add(1)
			}
		})
	}
	crowd.Wait()
	if failed.Load() > 0 || most.Load() > mostConns {
		t.Errorf("%d requests failed, %d at a time; want none, at most %d", failed.Load(), most.Load(), mostConns)
	}
	if len(c.idle) == 0 || len(c.idle) > keptConns {
		t.Errorf("%d connections are kept, want 1 to %d", len(c.idle), keptConns)
	}
}

func TestARequestOverTLS(t *testing.T) {
	c, s, opened := server(t, (*httptest.Server).StartTLS, echo)
	if _, err := c.said(t.Context(), http.MethodGet, "/a", ""); err == nil {
		t.Fatal("a certificate that nobody vouches for was accepted")
	}
	c.tls = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	c.tls.ServerName = "example.com"
	opened.Store(0)
	for range 3 {
		if answer, err := c.said(t.Context(), http.MethodGet, "/a", ""); err != nil || answer != "200 GET /a user/secret  " {
			t.Fatalf("%q %v", answer, err)
		}
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// What has been idle for so long that Asterisk may close it is closed by us, without being asked for.
func TestIdleConnectionsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConns(&url.URL{Scheme: "http", Host: "127.0.0.1:8088"}, Options{})
		var ends []net.Conn
		keep := func() {
			ours, theirs := net.Pipe()
			ends = append(ends, theirs)
			c.put(&conn{Conn: ours})
		}
		keep()
		time.Sleep(idleConns / 2)
		keep()
		time.Sleep(idleConns / 2)
		keep()
		closed := func(end net.Conn) bool {
			_ = end.SetReadDeadline(time.Now())
			_, err := end.Read(make([]byte, 1))
			return errors.Is(err, io.EOF)
		}
		if got := []bool{closed(ends[0]), closed(ends[1]), closed(ends[2])}; !slices.Equal(got, []bool{true, false, false}) {
			t.Errorf("closed: %v, want the first alone", got)
		}
		time.Sleep(idleConns)
		c.dial = func(context.Context, string, string) (net.Conn, error) { return nil, io.ErrUnexpectedEOF }
		if _, err := c.take(t.Context()); !errors.Is(err, io.ErrUnexpectedEOF) || !closed(ends[1]) || !closed(ends[2]) {
			t.Errorf("%v; want a new connection, and the old ones closed", err)
		}
	})
}
