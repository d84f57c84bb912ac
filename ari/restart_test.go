package ari_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotline/ari"
	"hotline/ari/aritest"
)

const callID = "20260206-090000-0001"

// process is one run of the service: it can be killed, and what it was told to
// do on every connect is known.
type process struct {
	*ari.Link
	kill func()
}

func start(t *testing.T, o ari.Options, onConnect func(context.Context, *ari.Link, *ari.Snapshot) error) *process {
	t.Helper()
	link, err := ari.New(o)
	must(t, err)
	if onConnect != nil {
		link.OnConnect(func(ctx context.Context, now *ari.Snapshot) error { return onConnect(ctx, link, now) })
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		link.Run(ctx)
	}()
	kill := func() {
		cancel(errTestOver)
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("Run does not end with its context")
		}
	}
	t.Cleanup(kill)
	return &process{Link: link, kill: kill}
}

func connected(t *testing.T, p *process) {
	t.Helper()
	until(t, "the link is connected", func() bool { return p.Status().Connected })
}

// begun is a call whose caller hears the tone and whose agent's phone rings.
func begun(t *testing.T, server *aritest.Server, link *ari.Link) (*aritest.Channel, *ari.Session, *ari.Leg, *ari.Leg) {
	t.Helper()
	server.MediaLasts(lasting)
	server.Phone("PJSIP/1001", aritest.Phone{Does: aritest.NoAnswer})
	caller, session, leg := answeredCall(t, server, link)
	_, err := leg.Play(t.Context(), []string{"sound:/ever"}, ari.PlayOptions{ID: "tone"})
	must(t, err)
	agent, err := session.Create(t.Context(), ari.Dial{Role: "agent", Endpoint: "PJSIP/1001", Originator: leg})
	must(t, err)
	must(t, agent.Dial(t.Context(), time.Minute))
	next(t, session, ari.Ringing)
	return caller, session, leg, agent
}

// A second process takes the call up where the first one left it: what the
// caller does while it is at it reaches the call, in order, and nothing is
// announced that the call has claimed.
func TestASecondProcessTakesACallUp(t *testing.T) {
	server := aritest.Start(t)
	first := start(t, options(server), nil)
	connected(t, first)
	caller, _, leg, agent := begun(t, server, first.Link)
	server.Arrive(aritest.Caller{ID: "nobody's"})
	first.kill()

	var session *ari.Session
	var restored, rings *ari.Leg
	var tone, over *ari.Playback
	second := start(t, options(server), func(ctx context.Context, link *ari.Link, now *ari.Snapshot) error {
		caller.Press("1") // before the call is claimed
		server.Arrive(aritest.Caller{ID: "new"})
		if !slices.Contains(server.Sent(), "ChannelDtmfReceived") {
			return errors.New("the key was not sent")
		}
		server.ClearLog()
		session = link.Reopen(callID, 1)
		restored, rings = session.Restore(now.Channels[leg.ID()]), session.Restore(now.Channels[agent.ID()])
		tone = session.RestorePlayback(restored, "tone")
		over = session.RestorePlayback(restored, "over")
		if n := len(server.Requests()); n != 0 {
			t.Errorf("restoring sent %d requests: a thousand calls are to be restored in a moment", n)
		}
		caller.Press("2")
		return nil
	})
	connected(t, second)
	defer session.Close()

	if !restored.Answered() || !restored.InStasis() || rings.Answered() || restored.Name() != leg.Name() {
		t.Errorf("the caller is restored as %q, answered %v, in Stasis %v, the agent's phone as answered %v",
			restored.Name(), restored.Answered(), restored.InStasis(), rings.Answered())
	}
	for _, want := range []rune{'1', '2'} {
		if key, before := next(t, session, ari.Key); key.Digit != want || key.Leg != restored || len(before) > 0 {
			t.Errorf("key %c after %v, want %c: pressed while the call was taken up", key.Digit, kindsOf(before), want)
		}
	}
	for _, want := range []struct {
		id    string
		found bool
	}{{"nobody's", true}, {"new", false}} {
		if a := arrived(t, second.Link); a.ChannelID != want.id || a.Found != want.found {
			t.Errorf("arrival %s (found: %v), want %+v and nobody of the call", a.ChannelID, a.Found, want)
		}
	}
	for p, want := range map[*ari.Playback]bool{tone: true, over: false} {
		if there, err := p.Check(t.Context()); err != nil || there != want {
			t.Errorf("%s is there: %v (%v), want %v", p.ID(), there, err, want)
		}
	}
	if done, _ := next(t, session, ari.PlaybackDone); done.Playback != over || done.Leg != restored {
		t.Errorf("%s is told as over", done.Playback.ID())
	}
	must(t, tone.Stop(t.Context()))
	if done, _ := next(t, session, ari.PlaybackDone); done.Playback != tone || tone.Result() != ari.Cancelled {
		t.Errorf("after the stop %s is over, %s", done.Playback.ID(), tone.Result())
	}
	must(t, rings.Hangup(t.Context(), 26, "taken back"))
	gone, before := next(t, session, ari.Gone)
	if gone.Leg != rings || gone.DialStatus != ari.DialCancelled || !slices.Contains(kindsOf(before), ari.DialFailed) {
		t.Errorf("the phone that rang ended as %s after %v", gone.DialStatus, kindsOf(before))
	}
	caller.Bye()
	if gone, _ := next(t, session, ari.Gone); gone.Leg != restored || gone.Lost {
		t.Errorf("the caller's end: %+v", gone)
	}
}

