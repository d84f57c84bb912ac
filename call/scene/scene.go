// Package scene says who hears whom while an agent has a call: a table of
// scenes, and a table of the steps that lead from one to another. A step is
// an act that somebody asks for, or an event of somebody's line.
//
// It owns the rules of a talk, and the words in which desks and calls speak of
// it. It is pure: it must not know Asterisk, queues, journals or HTTP, and
// carries nothing out; package call does.
package scene

import "slices"

// Party is somebody in a talk.
type Party string

// The parties.
const (
	Caller  Party = "caller"  // the customer
	Agent   Party = "agent"   // who has the call
	Third   Party = "third"   // who is consulted, called in, or transferred to
	Monitor Party = "monitor" // a supervisor
)

// Name is a scene's name, as it is journaled.
type Name string

// The scenes of a talk, and behind them its ends: what becomes of the caller.
const (
	Talking      Name = "talking"
	Hold         Name = "hold"
	Calling      Name = "calling"
	Consulting   Name = "consulting"
	ThreeWay     Name = "three-way"
	Transferring Name = "transferring"
	Returning    Name = "returning"
	Rejoining    Name = "rejoining"

	Rating   Name = "rating"    // the agent has hung up
	LineLost Name = "line-lost" // the agent's line failed: an apology, and the head of the line
	InVain   Name = "in-vain"   // nobody takes the transferred caller: an apology, and the head of the line
	Queued   Name = "queued"    // sent to a queue, with the arrival of before
)

// Row is one scene.
type Row struct {
	Name   Name
	Bridge []Party // who hears each other
	Tone   bool    // the caller hears the hold tone with its apology clock (C3)
	Rings  bool    // the third's phone does
	Shown  Name    // what a desk calls it
	Agent  string  // what the agent's state is then in the queue; "" where they have left
	End    bool    // the talk is over
	Means  string
}

// Has says whether a party is in the bridge.
func (r Row) Has(p Party) bool { return slices.Contains(r.Bridge, p) }

// WithThird says whether there is a third.
func (r Row) WithThird() bool { return r.Rings || r.Has(Third) }

var rows = []Row{
	{Name: Talking, Bridge: []Party{Caller, Agent}, Shown: Talking, Agent: "talking", Means: "caller and agent talk"},
	{Name: Hold, Bridge: []Party{Agent}, Tone: true, Shown: Hold, Agent: "hold", Means: "the caller waits for the agent"},
	{Name: Calling, Bridge: []Party{Agent}, Tone: true, Rings: true, Shown: Consulting, Agent: "consult", Means: "a third is rung for the agent, who hears it ring"},
	{Name: Consulting, Bridge: []Party{Agent, Third}, Tone: true, Shown: Consulting, Agent: "consult", Means: "agent and third talk, the caller waits"},
	{Name: ThreeWay, Bridge: []Party{Caller, Agent, Third}, Shown: ThreeWay, Agent: "talking", Means: "all three talk"},
	{Name: Transferring, Tone: true, Rings: true, Shown: Transferring, Means: "a third is rung for the caller, the agent has left"},
	{Name: Returning, Tone: true, Rings: true, Shown: Transferring, Means: "the third was not reached: the agent of before is rung to take the caller back"},
	{Name: Rejoining, Tone: true, Rings: true, Shown: Transferring, Means: "the agent who hung up wants the caller back, and is rung (B4)"},

	{Name: Rating, End: true, Means: "the agent has hung up; the caller is asked for the rating, and hears the goodbye"},
	{Name: LineLost, End: true, Means: "the agent's line failed; the caller hears so and goes to the head of the line"},
	{Name: InVain, End: true, Means: "nobody takes the transferred caller, who hears an apology and goes to the head of the line"},
	{Name: Queued, End: true, Means: "the caller waits in another queue, with the arrival of before"},
}

// Rows is the table of scenes.
func Rows() []Row { return slices.Clone(rows) }

// Row is the scene's row in the table. A name that is not in it, as of another
// version of the service, is a talk.
func (n Name) Row() Row {
	if at := slices.IndexFunc(rows, func(r Row) bool { return r.Name == n }); at >= 0 {
		return rows[at]
	}
	return rows[0]
}

// Act is a step of a talk: asked for by somebody, or an event of a line.
type Act string

