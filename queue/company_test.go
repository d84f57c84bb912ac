package queue

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// company is three services with one line of callers, each of which loses the
// others and finds them again at random.
type company struct {
	dice   *rand.Rand
	other  *rand.Rand // nil: neither ways nor hours change
	wrong  error
	now    time.Time
	common *Machine
	all    []*colleague
	story  []string
}

// colleague is a service: what its calls have been told, and its own machine
// while it is alone.
type colleague struct {
	name    string
	own     *Machine
	since   time.Time                  // alone
	gone    bool                       // the others have been told
	tickets map[string]map[string]bool // call → offers
	calls   int
}

// changing is the seed from which on ways and hours change, too.
const changing = 10_000

func newCompany(t *testing.T, seed uint64) *company {
	c := &company{dice: rand.New(rand.NewPCG(seed, 7)), now: time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)}
	if seed >= changing {
		c.other = rand.New(rand.NewPCG(seed, 8))
	}
	var queues []Rules
	for id, strategy := range map[string]Strategy{"a": LongestIdle, "b": RingAll, "c": RoundRobin} {
		r := Rules{ID: id, Strategy: strategy, WrapUp: 10 * time.Second, MaxWaiting: 50, Unattended: 20 * time.Second}
		if id == "a" {
			r.Sticky, r.PreferFor = time.Minute, 5*time.Second
		}
		if id == "c" && seed >= changing {
			r.OverflowTo, r.OverflowAfter = "a", 10*time.Second
		}
		queues = append(queues, r)
	}
	slices.SortFunc(queues, func(a, b Rules) int { return strings.Compare(a.ID, b.ID) })
	homes, served := []string{"north", "south", "west"}, [][]string{{"a", "b"}, {"b", "c"}, {"a", "b", "c"}}
	var agents []Profile
	for i := range 6 {
		agents = append(agents, Profile{ID: fmt.Sprint(1001 + i), Home: homes[i%3], Queues: served[c.dice.IntN(3)]})
	}
	var err error
	if c.common, err = NewMachine(queues, agents, false, c.now); err != nil {
		t.Fatal(err)
	}
	for _, name := range homes {
		c.all = append(c.all, &colleague{name: name, tickets: map[string]map[string]bool{}})
	}
	return c
}

// machine is the one that decides for a service.
func (c *company) machine(s *colleague) *Machine {
	if s.own != nil {
		return s.own
	}
	return c.common
}

// happens has a machine carry out a command, and tells the services that have it.
func (c *company) happens(m *Machine, command Command) error {
	command.At = c.now
	if command.Do == VerbWays || command.Do == VerbClose {
		_ = c.happens(m, Command{Do: VerbTick}) // what falls due before goes by what was so before
	}
	fx, err := m.Apply(command)
	for _, o := range fx.Offers {
		owner, home := m.ownerOf(o.Call), m.agents[o.Agent].profile.Home
		if open, limited := m.ways[owner]; limited && home != owner && !slices.Contains(open, home) {
			c.wrong = fmt.Errorf("call %s is offered to agent %s at %s, to whom %s has no way", o.Call, o.Agent, home, owner)
		}
	}
	for _, change := range fx.Changes {
		if change.Kind == KindMoved && m.shut[m.ownerOf(change.Call)][change.Into] {
			c.wrong = fmt.Errorf("call %s overflows into queue %s, which is closed", change.Call, change.Into)
		}
	}
	for _, s := range c.all {
		if c.machine(s) == m {
			s.hear(&fx)
		}
	}
	return err
}

// hear is what an engine does with its tickets.
func (s *colleague) hear(fx *Effects) {
	for _, o := range fx.Offers {
		if offers := s.tickets[o.Call]; offers != nil {
			offers[o.ID] = true
		}
	}
	for _, o := range fx.Over {
		delete(s.tickets[o.Call], o.ID)
	}
	for _, w := range fx.Waits {
		delete(s.tickets, w.Call)
	}
}

// asks is a command of a service.
func (c *company) asks(s *colleague, command Command) error {
	command.Owner = s.name
	c.story = append(c.story, fmt.Sprintf("%s (alone: %v) %s %s%s%s", s.name, s.own != nil, command.Do, command.Agent, command.Offer, command.Call))
	return c.happens(c.machine(s), command)
}

func oneOf[T any](dice *rand.Rand, list ...T) T { return list[dice.IntN(len(list))] }

