package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"modernc.org/sqlite" // which is the driver too
)

// Who is signed in is kept in a small database of its own, so that nobody has to
// sign in again when the service is started anew, or another one takes over: the
// two share it.

// openSessions opens it, or makes it anew where it cannot be read. Where that is
// impossible too, people sign in again after a restart; calls are taken all the
// same.
func openSessions(path string, log *slog.Logger) (store scs.Store, end func()) {
	db, err := openSessionsDB(path)
	if isBroken(err) {
		log.Error("who is signed in cannot be read, and is forgotten", "err", err)
		db, err = anewSessionsDB(path)
	}
	if err != nil {
		log.Error("who is signed in is not kept: after a restart people sign in again", "err", err)
		inMemory := memstore.NewWithCleanupInterval(sweepSessions)
		return inMemory, inMemory.StopCleanup
	}
	kept := sqlite3store.NewWithCleanupInterval(db, sweepSessions)
	return kept, func() {
		kept.StopCleanup()
		if err := db.Close(); err != nil {
			log.Warn("closing the sessions", "err", err)
		}
	}
}

// sweepSessions is how often those that have ended are removed.
const sweepSessions = 10 * time.Minute

// isBroken says whether a file is no database, or none any more. One that another
// process is at is not.
func isBroken(err error) bool {
	const corrupt, notADatabase = 11, 26 // of SQLite's result codes
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == corrupt || e.Code()&0xff == notADatabase)
}

// anewSessionsDB puts an empty database in the place of one that is broken.
func anewSessionsDB(path string) (*sql.DB, error) {
	for _, part := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return openSessionsDB(path)
}

func openSessionsDB(path string) (*sql.DB, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // nobody else reads it
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	place := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: url.Values{
		"_pragma": {"busy_timeout(1000)", "journal_mode(WAL)", "synchronous(NORMAL)"},
	}.Encode()}
	db, err := sql.Open("sqlite", place.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(2)
	_, err = db.Exec(`CREATE TABLE IF NOT EXISTS sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL);
		CREATE INDEX IF NOT EXISTS sessions_expiry ON sessions (expiry)`)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the sessions in %s: %w", path, err), db.Close())
	}
	return db, nil
}
