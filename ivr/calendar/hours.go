package calendar

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

const wholeDay = 24 * time.Hour

// horizon is how many days ahead Closes and Opens look. It is longer than a year, so it holds every kind of day.
const horizon = 400

// Span is a stretch of opening hours within a day, "08:30-18:00". An end not later than the beginning is on the next
// day: "20:00-02:00". The span belongs to the day on which it begins. "00:00-24:00" is the whole day.
type Span struct {
	From time.Duration // since midnight by the clock on the wall, 0 to 23h59m, whole minutes
	To   time.Duration // likewise, 0 to 24h, never equal to From
}

// ParseSpan reads "HH:MM-HH:MM", two digits each.
func ParseSpan(s string) (Span, error) {
	from, to, ok := strings.Cut(s, "-")
	var span Span
	if ok {
		span.From, ok = parseClock(from)
	}
	if ok {
		span.To, ok = parseClock(to)
	}
	if !ok {
		return Span{}, fmt.Errorf(`%q are no opening hours; write "08:30-18:00"`, s)
	}
	if err := span.check(); err != nil {
		return Span{}, err
	}
	return span, nil
}

func parseClock(s string) (sinceMidnight time.Duration, ok bool) {
	if len(s) != len("08:30") || s[2] != ':' {
		return 0, false
	}
	hour, okHour := twoDigits(s[:2])
	minute, okMinute := twoDigits(s[3:])
	sinceMidnight = time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute
	return sinceMidnight, okHour && okMinute && minute < 60 && sinceMidnight <= wholeDay
}

func (s Span) check() error {
	if s.From < 0 || s.From >= wholeDay || s.To < 0 || s.To > wholeDay {
		return fmt.Errorf("opening hours %s: must begin from 00:00 to 23:59 and end from 00:00 to 24:00", s)
	}
	if s.From%time.Minute != 0 || s.To%time.Minute != 0 {
		return fmt.Errorf("opening hours from %v to %v: must be whole minutes", s.From, s.To)
	}
	if s.From == s.To {
		return fmt.Errorf(`opening hours %s begin and end at once; write "00:00-24:00" for the whole day`, s)
	}
	return nil
}

// String is the form that ParseSpan reads.
func (s Span) String() string {
	return clock(s.From) + "-" + clock(s.To)
}

func clock(sinceMidnight time.Duration) string {
	minutes := int(sinceMidnight / time.Minute)
	return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60)
}

// MarshalText is String.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is ParseSpan.
func (s *Span) UnmarshalText(text []byte) error {
	span, err := ParseSpan(string(text))
	if err == nil {
		*s = span
	}
	return err
}

// Hours are the opening hours by kind of day. None means closed. Spans may touch or overlap; their union counts.
type Hours struct {
	Workday []Span // working days, moved ones included
	Weekend []Span
	Holiday []Span // days off
}

func (h Hours) check() error {
	var errs []error
	for _, spans := range [][]Span{h.Workday, h.Weekend, h.Holiday} {
		for _, s := range spans {
			errs = append(errs, s.check())
		}
	}
	return errors.Join(errs...)
}

func (h Hours) on(kind Kind) []Span {
	switch kind {
	case DayOff:
		return h.Holiday
	case Weekend:
		return h.Weekend
	default:
		return h.Workday
	}
}

// opening is a span on a date, as moments: from start up to but not including end.
type opening struct {
	start, end time.Time
	span       Span
	date       time.Time
}

func (o opening) covers(t time.Time) bool { return !t.Before(o.start) && t.Before(o.end) }

func (c *Calendar) openings(date time.Time) []opening {
	var result []opening
	for _, s := range c.hours.on(c.day(date).Kind) {
		to := s.To
		if to <= s.From {
			to += wholeDay
		}
		result = append(result, opening{start: c.at(date, s.From), end: c.at(date, to), span: s, date: date})
	}
	return result
}

// at is the moment when the clock on the wall shows so much since the date's midnight.
func (c *Calendar) at(date time.Time, sinceMidnight time.Duration) time.Time {
	return time.Date(date.Year(), date.Month(), date.Day(), 0, int(sinceMidnight/time.Minute), 0, 0, c.location)
}

// covering returns the opening around t that ends last. It may have begun the day before.
func (c *Calendar) covering(t time.Time) (last opening, ok bool) {
	today := c.dateOf(t)
	for _, date := range []time.Time{today.AddDate(0, 0, -1), today} {
		for _, o := range c.openings(date) {
			if o.covers(t) && (!ok || o.end.After(last.end)) {
				last, ok = o, true
			}
		}
	}
	return last, ok
}

// Open reports whether the hotline is open at t, and why, in Chinese.
func (c *Calendar) Open(t time.Time) (open bool, why string) {
	if o, ok := c.covering(t); ok {
		whose := c.day(o.date).label()
		if !o.date.Equal(c.dateOf(t)) {
			whose = "前一天（" + whose + "）"
		}
		return true, fmt.Sprintf("%s营业时间 %s", whose, o.span)
	}
	day := c.day(c.dateOf(t))
	spans := c.hours.on(day.Kind)
	if len(spans) == 0 {
		return false, day.label() + "不营业"
	}
	return false, fmt.Sprintf("不在%s营业时间 %s 内", day.label(), joinSpans(spans))
}

// Closes returns when the opening around t ends. Openings that touch are one. False if the hotline is closed at t, or
// does not close within 400 days.
func (c *Calendar) Closes(t time.Time) (time.Time, bool) {
	o, open := c.covering(t)
	if !open {
		return time.Time{}, false
	}
	for limit := t.AddDate(0, 0, horizon); o.end.Before(limit); {
		next, goesOn := c.covering(o.end)
		if !goesOn {
			return o.end, true
		}
		o = next
	}
	return time.Time{}, false
}

// Opens returns when the hotline next opens after t. False if it is open at t, or does not open within 400 days.
func (c *Calendar) Opens(t time.Time) (time.Time, bool) {
	if _, open := c.covering(t); open {
		return time.Time{}, false
	}
	today := c.dateOf(t)
	for ahead := range horizon {
		var next time.Time
		for _, o := range c.openings(today.AddDate(0, 0, ahead)) {
			if o.start.After(t) && o.start.Before(o.end) && (next.IsZero() || o.start.Before(next)) {
				next = o.start
			}
		}
		if !next.IsZero() {
			return next, true
		}
	}
	return time.Time{}, false
}

// label is the day's kind as an operator reads it: 工作日, 放假(春节).
func (d Day) label() string {
	if d.Holiday == "" {
		return kindNames[d.Kind]
	}
	return fmt.Sprintf("%s（%s）", kindNames[d.Kind], d.Holiday)
}

func joinSpans(spans []Span) string {
	texts := make([]string, len(spans))
	for i, s := range spans {
		texts[i] = s.String()
	}
	return strings.Join(texts, "、")
}
