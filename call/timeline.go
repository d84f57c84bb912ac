package call

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"hotline/journal"
	"hotline/queue"
)

// Timeline writes what happened in a call, a line per entry: the seconds
// since the first one and a sentence. The queue writes its entries beside the
// call's and a little later, so neighbours are put in the order of their times.
func Timeline(w io.Writer, entries []journal.Entry) error {
	entries = chronological(entries)
	var start time.Time
	for i, e := range entries {
		if i == 0 {
			start = e.At
			if d, ok := read[Arrived](e); ok {
				start = d.At
			}
		}
		if _, err := fmt.Fprintf(w, "%8.2f  %s\n", e.At.Sub(start).Seconds(), Sentence(e)); err != nil {
			return err
		}
	}
	return nil
}

// overtaken is how much later than what it tells an entry can be written. What
// is further out of order was told by a clock that was set in between, and
// stands where it was written.
const overtaken = 2 * time.Second

// chronological moves each entry before those written earlier that happened
// later, as far as the clock can be believed.
func chronological(written []journal.Entry) []journal.Entry {
	told := make([]journal.Entry, 0, len(written))
	for _, e := range written {
		i := len(told)
		for i > 0 && e.At.Before(told[i-1].At) && told[i-1].At.Sub(e.At) < overtaken {
			i--
		}
		told = slices.Insert(told, i, e)
	}
	return told
}

// sentences say what an entry of each kind means.
var sentences = map[string]func(journal.Entry) string{
	KindArrived: sentence(func(d Arrived) string {
		return fmt.Sprintf("caller %s dials %s", orWithheld(mask(d.Number)), d.Dialled)
	}),
	KindAnswered: sentence(func(d Answered) string {
		switch {
		case d.ByNet:
			return fmt.Sprintf("taken over from the dialplan's net after %.2f s", d.After)
		case d.Late:
			return fmt.Sprintf("answered late, after %.2f s: the three rings are broken", d.After)
		default:
			return fmt.Sprintf("answered after %.2f s, ring %d", d.After, d.Rings)
		}
	}),
	KindGreeted: sentence(func(d Greeted) string {
		return fmt.Sprintf("greeted: %s (%s)", strings.Join(d.Prompts, " "), d.Why)
	}),
	KindRecording: sentence(func(d RecordingStarted) string {
		if d.Error != "" {
			return "NOT recorded: " + d.Error
		}
		if d.Why != "" {
			return "recording again from here on: " + d.Why
		}
		return "recording from here on"
	}),
	KindSaid: sentence(func(d Said) string { return "says: " + strings.Join(d.Prompts, " ") }),
	KindChose: sentence(func(d Chose) string {
		return strings.TrimSpace(fmt.Sprintf("chose %s %s by %s [%s]", d.Do, d.Target, d.Why, d.Path))
	}),
	KindToneBegan: sentence(func(d ToneBegan) string {
		if d.Apologies > 0 {
			return fmt.Sprintf("hold tone goes on, after %d apologies", d.Apologies)
		}
		return "hold tone begins"
	}),
	KindApology: sentence(func(d Apology) string {
		text := fmt.Sprintf("apology %d", d.Nth)
		if d.Plain > 0 {
			text = fmt.Sprintf("apologies %d to %d, every 30 s", d.Nth-d.Plain, d.Nth)
		}
		return strings.Join(append([]string{text}, d.Said...), " ")
	}),
	KindTone: sentence(func(d Tone) string {
		return fmt.Sprintf("hold tone ends after %.2f s with %d apologies", d.Seconds, d.Apologies)
	}),
	KindTalk: sentence(func(d Talk) string {
		with := fmt.Sprintf("talks with agent %s (%s)", d.Agent, d.Number)
		if d.Directory != "" {
			with = "talks with " + d.Directory + " of the directory"
		}
		if d.From != "" {
			return with + ", given the call by " + d.From
		}
		return fmt.Sprintf("%s after %.2f s of waiting", with, d.Waited)
	}),
	KindStage: sentence(stageSentence),
	KindScene: sentence(sceneSentence),
	KindAgentLeft: sentence(func(d AgentLeft) string {
		return fmt.Sprintf("agent %s left: %s %s (%s: %s)", d.Agent, d.Ending.Who, d.Ending.How, d.Ending.Grade, d.Ending.Why)
	}),
	KindRejoined: sentence(func(d Talk) string { return fmt.Sprintf("agent %s is back", d.Agent) }),
	KindRedial: sentence(func(d Redial) string {
		return fmt.Sprintf("the caller's line failed (%s: %s); dials %s again, agent %s stays on the line", d.Ending.Grade, d.Ending.Why, d.Number, d.Agent)
	}),
	KindRedialled: sentence(func(d Redialled) string { return "the redial: " + d.Outcome }),
	KindReturned:  sentence(func(d Returned) string { return "is known again: the line was lost in call " + d.Of }),
	KindMessage: sentence(func(d LeftMessage) string {
		return fmt.Sprintf("left a message of %.0f s because: %s", d.Seconds, d.Reason)
	}),
	KindRated: sentence(func(d Rated) string { return fmt.Sprintf("rating %s: %d", d.Outcome, d.Score) }),
	KindEnded: sentence(func(d Ended) string {
		return fmt.Sprintf("ended: %s (%s); %s", d.Result, d.Reason, d.HungUp)
	}),
	queue.KindAgentState: sentence(func(d queue.Change) string {
		return fmt.Sprintf("agent %s: %s → %s (%s)", d.Agent, d.From, d.To, d.Cause)
	}),
	queue.KindJoined:    sentence(func(d queue.Change) string { return "joins queue " + d.Queue }),
	queue.KindOffered:   sentence(func(d queue.Change) string { return "offered to agent " + d.Agent }),
	queue.KindConnected: sentence(func(d queue.Change) string { return "agent " + d.Agent + " answers" }),
	queue.KindCalled:    sentence(func(d queue.Change) string { return "calls agent " + d.Agent + " in" }),
	queue.KindConsulted: sentence(func(d queue.Change) string { return "agent " + d.Agent + " comes in" }),
	queue.KindHandedOver: sentence(func(d queue.Change) string {
		return "agent " + d.With + " hands over to agent " + d.Agent
	}),
	queue.KindRefused: sentence(func(d queue.Change) string { return "agent " + d.Agent + ": " + d.Cause }),
	queue.KindMoved:   sentence(func(d queue.Change) string { return "moves from queue " + d.Queue + " on to queue " + d.Into }),
	queue.KindLeft:    sentence(func(d queue.Change) string { return "leaves the queue: " + d.Cause }),
	queue.KindLapsed:  sentence(func(d queue.Change) string { return "the queue ends the wait: " + d.Cause }),
}

