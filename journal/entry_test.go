package journal

import (
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEntryDecodesWhatItWasMadeOf(t *testing.T) {
	type fact struct {
		Digit string
		After time.Duration
	}
	want := fact{"5", 3 * time.Second}
	var got fact
	if err := NewEntry("call.rated", want, "call/1").Decode(&got); err != nil || got != want {
		t.Errorf("decoded %+v (%v), want %+v", got, err, want)
	}
	if err := NewEntry("call.rated", "five", "call/1").Decode(&got); err == nil {
		t.Error("a string was decoded into a struct without an error")
	}
	if err := (Entry{Seq: 7, Kind: "call.rated"}).Decode(&got); !errors.Is(err, ErrExpired) {
		t.Errorf("an entry without content gives %v, want ErrExpired", err)
	}
}

func TestEntryIsRefusedWithItsReason(t *testing.T) {
	good := func(change func(*Entry)) Entry {
		e := NewEntry("call.arrived", 1, "call/1")
		change(&e)
		return e
	}
	tests := []struct {
		name string
		e    Entry
		want string // part of the error; "" when the entry is taken
	}{
		{"plain", good(func(*Entry) {}), ""},
		{"no streams", good(func(e *Entry) { e.Streams = nil }), ""},
		{"Chinese names", good(func(e *Entry) { e.Streams = []string{"queue/报修"} }), ""},
		{"no kind", good(func(e *Entry) { e.Kind = "" }), "kind: empty name"},
		{"long kind", good(func(e *Entry) { e.Kind = strings.Repeat("x", MaxNameBytes+1) }), "at most 200"},
		{"empty stream", good(func(e *Entry) { e.Streams = []string{""} }), "empty name"},
		{"stream with a line break", good(func(e *Entry) { e.Streams = []string{"call/1\n"} }), "control character U+000A"},
		{"stream that is not UTF-8", good(func(e *Entry) { e.Streams = []string{"call/\xff"} }), "not UTF-8"},
		{"many streams", good(func(e *Entry) { e.Streams = strings.Split(strings.Repeat("a b c d ", 5), " ") }), ""},
		{"too many streams", good(func(e *Entry) { e.Streams = strings.Split("a b c d e f g h i j k l m n o p q", " ") }), "17 streams"},
		{"no JSON", good(func(e *Entry) { e.Data = json.RawMessage("{") }), "not JSON"},
		{"JSON that is not UTF-8", good(func(e *Entry) { e.Data = json.RawMessage("\"\xff\"") }), "not JSON"},
		{"no JSON form", NewEntry("call.rated", math.NaN()), "unencodable: json: unsupported value: NaN"},
		{"much data", good(func(e *Entry) { e.Data = json.RawMessage(`"` + strings.Repeat("x", MaxDataBytes) + `"`) }), "bytes of data"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "many streams" {
				tt.e.Streams = tt.e.Streams[:20] // names repeat, so five remain
			}
			_, err := tt.e.accepted(time.Now())
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("the error is %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestLinksOfDifferentEntriesDiffer(t *testing.T) {
	at := time.Date(2026, 2, 6, 1, 0, 0, 0, time.UTC)
	entries := []Entry{
		{Seq: 1, At: at, Kind: "ab", Streams: []string{"c"}},
		{Seq: 1, At: at, Kind: "a", Streams: []string{"bc"}},
		{Seq: 1, At: at, Kind: "ab", Streams: []string{"c", ""}},
		{Seq: 1, At: at, Kind: "abc", Streams: nil},
		{Seq: 1, At: at, Kind: "a", Streams: []string{"bc", "d"}},
		{Seq: 1, At: at, Kind: "a", Streams: []string{"b", "cd"}},
		{Seq: 2, At: at, Kind: "ab", Streams: []string{"c"}},
		{Seq: 1, Epoch: 1, At: at, Kind: "ab", Streams: []string{"c"}},
		{Seq: 1, Epoch: 2, At: at, Kind: "ab", Streams: []string{"c"}},
		{Seq: 1, At: at.Add(time.Microsecond), Kind: "ab", Streams: []string{"c"}},
	}
	seen := map[link]int{}
	for i, e := range entries {
		h := link{}.next(e, link{})
		if other, twice := seen[h]; twice {
			t.Errorf("entries %d and %d have the same hash: their parts are not told apart", other, i)
		}
		seen[h] = i
	}
	if (link{}).next(entries[0], link{}) == (link{1}).next(entries[0], link{}) || (link{}).next(entries[0], link{}) == (link{}).next(entries[0], link{1}) {
		t.Error("the hash before or the data's hash has no influence")
	}
}

// FuzzEntry feeds the journal's idea of an entry with JSON that comes from anywhere: nothing may panic, and what is
// accepted must come back from its stored form as it went in.
func FuzzEntry(f *testing.F) {
	f.Add(`{"at":"2026-02-06T09:00:00+08:00","streams":["call/1","agent/1001"],"kind":"call.arrived","data":{"a":[1,2.5,null]}}`)
	f.Add(`{"kind":"x","data":"\u0000\u2028<>&","streams":["<\u2028>","<\u2028>"]}`)
	f.Add(`{"kind":"","data":null}`)
	f.Add(`{"at":"0001-01-01T00:00:00Z","kind":"a"}`)
	f.Add(`{"at":"9999-12-31T23:59:59.999999999Z","kind":"a","data": [ ]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var e Entry
		if json.Unmarshal([]byte(text), &e) != nil {
			return
		}
		in, err := e.accepted(time.Unix(1770000000, 0))
		if err != nil {
			return
		}
		streams, err := json.Marshal(in.Streams)
		if err != nil {
			t.Fatal(err)
		}
		out, err := storedEntry(in.Seq, in.Epoch, in.At.UnixMicro(), in.Kind, string(streams), sql.NullString{String: string(in.Data), Valid: true})
		if err != nil {
			t.Fatalf("an accepted entry cannot be read back: %v", err)
		}
		if diff := cmp.Diff(in, out); diff != "" {
			t.Errorf("an accepted entry comes back changed (-in +out):\n%s", diff)
		}
		var anything any
		if err := out.Decode(&anything); err != nil {
			t.Errorf("accepted data cannot be decoded: %v", err)
		}
	})
}

// FuzzStoredEntry reads rows as a damaged or tampered file could hold them: an error is fine, a panic is not.
func FuzzStoredEntry(f *testing.F) {
	f.Add(int64(1), int64(1), int64(1770000000000000), "call.arrived", `["call/1"]`, `{"a":1}`)
	f.Add(int64(-1), int64(-1), int64(-1<<63), "", `{"a":`, ``)
	f.Add(int64(0), int64(0), int64(1<<63-1), "\xff", `[1,null]`, `nul`)
	f.Fuzz(func(t *testing.T, seq, epoch, micro int64, kind, streams, data string) {
		e, err := storedEntry(seq, epoch, micro, kind, streams, sql.NullString{String: data, Valid: true})
		if err != nil {
			return
		}
		var into map[string]any
		_ = e.Decode(&into) // any outcome but a panic
		if e.Seq != seq || e.Epoch != epoch || e.At.Location() != time.UTC {
			t.Errorf("entry %+v does not have the row's number and epoch or is not in UTC", e)
		}
	})
}
