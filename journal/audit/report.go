package audit

import (
	"fmt"
	"time"
)

// Report is what an audit found.
type Report struct {
	Calls   int      `json:"calls"`   // that arrived, at Options.Since or later
	Entries int      `json:"entries"` // read
	Checks  []*Check `json:"checks"`
}

// Check is one of the standards and what speaks against it.
type Check struct {
	ID      string `json:"id"`   // "I1"
	Name    string `json:"name"` // "endings"
	Means   string `json:"means"`
	Looked  int    `json:"looked"`            // at so many cases
	Skipped string `json:"skipped,omitempty"` // why it was not checked at all
	Except  string `json:"except,omitempty"`  // what of it was not checked, and why
	Count   int    `json:"count"`             // of findings

	// Findings are the first of them, MaxFindings at most.
	Findings []Finding `json:"-"`
}

// MaxFindings is how many findings of a check are kept; Check.Count has them all.
const MaxFindings = 1000

// Finding is one case in which a standard was not kept.
type Finding struct {
	Check   string    `json:"check"`
	Call    string    `json:"call,omitempty"`
	Agent   string    `json:"agent,omitempty"`
	Entries []int64   `json:"entries,omitempty"` // the Seq of those that show it
	At      time.Time `json:"at,omitzero"`       // of the last of them
	What    string    `json:"what"`
}

// Clean says that nothing was found.
func (r *Report) Clean() bool { return r.Count() == 0 }

// Count is how many findings there are.
func (r *Report) Count() int {
	n := 0
	for _, c := range r.Checks {
		n += c.Count
	}
	return n
}

// Findings are those of all checks, in the checks' order.
func (r *Report) Findings() []Finding {
	var all []Finding
	for _, c := range r.Checks {
		all = append(all, c.Findings...)
	}
	return all
}

// String is the report in one line, with what was not checked.
func (r *Report) String() string {
	checks, without := 0, ""
	for _, c := range r.Checks {
		if c.Skipped != "" {
			without += fmt.Sprintf("; %s not checked: %s", c.ID, c.Skipped)
			continue
		}
		checks++
		if c.Except != "" {
			without += fmt.Sprintf("; %s without %s", c.ID, c.Except)
		}
	}
	verdict := "clean"
	if n := r.Count(); n > 0 {
		verdict = fmt.Sprintf("%d findings", n)
	}
	return fmt.Sprintf("audited %d calls, %d entries, %d checks: %s%s", r.Calls, r.Entries, checks, verdict, without)
}

// mark is an entry by its number and time; the zero mark is none.
type mark struct {
	seq int64
	at  time.Time
}

// tally is a check being filled in.
type tally struct {
	*Check
	since time.Time
}

// find notes a finding about a call or an agent or both, with the entries that show it in their order.
func (t *tally) find(call, agent string, shown []mark, what string, args ...any) {
	f := Finding{Check: t.ID, Call: call, Agent: agent, What: fmt.Sprintf(what, args...)}
	for _, m := range shown {
		if m.seq != 0 {
			f.Entries = append(f.Entries, m.seq)
			f.At = m.at
		}
	}
	if f.At.Before(t.since) && len(f.Entries) > 0 {
		return
	}
	if t.Count++; len(t.Check.Findings) < MaxFindings {
		t.Check.Findings = append(t.Check.Findings, f)
	}
}
