package queuetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slate360.ai/worker/internal/queue"
)

func testAddAndGet(t *testing.T, b Backend) {
	q := b.Fresh(t)
	id := add(t, q, map[string]any{"a": 1}, queue.AddOptions{Attempts: 3, Telemetry: `{"traceparent":"00-1-2-01"}`})
	j, err := q.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if j.ID != id || j.Name != "test" || string(j.Data) != `{"a":1}` || j.State != queue.StateWaiting || j.MaxAttempts != 3 || j.Priority != 0 ||
		j.Telemetry != `{"traceparent":"00-1-2-01"}` {
		t.Errorf("got %+v", j)
	}
	if age := time.Since(j.Added); age < -time.Second || age > time.Minute {
		t.Errorf("added %v ago", age)
	}
	if _, err := q.Get(t.Context(), "absent"); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("absent job: %v", err)
	}
	counts, err := q.Counts(t.Context())
	if err != nil || counts[queue.StateWaiting] != 1 {
		t.Errorf("counts %v, %v", counts, err)
	}
	if err := q.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func testSameID(t *testing.T, b Backend) {
	q := b.Fresh(t)
	for i := range 3 {
		if id := add(t, q, i, queue.AddOptions{ID: "mine"}); id != "mine" {
			t.Errorf("ID %q", id)
		}
	}
	jobs, err := q.List(t.Context(), queue.StateWaiting, 0, 10)
	if err != nil || len(jobs) != 1 || string(jobs[0].Data) != "0" {
		t.Errorf("got %+v, %v", jobs, err)
	}
}

// order runs all jobs one by one and returns their data in order.
func order(t *testing.T, q queue.Queue, n int) []string {
	t.Helper()
	got := make(chan string, n)
	w := start(t, q, queue.RunOptions{}, func(_ context.Context, task queue.Task) (any, error) {
		got <- string(task.Job().Data)
		return nil, nil
	})
	var all []string
	for range n {
		all = append(all, receive(t, got))
	}
	w.stop()
	return all
}

func testFIFO(t *testing.T, b Backend) {
	q := b.Fresh(t)
	var want []string
	for i := range 20 {
		add(t, q, i, queue.AddOptions{})
		want = append(want, fmt.Sprint(i))
	}
	jobs, err := q.List(t.Context(), queue.StateWaiting, 5, 2)
	if err != nil || len(jobs) != 2 || string(jobs[0].Data) != "5" || string(jobs[1].Data) != "6" {
		t.Errorf("list: %+v, %v", jobs, err)
	}
	if got := order(t, q, 20); !reflect.DeepEqual(got, want) {
		t.Errorf("order %v", got)
	}
}

func testPriorities(t *testing.T, b Backend) {
	q := b.Fresh(t)
	for i, p := range []int{20, 5, 0, 1, 10, 5, 1, 0} {
		add(t, q, i, queue.AddOptions{Priority: p})
	}
	counts, err := q.Counts(t.Context())
	if err != nil || counts[queue.StatePrioritized] != 6 || counts[queue.StateWaiting] != 2 {
		t.Errorf("counts %v, %v", counts, err)
	}
	if got, want := strings.Join(order(t, q, 8), " "), "2 7 3 6 1 5 4 0"; got != want {
		t.Errorf("order %s, want %s", got, want)
	}
}

func testDelay(t *testing.T, b Backend) {
	q := b.Fresh(t)
	got := make(chan time.Time, 1)
	start(t, q, queue.RunOptions{}, func(context.Context, queue.Task) (any, error) {
		got <- time.Now()
		return nil, nil
	})
	begin := time.Now()
	const delay = 400 * time.Millisecond
	id := add(t, q, 1, queue.AddOptions{Delay: delay})
	if j, err := q.Get(t.Context(), id); err != nil || j.State != queue.StateDelayed {
		t.Errorf("%+v, %v", j, err)
	}
	if early := delay - receive(t, got).Sub(begin); early > 2*time.Millisecond {
		t.Errorf("it started %v early", early)
	}
}

