package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotline/call"
	"hotline/journal"
)

var updateOutage = flag.Bool("update-outage", false, "write the golden file of `hotline outage` anew")

var monday = time.Date(2026, 3, 9, 9, 0, 0, 0, time.FixedZone("CST", 8*3600))

// outageBook is a journal of a weekend: a call cut off on Friday while the service was about to be away, callers in the
// net meanwhile, and a long time before and much after.
func outageBook(t *testing.T) *journal.Reader {
	t.Helper()
	book, err := journal.Open(t.Context(), journal.Options{Path: filepath.Join(t.TempDir(), "journal.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := book.Close(); err != nil {
			t.Error(err)
		}
	})
	tell := func(at time.Time, stream, kind string, data any) {
		t.Helper()
		entry := journal.NewEntry(kind, data, stream)
		entry.At = at
		if _, err := book.Append(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
	}
	friday := monday.Add(-63 * time.Hour)
	arrives := func(at time.Time, id, number string) {
		tell(at, call.Stream(id), call.KindArrived, call.Arrived{Number: number, Channel: "channel." + id, At: at})
	}
	ends := func(at time.Time, id, result, reason string) {
		tell(at, call.Stream(id), call.KindEnded, call.Ended{Outcome: call.Outcome{Result: result, Reason: reason}})
	}
	arrives(friday.Add(-90*24*time.Hour), "long-ago", "13800000000")
	ends(friday.Add(-90*24*time.Hour+time.Minute), "long-ago", call.Lost, "talk")
	arrives(friday, "20260306-180000-AAAAAA", "13800000001")
	tell(friday.Add(10*time.Second), call.Stream("20260306-180000-AAAAAA"), call.KindStage, call.Reached{Stage: "wait"})
	tell(friday.Add(50*time.Second), call.Stream("20260306-180000-AAAAAA"), call.KindStage, call.Reached{Stage: "talk"})
	arrives(friday.Add(time.Second), "20260306-180001-BBBBBB", "13800000005")
	ends(friday.Add(3*time.Second), "20260306-180001-BBBBBB", call.Abandoned, "ring")

	tell(monday, call.ServiceStream, call.KindServiceStarted, call.ServiceStarted{Epoch: 2, LastSeen: friday.Add(775 * time.Second)})
	ends(monday, "20260306-180000-AAAAAA", call.Lost, "talk")
	net := func(number, channel, end string, after, seconds time.Duration) {
		entered := friday.Add(after)
		tell(monday, call.NetStream, call.KindNetCaller, call.NetCaller{Number: number, Channel: channel, Entered: entered, Left: entered.Add(seconds), End: end})
	}
	net("13800000005", "channel.20260306-180001-BBBBBB", call.NetUnanswered, time.Second, 2*time.Second)
	net("13800000002", "main-1772850000.1", call.NetHungUp, 12*time.Hour, 95*time.Second)
	net("", "main-1772850000.2", call.NetTurnedAway, 20*time.Hour, 200*time.Second)
	net("13800000003", "main-1772850000.3", call.NetServed, 21*time.Hour, 200*time.Second)
	net("13800000004", "main-1772850000.4", call.NetHungUp, 22*time.Hour, 3*time.Second)
	arrives(monday.Add(time.Minute), "20260309-090100-CCCCCC", "13800000004")
	ends(monday.Add(3*time.Minute), "20260309-090100-CCCCCC", call.Served, "talked")
	arrives(monday.Add(4*time.Minute), "20260309-090400-DDDDDD", "13800000006")
	ends(monday.Add(5*time.Minute), "20260309-090400-DDDDDD", call.Failed, "asterisk-unavailable")
	return book.Reader()
}

func TestTheTableOfOutageCalls(t *testing.T) {
	list, err := outageCalls(t.Context(), outageBook(t), monday.Add(-time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	if err := printOutage(&table, list, monday); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/outage.golden"
	if *updateOutage {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, table.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), table.String()); diff != "" {
		t.Errorf("printed differently (-want +got; go test ./cmd/hotline -update-outage writes it anew):\n%s", diff)
	}
}

func TestWithoutAnOutageThereIsALine(t *testing.T) {
	r := outageBook(t)
	list, err := outageCalls(t.Context(), r, monday.Add(time.Hour))
	if err != nil || len(list) != 0 {
		t.Fatalf("since an hour later there are %+v, %v; want none", list, err)
	}
	var line, hint bytes.Buffer
	if err := printOutage(&line, list, monday); err != nil {
		t.Fatal(err)
	}
	if want := "no call was cut off or turned away by an outage since 2026-03-09 09:00\n"; line.String() != want {
		t.Errorf("printed %q, want %q", line.String(), want)
	}
	if err := printOutageHint(t.Context(), &hint, r, monday.Add(24*time.Hour)); err != nil || hint.Len() > 0 {
		t.Errorf("the next day's hint is %q, %v; want none", hint.String(), err)
	}
}

func TestTheHintCountsWhomNobodyHasHeardSince(t *testing.T) {
	var hint bytes.Buffer
	if err := printOutageHint(t.Context(), &hint, outageBook(t), monday.Add(8*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if text := hint.String(); !strings.Contains(text, "today: 5, ") || !strings.Contains(text, "called back: 4;") || !strings.Contains(text, "hotline outage") {
		t.Errorf("the hint is %q, want 5 calls, 4 of them without anything since, and the command", text)
	}
}
