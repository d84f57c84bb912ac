package queue

import (
	"errors"
	"fmt"
	"time"
)

// State is what an agent is doing.
type State uint8

// The states of an agent. The zero State is none: Change and AgentView leave
// it where nothing applies.
const (
	StateOffline     State = iota + 1 // not signed in
	StateReady                        // waiting for a caller
	StateReserved                     // one caller is kept for this agent, the phone does not ring yet
	StateRinging                      // the phone rings
	StateTalking                      // with a caller
	StateHold                         // with a caller who is on hold
	StateConsult                      // with a colleague: about a caller of their own who is on hold, or called in to the colleague's call
	StateWrapUp                       // after a talk
	StatePaused                       // signed in but taking nobody: a break, a short rest after a refusal, or taken out
	StateUnreachable                  // the phone could not be reached
	states                            // how many there are, plus one
)

var stateNames = [states]string{"", "offline", "ready", "reserved", "ringing", "talking", "hold", "consult", "wrap-up", "paused", "unreachable"}

// String is the state's name as it is journaled and counted: "wrap-up".
func (s State) String() string {
	if s >= states {
		return fmt.Sprintf("state %d", uint8(s))
	}
	return stateNames[s]
}

// InTalk reports whether a caller is with an agent in this state, on hold or not.
func (s State) InTalk() bool { return s == StateTalking || s == StateHold || s == StateConsult }

