package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
)

// ErrInUse says that another program has the database open.
var ErrInUse = errors.New("the database is in use")

// Backup writes the database at path, as it is at one moment, to the new file to;
// programs that use it go on meanwhile (VACUUM INTO). What an error leaves is no file.
func Backup(ctx context.Context, path, to string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("back up: %s is there already", to)
	}
	db, err := Open(ctx, path)
	if err != nil {
		return err
	}
	defer db.Close()
	part := to + ".part"
	if err := os.RemoveAll(part); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	// The file is made here so that others cannot read it: it has sources' addresses.
	if err := os.WriteFile(part, nil, 0o600); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", part)
	if err == nil {
		err = sync(part)
	}
	if err == nil {
		err = os.Rename(part, to)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("back up %s: %w", path, err), os.RemoveAll(part))
	}
	return nil
}

func sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Restore puts a copy of the backup from in the place of the database at path, once
// it is found whole. A database that is there is kept beside, under the name that is
// returned. ErrInUse where a program has it open.
func Restore(ctx context.Context, from, path string) (kept string, err error) {
	if err := check(ctx, from); err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	part := path + ".part"
	if err := os.RemoveAll(part); err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	if err := Backup(ctx, from, part); err != nil {
		return "", err
	}
	defer os.Remove(part)
	if _, err := os.Stat(path); err == nil {
		if err := alone(ctx, path); err != nil {
			return "", fmt.Errorf("restore: %w", err)
		}
		kept = path + ".before-restore"
		if err := os.Rename(path, kept); err != nil {
			return "", fmt.Errorf("restore: %w", err)
		}
	}
	if err := os.Rename(part, path); err != nil {
		return kept, fmt.Errorf("restore: %w", err)
	}
	return kept, nil
}

// check tells whether a file is a whole database of ours. It is opened as it is: a
// backup may lie where nothing can be written.
func check(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro&immutable=1")
	if err != nil {
		return err
	}
	defer db.Close()
	var state string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&state); err != nil {
		return fmt.Errorf("%s is no database: %w", path, err)
	}
	if state != "ok" {
		return fmt.Errorf("%s is damaged: %s", path, state)
	}
	var tables int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM schema_versions").Scan(&tables); err != nil {
		return fmt.Errorf("%s is no database of this program: %w", path, err)
	}
	return nil
}

// alone tells whether nobody else has a database open: only then can it leave the
// write-ahead log, which then is empty.
func alone(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=busy_timeout(100)")
	if err != nil {
		return err
	}
	defer db.Close()
	var mode string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode=DELETE").Scan(&mode); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrInUse, path, err)
	}
	if mode != "delete" {
		return fmt.Errorf("%w: %s", ErrInUse, path)
	}
	return nil
}
