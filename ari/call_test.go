package ari_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotline/ari"
	"hotline/ari/aritest"
)

// What a full call costs: it is greeted, presses a key, is recorded, waits,
// is offered and connected to an agent, who hangs up, is asked for a rating and
// sent home. docs/benchmarks.md publishes these lists; shorter is better.
var (
	costRequests = []string{
		"POST /applications/{id}/subscription",
		"POST /channels/{id}/answer",
		"POST /channels/{id}/play",      // greeting, notice and menu
		"DELETE /playbacks/{id}",        // a key is pressed
		"POST /channels/{id}/continue",  // recording begins
		"POST /channels/{id}/play",      // hold tone with its apologies
		"POST /channels/create",         // the agent's leg
		"POST /channels/{id}/dial",      //
		"DELETE /playbacks/{id}",        // the agent answers
		"POST /bridges",                 //
		"POST /bridges/{id}/addChannel", // both legs
		"POST /bridges/{id}/play",       // agent 789
		"DELETE /bridges/{id}",          // the agent has left
		"POST /channels/{id}/play",      // rating
		"POST /channels/{id}/play",      // thanks and closing
		"DELETE /channels/{id}",
	}
	costEvents = []string{
		"StasisStart",
		"ChannelDtmfReceived", "PlaybackFinished", // menu
		"StasisEnd", "StasisStart", // recording begins
		"StasisStart", "Dial", "Dial", "Dial", // the agent's leg: sent, ringing, answered
		"PlaybackFinished",                                      // hold tone
		"PlaybackFinished",                                      // agent 789
		"ChannelHangupRequest", "StasisEnd", "ChannelDestroyed", // agent
		"PlaybackFinished", "ChannelDtmfReceived", // rating
		"PlaybackFinished",                                                              // closing
		"ChannelHangupRequest", "StasisEnd", "ChannelHangupRequest", "ChannelDestroyed", // caller
	}
)

