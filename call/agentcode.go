package call

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	codeRejoin  = "*69"
)

// agentCode is what a star code does and what the agent hears when it is done.
type agentCode struct {
	do   func(*queue.Engine, string) error
	said string
}

var agentCodes = map[string]agentCode{
	codeSignIn:  {(*queue.Engine).SignIn, "agent.signed_in"},
	codeSignOut: {(*queue.Engine).SignOut, "agent.signed_out"},
	codePause:   {func(q *queue.Engine, id string) error { return q.Pause(id, "star code") }, "agent.paused"},
	codeReady:   {(*queue.Engine).Ready, "agent.ready"},
}

// KindAgentCode is a star code keyed by an agent, in the agent's stream.
const KindAgentCode = "agent.code"

// AgentCode is its entry; it never holds the PIN.
type AgentCode struct {
	Code   string `json:"code"`
	Result string `json:"result"` // "done", "refused", "wrong-pin", "locked", "unknown", "nobody-to-rejoin"
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
	if code == codeRejoin {
		if back, ok := s.takeBack(id); ok {
			back(arrival) // the call it belongs to adopts the leg
			s.noteCode(ctx, id, code, "done")
			return
		}
	}
	session := s.link.Session(newID(s.now()))
	leg := session.Adopt(arrival)
	ctx, release := during(ctx, leg)
	defer release()
	defer session.Close()
	l := &line{session: session, leg: leg, media: s.media}
	result, err := s.obey(ctx, l, id, code, pin)
	s.noteCode(ctx, id, code, result)
	if err != nil && !callerGone(err) && !errors.Is(err, errShutdown) {
		log.Error("a star code was not served", "err", err)
	}
	if leg.Context().Err() == nil {
		s.hangUp(ctx, leg, log)
	}
}

// hangUp ends an agent's call to the service after the last word.
func (s *Service) hangUp(ctx context.Context, leg *ari.Leg, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), teardownLimit)
	defer cancel()
	if err := leg.Hangup(ctx, hangupNormal, "the star code is served"); err != nil {
		log.Warn("an agent's call to the service is left in Asterisk", "err", err)
	}
}

// obey does what the code says and tells the agent how it went.
func (s *Service) obey(ctx context.Context, l *line, id, code, pin string) (result string, err error) {
	if err := l.leg.Answer(ctx); err != nil {
		return "refused", fmt.Errorf("answering agent %s: %w", id, err)
	}
	action, known := agentCodes[code]
	switch {
	case code == codeRejoin:
		return "nobody-to-rejoin", l.Say(ctx, "agent.rejoin.none")
	case !known:
		return "unknown", l.Say(ctx, "agent.unknown_code")
	case s.pins.locked(id, s.now()):
		return "locked", l.Say(ctx, "agent.pin.locked")
	}
	if pin == "" {
		if pin, err = askPIN(ctx, l); err != nil {
			return "refused", err
		}
	}
	switch {
	case !s.pins.right(id, pin, s.now()):
		return "wrong-pin", l.Say(ctx, "agent.pin.wrong")
	default:
		if err := action.do(s.queue, id); err != nil {
			s.log.Warn("a star code was refused", "agent_id", id, "err", err)
			return "refused", l.Say(ctx, "error.sorry")
		}
		return "done", l.Say(ctx, action.said)
	}
}

// askPIN reads digits up to # or a pause.
func askPIN(ctx context.Context, l *line) (string, error) {
	prompts := []string{"agent.pin.ask"}
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
	if _, err := s.journal.Append(context.WithoutCancel(ctx), entry); err != nil {
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
