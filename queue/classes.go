package queue

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Who may serve whom, found without looking at everybody.
//
// The callers of a queue who need the same of an agent at present, and can be
// brought to the same agents (ways.go), are a class;
// the agents of a queue who may serve the same classes are a crew. Each class
// keeps its waiting callers in order, each crew its ready agents in order. An
// agent who becomes ready takes the best of the heads of the classes their
// crews may serve; a caller takes the best of the heads of the crews that may
// serve their class. A queue that asks for no skills has one class and one
// crew. What an event costs depends on how many different demands there are,
// never on how many callers wait or agents are ready.

// need is a skill and the lowest level of it that will do.
type need struct {
	skill string
	level int
}

// needsOf lists needs by skill. With several maps the higher level counts.
func needsOf(skills ...map[string]int) []need {
	if len(skills[0]) == 0 && (len(skills) == 1 || len(skills[1]) == 0) {
		return nil
	}
	all := map[string]int{}
	for _, some := range skills {
		for skill, level := range some {
			all[skill] = max(all[skill], level)
		}
	}
	list := make([]need, 0, len(all))
	for _, skill := range slices.Sorted(maps.Keys(all)) {
		list = append(list, need{skill, all[skill]})
	}
	return list
}

// needsKey writes needs such that equal ones are equal.
func needsKey(needs []need) string {
	var key strings.Builder
	for i, n := range needs {
		if i > 0 {
			key.WriteByte(',')
		}
		key.WriteString(strconv.Quote(n.skill) + ":" + strconv.Itoa(n.level))
	}
	return key.String()
}

// relaxed is what is still needed after the first so many relaxations.
func relaxed(needs []need, steps []Relaxation, first int) []need {
	if len(needs) == 0 || first == 0 {
		return needs
	}
	var left []need
	for _, n := range needs {
		for _, step := range steps[:first] {
			if step.Skill == "" || step.Skill == n.skill {
				n.level -= step.By
			}
		}
		if n.level > 0 {
			left = append(left, n)
		}
	}
	return left
}

func meets(skills map[string]int, needs []need) bool {
	for _, n := range needs {
		if skills[n.skill] < n.level {
			return false
		}
	}
	return true
}

// member is an agent in one of the queues they serve.
type member struct {
	agent  *agent
	queue  *callers
	crew   *crew
	weight int
	calls  int         // of the queue, taken so far
	fans   line[place] // callers who wait for this agent alone
}

// class is callers of one queue who need the same at present.
type class struct {
	queue   *callers
	key     string
	needs   []need
	barred  []string    // services to whose agents they cannot be brought
	callers int         // in all
	waiting line[place] // without an offer
	room    line[place] // ring all: phones ring for them, and more may
	crews   []*crew     // who may serve them
}

// crew is agents of one queue who may serve the same classes.
type crew struct {
	key     string
	classes []*class
	ready   line[member]
}

// mostClasses is how many demands a queue keeps in mind before it forgets those
// that nobody has at present.
const mostClasses = 32

// class is the one of callers with these needs, who cannot be brought to these
// services' agents.
func (q *callers) class(needs []need, barred []string) *class {
	key := demand(needs, barred)
	for _, c := range q.classes {
		if c.key == key {
			return c
		}
	}
	if len(q.classes) >= mostClasses {
		q.classes = slices.DeleteFunc(q.classes, func(c *class) bool { return c.callers == 0 })
	}
	c := &class{queue: q, key: key, needs: needs, barred: barred, waiting: line[place]{order: callerOrder}, room: line[place]{order: callerOrder}}
	q.classes = append(q.classes, c)
	q.form()
	return c
}

// form puts the agents of a queue into crews, after the queue's classes,
// agents or strategy have changed.
func (q *callers) form() {
	q.crews = nil
	for _, c := range q.classes {
		c.crews = nil
	}
	for _, m := range q.members {
		q.enlist(m)
	}
}

// enlist puts an agent into the crew of those who may serve the same classes.
func (q *callers) enlist(m *member) {
	key := make([]byte, len(q.classes))
	for i, c := range q.classes {
		key[i] = '0' + byte(count(c.takes(m.agent)))
	}
	at := slices.IndexFunc(q.crews, func(w *crew) bool { return w.key == string(key) })
	if at < 0 {
		at = len(q.crews)
		w := &crew{key: string(key), ready: line[member]{order: readyOrder(q.rules.Strategy)}}
		for i, c := range q.classes {
			if key[i] == '1' {
				w.classes, c.crews = append(w.classes, c), append(c.crews, w)
			}
		}
		q.crews = append(q.crews, w)
	}
	m.crew = q.crews[at]
	if m.agent.free() {
		m.crew.ready.add(m)
	}
}

// taker is the ready agent who takes the next caller of a class by the queue's
// strategy, nil when there is none.
func (q *callers) taker(c *class) (best *member) {
	for _, w := range c.crews {
		if m := q.head(w); m != nil && (best == nil || q.sooner(m, best) < 0) {
			best = m
		}
	}
	return best
}

// head is whose turn it is in a crew.
func (q *callers) head(w *crew) *member {
	if q.rules.Strategy == RoundRobin {
		if m := w.ready.find(func(m *member) bool { return m.agent.listed > q.turn }); m != nil {
			return m
		}
	}
	return w.ready.first()
}

// sooner compares those whose turn it is in their crews.
func (q *callers) sooner(a, b *member) int {
	if q.rules.Strategy == RoundRobin {
		if passed := cmp.Compare(count(a.agent.listed <= q.turn), count(b.agent.listed <= q.turn)); passed != 0 {
			return passed
		}
	}
	return readyOrder(q.rules.Strategy)(a, b)
}

// may reports whether the member meets what the class needs.
func (m *member) may(c *class) bool {
	return m.queue == c.queue && c.takes(m.agent)
}
