package call

import (
	"slices"
	"testing"
	"time"

	"hotline/ari"
)

// What Asterisk 22 was seen to send at the end of a leg, and what it proves.
func TestJudge(t *testing.T) {
	at := time.Date(2026, 3, 10, 9, 30, 0, 0, time.UTC)
	later := at.Add(5 * time.Millisecond)
	bye := func(tech int) []ari.HangupSeen { return []ari.HangupSeen{{At: at, TechCause: tech}} }
	soft := []ari.HangupSeen{{At: at, Soft: true, Cause: 32}}
	ours := func(at time.Time) []ari.HangupCommand {
		return []ari.HangupCommand{{At: at, Cause: 16, Reason: "over"}}
	}
	for name, test := range map[string]struct {
		evidence ari.Evidence
		who      Party
		how      string
		grade    Grade
	}{
		"a BYE":                        {ari.Evidence{Requests: bye(0), GoneAt: later, Cause: 16}, AgentParty, Pressed, Proven},
		"a BYE before a bridge":        {ari.Evidence{Requests: bye(0), GoneAt: later}, AgentParty, Pressed, Proven},
		"a CANCEL":                     {ari.Evidence{Requests: bye(487), GoneAt: later, Cause: 127, TechCause: 487}, AgentParty, Pressed, Proven},
		"a BYE, then our hang-up":      {ari.Evidence{Requests: bye(0), Commands: ours(later), GoneAt: later, Cause: 16}, AgentParty, Pressed, Proven},
		"a BYE whose end was not seen": {ari.Evidence{Requests: bye(0), GoneAt: later, Lost: true}, AgentParty, Pressed, Proven},
		"a BYE that says 44":           {ari.Evidence{Requests: bye(0), GoneAt: later, Cause: 44}, AgentParty, Pressed, Proven},
		"our hang-up":                  {ari.Evidence{Requests: soft, Commands: ours(at), GoneAt: later, Cause: 16}, ServiceParty, Command, Proven},
		"our hang-up, then a BYE": {ari.Evidence{Requests: append(soft, ari.HangupSeen{At: later}), Commands: ours(at), GoneAt: later, Cause: 16},
			ServiceParty, Command, Proven},
		"our hang-up refused": {ari.Evidence{Commands: []ari.HangupCommand{{At: at, Err: ari.ErrClosed}}, GoneAt: later}, NobodyKnown, Vanished, Unknown},
		"our hang-up, never answered": {ari.Evidence{Requests: []ari.HangupSeen{{At: later, Soft: true}},
			Commands: []ari.HangupCommand{{At: at, Err: &ari.Error{Op: "hangup"}}}, GoneAt: later, Cause: 16}, ServiceParty, Command, Proven},
		"our hang-up refused, then the console": {ari.Evidence{Requests: []ari.HangupSeen{{At: later, Soft: true}},
			Commands: []ari.HangupCommand{{At: at, Err: &ari.Error{Op: "hangup", Status: 500}}}, GoneAt: later, Cause: 16}, AsteriskParty, Command, Inferred},
		"the console": {ari.Evidence{Requests: soft, GoneAt: later, Cause: 16}, AsteriskParty, Command, Inferred},
		"no RTP": {ari.Evidence{Requests: []ari.HangupSeen{{At: at, Soft: true, Cause: 1}}, GoneAt: later, Cause: 44},
			AgentParty, LineFailed, Proven},
		"a session refresh without an answer": {ari.Evidence{Requests: bye(408), GoneAt: later, Cause: 16, TechCause: 408}, AgentParty, LineFailed, Inferred},
		"a phone that forgot the call":        {ari.Evidence{Requests: bye(481), GoneAt: later, Cause: 16, TechCause: 481}, AgentParty, LineFailed, Inferred},
		"a broken network":                    {ari.Evidence{GoneAt: later, Cause: 38}, AgentParty, LineFailed, Inferred},
		"found absent":                        {ari.Evidence{GoneAt: later, Lost: true}, NobodyKnown, Vanished, Unknown},
		"nothing at all":                      {ari.Evidence{GoneAt: later}, NobodyKnown, Vanished, Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			got := judge(role{"agent 1001", AgentParty}, facts(test.evidence, 30*time.Second))
			if got.Who != test.who || got.How != test.how || got.Grade != test.grade {
				t.Errorf("judged %s %s (%s) because %s, want %s %s (%s)", got.Who, got.How, got.Grade, got.Why, test.who, test.how, test.grade)
			}
		})
	}
}

// Whose end was seen before the caller was found gone has had all of their talk:
// who handed the caller over, above all.
func TestWhoseEndNobodySaw(t *testing.T) {
	found := time.Date(2026, 3, 10, 9, 30, 0, 0, time.UTC)
	lost := func(leg string) Ending {
		return Ending{Leg: leg, Who: NobodyKnown, How: Vanished, Facts: Facts{Gone: found, Lost: true}}
	}
	ended := func(leg string, who Party, how string, after time.Duration) Ending {
		f := Facts{Gone: found.Add(after + time.Second)}
		if how == Pressed {
			f.PhoneAsked = found.Add(after)
		} else {
			f.Commanded = found.Add(after)
		}
		return Ending{Leg: leg, Who: who, How: how, Facts: f}
	}
	seen := ended(legCaller, CallerParty, Pressed, 0)
	for name, test := range map[string]struct {
		legs []Ending
		want []string
	}{
		"the caller and the agent":            {[]Ending{lost(legCaller), lost("agent 1001")}, []string{"1001"}},
		"the agent alone":                     {[]Ending{seen, lost("agent 1001")}, []string{"1001"}},
		"nobody":                              {[]Ending{seen, ended("agent 1001", ServiceParty, Command, time.Second)}, nil},
		"the agent, on whom we hung up then":  {[]Ending{lost(legCaller), ended("agent 1001", ServiceParty, Command, time.Second)}, []string{"1001"}},
		"the agent, who hung up then":         {[]Ending{lost(legCaller), ended("agent 1001", AgentParty, Pressed, time.Second)}, []string{"1001"}},
		"not who handed over, and hung up":    {[]Ending{lost(legCaller), ended("agent 1001", AgentParty, Pressed, -time.Hour), lost("agent 1002")}, []string{"1002"}},
		"not who handed over, and was let go": {[]Ending{lost(legCaller), lost("agent 1002"), ended("agent 1001", ServiceParty, Command, -10*time.Second)}, []string{"1002"}},
		"somebody outside":                    {[]Ending{lost(legCaller), lost("directory repair")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (Ended{Legs: test.legs}).Unseen(); !slices.Equal(got, test.want) {
				t.Errorf("the end of the talks of %q was not seen, want %q", got, test.want)
			}
		})
	}
}
