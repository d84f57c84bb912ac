package ari_test

import (
	"slices"
	"testing"

	"hotline/ari"
	"hotline/ari/aritest"
)

func TestMute(t *testing.T) {
	server, link := connect(t)
	phone, _, leg := answeredCall(t, server, link)
	must(t, leg.Mute(t.Context()))
	if !phone.Muted() {
		t.Error("the phone is heard after Mute")
	}
	for range 2 { // one that is not muted is no error
		must(t, leg.Unmute(t.Context()))
	}
	if phone.Muted() {
		t.Error("the phone is not heard after Unmute")
	}
}

// Keys of a leg that was added without reach its own mailbox and nobody else; those that we press reach its phone.
func TestKeysInABridge(t *testing.T) {
	server, link := connect(t)
	caller, session, leg := answeredCall(t, server, link)
	other := server.Arrive(aritest.Caller{Answered: true})
	agent := session.Adopt(<-link.Arrivals())
	bridge, err := session.Bridge(t.Context(), "mixing")
	must(t, err)
	must(t, bridge.AddKeyless(t.Context(), agent))
	must(t, bridge.Add(t.Context(), leg))
	other.Press("7")
	if event, _ := next(t, session, ari.Key); event.Leg != agent || event.Digit != '7' {
		t.Errorf("the mailbox is told of %q on %s", event.Digit, event.Leg.ID())
	}
	if caller.Keys() != "" {
		t.Errorf("the keys %q have reached the caller", caller.Keys())
	}
	must(t, leg.SendKeys(t.Context(), "12#"))
	if caller.Keys() != "12#" {
		t.Errorf("the keys %q have reached the caller, want 12#", caller.Keys())
	}
	caller.Press("3")
	if other.Keys() != "3" {
		t.Errorf("the keys %q have reached the other, want 3", other.Keys())
	}
}

func TestSnoop(t *testing.T) {
	server, link := connect(t)
	phone, session, leg := answeredCall(t, server, link)
	listens, err := leg.Snoop(t.Context(), ari.Snoop{Role: "monitor"})
	must(t, err)
	whispers, err := leg.Snoop(t.Context(), ari.Snoop{ID: "mine", Role: "monitor", Whisper: true})
	must(t, err)
	next(t, session, ari.Entered)
	next(t, session, ari.Entered)
	var heard []bool
	for _, s := range phone.Snoops() {
		heard = append(heard, s.Whispers())
	}
	if !slices.Equal(heard, []bool{false, true}) || whispers.ID() != "mine" {
		t.Errorf("snoops that are heard: %v, want the second, mine", heard)
	}
	phone.Bye()
	over(t, "the snoop", listens.Context().Done())
	over(t, "the other snoop", whispers.Context().Done())
}

func TestSnoopOnWhoIsGone(t *testing.T) {
	server, link := connect(t)
	phone, _, leg := answeredCall(t, server, link)
	phone.Bye()
	over(t, "the leg", leg.Context().Done())
	if _, err := leg.Snoop(t.Context(), ari.Snoop{Role: "monitor"}); err == nil {
		t.Error("who is gone is listened to")
	}
}
