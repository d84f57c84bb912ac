package call

import (
	"strings"
	"time"
)

// Stream is a call's stream in the journal.
func Stream(callID string) string { return "call/" + callID }

// AgentStream is an agent's stream in the journal.
func AgentStream(agentID string) string { return "agent/" + agentID }

// Kinds of a call's entries, in the order in which a call meets them.
const (
	KindArrived   = "call.arrived"
	KindAnswered  = "call.answered"
	KindGreeted   = "call.greeted"
	KindRecording = "call.recording"
	KindSaid      = "call.said"
	KindChose     = "call.chose"
	KindTone      = "call.tone"
	KindTalk      = "call.talk"
	KindScene     = "call.scene"
	KindAgentLeft = "call.agent-left"
	KindRejoined  = "call.rejoined"
	KindMessage   = "call.message"
	KindRated     = "call.rated"
	KindEnded     = "call.ended"
)

// Results of a call: every call ends with exactly one.
const (
	Served     = "served"      // talked with an agent
	Abandoned  = "abandoned"   // the caller left; the reason is the stage
	Messaged   = "message"     // left a message
	TurnedAway = "turned-away" // was told why not, and left no message
	Informed   = "informed"    // heard what the menu had to say, and left
	Failed     = "failed"      // we could not go on; the reason is what broke
)

// Outcome is the one result and the one reason of a call.
type Outcome struct {
	Result string `json:"result"`
	Reason string `json:"reason"`
}

// Arrived is a caller's first sign.
type Arrived struct {
	Number  string    `json:"number"` // "" when withheld
	Dialled string    `json:"dialled"`
	Channel string    `json:"channel"`
	At      time.Time `json:"at"` // the channel's creation: the clock of the three rings
}

// Answered is the end of the ringing.
type Answered struct {
	After float64 `json:"after"`            // seconds since the arrival
	Rings int     `json:"rings"`            // that had begun by then
	Late  bool    `json:"late"`             // the three rings were broken (B1)
	ByNet bool    `json:"by_net,omitempty"` // by the dialplan, while the service was away
}

// Greeted says which greeting this caller heard, and why.
type Greeted struct {
	Prompts  []string `json:"prompts"`
	Festival string   `json:"festival,omitempty"`
	Why      string   `json:"why"`
}

// RecordingStarted is the moment from which everything is recorded.
type RecordingStarted struct {
	Error string `json:"error,omitempty"` // why it did not start
}

// Said is something the caller is about to hear.
type Said struct {
	Prompts []string `json:"prompts"`
}

// private is what was said without the digits of the caller's own number,
// which follow message.number.readback; one "digit.…" stands for them.
func private(prompts []string) []string {
	shown := make([]string, 0, len(prompts))
	hiding := false
	for _, p := range prompts {
		digit := strings.HasPrefix(p, "digit.")
		switch {
		case p == "message.number.readback":
			hiding = true
		case !digit && !strings.HasPrefix(p, "pause."):
			hiding = false
		case hiding && shown[len(shown)-1] == hiddenDigits:
			continue
		case hiding && digit:
			p = hiddenDigits
		}
		shown = append(shown, p)
	}
	return shown
}

const hiddenDigits = "digit.…"

// Chose is the caller's way through a menu.
type Chose struct {
	Path   string `json:"path"` // "main:2 bill:0"
	Do     string `json:"do"`
	Target string `json:"target,omitempty"`
	Topic  string `json:"topic,omitempty"`
	Why    string `json:"why"`
}

// Tone is a stretch of hold tone that is over.
type Tone struct {
	Seconds   float64 `json:"seconds"`
	Apologies int     `json:"apologies"` // that had begun
}

// Talk is an agent's part beginning.
type Talk struct {
	Agent  string  `json:"agent"`
	Number string  `json:"number"` // what the caller was told
	Waited float64 `json:"waited"` // seconds since the caller's place in line began
}

// Scene is a change of who hears whom.
type Scene struct {
	Scene string `json:"scene"`
	Agent string `json:"agent"`
}

// AgentLeft is the end of an agent's leg, with how it ended.
type AgentLeft struct {
	Agent  string `json:"agent"`
	Ending Ending `json:"ending"`
}

// LeftMessage is a message a caller left (A4).
type LeftMessage struct {
	Number    string  `json:"number"`
	Confirmed bool    `json:"confirmed"`
	File      string  `json:"file"`
	Seconds   float64 `json:"seconds"`
	Reason    string  `json:"reason"` // why nobody took the call
}

// Rated is the caller's answer after the talk (A11).
type Rated struct {
	Score   int    `json:"score"`
	Outcome string `json:"outcome"`
}

// Ended is a call's last entry.
type Ended struct {
	Outcome
	Seconds   float64         `json:"seconds"` // since the arrival
	HungUp    string          `json:"hung_up"` // who left first, "caller (proven)"
	Legs      []Ending        `json:"legs"`
	Recording *RecordingEnded `json:"recording,omitempty"`
	Marked    bool            `json:"marked,omitempty"` // the journal misses entries of this call
}

// RecordingEnded is what became of the recording.
type RecordingEnded struct {
	File     string  `json:"file,omitempty"`
	Seconds  float64 `json:"seconds"`       // recorded
	Expected float64 `json:"expected"`      // by the wall clock
	Gap      string  `json:"gap,omitempty"` // what is missing and why; "" when complete
}
