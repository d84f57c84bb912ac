package virtual

import (
	"encoding/json"
	"strings"
	"time"

	"hotline/ari/aritest"
	"hotline/call"
	"hotline/ivr/prompt"
	"hotline/journal"
)

// visit is what the journal says of one call.
type visit struct {
	stream string
	tones  []tone
	meant  bool // a farewell was to be said
	again  bool // the caller was dialled again and answered: how that line ended is another question
	end    *call.Ended
}

// tone is a stretch of hold tone, on the machine's clock.
type tone struct{ from, to time.Time } // to is zero where the call ended in it

// fold adds an entry of the call.
func (v *visit) fold(w *world, e journal.Entry) {
	switch e.Kind {
	case call.KindToneBegan:
		from := decoded[call.ToneBegan](w, e).Machine
		if last := len(v.tones) - 1; last < 0 || !v.tones[last].from.Equal(from) { // and not the same one, mended
			v.tones = append(v.tones, tone{from: from})
		}
	case call.KindTone:
		if last := len(v.tones) - 1; last >= 0 {
			v.tones[last].to = v.tones[last].from.Add(time.Duration(decoded[call.Tone](w, e).Seconds * float64(time.Second)))
		}
	case call.KindSaid:
		said := decoded[call.Said](w, e).Prompts
		v.meant = v.meant || len(said) > 0 && strings.HasPrefix(said[len(said)-1], "closing.")
	case call.KindRedialled:
		v.again = decoded[call.Redialled](w, e).Outcome == call.RedialAnswered
	case call.KindEnded:
		end := decoded[call.Ended](w, e)
		v.end = &end
	}
}

func decoded[T any](w *world, e journal.Entry) (data T) {
	if err := e.Decode(&data); err != nil {
		w.fail("%v", err)
	}
	return data
}

// apologyTolerance is how far from its due time an apology may begin.
const apologyTolerance = 500 * time.Millisecond

// checkApologies compares the apologies that a caller heard with those that were due, whoever was there to say them.
func (w *world) checkApologies(c *caller, v *visit) {
	var heard []time.Time
	for _, h := range c.ch.Heard(0) {
		if promptOf(h.Medium) == prompt.HoldApology {
			heard = append(heard, h.At)
		}
	}
	for _, t := range v.tones {
		until := t.to
		if until.IsZero() || until.After(c.left) {
			until = c.left
		}
		for due := t.from.Add(prompt.HoldEvery); due.Before(until.Add(-apologyTolerance)); due = due.Add(prompt.HoldEvery) {
			if !near(heard, due) && !w.excused(c, due) {
				w.fail("caller %d did not hear the apology that was due at %.3f s (%s)", c.n, due.Sub(w.began).Seconds(), v.stream)
			}
		}
	}
}

func near(heard []time.Time, due time.Time) bool {
	for _, at := range heard {
		if at.Sub(due).Abs() <= apologyTolerance {
			return true
		}
	}
	return false
}

// excused says whether Asterisk misbehaved shortly before a moment, or had not been asked for a tone at all: a process
// that is killed between writing so down and asking cannot be made up for.
func (w *world) excused(c *caller, at time.Time) bool {
	if w.plan.faults && w.disturbed(at.Add(-prompt.HoldEvery), at) > 0 {
		return true
	}
	for _, s := range c.ch.Silences() {
		if !s.From.After(at) && !s.To.Add(apologyTolerance).Before(at) {
			return true
		}
	}
	return false
}

// checkEnding compares how the caller left with what the journal says of it: it may not know, but it may not be wrong.
func (w *world) checkEnding(c *caller, v *visit, last bool) {
	if v.end == nil {
		return
	}
	seen := w.disturbed(c.left.Add(-time.Second), c.left.Add(time.Second)) == 0
	if v.end.Result == call.Lost && last && seen && !v.again {
		w.fail("caller %d left at %.3f s while the service was there, and %s is lost", c.n, c.left.Sub(w.began).Seconds(), v.stream)
	}
	for _, leg := range v.end.Legs {
		if leg.Leg != "caller" || !last {
			continue
		}
		unknown := leg.How == call.Vanished && (!seen || w.plan.faults) // left to the net, say
		is := string(leg.Who) + " " + leg.How
		if is == "asterisk command" && w.lives > 1 {
			is = "service command" // of a process that did not live to see it done
		}
		if is != c.truth() && !unknown {
			w.fail("caller %d: %s; %s says: %s (%s)", c.n, c.truth(), v.stream, is, leg.Why)
		}
	}
}

// truth is how the caller's line ended, in the journal's words.
func (c *caller) truth() string {
	switch {
	case !c.own:
		return "service command"
	case c.way == losesLine:
		return "caller line-failed"
	default:
		return "caller pressed"
	}
}

// checkDial is asked before a phone is dialled: nobody is given a second caller.
func (w *world) checkDial(r aritest.Request) {
	var dial struct{ Endpoint, ChannelID string }
	if err := json.Unmarshal([]byte(r.Body), &dial); err != nil {
		w.fail("a dial cannot be read: %v", err)
	}
	for _, ch := range w.asterisk.At(dial.Endpoint) {
		if len(ch.Joined()) > 1 && !w.plan.faults {
			w.fail("%s is dialled as %s while in a talk as %s", dial.Endpoint, dial.ChannelID, ch.ID())
		}
	}
}
