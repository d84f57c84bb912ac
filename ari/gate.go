package ari

import "sync"

// gate keeps events back while the link looks up what they may be about. It is
// shut from before the websocket is connected until everybody knows what
// Asterisk has; what a connection left behind it when it broke off too soon is
// delivered by the next one, first.
type gate struct {
	mu    sync.Mutex
	shut  bool
	kept  []keptEvent
	about map[string]bool // IDs whose end is among them
}

type keptEvent struct {
	id string
	ev any
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
}

// keep says whether the gate is shut, and then has kept the event.
func (g *gate) keep(id string, ev any) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.shut {
		return false
	}
	g.kept = append(g.kept, keptEvent{id, ev})
	if isEnd(ev) {
		if g.about == nil {
			g.about = make(map[string]bool)
		}
		g.about[id] = true
	}
	return true
}

// tellsEndOf says whether an event that was kept tells how something ended:
// then its absence from Asterisk is no news.
func (g *gate) tellsEndOf(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.about[id]
}

// open delivers what was kept, in order, and lets pass what comes after it.
func (g *gate) open(deliver func(id string, ev any)) {
	for {
		g.mu.Lock()
		kept := g.kept
		g.kept, g.about = nil, nil
		g.shut = len(kept) > 0
		g.mu.Unlock()
		if len(kept) == 0 {
			return
		}
		for _, e := range kept {
			deliver(e.id, e.ev)
		}
	}
}
