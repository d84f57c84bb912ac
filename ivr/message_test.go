package ivr

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func taker() MessageTaker {
	return MessageTaker{
		Digits:    func(n string) []string { return []string{"digits:" + n} },
		MaxLength: time.Minute, MaxSilence: 5 * time.Second, MinLength: 2 * time.Second, Wait: 5 * time.Second,
	}
}

func TestMessage(t *testing.T) {
	long, short := 10*time.Second, time.Second
	for _, test := range []struct {
		name, own, keys string
		takes           []time.Duration
		want            Message
		err             error
	}{
		{"own number confirmed, kept by #", "13800138000", "1#", []time.Duration{long}, Message{"13800138000", true, "m-1", long}, nil},
		{"silence twice keeps the own number", "13800138000", "...", []time.Duration{long}, Message{"13800138000", false, "m-1", long}, nil},
		{"another number keyed", "13800138000", "2" + "01088886666#" + "1#", []time.Duration{long}, Message{"01088886666", true, "m-1", long}, nil},
		{"a caller without a number keys one", "", "5551234#1#", []time.Duration{long}, Message{"5551234", true, "m-1", long}, nil},
		{"a slip is taken back by *", "", "99*5551234#1#", []time.Duration{long}, Message{"5551234", true, "m-1", long}, nil},
		{"without any number one can still speak", "", "......", []time.Duration{long}, Message{"", false, "m-1", long}, nil},
		{"too short is asked again", "13800138000", "1#", []time.Duration{short, long}, Message{"13800138000", true, "m-2", long}, nil},
		{"listened to, recorded again, kept", "13800138000", "112#", []time.Duration{long, 2 * long}, Message{"13800138000", true, "m-2", 2 * long}, nil},
		{"nothing said: the number is left", "13800138000", "1", nil, Message{"13800138000", true, "", 0}, nil},
		{"hung up in mid-message: kept", "13800138000", "1", []time.Duration{-long}, Message{"13800138000", true, "m-1", long}, errHungUp},
		{"recorded again, hung up at once: the first is kept", "13800138000", "12", []time.Duration{long, -short}, Message{"13800138000", true, "m-1", long}, errHungUp},
		{"a length nobody told is enough", "13800138000", "1#", []time.Duration{unknown}, Message{"13800138000", true, "m-1", 0}, nil},
		{"a line that cannot be recorded is not asked again", "13800138000", "1#", []time.Duration{unrecordable, long}, Message{"13800138000", true, "", 0}, ErrNotRecorded},
		{"cannot be recorded again: the first is kept", "13800138000", "12#", []time.Duration{long, unrecordable}, Message{"13800138000", true, "m-1", long}, ErrNotRecorded},
		{"hung up over the number", "13800138000", "x", nil, Message{"13800138000", false, "", 0}, errHungUp},
	} {
		t.Run(test.name, func(t *testing.T) {
			caller := &script{keys: test.keys, takes: test.takes}
			got, err := taker().Take(t.Context(), caller, test.own, "m", Progress{}, func(Progress) {})
			if !errors.Is(err, test.err) || got != test.want {
				t.Errorf("got %+v, %v\nwant %+v, %v\nheard %q", got, err, test.want, test.err, caller.heard)
			}
		})
	}
}

// Whoever goes on after the last take was too short has no take to record, and does not keep that one.
func TestTheLastTakeIsTooShort(t *testing.T) {
	var noted Progress
	caller := &script{keys: "", takes: []time.Duration{time.Second}}
	from := Progress{Number: "5551234", Take: recordTries, Kept: 2}
	if _, err := taker().Take(t.Context(), caller, "", "m", from, func(p Progress) { noted = p }); err != nil {
		t.Fatal(err)
	}
	if noted.Begun || noted.Taken {
		t.Fatalf("the last that is noted is %+v: a take that was too short would be kept", noted)
	}
	next := &script{}
	got, err := taker().Take(t.Context(), next, "", "m", noted, func(p Progress) { t.Errorf("then %+v is noted", p) })
	if want := (Message{Number: "5551234", Recording: "m-2"}); err != nil || got != want || len(next.heard) > 0 {
		t.Errorf("got %+v, %v, want %+v; heard %q", got, err, want, next.heard)
	}
}

