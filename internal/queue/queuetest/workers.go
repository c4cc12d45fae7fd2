package queuetest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slate360.ai/worker/internal/queue"
)

func testLimiter(t *testing.T, b Backend) {
	q := b.Fresh(t)
	const most, window = 3, 500 * time.Millisecond
	var mu sync.Mutex
	var starts []time.Time
	for range 2 {
		start(t, b.Again(t, q), queue.RunOptions{Concurrency: 2, LimiterMax: most, LimiterDuration: window},
			func(context.Context, queue.Task) (any, error) {
				mu.Lock()
				defer mu.Unlock()
				starts = append(starts, time.Now())
				return nil, nil
			})
	}
	const n = 9
	for i := range n {
		add(t, q, i, queue.AddOptions{})
	}
	eventually(t, "all have started", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(starts) == n
	})
	// Whole windows lie between the first of one and the first of the next.
	if d := starts[n-1].Sub(starts[0]); d < 2*window-window/4 {
		t.Errorf("%d jobs at %d in %v started within %v", n, most, window, d)
	}
}

func testPause(t *testing.T, b Backend) {
	q := b.Fresh(t)
	var runs atomic.Int32
	start(t, q, queue.RunOptions{}, func(context.Context, queue.Task) (any, error) {
		runs.Add(1)
		return nil, nil
	})
	waitState(t, q, add(t, q, 0, queue.AddOptions{}), queue.StateCompleted)
	if err := q.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantPaused(t, b.Again(t, q), true)
	id := add(t, q, 1, queue.AddOptions{})
	later := add(t, q, 2, queue.AddOptions{Delay: 50 * time.Millisecond})
	time.Sleep(200 * time.Millisecond) // that nothing happens shows only with time
	if n := runs.Load(); n != 1 {
		t.Errorf("%d runs, though the queue is paused", n)
	}
	if err := q.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantPaused(t, q, false)
	waitState(t, q, id, queue.StateCompleted)
	waitState(t, q, later, queue.StateCompleted)
}

func wantPaused(t testing.TB, q queue.Queue, want bool) {
	t.Helper()
	if paused, err := q.Paused(t.Context()); err != nil || paused != want {
		t.Errorf("paused: %v, %v; want %v", paused, err, want)
	}
}

func testCancelWaiting(t *testing.T, b Backend) {
	q := b.Fresh(t)
	for _, o := range []queue.AddOptions{{}, {Priority: 3}, {Delay: time.Hour}} {
		id := add(t, q, 1, o)
		if err := q.Cancel(t.Context(), id); err != nil {
			t.Error(err)
		}
		if _, err := q.Get(t.Context(), id); !errors.Is(err, queue.ErrNotFound) {
			t.Errorf("canceled job: %v", err)
		}
	}
	if err := q.Cancel(t.Context(), "absent"); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("absent job: %v", err)
	}
	start(t, q, queue.RunOptions{}, nothing)
	id := add(t, q, 1, queue.AddOptions{})
	waitState(t, q, id, queue.StateCompleted)
	wantState(t, q.Cancel(t.Context(), id))
}

func testCancelActive(t *testing.T, b Backend) {
	q := b.Fresh(t)
	running := make(chan struct{})
	start(t, q, queue.RunOptions{LockDuration: 2 * time.Second}, func(ctx context.Context, _ queue.Task) (any, error) {
		close(running)
		<-ctx.Done()
		return nil, queue.Permanent(context.Cause(ctx))
	})
	id := add(t, q, 1, queue.AddOptions{Attempts: 3})
	receive(t, running)
	if err := b.Again(t, q).Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if j := waitState(t, q, id, queue.StateFailed); j.FailedReason != queue.ErrCanceled.Error() {
		t.Errorf("%+v", j)
	}
}

func testRetryAndRemove(t *testing.T, b Backend) {
	q := b.Fresh(t)
	var good atomic.Bool
	start(t, q, queue.RunOptions{}, func(context.Context, queue.Task) (any, error) {
		if !good.Load() {
			return nil, errors.New("not yet")
		}
		return "yes", nil
	})
	id := add(t, q, 1, queue.AddOptions{})
	waitState(t, q, id, queue.StateFailed)
	good.Store(true)
	if err := q.Retry(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if j := waitState(t, q, id, queue.StateCompleted); string(j.ReturnValue) != `"yes"` || j.FailedReason != "" {
		t.Errorf("%+v", j)
	}
	wantState(t, q.Retry(t.Context(), id))
	if err := q.Remove(t.Context(), id); err != nil {
		t.Error(err)
	}
	if err := q.Remove(t.Context(), id); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if err := q.Retry(t.Context(), id); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("retry of a removed job: %v", err)
	}
}

