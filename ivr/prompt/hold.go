package prompt

import "time"

const (
	// HoldEvery is the apology clock (A3, C3): apologies begin at 30, 60, 90 … s of a wait or a hold.
	HoldEvery = 30 * time.Second
	// HoldApology is the prompt that begins every segment but the first.
	HoldApology = "hold.apology"
	// MaxHoldMedia is how many media one play request carries.
	MaxHoldMedia = 800
)

// HoldList composes what a waiting caller hears from elapsed, the time since this wait or hold began, onwards: the
// rest of the running segment, then segments of exactly 30.000 s that each begin with the apology and go on with a
// pause and the hold tone, so that apologies begin at 30, 60, 90 … s of the wait whatever else is said.
//
// first (a position, an estimate) is said once, in the first segment that begins inside the list: at once when
// elapsed is 0, otherwise right after the first apology. An apology is first at once when elapsed is 30, 60 … s. What
// does not fit into a segment is left out whole: half a sentence is worse than none, and the clock is never moved for it.
//
// elapsed is rounded to 20 ms. segments counts the 30-second segments that begin inside the list (at least 1); the
// list ends earlier, at a segment's end, rather than carry more than 800 media. IDs the library lacks are left out.
func HoldList(l *Library, elapsed time.Duration, first []string, segments int) []string {
	elapsed = max(elapsed, 0).Round(Frame)
	var list []string
	if running := elapsed % HoldEvery; running > 0 {
		list = fill(l, nil, HoldEvery-running)
		elapsed += HoldEvery - running
	}
	for n := range max(segments, 1) {
		var opening []string
		if elapsed > 0 {
			opening = present(l, []string{HoldApology})
		}
		if l.Total(opening...) > HoldEvery {
			opening = nil
		}
		if n == 0 {
			if with := append(opening[:len(opening):len(opening)], present(l, first)...); l.Total(with...) <= HoldEvery {
				opening = with
			}
		}
		segment := fill(l, opening, HoldEvery-l.Total(opening...))
		if len(list)+len(segment) > MaxHoldMedia {
			break
		}
		list = append(list, segment...)
		elapsed += HoldEvery
	}
	return list
}

// fill adds a pause and the hold tone that last exactly d, under 30 s in steps of 20 ms. The pause comes first: the
// tone then fades out right where the next apology begins.
func fill(l *Library, list []string, d time.Duration) []string {
	seconds := int(d / time.Second)
	rest := int((d % time.Second) / time.Millisecond)
	if rest > 0 {
		list = append(list, present(l, []string{Pause(rest)})...)
	}
	if seconds > 0 {
		list = append(list, present(l, []string{HoldTone(seconds)})...)
	}
	return list
}

func present(l *Library, ids []string) []string {
	kept := make([]string, 0, len(ids))
	for _, id := range ids {
		if l.Duration(id) > 0 {
			kept = append(kept, id)
		}
	}
	return kept
}
