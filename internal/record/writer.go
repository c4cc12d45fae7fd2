package record

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"slate360.ai/worker/internal/job"
)

// WriterOptions are how a Writer paces and retries; zero values are the defaults.
type WriterOptions struct {
	// Interval is the least time between two writes of progress: 1 s.
	Interval time.Duration
	// MissingInterval is the least time between two tries while there is no row: 5 s.
	MissingInterval time.Duration
	// TryTimeout bounds one try: 15 s.
	TryTimeout time.Duration
	// StartTimeout bounds Start with all its tries: 2 min.
	StartTimeout time.Duration
	// Backoff is the wait after the first try that failed (200 ms); it doubles up to
	// MaxBackoff (10 s), and up to half of it is left out at random.
	Backoff, MaxBackoff time.Duration
	// Logger hears of writes that failed; nil is nobody.
	Logger *slog.Logger
}

// Writer writes the row of one run of one job. It claims the row for its owner,
// coalesces progress, and sees to it that the last word is the last one written:
// progress goes only to a row that is the owner's and unfinished, so that a write
// which the database carries out late, after its try was given up, changes nothing.
//
// Start comes first, then any number of Progress, then one of Finish and Release,
// then Close. Progress may be called from several goroutines.
type Writer struct {
	store Store
	id    string
	owner string
	o     WriterOptions

	ctx    context.Context // of progress writes; done at Close
	cancel context.CancelFunc
	wake   chan struct{}
	wg     sync.WaitGroup

	mu       sync.Mutex
	pending  Update // progress not yet written
	has      bool   // pending holds something
	progress int    // highest so far
	running  bool   // the goroutine runs
	ended    bool   // no more progress: Finish, Release or Close began, or the row is lost
	claim    Update // what claims the row, as Start was told
	missing  bool   // the row was not there at the last look; it is to be claimed
}

// NewWriter returns the writer of the job id for the worker owner, whose name
// must differ between two runs of a job.
func NewWriter(store Store, id, owner string, o WriterOptions) *Writer {
	fill := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	fill(&o.Interval, time.Second)
	fill(&o.MissingInterval, 5*time.Second)
	fill(&o.TryTimeout, 15*time.Second)
	fill(&o.StartTimeout, 2*time.Minute)
	fill(&o.Backoff, 200*time.Millisecond)
	fill(&o.MaxBackoff, 10*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	w := &Writer{store: store, id: id, owner: owner, o: o, wake: make(chan struct{}, 1)}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// Start claims the row, whoever had it: worker_id becomes the owner, status
// analyzing, progress 0, started_at now, and the columns of an earlier end are
// cleared; u can say otherwise. That there is no row is no error: later writes look
// for it again. It tries for StartTimeout; its errors are the last try's, or
// ErrPermanent.
func (w *Writer) Start(ctx context.Context, u Update) error {
	status, progress, none, now, never, null := job.StatusAnalyzing, 0, "", time.Now(), time.Time{}, rawNull()
	claim := Update{
		Status: &status, Progress: &progress, StartedAt: &now, WorkerID: &w.owner,
		CurrentStep: &none, ErrorMessage: &none, ErrorDetails: &null, CompletedAt: &never,
	}.merge(u)
	w.mu.Lock()
	w.claim = claim
	w.progress = *claim.Progress
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, w.o.StartTimeout)
	defer cancel()
	err := w.retry(ctx, func(ctx context.Context) error { return w.store.Update(ctx, w.id, claim, Condition{}) })
	if errors.Is(err, ErrNotFound) {
		w.mu.Lock()
		w.missing = true
		w.mu.Unlock()
		w.o.Logger.Info("there is no record of the job; it is looked for again")
		return nil
	}
	return err
}

// Progress notes what is to be written soon. It does not block; of what comes
// faster than it is written, the newest value of each column counts. The
// percentage does not go back. What cannot be written is logged, and tried again
// with what comes next.
func (w *Writer) Progress(u Update) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return
	}
	if u.Progress != nil {
		w.progress = max(w.progress, *u.Progress)
		p := w.progress
		u.Progress = &p
	}
	w.pending, w.has = w.pending.merge(u), true
	if !w.running {
		w.running = true
		w.wg.Add(1)
		go w.run()
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Finish writes the end of the job. It waits for a write of progress that is
// under way, takes along what of it had not been written, and tries until it is
// in. That the row is gone is no error; ErrCondition says that another worker has
// it, ErrPermanent that it cannot be written; else the error is that of ctx.
func (w *Writer) Finish(ctx context.Context, u Update) error {
	return w.conclude(ctx, u, false)
}

// Release gives the row back for another run of the job: status queued unless u
// says otherwise, and no worker. Its errors are those of Finish.
func (w *Writer) Release(ctx context.Context, u Update) error {
	status, none := job.StatusQueued, ""
	return w.conclude(ctx, Update{Status: &status, WorkerID: &none}.merge(u), true)
}

// Close stops the writing of progress, without waiting for what is pending. It
// can be called more than once, and after Finish.
func (w *Writer) Close() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.cancel()
	w.wg.Wait()
}

