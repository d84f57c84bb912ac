package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/journal"
)

type outageCmd struct {
	Since time.Duration `default:"24h" help:"How far back: what the journal has known for so long, 72h after a weekend."`
	JSON  bool          `name:"json" help:"Print JSON, a call per line."`
}

// Run lists whom an outage cut off or turned away, with their whole numbers:
// whoever calls back needs them.
func (o outageCmd) Run(ctx context.Context, cfg *configs.Config) error {
	return withJournal(ctx, cfg, func(r *journal.Reader) error {
		since := time.Now().Add(-o.Since)
		list, err := outageCalls(ctx, r, since)
		if err != nil {
			return err
		}
		if o.JSON {
			return encodeOutage(os.Stdout, list)
		}
		return printOutage(os.Stdout, list, since.In(cfg.Service.Timezone.Location))
	})
}

// outageCalls are those the journal has known of since that moment, newest
// first.
func outageCalls(ctx context.Context, r *journal.Reader, since time.Time) ([]call.OutageCall, error) {
	from, err := outageBegan(ctx, r, since)
	if err != nil {
		return nil, err
	}
	after, err := lastArrivalBefore(ctx, r, from.Add(-outageMargin))
	if err != nil {
		return nil, err
	}
	query := journal.Query{Kinds: call.OutageKinds, After: after}
	outages, err := journal.Fold(r.Read(ctx, query), call.Outages{}, call.Outages.Fold)
	return outages.Calls(since), err
}

// outageMargin is more than a call rings: one that rang when the net let go of
// it has arrived by then.
const outageMargin = time.Hour

// outageBegan is when the first of those calls began.
func outageBegan(ctx context.Context, r *journal.Reader, since time.Time) (time.Time, error) {
	from := since
	for e, err := range r.Read(ctx, journal.Query{Kinds: []string{call.KindEnded, call.KindNetCaller}, Newest: true}) {
		if err != nil || e.At.Before(since) {
			return from, err
		}
		began := e.At
		if e.Kind == call.KindNetCaller {
			began = netEntered(e)
		} else if call.CutOff(e) {
			if began, err = callBegan(ctx, r, e); err != nil {
				return from, err
			}
		}
		if began.Before(from) {
			from = began
		}
	}
	return from, nil
}

func netEntered(e journal.Entry) time.Time {
	var d call.NetCaller
	if e.Decode(&d) != nil {
		return e.At
	}
	return d.Entered
}

// callBegan is when the first entry of a call was written.
func callBegan(ctx context.Context, r *journal.Reader, end journal.Entry) (time.Time, error) {
	i := slices.IndexFunc(end.Streams, func(s string) bool { return strings.HasPrefix(s, call.Stream("")) })
	if i < 0 {
		return end.At, nil
	}
	query := journal.Query{Stream: end.Streams[i], Limit: 1}
	return journal.Fold(r.Read(ctx, query), end.At, func(_ time.Time, e journal.Entry) time.Time { return e.At })
}

// lastArrivalBefore is where to read from to miss no call that arrived later.
func lastArrivalBefore(ctx context.Context, r *journal.Reader, moment time.Time) (seq int64, err error) {
	for e, err := range r.Read(ctx, journal.Query{Kinds: []string{call.KindArrived}, Newest: true}) {
		if err != nil || e.At.Before(moment) {
			return e.Seq, err
		}
	}
	return 0, nil
}

func encodeOutage(w io.Writer, list []call.OutageCall) error {
	encoder := json.NewEncoder(w)
	for _, one := range list {
		if err := encoder.Encode(one); err != nil {
			return err
		}
	}
	return nil
}

// printOutage writes a table, with times in the zone of since.
func printOutage(w io.Writer, list []call.OutageCall, since time.Time) error {
	if len(list) == 0 {
		_, err := fmt.Fprintf(w, "no call was cut off or turned away by an outage since %s\n", since.Format("2006-01-02 15:04"))
		return err
	}
	out := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	fmt.Fprintln(out, "TIME\tNUMBER\tSTAGE\tWAITED/TALKED\tHOW\tSINCE\tCALL")
	for _, one := range list {
		number := one.Number
		if number == "" {
			number = "withheld"
		}
		how := one.How
		if one.Why != "" {
			how += ": " + one.Why
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s/%s\t%s\t%s\t%s\n", one.At.In(since.Location()).Format("01-02 15:04:05"),
			number, one.Stage, minutes(one.Waited), minutes(one.Talked), how, orDash(one.Since), one.Call)
	}
	return out.Flush()
}

// minutes writes seconds as 12:05; "-" for none.
func minutes(seconds float64) string {
	whole := int(seconds + 0.5)
	if whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%d:%02d", whole/60, whole%60)
}

// printOutageHint says in a line that there are calls to be called back today,
// and nothing when there are none.
func printOutageHint(ctx context.Context, w io.Writer, r *journal.Reader, now time.Time) error {
	list, err := outageCalls(ctx, r, time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location()))
	if err != nil || len(list) == 0 {
		return err
	}
	waiting := 0
	for _, one := range list {
		if one.Since == "" || one.Since == call.SinceRang {
			waiting++
		}
	}
	_, err = fmt.Fprintf(w, "\ncalls cut off or turned away by an outage today: %d, of which still to be called back: %d; see: hotline outage\n",
		len(list), waiting)
	return err
}
