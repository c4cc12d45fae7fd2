package embedded

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/sqlite"
)

// Options of a Queue.
type Options struct {
	// Name of the queue; default "model-processing".
	Name string
}

// Queue is a queue in a database file.
type Queue struct {
	db   *sql.DB
	name string
	// write lets one goroutine of the process write at a time: those of other
	// processes wait in SQLite, by trying again and again.
	write sync.Mutex

	mu      sync.Mutex
	changed chan struct{} // closed when anything was written
}

var _ queue.Queue = (*Queue)(nil)

// Open opens or makes the queue in the database file at path.
func Open(ctx context.Context, path string, o Options) (*Queue, error) {
	if o.Name == "" {
		o.Name = "model-processing"
	}
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	q := &Queue{db: db, name: o.Name, changed: make(chan struct{})}
	if err := sqlite.Migrate(ctx, db, "queue", migrations()); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if _, err := db.ExecContext(ctx, `INSERT INTO queue_meta (queue) VALUES (?) ON CONFLICT DO NOTHING`, q.name); err != nil {
		return nil, errors.Join(fmt.Errorf("open queue: %w", err), db.Close())
	}
	return q, nil
}

// Close is of queue.Queue.
func (q *Queue) Close() error { return q.db.Close() }

// Ping is of queue.Queue.
func (q *Queue) Ping(ctx context.Context) error {
	var n int
	return q.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM queue_meta WHERE queue = ?`, q.name).Scan(&n)
}

// signal returns a channel that is closed at the next write of this process.
func (q *Queue) signal() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.changed
}

func (q *Queue) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	close(q.changed)
	q.changed = make(chan struct{})
}

// tx runs f in a transaction that has the write lock from its beginning.
func (q *Queue) tx(ctx context.Context, f func(tx *sql.Tx) error) error {
	q.write.Lock()
	defer q.write.Unlock()
	tx, err := q.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	if err := f(tx); err != nil {
		return errors.Join(err, rollback(tx))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	q.wake()
	return nil
}

func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}

// eventsKept bounds the events that watchers can be behind.
const eventsKept = 10_000

func (q *Queue) event(ctx context.Context, tx *sql.Tx, e queue.Event) error {
	r, err := tx.ExecContext(ctx, `INSERT INTO queue_events (queue, name, id, progress, result, reason) VALUES (?, ?, ?, ?, ?, ?)`,
		q.name, e.Name, e.JobID, string(e.Progress), string(e.Result), e.Reason)
	if err != nil {
		return fmt.Errorf("queue: write event: %w", err)
	}
	seq, err := r.LastInsertId()
	if err != nil || seq%256 != 0 {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM queue_events WHERE seq <= ?`, seq-eventsKept)
	return err
}

// keep says which ended jobs stay: all, none, or within bounds.
type keep struct {
	None  bool  `json:"none,omitempty"`
	Count int   `json:"count,omitempty"`
	AgeMS int64 `json:"ageMs,omitempty"`
}

// encodeKeep is empty where the worker's bounds hold.
func encodeKeep(none bool, k queue.Keep) string {
	v := keep{None: none, Count: k.Count, AgeMS: k.Age.Milliseconds()}
	if v == (keep{}) {
		return ""
	}
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(data)
}

