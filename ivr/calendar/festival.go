package calendar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxFestivalDays bounds a festival's length, and so how far back a day must look for one's beginning.
const maxFestivalDays = 15

// Festival is a day, or a run of days, with a greeting of its own.
type Festival struct {
	// ID is unique among the festivals: "spring".
	ID string
	// Name is what operators read: "春节".
	Name string
	// On is the first day: "solar 10-01" (month and day), "lunar 08-15" (of the ordinary month, never of a leap one),
	// "term 清明" (one of the 24 solar terms) or "eve" (the last day of the lunar year).
	On string
	// Days is how many days it lasts, 1–15; 0 is 1.
	Days int
	// Prompt is the greeting's prompt ID; empty is "greeting.festival." and the ID.
	Prompt string
}

// DefaultFestivals returns the built-in festivals, the one that is greeted first on a shared day before the others
// (B2, C1). The caller may change the result.
func DefaultFestivals() []Festival {
	return slices.Clone(defaultFestivals)
}

var defaultFestivals = []Festival{
	{ID: "spring", Name: "春节", On: "lunar 01-01", Days: 6},
	{ID: "eve", Name: "除夕", On: "eve"},
	{ID: "newyear", Name: "元旦", On: "solar 01-01"},
	{ID: "midautumn", Name: "中秋节", On: "lunar 08-15"},
	{ID: "national", Name: "国庆节", On: "solar 10-01", Days: 7},
	{ID: "labour", Name: "劳动节", On: "solar 05-01", Days: 5},
	{ID: "dragonboat", Name: "端午节", On: "lunar 05-05"},
	{ID: "qingming", Name: "清明节", On: "term 清明"},
	{ID: "lantern", Name: "元宵节", On: "lunar 01-15"},
	{ID: "chongyang", Name: "重阳节", On: "lunar 09-09"},
	{ID: "qixi", Name: "七夕", On: "lunar 07-07"},
}

// statutoryHolidays are the 13 days off fixed by law (全国年节及纪念日放假办法, in force since 2025-01-01). They stand in
// for a year's notice while there is none.
var statutoryHolidays = []Festival{
	{ID: "newyear", Name: "元旦", On: "solar 01-01", Days: 1},
	{ID: "spring", Name: "春节", On: "eve", Days: 4},
	{ID: "qingming", Name: "清明节", On: "term 清明", Days: 1},
	{ID: "labour", Name: "劳动节", On: "solar 05-01", Days: 2},
	{ID: "dragonboat", Name: "端午节", On: "lunar 05-05", Days: 1},
	{ID: "midautumn", Name: "中秋节", On: "lunar 08-15", Days: 1},
	{ID: "national", Name: "国庆节", On: "solar 10-01", Days: 3},
}

// Occasion is a festival on one of its days.
type Occasion struct {
	Festival
	// Nth is which of the festival's days this is, from 1.
	Nth int
}

func (o Occasion) String() string {
	if o.Days == 1 {
		return o.Name
	}
	return fmt.Sprintf("%s第%d天（共%d天）", o.Name, o.Nth, o.Days)
}

// season is a Festival whose rule has been understood.
type season struct {
	Festival
	begins func(reading) bool
}

func seasons(festivals []Festival) ([]season, error) {
	var result []season
	var errs []error
	seen := map[string]bool{}
	for i, f := range festivals {
		s, err := newSeason(f)
		if err == nil && seen[f.ID] {
			err = errors.New("a festival with this ID came before; give each its own")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("festival %d (%q): %w", i+1, f.ID, err))
			continue
		}
		seen[f.ID] = true
		result = append(result, s)
	}
	return result, errors.Join(errs...)
}

func newSeason(f Festival) (season, error) {
	if f.ID == "" || f.Name == "" {
		return season{}, errors.New("ID and Name must not be empty")
	}
	if f.Days == 0 {
		f.Days = 1
	}
	if f.Days < 1 || f.Days > maxFestivalDays {
		return season{}, fmt.Errorf("lasts %d days; must be 1 to %d", f.Days, maxFestivalDays)
	}
	if f.Prompt == "" {
		f.Prompt = "greeting.festival." + f.ID
	}
	begins, err := parseRule(f.On)
	return season{Festival: f, begins: begins}, err
}

// parseRule understands Festival.On.
func parseRule(rule string) (begins func(reading) bool, err error) {
	kind, rest, _ := strings.Cut(rule, " ")
	switch kind {
	case "eve":
		if rest == "" {
			return func(r reading) bool { return r.eve }, nil
		}
	case "term":
		if slices.Contains(solarTerms, rest) {
			return func(r reading) bool { return r.term == rest }, nil
		}
	case "solar":
		if month, day, ok := monthAndDay(rest); ok && solarDateExists(month, day) {
			return func(r reading) bool { return r.date.Month() == time.Month(month) && r.date.Day() == day }, nil
		}
	case "lunar":
		// A leap month reads as a negative one, so it never matches.
		if month, day, ok := monthAndDay(rest); ok && day <= 30 {
			return func(r reading) bool { return r.month == month && r.day == day }, nil
		}
	}
	return nil, fmt.Errorf(`no such date %q; write "solar 10-01", "lunar 08-15", "term 清明" or "eve"`, rule)
}

func monthAndDay(s string) (month, day int, ok bool) {
	if len(s) != len("01-02") || s[2] != '-' {
		return 0, 0, false
	}
	month, okMonth := twoDigits(s[:2])
	day, okDay := twoDigits(s[3:])
	return month, day, okMonth && okDay && 1 <= month && month <= 12 && 1 <= day && day <= 31
}

// twoDigits reads two characters as a number from 0 to 99, without the signs that strconv.Atoi takes.
func twoDigits(s string) (n int, ok bool) {
	tens, ones := s[0]-'0', s[1]-'0' // below '0' wraps to more than 9
	return int(tens)*10 + int(ones), tens <= 9 && ones <= 9
}

func solarDateExists(month, day int) bool {
	const leapYear = 2000 // so that 02-29 counts
	return time.Date(leapYear, time.Month(month), day, 0, 0, 0, 0, time.UTC).Month() == time.Month(month)
}
