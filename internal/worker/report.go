package worker

import (
	"context"
	"math"
	"sync"
	"time"

	"slate360.ai/worker/internal/callback"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/record"
)

// The shares of a job's progress, in percent: fetching comes before
// fetchShare, publishing after publishShare.
const (
	fetchShare   = 10
	publishShare = 90
)

// reportInterval is how often the queue is told how far a job is; record and
// callbacks have their own bounds.
const reportInterval = time.Second

// logLines bounds what waits to go into the job's log in the queue.
const logLines = 200

// report tells queue, record and platform how far a run is. Its methods do not
// wait: one goroutine a job does the telling, which end waits for.
type report struct {
	kind      string // pipeline
	resumed   bool   // a checkpoint was loaded
	published bool   // outputs were sent

	callbacks *callback.Progress
	cancel    context.CancelFunc
	wg        sync.WaitGroup
	once      sync.Once

	mu      sync.Mutex
	pct     int
	status  job.Status
	step    string
	lines   []string
	changed bool
	moved   time.Time // when anything last went on
	warned  bool      // that nothing does
	live    job.Live
	rates   rates

	observing sync.Mutex // lets observers see states in their order
}

func (r *run) begin(ctx context.Context) {
	ctx, r.cancel = context.WithCancel(ctx)
	r.moved = time.Now()
	if r.w.o.Callbacks != nil {
		r.callbacks = r.w.o.Callbacks.Progress(ctx, r.req.jobID)
	}
	r.wg.Go(func() { r.tell(ctx) })
	r.observe(func(l *job.Live) { l.JobID = r.jobID() })
}

// end stops the telling; nothing is under way when it returns.
func (r *run) end() {
	r.once.Do(func() {
		if r.cancel == nil {
			return
		}
		r.cancel()
		r.wg.Wait()
		if r.callbacks != nil {
			r.callbacks.Close()
		}
	})
}

func (r *run) setKind(kind string) {
	r.kind = kind
	r.observe(func(l *job.Live) { l.Kind = kind })
}

// percent returns how far the run is.
func (r *run) percent() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pct
}

// at says how far the run is. Percent does not go back.
func (r *run) at(percent float64, status job.Status, step string) {
	pct := int(math.Min(math.Max(percent, 0), 100))
	r.mu.Lock()
	r.moved, r.warned = time.Now(), false
	if pct <= r.pct && status == r.status && step == r.step {
		r.mu.Unlock()
		return
	}
	r.pct = max(pct, r.pct)
	pct, r.status, r.step, r.changed = r.pct, status, step, true
	r.mu.Unlock()
	r.observe(func(l *job.Live) { l.Percent, l.Status, l.Step = max(l.Percent, percent), status, step })
	r.rec.Progress(record.Update{Status: &status, Progress: &pct, CurrentStep: &step})
	if r.callbacks != nil {
		r.callbacks.Set(pct, step)
	}
}

// progress is the pipeline's sink.
func (r *run) progress(p job.Progress) {
	switch p.Event {
	case job.EventWarning:
		r.note("warning: " + p.Message)
		r.observe(func(l *job.Live) { l.Warnings = append(l.Warnings, p.Message) })
		return
	case job.EventNote:
		r.note(p.Message)
		return
	}
	if line := job.StageLine(p); line != "" {
		r.note(line)
	}
	r.trace(p)
	r.observeStage(p)
	r.at(fetchShare+p.Percent*(publishShare-fetchShare)/100, p.Status, p.Stage)
}

// note puts a line into the job's log in the queue.
func (r *run) note(line string) {
	r.log.Debug("job log", "line", line)
	line = time.Now().UTC().Format(time.RFC3339) + " " + line
	r.mu.Lock()
	fits := len(r.lines) < logLines
	if fits {
		r.lines = append(r.lines, line)
	}
	r.mu.Unlock()
	if fits {
		r.w.o.Line(r.jobID(), line)
	}
}

// tell brings progress and log to the queue until ctx is done, and what is left then.
func (r *run) tell(ctx context.Context) {
	tick := time.NewTicker(reportInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*reportInterval)
			r.tellOnce(last)
			cancel()
			return
		case <-tick.C:
			r.tellOnce(ctx)
		}
	}
}

func (r *run) tellOnce(ctx context.Context) {
	r.mu.Lock()
	lines, changed, pct := r.lines, r.changed, r.pct
	r.lines, r.changed = nil, false
	r.mu.Unlock()
	for _, line := range lines {
		if err := r.task.Log(ctx, line); err != nil {
			r.log.Debug("log line not written", "error", err)
			return
		}
	}
	if changed {
		if err := r.task.Progress(ctx, pct); err != nil {
			r.log.Debug("progress not written", "error", err)
		}
	}
}

// stalled returns the step and how long nothing has gone on in it, once each
// time that is longer than limit.
func (r *run) stalled(limit time.Duration) (string, time.Duration, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	idle := time.Since(r.moved)
	if r.warned || r.moved.IsZero() || idle < limit {
		return "", 0, false
	}
	r.warned = true
	return r.step, idle, true
}
