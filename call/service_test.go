package call

import (
	"log/slog"
	"slices"
	"testing"

	"hotline/ari"
)

func TestAnAgentComesBackToTheLastCallAlone(t *testing.T) {
	s := New(Options{})
	var came []string
	stopFirst := s.awaitBack("1001", func(ari.Arrival) { came = append(came, "first") })
	stopSecond := s.awaitBack("1001", func(ari.Arrival) { came = append(came, "second") })
	stopFirst() // the farewell of the first ends after the second's began
	if !s.giveBack("1001", ari.Arrival{}) || len(came) != 1 || came[0] != "second" {
		t.Errorf("the agent came back to %q, want the second call", came)
	}
	if s.giveBack("1001", ari.Arrival{}) {
		t.Error("the agent came back twice")
	}
	stopSecond()
	stop := s.awaitBack("1001", func(ari.Arrival) { t.Error("the agent came back to a call that is over") })
	stop()
	if s.giveBack("1001", ari.Arrival{}) {
		t.Error("a call that is over took the agent")
	}
}

func TestAnAnnouncementWithoutAnEntryIsDropped(t *testing.T) {
	s := New(Options{
		Announcements: []Announcement{{Name: "outage", Prompt: "announce.outage"}},
		Announced:     []string{"strike", "outage"}, Logger: slog.New(slog.DiscardHandler),
	})
	if got := s.Announcements(); !slices.Equal(got, []string{"outage"}) {
		t.Errorf("in force: %q, want outage alone", got)
	}
	if prompts, _ := s.announcements.current(); !slices.Equal(prompts, []string{"announce.outage"}) {
		t.Errorf("a caller is told %q", prompts)
	}
}
