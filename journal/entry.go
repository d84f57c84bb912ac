package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of one entry. They keep a single bad fact from failing the group it is committed with.
const (
	MaxDataBytes   = 1 << 20 // of an entry's Data
	MaxNameBytes   = 200     // of a kind or a stream's name
	MaxStreamCount = 16      // of streams one entry belongs to
)

// ErrExpired says that an entry's content has been removed after its retention; its hash is still in the chain.
var ErrExpired = errors.New("journal: the content of this entry has expired")

// Entry is one fact: what is about to be done or what happened. An entry may belong to several streams,
// because two facts that must agree (a caller reserved and an agent reserved) are one entry.
type Entry struct {
	// Seq is assigned on append: 1, 2, 3 … without gaps, one sequence for the whole journal.
	Seq int64 `json:"seq"`
	// Epoch is assigned on append: the epoch of the process that wrote the entry (see Journal.Epoch). It never falls from
	// one entry to the next; 0 in entries that were written before there were epochs.
	Epoch int64 `json:"epoch"`
	// At is in UTC with microseconds; Append fills it when it is zero. The order of entries is that of Seq, not of At.
	At time.Time `json:"at"`
	// Streams are names such as "call/20260206-090000-0001" or "agent/1001".
	Streams []string `json:"streams"`
	// Kind is a dotted name such as "call.arrived".
	Kind string `json:"kind"`
	// Data is JSON in the kind's own shape; nil in an entry read back says that the content has expired.
	Data json.RawMessage `json:"data"`
}

// NewEntry makes an entry of a kind whose data is the JSON of data. It never fails, so that facts can be
// written down in one line; data that has no JSON form is refused, with the reason, by Append.
func NewEntry(kind string, data any, streams ...string) Entry {
	content, err := json.Marshal(data)
	if err != nil {
		content = json.RawMessage("unencodable: " + err.Error()) // not JSON, so Append refuses it and quotes it
	}
	return Entry{Streams: streams, Kind: kind, Data: content}
}

// Decode reads the entry's data into the value into points at. It returns ErrExpired when the content is gone.
func (e Entry) Decode(into any) error {
	if e.Data == nil {
		return fmt.Errorf("decode entry %d (%s): %w", e.Seq, e.Kind, ErrExpired)
	}
	if err := json.Unmarshal(e.Data, into); err != nil {
		return fmt.Errorf("decode entry %d (%s): %w", e.Seq, e.Kind, err)
	}
	return nil
}

// accepted returns the entry as it will be stored (time filled and cut to microseconds, repeated streams
// dropped, absent data as JSON null), or the reason why it cannot be.
func (e Entry) accepted(now time.Time) (Entry, error) {
	if e.At.IsZero() {
		e.At = now
	}
	e.At = e.At.UTC().Truncate(time.Microsecond)
	e.Streams = withoutRepeats(e.Streams)
	if e.Data == nil {
		e.Data = json.RawMessage("null")
	}
	if err := e.check(); err != nil {
		return Entry{}, fmt.Errorf("journal: entry of kind %.40q refused: %w", e.Kind, err)
	}
	return e, nil
}

func (e Entry) check() error {
	if err := checkName(e.Kind); err != nil {
		return fmt.Errorf("kind: %w", err)
	}
	if len(e.Streams) > MaxStreamCount {
		return fmt.Errorf("%d streams, at most %d are possible", len(e.Streams), MaxStreamCount)
	}
	for _, s := range e.Streams {
		if err := checkName(s); err != nil {
			return fmt.Errorf("stream %.40q: %w", s, err)
		}
	}
	if len(e.Data) > MaxDataBytes {
		return fmt.Errorf("%d bytes of data, at most %d are possible", len(e.Data), MaxDataBytes)
	}
	if !utf8.Valid(e.Data) || !json.Valid(e.Data) {
		return fmt.Errorf("data is not JSON: %.120q", e.Data)
	}
	return nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("empty name")
	case len(name) > MaxNameBytes:
		return fmt.Errorf("name of %d bytes, at most %d are possible", len(name), MaxNameBytes)
	case !utf8.ValidString(name):
		return errors.New("name is not UTF-8")
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return fmt.Errorf("name holds the control character %U", r)
		}
	}
	return nil
}

func withoutRepeats(names []string) []string {
	kept := make([]string, 0, len(names))
	for _, n := range names {
		if !slices.Contains(kept, n) {
			kept = append(kept, n)
		}
	}
	return kept
}

// A link is an entry's place in the hash chain.
type link [sha256.Size]byte

// next is the link of the entry e that follows prev. Every part is preceded by its length, so that no two
// different entries are hashed from the same bytes; the data goes in as its own hash, so that it can expire. The epoch
// goes in last and only where there is one, so that entries from before there were epochs keep their links.
func (prev link) next(e Entry, dataHash link) link {
	h := sha256.New()
	h.Write(prev[:])
	hashNumber(h, e.Seq)
	hashNumber(h, e.At.UnixMicro())
	hashText(h, e.Kind)
	hashNumber(h, int64(len(e.Streams)))
	for _, s := range e.Streams {
		hashText(h, s)
	}
	h.Write(dataHash[:])
	if e.Epoch != 0 {
		hashNumber(h, e.Epoch)
	}
	return link(h.Sum(nil))
}

func hashNumber(h hash.Hash, n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	h.Write(b[:])
}

func hashText(h hash.Hash, s string) {
	hashNumber(h, int64(len(s)))
	h.Write([]byte(s))
}
