package prompt

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// libraryOf is a library in memory: the generated prompts and others of given lengths.
func libraryOf(lengths map[string]time.Duration) *Library {
	l := &Library{index: index{Format: indexFormat, Prompts: map[string]entry{}}}
	for _, p := range Generated() {
		l.index.Prompts[p.ID] = entry{Ms: p.Length.Milliseconds(), Source: Composed}
	}
	for id, d := range lengths {
		l.index.Prompts[id] = entry{Ms: d.Milliseconds(), Source: Placeholder}
	}
	return l
}

func TestHoldList(t *testing.T) {
	l := libraryOf(map[string]time.Duration{HoldApology: 4180 * time.Millisecond, "queue.joined": 3 * time.Second,
		"queue.next": 2500 * time.Millisecond, "long": 26 * time.Second})
	ms := time.Millisecond
	cases := []struct {
		name     string
		elapsed  time.Duration
		first    []string
		segments int
		want     []string
	}{
		{"the wait begins", 0, []string{"queue.joined"}, 2,
			[]string{"queue.joined", "hold.tone.27", "hold.apology", "pause.820", "hold.tone.25"}},
		{"nothing to say", 0, nil, 1, []string{"hold.tone.30"}},
		{"at an apology", 30 * time.Second, []string{"queue.next"}, 2,
			[]string{"hold.apology", "queue.next", "pause.320", "hold.tone.23", "hold.apology", "pause.820", "hold.tone.25"}},
		{"shortly before one", 59300 * ms, []string{"queue.next"}, 1,
			[]string{"pause.700", "hold.apology", "queue.next", "pause.320", "hold.tone.23"}},
		{"in the middle", 12340 * ms, nil, 1, []string{"pause.660", "hold.tone.17", "hold.apology", "pause.820", "hold.tone.25"}},
		{"rounded to a frame, which is the apology itself", 30*time.Second + 9*ms, nil, 1, []string{"hold.apology", "pause.820", "hold.tone.25"}},
		{"what does not fit is left out whole", 30 * time.Second, []string{"queue.next", "long"}, 1, []string{"hold.apology", "pause.820", "hold.tone.25"}},
		{"what the library lacks is left out", 30 * time.Second, []string{"absent", "queue.next"}, 1, []string{"hold.apology", "queue.next", "pause.320", "hold.tone.23"}},
		{"at least one segment", 30 * time.Second, nil, -3, []string{"hold.apology", "pause.820", "hold.tone.25"}},
		{"a clock that ran backwards", -time.Second, nil, 1, []string{"hold.tone.30"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := HoldList(l, c.elapsed, c.first, c.segments); !slices.Equal(got, c.want) {
				t.Errorf("HoldList(%v, %v, %d)\n got %v\nwant %v", c.elapsed, c.first, c.segments, got, c.want)
			}
		})
	}
}

// Whatever the lengths of apology and extras: apologies begin at exact multiples of 30 s of the wait and at every one of
// them, the list ends at a segment's end, and no list is longer than one request carries.
func TestHoldListKeepsTheApologyClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frames := func(name string, least, most int) time.Duration {
			return time.Duration(rapid.IntRange(least, most).Draw(t, name)) * Frame
		}
		lengths := map[string]time.Duration{HoldApology: frames("apology", 1, 1500)}
		var first []string
		for _, id := range []string{"a", "b", "c", "d"}[:rapid.IntRange(0, 4).Draw(t, "extras")] {
			lengths[id] = frames(id, 1, 900)
			first = append(first, id)
		}
		l := libraryOf(lengths)
		elapsed := time.Duration(rapid.Int64Range(0, int64(3*time.Hour)).Draw(t, "elapsed"))
		if rapid.Bool().Draw(t, "on the clock") {
			elapsed = elapsed.Truncate(HoldEvery)
		}
		segments := rapid.IntRange(1, 900).Draw(t, "segments")
		list := HoldList(l, elapsed, first, segments)
		if len(list) > MaxHoldMedia {
			t.Fatalf("%d media in a list, more than one request carries", len(list))
		}
		if missing := l.Missing(list...); missing != nil {
			t.Fatalf("the list plays %v, which the library lacks", missing)
		}
		at, next := elapsed.Round(Frame), nextMultiple(elapsed.Round(Frame))
		for _, id := range list {
			if id == HoldApology {
				if at != next {
					t.Fatalf("an apology begins at %v, want %v", at, next)
				}
				next += HoldEvery
			} else if at >= next {
				t.Fatalf("no apology at %v: %s plays at %v", next, id, at)
			}
			at += l.Duration(id)
		}
		if at%HoldEvery != 0 {
			t.Fatalf("the list ends at %v of the wait, not at the end of a segment", at)
		}
		if begun := int(at/HoldEvery) - int((elapsed.Round(Frame)+HoldEvery-1)/HoldEvery); begun > segments || begun < min(segments, 260) {
			t.Fatalf("%d segments begin in the list, want %d", begun, segments)
		}
	})
}

// nextMultiple is when the first apology is due from at on; there is none at 0.
func nextMultiple(at time.Duration) time.Duration {
	if at == 0 {
		return HoldEvery
	}
	return (at + HoldEvery - 1) / HoldEvery * HoldEvery
}