// Add is of queue.Queue.
func (q *Queue) Add(ctx context.Context, name string, data any, o queue.AddOptions) (string, error) {
	text, err := json.Marshal(data)
	if err != nil {
		return "", fmt.Errorf("encode the data of the job: %w", err)
	}
	if o.Priority < 0 || o.Delay < 0 || o.Attempts < 0 {
		return "", fmt.Errorf("priority, delay and attempts of a job are not negative, got %d, %v, %d", o.Priority, o.Delay, o.Attempts)
	}
	id := o.ID
	err = q.tx(ctx, func(tx *sql.Tx) error {
		if id == "" {
			if err := tx.QueryRowContext(ctx, `UPDATE queue_meta SET next_id = next_id + 1 WHERE queue = ? RETURNING CAST(next_id AS TEXT)`,
				q.name).Scan(&id); err != nil {
				return fmt.Errorf("queue: %w", err)
			}
		}
		at := time.Now().UnixMilli()
		state, due := "waiting", int64(0)
		if o.Delay > 0 {
			state, due = "delayed", at+o.Delay.Milliseconds()
		}
		r, err := tx.ExecContext(ctx, `INSERT INTO queue_jobs
			(queue, id, name, data, state, priority, asked, place, due, attempts, backoff, backoff_ms, jitter, keep_done, keep_failed, added, telemetry)
			VALUES (?, ?, ?, ?, ?, ?, ?, COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'queue_jobs'), 0) + 1, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (queue, id) DO NOTHING`,
			q.name, id, name, string(text), state, o.Priority, o.Priority, due, max(o.Attempts, 1), o.Backoff.Type,
			o.Backoff.Delay.Milliseconds(), o.Backoff.Jitter, encodeKeep(o.RemoveOnComplete, o.KeepCompleted),
			encodeKeep(o.RemoveOnFail, o.KeepFailed), at, o.Telemetry)
		if err != nil {
			return fmt.Errorf("add job: %w", err)
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return err
		}
		if err := q.event(ctx, tx, queue.Event{Name: "added", JobID: id}); err != nil {
			return err
		}
		return q.event(ctx, tx, queue.Event{Name: state, JobID: id})
	})
	return id, err
}

// columns are what scan reads.
const columns = `id, name, data, state, priority, due, attempts, made, started, stalled, worker, progress, result, reason, stack,
	added, taken, finished, backoff, backoff_ms, jitter, keep_done, keep_failed, dead, place, telemetry`

// row is a job as its row holds it.
type row struct {
	queue.Job
	backoff             queue.Backoff
	keepDone, keepFails string
	dead                bool
	due, place          int64
}

func scan(s interface{ Scan(...any) error }) (row, error) {
	var (
		r                               row
		data, state, progress           string
		result, stack                   string
		added, taken, finished, backoff int64
	)
	err := s.Scan(&r.ID, &r.Name, &data, &state, &r.Priority, &r.due, &r.MaxAttempts, &r.AttemptsMade, &r.AttemptsStarted, &r.Stalled,
		&r.Worker, &progress, &result, &r.FailedReason, &stack, &added, &taken, &finished, &r.backoff.Type, &backoff, &r.backoff.Jitter,
		&r.keepDone, &r.keepFails, &r.dead, &r.place, &r.Telemetry)
	if err != nil {
		return r, err
	}
	r.Data, r.backoff.Delay = json.RawMessage(data), time.Duration(backoff)*time.Millisecond
	if progress != "" {
		r.Progress = json.RawMessage(progress)
	}
	if result != "" {
		r.ReturnValue = json.RawMessage(result)
	}
	if err := json.Unmarshal([]byte(stack), &r.Stack); err != nil {
		return r, fmt.Errorf("stack of job %s: %w", r.ID, err)
	}
	r.State = queue.State(state)
	if r.State == queue.StateWaiting && r.Priority > 0 {
		r.State = queue.StatePrioritized
	}
	r.Added, r.Started, r.Finished = instant(added), instant(taken), instant(finished)
	if r.due > 0 && r.State == queue.StateDelayed {
		r.Delay = time.Duration(r.due-added) * time.Millisecond
	}
	return r, nil
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// Get is of queue.Queue.
func (q *Queue) Get(ctx context.Context, id string) (queue.Job, error) {
	r, err := scan(q.db.QueryRowContext(ctx, `SELECT `+columns+` FROM queue_jobs WHERE queue = ? AND id = ?`, q.name, id))
	if errors.Is(err, sql.ErrNoRows) {
		return queue.Job{}, queue.ErrNotFound
	}
	if err != nil {
		return queue.Job{}, fmt.Errorf("read job %s: %w", id, err)
	}
	return r.Job, nil
}

// List is of queue.Queue.
func (q *Queue) List(ctx context.Context, s queue.State, offset, limit int) ([]queue.Job, error) {
	state, more, order := string(s), "", "priority, place"
	switch s {
	case queue.StateWaiting:
		more = " AND priority = 0"
	case queue.StatePrioritized:
		state, more = "waiting", " AND priority > 0"
	case queue.StateDelayed:
		order = "due, place"
	case queue.StateActive:
		order = "taken, place"
	case queue.StateCompleted, queue.StateFailed:
		order = "finished DESC, seq DESC"
	}
	rows, err := q.db.QueryContext(ctx, `SELECT `+columns+` FROM queue_jobs WHERE queue = ? AND state = ?`+more+
		` ORDER BY `+order+` LIMIT ? OFFSET ?`, q.name, state, max(limit, 0), max(offset, 0))
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	defer rows.Close()
	var jobs []queue.Job
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("list jobs: %w", err)
		}
		jobs = append(jobs, r.Job)
	}
	return jobs, rows.Err()
}

