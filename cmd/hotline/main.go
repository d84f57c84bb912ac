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
	"strings"
	"syscall"
	_ "time/tzdata" // the image has no zone files

	"github.com/alecthomas/kong"

	"hotline/configs"
)

// cli is every command there is; its help is the reference. What of the
// configuration a command uses has to be right for it, and nothing else: a secret
// that only the service's environment has keeps nobody else from asking the
// service. A command that does not say what it uses needs all of it.
type cli struct {
	Config string `short:"c" env:"HOTLINE_CONFIG" default:"" help:"The configuration; hotline.yaml in this folder, or configs/hotline.yaml, or what is built in where both are missing." type:"path"`
	Debug  bool   `help:"Log more."`

	Serve          serveCmd          `cmd:"" help:"Run the service."`
	CheckConfig    checkConfigCmd    `cmd:"" help:"Name every wrong line of the configuration."`
	AsteriskConfig asteriskConfigCmd `cmd:"" help:"Write Asterisk's configuration."`
	Calendar       calendarCmd       `cmd:"" uses:"service,hours" help:"Print a year's festivals and days off, or what plays at a moment."`
	Prompts        promptsCmd        `cmd:"" uses:"service,asterisk.root,asterisk.prompts" help:"Build or check the prompts."`
	Calls          callsCmd          `cmd:"" uses:"service" help:"List calls, newest first."`
	Call           callCmd           `cmd:"" uses:"service" help:"Print what happened in a call."`
	Audit          auditCmd          `cmd:"" uses:"service" help:"Check the journal against what the service promises: exit 1 with what was found."`
	Messages       messagesCmd       `cmd:"" uses:"service" help:"List the messages callers left, newest first."`
	Outage         outageCmd         `cmd:"" uses:"service" help:"List calls that an outage cut off or turned away, newest first."`
	Agent          agentCmd          `cmd:"" uses:"service" help:"List agents, or change an agent's state, or whom an agent serves."`
	Queue          queueCmd          `cmd:"" uses:"service" help:"List queues or their rules, or change the rules while the service runs."`
	User           userCmd           `cmd:"" uses:"service" help:"List who may sign in, or change who may."`
	Changes        changesCmd        `cmd:"" uses:"service" help:"List who changed queues and agents, newest first."`
	Announce       announceCmd       `cmd:"" uses:"service" help:"Put an announcement in force, or take it off."`
	Drain          drainCmd          `cmd:"" uses:"service" help:"Let the running service take no new calls, and leave when its calls have ended."`
	Clock          clockCmd          `cmd:"" uses:"service" help:"Set the wall clock of a service that was started with --clock."`
	Version        versionCmd        `cmd:"" help:"Print the version."`
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	var c cli
	parser, err := kong.New(&c, kong.Name("hotline"),
		kong.Description("A hotline that keeps its written service standard, and proves it."))
	if err != nil {
		fmt.Fprintln(os.Stderr, "hotline:", err)
		return 2
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "hotline:", misread(args, err))
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	command.BindTo(ctx, (*context.Context)(nil))
	command.Bind(c.logger(), configFile(c.file()))
	err = command.BindToProvider(func() (*configs.Config, error) { return c.load(used(command.Selected())...) })
	if err == nil {
		err = command.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "hotline:", err)
		return exitStatus(err)
	}
	return 0
}

// misread says why a command line cannot be read, and where help is.
func misread(args []string, err error) string {
	var parse *kong.ParseError
	if !errors.As(err, &parse) || parse.Context == nil || parse.Context.Selected() == nil {
		if len(args) == 0 {
			return "what is to be done? For example: hotline calls; hotline --help lists everything"
		}
		return err.Error() + "; hotline --help lists everything"
	}
	return fmt.Sprintf("%v; see: hotline %s --help", err, parse.Context.Selected().Path())
}

// exitStatus is 3 for a service that must not be started again by itself, and
// 1 for every other mistake.
func exitStatus(err error) int {
	if errors.Is(err, errStranger) {
		return 3
	}
	return 1
}

// load reads the configuration that was named, or the one that is found. Where
// parts are named only these have to be right.
func (c *cli) load(parts ...string) (*configs.Config, error) {
	cfg, err := configs.Read(c.file())
	if err == nil {
		err = cfg.Validate(parts...)
	}
	if err != nil {
		return nil, err
	}
	return cfg, nil
}

// used is what of the configuration a command says that it uses; nil is all.
func used(command *kong.Node) []string {
	for ; command != nil; command = command.Parent {
		if command.Tag != nil && command.Tag.Has("uses") {
			return strings.Split(command.Tag.Get("uses"), ",")
		}
	}
	return nil
}

// file is the configuration that was named, or the one that is found; "" is what
// is built in.
func (c *cli) file() string {
	if c.Config != "" {
		return c.Config
	}
	for _, path := range []string{"hotline.yaml", filepath.Join("configs", "hotline.yaml")} {
		if exists(path) {
			return path
		}
	}
	return ""
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
