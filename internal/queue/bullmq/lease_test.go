package bullmq

import (
	"testing"
	"time"

	"slate360.ai/worker/internal/testservices"
)

// A task has one owner, who keeps it by asking again; another gets it once the time
// is over.
func TestLease(t *testing.T) {
	s := testservices.Redis(t)
	q := openNamed(t, s, "leases")
	lease := func(task, owner string, want bool) {
		t.Helper()
		got, err := q.Lease(t.Context(), task, owner, time.Hour)
		if err != nil || got != want {
			t.Errorf("%s gets %s: %v (%v), want %v", owner, task, got, err, want)
		}
	}
	lease("autoscale", "a", true)
	lease("autoscale", "b", false)
	lease("autoscale", "a", true)
	lease("budget", "b", true)
	// The time is over.
	if _, err := q.conn.Do(t.Context(), "DEL", q.k.lease("autoscale")); err != nil {
		t.Fatal(err)
	}
	lease("autoscale", "b", true)
	lease("autoscale", "a", false)
	left, err := q.conn.Do(t.Context(), "PTTL", q.k.lease("autoscale"))
	if ms, ok := left.(int64); err != nil || !ok || ms <= 0 || ms > time.Hour.Milliseconds() {
		t.Errorf("the lease lasts %v ms (%v)", left, err)
	}
}