func TestCostOfAFullCall(t *testing.T) {
	server, link := connect(t)
	ctx := t.Context()
	server.Phone("PJSIP/1001", aritest.Phone{Does: aritest.Answers, After: 20 * time.Millisecond})
	server.MediaLasts(func(medium string) time.Duration {
		if strings.Contains(medium, "hold") || strings.Contains(medium, "menu") {
			return time.Minute
		}
		return time.Millisecond
	})
	server.ClearLog()

	caller := server.Arrive(aritest.Caller{Name: "王先生", Number: "13800000000"})
	session := link.Session("20260206-090000-0001")
	defer session.Close()
	leg := session.Adopt(arrived(t, link))
	must(t, leg.Subscribe(ctx))
	must(t, leg.Answer(ctx))
	menu, err := leg.Play(ctx, []string{"sound:greeting", "sound:notice", "sound:menu"}, ari.PlayOptions{})
	must(t, err)
	caller.Press("1")
	if key, _ := next(t, session, ari.Key); key.Digit != '1' || key.Leg != leg {
		t.Fatalf("key %q of leg %v: want 1 of the caller", key.Digit, key.Leg.ID())
	}
	must(t, menu.Stop(ctx))
	over(t, "the menu", menu.Done())
	must(t, leg.Continue(ctx, "record", "s", 1))

	hold, err := leg.Play(ctx, []string{"sound:hold"}, ari.PlayOptions{})
	must(t, err)
	agent, err := session.Create(ctx, ari.Dial{Role: "agent", Endpoint: "PJSIP/1001", CallerName: "维修 1分20秒", CallerNumber: "138****0000", Originator: leg})
	must(t, err)
	must(t, agent.Dial(ctx, 15*time.Second))
	next(t, session, ari.Answered)
	if name, number := server.At("PJSIP/1001")[0].Display(); name != "维修 1分20秒" || number != "138****0000" {
		t.Errorf("the agent's phone shows %q %q", name, number)
	}
	must(t, hold.Stop(ctx))
	bridge, err := session.Bridge(ctx, "mixing,video_sfu")
	must(t, err)
	must(t, bridge.Add(ctx, leg, agent))
	if joined := caller.Joined(); len(joined) != 2 {
		t.Errorf("in the bridge: %v, want caller and agent", joined)
	}
	announce, err := bridge.Play(ctx, []string{"sound:agent-789"})
	must(t, err)
	over(t, "the announcement", announce.Done())

	server.Channel(agent.ID()).Bye()
	next(t, session, ari.Gone)
	must(t, bridge.Destroy(ctx))
	rating, err := leg.Play(ctx, []string{"sound:rating"}, ari.PlayOptions{})
	must(t, err)
	over(t, "the rating", rating.Done())
	caller.Press("5")
	next(t, session, ari.Key)
	closing, err := leg.Play(ctx, []string{"sound:thanks", "sound:closing"}, ari.PlayOptions{})
	must(t, err)
	over(t, "the closing", closing.Done())
	must(t, leg.Hangup(ctx, 16, "finished"))
	next(t, session, ari.Gone)

	var requests []string
	for _, r := range server.Requests() {
		requests = append(requests, r.Method+" "+r.Route)
	}
	if diff := cmp.Diff(costRequests, requests); diff != "" {
		t.Errorf("requests of a full call (-published +sent):\n%s", diff)
	}
	if diff := cmp.Diff(sorted(costEvents), sorted(server.Sent())); diff != "" {
		t.Errorf("events of a full call (-published +received):\n%s", diff)
	}
	if len(costRequests) > 18 || len(costEvents) > 24 {
		t.Errorf("a full call takes %d requests and %d events: at most 18 and 24", len(costRequests), len(costEvents))
	}
	if n := server.Channels() + server.Bridges(); n != 0 {
		t.Errorf("%d channels and bridges are left over", n)
	}
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

func TestArrivalTellsWhoCalls(t *testing.T) {
	server, link := connect(t)
	server.Arrive(aritest.Caller{ID: "c1", Name: "王先生", Number: "13800000000", Args: []string{"in", "96196"}, Age: 7 * time.Second, Answered: true})
	got := arrived(t, link)
	if age := got.At.Sub(got.Created).Round(time.Second); age != 7*time.Second {
		t.Errorf("the channel was created %v before it arrived, want 7 s: three rings count from there", age)
	}
	got.At, got.Created, got.Vars = time.Time{}, time.Time{}, nil
	want := ari.Arrival{
		ChannelID: "c1", Name: got.Name, Endpoint: "PJSIP/trunk", CallerNumber: "13800000000", CallerName: "王先生",
		Exten: "96196", Context: "in", Language: "en", Args: []string{"in", "96196"}, Answered: true,
	}
	if diff := cmp.Diff(want, got, cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "leg" }, cmp.Ignore())); diff != "" {
		t.Errorf("arrival (-want +got):\n%s", diff)
	}
}

func TestEventsBeforeAdoptionAreKept(t *testing.T) {
	server, link := connect(t)
	caller := server.Arrive(aritest.Caller{})
	a := arrived(t, link)
	caller.Press("12")
	caller.Bye()
	until(t, "the hang-up was sent", func() bool { return slices.Contains(server.Sent(), "StasisEnd") })
	session := link.Session("call")
	defer session.Close()
	leg := session.Adopt(a)
	_, before := next(t, session, ari.Gone)
	want := []ari.EventKind{ari.Key, ari.Key, ari.HangupRequested, ari.Left}
	if diff := cmp.Diff(want, kindsOf(before)); diff != "" {
		t.Errorf("before Gone (-want +got):\n%s", diff)
	}
	until(t, "the leg's context has ended", func() bool { return leg.Context().Err() != nil }) // a moment after the event
	var gone *ari.GoneError
	if !errors.As(context.Cause(leg.Context()), &gone) || gone.Cause != 127 || gone.TechCause != 487 {
		t.Errorf("context ended with %v, want a GoneError 127/487: the caller cancelled", context.Cause(leg.Context()))
	}
}

