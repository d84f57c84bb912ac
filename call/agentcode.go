package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"hotline/ari"
	"hotline/ivr"
	"hotline/journal"
	"hotline/queue"
)

// An agent works from the phone itself by star codes. The PIN may be dialled
// behind the code (*601234) or is asked for. Coming back to a caller needs
// none: every second counts, and only the phone that had the call can do it.
const (
	codeSignIn  = "*60"
	codeSignOut = "*61"
	codePause   = "*62"
	codeReady   = "*63"
	codeMore    = "*64"
	codeRejoin  = "*69"
)

// agentCode is what a star code does and what the agent hears of it.
type agentCode struct {
	do      func(Queue, string) error
	said    string
	already []queue.State // in which there is nothing left to do: asking twice is no mistake
	never   queue.State   // in which it cannot be asked for
	frees   bool          // the agent may be called at once
	refused string        // what the agent hears where it is impossible; "": that something went wrong
}

// moreWrapUp is how much longer a wrap-up gets each time it is asked for.
const moreWrapUp = time.Minute

var agentCodes = map[string]agentCode{
	codeSignIn: {
		do: Queue.SignIn, said: "agent.signed_in", frees: true,
		already: []queue.State{queue.StateReady, queue.StateReserved, queue.StateRinging, queue.StateWrapUp},
	},
	codeSignOut: {
		do: Queue.SignOut, said: "agent.signed_out",
		already: []queue.State{queue.StateOffline},
	},
	codePause: {
		do: func(q Queue, id string) error { return q.Pause(id, "star code") }, said: "agent.paused",
		never: queue.StateOffline,
	},
	codeReady: {
		do: Queue.Ready, said: "agent.ready", frees: true,
		already: []queue.State{queue.StateReady, queue.StateReserved, queue.StateRinging},
		never:   queue.StateOffline,
	},
	codeMore: {
		do: func(q Queue, id string) error { return q.Extend(id, moreWrapUp) }, said: "agent.more_time",
		never: queue.StateOffline, refused: "agent.no_more_time",
	},
}

// KindAgentCode is a star code keyed by an agent, in the agent's stream.
const KindAgentCode = "agent.code"

// AgentCode is its entry; it never holds the PIN.
type AgentCode struct {
	Code   string `json:"code"`
	Result string `json:"result"` // "done", "refused", "no-pin", "locked", "unknown", "nobody-to-rejoin"
}

// serveAgent answers an agent's call to the service.
func (s *Service) serveAgent(ctx context.Context, arrival ari.Arrival) {
	id := agentID(arrival.Endpoint)
	dialled := strings.Join(arrival.Args[1:], "")
	code, pin := dialled, ""
	if len(dialled) > 3 {
		code, pin = dialled[:3], strings.TrimSuffix(dialled[3:], "#")
	}
	log := s.log.With("agent_id", id, "channel_id", arrival.ChannelID)
	if code == codeRejoin && s.giveBack(id, "", &arrival) { // the call it belongs to adopts the leg
		s.noteCode(ctx, id, code, "done")
		return
	}
	session := s.link.Session(newID(s.now()))
	leg := session.Adopt(arrival)
	ctx, release := during(ctx, leg)
	defer release()
	defer session.Close()
	l := &line{session: session, leg: leg, files: s.files, lasts: s.library.Total, log: log}
	result, err := s.obey(ctx, l, id, code, pin)
	s.noteCode(ctx, id, code, result)
	if err != nil && !callerGone(err) && !errors.Is(err, errShutdown) {
		log.Error("a star code was not served", "err", err)
	}
	s.letGoOf(ctx, leg, id)
}

// obey does what the code says and tells the agent how it went.
func (s *Service) obey(ctx context.Context, l *line, id, code, pin string) (result string, err error) {
	if err := errors.Join(l.leg.Subscribe(ctx), l.leg.Answer(ctx)); err != nil {
		return "refused", fmt.Errorf("answering agent %s: %w", id, err)
	}
	action, known := agentCodes[code]
	switch {
	case code == codeRejoin:
		return "nobody-to-rejoin", l.Say(ctx, "agent.rejoin.none")
	case !known:
		return "unknown", l.Say(ctx, "agent.unknown_code")
	}
	if result, err := s.identify(ctx, l, id, pin); result != "" || err != nil {
		return result, err
	}
	return s.carryOut(ctx, l, id, action)
}

