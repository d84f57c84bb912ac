package queue

import (
	"cmp"
	"iter"
	"slices"
	"sort"
	"time"
)

// standing is what decides a caller's place in line. It never changes while
// they wait in a queue, though priority grows with the wait: a step of priority
// counts as so much more waiting (Rules.Aging), whenever that is looked at.
type standing struct {
	head    bool
	due     int64 // as if they had arrived then, in nanoseconds of the wall clock
	arrived int64
	call    string
}

// mostPriority bounds what a priority counts for, so that no number of anybody's
// overflows.
const mostPriority = 1000

func standingOf(c *Caller, r *Rules) standing {
	arrived := nanos(c.Arrived)
	steps := max(-mostPriority, min(c.Priority, mostPriority))
	return standing{head: c.Head, due: arrived - int64(steps)*int64(r.Aging), arrived: arrived, call: c.ID}
}

// nanos is a moment as a number, the nearest there is for those too far off.
func nanos(at time.Time) int64 {
	switch {
	case at.Year() < 1800:
		at = time.Date(1800, 1, 1, 0, 0, 0, 0, time.UTC)
	case at.Year() > 2150:
		at = time.Date(2150, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return at.UnixNano()
}

// callerOrder says who is served first: a caller who returns to the head (B4),
// then who has waited longest, priority counted as waiting, then the earlier
// arrival, then the lower ID of the call, so that a restart finds everybody in
// the same order. The head of a queue is ahead of every priority, because that
// caller was already being served.
func callerOrder(a, b *place) int {
	x, y := &a.standing, &b.standing
	switch {
	case x.head != y.head:
		if x.head {
			return -1
		}
		return 1
	case x.due != y.due:
		return cmp.Compare(x.due, y.due)
	case x.arrived != y.arrived:
		return cmp.Compare(x.arrived, y.arrived)
	}
	return cmp.Compare(x.call, y.call)
}

// standsAs is when somebody of ordinary priority would have had to arrive to
// stand there; zero for a caller of ordinary priority.
func (s *standing) standsAs() time.Time {
	if s.due == s.arrived {
		return time.Time{}
	}
	return time.Unix(0, s.due).UTC()
}

// idleOrder puts the longest-idle agent first.
func idleOrder(a, b *member) int {
	if a.agent.idleAs != b.agent.idleAs {
		return cmp.Compare(a.agent.idleAs, b.agent.idleAs)
	}
	return listedOrder(a, b)
}

// fewestOrder puts the agent first who has taken the fewest calls of the queue.
func fewestOrder(a, b *member) int {
	if a.calls != b.calls {
		return cmp.Compare(a.calls, b.calls)
	}
	return idleOrder(a, b)
}

// listedOrder is the order in which agents are listed.
func listedOrder(a, b *member) int { return cmp.Compare(a.agent.listed, b.agent.listed) }

// readyOrder is how the ready agents of a queue stand.
func readyOrder(s Strategy) func(a, b *member) int {
	switch s {
	case FewestCalls:
		return fewestOrder
	case RoundRobin, Linear:
		return listedOrder
	}
	return idleOrder
}

// line keeps items in order, in pages of bounded length: a place is found by
// bisection, first of the page and then in it, and made by moving the pointers
// of one page. So both ends and the middle cost about the same for ten items
// and for a hundred thousand. The order of items must not change while they are
// in the line, and no two may be equal.
type line[T any] struct {
	order func(a, b *T) int
	pages [][]*T // none of them empty
	size  int
	spare []*T // an empty page, for its memory
}

const pageSize = 256

func (l *line[T]) len() int { return l.size }

// first returns the item at the head, nil when there is none.
func (l *line[T]) first() *T {
	if l.size == 0 {
		return nil
	}
	return l.pages[0][0]
}

// page finds the page in which x is or belongs; that of the items behind all
// others where x comes last.
func (l *line[T]) page(x *T) int {
	low, high := 0, len(l.pages)-1
	for low < high {
		middle := int(uint(low+high) >> 1)
		if page := l.pages[middle]; l.order(page[len(page)-1], x) < 0 {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// ahead counts the items that come before x, whether x is in the line or not.
func (l *line[T]) ahead(x *T) int {
	if l.size == 0 {
		return 0
	}
	n, i := 0, l.page(x)
	for _, page := range l.pages[:i] {
		n += len(page)
	}
	at, _ := slices.BinarySearchFunc(l.pages[i], x, l.order)
	return n + at
}

func (l *line[T]) add(x *T) {
	l.size++
	if len(l.pages) == 0 {
		l.pages = append(l.pages, append(l.spare, x))
		l.spare = nil
		return
	}
	i := l.page(x)
	page := l.pages[i]
	if l.order(page[len(page)-1], x) < 0 { // last of all: the usual newcomer
		if len(page) < pageSize {
			l.pages[i] = append(page, x)
		} else {
			l.pages = append(l.pages, append(make([]*T, 0, pageSize), x))
		}
		return
	}
	if len(page) >= pageSize {
		half := len(page) / 2
		l.pages = slices.Insert(l.pages, i+1, append(make([]*T, 0, pageSize), page[half:]...))
		clear(page[half:])
		l.pages[i] = page[:half]
		if l.order(l.pages[i][half-1], x) < 0 {
			i++
		}
		page = l.pages[i]
	}
	at, _ := slices.BinarySearchFunc(page, x, l.order)
	l.pages[i] = slices.Insert(page, at, x)
}

// remove takes x out and reports whether it was there.
func (l *line[T]) remove(x *T) bool {
	if l.size == 0 {
		return false
	}
	i := l.page(x)
	page := l.pages[i]
	at, found := slices.BinarySearchFunc(page, x, l.order)
	if !found {
		return false
	}
	l.size--
	switch {
	case len(page) == 1:
		page[0] = nil
		l.spare = page[:0]
		l.pages = slices.Delete(l.pages, i, i+1)
	case at == 0: // who is served next: nothing is moved
		page[0] = nil
		l.pages[i] = page[1:]
	default:
		l.pages[i] = slices.Delete(page, at, at+1)
	}
	return true
}

// all goes through the items in order; the line must not change meanwhile.
func (l *line[T]) all() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for _, page := range l.pages {
			for _, x := range page {
				if !yield(x) {
					return
				}
			}
		}
	}
}

// items are all items in order, for who changes the line meanwhile.
func (l *line[T]) items() []*T { return slices.AppendSeq(make([]*T, 0, l.size), l.all()) }

// find returns the first item for which yes holds, nil when there is none. yes
// must hold for everybody behind the first for whom it does.
func (l *line[T]) find(yes func(*T) bool) *T {
	i := sort.Search(len(l.pages), func(i int) bool { return yes(l.pages[i][len(l.pages[i])-1]) })
	if i == len(l.pages) {
		return nil
	}
	page := l.pages[i]
	return page[sort.Search(len(page), func(at int) bool { return yes(page[at]) })]
}
