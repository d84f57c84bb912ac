package ari_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"hotline/ari"
	"hotline/ari/aritest"
)

func TestOptionsThatCannotBeRight(t *testing.T) {
	good := ari.Options{URL: "http://127.0.0.1:8088/ari", App: "hotline", Username: "hotline"}
	tests := map[string]func(*ari.Options){
		"no URL":         func(o *ari.Options) { o.URL = "" },
		"another scheme": func(o *ari.Options) { o.URL = "ws://127.0.0.1:8088/ari" },
		"no host":        func(o *ari.Options) { o.URL = "http:///ari" },
		"unreadable":     func(o *ari.Options) { o.URL = "http://127.0.0.1:port/ari" },
		"no application": func(o *ari.Options) { o.App = "" },
		"no user":        func(o *ari.Options) { o.Username = "" },
	}
	for name, spoil := range tests {
		o := good
		spoil(&o)
		if _, err := ari.New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := ari.New(good); err != nil {
		t.Errorf("good options: %v", err)
	}
}

func TestFilterAsksForWhatIsUsed(t *testing.T) {
	server, _ := connect(t)
	want := []string{
		"ApplicationReplaced", "ChannelDestroyed", "ChannelDtmfReceived", "ChannelHangupRequest", "ChannelHold", "ChannelUnhold",
		"Dial", "PlaybackFinished", "RecordingFailed", "RecordingFinished", "StasisEnd", "StasisStart",
	}
	if diff := cmp.Diff(want, server.Filtered()); diff != "" {
		t.Errorf("event filter (-want +got):\n%s", diff)
	}
	server.Drop()
	until(t, "the filter is set again", func() bool {
		n := 0
		for _, r := range server.Requests() {
			if r.Route == "/applications/{id}/eventFilter" {
				n++
			}
		}
		return n == 2
	})
}

// The password is wrong, or Asterisk is not there: the link says so and keeps
// trying, with one log line.
func TestWaitingForAsterisk(t *testing.T) {
	server := aritest.Start(t)
	absent, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	absent.Close()
	rude, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { rude.Close() })
	go func() {
		for conn, err := rude.Accept(); err == nil; conn, err = rude.Accept() {
			conn.Close()
		}
	}()
	tests := map[string]struct {
		spoil func(*ari.Options)
		says  string
	}{
		"hangs up at once":  {func(o *ari.Options) { o.URL = fmt.Sprintf("http://%s/ari", rude.Addr()) }, "does not answer"},
		"wrong password":    {func(o *ari.Options) { o.Password = "guess" }, "password"},
		"Asterisk is away":  {func(o *ari.Options) { o.URL = fmt.Sprintf("http://%s/ari", absent.Addr()) }, "does not answer"},
		"something else":    {func(o *ari.Options) { o.URL += "/nothing" }, "websocket"},
		"events but no app": {func(o *ari.Options) { o.App = "other" }, "404"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := options(server)
			test.spoil(&o)
			var log buffer
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
			reg := prometheus.NewRegistry()
			o.Registerer = reg
			link := begin(t, o)
			until(t, "the status says why", func() bool {
				st := link.Status()
				return !st.Connected && st.Err != nil && strings.Contains(st.Err.Error(), test.says)
			})
			until(t, "it has tried again and again", func() bool { return value(t, reg, "hotline_ari_connection_attempts_total") > 5 })
			if n := strings.Count(log.String(), "not connected"); n != 1 {
				t.Errorf("logged %d times, want once:\n%s", n, log.String())
			}
			if strings.Contains(log.String(), aritest.Password) || strings.Contains(log.String(), "guess") {
				t.Errorf("the log holds the password:\n%s", log.String())
			}
			if link.Status().Replaced || value(t, reg, "hotline_ari_connected") != 0 {
				t.Error("the link says that it is connected or replaced")
			}
		})
	}
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestAsteriskComesLater(t *testing.T) {
	server := aritest.Start(t)
	server.Refuse(true)
	link := begin(t, options(server))
	until(t, "the status says that Asterisk refuses", func() bool {
		err := link.Status().Err
		return err != nil && strings.Contains(err.Error(), "503")
	})
	server.Refuse(false)
	until(t, "the link is connected", func() bool { return link.Status().Connected })
	server.Arrive(aritest.Caller{ID: "first"})
	if a := arrived(t, link); a.ChannelID != "first" || a.Found {
		t.Errorf("arrival %+v", a)
	}
}