// What a restored call makes has IDs that no earlier process gave, what was
// written down before keeps its own.
func TestIDsOfALaterRun(t *testing.T) {
	server, link := connect(t)
	server.Phone("PJSIP/1001", aritest.Phone{Does: aritest.NoAnswer})
	session := link.Reopen(callID, 2)
	defer session.Close()
	numbered, err := session.Create(t.Context(), ari.Dial{Role: "agent", Endpoint: "PJSIP/1001"})
	must(t, err)
	named, err := session.Create(t.Context(), ari.Dial{Role: "agent", Endpoint: "PJSIP/1001", ID: "intended"})
	must(t, err)
	bridge, err := session.Bridge(t.Context(), "mixing")
	must(t, err)
	want := []string{callID + "-agent-r2-1", "intended", callID + "-bridge-r2-1"}
	if diff := cmp.Diff(want, []string{numbered.ID(), named.ID(), bridge.ID()}); diff != "" {
		t.Errorf("IDs (-want +got):\n%s", diff)
	}

	again := link.Reopen(callID, 3)
	defer again.Close()
	leg, err := again.Create(t.Context(), ari.Dial{Role: "agent", Endpoint: "PJSIP/1001", ID: "intended"})
	if err != nil || leg.ID() != "intended" {
		t.Errorf("making a leg that an earlier attempt has made: %v, want that leg", err)
	}
	if n := server.Channels(); n != 2 {
		t.Errorf("there are %d channels, want 2", n)
	}
}

// Who was on hold a snapshot does not say, so the first word about it counts.
func TestHoldOfARestoredLeg(t *testing.T) {
	server := aritest.Start(t)
	first := start(t, options(server), nil)
	connected(t, first)
	caller, session, leg := answeredCall(t, server, first.Link)
	caller.Hold()
	next(t, session, ari.Held)
	first.kill()

	var later *ari.Session
	second := start(t, options(server), func(_ context.Context, link *ari.Link, now *ari.Snapshot) error {
		later = link.Reopen(callID, 1)
		later.Restore(now.Channels[leg.ID()])
		return nil
	})
	connected(t, second)
	defer later.Close()
	caller.Unhold()
	next(t, later, ari.Resumed)
	caller.Unhold()
	caller.Press("1")
	if _, before := next(t, later, ari.Key); len(before) > 0 {
		t.Errorf("before the key: %v, want nothing: it was not on hold", kindsOf(before))
	}
}

