package web

import (
	"log/slog"
	"sync"
	"time"
)

// once logs the first of each kind, and again at most every minute with how many
// there were meanwhile: whoever tries a thousand times does not fill the log.
// Kinds are words of the program, so that they are few.
type once struct {
	log *slog.Logger

	mu    sync.Mutex
	kinds map[string]*told
}

type told struct {
	at   time.Time
	more int
}

const tellEvery = time.Minute

func newOnce(log *slog.Logger) *once { return &once{log: log, kinds: map[string]*told{}} }

func (o *once) warn(kind, message string, about ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.kinds[kind]
	if t == nil {
		t = &told{}
		o.kinds[kind] = t
	}
	if !t.at.IsZero() && time.Since(t.at) < tellEvery {
		t.more++
		return
	}
	if t.more > 0 {
		about = append(about, "more_before", t.more)
	}
	t.at, t.more = time.Now(), 0
	o.log.Warn(message, about...)
}
