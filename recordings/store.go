// Package recordings owns the files of what was said: a call's recording from the raw stream Asterisk writes to a WAV
// file in the folder of its day, and the messages callers leave. It says of each how complete it is. It must not know
// how Asterisk is told to record, nor HTTP, nor who may listen.
package recordings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	closeWait   = 5 * time.Second         // how long Finish waits for Asterisk to close the raw file
	closePoll   = 20 * time.Millisecond   // how often it looks
	bufferTime  = 1500 * time.Millisecond // Asterisk writes 32 KiB at a time, which is a second of two channels
	sweepAge    = time.Minute             // what a sweep leaves alone: a call may just be starting
	notesSuffix = ".json"
	rawSuffix   = ".raw"
)

// Options say where the files are and with whom the store speaks.
type Options struct {
	Dir         string                // recordings: Dir/YYYY/MM/DD/<callID>.wav
	MessagesDir string                // messages: MessagesDir/<callID>.wav; empty means Dir/messages
	RawDir      string                // where Asterisk writes <callID>.raw; on the same machine, possibly another disk
	Location    *time.Location        // the zone whose days name the folders; nil means time.Local
	Logger      *slog.Logger          // nil means slog.Default
	Registerer  prometheus.Registerer // nil means no metrics
}

// Store keeps the files. All its methods may be called from any goroutine.
type Store struct {
	dir, messagesDir, rawDir string
	location                 *time.Location
	logger                   *slog.Logger
	metrics                  *metrics

	mu   sync.Mutex
	busy map[string]chan struct{} // calls whose files are being worked on; closed when that is over
}

// Open makes the folders, if they are not there, and returns the store.
func Open(o Options) (*Store, error) {
	s := &Store{dir: o.Dir, messagesDir: o.MessagesDir, rawDir: o.RawDir, location: o.Location, logger: o.Logger, busy: map[string]chan struct{}{}}
	if s.messagesDir == "" {
		s.messagesDir = filepath.Join(s.dir, "messages")
	}
	if s.location == nil {
		s.location = time.Local
	}
	if s.logger == nil {
		s.logger = slog.Default()
	}
	for _, dir := range []string{s.dir, s.rawDir} {
		if err := makeDir(dir); err != nil {
			return nil, fmt.Errorf("recordings: make the folder %s: %w", dir, named(err))
		}
	}
	var err error
	s.metrics, err = newMetrics(o.Registerer)
	return s, err
}

// Path is where the recording of the call that arrived at the given time is kept, whether or not it is there yet.
func (s *Store) Path(callID string, at time.Time) string {
	return filepath.Join(s.dir, at.In(s.location).Format("2006/01/02"), callID+".wav")
}

// RawPath is where Asterisk is to write the call's raw stream.
func (s *Store) RawPath(callID string) string { return filepath.Join(s.rawDir, callID+rawSuffix) }

// MessagePath is where the message left in a call is kept.
func (s *Store) MessagePath(callID string) string {
	return filepath.Join(s.messagesDir, callID+".wav")
}

// notes is what a later process must know to finish a recording that this one could not.
type notes struct {
	At    time.Time `json:"at"`    // when the call arrived, by the service's clock
	Began time.Time `json:"began"` // by the machine's clock
}

// Start notes that the call which arrived at the given time is about to be recorded, and returns the path Asterisk is
// to write to. It fails when the ID cannot be a file's name, a raw file of that ID exists (ErrExists), or there is no
// room (ErrDiskFull).
func (s *Store) Start(callID string, at time.Time) (raw string, err error) {
	fail := func(err error) (string, error) {
		s.metrics.finished.WithLabelValues("failed").Inc()
		return "", fmt.Errorf("start the recording of call %s: %w", callID, named(err))
	}
	if err := checkID(callID); err != nil {
		return fail(err)
	}
	raw = s.RawPath(callID)
	if _, err := os.Lstat(raw); err == nil {
		return fail(fmt.Errorf("%w: %s", ErrExists, raw))
	}
	text, err := json.Marshal(notes{At: at, Began: time.Now()})
	if err != nil {
		return fail(err)
	}
	path := s.notesPath(callID)
	if err := os.WriteFile(path+".part", text, 0o640); err != nil {
		return fail(errors.Join(err, os.Remove(path+".part")))
	}
	if err := os.Rename(path+".part", path); err != nil {
		return fail(err)
	}
	return raw, nil
}

