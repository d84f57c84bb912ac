package prompt

import "strings"

// chinese spells a number as characters first and then says each character: the rules of the numerals stay readable,
// and a character is a prompt.
type chinese struct{}

var chinesePrompts = map[rune]string{
	'零': "number.0", '一': "number.1", '二': "number.2", '三': "number.3", '四': "number.4", '五': "number.5",
	'六': "number.6", '七': "number.7", '八': "number.8", '九': "number.9", '两': "number.liang",
	'十': "unit.ten", '百': "unit.hundred", '千': "unit.thousand", '万': "unit.wan",
}

func (chinese) number(n int) []string { return sayNumeral(numeral(n)) }

// counted puts 两 before a measure word where the number is two alone: 两位, 两分钟, but 十二位, 二十二位.
func (c chinese) counted(n int, one, _ string) []string {
	if n == 2 {
		return []string{"number.liang", one}
	}
	return append(c.number(n), one)
}

func (c chinese) percent(n int) []string { return append([]string{"percent"}, c.number(n)...) }

// clock: 下午两点, 下午两点零五分, 凌晨零点十分, 上午八点半.
func (c chinese) clock(hour, minute int) []string {
	ids := []string{partOfDay(hour)}
	if hour > 12 {
		hour -= 12
	}
	ids = append(ids, c.counted(hour, "clock.hour", "")...)
	switch {
	case minute == 0:
		return ids
	case minute == 30:
		return append(ids, "clock.half")
	case minute < 10:
		ids = append(ids, "number.0")
	}
	return append(append(ids, c.number(minute)...), "clock.minute")
}

func sayNumeral(characters string) []string {
	ids := make([]string, 0, len(characters)/3)
	for _, r := range characters {
		ids = append(ids, chinesePrompts[r])
	}
	return ids
}

var chineseUnits = []struct {
	value int
	name  string
}{{10000, "万"}, {1000, "千"}, {100, "百"}, {10, "十"}}

// numeral spells 0..99999: 零 for one or more empty places inside (一百零五, 一万零五), none at the end (一百一十), no 一
// before a leading 十 (十五, but 一百一十五), 两 before 千 and 万 (两千, 两万) and 二 before 百 and 十 (二百, 二十).
func numeral(n int) string {
	const digits = "零一二三四五六七八九"
	digit := func(d int) string { return digits[3*d : 3*d+3] }
	if n == 0 {
		return digit(0)
	}
	var b strings.Builder
	gap := false // an empty place since the last character
	for _, unit := range chineseUnits {
		d := n / unit.value
		n %= unit.value
		if d == 0 {
			gap = true
			continue
		}
		if gap && b.Len() > 0 {
			b.WriteString(digit(0))
		}
		gap = false
		switch {
		case d == 1 && unit.value == 10 && b.Len() == 0:
		case d == 2 && unit.value >= 1000:
			b.WriteString("两")
		default:
			b.WriteString(digit(d))
		}
		b.WriteString(unit.name)
	}
	if n > 0 {
		if gap && b.Len() > 0 {
			b.WriteString(digit(0))
		}
		b.WriteString(digit(n))
	}
	return b.String()
}
