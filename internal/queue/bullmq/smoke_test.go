package bullmq

import (
	"context"
	"testing"
	"time"

	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/testservices"
)

func open(t testing.TB, s *testservices.RedisServer) *Queue {
	t.Helper()
	conn, err := DialRedis(t.Context(), s.URL(), RedisOptions{})
	if err != nil {
		t.Fatal(err)
	}
	q, err := New(conn, Options{Name: "q"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

func TestRunsJobs(t *testing.T) {
	q := open(t, testservices.Redis(t))
	for i := range 100 {
		if _, err := q.Add(t.Context(), "n", map[string]int{"i": i}, queue.AddOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	done := make(chan string, 200)
	go func() {
		for range 100 {
			<-done
		}
		cancel()
	}()
	err := q.Run(ctx, queue.RunOptions{Concurrency: 3, Error: func(err error) { t.Error(err) }}, func(_ context.Context, task queue.Task) (any, error) {
		done <- task.Job().ID
		return "ok", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	counts, err := q.Counts(t.Context())
	if err != nil || counts[queue.StateCompleted] != 100 {
		t.Errorf("%v %v", counts, err)
	}
	j, err := q.Get(t.Context(), "50")
	if err != nil || string(j.ReturnValue) != `"ok"` || j.State != queue.StateCompleted {
		t.Errorf("%+v %v", j, err)
	}
}
