package softphone

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"hotline/softphone/softphonetest"
)

func TestHelloAndDesk(t *testing.T) {
	w := newWorld(t, func(o *Options, _ *times) {
		o.TURN = TURN{URLs: []string{"turn:relay.example:3478"}, Secret: "s"}
	})
	b := w.open("1001")
	w.hears("1001 opened")
	if b.Welcome.Resumed || b.Welcome.Last != 0 || b.Session == "" {
		t.Errorf("welcome is %+v, want a new session", b.Welcome)
	}
	if !strings.Contains(string(b.Welcome.ICE), "relay.example") {
		t.Errorf("welcome tells of ICE servers %s, want the relay", b.Welcome.ICE)
	}
	if err := w.session("1001").Show(map[string]int{"n": 1}); err != nil {
		t.Fatal(err)
	}
	if f := w.next(b); f.Type != "desk" || f.Seq != 1 || string(f.Desk) != `{"n":1}` {
		t.Errorf("the page was sent %+v, want the desk", f)
	}
	w.send(b, map[string]any{"type": "bye"})
	if f := w.next(b); f.Type != "gone" || f.Code != WhyBye {
		t.Errorf("bye was answered by %+v, want gone", f)
	}
	w.ended(b, 4410, WhyBye)
	w.hears("1001 closed bye")
	if _, found := w.Session("1001"); found {
		t.Error("the session is still there")
	}
}

// A page that stays for longer than the relay's credentials hold is told of others in time.
func TestTheRelaysCredentialsAreRenewed(t *testing.T) {
	const holds = 400 * time.Millisecond
	w := newWorld(t, func(o *Options, _ *times) {
		o.TURN = TURN{URLs: []string{"turn:relay.example:3478"}, Secret: "s", For: holds}
	})
	b := w.open("1001")
	told, last := time.Now(), b.Welcome.ICE
	for range 3 {
		f := w.next(b, "ice")
		if !strings.Contains(string(f.ICE), "relay.example") || string(f.ICE) == string(last) {
			t.Errorf("the page is told of %s after %s, want the relay with other credentials", f.ICE, last)
		}
		last = f.ICE
	}
	t.Logf("three times in %v, of credentials that hold for %v", time.Since(told), holds)
	b.Cut()
	w.resume(b, "1001")
	if !b.Welcome.Resumed || !strings.Contains(string(b.Welcome.ICE), "relay.example") || string(b.Welcome.ICE) == string(last) {
		t.Errorf("who comes back is told of %s, want the relay with other credentials", b.Welcome.ICE)
	}
}

func TestActsAreCarriedOutInOrderAndAnswered(t *testing.T) {
	w := newWorld(t, nil)
	var did []string
	w.do = func(ctx context.Context, _ *Session, id string, order json.RawMessage) error {
		did = append(did, id)
		switch string(order) {
		case `"no"`:
			return fmt.Errorf("wrapped: %w", refusal{code: "not-now", values: map[string]any{"state": "hold"}})
		case `"broken"`:
			return errNo
		}
		return nil
	}
	b := w.open("1001")
	for i, order := range []string{"yes", "no", "broken", "yes"} {
		w.send(b, map[string]any{"type": "do", "id": fmt.Sprint("act", i), "order": order})
	}
	for i, want := range []softphonetest.Frame{
		{Type: "done", ID: "act0"}, {Type: "refused", ID: "act1", Code: "not-now"},
		{Type: "refused", ID: "act2", Code: "failed"}, {Type: "done", ID: "act3"},
	} {
		f := w.next(b)
		if f.Type != want.Type || f.ID != want.ID || f.Code != want.Code {
			t.Errorf("act %d was answered by %+v, want %+v", i, f, want)
		}
		if f.Code == "not-now" && f.Values["state"] != "hold" {
			t.Errorf("the refusal has values %v", f.Values)
		}
	}
	if want := []string{"act0", "act1", "act2", "act3"}; !slices.Equal(did, want) {
		t.Errorf("done were %v, want %v", did, want)
	}
	eventually(t, "all frames are acknowledged", func() bool { return b.Unacknowledged() == 0 })
}

