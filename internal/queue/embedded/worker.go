package embedded

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"slate360.ai/worker/internal/queue"
)

// runner is one Run.
type runner struct {
	q      *Queue
	o      queue.RunOptions
	h      queue.Handler
	taking context.Context // done when no new job is to be taken
	life   context.Context // done when the last handler has ended

	mu    sync.Mutex
	tasks map[string]*task // by token
	errMu sync.Mutex
}

// Run is of queue.Queue.
func (q *Queue) Run(ctx context.Context, o queue.RunOptions, h queue.Handler) error {
	if err := q.Ping(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	r := &runner{q: q, o: o.WithDefaults(), h: h, taking: ctx, life: life, tasks: map[string]*task{}}
	var background, handlers sync.WaitGroup
	background.Go(r.renewLeases)
	background.Go(r.recoverStalled)
	slots := make(chan struct{}, r.o.Concurrency)
	for {
		select {
		case <-ctx.Done():
		case slots <- struct{}{}:
			if t := r.next(); t != nil {
				handlers.Go(func() {
					defer func() { <-slots }()
					for t := t; t != nil; {
						t = r.process(t)
					}
				})
				continue
			}
			<-slots
		}
		if ctx.Err() != nil {
			break
		}
	}
	handlers.Wait()
	end()
	background.Wait()
	return nil
}

func (r *runner) report(err error) {
	if r.o.Error == nil || err == nil {
		return
	}
	r.errMu.Lock()
	defer r.errMu.Unlock()
	r.o.Error(err)
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// retryPause is the wait after a database that could not be used: its disk is
// full, or another process keeps it locked.
const retryPause = 500 * time.Millisecond

// next waits for a job; nil where none is to be taken any more.
func (r *runner) next() *task {
	for r.taking.Err() == nil {
		signal := r.q.signal()
		var (
			t   *task
			due time.Time
		)
		since, err := r.q.version(r.life)
		ready := false
		if err == nil {
			ready, err = r.q.mayTake(r.life)
		}
		if err == nil && ready {
			err = r.q.tx(r.life, func(tx *sql.Tx) (err error) {
				t, due, err = r.take(r.life, tx)
				if err == nil && t == nil {
					return errNothing // nothing was written, and nobody need wake up
				}
				return err
			})
		} else if err == nil {
			due, err = r.q.nextDue(r.life)
		}
		switch {
		case t != nil && err == nil:
			r.begin(t)
			return t
		case err != nil && !errors.Is(err, errNothing):
			r.report(fmt.Errorf("take a job: %w", err))
			sleep(r.taking, retryPause)
			continue
		}
		if err := r.q.await(r.taking, signal, since, due); err != nil && r.taking.Err() == nil {
			r.report(fmt.Errorf("wait for jobs: %w", err))
			sleep(r.taking, retryPause)
		}
	}
	return nil
}

// errNothing ends a transaction that found no job.
var errNothing = errors.New("there is no job to take")

// mayTake tells, without the write lock, whether there may be a job.
func (q *Queue) mayTake(ctx context.Context) (bool, error) {
	var n int
	err := q.db.QueryRowContext(ctx, `SELECT NOT paused AND (
			EXISTS (SELECT 1 FROM queue_jobs WHERE queue = ?1 AND state = 'waiting')
			OR EXISTS (SELECT 1 FROM queue_jobs WHERE queue = ?1 AND state = 'delayed' AND due <= ?2))
		FROM queue_meta WHERE queue = ?1`, q.name, time.Now().UnixMilli()).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("queue: %w", err)
	}
	return n == 1, nil
}

// nextDue returns when the next delayed job is; zero where there is none.
func (q *Queue) nextDue(ctx context.Context) (time.Time, error) {
	var due sql.NullInt64
	err := q.db.QueryRowContext(ctx, `SELECT MIN(due) FROM queue_jobs WHERE queue = ? AND state = 'delayed'`, q.name).Scan(&due)
	if err != nil {
		return time.Time{}, fmt.Errorf("queue: %w", err)
	}
	if !due.Valid {
		return time.Time{}, nil
	}
	// Not at once: a paused queue has jobs that are due.
	return later(time.UnixMilli(due.Int64), time.Now().Add(scanInterval)), nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// take leases the next job. Where there is none, due is when there may be.
func (r *runner) take(ctx context.Context, tx *sql.Tx) (t *task, due time.Time, err error) {
	q, at := r.q, time.Now()
	ms := at.UnixMilli()
	var (
		paused            bool
		windowEnd, starts int64
	)
	if err := tx.QueryRowContext(ctx, `SELECT paused, limit_until, limit_count FROM queue_meta WHERE queue = ?`, q.name).
		Scan(&paused, &windowEnd, &starts); err != nil || paused {
		return nil, time.Time{}, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE queue_jobs SET state = 'waiting' WHERE queue = ? AND state = 'delayed' AND due <= ?`, q.name, ms); err != nil {
		return nil, due, fmt.Errorf("queue: %w", err)
	}
	if windowEnd <= ms {
		windowEnd, starts = ms+r.o.LimiterDuration.Milliseconds(), 0
	}
	if r.o.LimiterMax > 0 && starts >= int64(r.o.LimiterMax) {
		return nil, time.UnixMilli(windowEnd), nil
	}
	t = &task{r: r, token: newToken(), since: at}
	t.row, err = scan(tx.QueryRowContext(ctx, `UPDATE queue_jobs SET state = 'active', token = ?, lease = ?, worker = ?, taken = ?,
			started = started + 1, canceled = 0
		WHERE seq = (SELECT seq FROM queue_jobs WHERE queue = ? AND state = 'waiting' ORDER BY priority, place LIMIT 1)
		RETURNING `+columns, t.token, ms+r.o.LockDuration.Milliseconds(), r.o.Name, ms, q.name))
	if errors.Is(err, sql.ErrNoRows) {
		due, err := q.nextDueIn(ctx, tx)
		return nil, due, err
	}
	if err != nil {
		return nil, due, fmt.Errorf("queue: %w", err)
	}
	if r.o.LimiterMax > 0 {
		if _, err := tx.ExecContext(ctx, `UPDATE queue_meta SET limit_until = ?, limit_count = ? WHERE queue = ?`, windowEnd, starts+1, q.name); err != nil {
			return nil, due, fmt.Errorf("queue: %w", err)
		}
	}
	return t, due, q.event(ctx, tx, queue.Event{Name: "active", JobID: t.row.ID})
}

func (q *Queue) nextDueIn(ctx context.Context, tx *sql.Tx) (time.Time, error) {
	var due sql.NullInt64
	err := tx.QueryRowContext(ctx, `SELECT MIN(due) FROM queue_jobs WHERE queue = ? AND state = 'delayed'`, q.name).Scan(&due)
	if err != nil || !due.Valid {
		return time.Time{}, err
	}
	return time.UnixMilli(due.Int64), nil
}

func newToken() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return hex.EncodeToString(b[:])
}

func (r *runner) begin(t *task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t.ctx, t.cancel = context.WithCancelCause(r.life)
	r.tasks[t.token] = t
}

// process runs one job and returns the next, taken with the end of the first.
func (r *runner) process(t *task) *task {
	defer func() {
		t.cancel(nil)
		r.mu.Lock()
		delete(r.tasks, t.token)
		r.mu.Unlock()
	}()
	if t.row.dead {
		err := queue.Permanent(errors.New("job stalled more than allowable limit"))
		if r.o.Dead != nil {
			r.o.Dead(t.ctx, t, err)
		}
		return r.finish(t, nil, err)
	}
	value, err := r.call(t)
	return r.finish(t, value, err)
}

// panicError is a panic of a handler.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("the handler panicked: %v", e.value) }

func (r *runner) call(t *task) (value any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{value: p, stack: debug.Stack()}
		}
	}()
	return r.h(t.ctx, t)
}

// renewLeases extends the leases of running jobs until life is done, and ends
// those that are lost or canceled.
func (r *runner) renewLeases() {
	// Cancellation by other processes is seen here.
	interval := min(max(r.o.LockDuration/4, time.Millisecond), time.Second)
	for {
		sleep(r.life, interval)
		if r.life.Err() != nil {
			return
		}
		r.mu.Lock()
		tasks := make([]*task, 0, len(r.tasks))
		for _, t := range r.tasks {
			tasks = append(tasks, t)
		}
		r.mu.Unlock()
		for _, t := range tasks {
			if err := r.renew(t); err != nil && r.life.Err() == nil {
				r.report(fmt.Errorf("renew lease of job %s: %w", t.row.ID, err))
			}
		}
	}
}

// renew reads a job's lease, and extends it where a quarter of it is gone.
func (r *runner) renew(t *task) error {
	var (
		token    string
		lease    int64
		canceled bool
	)
	err := r.q.db.QueryRowContext(r.life, `SELECT token, lease, canceled FROM queue_jobs WHERE queue = ? AND id = ?`, r.q.name, t.row.ID).
		Scan(&token, &lease, &canceled)
	switch {
	case t.finishing.Load():
		return nil
	case errors.Is(err, sql.ErrNoRows) || err == nil && token != t.token:
		t.cancel(queue.ErrLost)
		return nil
	case err != nil:
		return err
	case canceled:
		t.cancel(queue.ErrCanceled)
	}
	if time.Until(time.UnixMilli(lease)) > r.o.LockDuration*3/4 {
		return nil
	}
	if err := t.extend(r.life); err != nil && !errors.Is(err, queue.ErrLost) {
		return err
	}
	return nil
}

// recoverStalled gives jobs whose lease has run out back to the queue.
func (r *runner) recoverStalled() {
	for r.taking.Err() == nil {
		if err := r.q.recover(r.taking, r.o.MaxStalled); err != nil && r.taking.Err() == nil {
			r.report(fmt.Errorf("look for stalled jobs: %w", err))
		}
		sleep(r.taking, r.o.StalledInterval)
	}
}

func (q *Queue) recover(ctx context.Context, most int) error {
	var n int
	now := time.Now().UnixMilli()
	err := q.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM queue_jobs WHERE queue = ? AND state = 'active' AND lease < ?`, q.name, now).Scan(&n)
	if err != nil || n == 0 {
		return err
	}
	return q.tx(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `UPDATE queue_jobs SET state = 'waiting', token = '', stalled = stalled + 1, dead = stalled + 1 > ?,
			place = (SELECT MIN(place) - 1 FROM queue_jobs) WHERE queue = ? AND state = 'active' AND lease < ? RETURNING id`, most, q.name, now)
		if err != nil {
			return err
		}
		defer rows.Close()
		var ids []string
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			ids = append(ids, id)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		for _, id := range ids {
			if err := q.event(ctx, tx, queue.Event{Name: "stalled", JobID: id}); err != nil {
				return err
			}
			if err := q.event(ctx, tx, queue.Event{Name: "waiting", JobID: id}); err != nil {
				return err
			}
		}
		return nil
	})
}

// encodeStack adds an entry to the stack of a job, and keeps the last.
func encodeStack(stack []string, err error) string {
	const kept = 10
	entry := "Error: " + err.Error()
	var panicked *panicError
	if errors.As(err, &panicked) {
		entry += "\n" + string(panicked.stack)
	}
	for e := errors.Unwrap(err); e != nil; e = errors.Unwrap(e) {
		entry += fmt.Sprintf("\n    at %T: %s", e, e)
	}
	stack = append(append([]string{}, stack...), entry)
	data, encodeErr := json.Marshal(stack[max(0, len(stack)-kept):])
	if encodeErr != nil {
		return "[]"
	}
	return string(data)
}
