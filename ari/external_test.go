package ari_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotline/ari"
)

var browser = netip.MustParseAddrPort("127.0.0.1:40000")

// external makes a leg whose person is in a browser.
func external(t *testing.T, s *ari.Session) *ari.Leg {
	t.Helper()
	leg, err := s.Create(t.Context(), ari.Dial{Role: "agent", Endpoint: ari.External(browser, "alaw")})
	if err != nil {
		t.Fatal(err)
	}
	return leg
}

// What a person does in a browser is told in the same words as what a phone does, and leaves the same evidence.
func TestAnExternalLegIsLikeAPhone(t *testing.T) {
	for _, test := range []struct {
		name string
		does func(*ari.Leg, context.Context) error
		want []ari.EventKind
		last func(ari.Event) bool
		by   func(ari.Evidence) bool
	}{
		{
			name: "declines", does: (*ari.Leg).Decline, want: []ari.EventKind{ari.Ringing, ari.DialFailed, ari.Gone},
			last: func(e ari.Event) bool { return e.DialStatus == ari.DialRejected && e.Cause == 21 },
			by:   func(e ari.Evidence) bool { return len(e.Commands) == 0 && e.DialStatus == ari.DialRejected },
		},
		{
			name: "is not there", does: (*ari.Leg).Miss, want: []ari.EventKind{ari.Ringing, ari.DialFailed, ari.Gone},
			last: func(e ari.Event) bool { return e.DialStatus == ari.DialNoAnswer && e.Cause == 19 },
			by:   func(e ari.Evidence) bool { return len(e.Commands) == 0 },
		},
		{
			name: "answers and hangs up", does: pickup((*ari.Leg).Leave), want: []ari.EventKind{ari.Ringing, ari.Answered, ari.HangupRequested, ari.Gone},
			last: func(e ari.Event) bool { return e.Cause == 16 },
			by: func(e ari.Evidence) bool {
				return len(e.Commands) == 0 && !e.Requests[0].Soft && !e.AnsweredAt.IsZero()
			},
		},
		{
			name: "answers and is heard of no more", does: pickup((*ari.Leg).Abandon), want: []ari.EventKind{ari.Ringing, ari.Answered, ari.Gone},
			last: func(e ari.Event) bool { return e.Cause == 44 },
			by:   func(e ari.Evidence) bool { return len(e.Commands) == 0 && e.Requests[0].Soft },
		},
		{
			name: "is called off", does: func(l *ari.Leg, ctx context.Context) error { return l.Hangup(ctx, 0, "the caller left") },
			want: []ari.EventKind{ari.Ringing, ari.DialFailed, ari.Gone},
			last: func(e ari.Event) bool { return e.DialStatus == ari.DialCancelled },
			by:   func(e ari.Evidence) bool { return len(e.Commands) == 1 },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, link := connect(t)
			session := link.Session("20260206-090000-0001")
			defer session.Close()
			leg := external(t, session)
			leg.Alerted()
			leg.Alerted() // which is told once
			must(t, test.does(leg, t.Context()))
			gone, before := next(t, session, ari.Gone)
			var kinds []ari.EventKind
			for _, e := range append(before, gone) {
				if e.Kind == ari.HangupRequested && e.Soft || e.Kind == ari.Entered || e.Kind == ari.Left {
					continue
				}
				kinds = append(kinds, e.Kind)
			}
			if diff := cmp.Diff(test.want, kinds); diff != "" {
				t.Errorf("the mailbox has (-want +got):\n%s", diff)
			}
			if !test.last(gone) {
				t.Errorf("its end is told as %+v", gone)
			}
			if e := leg.Evidence(); !test.by(e) {
				t.Errorf("the evidence is %+v", e)
			}
			must(t, leg.Leave(t.Context())) // of a leg that is gone is nothing
		})
	}
}

