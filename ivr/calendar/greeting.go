package calendar

import (
	"fmt"
	"strings"
	"time"
)

// The closing phrases by the hour (B2, C7).
const (
	closingDay   = "closing.day"
	closingNight = "closing.night"
)

// Greeting is the first words a caller hears, and why these.
type Greeting struct {
	// Prompt is the prompt's ID: "greeting.festival.spring", "greeting.morning".
	Prompt string
	// Festival is the ID of the festival that is greeted; empty if the hour is.
	Festival string
	// Period is the part of the day, also on a festival: "early", "morning", "noon", "afternoon" or "evening".
	Period string
	// Why says, in Chinese, how the choice was made.
	Why string
}

// period is a part of the day, from its beginning until the next one's.
type period struct {
	from int // minutes after midnight
	id   string
	said string
}

var periods = []period{
	{0, "evening", "晚上好"},
	{5 * 60, "early", "早上好"},
	{9 * 60, "morning", "上午好"},
	{11*60 + 30, "noon", "中午好"},
	{13*60 + 30, "afternoon", "下午好"},
	{18 * 60, "evening", "晚上好"},
}

// Night, for the farewell 晚安, begins later than the evening: at six o'clock nobody goes to bed.
const (
	nightFrom  = 20 * 60
	nightUntil = 5 * 60
)

// Greeting returns the greeting for a call that is answered at t: the festival's if t is on one, otherwise the hour's
// (B2, C1). It is never 晚安.
func (c *Calendar) Greeting(t time.Time) Greeting {
	p := periodAt(c.minuteOf(t))
	festivals := c.day(c.dateOf(t)).Festivals
	if len(festivals) == 0 {
		return Greeting{
			Prompt: "greeting." + p.id,
			Period: p.id,
			Why:    fmt.Sprintf("当天没有节日，按时段问候“%s”", p.said),
		}
	}
	first := festivals[0]
	return Greeting{
		Prompt:   first.Prompt,
		Festival: first.ID,
		Period:   p.id,
		Why:      whyFestival(festivals, p),
	}
}

func whyFestival(festivals []Occasion, p period) string {
	why := fmt.Sprintf("当天是%s，节日问候优先于时段问候“%s”", festivals[0], p.said)
	if len(festivals) == 1 {
		return why
	}
	others := make([]string, 0, len(festivals)-1)
	for _, o := range festivals[1:] {
		others = append(others, o.String())
	}
	return why + "；同日还有" + strings.Join(others, "、") + "，按节日次序不播"
}

// Closing returns the prompt ID of the closing phrase for a call that ends at t: "closing.night", which says 晚安, from
// 20:00 to 05:00, otherwise "closing.day" (B2, C7).
func (c *Calendar) Closing(t time.Time) string {
	if m := c.minuteOf(t); m >= nightFrom || m < nightUntil {
		return closingNight
	}
	return closingDay
}

func (c *Calendar) minuteOf(t time.Time) int {
	hour, minute, _ := t.In(c.location).Clock()
	return hour*60 + minute
}

func periodAt(minute int) period {
	current := periods[0]
	for _, p := range periods {
		if p.from <= minute {
			current = p
		}
	}
	return current
}
