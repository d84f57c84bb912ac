package prompt

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// SpeechOptions are the choices of a house style.
type SpeechOptions struct {
	Yao bool // Chinese: digit 1 in strings of digits is read 幺 (yāo), as on the telephone, instead of 一
}

// Speech composes numbers, positions and times of one language out of prompt IDs. Every ID it returns is in the
// language's catalogue or generated. It holds no state and may be used by many calls at once.
type Speech struct {
	language string
	options  SpeechOptions
	grammar  grammar
}

// grammar is what differs between languages. Numbers are 0..99999.
type grammar interface {
	number(n int) []string                    // 二百零五; two hundred five
	counted(n int, one, many string) []string // with the unit counted: 两 分钟; two minutes
	percent(n int) []string                   // 百分之八十; eighty per cent
	clock(hour, minute int) []string          // hour 0..23, minute 0..59
}

var grammars = map[string]grammar{"zh-CN": chinese{}, "en": english{}}

// NewSpeech returns the grammar of "zh-CN" or "en"; any other language is an error.
func NewSpeech(language string, o SpeechOptions) (*Speech, error) {
	g := grammars[language]
	if g == nil {
		return nil, fmt.Errorf("no grammar for language %q; known: %s", language, strings.Join(sorted(grammars), ", "))
	}
	return &Speech{language: language, options: o, grammar: g}, nil
}

// Language is "zh-CN" or "en".
func (s *Speech) Language() string { return s.language }

const largestNumber = 99999

// Number reads a number aloud, 0..99999: 二十二, 一百零五, 两万. Others are read digit by digit, without a sign.
func (s *Speech) Number(n int) []string {
	if n < 0 || n > largestNumber {
		return s.Digits(strconv.Itoa(n))
	}
	return s.grammar.number(n)
}

// Digits reads 0..9 one by one, as in 一零零八六, and passes over every other character.
func (s *Speech) Digits(digits string) []string {
	ids := make([]string, 0, len(digits))
	for _, d := range digits {
		switch {
		case d == '1' && s.options.Yao && s.language == "zh-CN":
			ids = append(ids, "digit.yao")
		case d >= '0' && d <= '9':
			ids = append(ids, "digit."+string(d))
		}
	}
	return ids
}

// Phone reads a telephone number in groups with a short pause between them, so that a caller can check it: a Chinese
// mobile number as 3-4-4, others in fours from the end. Characters other than digits are passed over.
func (s *Speech) Phone(number string) []string {
	digits := onlyDigits(number)
	var ids []string
	for i, d := range digits {
		left := len(digits) - i
		if i > 0 && left%4 == 0 {
			ids = append(ids, Pause(240))
		}
		ids = append(ids, s.Digits(string(d))...)
	}
	return ids
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// Position says how many callers are ahead (D1): none, 您是下一位; two, 您前面还有两位客户. Negative is none; more than
// 99999 is said as 99999.
func (s *Speech) Position(ahead int) []string {
	switch ahead = min(ahead, largestNumber); {
	case ahead <= 0:
		return []string{"queue.next"}
	case ahead == 1:
		return []string{"queue.position.one"}
	}
	ids := []string{"queue.position.before"}
	ids = append(ids, s.grammar.counted(ahead, "queue.position.after", "queue.position.after")...)
	return ids
}

// Estimate says how long the wait is likely to be (D1), rounded up to a minute, and to five minutes from an hour on,
// since a promise may not be shorter than the truth. Up to a minute it is 不到一分钟; more than a day is said as a day.
func (s *Speech) Estimate(d time.Duration) []string {
	if d <= time.Minute {
		return []string{"queue.estimate.short"}
	}
	minutes := roundUp(min(d, 24*time.Hour), time.Minute)
	if minutes > 60 {
		minutes = roundUp(min(d, 24*time.Hour), 5*time.Minute) * 5
	}
	ids := []string{"queue.estimate.before"}
	if h := minutes / 60; h > 0 {
		ids = append(ids, s.grammar.counted(h, "unit.hour", "unit.hours")...)
	}
	if m := minutes % 60; m > 0 {
		ids = append(ids, s.grammar.counted(m, "unit.minute", "unit.minutes")...)
	}
	return append(ids, "queue.estimate.after")
}

func roundUp(d, unit time.Duration) int { return int((d + unit - 1) / unit) }

// Agent says who serves the caller (C9): 您好, 七八九 号为您服务. number is read digit by digit.
func (s *Speech) Agent(number string) []string {
	ids := []string{"agent.before"}
	ids = append(ids, s.Digits(number)...)
	return append(ids, "agent.after")
}

// Percent reads n per cent: 百分之八十. Outside 0..100 it is said as the nearer end.
func (s *Speech) Percent(n int) []string { return s.grammar.percent(min(max(n, 0), 100)) }

// Clock reads a time of day in twelve hours with its part of the day: 下午两点零五分. Hours and minutes outside
// 0..23 and 0..59 are wrapped; 24:00 is 凌晨零点.
func (s *Speech) Clock(hour, minute int) []string {
	return s.grammar.clock(wrap(hour, 24), wrap(minute, 60))
}

func wrap(n, size int) int { return ((n % size) + size) % size }

// partsOfDay names the part of the day each hour belongs to, as Chinese speakers use them.
var partsOfDay = []struct {
	until int // first hour that is no longer part of it
	id    string
}{{5, "clock.night"}, {9, "clock.early"}, {12, "clock.morning"}, {13, "clock.noon"}, {18, "clock.afternoon"}, {24, "clock.evening"}}

func partOfDay(hour int) string {
	for _, p := range partsOfDay {
		if hour < p.until {
			return p.id
		}
	}
	return ""
}

// spokenIDs lists every ID the grammar of a language can compose, apart from generated ones.
func spokenIDs(language string) []string {
	g := grammars[language]
	if g == nil {
		return nil
	}
	used := map[string]bool{"queue.next": true, "queue.position.one": true, "queue.position.before": true, "queue.estimate.short": true,
		"queue.estimate.before": true, "queue.estimate.after": true, "agent.before": true, "agent.after": true, "digit.yao": true}
	add := func(ids []string) {
		for _, id := range ids {
			used[id] = true
		}
	}
	for n := range 10 {
		used["digit."+strconv.Itoa(n)] = true
	}
	for n := range 1000 {
		add(g.number(n * 100))
		add(g.number(n))
	}
	for _, n := range []int{1, 2} {
		add(g.counted(n, "unit.hour", "unit.hours"))
		add(g.counted(n, "unit.minute", "unit.minutes"))
		add(g.counted(n, "queue.position.after", "queue.position.after"))
	}
	add(g.percent(50))
	for h := range 24 {
		for m := range 60 {
			add(g.clock(h, m))
		}
	}
	return sorted(used)
}
