package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// table shows the median of each contestant with its range, and how the others compare with the peer.
func (f *figures) table() string {
	var b strings.Builder
	b.WriteString("| |")
	for _, c := range contestants {
		fmt.Fprintf(&b, " %s |", c.name)
		if c.name != peer {
			b.WriteString(" ratio |")
		}
	}
	b.WriteString("\n|---|")
	for _, c := range contestants {
		b.WriteString("---|")
		if c.name != peer {
			b.WriteString("---|")
		}
	}
	b.WriteString("\n")
	for _, row := range f.rows {
		fmt.Fprintf(&b, "| %s |", row.name)
		for _, c := range contestants {
			values := row.of[c.name]
			if len(values) == 0 {
				b.WriteString(" – |")
			} else {
				fmt.Fprintf(&b, " %s |", spreadOf(values).text(row.digit))
			}
			if c.name == peer {
				continue
			}
			if r := ratios(values, row.of[peer]); len(r) > 0 {
				fmt.Fprintf(&b, " %s |", spreadOf(r).text(ratioDigits(spreadOf(r).median)))
			} else {
				b.WriteString(" – |")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func ratioDigits(r float64) int {
	if r < 0.1 {
		return 3
	}
	return 2
}

// circumstances say where the figures come from.
func (p plan) circumstances(f *field, m measure) string {
	turns := fmt.Sprintf("Median (range) of %d turns each, in the order ABBA; ratios are to %s, turn by turn.", 2*p.rounds, peer)
	if n := p.rounds * len(p.order(m)) / len(contestants); n < 2*p.rounds {
		turns = fmt.Sprintf("%d turn(s) each, one after the other; ratios are to %s.", n, peer)
	}
	return fmt.Sprintf("%s\n\n%s %s, by `%s`: %s, %s, %s, %s.\n",
		m.about, turns, time.Now().UTC().Format("2006-01-02 15:04 UTC"), p.command,
		machine(), runtime.Version(), f.version(), sippVersion())
}

// machine is the processor and the memory of this one.
func machine() string {
	return fmt.Sprintf("%d × %s, %s", runtime.NumCPU(), procField("/proc/cpuinfo", "model name"), procField("/proc/meminfo", "MemTotal"))
}

func procField(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if what, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(what) == name {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	return "unknown"
}

// version is Asterisk's.
func (f *field) version() string {
	out, err := exec.Command("chroot", f.Config.Asterisk.Root, "asterisk", "-V").Output()
	if err != nil {
		return "Asterisk of an unknown version"
	}
	return strings.TrimSpace(string(out))
}

func sippVersion() string {
	out, _ := exec.CommandContext(context.Background(), "sipp", "-v").Output() // it exits with a status of its own
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "SIPp") {
			return strings.TrimSuffix(line, ".")
		}
	}
	return "SIPp"
}

// writeSection replaces what stands between the measure's marks in the document, or adds it with its title at the end.
func writeSection(doc, name, title, text string) error {
	if doc == "" {
		return nil
	}
	old, err := os.ReadFile(doc)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(doc, []byte(withSection(string(old), name, title, text)), 0o644)
}

func withSection(doc, name, title, text string) string {
	begin, end := fmt.Sprintf("<!-- bench %s -->\n", name), fmt.Sprintf("<!-- end of bench %s -->\n", name)
	whole := begin + "\n" + strings.TrimSpace(text) + "\n\n" + end
	before, rest, found := strings.Cut(doc, begin)
	if _, after, closed := strings.Cut(rest, end); found && closed {
		return before + whole + after
	}
	return strings.TrimRight(doc, "\n") + "\n\n### " + title + "\n\n" + whole
}
