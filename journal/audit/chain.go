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
	last    mark
	epoch   int64 // of the last entry
	start   mark  // the newest service.started
	started int64 // its epoch
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
	if e.Epoch < c.epoch {
		c.find("", "", []mark{c.last, e.mark()}, "written under the epoch %d after one under the epoch %d: by a process that had been relieved", e.Epoch, c.epoch)
	}
	c.last, c.epoch = e.mark(), e.Epoch
	if e.fault != "" {
		c.find(e.call, "", []mark{e.mark()}, "%s: %s", e.Kind, e.fault)
	}
	if d, ok := e.data.(*serviceStarted); ok {
		c.process(e, d)
	}
}

// process looks at a start: it begins an epoch. A disk that was full at the start has the process learn of its epoch later.
func (c *chain) process(e *entry, d *serviceStarted) {
	switch {
	case c.start.seq != 0 && e.Epoch <= c.started:
		c.find("", "", []mark{c.start, e.mark()}, "a process started under the epoch %d after one under the epoch %d", e.Epoch, c.started)
	case d.Epoch != 0 && d.Epoch != e.Epoch:
		c.find("", "", []mark{e.mark()}, "a process says that it writes under the epoch %d and writes under %d", d.Epoch, e.Epoch)
	}
	c.start, c.started = e.mark(), e.Epoch
}

func (c *chain) end() {}
