package call

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"hotline/ari"
	"hotline/ivr/prompt"
)

// holdTone is what a caller hears while nobody talks, in the queue exactly as
// on an agent's hold: the tone, with an apology that begins 30, 60, 90 … s
// after it started (A3, C3). The whole list is Asterisk's from the start, so
// it goes on, apologies included, while this service is away.
type holdTone struct {
	call    *call
	started time.Time
	lists   []*ari.Playback        // handed over and not seen to stop, the one that plays last
	doubts  []*ari.Playback        // of which it is not known whether Asterisk has them, or will have
	spoken  func(nth int) []string // what to add to the nth apology; nil or empty for nothing
	nth     int                    // the apology to come, from 1
	renewed int                    // the apology with which the list that plays last began, 0 for the start
	told    int                    // the last apology that the journal tells of
	timer   *time.Timer
	handed  time.Time     // when a list was last handed over
	rest    time.Duration // before one that is over too soon is handed over again; grows
}

// apologyLead is how long before an apology is due the list that begins with it
// is written down and handed over, to wait behind the one that plays.
const apologyLead = 100 * time.Millisecond

// apologyMissed is how late we may be for replacing the list: after that the
// list's own apology has begun, and the caller would hear it twice.
const apologyMissed = 100 * time.Millisecond

// toneRetry is how soon a tone that Asterisk did not take is handed over again;
// one that is over at once, since its files are gone, ever later, to toneRest.
const (
	toneRetry = 500 * time.Millisecond
	toneRest  = 30 * time.Second
)

// renewEvery is after how many apologies a list is replaced with which nothing
// was to be said. In between Asterisk keeps the clock, and falls behind: by 1 ms
// an apology while its machine is idle (30.003, 60.004, 90.004, 120.005 s), by
// up to 20 ms of them with a hundred callers on two busy cores. Ten of those
// keep an apology within 0.2 s of its time, of the 0.5 s that it may be off (C3).
const renewEvery = 10

// holdSegments is how many apologies are handed over at once: 20 minutes of
// them, should this service be gone as a list is about to be replaced and not
// come back.
const holdSegments = renewEvery + 40

// startTone begins the tone with what is said first ("please wait"). spoken
// adds a position or an estimate to chosen apologies. A tone that Asterisk does
// not take is tried again at the next tick, on the clock that runs from now.
func (c *call) startTone(ctx context.Context, spoken func(nth int) []string, first ...string) error {
	h := &holdTone{call: c, started: time.Now(), spoken: spoken, nth: 1}
	c.tones++
	began := []fact{{kind: KindToneBegan, data: ToneBegan{List: c.tones, Machine: h.started}}}
	if len(first) > 0 {
		began = append([]fact{saying(first, "")}, began...)
	}
	c.writeAll(began...)
	h.timer = time.NewTimer(time.Until(h.due()) - apologyLead)
	c.tone = h
	if err := c.explained(ctx, h.hand(ctx, 0, first)); err != nil {
		if gone := context.Cause(ctx); gone != nil {
			return gone
		}
		c.log.Warn("the hold tone does not play yet and is tried again", "err", err)
		h.timer.Reset(toneRetry)
	}
	return nil
}

// takeUpTone goes on with the tone of an earlier process: its list plays in
// Asterisk, and its clock is the caller's. Where the list is over, or never
// began, another one begins at what the clock says.
func (c *call) takeUpTone(ctx context.Context, left ToneBegan) error {
	h := &holdTone{call: c, started: left.Machine, renewed: left.Apologies, told: left.Apologies}
	h.nth = int(time.Since(h.started)/prompt.HoldEvery) + 1
	c.tones = left.List
	playing := false
	for n := max(left.List-1, 1); n <= left.List; n++ { // the last was perhaps queued behind the one before
		list := c.session.RestorePlayback(c.caller, toneName(c.caller, n))
		there, err := list.Check(ctx)
		if err != nil {
			return fmt.Errorf("call %s: looking for the hold tone: %w", c.id, err)
		}
		if !there { // nor may it begin later, behind all that follows
			h.doubts = append(h.doubts, list)
			continue
		}
		h.lists = append(h.lists, list)
		playing = true
	}
	h.timer = time.NewTimer(time.Until(h.due()) - apologyLead)
	c.tone = h
	if !playing {
		return h.mend(ctx)
	}
	return nil
}

// hand gives Asterisk the list from elapsed on, behind the one that plays. One
// of which Asterisk told nothing is remembered, so that it is ended with the
// tone: whoever plays cannot join a bridge.
func (h *holdTone) hand(ctx context.Context, elapsed time.Duration, first []string) error {
	return h.play(ctx, h.call.holdMedia(elapsed, first))
}