func TestSubscribingToAChannelThatIsGone(t *testing.T) {
	server, link := connect(t)
	caller := server.Arrive(aritest.Caller{})
	session := link.Session("call")
	defer session.Close()
	leg := session.Adopt(arrived(t, link))
	caller.Vanish()
	err := leg.Subscribe(t.Context())
	var e *ari.Error
	if !errors.As(err, &e) || !e.NotFound() || e.Unavailable() {
		t.Fatalf("subscribing to a channel that is gone: %v, want NotFound", err)
	}
	gone, _ := next(t, session, ari.Gone)
	if !gone.Lost || !leg.Evidence().Lost {
		t.Errorf("%+v: want Lost, nobody saw the end", gone)
	}
}

func TestDialOutcomes(t *testing.T) {
	tests := []struct {
		name   string
		phone  aritest.Phone
		cancel bool
		want   []ari.EventKind // before Gone
		status string
		cause  int
		tech   int
	}{
		{name: "answered", phone: aritest.Phone{Does: aritest.Answers, After: time.Millisecond},
			want: []ari.EventKind{ari.Entered, ari.Ringing, ari.Answered, ari.HangupRequested, ari.Left}, status: "ANSWER", cause: 16},
		{name: "busy", phone: aritest.Phone{Does: aritest.Busy},
			want: []ari.EventKind{ari.Entered, ari.HangupRequested, ari.Left, ari.DialFailed}, status: ari.DialBusy, cause: 17, tech: 486},
		{name: "declined", phone: aritest.Phone{Does: aritest.Declines},
			want: []ari.EventKind{ari.Entered, ari.HangupRequested, ari.Left, ari.DialFailed}, status: ari.DialRejected, cause: 21, tech: 603},
		{name: "no answer", phone: aritest.Phone{Does: aritest.NoAnswer},
			want: []ari.EventKind{ari.Entered, ari.Ringing, ari.HangupRequested, ari.Left, ari.DialFailed}, status: ari.DialNoAnswer, cause: 19, tech: 480},
		{name: "silent", phone: aritest.Phone{Does: aritest.Silent},
			want: []ari.EventKind{ari.Entered, ari.HangupRequested, ari.Left, ari.DialFailed}, status: ari.DialUnreachable, cause: 19, tech: 480},
		{name: "cancelled", phone: aritest.Phone{Does: aritest.NoAnswer}, cancel: true,
			want: []ari.EventKind{ari.Entered, ari.Ringing, ari.HangupRequested, ari.Left, ari.DialFailed}, status: ari.DialCancelled, cause: 26},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server, link := connect(t)
			server.Phone("PJSIP/1001", test.phone)
			session := link.Session("call")
			defer session.Close()
			agent, err := session.Create(t.Context(), ari.Dial{Role: "agent", Endpoint: "PJSIP/1001"})
			must(t, err)
			if agent.ID() != "call-agent-1" {
				t.Errorf("the leg's ID is %s: must start with the call's", agent.ID())
			}
			must(t, agent.Dial(t.Context(), time.Second))
			var seen []ari.Event
			switch {
			case test.cancel:
				_, before := next(t, session, ari.Ringing)
				seen = append(before, ari.Event{Kind: ari.Ringing})
				must(t, agent.Hangup(t.Context(), 26, "caller left"))
			case test.phone.Does == aritest.Answers:
				_, before := next(t, session, ari.Answered)
				seen = append(before, ari.Event{Kind: ari.Answered})
				must(t, agent.Hangup(t.Context(), 0, "over"))
			}
			gone, before := next(t, session, ari.Gone)
			seen = append(seen, before...)
			if diff := cmp.Diff(test.want, kindsOf(seen)); diff != "" {
				t.Errorf("events before Gone (-want +got):\n%s", diff)
			}
			type outcome struct {
				Status      string
				Cause, Tech int
			}
			want := outcome{test.status, test.cause, test.tech}
			if got := (outcome{gone.DialStatus, gone.Cause, gone.TechCause}); got != want {
				t.Errorf("Gone says %+v, want %+v", got, want)
			}
			for _, ev := range before {
				if got := (outcome{ev.DialStatus, ev.Cause, ev.TechCause}); ev.Kind == ari.DialFailed && got != want {
					t.Errorf("DialFailed says %+v, want %+v", got, want)
				}
			}
			e := agent.Evidence()
			if e.DialStatus != test.status || e.AnsweredAt.IsZero() != (test.status != "ANSWER") {
				t.Errorf("evidence: dial status %q, answered at %v", e.DialStatus, e.AnsweredAt)
			}
		})
	}
}