// sceneSentence says what a talk is like now, and what has led to it.
func sceneSentence(d Scene) string {
	text := string(d.Scene)
	if d.On != "" {
		text += " after " + string(d.On)
	}
	if d.Third != nil {
		text += strings.TrimRight(fmt.Sprintf(", third: %s %s", d.Third.Kind, d.Third.ID), " ")
	}
	if d.Muted {
		text += ", muted"
	}
	if d.Monitor != "" {
		text += ", a supervisor in it: " + string(d.Monitor)
	}
	if d.Reason != "" {
		text += ", because: " + d.Reason
	}
	if d.Agent == "" {
		return text
	}
	return text + ", agent " + d.Agent
}

// Sentence says in words what an entry means.
func Sentence(e journal.Entry) string {
	if say, known := sentences[e.Kind]; known {
		if text := say(e); text != "" {
			return text
		}
	}
	return strings.TrimSpace(e.Kind + " " + details(e.Data))
}

// details are what an entry without a sentence says in single words; the whole
// of it is in the journal.
func details(data json.RawMessage) string {
	var fields map[string]any
	if json.Unmarshal(data, &fields) != nil {
		return string(data)
	}
	var words []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch fields[name].(type) {
		case string, float64, bool:
			words = append(words, fmt.Sprintf("%s: %v", name, fields[name]))
		}
	}
	return strings.Join(words, ", ")
}

// stageSentence says how far a call has come.
func stageSentence(d Reached) string {
	text := "goes on to: " + d.Stage
	if d.Menu != "" {
		text += " " + d.Menu
	}
	if d.Place != nil && d.Place.Queue != "" {
		text += " in queue " + d.Place.Queue
	}
	if d.Agent != "" {
		text += " with agent " + d.Agent
	}
	if d.Directory != "" {
		text += " with " + d.Directory + " of the directory"
	}
	if d.Reason != "" {
		text += " because: " + d.Reason
	}
	return text
}

func sentence[T any](say func(T) string) func(journal.Entry) string {
	return func(e journal.Entry) string {
		data, ok := read[T](e)
		if !ok {
			return ""
		}
		return say(data)
	}
}

func orWithheld(number string) string {
	if number == "" {
		return "with a withheld number"
	}
	return number
}
