// Package calendar owns what the service knows about a day: its festivals, solar and lunar; whether it is a day off,
// a weekend or a working day moved onto one; the greeting and the closing phrase of the hour (B2, C1, C7); and when
// the hotline is open. It must not know prompts' audio, calls, queues or the configuration file; it names prompts by
// ID and nothing more.
//
// The rules it keeps:
//
//   - A day is a civil day, from midnight to midnight in the calendar's location. So 除夕 ends and 春节 begins at
//     00:00, and the small hours of 初一 are greeted as 春节.
//   - Festivals go before the hour: on a festival the festival's greeting plays all day (C1).
//   - A festival may last several days: 春节 初一 to 初六, 劳动节 1–5 May, 国庆节 1–7 October. All others are greeted
//     on their own day only, whatever the length of the break around them.
//   - Several festivals on one day: the order of the festivals' table decides, and one greeting plays. 中秋节 stands
//     before 国庆节, which has other days (2020-10-01, 2025-10-06); 国庆节 stands before 重阳节 (2033-10-01).
//   - A lunar festival belongs to the ordinary month. A leap month repeats a month's number, never its festival.
//   - 除夕 is the day before 初一, so it is the 29th where the twelfth month has no 30th.
//   - Days off and moved working days are announced for each year by the State Council and come from YEAR.json. A
//     file may name days of the neighbouring years, as notices do (31 December).
//   - No file for a year: the days fixed by law (全国年节及纪念日放假办法, as amended for 2025: 13, fewer where two coincide)
//     are days off, other Saturdays and Sundays are weekends, nothing is moved, and Warnings says that the notice is
//     missing.
//   - 清明节 is solemn: its greeting is a plain respectful one.
//   - 晚安 closes a call between 20:00 and 05:00 and greets nobody.
//
// Lunar dates are known for the years 1900–2199. Outside them days have no lunar date, and only solar festivals.
package calendar

import (
	"fmt"
	"io/fs"
	"sync"
	"time"
)

// The years whose lunar dates are relied upon.
const (
	firstLunarYear = 1900
	lastLunarYear  = 2199
)

// Options is what a Calendar is made of.
type Options struct {
	// Location is where the hotline is; nil is China Standard Time.
	Location *time.Location
	// HolidaysDir holds YEAR.json files at its root (see configs/holidays/README.md); nil means none.
	HolidaysDir fs.FS
	// Hours are the opening hours; a kind of day without spans is closed.
	Hours Hours
	// Festivals are greeted in this order of precedence; nil is DefaultFestivals().
	Festivals []Festival
}

// Kind says what sort of day a day is for opening hours.
type Kind string

// The kinds of a day. MovedWorkday is a Saturday or Sunday worked in exchange for a day off.
const (
	Workday      Kind = "workday"
	Weekend      Kind = "weekend"
	DayOff       Kind = "day-off"
	MovedWorkday Kind = "moved-workday"
)

var kindNames = map[Kind]string{
	Workday:      "工作日",
	Weekend:      "周末",
	DayOff:       "放假",
	MovedWorkday: "调休上班",
}

// Day is what is known about one civil day.
type Day struct {
	// Date is the day's first moment in the calendar's location.
	Date time.Time
	Kind Kind
	// Holiday names the holiday for which the day is off or worked, as the notice does ("春节"); otherwise empty.
	Holiday string
	// Announced is true if Kind comes from a YEAR.json rather than from the weekday or the law.
	Announced bool
	// Festivals of the day, the one that is greeted first.
	Festivals []Occasion
	// Lunar is the lunar date, "丙午年正月初一"; empty outside 1900–2199.
	Lunar string
}

// Calendar answers for any moment. It is safe for concurrent use.
type Calendar struct {
	location  *time.Location
	hours     Hours
	festivals []season
	statutory []season
	notices   notices

	mu    sync.Mutex
	years map[int][]Day // filled when first asked for; index is the day of the year, from 0
}

