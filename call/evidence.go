package call

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hotline/ari"
)

// Party is who ended a leg.
type Party string

// The parties.
const (
	CallerParty   Party = "caller"
	AgentParty    Party = "agent"
	ServiceParty  Party = "service"
	AsteriskParty Party = "asterisk"
	NobodyKnown   Party = "unknown"
)

// How a leg ended.
const (
	Pressed    = "pressed"     // the party hung up
	LineFailed = "line-failed" // the party's line died under it
	Command    = "command"     // we or Asterisk ended it
	Vanished   = "vanished"    // it was found absent
)

// Grade says how sure a verdict is.
type Grade string

// The grades.
const (
	Proven   Grade = "proven"   // signalled by the one who did it, or commanded by us
	Inferred Grade = "inferred" // what the cause usually means
	Unknown  Grade = "unknown"
)

// Ending is who hung up, as evidence and not as a label (B4, E1).
type Ending struct {
	Leg   string `json:"leg"` // "caller", "agent 1001"
	Who   Party  `json:"who"`
	How   string `json:"how"`
	Grade Grade  `json:"grade"`
	Why   string `json:"why"` // the fact that decided
	Facts Facts  `json:"facts"`
}

// Unseen reports whether nobody saw the leg's end: it was found gone.
func (e Ending) Unseen() bool { return e.Facts.Lost && e.How == Vanished }

// Unseen are the agents of whose talk nobody saw the end: their own line was
// found gone, or the caller's, and they had not left before.
func (d Ended) Unseen() (agentIDs []string) {
	caller := lastOfCaller(d.Legs)
	for _, e := range d.Legs {
		id, is := strings.CutPrefix(e.Leg, legAgent)
		if is && (e.Unseen() || caller.Unseen() && !e.Facts.order().Before(caller.Facts.order())) {
			agentIDs = append(agentIDs, id)
		}
	}
	return agentIDs
}

// Facts are what was seen and done at a leg's end, whoever is blamed.
type Facts struct {
	DeskAsked  time.Time `json:"desk_asked,omitzero"`  // an agent's, at the desk
	PhoneAsked time.Time `json:"phone_asked,omitzero"` // the phone's own hang-up
	SoftAsked  time.Time `json:"soft_asked,omitzero"`  // asked for by a command or by Asterisk
	Commanded  time.Time `json:"commanded,omitzero"`   // by us
	Command    string    `json:"command,omitempty"`    // why we did
	Gone       time.Time `json:"gone,omitzero"`
	Cause      int       `json:"cause,omitempty"`      // Q.850
	CauseText  string    `json:"cause_text,omitempty"` //
	TechCause  int       `json:"tech_cause,omitempty"` // SIP status
	Packets    int       `json:"packets,omitempty"`    // of sound that had arrived from the phone, where Asterisk told
	LastHeard  time.Time `json:"last_heard,omitzero"`  // the last of them, where the line went dead
	Lost       bool      `json:"lost,omitempty"`       // the end was not seen
}

// facts gathers what is known. rtpTimeout is how long a line is silent before
// Asterisk takes it for dead.
func facts(e ari.Evidence, rtpTimeout time.Duration) Facts {
	f := Facts{
		Gone: e.GoneAt, Cause: e.Cause, CauseText: e.CauseText, TechCause: e.TechCause,
		Packets: e.RTP.Received, Lost: e.Lost,
	}
	if e.Cause == causeNoRTP {
		f.LastHeard = e.GoneAt.Add(-rtpTimeout)
	}
	for _, r := range e.Requests {
		at := &f.PhoneAsked
		if r.Soft {
			at = &f.SoftAsked
		}
		if at.IsZero() {
			*at = r.At
		}
	}
	for _, c := range e.Commands {
		if f.Commanded.IsZero() && (c.Err == nil || unanswered(c.Err) && f.SoftAsked.After(c.At)) {
			f.Commanded, f.Command = c.At, c.Reason
		}
	}
	return f
}

// unanswered says that it is not known whether a command was carried out.
func unanswered(err error) bool {
	var e *ari.Error
	return errors.As(err, &e) && e.Status == 0
}

