package calendar

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// only2026 keeps the golden files as they are when a notice is added.
func only2026(t testing.TB) *Calendar {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(shippedHolidays, "2026.json"))
	if err != nil {
		t.Fatal(err)
	}
	return newCalendar(t, Options{
		HolidaysDir: fstest.MapFS{"2026.json": {Data: data}},
		Hours:       Hours{Workday: spans(t, "08:30-18:00"), Weekend: spans(t, "09:00-12:00", "13:30-17:00")},
	})
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-file +now; if meant, run go test ./ivr/calendar -update):\n%s", path, diff)
	}
}

func TestPrintYear(t *testing.T) {
	c := only2026(t)
	for _, year := range []int{2020, 2026, 2027} {
		var out bytes.Buffer
		if err := c.PrintYear(&out, year); err != nil {
			t.Fatal(err)
		}
		golden(t, fmt.Sprintf("year-%d.txt", year), out.Bytes())
	}
}

func TestExplain(t *testing.T) {
	c := only2026(t)
	var out bytes.Buffer
	for _, moment := range []string{
		"2027-02-06 09:00", // 春节 in a year without notice
		"2026-02-16 20:30", // 除夕, evening
		"2026-02-14 09:00", // moved working day
		"2026-03-15 12:30", // Sunday, between two spans
		"2020-10-01 10:00", // two festivals
		"2026-10-06 23:00", // sixth day of a festival, night
		"2026-03-11 06:00", // ordinary day, before opening
	} {
		if err := c.Explain(&out, at(t, moment).UTC()); err != nil {
			t.Fatal(err)
		}
		out.WriteByte('\n')
	}
	golden(t, "explain.txt", out.Bytes())
}

func TestPrintYearOutsideTheLunarTables(t *testing.T) {
	for _, year := range []int{-1, 1899, 2200} {
		var out bytes.Buffer
		if err := only2026(t).PrintYear(&out, year); err == nil || !strings.Contains(err.Error(), "1900 to 2199") || out.Len() > 0 {
			t.Errorf("%d: error %v after %d bytes; want the range named and nothing printed", year, err, out.Len())
		}
	}
}

var errPaperOut = errors.New("paper out")

type brokenPrinter struct{}

func (brokenPrinter) Write([]byte) (int, error) { return 0, errPaperOut }

func TestPrintingFails(t *testing.T) {
	c := only2026(t)
	if err := c.PrintYear(brokenPrinter{}, 2026); !errors.Is(err, errPaperOut) {
		t.Errorf("PrintYear: %v", err)
	}
	if err := c.Explain(brokenPrinter{}, at(t, "2026-01-01")); !errors.Is(err, errPaperOut) {
		t.Errorf("Explain: %v", err)
	}
}

func TestWidthCountsColumns(t *testing.T) {
	for _, tt := range []struct {
		text string
		want int
	}{{"", 0}, {"spring", 6}, {"春节", 4}, {"01-01（四）", 11}, {"七夕 a", 6}} {
		if got := width(tt.text); got != tt.want {
			t.Errorf("%q is %d columns wide; want %d", tt.text, got, tt.want)
		}
	}
}