// What happens while the websocket is away is found out after it is back, and
// nothing that is still there is lost.
func TestWhatHappensWhileAway(t *testing.T) {
	server, link := connect(t)
	server.MediaLasts(lasting)
	ctx := t.Context()
	caller, session, leg := answeredCall(t, server, link)
	server.Phone("PJSIP/1001", aritest.Phone{Does: aritest.Answers, After: 20 * time.Millisecond})
	server.Phone("PJSIP/1002", aritest.Phone{Does: aritest.NoAnswer})
	answers, err := session.Create(ctx, ari.Dial{Role: "agent", Endpoint: "PJSIP/1001"})
	must(t, err)
	must(t, answers.Dial(ctx, time.Minute))
	vanishes, err := session.Create(ctx, ari.Dial{Role: "agent", Endpoint: "PJSIP/1002"})
	must(t, err)
	must(t, vanishes.Dial(ctx, time.Minute))
	goesOn, err := leg.Play(ctx, []string{"sound:/ever"}, ari.PlayOptions{})
	must(t, err)
	bridge, err := session.Bridge(ctx, "mixing")
	must(t, err)
	ends, err := bridge.Play(ctx, []string{"sound:/ever"})
	must(t, err)
	next(t, session, ari.Ringing)

	server.Refuse(true)
	server.Drop()
	until(t, "the link notices", func() bool { return !link.Status().Connected })
	until(t, "the phone is answered", func() bool { return server.Channel(answers.ID()).State() == "Up" })
	server.Channel(vanishes.ID()).Bye()
	must(t, ends.Stop(ctx)) // commands need no websocket
	late := server.Arrive(aritest.Caller{ID: "late"})
	server.Refuse(false)
	until(t, "the link is back", func() bool { return link.Status().Connected })

	until(t, "the answer is known", answers.Answered)
	over(t, "the leg that vanished", vanishes.Context().Done())
	over(t, "the playback that ended", ends.Done())
	if e := vanishes.Evidence(); !e.Lost || e.DialStatus != ari.DialUnreachable && e.DialStatus != ari.DialNoAnswer {
		t.Errorf("the leg that vanished: %+v, want Lost", e)
	}
	if goesOn.Result() != ari.Playing || leg.Context().Err() != nil || answers.Context().Err() != nil {
		t.Errorf("what is still there was given up: playback %q, caller %v, agent %v", goesOn.Result(), leg.Context().Err(), answers.Context().Err())
	}
	late.Enter("in")
	if a := arrived(t, link); a.ChannelID != "late" {
		t.Errorf("arrival %+v", a)
	}
	caller.Press("7")
	if key, _ := next(t, session, ari.Key); key.Digit != '7' {
		t.Errorf("key %q", key.Digit)
	}
	caller.Bye()
	for {
		if gone, _ := next(t, session, ari.Gone); gone.Leg == leg {
			break
		}
	}
}

// A channel whose arrival nobody heard sits in Stasis in silence: it is found.
func TestUnheardArrivalIsFound(t *testing.T) {
	server, link := connect(t, func(o *ari.Options) { o.PingEvery, o.DeadAfter = 50*time.Millisecond, 150*time.Millisecond })
	until(t, "the server has the socket", server.Connected)
	server.Fail("GET", "/channels", 500, 1) // and the first look fails
	server.Send(`{"type":"Nonsense"}`)
	server.Reorder(2) // the first of two events stays with the server
	server.Arrive(aritest.Caller{ID: "unheard", Number: "10086", Name: "x", Args: []string{"in"}})
	server.BlackHole()
	a := arrived(t, link)
	if a.ChannelID != "unheard" || !a.Found || a.CallerNumber != "10086" || !slices.Equal(a.Args, []string{"in"}) || a.Created.IsZero() {
		t.Errorf("arrival %+v: want it found with all it says", a)
	}
	if s := link.Status(); s.Replaced {
		t.Error("the link takes its own new connection for another's")
	}
}

