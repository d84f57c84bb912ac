package queue

import (
	"testing"
	"time"
)

// Whoever is loaded from a snapshot remembers the same as who went on: else two services would choose differently.
func TestASnapshotRemembersWhoServedWhom(t *testing.T) {
	const keep = 90 * 24 * time.Hour
	m, err := NewMachine([]Rules{{ID: "a", Sticky: keep}}, []Profile{{ID: "1001", Queues: []string{"a"}}}, false, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	m.queues["a"].sticky.remember("seldom", "1001", 1, keep)
	for i := range mostSticky / 2 {
		m.queues["a"].sticky.remember("often", "1001", int64(10+i), keep)
	}
	image, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadMachine(image)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []*Machine{m, loaded} {
		s := &one.queues["a"].sticky
		for i := range mostSticky {
			s.remember("often", "1001", int64(mostSticky+i), keep)
		}
		if agent := s.of("seldom", 2*mostSticky, keep); agent != "1001" {
			t.Errorf("a caller served once is remembered with %q, though another called a hundred thousand times", agent)
		}
	}
}
