package sqlite_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"slate360.ai/worker/internal/sqlite"
)

// Several processes may open a new database at once.
func TestOpenAtOnce(t *testing.T) {
	dir := t.TempDir()
	for round := range 20 {
		path := filepath.Join(dir, fmt.Sprintf("%d.db", round))
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				db, err := sqlite.Open(t.Context(), path)
				if err != nil {
					t.Error(err)
					return
				}
				defer db.Close()
				if err := sqlite.Migrate(t.Context(), db, "test", []string{`CREATE TABLE t (x INTEGER)`}); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
	}
}
