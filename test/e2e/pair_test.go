package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/test/ear"
	"hotline/test/phone"
	"hotline/test/redistest"
	"hotline/test/stand"
)

// Two services, each with an Asterisk of its own, and one queue, on a real Redis. Agents 1001 and 1002 are at home in
// the north, 1003 and 1004 in the south.
type pair struct {
	north, south *world
	redis        *redistest.Test
}

var northern = []string{"1001", "1002"}

func newPair(t *testing.T, limit time.Duration) *pair {
	t.Helper()
	c := &pair{redis: redistest.Start(t)}
	ours, theirs := netip.MustParseAddr("127.0.0.5"), netip.MustParseAddr("127.0.0.6")
	var port uint16 // of both: each must know the other's before that one is there
	share := func(cfg *configs.Config, name, other string, at, otherAt netip.Addr) {
		cfg.Asterisk.SIP.Bind = netip.AddrPortFrom(at, port)
		cfg.Redis.Addresses, cfg.Redis.Name = []string{c.redis.Addr}, name
		cfg.Redis.Peers = map[string]netip.AddrPort{other: netip.AddrPortFrom(otherAt, port)}
		cfg.Agents = slices.DeleteFunc(cfg.Agents, func(a configs.Agent) bool {
			ours := slices.Contains(northern, a.ID) || len(a.Queues) == 0
			return ours != (name == "north")
		})
		cfg.Queues[0].WrapUp.Duration = 0
	}
	start := func(name, other string, at, otherAt netip.Addr) *world {
		w := idleWorld(t, limit, stand.Options{Configure: func(cfg *configs.Config) {
			if port == 0 {
				port = cfg.Asterisk.SIP.Bind.Port()
			}
			share(cfg, name, other, at, otherAt)
		}})
		if err := w.Serve(w.ctx, ""); err != nil { // by one clock, as the audit must see it
			t.Fatal(err)
		}
		return w
	}
	c.north, c.south = start("north", "south", ours, theirs), start("south", "north", theirs, ours)
	return c
}

// wants is a caller at one of the services who wants an agent.
func (w *world) wants(number string) *phone.Call {
	w.t.Helper()
	c, _ := menuCaller(w, number)
	w.keys(c, "0")
	return c
}

// waits is a caller at one of the services who stands in line.
func (w *world) waits(number string) *phone.Call {
	w.t.Helper()
	c := w.wants(number)
	w.hears(c, "queue.joined", 0)
	return c
}

// audits reads the journal as an auditor does.
func (w *world) audits() {
	w.t.Helper()
	if out, err := w.Run(w.ctx, "audit"); err != nil {
		w.t.Errorf("%v\n%s", err, out)
	}
}

// hasInLine says whether a call, which may be another service's, is in line as this service sees it.
func (w *world) hasInLine(callID string) bool {
	w.t.Helper()
	return strings.Contains(w.must("queue", "waiting", "service"), callID)
}

// becomes waits until this service says that an agent, who may be another's, is in a state.
func (w *world) becomes(id, want string) {
	w.t.Helper()
	w.await("agent "+id+" is "+want, func() bool {
		lines := strings.Split(strings.TrimSpace(w.must("agent", "list", id)), "\n")
		return strings.Fields(lines[len(lines)-1])[2] == want
	})
}

// talk waits until two phones hear each other.
func (c *pair) talk(caller, agent *phone.Call) {
	c.north.t.Helper()
	c.north.hears(agent, "voice.caller", 0)
	c.north.hears(caller, "voice.agent", caller.Since(agent.Start()))
}

