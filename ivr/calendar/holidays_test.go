package calendar

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func notice(year int, holidays string) *fstest.MapFile {
	return &fstest.MapFile{Data: fmt.Appendf(nil, `{"year":%d,"source":"通知","holidays":[%s]}`, year, holidays)}
}

func TestNoticeReachesIntoNeighbouringYears(t *testing.T) {
	c := newCalendar(t, Options{HolidaysDir: fstest.MapFS{
		"2023.json": notice(2023, `{"name":"元旦","from":"2022-12-31","to":"2023-01-02"}`),
		"2012.json": notice(2012, `{"name":"元旦","from":"2012-01-01","to":"2012-01-03","work":["2011-12-31"]}`),
		"README.md": {Data: []byte("not a notice")},
	}})
	for _, tt := range []struct {
		date string
		want Kind
	}{
		{"2022-12-30", Workday},
		{"2022-12-31", DayOff},
		{"2023-01-02", DayOff},
		{"2023-01-03", Workday},
		{"2011-12-31", MovedWorkday},
		{"2012-01-03", DayOff},
	} {
		if got := c.Day(at(t, tt.date)); got.Kind != tt.want || tt.want != Workday && got.Holiday != "元旦" {
			t.Errorf("%s is %s (%s); want %s", tt.date, got.Kind, got.Holiday, tt.want)
		}
	}
	if got := c.Day(at(t, "2022-10-01")).Kind; got != DayOff {
		t.Errorf("2022-10-01 is %s; 2022 has no file of its own, so the law's days stand", got)
	}
}

func TestWrongNotices(t *testing.T) {
	const good = `{"name":"元旦","from":"2026-01-01","to":"2026-01-03"}`
	for _, tt := range []struct {
		name, data, want string
	}{
		{"2026.json", `{"year":2026,`, "2026.json: line 1, column"},
		{"2026.json", "{\n  \"year\": 2026,\n  \"sorce\": \"x\"\n}", `unknown field "sorce"`},
		{"2026.json", "{\n  \"year\": \"2026\"\n}", "2026.json: line 2, column 1"},
		{"2026.json", `{} {}`, "more after the end of the object"},
		{"2026.json", ``, "2026.json: line 1, column 1"},
		{"2026.json", `{"year":2026,"source":"x","holidays":[]}`, `"holidays" is empty`},
		{"2026.json", `{"year":2025,"source":"x","holidays":[` + good + `]}`, `"year" is 2025; must be 2026`},
		{"2026.json", `{"year":2026,"holidays":[` + good + `]}`, `"source" is empty`},
		{"next.json", `{}`, "the name must be a year"},
		{"20260.json", `{}`, "the name must be a year"},
		{"2026.json", `{"year":2026,"source":"x","holidays":[{"name":"","from":"2026-01-01","to":"2026-01-03"}]}`, `holidays[0] (): "name" is empty`},
		{"2026.json", `{"year":2026,"source":"x","holidays":[{"name":"元旦","from":"2026-02-30","to":"2026-03-01"}]}`, `holidays[0] (元旦): "2026-02-30" is no date`},
		{"2026.json", `{"year":2026,"source":"x","holidays":[{"name":"元旦","from":"2026-01-03","to":"2026-01-01"}]}`, "before it begins"},
		{"2026.json", `{"year":2026,"source":"x","holidays":[{"name":"元旦","from":"2026-01-01","to":"2026-01-16"}]}`, "is 16 days"},
		{"2026.json", `{"year":2026,"source":"x","holidays":[{"name":"元旦","from":"2025-11-30","to":"2025-12-01"}]}`, "does not belong to the notice for 2026"},
		{"2026.json", `{"year":2026,"source":"x","holidays":[{"name":"元旦","from":"2027-02-01","to":"2027-02-01"}]}`, "does not belong to the notice for 2026"},
		{"2026.json", `{"year":2026,"source":"x","holidays":[{"name":"元旦","from":"2026-01-01","to":"2026-01-03","work":["2026-01-05"]}]}`, "is a Monday"},
		{"2026.json", `{"year":2026,"source":"x","holidays":[{"name":"元旦","from":"2026-01-01","to":"2026-01-03","work":["2026-01-03"]}]}`, "is given twice"},
		{"2026.json", `{"year":2026,"source":"x","holidays":[` + good + `,{"name":"春节","from":"2026-01-03","to":"2026-01-04"}]}`, "holidays[1] (春节): 2026-01-03 is given already for 元旦 in 2026.json"},
	} {
		_, err := New(Options{HolidaysDir: fstest.MapFS{tt.name: {Data: []byte(tt.data)}}})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s:\nerror %v\nwant  %q", tt.name, tt.data, err, tt.want)
		}
	}
}

func TestAllWrongNoticesAreNamedAtOnce(t *testing.T) {
	_, err := New(Options{HolidaysDir: fstest.MapFS{
		"2026.json": notice(2026, `{"name":"元旦","from":"x","to":"y"},{"name":"春节","from":"2026-02-15","to":"z"}`),
		"2027.json": {Data: []byte("[")},
	}})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{`"x" is no date`, `"y" is no date`, `"z" is no date`, "2027.json: line 1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %s:\n%v", want, err)
		}
	}
}

func TestHolidaysDirectoryIsMissing(t *testing.T) {
	_, err := New(Options{HolidaysDir: os.DirFS(t.TempDir() + "/absent")})
	if err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("error %v; an absent directory must not look like one without notices", err)
	}
}

func FuzzNotice(f *testing.F) {
	data, err := os.ReadFile(shippedHolidays + "/2026.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"year":2026,"source":"x","holidays":[{"name":"a","from":"2026-01-01","to":"2026-01-03","work":["2026-01-04"]}]}`))
	f.Add([]byte("{\n\"year\":"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := New(Options{HolidaysDir: fstest.MapFS{"2026.json": {Data: data}}})
		if err != nil {
			if !strings.Contains(err.Error(), "2026.json") {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		for date, d := range c.notices.days {
			if d.kind == MovedWorkday && !weekend(date) || d.holiday == "" {
				t.Errorf("%s: %+v was accepted", date.Format(time.DateOnly), d)
			}
		}
	})
}
