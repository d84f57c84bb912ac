package configs

import "testing"

// What is not matched is never dialled.
func TestNumbersThatMayBeDialled(t *testing.T) {
	for text, numbers := range map[string]map[string]bool{
		"1[3-9]XXXXXXXXX": {
			"13800138000": true, "19900000000": true,
			"12800138000": false, "1380013800": false, "138001380000": false, "013800138000": false, "+13800138000": false,
			"1380013800a": false, "1380013800X": false, "13800138000\n": false, "13800138000@elsewhere": false, "": false,
		},
		"0[12]XXXXXXXX":   {"0212345678": true, "0112345678": true, "0312345678": false},
		"9619[1-57]":      {"96191": true, "96195": true, "96197": true, "96196": false, "96198": false},
		"12345":           {"12345": true, "123456": false, "1234": false, "11223": false},
		"[0-9][0-9]XX[5]": {"00005": true, "00004": false},
	} {
		var p NumberPattern
		if err := p.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%s is refused: %v", text, err)
			continue
		}
		for number, want := range numbers {
			if got := p.Matches(number); got != want {
				t.Errorf("%s matches %q: %v, want %v", text, number, got, want)
			}
			if got := (Redial{Allow: []NumberPattern{p}}).Allows(number); got != want {
				t.Errorf("%s allows %q: %v, want %v", text, number, got, want)
			}
		}
	}
	if (NumberPattern{}).Matches("") || (Redial{}).Allows("13800138000") || Default().Redial.Allows("13800138000") {
		t.Error("a number may be dialled though no pattern allows it")
	}
}

// FuzzNumberPattern: whatever is taken for a pattern stands for digits alone, and for no number of another length.
func FuzzNumberPattern(f *testing.F) {
	for _, text := range []string{"1[3-9]XXXXXXXXX", "[1-35]XXXX", "X", "[9-1]XXXX", "(1|2)345", "12345|.*", "1234$5", "[^1]2345", "12345\n"} {
		f.Add(text, "13800138000")
	}
	f.Fuzz(func(t *testing.T, text, number string) {
		var p NumberPattern
		if p.UnmarshalText([]byte(text)) != nil || !p.Matches(number) {
			return
		}
		if n := len(onePlace.FindAllString(text, -1)); n != len(number) {
			t.Errorf("%q, of %d places, matches %q", text, n, number)
		}
		for _, digit := range number {
			if digit < '0' || digit > '9' {
				t.Errorf("%q matches %q", text, number)
			}
		}
	})
}