func (h *holdTone) play(ctx context.Context, media []string) error {
	c := h.call
	name := toneName(c.caller, c.tones)
	h.handed = time.Now()
	playing, err := c.caller.Play(ctx, media, ari.PlayOptions{ID: name})
	if err != nil {
		h.doubts = append(h.doubts, c.session.RestorePlayback(c.caller, name))
		return err
	}
	h.lists = append(h.lists, playing)
	return nil
}

// broken is when the list that should play is over; nil (never) where there is
// none.
func (h *holdTone) broken() <-chan struct{} {
	if h == nil || len(h.lists) == 0 {
		return nil
	}
	return h.lists[len(h.lists)-1].Done()
}

// silent says whether no list plays, as far as is known.
func (h *holdTone) silent() bool {
	if len(h.lists) == 0 {
		return true
	}
	select {
	case <-h.broken():
		return true
	default:
		return false
	}
}

// mend goes on with a tone that is over, though nobody meant it to be: a
// command of ours was carried out late, or Asterisk did not take a list. What
// is in doubt is ended first, so that no two lists play one after the other.
func (h *holdTone) mend(ctx context.Context) error {
	c := h.call
	if c.caller.Context().Err() != nil || len(c.caller.Evidence().Requests) > 0 {
		return ended(ctx)
	}
	h.lists = nil
	lasted := time.Since(h.handed)
	if lasted < h.rest {
		h.timer.Reset(h.rest - lasted)
		return context.Cause(ctx)
	}
	if h.rest = min(max(2*h.rest, toneRetry), toneRest); lasted > toneRest {
		h.rest = toneRetry
	}
	if h.rest > 4*toneRetry {
		c.log.Error("the hold tone is over as soon as it begins; check with: hotline prompts check", "again_in", h.rest)
	}
	h.nth = int(time.Since(h.started)/prompt.HoldEvery) + 1
	h.renewed, h.told = h.nth-1, h.nth-1
	c.tones++
	c.write(KindToneBegan, ToneBegan{List: c.tones, Machine: h.started, Apologies: h.told})
	err := h.stopDoubts(ctx)
	if err == nil {
		err = h.hand(ctx, time.Since(h.started), nil)
	}
	h.timer.Reset(time.Until(h.due()) - apologyLead)
	if err != nil {
		c.log.Warn("the hold tone is interrupted and tried again", "err", err)
		h.timer.Reset(toneRetry)
	}
	return context.Cause(ctx)
}

// stopDoubts ends lists that Asterisk may have; they stay in doubt, since it may
// still come to have them.
func (h *holdTone) stopDoubts(ctx context.Context) error {
	for _, list := range h.doubts {
		if err := list.Stop(ctx); err != nil {
			return err
		}
	}
	return nil
}

// toneNames is how many names the lists of a caller's hold tone have, used in
// turn: few, so that the tone of a caller whom no journal knows can be ended,
// and more than there ever are at a time.
const toneNames = 8

func toneName(leg *ari.Leg, n int) string { return fmt.Sprintf("%s-tone-%d", leg.ID(), n%toneNames) }

// endLeftTone ends the hold tone of a caller who was left in Asterisk by a
// service that died: nothing else could be heard before its list is over.
func (c *call) endLeftTone(ctx context.Context) error {
	for n := range toneNames {
		if err := c.caller.StopPlayback(ctx, toneName(c.caller, n)); err != nil {
			return fmt.Errorf("call %s: ending the tone it was left with: %w", c.id, err)
		}
	}
	return nil
}

// holdMedia is the list of a wait that has lasted for elapsed. Those with which
// a wait begins, and those with which only apologies are said, are the same for
// everybody, and made once.
func (s *Service) holdMedia(elapsed time.Duration, first []string) []string {
	made := func() []string { return s.files(prompt.HoldList(s.library, elapsed, first, holdSegments)) }
	if elapsed == 0 || len(first) == 0 && elapsed%prompt.HoldEvery == 0 {
		return s.holdLists.get(fmt.Sprint(elapsed == 0, first), made)
	}
	return made()
}

// holdLists are the lists of media that many callers hear: nobody changes them.
type holdLists struct {
	mu    sync.Mutex
	lists map[string][]string
}

func (h *holdLists) get(which string, made func() []string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	list, known := h.lists[which]
	if !known {
		list = made()
		h.lists[which] = list
	}
	return list
}

// due is when the next apology begins.
func (h *holdTone) due() time.Time {
	return h.started.Add(time.Duration(h.nth) * prompt.HoldEvery)
}

