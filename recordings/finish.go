package recordings

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Reasons why a file could not be kept. Each is wrapped with the call and the path it is about.
var (
	// ErrMissing says that Asterisk left no raw file: it never began to record.
	ErrMissing = errors.New("there is no raw recording")
	// ErrEmpty says that the raw file holds no sample.
	ErrEmpty = errors.New("the raw recording is empty")
	// ErrTorn says that the raw file ends in the middle of a sample pair; see Meta.Salvage.
	ErrTorn = errors.New("the raw recording ends in the middle of a sample")
	// ErrStillWritten says that Asterisk has not closed the raw file yet.
	ErrStillWritten = errors.New("the raw recording is still being written")
	// ErrDiskFull says that there was no room; the raw file is untouched and can be finished when there is.
	ErrDiskFull = errors.New("the disk is full")
	// ErrExists says that another recording has this name already; neither is touched.
	ErrExists = errors.New("a different recording of this name exists")
)

// tolerance is how far a recording may be from the wall clock and still count as complete.
const tolerance = 100 * time.Millisecond

// Meta is what is known about a recording beside its samples.
type Meta struct {
	CallID string
	At     time.Time // when the call arrived, by the service's clock: names the folder of its day
	// Began and Ended are when recording was asked for and when it was over, by the machine's clock. If one is zero,
	// completeness is unknown.
	Began, Ended time.Time
	// Salvage keeps a raw file that ends in the middle of a sample (a crash, a full disk): without the torn end,
	// and saying so.
	Salvage bool
}

// Result is a file that is kept, and how complete it is.
type Result struct {
	Path     string
	Duration time.Duration // of the samples
	Bytes    int64         // of the file
	Expected time.Duration // by the clock; 0 when that is unknown
	Gap      time.Duration // Expected − Duration beyond the tolerance of 100 ms; negative when more was recorded than the clock allows
	Note     string        // "complete", "gap of 1234 ms", "340 ms longer than the clock", "completeness unknown", with what was salvaged
}

// Complete reports that the recording is known to be as long as the clock says, within 100 ms, and whole.
func (r Result) Complete() bool { return r.Note == noteComplete }

const noteComplete = "complete"

// Finish turns the raw file that Asterisk's MixMonitor wrote with its option D (two channels interleaved, 16 bits,
// 8 kHz: what the caller said, what the caller heard) into the WAV file dst: left what the caller said, right what
// the caller heard. dst appears whole or not at all and is on the disk when Finish returns; the raw file stays.
// Finishing the same raw file again is harmless; a different dst is never overwritten (ErrExists). ctx ends the copying.
func Finish(ctx context.Context, raw, dst string, meta Meta) (Result, error) {
	r, err := finish(ctx, raw, dst, meta)
	if err != nil {
		return Result{}, fmt.Errorf("finish the recording of call %s: %w", meta.CallID, err)
	}
	return r, nil
}

func finish(ctx context.Context, raw, dst string, meta Meta) (Result, error) {
	in, err := openSource(raw)
	if err != nil {
		return Result{}, err
	}
	defer in.Close()
	torn := in.size % callShape.frame()
	data := in.size - torn
	switch {
	case torn != 0 && !meta.Salvage:
		return Result{}, fmt.Errorf("%w: %s has %d bytes", ErrTorn, raw, in.size)
	case data == 0:
		return Result{}, fmt.Errorf("%w: %s", ErrEmpty, raw)
	case data > maxData:
		return Result{}, fmt.Errorf("%s has %d bytes, a WAV file holds %d", raw, in.size, int64(maxData))
	}
	if err := keep(ctx, dst, callShape, in, data); err != nil {
		return Result{}, err
	}
	return result(dst, callShape, data, torn, meta), nil
}

// source is a file of samples that must not grow while it is copied.
type source struct {
	*os.File
	size int64 // when it was opened
}

