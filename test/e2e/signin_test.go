package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hotline/journal"
	"hotline/web"
)

// refusal is how a sign-in is answered.
type refusal struct {
	status int
	body   string
	retry  time.Duration
}

// guests sign in from an address of loopback; what keeps a connection open is closed with the test.
func (w *world) guests(from string) func(account, password string) refusal {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	client := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 8}, Timeout: 20 * time.Second}
	w.t.Cleanup(client.CloseIdleConnections)
	return func(account, password string) (r refusal) {
		text, err := json.Marshal(web.Credentials{Account: account, Password: password})
		if err != nil {
			panic(err) // two strings
		}
		answer, err := client.Post("http://"+w.Config.Web.Listen.String()+web.Root+"/session", "application/json", strings.NewReader(string(text)))
		if err != nil {
			return refusal{body: err.Error()}
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return refusal{body: err.Error()}
		}
		seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After")) // none is 0
		return refusal{answer.StatusCode, string(body), time.Duration(seconds) * time.Second}
	}
}

// A thousand attempts to sign in at once, of a name that there is and of names that there are not: few are compared, the
// others are told when to come again; the log and the journal have a line for each kind and nothing of what was tried;
// somebody at another address signs in meanwhile, and the owner here as soon as the time is over.
func TestAThousandAttemptsToSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Minute, nil)
	try, elsewhere := w.guests("127.0.0.5"), w.guests("127.0.0.6")
	if r := try("1002", "dev-1002"); r.status != http.StatusOK {
		t.Fatalf("the right password is answered with %d %s", r.status, r.body)
	}
	const secret = "a-guess-nobody-should-read"
	before := map[string]float64{}
	figures := map[string]float64{"go_goroutines": 30, "process_open_fds": 30, "process_resident_memory_bytes": 128 << 20} // and how much more may stay
	for name := range figures {
		before[name] = w.metric(name)
	}

	began := time.Now()
	answers := make([]refusal, 1000)
	var guessing sync.WaitGroup
	for guest := range 8 {
		guessing.Go(func() {
			for n := guest; n < len(answers); n += 8 {
				answers[n] = try([]string{"1001", fmt.Sprintf("nobody-%d", n)}[n/8%2], fmt.Sprintf("%s-%d", secret, n))
			}
		})
	}
	guessing.Wait()
	took := time.Since(began)
	kinds, told, longest := map[int]int{}, map[string]bool{}, time.Duration(0)
	for _, r := range answers {
		kinds[r.status]++
		longest = max(longest, r.retry)
		switch r.status {
		case http.StatusUnauthorized:
			told[r.body] = true
		case http.StatusTooManyRequests:
			if r.retry == 0 || !strings.Contains(r.body, `"seconds"`) && !strings.Contains(r.body, "busy") {
				t.Errorf("who has to wait is told %s, and to come again after %v", r.body, r.retry)
			}
		}
	}
	t.Logf("a thousand attempts in %v: %v; the longest wait %v", took.Round(time.Millisecond), kinds, longest)
	if len(kinds) != 2 || kinds[http.StatusUnauthorized] == 0 || kinds[http.StatusUnauthorized] > 60 || kinds[http.StatusUnauthorized]+kinds[http.StatusTooManyRequests] != len(answers) {
		t.Errorf("the answers are %v, want a few that are compared, 401, and the rest 429", kinds)
	}
	if len(told) != 1 {
		t.Errorf("those who fail are told different things, by which names that there are can be found: %v", told)
	}
	if r := elsewhere("1001", "dev-1001"); r.status != http.StatusOK {
		t.Errorf("the owner at another address is answered with %d %s: whoever knows a name locks it out", r.status, r.body)
	}

	warned := map[string]int{}
	for line := range strings.Lines(w.ServiceLog()) {
		if _, message, found := strings.Cut(line, "level=WARN msg="); found && strings.Contains(line, "127.0.0.5") {
			warned[strings.SplitN(message, " from=", 2)[0]]++
		}
	}
	for message, times := range warned {
		if times != 1 {
			t.Errorf("%s is logged %d times", message, times)
		}
	}
	if len(warned) == 0 || len(warned) > 4 {
		t.Errorf("the log has %v, want a line for each kind", warned)
	}
	entries := w.read(journal.Query{})
	lockouts := 0
	for _, e := range entries {
		if strings.Contains(string(e.Data), secret) || strings.Contains(string(e.Data), "nobody-") {
			t.Errorf("the journal has what was tried: %s %s", e.Kind, e.Data)
		}
		if e.Kind == web.KindLockedOut {
			lockouts++
		}
	}
	if lockouts == 0 || lockouts > 4 {
		t.Errorf("the journal has %d lock-outs, want one for each limit", lockouts)
	}
	if log := w.ServiceLog(); strings.Contains(log, secret) || strings.Contains(log, "nobody-") {
		t.Error("the log has what was tried")
	}

	// The first wait is 15 s, and what is tried meanwhile makes it no longer.
	r := try("1001", "dev-1001")
	if r.status != http.StatusTooManyRequests || r.retry > 15*time.Second {
		t.Errorf("the right password too soon is answered with %d, to come again after %v", r.status, r.retry)
	}
	w.passes(r.retry + time.Second)
	if r := try("1001", "dev-1001"); r.status != http.StatusOK {
		t.Errorf("the right password is answered with %d %s after the time that was told", r.status, r.body)
	}
	w.until("what a thousand attempts took is not given back", func() bool {
		for name, more := range figures {
			if w.metric(name) > before[name]+more {
				return false
			}
		}
		return true
	})
}
