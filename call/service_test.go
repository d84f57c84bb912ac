package call

import (
	"log/slog"
	"slices"
	"testing"

	"hotline/ari"
)

// newService is a service without an Asterisk.
func newService(t *testing.T, o Options) *Service {
	t.Helper()
	link, err := ari.New(ari.Options{URL: "http://127.0.0.1:1/ari", App: "hotline", Username: "hotline"})
	if err != nil {
		t.Fatal(err)
	}
	o.Link = link
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return New(o)
}

func TestAnAgentComesBackToTheLastCallAlone(t *testing.T) {
	s := newService(t, Options{})
	var came []string
	stopFirst := s.awaitBack("1001", "c1", func(*ari.Arrival) { came = append(came, "first") })
	stopSecond := s.awaitBack("1001", "c2", func(*ari.Arrival) { came = append(came, "second") })
	stopFirst() // the farewell of the first ends after the second's began
	if s.giveBack("1001", "c1", nil) || s.Back("1001") != "c2" {
		t.Error("the agent can come back to a call that is over, or not to the last")
	}
	if !s.giveBack("1001", "", &ari.Arrival{}) || len(came) != 1 || came[0] != "second" {
		t.Errorf("the agent came back to %q, want the second call", came)
	}
	if s.giveBack("1001", "", &ari.Arrival{}) {
		t.Error("the agent came back twice")
	}
	stopSecond()
	stop := s.awaitBack("1001", "c3", func(*ari.Arrival) { t.Error("the agent came back to a call that is over") })
	stop()
	if s.giveBack("1001", "", &ari.Arrival{}) {
		t.Error("a call that is over took the agent")
	}
}

func TestAnAnnouncementWithoutAnEntryIsDropped(t *testing.T) {
	s := newService(t, Options{Announcements: []Announcement{{Name: "outage", Prompt: "announce.outage"}}})
	s.announcements.restore([]string{"strike", "outage"}, s.log)
	if got := s.Announcements(); !slices.Equal(got, []string{"outage"}) {
		t.Errorf("in force: %q, want outage alone", got)
	}
	if prompts, _ := s.announcements.current(); !slices.Equal(prompts, []string{"announce.outage"}) {
		t.Errorf("a caller is told %q", prompts)
	}
}

// An attempt to take the calls up may fail, and is made again.
func TestAnnouncementsAreRestoredAsTheyWere(t *testing.T) {
	s := newService(t, Options{Announcements: []Announcement{{Name: "outage"}, {Name: "strike"}}})
	s.announcements.restore([]string{"outage", "strike"}, s.log)
	s.announcements.restore([]string{"strike"}, s.log)
	if got := s.Announcements(); !slices.Equal(got, []string{"strike"}) {
		t.Errorf("in force: %q, want strike alone, as the journal says now", got)
	}
}
