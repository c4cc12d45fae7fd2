// Package sqlite opens the embedded database (modernc.org/sqlite, no cgo) in the
// one way that all its users share: write-ahead log, several processes on one
// file, migrations in order.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	driver "modernc.org/sqlite" // named "sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// busyTimeout is how long, in ms, a writer waits for another's transaction.
const busyTimeout = 10_000

// Open opens or makes the database file at path. Transactions take the write
// lock when they begin (BEGIN IMMEDIATE): one that reads and then writes does
// not fail because another wrote between.
func Open(ctx context.Context, path string) (*sql.DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make folder of the database: %w", err)
	}
	q := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", busyTimeout), "journal_mode(WAL)", "synchronous(NORMAL)",
			"foreign_keys(1)", "journal_size_limit(67108864)",
		},
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	db.SetMaxOpenConns(4)
	if err := connect(ctx, db); err != nil {
		db.Close()
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return db, nil
}

// connect opens the first connection. A new database gets its write-ahead log then, and
// another process that does the same at that moment makes it fail at once, whatever the
// busy timeout is.
func connect(ctx context.Context, db *sql.DB) error {
	patience, cancel := context.WithTimeout(ctx, busyTimeout*time.Millisecond)
	defer cancel()
	for {
		err := db.PingContext(ctx)
		var failure *driver.Error
		if !errors.As(err, &failure) || failure.Code()&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-patience.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// pause between two attempts to connect.
const pause = 10 * time.Millisecond

// Migrate brings the tables of one component up to date: migrations[i] is SQL
// that brings version i to i+1. What ran is kept in the table schema_versions, so
// that components share a file without knowing each other.
func Migrate(ctx context.Context, db *sql.DB, component string, migrations []string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", component, err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it has nothing to do
	if _, err := tx.ExecContext(ctx,
		`CREATE TABLE IF NOT EXISTS schema_versions (component TEXT PRIMARY KEY, version INTEGER NOT NULL)`); err != nil {
		return fmt.Errorf("migrate %s: %w", component, err)
	}
	var version int
	err = tx.QueryRowContext(ctx,
		`SELECT COALESCE((SELECT version FROM schema_versions WHERE component = ?), 0)`, component).Scan(&version)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", component, err)
	}
	if version > len(migrations) {
		return fmt.Errorf("the database was written by a newer version of this program (%s %d, known is %d)",
			component, version, len(migrations))
	}
	for i := version; i < len(migrations); i++ {
		if _, err := tx.ExecContext(ctx, migrations[i]); err != nil {
			return fmt.Errorf("migrate %s to version %d: %w", component, i+1, err)
		}
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO schema_versions VALUES (?, ?)
		ON CONFLICT (component) DO UPDATE SET version = excluded.version`, component, len(migrations)); err != nil {
		return fmt.Errorf("migrate %s: %w", component, err)
	}
	return tx.Commit()
}
