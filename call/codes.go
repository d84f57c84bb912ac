package call

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"hotline/ari"
	"hotline/call/scene"
)

// An agent who has a phone and no desk asks for the same by feature codes,
// keyed in the talk:
//
//	*1            hold, and back
//	*2 number #   consult
//	*3            all three talk
//	*4            hand over to whom was consulted
//	*5            back from the third, who is let go of
//	*6            mute, and back
//	*7 number #   transfer, without asking first
//	*8            hear the codes
//
// A number is an agent's, 00 the duty manager's, 0 and n the n-th entry of the
// directory, * and n the n-th queue. Nobody but the service hears these keys; the others
// are passed on to whoever the agent talks with. Each code is confirmed by a
// word that the agent alone hears.

// featureCode is a code: what it asks for, in the first of these acts that is
// possible.
type featureCode struct {
	acts   []scene.Act
	target bool // a number and # follow
}

var featureCodes = map[rune]featureCode{
	'1': {acts: []scene.Act{scene.DoHold, scene.DoResume}},
	'2': {acts: []scene.Act{scene.DoConsult}, target: true},
	'3': {acts: []scene.Act{scene.DoJoin}},
	'4': {acts: []scene.Act{scene.DoComplete}},
	'5': {acts: []scene.Act{scene.DoCancel, scene.DoDrop}},
	'6': {acts: []scene.Act{scene.DoMute, scene.DoUnmute}},
	'7': {acts: []scene.Act{scene.DoTransfer}, target: true},
}

const codeMenu = '8'

// keypad collects the keys of a code.
type keypad struct {
	keyed string      // so far, with the star; "" outside of a code
	timer *time.Timer // after which what is keyed is given up
	used  bool        // the agent has keyed a code in this call: they hear words
}

// keyPatience is how long the next key of a code is waited for, and
// keyedAtMost how many there may be.
const (
	keyPatience = 8 * time.Second
	keyedAtMost = 16
)

// late fires when the next key of a code does not come; nil (never) outside of
// one.
func (k *keypad) late() <-chan time.Time {
	if k.keyed == "" {
		return nil
	}
	return k.timer.C
}

// key takes the next key. A key that belongs to no code is passed on; otherwise
// code and number are what is complete now, 0 where something is to follow.
func (k *keypad) key(digit rune) (passOn bool, code rune, number string) {
	if k.keyed == "" && digit != '*' {
		return true, 0, ""
	}
	k.keyed += string(digit)
	if k.timer != nil {
		k.timer.Stop()
	}
	k.timer = time.NewTimer(keyPatience)
	if len(k.keyed) == 1 {
		return false, 0, ""
	}
	first := rune(k.keyed[1])
	if featureCodes[first].target && digit != '#' && len(k.keyed) < keyedAtMost {
		return false, 0, ""
	}
	number = strings.TrimSuffix(k.keyed[2:], "#")
	k.clear()
	return false, first, number
}

func (k *keypad) clear() {
	k.keyed = ""
	if k.timer != nil {
		k.timer.Stop()
	}
}

// key is a key of the agent's phone.
func (c *call) key(ctx context.Context, digit rune) {
	pad := &c.floor().keypad
	passOn, code, number := pad.key(digit)
	switch {
	case passOn:
		_ = c.obeyAgent(ctx, scene.Order{Act: scene.DoKeys, Keys: string(digit)}, "") // where there is nobody to hear it, nothing is lost
		return
	case code == 0:
		return
	}
	pad.used = true
	if code == codeMenu {
		c.floor().say = "code.menu"
		return
	}
	feature, known := featureCodes[code]
	if !known {
		c.floor().say = "code.unknown"
		return
	}
	order := scene.Order{Act: feature.acts[0]}
	for _, act := range feature.acts {
		if _, _, possible := c.state.After(act); possible {
			order.Act = act
			break
		}
	}
	if feature.target {
		order.Target = c.targetOf(number)
	}
	if err := c.obeyAgent(ctx, order, "code"); err != nil {
		c.floor().say = refusedWord(err)
		c.log.Info("a feature code was refused", "agent_id", c.agent.ID, "act", order.Act, "err", err)
	}
}

// keyedTooLittle gives up a code of which the rest does not come.
func (f *floor) keyedTooLittle() {
	f.keypad.clear()
	f.say = "code.unknown"
}

