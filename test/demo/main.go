// Command demo places one real call through its whole life, prints what
// happened, what the caller heard and the verdict on each standard, and exits
// 0 only if all of them held.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"hotline/call"
	"hotline/test/ear"
	"hotline/test/phone"
	"hotline/test/stand"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, 3*time.Minute, errors.New("the demonstration took longer than three minutes"))
	defer cancel()
	held, err := run(ctx)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(2)
	case !held:
		os.Exit(1)
	}
}

// The people in the demonstration, by the note each of them hums.
var voices = map[string]int{"caller": 250, "agent": 400}

// run sets everything up, places the call and judges it.
func run(ctx context.Context) (held bool, err error) {
	say("Asterisk, the service, an agent's phone and a caller, all on loopback")
	asterisk, err := stand.Start(ctx, stand.Options{})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, asterisk.Stop()) }()
	service, err := stand.On(asterisk)
	if err != nil {
		return false, err
	}
	if err := service.Serve(ctx, ""); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, service.Terminate()) }()

	s := &scene{Service: service}
	defer s.leave()
	if err := s.play(ctx); err != nil {
		return false, fmt.Errorf("%w\nthe caller heard: %s\n%s", err, s.heard(), service.ServiceLog())
	}
	return s.report(ctx)
}

// scene is the call as both ends of it see it.
type scene struct {
	*stand.Service
	code          *ear.Code
	phones        []*phone.Phone
	caller, agent *phone.Call
	held, resumed time.Duration // when the agent put the caller on hold and came back, by the caller's clock
}

func (s *scene) leave() {
	for _, p := range s.phones {
		p.Close()
	}
}

func (s *scene) heard() ear.Transcript {
	if s.caller == nil {
		return nil
	}
	return s.caller.Transcript()
}

func (s *scene) phone(o phone.Options) (*phone.Phone, error) {
	o.Server, o.Code, o.Voices = s.SIP().String(), s.code, voices
	p, err := phone.New(o)
	if err == nil {
		s.phones = append(s.phones, p)
	}
	return p, err
}

// play is the script of the demonstration.
func (s *scene) play(ctx context.Context) (err error) {
	if s.code, err = s.Code(); err != nil {
		return err
	}
	const agent = "1001"
	account, _ := s.Config.Agent(agent)
	desk, err := s.phone(phone.Options{
		Name: "agent " + agent, IP: "127.0.0.1", Number: agent, Password: account.Password.Reveal(),
		Voice: voices["agent"], Incoming: phone.AnswerAfter(2 * time.Second),
	})
	if err != nil {
		return err
	}
	if err := desk.Register(ctx); err != nil {
		return err
	}
	for _, verb := range []string{"sign-in", "pause"} {
		if _, err := s.Run(ctx, "agent", verb, agent); err != nil {
			return err
		}
	}
	line, err := s.phone(phone.Options{Name: "caller", IP: stand.TrunkAddress, Number: "13800138000", Voice: voices["caller"]})
	if err != nil {
		return err
	}

	say("a caller dials %s", s.Config.Service.Number)
	if s.caller, err = line.Call(ctx, s.Config.Service.Number); err != nil {
		return err
	}
	if _, err := s.caller.WaitHeard(ctx, "menu.main", 0); err != nil {
		return err
	}
	say("… hears the greeting and the menu, and asks for a person; the only agent is on a break")
	if err := s.caller.Keys(ctx, "0"); err != nil {
		return err
	}
	if _, err := s.caller.WaitHeard(ctx, "hold.apology", 0); err != nil {
		return err
	}
	say("… has heard the apology after 30 s; the agent comes back and answers")
	if _, err := s.Run(ctx, "agent", "ready", agent); err != nil {
		return err
	}
	if s.agent, err = desk.NextCall(ctx); err != nil {
		return err
	}
	if _, err := s.agent.WaitHeard(ctx, "voice.caller", 0); err != nil {
		return err
	}
	if _, err := s.caller.WaitHeard(ctx, "agent.after", 0); err != nil {
		return err
	}
	say("… talks, and is put on hold for 33 s")
	if err := s.agent.Hold(ctx); err != nil {
		return err
	}
	s.held = s.caller.Since(time.Now())
	if _, err := s.caller.WaitHeard(ctx, "hold.apology", s.held); err != nil {
		return err
	}
	if _, err := s.caller.WaitHeard(ctx, "hold.tone", s.held+30*time.Second); err != nil {
		return err
	}
	if err := s.agent.Unhold(ctx); err != nil {
		return err
	}
	s.resumed = s.caller.Since(time.Now())
	if _, err := s.caller.WaitHeard(ctx, "voice.agent", s.resumed); err != nil {
		return err
	}
	say("… talks again; the agent leaves, the caller rates the call with 5")
	if err := s.agent.Hangup(ctx); err != nil {
		return err
	}
	if _, err := s.caller.WaitHeard(ctx, "rating.ask", s.resumed); err != nil {
		return err
	}
	if err := s.caller.Keys(ctx, "5"); err != nil {
		return err
	}
	_, err = s.caller.WaitEnded(ctx)
	return err
}

// report prints the evidence and the verdicts.
func (s *scene) report(ctx context.Context) (held bool, err error) {
	summary, err := s.summary(ctx)
	if err != nil {
		return false, err
	}
	timeline, err := s.Run(ctx, "call", summary.ID)
	if err != nil {
		return false, err
	}
	fmt.Printf("\nThe journal of call %s\n", timeline)
	fmt.Printf("What the caller heard, in seconds after dialling\n%s\n\n", indent(s.heard()))
	evidence := &evidence{scene: s, summary: summary, heard: s.heard()}
	if summary.Recording != nil && summary.Recording.File != "" {
		fmt.Printf("The recording: %s (%.2f s; left what the caller said, right what the caller heard)\n\n", summary.Recording.File, summary.Recording.Seconds)
		evidence.recording, evidence.noRecording = ear.DecodeFile(summary.Recording.File, ear.DecoderOptions{Code: s.code, Voices: voices})
	}
	held = true
	fmt.Println("The verdict")
	for _, standard := range standards {
		got, ok := standard.judge(evidence)
		mark := "kept  "
		if !ok {
			mark, held = "BROKEN", false
		}
		fmt.Printf("  %s  %-8s %-58s %s\n", mark, standard.id, standard.rule, got)
	}
	return held, nil
}

// summary waits until the journal has the call's end.
func (s *scene) summary(ctx context.Context) (call.Summary, error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		calls, err := s.Calls(ctx)
		if err != nil {
			return call.Summary{}, err
		}
		if len(calls) > 0 && calls[0].Outcome.Result != "" {
			return calls[0], nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return call.Summary{}, context.Cause(ctx)
		}
	}
}

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// indent breaks a transcript into lines of a few prompts.
func indent(t ear.Transcript) string {
	var lines []string
	for len(t) > 0 {
		n := min(4, len(t))
		lines = append(lines, "  "+t[:n].String())
		t = t[n:]
	}
	return strings.Join(lines, "\n")
}
