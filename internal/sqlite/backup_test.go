package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"slate360.ai/worker/internal/sqlite"
)

// open makes a database with a table of numbers.
func open(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	err = sqlite.Migrate(t.Context(), db, "numbers", []string{`CREATE TABLE numbers (a INTEGER, b INTEGER)`})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func count(t *testing.T, db *sql.DB) (n, odd int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), `SELECT count(*), count(*) FILTER (WHERE a != -b) FROM numbers`).Scan(&n, &odd); err != nil {
		t.Fatal(err)
	}
	return n, odd
}

// A backup made while another writes is of one moment, and can be put back.
func TestBackupAndRestore(t *testing.T) {
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "db"), filepath.Join(dir, "copy")
	db := open(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	wrote := make(chan struct{}, 1)
	go func() {
		for i := 0; ctx.Err() == nil; i++ {
			// Two rows, or none: their sum is always 0.
			if _, err := db.ExecContext(context.WithoutCancel(ctx), `INSERT INTO numbers VALUES (?, ?), (?, ?)`, i, -i, -i, i); err != nil {
				done <- err
				return
			}
			select {
			case wrote <- struct{}{}:
			default:
			}
		}
		done <- nil
	}()
	<-wrote
	if err := sqlite.Backup(t.Context(), path, copied); err != nil {
		t.Fatal(err)
	}
	if err := sqlite.Backup(t.Context(), path, copied); err == nil {
		t.Error("a backup was written over")
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the backup: %v, %v", info, err)
	}
	if _, err := sqlite.Restore(t.Context(), copied, path); !errors.Is(err, sqlite.ErrInUse) {
		t.Fatalf("restore of a database in use: %v", err)
	}
	all, _ := count(t, db) // and it is as it was
	db.Close()
	kept, err := sqlite.Restore(t.Context(), copied, path)
	if err != nil {
		t.Fatal(err)
	}
	n, odd := count(t, open(t, path))
	if n == 0 || n > all || n%2 != 0 || odd != 0 {
		t.Errorf("%d rows, %d not right, of %d", n, odd, all)
	}
	if before, _ := count(t, open(t, kept)); before != all {
		t.Errorf("kept are %d rows of %d", before, all)
	}
}

func TestRestoreRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "db")
	open(t, path).Close()
	garbage, foreign := filepath.Join(dir, "garbage"), filepath.Join(dir, "foreign")
	if err := os.WriteFile(garbage, []byte("SQLite format 3\x00 and no more"), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), foreign)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE other (a)`); err != nil {
		t.Fatal(err)
	}
	db.Close()
	for _, from := range []string{garbage, foreign, filepath.Join(dir, "absent")} {
		if _, err := sqlite.Restore(t.Context(), from, path); err == nil {
			t.Errorf("%s was restored", from)
		}
	}
	open(t, path) // is there still
}