// A caller of the north is served by an agent of the south as if they were at one Asterisk: the phone shows the caller,
// the agent's number is said, hold has the tone, the agent's hang-up leads to the rating, a phone that says no gives the
// caller to the next, and a phone that is not there is taken out. Who came first is first, wherever.
func TestTwoServicesServeEachOthersCallers(t *testing.T) {
	t.Parallel()
	c := newPair(t, 3*time.Minute)
	north, south := c.north.calm(), c.south.calm()
	desk := south.agent("1003", phone.RingForEver())

	first := north.waits("13900000001")
	ringing := south.incoming(desk)
	if got := ringing.RemoteNumber(); got != mask("13900000001") {
		t.Errorf("the agent's phone shows %q", got)
	}
	second := south.waits("13900000002")
	third := north.waits("13900000003")
	answered := time.Now()
	if err := ringing.Answer(south.ctx); err != nil {
		t.Fatal(err)
	}
	c.talk(first, ringing)
	t.Logf("a caller and an agent of another service hear each other %v after the answer", first.Transcript().Of("voice.agent")[0].At-first.Since(answered))
	north.hears(first, "agent.after", 0)
	for _, w := range []*world{north, south} {
		w.becomes("1003", "talking")
	}

	held := first.Since(time.Now())
	if err := ringing.Hold(south.ctx); err != nil {
		t.Fatal(err)
	}
	north.hears(first, ear.HoldTone, held)
	north.becomes("1003", "hold")
	back := first.Since(time.Now())
	if err := ringing.Unhold(south.ctx); err != nil {
		t.Fatal(err)
	}
	north.hears(first, "voice.agent", back)
	desk.SetIncoming(phone.AnswerAfter(0))
	gone := first.Since(time.Now())
	hangUp(south, ringing)
	north.hears(first, "rating.ask", gone)
	hangUp(north, first)
	if s := north.summary(mask("13900000001")); s.Outcome != (call.Outcome{Result: call.Served, Reason: "talked"}) || s.HungUp != agentPressed {
		t.Errorf("the call ended as %+v, hung up by %s", s.Outcome, s.HungUp)
	}

	// Who came second waits at the agent's own service, and comes before the third, who does not.
	next := south.incoming(desk)
	c.talk(second, next)
	desk.SetIncoming(phone.DeclineAfter(0, 486))
	hangUp(south, second)
	south.incoming(desk)
	north.becomes("1003", "paused")
	other := north.agent("1001", phone.AnswerAfter(0))
	c.talk(third, north.incoming(other))
	hangUp(north, third)

	// A phone that is not there.
	south.must("agent", "sign-in", "1004")
	north.must("agent", "sign-out", "1001")
	fourth := north.waits("13900000004")
	north.becomes("1004", "unreachable")
	home := south.desk("1004", phone.AnswerAfter(0))
	c.talk(fourth, south.incoming(home))
	hangUp(north, fourth)
	for _, w := range []*world{north, south} {
		w.becomes("1004", "ready")
		w.audits()
	}
}

// alone waits until a service says whether it is alone with its queue.
func (w *world) alone(want bool) {
	w.t.Helper()
	w.await(fmt.Sprintf("the service is alone with its queue: %v", want), func() bool {
		_, text, err := w.Get(w.ctx, "/readyz")
		return err == nil && strings.Contains(text, "the queue is this service's alone") == want
	})
}

// longAway is for how long Redis is away at least, where somebody wants that to be long: REDIS_AWAY=300s.
func longAway(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("REDIS_AWAY")
	if text == "" {
		return 0
	}
	away, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return away
}

// Redis crashes for a while: talks go on, also those between two services, callers who wait hear their tone with its
// apology on time, each service gives its callers to its agents, and then everybody stands in one line again.
func TestRedisCrashes(t *testing.T) {
	t.Parallel()
	away := longAway(t)
	c := newPair(t, 4*time.Minute+away)
	north, south := c.north, c.south
	desk := south.agent("1003", phone.AnswerAfter(0))
	talking := north.wants("13900000001")
	theirs := south.incoming(desk)
	c.talk(talking, theirs)
	local := north.waits("13900000002")
	joined := local.Transcript().Of("queue.joined")[0]
	first := south.waits("13900000003")

	c.redis.Kill()
	down := time.Now()
	north.alone(true)
	south.alone(true)
	second := north.waits("13900000004")
	north.hears(local, "hold.apology", joined.At)
	heard := north.hears(second, "hold.apology", 0)
	came := time.Now()
	other := north.agent("1001", phone.AnswerAfter(0)) // and nothing that is asked waits for Redis
	ringing := north.incoming(other)
	t.Logf("an agent who signs in has a caller after %v", time.Since(came))
	c.talk(local, ringing)
	for last := heard.At; time.Since(down) < away; {
		last = north.hears(second, "hold.apology", last+time.Second).At
	}

	c.redis.Start()
	up := time.Now()
	north.alone(false)
	south.alone(false)
	t.Logf("away for %v; in one line again %v after its start", up.Sub(down), time.Since(up))
	for _, w := range []*world{north, south} {
		w.becomes("1001", "talking")
		w.becomes("1003", "talking")
	}
	for _, call := range []*phone.Call{talking, theirs} {
		if gaps := call.Gaps(100 * time.Millisecond); len(gaps) > 0 {
			t.Errorf("the talk between two services has gaps: %v", gaps)
		}
	}
	// Whoever is free first gets who has waited longest, wherever that is.
	desk.SetIncoming(phone.RingForEver())
	other.SetIncoming(phone.AnswerAfter(0))
	hangUp(north, local)
	c.talk(first, north.incoming(other))
	desk.SetIncoming(phone.AnswerAfter(0))
	hangUp(north, talking)
	c.talk(second, south.incoming(desk))
	hangUp(south, first)
	hangUp(north, second)
	for _, w := range []*world{north, south} {
		w.becomes("1001", "ready")
		w.becomes("1003", "ready")
		w.audits()
	}
}

