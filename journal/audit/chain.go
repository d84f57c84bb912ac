package audit

import (
	"context"
	"errors"

	"hotline/journal"
)

// chain is I7: no entry is missing or was changed, each says what its kind has to say, and no process writes after
// another has taken the journal over. Content that has expired leaves its hash, which stands for it.
type chain struct {
	tally
	last  mark
	epoch int64 // of the newest service.started
	start mark
}

func newChain(t tally) *chain { return &chain{tally: t} }

// verify walks the hashes. broken says that a place was found and named.
func (c *chain) verify(ctx context.Context, r *journal.Reader) (broken bool, err error) {
	err = r.Verify(ctx)
	var place *journal.BrokenChain
	if !errors.As(err, &place) {
		return false, err
	}
	c.find("", "", nil, "entry %d does not fit: %s", place.Seq, place.Reason)
	c.Check.Findings[0].Entries = []int64{place.Seq}
	return true, nil
}

// unreadable notes that the entries after the last one cannot be read.
func (c *chain) unreadable(err error) {
	c.find("", "", nil, "the entries after %d are not audited: %v", c.last.seq, err)
}

func (c *chain) see(e *entry) {
	c.Looked++
	if e.Seq != c.last.seq+1 {
		c.find("", "", []mark{c.last, e.mark()}, "entry %d follows entry %d", e.Seq, c.last.seq)
	}
	c.last = e.mark()
	if e.fault != "" {
		c.find(e.call, "", []mark{e.mark()}, "%s: %s", e.Kind, e.fault)
	}
	d, ok := e.data.(*serviceStarted)
	if !ok {
		return
	}
	if d.Epoch <= c.epoch {
		c.find("", "", []mark{c.start, e.mark()}, "a process started with the epoch %d after one with the epoch %d", d.Epoch, c.epoch)
	}
	c.epoch, c.start = d.Epoch, e.mark()
}

func (c *chain) end() {}