// After a restart of the service, callers who talk to somebody are left in
// peace, legs of ours are no callers, and who is alone is found.
func TestFoundAfterARestart(t *testing.T) {
	server := aritest.Start(t)
	server.Phone("PJSIP/1001", aritest.Phone{Does: aritest.Answers})
	before, err := ari.New(options(server))
	must(t, err)
	ctx, kill := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); before.Run(ctx) }()
	until(t, "the link is connected", func() bool { return before.Status().Connected })
	_, session, leg := answeredCall(t, server, before)
	agent, err := session.Create(t.Context(), ari.Dial{Role: "agent", Endpoint: "PJSIP/1001"})
	must(t, err)
	must(t, agent.Dial(t.Context(), time.Minute))
	bridge, err := session.Bridge(t.Context(), "mixing")
	must(t, err)
	must(t, bridge.Add(t.Context(), leg, agent))
	server.Arrive(aritest.Caller{ID: "alone"})
	kill()
	<-ended

	link := run(t, options(server))
	server.Arrive(aritest.Caller{ID: "new"})
	for _, want := range []string{"alone", "new"} {
		if a := arrived(t, link); a.ChannelID != want || a.Found != (want == "alone") {
			t.Errorf("arrival %s, found %v: want %s", a.ChannelID, a.Found, want)
		}
	}
}

func TestRecordingThatEndsWhileAway(t *testing.T) {
	server, link := connect(t)
	caller, session, leg := answeredCall(t, server, link)
	ends, err := leg.Record(t.Context(), ari.RecordOptions{Format: "wav", TerminateOn: "#"})
	must(t, err)
	server.Refuse(true)
	server.Drop()
	caller.Press("#")
	server.Refuse(false)
	over(t, "the recording", ends.Done())
	if !ends.Result().Lost {
		t.Errorf("the result is %+v: want Lost, for the file to be looked at", ends.Result())
	}
	next(t, session, ari.RecordingDone)
	goesOn, err := leg.Record(t.Context(), ari.RecordOptions{Format: "wav"})
	must(t, err)
	server.Drop()
	until(t, "the link is back", func() bool { return server.Connected() && link.Status().Connected })
	must(t, goesOn.Stop(t.Context()))
	over(t, "the second recording", goesOn.Done())
	if goesOn.Result().Lost {
		t.Error("a recording that went on was given up")
	}
}

// The fake sends what Asterisk 22.10.1 sent, in that order.
func TestFakeEndsCallsAsAsteriskDoes(t *testing.T) {
	ends := []string{"StasisEnd", "ChannelHangupRequest", "ChannelDestroyed"}
	tests := map[string]struct {
		how  func(*testing.T, *aritest.Channel, *ari.Leg)
		want []string
	}{
		"BYE":         {func(_ *testing.T, c *aritest.Channel, _ *ari.Leg) { c.Bye() }, append([]string{"ChannelHangupRequest", "PlaybackFinished"}, ends...)},
		"DELETE":      {func(t *testing.T, _ *aritest.Channel, l *ari.Leg) { must(t, l.Hangup(t.Context(), 16, "")) }, append([]string{"ChannelHangupRequest", "PlaybackFinished"}, ends...)},
		"rtp_timeout": {func(_ *testing.T, c *aritest.Channel, _ *ari.Leg) { c.LoseLine() }, append([]string{"ChannelHangupRequest", "PlaybackFinished"}, ends...)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server, link := connect(t)
			server.MediaLasts(lasting)
			caller, session, leg := answeredCall(t, server, link)
			_, err := leg.Play(t.Context(), []string{"sound:/ever"}, ari.PlayOptions{})
			must(t, err)
			server.ClearLog()
			test.how(t, caller, leg)
			next(t, session, ari.Gone)
			if diff := cmp.Diff(test.want, server.Sent()); diff != "" {
				t.Errorf("events (-Asterisk +fake):\n%s", diff)
			}
		})
	}
}

