package audit

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// left is I6: ten seconds after a call nothing of it is in Asterisk. What can be read of that is service.clean, in which
// the service names the ended calls of which it saw nothing any more; every ended call must be in one. A service that
// is away, or without Asterisk, can say nothing: the time it has begins anew with each start and each connection.
type left struct {
	tally
	clock  *clock
	told   bool                // the service tells of itself
	anew   time.Duration       // on the clock: the newest start or connection
	open   map[string]*unclean // by call; "" for what belonged to no call that is known
	oldest time.Duration       // on the clock: none of open is older
}

// unclean is an ended call that is not yet known to have left nothing behind.
type unclean struct {
	call  string
	shown []mark // the ending, and what was left
	after time.Duration
	what  string
}

// cleanWithin is how long the service may take to see that nothing is left: twice as long as between two looks.
const cleanWithin = time.Minute

// hopeless is when a call is no longer waited for, though no look at Asterisk is told at all.
const hopeless = 10 * time.Minute

func newLeft(t tally, c *clock) *left {
	return &left{tally: t, clock: c, open: map[string]*unclean{}}
}

func (c *left) see(e *entry) {
	if e.starts {
		c.anew = c.clock.passed
	}
	switch e.Kind {
	case kindServiceStarted:
		c.told = true
	case kindServiceConnected:
		c.told = true
		c.anew = c.clock.passed
	case kindServiceLeft:
		if d, ok := e.data.(*serviceLeft); ok {
			thing := cmp.Or(d.Channel, d.Bridge)
			c.await(strings.TrimPrefix(d.Call, "call/"), e, "the service found "+thing+" in Asterisk, which is nobody's any more, and")
		}
	case kindServiceClean:
		c.clean(e)
	case kindEnded:
		if c.told && e.call != "" {
			if !e.At.Before(c.since) {
				c.Looked++
			}
			c.await(e.call, e, "the call ended, and the service")
		}
		if c.clock.passed > c.oldest+hopeless {
			c.conclude(hopeless)
		}
	}
}

// await notes a call that has to be confirmed from now on.
func (c *left) await(call string, e *entry, what string) {
	u := c.open[call]
	if u == nil {
		u = &unclean{call: call}
		c.open[call] = u
	}
	if len(u.shown) < 4 {
		u.shown = append(u.shown, e.mark())
	}
	u.after, u.what = c.clock.passed, what
}

func (c *left) clean(e *entry) {
	d, ok := e.data.(*serviceClean)
	if !ok {
		return
	}
	for _, id := range d.Calls {
		delete(c.open, strings.TrimPrefix(id, "call/"))
	}
	delete(c.open, "")
	c.conclude(cleanWithin)
}

// conclude finds the calls that have waited for longer than that, and forgets them.
func (c *left) conclude(within time.Duration) {
	c.oldest = c.clock.passed
	waiting := slices.SortedFunc(maps.Values(c.open), func(a, b *unclean) int { return cmp.Compare(a.shown[0].seq, b.shown[0].seq) })
	for _, u := range waiting {
		if since := max(u.after, c.anew); c.clock.passed > since+within {
			c.find(u.call, "", u.shown, "%s does not confirm within %v that nothing is left in Asterisk", u.what, within)
			delete(c.open, u.call)
			continue
		}
		c.oldest = min(c.oldest, u.after)
	}
}

func (c *left) end() {
	if !c.told {
		c.Skipped = "the service did not tell of itself yet"
		return
	}
	c.conclude(cleanWithin)
}