func TestUnregisteredPhoneIsUnreachable(t *testing.T) {
	_, link := connect(t)
	session := link.Session("call")
	defer session.Close()
	_, err := session.Create(t.Context(), ari.Dial{Role: "agent", Endpoint: "PJSIP/1002"})
	var e *ari.Error
	if !errors.As(err, &e) || !e.Unreachable() || e.Unavailable() {
		t.Fatalf("%v: want an *Error that is Unreachable and not Unavailable", err)
	}
	if ev, ok := session.Poll(); ok {
		t.Errorf("the mailbox has %v of a leg that never was", ev.Kind)
	}
}

func TestWhoHungUp(t *testing.T) {
	tests := []struct {
		name         string
		how          func(*testing.T, *aritest.Channel, *ari.Leg)
		unsubscribed bool
		requests     []ari.HangupSeen
		commands     int
		cause, tech  int
	}{
		{name: "the caller", how: func(_ *testing.T, c *aritest.Channel, _ *ari.Leg) { c.Bye() },
			requests: []ari.HangupSeen{{}}, cause: 0},
		{name: "the caller, not subscribed", how: func(_ *testing.T, c *aritest.Channel, _ *ari.Leg) { c.Bye() }, unsubscribed: true,
			requests: []ari.HangupSeen{{}}, cause: 0},
		{name: "we", how: func(t *testing.T, _ *aritest.Channel, l *ari.Leg) { must(t, l.Hangup(t.Context(), 16, "finished")) },
			requests: []ari.HangupSeen{{Soft: true}}, commands: 1, cause: 16},
		{name: "we, not subscribed", how: func(t *testing.T, _ *aritest.Channel, l *ari.Leg) { must(t, l.Hangup(t.Context(), 21, "full")) }, unsubscribed: true,
			requests: []ari.HangupSeen{{Soft: true}}, commands: 1, cause: 0},
		{name: "the caller's line", how: func(_ *testing.T, c *aritest.Channel, _ *ari.Leg) { c.LoseLine() },
			requests: []ari.HangupSeen{{Soft: true}}, cause: 44},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server, link := connect(t)
			caller := server.Arrive(aritest.Caller{Answered: true})
			session := link.Session("call")
			defer session.Close()
			leg := session.Adopt(arrived(t, link))
			if !test.unsubscribed {
				must(t, leg.Subscribe(t.Context()))
			}
			test.how(t, caller, leg)
			gone, _ := next(t, session, ari.Gone)
			over(t, "the leg's context", leg.Context().Done())
			e := leg.Evidence()
			for i := range e.Requests {
				e.Requests[i].At = time.Time{}
			}
			if diff := cmp.Diff(test.requests, e.Requests); diff != "" {
				t.Errorf("hang-up requests (-want +got):\n%s", diff)
			}
			if len(e.Commands) != test.commands || e.Cause != test.cause || gone.Cause != test.cause || e.TechCause != test.tech {
				t.Errorf("commands %+v, cause %d/%d, Gone says %d: want %d commands, cause %d/%d",
					e.Commands, e.Cause, e.TechCause, gone.Cause, test.commands, test.cause, test.tech)
			}
			if e.GoneAt.IsZero() || e.LeftAt.IsZero() || e.Lost || !e.RTP.Known {
				t.Errorf("evidence %+v: want the times of leaving and end, and packet counts", e)
			}
			if ev, ok := session.Poll(); ok {
				t.Errorf("%v after Gone", ev.Kind)
			}
			if err := leg.Hangup(t.Context(), 16, "again"); err != nil {
				t.Errorf("hanging up a channel that is gone: %v", err)
			}
		})
	}
}

