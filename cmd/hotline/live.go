package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"hotline/configs"
)

// Commands to the running service, through its control socket.

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
