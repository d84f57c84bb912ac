package call

import (
	"strings"
	"time"

	"hotline/call/scene"
	"hotline/ivr"
)

// Stream is a call's stream in the journal.
func Stream(callID string) string { return "call/" + callID }

// AgentStream is an agent's stream in the journal.
func AgentStream(agentID string) string { return "agent/" + agentID }

// Kinds of a call's entries, in the order in which a call meets them.
const (
	KindArrived   = "call.arrived"
	KindStage     = "call.stage"
	KindAnswered  = "call.answered"
	KindGreeted   = "call.greeted"
	KindRecording = "call.recording"
	KindSaid      = "call.said"
	KindChose     = "call.chose"
	KindToneBegan = "call.tone-began"
	KindApology   = "call.apology"
	KindTone      = "call.tone"
	KindTalk      = "call.talk"
	KindScene     = "call.scene"
	KindAgentLeft = "call.agent-left"
	KindRejoined  = "call.rejoined"
	KindMessage   = "call.message"
	KindRated     = "call.rated"
	KindEnded     = "call.ended"

	// KindResumed: a process took up a call that another one began.
	KindResumed = "call.resumed"
)

// ServiceStream is the stream of what concerns the process and not one call.
const ServiceStream = "service/run"

// Kinds of its entries.
const (
	KindServiceStarted   = "service.started"
	KindServiceConnected = "service.connected"
	KindServiceStopping  = "service.stopping"
	KindServiceClean     = "service.clean"
	KindServiceLeft      = "service.left"
)

// ServiceStarted is a process beginning to own the journal.
type ServiceStarted struct {
	Epoch    int64     `json:"epoch"`
	Version  string    `json:"version,omitempty"`
	LastSeen time.Time `json:"last_seen,omitzero"` // the journal's last entry before
}

// ServiceConnected is Asterisk within reach, at first or again.
type ServiceConnected struct {
	Away    float64 `json:"away_s"`            // seconds without it, or since the journal's last entry
	Resumed int     `json:"resumed,omitempty"` // calls taken up where they were
	Lost    int     `json:"lost,omitempty"`    // calls that Asterisk does not have any more
}

// ServiceStopping is a process going: nobody is hung up.
type ServiceStopping struct {
	Why  string `json:"why"`  // "shutdown", "replaced", "drained"
	Live int    `json:"live"` // calls left to Asterisk
}

// ServiceClean says that nothing of these ended calls is in Asterisk any more.
type ServiceClean struct {
	Calls []string `json:"calls,omitempty"`
	Seen  int64    `json:"seen"` // the arrival of the oldest live call: before it, every call has ended
}

// ServiceLeft is something of an ended call that was still in Asterisk, and
// was ended.
type ServiceLeft struct {
	Call    string `json:"call"`
	Channel string `json:"channel,omitempty"`
	Bridge  string `json:"bridge,omitempty"`
}

// Results of a call: every call ends with exactly one.
const (
	Served     = "served"      // talked with an agent
	Abandoned  = "abandoned"   // the caller left; the reason is the stage
	Messaged   = "message"     // left a message
	TurnedAway = "turned-away" // was told why not, and left no message
	Informed   = "informed"    // heard what the menu had to say, and left
	Failed     = "failed"      // we could not go on; the reason is what broke
	Lost       = "lost"        // its end was not seen: cut off by an outage; the reason is the stage
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
	At      time.Time `json:"at"`               // the channel's creation: the clock of the three rings
	Since   time.Time `json:"since,omitzero"`   // the same on a clock that is never set back: the order in line
	Machine time.Time `json:"machine"`          // the same on the machine's clock: what durations are measured from
	ByNet   bool      `json:"by_net,omitempty"` // answered by the dialplan, while the service was away
}

// since is the caller's moment in line; entries of before have but one clock.
func (a Arrived) since() time.Time {
	if a.Since.IsZero() {
		return a.At
	}
	return a.Since
}

// Reached is a stage of the call beginning, with all that it takes to begin it
// again in another process. The stage "ring" is [Arrived]. That a call ends is
// written before anybody is hung up, and an agent before anybody is joined.
type Reached struct {
	Stage     string        `json:"stage"`
	Menu      string        `json:"menu,omitempty"`      // menu: which one of them
	Path      string        `json:"path,omitempty"`      // menu: the keys that led there
	Place     *Place        `json:"place,omitempty"`     // wait
	Reason    string        `json:"reason,omitempty"`    // turned-away, message: why nobody takes the call
	Prompts   []string      `json:"prompts,omitempty"`   // turned-away: what tells the caller so
	Message   *ivr.Progress `json:"message,omitempty"`   // message: how far it is taken
	Agent     string        `json:"agent,omitempty"`     // talk, rate: with whom
	Directory string        `json:"directory,omitempty"` // talk: … who is an entry of the directory
	Leg       string        `json:"leg,omitempty"`       // talk: the agent's channel
	From      string        `json:"from,omitempty"`      // talk: … who has the call from "agent 1001": see [Talk]
	Outcome   *Outcome      `json:"outcome,omitempty"`   // end; turned-away: so far

	Released bool    `json:"released,omitempty"` // end: the caller is left to the dialplan's net, and not hung up
	Ending   *Ending `json:"ending,omitempty"`   // end: of the caller's leg, where it was seen by then
}

