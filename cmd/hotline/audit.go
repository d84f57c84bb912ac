package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/journal"
	"hotline/journal/audit"
)

type auditCmd struct {
	Since string `help:"Judge what happened since then: '2027-02-06 09:00', or '24h' ago."`
	JSON  bool   `name:"json" help:"Print JSON: a finding per line, the summary last."`
	Files bool   `default:"true" negatable:"" help:"Look for recordings and messages on the disk, too."`
}

// Run returns an error, so that the command exits with 1, when anything was found.
func (k auditCmd) Run(ctx context.Context, cfg *configs.Config) error {
	since, err := k.since(time.Now(), cfg.Service.Timezone.Location)
	if err != nil {
		return err
	}
	return withJournal(ctx, cfg, func(r *journal.Reader) error {
		report, err := audit.Run(ctx, r, audit.Options{
			Since: since, Files: k.Files,
			Reported: func(ctx context.Context, last int64) (map[string]int, error) { return reported(ctx, r, since, last) },
		})
		if err != nil {
			return err
		}
		if k.JSON {
			err = printAuditJSON(os.Stdout, report)
		} else {
			err = printAudit(os.Stdout, report)
		}
		if err == nil && !report.Clean() {
			err = fmt.Errorf("%s", report)
		}
		return err
	})
}

// since is the moment from which on is judged; zero is from the beginning.
func (k auditCmd) since(now time.Time, zone *time.Location) (time.Time, error) {
	if k.Since == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(k.Since); err == nil {
		return now.Add(-ago.Abs()), nil
	}
	return parseMoment(k.Since, zone)
}

// reported are the totals of what `hotline calls` shows, of calls that arrived
// since then, from entries up to last.
func reported(ctx context.Context, r *journal.Reader, since time.Time, last int64) (map[string]int, error) {
	begins, err := firstSince(ctx, r, since)
	if err != nil {
		return nil, err
	}
	streams, err := r.Streams(ctx, "call/", 0)
	if err != nil {
		return nil, err
	}
	totals := map[string]int{}
	for _, stream := range streams { // the newest call first
		first, s := int64(0), call.Summary{ID: strings.TrimPrefix(stream, "call/")}
		for e, err := range r.Read(ctx, journal.Query{Stream: stream}) {
			if err != nil {
				return nil, err
			}
			if first == 0 {
				first = e.Seq
			}
			if e.Seq <= last {
				s = s.Fold(e)
			}
		}
		if first < begins {
			break
		}
		if first <= last && (since.IsZero() || !s.At.Before(since)) {
			addToTotals(totals, s)
		}
	}
	return totals, nil
}

// firstSince is the number of the first entry since then; 1 when there is none.
func firstSince(ctx context.Context, r *journal.Reader, since time.Time) (int64, error) {
	first := journal.Query{Since: since, Limit: 1}
	return journal.Fold(r.Read(ctx, first), 1, func(_ int64, e journal.Entry) int64 { return e.Seq })
}

func addToTotals(totals map[string]int, s call.Summary) {
	totals[audit.TotalCalls]++
	if s.Outcome.Result == "" {
		totals[audit.TotalOpen]++
	} else {
		totals[audit.TotalResult(s.Outcome.Result)]++
	}
	if s.Message != nil {
		totals[audit.TotalMessages]++
	}
	if s.Agent != "" {
		totals[audit.TotalTalks]++
	}
	if s.Rating > 0 {
		totals[audit.TotalRatings]++
	}
}

// printAudit writes one line where nothing was found, and otherwise the checks
// and the findings.
func printAudit(w io.Writer, r *audit.Report) error {
	if r.Clean() {
		_, err := fmt.Fprintln(w, r)
		return err
	}
	out := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	fmt.Fprintln(out, "CHECK\tLOOKED AT\tFINDINGS\tSTANDARD")
	for _, c := range r.Checks {
		fmt.Fprintf(out, "%s\t%d\t%d\t%s\n", c.ID, c.Looked, c.Count, c.Means)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nCHECK\tCALL\tAGENT\tENTRIES\tWHAT")
	for _, c := range r.Checks {
		for _, f := range c.Findings {
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\n", f.Check, orDash(f.Call), orDash(f.Agent), orDash(numbers(f.Entries)), f.What)
		}
		if more := c.Count - len(c.Findings); more > 0 {
			fmt.Fprintf(out, "%s\t-\t-\t-\tand %d more\n", c.ID, more)
		}
	}
	return out.Flush()
}

func numbers(list []int64) string { return strings.Trim(fmt.Sprint(list), "[]") }

func printAuditJSON(w io.Writer, r *audit.Report) error {
	encoder := json.NewEncoder(w)
	for _, f := range r.Findings() {
		if err := encoder.Encode(f); err != nil {
			return err
		}
	}
	return encoder.Encode(r)
}
