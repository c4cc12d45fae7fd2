// Package queuetest is the suite that every backend of package queue passes.
package queuetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"slate360.ai/worker/internal/queue"
)

// Backend opens queues for the suite.
type Backend struct {
	// Fresh returns a queue of its own for a test, empty, that is closed with it.
	Fresh func(t testing.TB) queue.Queue
	// Again opens the same queue once more, as another process would.
	Again func(t testing.TB, q queue.Queue) queue.Queue
	// Lose takes the lock of a running job away, as if it had run out and another
	// worker had the job; nil where the suite cannot.
	Lose func(t testing.TB, q queue.Queue, id string)
}

// patience is what a condition gets until the test fails.
const patience = 20 * time.Second

// Run runs the suite.
func Run(t *testing.T, b Backend) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, b Backend)
	}{
		{"AddAndGet", testAddAndGet},
		{"SameID", testSameID},
		{"FirstInFirstOut", testFIFO},
		{"Priorities", testPriorities},
		{"Delay", testDelay},
		{"Retries", testRetries},
		{"Permanent", testPermanent},
		{"Release", testRelease},
		{"DelayError", testDelayError},
		{"Panic", testPanic},
		{"UnencodableResult", testUnencodable},
		{"ProgressAndLog", testProgressAndLog},
		{"Concurrency", testConcurrency},
		{"SeveralWorkers", testSeveralWorkers},
		{"Limiter", testLimiter},
		{"PauseAndResume", testPause},
		{"CancelWaiting", testCancelWaiting},
		{"CancelActive", testCancelActive},
		{"RetryAndRemove", testRetryAndRemove},
		{"Keep", testKeep},
		{"Watch", testWatch},
		{"Drain", testDrain},
		{"Stalled", testStalled},
		{"Dead", testDead},
		{"Lost", testLost},
		{"LongerThanTheLock", testRenewal},
		{"Data", testData},
		{"WakesUp", testWakesUp},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, b)
		})
	}
}

// worker is a Run in the background.
type worker struct {
	stop func()
	errs *errorList
}

type errorList struct {
	mu   sync.Mutex
	list []error
}

func (e *errorList) add(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, err)
}

// start runs h until stop or the end of the test.
func start(t testing.TB, q queue.Queue, o queue.RunOptions, h queue.Handler) *worker {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &worker{errs: &errorList{}}
	if o.Error == nil {
		o.Error = w.errs.add
	}
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx, o, h) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Errorf("Run did not return")
		}
	})
	t.Cleanup(w.stop)
	return w
}

func add(t testing.TB, q queue.Queue, data any, o queue.AddOptions) string {
	t.Helper()
	id, err := q.Add(t.Context(), "test", data, o)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come about: %s", what)
		}
		time.Sleep(5 * time.Millisecond) // between two looks
	}
}

// waitState waits until a job is in a state, and returns it.
func waitState(t testing.TB, q queue.Queue, id string, s queue.State) queue.Job {
	t.Helper()
	var j queue.Job
	eventually(t, "job "+id+" is "+string(s), func() bool {
		var err error
		if j, err = q.Get(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		return j.State == s
	})
	return j
}

func receive[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func nothing(context.Context, queue.Task) (any, error) { return nil, nil }

func wantState(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, queue.ErrState) {
		t.Errorf("got %v, want %v", err, queue.ErrState)
	}
}