// step has one thing happen at one service.
func (c *company) step() error {
	s := oneOf(c.dice, c.all...)
	if err := c.change(s); err != nil {
		return err
	}
	a := oneOf(c.dice, c.machine(s).byListing()...)
	c.now = c.now.Add(time.Duration(c.dice.IntN(3000)) * time.Millisecond)
	switch n := c.dice.IntN(30); {
	case n < 6:
		c.join(s)
	case n < 12:
		if a.profile.Home == s.name {
			do := oneOf(c.dice, VerbSignIn, VerbSignIn, VerbReady, VerbSignOut, VerbPause, VerbReachable, VerbUnreachable)
			_ = c.asks(s, Command{Do: do, Agent: a.profile.ID}) // which the agent's state may not allow
		}
	case n < 20:
		return c.report(s)
	case n < 24:
		if a.state.InTalk() && a.owner == s.name {
			_ = c.asks(s, Command{Do: oneOf(c.dice, VerbHold, VerbResume, VerbEnd, VerbEnd), Agent: a.profile.ID, Call: a.call})
		}
	case n < 25:
		for _, call := range slices.Sorted(maps.Keys(s.tickets)) {
			return c.asks(s, Command{Do: VerbLeave, Call: call, Reason: "hang-up"})
		}
	case n < 27 && s.own == nil:
		return c.lose(s)
	case n < 27:
		return c.comeBack(s)
	case n < 28:
		return c.miss(s)
	default:
		c.now = c.now.Add(time.Duration(c.dice.IntN(20)) * time.Second)
		return c.asks(s, Command{Do: VerbTick})
	}
	return nil
}

// change has a service's ways to the others, or the hours of its queues, change.
func (c *company) change(s *colleague) error {
	if c.other == nil {
		return nil
	}
	switch n := c.other.IntN(30); {
	case n == 0:
		homes := slices.DeleteFunc([]string{"north", "south", "west"}, func(string) bool { return c.other.IntN(3) == 0 })
		return c.asks(s, Command{Do: VerbWays, Homes: homes})
	case n == 1:
		return c.asks(s, Command{Do: VerbClose, Queue: oneOf(c.other, "a", "b", "c"), Reason: LapseClosing})
	case n < 4:
		return c.asks(s, Command{Do: VerbReopen, Queue: oneOf(c.other, "a", "b", "c")})
	}
	return nil
}

func (c *company) join(s *colleague) {
	s.calls++
	who := fmt.Sprint(c.dice.IntN(5))
	caller := Caller{ID: fmt.Sprintf("%s-%d", s.name, s.calls), Queue: oneOf(c.dice, "a", "b", "c"), Priority: c.dice.IntN(3), Arrived: c.now, Owner: s.name}
	s.tickets[caller.ID] = map[string]bool{}
	if err := c.asks(s, Command{Do: VerbJoin, Caller: &caller, Who: who}); err != nil && !errors.Is(err, ErrDuplicate) {
		delete(s.tickets, caller.ID)
	}
}

func (c *company) report(s *colleague) error {
	for _, call := range slices.Sorted(maps.Keys(s.tickets)) {
		for _, offer := range slices.Sorted(maps.Keys(s.tickets[call])) {
			do, why := oneOf(c.dice, VerbRinging, VerbConnected, VerbConnected, VerbFailed), oneOf(c.dice, NoAnswer, Declined, Unreachable, Cancelled)
			_ = c.asks(s, Command{Do: do, Call: call, Offer: offer, Reason: string(why)}) // which may ring already
			return nil
		}
	}
	return nil
}

// lose leaves a service alone.
func (c *company) lose(s *colleague) error {
	data, err := c.common.Snapshot()
	if err != nil {
		return err
	}
	if s.own, err = LoadMachine(data); err != nil {
		return err
	}
	s.own.held, s.gone, s.since = true, false, c.now
	return errors.Join(c.asks(s, Command{Do: VerbAlone}), c.asks(s, Command{Do: VerbOpen}))
}

// miss has the others notice that a service is gone.
func (c *company) miss(s *colleague) error {
	if s.own == nil || s.gone {
		return nil
	}
	s.gone = true
	c.story = append(c.story, s.name+" is gone")
	return c.happens(c.common, Command{Do: VerbGone, Owner: s.name, Reason: "gone"})
}

// comeBack brings a service to the others, as Follower does, of whom those are
// gone by then whose leases are over.
func (c *company) comeBack(s *colleague) error {
	if err := c.asks(s, Command{Do: VerbTick}); err != nil {
		return err
	}
	for _, other := range c.all {
		if c.now.Sub(other.since) > 3*time.Second {
			if err := c.miss(other); err != nil {
				return err
			}
		}
	}
	if err := c.happens(c.common, Command{Do: VerbTick}); err != nil {
		return err
	}
	part := s.own.Part(s.name)
	s.own = nil
	return c.asks(s, Command{Do: VerbReturn, Part: part})
}