// targetOf is who is meant by a keyed number; nil: nobody.
func (c *call) targetOf(number string) *scene.Target {
	nth := func(list int) (int, bool) {
		n, err := strconv.Atoi(number[1:])
		return n - 1, err == nil && n >= 1 && n <= list
	}
	switch {
	case number == "":
		return nil
	case number == "00":
		return &scene.Target{Kind: scene.ToDuty}
	case number[0] == '0':
		if n, there := nth(len(c.o.Directory)); there {
			return &scene.Target{Kind: scene.ToDirectory, ID: c.o.Directory[n].ID}
		}
		return nil
	case number[0] == '*':
		rules := c.queue.Rules()
		if n, there := nth(len(rules)); there {
			return &scene.Target{Kind: scene.ToQueue, ID: rules[n].ID}
		}
		return nil
	}
	for _, agent := range c.queue.Agents() {
		if agent.Number == number {
			return &scene.Target{Kind: scene.ToAgent, ID: agent.ID}
		}
	}
	return nil
}

// words are what an agent hears of a step.
var words = map[scene.Act]string{
	scene.DoHold: "code.hold", scene.DoResume: "code.resumed", scene.DoMute: "code.muted", scene.DoUnmute: "code.unmuted",
	scene.DoConsult: "code.calling", scene.DoCancel: "code.resumed", scene.DoJoin: "code.joined", scene.DoDrop: "code.dropped",
	scene.DoComplete: "code.handed_over", scene.DoTransfer: "code.transferred",
	scene.ThirdFailed: "code.not_reached", scene.ThirdLeft: "code.dropped",
}

// refusals are what an agent hears of a code that is refused.
var refusedWords = map[string]string{
	scene.UnknownTarget: "code.unknown_number", scene.NotAvailable: "code.not_available", scene.Self: "code.unknown_number",
}

func refusedWord(err error) string {
	var refused *scene.Refused
	if errors.As(err, &refused) && refusedWords[refused.Code] != "" {
		return refusedWords[refused.Code]
	}
	return "code.refused"
}

// sayWord tells the agent, and nobody else, what has come of a code. It is for
// when nothing more is to be done with their line: what plays on it keeps other
// commands waiting.
func (c *call) sayWord(ctx context.Context) {
	f := c.floor()
	word := f.say
	if f.say = ""; word == "" || !c.state.Row().Has(scene.Agent) {
		return
	}
	if err := c.endWord(ctx); err != nil {
		c.log.Warn("a word to the agent is not said", "agent_id", c.agent.ID, "err", err)
		return
	}
	playing, err := c.agent.leg.Play(ctx, c.files([]string{word}), ari.PlayOptions{})
	if err != nil {
		c.log.Warn("a word to the agent is not said", "agent_id", c.agent.ID, "err", err)
		return
	}
	f.word, f.wordTo = playing, c.agent.leg
}

// endWord ends what is being told to the agent.
func (c *call) endWord(ctx context.Context) error {
	f := c.floor()
	if f.word == nil {
		return nil
	}
	if err := f.word.Stop(ctx); err != nil {
		return err
	}
	f.word = nil
	return nil
}

// leaving is somebody whose line is to end, with what they hear before; "" for
// nothing.
type leaving struct {
	*agentLeg
	word string
}

// leave notes that an agent is in the talk no more.
func (f *floor) leave(a *agentLeg) {
	f.leaving = append(f.leaving, leaving{a, f.say})
	f.say = ""
}

// wordAtMost is how long a goodbye to an agent may take.
const wordAtMost = 3 * time.Second

// dismiss ends the lines of those who are in the talk no more, once they are
// out of its bridge. One who keyed a code hears first what has come of it.
func (f *floor) dismiss(c *call) {
	for _, a := range f.leaving {
		switch {
		case a.leg.Context().Err() != nil:
		case a.word == "":
			c.hangUp(c.ctx, a.leg, "the agent has left the talk")
		default:
			c.start(func(ctx context.Context) { c.sayGoodbye(ctx, a) })
		}
	}
	f.leaving = nil
}

// sayGoodbye runs beside the call, which has nothing to do with that line any
// more.
func (s *Service) sayGoodbye(service context.Context, a leaving) {
	ctx, cancel := context.WithTimeout(service, wordAtMost)
	defer cancel()
	if playing, err := a.leg.Play(ctx, s.files([]string{a.word}), ari.PlayOptions{}); err == nil {
		select {
		case <-playing.Done():
		case <-ctx.Done():
		}
	}
	if stopping(service) || s.replaced() {
		return
	}
	if err := a.leg.Hangup(context.WithoutCancel(ctx), hangupNormal, "the agent has left the talk"); err != nil {
		s.log.Warn("a leg could not be hung up", "channel_id", a.leg.ID(), "err", err)
	}
}
