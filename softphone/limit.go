package softphone

import (
	"log/slog"
	"sync"
	"time"
)

// bucket lets so much through at once, and so much a second after it.
type bucket struct {
	burst, rate float64
	level       float64
	filled      time.Time
}

func newBucket(burst, rate float64) *bucket {
	return &bucket{burst: burst, rate: rate, level: burst, filled: time.Now()}
}

// take says whether n more may pass.
func (b *bucket) take(n float64) bool {
	now := time.Now()
	b.level = min(b.burst, b.level+now.Sub(b.filled).Seconds()*b.rate)
	b.filled = now
	if b.level < n {
		return false
	}
	b.level -= n
	return true
}

// complaints logs what browsers do wrong: each kind once a minute, with how
// often it happened since, so that nobody can fill the disk with it.
type complaints struct {
	log *slog.Logger

	mu    sync.Mutex
	kinds map[string]complaint
}

type complaint struct {
	at    time.Time
	since int
}

const complainEvery = time.Minute

func newComplaints(log *slog.Logger) *complaints {
	return &complaints{log: log, kinds: map[string]complaint{}}
}

// about logs one. Kinds are ours, never the browser's, so that there are few.
func (c *complaints) about(kind string, attrs ...any) {
	c.mu.Lock()
	k := c.kinds[kind]
	k.since++
	due := k.at.IsZero() || time.Since(k.at) >= complainEvery
	if !due {
		c.kinds[kind] = k
		c.mu.Unlock()
		return
	}
	c.kinds[kind] = complaint{at: time.Now()}
	c.mu.Unlock()
	c.log.Warn("softphone: a browser was refused", append([]any{"kind", kind, "times", k.since}, attrs...)...)
}
