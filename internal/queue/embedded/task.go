package embedded

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"slate360.ai/worker/internal/queue"
)

// task is a job in the hands of a handler.
type task struct {
	r      *runner
	row    row
	token  string
	since  time.Time
	ctx    context.Context
	cancel context.CancelCauseFunc
	// finishing says that the handler has ended.
	finishing atomic.Bool
}

// Job is of queue.Task.
func (t *task) Job() queue.Job {
	j := t.row.Job
	j.State = ""
	return j
}

// owned runs an update of the job that ends with the condition of the lease.
func (t *task) owned(ctx context.Context, tx *sql.Tx, set string, args ...any) error {
	r, err := tx.ExecContext(ctx, `UPDATE queue_jobs SET `+set+` WHERE queue = ? AND id = ? AND token = ? AND state = 'active'`,
		append(args, t.r.q.name, t.row.ID, t.token)...)
	if err != nil {
		return fmt.Errorf("write job %s: %w", t.row.ID, err)
	}
	n, err := r.RowsAffected()
	if err == nil && n == 0 {
		return queue.ErrLost
	}
	return err
}

func (t *task) extend(ctx context.Context) error {
	err := t.r.q.tx(ctx, func(tx *sql.Tx) error {
		return t.owned(ctx, tx, `lease = ?`, time.Now().Add(t.r.o.LockDuration).UnixMilli())
	})
	if errors.Is(err, queue.ErrLost) && !t.finishing.Load() {
		t.cancel(queue.ErrLost)
	}
	return err
}

// Verify is of queue.Task.
func (t *task) Verify(ctx context.Context) error { return t.extend(ctx) }

// Progress is of queue.Task.
func (t *task) Progress(ctx context.Context, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode progress: %w", err)
	}
	return t.r.q.tx(ctx, func(tx *sql.Tx) error {
		if err := t.owned(ctx, tx, `progress = ?`, string(data)); err != nil {
			return err
		}
		return t.r.q.event(ctx, tx, queue.Event{Name: "progress", JobID: t.row.ID, Progress: data})
	})
}