func TestRestoredBridgeAndRecording(t *testing.T) {
	server := aritest.Start(t)
	server.Phone("PJSIP/1001", aritest.Phone{Does: aritest.Answers})
	first := start(t, options(server), nil)
	connected(t, first)
	caller, session, leg := answeredCall(t, server, first.Link)
	agent, err := session.Create(t.Context(), ari.Dial{Role: "agent", Endpoint: "PJSIP/1001"})
	must(t, err)
	must(t, agent.Dial(t.Context(), time.Minute))
	next(t, session, ari.Answered)
	bridge, err := session.Bridge(t.Context(), "mixing")
	must(t, err)
	must(t, bridge.Add(t.Context(), agent))
	_, err = leg.Record(t.Context(), ari.RecordOptions{Name: "message", Format: "wav"})
	must(t, err)
	first.kill()

	var later *ari.Session
	var going, ended *ari.Recording
	var joined *ari.Bridge
	second := start(t, options(server), func(_ context.Context, link *ari.Link, now *ari.Snapshot) error {
		if diff := cmp.Diff([]string{agent.ID()}, now.Bridges[bridge.ID()].Channels); diff != "" {
			t.Errorf("in the bridge, by the snapshot (-want +got):\n%s", diff)
		}
		if c := now.Channels[agent.ID()]; !c.Leg() || !c.Subscribed || c.State != "Up" {
			t.Errorf("the agent's channel: %+v", c)
		}
		if c := now.Channels[caller.ID()]; c.Leg() || c.CallerNumber != "13800000000" || c.CallerName != "王先生" || c.Language != "en" {
			t.Errorf("the caller's channel: %+v", c)
		}
		later = link.Reopen(callID, 1)
		restored := later.Restore(now.Channels[leg.ID()])
		later.Restore(now.Channels[agent.ID()])
		joined = later.RestoreBridge(bridge.ID())
		going, ended = later.RestoreRecording(restored, "message"), later.RestoreRecording(restored, "earlier")
		return nil
	})
	connected(t, second)
	defer later.Close()
	for r, want := range map[*ari.Recording]bool{going: true, ended: false} {
		if there, err := r.Check(t.Context()); err != nil || there != want {
			t.Errorf("the recording %s is under way: %v (%v), want %v", r.Name(), there, err, want)
		}
	}
	if done, _ := next(t, later, ari.RecordingDone); done.Recording != ended || !ended.Result().Lost {
		t.Errorf("%s is told as over, %+v", done.Recording.Name(), ended.Result())
	}
	must(t, going.Stop(t.Context()))
	if done, _ := next(t, later, ari.RecordingDone); done.Recording != going || going.Result().Lost {
		t.Errorf("%s is told as over, %+v", done.Recording.Name(), going.Result())
	}
	must(t, joined.Destroy(t.Context()))
	if n := server.Bridges(); n != 0 {
		t.Errorf("%d bridges are left", n)
	}
}

// Another process's takeover counts at once, whatever this one is still looking
// up.
func TestReplacedWhileTakingCallsUp(t *testing.T) {
	server := aritest.Start(t)
	began := make(chan struct{})
	told := make(chan error, 1)
	p := start(t, options(server), func(ctx context.Context, link *ari.Link, _ *ari.Snapshot) error {
		close(began)
		<-ctx.Done()
		told <- link.Session("call").Adopt(ari.Arrival{ChannelID: "c"}).Ring(context.Background())
		return context.Cause(ctx)
	})
	over(t, "the wait for the connection", began)
	server.Arrive(aritest.Caller{}) // held back
	server.Replace()
	select {
	case err := <-told:
		if !errors.Is(err, ari.ErrReplaced) {
			t.Errorf("a command once replaced: %v, want ErrReplaced", err)
		}
	case <-time.After(patience):
		t.Fatal("the takeover is not noticed while events are held back")
	}
	until(t, "the status says so", func() bool { return p.Status().Replaced })
	if _, open := <-p.Arrivals(); open {
		t.Error("an arrival after the takeover: the caller is another's")
	}
	if _, err := p.Reconcile(t.Context()); !errors.Is(err, ari.ErrReplaced) {
		t.Errorf("reconciling once replaced: %v", err)
	}
}