func TestContinueReturns(t *testing.T) {
	server, link := connect(t)
	caller, session, leg := answeredCall(t, server, link)
	server.Dialplan("record", "s", func(c *aritest.Channel) {})
	must(t, leg.Continue(t.Context(), "record", "s", 1))
	_, before := next(t, session, ari.Entered)
	if diff := cmp.Diff([]ari.EventKind{ari.Left}, kindsOf(before)); diff != "" {
		t.Errorf("before Entered (-want +got):\n%s", diff)
	}
	if e := leg.Evidence(); !e.LeftAt.IsZero() {
		t.Errorf("evidence says that the leg left at %v: a Continue is no end", e.LeftAt)
	}
	select {
	case a := <-link.Arrivals():
		t.Errorf("the leg that came back is announced as an arrival: %+v", a)
	default:
	}

	server.Dialplan("record", "dies", func(c *aritest.Channel) { c.Bye() })
	err := leg.Continue(t.Context(), "record", "dies", 1)
	var gone *ari.GoneError
	if !errors.As(err, &gone) {
		t.Errorf("continuing to an extension where the caller hangs up: %v, want a GoneError inside", err)
	}
	if caller.State() != "" {
		t.Errorf("the channel is %s", caller.State())
	}
}

func TestVariables(t *testing.T) {
	server, link := connect(t)
	caller, _, leg := answeredCall(t, server, link)
	ctx := t.Context()
	must(t, leg.SetVar(ctx, "HOLD_INTERCEPT(set)", ""))
	must(t, leg.SetVars(ctx, map[string]string{"A": "1", "B": "二"}))
	if caller.Var("A") != "1" || caller.Var("B") != "二" {
		t.Errorf("A is %q and B is %q", caller.Var("A"), caller.Var("B"))
	}
	for name, want := range map[string]string{"B": "二", "NOSUCH": ""} {
		if got, err := leg.GetVar(ctx, name); err != nil || got != want {
			t.Errorf("%s is %q (%v), want %q", name, got, err, want)
		}
	}
	if leg.Context().Err() != nil {
		t.Error("a variable that is not set is taken for a channel that is gone")
	}
}

func TestRingAndAnswer(t *testing.T) {
	server, link := connect(t)
	caller := server.Arrive(aritest.Caller{})
	session := link.Session("call")
	defer session.Close()
	leg := session.Adopt(arrived(t, link))
	must(t, leg.Ring(t.Context()))
	if !caller.HeardRinging() || leg.Answered() {
		t.Errorf("heard ringing %v, answered %v", caller.HeardRinging(), leg.Answered())
	}
	must(t, leg.Answer(t.Context()))
	if caller.State() != "Up" || !leg.Answered() || leg.Evidence().AnsweredAt.IsZero() {
		t.Errorf("after the answer the channel is %s, the leg says %v", caller.State(), leg.Answered())
	}
}

func TestHold(t *testing.T) {
	server, link := connect(t)
	caller, session, leg := answeredCall(t, server, link)
	caller.Hold()
	next(t, session, ari.Held)
	if !leg.Held() {
		t.Error("the leg does not know that it is on hold")
	}
	caller.Unhold()
	next(t, session, ari.Resumed)
}

