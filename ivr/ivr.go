// Package ivr owns the conversations the machine has with a caller: the
// greeting, the menus, taking a message, asking for a rating, the farewell.
//
// Each conversation reads from top to bottom and speaks through Phone, the
// small interface it needs. The package must not know ARI, queues or the
// journal: it says what to say and reports what the caller chose.
package ivr

import (
	"context"
	"errors"
	"time"
)

// Silence is what Ask returns when the caller pressed no key in time.
const Silence rune = 0

// Phone is the caller's line as a conversation needs it. Every verb returns
// the cause of ctx as soon as the caller is gone.
type Phone interface {
	// Say plays the prompts one after the other, to the end.
	Say(ctx context.Context, prompts ...string) error

	// Ask plays the prompts, stops at the first key, and waits up to wait
	// after their end. A key pressed before Ask began counts. It returns the
	// key (0-9, *, #, A-D) or Silence.
	Ask(ctx context.Context, wait time.Duration, prompts ...string) (rune, error)

	// Record takes down what the caller says. Where the caller hangs up while
	// speaking, it returns what was taken together with the cause.
	Record(ctx context.Context, o RecordOptions) (Recorded, error)

	// Replay plays a recording just taken back to the caller; a key stops it.
	Replay(ctx context.Context, name string, wait time.Duration, prompts ...string) (rune, error)
}

// RecordOptions says when a recording ends by itself.
type RecordOptions struct {
	Name       string        // unique; the same name again replaces the recording
	MaxLength  time.Duration // whole seconds
	MaxSilence time.Duration // whole seconds
}

// Recorded is what was taken down.
type Recorded struct {
	Name     string
	Duration time.Duration // zero when nothing was recorded
	Unknown  bool          // nobody has told how long it is; the file says
}

// ErrNotRecorded is what Record returns when the line is there and cannot be
// recorded: asking again would not help.
var ErrNotRecorded = errors.New("the caller cannot be recorded")