func testKeep(t *testing.T, b Backend) {
	q := b.Fresh(t)
	start(t, q, queue.RunOptions{KeepCompleted: queue.Keep{Count: 3}}, func(_ context.Context, task queue.Task) (any, error) {
		if string(task.Job().Data) == `"bad"` {
			return nil, errors.New("bad")
		}
		return nil, nil
	})
	ids := make([]string, 8)
	for i := range ids {
		ids[i] = add(t, q, i, queue.AddOptions{})
	}
	waitState(t, q, ids[7], queue.StateCompleted)
	jobs, err := q.List(t.Context(), queue.StateCompleted, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, j := range jobs {
		got = append(got, j.ID)
	}
	if want := []string{ids[7], ids[6], ids[5]}; !reflect.DeepEqual(got, want) {
		t.Errorf("kept %v, want %v, newest first", got, want)
	}
	gone := add(t, q, 9, queue.AddOptions{RemoveOnComplete: true})
	bad := add(t, q, "bad", queue.AddOptions{RemoveOnFail: true})
	for _, id := range []string{gone, bad} {
		eventually(t, "it is removed", func() bool {
			_, err := q.Get(t.Context(), id)
			return errors.Is(err, queue.ErrNotFound)
		})
	}
}

func testWatch(t *testing.T, b Backend) {
	q := b.Fresh(t)
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	events := make(chan queue.Event, 100)
	other := b.Again(t, q)
	go func() {
		done <- other.Watch(ctx, func() { close(ready) }, func(e queue.Event) { events <- e })
	}()
	receive(t, ready)
	start(t, q, queue.RunOptions{}, func(ctx context.Context, task queue.Task) (any, error) {
		if string(task.Job().Data) == "2" {
			return nil, errors.New("why")
		}
		return 7, task.Progress(ctx, 50)
	})
	first := add(t, q, 1, queue.AddOptions{})
	second := add(t, q, 2, queue.AddOptions{})
	var seen []string
	for len(seen) < 2 || !slices.Contains(seen, "completed") || !slices.Contains(seen, "failed") {
		e := receive(t, events)
		seen = append(seen, e.Name)
		switch {
		case e.Name == "progress" && (e.JobID != first || string(e.Progress) != "50"),
			e.Name == "completed" && (e.JobID != first || string(e.Result) != "7"),
			e.Name == "failed" && (e.JobID != second || e.Reason != "why"):
			t.Errorf("event %+v", e)
		}
	}
	for _, want := range []string{"added", "waiting", "active", "progress"} {
		if !slices.Contains(seen, want) {
			t.Errorf("no event %s in %v", want, seen)
		}
	}
	cancel()
	if err := receive(t, done); !errors.Is(err, context.Canceled) {
		t.Errorf("Watch: %v", err)
	}
}

// Run takes no job after its context is done, and returns after its handlers.
func testDrain(t *testing.T, b Backend) {
	q := b.Fresh(t)
	running, finish := make(chan struct{}), make(chan struct{})
	var runs atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- q.Run(ctx, queue.RunOptions{}, func(ctx context.Context, _ queue.Task) (any, error) {
			if runs.Add(1) == 1 {
				close(running)
			}
			<-finish
			return "ended", ctx.Err()
		})
	}()
	first := add(t, q, 1, queue.AddOptions{})
	second := add(t, q, 2, queue.AddOptions{})
	receive(t, running)
	cancel()
	select {
	case err := <-done:
		t.Fatalf("Run returned before its handler: %v", err)
	case <-time.After(100 * time.Millisecond): // that nothing happens shows only with time
	}
	close(finish)
	if err := receive(t, done); err != nil {
		t.Error(err)
	}
	if j := waitState(t, q, first, queue.StateCompleted); string(j.ReturnValue) != `"ended"` {
		t.Errorf("%+v", j)
	}
	if waitState(t, q, second, queue.StateWaiting); runs.Load() != 1 {
		t.Errorf("%d runs", runs.Load())
	}
}

