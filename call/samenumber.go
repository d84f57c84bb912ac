package call

import (
	"slices"
	"time"
)

// Who is cut off often calls again before Asterisk has noticed: a line counts as
// dead only after rtp_timeout. Until then nothing tells a line that is dead from
// one whose phone is muted or sends nothing while quiet, and a number may be a
// whole office's. So nobody is hung up on because the number calls again: the
// new caller is served as any other and, once Asterisk has noticed, gets the
// place or the agent of before, after the greeting or in line (returning.go).
// The number is not dialled then (redial.go): its owner is on the line.

// noticed is how long after a line has died Asterisk ends it, at most: it looks
// at the silence of lines only every so often.
func (s *Service) noticed() time.Duration { return s.o.RTPTimeout * 7 / 6 }

// enlist lets calls of the same number find this one, from its arrival until
// [call.delist].
func (c *call) enlist() {
	c.lineLost <- struct{}{} // or it was lost before this process had the call
	if c.number == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byNumber[c.number] = append(c.byNumber[c.number], c)
}

func (c *call) delist() {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := slices.DeleteFunc(c.byNumber[c.number], func(other *call) bool { return other == c })
	if c.byNumber[c.number] = left; len(left) == 0 {
		delete(c.byNumber, c.number)
	}
}

// others are the live calls of the same number.
func (c *call) others() (list []*call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, other := range c.byNumber[c.number] {
		if other != c {
			list = append(list, other)
		}
	}
	return list
}

// calledAgain says whether another call of the number goes on that has come
// since a moment.
func (c *call) calledAgain(since time.Time) bool {
	for _, other := range c.others() {
		if other.started.After(since) {
			return true
		}
	}
	return false
}

// tellBack tells calls of the same number that this one's line was lost.
func (c *call) tellBack() {
	for _, other := range c.others() {
		select {
		case other.lineLost <- struct{}{}:
		default:
		}
	}
}

// lostUnless receives in line when another call's place may be had, unless
// nobody wants it: who is about to be served, or comes before all others, has
// nothing to gain.
func (c *call) lostUnless(idle bool) <-chan struct{} {
	if idle || c.waiting.Head || c.waiting.Emergency || c.again != nil {
		return nil
	}
	return c.lineLost
}
