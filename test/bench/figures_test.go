package main

import (
	"strings"
	"testing"
	"time"
)

func TestFiguresOfAbbaRounds(t *testing.T) {
	var f figures
	for _, v := range []float64{10, 12} {
		f.add("CPU", 1, peer, v)
	}
	for _, v := range []float64{5, 9} {
		f.add("CPU", 1, "hotline", v)
	}
	f.add("only ours", 0, "hotline", 7)
	table := f.table()
	for _, want := range []string{"| CPU | 11.0 (10.0–12.0) | 7.0 (5.0–9.0) | 0.62 (0.50–0.75) |", "| only ours | – | 7 | – |"} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
}

func TestPercentile(t *testing.T) {
	values := []time.Duration{5, 1, 4, 2, 3}
	for p, want := range map[float64]time.Duration{50: 3, 99: 5, 100: 5, 20: 1, 0: 1} {
		if got := percentile(values, p); got != want {
			t.Errorf("percentile %v of %v is %v, want %v", p, values, got, want)
		}
	}
	if got := percentile(nil, 50); got != 0 {
		t.Errorf("percentile of nothing is %v, want 0", got)
	}
}

// The name of a process may hold anything.
func TestParseStat(t *testing.T) {
	u, err := parseStat("7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 -11 0 12 0 999 123456 1000 184467 1 1 0")
	if err != nil {
		t.Fatal(err)
	}
	if u.cpu != 2*time.Second || u.resident%1000 != 0 || u.resident == 0 {
		t.Errorf("got %+v, want 2 s of processor and 1000 pages", u)
	}
	for _, bad := range []string{"", "7 (x) S 1", "7 (x) S 1 7 7 0 -1 4194560 100 0 0 0 many 50 0 0 -11 0 12 0 999 123456 1000 184467"} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("%q was taken for a stat file", bad)
		}
	}
}

func TestSectionsAreReplacedOrAdded(t *testing.T) {
	first := withSection("# Benchmarks\n", "bare", "A call", "one")
	if want := "# Benchmarks\n\n### A call\n\n<!-- bench bare -->\n\none\n\n<!-- end of bench bare -->\n"; first != want {
		t.Errorf("added as %q, want %q", first, want)
	}
	second := withSection(first+"\nafter\n", "bare", "A call", "two")
	if !strings.Contains(second, "two") || strings.Contains(second, "one") || !strings.HasSuffix(second, "\nafter\n") || strings.Count(second, "### ") != 1 {
		t.Errorf("replaced as %q", second)
	}
}
