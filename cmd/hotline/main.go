// Command hotline is the service and everything an operator does with it.
//
// It owns flags, signals and the wiring; policy lives in the packages.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	_ "time/tzdata" // the image has no zone files

	"github.com/alecthomas/kong"

	"hotline/configs"
)

// cli is every command there is; its help is the reference.
type cli struct {
	Config string `short:"c" env:"HOTLINE_CONFIG" default:"" help:"The configuration; configs/hotline.yaml, or what is built in where that is missing." type:"path"`
	Debug  bool   `help:"Log more."`

	Serve          serveCmd          `cmd:"" help:"Run the service."`
	CheckConfig    checkConfigCmd    `cmd:"" help:"Name every wrong line of the configuration."`
	AsteriskConfig asteriskConfigCmd `cmd:"" help:"Write Asterisk's configuration."`
	Calendar       calendarCmd       `cmd:"" help:"Print a year's festivals and days off, or what plays at a moment."`
	Prompts        promptsCmd        `cmd:"" help:"Build or check the prompts."`
	Calls          callsCmd          `cmd:"" help:"List calls, newest first."`
	Call           callCmd           `cmd:"" help:"Print what happened in a call."`
	Audit          auditCmd          `cmd:"" help:"Check the journal against what the service promises: exit 1 with what was found."`
	Messages       messagesCmd       `cmd:"" help:"List the messages callers left, newest first."`
	Outage         outageCmd         `cmd:"" help:"List calls that an outage cut off or turned away, newest first."`
	Agent          agentCmd          `cmd:"" help:"List agents, or change an agent's state, or whom an agent serves."`
	Queue          queueCmd          `cmd:"" help:"List queues or their rules, or change the rules while the service runs."`
	User           userCmd           `cmd:"" help:"List who may sign in, or change who may."`
	Changes        changesCmd        `cmd:"" help:"List who changed queues and agents, newest first."`
	Announce       announceCmd       `cmd:"" help:"Put an announcement in force, or take it off."`
	Drain          drainCmd          `cmd:"" help:"Let the running service take no new calls, and leave when its calls have ended."`
	Clock          clockCmd          `cmd:"" help:"Set the wall clock of a service that was started with --clock."`
	Version        versionCmd        `cmd:"" help:"Print the version."`
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	var c cli
	parser, err := kong.New(&c, kong.Name("hotline"), kong.UsageOnError(),
		kong.Description("A hotline that keeps its written service standard, and proves it."))
	if err != nil {
		fmt.Fprintln(os.Stderr, "hotline:", err)
		return 2
	}
	command, err := parser.Parse(args)
	parser.FatalIfErrorf(err)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	command.BindTo(ctx, (*context.Context)(nil))
	command.Bind(c.logger())
	err = command.BindToProvider(c.load)
	if err == nil {
		err = command.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "hotline:", err)
		return exitStatus(err)
	}
	return 0
}

// exitStatus is 3 for a service that must not be started again by itself, and
// 1 for every other mistake.
func exitStatus(err error) int {
	if errors.Is(err, errStranger) {
		return 3
	}
	return 1
}

// load reads the configuration that was named, or the one that is found.
func (c *cli) load() (*configs.Config, error) {
	if c.Config != "" {
		return configs.Load(c.Config)
	}
	if path := filepath.Join("configs", "hotline.yaml"); exists(path) {
		return configs.Load(path)
	}
	return configs.Parse("hotline.yaml", configs.DefaultYAML(), os.LookupEnv)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (c *cli) logger() *slog.Logger {
	level := slog.LevelInfo
	if c.Debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}