// Counts is of queue.Queue.
func (q *Queue) Counts(ctx context.Context) (map[queue.State]int64, error) {
	counts := map[queue.State]int64{}
	for _, s := range queue.States() {
		counts[s] = 0
	}
	rows, err := q.db.QueryContext(ctx, `SELECT state, priority > 0, COUNT(*) FROM queue_jobs WHERE queue = ? GROUP BY 1, 2`, q.name)
	if err != nil {
		return nil, fmt.Errorf("count jobs: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var (
			state       string
			prioritized bool
			n           int64
		)
		if err := rows.Scan(&state, &prioritized, &n); err != nil {
			return nil, fmt.Errorf("count jobs: %w", err)
		}
		s := queue.State(state)
		if s == queue.StateWaiting && prioritized {
			s = queue.StatePrioritized
		}
		counts[s] += n
	}
	return counts, rows.Err()
}

// Logs is of queue.Queue.
func (q *Queue) Logs(ctx context.Context, id string) ([]string, error) {
	rows, err := q.db.QueryContext(ctx, `SELECT line FROM queue_logs WHERE queue = ? AND id = ? ORDER BY rowid`, q.name, id)
	if err != nil {
		return nil, fmt.Errorf("read log of job %s: %w", id, err)
	}
	defer rows.Close()
	lines := []string{}
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, fmt.Errorf("read log of job %s: %w", id, err)
		}
		lines = append(lines, line)
	}
	return lines, rows.Err()
}

// stateOf reads the state of a job in a transaction.
func (q *Queue) stateOf(ctx context.Context, tx *sql.Tx, id string) (queue.State, error) {
	var s string
	err := tx.QueryRowContext(ctx, `SELECT state FROM queue_jobs WHERE queue = ? AND id = ?`, q.name, id).Scan(&s)
	if errors.Is(err, sql.ErrNoRows) {
		return "", queue.ErrNotFound
	}
	return queue.State(s), err
}

// Cancel is of queue.Queue.
func (q *Queue) Cancel(ctx context.Context, id string) error {
	return q.tx(ctx, func(tx *sql.Tx) error {
		s, err := q.stateOf(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case s == queue.StateCompleted || s == queue.StateFailed:
			return fmt.Errorf("%w: it is %s", queue.ErrState, s)
		case s == queue.StateActive:
			_, err := tx.ExecContext(ctx, `UPDATE queue_jobs SET canceled = 1 WHERE queue = ? AND id = ?`, q.name, id)
			return err
		}
		return q.delete(ctx, tx, id)
	})
}

func (q *Queue) delete(ctx context.Context, tx *sql.Tx, id string) error {
	for _, statement := range []string{`DELETE FROM queue_jobs WHERE queue = ? AND id = ?`, `DELETE FROM queue_logs WHERE queue = ? AND id = ?`} {
		if _, err := tx.ExecContext(ctx, statement, q.name, id); err != nil {
			return fmt.Errorf("remove job %s: %w", id, err)
		}
	}
	return q.event(ctx, tx, queue.Event{Name: "removed", JobID: id})
}

// Retry is of queue.Queue.
func (q *Queue) Retry(ctx context.Context, id string) error {
	return q.tx(ctx, func(tx *sql.Tx) error {
		s, err := q.stateOf(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case s != queue.StateFailed:
			return fmt.Errorf("%w: it is %s", queue.ErrState, s)
		}
		_, err = tx.ExecContext(ctx, `UPDATE queue_jobs SET state = 'waiting', made = 0, started = 0, stalled = 0, dead = 0, canceled = 0,
			reason = '', finished = 0, taken = 0, place = (SELECT seq + 1 FROM sqlite_sequence WHERE name = 'queue_jobs') WHERE queue = ? AND id = ?`, q.name, id)
		if err != nil {
			return fmt.Errorf("retry job %s: %w", id, err)
		}
		return q.event(ctx, tx, queue.Event{Name: "waiting", JobID: id})
	})
}

