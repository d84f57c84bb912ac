package queue

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A line is a sorted list, whatever is put in and taken out, over many pages.
func TestLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := line[int]{order: func(a, b *int) int { return cmp.Compare(*a, *b) }}
		var want []int
		known := map[int]*int{}
		check := func() {
			if l.len() != len(want) || l.first() == nil != (len(want) == 0) || l.first() != nil && *l.first() != want[0] {
				t.Fatalf("the line has %d items, want %d", l.len(), len(want))
			}
			i := 0
			for x := range l.all() {
				if *x != want[i] {
					t.Fatalf("place %d is %d, want %d", i, *x, want[i])
				}
				i++
			}
		}
		for range rapid.IntRange(1, 20).Draw(t, "rounds") {
			from, n := rapid.IntRange(0, 3000).Draw(t, "from"), rapid.IntRange(0, 700).Draw(t, "many")
			step := rapid.SampledFrom([]int{1, -1, 7}).Draw(t, "step")
			put := rapid.IntRange(0, 2).Draw(t, "put") > 0
			for i := range n {
				x := from + i*step
				at, there := slices.BinarySearch(want, x)
				switch {
				case put && !there:
					known[x] = &x
					want = slices.Insert(want, at, x)
					l.add(known[x])
				case !put:
					if l.remove(&x) != there {
						t.Fatalf("removing %d, which is there: %v", x, there)
					}
					if there {
						want = slices.Delete(want, at, at+1)
					}
				}
			}
			check()
			x := rapid.IntRange(-1, 4000).Draw(t, "asked")
			at, _ := slices.BinarySearch(want, x)
			if got := l.ahead(&x); got != at {
				t.Fatalf("%d items come before %d, want %d", got, x, at)
			}
			found := l.find(func(y *int) bool { return *y >= x })
			if (found == nil) != (at == len(want)) || found != nil && *found != want[at] {
				t.Fatalf("the first from %d on is %v", x, found)
			}
		}
		for len(want) > 0 { // served one by one
			l.remove(l.first())
			want = want[1:]
		}
		check()
	})
}

// Timers come in the order of their times, those of one moment as they were
// set, and those that were stopped never.
func TestTimers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h timers
		var all []*timer
		for range rapid.IntRange(0, 200).Draw(t, "many") {
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0, 1, 2:
				x := &timer{}
				all = append(all, x)
				h.set(x, int64(rapid.IntRange(0, 30).Draw(t, "due")))
			case 3:
				if len(all) > 0 {
					h.set(rapid.SampledFrom(all).Draw(t, "again"), int64(rapid.IntRange(0, 30).Draw(t, "due")))
				}
			default:
				if len(all) > 0 {
					h.stop(rapid.SampledFrom(all).Draw(t, "stop"))
				}
			}
		}
		want := slices.DeleteFunc(slices.Clone(all), func(x *timer) bool { return x.at == 0 })
		slices.SortFunc(want, func(a, b *timer) int { return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.set, b.set)) })
		for i, x := range want {
			if h.next() != x {
				t.Fatalf("timer %d of %d is not the one that is due", i, len(want))
			}
			h.stop(x)
		}
		if h.next() != nil {
			t.Fatal("a timer is left")
		}
	})
}
