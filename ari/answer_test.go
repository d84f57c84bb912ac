package ari

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

func TestAListOfChannelsIsReadOneAfterTheOther(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       string // IDs
		fails      bool
	}{
		{name: "none", text: `[]`},
		{name: "two", text: `[{"id":"a","state":"Up"},{"id":"b","state":"Ring"}]`, want: "a b"},
		{name: "no list", text: `{"message":"no"}`, fails: true},
		{name: "nothing", text: ``, fails: true},
		{name: "cut short", text: `[{"id":"a"},{"id":`, want: "a", fails: true},
		{name: "not closed", text: `[{"id":"a"}`, want: "a", fails: true},
		{name: "of something else", text: `[7]`, fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all channels
			err := (&answer{Reader: strings.NewReader(c.text)}).into(&all)
			if (err != nil) != c.fails {
				t.Errorf("error %v, want one: %v", err, c.fails)
			}
			var ids []string
			for _, one := range all {
				ids = append(ids, one.ID)
			}
			if got := strings.Join(ids, " "); got != c.want {
				t.Errorf("channels %q, want %q", got, c.want)
			}
		})
	}
}

func TestAnAnswerThatBreaksOffIsKnown(t *testing.T) {
	broke := errors.New("the wire was cut")
	for name, out := range map[string]any{"unread": nil, "a list": new(channels), "anything else": new(struct{ ID string })} {
		a := &answer{Reader: iotest.ErrReader(broke)}
		if err := a.into(out); err == nil || !errors.Is(a.broke, broke) {
			t.Errorf("%s: error %v, broken off by %v, want %v", name, err, a.broke, broke)
		}
	}
}
