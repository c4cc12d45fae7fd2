package bullmq

import (
	"context"
	"sync"
	"testing"
	"time"

	"slate360.ai/worker/internal/leaktest"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/testservices"
)

// A worker whose server is gone, with a job in its hands, can be stopped, and
// leaves nothing behind.
func TestStopWhileTheServerIsAway(t *testing.T) {
	s := testservices.Redis(t)
	leaktest.Check(t)
	q := openNamed(t, s, "away")
	ctx, cancel := context.WithCancel(t.Context())
	running, told, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	once := sync.OnceFunc(func() { close(told) })
	go func() {
		done <- q.Run(ctx, queue.RunOptions{Concurrency: 2, LockDuration: time.Second, Error: func(error) { once() }},
			func(ctx context.Context, task queue.Task) (any, error) {
				close(running)
				<-told
				return nil, task.Verify(ctx)
			})
	}()
	if _, err := q.Add(t.Context(), "n", 1, queue.AddOptions{}); err != nil {
		t.Fatal(err)
	}
	wait(t, running)
	s.Kill()
	wait(t, told)
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Run did not return")
	}
}

func wait(t *testing.T, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(20 * time.Second):
		t.Fatal("it did not come about")
	}
}
