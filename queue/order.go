package queue

import (
	"cmp"
	"slices"
)

// callerOrder says who is served first: a caller who returns to the head (B4),
// then the higher priority, then the earlier arrival, then the lower ID of the
// call, so that a restart finds everybody in the same order. The head of a
// queue is ahead of every priority, because that caller was already being served.
func callerOrder(a, b *Ticket) int {
	switch {
	case a.caller.Head != b.caller.Head:
		if a.caller.Head {
			return -1
		}
		return 1
	case a.caller.Priority != b.caller.Priority:
		return cmp.Compare(b.caller.Priority, a.caller.Priority)
	case !a.caller.Arrived.Equal(b.caller.Arrived):
		return a.caller.Arrived.Compare(b.caller.Arrived)
	}
	return cmp.Compare(a.caller.ID, b.caller.ID)
}

// idleOrder puts the longest-idle agent first.
func idleOrder(a, b *agent) int { return cmp.Compare(a.idleAs, b.idleAs) }

// line keeps items in order. Both ends are cheap; a place in the middle is
// found by bisection and made by moving pointers, which for ten thousand of
// them is a copy of 80 kB at most: faster than any tree at these sizes.
type line[T any] struct {
	items []*T
	order func(a, b *T) int
}

func (l *line[T]) len() int { return len(l.items) }

// first returns the item at the head, nil when there is none.
func (l *line[T]) first() *T {
	if len(l.items) == 0 {
		return nil
	}
	return l.items[0]
}

// ahead counts the items that come before x, whether x is in the line or not.
func (l *line[T]) ahead(x *T) int {
	at, _ := slices.BinarySearchFunc(l.items, x, l.order)
	return at
}

func (l *line[T]) add(x *T) {
	if n := len(l.items); n == 0 || l.order(l.items[n-1], x) < 0 {
		l.items = append(l.items, x)
		return
	}
	l.items = slices.Insert(l.items, l.ahead(x), x)
}

// remove takes x out and reports whether it was there.
func (l *line[T]) remove(x *T) bool {
	at, found := slices.BinarySearchFunc(l.items, x, l.order)
	if !found {
		return false
	}
	if at == 0 {
		l.items[0] = nil
		l.items = l.items[1:]
		return true
	}
	l.items = slices.Delete(l.items, at, at+1)
	return true
}