func testRetries(t *testing.T, b Backend) {
	for _, backoff := range []queue.Backoff{
		{}, {Type: "fixed", Delay: 20 * time.Millisecond}, {Type: "exponential", Delay: 20 * time.Millisecond, Jitter: 0.5},
	} {
		q := b.Fresh(t)
		var runs atomic.Int32
		w := start(t, q, queue.RunOptions{}, func(_ context.Context, task queue.Task) (any, error) {
			n := int(runs.Add(1))
			if j := task.Job(); j.AttemptsMade != n-1 || j.AttemptsStarted != n || j.MaxAttempts != 3 {
				t.Errorf("run %d: %+v", n, j)
			}
			return nil, fmt.Errorf("fault %d", n)
		})
		id := add(t, q, 1, queue.AddOptions{Attempts: 3, Backoff: backoff})
		j := waitState(t, q, id, queue.StateFailed)
		w.stop()
		if runs.Load() != 3 || j.AttemptsMade != 3 || j.FailedReason != "fault 3" || len(j.Stack) != 3 || !strings.Contains(j.Stack[0], "fault 1") {
			t.Errorf("%+v: %d runs, %+v", backoff, runs.Load(), j)
		}
		if j.Finished.IsZero() || j.Started.IsZero() {
			t.Errorf("times %v %v", j.Started, j.Finished)
		}
	}
}

func testPermanent(t *testing.T, b Backend) {
	q := b.Fresh(t)
	var runs atomic.Int32
	start(t, q, queue.RunOptions{}, func(context.Context, queue.Task) (any, error) {
		runs.Add(1)
		return nil, fmt.Errorf("wrapped: %w", queue.Permanent(errors.New("bad input")))
	})
	id := add(t, q, 1, queue.AddOptions{Attempts: 5})
	if j := waitState(t, q, id, queue.StateFailed); j.FailedReason != "wrapped: bad input" || runs.Load() != 1 {
		t.Errorf("%d runs, %+v", runs.Load(), j)
	}
}

func testRelease(t *testing.T, b Backend) {
	q := b.Fresh(t)
	var mu sync.Mutex
	var got []string
	start(t, q, queue.RunOptions{}, func(_ context.Context, task queue.Task) (any, error) {
		j := task.Job()
		mu.Lock()
		defer mu.Unlock()
		got = append(got, string(j.Data))
		if len(got) < 3 {
			return nil, fmt.Errorf("stop: %w", queue.ErrRelease)
		}
		if j.AttemptsMade != 0 {
			t.Errorf("attempts made %d", j.AttemptsMade)
		}
		return "done", nil
	})
	id := add(t, q, "first", queue.AddOptions{Attempts: 1})
	second := add(t, q, "second", queue.AddOptions{})
	waitState(t, q, id, queue.StateCompleted)
	waitState(t, q, second, queue.StateCompleted)
	mu.Lock()
	defer mu.Unlock()
	if want := []string{`"first"`, `"first"`, `"first"`, `"second"`}; !reflect.DeepEqual(got, want) {
		t.Errorf("order %v: a job given back comes first", got)
	}
}

func testDelayError(t *testing.T, b Backend) {
	q := b.Fresh(t)
	const delay = 300 * time.Millisecond
	var first time.Time
	start(t, q, queue.RunOptions{}, func(_ context.Context, task queue.Task) (any, error) {
		if first.IsZero() {
			first = time.Now()
			return nil, &queue.DelayError{After: delay, Err: errors.New("the disk is full")}
		}
		if early := delay - time.Since(first); early > 2*time.Millisecond {
			t.Errorf("it came %v early", early)
		}
		if j := task.Job(); j.AttemptsMade != 0 {
			t.Errorf("attempts made %d", j.AttemptsMade)
		}
		return nil, nil
	})
	id := add(t, q, 1, queue.AddOptions{})
	waitState(t, q, id, queue.StateCompleted)
}

func testPanic(t *testing.T, b Backend) {
	q := b.Fresh(t)
	start(t, q, queue.RunOptions{}, func(_ context.Context, task queue.Task) (any, error) {
		if string(task.Job().Data) == "1" {
			panic("no good")
		}
		return nil, nil
	})
	id := add(t, q, 1, queue.AddOptions{})
	next := add(t, q, 2, queue.AddOptions{})
	j := waitState(t, q, id, queue.StateFailed)
	if !strings.Contains(j.FailedReason, "no good") || len(j.Stack) != 1 || !strings.Contains(j.Stack[0], "testPanic") {
		t.Errorf("%+v", j)
	}
	waitState(t, q, next, queue.StateCompleted)
}

func testUnencodable(t *testing.T, b Backend) {
	q := b.Fresh(t)
	start(t, q, queue.RunOptions{}, func(context.Context, queue.Task) (any, error) { return math.NaN(), nil })
	id := add(t, q, 1, queue.AddOptions{Attempts: 3})
	if j := waitState(t, q, id, queue.StateFailed); !strings.Contains(j.FailedReason, "JSON") || j.AttemptsMade != 1 {
		t.Errorf("%+v", j)
	}
}