func openSource(path string) (source, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return source{}, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if err != nil {
		return source{}, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", path)
	}
	if err != nil {
		return source{}, errors.Join(err, f.Close())
	}
	return source{f, info.Size()}, nil
}

func result(path string, s shape, data, torn int64, meta Meta) Result {
	r := Result{Path: path, Duration: s.duration(data), Bytes: headerBytes + data}
	if !meta.Began.IsZero() && !meta.Ended.IsZero() {
		r.Expected = meta.Ended.Sub(meta.Began)
	}
	r.Gap, r.Note = completeness(r.Expected, r.Duration)
	if torn != 0 {
		r.Note += fmt.Sprintf("; a torn sample of %d bytes was cut off the end", torn)
	}
	return r
}

func completeness(expected, recorded time.Duration) (gap time.Duration, note string) {
	gap = expected - recorded
	switch {
	case expected <= 0:
		return 0, "completeness unknown"
	case gap > tolerance:
		return gap, fmt.Sprintf("gap of %d ms", gap.Milliseconds())
	case gap < -tolerance:
		return gap, fmt.Sprintf("%d ms longer than the clock", -gap.Milliseconds())
	default:
		return 0, noteComplete
	}
}

// keep makes the WAV file dst of so many bytes of samples, from where in is read now: atomically and onto the disk.
func keep(ctx context.Context, dst string, s shape, in source, data int64) error {
	if err := makeDir(filepath.Dir(dst)); err != nil {
		return named(err)
	}
	part, err := os.OpenFile(dst+".part", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o640)
	if err != nil {
		return named(err)
	}
	err = write(ctx, part, s, in, data)
	if err == nil {
		err = appear(part, dst)
	}
	err = errors.Join(err, part.Close())
	if removeErr := os.Remove(part.Name()); !errors.Is(removeErr, fs.ErrNotExist) {
		err = errors.Join(err, removeErr)
	}
	return named(err)
}

// write puts the header and the samples onto the disk, and makes sure that the samples did not grow meanwhile.
func write(ctx context.Context, out *os.File, s shape, in source, data int64) error {
	if _, err := out.Write(s.header(data)); err != nil {
		return err
	}
	if _, err := io.CopyN(out, &untilDone{ctx, in}, data); err != nil {
		return err
	}
	now, err := in.Stat()
	if err != nil {
		return err
	}
	if now.Size() != in.size {
		return fmt.Errorf("%w: %s", ErrStillWritten, in.Name())
	}
	return out.Sync()
}

// appear gives the finished file its name, unless a different file has it. One process keeps recordings, and it works
// on each in one goroutine, so nothing comes between the look and the rename.
func appear(part *os.File, dst string) error {
	_, err := os.Lstat(dst)
	if err == nil {
		return sameContent(part, dst)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(part.Name(), dst); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dst))
}

func sameContent(part *os.File, dst string) error {
	there, err := os.Open(dst)
	if err != nil {
		return err
	}
	defer there.Close()
	if _, err := part.Seek(0, io.SeekStart); err != nil {
		return err
	}
	same, err := equal(part, there)
	if err == nil && !same {
		err = fmt.Errorf("%w: %s", ErrExists, dst)
	}
	return err
}

func equal(a, b io.Reader) (bool, error) {
	bufA, bufB := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		nA, errA := io.ReadFull(a, bufA)
		nB, errB := io.ReadFull(b, bufB)
		if !bytes.Equal(bufA[:nA], bufB[:nB]) {
			return false, nil
		}
		if ended(errA) && ended(errB) {
			return true, nil
		}
		if err := errors.Join(errA, errB); err != nil {
			return false, err
		}
	}
}

func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// untilDone reads until its context ends.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u *untilDone) Read(p []byte) (int, error) {
	if u.ctx.Err() != nil {
		return 0, context.Cause(u.ctx)
	}
	return u.r.Read(p)
}

// named wraps what the system says about a full disk with ErrDiskFull.
func named(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return err
}

// makeDir makes the directory and those above it, so that they are on the disk.
func makeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