func TestTooManyActs(t *testing.T) {
	w := newWorld(t, nil)
	release := make(chan struct{})
	w.do = func(ctx context.Context, _ *Session, _ string, _ json.RawMessage) error {
		select {
		case <-release:
		case <-ctx.Done():
		}
		return nil
	}
	b := w.open("1001")
	for i := range 20 {
		w.send(b, map[string]any{"type": "do", "id": fmt.Sprint(i), "order": 1})
	}
	if f := w.next(b); f.Type != "refused" || f.Code != "busy" || f.About != "do" {
		t.Errorf("the page was sent %+v, want a refusal: busy", f)
	}
	close(release)
	w.next(b, "done")
}

func TestResume(t *testing.T) {
	w := newWorld(t, nil)
	b := w.open("1001")
	w.hears("1001 opened")
	s := w.session("1001")
	show := func(n int) {
		t.Helper()
		if err := s.Show(n); err != nil {
			t.Fatal(err)
		}
	}
	show(1)
	w.next(b, "desk")
	id := b.Session
	b.Cut()
	eventually(t, "the cut is noticed", func() bool { return len(s.leaves) == 0 && w.detached(s) })
	show(2)
	show(3)
	// An act that is lost with the socket is sent again.
	_, _ = b.Send(w.within(patience), map[string]any{"type": "do", "id": "lost", "order": 1})
	w.resume(b, "1001")
	if !b.Welcome.Resumed || b.Session != id {
		t.Fatalf("welcome is %+v, want the session resumed", b.Welcome)
	}
	if f := w.next(b, "desk"); string(f.Desk) != "3" || f.Seq != 2 {
		t.Errorf("after the resume the page was sent desk %s with number %d, want the newest, 3, as number 2", f.Desk, f.Seq)
	}
	w.hears("1001 do lost 1")

	// Again and again.
	for n := range 20 {
		b.Cut()
		w.resume(b, "1001")
		if !b.Welcome.Resumed {
			t.Fatalf("resume %d: a new session", n)
		}
		w.send(b, map[string]any{"type": "do", "id": fmt.Sprint(n), "order": 1})
		if before := w.hears(fmt.Sprintf("1001 do %d 1", n)); len(before) > 0 {
			t.Fatalf("before act %d the application was told %q: was an act done twice?", n, before)
		}
	}

}

// A page that lost its network resumes with the name of its session alone; nobody else's does, and none of before.
func TestResumingWithoutATicket(t *testing.T) {
	w := newWorld(t, nil)
	b := w.open("1001")
	w.open("1002")
	first := b.Session
	for range 3 {
		if err := b.Resume(w.within(patience), ""); err != nil || !b.Welcome.Resumed {
			t.Fatalf("without a ticket the session was not resumed: %+v, %v", b.Welcome, err)
		}
	}
	second := w.open("1001") // takes the desk over
	w.ended(b, 4409, "taken-over")
	for session, want := range map[string]websocket.StatusCode{first: 4409, strings.Repeat("A", len(first)): 4401, "": 4401} {
		b.Session = session
		if err := b.Resume(w.within(patience), ""); websocket.CloseStatus(err) != want {
			t.Errorf("the session %q was resumed without a ticket, where %q was taken over: %v, want the socket closed with %d", session, first, err, want)
		}
	}
	w.send(second, map[string]any{"type": "do", "id": "still", "order": 1})
	w.hears("1001 do still 1")
	if w.log.count(first)+w.log.count(second.Session) > 0 {
		t.Error("the name of a session is in the log")
	}

	// The name is right, and there is nothing to go on with: the page has had what was never sent.
	if conn, err := softphonetest.Dial(w.within(patience), w.page); err != nil {
		t.Fatal(err)
	} else {
		defer conn.CloseNow()
		if err := conn.Write(w.ctx, websocket.MessageText, fmt.Appendf(nil, `{"type":"hello","session":%q,"last":1000}`, second.Session)); err != nil {
			t.Fatal(err)
		}
		if _, answer, err := conn.Read(w.within(patience)); websocket.CloseStatus(err) != 4401 {
			t.Errorf("a hello without a ticket that cannot be resumed was answered by %s, %v, want the socket closed with 4401", answer, err)
		}
	}
	w.has(second, "1001")
}