func TestSilentSocketIsGivenUp(t *testing.T) {
	reg := prometheus.NewRegistry()
	server, link := connect(t, func(o *ari.Options) {
		o.PingEvery, o.DeadAfter, o.Registerer = 50*time.Millisecond, 150*time.Millisecond, reg
	})
	server.BlackHole()
	until(t, "the link has reconnected", func() bool { return value(t, reg, "hotline_ari_reconnects_total") == 1 && link.Status().Connected })
	server.Arrive(aritest.Caller{ID: "next"})
	if a := arrived(t, link); a.ChannelID != "next" {
		t.Errorf("arrival %+v", a)
	}
}

func TestReplacedStopsActing(t *testing.T) {
	server := aritest.Start(t)
	link, err := ari.New(options(server))
	must(t, err)
	ended := make(chan error, 1)
	go func() { ended <- link.Run(t.Context()) }()
	until(t, "the link is connected", func() bool { return link.Status().Connected })
	_, session, leg := answeredCall(t, server, link)
	run(t, options(server)) // another process
	select {
	case err := <-ended:
		if !errors.Is(err, ari.ErrReplaced) {
			t.Errorf("Run ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Run goes on though another process took over")
	}
	if st := link.Status(); !st.Replaced || st.Connected || !errors.Is(st.Err, ari.ErrReplaced) {
		t.Errorf("status %+v", st)
	}
	if _, open := <-link.Arrivals(); open {
		t.Error("arrivals go on")
	}
	before := len(server.Requests())
	err = leg.Hangup(t.Context(), 16, "shutdown")
	var e *ari.Error
	if !errors.As(err, &e) || !errors.Is(err, ari.ErrReplaced) || e.Unavailable() {
		t.Errorf("hanging up a call that is another's: %v", err)
	}
	if _, err := session.Create(t.Context(), ari.Dial{Role: "agent", Endpoint: "PJSIP/1"}); !errors.Is(err, ari.ErrReplaced) {
		t.Errorf("creating a leg: %v", err)
	}
	if n := len(server.Requests()) - before; n != 0 {
		t.Errorf("%d commands were sent all the same", n)
	}
}

// A process that is relieved and told to stop in the same moment knows that its calls are another's.
func TestWhoWasRelievedStaysSoWhenItStops(t *testing.T) {
	for range 10 { // it is a race
		server := aritest.Start(t)
		link, err := ari.New(options(server))
		must(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- link.Run(ctx) }()
		until(t, "the link is connected", func() bool { return link.Status().Connected })
		server.Replace()
		for !link.Status().Replaced {
			runtime.Gosched()
		}
		stop()
		<-ended
		if st := link.Status(); !st.Replaced {
			t.Fatalf("it takes the calls for its own again: %+v", st)
		}
	}
}

func TestStrangeMessagesAreCountedAndIgnored(t *testing.T) {
	reg := prometheus.NewRegistry()
	server, link := connect(t, func(o *ari.Options) { o.Registerer = reg })
	caller, session, leg := answeredCall(t, server, link)
	for _, m := range []string{
		`{"type":"ChannelToneDetected","channel":{"id":"x"}}`, `{"type":"RESTResponse"}`,
		`{"type":"StasisStart"`, `null`, ``, `[]`, `{"type":7}`, `{}`, "\x00\xff", `{"type":"StasisStart","channel":{"id":7}}`,
		`{"type":"StasisEnd","timestamp":"yesterday","channel":{"id":"x"}}`,
		`{"type":"ChannelDtmfReceived","digit":"1","channel":null}`, `{"type":"Dial"}`, `{"type":"PlaybackFinished"}`, `{"type":"StasisStart"}`,
	} {
		server.Send(m)
	}
	caller.Press("1")
	next(t, session, ari.Key)
	if leg.Context().Err() != nil {
		t.Errorf("the leg ended: %v", context.Cause(leg.Context()))
	}
	for name, want := range map[string]float64{
		"hotline_ari_unknown_events_total": 2, "hotline_ari_malformed_events_total": 9, "hotline_ari_unrouted_events_total": 4,
	} {
		if got := value(t, reg, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if !link.Status().Connected {
		t.Error("the connection did not survive")
	}
}

func TestLegOfACallThatIsOverIsNoArrival(t *testing.T) {
	server, link := connect(t)
	server.Phone("PJSIP/1001", aritest.Phone{Does: aritest.NoAnswer})
	session := link.Session("call")
	leg, err := session.Create(t.Context(), ari.Dial{Role: "agent", Endpoint: "PJSIP/1001"})
	must(t, err)
	session.Close()
	if !errors.Is(context.Cause(leg.Context()), ari.ErrClosed) {
		t.Errorf("the leg's context: %v", context.Cause(leg.Context()))
	}
	server.Drop()
	until(t, "the link is back", func() bool { return server.Connected() && link.Status().Connected })
	server.Arrive(aritest.Caller{ID: "caller"})
	if a := arrived(t, link); a.ChannelID != "caller" {
		t.Errorf("announced as a caller: %+v", a)
	}
}

func TestStalledREST(t *testing.T) {
	server, link := connect(t, func(o *ari.Options) { o.RequestTimeout = 50 * time.Millisecond })
	caller := server.Arrive(aritest.Caller{})
	session := link.Session("call")
	defer session.Close()
	leg := session.Adopt(arrived(t, link))
	server.Stall(time.Second)
	began := time.Now()
	err := leg.Answer(t.Context())
	var e *ari.Error
	if !errors.As(err, &e) || !e.Unavailable() || e.Status != 0 {
		t.Errorf("%v: want Unavailable", err)
	}
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("the verb took %v: want RequestTimeout", took)
	}
	if caller.State() != "Up" {
		t.Error("Asterisk carried the command out, only its answer was late: the fake does not")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errTestOver)
	if err := leg.Ring(ctx); !errors.Is(err, errTestOver) {
		t.Errorf("a verb whose context is cancelled says %v: want the cause", err)
	}
}

// An answer, even a bad one, settles a question; and what nobody waits for any
// more is not sent again.
func TestWhatIsNotTriedAgain(t *testing.T) {
	server, link := connect(t)
	_, _, leg := answeredCall(t, server, link)
	server.Fail("GET", "/channels/{id}/variable", 500, 1)
	if _, err := leg.GetVar(t.Context(), "A"); err == nil {
		t.Error("a 500 is an answer: it is not to be asked again")
	}
	server.ClearLog()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	server.Stall(time.Second)
	leg.Ring(ctx)
	n := 0
	for _, r := range server.Requests() {
		if r.Route == "/channels/{id}/ring" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the command was sent %d times, want once", n)
	}
}

func TestRepeatedEventsChangeNothing(t *testing.T) {
	reg := prometheus.NewRegistry()
	server, link := connect(t, func(o *ari.Options) { o.Registerer = reg })
	server.Phone("PJSIP/1001", aritest.Phone{Does: aritest.Answers})
	server.Repeat(1000)
	caller, session, leg := answeredCall(t, server, link)
	agent, err := session.Create(t.Context(), ari.Dial{Role: "agent", Endpoint: "PJSIP/1001"})
	must(t, err)
	must(t, agent.Dial(t.Context(), time.Minute))
	caller.Press("12")
	p, err := leg.Play(t.Context(), []string{"sound:/a"}, ari.PlayOptions{})
	must(t, err)
	over(t, "the playback", p.Done())
	server.Channel(agent.ID()).Bye()
	_, agents := next(t, session, ari.Gone)
	caller.Bye()
	_, callers := next(t, session, ari.Gone)
	want := map[ari.EventKind]int{
		ari.Entered: 1, ari.Ringing: 1, ari.Answered: 1, ari.Key: 2, ari.PlaybackDone: 1, ari.HangupRequested: 2, ari.Left: 2,
	}
	got := make(map[ari.EventKind]int)
	for _, kind := range kindsOf(append(agents, callers...)) {
		got[kind]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events seen (-want +got):\n%s", diff)
	}
	if n := value(t, reg, "hotline_ari_repeated_events_total"); n < 10 {
		t.Errorf("%v repeated events were counted: did the server repeat?", n)
	}
}

func TestReorderedEndIsAnEnd(t *testing.T) {
	server, link := connect(t)
	caller, session, leg := answeredCall(t, server, link)
	server.Reorder(4) // hang-up request, StasisEnd, the dialplan's request, destroyed
	caller.Bye()
	gone, before := next(t, session, ari.Gone)
	if len(before) != 0 || gone.Lost {
		t.Errorf("before Gone: %v", kindsOf(before))
	}
	until(t, "the evidence is complete all the same", func() bool {
		e := leg.Evidence()
		return slices.ContainsFunc(e.Requests, func(r ari.HangupSeen) bool { return !r.Soft }) && !e.LeftAt.IsZero()
	})
	if ev, ok := session.Poll(); ok {
		t.Errorf("%v after Gone", ev.Kind)
	}
}

func TestMailbox(t *testing.T) {
	var log buffer
	reg := prometheus.NewRegistry()
	server, link := connect(t, func(o *ari.Options) {
		o.Logger, o.Registerer = slog.New(slog.NewTextHandler(&log, nil)), reg
	})
	caller, session, _ := answeredCall(t, server, link)
	const pressed = 1500 // nobody reads meanwhile
	caller.Press(strings.Repeat("12345", pressed/5))
	until(t, "the mailbox is deep", func() bool { return value(t, reg, "hotline_ari_mailbox_depth_max") >= pressed })
	if n := strings.Count(log.String(), "does not keep up"); n != 1 {
		t.Errorf("%d warnings of a deep mailbox, want one:\n%s", n, log.String())
	}
	select {
	case <-session.Wake():
	default:
		t.Error("Wake is silent with a full mailbox")
	}
	for i := range pressed {
		ev, ok := session.Poll()
		if want := rune("12345"[i%5]); !ok || ev.Digit != want {
			t.Fatalf("event %d is %q (%v), want %q: order or events are lost", i, ev.Digit, ok, want)
		}
	}
	if _, ok := session.Poll(); ok {
		t.Error("the mailbox should be empty")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errTestOver)
	if _, err := session.Next(ctx); !errors.Is(err, errTestOver) {
		t.Errorf("Next with a context that is over: %v, want its cause", err)
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := session.Next(t.Context())
		waiting <- err
	}()
	session.Close()
	if err := <-waiting; !errors.Is(err, ari.ErrClosed) {
		t.Errorf("Next on a session that is closed: %v", err)
	}
	caller.Press("1")
	caller.Bye()
	until(t, "events of a call that is over are unrouted", func() bool { return value(t, reg, "hotline_ari_unrouted_events_total") >= 2 })
}

func TestNextDoesNotMissAnEvent(t *testing.T) {
	server, link := connect(t)
	caller, session, _ := answeredCall(t, server, link)
	go func() {
		for range 200 {
			caller.Press("1")
		}
	}()
	for range 200 {
		next(t, session, ari.Key)
	}
}

func TestEndpointOnline(t *testing.T) {
	server, link := connect(t)
	server.Phone("PJSIP/1001", aritest.Phone{Does: aritest.Answers})
	server.Phone("PJSIP/1002", aritest.Phone{Does: aritest.Unreachable})
	for resource, want := range map[string]bool{"1001": true, "1002": false} {
		if online, err := link.EndpointOnline(t.Context(), "PJSIP", resource); err != nil || online != want {
			t.Errorf("%s is online: %v (%v), want %v", resource, online, err, want)
		}
	}
	lines := func(wantAny, wantAnswered bool) {
		t.Helper()
		if has, answered, err := link.EndpointLines(t.Context(), "PJSIP", "1001"); err != nil || has != wantAny || answered != wantAnswered {
			t.Errorf("the phone has a line: %v, answered: %v (%v), want %v, %v", has, answered, err, wantAny, wantAnswered)
		}
	}
	lines(false, false)
	rings := server.Elsewhere("PJSIP/1001", false)
	lines(true, false)
	talks := server.Elsewhere("PJSIP/1001", true)
	lines(true, true)
	rings.Bye()
	talks.Bye()
	lines(false, false)
	_, err := link.EndpointOnline(t.Context(), "PJSIP", "1003")
	var e *ari.Error
	if !errors.As(err, &e) || !e.NotFound() {
		t.Errorf("an endpoint that is not configured: %v, want NotFound", err)
	}
}
