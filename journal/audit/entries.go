package audit

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"hotline/journal"
)

// entry is an entry with its data read.
type entry struct {
	journal.Entry
	call   string // by its stream
	data   any    // a pointer to one of the types below; nil for other kinds, expired or unreadable content
	fault  string // why the data cannot be what the kind says
	starts bool   // it is the first of a process
	visit  *visit // the call's, nil when it is not known (endings sets it at the arrival)
}

func (e *entry) mark() mark { return mark{e.Seq, e.At} }

// What is read of each kind. A field is here only if a check needs it.
type (
	arrived struct {
		At time.Time `json:"at"`
	}
	outcome struct {
		Result string `json:"result"`
		Reason string `json:"reason"`
	}
	stage struct {
		Stage   string   `json:"stage"`
		Outcome *outcome `json:"outcome"`
	}
	recordingBegan struct {
		Error string `json:"error"`
	}
	said struct {
		Prompts []string `json:"prompts"`
	}
	talk struct {
		Agent string `json:"agent"`
	}
	message struct {
		Number    string `json:"number"`
		Confirmed bool   `json:"confirmed"`
		File      string `json:"file"`
		Reason    string `json:"reason"`
	}
	redial struct {
		Attempt int `json:"attempt"`
	}
	rated struct {
		Score int `json:"score"`
	}
	ended struct {
		outcome
		Recording *recording `json:"recording"`
	}

	// recording is one part of what was recorded.
	recording struct {
		File    string     `json:"file"`
		Seconds float64    `json:"seconds"`
		Gap     string     `json:"gap"`
		Then    *recording `json:"then"`
	}

	// change is what the queue tells, whatever the kind.
	change struct {
		Queue    string    `json:"queue"`
		Call     string    `json:"call"`
		Agent    string    `json:"agent"`
		From     string    `json:"from"`
		To       string    `json:"to"`
		Priority int       `json:"priority"`
		Arrived  time.Time `json:"arrived"`
		Owner    string    `json:"owner"` // another service, at which the call is
		Home     string    `json:"home"`  // another service, at which the agent is
		Head     bool      `json:"head"`
		Prefer   string    `json:"prefer"`
		StandsAs time.Time `json:"stands_as"` // in line as if arrived then; zero: by priority and arrival
		Needs    string    `json:"needs"`     // of an agent: not everybody will do
		RingAll  bool      `json:"ring_all"`  // phones of several agents may ring for the caller
		Weighted bool      `json:"weighted"`  // the agent's queues count differently
		Into     string    `json:"into"`      // the queue moved to

		With  string   `json:"with"`  // another agent, whose call it is or was
		Third bool     `json:"third"` // the agent is called in to a call that is another's, or nobody's
		Left  *leaving `json:"left"`  // who leaves the call as the agent takes it over
	}

	// leaving is an agent who leaves a call in a hand-over.
	leaving struct {
		Agent string `json:"agent"`
		From  string `json:"from"`
		To    string `json:"to"`
		Home  string `json:"home"`
	}

	// promiseDial is a number being dialled to keep a promise, and the end of that.
	promiseDial struct {
		Promise string `json:"promise"`
		Dial    string `json:"dial"`
	}

	serviceStarted struct {
		Epoch int64 `json:"epoch"`
	}
	serviceConnected struct{}
	serviceClean     struct {
		Calls []string `json:"calls"`
		Seen  int64    `json:"seen"`
	}
	serviceLeft struct {
		Call    string `json:"call"`
		Channel string `json:"channel"`
		Bridge  string `json:"bridge"`
	}
)

// The kinds that are read, by name.
const (
	kindArrived   = "call.arrived"
	kindStage     = "call.stage"
	kindRecording = "call.recording"
	kindSaid      = "call.said"
	kindTalk      = "call.talk"
	kindMessage   = "call.message"
	kindRedial    = "call.redial"
	kindRated     = "call.rated"
	kindEnded     = "call.ended"

	kindJoined     = "queue.joined"
	kindOffered    = "queue.offered"
	kindConnected  = "queue.connected"
	kindRefused    = "queue.refused"
	kindLeft       = "queue.left"
	kindLapsed     = "queue.lapsed"
	kindMoved      = "queue.moved"
	kindAgentState = "agent.state"
	kindCalled     = "agent.called"
	kindConsulted  = "agent.consulted"
	kindHandedOver = "agent.handed-over"

	kindRules   = "queue.rules"
	kindRemoved = "queue.removed"
	kindProfile = "agent.profile"

	kindDialOpened = "promise.dial-opened"
	kindDialClosed = "promise.dial-closed"

	kindServiceStarted   = "service.started"
	kindServiceConnected = "service.connected"
	kindServiceClean     = "service.clean"
	kindServiceLeft      = "service.left"
)