// What becomes of the session after it was looked whose the name is begins no other, and takes over from nobody.
func TestWithoutATicketNothingBegins(t *testing.T) {
	for name, row := range map[string]struct {
		meanwhile func(*world)
		there     bool // afterwards
		want      closing
	}{
		"it ends": {func(w *world) {
			w.session("1001").Close("closed")
			w.hears("1001 closed closed")
		}, false, closeBadToken},
		"another takes over": {func(w *world) { w.open("1001") }, true, closeTakenOver},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			b := w.open("1001")
			w.hears("1001 opened")
			hello := inbound{Type: typeHello, Session: b.Session}
			whose, err := w.knows(hello)
			if err != nil {
				t.Fatalf("the name of a session is not known: %v", err)
			}
			row.meanwhile(w)
			before, _ := w.Session("1001")
			near, _ := newPipe()
			sock := newSocket(w.ctx, near, hello, whose)
			defer sock.cancel(nil)
			if _, err := w.seat(sock); closingOf(err) != row.want {
				t.Errorf("without a ticket a page was given a desk, or refused with %v; want %v", err, row.want)
			}
			if after, there := w.Session("1001"); there != row.there || after != before {
				t.Errorf("there is a session: %v, want %v; it is the one of before: %v", there, row.there, after == before)
			}
		})
	}
}

func TestASessionWithoutASocketLapses(t *testing.T) {
	w := newWorld(t, func(_ *Options, clocks *times) {
		clocks.resume, clocks.lost, clocks.watch = 300*time.Millisecond, 200*time.Millisecond, 20*time.Millisecond
	})
	b, k, a := w.talk("1001")
	id := b.Session
	silence := k.speak(speech)
	b.Cut()
	w.quiet("1001 closed", time.Second) // who is heard is there
	silence()
	w.hears("1001 closed lost")
	if a.port.line.Load() != nil {
		t.Error("the leg is still plugged into the line that is gone")
	}
	w.resume(b, "1001")
	if b.Welcome.Resumed || b.Session == id {
		t.Error("a session that is gone was resumed")
	}
	w.hears("1001 opened")
}

// A talk in which the browser is heard goes on without a socket, and no longer than it is heard.
func TestATalkOutlivesItsSocket(t *testing.T) {
	w := newWorld(t, func(_ *Options, clocks *times) { clocks.resume, clocks.lost = 200*time.Millisecond, time.Second })
	b, k, _ := w.talk("1001")
	stop := k.speak(speech)
	b.Cut()
	w.quiet("1001 closed", 700*time.Millisecond)
	stop()
	w.hears("1001 closed lost")
}

// detached says whether a session has no socket, by what only its own goroutine
// knows: it answers a frame of no page only between two others.
func (w *world) detached(s *Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.next == len(s.out.sent)
}

func TestFramesInFlightSurviveAResume(t *testing.T) {
	w := newWorld(t, nil)
	b := w.open("1001")
	w.hears("1001 opened")
	s := w.session("1001")
	b.Mute()
	for n := range 10 { // ten acts, whose answers are not acknowledged
		w.send(b, map[string]any{"type": "do", "id": fmt.Sprint(n), "order": 1})
		if f := w.next(b); f.Type != "done" {
			t.Fatalf("act %d was answered by %+v", n, f)
		}
	}
	s.out.mu.Lock()
	kept := len(s.out.sent)
	s.out.mu.Unlock()
	if kept != 10 {
		t.Errorf("%d frames are kept, want 10: none was acknowledged", kept)
	}
	b.Cut()
	w.resume(b, "1001") // the page has had all
	eventually(t, "what the page has had is forgotten", func() bool {
		s.out.mu.Lock()
		defer s.out.mu.Unlock()
		return len(s.out.sent) == 0
	})
}