// pickup answers first.
func pickup(then func(*ari.Leg, context.Context) error) func(*ari.Leg, context.Context) error {
	return func(l *ari.Leg, ctx context.Context) error {
		if err := l.Pickup(ctx); err != nil {
			return err
		}
		for !l.Answered() {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(time.Millisecond):
			}
		}
		return then(l, ctx)
	}
}

func TestKeysOfAnExternalLeg(t *testing.T) {
	_, link := connect(t)
	session := link.Session("20260206-090000-0001")
	defer session.Close()
	leg := external(t, session)
	leg.Press('5')
	if e, _ := next(t, session, ari.Key); e.Digit != '5' || e.Leg != leg {
		t.Errorf("the key is told as %+v", e)
	}
}

// Another process finds out from a channel's name where its sound goes, and whether the person had answered.
func TestAnExternalLegIsFoundAgain(t *testing.T) {
	_, link := connect(t)
	session := link.Session("20260206-090000-0001")
	leg := external(t, session)
	next(t, session, ari.Entered)
	session.Close()
	all, err := link.Channels(t.Context())
	must(t, err)
	for _, c := range all {
		if at, found := c.External(); c.ID != leg.ID() || !found || at != browser {
			t.Errorf("channel %s, %s, is at %v, %v: want %s at %v", c.ID, c.Name, at, found, leg.ID(), browser)
		}
	}
	again := link.Reopen("20260206-090000-0001", 1)
	defer again.Close()
	if leg = again.Restore(all[0]); leg.Answered() {
		t.Error("a call that nobody has answered is restored as answered")
	}
	must(t, leg.Pickup(t.Context()))
	next(t, again, ari.Answered)
}

// Asterisk takes the answer and does not say so.
func TestAnAnswerThatIsNotToldIsSeen(t *testing.T) {
	server, link := connect(t)
	server.AnswersUntold()
	session := link.Session("20260206-090000-0001")
	defer session.Close()
	leg := external(t, session)
	must(t, leg.Pickup(t.Context()))
	next(t, session, ari.Answered)
}

func TestWhichChannelsAreExternal(t *testing.T) {
	for name, want := range map[string]string{
		"UnicastRTP/127.0.0.1:40000-0x7f2c04006a50": "127.0.0.1:40000",
		"UnicastRTP/[::1]:40000-0x7f2c04006a50":     "[::1]:40000",
		"UnicastRTP/nowhere-0x7f2c04006a50":         "",
		"PJSIP/1001-0000002a":                       "",
		"":                                          "",
	} {
		got, external := (&ari.Channel{Name: name}).External()
		if external != (want != "") || external && got.String() != want {
			t.Errorf("the sound of %q goes to %v, %v: want %q", name, got, external, want)
		}
	}
}

// A visitor from a browser is a caller like any other, and is told of by whoever has the browser.
func TestAVisitorArrives(t *testing.T) {
	_, link := connect(t)
	brought, err := link.Bring(t.Context(), ari.Visitor{ChannelID: "web-1", Endpoint: ari.External(browser, "alaw"), Number: "13800000000", Context: "in", Exten: "96196"})
	must(t, err)
	a := arrived(t, link)
	if a.ChannelID != "web-1" || a.CallerNumber != "13800000000" || a.Exten != "96196" || !a.Answered || !slices.Equal(a.Args, []string{"in", "96196"}) {
		t.Errorf("the visitor arrives as %+v", a)
	}
	session := link.Session("20260206-090000-0001")
	defer session.Close()
	caller := session.Adopt(a)
	must(t, caller.Subscribe(t.Context()))
	leg, known := link.ExternalLeg("web-1")
	if !known || leg != caller || leg != brought {
		t.Fatalf("the visitor's leg is %v, %v, want the caller's", leg, known)
	}
	leg.Press('1')
	next(t, session, ari.Key)
	must(t, leg.Leave(t.Context()))
	next(t, session, ari.Gone)
	if _, known := link.ExternalLeg("web-1"); known {
		t.Error("a leg that is gone is found")
	}
	if _, known := link.ExternalLeg("nobody"); known {
		t.Error("a leg that never was is found")
	}
}
