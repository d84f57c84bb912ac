package queue

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// A machine written down, so that another process can go on with it: load it
// and apply the commands that came after. What can be told from the rest is
// left out. Equal machines are written alike.

// snapshotVersion is of the form below. A machine loads its own version only:
// whoever keeps snapshots keeps the commands or the record they come from.
const snapshotVersion = 7

// MachineVersion is another one whenever machines are written down, or decide,
// otherwise than before. Services share a log only with those of their own.
const MachineVersion = snapshotVersion

type image struct {
	Version int          `json:"version"`
	Now     int64        `json:"now"`
	Held    bool         `json:"held,omitempty"`
	Serial  int64        `json:"serial"`
	Listed  int          `json:"listed"`
	Sets    uint64       `json:"sets"`
	Queues  []queueImage `json:"queues"`
	Agents  []agentImage `json:"agents"`
	Away    []string     `json:"away,omitempty"`
	Here    []string     `json:"here,omitempty"`

	Ways map[string][]string `json:"ways,omitempty"`
	Shut map[string][]string `json:"shut,omitempty"`

	Called   []calledImage `json:"called,omitempty"`
	CalledIn int           `json:"called_in,omitempty"`
}

type alarmImage struct {
	Due int64  `json:"due"`
	Set uint64 `json:"set"`
}

type queueImage struct {
	Rules    Rules           `json:"rules"`
	Turn     int             `json:"turn,omitempty"`
	Handled  []time.Duration `json:"handled,omitempty"`
	Talks    int             `json:"talks,omitempty"`
	Guesses  []time.Duration `json:"guesses,omitempty"`
	Guessed  int             `json:"guessed,omitempty"`
	Level    []bool          `json:"level,omitempty"`
	Served   int             `json:"served,omitempty"`
	Sticky   []stickyImage   `json:"sticky,omitempty"`
	Backings []backingImage  `json:"backings,omitempty"`
	Callers  []placeImage    `json:"callers,omitempty"` // in order
}

type stickyImage struct {
	Who   string `json:"who"`
	Agent string `json:"agent"`
	At    int64  `json:"at"`
}

type backingImage struct {
	Needs      map[string]int `json:"needs,omitempty"`
	Barred     []string       `json:"barred,omitempty"`
	Refusing   bool           `json:"refusing,omitempty"`
	Unattended *alarmImage    `json:"unattended,omitempty"`
	OnBreak    *alarmImage    `json:"on_break,omitempty"`
}

type placeImage struct {
	Caller       Caller             `json:"caller"`
	Waited       time.Duration      `json:"waited,omitempty"`
	Who          string             `json:"who,omitempty"`
	Joined       int64              `json:"joined"`
	Entered      int64              `json:"entered"`
	Number       int                `json:"number,omitempty"`
	Offers       []reservationImage `json:"offers,omitempty"`
	Prefers      string             `json:"prefers,omitempty"`
	PatienceEnds int64              `json:"patience_ends,omitempty"`
	Overflows    int64              `json:"overflows,omitempty"`
	Limit        int64              `json:"limit,omitempty"`
	LapseNext    string             `json:"lapse_next,omitempty"`
	MoveNext     bool               `json:"move_next,omitempty"`
	Predicted    time.Duration      `json:"predicted"`
	Alarm        *alarmImage        `json:"alarm,omitempty"`
}

type reservationImage struct {
	ID    string      `json:"id"`
	Agent string      `json:"agent"`
	Alarm *alarmImage `json:"alarm,omitempty"`
}

// calledImage is a reservation without a place.
type calledImage struct {
	ID    string      `json:"id"`
	Call  string      `json:"call"`
	Owner string      `json:"owner,omitempty"`
	With  string      `json:"with,omitempty"`
	Back  bool        `json:"back,omitempty"`
	Agent string      `json:"agent"`
	Queue string      `json:"queue,omitempty"`
	Alarm *alarmImage `json:"alarm,omitempty"`
}

