package ari

// RestoreLost is a leg of an earlier process whose channel Asterisk has no
// more: it is gone, and nobody saw how.
func (s *Session) RestoreLost(channelID string) *Leg {
	leg := newLeg(s.link, channelID)
	leg.made = true
	s.own(leg.id, leg)
	leg.attach(s)
	leg.lost()
	return leg
}

// NewID is a name for something that the call is about to make: written down
// first, it can be found in Asterisk by another process.
func (s *Session) NewID(what string) string { return s.newID(what) }

// App is the application's name.
func (l *Link) App() string { return l.o.App }

// Knows says whether something of this ID belongs to a call of this process.
func (l *Link) Knows(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.routes[id] != nil
}

// Endpoint is the phone at the other end: PJSIP/1001.
func (c *Channel) Endpoint() string { return endpointOf(c.Name) }
