package calendar

import (
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseSpan(t *testing.T) {
	for _, tt := range []struct {
		text     string
		from, to time.Duration
	}{
		{"08:30-18:00", 8*time.Hour + 30*time.Minute, 18 * time.Hour},
		{"00:00-24:00", 0, 24 * time.Hour},
		{"20:00-02:00", 20 * time.Hour, 2 * time.Hour},
		{"20:00-00:00", 20 * time.Hour, 0},
		{"23:59-00:00", 24*time.Hour - time.Minute, 0},
	} {
		got, err := ParseSpan(tt.text)
		if err != nil || got != (Span{tt.from, tt.to}) {
			t.Errorf("%s: %+v, %v; want %v to %v", tt.text, got, err, tt.from, tt.to)
		}
	}
	for _, tt := range []struct{ text, want string }{
		{"", `write "08:30-18:00"`},
		{"8:30-18:00", `write "08:30-18:00"`},
		{"08:30", `write "08:30-18:00"`},
		{"08:30–18:00", `write "08:30-18:00"`},
		{"08:30 - 18:00", `write "08:30-18:00"`},
		{"08:60-18:00", `write "08:30-18:00"`},
		{"08:30-24:01", `write "08:30-18:00"`},
		{"08:30-25:00", `write "08:30-18:00"`},
		{"-1:30-18:00", `write "08:30-18:00"`},
		{"+8:30-18:00", `write "08:30-18:00"`},
		{"24:00-06:00", "must begin from 00:00 to 23:59"},
		{"08:30-08:30", `write "00:00-24:00"`},
		{"00:00-00:00", `write "00:00-24:00"`},
	} {
		if _, err := ParseSpan(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: error %v; want %q", tt.text, err, tt.want)
		}
	}
}

func FuzzParseSpan(f *testing.F) {
	for _, seed := range []string{"08:30-18:00", "00:00-24:00", "20:00-02:00", "24:00-00:00", "8:30-18", "八点-六点", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s Span
		if err := s.UnmarshalText([]byte(text)); err != nil {
			if s != (Span{}) {
				t.Errorf("%q was refused but left %+v", text, s)
			}
			return
		}
		if err := s.check(); err != nil {
			t.Errorf("%q was accepted: %v", text, err)
		}
		if back, _ := s.MarshalText(); string(back) != text {
			t.Errorf("%q came back as %q", text, back)
		}
	})
}

func TestHoursAreChecked(t *testing.T) {
	_, err := New(Options{Hours: Hours{
		Workday: []Span{{}},
		Weekend: []Span{{To: time.Hour + time.Second}},
		Holiday: []Span{{From: 24 * time.Hour, To: time.Minute}},
	}})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"00:00-00:00", "1h0m1s: must be whole minutes", "24:00-00:01"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}

