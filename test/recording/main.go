// Command recording finds out what Asterisk's ways of recording a call keep, and
// what they cost: every candidate records one call over prompts, silence, talk,
// hold, talk and prompts, and both channels of its file are compared with what
// the caller's phone sent and heard. It owns the figures of docs/recording.md and
// must not know the service: it speaks to Asterisk itself.
//
//	go run ./test/recording              all candidates, as a table
//	go run ./test/recording -only D      those whose name contains D
//	go run ./test/recording -v           and every call's transcripts
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"
	"time"

	"hotline/test/stand"
)

func main() {
	only := flag.String("only", "", "run only candidates whose name contains this")
	pairs := flag.Int("pairs", 30, "pairs of phones for the CPU figure; 0 leaves it out")
	calls := flag.Bool("calls", true, "record calls and judge them; false leaves the CPU figure alone")
	verbose := flag.Bool("v", false, "print transcripts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *only, *pairs, *calls, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "recording:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, pairs int, calls, verbose bool) error {
	asterisk, err := stand.Start(ctx, stand.Options{})
	if err != nil {
		return err
	}
	defer func() {
		if err := asterisk.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "recording: stop Asterisk:", err)
		}
	}()
	lab, err := open(ctx, asterisk)
	if err != nil {
		return err
	}
	defer lab.close()
	lab.verbose = verbose

	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "candidate\tcaller\tleft\tright\tdrift ms\tduration error s\trequests\tCPU %")
	for _, c := range candidates() {
		if !strings.Contains(c.name, only) {
			continue
		}
		cpu := ""
		if pairs > 0 {
			if cpu, err = lab.load(ctx, c, pairs, 10*time.Second); err != nil {
				return fmt.Errorf("%s with %d pairs: %w", c.name, pairs, err)
			}
		}
		for _, dtx := range []bool{false, true} {
			var v verdict
			if calls {
				if v, err = lab.try(ctx, c, dtx); err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
			}
			sends := map[bool]string{false: "always sends", true: "sends only speech"}[dtx]
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%.0f\t%+.3f\t%s\t%s\n", c.name, sends, v.left, v.right,
				float64(v.drift)/float64(time.Millisecond), v.durationError.Seconds(), c.requests, cpu)
			if err := table.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}