// Place is a caller's place in line, kept while the caller goes from offer to
// offer, and back to the head of the line when an agent's line breaks.
type Place struct {
	Queue     string    `json:"queue"`
	Asked     string    `json:"asked,omitempty"` // the queue they wanted, where they have overflowed out of it
	Priority  int       `json:"priority,omitempty"`
	Emergency bool      `json:"emergency,omitempty"`
	Since     time.Time `json:"since"`            // the order in line: on the service's clock, as if that had never been set back
	Joined    time.Time `json:"joined,omitzero"`  // on the machine's clock: how long this wait lasts; zero before it
	Head      bool      `json:"head,omitempty"`   // returns to the head of the line (B4)
	Prefer    string    `json:"prefer,omitempty"` // the agent whom the caller was with when the line broke
	Back      bool      `json:"back,omitempty"`   // of a caller who called again after a lost line, and has been told so
}

// in is the place in another queue, that a caller has overflowed into or goes
// back to.
func (p Place) in(queue string) Place {
	if p.Asked == "" {
		p.Asked = p.Queue
	}
	if p.Queue = queue; p.Asked == queue {
		p.Asked = ""
	}
	return p
}

// Resumed is a call taken up by another process than the one that began it.
type Resumed struct {
	Stage string  `json:"stage"`
	Run   int     `json:"run"`    // 1 for the first process after the one that began it
	Away  float64 `json:"away_s"` // seconds since the call's last entry
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

// RecordingStarted is the moment from which everything is recorded, or was to be.
type RecordingStarted struct {
	Part  int       `json:"part,omitempty"`  // 2 and on: another one than the first
	Began time.Time `json:"began,omitzero"`  // on the machine's clock
	Error string    `json:"error,omitempty"` // why it did not start
	Why   string    `json:"why,omitempty"`   // there is another part than the first
}

// Said is something the caller is about to hear.
type Said struct {
	Prompts  []string  `json:"prompts"`
	Playback string    `json:"playback,omitempty"` // its name in Asterisk; "" in a bridge
	Machine  time.Time `json:"machine,omitzero"`   // on the machine's clock
}

// ToneBegan is a stretch of hold tone beginning, or going on after an
// interruption. Asterisk gets it whole, with its apologies 30, 60, 90 … s from
// Machine.
type ToneBegan struct {
	List      int       `json:"list"`                // the number of the list that plays
	Machine   time.Time `json:"machine"`             // on the machine's clock
	Apologies int       `json:"apologies,omitempty"` // that were due before it goes on
}

// Apology is an apology of the hold tone that is due: the list that begins
// with it takes the place of the one that plays. Those right before it that
// Asterisk has played by itself are told with it, or by [Tone]: each was due
// 30 s after the one before it.
type Apology struct {
	Nth   int       `json:"nth"`             // from 1
	Due   time.Time `json:"due,omitzero"`    // on the machine's clock
	Plain int       `json:"plain,omitempty"` // how many before it are told with it
	List  int       `json:"list"`            // the number of the new list
	Said  []string  `json:"said,omitempty"`
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

	Informed bool `json:"informed,omitempty"` // heard something asked for on the way
}

// Tone is a stretch of hold tone that is over, with the apologies that no
// [Apology] tells of.
type Tone struct {
	Seconds   float64 `json:"seconds"`
	Apologies int     `json:"apologies"` // that had begun
}

// Talk is an agent's part beginning.
type Talk struct {
	Agent     string  `json:"agent"`
	Directory string  `json:"directory,omitempty"` // an entry of it, and no agent
	Number    string  `json:"number"`              // what the caller was told
	Waited    float64 `json:"waited"`              // seconds since the caller's place in line began
	From      string  `json:"from,omitempty"`      // who handed the call over, "agent 1001": the caller has not waited for this one
}

// Scene is a talk as it is from now on, with the step that led there.
type Scene struct {
	scene.State
	Agent   string    `json:"agent,omitempty"`   // who has the call
	On      scene.Act `json:"on,omitempty"`      // the step
	By      string    `json:"by,omitempty"`      // who asked for it: an agent's or supervisor's ID, or "code"
	Reason  string    `json:"reason,omitempty"`  // they gave
	Third   *Called   `json:"third,omitempty"`   // who is rung, consulted or called in
	Watcher *Watching `json:"watcher,omitempty"` // a supervisor
}

// Called is a third.
type Called struct {
	scene.Target
	Agent string `json:"agent,omitempty"` // who it is
	Leg   string `json:"leg,omitempty"`   // of a directory entry, the channel; an agent's is named by [queue.KindCalled]
}

// Watching is a supervisor in a talk.
type Watching struct {
	Agent string `json:"agent"`
	Leg   string `json:"leg"` // the channel
}

// AgentLeft is the end of an agent's leg, with how it ended.
type AgentLeft struct {
	Agent  string `json:"agent"`
	Leg    string `json:"leg,omitempty"`
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
	Released  bool            `json:"released,omitempty"` // the dialplan's net has the caller
	Marked    bool            `json:"marked,omitempty"`   // the journal misses entries of this call
}

// RecordingEnded is what became of the recording.
type RecordingEnded struct {
	File     string  `json:"file,omitempty"`
	Seconds  float64 `json:"seconds"`       // recorded
	Expected float64 `json:"expected"`      // by the wall clock
	Gap      string  `json:"gap,omitempty"` // what is missing and why; "" when complete

	// Then is the next part: of the caller's leg after a redial, or where
	// Asterisk had stopped recording.
	Then *RecordingEnded `json:"then,omitempty"`
}
