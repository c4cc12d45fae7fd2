package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"slate360.ai/worker/internal/queue"
)

// scanInterval is how often it is asked whether another process wrote: a read of
// one page.
const scanInterval = 100 * time.Millisecond

// await waits until something was written after since, by this process or
// another, until due, or until ctx is done. signal and since are of a time before
// the caller looked: what was written after that wakes it.
func (q *Queue) await(ctx context.Context, signal <-chan struct{}, since int64, due time.Time) error {
	var late <-chan time.Time
	if !due.IsZero() {
		t := time.NewTimer(max(time.Until(due), 0))
		defer t.Stop()
		late = t.C
	}
	tick := time.NewTicker(scanInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-signal:
			return nil
		case <-late:
			return nil
		case <-tick.C:
			now, err := q.version(ctx)
			if err != nil || now != since {
				return err
			}
		}
	}
}

// version changes with each event; every write of a queue has one, but for
// leases.
func (q *Queue) version(ctx context.Context) (v int64, err error) {
	err = q.db.QueryRowContext(ctx, `SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'queue_events'), 0)`).Scan(&v)
	if err != nil {
		return 0, fmt.Errorf("queue: %w", err)
	}
	return v, nil
}

// Watch is of queue.Queue.
func (q *Queue) Watch(ctx context.Context, ready func(), f func(queue.Event)) error {
	last, err := q.version(ctx)
	if err != nil {
		return err
	}
	if ready != nil {
		ready()
	}
	for ctx.Err() == nil {
		signal := q.signal()
		var since int64
		if since, err = q.version(ctx); err != nil {
			break
		}
		var events []queue.Event
		if events, err = q.eventsAfter(ctx, &last); err != nil {
			break
		}
		for _, e := range events {
			f(e)
		}
		if len(events) > 0 {
			continue
		}
		if err = q.await(ctx, signal, since, time.Time{}); err != nil {
			break
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (q *Queue) eventsAfter(ctx context.Context, last *int64) ([]queue.Event, error) {
	rows, err := q.db.QueryContext(ctx, `SELECT seq, name, id, progress, result, reason FROM queue_events
		WHERE seq > ? AND queue = ? ORDER BY seq LIMIT 500`, *last, q.name)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	defer rows.Close()
	var events []queue.Event
	for rows.Next() {
		var (
			e                queue.Event
			progress, result string
		)
		if err := rows.Scan(last, &e.Name, &e.JobID, &progress, &result, &e.Reason); err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		if progress != "" {
			e.Progress = json.RawMessage(progress)
		}
		if result != "" {
			e.Result = json.RawMessage(result)
		}
		events = append(events, e)
	}
	return events, rows.Err()
}
