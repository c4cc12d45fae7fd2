package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"slate360.ai/worker/internal/sqlite"
)

// opens names the database that a process of TestOpenAtOnce opens.
const opens = "SLATE360_TEST_OPENS"

func TestMain(m *testing.M) {
	path := os.Getenv(opens)
	if path == "" {
		os.Exit(m.Run())
	}
	if err := openAndMigrate(path); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func openAndMigrate(path string) error {
	db, err := sqlite.Open(context.Background(), path)
	if err != nil {
		return err
	}
	defer db.Close()
	return sqlite.Migrate(context.Background(), db, "test", []string{`CREATE TABLE t (x INTEGER)`})
}

// Several processes may open a new database at once.
func TestOpenAtOnce(t *testing.T) {
	dir := t.TempDir()
	for round := range 100 {
		path := filepath.Join(dir, fmt.Sprintf("%d.db", round))
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() {
				cmd := exec.CommandContext(t.Context(), os.Args[0])
				cmd.Env = append(os.Environ(), opens+"="+path)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, out)
				}
			})
		}
		wait.Wait()
	}
}
