package calendar

import (
	"time"

	lunar "github.com/6tail/lunar-go/calendar"
)

var solarTerms = lunar.JIE_QI

// reading is what the sky says about a date.
type reading struct {
	date       time.Time
	month, day int    // lunar; a leap month is negative; 0 where unknown
	term       string // the solar term that falls on the date, or empty
	eve        bool   // the next date is the first of the lunar year
	yearName   string // 丙午
	dayName    string // 正月初一, 闰六月初一
}

func (r reading) text() string {
	if r.month == 0 {
		return ""
	}
	return r.yearName + "年" + r.dayName
}

func read(date time.Time) reading {
	r := reading{date: date}
	if date.Year() < firstLunarYear || date.Year() > lastLunarYear {
		return r
	}
	l := lunar.NewLunarFromSolar(lunar.NewSolarFromYmd(date.Year(), int(date.Month()), date.Day()))
	r.month, r.day, r.term = l.GetMonth(), l.GetDay(), l.GetJieQi()
	r.yearName = l.GetYearInGanZhi()
	r.dayName = l.GetMonthInChinese() + "月" + l.GetDayInChinese()
	return r
}

// almanac holds the readings of a year and of the days before it on which a festival of its first days may begin.
type almanac struct {
	first    time.Time
	readings []reading
}

func readAlmanac(year int) almanac {
	a := almanac{first: newYear(year).AddDate(0, 0, -(maxFestivalDays - 1))}
	for date := a.first; date.Year() <= year; date = date.AddDate(0, 0, 1) {
		r := read(date)
		if last := len(a.readings) - 1; last >= 0 && r.month == 1 && r.day == 1 {
			a.readings[last].eve = true
		}
		a.readings = append(a.readings, r)
	}
	return a
}

func (a almanac) on(date time.Time) reading {
	return a.readings[a.index(date)]
}

func (a almanac) index(date time.Time) int {
	return int(date.Sub(a.first) / (24 * time.Hour))
}

// occasions returns those of the seasons that are under way on the date, in their order.
func (a almanac) occasions(seasons []season, date time.Time) []Occasion {
	var result []Occasion
	today := a.index(date)
	for _, s := range seasons {
		for nth := 1; nth <= s.Days; nth++ {
			if s.begins(a.readings[today-(nth-1)]) {
				result = append(result, Occasion{Festival: s.Festival, Nth: nth})
				break
			}
		}
	}
	return result
}
