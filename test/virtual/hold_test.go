package virtual

import (
	"strings"
	"testing"
	"time"

	"hotline/ari/aritest"
	"hotline/call"
	"hotline/ivr/prompt"
	"hotline/journal"
)

// behind is how far Asterisk falls behind with each apology in these runs: as far as with a hundred callers on two
// busy cores.
const behind = 20 * time.Millisecond

// A caller on hold for half an hour hears every apology on time (C3), though Asterisk falls behind and the service is
// killed meanwhile; and the journal tells of each of them once, though most of them are Asterisk's alone.
func TestALongHoldKeepsItsClockAndCostsLittle(t *testing.T) {
	makeParts(t, t.TempDir())
	inWorld(t, end{kind: killed, nth: farAway}, func(w *world) {
		r := &redialRun{world: w, number: phoneNumber(1)}
		w.asterisk.Phone(endpoint("1001"), aritest.Phone{Does: aritest.Answers, After: time.Second})
		w.asterisk.MediaLasts(func(medium string) time.Duration {
			if promptOf(medium) == prompt.HoldApology {
				return lasts(medium) + behind
			}
			return lasts(medium)
		})
		p := w.next(false)
		ch := r.talks(p)
		w.asterisk.ClearLog()
		w.asterisk.At(endpoint("1001"))[0].Hold()
		held := time.Now()
		w.sleep(12*time.Minute + 15*time.Second)
		p.cut()
		w.succeed(p, end{kind: killed, outage: 40 * time.Second}) // an apology falls due in it
		w.sleep(time.Until(held.Add(30*time.Minute + 10*time.Second)))
		ch.Bye()
		left := time.Now()
		w.sleep(time.Minute)

		const due = 60
		heard := 0
		for _, h := range ch.Heard(0) {
			if promptOf(h.Medium) != prompt.HoldApology {
				continue
			}
			heard++
			if off := h.At.Sub(held) - time.Duration(heard)*prompt.HoldEvery; off.Abs() > apologyTolerance/2 {
				w.fail("apology %d began %v off its time", heard, off)
			}
		}
		if heard != due {
			w.fail("the caller heard %d apologies in %v, want %d", heard, left.Sub(held), due)
		}
		lists := 0
		for _, request := range w.asterisk.Requests() {
			if strings.HasSuffix(request.Path, "/play") && strings.Contains(request.Body, prompt.HoldApology) {
				lists++
			}
		}
		if lists > 7 {
			w.fail("Asterisk was given %d lists of hold tone in %v, want one every five minutes", lists, left.Sub(held))
		}
		if told := w.apologiesTold(held); told != due {
			w.fail("the journal tells of %d apologies, want %d", told, due)
		}
		w.checkLeftovers()
		w.finish()
		w.checkJournal()
	})
}

// apologiesTold reads the journal of a call with one hold, which began at a known moment: each apology is told of once,
// in order, and with its time.
func (w *world) apologiesTold(held time.Time) (told int) {
	reader, err := journal.OpenReader(w.t.Context(), w.file)
	if err != nil {
		w.t.Fatal(err)
	}
	defer reader.Close()
	var began call.ToneBegan
	for e, err := range reader.Read(w.t.Context(), journal.Query{Kinds: []string{call.KindToneBegan, call.KindApology, call.KindTone}}) {
		if err != nil {
			w.t.Fatal(err)
		}
		switch e.Kind {
		case call.KindToneBegan:
			began = decoded[call.ToneBegan](w, e)
			told = 0
		case call.KindApology:
			a := decoded[call.Apology](w, e)
			if a.Nth-a.Plain != told+1 {
				w.fail("the journal tells of the apologies %d to %d after the one numbered %d", a.Nth-a.Plain, a.Nth, told)
			}
			if due := began.Machine.Add(time.Duration(a.Nth) * prompt.HoldEvery); !a.Due.Equal(due) {
				w.fail("the journal has apology %d at %v, want %v", a.Nth, a.Due, due)
			}
			told = a.Nth
		case call.KindTone:
			told = decoded[call.Tone](w, e).Apologies
		}
	}
	if off := began.Machine.Sub(held); off < 0 || off > time.Second {
		w.fail("the journal has the hold begin %v after it did", off)
	}
	return told
}