// ended is when the leg's end began: the first sign of it.
func (f Facts) ended() time.Time {
	first := f.Gone
	for _, at := range []time.Time{f.DeskAsked, f.PhoneAsked, f.SoftAsked, f.Commanded} {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// order is when the leg's end began; a leg that is still there comes last.
func (f Facts) order() time.Time {
	if at := f.ended(); !at.IsZero() {
		return at
	}
	return time.Unix(1<<60, 0)
}

// Q.850 causes that speak of a line and not of a person.
const (
	causeNoRTP            = 44 // Asterisk's rtp_timeout
	causeDestinationOut   = 27
	causeNetworkOut       = 38
	causeTemporaryFailure = 41
	causeCongestion       = 42
	causeRecoveryOnTimer  = 102
)

var lineCauses = map[int]string{
	causeDestinationOut:   "the destination is out of order",
	causeNetworkOut:       "the network is out of order",
	causeTemporaryFailure: "a temporary failure",
	causeCongestion:       "congestion",
	causeRecoveryOnTimer:  "no answer in time: the session timer expired",
}

// lineStatuses are SIP statuses with which Asterisk ends a session by itself:
// the phone no longer answers, or has forgotten the call. It reports them as if
// the phone had hung up; a BYE has no status.
var lineStatuses = map[int]string{
	408: "the phone answers nothing any more",
	481: "the phone does not know the call any more",
	503: "the phone's network cannot be reached",
}

// role names a leg and the person at its end.
type role struct {
	leg   string
	party Party
}

func (a *agentLeg) role() role {
	if a.outside() {
		return role{leg: "directory " + a.directory, party: AgentParty}
	}
	return role{leg: legAgent + a.ID, party: AgentParty}
}

// judge decides who ended a leg. The first rule that fits decides: what was
// signalled comes before what was commanded later, and both before what a
// cause merely suggests.
func judge(r role, f Facts) Ending {
	verdict := func(who Party, how string, grade Grade, why string) Ending {
		return Ending{Leg: r.leg, Who: who, How: how, Grade: grade, Why: why, Facts: f}
	}
	commanded := !f.Commanded.IsZero()
	asked := !f.PhoneAsked.IsZero() && (!commanded || !f.PhoneAsked.After(f.Commanded))
	switch {
	case !f.DeskAsked.IsZero() && (!asked || f.DeskAsked.Before(f.PhoneAsked)):
		return verdict(r.party, Pressed, Proven, "ended the talk at the desk")
	case f.Lost && !asked && !commanded:
		return verdict(NobodyKnown, Vanished, Unknown, "its end was not seen")
	case f.Cause == causeNoRTP && !asked:
		return verdict(r.party, LineFailed, Proven, "no sound arrived any more")
	case asked && lineStatuses[f.TechCause] != "":
		return verdict(r.party, LineFailed, Inferred, lineStatuses[f.TechCause])
	case asked:
		return verdict(r.party, Pressed, Proven, "the phone said goodbye")
	case commanded:
		return verdict(ServiceParty, Command, Proven, "we hung up")
	case lineCauses[f.Cause] != "":
		return verdict(r.party, LineFailed, Inferred, lineCauses[f.Cause])
	case !f.SoftAsked.IsZero():
		return verdict(AsteriskParty, Command, Inferred, "Asterisk asked for it and we did not")
	default:
		return verdict(NobodyKnown, Vanished, Unknown, "nothing tells")
	}
}

// agentFacts are what is known of an agent's end.
func (c *call) agentFacts(a *agentLeg) Facts {
	f := facts(a.leg.Evidence(), c.o.RTPTimeoutAgent)
	f.DeskAsked = a.asked
	return f
}

// callerEnding judges the end of the caller's leg; where an earlier process has
// seen it, its judgement holds.
func (c *call) callerEnding() Ending {
	evidence := c.caller.Evidence()
	if c.seen != nil && evidence.Lost {
		return *c.seen
	}
	leg := legCaller
	if c.again.answered() {
		leg = legCallerAgain
	}
	return judge(role{leg, CallerParty}, facts(evidence, c.o.RTPTimeout))
}

// allEndings judges every leg that was part of a conversation with the caller.
func (c *call) allEndings() []Ending {
	var all []Ending
	if c.again == nil || c.again.answered() { // otherwise it is among those before
		all = append(all, c.callerEnding())
	}
	all = append(all, c.before...)
	for _, a := range c.agents {
		if (a.connected || a.heard) && !a.judged { // otherwise it is among those before
			all = append(all, judge(a.role(), c.agentFacts(a)))
		}
	}
	return all
}

// firstToLeave names who left first, which is what people ask. Where a party
// left, our own hang-ups only followed.
func firstToLeave(endings []Ending) string {
	parties := slices.DeleteFunc(slices.Clone(endings), func(e Ending) bool { return e.Who == ServiceParty })
	if len(parties) == 0 {
		parties = endings
	}
	first := slices.MinFunc(parties, func(a, b Ending) int { return a.Facts.order().Compare(b.Facts.order()) })
	return fmt.Sprintf("%s %s (%s)", first.Who, first.How, first.Grade)
}