func testProgressAndLog(t *testing.T, b Backend) {
	q := b.Fresh(t)
	start(t, q, queue.RunOptions{Name: "w1"}, func(ctx context.Context, task queue.Task) (any, error) {
		for i := range 3 {
			if err := task.Log(ctx, fmt.Sprintf("line %d", i)); err != nil {
				return nil, err
			}
		}
		if err := task.Verify(ctx); err != nil {
			return nil, err
		}
		return map[string]any{"n": 1}, task.Progress(ctx, map[string]any{"pct": 50})
	})
	id := add(t, q, 1, queue.AddOptions{})
	j := waitState(t, q, id, queue.StateCompleted)
	if string(j.Progress) != `{"pct":50}` || string(j.ReturnValue) != `{"n":1}` || j.Worker != "w1" {
		t.Errorf("%+v", j)
	}
	if lines, err := q.Logs(t.Context(), id); err != nil || strings.Join(lines, "|") != "line 0|line 1|line 2" {
		t.Errorf("%q, %v", lines, err)
	}
}

func testConcurrency(t *testing.T, b Backend) {
	q := b.Fresh(t)
	const n, most = 40, 3
	var now, peak, done atomic.Int32
	var once sync.Once
	full := make(chan struct{}) // as many run as may
	for i := range n {
		add(t, q, i, queue.AddOptions{})
	}
	start(t, q, queue.RunOptions{Concurrency: most}, func(ctx context.Context, _ queue.Task) (any, error) {
		x := now.Add(1)
		defer now.Add(-1)
		for p := peak.Load(); x > p && !peak.CompareAndSwap(p, x); p = peak.Load() {
		}
		if x == most {
			once.Do(func() { close(full) })
		}
		select {
		case <-ctx.Done():
		case <-full:
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond): // the work of the job
		}
		done.Add(1)
		return nil, nil
	})
	eventually(t, "all are done", func() bool { return done.Load() == n })
	if p := peak.Load(); p != most {
		t.Errorf("%d at once, want %d", p, most)
	}
}

func testSeveralWorkers(t *testing.T, b Backend) {
	q := b.Fresh(t)
	const n = 120
	var mu sync.Mutex
	runs := map[string]int{}
	for range 3 {
		start(t, b.Again(t, q), queue.RunOptions{Concurrency: 4}, func(_ context.Context, task queue.Task) (any, error) {
			mu.Lock()
			defer mu.Unlock()
			runs[task.Job().ID]++
			return nil, nil
		})
	}
	for i := range n {
		add(t, q, i, queue.AddOptions{Priority: i % 3})
	}
	eventually(t, "all are completed", func() bool {
		counts, err := q.Counts(t.Context())
		return err == nil && counts[queue.StateCompleted] == n
	})
	mu.Lock()
	defer mu.Unlock()
	for id, times := range runs {
		if times != 1 {
			t.Errorf("job %s ran %d times", id, times)
		}
	}
}

func testData(t *testing.T, b Backend) {
	q := b.Fresh(t)
	big := strings.Repeat("ä€𝄞\"\\\n ", 60_000)
	start(t, q, queue.RunOptions{}, func(_ context.Context, task queue.Task) (any, error) {
		var s string
		if err := json.Unmarshal(task.Job().Data, &s); err != nil || s != big {
			return nil, fmt.Errorf("the data came out differently (%w)", err)
		}
		return s, nil
	})
	id := add(t, q, big, queue.AddOptions{ID: "größe-1"})
	var back string
	j := waitState(t, q, id, queue.StateCompleted)
	if err := json.Unmarshal(j.ReturnValue, &back); err != nil || back != big {
		t.Errorf("the return value came out differently (%v)", err)
	}
}

// A job added to an idle queue starts at once. How soon is for bench/ to say.
func testWakesUp(t *testing.T, b Backend) {
	q := b.Fresh(t)
	got := make(chan string, 1)
	start(t, b.Again(t, q), queue.RunOptions{}, func(_ context.Context, task queue.Task) (any, error) {
		got <- task.Job().ID
		return nil, nil
	})
	for range 5 {
		id := add(t, q, 1, queue.AddOptions{})
		if r := receive(t, got); r != id {
			t.Errorf("job %s started, want %s", r, id)
		}
		waitState(t, q, id, queue.StateCompleted)
	}
}
