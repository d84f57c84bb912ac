package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/journal"
)

// Commands about what happened: readings of the journal, beside the service.

type callsCmd struct {
	JSON  bool `name:"json" help:"Print JSON, a call per line."`
	Limit int  `default:"50" help:"How many at most."`
}

func (l callsCmd) Run(ctx context.Context, cfg *configs.Config) error {
	return withJournal(ctx, cfg, func(r *journal.Reader) error {
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
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%.1f\t%s\t%s\n", s.ID, shown(s.At, cfg),
				orDash(s.Number), orDash(s.Outcome.Result), orDash(s.Outcome.Reason), orDash(strings.Join(s.Agents, ",")), s.Waited, stars(s.Rating), orDash(s.HungUp))
		}
		return out.Flush()
	})
}

// shown is a moment on the hotline's clock, as all commands show it and read it.
func shown(at time.Time, cfg *configs.Config) string {
	return at.In(cfg.Service.Timezone.Location).Format("01-02 15:04:05")
}

func summary(ctx context.Context, r *journal.Reader, stream string) (call.Summary, error) {
	first := call.Summary{ID: strings.TrimPrefix(stream, "call/")}
	return journal.Fold(r.Read(ctx, journal.Query{Stream: stream}), first, call.Summary.Fold)
}

type callCmd struct {
	ID   string `arg:"" help:"The call's ID, or 'last'."`
	JSON bool   `name:"json" help:"Print the entries as JSON, one per line."`
}

func (k callCmd) Run(ctx context.Context, cfg *configs.Config) error {
	return withJournal(ctx, cfg, func(r *journal.Reader) error {
		stream := call.Stream(k.ID)
		if k.ID == "last" {
			streams, err := r.Streams(ctx, "call/", 1)
			if err != nil {
				return err
			}
			if len(streams) == 0 {
				return errors.New("there is no call yet")
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

func (m messagesCmd) Run(ctx context.Context, cfg *configs.Config) error {
	return withJournal(ctx, cfg, func(r *journal.Reader) error {
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
			fmt.Fprintf(out, "%s\t%s\t%.0f\t%s\t%s\n", shown(line.At, cfg),
				orDash(line.Number), line.Seconds, line.Reason, orDash(line.File))
		}
		if err := out.Flush(); err != nil || m.JSON {
			return err
		}
		return printOutageHint(ctx, os.Stdout, r, time.Now())
	})
}

func withJournal(ctx context.Context, cfg *configs.Config, do func(*journal.Reader) error) error {
	r, err := journal.OpenReader(ctx, cfg.Journal())
	if errors.Is(err, fs.ErrNotExist) {
		state, absErr := filepath.Abs(cfg.Service.StateDir)
		if absErr != nil {
			state = cfg.Service.StateDir
		}
		return fmt.Errorf("no service has run here yet: there is no journal in %s (service.state_dir)", state)
	}
	if err != nil {
		return err
	}
	defer r.Close()
	return do(r)
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
