package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
)

// applicationID marks a SQLite file as a journal of this service ("HOTL").
const applicationID = 0x484f544c

// migrations[i] leads from schema version i to i+1; the version is SQLite's user_version.
// A released migration never changes: a new shape is a new one.
var migrations = []string{`
CREATE TABLE entry (
	seq       INTEGER PRIMARY KEY,
	at        INTEGER NOT NULL,  -- microseconds since 1970, UTC
	kind      TEXT NOT NULL,
	streams   TEXT NOT NULL,     -- JSON array of names
	data      TEXT,              -- JSON; NULL once the content has expired
	data_hash BLOB NOT NULL,     -- SHA-256 of data, kept when data expires
	hash      BLOB NOT NULL      -- SHA-256 of the hash before it and of this entry
) STRICT;
CREATE INDEX entry_at ON entry (at);
CREATE TABLE stream (
	id   INTEGER PRIMARY KEY,    -- in order of the streams' first entries
	name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE membership (
	stream INTEGER NOT NULL,
	seq    INTEGER NOT NULL,
	PRIMARY KEY (stream, seq)
) STRICT, WITHOUT ROWID;
`, `
ALTER TABLE entry ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0; -- in the hash unless 0: written before there were epochs
CREATE TABLE epoch (
	number  INTEGER PRIMARY KEY,
	at      INTEGER NOT NULL,    -- of the claim, microseconds since 1970, UTC
	host    TEXT NOT NULL,       -- of the process that claimed it
	process INTEGER NOT NULL     -- its ID there
) STRICT;
CREATE INDEX entry_kind ON entry (kind);
`}

// epochsSince is the schema version in which entries have epochs.
const epochsSince = 2

// dataSource is the connection string for the database at path.
func dataSource(path, mode string, pragmas ...string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	values := url.Values{"mode": {mode}, "_pragma": pragmas}
	u := url.URL{Scheme: "file", Path: absolute, RawQuery: values.Encode()}
	return u.String(), nil
}

// migrate brings the database to the newest schema, or says why this program cannot use it. It runs in the claim's
// transaction, so that two processes cannot migrate the same file at once.
func migrate(ctx context.Context, conn *sql.Conn) error {
	version, err := schemaVersion(ctx, conn)
	if err != nil {
		return err
	}
	for ; version < len(migrations); version++ {
		script := fmt.Sprintf("%s PRAGMA application_id=%d; PRAGMA user_version=%d;", migrations[version], applicationID, version+1)
		if _, err := conn.ExecContext(ctx, script); err != nil {
			return fmt.Errorf("migrate the schema from version %d: %w", version, err)
		}
	}
	return nil
}

type rowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// schemaVersion reads the version, 0 for an empty file, and refuses files that are not ours or too new.
func schemaVersion(ctx context.Context, db rowQuerier) (int, error) {
	var version, application, tables int
	row := db.QueryRowContext(ctx, `SELECT (SELECT user_version FROM pragma_user_version),
		(SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)`)
	if err := row.Scan(&version, &application, &tables); err != nil {
		return 0, fmt.Errorf("read the schema's version: %w", err)
	}
	if tables > 0 && application != applicationID {
		return 0, errors.New("this SQLite file is not a journal of this service")
	}
	if version > len(migrations) {
		return 0, fmt.Errorf("the journal's schema has version %d, this program knows up to %d: use the newer program", version, len(migrations))
	}
	return version, nil
}
