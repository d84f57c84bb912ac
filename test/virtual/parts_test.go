package virtual

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hotline/call"
	"hotline/ivr"
	"hotline/ivr/calendar"
	"hotline/ivr/prompt"
	"hotline/queue"
)

// What every run has in common: the hotline's configuration, in the parts' own words.

const (
	dialled   = "96196"
	soundsDir = "/sounds"
	ourPIN    = "1234"
)

var rules = []queue.Rules{
	{ID: "service", WrapUp: 3 * time.Second, DeclinePause: 8 * time.Second, MaxWaiting: 8},
	{ID: "bill", WrapUp: 2 * time.Second, DeclinePause: 5 * time.Second, MissesBeforeOut: 3},
}

var queueOptions = map[string]call.QueueOptions{
	"service": {Name: "service", PositionEvery: 1},
	"bill":    {Name: "bill", PositionEvery: 2},
}

// profiles are the first n agents.
func profiles(n int) []queue.Profile {
	all := []queue.Profile{
		{ID: "1001", Number: "789", Queues: []string{"service", "bill"}},
		{ID: "1002", Number: "790", Queues: []string{"service"}},
		{ID: "1003", Number: "791", Queues: []string{"service", "bill"}},
		{ID: "1004", Number: "792", Queues: []string{"bill"}},
	}
	return all[:n]
}

func endpoint(agent string) string { return "PJSIP/" + agent }

var menus = ivr.Menus{Start: "main", ByID: map[string]ivr.Menu{
	"main": {
		Prompts: []string{"menu.main"}, Again: "menu.again", Wait: 5 * time.Second, Tries: 3,
		Otherwise: ivr.Action{Do: ivr.DoQueue, Target: "service"},
		Keys: map[rune]ivr.Action{
			'0': {Do: ivr.DoQueue, Target: "service"},
			'1': {Do: ivr.DoMenu, Target: "bill"},
			'2': {Do: ivr.DoInfo, Target: "menu.info.hours"},
			'8': {Do: ivr.DoMessage},
			'9': {Do: ivr.DoEmergency, Target: "service"},
		},
	},
	"bill": {
		Prompts: []string{"menu.bill"}, Again: "menu.again", Wait: 5 * time.Second, Tries: 3,
		Otherwise: ivr.Action{Do: ivr.DoQueue, Target: "service"},
		Keys: map[rune]ivr.Action{
			'0': {Do: ivr.DoQueue, Target: "bill"},
			'*': {Do: ivr.DoMenu, Target: "main"},
		},
	},
}}

var announcements = []call.Announcement{
	{Name: "outage", Prompt: "announce.outage"},
	{Name: "closed", Prompt: "closed.forced", Closes: true},
}

// parts are made once, outside any bubble: nothing in them moves.
var parts = struct {
	once    sync.Once
	library *prompt.Library
	speech  *prompt.Speech
	days    *calendar.Calendar
	message []byte // what Asterisk writes when somebody speaks
	raw     []byte // … and when a call is recorded
	err     error
}{}

func makeParts(t testing.TB, dir string) {
	parts.once.Do(func() {
		if parts.library, parts.err = libraryOfNames(dir); parts.err != nil {
			return
		}
		if parts.speech, parts.err = prompt.NewSpeech("zh-CN", prompt.SpeechOptions{}); parts.err != nil {
			return
		}
		var day calendar.Span
		if parts.err = day.UnmarshalText([]byte("00:00-24:00")); parts.err != nil {
			return
		}
		always := []calendar.Span{day}
		parts.days, parts.err = calendar.New(calendar.Options{Location: time.UTC, Hours: calendar.Hours{Workday: always, Weekend: always, Holiday: always}})
		parts.message, parts.raw = wav(3*time.Second), make([]byte, 3200)
	})
	if parts.err != nil {
		t.Fatal(parts.err)
	}
}

// libraryOfNames is a library that only knows how long each prompt is: a call names prompts and never reads them.
func libraryOfNames(dir string) (*prompt.Library, error) {
	type entry struct {
		Ms int64 `json:"ms"`
	}
	prompts := map[string]entry{prompt.HoldApology: {2000}}
	for _, p := range prompt.Generated() {
		prompts[p.ID] = entry{p.Length.Milliseconds()}
	}
	for id, e := range prompts {
		for format, bytesPerMs := range map[string]int64{"alaw": 8, "ulaw": 8, "sln16": 32} {
			file, err := os.Create(filepath.Join(dir, id+"."+format))
			if err != nil {
				return nil, err
			}
			if err := file.Truncate(e.Ms * bytesPerMs); err != nil {
				return nil, err
			}
			if err := file.Close(); err != nil {
				return nil, err
			}
		}
	}
	index, err := json.Marshal(map[string]any{"format": 1, "language": "zh-CN", "prompts": prompts})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "index.json"), index, 0o600); err != nil {
		return nil, err
	}
	return prompt.OpenLibrary(dir)
}

// promptOf is the prompt in a medium: "sound:/sounds/menu.main" is menu.main.
func promptOf(medium string) string { return medium[strings.LastIndexByte(medium, '/')+1:] }

// lasts is how long a medium plays.
func lasts(medium string) time.Duration {
	id := promptOf(medium)
	if d := parts.library.Duration(id); d > 0 {
		return d
	}
	switch {
	case strings.HasPrefix(id, "digit."), strings.HasPrefix(id, "number."):
		return 300 * time.Millisecond
	case strings.HasPrefix(id, "beep"):
		return 200 * time.Millisecond
	}
	return 1500 * time.Millisecond
}

// wav is a file of silence.
func wav(d time.Duration) []byte {
	data := uint32(d / time.Second * 8000 * 2)
	b := []byte("RIFF")
	number := func(n uint32, bytes int) {
		b = binary.LittleEndian.AppendUint32(b, n)
		b = b[:len(b)-4+bytes]
	}
	number(36+data, 4)
	b = append(b, "WAVEfmt "...)
	for _, field := range []struct {
		n     uint32
		bytes int
	}{{16, 4}, {1, 2}, {1, 2}, {8000, 4}, {16000, 4}, {2, 2}, {16, 2}} {
		number(field.n, field.bytes)
	}
	b = append(b, "data"...)
	number(data, 4)
	return append(b, make([]byte, data)...)
}

func phoneNumber(caller int) string { return "138" + strconv.Itoa(10000000+caller) }

// messages is where a message is left, as the process sees it.
func messages(dir string) func(name string) string {
	return func(name string) string { return filepath.Join(dir, name+".wav") }
}
