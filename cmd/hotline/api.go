package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/prometheus/client_golang/prometheus"

	"hotline/call"
	"hotline/configs"
	"hotline/desk"
	"hotline/journal"
	"hotline/queue"
	"hotline/softphone"
	"hotline/web"
	"hotline/web/account"
	"hotline/web/phrase"
	"hotline/web/sso"
	"hotline/web/ui"
)

// Pages and the JSON API are what people and programs ask over the network, with
// a session or a token, and what the command line asks on the control socket,
// without.

// apiParts are what the API stands on.
type apiParts struct {
	cfg      *configs.Config
	lines    *queue.Engine
	book     *journal.Reader
	past     *past
	journal  appender
	sessions scs.Store                  // nil: nobody signs in
	relieved func(context.Context) bool // nil: never
	health   func() web.Health          // nil: all is well
	talks    web.Scenes                 // nil: desks can do nothing with calls
	gateway  *softphone.Gateway         // nil: there are no lines in browsers
	desks    *desk.Desks                // with gateway
	now      func() time.Time
	log      *slog.Logger
	reg      prometheus.Registerer
}

// appender is the journal as the API writes to it.
type appender interface {
	Append(ctx context.Context, entries ...journal.Entry) (int64, error)
}

// newAPI puts it together. Limits are those of hotline.yaml, and so is what a
// request leaves out.
func newAPI(p apiParts) (*web.API, error) {
	cfg := p.cfg
	tokens := map[string]string{}
	for _, t := range cfg.Web.Tokens {
		tokens[t.Name] = t.Token.Reveal()
	}
	phrases, err := phrase.NewKeeper(cfg.Phrases, p.log)
	if err != nil {
		p.log.Error("agents are shown what is built in; correct the file and start the service anew", "err", err)
		if phrases, err = phrase.NewKeeper(configs.Default().Phrases, p.log); err != nil {
			return nil, err
		}
	}
	o := web.Options{
		Queues: p.lines, Tokens: tokens, Usual: queueRules(configs.Default().Queues[0]),
		CheckRules: func(r queue.Rules) (string, error) {
			return configs.CheckQueue(queueOf(r, namedQueue(cfg, r.ID)))
		},
		CheckProfile: func(p queue.Profile) (string, error) {
			agent, known := cfg.Agent(p.ID)
			if !known {
				agent.Role = configs.RoleAgent
			}
			agent.ID, agent.Number, agent.Name = p.ID, p.Number, p.Name
			agent.Queues, agent.Weights, agent.Skills = p.Queues, p.Weights, p.Skills
			return configs.CheckAgent(agent)
		},
		Number:  func(ctx context.Context, callID string) string { return callersNumber(ctx, p.book, callID) },
		Signing: p.signing(), Record: p.record, Pages: ui.Files(), Scenes: p.talks,
		Past:    p.past,
		Phrases: phrases.Book, Forms: formsOf(cfg), Targets: targetsOf(cfg),
		Embed: cfg.Web.Embed, Health: p.health, Now: p.now, Zone: cfg.Service.Timezone.Location, Relieved: p.relieved, Logger: p.log, Registerer: p.reg,
	}
	if p.gateway != nil {
		o.Signal, o.Ticket, o.Link = p.gateway, p.gateway.TicketWhile, linkOf(p.gateway)
		if cfg.Web.Visitors {
			o.Visit, o.VisitsAtOnce = visits{p.gateway, p.desks}, cfg.Web.VisitorsAtOnce
		}
	}
	return web.New(o)
}

// record writes an entry of the API's. One that the disk has not taken yet is
// kept, and is as good.
func (p apiParts) record(ctx context.Context, kind string, data any, streams ...string) error {
	_, err := p.journal.Append(ctx, journal.NewEntry(kind, data, streams...))
	if errors.Is(err, journal.ErrLate) {
		return nil
	}
	return err
}

