package prompt

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func speech(t testing.TB, language string, o SpeechOptions) *Speech {
	t.Helper()
	s, err := NewSpeech(language, o)
	if err != nil {
		t.Fatalf("NewSpeech(%q): %v", language, err)
	}
	return s
}

func catalogue(t testing.TB, language string) *Catalogue {
	t.Helper()
	c, err := LoadCatalogue(os.DirFS("../../configs/prompts"), language+".yaml")
	if err != nil {
		t.Fatalf("the shipped catalogue of %s does not load: %v", language, err)
	}
	return c
}

// read turns prompt IDs into what a caller hears, a pause as /.
func read(t testing.TB, c *Catalogue, ids []string) string {
	t.Helper()
	var words []string
	for _, id := range ids {
		p, ok := c.Prompt(id)
		switch {
		case ok:
			words = append(words, p.Text)
		case strings.HasPrefix(id, "pause.") && isGenerated(id):
			words = append(words, "/")
		default:
			t.Fatalf("the grammar composed %q, which is neither in the %s catalogue nor generated (in %v)", id, c.Language, ids)
		}
	}
	if c.Language == "zh-CN" {
		return strings.Join(words, "")
	}
	return strings.Join(words, " ")
}

func TestWhatIsHeard(t *testing.T) {
	minutes := func(n float64) time.Duration { return time.Duration(n * float64(time.Minute)) }
	cases := []struct {
		name    string
		compose func(s *Speech) []string
		zh, en  string
		yao     bool
	}{
		{name: "zero", compose: func(s *Speech) []string { return s.Number(0) }, zh: "零", en: "zero"},
		{name: "two alone", compose: func(s *Speech) []string { return s.Number(2) }, zh: "二", en: "two"},
		{name: "10", compose: func(s *Speech) []string { return s.Number(10) }, zh: "十", en: "ten"},
		{name: "12", compose: func(s *Speech) []string { return s.Number(12) }, zh: "十二", en: "twelve"},
		{name: "15", compose: func(s *Speech) []string { return s.Number(15) }, zh: "十五", en: "fifteen"},
		{name: "20", compose: func(s *Speech) []string { return s.Number(20) }, zh: "二十", en: "twenty"},
		{name: "22", compose: func(s *Speech) []string { return s.Number(22) }, zh: "二十二", en: "twenty two"},
		{name: "100", compose: func(s *Speech) []string { return s.Number(100) }, zh: "一百", en: "one hundred"},
		{name: "105", compose: func(s *Speech) []string { return s.Number(105) }, zh: "一百零五", en: "one hundred five"},
		{name: "110", compose: func(s *Speech) []string { return s.Number(110) }, zh: "一百一十", en: "one hundred ten"},
		{name: "115", compose: func(s *Speech) []string { return s.Number(115) }, zh: "一百一十五", en: "one hundred fifteen"},
		{name: "222", compose: func(s *Speech) []string { return s.Number(222) }, zh: "二百二十二", en: "two hundred twenty two"},
		{name: "1005", compose: func(s *Speech) []string { return s.Number(1005) }, zh: "一千零五", en: "one thousand five"},
		{name: "1050", compose: func(s *Speech) []string { return s.Number(1050) }, zh: "一千零五十", en: "one thousand fifty"},
		{name: "1010", compose: func(s *Speech) []string { return s.Number(1010) }, zh: "一千零一十", en: "one thousand ten"},
		{name: "2000", compose: func(s *Speech) []string { return s.Number(2000) }, zh: "两千", en: "two thousand"},
		{name: "10005", compose: func(s *Speech) []string { return s.Number(10005) }, zh: "一万零五", en: "ten thousand five"},
		{name: "20300", compose: func(s *Speech) []string { return s.Number(20300) }, zh: "两万零三百", en: "twenty thousand three hundred"},
		{name: "22222", compose: func(s *Speech) []string { return s.Number(22222) }, zh: "两万两千二百二十二", en: "twenty two thousand two hundred twenty two"},
		{name: "too large is read digit by digit", compose: func(s *Speech) []string { return s.Number(100020) }, zh: "一零零零二零", en: "one zero zero zero two zero"},
		{name: "negative", compose: func(s *Speech) []string { return s.Number(-7) }, zh: "七", en: "seven"},
		{name: "10086", compose: func(s *Speech) []string { return s.Digits("10086") }, zh: "一零零八六", en: "one zero zero eight six"},
		{name: "10086 with yao", yao: true, compose: func(s *Speech) []string { return s.Digits("10086") }, zh: "幺零零八六", en: "one zero zero eight six"},
		{name: "only digits of a string", compose: func(s *Speech) []string { return s.Digits("+86 (12)x٣") }, zh: "八六一二", en: "eight six one two"},
		{name: "mobile 3-4-4", compose: func(s *Speech) []string { return s.Phone("138-0013 8000") }, zh: "一三八/零零一三/八零零零", en: "one three eight / zero zero one three / eight zero zero zero"},
		{name: "short code in one go", compose: func(s *Speech) []string { return s.Phone("110") }, zh: "一一零", en: "one one zero"},
		{name: "no number", compose: func(s *Speech) []string { return s.Phone("anonymous") }, zh: "", en: ""},
		{name: "next", compose: func(s *Speech) []string { return s.Position(0) }, zh: "您是下一位，马上为您接通。", en: "You are next. We will be with you in a moment."},
		{name: "one ahead", compose: func(s *Speech) []string { return s.Position(1) }, zh: "您前面还有一位客户。", en: "There is one caller ahead of you."},
		{name: "two ahead", compose: func(s *Speech) []string { return s.Position(2) }, zh: "您前面还有两位客户。", en: "There are two callers ahead of you."},
		{name: "twelve ahead", compose: func(s *Speech) []string { return s.Position(12) }, zh: "您前面还有十二位客户。", en: "There are twelve callers ahead of you."},
		{name: "22 ahead", compose: func(s *Speech) []string { return s.Position(22) }, zh: "您前面还有二十二位客户。", en: "There are twenty two callers ahead of you."},
		{name: "absurdly many ahead", compose: func(s *Speech) []string { return s.Position(1 << 40) }, zh: "您前面还有九万九千九百九十九位客户。", en: "There are ninety nine thousand nine hundred ninety nine callers ahead of you."},
		{name: "a minute", compose: func(s *Speech) []string { return s.Estimate(time.Minute) }, zh: "预计等候时间不到一分钟。", en: "The wait is likely to be less than a minute."},
		{name: "negative estimate", compose: func(s *Speech) []string { return s.Estimate(-1) }, zh: "预计等候时间不到一分钟。", en: "The wait is likely to be less than a minute."},
		{name: "61 s is two minutes", compose: func(s *Speech) []string { return s.Estimate(61 * time.Second) }, zh: "预计等候时间两分钟左右。", en: "Your call should be answered about two minutes from now."},
		{name: "twelve minutes", compose: func(s *Speech) []string { return s.Estimate(minutes(12)) }, zh: "预计等候时间十二分钟左右。", en: "Your call should be answered about twelve minutes from now."},
		{name: "an hour", compose: func(s *Speech) []string { return s.Estimate(minutes(60)) }, zh: "预计等候时间一小时左右。", en: "Your call should be answered about one hour from now."},
		{name: "over an hour to five minutes", compose: func(s *Speech) []string { return s.Estimate(minutes(121.5)) }, zh: "预计等候时间两小时五分钟左右。", en: "Your call should be answered about two hours five minutes from now."},
		{name: "agent 789 (C9)", compose: func(s *Speech) []string { return s.Agent("789") }, zh: "您好，七八九号为您服务。", en: "Hello, agent seven eight nine at your service."},
		{name: "per cent", compose: func(s *Speech) []string { return s.Percent(80) }, zh: "百分之八十", en: "eighty per cent"},
		{name: "more than all", compose: func(s *Speech) []string { return s.Percent(250) }, zh: "百分之一百", en: "one hundred per cent"},
		{name: "14:00", compose: func(s *Speech) []string { return s.Clock(14, 0) }, zh: "下午两点", en: "two o'clock in the afternoon"},
		{name: "02:05", compose: func(s *Speech) []string { return s.Clock(2, 5) }, zh: "凌晨两点零五分", en: "two oh five at night"},
		{name: "08:30", compose: func(s *Speech) []string { return s.Clock(8, 30) }, zh: "早上八点半", en: "eight thirty in the morning"},
		{name: "12:12", compose: func(s *Speech) []string { return s.Clock(12, 12) }, zh: "中午十二点十二分", en: "twelve twelve at noon"},
		{name: "18:02", compose: func(s *Speech) []string { return s.Clock(18, 2) }, zh: "晚上六点零二分", en: "six oh two in the evening"},
		{name: "24:00", compose: func(s *Speech) []string { return s.Clock(24, 0) }, zh: "凌晨零点", en: "twelve o'clock at night"},
	}
	zh, en := catalogue(t, "zh-CN"), catalogue(t, "en")
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := read(t, zh, c.compose(speech(t, "zh-CN", SpeechOptions{Yao: c.yao}))); got != c.zh {
				t.Errorf("zh-CN: heard %q, want %q", got, c.zh)
			}
			if got := read(t, en, c.compose(speech(t, "en", SpeechOptions{Yao: c.yao}))); got != c.en {
				t.Errorf("en: heard %q, want %q", got, c.en)
			}
		})
	}
}