func TestOpeningHours(t *testing.T) {
	night := newCalendar(t, Options{
		HolidaysDir: os.DirFS(shippedHolidays),
		Hours:       Hours{Workday: spans(t, "20:00-02:00"), Weekend: spans(t, "22:00-24:00", "00:00-01:00"), Holiday: nil},
	})
	always := newCalendar(t, Options{Hours: Hours{
		Workday: spans(t, "00:00-24:00"), Weekend: spans(t, "00:00-24:00"), Holiday: spans(t, "00:00-24:00"),
	}})
	weekdays := newCalendar(t, Options{
		HolidaysDir: os.DirFS(shippedHolidays),
		Hours:       Hours{Workday: spans(t, "08:30-12:00", "12:00-18:00")},
	})
	roundTheClock := newCalendar(t, Options{
		HolidaysDir: os.DirFS(shippedHolidays),
		Hours:       Hours{Workday: spans(t, "00:00-24:00")},
	})
	never := newCalendar(t, Options{})

	for _, tt := range []struct {
		calendar *Calendar
		moment   string
		open     bool
		change   string // when it closes or opens; empty: not within 400 days
		why      string
	}{
		// Office hours of each kind of day.
		{office(t), "2026-03-11 08:29:59", false, "2026-03-11 08:30", "不在工作日营业时间 08:30-18:00 内"},
		{office(t), "2026-03-11 08:30", true, "2026-03-11 18:00", "工作日营业时间 08:30-18:00"},
		{office(t), "2026-03-11 17:59:59", true, "2026-03-11 18:00", "工作日营业时间 08:30-18:00"},
		{office(t), "2026-03-11 18:00", false, "2026-03-12 08:30", "不在工作日营业时间 08:30-18:00 内"},
		{office(t), "2026-03-15 12:30", false, "2026-03-15 13:30", "不在周末营业时间 09:00-12:00、13:30-17:00 内"}, // a Sunday
		{office(t), "2026-03-15 13:30", true, "2026-03-15 17:00", "周末营业时间 13:30-17:00"},
		{office(t), "2026-02-14 08:45", true, "2026-02-14 18:00", "调休上班（春节）营业时间 08:30-18:00"}, // a moved Saturday
		{office(t), "2026-10-01 08:45", false, "2026-10-01 10:00", "不在放假（国庆节）营业时间 10:00-16:00 内"},
		{office(t), "2026-10-01 10:00", true, "2026-10-01 16:00", "放假（国庆节）营业时间 10:00-16:00"},

		// Closed at weekends and on days off: the next opening lies beyond the break, moved days count.
		{weekdays, "2026-02-13 18:00", false, "2026-02-14 08:30", "不在工作日营业时间 08:30-12:00、12:00-18:00 内"},
		{weekdays, "2026-02-14 18:00", false, "2026-02-24 08:30", "不在调休上班（春节）营业时间 08:30-12:00、12:00-18:00 内"},
		{weekdays, "2026-02-17 10:00", false, "2026-02-24 08:30", "放假（春节）不营业"},
		{weekdays, "2026-09-30 18:00", false, "2026-10-08 08:30", "不在工作日营业时间 08:30-12:00、12:00-18:00 内"},
		{weekdays, "2026-03-14 10:00", false, "2026-03-16 08:30", "周末不营业"},
		{weekdays, "2026-12-31 18:00", false, "2027-01-04 08:30", "不在工作日营业时间 08:30-12:00、12:00-18:00 内"},
		// Openings that touch are one.
		{weekdays, "2026-03-11 09:00", true, "2026-03-11 18:00", "工作日营业时间 08:30-12:00"},

		// Over midnight: the span belongs to the day on which it begins.
		{night, "2026-03-11 19:59", false, "2026-03-11 20:00", "不在工作日营业时间 20:00-02:00 内"},
		{night, "2026-03-11 23:00", true, "2026-03-12 02:00", "工作日营业时间 20:00-02:00"},
		{night, "2026-03-12 01:59:59", true, "2026-03-12 02:00", "前一天（工作日）营业时间 20:00-02:00"},
		{night, "2026-03-12 02:00", false, "2026-03-12 20:00", "不在工作日营业时间 20:00-02:00 内"},
		{night, "2026-03-14 00:30", true, "2026-03-14 02:00", "前一天（工作日）营业时间 20:00-02:00"}, // Friday's span ends after Saturday's
		{night, "2026-03-14 23:00", true, "2026-03-15 01:00", "周末营业时间 22:00-24:00"},       // on into Sunday
		{night, "2026-03-16 00:30", false, "2026-03-16 20:00", "不在工作日营业时间 20:00-02:00 内"}, // Sunday's ended at midnight
		{night, "2026-10-01 01:00", true, "2026-10-01 02:00", "前一天（工作日）营业时间 20:00-02:00"}, // into the holiday
		{night, "2026-10-01 21:00", false, "2026-10-08 20:00", "放假（国庆节）不营业"},

		// Round the clock on working days: one opening from Thursday's midnight on.
		{roundTheClock, "2026-10-08 00:00", true, "2026-10-11 00:00", "工作日营业时间 00:00-24:00"}, // 8, 9 and the moved 10 October
		{roundTheClock, "2026-10-07 23:59:59", false, "2026-10-08 00:00", "放假（国庆节）不营业"},

		{always, "2026-02-17 03:00", true, "", "放假（春节）营业时间 00:00-24:00"},
		{never, "2026-03-11 10:00", false, "", "工作日不营业"},
	} {
		moment := at(t, tt.moment)
		open, why := tt.calendar.Open(moment)
		if open != tt.open || why != tt.why {
			t.Errorf("%s: open %v, %s; want %v, %s", tt.moment, open, why, tt.open, tt.why)
		}
		closes, willClose := tt.calendar.Closes(moment)
		opens, willOpen := tt.calendar.Opens(moment)
		change, known := opens, willOpen
		if tt.open {
			change, known = closes, willClose
		}
		if tt.open && willOpen || !tt.open && willClose {
			t.Errorf("%s: open %v, yet closes %v %v and opens %v %v", tt.moment, tt.open, closes, willClose, opens, willOpen)
		}
		switch {
		case tt.change == "" && known:
			t.Errorf("%s: changes at %s; want never", tt.moment, change)
		case tt.change != "" && (!known || !change.Equal(at(t, tt.change))):
			t.Errorf("%s: changes at %s (%v); want %s", tt.moment, change, known, tt.change)
		}
	}
}