func TestASecondTabTakesOver(t *testing.T) {
	w := newWorld(t, nil)
	first, k, a := w.talk("1001")
	if err := w.session("1001").Show("the desk"); err != nil {
		t.Fatal(err)
	}
	w.next(first, "desk")
	second := w.open("1001")
	if f := w.next(first, "taken-over", "gone"); f.Type != "taken-over" {
		t.Errorf("the first tab was sent %+v, want taken-over", f)
	}
	w.ended(first, 4409, "taken-over")
	if f := w.next(second); string(f.Desk) != `"the desk"` {
		t.Errorf("the second tab was first sent %+v, want the desk", f)
	}
	k.say(speech(1)) // the first tab's connection goes on until the second's is there
	a.tape.next(t)
	other := w.connect(second)
	other.say(speech(2))
	a.tape.next(t)
	w.quiet("1001 closed", 50*time.Millisecond)

	// What the first tab still has is of no use to it: by itself it takes nothing back.
	w.turnedAway(first, "1001")
	other.say(speech(3))
	a.tape.next(t)
	w.has(second, "1001")
}

// turnedAway asserts that a page that comes back by itself is told that another has the desk.
func (w *world) turnedAway(b *softphonetest.Browser, owner string) {
	w.t.Helper()
	if err := b.Resume(w.within(patience), w.Ticket(owner)); websocket.CloseStatus(err) != 4409 {
		w.t.Fatalf("a page that comes back while another has the desk is answered by %+v, %v, want its socket closed with 4409", b.Welcome, err)
	}
}

// has asserts that a page has the desk: what it asks for is done.
func (w *world) has(b *softphonetest.Browser, owner string) {
	w.t.Helper()
	seq, err := b.Send(w.within(patience), map[string]any{"type": "do", "id": "it-has-the-desk", "order": 1})
	if err != nil {
		w.t.Fatalf("the page that has the desk has lost its socket: %v", err)
	}
	if f := w.next(b, "done", "taken-over", "gone"); f.Type != "done" {
		w.t.Fatalf("frame %d of the page that has the desk was answered by %+v, want done", seq, f)
	}
	w.hears(owner + " do it-has-the-desk 1")
}

// A tab that lost its socket without being told that another took over (a laptop that was closed) comes back by itself, and
// takes the desk from nobody, who may be in a talk. A person who asks for it does, and so does a tab when nobody has it.
func TestATabThatWasAwayTakesOverFromNobody(t *testing.T) {
	w := newWorld(t, nil)
	away := w.open("1001")
	w.hears("1001 opened")
	away.Cut()
	inUse := w.open("1001")
	w.turnedAway(away, "1001")
	w.has(inUse, "1001")

	inUse.Cut() // for a moment
	w.turnedAway(away, "1001")
	w.resume(inUse, "1001")
	if !inUse.Welcome.Resumed {
		t.Error("the tab that is in use was not resumed, though nobody took over")
	}
	w.has(inUse, "1001")

	away.Session = "" // which is to ask for the desk
	w.resume(away, "1001")
	w.next(inUse, "taken-over")
	w.ended(inUse, 4409, "taken-over")
	w.has(away, "1001")

	w.send(away, map[string]any{"type": "bye"})
	w.hears("1001 closed bye")
	w.resume(inUse, "1001") // nobody has it
	if inUse.Welcome.Resumed {
		t.Error("a session that was taken over was resumed")
	}
	w.has(inUse, "1001")
}

// After a restart nobody's session is known, and the first that comes back has the desk. A second does not take it again,
// so that two never take it from each other in turns.
func TestTwoTabsComeBackAfterARestart(t *testing.T) {
	w := newWorld(t, nil)
	stale := w.open("1001")
	stale.Cut()
	inUse := w.open("1001")
	w.session("1001").Close("as the next process knows it")
	w.hears("1001 closed as the next process knows it")
	w.resume(inUse, "1001")
	if inUse.Welcome.Resumed {
		t.Error("a session that has ended was resumed")
	}
	for range 3 {
		w.turnedAway(stale, "1001")
	}
	w.has(inUse, "1001")
}