func TestSnapshots(t *testing.T) {
	server, link := connect(t)
	caller, session, leg := answeredCall(t, server, link)
	server.Phone("PJSIP/1001", aritest.Phone{Does: aritest.NoAnswer})
	agent, err := session.Create(t.Context(), ari.Dial{Role: "agent", Endpoint: "PJSIP/1001"})
	must(t, err)
	must(t, agent.Dial(t.Context(), time.Minute))
	bridge, err := session.Bridge(t.Context(), "mixing")
	must(t, err)
	must(t, bridge.Add(t.Context(), leg))

	channels, err := link.Channels(t.Context())
	must(t, err)
	byID := make(map[string]ari.Channel)
	for _, c := range channels {
		byID[c.ID] = c
	}
	if c := byID[caller.ID()]; c.App != aritest.App || c.State != "Up" || c.Exten != "96196" || c.Created.IsZero() {
		t.Errorf("the caller's channel is %+v", c)
	}
	if c := byID[agent.ID()]; !slices.Equal(c.Args, []string{"leg", session.CallID(), "agent"}) {
		t.Errorf("the agent's channel says %q: want leg, call ID and role, so that adoption guesses nothing", c.Args)
	}
	bridges, err := link.Bridges(t.Context())
	must(t, err)
	want := []ari.BridgeInfo{{ID: bridge.ID(), Name: session.CallID(), Kind: "mixing", Creator: "Stasis", Channels: []string{leg.ID()}}}
	if diff := cmp.Diff(want, bridges); diff != "" {
		t.Errorf("bridges (-want +got):\n%s", diff)
	}
}

