package journal

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
)

// BrokenChain says where a journal was changed after it was written.
type BrokenChain struct {
	Seq    int64 // the first entry that does not fit
	Reason string
}

func (b *BrokenChain) Error() string {
	return fmt.Sprintf("journal: entry %d does not fit: %s", b.Seq, b.Reason)
}

// Verify walks the whole journal and returns a *BrokenChain naming the first entry that was changed, removed, put in,
// taken out of a stream, or written by a process that had been fenced. Content that has expired is no fault: its hash stands for it. What a chain alone cannot
// show is that entries are missing from its end, or that somebody rewrote everything from an entry on.
func (r *Reader) Verify(ctx context.Context) error {
	head, err := r.head(ctx)
	if err != nil {
		return fmt.Errorf("verify the journal: %w", err)
	}
	if head == 0 {
		return nil
	}
	c := chainCheck{}
	for c.seq < head {
		before := c.seq
		if err := r.verifyPage(ctx, &c); err != nil {
			return err
		}
		if c.seq == before {
			return &BrokenChain{Seq: before + 1, Reason: "it is missing"}
		}
	}
	return r.verifyMemberships(ctx, head)
}

// chainCheck is the chain as far as it has been found right.
type chainCheck struct {
	seq   int64
	epoch int64
	hash  link
}

func (r *Reader) verifyPage(ctx context.Context, c *chainCheck) error {
	epoch, err := r.epochColumn(ctx)
	if err != nil {
		return fmt.Errorf("verify the journal: %w", err)
	}
	rows, err := r.db.QueryContext(ctx, `SELECT seq, `+epoch+`, at, kind, streams, data, data_hash, hash,
		CASE WHEN json_valid(entry.streams) THEN
			(SELECT count(*) FROM json_each(entry.streams) JOIN stream ON stream.name = value
				JOIN membership ON membership.stream = stream.id AND membership.seq = entry.seq)
		ELSE -1 END
		FROM entry WHERE seq > ? ORDER BY seq LIMIT ?`, c.seq, pageSize)
	if err != nil {
		return fmt.Errorf("verify the journal: %w", err)
	}
	for rows.Next() {
		if err := c.step(rows); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

func (c *chainCheck) step(row scanner) error {
	var (
		seq, epoch, micro int64
		kind, streams     string
		data              sql.NullString
		dataHash, hash    []byte
		memberships       int
	)
	if err := row.Scan(&seq, &epoch, &micro, &kind, &streams, &data, &dataHash, &hash, &memberships); err != nil {
		return fmt.Errorf("verify the journal after entry %d: %w", c.seq, err)
	}
	if seq != c.seq+1 {
		return &BrokenChain{Seq: c.seq + 1, Reason: fmt.Sprintf("it is missing: %d follows %d", seq, c.seq)}
	}
	broken := func(reason string) error { return &BrokenChain{Seq: seq, Reason: reason} }
	e, err := storedEntry(seq, epoch, micro, kind, streams, data)
	if err != nil {
		return broken(err.Error())
	}
	if len(dataHash) != sha256.Size || len(hash) != sha256.Size {
		return broken("its hash has the wrong length")
	}
	if data.Valid && sha256.Sum256(e.Data) != link(dataHash) {
		return broken("its data is not what was written")
	}
	next := c.hash.next(e, link(dataHash))
	if next != link(hash) {
		return broken("its time, epoch, kind, streams or hash are not what was written")
	}
	if epoch < c.epoch {
		return broken(fmt.Sprintf("it was written in epoch %d, after epoch %d had begun", epoch, c.epoch))
	}
	if memberships != len(e.Streams) {
		return broken("it was taken out of one of its streams")
	}
	c.seq, c.epoch, c.hash = seq, epoch, next
	return nil
}

// verifyMemberships finds entries that were put into a stream they do not name.
func (r *Reader) verifyMemberships(ctx context.Context, head int64) error {
	var seq int64
	err := r.db.QueryRowContext(ctx, `SELECT membership.seq FROM membership
		LEFT JOIN stream ON stream.id = membership.stream LEFT JOIN entry ON entry.seq = membership.seq
		WHERE membership.seq <= ? AND NOT EXISTS (SELECT 1 FROM json_each(entry.streams) WHERE value = stream.name)
		ORDER BY membership.seq LIMIT 1`, head).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("verify the journal's streams: %w", err)
	}
	return &BrokenChain{Seq: seq, Reason: "it was put into a stream that it does not name"}
}
