package embedded

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"slate360.ai/worker/internal/leaktest"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/queue/queuetest"
)

// file is a queue with the path of its file, so that it can be opened again.
type file struct {
	*Queue
	path string
}

func openFile(t testing.TB, path string) *file {
	t.Helper()
	q, err := Open(t.Context(), path, Options{Name: "q"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return &file{q, path}
}

func TestConformance(t *testing.T) {
	leaktest.Check(t)
	queuetest.Run(t, queuetest.Backend{
		Fresh: func(t testing.TB) queue.Queue { return openFile(t, filepath.Join(t.TempDir(), "q.db")) },
		Again: func(t testing.TB, q queue.Queue) queue.Queue { return openFile(t, q.(*file).path) },
		Lose: func(t testing.TB, q queue.Queue, id string) {
			// As if the lease had run out; the owner renews only a lease that is its own.
			_, err := q.(*file).db.ExecContext(t.Context(), `UPDATE queue_jobs SET lease = 0, token = 'nobody' WHERE id = ?`, id)
			if err != nil {
				t.Fatal(err)
			}
		},
	})
}

func BenchmarkNoop(b *testing.B) {
	q := openFile(b, filepath.Join(b.TempDir(), "q.db"))
	for i := range b.N {
		if _, err := q.Add(b.Context(), "noop", i, queue.AddOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(b.Context())
	var done atomic.Int64
	b.ResetTimer()
	err := q.Run(ctx, queue.RunOptions{Concurrency: 2, Error: func(err error) { b.Error(err) }}, func(context.Context, queue.Task) (any, error) {
		if done.Add(1) == int64(b.N) {
			cancel()
		}
		return nil, nil
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
	if testing.Verbose() {
		fmt.Println()
	}
}
