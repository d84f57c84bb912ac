package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"text/tabwriter"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/configs/asterisk"
	"hotline/ivr/prompt"
	"hotline/journal"
)

type checkConfigCmd struct{}

func (checkConfigCmd) Run(c *cli) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	catalogue, err := loadCatalogue(cfg)
	if err != nil {
		return err
	}
	var unknown []string
	for _, id := range cfg.PromptIDs() {
		if _, known := catalogue.Prompt(id); !known {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) > 0 {
		return fmt.Errorf("prompts named in hotline.yaml and not in %s.yaml: %v", cfg.Service.Language, unknown)
	}
	days, err := newCalendar(cfg)
	if err != nil {
		return err
	}
	for _, warning := range days.Warnings(time.Now()) {
		fmt.Println("warning:", warning)
	}
	fmt.Println("the configuration is right")
	return nil
}

type asteriskConfigCmd struct {
	Out string `arg:"" optional:"" help:"Folder to write the files to. Without it the whole instance is made ready: its folders, its music on hold, its etc." type:"path"`
}

func (a asteriskConfigCmd) Run(c *cli) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if a.Out == "" {
		return asterisk.Prepare(cfg)
	}
	return asterisk.Render(cfg, a.Out)
}

type calendarCmd struct {
	Year int    `arg:"" optional:"" help:"The year to print; this one where it is left out."`
	At   string `help:"Say what plays at this moment and why: '2027-02-06 09:00'."`
}

func (k calendarCmd) Run(c *cli) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	days, err := newCalendar(cfg)
	if err != nil {
		return err
	}
	if k.At != "" {
		moment, err := parseMoment(k.At, cfg.Service.Timezone.Location)
		if err != nil {
			return err
		}
		return days.Explain(os.Stdout, moment)
	}
	if k.Year == 0 {
		k.Year = time.Now().In(cfg.Service.Timezone.Location).Year()
	}
	return days.PrintYear(os.Stdout, k.Year)
}

type promptsCmd struct {
	Build promptsBuildCmd `cmd:"" help:"Render every prompt that is missing or has changed."`
	Check promptsCheckCmd `cmd:"" help:"List what is missing, stale, too loud or only a placeholder."`
}

type promptsBuildCmd struct {
	Wavs string `help:"Folder of the recorded WAV files that the catalogue names." default:"configs/prompts" type:"path"`
}

func (b promptsBuildCmd) Run(ctx context.Context, c *cli) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	catalogue, err := loadCatalogue(cfg)
	if err != nil {
		return err
	}
	report, err := prompt.Build(ctx, prompt.BuildOptions{Catalogue: catalogue, WavDir: b.Wavs, OutDir: cfg.PromptsOutside()})
	fmt.Println(summaryOf(report))
	return err
}

// summaryOf is a report's last line: a build need not list what it kept.
func summaryOf(r prompt.Report) string {
	lines := strings.Split(strings.TrimSpace(r.String()), "\n")
	return lines[len(lines)-1]
}

type promptsCheckCmd struct{}

func (promptsCheckCmd) Run(c *cli) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	catalogue, err := loadCatalogue(cfg)
	if err != nil {
		return err
	}
	library, err := prompt.OpenLibrary(cfg.PromptsOutside())
	if err != nil {
		return err
	}
	report := prompt.Check(library, catalogue)
	if _, err := report.WriteTo(os.Stdout); err != nil {
		return err
	}
	if problems := report.Problems(); len(problems) > 0 {
		return fmt.Errorf("%d prompts need somebody; see above", len(problems))
	}
	return nil
}

// loadCatalogue reads the catalogue of the service's language: the operator's
// where there is one, otherwise the one built in.
func loadCatalogue(cfg *configs.Config) (*prompt.Catalogue, error) {
	return prompt.LoadCatalogue(cfg.PromptTexts(), string(cfg.Service.Language)+".yaml")
}

type callsCmd struct {
	JSON  bool `name:"json" help:"Print JSON, a call per line."`
	Limit int  `default:"50" help:"How many at most."`
}

func (l callsCmd) Run(ctx context.Context, c *cli) error {
	return withJournal(ctx, c, func(r *journal.Reader) error {
		streams, err := r.Streams(ctx, "call/", l.Limit)
		if err != nil {
			return err
		}
		out := tabwriter.NewWriter(os.Stdout, 2, 0, 2, ' ', 0)
		if !l.JSON {
			fmt.Fprintln(out, "CALL\tAT\tFROM\tRESULT\tREASON\tAGENT\tWAITED\tRATING\tHUNG UP")
		}
		for _, stream := range streams {
			s, err := summary(ctx, r, stream)
			if err != nil {
				return err
			}
			if l.JSON {
				if err := json.NewEncoder(os.Stdout).Encode(s); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%.1f\t%s\t%s\n", s.ID, s.At.Local().Format("01-02 15:04:05"),
				s.Number, orDash(s.Outcome.Result), orDash(s.Outcome.Reason), orDash(s.Agent), s.Waited, stars(s.Rating), s.HungUp)
		}
		return out.Flush()
	})
}

