package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"hotline/configs"
	"hotline/queue"
)

// Commands to the running service, through its control socket.

type agentCmd struct {
	Verb   string `arg:"" default:"list" enum:"list,sign-in,sign-out,pause,ready,set" help:"list, sign-in, sign-out, pause, ready or set."`
	ID     string `arg:"" optional:"" help:"The agent: 1001."`
	Reason string `help:"Why, with pause."`

	Settings []string `arg:"" optional:"" help:"With set, as in hotline.yaml: queues=[service,gas] weights={gas: 2} skills={english: 3}."`
}

func (a agentCmd) Run(ctx context.Context, cfg *configs.Config) error {
	method, path := "GET", "/status"
	if a.Verb != "list" {
		if a.ID == "" {
			return fmt.Errorf("which agent? hotline agent %s 1001", a.Verb)
		}
		method = "POST"
		query := url.Values{"reason": {a.Reason}, "setting": inYAML(a.Settings)}
		path = fmt.Sprintf("/agents/%s/%s?%s", url.PathEscape(a.ID), a.Verb, query.Encode())
	}
	answer, err := ask(ctx, cfg.ControlSocket(), method, path)
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(os.Stdout, 2, 0, 2, ' ', 0)
	fmt.Fprintln(out, "AGENT\tNUMBER\tSTATE\tSINCE\tCALL\tWHY")
	for _, agent := range answer.Agents {
		if a.ID == "" || a.ID == agent.ID {
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", agent.ID, agent.Number, agent.State,
				agent.Since.Local().Format("01-02 15:04:05"), orDash(agent.Call), agent.Reason)
		}
	}
	return out.Flush()
}

type queueCmd struct {
	Verb string `arg:"" default:"list" enum:"list,rules,set,remove" help:"list, rules, set or remove."`
	ID   string `arg:"" optional:"" help:"The queue: service."`

	Settings []string `arg:"" optional:"" help:"With set, as in hotline.yaml: max_wait=2m strategy=ring-all skills={english: 3}."`
}

func (q queueCmd) Run(ctx context.Context, cfg *configs.Config) error {
	method, path := "GET", "/status"
	if q.Verb == "set" || q.Verb == "remove" {
		if q.ID == "" {
			return fmt.Errorf("which queue? hotline queue %s service", q.Verb)
		}
		query := url.Values{"setting": inYAML(q.Settings)}
		method, path = "POST", fmt.Sprintf("/queues/%s/%s?%s", url.PathEscape(q.ID), q.Verb, query.Encode())
	}
	answer, err := ask(ctx, cfg.ControlSocket(), method, path)
	if err != nil {
		return err
	}
	if q.Verb == "rules" || q.Verb == "set" {
		return q.printRules(cfg, answer.Rules)
	}
	out := tabwriter.NewWriter(os.Stdout, 2, 0, 2, ' ', 0)
	fmt.Fprintln(out, "QUEUE\tWAITING\tLONGEST\tSIGNED IN\tREADY\tIN TIME\tESTIMATES WRONG BY")
	for _, view := range answer.Queues {
		if q.Verb == "list" && q.ID != "" && q.ID != view.ID {
			continue
		}
		inTime := "-"
		if view.InTime != nil {
			inTime = fmt.Sprintf("%d of 100", *view.InTime)
		}
		fmt.Fprintf(out, "%s\t%d\t%v\t%d\t%d\t%s\t%v\n", view.ID, view.Waiting, view.LongestWait.Round(time.Second),
			view.SignedIn, view.Ready, inTime, view.EstimateError.Round(time.Second))
	}
	return out.Flush()
}

// printRules prints the rules in force as they would stand in hotline.yaml.
func (q queueCmd) printRules(cfg *configs.Config, rules []queue.Rules) error {
	var list []configs.Queue
	for _, r := range rules {
		if q.ID == "" || q.ID == r.ID {
			list = append(list, queueOf(r, namedQueue(cfg, r.ID)))
		}
	}
	text, err := configs.QueuesYAML(list)
	if err == nil {
		_, err = os.Stdout.Write(text)
	}
	return err
}

// namedQueue is what hotline.yaml says of a queue that the engine does not know
// of: the shipped values for one that it does not have.
func namedQueue(cfg *configs.Config, id string) configs.Queue {
	if q, known := cfg.Queue(id); known {
		return q
	}
	q := configs.Default().Queues[0]
	q.ID, q.Name = id, id
	return q
}

// inYAML are settings as they stand in hotline.yaml: max_wait=2m is max_wait: 2m.
func inYAML(settings []string) []string {
	list := make([]string, len(settings))
	for i, s := range settings {
		list[i] = s
		if key, value, ok := strings.Cut(s, "="); ok && !strings.Contains(key, ":") {
			list[i] = key + ": " + value
		}
	}
	return list
}

type announceCmd struct {
	Name   string `arg:"" optional:"" help:"The announcement in hotline.yaml: outage, closed. Without it: what is in force."`
	Switch string `arg:"" optional:"" default:"on" enum:"on,off" help:"on or off."`
}

func (a announceCmd) Run(ctx context.Context, cfg *configs.Config) error {
	method, path := "GET", "/status"
	if a.Name != "" {
		method, path = "POST", "/announcements/"+url.PathEscape(a.Name)+"/"+a.Switch
	}
	answer, err := ask(ctx, cfg.ControlSocket(), method, path)
	if err != nil {
		return err
	}
	if len(answer.Announced) == 0 {
		fmt.Println("nothing is announced")
		return nil
	}
	fmt.Println("in force:", strings.Join(answer.Announced, " "))
	return nil
}

type clockCmd struct {
	At string `arg:"" help:"The moment: '2027-02-06 09:00'."`
}

func (k clockCmd) Run(ctx context.Context, cfg *configs.Config) error {
	answer, err := ask(ctx, cfg.ControlSocket(), "POST", "/clock?at="+url.QueryEscape(k.At))
	if err != nil {
		return err
	}
	fmt.Println("the service's clock says", answer.Now.In(cfg.Service.Timezone.Location).Format("2006-01-02 15:04:05"))
	return nil
}