// A page that gives up waiting for its welcome has never heard of the session that began for it, and comes with the name
// that it has. It is nobody else: it has the desk, whichever of its sockets comes first.
func TestAWelcomeThatIsLost(t *testing.T) {
	w := newWorld(t, nil)
	b := w.open("1001")
	w.hears("1001 opened")
	w.session("1001").Close("as the next process knows it")
	w.hears("1001 closed as the next process knows it")
	known := b.Session
	for n := range 2 * maxNames {
		w.resume(b, "1001")
		if b.Welcome.Resumed {
			t.Fatalf("attempt %d: a session that nobody knows was resumed", n)
		}
		b.Session = known // as if the welcome had not arrived
	}
	w.resume(b, "1001")
	late, err := softphonetest.Open(w.within(patience), w.page, "") // the page's own, which it has given up
	late.Close()
	if websocket.CloseStatus(err) != 4401 {
		t.Fatalf("a hello without token and name: %v", err)
	}
	late.Session = known
	w.resume(late, "1001")
	t.Cleanup(late.Close)
	w.ended(b, 1000, "resumed")
	w.resume(b, "1001")
	w.ended(late, 1000, "resumed")
	w.has(b, "1001")
	w.resume(b, "1001")
	if !b.Welcome.Resumed {
		t.Error("a page that knows its session does not resume it")
	}
	w.quiet("1001 closed", 0)
}

func TestOldNumbersAreIgnoredAndGapsEndTheSocket(t *testing.T) {
	w := newWorld(t, nil)
	b := w.open("1001")
	for n := range 3 {
		w.send(b, map[string]any{"type": "do", "id": fmt.Sprint(n), "order": 1})
	}
	w.hears("1001 do 2 1")
	for _, seq := range []int{1, 2, 3, 3, 1} {
		if err := b.Raw(w.ctx, fmt.Appendf(nil, `{"type":"do","seq":%d,"id":"again","order":1}`, seq)); err != nil {
			t.Fatal(err)
		}
	}
	w.quiet("1001 do", 50*time.Millisecond)
	if err := b.Raw(w.ctx, []byte(`{"type":"do","seq":5,"id":"skipped","order":1}`)); err != nil {
		t.Fatal(err)
	}
	w.ended(b, 4422, "gap")
	w.quiet("1001 do", 50*time.Millisecond)
	w.resume(b, "1001")
	if !b.Welcome.Resumed || b.Welcome.Last != 3 {
		t.Errorf("welcome is %+v, want the session as it was at 3", b.Welcome)
	}
}

func TestTokens(t *testing.T) {
	w := newWorld(t, nil)
	token := w.Ticket("1001")
	b, err := softphonetest.Open(w.ctx, w.page, token)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for name, token := range map[string]string{"used": token, "unknown": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "empty": "", "long": strings.Repeat("x", 60000)} {
		other, err := softphonetest.Open(w.ctx, w.page, token)
		other.Close()
		if websocket.CloseStatus(err) != 4401 {
			t.Errorf("a token that is %s: %v, want the socket closed with 4401", name, err)
		}
	}
	if n := w.log.count("kind=bad-token"); n != 1 {
		t.Errorf("bad tokens were logged %d times, want once", n)
	}
	if w.log.count(token) > 0 {
		t.Error("a token is in the log")
	}
}

func TestTicketsLapseAndAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tickets := newTickets()
		early := tickets.issue("1001", nil)
		time.Sleep(TicketFor - time.Second)
		late := tickets.issue("1001", nil)
		time.Sleep(2 * time.Second)
		if _, good := tickets.redeem(early); good {
			t.Error("a ticket is good after its time")
		}
		if whose, good := tickets.redeem(late); !good || whose.owner != "1001" {
			t.Errorf("a ticket of 2 s is %q, %v", whose.owner, good)
		}
		first := tickets.issue("1001", nil)
		time.Sleep(time.Millisecond)
		for range maxTickets {
			tickets.issue("1001", nil)
			time.Sleep(time.Millisecond)
		}
		if _, good := tickets.redeem(first); good {
			t.Errorf("the oldest of %d tickets is good", maxTickets+1)
		}
		if len(tickets.valid) != maxTickets {
			t.Errorf("%d tickets are kept, want %d", len(tickets.valid), maxTickets)
		}
	})
}