// Log is of queue.Task.
func (t *task) Log(ctx context.Context, line string) error {
	return t.r.q.tx(ctx, func(tx *sql.Tx) error {
		if err := t.owned(ctx, tx, `token = token`); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO queue_logs (queue, id, line) VALUES (?, ?, ?)`, t.r.q.name, t.row.ID, line)
		return err
	})
}

// finish writes how a job ended, and takes the next in the same transaction.
func (r *runner) finish(t *task, value any, err error) *task {
	if errors.Is(context.Cause(t.ctx), queue.ErrLost) || errors.Is(err, queue.ErrLost) {
		r.report(fmt.Errorf("job %s: what its handler returned is dropped: %w", t.row.ID, queue.ErrLost))
		return nil
	}
	t.finishing.Store(true)
	end := t.ending(value, err)
	deadline := time.Now().Add(max(4*r.o.LockDuration, 2*time.Minute))
	for {
		// Who is to stop waits for no longer than the job would be its own.
		if last := time.Now().Add(r.o.LockDuration); r.taking.Err() != nil && last.Before(deadline) {
			deadline = last
		}
		var next *task
		err := r.q.tx(r.life, func(tx *sql.Tx) (err error) {
			if err := end(r.life, tx); err != nil {
				return err
			}
			if r.taking.Err() == nil {
				next, _, err = r.take(r.life, tx)
			}
			return err
		})
		switch {
		case err == nil:
			if next != nil {
				r.begin(next)
			}
			return next
		case errors.Is(err, queue.ErrLost), time.Now().After(deadline):
			r.report(fmt.Errorf("job %s: its end was not written: %w", t.row.ID, err))
			return nil
		}
		r.report(fmt.Errorf("job %s: write its end: %w", t.row.ID, err))
		sleep(r.life, retryPause)
	}
}

// ending returns what writes the end of a run.
func (t *task) ending(value any, err error) func(ctx context.Context, tx *sql.Tx) error {
	var (
		delay     *queue.DelayError
		permanent *queue.PermanentError
	)
	if err == nil {
		data, encodeErr := json.Marshal(value)
		if encodeErr == nil {
			return func(ctx context.Context, tx *sql.Tx) error { return t.completed(ctx, tx, data) }
		}
		err = queue.Permanent(fmt.Errorf("the return value of the job cannot be encoded as JSON: %w", encodeErr))
	}
	switch {
	case errors.Is(err, queue.ErrRelease):
		return t.released
	case errors.As(err, &delay):
		return func(ctx context.Context, tx *sql.Tx) error { return t.delayed(ctx, tx, delay.After) }
	case errors.As(err, &permanent), t.row.AttemptsMade+1 >= t.row.MaxAttempts:
		return func(ctx context.Context, tx *sql.Tx) error { return t.failed(ctx, tx, err) }
	}
	return func(ctx context.Context, tx *sql.Tx) error { return t.retried(ctx, tx, err) }
}

func (t *task) completed(ctx context.Context, tx *sql.Tx, data []byte) error {
	err := t.owned(ctx, tx, `state = 'completed', token = '', result = ?, made = made + 1, finished = ?`, string(data), time.Now().UnixMilli())
	if err != nil {
		return err
	}
	if err := t.r.q.event(ctx, tx, queue.Event{Name: "completed", JobID: t.row.ID, Result: data}); err != nil {
		return err
	}
	return t.r.q.trim(ctx, tx, t.row.ID, "completed", t.row.keepDone, t.r.o.KeepCompleted)
}

func (t *task) failed(ctx context.Context, tx *sql.Tx, cause error) error {
	err := t.owned(ctx, tx, `state = 'failed', token = '', reason = ?, stack = ?, made = made + 1, finished = ?`,
		cause.Error(), encodeStack(t.row.Stack, cause), time.Now().UnixMilli())
	if err != nil {
		return err
	}
	if err := t.r.q.event(ctx, tx, queue.Event{Name: "failed", JobID: t.row.ID, Reason: cause.Error()}); err != nil {
		return err
	}
	return t.r.q.trim(ctx, tx, t.row.ID, "failed", t.row.keepFails, t.r.o.KeepFailed)
}

func (t *task) retried(ctx context.Context, tx *sql.Tx, cause error) error {
	wait := backoff(t.row.backoff, t.row.AttemptsMade+1)
	state := "waiting"
	if wait > 0 {
		state = "delayed"
	}
	err := t.owned(ctx, tx, `state = ?, token = '', reason = ?, stack = ?, made = made + 1, due = ?,
		place = (SELECT seq + 1 FROM sqlite_sequence WHERE name = 'queue_jobs')`, state, cause.Error(), encodeStack(t.row.Stack, cause), time.Now().Add(wait).UnixMilli())
	if err != nil {
		return err
	}
	return t.r.q.event(ctx, tx, queue.Event{Name: state, JobID: t.row.ID})
}

// released gives the job back to the front of its priority.
func (t *task) released(ctx context.Context, tx *sql.Tx) error {
	err := t.owned(ctx, tx, `state = 'waiting', token = '', place = (SELECT MIN(place) - 1 FROM queue_jobs)`)
	if err != nil {
		return err
	}
	return t.r.q.event(ctx, tx, queue.Event{Name: "waiting", JobID: t.row.ID})
}

func (t *task) delayed(ctx context.Context, tx *sql.Tx, wait time.Duration) error {
	if err := t.owned(ctx, tx, `state = 'delayed', token = '', due = ?`, time.Now().Add(wait).UnixMilli()); err != nil {
		return err
	}
	return t.r.q.event(ctx, tx, queue.Event{Name: "delayed", JobID: t.row.ID})
}

// maximalBackoff keeps 2^attempts finite.
const maximalBackoff = 30 * 24 * time.Hour

// backoff is the wait after the attempt of that number, from 1.
func backoff(b queue.Backoff, attempt int) time.Duration {
	wait := float64(b.Delay)
	if b.Type == "exponential" {
		wait *= math.Pow(2, float64(attempt-1))
	}
	if b.Jitter > 0 {
		j := math.Min(b.Jitter, 1)
		wait = wait*(1-j) + rand.Float64()*wait*j
	}
	return time.Duration(math.Min(wait, float64(maximalBackoff)))
}

// trim removes ended jobs beyond the bounds of the one that ended just now.
func (q *Queue) trim(ctx context.Context, tx *sql.Tx, id, state, own string, or queue.Keep) error {
	k := keep{Count: or.Count, AgeMS: or.Age.Milliseconds()}
	if own != "" {
		k = keep{}
		if err := json.Unmarshal([]byte(own), &k); err != nil {
			return fmt.Errorf("bounds of job %s: %w", id, err)
		}
	}
	if k == (keep{}) {
		return nil
	}
	which, args := `id = ?`, []any{id}
	if !k.None {
		which, args = `0`, nil
		if k.Count > 0 {
			which += ` OR seq IN (SELECT seq FROM queue_jobs WHERE queue = ? AND state = ? ORDER BY finished DESC, seq DESC LIMIT 100 OFFSET ?)`
			args = append(args, q.name, state, k.Count)
		}
		if k.AgeMS > 0 {
			which += ` OR finished < ?`
			args = append(args, time.Now().UnixMilli()-k.AgeMS)
		}
	}
	rows, err := tx.QueryContext(ctx, `DELETE FROM queue_jobs WHERE queue = ? AND state = ? AND (`+which+`) RETURNING id`,
		append([]any{q.name, state}, args...)...)
	if err != nil {
		return fmt.Errorf("remove old jobs: %w", err)
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var gone string
		if err := rows.Scan(&gone); err != nil {
			return err
		}
		ids = append(ids, gone)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, gone := range ids {
		if _, err := tx.ExecContext(ctx, `DELETE FROM queue_logs WHERE queue = ? AND id = ?`, q.name, gone); err != nil {
			return err
		}
	}
	return nil
}