// shapes make room for the data of each kind.
var shapes = map[string]func() any{
	kindArrived:   func() any { return new(arrived) },
	kindStage:     func() any { return new(stage) },
	kindRecording: func() any { return new(recordingBegan) },
	kindSaid:      func() any { return new(said) },
	kindTalk:      func() any { return new(talk) },
	kindMessage:   func() any { return new(message) },
	kindRedial:    func() any { return new(redial) },
	kindRated:     func() any { return new(rated) },
	kindEnded:     func() any { return new(ended) },

	kindJoined: newChange, kindOffered: newChange, kindConnected: newChange, kindRefused: newChange,
	kindLeft: newChange, kindLapsed: newChange, kindMoved: newChange, kindAgentState: newChange,
	kindCalled: newChange, kindConsulted: newChange, kindHandedOver: newChange,

	kindDialOpened: func() any { return new(promiseDial) },
	kindDialClosed: func() any { return new(promiseDial) },

	kindServiceStarted:   func() any { return new(serviceStarted) },
	kindServiceConnected: func() any { return new(serviceConnected) },
	kindServiceClean:     func() any { return new(serviceClean) },
	kindServiceLeft:      func() any { return new(serviceLeft) },
}

func newChange() any { return new(change) }

// script are the kinds that a call writes while it lasts; others may come after its end.
var script = map[string]bool{
	kindArrived: true, kindStage: true, "call.answered": true, "call.greeted": true, kindRecording: true, kindSaid: true,
	"call.chose": true, "call.tone-began": true, "call.apology": true, "call.tone": true, kindTalk: true,
	"call.scene": true, "call.agent-left": true, "call.rejoined": true, kindMessage: true, kindRated: true,
	"call.resumed": true, kindEnded: true,
}

// read gives the entry's data its shape. Content that has expired is no fault: whoever needs it does without.
func read(stored journal.Entry) *entry {
	e := &entry{Entry: stored}
	for _, s := range stored.Streams {
		if id, ok := strings.CutPrefix(s, "call/"); ok {
			e.call = id
			break
		}
	}
	shape, known := shapes[stored.Kind]
	switch {
	case script[stored.Kind] && e.call == "":
		e.fault = "it is in no call's stream"
	case known && stored.Data != nil:
		e.data, e.fault = e.shaped(shape())
	}
	return e
}

// shaped reads the data, or says why it cannot be what the kind says.
func (e *entry) shaped(data any) (read any, fault string) {
	if err := json.Unmarshal(e.Data, data); err != nil {
		return nil, "its data cannot be read: " + err.Error()
	}
	if c, ok := data.(*change); ok && c.Call != e.call && !(c.Owner != "" && e.call == "") {
		return nil, fmt.Sprintf("it names the call %q in the stream of the call %q", c.Call, e.call)
	}
	if d, ok := data.(interface{ lacks(kind string) string }); ok {
		if fault := d.lacks(e.Kind); fault != "" {
			return nil, fault
		}
	}
	return data, ""
}

// lacks says what a change of this kind must have and this one has not.
func (c *change) lacks(kind string) string {
	inLine := kind != kindAgentState && !callsIn[kind] && !c.Third // and a call that is in no line may be of no queue that is known
	switch {
	case c.Agent == "" && (kind == kindOffered || kind == kindConnected || kind == kindRefused || kind == kindAgentState || callsIn[kind]):
		return "it names no agent"
	case c.Call == "" && kind != kindAgentState:
		return "it names no call"
	case c.Call == "" && (onOffer[c.To] || inTalk[c.To]):
		return "it leaves the agent " + c.To + " and does not say with whom"
	case c.Queue == "" && inLine && kind != kindConnected:
		return "it names no queue"
	case c.Agent != "" && c.To == "":
		return "it does not say what became of the agent"
	case c.Agent != "" && !states[c.To]:
		return "it leaves the agent in a state that does not exist: " + c.To
	case callsIn[kind] && c.Third == (kind == kindHandedOver):
		return "it does not say which part the agent has in the call"
	case c.Left != nil && (c.Left.Agent == "" || c.Left.Agent == c.Agent || !inTalk[c.Left.From] || !states[c.Left.To]):
		return "it does not say who leaves the call, from what to what"
	case kind == kindMoved && c.Into == "":
		return "it does not say where the caller went"
	case kind == kindJoined && c.Arrived.IsZero():
		return "it does not say since when the caller is in line"
	}
	return ""
}

func (d *promiseDial) lacks(string) string {
	if d.Promise == "" {
		return "it names no promise"
	}
	return ""
}

func (s *stage) lacks(string) string {
	if s.Stage == "" {
		return "it names no stage"
	}
	return ""
}

// callsIn are the kinds that tell of agents whom a call calls in.
var callsIn = map[string]bool{kindCalled: true, kindConsulted: true, kindHandedOver: true}

// states of an agent, and whether the agent has a call in them.
var (
	states = map[string]bool{
		"offline": true, "ready": true, "reserved": true, "ringing": true, "talking": true, "hold": true, "consult": true,
		"wrap-up": true, "paused": true, "unreachable": true,
	}
	onOffer = map[string]bool{"reserved": true, "ringing": true}
	inTalk  = map[string]bool{"talking": true, "hold": true, "consult": true}
)
