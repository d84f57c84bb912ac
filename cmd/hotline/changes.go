package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"hotline/configs"
	"hotline/journal"
	"hotline/queue"
)

type changesCmd struct {
	JSON  bool `name:"json" help:"Print the entries as JSON, one per line, with the rules and profiles as they became."`
	Limit int  `default:"50" help:"How many at most."`
}

func (c changesCmd) Run(ctx context.Context, cfg *configs.Config) error {
	return withJournal(ctx, cfg, func(r *journal.Reader) error { return c.print(ctx, os.Stdout, r, cfg) })
}

// changed is what can be changed of queues and agents, in words.
var changed = map[string]string{
	queue.KindRules: "rules of queue", queue.KindRemoved: "removed queue",
	queue.KindProfile: "profile of agent", queue.KindLetGo: "removed agent",
}

// print lists who changed what, newest first: hotline.yaml at a start, or
// whoever asked for it while the service ran.
func (c changesCmd) print(ctx context.Context, w io.Writer, r *journal.Reader, cfg *configs.Config) error {
	var entries []journal.Entry
	for e, err := range r.Read(ctx, journal.Query{Kinds: ruledKinds, Newest: true, Limit: c.Limit}) {
		if err != nil {
			return err
		}
		entries = append(entries, e)
	}
	if c.JSON {
		return printEntries(w, entries)
	}
	out := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	fmt.Fprintln(out, "AT\tWHAT\tBY")
	for _, e := range entries {
		var change queue.Change
		if err := e.Decode(&change); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\t%s %s\t%s\n", shown(e.At, cfg), changed[e.Kind], change.Queue+change.Agent, orDash(change.By))
	}
	return out.Flush()
}
