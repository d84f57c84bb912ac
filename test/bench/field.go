package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"hotline/configs"
	"hotline/configs/asterisk"
	"hotline/test/redistest"
	"hotline/test/stand"
)

// field is where everybody is measured: one Asterisk, started anew for each contestant's turn.
type field struct {
	*stand.Instance
	dir   string // for what the turns leave behind
	turns int
}

// The RTP ports of the field hold 6,900 legs and lie below those of the stands.
var rtpPorts = configs.Ports{From: 6000, To: 19998}

// newField lays Asterisk's files out; no turn has begun. Close it.
func newField(ctx context.Context, dir string, agents int) (*field, error) {
	library := filepath.Join(dir, "prompts")
	if err := buildPrompts(ctx, library); err != nil {
		return nil, err
	}
	i, err := stand.Start(ctx, stand.Options{Prompts: library, StateDir: filepath.Join(dir, "state"), Configure: func(cfg *configs.Config) { arrange(cfg, agents) }})
	if err != nil {
		return nil, err
	}
	f := &field{Instance: i, dir: dir}
	if err := i.Halt(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Close stops Asterisk and gives everything back.
func (f *field) Close() error { return f.Instance.Stop() }

// arrange is the service's configuration brought down to what app_queue does: no menu's question, no position told with
// an apology, no rating, no rest after a talk; and lines without media that nobody takes for dead.
func arrange(cfg *configs.Config, agents int) {
	cfg.Asterisk.RTP = rtpPorts
	cfg.Asterisk.RTPTimeout.Duration = 10 * time.Minute
	cfg.Asterisk.RTPTimeoutAgents.Duration = 10 * time.Minute
	cfg.Asterisk.RTPTimeoutHold.Duration = time.Hour
	cfg.Rating.Enabled = false
	cfg.Recording.Enabled = false
	q := &cfg.Queues[0]
	q.PositionEvery = 0
	q.MaxWaiting, q.WrapUp.Duration, q.DeclinePause.Duration, q.MissesBeforeOut = 100_000, 0, 0, 10
	cfg.Agents = nil
	for n := range agents {
		id := agentID(n)
		cfg.Agents = append(cfg.Agents, configs.Agent{
			ID: id, Number: id, Name: "agent " + id, Role: configs.RoleAgent,
			Password: configs.Secret("dev-" + id), PIN: configs.Secret(id), Queues: []string{q.ID},
		})
	}
}

// turn is one contestant at work.
type turn struct {
	*field
	contestant
	profile  profile
	asterisk int               // its process
	service  *stand.Service    // nil: Asterisk alone
	redis    *redistest.Server // nil: it has none
	end      []func() error
}

// begin starts Asterisk and the contestant's service. through, where given, is put between the two and tells where the
// service is to find ARI.
func (f *field) begin(ctx context.Context, c contestant, p profile, phones netip.AddrPort, through func(netip.AddrPort) (netip.AddrPort, func() error, error)) (t *turn, err error) {
	f.turns++
	t = &turn{field: f, contestant: c, profile: p}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.stop())
		}
	}()
	if err := f.reset(p, phones); err != nil {
		return t, err
	}
	t.end = append(t.end, f.Halt)
	if err := f.Start(ctx); err != nil {
		return t, err
	}
	if t.asterisk, err = f.AsteriskPID(); err != nil {
		return t, err
	}
	if c.alone() {
		return t, nil
	}
	ari := f.Config.Asterisk.ARI.Bind
	if through != nil {
		at, end, err := through(ari)
		if err != nil {
			return t, err
		}
		ari, t.end = at, append(t.end, end)
	}
	if c.redis {
		if err := t.startRedis(); err != nil {
			return t, err
		}
	}
	t.service, err = stand.On(f.With(func(cfg *configs.Config) {
		cfg.Service.StateDir = filepath.Join(f.dir, fmt.Sprintf("state-%d", f.turns))
		cfg.Asterisk.ARI.Bind = ari
		cfg.Recording.Enabled = p.media
		if t.redis != nil {
			cfg.Redis.Addresses, cfg.Redis.Name = []string{t.redis.Addr}, "bench"
		}
	}))
	if err != nil {
		return t, err
	}
	t.service.Flags = nil
	t.end = append(t.end, t.service.Terminate)
	return t, t.service.Serve(ctx, stand.StartClock)
}

// startRedis starts the Redis of a turn, which writes down what it is told (AOF).
func (t *turn) startRedis() (err error) {
	dir := t.work("redis")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if t.redis, err = redistest.Launch(dir); err == nil {
		t.end = append(t.end, t.redis.Close)
	}
	return err
}

// stop ends a turn, what was started last first.
func (t *turn) stop() error {
	var all error
	for len(t.end) > 0 {
		last := len(t.end) - 1
		all = errors.Join(all, t.end[last]())
		t.end = t.end[:last]
	}
	if t.service != nil {
		all = errors.Join(all, os.RemoveAll(t.service.Config.Service.StateDir))
	}
	return all
}