func summary(ctx context.Context, r *journal.Reader, stream string) (call.Summary, error) {
	first := call.Summary{ID: strings.TrimPrefix(stream, "call/")}
	return journal.Fold(r.Read(ctx, journal.Query{Stream: stream}), first, call.Summary.Fold)
}

type callCmd struct {
	ID   string `arg:"" help:"The call's ID, or 'last'."`
	JSON bool   `name:"json" help:"Print the entries as JSON, one per line."`
}

func (k callCmd) Run(ctx context.Context, c *cli) error {
	return withJournal(ctx, c, func(r *journal.Reader) error {
		stream := call.Stream(k.ID)
		if k.ID == "last" {
			streams, err := r.Streams(ctx, "call/", 1)
			if err != nil || len(streams) == 0 {
				return fmt.Errorf("there is no call yet: %w", err)
			}
			stream = streams[0]
		}
		var entries []journal.Entry
		for entry, err := range r.Read(ctx, journal.Query{Stream: stream}) {
			if err != nil {
				return err
			}
			entries = append(entries, entry)
		}
		if len(entries) == 0 {
			return fmt.Errorf("no call %q; list them with: hotline calls", k.ID)
		}
		if k.JSON {
			return printEntries(os.Stdout, entries)
		}
		fmt.Println(strings.TrimPrefix(stream, "call/"))
		return call.Timeline(os.Stdout, entries)
	})
}

// printEntries writes entries as JSON, one per line.
func printEntries(w io.Writer, entries []journal.Entry) error {
	encoder := json.NewEncoder(w)
	for _, e := range entries {
		line := struct {
			Seq     int64           `json:"seq"`
			At      time.Time       `json:"at"`
			Kind    string          `json:"kind"`
			Streams []string        `json:"streams"`
			Data    json.RawMessage `json:"data"`
		}{e.Seq, e.At, e.Kind, e.Streams, e.Data}
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

type messagesCmd struct {
	JSON  bool `name:"json" help:"Print JSON, a message per line."`
	Limit int  `default:"50" help:"How many at most."`
}

// message is a line of `hotline messages`.
type message struct {
	Call string    `json:"call"`
	At   time.Time `json:"at"`
	call.LeftMessage
}

func (m messagesCmd) Run(ctx context.Context, c *cli) error {
	return withJournal(ctx, c, func(r *journal.Reader) error {
		out := tabwriter.NewWriter(os.Stdout, 2, 0, 2, ' ', 0)
		if !m.JSON {
			fmt.Fprintln(out, "AT\tNUMBER\tSECONDS\tBECAUSE\tFILE")
		}
		query := journal.Query{Kinds: []string{call.KindMessage}, Newest: true, Limit: m.Limit}
		for entry, err := range r.Read(ctx, query) {
			if err != nil {
				return err
			}
			line := message{Call: strings.TrimPrefix(entry.Streams[0], "call/"), At: entry.At}
			if err := entry.Decode(&line.LeftMessage); err != nil {
				return err
			}
			if m.JSON {
				if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(out, "%s\t%s\t%.0f\t%s\t%s\n", line.At.Local().Format("01-02 15:04:05"),
				orDash(line.Number), line.Seconds, line.Reason, orDash(line.File))
		}
		return out.Flush()
	})
}

func withJournal(ctx context.Context, c *cli, do func(*journal.Reader) error) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	r, err := journal.OpenReader(ctx, cfg.Journal())
	if err != nil {
		return err
	}
	defer r.Close()
	return do(r)
}

type agentCmd struct {
	Verb   string `arg:"" default:"list" enum:"list,sign-in,sign-out,pause,ready" help:"list, sign-in, sign-out, pause or ready."`
	ID     string `arg:"" optional:"" help:"The agent: 1001."`
	Reason string `help:"Why, with pause."`
}

func (a agentCmd) Run(ctx context.Context, c *cli) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
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
				agent.Since.Local().Format("01-02 15:04:05"), orDash(agent.Call), agent.Reason)
		}
	}
	return out.Flush()
}

type announceCmd struct {
	Name   string `arg:"" optional:"" help:"The announcement in hotline.yaml: outage, closed. Without it: what is in force."`
	Switch string `arg:"" optional:"" default:"on" enum:"on,off" help:"on or off."`
}

func (a announceCmd) Run(ctx context.Context, c *cli) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
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

func (k clockCmd) Run(ctx context.Context, c *cli) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	answer, err := ask(ctx, cfg.ControlSocket(), "POST", "/clock?at="+url.QueryEscape(k.At))
	if err != nil {
		return err
	}
	fmt.Println("the service's clock says", answer.Now.In(cfg.Service.Timezone.Location).Format("2006-01-02 15:04:05"))
	return nil
}

type versionCmd struct{}

func (versionCmd) Run() error {
	version := "development"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	fmt.Println(filepath.Base(os.Args[0]), version)
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func stars(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}
