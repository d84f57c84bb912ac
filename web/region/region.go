// Package region owns where a telephone number was given out, as far as the
// number itself tells: by Google's tables of area codes and of mobile numbers, for
// the country in which the hotline is, and by its country for any other. It must
// not know whose number it is, and writes none down.
package region

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// home is the country of numbers that name none.
const home = "CN"

// Names is a region in the languages of the pages: "zh-CN" and "en".
type Names map[string]string

// Of is where a number was given out; nil where that is not to be told: of a number
// that is withheld, internal, short (95588) or not one at all, and of one that
// belongs to no place (400). It may be called from any goroutine. The tables are
// read when they are first needed: see Load.
func Of(number string) Names {
	if strings.Trim(strings.TrimPrefix(number, "+"), "0123456789") != "" { // letters would be dialled as digits
		return nil
	}
	n, err := phonenumbers.Parse(number, home)
	if err != nil || !phonenumbers.IsValidNumber(n) {
		return nil
	}
	if country := phonenumbers.GetRegionCodeForNumber(n); country != home {
		return abroad(country)
	}
	zh, en := placeOf(n, "zh"), placeOf(n, "en")
	whole := abroad(home)
	if zh == "" || en == "" || zh == whole["zh-CN"] || en == whole["en"] { // nothing nearer than the country
		return nil
	}
	return Names{"zh-CN": zh, "en": en}
}

// Load reads the tables, which takes a quarter of a second of a processor and 22 MB.
func Load() { Of(beijing) }

// beijing is the number of nobody: the area code, and zeros.
const beijing = "01060000000"

func placeOf(n *phonenumbers.PhoneNumber, tongue string) string {
	place, err := phonenumbers.GetGeocodingForNumber(n, tongue)
	if err != nil {
		return ""
	}
	return place
}

// shorter are names that are said otherwise than in the tables.
var shorter = map[string]Names{
	"HK": {"zh-CN": "中国香港", "en": "Hong Kong, China"},
	"MO": {"zh-CN": "中国澳门", "en": "Macao, China"},
	"TW": {"zh-CN": "中国台湾", "en": "Taiwan, China"},
}

// abroad is a country.
func abroad(country string) Names {
	if names, there := shorter[country]; there {
		return names
	}
	region, err := language.ParseRegion(country)
	if err != nil || !region.IsCountry() { // 001 is a satellite's
		return nil
	}
	return Names{"zh-CN": display.Regions(language.SimplifiedChinese).Name(region), "en": display.Regions(language.English).Name(region)}
}
