package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"slate360.ai/worker/internal/callback"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/storage"
)

// The steps of a job around its pipeline.
const (
	stepFetch   = "fetch"
	stepUnpack  = "unpack"
	stepPublish = "publish"
)

// run is one taking of a job.
type run struct {
	w    *Worker
	task queue.Task
	req  request
	log  *slog.Logger
	// owner is what the record is claimed with: the worker's name and a token.
	owner string
	rec   *record.Writer
	// claimed says that the record is ours.
	claimed bool
	report
	dir   *workspace
	spans spans
}

// ReturnValue is what a completed job returns to the queue.
type ReturnValue struct {
	JobID        string          `json:"jobId"`
	Status       job.Status      `json:"status"`
	Outputs      []job.Output    `json:"outputs"`
	ThumbnailURL string          `json:"thumbnailUrl,omitempty"`
	Analysis     json.RawMessage `json:"analysis,omitempty"`
	Warnings     []string        `json:"warnings,omitempty"`
}

// handle runs one job; it is the queue's Handler.
func (w *Worker) handle(ctx context.Context, t queue.Task) (_ any, err error) {
	start := time.Now()
	j := t.Job()
	req, err := parsePayload(j.Data, j.ID)
	r := w.newRun(t, req)
	r.log.Info("job taken", "attempt", j.AttemptsMade+1, "started", j.AttemptsStarted, "stalled", j.Stalled)
	ctx, stop := w.contextOf(ctx)
	defer stop()
	ctx = r.startSpan(ctx)
	defer func() { r.endSpan(err) }()
	w.add(r)
	defer r.observe(func(l *job.Live) { l.Ended = true })
	defer w.remove(r)
	if err != nil {
		return nil, r.conclude(ctx, start, err)
	}
	if value, ok := r.completedBefore(ctx); ok {
		r.log.Info("the record says completed: acknowledged without running again")
		return value, nil
	}
	value, err := r.work(ctx)
	if err != nil {
		return nil, r.conclude(ctx, start, ended(ctx, err))
	}
	w.o.Metrics.job(string(job.StatusCompleted), r.kind, time.Since(start))
	r.log.Info("job completed", "seconds", time.Since(start).Seconds(), "outputs", len(value.Outputs))
	return value, nil
}

func (w *Worker) newRun(t queue.Task, req request) *run {
	id := req.jobID
	if id == "" {
		id = t.Job().ID
	}
	r := &run{w: w, task: t, req: req, log: w.log.With("jobId", id, "queueId", t.Job().ID)}
	r.owner = w.o.Run.Name + "/" + token()
	r.rec = record.NewWriter(w.o.Records, id, r.owner, record.WriterOptions{Logger: r.log})
	return r
}

// contextOf returns the context of a job: done also when draining ends, or when
// the job takes too long.
func (w *Worker) contextOf(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	unlink := context.AfterFunc(w.drain, func() { cancel(errDrain) })
	var timer *time.Timer
	if w.o.JobTimeout > 0 {
		timer = time.AfterFunc(w.o.JobTimeout, func() { cancel(errTimeout) })
	}
	return ctx, func() {
		unlink()
		if timer != nil {
			timer.Stop()
		}
		cancel(nil)
	}
}

func (w *Worker) add(r *run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running[r.task.Job().ID], w.active = r, true
	w.o.Metrics.Running.Set(float64(len(w.running)))
	w.tellChanged()
}

func (w *Worker) remove(r *run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running[r.task.Job().ID] == r {
		delete(w.running, r.task.Job().ID)
	}
	w.o.Metrics.Running.Set(float64(len(w.running)))
	w.tellChanged()
}

// completedBefore returns the return value of a job whose record was completed
// by a run of the same job that could not acknowledge it any more: its worker
// died, or the queue was away, between the two.
func (r *run) completedBefore(ctx context.Context) (any, bool) {
	j := r.task.Job()
	if j.AttemptsStarted < 2 && j.Stalled == 0 {
		return nil, false
	}
	rec, err := r.w.o.Records.Get(ctx, r.req.jobID)
	if err != nil || rec.Status != job.StatusCompleted || rec.CompletedAt.Before(j.Added) {
		return nil, false
	}
	value := ReturnValue{
		JobID: r.req.jobID, Status: job.StatusCompleted, ThumbnailURL: rec.ThumbnailURL, Analysis: rec.Analysis, Outputs: []job.Output{},
	}
	var outputs []record.Output
	if err := json.Unmarshal(rec.Outputs, &outputs); err != nil {
		return nil, false
	}
	for _, o := range outputs {
		value.Outputs = append(value.Outputs, job.Output{
			Type: o.Format, URL: o.URL, Size: o.Size, ContentType: o.ContentType, SHA256: o.SHA256,
			Files: o.Files, Points: o.Points, Tiles: o.Tiles, Triangles: o.Triangles, Vertices: o.Vertices,
		})
	}
	if err := r.tellCompleted(ctx, value); err != nil {
		return nil, false
	}
	r.w.forget(r.req.jobID)
	return value, true
}

