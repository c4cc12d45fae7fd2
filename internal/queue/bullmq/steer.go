package bullmq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slate360.ai/worker/internal/queue"
)

// SetGlobalConcurrency bounds the jobs that run at once over all workers of the
// queue; 0 takes the bound away.
func (q *Queue) SetGlobalConcurrency(ctx context.Context, n int) error {
	return q.setMeta(ctx, map[string]int{"concurrency": n})
}

// SetGlobalRateLimit bounds the jobs that start in a time over all workers,
// whatever limit those have themselves; 0 takes the bound away.
func (q *Queue) SetGlobalRateLimit(ctx context.Context, limit int, in time.Duration) error {
	ms := int(in.Milliseconds())
	if limit <= 0 {
		ms = 0
	}
	return q.setMeta(ctx, map[string]int{"max": limit, "duration": ms})
}

func (q *Queue) setMeta(ctx context.Context, values map[string]int) error {
	for name, n := range values {
		args := []string{"HSET", q.k.meta, name, itoa(n)}
		if n <= 0 {
			args = []string{"HDEL", q.k.meta, name}
		}
		if _, err := q.conn.Do(ctx, args...); err != nil {
			return fmt.Errorf("set %s of the queue: %w", name, err)
		}
	}
	return nil
}

// Promote lets a delayed job start now.
func (q *Queue) Promote(ctx context.Context, id string) error {
	k := &q.k
	_, err := q.call(ctx, "promote", id,
		[]string{k.delayed, k.wait, k.paused, k.meta, k.prioritized, k.active, k.pc, k.events, k.marker}, k.base, id)
	return err
}

// ChangePriority gives a waiting job another priority.
func (q *Queue) ChangePriority(ctx context.Context, id string, priority int) error {
	if priority < 0 || priority > maximalPriority {
		return fmt.Errorf("the priority of a job is from 0 to %d, got %d", maximalPriority, priority)
	}
	k := &q.k
	_, err := q.call(ctx, "changePriority", id,
		[]string{k.wait, k.paused, k.meta, k.prioritized, k.active, k.pc, k.marker}, itoa(priority), k.base, id, "0")
	return err
}

// ChangeDelay lets a delayed job start after d from now.
func (q *Queue) ChangeDelay(ctx context.Context, id string, d time.Duration) error {
	k := &q.k
	_, err := q.call(ctx, "changeDelay", id, []string{k.delayed, k.meta, k.marker, k.events},
		itoa(d.Milliseconds()), now(), id, k.job(id))
	return err
}

// Drain removes all jobs that wait; delayed ones too where asked.
func (q *Queue) Drain(ctx context.Context, delayed bool) error {
	k := &q.k
	flag := "0"
	if delayed {
		flag = "1"
	}
	_, err := q.eval(ctx, "drain", []string{k.wait, k.paused, k.delayed, k.prioritized, k.repeat}, k.base, flag)
	return err
}

// Clean removes jobs of a state that are older than age, at most limit (0 is all),
// and returns their IDs.
func (q *Queue) Clean(ctx context.Context, s queue.State, age time.Duration, limit int) ([]string, error) {
	set := types(s)[0]
	v, err := q.eval(ctx, "cleanJobsInSet", []string{q.k.base + set, q.k.events, q.k.repeat}, q.k.base,
		itoa(time.Now().Add(-age).UnixMilli()), itoa(limit), set)
	if err != nil {
		return nil, err
	}
	list, _ := v.([]any)
	ids := make([]string, 0, len(list))
	for _, e := range list {
		if id, ok := e.(string); ok {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// Obliterate removes the queue with all that is in it. Jobs that run are an error
// unless force is set.
func (q *Queue) Obliterate(ctx context.Context, force bool) error {
	if err := q.Pause(ctx); err != nil {
		return err
	}
	flag := ""
	if force {
		flag = "force"
	}
	for {
		v, err := q.eval(ctx, "obliterate", []string{q.k.meta, q.k.base}, "1000", flag)
		if err != nil {
			return err
		}
		switch n := integer(v); {
		case n == -2:
			return errors.New("the queue has jobs that run")
		case n < 0:
			return errors.New("the queue is not paused")
		case n == 0:
			return nil
		}
	}
}

// Metrics are counts of ended jobs, a minute each, newest first.
type Metrics struct {
	Count  int64 // of all time
	Minute []int64
}

// Metrics returns those of completed or failed jobs, which workers with
// Options.MetricsPoints keep.
func (q *Queue) Metrics(ctx context.Context, s queue.State) (Metrics, error) {
	key := q.k.base + "metrics:" + string(s)
	v, err := q.eval(ctx, "getMetrics", []string{key, key + ":data"}, "0", "-1")
	if err != nil {
		return Metrics{}, err
	}
	var m Metrics
	parts, _ := v.([]any)
	if len(parts) < 2 {
		return m, nil
	}
	if head, _ := parts[0].([]any); len(head) > 0 {
		m.Count = integer(head[0])
	}
	points, _ := parts[1].([]any)
	for _, p := range points {
		m.Minute = append(m.Minute, integer(p))
	}
	return m, nil
}

// ageBatch bounds how many waiting jobs are looked at.
const ageBatch = 1000

// Age raises jobs with a priority by one step of the product's priorities (20,
// 10, 5, 1) for each time step they have waited, the longest waiting of the
// lowest priority first, and returns how many.
func (q *Queue) Age(ctx context.Context, step time.Duration) (int, error) {
	counts, err := q.Counts(ctx)
	if err != nil || counts[queue.StatePrioritized] == 0 {
		return 0, err
	}
	n := int(min(counts[queue.StatePrioritized], ageBatch))
	jobs, err := q.List(ctx, queue.StatePrioritized, int(counts[queue.StatePrioritized])-n, n)
	if err != nil {
		return 0, err
	}
	raised := 0
	for _, j := range jobs {
		var o struct {
			Priority int `json:"priority"`
		}
		raw, err := q.get(ctx, j.ID)
		if err != nil {
			continue // it is gone
		}
		o.Priority = raw.original()
		want := aged(o.Priority, int(time.Since(j.Added)/step))
		if want >= j.Priority {
			continue
		}
		if err := q.ChangePriority(ctx, j.ID, want); err == nil {
			raised++
		} else if !errors.Is(err, queue.ErrNotFound) {
			return raised, err
		}
	}
	return raised, nil
}

// aged is a priority after steps of waiting; 1 is the highest.
func aged(priority, steps int) int {
	for ; steps > 0 && priority > 1; steps-- {
		switch {
		case priority > 10:
			priority = max(priority/2, 10)
		case priority > 5:
			priority = 5
		default:
			priority = 1
		}
	}
	return priority
}
