package region

import (
	"maps"
	"testing"
)

func TestOf(t *testing.T) {
	beijing, shenzhen := Names{"zh-CN": "北京市", "en": "Beijing"}, Names{"zh-CN": "广东省深圳市", "en": "Shenzhen, Guangdong"}
	lianyungang := Names{"zh-CN": "江苏省连云港市", "en": "Lianyungang, Jiangsu"}
	for number, want := range map[string]Names{
		"01062345678": beijing, "+861062345678": beijing, "075512345678": shenzhen, "75512345678": shenzhen,
		"13812345678": lianyungang, "+8613812345678": lianyungang, "8613812345678": lianyungang, "008613812345678": lianyungang,
		"+12025550123": {"zh-CN": "美国", "en": "United States"}, "0012025550123": {"zh-CN": "美国", "en": "United States"},
		"+81312345678": {"zh-CN": "日本", "en": "Japan"}, "+85223456789": {"zh-CN": "中国香港", "en": "Hong Kong, China"},
		"+85328345678": {"zh-CN": "中国澳门", "en": "Macao, China"}, "+886223456789": {"zh-CN": "中国台湾", "en": "Taiwan, China"},

		"": nil, "anonymous": nil, "unavailable": nil, "Restricted": nil, // withheld
		"1001": nil, "12345": nil, "95588": nil, "110": nil, // internal, short
		"62345678":      nil, // no area code
		"4008001234":    nil, // of no place
		"+870773111632": nil, // a satellite's
		"+":             nil, "++8613812345678": nil, "138123456789012345678": nil, "1381234CALL": nil, "sip:13812345678": nil, "138 1234 5678": nil,
	} {
		if got := Of(number); !maps.Equal(got, want) {
			t.Errorf("%q was given out in %q, want %q", number, got, want)
		}
	}
}

func BenchmarkOf(b *testing.B) {
	Of("13812345678")
	for b.Loop() {
		Of("13812345678")
	}
}