// Remove is of queue.Queue.
func (q *Queue) Remove(ctx context.Context, id string) error {
	return q.tx(ctx, func(tx *sql.Tx) error {
		s, err := q.stateOf(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case s == queue.StateActive:
			return fmt.Errorf("%w: it is active", queue.ErrState)
		}
		return q.delete(ctx, tx, id)
	})
}

// Pause is of queue.Queue.
func (q *Queue) Pause(ctx context.Context) error { return q.setPaused(ctx, 1) }

// Resume is of queue.Queue.
func (q *Queue) Resume(ctx context.Context) error { return q.setPaused(ctx, 0) }

func (q *Queue) setPaused(ctx context.Context, paused int) error {
	return q.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE queue_meta SET paused = ? WHERE queue = ?`, paused, q.name); err != nil {
			return fmt.Errorf("pause queue: %w", err)
		}
		return q.event(ctx, tx, queue.Event{Name: map[int]string{0: "resumed", 1: "paused"}[paused]})
	})
}

// Paused is of queue.Queue.
func (q *Queue) Paused(ctx context.Context) (paused bool, err error) {
	err = q.db.QueryRowContext(ctx, `SELECT paused FROM queue_meta WHERE queue = ?`, q.name).Scan(&paused)
	if err != nil {
		return false, fmt.Errorf("queue: %w", err)
	}
	return paused, nil
}

// Workers is of queue.Queue: those that have jobs now. Nothing says which others
// there are.
func (q *Queue) Workers(ctx context.Context) ([]queue.Worker, error) {
	rows, err := q.db.QueryContext(ctx, `SELECT worker, COUNT(*), MIN(taken) FROM queue_jobs
		WHERE queue = ? AND state = 'active' GROUP BY worker ORDER BY worker`, q.name)
	if err != nil {
		return nil, fmt.Errorf("list workers: %w", err)
	}
	defer rows.Close()
	workers := []queue.Worker{}
	for rows.Next() {
		var (
			w     queue.Worker
			since int64
		)
		if err := rows.Scan(&w.Name, &w.Active, &since); err != nil {
			return nil, fmt.Errorf("list workers: %w", err)
		}
		w.Since = instant(since)
		workers = append(workers, w)
	}
	return workers, rows.Err()
}

// Age raises waiting jobs by one step of the product's priorities (20, 10, 5, 1)
// for each time step they have waited, and returns how many.
func (q *Queue) Age(ctx context.Context, step time.Duration) (int, error) {
	raised := 0
	err := q.tx(ctx, func(tx *sql.Tx) error {
		at := time.Now().UnixMilli()
		// The steps are those of package bullmq: halves down to 10, then 5, then 1.
		r, err := tx.ExecContext(ctx, `WITH RECURSIVE
			old AS (SELECT seq, asked AS p, (? - added) / ? AS n FROM queue_jobs
				WHERE queue = ? AND state = 'waiting' AND priority > 1 AND added < ?),
			steps (seq, p, n) AS (SELECT seq, p, n FROM old UNION ALL
				SELECT seq, CASE WHEN p > 10 THEN MAX(p / 2, 10) WHEN p > 5 THEN 5 ELSE 1 END, n - 1 FROM steps WHERE n > 0 AND p > 1),
			last AS (SELECT seq, MIN(p) AS p FROM steps GROUP BY seq)
			UPDATE queue_jobs SET priority = last.p FROM last WHERE queue_jobs.seq = last.seq AND queue_jobs.priority > last.p`,
			at, max(step.Milliseconds(), 1), q.name, at-step.Milliseconds())
		if err != nil {
			return fmt.Errorf("raise waiting jobs: %w", err)
		}
		n, err := r.RowsAffected()
		raised = int(n)
		return err
	})
	return raised, err
}