// signing is how people sign in. Accounts that cannot be read keep nobody from
// calling: nobody signs in until they can be.
func (p apiParts) signing() web.Signing {
	cfg := p.cfg
	if p.sessions == nil {
		return web.Signing{}
	}
	development := developmentAccounts(cfg)
	if len(development) > 0 {
		p.log.Warn("anybody on this machine signs in with passwords that everybody knows, and so does the world through a proxy: set agents[].password, or web.origin",
			"accounts", len(development), "listen", cfg.Web.Listen)
	}
	accounts, err := account.Open(account.Options{
		Path: cfg.Accounts(), Record: web.RecordAccounts(p.record), Development: development, Logger: p.log,
	})
	if err != nil {
		p.log.Error("nobody signs in until the accounts can be read", "err", err)
	}
	s := web.Signing{
		Accounts: accounts, Store: p.sessions, Origin: cfg.Web.Origin,
		Idle: cfg.Web.Sessions.Idle.Duration, Lifetime: cfg.Web.Sessions.Lifetime.Duration,
	}
	for _, proxy := range cfg.Web.Proxies {
		s.Proxies = append(s.Proxies, proxy.Prefix)
	}
	if o := cfg.Web.OIDC; o.On() {
		s.Issuer = sso.New(sso.Options{
			Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.ClientSecret.Reveal(), Claim: o.Claim, Redirect: web.Callback(cfg.Web.Origin),
		})
	}
	return s
}

// rolesOf are an agent's at the desk.
var rolesOf = map[configs.Role]account.Role{
	configs.RoleAgent: account.Agent, configs.RoleDutyManager: account.DutyManager, configs.RoleSupervisor: account.Supervisor,
}

// developmentAccounts are the agents of hotline.yaml whose passwords everybody
// can read, and two beside them who are no agents. Beyond loopback there are
// none, nor where hotline.yaml speaks of a proxy or of another place to sign in:
// what comes through a proxy may look as if it came from this machine.
func developmentAccounts(cfg *configs.Config) (list []account.Development) {
	w := cfg.Web
	if !w.Listen.Addr().IsLoopback() || w.Origin != "" || len(w.Proxies) > 0 || w.OIDC.On() {
		return nil
	}
	for _, a := range cfg.Agents {
		if password := a.Password.Reveal(); strings.HasPrefix(password, account.DevelopmentPrefix) {
			list = append(list, account.Development{Account: account.Account{Name: a.ID, Roles: []account.Role{rolesOf[a.Role]}, Agent: a.ID}, Password: password})
		}
	}
	if len(list) > 0 {
		for _, role := range []account.Role{account.Admin, account.Reviewer} {
			list = append(list, account.Development{Account: account.Account{Name: string(role), Roles: []account.Role{role}}, Password: account.DevelopmentPrefix + string(role)})
		}
	}
	return list
}

// formsOf are what agents note, and how they close a call.
func formsOf(cfg *configs.Config) web.Forms {
	var f web.Forms
	for _, c := range cfg.Desk.WrapUp {
		f.Codes = append(f.Codes, web.Code{ID: c.ID, Name: c.Name})
	}
	for _, t := range cfg.Desk.Topics {
		f.Topics = append(f.Topics, web.Topic{ID: t.ID, Name: t.Name, Fields: t.Fields, Complaint: t.Complaint})
	}
	return f
}

// targetsOf are whom calls can be brought to, beside agents.
func targetsOf(cfg *configs.Config) web.Targets {
	var t web.Targets
	for _, q := range cfg.Queues {
		t.Queues = append(t.Queues, web.Named{ID: q.ID, Name: cmp.Or(q.Name, q.ID)})
	}
	for _, e := range cfg.Directory {
		t.Directory = append(t.Directory, web.Named{ID: e.ID, Name: e.Name})
	}
	for _, a := range cfg.Agents {
		if a.Role == configs.RoleDutyManager {
			t.Duty = append(t.Duty, a.ID)
		}
	}
	return t
}

// callersNumber is a caller's number, masked; "" where it is not known.
func callersNumber(ctx context.Context, book *journal.Reader, callID string) string {
	about := journal.Query{Stream: call.Stream(callID), Kinds: []string{call.KindArrived}, Limit: 1}
	arrived, err := journal.Fold(book.Read(ctx, about), call.Summary{}, call.Summary.Fold)
	if err != nil {
		return ""
	}
	return arrived.Number
}

// byCommandLine is who asks on the control socket, beside the operator's name.
const byCommandLine = "command line"

// operatorHeader has the name of whoever runs a command. Who can open the
// socket can do anything, so that their word is enough.
const operatorHeader = "Hotline-Operator"

// commandLine is who asks on the control socket, as the journal has it.
func commandLine(r *http.Request) string {
	const most = 32
	name := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, r.Header.Get(operatorHeader))
	if name == "" {
		return byCommandLine
	}
	return byCommandLine + ": " + name[:min(most, len(name))]
}
