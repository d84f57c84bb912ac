package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"

	"hotline/configs"
)

// Commands to the running service, through its control socket.

type agentCmd struct {
	Verb   string `arg:"" default:"list" enum:"list,sign-in,sign-out,pause,ready" help:"list, sign-in, sign-out, pause or ready."`
	ID     string `arg:"" optional:"" help:"The agent: 1001."`
	Reason string `help:"Why, with pause."`
}

func (a agentCmd) Run(ctx context.Context, cfg *configs.Config) error {
	method, path := "GET", "/status"
	if a.Verb != "list" {
		if a.ID == "" {
			return fmt.Errorf("which agent? hotline agent %s 1001", a.Verb)
		}
		method = "POST"
		path = fmt.Sprintf("/agents/%s/%s?reason=%s", url.PathEscape(a.ID), a.Verb, url.QueryEscape(a.Reason))
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
				shown(agent.Since, cfg), orDash(agent.Call), agent.Reason)
		}
	}
	return out.Flush()
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
