package call

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"hotline/journal"
)

// Announcement is something the operator can put in force for every caller.
type Announcement struct {
	Name   string
	Prompt string
	Closes bool // the hotline counts as closed while it is in force
}

// announcements are those in force, read by every call as it begins.
type announcements struct {
	mu    sync.Mutex
	known map[string]Announcement
	on    []string // in the order in which they were put in force
}

// AnnounceStream is the stream of the operator's switch.
const AnnounceStream = "announce/switch"

// KindAnnounced is the kind of its entries.
const KindAnnounced = "announce.changed"

// Announced is a change of what is announced.
type Announced struct {
	Name string   `json:"name"`
	On   bool     `json:"on"`
	All  []string `json:"all"` // in force after the change
}

// ErrUnknownAnnouncement names an announcement that hotline.yaml lacks.
var ErrUnknownAnnouncement = errors.New("no such announcement in hotline.yaml")

// Announce puts an announcement in force or takes it off. It is in the
// journal before it is in force, so that it outlives the service.
func (s *Service) Announce(ctx context.Context, name string, on bool) ([]string, error) {
	a := &s.announcements
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.known[name]; !ok {
		return nil, fmt.Errorf("announcing %q: %w", name, ErrUnknownAnnouncement)
	}
	next := slices.DeleteFunc(slices.Clone(a.on), func(n string) bool { return n == name })
	if on {
		next = append(next, name)
	}
	entry := journal.NewEntry(KindAnnounced, Announced{Name: name, On: on, All: next}, AnnounceStream)
	entry.At = s.now().UTC()
	if _, err := s.journal.AppendDurable(ctx, entry); err != nil {
		return nil, fmt.Errorf("announcing %q: %w", name, err)
	}
	a.on = next
	return slices.Clone(next), nil
}

// Announcements lists what is in force.
func (s *Service) Announcements() []string {
	s.announcements.mu.Lock()
	defer s.announcements.mu.Unlock()
	return slices.Clone(s.announcements.on)
}

// restore puts in force what was when the service was last seen, and nothing
// else. What the operator has taken out of hotline.yaml since cannot be said any
// more.
func (a *announcements) restore(names []string, log *slog.Logger) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.on = nil
	for _, name := range names {
		if _, ok := a.known[name]; !ok {
			log.Warn("an announcement in force is not in hotline.yaml any more and is dropped", "announcement", name)
			continue
		}
		a.on = append(a.on, name)
	}
}

// lastAnnounced is what was in force when the service was last seen.
func lastAnnounced(ctx context.Context, r *journal.Reader) ([]string, error) {
	query := journal.Query{Stream: AnnounceStream, Newest: true, Limit: 1}
	return journal.Fold(r.Read(ctx, query), nil, func(_ []string, e journal.Entry) []string {
		change, _ := read[Announced](e)
		return change.All
	})
}

// current is what a caller is told now.
func (a *announcements) current() (prompts []string, closed *Announcement) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range a.on {
		one := a.known[name]
		if one.Closes {
			closed = &one
			continue
		}
		prompts = append(prompts, one.Prompt)
	}
	return prompts, closed
}
