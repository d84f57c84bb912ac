// Command bench measures the service beside app_queue: on one Asterisk, with the same callers and agents, in turn. It
// writes what it finds into docs/benchmarks.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// plan is what a run is to do.
type plan struct {
	rounds  int
	short   bool
	doc     string
	measure []measure
	command string
}

func run(ctx context.Context, args []string) error {
	p, err := parse(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "hotline-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, m := range p.measure {
		limit := time.Duration(p.rounds) * m.limit(p.short) * time.Duration(len(contestants))
		if one := p.carryOut(ctx, m, filepath.Join(dir, m.name), limit); one != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", m.name, one))
			say("%v", err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return err
}

// carryOut takes one measure and writes its figures down.
func (p plan) carryOut(ctx context.Context, m measure, dir string, limit time.Duration) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than %v", limit))
	defer cancel()
	say("%s: %d round(s), %v at most", m.name, p.rounds, limit)
	f, err := newField(ctx, dir, m.agents)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var out figures
	for range p.rounds {
		for _, c := range p.order(m) {
			say("  %s", c.name)
			if err := m.take(ctx, f, c, p.short, &out); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	text := out.table() + "\n" + p.circumstances(f, m)
	fmt.Println(text)
	return writeSection(p.doc, m.name, m.title, text)
}

// order is that of a round. In a short run each has one turn where a turn is long and has a distribution of its own.
func (p plan) order(m measure) []contestant {
	if p.short && m.once {
		return contestants
	}
	return abba(contestants)
}

// abba is everybody once, and once again in the reverse order: what drifts while the machine is measured falls on all
// of them alike.
func abba(list []contestant) []contestant {
	back := slices.Clone(list)
	slices.Reverse(back)
	return append(slices.Clone(list), back...)
}

func parse(args []string) (p plan, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&p.rounds, "rounds", 3, "how often everybody has two turns")
	flags.BoolVar(&p.short, "short", false, "fewer calls, callers and samples: minutes instead of an hour")
	flags.StringVar(&p.doc, "doc", filepath.Join("docs", "benchmarks.md"), "where the results are written; empty: nowhere")
	only := flags.String("only", "", "measures, with commas: "+strings.Join(names(), ", ")+"; empty: all")
	against := flags.String("against", "", "contestants beside "+peer+", with commas; empty: all")
	if err := flags.Parse(args); err != nil {
		return p, err
	}
	if p.rounds < 1 || p.rounds > 20 {
		return p, errors.New("-rounds: use 1 to 20")
	}
	p.command = "make bench"
	if p.rounds != 3 {
		p.command += fmt.Sprintf(" ROUNDS=%d", p.rounds)
	}
	if p.short {
		p.command += " SHORT=1"
	}
	wanted := strings.FieldsFunc(*only, func(r rune) bool { return r == ',' })
	for _, name := range wanted {
		if !slices.Contains(names(), name) {
			return p, fmt.Errorf("-only: there is no measure %q; use %s", name, strings.Join(names(), ", "))
		}
	}
	for _, m := range measures {
		if len(wanted) == 0 || slices.Contains(wanted, m.name) {
			p.measure = append(p.measure, m)
		}
	}
	if *only != "" {
		p.command += " ONLY=" + *only
	}
	if *against != "" {
		chosen := strings.Split(*against, ",")
		contestants = slices.DeleteFunc(contestants, func(c contestant) bool { return c.name != peer && !slices.Contains(chosen, c.name) })
	}
	return p, nil
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}