// abandon takes a job in a worker that never renews nor ends it. Its own look for
// stalled jobs may come late, and be the one that finds the job: maxStalled is that
// of the worker that is to find it.
func abandon(t *testing.T, b Backend, q queue.Queue, id string, maxStalled int) {
	t.Helper()
	taken := make(chan struct{})
	lost := b.Again(t, q)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = lost.Run(ctx, queue.RunOptions{LockDuration: time.Second, StalledInterval: time.Hour, MaxStalled: maxStalled, Error: func(error) {}},
			func(ctx context.Context, task queue.Task) (any, error) {
				if task.Job().ID == id {
					close(taken)
				}
				<-ctx.Done()
				return nil, context.Cause(ctx)
			})
	}()
	receive(t, taken)
	cancel()
	b.Lose(t, q, id)
	receive(t, done)
}

func testStalled(t *testing.T, b Backend) {
	if b.Lose == nil {
		t.Skip("the backend cannot lose a lock on purpose")
	}
	q := b.Fresh(t)
	id := add(t, q, 1, queue.AddOptions{Attempts: 1})
	abandon(t, b, q, id, 0)
	start(t, q, queue.RunOptions{StalledInterval: 50 * time.Millisecond}, func(_ context.Context, task queue.Task) (any, error) {
		if j := task.Job(); j.Stalled != 1 || j.AttemptsMade != 0 || j.AttemptsStarted != 2 {
			t.Errorf("%+v", j)
		}
		return "second", nil
	})
	if j := waitState(t, q, id, queue.StateCompleted); string(j.ReturnValue) != `"second"` {
		t.Errorf("%+v", j)
	}
}

func testDead(t *testing.T, b Backend) {
	if b.Lose == nil {
		t.Skip("the backend cannot lose a lock on purpose")
	}
	q := b.Fresh(t)
	id := add(t, q, 1, queue.AddOptions{Attempts: 3})
	abandon(t, b, q, id, -1)
	told := make(chan string, 1)
	start(t, q, queue.RunOptions{
		StalledInterval: 50 * time.Millisecond, MaxStalled: -1,
		Dead: func(ctx context.Context, task queue.Task, reason error) {
			if err := task.Verify(ctx); err != nil {
				t.Error(err)
			}
			told <- task.Job().ID + ": " + reason.Error()
		},
	}, nothing)
	j := waitState(t, q, id, queue.StateFailed)
	if !strings.Contains(j.FailedReason, "stalled") {
		t.Errorf("%+v", j)
	}
	if got := receive(t, told); got != id+": "+j.FailedReason {
		t.Errorf("told %q", got)
	}
}

// What a worker says after it lost its lock is refused.
func testLost(t *testing.T, b Backend) {
	if b.Lose == nil {
		t.Skip("the backend cannot lose a lock on purpose")
	}
	q := b.Fresh(t)
	running, causes, release := make(chan struct{}), make(chan error, 1), make(chan struct{})
	w := start(t, q, queue.RunOptions{LockDuration: 2 * time.Second, StalledInterval: time.Hour}, func(ctx context.Context, task queue.Task) (any, error) {
		close(running)
		<-release
		if err := task.Verify(ctx); !errors.Is(err, queue.ErrLost) {
			t.Errorf("Verify: %v", err)
		}
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return "late", nil
	})
	id := add(t, q, 1, queue.AddOptions{})
	receive(t, running)
	b.Lose(t, q, id)
	start(t, b.Again(t, q), queue.RunOptions{StalledInterval: 50 * time.Millisecond}, func(context.Context, queue.Task) (any, error) {
		return "new", nil
	})
	waitState(t, q, id, queue.StateCompleted)
	close(release)
	if cause := receive(t, causes); !errors.Is(cause, queue.ErrLost) {
		t.Errorf("cause %v", cause)
	}
	w.stop()
	if j := waitState(t, q, id, queue.StateCompleted); string(j.ReturnValue) != `"new"` {
		t.Errorf("%+v", j)
	}
}

func testRenewal(t *testing.T, b Backend) {
	q := b.Fresh(t)
	const lock = time.Second
	var runs atomic.Int32
	for range 2 {
		start(t, b.Again(t, q), queue.RunOptions{LockDuration: lock, StalledInterval: lock / 4}, func(ctx context.Context, task queue.Task) (any, error) {
			runs.Add(1)
			select {
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			case <-time.After(4 * lock): // the work of the job
			}
			return nil, task.Verify(ctx)
		})
	}
	id := add(t, q, 1, queue.AddOptions{})
	if j := waitState(t, q, id, queue.StateCompleted); runs.Load() != 1 || j.Stalled != 0 {
		t.Errorf("%d runs, %+v", runs.Load(), j)
	}
}
