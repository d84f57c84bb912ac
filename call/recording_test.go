package call

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hotline/ivr"
	"hotline/journal"
	"hotline/recordings"
)

// ledger is a journal that counts what was flushed, or refuses everything.
type ledger struct {
	broken  error
	durable []journal.Entry
}

func (l *ledger) Append(context.Context, ...journal.Entry) (int64, error) { return 0, l.broken }

func (l *ledger) Note(...journal.Entry) error { return l.broken }

func (l *ledger) AppendDurable(_ context.Context, entries ...journal.Entry) (int64, error) {
	if l.broken == nil {
		l.durable = append(l.durable, entries...)
	}
	return int64(len(l.durable)), l.broken
}

// wav is a second of silence as Asterisk leaves it: 16 bits, 8 kHz.
func wav() []byte {
	head := "RIFF\xa4\x3e\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x80\x3e\x00\x00"
	return append([]byte(head), make([]byte, 16000)...)
}

func TestAMessageIsFlushedOrNotPromised(t *testing.T) {
	for _, test := range []struct {
		name    string
		message ivr.Message
		file    bool // Asterisk left one
		broken  error
		kept    bool
		seconds float64
	}{
		{"words", ivr.Message{Recording: "c1-message-1", Duration: 900 * time.Millisecond}, true, nil, true, 0.9},
		{"words of unknown length", ivr.Message{Recording: "c1-message-1"}, true, nil, true, 1},
		{"a number alone", ivr.Message{Number: "13800138000", Confirmed: true}, false, nil, true, 0},
		{"the file is not there", ivr.Message{Recording: "c1-message-1", Duration: time.Second}, false, nil, false, 0},
		{"the journal cannot be written", ivr.Message{Recording: "c1-message-1", Duration: time.Second}, true, errors.New("disk full"), false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			spool, book := t.TempDir(), &ledger{broken: test.broken}
			store, err := recordings.Open(recordings.Options{Dir: t.TempDir(), RawDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			s := newService(t, Options{
				Journal: book, Recordings: store, Logger: slog.New(slog.DiscardHandler),
				MessageFile: func(name string) string { return filepath.Join(spool, name+".wav") },
			})
			if test.file {
				if err := os.WriteFile(s.o.MessageFile(test.message.Recording), wav(), 0o640); err != nil {
					t.Fatal(err)
				}
			}
			c := &call{Service: s, id: "c1", log: s.log, ctx: t.Context()}
			rejected := s.o.MessageFile("c1-message-2")
			if err := os.WriteFile(rejected, wav(), 0o640); err != nil {
				t.Fatal(err)
			}
			err = c.keepMessage(t.Context(), test.message, "closed")
			if (err == nil) != test.kept || err != nil && !errors.Is(err, errNotKept) {
				t.Fatalf("the error is %v; was it to be kept: %v", err, test.kept)
			}
			if _, err := os.Stat(rejected); errors.Is(err, os.ErrNotExist) != test.kept {
				t.Errorf("looking for the other take: %v; it goes when the message is kept, and then alone", err)
			}
			if !test.kept {
				if got := c.conclude("message", err); got != (Outcome{Failed, "message-not-kept"}) {
					t.Errorf("the call ends with %+v", got)
				}
				return
			}
			if len(book.durable) != 1 || book.durable[0].Kind != KindMessage {
				t.Errorf("flushed to the journal: %+v, want the message", book.durable)
			}
			if c.left.Seconds != test.seconds {
				t.Errorf("the message lasts %v s, want %v", c.left.Seconds, test.seconds)
			}
		})
	}
}