// Acts that somebody asks for: by the desk, by a feature code, or as a supervisor.
// DoRejoin is for who has no talk any more.
const (
	DoHold     Act = "hold"
	DoResume   Act = "resume"
	DoMute     Act = "mute"
	DoUnmute   Act = "unmute"
	DoConsult  Act = "consult"  // the caller waits, the target is rung
	DoCancel   Act = "cancel"   // the third is let go of, back to the caller
	DoJoin     Act = "join"     // all three talk
	DoDrop     Act = "drop"     // the third leaves
	DoComplete Act = "complete" // warm: the agent leaves, the third has the caller
	DoTransfer Act = "transfer" // blind: the agent leaves, the target is rung
	DoKeys     Act = "keys"     // digits for who is at the other end
	DoHangup   Act = "hangup"   // our side ends the talk (B4: with a reason)
	DoRejoin   Act = "rejoin"   // the agent who hung up by accident wants the caller back (B4)

	DoListen  Act = "listen"  // the supervisor hears both and is heard by nobody
	DoWhisper Act = "whisper" // … and is heard by the agent alone
	DoBarge   Act = "barge"   // … and is heard by all
	DoLeave   Act = "leave"   // the supervisor leaves
)

// Events of lines.
const (
	PhoneHolds    Act = "phone-holds"    // the agent's phone, by its own button, or because it is not heard
	PhoneResumes  Act = "phone-resumes"  // … which takes the call back
	ThirdAnswered Act = "third-answered" // the phone that rings for a third
	ThirdFailed   Act = "third-failed"   // it is not answered, or cannot be rung
	ThirdLeft     Act = "third-left"     // the third's line has ended
	AgentFailed   Act = "agent-failed"   // the agent's line failed
	AgentLeft     Act = "agent-left"     // the agent has hung up
	NotMet        Act = "not-met"        // … as the caller came to them, before they could have talked
	QueueTakes    Act = "queue-takes"    // the target is a queue, and has a place for the caller
)

// Move is a row of the table of steps.
type Move struct {
	In       []Name
	On       Act
	To       Name
	HandOver bool // the third is the call's agent from then on
}

var withThird = []Name{Consulting, ThreeWay}

var moves = []Move{
	{In: []Name{Talking}, On: DoHold, To: Hold},
	{In: []Name{Talking}, On: PhoneHolds, To: Hold},
	{In: []Name{Hold}, On: DoResume, To: Talking},
	{In: []Name{Hold}, On: PhoneResumes, To: Talking},

	{In: []Name{Talking, Hold}, On: DoConsult, To: Calling},
	{In: []Name{Calling}, On: ThirdAnswered, To: Consulting},
	{In: []Name{Calling}, On: ThirdFailed, To: Talking},
	{In: []Name{Calling, Consulting}, On: DoCancel, To: Talking},
	{In: []Name{Consulting}, On: ThirdLeft, To: Talking},

	{In: []Name{Consulting}, On: DoJoin, To: ThreeWay},
	{In: []Name{ThreeWay}, On: DoDrop, To: Talking},
	{In: []Name{ThreeWay}, On: ThirdLeft, To: Talking},
	{In: withThird, On: DoComplete, To: Talking, HandOver: true},
	{In: withThird, On: AgentLeft, To: Talking, HandOver: true}, // as phones everywhere: to hang up is to hand over
	{In: []Name{ThreeWay}, On: AgentFailed, To: Talking, HandOver: true},

	{In: []Name{Talking, Hold}, On: DoTransfer, To: Transferring},
	{In: []Name{Calling}, On: AgentLeft, To: Transferring},
	{In: []Name{Transferring}, On: ThirdAnswered, To: Talking, HandOver: true},
	{In: []Name{Transferring}, On: ThirdFailed, To: Returning},
	{In: []Name{Transferring}, On: QueueTakes, To: Queued},
	{In: []Name{Returning}, On: ThirdAnswered, To: Talking, HandOver: true},
	{In: []Name{Returning}, On: ThirdFailed, To: InVain},

	{In: []Name{Rating}, On: DoRejoin, To: Rejoining},
	{In: []Name{Rejoining}, On: ThirdAnswered, To: Talking, HandOver: true},
	{In: []Name{Rejoining}, On: ThirdFailed, To: Rating},

	{In: []Name{Talking, Hold}, On: DoHangup, To: Rating},
	{In: []Name{Talking, Hold}, On: AgentLeft, To: Rating},
	{In: []Name{Talking, Hold}, On: NotMet, To: InVain},
	{In: []Name{Talking, Hold, Calling, Consulting}, On: AgentFailed, To: LineLost},
}

