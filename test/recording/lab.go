package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"hotline/ari"
	"hotline/test/ear"
	"hotline/test/phone"
	"hotline/test/stand"
)

var voices = map[string]int{"caller": 300, "agent": 450}

// lab is one Asterisk with an agent's phone and whatever callers' phones are needed.
type lab struct {
	asterisk *stand.Instance
	link     *ari.Link
	code     *ear.Code
	agent    *phone.Phone
	calls    int
	verbose  bool
	closed   func()
}

// open connects to Asterisk and registers the agent's phone.
func open(ctx context.Context, asterisk *stand.Instance) (_ *lab, err error) {
	l := &lab{asterisk: asterisk}
	if l.code, err = asterisk.Code(); err != nil {
		return nil, err
	}
	if err := l.hurry(); err != nil {
		return nil, err
	}
	account := asterisk.Config.Asterisk.ARI
	l.link, err = ari.New(ari.Options{
		URL: asterisk.ARI(), App: account.App, Username: account.User, Password: account.Password.Reveal(),
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = l.link.Run(ctx) // ends with ctx; a link that fails shows in every request
	}()
	l.closed = func() { cancel(); <-ended }
	agent := asterisk.Config.Agents[0]
	l.agent, err = phone.New(phone.Options{
		Name: "agent", IP: "127.0.0.1", Server: asterisk.SIP().String(), Number: agent.ID, Password: agent.Password.Reveal(),
		Voice: voices["agent"], Code: l.code, Voices: voices, Incoming: phone.AnswerAfter(0),
	})
	if err != nil {
		l.closed()
		return nil, err
	}
	if err := l.agent.Register(ctx); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// hurry gives Asterisk real-time priority, as a telephone exchange has it: where
// its threads wait a tenth of a second for a processor, MixMonitor drops audio,
// and that would be the machine's figure and not the candidate's.
func (l *lab) hurry() error {
	pid, err := l.pid()
	if err != nil {
		return err
	}
	if out, err := exec.Command("chrt", "--all-tasks", "--rr", "--pid", "10", pid).CombinedOutput(); err != nil {
		return fmt.Errorf("give Asterisk real-time priority: %w: %s", err, out)
	}
	return nil
}

func (l *lab) pid() (string, error) {
	pid, err := os.ReadFile(filepath.Join(l.asterisk.Dir, "run", "pid"))
	return strings.TrimSpace(string(pid)), err
}

func (l *lab) close() {
	l.agent.Close()
	l.closed()
}

func (l *lab) ears(rate int) ear.DecoderOptions {
	return ear.DecoderOptions{Code: l.code, Voices: voices, Rate: rate}
}

func (l *lab) newCaller(dtx bool) (*phone.Phone, error) {
	return phone.New(phone.Options{
		Name: "caller", IP: stand.TrunkAddress, Server: l.asterisk.SIP().String(), Number: "13800138000",
		Voice: voices["caller"], DTX: dtx, Code: l.code, Voices: voices,
	})
}

// post sends an ARI request that package ari has no verb for.
func (l *lab) post(ctx context.Context, route string, q url.Values) error {
	return l.request(ctx, http.MethodPost, route, q)
}

func (l *lab) request(ctx context.Context, method, route string, q url.Values) error {
	req, err := http.NewRequestWithContext(ctx, method, l.asterisk.ARI()+route+"?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	a := l.asterisk.Config.Asterisk.ARI
	req.SetBasicAuth(a.User, a.Password.Reveal())
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(res.Body); err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, route, res.Status, body.String())
	}
	return nil
}

// take answers the next call and gives its caller's leg.
func (l *lab) take(ctx context.Context, id string) (*ari.Session, *ari.Leg, error) {
	for {
		select {
		case a, ok := <-l.link.Arrivals():
			if !ok {
				return nil, nil, errors.New("the link to Asterisk ended")
			}
			if !strings.HasPrefix(a.Name, "PJSIP/") { // a snoop
				continue
			}
			s := l.link.Session(id)
			leg := s.Adopt(a)
			return s, leg, leg.Answer(ctx)
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
}

// connect rings the agent and returns once the phone has answered.
func (l *lab) connect(ctx context.Context, s *ari.Session, caller *ari.Leg) (*ari.Leg, error) {
	leg, err := s.Create(ctx, ari.Dial{Role: "agent", Endpoint: "PJSIP/" + l.asterisk.Config.Agents[0].ID, Originator: caller})
	if err != nil {
		return nil, err
	}
	if err := leg.Dial(ctx, 15*time.Second); err != nil {
		return nil, err
	}
	return leg, await(ctx, s, ari.Answered)
}

func await(ctx context.Context, s *ari.Session, kind ari.EventKind) error {
	for {
		e, err := s.Next(ctx)
		if err != nil {
			return fmt.Errorf("waiting for %s: %w", kind, err)
		}
		if e.Kind == kind {
			return nil
		}
	}
}

// trial is one recorded call under way.
type trial struct {
	*lab
	candidate candidate
	session   *ari.Session
	leg       *ari.Leg // the caller's
	call      *phone.Call
	began     time.Duration // of the recording, since the caller's INVITE
	said      ear.Transcript
}

// try records one call and judges the file. A call during which the machine was
// held up says nothing about the candidate and is repeated, twice at most.
func (l *lab) try(ctx context.Context, c candidate, dtx bool) (v verdict, err error) {
	for range 3 {
		if v, err = l.tryOnce(ctx, c, dtx); err != nil || len(v.stalls) == 0 {
			break
		}
	}
	return v, err
}

func (l *lab) tryOnce(ctx context.Context, c candidate, dtx bool) (verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	l.calls++
	id := fmt.Sprintf("trial-%d", l.calls)
	caller, err := l.newCaller(dtx)
	if err != nil {
		return verdict{}, err
	}
	defer caller.Close()
	call, err := caller.Dial(ctx, "96196")
	if err != nil {
		return verdict{}, err
	}
	call.Quiet()
	session, leg, err := l.take(ctx, id)
	if err != nil {
		return verdict{}, err
	}
	defer session.Close()
	t := &trial{lab: l, candidate: c, session: session, leg: leg, call: call}
	if err := call.WaitAnswered(ctx); err != nil {
		return verdict{}, err
	}
	if err := t.play(ctx, 0, "notice.recording"); err != nil {
		return verdict{}, err
	}
	if err := c.start(ctx, l, id, leg); err != nil {
		return verdict{}, err
	}
	t.began = call.Since(time.Now())
	if err := t.act(ctx); err != nil {
		return verdict{}, err
	}
	lasted := call.Since(time.Now()) - t.began
	if err := leg.Hangup(ctx, 16, "the end"); err != nil {
		return verdict{}, err
	}
	if _, err := call.WaitEnded(ctx); err != nil {
		return verdict{}, err
	}
	if err := pause(ctx, time.Second); err != nil { // the files are closed a moment after the channel
		return verdict{}, err
	}
	recorded, err := c.decode(l, id)
	if err != nil {
		return verdict{}, err
	}
	return t.judge(recorded, lasted), nil
}

// act is the call: menu, silence, talk, hold, talk, prompts.
func (t *trial) act(ctx context.Context) error {
	steps := []func(context.Context) error{
		func(ctx context.Context) error { return t.play(ctx, 1500*time.Millisecond, "menu.main") },
		func(ctx context.Context) error { return t.play(ctx, 700*time.Millisecond, "menu.wrong", "menu.main") },
		t.talk,
		func(ctx context.Context) error { return t.play(ctx, 1500*time.Millisecond, "rating.ask") },
		func(ctx context.Context) error { return t.play(ctx, 0, "rating.thanks", "closing.day") },
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (t *trial) talk(ctx context.Context) error {
	bridge, err := t.session.Bridge(ctx, t.candidate.bridge)
	if err != nil {
		return err
	}
	// The hold tone sounds until the agent answers.
	waiting, err := t.leg.Play(ctx, t.media("hold.tone.10"), ari.PlayOptions{})
	if err != nil {
		return err
	}
	agent, err := t.connect(ctx, t.session, t.leg)
	if err != nil {
		return err
	}
	if err := pause(ctx, 500*time.Millisecond); err != nil {
		return err
	}
	if err := errors.Join(t.stop(ctx, waiting), bridge.Add(ctx, t.leg, agent)); err != nil {
		return err
	}
	if _, err := bridge.Play(ctx, t.media("agent.before", "digit.7", "digit.8", "digit.9", "agent.after")); err != nil {
		return err
	}
	their, err := t.agent.NextCall(ctx)
	if err != nil {
		return err
	}
	if err := t.speak(ctx, 3*time.Second); err != nil {
		return err
	}
	if err := t.hold(ctx, bridge, their); err != nil {
		return err
	}
	if err := t.speak(ctx, 2*time.Second); err != nil {
		return err
	}
	if err := their.Hangup(ctx); err != nil {
		return err
	}
	return errors.Join(await(ctx, t.session, ari.Gone), bridge.Remove(ctx, t.leg), bridge.Destroy(ctx))
}

// hold is an agent's hold: the caller leaves the bridge and hears the hold list
// until the agent is back.
func (t *trial) hold(ctx context.Context, bridge *ari.Bridge, agent *phone.Call) error {
	if err := errors.Join(agent.Hold(ctx), await(ctx, t.session, ari.Held), bridge.Remove(ctx, t.leg)); err != nil {
		return err
	}
	p, err := t.leg.Play(ctx, t.media("hold.tone.2", "hold.apology", "pause.200", "hold.tone.20"), ari.PlayOptions{})
	if err != nil {
		return err
	}
	if err := t.speak(ctx, time.Second); err != nil { // an impatient caller
		return err
	}
	if err := pause(ctx, 3*time.Second); err != nil {
		return err
	}
	return errors.Join(agent.Unhold(ctx), await(ctx, t.session, ari.Resumed), t.stop(ctx, p), bridge.Add(ctx, t.leg))
}

// speak lets the caller talk for d, with a second of listening after it.
func (t *trial) speak(ctx context.Context, d time.Duration) error {
	from := t.call.Since(time.Now())
	t.call.Speak()
	if err := pause(ctx, d); err != nil {
		return err
	}
	t.call.Quiet()
	t.said = append(t.said, ear.Heard{At: from, End: t.call.Since(time.Now()), ID: "voice.caller"})
	return pause(ctx, time.Second)
}

// play plays prompts on the caller's channel and then waits as for a key.
func (t *trial) play(ctx context.Context, wait time.Duration, ids ...string) error {
	var lasts time.Duration
	for _, id := range ids {
		lasts += ear.Length(id, 0)
	}
	if t.candidate.quiet == list && wait > 0 {
		ids = append(ids, "silence.10")
	}
	p, err := t.leg.Play(ctx, t.media(ids...), ari.PlayOptions{})
	if err != nil {
		return err
	}
	if t.candidate.quiet == list && wait > 0 {
		return errors.Join(pause(ctx, lasts+wait), t.stop(ctx, p))
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if t.candidate.quiet == generator {
		if err := t.post(ctx, "/channels/"+t.leg.ID()+"/silence", nil); err != nil {
			return err
		}
	}
	return pause(ctx, wait)
}

func (t *trial) stop(ctx context.Context, p *ari.Playback) error {
	return errors.Join(p.Stop(ctx), pause(ctx, t.candidate.rest))
}

func (t *trial) media(ids ...string) []string {
	media := make([]string, len(ids))
	for i, id := range ids {
		media[i] = "sound:" + path.Join(t.asterisk.Config.PromptsInside(), id)
	}
	return media
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// load holds pairs in recorded talk and gives Asterisk's CPU in per cent of a core.
func (l *lab) load(ctx context.Context, c candidate, pairs int, d time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var mu sync.Mutex
	var ends []func()
	defer func() {
		for _, end := range ends {
			end()
		}
		_ = pause(ctx, time.Second)
	}()
	for range pairs {
		l.calls++
		id := fmt.Sprintf("load-%d", l.calls)
		caller, err := l.newCaller(false)
		if err != nil {
			return "", err
		}
		mu.Lock()
		ends = append(ends, caller.Close)
		mu.Unlock()
		if _, err := caller.Dial(ctx, "96196"); err != nil {
			return "", err
		}
		session, leg, err := l.take(ctx, id)
		if err != nil {
			return "", err
		}
		if err := c.start(ctx, l, id, leg); err != nil {
			return "", err
		}
		bridge, err := session.Bridge(ctx, c.bridge)
		if err != nil {
			return "", err
		}
		agent, err := l.connect(ctx, session, leg)
		if err != nil {
			return "", err
		}
		if err := bridge.Add(ctx, leg, agent); err != nil {
			return "", err
		}
		their, err := l.agent.NextCall(ctx)
		if err != nil {
			return "", err
		}
		ends = append(ends, func() {
			_ = their.Hangup(ctx)
			_ = bridge.Destroy(ctx)
			session.Close()
		})
	}
	before, err := l.cpu()
	if err != nil {
		return "", err
	}
	began := time.Now()
	if err := pause(ctx, d); err != nil {
		return "", err
	}
	after, err := l.cpu()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%.1f", 100*(after-before).Seconds()/time.Since(began).Seconds()), nil
}

// cpu is the processor time of Asterisk's threads, by the scheduler's own count:
// the sampled one of /proc/PID/stat misses threads that run by the same clock.
func (l *lab) cpu() (time.Duration, error) {
	pid, err := l.pid()
	if err != nil {
		return 0, err
	}
	threads, err := filepath.Glob("/proc/" + pid + "/task/*/schedstat")
	if err != nil {
		return 0, err
	}
	var total time.Duration
	for _, name := range threads {
		stat, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) { // it has ended since
			continue
		}
		if err != nil {
			return 0, err
		}
		ran, _, _ := strings.Cut(string(stat), " ")
		ns, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		total += time.Duration(ns)
	}
	return total, nil
}