// As long as the calls cannot be taken up the link is not connected, and tries
// again; what happened meanwhile is not lost.
func TestCallsThatCannotBeTakenUp(t *testing.T) {
	server := aritest.Start(t)
	var log buffer
	o := options(server)
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	var attempts atomic.Int32
	p := start(t, o, func(context.Context, *ari.Link, *ari.Snapshot) error {
		if attempts.Add(1) == 1 {
			server.Arrive(aritest.Caller{ID: "meanwhile"})
		}
		if attempts.Load() < 4 {
			return errors.New("the journal cannot be read")
		}
		return nil
	})
	connected(t, p)
	if n := strings.Count(log.String(), "the journal cannot be read"); n != 1 {
		t.Errorf("logged %d times, want once:\n%s", n, log.String())
	}
	if a := arrived(t, p.Link); a.ChannelID != "meanwhile" {
		t.Errorf("arrival %+v", a)
	}
	server.Arrive(aritest.Caller{ID: "next"})
	if a := arrived(t, p.Link); a.ChannelID != "next" {
		t.Errorf("arrival %+v: announced twice?", a)
	}
}

// A leg that left for the dialplan, or came back from it, while nobody listened.
func TestLeavingAndReturningUnheard(t *testing.T) {
	server, link := connect(t)
	caller, session, leg := answeredCall(t, server, link)
	server.Dialplan("elsewhere", "s", func(*aritest.Channel) {
		server.Refuse(true)
		server.Drop()
	})
	away := make(chan error, 1)
	go func() { away <- leg.Continue(t.Context(), "elsewhere", "s", 1) }()
	until(t, "the websocket is away", func() bool { return !link.Status().Connected })
	server.Refuse(false)
	until(t, "the link is back", func() bool { return link.Status().Connected })
	next(t, session, ari.Left)
	if leg.InStasis() || leg.Context().Err() != nil {
		t.Errorf("in Stasis: %v, gone: %v; the dialplan has the channel", leg.InStasis(), leg.Context().Err())
	}
	caller.Enter("back")
	must(t, <-away)
	if !leg.InStasis() {
		t.Error("the leg does not know that it is back")
	}
}

func TestReconcile(t *testing.T) {
	server, link := connect(t)
	server.Phone("PJSIP/1001", aritest.Phone{Does: aritest.Answers})
	vanishes, session, leg := answeredCall(t, server, link)
	stays := server.Arrive(aritest.Caller{ID: "stays"})
	other := session.Adopt(arrived(t, link))
	vanishes.Vanish()
	server.Reorder(2) // the first of two events stays with the server
	server.Arrive(aritest.Caller{ID: "unheard"})

	snap, err := link.Reconcile(t.Context())
	must(t, err)
	if _, there := snap.Channels[stays.ID()]; !there || len(snap.Channels) != 2 {
		t.Errorf("the snapshot has %d channels, want the two that are there", len(snap.Channels))
	}
	if a := arrived(t, link); a.ChannelID != "unheard" || !a.Found {
		t.Errorf("arrival %+v, want the channel whose arrival was not heard", a)
	}
	gone, _ := next(t, session, ari.Gone)
	if gone.Leg != leg || !gone.Lost || !leg.Evidence().Lost {
		t.Errorf("%+v: want the leg that vanished, lost", gone)
	}
	if other.Context().Err() != nil {
		t.Errorf("the other leg is gone: %v", context.Cause(other.Context()))
	}
	must(t, second(link.Reconcile(t.Context())))
	select {
	case a := <-link.Arrivals():
		t.Errorf("announced once more: %s", a.ChannelID)
	default:
	}

	server.Refuse(true)
	server.Drop()
	until(t, "the link notices", func() bool { return !link.Status().Connected })
	if _, err := link.Reconcile(t.Context()); !errors.Is(err, ari.ErrNotConnected) {
		t.Errorf("reconciling without a connection: %v, want ErrNotConnected", err)
	}
	server.Refuse(false)
}

// An end that is only just being told is told with its cause, and no leg is
// lost by a look that came in between.
func TestReconcileLosesNoCause(t *testing.T) {
	server, link := connect(t)
	caller, session, leg := answeredCall(t, server, link)
	server.Jumble(100, 300*time.Millisecond, func(int) int { return 0 }) // late, in order
	caller.Bye()
	must(t, second(link.Reconcile(t.Context())))
	if gone, _ := next(t, session, ari.Gone); gone.Lost || gone.Leg != leg {
		t.Errorf("the end is told as %+v: it was on its way", gone)
	}
}

