package ivr

import (
	"context"
	"errors"
	"strings"
	"time"
)

// errHungUp is how a caller leaves in these tests.
var errHungUp = errors.New("the caller hung up")

// Takes that end otherwise than by the caller's silence.
const (
	unknown      = -1 // nobody tells how long it is
	unrecordable = -2
)

// script is a caller who answers each question with the next key: '.' says
// nothing, 'x' hangs up. Recordings last as long as takes says.
type script struct {
	keys  string
	takes []time.Duration
	heard []string // everything that was played, questions ending in "?"
}

func (s *script) Say(_ context.Context, prompts ...string) error {
	s.heard = append(s.heard, prompts...)
	return nil
}

func (s *script) Ask(_ context.Context, _ time.Duration, prompts ...string) (rune, error) {
	s.heard = append(s.heard, strings.Join(prompts, " ")+"?")
	if s.keys == "" {
		return Silence, nil
	}
	key := rune(s.keys[0])
	s.keys = s.keys[1:]
	switch key {
	case '.':
		return Silence, nil
	case 'x':
		return Silence, errHungUp
	}
	return key, nil
}

func (s *script) Record(_ context.Context, o RecordOptions) (Recorded, error) {
	s.heard = append(s.heard, "recording")
	if len(s.takes) == 0 {
		return Recorded{Name: o.Name}, nil
	}
	take := s.takes[0]
	s.takes = s.takes[1:]
	switch {
	case take == unknown:
		return Recorded{Name: o.Name, Unknown: true}, nil
	case take == unrecordable:
		return Recorded{}, ErrNotRecorded
	case take < 0: // hangs up after so long
		return Recorded{Name: o.Name, Duration: -take}, errHungUp
	}
	return Recorded{Name: o.Name, Duration: take}, nil
}

func (s *script) Replay(ctx context.Context, name string, wait time.Duration, prompts ...string) (rune, error) {
	s.heard = append(s.heard, "replay "+name)
	return s.Ask(ctx, wait, prompts...)
}
