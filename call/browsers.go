package call

import (
	"context"
	"net/netip"
	"time"

	"hotline/ari"
	"hotline/queue"
)

// Browsers are agents' browsers, whose lines lead to us instead of to a phone:
// desk.Desks. What a person does there arrives as events of the leg, like a
// phone's.
type Browsers interface {
	// Online says whether an agent is at a browser whose line is up.
	Online(agentID string) bool
	// Line is the endpoint of a leg, to be made under this channel ID, for an agent
	// who is at a browser; false for one who is at none, and whose phone is rung.
	Line(agentID, channelID string) (endpoint string, ok bool)
	// Unmade gives up the line of a leg that could not be made.
	Unmade(channelID string)
	// Ring shows the call; it is missed after so long.
	Ring(leg *ari.Leg, limit time.Duration)
	// Take puts the call through to a person who has asked for it; should that fail
	// it rings, and is missed after so long.
	Take(leg *ari.Leg, limit time.Duration)
	// Found is a leg that an earlier process made, with its address here; for a
	// caller's, who called in from a page, nobody is named.
	Found(agentID string, leg *ari.Leg, at netip.AddrPort)
}

// noBrowsers is where everybody has a phone.
type noBrowsers struct{}

func (noBrowsers) Online(string) bool                     { return false }
func (noBrowsers) Line(string, string) (string, bool)     { return "", false }
func (noBrowsers) Unmade(string)                          {}
func (noBrowsers) Ring(*ari.Leg, time.Duration)           {}
func (noBrowsers) Take(*ari.Leg, time.Duration)           {}
func (noBrowsers) Found(string, *ari.Leg, netip.AddrPort) {}

// ringAgent rings an agent where they are: at a browser, as atBrowser does, or by
// their phone. made is told of the leg before anything happens on it. With an error the leg, if
// there is one, has to be hung up.
func (c *call) ringAgent(ctx context.Context, agent queue.Profile, d ari.Dial, limit time.Duration, made func(*ari.Leg), atBrowser func(*ari.Leg, time.Duration)) error {
	endpoint, online := c.o.Browsers.Line(agent.ID, d.ID)
	if d.Endpoint = endpoint; !online {
		d.Endpoint = c.o.Phone(agent)
	}
	// Whether the leg is made must be known, even if the caller leaves meanwhile.
	leg, err := c.session.Create(context.WithoutCancel(ctx), d)
	if err != nil {
		c.o.Browsers.Unmade(d.ID)
		return err
	}
	made(leg)
	if online {
		atBrowser(leg, limit)
		return nil
	}
	return leg.Dial(ctx, limit)
}

// takeUp makes a channel that an earlier process made a leg of this call, and
// has the browser be looked for that it leads to, if it leads to one.
func (c *call) takeUp(channel ari.Channel, agentID string) *ari.Leg {
	leg := c.session.Restore(channel)
	if at, external := channel.External(); external {
		c.o.Browsers.Found(agentID, leg, at)
	}
	return leg
}