type agentImage struct {
	Profile    Profile        `json:"profile"`
	Listed     int            `json:"listed"`
	Calls      map[string]int `json:"calls,omitempty"` // by queue
	State      State          `json:"state"`
	Since      time.Time      `json:"since"`
	Reason     string         `json:"reason,omitempty"`
	Out        bool           `json:"out,omitempty"`
	Misses     int            `json:"misses,omitempty"`
	Moved      bool           `json:"moved,omitempty"`
	IdleAs     int64          `json:"idle_as,omitempty"`
	IdleSince  time.Time      `json:"idle_since,omitzero"`
	Call       string         `json:"call,omitempty"`
	Queue      string         `json:"queue,omitempty"`
	Owner      string         `json:"owner,omitempty"`
	Third      bool           `json:"third,omitempty"`
	Part       time.Time      `json:"part,omitzero"`
	Busy       int64          `json:"busy,omitempty"`
	Then       State          `json:"then,omitzero"`
	ThenReason string         `json:"then_reason,omitempty"`
	Began      int64          `json:"began,omitempty"`
	Alarm      *alarmImage    `json:"alarm,omitempty"`
	Wakes      string         `json:"wakes,omitempty"` // the cause of what the alarm has happen
}

// Snapshot writes the machine down.
func (m *Machine) Snapshot() ([]byte, error) { return m.write(func(*image) {}) }

// write writes the machine down, but for what is left out.
func (m *Machine) write(leaveOut func(*image)) ([]byte, error) {
	i := image{Version: snapshotVersion, Now: m.now, Held: m.held, Serial: m.serial, Listed: m.listed, Sets: m.timers.sets,
		Away: slices.Sorted(maps.Keys(m.away)), Here: slices.Sorted(maps.Keys(m.here)), Ways: m.ways, CalledIn: m.calledIn}
	for owner, queues := range m.shut {
		if i.Shut == nil {
			i.Shut = map[string][]string{}
		}
		i.Shut[owner] = slices.Sorted(maps.Keys(queues))
	}
	for _, q := range m.byID() {
		i.Queues = append(i.Queues, q.image())
	}
	for _, a := range m.byListing() {
		i.Agents = append(i.Agents, a.image())
		if a.offer != nil && a.offer.place == nil {
			i.Called = append(i.Called, a.offer.called())
		}
	}
	leaveOut(&i)
	data, err := json.Marshal(i)
	if err != nil {
		return nil, fmt.Errorf("queue: writing a snapshot: %w", err)
	}
	return data, nil
}

func (t *timer) image() *alarmImage {
	if t.at == 0 {
		return nil
	}
	return &alarmImage{t.due, t.set}
}

// called is a reservation without a place, written down.
func (r *reservation) called() calledImage {
	return calledImage{ID: r.id, Call: r.call, Owner: r.owner, With: r.with, Back: r.back, Agent: r.agent.profile.ID, Queue: r.queue.rules.ID, Alarm: r.alarm.image()}
}

// ringsFor is a reservation that was written down, clocks apart.
func (m *Machine) ringsFor(i *calledImage) *reservation {
	r := &reservation{id: i.ID, call: i.Call, owner: i.Owner, with: i.With, back: i.Back, agent: m.agents[i.Agent], queue: m.named(i.Queue)}
	m.tie(r)
	return r
}

func (q *callers) image() queueImage {
	i := queueImage{Rules: q.rules, Turn: q.turn,
		Handled: q.handled.recent[:min(q.handled.count, handlingKept)], Talks: q.handled.count,
		Guesses: q.guesses.recent[:min(q.guesses.count, guessesKept)], Guessed: q.guesses.count,
		Level: q.level.recent[:min(q.level.count, levelKept)], Served: q.level.count}
	for m := range q.sticky.all {
		i.Sticky = append(i.Sticky, stickyImage{m.who, m.agent, m.at})
	}
	for _, b := range q.backings {
		i.Backings = append(i.Backings, backingImage{needsMap(b.needs), b.barred, b.refusing, b.unattended.image(), b.onBreak.image()})
	}
	for p := range q.all.all() {
		i.Callers = append(i.Callers, p.image())
	}
	return i
}

func needsMap(needs []need) map[string]int {
	skills := map[string]int{}
	for _, n := range needs {
		skills[n.skill] = n.level
	}
	return skills
}