// An error is told by status and Asterisk's message, for every verb, after one
// more attempt where the command may be repeated and the server is at fault.
func TestVerbErrors(t *testing.T) {
	const again = true
	tests := []struct {
		route string
		again bool
		do    func(context.Context, *ari.Session, *ari.Leg, *ari.Bridge) error
	}{
		{"POST /channels/{id}/ring", !again, func(ctx context.Context, _ *ari.Session, l *ari.Leg, _ *ari.Bridge) error { return l.Ring(ctx) }},
		{"POST /channels/{id}/answer", again, func(ctx context.Context, _ *ari.Session, l *ari.Leg, _ *ari.Bridge) error { return l.Answer(ctx) }},
		{"POST /channels/{id}/dial", !again, func(ctx context.Context, _ *ari.Session, l *ari.Leg, _ *ari.Bridge) error {
			return l.Dial(ctx, time.Second)
		}},
		{"POST /channels/{id}/continue", !again, func(ctx context.Context, _ *ari.Session, l *ari.Leg, _ *ari.Bridge) error {
			return l.Continue(ctx, "a", "s", 1)
		}},
		{"POST /channels/{id}/variable", !again, func(ctx context.Context, _ *ari.Session, l *ari.Leg, _ *ari.Bridge) error {
			return l.SetVar(ctx, "A", "1")
		}},
		{"POST /channels/{id}/variables", !again, func(ctx context.Context, _ *ari.Session, l *ari.Leg, _ *ari.Bridge) error { return l.SetVars(ctx, nil) }},
		{"GET /channels/{id}/variable", !again, func(ctx context.Context, _ *ari.Session, l *ari.Leg, _ *ari.Bridge) error {
			_, err := l.GetVar(ctx, "A")
			return err
		}},
		{"POST /channels/{id}/play", again, func(ctx context.Context, _ *ari.Session, l *ari.Leg, _ *ari.Bridge) error {
			_, err := l.Play(ctx, []string{"sound:a"}, ari.PlayOptions{})
			return err
		}},
		{"POST /channels/{id}/record", !again, func(ctx context.Context, _ *ari.Session, l *ari.Leg, _ *ari.Bridge) error {
			_, err := l.Record(ctx, ari.RecordOptions{Format: "wav"})
			return err
		}},
		{"POST /channels/create", !again, func(ctx context.Context, s *ari.Session, _ *ari.Leg, _ *ari.Bridge) error {
			_, err := s.Create(ctx, ari.Dial{Role: "agent", Endpoint: "PJSIP/1001"})
			return err
		}},
		{"POST /bridges", again, func(ctx context.Context, s *ari.Session, _ *ari.Leg, _ *ari.Bridge) error {
			_, err := s.Bridge(ctx, "mixing")
			return err
		}},
		{"POST /bridges/{id}/addChannel", again, func(ctx context.Context, _ *ari.Session, l *ari.Leg, b *ari.Bridge) error { return b.Add(ctx, l) }},
		{"POST /bridges/{id}/removeChannel", again, func(ctx context.Context, _ *ari.Session, l *ari.Leg, b *ari.Bridge) error {
			return errors.Join(b.Add(ctx, l), b.Remove(ctx, l))
		}},
		{"POST /bridges/{id}/play", again, func(ctx context.Context, _ *ari.Session, _ *ari.Leg, b *ari.Bridge) error {
			_, err := b.Play(ctx, []string{"sound:a"})
			return err
		}},
		{"POST /applications/{id}/subscription", again, func(ctx context.Context, _ *ari.Session, l *ari.Leg, _ *ari.Bridge) error { return l.Subscribe(ctx) }},
	}
	// These are content with "not found": what they are to end has ended.
	ends := []struct {
		route string
		again bool
		do    func(context.Context, *ari.Session, *ari.Leg, *ari.Bridge) error
	}{
		{"DELETE /channels/{id}", again, func(ctx context.Context, _ *ari.Session, l *ari.Leg, _ *ari.Bridge) error {
			return l.Hangup(ctx, 16, "")
		}},
		{"DELETE /bridges/{id}", again, func(ctx context.Context, _ *ari.Session, _ *ari.Leg, b *ari.Bridge) error { return b.Destroy(ctx) }},
	}
	server, link := connect(t)
	_, session, leg := answeredCall(t, server, link)
	bridge, err := session.Bridge(t.Context(), "mixing")
	must(t, err)
	for _, test := range tests {
		t.Run(test.route, func(t *testing.T) {
			for _, status := range []int{404, 409, 500, 503} {
				checkError(t, server, test.route, status, test.do(failing(t, server, test.route, status, test.again), session, leg, bridge))
			}
		})
	}
	server, link = connect(t) // at the first one, strays are being looked for
	_, session, leg = answeredCall(t, server, link)
	bridge, err = session.Bridge(t.Context(), "mixing")
	must(t, err)
	for _, test := range ends {
		t.Run(test.route, func(t *testing.T) {
			for _, status := range []int{409, 500} {
				checkError(t, server, test.route, status, test.do(failing(t, server, test.route, status, test.again), session, leg, bridge))
			}
			if err := test.do(failing(t, server, test.route, 404, test.again), session, leg, bridge); err != nil {
				t.Errorf("404: %v, want no error", err)
			}
		})
	}
}

func failing(t *testing.T, server *aritest.Server, route string, status int, again bool) context.Context {
	method, path, _ := strings.Cut(route, " ")
	times := 1
	if again && status >= 500 {
		times = 2
	}
	server.Fail(method, path, status, times)
	return t.Context()
}

func checkError(t *testing.T, server *aritest.Server, route string, status int, err error) {
	t.Helper()
	var e *ari.Error
	if !errors.As(err, &e) {
		t.Fatalf("%s answered %d, the verb returned %v: want an *Error", route, status, err)
	}
	if e.Status != status || e.Message != "as the test wants it" || e.Op == "" || e.Target == "" {
		t.Errorf("%s: %+v: want status %d, Asterisk's message, verb and target", route, e, status)
	}
	if e.NotFound() != (status == 404) || e.Conflict() != (status == 409) || e.Unavailable() != (status >= 500) {
		t.Errorf("%d: not found %v, conflict %v, unavailable %v", status, e.NotFound(), e.Conflict(), e.Unavailable())
	}
}
