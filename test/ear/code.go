package ear

import (
	"fmt"
	"slices"
	"strings"
)

// The band plan. Every frequency is a multiple of 50 Hz, so all of them are
// orthogonal over 20 ms at 8 and at 16 kHz.
const (
	groups        = 4
	tonesPerGroup = 8
	stepHz        = 50
	lowestHz      = 1750 // above DTMF's highest column, 1633 Hz
	beginHz       = 1000 // between DTMF's rows and columns
	endHz         = 1100
	maxIDs        = tonesPerGroup * tonesPerGroup * tonesPerGroup

	lowestVoiceHz  = 200
	highestVoiceHz = 600 // below DTMF's lowest row, 697 Hz
)

// word is a prompt's chord: which tone sounds in each group. The last one
// follows from the others, so that a single wrong tone never names a prompt.
type word [groups]int

func wordOf(n int) word {
	w := word{n / 64 % 8, n / 8 % 8, n % 8}
	w[3] = checkTone(w)
	return w
}

func checkTone(w word) int { return (w[0] + 3*w[1] + 5*w[2]) % tonesPerGroup }

func (w word) number() (n int, ok bool) {
	return w[0]*64 + w[1]*8 + w[2], w[3] == checkTone(w)
}

func toneHz(group, tone int) int { return lowestHz + stepHz*(group*tonesPerGroup+tone) }

// Code gives every prompt ID its chord. Renderer and decoder must be made from
// the same list of IDs. A Code never changes and may be shared.
type Code struct {
	ids    []string // by number
	number map[string]int
}

// NewCode numbers the IDs in sorted order, so that the same list gives the same
// code. Repeated IDs count once, silent ones ("pause.NNN", "silence.N") not at
// all, and all of "hold.tone.N" are one. At most 512 remain.
func NewCode(ids []string) (*Code, error) {
	var kept []string
	for _, id := range ids {
		if !Silent(id) {
			kept = append(kept, canonical(id))
		}
	}
	slices.Sort(kept)
	kept = slices.Compact(kept)
	if len(kept) > maxIDs {
		return nil, fmt.Errorf("ear: %d prompt IDs, the code has room for %d", len(kept), maxIDs)
	}
	c := &Code{ids: kept, number: make(map[string]int, len(kept))}
	for n, id := range kept {
		c.number[id] = n
	}
	return c, nil
}

// IDs lists the IDs that have a chord, in order of their numbers.
func (c *Code) IDs() []string { return slices.Clone(c.ids) }

// Has tells whether id can be rendered: it has a chord or is a silent one.
func (c *Code) Has(id string) bool {
	_, ok := c.number[canonical(id)]
	return ok || Silent(id)
}

func (c *Code) word(id string) (word, bool) {
	n, ok := c.number[canonical(id)]
	return wordOf(n), ok
}

// id names a chord, or Unknown.
func (c *Code) id(w word) string {
	n, ok := w.number()
	if !ok || n >= len(c.ids) {
		return Unknown
	}
	return c.ids[n]
}

// Silent tells whether a prompt of this ID is true silence and leaves no trace
// in a transcript.
func Silent(id string) bool {
	return strings.HasPrefix(id, "pause.") || strings.HasPrefix(id, "silence.")
}

func canonical(id string) string {
	if strings.HasPrefix(id, HoldTone+".") {
		return HoldTone
	}
	return id
}