func (p *place) image() placeImage {
	i := placeImage{Caller: p.caller, Waited: p.caller.Waited, Who: p.caller.Who, Joined: p.joined, Entered: p.entered,
		Number: p.number, PatienceEnds: p.patienceEnds, Overflows: p.overflows, Limit: p.limit,
		LapseNext: p.lapseNext, MoveNext: p.moveNext, Predicted: p.predicted, Alarm: p.alarm.image()}
	if p.prefers != nil {
		i.Prefers = p.prefers.profile.ID
	}
	for _, r := range p.offers {
		i.Offers = append(i.Offers, reservationImage{r.id, r.agent.profile.ID, r.alarm.image()})
	}
	return i
}

func (a *agent) image() agentImage {
	i := agentImage{Profile: a.profile, Listed: a.listed, State: a.state, Since: a.since, Reason: a.reason,
		Out: a.out, Misses: a.misses, Moved: a.moved, IdleAs: a.idleAs, IdleSince: a.idleSince, Call: a.call, Owner: a.owner,
		Third: a.third, Part: a.part, Busy: a.busy, Then: a.wished(), ThenReason: a.thenReason, Began: a.began, Alarm: a.alarm.image()}
	if a.queue != nil {
		i.Queue = a.queue.rules.ID
	}
	if i.Alarm != nil {
		i.Wakes = a.alarmCause
	}
	for _, mine := range a.members {
		if mine.calls > 0 {
			if i.Calls == nil {
				i.Calls = map[string]int{}
			}
			i.Calls[mine.queue.rules.ID] = mine.calls
		}
	}
	return i
}

// LoadMachine is the machine that was written down.
func LoadMachine(snapshot []byte) (*Machine, error) {
	var i image
	if err := json.Unmarshal(snapshot, &i); err != nil {
		return nil, fmt.Errorf("queue: reading a snapshot: %w", err)
	}
	if i.Version != snapshotVersion {
		return nil, fmt.Errorf("queue: the snapshot has version %d and this reads version %d: begin from the record instead", i.Version, snapshotVersion)
	}
	m := newMachine()
	m.now, m.held, m.serial = i.Now, i.Held, i.Serial
	for _, service := range i.Away {
		m.away[service] = true
	}
	for _, service := range i.Here {
		m.here[service] = true
	}
	for owner, queues := range i.Shut {
		m.shutFor(owner, queues...)
	}
	for _, q := range i.Queues {
		m.establish(q.Rules)
	}
	for _, a := range i.Agents {
		if err := m.loadAgent(a); err != nil {
			return nil, err
		}
	}
	maps.Copy(m.ways, i.Ways)
	m.barred = m.withoutWay()
	for _, q := range m.queues {
		q.form()
	}
	for _, q := range i.Queues {
		if err := m.loadQueue(q); err != nil {
			return nil, err
		}
	}
	for _, c := range i.Called {
		if a := m.agents[c.Agent]; a == nil || !a.keptFor(a.profile.Home) || m.parties[c.Call].called != nil {
			return nil, fmt.Errorf("queue: the snapshot has agent %q called in by call %s, who is not reserved for it", c.Agent, c.Call)
		}
		m.loadTimer(&m.ringsFor(&c).alarm, c.Alarm)
	}
	m.listed, m.timers.sets, m.calledIn = i.Listed, i.Sets, i.CalledIn
	return m, nil
}

func (m *Machine) loadTimer(t *timer, i *alarmImage) {
	if i != nil {
		t.due, t.set = i.Due, i.Set
		m.timers.push(t)
	}
}

// wakings are what can happen to an agent by itself, by its cause.
var wakings = map[string]event{causeWrapped: eventWrapped, causeRested: eventRested}

func (m *Machine) loadAgent(i agentImage) error {
	for _, id := range i.Profile.Queues {
		if m.queues[id] == nil {
			return fmt.Errorf("queue: the snapshot has agent %s in queue %q, which it does not have", i.Profile.ID, id)
		}
	}
	m.listed = i.Listed
	a := m.hire(i.Profile)
	m.wear(a, &i)
	for _, mine := range a.members {
		mine.calls = i.Calls[mine.queue.rules.ID]
	}
	m.loadTimer(&a.alarm, i.Alarm)
	m.count(a, a.presence())
	a.taking = a.takesCalls()
	a.roster.count(count(a.taking))
	return nil
}