// sound checks a machine against itself.
func (m *Machine) sound(common bool) error {
	for _, a := range m.byListing() {
		id, offered := a.profile.ID, a.state == StateReserved || a.state == StateRinging
		switch {
		case offered != (a.offer != nil):
			return fmt.Errorf("agent %s is %s, offered to somebody: %v", id, a.state, a.offer != nil)
		case offered && (m.waiting[a.offer.place.caller.ID] != a.offer.place || !slices.Contains(a.offer.place.offers, a.offer)):
			return fmt.Errorf("agent %s is offered to somebody who does not wait", id)
		case common && a.state.InTalk() && m.parties[a.call].seat(a.third) != a:
			return fmt.Errorf("agent %s talks with call %s, which is with somebody else", id, a.call)
		case a.presence() != a.counted:
			return fmt.Errorf("agent %s, %s, counts as %+v, is %+v", id, a.state, a.counted, a.presence())
		}
		for _, mine := range a.members {
			if stands := slices.Contains(slices.Collect(mine.crew.ready.all()), mine); stands != a.free() {
				return fmt.Errorf("agent %s is %s, unheard of: %v, and stands among the ready: %v", id, a.state, a.beyond, stands)
			}
		}
	}
	for call, t := range m.parties {
		a := t.own
		if a == nil {
			continue
		}
		if !a.state.InTalk() || a.call != call || m.waiting[call] != nil {
			return fmt.Errorf("call %s is said to be with agent %s, who is %s with %s; it waits: %v", call, a.profile.ID, a.state, a.call, m.waiting[call] != nil)
		}
	}
	for call, p := range m.waiting {
		switch {
		case p.done || m.queues[p.queue.rules.ID] != p.queue || !slices.Contains(slices.Collect(p.queue.all.all()), p):
			return fmt.Errorf("call %s waits and is not in line", call)
		case !m.held && len(p.offers) == 0 && p.prefers == nil && p.queue.taker(p.class) != nil:
			return fmt.Errorf("call %s waits though agent %s is ready", call, p.queue.taker(p.class).agent.profile.ID)
		}
	}
	for id, q := range m.queues {
		offered := 0
		for p := range q.all.all() {
			offered += count(len(p.offers) > 0)
		}
		if offered != q.offered {
			return fmt.Errorf("queue %s counts %d callers with a phone ringing, has %d", id, q.offered, offered)
		}
		for _, b := range q.backings {
			was := *b
			if b.countAll(); was.signedIn != b.signedIn || was.attending != b.attending {
				return fmt.Errorf("queue %s counts %d agents, %d attending, has %d, %d", id, was.signedIn, was.attending, b.signedIn, b.attending)
			}
		}
	}
	return nil
}

// told checks that a service's calls know what its machine does, and nothing else.
func (s *colleague) told(m *Machine) error {
	for call, offers := range s.tickets {
		p := m.waiting[call]
		if p == nil {
			return fmt.Errorf("the ticket of call %s has no place", call)
		}
		knows := len(p.offers) == len(offers)
		for _, r := range p.offers {
			knows = knows && offers[r.id]
		}
		if !knows {
			return fmt.Errorf("the ticket of call %s has the offers %v, the place %d", call, offers, len(p.offers))
		}
	}
	for call, p := range m.waiting {
		if p.caller.Owner == s.name && s.tickets[call] == nil {
			return fmt.Errorf("call %s has a place and no ticket", call)
		}
	}
	return nil
}

func (c *company) check() error {
	if c.wrong != nil {
		return c.wrong
	}
	if err := c.common.sound(true); err != nil {
		return fmt.Errorf("in common: %w", err)
	}
	for _, s := range c.all {
		m := c.machine(s)
		if err := errors.Join(m.sound(m == c.common), s.told(m)); err != nil {
			return fmt.Errorf("at %s: %w", s.name, err)
		}
	}
	return nil
}

// Whatever happens to services that lose and find each other: each machine is
// sound, and every caller's ticket is what the machine has of them.
func TestAnyCourseApartAndTogether(t *testing.T) {
	seeds := []uint64{2135, 4870} // two agents who were taken for talking with one call
	for seed := range uint64(300) {
		seeds = append(seeds, seed)
	}
	for seed := range uint64(300) {
		seeds = append(seeds, changing+seed)
	}
	for _, seed := range seeds {
		c := newCompany(t, seed)
		for range 120 {
			err := c.step()
			if err == nil {
				err = c.check()
			}
			if err != nil {
				t.Fatalf("seed %d: %v\n  %s", seed, err, strings.Join(c.story[max(0, len(c.story)-25):], "\n  "))
			}
		}
	}
}