// New reads all YEAR.json files and checks the festivals. The error lists everything that is wrong.
func New(o Options) (*Calendar, error) {
	if o.Location == nil {
		o.Location = time.FixedZone("CST", 8*60*60) // no tzdata needed, and no summer time since 1991
	}
	if o.Festivals == nil {
		o.Festivals = DefaultFestivals()
	}
	festivals, err := seasons(o.Festivals)
	if err != nil {
		return nil, fmt.Errorf("calendar: %w", err)
	}
	statutory, err := seasons(statutoryHolidays)
	if err != nil {
		return nil, fmt.Errorf("calendar: statutory holidays: %w", err)
	}
	if err := o.Hours.check(); err != nil {
		return nil, fmt.Errorf("calendar: opening hours: %w", err)
	}
	notices, err := loadNotices(o.HolidaysDir)
	if err != nil {
		return nil, fmt.Errorf("calendar: holidays: %w", err)
	}
	return &Calendar{
		location:  o.Location,
		hours:     o.Hours,
		festivals: festivals,
		statutory: statutory,
		notices:   notices,
		years:     map[int][]Day{},
	}, nil
}

// Day returns the civil day that t falls on in the calendar's location.
func (c *Calendar) Day(t time.Time) Day {
	d := c.day(c.dateOf(t))
	d.Festivals = append([]Occasion(nil), d.Festivals...)
	return d
}

// Warnings says, in Chinese, what an operator should put right: no notice for this year, none for the next.
func (c *Calendar) Warnings(now time.Time) []string {
	today := c.dateOf(now)
	var warnings []string
	if !c.notices.has(today.Year()) {
		warnings = append(warnings, missingYear(today.Year()))
	}
	if !c.notices.has(today.Year() + 1) {
		warnings = append(warnings, missingNextYear(today))
	}
	return warnings
}

func missingYear(year int) string {
	return fmt.Sprintf("没有%d年的放假安排（缺 %d.json）：只按法定节假日放假，不计调休", year, year)
}

// missingNextYear is gentler while there is nothing to be done: notices appear in October at the earliest.
func missingNextYear(today time.Time) string {
	if next := today.Year() + 1; today.Month() < time.October {
		return fmt.Sprintf("还没有%d年的放假安排（%d.json）：国务院办公厅的通知一般在10月至12月发布，届时请补上", next, next)
	}
	return missingYear(today.Year() + 1)
}

// Dates are handled as midnights in UTC, which has a midnight on every day and 24 hours in each.

func (c *Calendar) dateOf(t time.Time) time.Time {
	y, m, d := t.In(c.location).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

func (c *Calendar) day(date time.Time) Day {
	return c.year(date.Year())[date.YearDay()-1]
}

func (c *Calendar) year(year int) []Day {
	c.mu.Lock()
	defer c.mu.Unlock()
	days, ok := c.years[year]
	if !ok {
		days = c.compute(year)
		c.years[year] = days
	}
	return days
}

func (c *Calendar) compute(year int) []Day {
	almanac := readAlmanac(year)
	var days []Day
	for date := newYear(year); date.Year() == year; date = date.AddDate(0, 0, 1) {
		day := Day{
			Date:      time.Date(year, date.Month(), date.Day(), 0, 0, 0, 0, c.location),
			Festivals: almanac.occasions(c.festivals, date),
			Lunar:     almanac.on(date).text(),
		}
		day.Kind, day.Holiday, day.Announced = c.kind(almanac, date)
		days = append(days, day)
	}
	return days
}

func (c *Calendar) kind(almanac almanac, date time.Time) (kind Kind, holiday string, announced bool) {
	if entry, ok := c.notices.days[date]; ok {
		return entry.kind, entry.holiday, true
	}
	if !c.notices.has(date.Year()) {
		if off := almanac.occasions(c.statutory, date); len(off) > 0 {
			return DayOff, off[0].Name, false
		}
	}
	if weekend(date) {
		return Weekend, "", false
	}
	return Workday, "", false
}

func weekend(date time.Time) bool {
	return date.Weekday() == time.Saturday || date.Weekday() == time.Sunday
}

func newYear(year int) time.Time {
	return time.Date(year, time.January, 1, 0, 0, 0, 0, time.UTC)
}