// What was lost in the application's list of channels is asked for again.
func TestForgottenSubscriptionIsRenewed(t *testing.T) {
	server, link := connect(t)
	caller, session, leg := answeredCall(t, server, link)
	server.Net(time.Minute)
	must(t, leg.Release(t.Context()))
	until(t, "the dialplan has the caller", caller.InNet)
	request(t, server, http.MethodDelete, "/applications/"+aritest.App+"/subscription?eventSource=channel:"+caller.ID(), "")
	must(t, second(link.Reconcile(t.Context())))
	must(t, second(link.Reconcile(t.Context())))
	if n := count(server, "POST /applications/{id}/subscription"); n != 2 {
		t.Errorf("asked for the channel's events %d times, want once more than at first", n)
	}
	caller.Bye()
	if gone, _ := next(t, session, ari.Gone); gone.Lost {
		t.Errorf("the end is told as %+v: its event was not subscribed to", gone)
	}
}

func second[T any](_ T, err error) error { return err }

func count(server *aritest.Server, request string) (n int) {
	for _, r := range server.Requests() {
		if r.Method+" "+r.Route == request {
			n++
		}
	}
	return n
}

// Whom the service lets go of the dialplan takes; that is no end.
func TestRelease(t *testing.T) {
	server, link := connect(t)
	server.Net(50 * time.Millisecond)
	caller, session, leg := answeredCall(t, server, link)
	must(t, leg.Release(t.Context()))
	next(t, session, ari.Left)
	if e := leg.Evidence(); !e.LeftAt.IsZero() || leg.InStasis() {
		t.Errorf("in Stasis: %v, left at %v: want it with the dialplan, and no end", leg.InStasis(), e.LeftAt)
	}
	next(t, session, ari.Entered) // the net tries again
	if !leg.InStasis() {
		t.Error("the leg does not know that it is back")
	}
	session.Close()
	must(t, leg.Release(t.Context()))
	if a := arrived(t, link); a.ChannelID != caller.ID() {
		t.Errorf("arrival %+v: want the caller again, who belongs to no call now", a)
	}
	caller.Bye()
}

// A leg that was given up as lost still learns how it ended, and ends once.
func TestALostLegLearnsHowItEnded(t *testing.T) {
	server := aritest.Start(t)
	first := start(t, options(server), nil)
	connected(t, first)
	caller, _, leg := answeredCall(t, server, first.Link)
	first.kill()

	var session *ari.Session
	var lost *ari.Leg
	second := start(t, options(server), func(_ context.Context, link *ari.Link, _ *ari.Snapshot) error {
		session = link.Reopen(callID, 1)
		lost = session.RestoreLost(leg.ID())
		if !lost.Evidence().Lost {
			t.Error("the leg is not lost")
		}
		caller.LoseLine()
		return nil
	})
	connected(t, second)
	defer session.Close()
	until(t, "the event of its end is taken in", func() bool { e := lost.Evidence(); return !e.Lost && e.Cause == 44 })
	gone, before := next(t, session, ari.Gone)
	if len(before) > 0 || !gone.Lost {
		t.Errorf("before Gone: %v; Gone: %+v", kindsOf(before), gone)
	}
	if ev, ok := session.Poll(); ok {
		t.Errorf("%s after Gone", ev.Kind)
	}
}

// A leg whose end came while the events were held back is not lost: it ends as
// the event tells, once events go on.
func TestALegThatEndsWhileEventsAreHeldIsNotLost(t *testing.T) {
	server := aritest.Start(t)
	first := start(t, options(server), nil)
	connected(t, first)
	caller, _, leg := answeredCall(t, server, first.Link)
	first.kill()

	var session *ari.Session
	var ended *ari.Leg
	second := start(t, options(server), func(ctx context.Context, link *ari.Link, _ *ari.Snapshot) error {
		caller.LoseLine()
		for run := 1; ; run++ { // until the event is in
			session = link.Reopen(callID, run)
			if ended = session.RestoreLost(leg.ID()); !ended.Evidence().Lost {
				return nil
			}
			session.Close()
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
	})
	connected(t, second)
	defer session.Close()
	gone, before := next(t, session, ari.Gone)
	if e := ended.Evidence(); gone.Lost || e.Lost || e.Cause != 44 {
		t.Errorf("before Gone: %v; Gone: %+v; evidence %+v: want the end that the event tells", kindsOf(before), gone, e)
	}
}