// A service and its Asterisk die: its callers lose their places to nobody's harm, whoever talked with its agent hears an
// apology and comes first at the other service, whose own callers and agents notice nothing. Then it is there again.
func TestAPairDies(t *testing.T) {
	t.Parallel()
	c := newPair(t, 3*time.Minute)
	north, south := c.north, c.south
	desk := south.agent("1003", phone.AnswerAfter(0))
	away := north.wants("13900000001")
	c.talk(away, south.incoming(desk))
	other := north.agent("1001", phone.AnswerAfter(0))
	own := north.wants("13900000002")
	c.talk(own, north.incoming(other))
	south.waits("13900000003") // whom the silence of a dead Asterisk is left with
	inLine := south.arrived(mask("13900000003"))
	waiting := north.waits("13900000004")
	listed := func() bool { return north.hasInLine(inLine) }
	if !listed() {
		t.Error("the caller of the other service is not in line here")
	}

	died := time.Now()
	if err := south.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := south.killAsterisk(); err != nil {
		t.Fatal(err)
	}
	lost := north.hears(away, "talk.line_lost", 0)
	t.Logf("who talked with its agent is told %v after it died", lost.At-away.Since(died))
	north.hears(away, ear.HoldTone, lost.At)
	north.await("nobody of the dead service is in line", func() bool { return !listed() })
	if shown := north.must("agent", "list", "1003"); !strings.Contains(shown, "nothing is heard of south") {
		t.Errorf("the agent of the dead service is shown as:\n%s", shown)
	}
	hangUp(north, own)
	c.talk(away, north.incoming(other)) // before who waits
	hangUp(north, away)
	c.talk(waiting, north.incoming(other))
	hangUp(north, waiting)
	north.audits()

	if err := south.Instance.Start(south.ctx); err != nil {
		t.Fatal(err)
	}
	if err := south.Serve(south.ctx, ""); err != nil {
		t.Fatal(err)
	}
	north.must("agent", "sign-out", "1001")
	if err := desk.Register(south.ctx); err != nil {
		t.Fatal(err)
	}
	again := north.wants("13900000005")
	c.talk(again, south.incoming(desk))
	hangUp(north, again)
	south.audits()
}

// A service that stands still is no more for the others, and its callers go on hearing their tone. When it goes on it
// acts on nothing that it knew: it comes back as if it had been away, and its callers to the places they had.
func TestAServiceThatStoodStillComesBack(t *testing.T) {
	t.Parallel()
	c := newPair(t, 3*time.Minute)
	north, south := c.north, c.south
	desk := north.agent("1001", phone.AnswerAfter(0))
	talking := north.wants("13900000001")
	theirs := north.incoming(desk)
	c.talk(talking, theirs)
	first := south.waits("13900000002")
	inLine := south.arrived(mask("13900000002"))
	second := north.waits("13900000003")
	listed := func() bool { return north.hasInLine(inLine) }

	if err := south.Freeze(); err != nil {
		t.Fatal(err)
	}
	frozen := time.Now()
	north.await("the service that stands still has nobody in line", func() bool { return !listed() })
	t.Logf("its callers are out of the line after %v", time.Since(frozen))
	if err := south.Thaw(); err != nil {
		t.Fatal(err)
	}
	thawed := time.Now()
	north.await("its callers are back in line", listed)
	t.Logf("and back %v after it went on", time.Since(thawed))
	hangUp(north, talking)
	next := north.incoming(desk)
	c.talk(first, next)
	if len(first.Transcript().Silences(first.Since(frozen), first.Since(next.Start()), 300*time.Millisecond)) > 0 {
		t.Errorf("the caller of the service that stood still heard silence: %s", first.Transcript())
	}
	hangUp(south, first)
	c.talk(second, north.incoming(desk))
	hangUp(north, second)
	for _, w := range []*world{north, south} {
		w.becomes("1001", "ready")
		w.audits()
	}
}
