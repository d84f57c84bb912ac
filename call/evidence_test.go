package call

import (
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