func (w *Writer) conclude(ctx context.Context, u Update, release bool) error {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	// Wake the goroutine, which sees the end and stops, after a write under way.
	select {
	case w.wake <- struct{}{}:
	default:
	}
	done := make(chan struct{})
	go func() { w.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		w.cancel()
		<-done
		return fmt.Errorf("write the end of job %s: %w", w.id, context.Cause(ctx))
	}
	w.mu.Lock()
	all, c := w.pending.merge(u), Condition{Owner: w.owner}
	if w.missing {
		// The row may have come meanwhile, without a worker.
		all, c.OrUnowned = w.claim.merge(all), true
	}
	w.mu.Unlock()
	tries := 0
	err := w.retry(ctx, func(ctx context.Context) error {
		tries++
		return w.store.Update(ctx, w.id, all, c)
	})
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case release && tries > 1 && errors.Is(err, ErrCondition):
		// An earlier try may have got through although its answer did not: then the
		// row is not ours any more, as wanted.
		return nil
	}
	return err
}

// run writes progress until the writer has ended.
func (w *Writer) run() {
	defer w.wg.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	backoff := w.o.Interval
	for {
		select {
		case <-w.wake:
		case <-w.ctx.Done():
			return
		}
		u, c, ok := w.take()
		if !ok {
			return
		}
		wait := w.o.Interval
		if u != nil {
			wait = w.write(*u, c, &backoff)
		}
		timer.Reset(wait)
		for waiting := true; waiting; {
			select {
			case <-timer.C:
				waiting = false
			case <-w.ctx.Done():
				return
			case <-w.wake:
				// It may be the end; else it is remembered for after the wait.
				if w.over() {
					return
				}
			}
		}
		w.mu.Lock()
		if w.has {
			select {
			case w.wake <- struct{}{}:
			default:
			}
		}
		w.mu.Unlock()
	}
}

func (w *Writer) over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

// take takes what is pending; it is nil where nothing is, and ok is false where
// the writer has ended.
func (w *Writer) take() (u *Update, c Condition, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return nil, c, false
	}
	if !w.has {
		return nil, c, true
	}
	next := w.pending
	w.pending, w.has = Update{}, false
	c = Condition{Owner: w.owner, Unfinished: true}
	if w.missing {
		next, c.OrUnowned = w.claim.merge(next), true
	}
	return &next, c, true
}

// write writes progress once and returns how long to wait before the next write.
func (w *Writer) write(u Update, c Condition, backoff *time.Duration) time.Duration {
	ctx, cancel := context.WithTimeout(w.ctx, w.o.TryTimeout)
	err := w.store.Update(ctx, w.id, u, c)
	cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.missing = false
		*backoff = w.o.Interval
		return w.o.Interval
	}
	// What is newer goes over what could not be written.
	w.pending, w.has = u.merge(w.pending), true
	switch {
	case errors.Is(err, ErrNotFound):
		w.missing = true
		return w.o.MissingInterval
	case errors.Is(err, ErrCondition), errors.Is(err, ErrPermanent):
		w.o.Logger.Warn("progress is not written any more", "error", err)
		w.ended = true
	case w.ctx.Err() == nil:
		w.o.Logger.Warn("progress could not be written; it is tried again", "error", err)
	}
	*backoff = min(2**backoff, max(w.o.MaxBackoff, w.o.Interval))
	return *backoff
}

// retry calls f until its error is nil or final, or ctx is done.
func (w *Writer) retry(ctx context.Context, f func(ctx context.Context) error) error {
	wait := w.o.Backoff
	for try := 1; ; try++ {
		trying, cancel := context.WithTimeout(ctx, w.o.TryTimeout)
		err := f(trying)
		cancel()
		if err == nil || errors.Is(err, ErrNotFound) || errors.Is(err, ErrCondition) || errors.Is(err, ErrPermanent) {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("write the record of job %s: %w; last error: %w", w.id, context.Cause(ctx), err)
		}
		w.o.Logger.Warn("the record could not be written; it is tried again", "error", err, "try", try)
		timer := time.NewTimer(wait/2 + rand.N(wait/2+1))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("write the record of job %s: %w; last error: %w", w.id, context.Cause(ctx), err)
		}
		wait = min(2*wait, w.o.MaxBackoff)
	}
}