func TestWhoMayOpenASocket(t *testing.T) {
	w := newWorld(t, func(o *Options, _ *times) { o.Origins = []string{"https://desk.example"} })
	open := func(origin string) (int, error) {
		page := w.page
		page.Origin = origin
		b, err := softphonetest.Open(w.ctx, page, w.Ticket("1001"))
		b.Close()
		if err == nil {
			return http.StatusSwitchingProtocols, nil
		}
		var status int
		_, scanned := fmt.Sscanf(err.Error(), "status %d", &status)
		return status, errors.Join(err, scanned)
	}
	for origin, want := range map[string]int{
		"":                           101, // a program, which needs a ticket as well
		w.page.Origin:                101,
		"https://desk.example":       101,
		"https://DESK.example":       101,
		"https://evil.example":       403,
		"https://desk.example.evil":  403,
		"http://desk.example":        403,
		"null":                       403,
		"https://desk.example:8443":  403,
		"://":                        403,
		"https://evil.example/x?y#z": 403,
	} {
		if got, err := open(origin); got != want {
			t.Errorf("origin %q: status %d (%v), want %d", origin, got, err, want)
		}
	}
	if n := w.log.count("kind=foreign-origin"); n != 1 {
		t.Errorf("foreign origins were logged %d times, want once", n)
	}
	response, err := http.Get("http" + strings.TrimPrefix(w.page.URL, "ws"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("without the subprotocol: status %d, want 400", response.StatusCode)
	}
}

func TestASocketThatSaysNothing(t *testing.T) {
	w := newWorld(t, func(_ *Options, clocks *times) { clocks.hello = 300 * time.Millisecond })
	conn, err := softphonetest.Dial(w.ctx, w.page)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.Read(w.ctx); websocket.CloseStatus(err) != 4408 {
		t.Errorf("a socket without hello ended with %v, want 4408", err)
	}
}

// Whoever opens sockets and says nothing keeps nobody from the line who says hello.
func TestStrangersKeepNobodyOut(t *testing.T) {
	w := newWorld(t, func(_ *Options, clocks *times) { clocks.hello = time.Minute })
	silent := make([]*websocket.Conn, maxStrangers)
	for n := range silent {
		conn, err := softphonetest.Dial(w.ctx, w.page)
		if err != nil {
			t.Fatalf("socket %d: %v", n, err)
		}
		defer func() { _ = conn.CloseNow() }()
		silent[n] = conn
		eventually(t, "it is known, and those before it", func() bool { // so that they are known in this order
			w.mu.Lock()
			defer w.mu.Unlock()
			return len(w.strangers) == n+1
		})
	}
	w.open("1001")
	if _, _, err := silent[0].Read(w.ctx); websocket.CloseStatus(err) != 4408 {
		t.Errorf("the oldest ended with %v, want 4408", err)
	}
}

// It is the oldest from where most are that goes; of IPv6 everybody has a network.
func TestWhichStrangerGoes(t *testing.T) {
	var all []*stranger
	for _, from := range []string{"192.0.2.1:5", "[2001:db8:0:1::7]:5", "192.0.2.2:5", "[2001:db8:0:1::8]:5", "[::ffff:192.0.2.3]:5"} {
		all = append(all, &stranger{from: networkOf(from)})
	}
	if at := tooMany(all); at != 1 {
		t.Errorf("number %d of them goes, want 1", at)
	}
	if networkOf("[::ffff:192.0.2.3]:5") != networkOf("192.0.2.3:6") || networkOf("@").IsValid() {
		t.Error("an address is not known in its other form, or one that is none is")
	}
}

func TestFirstFramesThatAreNoHello(t *testing.T) {
	w := newWorld(t, nil)
	for n, frame := range []string{`{"type":"offer","seq":1}`, `[]`, `hello`, `{"type":"hello","seq":3,"token":""}`, `{}`} {
		conn, err := softphonetest.Dial(w.ctx, w.page)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Write(w.ctx, websocket.MessageText, []byte(frame)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := conn.Read(w.ctx); websocket.CloseStatus(err) != 4400 {
			t.Errorf("first frame %d ended with %v, want 4400", n, err)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.strangers) != 0 {
		t.Errorf("%d sockets are counted that have not said hello, want none", len(w.strangers))
	}
}

func TestAThousandBadFrames(t *testing.T) {
	w := newWorld(t, nil)
	b, k, a := w.talk("1001")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	refusals := []map[string]any{
		{"type": "offer"}, {"type": "offer", "sdp": "v=0"}, {"type": "offer", "sdp": strings.Repeat("a=x\r\n", 1000)},
		{"type": "candidate", "candidate": 7}, {"type": "candidate", "candidate": map[string]any{"candidate": "nonsense"}},
		{"type": "candidate", "candidate": map[string]any{"candidate": strings.Repeat("9", 1000)}},
		{"type": "do"}, {"type": "do", "id": strings.Repeat("x", 100), "order": 1}, {"type": "mic", "state": "loud"},
		{"type": "desk"}, {"type": "nonsense"}, {"type": strings.Repeat("z", 5000)},
	}
	deaths := []string{"", "null", "[1]", "{", `{"type":7}`, `{"seq":9}`, `{"type":"mic","seq":-1}`, `{"type":"mic","seq":"1"}`, `{"type":"hello","token":""}`, "\x00\xff"}
	sent, sockets := 0, 0
	for sent < 1000 {
		f := refusals[random.IntN(len(refusals))]
		if _, err := b.Send(w.ctx, f); err != nil {
			t.Fatal(err)
		}
		sent++
		if got := w.next(b, "refused", "answer", "done"); got.Type != "refused" || got.Code == "" {
			t.Fatalf("frame %v was answered by %+v", f, got)
		}
		if sent%100 == 0 {
			if err := b.Raw(w.ctx, []byte(deaths[random.IntN(len(deaths))])); err != nil {
				t.Fatal(err)
			}
			w.ended(b, 4400, "bad-frame")
			w.resume(b, "1001")
			if !b.Welcome.Resumed {
				t.Fatal("the session did not survive a bad frame")
			}
			sent++
			sockets++
		}
		if sent%50 == 0 { // below the limits of a socket
			b.Cut()
			w.resume(b, "1001")
		}
	}
	k.say(speech(1))
	if p := a.tape.next(t); len(p.Payload) != frameSize {
		t.Error("the talk did not survive bad frames")
	}
	if n := w.log.count("\n"); n > 20 {
		t.Errorf("%d bad frames and %d closed sockets made %d lines of log, want one of each kind", sent, sockets, n)
	}
	w.quiet("1001 closed", 0)
}

func TestLimits(t *testing.T) {
	w := newWorld(t, nil)
	b := w.open("1001")
	large := `{"type":"mic","seq":1,"state":"ok","x":"` + strings.Repeat("x", MaxFrame) + `"}`
	if err := b.Raw(w.ctx, []byte(large)); err != nil {
		t.Fatal(err)
	}
	w.ended(b, 4413, "too-large")

	w.resume(b, "1001")
	exactly := `{"type":"mic","seq":1,"state":"muted","x":"`
	exactly += strings.Repeat("x", MaxFrame-len(exactly)-2) + `"}`
	if err := b.Raw(w.ctx, []byte(exactly)); err != nil {
		t.Fatal(err)
	}
	w.hears("1001 mic muted")

	for range frameBurst + 50 {
		_ = b.Raw(w.ctx, []byte(`{"type":"ack","seq":0}`)) // until it is closed
	}
	w.ended(b, 4429, "too-many")

	w.resume(b, "1001")
	for range 12 {
		_ = b.Raw(w.ctx, []byte(exactly)) // of before: ignored, but read
	}
	w.ended(b, 4429, "too-many")

	conn := w.resumedConn(b, "1001")
	if err := conn.Write(w.ctx, websocket.MessageBinary, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	w.ended(b, 4400, "bad-frame")
}

func (w *world) resumedConn(b *softphonetest.Browser, owner string) *websocket.Conn {
	w.resume(b, owner)
	return b.Conn()
}

func TestOffersAreLimited(t *testing.T) {
	w := newWorld(t, nil)
	b := w.open("1001")
	for range 11 {
		w.send(b, map[string]any{"type": "offer", "sdp": "v=0"})
	}
	for n := range 11 {
		want := "bad-offer"
		if n == 10 {
			want = "too-many-offers"
		}
		if f := w.next(b); f.Code != want {
			t.Errorf("offer %d was answered by %+v, want %s", n, f, want)
		}
	}
}

func TestAPageThatDoesNotAcknowledge(t *testing.T) {
	w := newWorld(t, nil)
	b := w.open("1001")
	w.hears("1001 opened")
	b.Mute()
	s := w.session("1001")
	for n := range 1000 { // only the newest desk is kept
		if err := s.Show(n); err != nil {
			t.Fatal(err)
		}
	}
	w.quiet("1001 closed", 50*time.Millisecond)
	s.out.mu.Lock()
	sent, waiting := len(s.out.sent), len(s.out.waiting)
	s.out.mu.Unlock()
	if sent > maxAheadOfAcks || waiting > 1 {
		t.Errorf("%d frames were sent and %d wait, want at most %d and 1", sent, waiting, maxAheadOfAcks)
	}
	for n := range maxAheadOfAcks + maxWaiting + 1 { // others are not thrown away
		s.mu.Lock()
		out := s.out
		s.mu.Unlock()
		s.put(out, outbound{Type: typeDone, ID: fmt.Sprint(n)})
	}
	w.hears("1001 closed slow")
	w.ended(b, 4410, WhySlow)
}

func TestAReaderThatIsStuck(t *testing.T) {
	w := newWorld(t, func(_ *Options, clocks *times) { clocks.resume = 100 * time.Millisecond })
	near, far := newPipe()
	served := make(chan struct{})
	go func() { defer close(served); w.Serve(w.ctx, near) }()
	far.in <- fmt.Appendf(nil, `{"type":"hello","token":%q}`, w.Ticket("1001"))
	w.hears("1001 opened")
	<-far.out                                           // welcome
	if err := w.session("1001").Show("x"); err != nil { // which nobody reads
		t.Fatal(err)
	}
	select {
	case <-served:
	case <-time.After(writeWithin + patience):
		t.Fatal("a socket that takes no frame is kept")
	}
	if near.code != 1008 {
		t.Errorf("it was closed with %d, want 1008", near.code)
	}
	w.hears("1001 closed lost")
}

func TestClosingTheGateway(t *testing.T) {
	w := newWorld(t, nil)
	b, _, a := w.talk("1001")
	other := w.open("1002")
	w.hears("1002 opened")
	if err := w.Gateway.Close(); err != nil {
		t.Fatal(err)
	}
	w.ended(b, 4503, "closing")
	w.ended(other, 4503, "closing")
	if err := a.port.Close(); err != nil {
		t.Errorf("closing a port twice: %v", err)
	}
	if _, err := w.Port(a.port.Addr()); !errors.Is(err, ErrClosed) {
		t.Errorf("opening a port after the end: %v", err)
	}
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(w.Addr()))
	if err != nil {
		t.Fatalf("the media socket's address is not free: %v", err)
	}
	conn.Close()
}

func TestTheApplicationEndsASession(t *testing.T) {
	w := newWorld(t, nil)
	b := w.open("1001")
	w.hears("1001 opened")
	w.session("1001").Close("closed")
	if f := w.next(b); f.Type != "gone" || f.Code != "closed" {
		t.Errorf("the page was sent %+v, want gone", f)
	}
	w.ended(b, 4410, "closed")
	w.hears("1001 closed closed")
}

// pipe is a transport without a network; a frame written waits until it is
// taken from out.
type pipe struct {
	in, out chan []byte
	ended   chan struct{}
	code    int
}

func newPipe() (near, far *pipe) {
	p := &pipe{in: make(chan []byte, 1), out: make(chan []byte), ended: make(chan struct{})}
	return p, p
}

func (p *pipe) ReadFrame() ([]byte, error) {
	select {
	case data := <-p.in:
		if len(data) > MaxFrame {
			return nil, ErrTooLarge
		}
		return data, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p *pipe) WriteFrame(ctx context.Context, frame []byte) error {
	select {
	case p.out <- frame:
		return nil
	case <-p.ended:
		return net.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pipe) Close(code int, _ string) error {
	select {
	case <-p.ended:
	default:
		p.code = code
		close(p.ended)
	}
	return nil
}