// wear puts an agent into the state that was written down, clocks apart.
func (m *Machine) wear(a *agent, i *agentImage) {
	a.state, a.since, a.reason, a.out, a.misses, a.moved = i.State, i.Since, i.Reason, i.Out, i.Misses, i.Moved
	a.idleAs, a.idleSince = i.IdleAs, i.IdleSince
	a.call, a.owner, a.third, a.part, a.busy, a.began = i.Call, i.Owner, i.Third, i.Part, i.Busy, i.Began
	a.queue = m.named(i.Queue)
	a.then, a.thenReason = wishes[i.Then], i.ThenReason
	if a.state.InTalk() {
		m.sit(a)
	}
	a.alarmCause, a.alarmEvent = i.Wakes, wakings[i.Wakes]
}

func (m *Machine) loadQueue(i queueImage) error {
	q := m.queues[i.Rules.ID]
	q.turn = i.Turn
	copy(q.handled.recent[:], i.Handled)
	q.handled.count, q.handled.sum = i.Talks, sum(i.Handled)
	copy(q.guesses.recent[:], i.Guesses)
	q.guesses.count, q.guesses.sum = i.Guessed, sum(i.Guesses)
	copy(q.level.recent[:], i.Level)
	q.level.count = i.Served
	for _, inTime := range i.Level {
		q.level.inTime += count(inTime)
	}
	for _, s := range i.Sticky {
		q.sticky.note(memory{s.Who, s.Agent, s.At})
	}
	for _, one := range i.Backings {
		b := m.backing(q, needsOf(one.Needs), one.Barred)
		b.refusing = one.Refusing
		m.loadTimer(&b.unattended, one.Unattended)
		m.loadTimer(&b.onBreak, one.OnBreak)
	}
	for _, one := range i.Callers {
		if err := m.loadPlace(q, one); err != nil {
			return err
		}
	}
	return nil
}

func sum(list []time.Duration) (all time.Duration) {
	for _, d := range list {
		all += d
	}
	return all
}

// loadedPlace is what was written down of a caller, without offers and clocks.
func loadedPlace(i *placeImage) *place {
	p := &place{caller: i.Caller, joined: i.Joined, entered: i.Entered, number: i.Number, predicted: i.Predicted,
		patienceEnds: i.PatienceEnds, lapseNext: i.LapseNext, moveNext: i.MoveNext}
	p.caller.Waited, p.caller.Who = i.Waited, i.Who
	p.offers = p.only[:0]
	p.alarm.owner = p
	return p
}

func (m *Machine) loadPlace(q *callers, i placeImage) error {
	p := loadedPlace(&i)
	m.waiting[p.caller.ID] = p
	m.aim(p, q)
	for _, o := range i.Offers {
		a := m.agents[o.Agent]
		if a == nil || !a.keptFor(a.profile.Home) {
			return fmt.Errorf("queue: the snapshot has call %s offered to agent %q, who is not reserved for it", i.Caller.ID, o.Agent)
		}
		m.loadTimer(&p.reserve(o.ID, a).alarm, o.Alarm)
	}
	m.enter(p)
	p.overflows, p.limit = i.Overflows, i.Limit
	p.prefers = m.agents[i.Prefers]
	m.loadTimer(&p.alarm, i.Alarm)
	p.standAgain(m.held)
	return nil
}

// standAgain puts a loaded caller into the line where they stood.
func (p *place) standAgain(held bool) {
	r := &p.queue.rules
	var own *member
	if p.prefers != nil && !held {
		own = p.prefers.member(p.queue)
	}
	switch {
	case len(p.offers) == 0 && own != nil:
		p.stand(&own.fans)
	case len(p.offers) == 0:
		p.stand(&p.class.waiting)
	case r.Strategy == RingAll && len(p.offers) < r.RingAtMost && p.lapseNext == "" && !p.moveNext:
		p.stand(&p.class.room)
	}
}