// work does the job from its source to its acknowledgement.
func (r *run) work(ctx context.Context) (_ ReturnValue, err error) {
	var none ReturnValue
	if r.w.o.CreateRecords {
		if err := r.createRecord(ctx); err != nil {
			return none, err
		}
	}
	if err := r.claim(ctx); err != nil {
		return none, err
	}
	r.begin(ctx)
	defer r.end()
	if r.dir, err = r.w.openWorkspace(r.req.jobID, r.task.Job().ID); err != nil {
		return none, err
	}
	defer func() { err = errors.Join(err, r.dir.unlock()) }()
	fetching, fetched := r.stepSpan(ctx, stepFetch)
	src, err := r.source(fetching)
	if fetched(err); err != nil {
		return none, err
	}
	result, err := r.process(ctx, src)
	if err != nil {
		return none, err
	}
	publishing, published := r.stepSpan(ctx, stepPublish)
	value, err := r.publish(publishing, result)
	if published(err); err != nil {
		return none, inStep(stepPublish, err)
	}
	return value, r.complete(ctx, value)
}

// claim makes the record ours: what a former run writes late is refused then.
func (r *run) claim(ctx context.Context) error {
	if r.claimed {
		return nil
	}
	now := time.Now().UTC()
	if err := r.rec.Start(ctx, record.Update{StartedAt: &now}); err != nil {
		return fmt.Errorf("claim the record: %w", err)
	}
	r.claimed = true
	return nil
}

func (r *run) createRecord(ctx context.Context) error {
	options, err := json.Marshal(r.req.options)
	if err != nil {
		return fmt.Errorf("encode options: %w", err)
	}
	return retry(ctx, func() error {
		return r.w.o.Records.Create(ctx, record.Record{
			ID: r.req.jobID, SourceURL: r.req.urls[0], SourceFormat: string(r.req.format), Options: options,
			Status: job.StatusQueued, QueuedAt: r.task.Job().Added, CreatedAt: r.task.Job().Added,
		})
	}, func(err error) bool { return errors.Is(err, record.ErrPermanent) })
}

// process runs the pipeline of the source.
func (r *run) process(ctx context.Context, src fetched) (job.Result, error) {
	def, ok := r.w.o.Pipeline(src.format)
	if !ok {
		return job.Result{}, pipeline.BadInput(fmt.Errorf("the source is of format %s, which this version cannot process", src.format),
			"convert it to a format that it can")
	}
	r.setKind(def.Name)
	if result, ok := r.processedBefore(); ok {
		r.note("processed by an earlier run; what is left is to publish it")
		return result, nil
	}
	options := r.req.options
	options.Engines = engines(def, r.w.o.Engines, options.Engines)
	req := pipeline.Request{
		JobID: r.req.jobID, Source: src.path, Format: string(src.format), Name: src.name, OutDir: r.dir.out(),
		Options: options, Warnings: append(append([]string{}, r.req.warnings...), src.warnings...),
		Build: r.w.o.Build, Workers: r.w.o.Workers, Logger: r.log, Sink: r.progress,
	}
	if err := r.resume(ctx); err != nil {
		r.log.Warn("a checkpoint cannot be used; starting anew", "error", err)
	}
	release, err := r.reserve(ctx, def, &req)
	if err != nil {
		return job.Result{}, err
	}
	defer release()
	result, err := pipeline.Run(ctx, def, req)
	for _, s := range result.Stages {
		if !s.Resumed {
			r.w.o.Metrics.stage(r.kind, s.Name, s.Engine, s.Seconds)
		}
	}
	if err != nil {
		return result, err
	}
	return result, r.noteProcessed(result)
}

