package call

import (
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
