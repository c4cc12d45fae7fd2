package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slate360.ai/worker/internal/queue"
)

// A copy of the embedded database is made while a job runs; put back, the job is run
// again and the one that was finished is still there.
func TestBackup(t *testing.T) {
	eachQueue(t, func(t *testing.T, term *terminal) {
		if term.redis {
			t.Skip("jobs of Redis are backed up with it")
		}
		term.env = append(term.env, "SLATE360_LOCK_DURATION=1s") // the job that ran is taken again after it
		stop := term.worker()
		term.want(0, "", "submit", term.url("scan.laz"), "--id", "done", "--wait", "--outputs", "laz")
		term.hold("/scan.laz")
		term.want(0, "", "submit", term.url("scan.laz"), "--id", "running", "--outputs", "laz")
		term.asked()
		term.want(0, "is copied", "backup", "copy.db")
		term.want(1, "is there already", "backup", "copy.db")
		term.want(5, "stop the worker", "restore", "copy.db")
		term.release()
		term.want(0, "", "jobs", "watch", "running")
		stop()

		// The disk is lost.
		if err := os.RemoveAll(filepath.Join(term.dir, "data")); err != nil {
			t.Fatal(err)
		}
		term.want(0, "is put back", "restore", "copy.db")
		if j := term.show("done"); j.State != queue.StateCompleted {
			t.Errorf("%+v", j)
		}
		term.worker()
		term.want(0, "", "jobs", "watch", "running")
		if j := term.show("running"); j.State != queue.StateCompleted {
			t.Errorf("%+v", j)
		}
		term.write("broken.db", "no database")
		if _, _, errs := term.run("restore", "broken.db"); !strings.Contains(errs, "no database") {
			t.Errorf("restore of garbage: %s", errs)
		}
	})
}