// exten is what callers dial.
func (t *turn) exten() string {
	if t.alone() {
		return t.profile.exten
	}
	return t.Config.Service.Number
}

// spent is what each process has used; one that there is not has used nothing.
type spent struct{ asterisk, service, redis usage }

// since is the processor time of Asterisk, and of the service with its Redis, since a moment before.
func (s spent) since(before spent) (asterisk, service time.Duration) {
	return s.asterisk.cpu - before.asterisk.cpu, s.service.cpu + s.redis.cpu - before.service.cpu - before.redis.cpu
}

// used is what has been used until now.
func (t *turn) used() (s spent, err error) {
	if s.asterisk, err = usageOf(t.asterisk); err != nil || t.alone() {
		return s, err
	}
	if s.service, err = usageOf(t.service.PID()); err != nil || t.redis == nil {
		return s, err
	}
	s.redis, err = usageOf(t.redis.PID())
	return s, err
}

// redisMemory is how many bytes Redis has in use, by its own account: the process itself keeps what was in use once.
func (t *turn) redisMemory(ctx context.Context) (int64, error) {
	if t.redis == nil {
		return 0, nil
	}
	told, err := t.redis.Client.InfoMap(ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(told["Memory"]["used_memory"], 10, 64)
}

// visits is how often services have come to the Redis: more than before, where this one has lost it and come back.
func (t *turn) visits(ctx context.Context) (int, error) {
	if t.redis == nil {
		return 0, nil
	}
	return t.redis.Client.HGet(ctx, "{hotline}:head", "token").Int()
}

// work is a folder for one part of the turn.
func (t *turn) work(part string) string {
	return filepath.Join(t.dir, fmt.Sprintf("turn-%d", t.turns), part)
}

// logs are the last words of Asterisk and the service, and the story of the first call that has not ended.
func (t *turn) logs(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	last := func(text string) string { return text[max(0, len(text)-1500):] }
	text := "Asterisk: " + last(t.Log())
	if channels, err := t.CLI("core show channels verbose"); err == nil {
		text += "\n" + last(channels)
	}
	if t.service == nil {
		return text
	}
	text += "\nthe service: " + last(t.service.ServiceLog())
	if id := unended(t.service.ServiceLog()); id != "" {
		story, err := t.service.Run(ctx, "call", id)
		text += fmt.Sprintf("\ncall %s has not ended: %s %v", id, story, err)
	}
	return text
}

// unended is the first call that the service's log has the beginning of, and not the end.
func unended(log string) string {
	over := map[string]bool{}
	var began []string
	for line := range strings.Lines(log) {
		_, rest, _ := strings.Cut(line, "call_id=")
		id, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		switch {
		case strings.Contains(line, `msg="caller arrived"`):
			began = append(began, id)
		case strings.Contains(line, `msg="call ended"`):
			over[id] = true
		}
	}
	for _, id := range began {
		if !over[id] {
			return id
		}
	}
	return ""
}

// agents has all of them, or those named, do something: sign-in, pause, ready. Those of app_queue are there by being in
// its list.
func (t *turn) agents(ctx context.Context, verb string, ids ...string) error {
	if t.alone() {
		return nil
	}
	if len(ids) == 0 {
		for _, a := range t.Config.Agents {
			ids = append(ids, a.ID)
		}
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", t.service.Config.ControlSocket())
	}}}
	defer client.CloseIdleConnections()
	for _, id := range ids {
		order := strings.NewReader(`{"do": "` + verb + `"}`)
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://hotline/api/v1/agents/"+id+"/state", order)
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(request)
		if err != nil {
			return fmt.Errorf("agent %s, %s: %w", id, verb, err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("agent %s, %s: %s", id, verb, answer.Status)
		}
	}
	return nil
}

// metric is the sum of one of the service's metrics over all labels; 0 where there is no service.
func (t *turn) metric(ctx context.Context, name string) (float64, error) {
	if t.alone() {
		return 0, nil
	}
	_, body, err := t.service.Get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	var sum float64
	for line := range strings.Lines(body) {
		what, value, found := cutLast(strings.TrimSpace(line), " ")
		if base, _, _ := strings.Cut(what, "{"); !found || base != name {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		sum += n
	}
	return sum, nil
}

// reset renders Asterisk's files anew and clears away what the turn before has recorded.
func (f *field) reset(p profile, phones netip.AddrPort) error {
	raw := f.Config.Asterisk.Outside("raw")
	if err := os.RemoveAll(raw); err != nil {
		return err
	}
	if _, err := asterisk.Prepare(f.Config); err != nil {
		return err
	}
	return refit(f.Config, p, phones)
}
