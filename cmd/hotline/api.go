package main

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/call"
	"hotline/configs"
	"hotline/journal"
	"hotline/queue"
	"hotline/web"
)

// The JSON API is what programs ask over the network, with a token, and what
// the command line asks on the control socket, without.

// newAPI puts it together. Limits are those of hotline.yaml, and so is what a
// request leaves out.
func newAPI(cfg *configs.Config, lines *queue.Engine, book *journal.Reader, relieved func(context.Context) bool, log *slog.Logger, reg prometheus.Registerer) (*web.API, error) {
	tokens := map[string]string{}
	for _, t := range cfg.Web.Tokens {
		tokens[t.Name] = t.Token.Reveal()
	}
	return web.New(web.Options{
		Queues: lines, Tokens: tokens, Usual: queueRules(configs.Default().Queues[0]),
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
		Number:   func(ctx context.Context, callID string) string { return callersNumber(ctx, book, callID) },
		Relieved: relieved, Logger: log, Registerer: reg,
	})
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
