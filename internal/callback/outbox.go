package callback

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"slate360.ai/worker/internal/sqlite"
)

func migrate(ctx context.Context, db *sql.DB) error {
	return sqlite.Migrate(ctx, db, "callback", []string{`
		CREATE TABLE callback_outbox (
			event_id TEXT PRIMARY KEY,
			url      TEXT NOT NULL,
			event    TEXT NOT NULL, -- JSON of Event
			created  INTEGER NOT NULL, -- ms
			due      INTEGER NOT NULL, -- ms of the next try
			tries    INTEGER NOT NULL DEFAULT 0,
			error    TEXT NOT NULL DEFAULT ''
		);
		CREATE INDEX callback_outbox_due ON callback_outbox (due)`})
}

// Finish puts an event into the outbox: from then on it is not lost. An event of
// the same EventID that is there already stays. Run sends it.
func (s *Sender) Finish(ctx context.Context, e Event) error {
	if e.OccurredAt.IsZero() {
		e.OccurredAt = time.Now().UTC()
	}
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode callback: %w", err)
	}
	now := time.Now().UnixMilli()
	_, err = s.db.ExecContext(ctx, `INSERT INTO callback_outbox (event_id, url, event, created, due)
		VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, e.EventID, s.o.URL, data, now, now)
	if err != nil {
		return fmt.Errorf("put callback into the outbox: %w", err)
	}
	select {
	case s.wake <- struct{}{}:
	default: // it is awake
	}
	return nil
}

// Pending returns how many events wait in the outbox.
func (s *Sender) Pending(ctx context.Context) (n int64, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM callback_outbox`).Scan(&n)
	return n, err
}

// outboxScan is how often the outbox is looked at for what other processes that
// share it left; outboxBatch how many events are sent side by side.
const (
	outboxScan  = 10 * time.Second
	outboxBatch = 8
)

// claim is how long an event is ours while we send it: longer than a request takes.
const claim = time.Minute

// Run sends what is in the outbox until ctx is done.
func (s *Sender) Run(ctx context.Context) {
	for ctx.Err() == nil {
		wait, err := s.round(ctx)
		if err != nil && ctx.Err() == nil {
			s.o.Logger.Error("outbox of callbacks", "error", err)
			wait = outboxScan
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-t.C:
		}
		t.Stop()
	}
}

// Flush sends what is due until nothing is, or ctx is done: for the end of a process.
func (s *Sender) Flush(ctx context.Context) error {
	for ctx.Err() == nil {
		wait, err := s.round(ctx)
		if err != nil || wait > 0 {
			return err
		}
	}
	return ctx.Err()
}

// round sends the events that are due and returns how long nothing will be; 0
// where there may be more.
func (s *Sender) round(ctx context.Context) (time.Duration, error) {
	due, err := s.claimDue(ctx)
	if err != nil {
		return 0, err
	}
	var wg sync.WaitGroup
	for _, e := range due {
		wg.Go(func() { s.deliver(ctx, e) })
	}
	wg.Wait()
	if len(due) > 0 {
		return 0, ctx.Err()
	}
	var next sql.NullInt64
	if err := s.db.QueryRowContext(ctx, `SELECT MIN(due) FROM callback_outbox`).Scan(&next); err != nil {
		return 0, err
	}
	if !next.Valid {
		return outboxScan, nil
	}
	return min(max(time.Until(time.UnixMilli(next.Int64)), time.Millisecond), outboxScan), nil
}

type outboxEntry struct {
	event   Event
	created time.Time
	tries   int
}

// claimDue takes events that are due out of the reach of other processes for a while.
func (s *Sender) claimDue(ctx context.Context) ([]outboxEntry, error) {
	now := time.Now()
	rows, err := s.db.QueryContext(ctx, `UPDATE callback_outbox SET due = ?, tries = tries + 1
		WHERE event_id IN (SELECT event_id FROM callback_outbox WHERE due <= ? AND url = ? ORDER BY due LIMIT ?)
		RETURNING event, created, tries`, now.Add(claim).UnixMilli(), now.UnixMilli(), s.o.URL, outboxBatch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var due []outboxEntry
	for rows.Next() {
		var (
			data    []byte
			created int64
			e       outboxEntry
		)
		if err := rows.Scan(&data, &created, &e.tries); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &e.event); err != nil {
			return nil, fmt.Errorf("event in the outbox: %w", err)
		}
		e.created = time.UnixMilli(created)
		due = append(due, e)
	}
	return due, rows.Err()
}

// deliver tries an event once and notes how it went, even where ctx is done by then.
func (s *Sender) deliver(ctx context.Context, e outboxEntry) {
	log := s.o.Logger.With("jobId", e.event.JobID, "event", e.event.EventID)
	sending, end := lingering(ctx)
	err := s.post(sending, e.event)
	end()
	ctx = context.WithoutCancel(ctx)
	var status *statusError
	gone := errors.As(err, &status) && status.code == http.StatusGone
	old := time.Since(e.created) > s.o.GiveUp
	if err == nil || gone || old {
		if err != nil {
			log.Error("callback dropped", "error", err, "tries", e.tries)
		}
		if _, err := s.db.ExecContext(ctx, `DELETE FROM callback_outbox WHERE event_id = ?`, e.event.EventID); err != nil {
			log.Error("callback was sent but stays in the outbox", "error", err)
		}
		return
	}
	wait := s.backoff(e.tries)
	if status != nil {
		wait = max(wait, min(status.wait, s.o.RetryMax))
	}
	log.Warn("callback failed", "error", err, "tries", e.tries, "next", wait)
	_, err = s.db.ExecContext(ctx, `UPDATE callback_outbox SET due = ?, error = ? WHERE event_id = ?`,
		time.Now().Add(wait).UnixMilli(), err.Error(), e.event.EventID)
	if err != nil {
		log.Error("outbox of callbacks", "error", err)
	}
}

// linger is what a request under way gets to end when the process does: one that
// was cut off has mostly arrived, and would be sent again.
const linger = 3 * time.Second

// lingering returns a context that is done linger after ctx.
func lingering(ctx context.Context) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var mu sync.Mutex
	var timer *time.Timer
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		timer = time.AfterFunc(linger, cancel)
	})
	return late, func() {
		stop()
		cancel()
		mu.Lock()
		defer mu.Unlock()
		if timer != nil {
			timer.Stop()
		}
	}
}

// backoff doubles from RetryMin to RetryMax, with a quarter of it random.
func (s *Sender) backoff(tries int) time.Duration {
	wait := s.o.RetryMax
	if tries < 40 {
		wait = min(wait, s.o.RetryMin<<max(tries-1, 0))
	}
	if wait <= 0 {
		wait = s.o.RetryMax
	}
	return wait - time.Duration(rand.Float64()*0.25*float64(wait))
}