// parseChinese is the reading rule of Chinese numerals, written the other way round.
func parseChinese(text string) int {
	digit := map[rune]int{'零': 0, '一': 1, '二': 2, '两': 2, '三': 3, '四': 4, '五': 5, '六': 6, '七': 7, '八': 8, '九': 9}
	unit := map[rune]int{'十': 10, '百': 100, '千': 1000, '万': 10000}
	total, pending := 0, 0
	for i, r := range text {
		if d, ok := digit[r]; ok {
			pending = d
			continue
		}
		if i == 0 {
			pending = 1 // 十五
		}
		total += pending * unit[r]
		pending = 0
	}
	return total + pending
}

func parseEnglish(words []string) int {
	value := map[string]int{}
	for n, w := range strings.Fields("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty") {
		value[w] = n
	}
	for n, w := range strings.Fields("thirty forty fifty sixty seventy eighty ninety") {
		value[w] = 30 + 10*n
	}
	total, group := 0, 0
	for _, w := range words {
		switch w {
		case "hundred":
			group *= 100
		case "thousand":
			total, group = total+group*1000, 0
		default:
			group += value[w]
		}
	}
	return total + group
}

func TestEveryNumberIsReadBackAsItself(t *testing.T) {
	zh, en := catalogue(t, "zh-CN"), catalogue(t, "en")
	chinese, english := speech(t, "zh-CN", SpeechOptions{}), speech(t, "en", SpeechOptions{})
	for n := range largestNumber + 1 {
		heard := read(t, zh, chinese.Number(n))
		if got := parseChinese(heard); got != n {
			t.Fatalf("%d is read %s, which means %d: look at numeral's zeros and units", n, heard, got)
		}
		for _, wrong := range []string{"零零", "一十万", "二千", "二万", "两百", "两十", "零百", "零十"} {
			if strings.Contains(heard, wrong) {
				t.Fatalf("%d is read %s: %s is not said", n, heard, wrong)
			}
		}
		if n > 0 && strings.HasSuffix(heard, "零") || n >= 10 && n < 20 && !strings.HasPrefix(heard, "十") {
			t.Fatalf("%d is read %s", n, heard)
		}
		if got := parseEnglish(strings.Fields(read(t, en, english.Number(n)))); got != n {
			t.Fatalf("%d is read %q in English, which means %d", n, read(t, en, english.Number(n)), got)
		}
	}
}

