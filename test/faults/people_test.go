package faults_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hotline/configs"
	"hotline/test/phone"
)

// staffed is a hotline with so many agents, 1001 and up.
func staffed(agents int) func(*configs.Config) {
	return func(cfg *configs.Config) {
		cfg.Agents = nil
		for n := range agents {
			id := fmt.Sprint(1001 + n)
			cfg.Agents = append(cfg.Agents, configs.Agent{
				ID: id, Number: fmt.Sprint(700 + n), Name: "agent " + id, Role: configs.RoleAgent,
				Password: configs.Secret("dev-" + id), PIN: configs.Secret(id), Queues: []string{cfg.Queues[0].ID},
			})
		}
	}
}

// staff opens a desk for every agent of the first queue, all with the same way of working.
func (w *world) staff(work phone.Behaviour) (desks []*desk) {
	w.t.Helper()
	for _, account := range w.Config.Agents {
		if slices.Contains(account.Queues, w.Config.Queues[0].ID) {
			desks = append(desks, w.desk(account.ID, work))
		}
	}
	return desks
}

// work is an agent who answers, talks, holds, takes back, talks and hangs up. Where nothing works it is done all the same.
func work(rings, talks, holds, talksOn time.Duration) phone.Behaviour {
	return func(ctx context.Context, c *phone.Call) {
		phone.AnswerAfter(rings)(ctx, c)
		for _, step := range []struct {
			do    func(context.Context) error
			after time.Duration
		}{{c.Hold, talks}, {c.Unhold, holds}, {c.Hangup, talksOn}} {
			if sleep(ctx, step.after) != nil {
				return
			}
			_ = step.do(ctx) // the call may have ended in this moment
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// answer is what a caller does when a prompt asks for it.
type answer struct {
	keys  string
	after time.Duration // of the prompt's beginning
}

// customer is a caller who does what prompts ask for, however often they do.
type customer struct {
	number   string
	answers  map[string]answer // by prompt
	patience time.Duration     // since the call's start; then they hang up
	call     *phone.Call
	end      phone.End
}

// whoWantsAPerson chooses a person in the menu and rates the talk.
func whoWantsAPerson(number string, patience time.Duration) *customer {
	return &customer{number: number, patience: patience, answers: map[string]answer{"menu.main": {keys: "0"}, "rating.ask": {keys: "5"}}}
}

// visit is the customer's call, to its end.
func (w *world) visit(p *phone.Phone, m *customer) (err error) {
	if m.call, err = p.Dial(w.ctx, w.Config.Service.Number); err != nil {
		return err
	}
	patience, cancel := context.WithTimeoutCause(w.ctx, m.patience, errPatience)
	defer cancel()
	var pressing sync.WaitGroup
	defer pressing.Wait()
	for prompt, answer := range m.answers {
		pressing.Go(func() { answer.whenever(patience, m.call, prompt) })
	}
	m.end, err = m.call.WaitEnded(patience)
	if errors.Is(err, errPatience) {
		if err = m.call.Hangup(w.ctx); err == nil {
			m.end, err = m.call.WaitEnded(w.ctx)
		}
	}
	cancel()
	return err
}

var errPatience = errors.New("the caller's patience is over")

// whenever presses the keys each time the prompt begins, until the call or the patience ends.
func (a answer) whenever(ctx context.Context, c *phone.Call, prompt string) {
	for from := time.Duration(0); ; {
		heard, err := c.WaitHeard(ctx, prompt, from)
		if err != nil || sleep(ctx, a.after) != nil || c.Keys(ctx, a.keys) != nil {
			return
		}
		from = heard.At + time.Second // a prompt that is torn is no other prompt
	}
}

// wantAWord fails the test where a caller met silence of at least the limit, or a hang-up without a spoken goodbye.
func (m *customer) wantAWord(t testing.TB, limit time.Duration) {
	t.Helper()
	if m.call == nil {
		return
	}
	heard := m.call.Transcript()
	if answered := m.call.Times().Answered; !answered.IsZero() {
		if quiet := heard.Silences(m.call.Since(answered), m.end.At, limit); len(quiet) > 0 {
			t.Errorf("the caller %s heard nothing: %v\nheard: %s", m.number, quiet, heard)
		}
	}
	prompts := heard.Prompts()
	if m.end.By != phone.Us && (len(prompts) == 0 || !isGoodbye(prompts[len(prompts)-1].ID)) {
		t.Errorf("the caller %s was hung up on (%v) without a word\nheard: %s", m.number, m.end, heard)
	}
}

// isGoodbye tells whether a call may end on this prompt.
func isGoodbye(prompt string) bool {
	return strings.HasPrefix(prompt, "closing.") || prompt == "service.unavailable"
}