// reserve waits until the memory of the largest stage is free beside the other
// running jobs, and gives it to the request. A job gets its share at least and
// all there is at most.
func (r *run) reserve(ctx context.Context, def pipeline.Definition, req *pipeline.Request) (release func(), err error) {
	const unit = 20 // MiB
	total := r.w.o.Memory >> unit
	req.MemoryBudget = r.w.o.Memory
	plan, err := pipeline.MakePlan(ctx, def, *req)
	if err != nil {
		return nil, err
	}
	r.observePlan(plan)
	need := total / int64(r.w.o.Run.Concurrency)
	for _, s := range plan.Stages {
		need = max(need, s.Memory>>unit+1)
	}
	need = min(need, total)
	if !r.w.memory.TryAcquire(need) {
		r.note("waiting for memory that other jobs use")
		if err := r.w.memory.Acquire(ctx, need); err != nil {
			return nil, fmt.Errorf("wait for memory: %w", err)
		}
	}
	req.MemoryBudget = need << unit
	return func() { r.w.memory.Release(need) }, nil
}

// complete writes the end of a job that succeeded: record, then outbox. After it
// the queue is told by the return of the handler.
func (r *run) complete(ctx context.Context, value ReturnValue) error {
	if err := r.task.Verify(ctx); err != nil {
		return err
	}
	r.end() // nothing that is late comes after this
	if err := r.task.Progress(ctx, 100); err != nil {
		return err
	}
	outputs := make([]record.Output, 0, len(value.Outputs))
	for _, o := range value.Outputs {
		outputs = append(outputs, record.Output{
			Format: o.Type, URL: o.URL, Size: o.Size, ContentType: o.ContentType, SHA256: o.SHA256,
			Files: o.Files, Points: o.Points, Tiles: o.Tiles, Triangles: o.Triangles, Vertices: o.Vertices,
		})
	}
	data, err := json.Marshal(outputs)
	if err != nil {
		return fmt.Errorf("encode outputs: %w", err)
	}
	raw, analysis, null := json.RawMessage(data), value.Analysis, json.RawMessage("null")
	if len(analysis) == 0 {
		analysis = null
	}
	status, percent, step, none, now := job.StatusCompleted, 100, "completed", "", time.Now().UTC()
	err = r.rec.Finish(ctx, record.Update{
		Status: &status, Progress: &percent, CurrentStep: &step, Analysis: &analysis, Outputs: &raw,
		ThumbnailURL: &value.ThumbnailURL, ErrorMessage: &none, ErrorDetails: &null, CompletedAt: &now,
	})
	switch {
	case errors.Is(err, record.ErrCondition):
		return queue.ErrLost
	case errors.Is(err, record.ErrPermanent):
		// The outputs are there and the platform is told: a record that cannot be
		// written does not undo that.
		r.log.Error("the record could not be written", "error", err)
	case err != nil:
		return fmt.Errorf("write the record: %w", err)
	}
	if err := r.tellCompleted(ctx, value); err != nil {
		return err
	}
	r.dir.remove()
	if cp := r.w.o.Checkpoints; cp != nil && r.mayHaveCheckpoint() {
		if err := storage.DropCheckpoint(ctx, cp, checkpointPrefix(r.req.jobID)); err != nil {
			r.log.Warn("a checkpoint stays in storage", "error", err)
		}
	}
	return nil
}

func (r *run) tellCompleted(ctx context.Context, value ReturnValue) error {
	if r.w.o.Callbacks == nil {
		return nil
	}
	var analysis map[string]any
	if len(value.Analysis) > 0 {
		if err := json.Unmarshal(value.Analysis, &analysis); err != nil {
			return fmt.Errorf("decode analysis: %w", err)
		}
	}
	return r.w.o.Callbacks.Finish(ctx, callback.Event{
		JobID: r.req.jobID, Status: callback.StatusCompleted, ProgressPct: 100, Outputs: value.Outputs,
		ThumbnailURL: value.ThumbnailURL, Analysis: analysis, EventID: r.eventID(callback.StatusCompleted),
	})
}

// eventID is the same for the same end of the same job in the queue, whichever
// run of it tells it.
func (r *run) eventID(status string) string {
	j := r.task.Job()
	return callback.EventID(j.ID, r.req.jobID, status, fmt.Sprint(j.Added.UnixMilli()), fmt.Sprint(r.round()))
}

// round tells the ends of a job apart that was retried by hand after it failed.
func (r *run) round() int { return r.task.Job().AttemptsMade }
