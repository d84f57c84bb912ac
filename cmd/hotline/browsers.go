package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/ari"
	"hotline/call"
	"hotline/configs"
	"hotline/configs/asterisk"
	"hotline/desk"
	"hotline/queue"
	"hotline/softphone"
	"hotline/web"
)

// Agents' lines in their browsers: the softphone, and the desks between it and
// the calls.

// openDesks puts the desks together; they take nobody before Attach.
func openDesks(cfg *configs.Config, link *ari.Link, lines *queue.Engine, log *slog.Logger) *desk.Desks {
	return desk.New(desk.Options{
		Link: link, Agents: lines, Logger: log,
		Media: cfg.Asterisk.SIP.MediaAddress(), Codec: string(cfg.Service.Codec),
		Visitors: visitors(cfg),
	})
}

// visitors is where they may call, if anywhere.
func visitors(cfg *configs.Config) *desk.Visitors {
	if !cfg.Web.Visitors {
		return nil
	}
	return &desk.Visitors{Context: asterisk.InContext, Exten: cfg.Service.Number}
}

// codecs are the trunk's, as browsers call them.
var codecs = map[configs.Codec]softphone.Codec{"alaw": softphone.PCMA, "ulaw": softphone.PCMU}

// openGateway opens browsers' sockets. Beside a service that runs, a port that is
// named in web.media is that one's until it leaves.
func openGateway(cfg *configs.Config, desks *desk.Desks, beside bool, log *slog.Logger, reg prometheus.Registerer) (*softphone.Gateway, error) {
	o := softphone.Options{App: desks, Listen: cfg.Web.Media, Heir: beside, Codec: codecs[cfg.Service.Codec], Logger: log, Registerer: reg,
		TURN: softphone.TURN{URLs: cfg.Web.TURN.URLs, Secret: cfg.Web.TURN.Secret.Reveal(), For: cfg.Web.TURN.Lasts.Duration}}
	if cfg.Web.Origin != "" {
		o.Origins = []string{cfg.Web.Origin}
	}
	for _, address := range cfg.Web.MediaNAT {
		o.NAT = append(o.NAT, address.Addr)
	}
	return softphone.New(o)
}

// mediaWithin is by when the service before this one has left, and longer.
const mediaWithin = 5 * time.Second

// inheritMedia logs when browsers cannot be heard though this process acts.
func inheritMedia(ctx context.Context, acts <-chan struct{}, g *softphone.Gateway, log *slog.Logger) {
	select {
	case <-acts:
	case <-ctx.Done():
		return
	}
	limit, cancel := context.WithTimeout(ctx, mediaWithin)
	defer cancel()
	if err := g.Listening(limit); err != nil && ctx.Err() == nil {
		log.Error("browsers are not heard until web.media is free: which process has it?", "err", err)
	}
}

// floor is what desks show and do.
type floor struct {
	*call.Service
	api *web.API
}

// View is what an agent's page shows. Who talks has a call, unless it is another
// service's.
func (f floor) View(agentID string) (shown any, state string, whole bool) {
	d, _ := f.api.Desk(agentID)
	whole = f.Restored() && (d.Call != nil || !d.Agent.State.InTalk())
	still := d
	still.Now = time.Time{}
	text, err := json.Marshal(still)
	if err != nil {
		return d, d.Now.String(), whole // it is shown anew each time
	}
	return d, string(text), whole
}

// visits are calls from pages without an account.
type visits struct {
	gateway *softphone.Gateway
	desks   *desk.Desks
}

func (v visits) Ticket(secret string) string { return v.gateway.Ticket(desk.VisitorOf(secret)) }

func (v visits) Visiting(secret string) (is, known bool) {
	return v.desks.Visiting(desk.VisitorOf(secret))
}

// linkOf is how an agent's line is, for their page.
func linkOf(g *softphone.Gateway) func(agentID string) web.Link {
	return func(agentID string) web.Link {
		if s, open := g.Session(agentID); open {
			return web.Link{Audio: string(s.Audio())}
		}
		return web.Link{Audio: string(softphone.AudioNone)}
	}
}