func (s *Store) notesPath(callID string) string { return filepath.Join(s.rawDir, callID+notesSuffix) }

// idForm is what a call's ID looks like; it becomes a file's name.
var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

func checkID(callID string) error {
	if !idForm.MatchString(callID) {
		return fmt.Errorf("%.40q cannot be a file's name: letters, digits, dots, dashes and underscores can", callID)
	}
	return nil
}

// Finish keeps the call's recording at Path and removes the raw file. It waits up to 5 s for Asterisk to close the raw
// file (ErrStillWritten after that). What meta leaves zero comes from Start's notes: At and Began; Ended is then when
// the raw file was last written. Called again for a recording that is kept already, it says the same again.
//
// After an error the raw file is still there, and a later Finish or Sweep can keep it; only an empty one is removed.
func (s *Store) Finish(ctx context.Context, meta Meta) (Result, error) {
	r, err := s.finish(ctx, meta)
	if err != nil {
		s.metrics.finished.WithLabelValues("failed").Inc()
		return Result{}, fmt.Errorf("keep the recording of call %s: %w", meta.CallID, err)
	}
	return r, nil
}

func (s *Store) finish(ctx context.Context, meta Meta) (Result, error) {
	if err := checkID(meta.CallID); err != nil {
		return Result{}, err
	}
	release, err := s.claim(ctx, meta.CallID)
	if err != nil {
		return Result{}, err
	}
	defer release()
	raw := s.RawPath(meta.CallID)
	if err := waitClosed(ctx, raw); err != nil {
		return Result{}, err
	}
	meta = s.complete(meta, raw)
	if meta.At.IsZero() {
		return Result{}, fmt.Errorf("%w, and no note of when the call arrived", ErrMissing)
	}
	meta.Salvage = true
	r, err := finish(ctx, raw, s.Path(meta.CallID, meta.At), meta)
	switch {
	case errors.Is(err, ErrMissing):
		if r, err = kept(s.Path(meta.CallID, meta.At), meta); err != nil {
			return Result{}, err
		}
		return r, s.forget(meta.CallID)
	case errors.Is(err, ErrEmpty):
		return Result{}, errors.Join(err, s.forget(meta.CallID))
	case err != nil:
		return Result{}, err
	}
	s.metrics.count(r)
	return r, s.forget(meta.CallID)
}

// kept is the result for what was kept before, by a process that did not live to tell so: what Asterisk wrote is gone.
func kept(path string, meta Meta) (Result, error) {
	f, err := os.Open(path)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	defer f.Close()
	shape, data, err := readHeader(f)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", path, err)
	}
	return result(path, shape, data, 0, meta), nil
}

// complete fills in what meta leaves zero.
func (s *Store) complete(meta Meta, raw string) Meta {
	n := s.readNotes(meta.CallID)
	if meta.At.IsZero() {
		meta.At = n.At
	}
	if meta.Began.IsZero() {
		meta.Began = n.Began
	}
	info, err := os.Stat(raw)
	if err != nil {
		return meta
	}
	if meta.Ended.IsZero() {
		meta.Ended = info.ModTime()
	}
	if meta.At.IsZero() { // no notes, after a power cut: the day of the samples is the best there is
		meta.At = info.ModTime().Add(-callShape.duration(info.Size()))
	}
	return meta
}

// readNotes reads Start's notes; they are zero when there are none that can be read.
func (s *Store) readNotes(callID string) notes {
	var n notes
	text, err := os.ReadFile(s.notesPath(callID))
	if err == nil {
		err = json.Unmarshal(text, &n)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.logger.Warn("a recording's notes cannot be read", "call_id", callID, "err", err)
	}
	return n
}

// Began is when the recording of a call was asked for, by this process or an earlier one, on the machine's clock; zero
// when nothing tells.
func (s *Store) Began(callID string) time.Time { return s.readNotes(callID).Began }

