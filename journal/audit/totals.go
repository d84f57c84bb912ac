package audit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Names of totals, for Options.Reported.
const (
	TotalCalls    = "calls"      // that arrived
	TotalOpen     = "unfinished" // without a result
	TotalMessages = "messages"   // calls in which one was left
	TotalTalks    = "talks"      // calls in which there was one with an agent
	TotalRatings  = "ratings"    // calls that were rated
)

// TotalResult is the name of the total of calls that ended with a result ("served").
func TotalResult(result string) string { return "result " + result }

// totals is I8: what reports say equals what the entries say, counted here once more and otherwise: entry by entry
// where a report folds call by call.
type totals struct {
	tally
	entries map[string]int
}

func newTotals(t tally) *totals { return &totals{tally: t, entries: map[string]int{}} }

func (c *totals) see(e *entry) {
	v := e.visit
	if v == nil {
		return
	}
	if v.arrived.seq == e.Seq && c.counts(v.at) {
		c.entries[TotalCalls]++
	}
	switch d := e.data.(type) {
	case *message:
		v.messaged = true
	case *talk:
		v.talked = v.talked || d.Agent != ""
	case *rated:
		v.score = d.Score
	case *ended:
		if d.Result != "" && c.counts(v.at) {
			c.entries[TotalResult(d.Result)]++
		}
	}
}

// counts says whether a call that arrived then is one of those counted.
func (c *totals) counts(at time.Time) bool { return c.since.IsZero() || !at.Before(c.since) }

// count adds what can be told of a call only when all of it has been seen.
func (c *totals) count(v *visit) {
	if !c.counts(v.at) {
		return
	}
	for name, yes := range map[string]bool{
		TotalOpen: v.result.Result == "", TotalMessages: v.messaged, TotalTalks: v.talked, TotalRatings: v.score > 0,
	} {
		if yes {
			c.entries[name]++
		}
	}
}

func (c *totals) end() {}

// compare asks for the totals of the reports. Its error says that they could not be had.
func (c *totals) compare(ctx context.Context, reported func(context.Context, int64) (map[string]int, error), last int64) error {
	if reported == nil {
		c.Skipped = "no report was handed in"
		return nil
	}
	report, err := reported(ctx, last)
	if err != nil {
		return fmt.Errorf("totals of the reports: %w", err)
	}
	names := maps.Clone(c.entries)
	maps.Copy(names, report)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		c.Looked++
		if report[name] != c.entries[name] {
			c.find("", "", nil, "%s: the reports say %d, the entries %d", name, report[name], c.entries[name])
		}
	}
	return nil
}