// MarshalText writes the name; the zero State is empty.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name that MarshalText wrote.
func (s *State) UnmarshalText(text []byte) error {
	for i, name := range stateNames {
		if name == string(text) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("no agent state is called %q: use one of %q", text, stateNames[1:])
}

// event is what happens to an agent.
type event uint8

const (
	eventSignIn event = iota + 1
	eventSignOut
	eventPause
	eventReady
	eventReachable
	eventReserve
	eventRing
	eventConnect
	eventMiss
	eventTakeOut
	eventDecline
	eventUnreach
	eventRelease
	eventHold
	eventConsult
	eventResume
	eventEnd
	eventRejoin
	eventFound
	eventCall
	eventCallBack
	eventGoBack
	eventComeIn
	eventEndConsult
	eventTakeOver
	eventFoundThird
	eventWrapped
	eventRested
	events // how many there are, plus one
)

var eventNames = [events]string{"", "sign in", "sign out", "pause", "become ready", "become reachable", "reserve", "ring", "connect",
	"miss an offer", "take out of service", "decline", "be unreachable", "release", "hold", "consult a colleague", "resume", "end the talk", "rejoin", "be found with a caller",
	"be called in", "be called back", "go back to wrap-up", "answer a colleague", "end the consult", "take the call over", "be found with a colleague",
	"finish wrap-up", "finish a rest"}

func (ev event) String() string { return eventNames[ev] }

// transitions is all that can happen to an agent; what is not here is
// impossible. later marks a wish made during a talk, which is granted once the
// talk is over and wrapped up.
var transitions = []struct {
	on    event
	from  []State
	to    State
	later bool
}{
	// What the agent or a supervisor asks for.
	{on: eventSignIn, from: []State{StateOffline, StatePaused, StateUnreachable}, to: StateReady},
	{on: eventReady, from: []State{StatePaused, StateUnreachable, StateWrapUp}, to: StateReady},
	{on: eventPause, from: []State{StateReady, StateReserved, StateRinging, StateWrapUp, StatePaused, StateUnreachable}, to: StatePaused},
	{on: eventPause, from: []State{StateTalking, StateHold, StateConsult}, later: true},
	{on: eventSignOut, from: []State{StateReady, StateReserved, StateRinging, StateWrapUp, StatePaused, StateUnreachable}, to: StateOffline},
	{on: eventSignOut, from: []State{StateTalking, StateHold, StateConsult}, later: true},
	{on: eventReachable, from: []State{StateUnreachable}, to: StateReady},

	// The course of an offer.
	{on: eventReserve, from: []State{StateReady}, to: StateReserved},
	{on: eventRing, from: []State{StateReserved}, to: StateRinging},
	{on: eventConnect, from: []State{StateReserved, StateRinging}, to: StateTalking},
	{on: eventMiss, from: []State{StateReserved, StateRinging}, to: StatePaused},
	{on: eventTakeOut, from: []State{StateReserved, StateRinging}, to: StatePaused},
	{on: eventDecline, from: []State{StateReserved, StateRinging}, to: StatePaused},
	{on: eventUnreach, from: []State{StateReady, StateReserved, StateRinging}, to: StateUnreachable},
	{on: eventRelease, from: []State{StateReserved, StateRinging}, to: StateReady},

	// The course of a talk.
	{on: eventHold, from: []State{StateTalking, StateConsult}, to: StateHold},
	{on: eventConsult, from: []State{StateTalking, StateHold}, to: StateConsult},
	{on: eventResume, from: []State{StateHold, StateConsult}, to: StateTalking},
	{on: eventEnd, from: []State{StateTalking, StateHold, StateConsult}, to: StateWrapUp},
	{on: eventRejoin, from: []State{StateWrapUp, StateReady, StatePaused}, to: StateTalking},
	{on: eventFound, from: []State{StateReady, StateReserved, StateRinging, StateWrapUp, StatePaused, StateUnreachable}, to: StateTalking},

	// Called in by a call, to be consulted or to take it over; from the wrap-up
	// of that very call, to take the caller back.
	{on: eventCall, from: []State{StateReady}, to: StateReserved},
	{on: eventCallBack, from: []State{StateWrapUp}, to: StateReserved},
	{on: eventGoBack, from: []State{StateReserved, StateRinging}, to: StateWrapUp},
	{on: eventComeIn, from: []State{StateReserved, StateRinging}, to: StateConsult},
	{on: eventEndConsult, from: []State{StateConsult}, to: StateReady},
	{on: eventTakeOver, from: []State{StateConsult}, to: StateTalking},
	{on: eventFoundThird, from: []State{StateReady, StateReserved, StateRinging, StateWrapUp, StatePaused, StateUnreachable}, to: StateConsult},

	// Clocks.
	{on: eventWrapped, from: []State{StateWrapUp}, to: StateReady},
	{on: eventRested, from: []State{StatePaused}, to: StateReady},
}

// outcome is one cell of the table: the next state, or later, or (zero) impossible.
type outcome struct {
	to    State
	later bool
}

// outcomes is the table laid out for looking up.
var outcomes = func() (cells [states][events]outcome) {
	for _, row := range transitions {
		for _, from := range row.from {
			cells[from][row.on] = outcome{row.to, row.later}
		}
	}
	return cells
}()

// ErrTransition is what every TransitionError is.
var ErrTransition = errors.New("queue: impossible in the agent's present state")

// TransitionError says what an agent in their present state cannot do.
type TransitionError struct {
	AgentID string
	From    State
	Event   string // "sign in"
}

func (e *TransitionError) Error() string {
	return fmt.Sprintf("queue: agent %s is %s and cannot %s", e.AgentID, e.From, e.Event)
}

// Is makes errors.Is(err, ErrTransition) true.
func (e *TransitionError) Is(target error) bool { return target == ErrTransition }

// agent is one agent of a machine.
type agent struct {
	profile Profile
	listed  int // in the order in which agents were described
	members []*member
	roster  *roster
	taking  bool // how the roster counts this agent

	state  State
	since  time.Time // of state, as it is shown
	reason string    // why paused, out or unreachable
	out    bool      // paused by the machine after missed offers
	misses int       // offers missed in a row
	moved  bool      // has done something since the start

	idleAs    int64 // order of becoming idle; kept when an offer is released
	idleSince time.Time

	offer *reservation // reserved or ringing
	call  string       // talking, hold, consult: with whom; wrap-up and later: who was last
	third bool         // … called in to that call, which is another's
	part  time.Time    // since when with that call, as it is shown
	owner string       // the service at which that call is
	queue *callers     // the queue that call came by
	busy  int64        // since when agents have been with that call, of the machine's clock; 0: it is not counted

	then       event // what was asked for during the talk, zero when nothing: see wishes
	thenReason string

	// What happens by itself at the alarm: the end of a wrap-up or of a rest.
	alarm      timer
	alarmEvent event
	alarmCause string
	began      int64 // of the wrap-up, of the machine's clock

	counted presence // how the queues count this agent at present

	gone   bool // the service of the agent's phone is
	beyond bool // gone, or nothing is heard of it: the agent is offered nobody
}

// presence is how an agent counts in their queues.
type presence struct {
	signedIn  bool // will be here after the present talk
	attending bool // and not out of service
	working   bool // and on no break: takes calls, or will do so without anybody's help
}

func (a *agent) presence() presence {
	in := a.state != StateOffline && a.then != eventSignOut
	attending := in && a.state != StateUnreachable && !a.out && !a.gone
	onBreak := a.state == StatePaused && a.alarm.at == 0
	return presence{signedIn: in, attending: attending, working: attending && !onBreak}
}

func (a *agent) may(ev event) (outcome, error) {
	cell := outcomes[a.state][ev]
	if cell == (outcome{}) {
		return cell, &TransitionError{AgentID: a.profile.ID, From: a.state, Event: ev.String()}
	}
	return cell, nil
}

// takesCalls reports whether the agent is or will be ready without anybody's
// asking for it, as far as is known.
func (a *agent) takesCalls() bool {
	return a.state != StatePaused && a.then == 0 && !a.beyond && a.presence().attending
}

// free reports whether the agent can be offered a caller.
func (a *agent) free() bool { return a.state == StateReady && !a.beyond }

// member is the agent's part in a queue, nil when they do not serve it.
func (a *agent) member(q *callers) *member {
	for _, m := range a.members {
		if m.queue == q {
			return m
		}
	}
	return nil
}

// wished is the state that was asked for during the talk, none if none was.
func (a *agent) wished() State { return outcomes[StateWrapUp][a.then].to }

// occupied says that a talk, or what belongs to it, goes on: what was asked for
// during it waits for the end. Whoever is called back from a wrap-up is still
// at that call.
func (a *agent) occupied() bool {
	return a.state.InTalk() || a.state == StateWrapUp || a.state == StateReserved || a.state == StateRinging
}