func TestTheNumberIsReadBack(t *testing.T) {
	caller := &script{keys: "1#", takes: []time.Duration{time.Minute}}
	if _, err := taker().Take(t.Context(), caller, "13800138000", "m", Progress{}, func(Progress) {}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"message.number.readback digits:13800138000 message.number.confirm?",
		"message.record", "beep", "recording", "message.review?",
	}
	if !slices.Equal(caller.heard, want) {
		t.Errorf("heard %q, want %q", caller.heard, want)
	}
}

// Whatever happens to the one who takes the message, another goes on from the
// last step that was noted: nothing is asked twice, nothing is lost.
func TestAMessageGoesOnWhereItWas(t *testing.T) {
	for _, test := range []struct {
		name  string
		from  Progress
		keys  string
		heard []string
		want  Message
	}{
		{
			"before the number", Progress{}, "1#",
			[]string{"message.number.readback digits:13800138000 message.number.confirm?", "message.record", "beep", "recording", "message.review?"},
			Message{"13800138000", true, "m-1", time.Minute},
		},
		{
			"the number is settled", Progress{Number: "5551234", Confirmed: true, Take: 1}, "#",
			[]string{"message.record", "beep", "recording", "message.review?"},
			Message{"5551234", true, "m-1", time.Minute},
		},
		{
			"in the midst of speaking", Progress{Number: "5551234", Take: 2, Begun: true, Kept: 1}, "#",
			[]string{"recording", "message.review?"},
			Message{"5551234", false, "m-2", time.Minute},
		},
		{
			"spoken", Progress{Number: "5551234", Take: 1, Begun: true, Taken: true}, "#",
			[]string{"message.review?"},
			Message{"5551234", false, "m-1", 0},
		},
		{
			"spoken, and hung up meanwhile", Progress{Number: "5551234", Take: 2, Kept: 1}, "",
			[]string{"message.record", "beep", "recording", "message.review?"},
			Message{"5551234", false, "m-2", time.Minute},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			caller := &script{keys: test.keys, takes: []time.Duration{time.Minute}}
			got, err := taker().Take(t.Context(), caller, "13800138000", "m", test.from, func(Progress) {})
			if err != nil || got != test.want || !slices.Equal(caller.heard, test.heard) {
				t.Errorf("got %+v, %v, heard %q\nwant %+v, heard %q", got, err, caller.heard, test.want, test.heard)
			}
		})
	}
}

// Who goes on after a take that was too short has the next one recorded: the short one is nobody's message.
func TestATooShortTakeIsNotGoneOnWith(t *testing.T) {
	var noted []Progress
	caller := &script{keys: "1#", takes: []time.Duration{0, time.Minute}}
	if _, err := taker().Take(t.Context(), caller, "13800138000", "m", Progress{}, func(p Progress) { noted = append(noted, p) }); err != nil {
		t.Fatal(err)
	}
	want := []Progress{
		{Number: "13800138000", Confirmed: true, Take: 1},
		{Number: "13800138000", Confirmed: true, Take: 1, Begun: true},
		{Number: "13800138000", Confirmed: true, Take: 2},
		{Number: "13800138000", Confirmed: true, Take: 2, Begun: true},
		{Number: "13800138000", Confirmed: true, Take: 2, Begun: true, Taken: true},
	}
	if !slices.Equal(noted, want) {
		t.Errorf("noted %+v,\nwant %+v", noted, want)
	}
}

// A wrong number is never called back: what is kept is what was confirmed, or
// the caller's own.
func TestWhateverIsKeyedTheNumberIsUsable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		own := rapid.SampledFrom([]string{"", "13800138000", "12"}).Draw(t, "own")
		keys := rapid.StringOfN(rapid.RuneFrom([]rune("0123456789*#.")), 0, 80, -1).Draw(t, "keys")
		got, err := taker().Take(t.Context(), &script{keys: keys, takes: []time.Duration{time.Minute}}, own, "m", Progress{}, func(Progress) {})
		if err != nil {
			t.Fatal(err)
		}
		if got.Number != "" && !plausible(got.Number) {
			t.Errorf("the number to call back is %q", got.Number)
		}
		if got.Number != "" && got.Number != own && !strings.Contains(strings.ReplaceAll(keys, ".", ""), got.Number) {
			t.Errorf("nobody keyed %q", got.Number)
		}
		if got.Recording == "" {
			t.Error("a message of a minute was lost")
		}
	})
}
