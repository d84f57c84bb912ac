package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrFenced says that another process has claimed the journal: this one wrote nothing and never will again.
	ErrFenced = errors.New("journal: another process has claimed it")
	// ErrStandby says that the journal has not been claimed yet: nothing was written.
	ErrStandby = errors.New("journal: in standby until it is claimed, nothing was written")
)

const (
	// unknownEpoch stands for the newest epoch before the file has been asked for it.
	unknownEpoch = -1
	// lockRetry is how soon after the end of the process before it a claimed journal has the lock file.
	lockRetry = 20 * time.Millisecond
)

// claim is one call of Claim.
type claim struct {
	ctx  context.Context
	done chan error // capacity 1, so that the writer never waits
}

// Claim makes this process the journal's writer: it begins a new epoch in one transaction, after which every commit of
// an older epoch fails with ErrFenced, and goes on where the process before it ended. What can be read once Claim has
// returned and Epoch is not 0 is final. The lock file follows as soon as the process before it is gone.
//
// A journal that was claimed before, by Open or Claim, stays as it is. An error means that the journal still stands by;
// ErrFenced that it was claimed and lost. A disk that is full or broken is no error, as in Open: the next Append claims,
// unless yet another process has done so. ctx bounds the wait for another process that holds the file.
func (j *Journal) Claim(ctx context.Context) error {
	c := &claim{ctx: ctx, done: make(chan error, 1)}
	select {
	case j.claims <- c:
		return <-c.done
	case <-ctx.Done():
		return fmt.Errorf("claim the journal %s: %w", j.path, context.Cause(ctx))
	case <-j.closing:
		return ErrClosed
	}
}

// Epoch is the number this process writes under: 1 for the first that ever claimed the file, one more for each that
// follows. It is 0 in standby and while the disk has not let the epoch be written.
func (j *Journal) Epoch() int64 { return j.epoch.Load() }

// takeOver is Claim in the writer goroutine.
func (j *Journal) takeOver(ctx context.Context) error {
	if !j.standby.Load() {
		if err := j.Err(); errors.Is(err, ErrFenced) {
			return err
		}
		return nil
	}
	err := j.begin(ctx)
	for fileBusy(err) && ctx.Err() == nil && !j.isClosing() { // whoever holds the file may be slow, the caller says how long to wait
		err = j.begin(ctx)
	}
	if err != nil && !diskFails(err) {
		j.newest = unknownEpoch // a later Claim may follow whoever claims until then
		return fmt.Errorf("claim the journal %s: %w", j.path, err)
	}
	j.note(err)
	j.standby.Store(false)
	return nil
}

// Vacant waits until the process that owns the journal has closed it, and with that has written what it still had in
// memory; it is nil at once where nobody owns it. ctx bounds the wait. Claim does not need it: a process that hangs
// would be waited for in vain.
func (j *Journal) Vacant(ctx context.Context) error {
	select {
	case <-j.locked:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the process that has the journal %s: %w", j.path, context.Cause(ctx))
	case <-j.closing:
		return ErrClosed
	}
}

func (j *Journal) isClosing() bool {
	select {
	case <-j.closing:
		return true
	default:
		return false
	}
}

// begin opens the writer in an epoch of its own.
func (j *Journal) begin(ctx context.Context) error {
	w, err := newWriter(ctx, j.db)
	if err != nil {
		return err
	}
	if err := w.begin(ctx, &j.newest, j.now()); err != nil {
		return errors.Join(err, w.close())
	}
	j.writer = w
	j.epoch.Store(w.epoch)
	return nil
}

// fileBusy reports whether another process held the file for longer than SQLite waits.
func fileBusy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// awaitLock takes the lock file, in standby, once the process before this one is gone, so that a third one which does not
// stand by is refused. It ends then, or with the journal.
func (j *Journal) awaitLock() {
	retry := time.NewTicker(lockRetry)
	defer retry.Stop()
	told := false
	for {
		err := j.takeLock()
		if err == nil {
			return
		}
		if !told && !errors.Is(err, ErrInUse) {
			told = true
			j.logger.Warn("journal's lock file cannot be taken, a second service would not be refused", "path", j.path, "err", err)
		}
		select {
		case <-retry.C:
		case <-j.closing:
			return
		}
	}
}

func (j *Journal) takeLock() error {
	lock, err := lockFile(j.path + ".lock")
	if err != nil {
		return err
	}
	j.lock = lock
	close(j.locked)
	return nil
}

// lockFile takes the lock that makes a journal's writer the only one. The kernel lets go of it when the process
// ends, however it ends. It is a file of its own because closing any descriptor of the database would drop SQLite's locks.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrInUse
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