// tick fires shortly before each apology, and when a tone that does not play is
// to be tried again; nil (never) where there is no tone.
func (h *holdTone) tick() <-chan time.Time {
	if h == nil {
		return nil
	}
	return h.timer.C
}

// apologise is called at tick. It replaces the list's tail where something is
// to be said with this apology, and after renewEvery of them; the others are
// Asterisk's alone, and the journal is told of them with the next of ours, or
// at the tone's end.
func (h *holdTone) apologise(ctx context.Context) {
	if h.silent() {
		_ = h.mend(ctx) // its only error is that the wait is over
		return
	}
	nth, due := h.nth, h.due()
	h.nth++
	h.timer.Reset(time.Until(h.due()) - apologyLead)
	var said []string
	if h.spoken != nil {
		said = h.spoken(nth)
	}
	if len(said) == 0 && nth < h.renewed+renewEvery || time.Since(due) > apologyMissed {
		return
	}
	if err := h.renew(ctx, nth, due, said); err != nil {
		h.call.log.Warn("the plain apology plays instead", "nth", nth, "err", err)
	}
}

// renew replaces the list's tail. The new list is queued behind the old one
// before the old one is stopped, so that there is no gap and, should we die in
// between, the old list goes on with its plain apology.
func (h *holdTone) renew(ctx context.Context, nth int, due time.Time, said []string) error {
	c := h.call
	c.write(KindApology, Apology{Nth: nth, Due: due, Plain: nth - 1 - h.told, List: c.tones + 1, Said: said})
	h.renewed, h.told = nth, nth
	c.tones++
	if err := h.hand(ctx, due.Sub(h.started), said); err != nil {
		return fmt.Errorf("speaking at apology %d: %w", nth, err)
	}
	if err := pause(ctx, time.Until(due)); err != nil {
		return err
	}
	if err := h.stopAllBut(ctx, 1); err != nil {
		return fmt.Errorf("ending the tone before apology %d: %w", nth, err)
	}
	c.metrics.apologyLate.Observe(max(time.Since(due), 0).Seconds())
	return nil
}

// interrupt says something in the middle of the tone, whose clock goes on. Where
// it would be in the way of an apology it is said right after that.
func (h *holdTone) interrupt(ctx context.Context, said []string) error {
	c := h.call
	if h.silent() {
		return h.mend(ctx)
	}
	elapsed := time.Since(h.started)
	lasts := c.library.Total(said...)
	h.renewed, h.told = h.nth-1, h.nth-1
	c.tones++
	c.writeAll(saying(said, ""), fact{kind: KindToneBegan, data: ToneBegan{List: c.tones, Machine: h.started, Apologies: h.told}})
	list := prompt.HoldList(c.library, elapsed, said, holdSegments)
	if elapsed%prompt.HoldEvery+lasts <= prompt.HoldEvery {
		list = append(slices.Clip(said), prompt.HoldList(c.library, elapsed+lasts, nil, holdSegments)...)
	}
	if err := h.play(ctx, c.files(list)); err != nil {
		return err
	}
	return h.stopAllBut(ctx, 1)
}

// stopTone ends the tone and journals how long it was heard.
func (c *call) stopTone(ctx context.Context) error {
	if c.tone == nil {
		return nil
	}
	h := c.tone
	if err := errors.Join(h.stopAllBut(ctx, 0), h.stopDoubts(ctx)); err != nil {
		return fmt.Errorf("call %s: stopping the hold tone: %w", c.id, err)
	}
	c.noteAll(c.forgetTone()...)
	return pause(ctx, stopRest)
}

// stopAllBut stops the lists but the newest few. One that could not be stopped
// is kept and tried again with the next: a tone that nobody ends would play to
// the end of its list, and Asterisk lets a leg that plays into no bridge.
func (h *holdTone) stopAllBut(ctx context.Context, newest int) error {
	for len(h.lists) > newest {
		err := h.lists[0].Stop(ctx)
		if err != nil && ctx.Err() == nil {
			err = h.lists[0].Stop(ctx)
		}
		if err != nil {
			return err
		}
		h.lists = h.lists[1:]
	}
	return nil
}

// forgetTone leaves the sound to end with the leg, and tells how long it was
// heard; it tells nothing where there is no tone.
func (c *call) forgetTone() []fact {
	h := c.tone
	if h == nil {
		return nil
	}
	c.tone = nil
	h.timer.Stop()
	lasted := time.Since(h.started)
	return []fact{{kind: KindTone, data: Tone{Seconds: lasted.Seconds(), Apologies: int(lasted / prompt.HoldEvery)}}}
}
