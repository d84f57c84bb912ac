package calendar

import (
	"flag"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew; look at the difference before committing it")

// The notices that ship with the service.
const shippedHolidays = "../../configs/holidays"

func spans(t testing.TB, texts ...string) []Span {
	t.Helper()
	var result []Span
	for _, text := range texts {
		s, err := ParseSpan(text)
		if err != nil {
			t.Fatal(err)
		}
		result = append(result, s)
	}
	return result
}

func newCalendar(t testing.TB, o Options) *Calendar {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return c
}

// office is an ordinary hotline with the notices that ship with the service.
func office(t testing.TB) *Calendar {
	t.Helper()
	return newCalendar(t, Options{
		HolidaysDir: os.DirFS(shippedHolidays),
		Hours: Hours{
			Workday: spans(t, "08:30-18:00"),
			Weekend: spans(t, "09:00-12:00", "13:30-17:00"),
			Holiday: spans(t, "10:00-16:00"),
		},
	})
}

var china = time.FixedZone("CST", 8*60*60)

// at parses "2026-02-17" or "2026-02-17 09:00", or to the second, as China Standard Time.
func at(t testing.TB, s string) time.Time {
	t.Helper()
	if len(s) == len(time.DateOnly) {
		s += " 00:00"
	}
	if len(s) == len("2006-01-02 15:04") {
		s += ":00"
	}
	moment, err := time.ParseInLocation(time.DateTime, s, china)
	if err != nil {
		t.Fatal(err)
	}
	return moment
}

func ids(occasions []Occasion) []string {
	result := []string{}
	for _, o := range occasions {
		result = append(result, o.ID)
	}
	return result
}

// firstDays lists the dates of a year on which the festival with the ID begins.
func firstDays(c *Calendar, year int, id string) []string {
	var dates []string
	for _, d := range c.year(year) {
		for _, o := range d.Festivals {
			if o.ID == id && o.Nth == 1 {
				dates = append(dates, d.Date.Format(time.DateOnly))
			}
		}
	}
	return dates
}

func TestFestivalDates(t *testing.T) {
	known := []struct {
		id    string
		dates [5]string // 2024 to 2028
	}{
		{"newyear", [5]string{"2024-01-01", "2025-01-01", "2026-01-01", "2027-01-01", "2028-01-01"}},
		{"eve", [5]string{"2024-02-09", "2025-01-28", "2026-02-16", "2027-02-05", "2028-01-25"}},
		{"spring", [5]string{"2024-02-10", "2025-01-29", "2026-02-17", "2027-02-06", "2028-01-26"}},
		{"lantern", [5]string{"2024-02-24", "2025-02-12", "2026-03-03", "2027-02-20", "2028-02-09"}},
		{"qingming", [5]string{"2024-04-04", "2025-04-04", "2026-04-05", "2027-04-05", "2028-04-04"}},
		{"labour", [5]string{"2024-05-01", "2025-05-01", "2026-05-01", "2027-05-01", "2028-05-01"}},
		{"dragonboat", [5]string{"2024-06-10", "2025-05-31", "2026-06-19", "2027-06-09", "2028-05-28"}},
		{"qixi", [5]string{"2024-08-10", "2025-08-29", "2026-08-19", "2027-08-08", "2028-08-26"}},
		{"midautumn", [5]string{"2024-09-17", "2025-10-06", "2026-09-25", "2027-09-15", "2028-10-03"}},
		{"national", [5]string{"2024-10-01", "2025-10-01", "2026-10-01", "2027-10-01", "2028-10-01"}},
		{"chongyang", [5]string{"2024-10-11", "2025-10-29", "2026-10-18", "2027-10-08", "2028-10-26"}},
	}
	if len(known) != len(DefaultFestivals()) {
		t.Errorf("the table has %d festivals, the service %d: add the new one here", len(known), len(DefaultFestivals()))
	}
	c := office(t)
	for _, k := range known {
		for i, date := range k.dates {
			if got := firstDays(c, 2024+i, k.id); !slices.Equal(got, []string{date}) {
				t.Errorf("%s begins on %v in %d; want %s once (a leap month matched? the library's tables changed?)", k.id, got, 2024+i, date)
			}
		}
	}
}

// In leap years a lunar date comes twice; its festival must not.
func TestEveryFestivalBeginsOnceAYear(t *testing.T) {
	c := office(t)
	years := []int{
		2004, 2031, 2020, 2028, 2025, 2044, 2052, 2014, 2033, // with a leap month: 2, 3, 4, 5, 6, 7, 8, 9, 11
		2019, 2024, 2030, 2050, // without
	}
	for _, year := range years {
		for _, f := range DefaultFestivals() {
			if got := firstDays(c, year, f.ID); len(got) != 1 {
				t.Errorf("%s begins %d times in %d: %v", f.ID, len(got), year, got)
			}
		}
	}
}

func TestLeapMonthIsNamedAndHasNoFestival(t *testing.T) {
	c := office(t)
	for _, tt := range []struct{ date, lunar string }{
		{"2025-07-25", "乙巳年闰六月初一"},
		{"2028-06-27", "戊申年闰五月初五"}, // 端午 was on 2028-05-28
		{"2023-04-05", "癸卯年闰二月十五"},
		{"2020-06-06", "庚子年闰四月十五"},
	} {
		day := c.Day(at(t, tt.date))
		if day.Lunar != tt.lunar {
			t.Errorf("%s is %s; want %s", tt.date, day.Lunar, tt.lunar)
		}
		if got := slices.DeleteFunc(ids(day.Festivals), func(id string) bool { return id == "qingming" }); len(got) != 0 {
			t.Errorf("%s (%s) has festivals %v; a leap month has none", tt.date, day.Lunar, got)
		}
	}
}

func TestEveIsTheLastDayHoweverLongTheMonth(t *testing.T) {
	c := office(t)
	for _, tt := range []struct{ date, lunar string }{
		{"2024-02-09", "癸卯年腊月三十"},
		{"2025-01-28", "甲辰年腊月廿九"},
		{"2026-02-16", "乙巳年腊月廿九"},
		{"2027-02-05", "丙午年腊月廿九"},
		{"2028-01-25", "丁未年腊月廿九"},
	} {
		day := c.Day(at(t, tt.date))
		if day.Lunar != tt.lunar || !slices.Equal(ids(day.Festivals), []string{"eve"}) {
			t.Errorf("%s is %s with %v; want %s with [eve]", tt.date, day.Lunar, ids(day.Festivals), tt.lunar)
		}
	}
}

func TestGreeting(t *testing.T) {
	c := office(t)
	for _, tt := range []struct{ moment, prompt, period string }{
		// The hour, on a day without festival, at both edges of each part.
		{"2026-03-11 00:00", "greeting.evening", "evening"},
		{"2026-03-11 04:59:59", "greeting.evening", "evening"},
		{"2026-03-11 05:00", "greeting.early", "early"},
		{"2026-03-11 08:59:59", "greeting.early", "early"},
		{"2026-03-11 09:00", "greeting.morning", "morning"},
		{"2026-03-11 11:29:59", "greeting.morning", "morning"},
		{"2026-03-11 11:30", "greeting.noon", "noon"},
		{"2026-03-11 13:29:59", "greeting.noon", "noon"},
		{"2026-03-11 13:30", "greeting.afternoon", "afternoon"},
		{"2026-03-11 17:59:59", "greeting.afternoon", "afternoon"},
		{"2026-03-11 18:00", "greeting.evening", "evening"},
		{"2026-03-11 23:59:59", "greeting.evening", "evening"},
		// Each festival.
		{"2026-01-01 09:00", "greeting.festival.newyear", "morning"},
		{"2026-02-16 12:00", "greeting.festival.eve", "noon"},
		{"2026-02-17 09:00", "greeting.festival.spring", "morning"},
		{"2027-02-06 09:00", "greeting.festival.spring", "morning"},
		{"2026-03-03 09:00", "greeting.festival.lantern", "morning"},
		{"2026-04-05 09:00", "greeting.festival.qingming", "morning"},
		{"2026-05-01 09:00", "greeting.festival.labour", "morning"},
		{"2026-06-19 09:00", "greeting.festival.dragonboat", "morning"},
		{"2026-08-19 09:00", "greeting.festival.qixi", "morning"},
		{"2026-09-25 09:00", "greeting.festival.midautumn", "morning"},
		{"2026-10-01 09:00", "greeting.festival.national", "morning"},
		{"2026-10-18 09:00", "greeting.festival.chongyang", "morning"},
		// A festival begins and ends at midnight.
		{"2026-02-15 23:59:59", "greeting.evening", "evening"},
		{"2026-02-16 00:00", "greeting.festival.eve", "evening"},
		{"2026-02-16 23:59:59", "greeting.festival.eve", "evening"},
		{"2026-02-17 00:00", "greeting.festival.spring", "evening"},
		// Several days: 初一 to 初六, 1–5 May, 1–7 October; the days off around them are not greeted.
		{"2026-02-22 23:59:59", "greeting.festival.spring", "evening"},
		{"2026-02-23 09:00", "greeting.morning", "morning"},
		{"2026-02-15 09:00", "greeting.morning", "morning"},
		{"2026-05-05 09:00", "greeting.festival.labour", "morning"},
		{"2026-05-06 09:00", "greeting.morning", "morning"},
		{"2026-10-07 09:00", "greeting.festival.national", "morning"},
		{"2026-10-08 09:00", "greeting.morning", "morning"},
		{"2026-01-02 09:00", "greeting.morning", "morning"},
		{"2026-09-26 09:00", "greeting.morning", "morning"},
		// Several festivals on a day.
		{"2020-10-01 09:00", "greeting.festival.midautumn", "morning"},
		{"2020-10-02 09:00", "greeting.festival.national", "morning"},
		{"2025-10-06 09:00", "greeting.festival.midautumn", "morning"},
		{"2025-10-07 09:00", "greeting.festival.national", "morning"},
		{"2033-10-01 09:00", "greeting.festival.national", "morning"},
		// A moved working day and a Sunday are greeted by the hour.
		{"2026-02-14 09:00", "greeting.morning", "morning"},
		{"2026-03-15 09:00", "greeting.morning", "morning"},
	} {
		got := c.Greeting(at(t, tt.moment))
		if got.Prompt != tt.prompt || got.Period != tt.period {
			t.Errorf("%s: %s in the %s; want %s in the %s", tt.moment, got.Prompt, got.Period, tt.prompt, tt.period)
		}
		festival, isFestival := strings.CutPrefix(tt.prompt, "greeting.festival.")
		if isFestival && got.Festival != festival || !isFestival && got.Festival != "" {
			t.Errorf("%s: festival %q with %s", tt.moment, got.Festival, got.Prompt)
		}
		if got.Why == "" {
			t.Errorf("%s: no reason given", tt.moment)
		}
	}
}

// The hour and the day are those of the hotline, wherever the clock of the machine is.
func TestGreetingIsInTheCalendarsLocation(t *testing.T) {
	moment := at(t, "2026-02-17 00:30").UTC() // still the 16th in UTC
	if got := office(t).Greeting(moment).Prompt; got != "greeting.festival.spring" {
		t.Errorf("%s: %s; want greeting.festival.spring", moment, got)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	if got := newCalendar(t, Options{Location: berlin}).Greeting(moment).Prompt; got != "greeting.festival.eve" {
		t.Errorf("%s in Berlin: %s; want greeting.festival.eve", moment, got)
	}
}

func TestSharedDayListsAllFestivalsInOrder(t *testing.T) {
	c := office(t)
	for _, tt := range []struct {
		date string
		want []string
	}{
		{"2020-10-01", []string{"midautumn", "national"}},
		{"2025-10-06", []string{"midautumn", "national"}},
		{"2033-10-01", []string{"national", "chongyang"}},
		{"2014-10-02", []string{"national", "chongyang"}},
	} {
		if got := ids(c.Day(at(t, tt.date)).Festivals); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v; want %v", tt.date, got, tt.want)
		}
	}
	day := c.Day(at(t, "2025-10-06"))
	if day.Festivals[1].Nth != 6 || day.Festivals[1].Days != 7 {
		t.Errorf("2025-10-06 is day %d of %d of 国庆节; want 6 of 7", day.Festivals[1].Nth, day.Festivals[1].Days)
	}
}

func TestDayIsTheCallersToChange(t *testing.T) {
	c, moment := office(t), at(t, "2020-10-01")
	c.Day(moment).Festivals[0].ID = "changed"
	if got := c.Day(moment).Festivals[0].ID; got != "midautumn" {
		t.Errorf("a caller's change reached the calendar: %s", got)
	}
}

func TestClosing(t *testing.T) {
	c := office(t)
	for _, tt := range []struct{ moment, want string }{
		{"2026-03-11 00:00", "closing.night"},
		{"2026-03-11 04:59:59", "closing.night"},
		{"2026-03-11 05:00", "closing.day"},
		{"2026-03-11 12:00", "closing.day"},
		{"2026-03-11 19:59:59", "closing.day"},
		{"2026-03-11 20:00", "closing.night"},
		{"2026-03-11 23:59:59", "closing.night"},
		{"2026-02-17 21:00", "closing.night"},
	} {
		if got := c.Closing(at(t, tt.moment)); got != tt.want {
			t.Errorf("%s: %s; want %s", tt.moment, got, tt.want)
		}
	}
}

// The days of the State Council's notice for 2026, one by one.
func TestNotice2026(t *testing.T) {
	wantOff := map[string][]string{
		"元旦":  {"2026-01-01", "2026-01-02", "2026-01-03"},
		"春节":  {"2026-02-15", "2026-02-16", "2026-02-17", "2026-02-18", "2026-02-19", "2026-02-20", "2026-02-21", "2026-02-22", "2026-02-23"},
		"清明节": {"2026-04-04", "2026-04-05", "2026-04-06"},
		"劳动节": {"2026-05-01", "2026-05-02", "2026-05-03", "2026-05-04", "2026-05-05"},
		"端午节": {"2026-06-19", "2026-06-20", "2026-06-21"},
		"中秋节": {"2026-09-25", "2026-09-26", "2026-09-27"},
		"国庆节": {"2026-10-01", "2026-10-02", "2026-10-03", "2026-10-04", "2026-10-05", "2026-10-06", "2026-10-07"},
	}
	wantWorked := []string{"2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"}

	off, worked, total := map[string][]string{}, []string{}, 0
	for _, d := range office(t).year(2026) {
		date := d.Date.Format(time.DateOnly)
		switch d.Kind {
		case DayOff:
			off[d.Holiday] = append(off[d.Holiday], date)
			total++
		case MovedWorkday:
			worked = append(worked, date)
			if !weekend(d.Date) {
				t.Errorf("%s is worked as a moved day, but is a %s", date, d.Date.Weekday())
			}
		case Weekend:
			if !weekend(d.Date) {
				t.Errorf("%s is a weekend, but is a %s", date, d.Date.Weekday())
			}
		case Workday:
			if weekend(d.Date) {
				t.Errorf("%s is a working day, but is a %s", date, d.Date.Weekday())
			}
		}
		if d.Announced != (d.Kind == DayOff || d.Kind == MovedWorkday) {
			t.Errorf("%s is %s, announced %v", date, d.Kind, d.Announced)
		}
	}
	if diff := cmp.Diff(wantOff, off); diff != "" {
		t.Errorf("days off (-notice +file):\n%s", diff)
	}
	if diff := cmp.Diff(wantWorked, worked); diff != "" {
		t.Errorf("moved working days (-notice +file):\n%s", diff)
	}
	if total != 33 {
		t.Errorf("%d days off; want 33", total)
	}
}

func TestNoFileForAYear(t *testing.T) {
	want := []string{
		"2027-01-01 元旦",
		"2027-02-05 春节", "2027-02-06 春节", "2027-02-07 春节", "2027-02-08 春节",
		"2027-04-05 清明节",
		"2027-05-01 劳动节", "2027-05-02 劳动节",
		"2027-06-09 端午节",
		"2027-09-15 中秋节",
		"2027-10-01 国庆节", "2027-10-02 国庆节", "2027-10-03 国庆节",
	}
	var got []string
	none := newCalendar(t, Options{}) // no files at all, so that a new file does not change this test
	for _, d := range none.year(2027) {
		if d.Kind == DayOff {
			got = append(got, d.Date.Format(time.DateOnly)+" "+d.Holiday)
		}
		if d.Kind == MovedWorkday || d.Announced {
			t.Errorf("%s is %s, announced %v; nothing was announced", d.Date.Format(time.DateOnly), d.Kind, d.Announced)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("days off by law (-want +got):\n%s", diff)
	}
	if got := office(t).Day(at(t, "2026-02-24")).Kind; got != Workday {
		t.Errorf("2026-02-24 is %s; the law's days must not be added to a notice", got)
	}
}

func TestWarnings(t *testing.T) {
	c := newCalendar(t, Options{HolidaysDir: fstest.MapFS{"2026.json": notice(2026, `{"name":"元旦","from":"2026-01-01","to":"2026-01-01"}`)}})
	for _, tt := range []struct {
		now  string
		want []string // what each warning must name
	}{
		{"2026-06-01", []string{"还没有2027年的放假安排（2027.json）"}},
		{"2026-09-30 23:59", []string{"还没有2027年的放假安排（2027.json）"}},
		{"2026-10-01", []string{"没有2027年的放假安排（缺 2027.json）"}},
		{"2025-12-31 23:59:59", []string{"没有2025年的放假安排（缺 2025.json）"}},
		{"2027-01-01", []string{"没有2027年的放假安排（缺 2027.json）", "还没有2028年的放假安排（2028.json）"}},
	} {
		got := c.Warnings(at(t, tt.now))
		if len(got) != len(tt.want) {
			t.Errorf("%s: %q; want %d warnings", tt.now, got, len(tt.want))
			continue
		}
		for i, prefix := range tt.want {
			if !strings.HasPrefix(got[i], prefix) {
				t.Errorf("%s: %q; want it to begin %q", tt.now, got[i], prefix)
			}
		}
	}
	both := newCalendar(t, Options{HolidaysDir: fstest.MapFS{
		"2026.json": notice(2026, `{"name":"元旦","from":"2026-01-01","to":"2026-01-01"}`),
		"2027.json": notice(2027, `{"name":"元旦","from":"2027-01-01","to":"2027-01-01"}`),
	}})
	if got := both.Warnings(at(t, "2026-11-01")); len(got) != 0 {
		t.Errorf("both years are there, yet %q", got)
	}
}

func TestYearsWithoutLunarDates(t *testing.T) {
	c := newCalendar(t, Options{})
	for _, moment := range []time.Time{{}, at(t, "1899-10-01"), at(t, "2200-10-01")} {
		day := c.Day(moment)
		if day.Lunar != "" {
			t.Errorf("%s has the lunar date %s; want none", moment, day.Lunar)
		}
		if moment.Month() == time.October && !slices.Equal(ids(day.Festivals), []string{"national"}) {
			t.Errorf("%s has %v; solar festivals stay", moment, ids(day.Festivals))
		}
	}
	for _, moment := range []time.Time{at(t, "1900-01-31"), at(t, "2199-12-31")} {
		if c.Day(moment).Lunar == "" {
			t.Errorf("%s has no lunar date", moment)
		}
	}
	if !slices.Equal(ids(c.Day(at(t, "1900-01-31")).Festivals), []string{"spring"}) {
		t.Error("1900-01-31 was 春节")
	}
}

func TestOwnFestivals(t *testing.T) {
	festivals := append([]Festival{
		{ID: "founding", Name: "司庆", On: "solar 10-01"},
		{ID: "winter", Name: "冬至", On: "term 冬至", Prompt: "greeting.winter"},
		{ID: "turn", Name: "岁末", On: "solar 12-30", Days: 4},
	}, DefaultFestivals()...)
	c := newCalendar(t, Options{Festivals: festivals})
	for _, tt := range []struct{ date, prompt string }{
		{"2020-10-01", "greeting.festival.founding"},
		{"2026-12-22", "greeting.winter"},
		{"2026-12-31", "greeting.festival.turn"},
		{"2027-01-01", "greeting.festival.turn"}, // runs on over the year's end
		{"2027-01-02", "greeting.festival.turn"},
		{"2027-01-03", "greeting.morning"},
	} {
		if got := c.Greeting(at(t, tt.date+" 10:00")).Prompt; got != tt.prompt {
			t.Errorf("%s: %s; want %s", tt.date, got, tt.prompt)
		}
	}
	none := newCalendar(t, Options{Festivals: []Festival{}})
	if got := none.Greeting(at(t, "2026-02-17 10:00")).Prompt; got != "greeting.morning" {
		t.Errorf("without festivals 春节 is greeted %s", got)
	}
	if got := none.Day(at(t, "2026-02-17")).Kind; got != DayOff {
		t.Errorf("without festivals to greet, 春节 is %s; the law's days off do not depend on greetings", got)
	}
}

func TestWrongFestivals(t *testing.T) {
	for _, tt := range []struct {
		festival Festival
		want     string
	}{
		{Festival{Name: "x", On: "eve"}, "ID and Name must not be empty"},
		{Festival{ID: "x", On: "eve"}, "ID and Name must not be empty"},
		{Festival{ID: "x", Name: "x", On: "eve", Days: 16}, "lasts 16 days"},
		{Festival{ID: "x", Name: "x", On: "eve", Days: -1}, "lasts -1 days"},
		{Festival{ID: "x", Name: "x", On: ""}, "no such date"},
		{Festival{ID: "x", Name: "x", On: "eve 1"}, "no such date"},
		{Festival{ID: "x", Name: "x", On: "10-01"}, "no such date"},
		{Festival{ID: "x", Name: "x", On: "solar 02-30"}, "no such date"},
		{Festival{ID: "x", Name: "x", On: "solar 13-01"}, "no such date"},
		{Festival{ID: "x", Name: "x", On: "solar 1-1"}, "no such date"},
		{Festival{ID: "x", Name: "x", On: "lunar 08-31"}, "no such date"},
		{Festival{ID: "x", Name: "x", On: "lunar 08/15"}, "no such date"},
		{Festival{ID: "x", Name: "x", On: "lunar +8-15"}, "no such date"},
		{Festival{ID: "x", Name: "x", On: "term 中秋"}, "no such date"},
		{Festival{ID: "spring", Name: "x", On: "eve"}, "a festival with this ID came before"},
	} {
		_, err := New(Options{Festivals: append(DefaultFestivals(), tt.festival)})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v; want %q", tt.festival, err, tt.want)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	c := office(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for year := 2024; year < 2030; year++ {
				moment := time.Date(year, 10, 1, i, 0, 0, 0, china)
				if len(c.Day(moment).Festivals) == 0 {
					t.Errorf("%s has no festival", moment)
				}
				c.Opens(moment)
			}
		})
	}
	wg.Wait()
}
