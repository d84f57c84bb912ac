package calendar

import (
	"fmt"
	"io"
	"strings"
	"time"
)

const weekdays = "日一二三四五六"

// PrintYear writes the year in Chinese: festivals with their greetings, days off, moved working days, opening hours.
func (c *Calendar) PrintYear(w io.Writer, year int) error {
	if year < firstLunarYear || year > lastLunarYear {
		return fmt.Errorf("calendar: cannot print %d: lunar dates are known from %d to %d", year, firstLunarYear, lastLunarYear)
	}
	days := c.year(year)
	var b strings.Builder
	fmt.Fprintf(&b, "%d年日历\n\n", year)
	c.printFestivals(&b, days)
	c.printHolidays(&b, year, days)
	c.printHours(&b)
	if !c.notices.has(year) {
		fmt.Fprintf(&b, "\n注意：%s\n", missingYear(year))
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("calendar: printing %d: %w", year, err)
	}
	return nil
}

func (c *Calendar) printFestivals(b *strings.Builder, days []Day) {
	t := table{{"节日", "日期", "星期", "农历", "天数", "问候语"}}
	var shared []string
	for _, d := range days {
		for _, o := range d.Festivals {
			if o.Nth == 1 {
				t = append(t, []string{o.Name, d.Date.Format("01-02"), weekday(d.Date), lunarDay(d), fmt.Sprint(o.Days), o.Prompt})
			}
		}
		if len(d.Festivals) > 1 {
			shared = append(shared, sharedDay(d))
		}
	}
	t.print(b, "")
	for _, s := range shared {
		fmt.Fprintln(b, s)
	}
}

func sharedDay(d Day) string {
	names := make([]string, len(d.Festivals))
	for i, o := range d.Festivals {
		names[i] = o.Name
	}
	return fmt.Sprintf("同日：%s %s，播%s问候", d.Date.Format("01-02"), strings.Join(names, "、"), names[0])
}

func (c *Calendar) printHolidays(b *strings.Builder, year int, days []Day) {
	source := c.notices.sources[year]
	if source == "" {
		source = "全国年节及纪念日放假办法（法定节假日）"
	}
	fmt.Fprintf(b, "\n放假，依据：%s\n", source)
	var t table
	var off, worked int
	var work []string
	for i := 0; i < len(days); i++ {
		switch d := days[i]; d.Kind {
		case DayOff:
			last := i
			for last+1 < len(days) && days[last+1].Kind == DayOff && days[last+1].Holiday == d.Holiday {
				last++
			}
			t = append(t, []string{d.Holiday, dateRange(d.Date, days[last].Date), fmt.Sprintf("%d天", last-i+1)})
			off += last - i + 1
			i = last
		case MovedWorkday:
			work = append(work, dateWithWeekday(d.Date))
			worked++
		}
	}
	t = append(t, []string{"合计", "", fmt.Sprintf("%d天", off)})
	t.print(b, "  ")
	if worked > 0 {
		fmt.Fprintf(b, "调休上班 %d天：%s\n", worked, strings.Join(work, " "))
	}
}

func (c *Calendar) printHours(b *strings.Builder) {
	fmt.Fprint(b, "\n营业时间\n")
	table{
		{"工作日", spansOrClosed(c.hours.Workday)},
		{"周末", spansOrClosed(c.hours.Weekend)},
		{"放假", spansOrClosed(c.hours.Holiday)},
	}.print(b, "  ")
}

// Explain writes, in Chinese, what the calendar makes of the moment t: which greeting and closing phrase play and why,
// and whether the hotline is open.
func (c *Calendar) Explain(w io.Writer, t time.Time) error {
	t = t.In(c.location)
	day, greeting := c.Day(t), c.Greeting(t)
	var b strings.Builder
	table{
		{"时间", fmt.Sprintf("%s 星期%s %s", t.Format(time.DateOnly), weekday(t), t.Format("15:04"))},
		{"农历", orNone(day.Lunar, "不详")},
		{"类型", c.explainKind(day)},
		{"节日", orNone(joinOccasions(day.Festivals), "无")},
		{"问候语", greeting.Prompt},
		{"原因", greeting.Why},
		{"营业", c.explainOpen(t)},
		{"结束语", c.explainClosing(t)},
	}.print(&b, "")
	if year := t.Year(); !c.notices.has(year) {
		fmt.Fprintf(&b, "注意：%s\n", missingYear(year))
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("calendar: explaining %s: %w", t.Format(time.DateTime), err)
	}
	return nil
}

func (c *Calendar) explainKind(d Day) string {
	switch {
	case d.Announced:
		return d.label() + "，据当年放假通知"
	case d.Kind == DayOff:
		return d.label() + "，据法定节假日"
	default:
		return d.label()
	}
}

func (c *Calendar) explainOpen(t time.Time) string {
	open, why := c.Open(t)
	if open {
		if closes, ok := c.Closes(t); ok {
			return fmt.Sprintf("是，%s；%s结束", why, moment(closes))
		}
		return fmt.Sprintf("是，%s；一年内不停", why)
	}
	if opens, ok := c.Opens(t); ok {
		return fmt.Sprintf("否，%s；%s开始", why, moment(opens))
	}
	return fmt.Sprintf("否，%s；一年内不开", why)
}

func (c *Calendar) explainClosing(t time.Time) string {
	prompt := c.Closing(t)
	if prompt == closingNight {
		return prompt + "（20:00至05:00道晚安）"
	}
	return prompt
}

func joinOccasions(occasions []Occasion) string {
	texts := make([]string, len(occasions))
	for i, o := range occasions {
		texts[i] = o.String()
	}
	return strings.Join(texts, "、")
}

func orNone(s, none string) string {
	if s == "" {
		return none
	}
	return s
}

func spansOrClosed(spans []Span) string {
	return orNone(joinSpans(spans), "不营业")
}

func weekday(t time.Time) string {
	return string([]rune(weekdays)[t.Weekday()])
}

func lunarDay(d Day) string {
	_, day, _ := strings.Cut(d.Lunar, "年")
	return day
}

func dateWithWeekday(t time.Time) string {
	return fmt.Sprintf("%s（%s）", t.Format("01-02"), weekday(t))
}

func dateRange(first, last time.Time) string {
	if first.Equal(last) {
		return dateWithWeekday(first)
	}
	return dateWithWeekday(first) + " 至 " + dateWithWeekday(last)
}

func moment(t time.Time) string {
	return t.Format("2006-01-02 15:04 ")
}

// table aligns columns for a terminal, on which a Chinese character is as wide as two Latin ones.
type table [][]string

func (t table) print(b *strings.Builder, indent string) {
	widths := t.widths()
	for _, row := range t {
		b.WriteString(indent)
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-width(cell)+2))
			}
		}
		b.WriteString("\n")
	}
}

func (t table) widths() []int {
	var widths []int
	for _, row := range t {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], width(cell))
		}
	}
	return widths
}

func width(s string) int {
	total := 0
	for _, r := range s {
		total++
		if r >= 0x2E80 { // from CJK radicals on, full-width forms included
			total++
		}
	}
	return total
}
