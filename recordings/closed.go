package recordings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// openForWriting reports whether any process has the file open for writing. The kernel knows: it grants a read lease
// only on a file that nobody can be changing. Leases are for the file's owner and for root; others get an error.
func openForWriting(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = setLease(f, syscall.F_RDLCK)
	if errors.Is(err, syscall.EAGAIN) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, setLease(f, syscall.F_UNLCK)
}

func setLease(f *os.File, kind uintptr) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_SETLEASE, kind); errno != 0 {
		return errno
	}
	return nil
}

// quietFor is after how long a raw file that nobody writes to counts as closed, where the kernel does not tell: Asterisk
// writes to it every second.
const quietFor = 10 * time.Second

// Running says whether Asterisk is recording this call: whether it has the raw file open, or has written to it lately.
// One that has just been begun may not be there yet. It costs a system call or three.
func (s *Store) Running(callID string) (bool, error) {
	open, err := openForWriting(s.RawPath(callID))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return open, nil
	}
	info, err := os.Stat(s.RawPath(callID))
	if err != nil {
		return false, fmt.Errorf("is the call %s being recorded: %w", callID, err)
	}
	return time.Since(info.ModTime()) < quietFor, nil
}

// waitClosed waits until nobody writes the file any more: Asterisk closes it a moment after the hang-up. It returns
// ErrStillWritten when that takes too long, and nil when there is no file.
func waitClosed(ctx context.Context, path string) error {
	deadline := time.NewTimer(closeWait)
	defer deadline.Stop()
	look := time.NewTicker(closePoll)
	defer look.Stop()
	var last quiet
	for {
		open, err := openForWriting(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err == nil && !open:
			return nil
		case err != nil && last.long(path): // no leases here: it is closed when nothing came for longer than Asterisk buffers
			return nil
		}
		select {
		case <-look.C:
		case <-deadline.C:
			return fmt.Errorf("%w: %s", ErrStillWritten, path)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// quiet is for how long a file has not grown.
type quiet struct {
	size  int64
	since time.Time
}

func (q *quiet) long(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	if q.since.IsZero() || info.Size() != q.size {
		q.size, q.since = info.Size(), time.Now()
	}
	return time.Since(q.since) > bufferTime
}