// Moves is the table of steps from scene to scene.
func Moves() []Move { return slices.Clone(moves) }

// Mode is how a supervisor is in a talk.
type Mode string

// The modes; "" is no supervisor.
const (
	Listening  Mode = "listen"
	Whispering Mode = "whisper"
	Barging    Mode = "join"
)

// State is a talk at a moment: its scene, and the marks that do not depend on it.
type State struct {
	Scene   Name `json:"scene"`
	Muted   bool `json:"muted,omitempty"`      // nobody hears the agent
	Asked   bool `json:"hold_asked,omitempty"` // the agent has asked for the hold, whatever their phone does
	Held    bool `json:"phone_held,omitempty"` // the agent's phone holds the line: by its own button, or since a browser is not heard
	Monitor Mode `json:"monitor,omitempty"`
}

// Row is the state's scene.
func (s State) Row() Row { return s.Scene.Row() }

// mark is a row of the table of marks: a step that leaves the scene as it is.
type mark struct {
	on  Act
	may func(State) bool
	set func(*State)
}

var marks = []mark{
	{DoMute, func(s State) bool { return s.withAgent() && !s.Muted }, func(s *State) { s.Muted = true }},
	{DoUnmute, func(s State) bool { return s.Muted }, func(s *State) { s.Muted = false }},
	{DoKeys, func(s State) bool { return len(s.Row().Bridge) > 1 }, func(*State) {}},
	{PhoneHolds, State.withAgent, func(s *State) { s.Held = true }},
	{PhoneResumes, State.withAgent, func(s *State) { s.Held = false }},
	{DoListen, monitored(Listening), func(s *State) { s.Monitor = Listening }},
	{DoWhisper, monitored(Whispering), func(s *State) { s.Monitor = Whispering }},
	{DoBarge, monitored(Barging), func(s *State) { s.Monitor = Barging }},
	{DoLeave, func(s State) bool { return s.Monitor != "" }, func(s *State) { s.Monitor = "" }},
}

func (s State) withAgent() bool { return s.Row().Has(Agent) }

// monitored says where a supervisor may be in that way: where there is an agent
// to hear.
func monitored(m Mode) func(State) bool {
	return func(s State) bool { return s.withAgent() && s.Monitor != m }
}

// After is the state that a step leads to. HandOver says that the third is the
// agent from then on; ok is false where the step is impossible.
func (s State) After(step Act) (next State, handOver, ok bool) {
	if step == DoResume && s.Held {
		return s, false, false // only the phone can: it would go on holding
	}
	next = s
	for _, m := range marks {
		if m.on == step && m.may(s) {
			m.set(&next)
			ok = true
		}
	}
	for _, m := range moves {
		if m.On == step && slices.Contains(m.In, s.Scene) {
			next.Scene, handOver, ok = m.To, m.HandOver, true
		}
	}
	if !ok {
		return s, false, false
	}
	if handOver || !next.withAgent() { // another line, which has no marks yet
		next.Muted, next.Held = false, false
	}
	if next.Scene == Talking && (next.Held || s.Asked && step == PhoneResumes) {
		next.Scene = Hold
	}
	next.Asked = next.Scene == Hold && (s.Asked || step == DoHold)
	if next.Row().End {
		next.Monitor = ""
	}
	return next, handOver, true
}

// asked are the acts of an agent, in the order in which a desk shows them.
var asked = []Act{DoHold, DoResume, DoMute, DoUnmute, DoConsult, DoCancel, DoJoin, DoDrop, DoComplete, DoTransfer, DoKeys, DoHangup}

// supervised are those of a supervisor.
var supervised = []Act{DoListen, DoWhisper, DoBarge, DoLeave}

// Asked says whether an act is one that an agent may ask for, in a talk or after it.
func (a Act) Asked() bool { return a == DoRejoin || slices.Contains(asked, a) }

// Supervised says whether an act is one that a supervisor may ask for.
func (a Act) Supervised() bool { return slices.Contains(supervised, a) }

// Acts are those that the agent may ask for now.
func (s State) Acts() []Act {
	return slices.DeleteFunc(slices.Clone(asked), func(a Act) bool { _, _, ok := s.After(a); return !ok })
}