// Where clocks change, hours follow the clock on the wall.
func TestOpeningHoursFollowTheWallClock(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	c := newCalendar(t, Options{Location: berlin, Hours: Hours{Weekend: spans(t, "00:00-09:00")}})
	for _, tt := range []struct {
		day   time.Time
		hours float64
	}{
		{time.Date(2026, 3, 29, 0, 0, 0, 0, berlin), 8},
		{time.Date(2026, 10, 25, 0, 0, 0, 0, berlin), 10},
	} {
		closes, ok := c.Closes(tt.day)
		if got := closes.Sub(tt.day).Hours(); !ok || got != tt.hours {
			t.Errorf("%s: open for %v hours (%v); want %v", tt.day.Format(time.DateOnly), got, ok, tt.hours)
		}
	}
}

func drawSpans(t *rapid.T, kind string) []Span {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Span {
		// Round times, so that spans touch and midnight is met often.
		halfHours := func(last int, label string) time.Duration {
			return time.Duration(rapid.IntRange(0, last).Draw(t, label)) * 30 * time.Minute
		}
		s := Span{From: halfHours(47, "from"), To: halfHours(48, "to")}
		if s.From == s.To {
			s.To += 30 * time.Minute
		}
		return s
	}), 0, 3).Draw(t, kind)
}

// openByTheRules says whether the hotline is open, by looking at the minute and the two days that matter.
func openByTheRules(c *Calendar, h Hours, t time.Time) bool {
	clock := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	for _, s := range h.on(c.Day(t).Kind) {
		overnight := s.To <= s.From
		if clock >= s.From && (overnight || clock < s.To) {
			return true
		}
	}
	for _, s := range h.on(c.Day(t.AddDate(0, 0, -1)).Kind) {
		if overnight := s.To <= s.From; overnight && clock < s.To {
			return true
		}
	}
	return false
}

func TestOpenClosesAndOpensAgree(t *testing.T) {
	holidays := os.DirFS(shippedHolidays)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	base := map[*time.Location]*Calendar{}
	for _, location := range []*time.Location{china, berlin} {
		base[location] = newCalendar(t, Options{Location: location, HolidaysDir: holidays})
	}
	rapid.Check(t, func(t *rapid.T) {
		location := rapid.SampledFrom([]*time.Location{china, berlin}).Draw(t, "location")
		hours := Hours{Workday: drawSpans(t, "workday"), Weekend: drawSpans(t, "weekend"), Holiday: drawSpans(t, "holiday")}
		c := base[location]
		c.hours = hours // the days are the same whatever the hours; computing them anew would be slow
		start := time.Date(2025, 12, 20, 0, 0, 0, 0, location)
		moment := start.Add(time.Duration(rapid.Int64Range(0, 400*24*60).Draw(t, "minutes")) * time.Minute)

		open, why := c.Open(moment)
		if location == china && open != openByTheRules(c, hours, moment) {
			t.Fatalf("%s: open %v (%s), against the rules", moment, open, why)
		}
		closes, willClose := c.Closes(moment)
		opens, willOpen := c.Opens(moment)
		if open && willOpen || !open && willClose {
			t.Fatalf("%s: open %v, yet closes %v and opens %v", moment, open, willClose, willOpen)
		}
		change := moment.AddDate(0, 0, horizon-1)
		if willClose {
			change = closes
		} else if willOpen {
			change = opens
		}
		if willClose || willOpen {
			if !change.After(moment) {
				t.Fatalf("%s: changes at %s, not later", moment, change)
			}
			if after, _ := c.Open(change); after == open {
				t.Fatalf("%s: open %v, and still so at the change %s", moment, open, change)
			}
		}
		probes := []time.Time{
			change.Add(-time.Nanosecond),
			moment.Add(time.Duration(rapid.Int64Range(0, int64(change.Sub(moment))-1).Draw(t, "between"))),
		}
		for _, probe := range probes {
			if between, why := c.Open(probe); between != open {
				t.Fatalf("%s: open %v until %s, yet %v at %s (%s)", moment, open, change, between, probe, why)
			}
		}
	})
}

func BenchmarkGreeting(b *testing.B) {
	c := office(b)
	moment := at(b, "2026-02-17 09:00")
	for b.Loop() {
		c.Greeting(moment)
	}
}

func BenchmarkFirstDayOfAYear(b *testing.B) {
	moment := at(b, "2026-02-17 09:00")
	for b.Loop() {
		office(b).Day(moment)
	}
}
