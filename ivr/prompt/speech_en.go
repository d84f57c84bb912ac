package prompt

import "strconv"

// english reads numbers without "and": "one hundred five".
type english struct{}

func (e english) number(n int) []string {
	switch {
	case n >= 1000:
		return e.withRest(e.number(n/1000), "unit.thousand", n%1000)
	case n >= 100:
		return e.withRest(e.number(n/100), "unit.hundred", n%100)
	case n > 20 && n%10 > 0:
		return []string{single(n - n%10), single(n % 10)}
	default:
		return []string{single(n)} // 0..20 and the tens are prompts of their own
	}
}

func (e english) withRest(head []string, unit string, rest int) []string {
	ids := append(head, unit)
	if rest == 0 {
		return ids
	}
	return append(ids, e.number(rest)...)
}

func single(n int) string { return "number." + strconv.Itoa(n) }

func (e english) counted(n int, one, many string) []string {
	if n == 1 {
		return append(e.number(n), one)
	}
	return append(e.number(n), many)
}

func (e english) percent(n int) []string { return append(e.number(n), "percent") }

// clock: "two oh five in the afternoon", "eight thirty in the morning", "six o'clock in the evening".
func (e english) clock(hour, minute int) []string {
	part := partOfDay(hour)
	if hour = hour % 12; hour == 0 {
		hour = 12
	}
	ids := e.number(hour)
	switch {
	case minute == 0:
		ids = append(ids, "clock.hour")
	case minute < 10:
		ids = append(append(ids, "clock.oh"), e.number(minute)...)
	default:
		ids = append(ids, e.number(minute)...)
	}
	return append(ids, part)
}
