package prompt

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"
)

// Status is what became of a prompt in a Build, or what a Check found.
type Status string

// Statuses of a Build are Built, Kept and Missing (it failed); of a Check OK, Missing, Stale, Loudness and Unknown.
const (
	Built    Status = "built"
	Kept     Status = "kept"
	OK       Status = "ok"
	Missing  Status = "missing"  // not in the library, or its files are damaged
	Stale    Status = "stale"    // the catalogue's entry changed after it was built
	Loudness Status = "loudness" // speech outside -20 ± 1 dBFS
	Unknown  Status = "unknown"  // in the library and not in the catalogue
)

// Line is one prompt of a report.
type Line struct {
	ID       string
	Source   string // Recorded, Placeholder or Composed; empty when missing
	Status   Status
	Duration time.Duration
	Loudness float64 // dBFS RMS over speech in the telephone band; 0 for silence
	Peak     float64 // dBFS
	Note     string  // what is wrong and what to do
}

// Problem tells whether somebody has to act. A placeholder is no problem by itself.
func (l Line) Problem() bool {
	return l.Status == Missing || l.Status == Stale || l.Status == Loudness
}

// Report is the outcome of a Build or a Check, generated prompts first, then in the catalogue's order.
type Report struct {
	Language string
	Lines    []Line
	Removed  []string // IDs whose files a Build deleted
}

func newLine(id string, status Status, e entry) Line {
	return Line{ID: id, Source: e.Source, Status: status, Duration: e.length(), Loudness: e.Loudness, Peak: e.Peak}
}

// Problems lists the prompts somebody has to act on.
func (r Report) Problems() []Line {
	var lines []Line
	for _, l := range r.Lines {
		if l.Problem() {
			lines = append(lines, l)
		}
	}
	return lines
}

// Placeholders lists the IDs that wait for a person's voice.
func (r Report) Placeholders() []string {
	var ids []string
	for _, l := range r.Lines {
		if l.Source == Placeholder {
			ids = append(ids, l.ID)
		}
	}
	return ids
}

// WriteTo prints the report: a line per prompt (generated ones only where something is wrong) and a summary.
func (r Report) WriteTo(w io.Writer) (int64, error) {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "prompt (%s)\tsource\tseconds\tdBFS\tstatus\n", r.Language)
	for _, l := range r.Lines {
		if l.Source == Composed && !l.Problem() {
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%.2f\t%.1f\t%s\n", l.ID, l.Source, l.Duration.Seconds(), l.Loudness, strings.TrimSpace(string(l.Status)+"  "+l.Note))
	}
	table.Flush()
	fmt.Fprintln(&text, r.summary())
	n, err := io.WriteString(w, text.String())
	return int64(n), err
}

// String is what WriteTo prints.
func (r Report) String() string {
	var b strings.Builder
	_, _ = r.WriteTo(&b) // a Builder does not fail
	return b.String()
}

func (r Report) summary() string {
	count := map[string]int{}
	for _, l := range r.Lines {
		count[l.Source]++
		count[string(l.Status)]++
	}
	parts := []string{fmt.Sprintf("%d prompts: %d recorded, %d placeholders, %d generated", len(r.Lines), count[Recorded], count[Placeholder], count[Composed])}
	for _, s := range []Status{Built, Kept, Missing, Stale, Loudness, Unknown} {
		if n := count[string(s)]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if len(r.Removed) > 0 {
		parts = append(parts, fmt.Sprintf("%d removed", len(r.Removed)))
	}
	return strings.Join(parts, "; ")
}

// Check compares a library with its catalogue: what is missing, stale, unknown or out of its loudness, and which
// prompts are placeholders. It looks at the index, not at the recordings: a recorded file changed since is found by Build.
func Check(l *Library, c *Catalogue) Report {
	r := Report{Language: c.Language}
	wanted := map[string]bool{}
	for _, p := range append(Generated(), c.Prompts...) {
		wanted[p.ID] = true
		r.Lines = append(r.Lines, checked(l, c, p))
	}
	for _, id := range spokenIDs(c.Language) {
		if !wanted[id] {
			r.Lines = append(r.Lines, Line{ID: id, Status: Missing, Note: "numbers and times are composed from it; add it to the catalogue"})
		}
	}
	for _, id := range l.IDs() {
		if !wanted[id] {
			line := newLine(id, Unknown, l.index.Prompts[id])
			line.Note = "not in the catalogue; the next build deletes it"
			r.Lines = append(r.Lines, line)
		}
	}
	return r
}

func checked(l *Library, c *Catalogue, p Prompt) Line {
	e, ok := l.index.Prompts[p.ID]
	if !ok {
		return Line{ID: p.ID, Status: Missing, Note: "build the prompts"}
	}
	line := newLine(p.ID, OK, e)
	switch {
	case e.Entry != digest(p) || l.Language() != c.Language:
		line.Status, line.Note = Stale, "the catalogue changed; build the prompts"
	case p.Length == 0 && math.Abs(e.Loudness-targetLoudness) > loudnessSlack:
		line.Status, line.Note = Loudness, fmt.Sprintf("want %.0f ± %.0f dBFS; record it again, less uneven", targetLoudness, loudnessSlack)
	}
	return line
}