// Every ID any composition returns exists, in both languages and styles, whatever comes in.
func TestComposedPromptsExist(t *testing.T) {
	catalogues := map[string]*Catalogue{"zh-CN": catalogue(t, "zh-CN"), "en": catalogue(t, "en")}
	rapid.Check(t, func(t *rapid.T) {
		language := rapid.SampledFrom([]string{"zh-CN", "en"}).Draw(t, "language")
		s, err := NewSpeech(language, SpeechOptions{Yao: rapid.Bool().Draw(t, "yao")})
		if err != nil {
			t.Fatal(err)
		}
		n, text := rapid.Int().Draw(t, "n"), rapid.String().Draw(t, "text")
		small := rapid.IntRange(-5, 200000).Draw(t, "small")
		d := time.Duration(rapid.Int64().Draw(t, "d"))
		composed := map[string][]string{
			"Number": append(s.Number(n), s.Number(small)...), "Digits": s.Digits(text), "Phone": s.Phone(text),
			"Position": append(s.Position(n), s.Position(small)...), "Agent": s.Agent(text), "Percent": s.Percent(n), "Clock": s.Clock(n, small),
			"Estimate": append(s.Estimate(d), s.Estimate(d%(48*time.Hour))...),
		}
		known := spokenIDs(language)
		for name, ids := range composed {
			for _, id := range ids {
				if _, ok := catalogues[language].Prompt(id); !ok && !isGenerated(id) {
					t.Fatalf("%s in %s composed %q, which no catalogue has", name, language, id)
				}
				if _, ok := slices.BinarySearch(known, id); !ok && !isGenerated(id) {
					t.Fatalf("%s in %s composed %q, which spokenIDs does not list, so Check would not miss it", name, language, id)
				}
			}
		}
	})
}

// A promised wait is never shorter than the estimate, and at most five minutes longer.
func TestEstimateRoundsUp(t *testing.T) {
	c := catalogue(t, "zh-CN")
	s := speech(t, "zh-CN", SpeechOptions{})
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(int64(time.Minute)+1, int64(24*time.Hour)).Draw(t, "d"))
		heard := ""
		for _, id := range s.Estimate(d) {
			p, _ := c.Prompt(id)
			heard += p.Text
		}
		heard = strings.TrimSuffix(strings.TrimPrefix(heard, "预计等候时间"), "左右。")
		said := time.Duration(0)
		if h, rest, ok := strings.Cut(heard, "小时"); ok {
			said, heard = time.Duration(parseChinese(h))*time.Hour, rest
		}
		said += time.Duration(parseChinese(strings.TrimSuffix(heard, "分钟"))) * time.Minute
		if said < d || said-d >= 5*time.Minute {
			t.Fatalf("a wait of %v is announced as %v", d, said)
		}
	})
}

func TestUnknownLanguage(t *testing.T) {
	_, err := NewSpeech("fr", SpeechOptions{})
	if err == nil || !strings.Contains(err.Error(), "en, zh-CN") {
		t.Errorf("NewSpeech(fr) = %v, want an error that names the known languages", err)
	}
}