// forget removes the raw file and the notes, in this order: notes without a raw file do no harm.
func (s *Store) forget(callID string) error {
	for _, path := range []string{s.RawPath(callID), s.notesPath(callID)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// claim makes this goroutine the only one that works on the call's files.
func (s *Store) claim(ctx context.Context, callID string) (release func(), err error) {
	for {
		s.mu.Lock()
		other, busy := s.busy[callID]
		if !busy {
			mine := make(chan struct{})
			s.busy[callID] = mine
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				delete(s.busy, callID)
				s.mu.Unlock()
				close(mine)
			}, nil
		}
		s.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Swept is a recording that a sweep found left behind.
type Swept struct {
	CallID string
	Result Result
	Err    error // why it could not be kept; nil when it was
}

// Sweep finishes the recordings that a crash left in RawDir: raw files that nobody has open any more and that were not
// written in the last minute. Asterisk goes on recording while the service is away, so what it has open is left alone.
// Notes of a recording that never began come back with ErrMissing. The error is about RawDir itself.
func (s *Store) Sweep(ctx context.Context) ([]Swept, error) {
	entries, err := os.ReadDir(s.rawDir)
	if err != nil {
		return nil, fmt.Errorf("sweep the raw recordings: %w", err)
	}
	var swept []Swept
	for _, e := range entries {
		if ctx.Err() != nil {
			return swept, fmt.Errorf("sweep the raw recordings: %w", context.Cause(ctx))
		}
		callID, ok := s.leftBehind(e)
		if !ok {
			continue
		}
		r, err := s.Finish(ctx, Meta{CallID: callID})
		if errors.Is(err, ErrMissing) {
			err = errors.Join(err, s.forget(callID))
		}
		swept = append(swept, Swept{CallID: callID, Result: r, Err: err})
	}
	return swept, nil
}

// leftBehind reports whether the entry of RawDir is a raw file, or notes without one, that nobody works on.
func (s *Store) leftBehind(e fs.DirEntry) (callID string, ok bool) {
	info, err := e.Info()
	if err != nil || !info.Mode().IsRegular() || time.Since(info.ModTime()) < sweepAge {
		return "", false
	}
	name := e.Name()
	if callID, ok = strings.CutSuffix(name, rawSuffix); ok {
		open, err := openForWriting(s.RawPath(callID))
		return callID, checkID(callID) == nil && (err != nil || !open)
	}
	if callID, ok = strings.CutSuffix(name, notesSuffix); ok {
		_, err := os.Lstat(s.RawPath(callID))
		return callID, checkID(callID) == nil && errors.Is(err, fs.ErrNotExist)
	}
	return "", false
}

// KeepMessage moves the message a caller left, a WAV file of 16-bit PCM that Asterisk wrote at src, to MessagePath,
// with a header that says its true size, and removes src. Its completeness is unknown: a message ends when it ends. Where
// that is done already the result is the same again.
func (s *Store) KeepMessage(ctx context.Context, src, callID string) (Result, error) {
	r, err := s.keepMessage(ctx, src, callID)
	if err != nil {
		return Result{}, fmt.Errorf("keep the message of call %s: %w", callID, err)
	}
	return r, nil
}

// DropTakes removes what Asterisk recorded of a message and the caller did not keep. Files that are gone already are no
// error.
func (s *Store) DropTakes(paths ...string) error {
	var failed []error
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, fmt.Errorf("drop a take of a message: %w", err))
		}
	}
	return errors.Join(failed...)
}

func (s *Store) keepMessage(ctx context.Context, src, callID string) (Result, error) {
	if err := checkID(callID); err != nil {
		return Result{}, err
	}
	release, err := s.claim(ctx, callID)
	if err != nil {
		return Result{}, err
	}
	defer release()
	if err := waitClosed(ctx, src); err != nil {
		return Result{}, err
	}
	in, err := openSource(src)
	if errors.Is(err, ErrMissing) {
		return kept(s.MessagePath(callID), Meta{})
	}
	if err != nil {
		return Result{}, err
	}
	defer in.Close()
	shape, promised, err := readHeader(in)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", src, err)
	}
	begin, err := in.Seek(0, io.SeekCurrent)
	if err != nil {
		return Result{}, err
	}
	data := in.size - begin
	if promised > 0 {
		data = min(data, promised)
	}
	data -= data % shape.frame()
	if data <= 0 {
		return Result{}, fmt.Errorf("%w: %s", ErrEmpty, src)
	}
	dst := s.MessagePath(callID)
	if err := keep(ctx, dst, shape, in, data); err != nil {
		return Result{}, err
	}
	return result(dst, shape, data, 0, Meta{}), os.Remove(src)
}