// identify asks for the PIN until it is right, which is "", until the codes
// are locked, or until nothing is keyed.
func (s *Service) identify(ctx context.Context, l *line, id, pin string) (refused string, err error) {
	question := "agent.pin.ask"
	for {
		if s.pins.locked(id, s.now()) {
			return "locked", l.Say(ctx, "agent.pin.locked")
		}
		if pin == "" {
			if pin, err = askPIN(ctx, l, question); err != nil || pin == "" {
				return "no-pin", err
			}
		}
		if s.pins.right(id, pin, s.now()) {
			return "", nil
		}
		question, pin = "agent.pin.wrong", ""
	}
}

// carryOut does what was asked for and says so. Whoever is freed by it is let
// go first: a phone that is still on the line with us would be busy for the
// caller who waits.
func (s *Service) carryOut(ctx context.Context, l *line, id string, action agentCode) (result string, err error) {
	agent, _ := s.queue.Agent(id)
	said := []string{action.said}
	if agent.OutOfService && action.frees {
		said = []string{"agent.was_out", action.said}
	}
	switch {
	case agent.State == action.never:
		return "refused", l.Say(ctx, "agent.not_signed_in")
	case slices.Contains(action.already, agent.State):
		return "done", l.Say(ctx, said...)
	case action.frees && !agent.State.InTalk():
		err = l.Say(ctx, said...)
		s.letGoOf(ctx, l.leg, id)
		if failed := action.do(s.queue, id); failed != nil {
			return "refused", errors.Join(err, failed)
		}
		return "done", err
	}
	if err := action.do(s.queue, id); err != nil {
		s.log.Warn("a star code was refused", "agent_id", id, "err", err)
		return "refused", l.Say(ctx, cmp.Or(action.refused, "error.sorry"))
	}
	return "done", l.Say(ctx, said...)
}

// letGoOf hangs an agent's call to the service up and waits for its end.
func (s *Service) letGoOf(ctx context.Context, leg *ari.Leg, id string) {
	if leg.Context().Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), legEndGrace)
	defer cancel()
	if err := leg.Hangup(ctx, hangupNormal, "the star code is served"); err != nil {
		s.log.Warn("an agent's call to the service is left in Asterisk", "agent_id", id, "err", err)
	}
	select {
	case <-leg.Context().Done():
	case <-ctx.Done():
	}
}

// askPIN reads digits up to # or a pause.
func askPIN(ctx context.Context, l *line, question string) (string, error) {
	prompts := []string{question}
	var pin strings.Builder
	for pin.Len() < 12 {
		key, err := l.Ask(ctx, 5*time.Second, prompts...)
		if err != nil {
			return "", err
		}
		if key == ivr.Silence || key == '#' {
			break
		}
		pin.WriteRune(key)
		prompts = nil
	}
	return pin.String(), nil
}

func (s *Service) noteCode(ctx context.Context, id, code, result string) {
	if _, known := agentCodes[code]; !known && code != codeRejoin {
		code = "?" // whatever was dialled may hold a PIN
	}
	entry := journal.NewEntry(KindAgentCode, AgentCode{Code: code, Result: result}, AgentStream(id))
	entry.At = s.now().UTC()
	if _, err := s.journal.Append(context.WithoutCancel(ctx), entry); err != nil && !errors.Is(err, journal.ErrLate) {
		s.log.Error("a star code is missing from the journal", "agent_id", id, "err", err)
	}
}

// pinGuard checks PINs and stops guessing: after five wrong ones within
// fifteen minutes an agent's codes are locked until the oldest is that old.
type pinGuard struct {
	check func(agent, pin string) bool

	mu    sync.Mutex
	wrong map[string][]time.Time
}

const (
	pinTries  = 5
	pinWindow = 15 * time.Minute
)

func (g *pinGuard) locked(agent string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	recent := g.wrong[agent][:0]
	for _, at := range g.wrong[agent] {
		if now.Sub(at) < pinWindow {
			recent = append(recent, at)
		}
	}
	g.wrong[agent] = recent
	return len(recent) >= pinTries
}

func (g *pinGuard) right(agent, pin string, now time.Time) bool {
	ok := g.check(agent, pin)
	g.mu.Lock()
	defer g.mu.Unlock()
	if ok {
		delete(g.wrong, agent)
	} else {
		g.wrong[agent] = append(g.wrong[agent], now)
	}
	return ok
}
