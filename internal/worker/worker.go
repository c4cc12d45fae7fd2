// Package worker is the loop that the product exists for: take a job, fetch its
// source, run its pipeline, publish the outputs, write the record, tell the
// platform, acknowledge (DESIGN.md, section 2). It knows queues, records, storage
// and pipelines by their interfaces only.
//
// A job may be taken more than once: its worker was killed, its lock was lost.
// What has been written then decides: the record is claimed by name and token,
// every write after it is conditional on the claim, outputs appear under
// result.json last, and a job whose record says completed is acknowledged
// without being run again.
package worker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/sync/semaphore"

	"slate360.ai/worker/internal/callback"
	"slate360.ai/worker/internal/host"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/source"
	"slate360.ai/worker/internal/storage"
)

// Options of a Worker. All that has no default named must be given.
type Options struct {
	Queue   queue.Queue
	Records record.Store
	Storage storage.Store
	// Callbacks tells the platform; nil is nobody.
	Callbacks *callback.Sender
	// Checkpoints keeps what drained jobs had finished, for another machine to go
	// on from; nil leaves it in WorkDir.
	Checkpoints storage.Store
	// Pipeline returns the pipeline for sources of a format.
	Pipeline func(f source.Format) (pipeline.Definition, bool)
	// Engines are the choices of the configuration, stage → engine; those of a job
	// come before them.
	Engines map[string]string
	// Fetch says how sources are fetched, and the limits on them.
	Fetch source.FetchOptions
	// WorkDir has a folder for each job under way.
	WorkDir string
	// CreateRecords writes a record for a job that has none: in the embedded
	// database nobody else does.
	CreateRecords bool
	// Run says how jobs are taken; Dead and Error are the worker's.
	Run queue.RunOptions
	// Memory in bytes is shared by the running jobs, Workers are the goroutines of
	// a stage; 0 is what the machine gives.
	Memory  int64
	Workers int
	// DiskReserve in bytes stays free on the disk of WorkDir.
	DiskReserve int64
	// DrainTimeout is what running jobs get to end once Run's context is done;
	// JobTimeout the longest a job may take, 0 is no limit; StallTimeout the time
	// without progress after which a stage is reported; WorkspaceTTL how long the
	// workspace of a job that nobody runs is kept.
	DrainTimeout, JobTimeout, StallTimeout, WorkspaceTTL time.Duration
	// CheckpointTimeout bounds the saving of a checkpoint; default 25 s, which with
	// the drain timeout fits the two minutes of a spot notice. CheckpointBytes is the
	// largest that is saved; 0 is no limit.
	CheckpointTimeout time.Duration
	CheckpointBytes   int64
	// Ageing is the wait after which a waiting job goes up one priority; 0 is never.
	Ageing time.Duration
	// Build identifies the program.
	Build  string
	Logger *slog.Logger
	// Metrics counts; nil is a set of its own.
	Metrics *Metrics
	// Observe is told how a running job stands, each time that changes: some ten
	// times a second a stage, one call at a time a job. It must be quick. nil is nobody.
	Observe func(l job.Live)
	// Line is told of each line that goes into a job's log; nil is nobody.
	Line func(jobID, line string)
	// Tracer makes a span a run and a span a stage; nil makes none.
	Tracer trace.Tracer
	// Status is told what the worker does, for the service manager; nil is nobody.
	Status func(text string)
}

// Worker runs jobs.
type Worker struct {
	o      Options
	log    *slog.Logger
	memory *semaphore.Weighted // in MiB
	drain  context.Context     // done when running jobs have to give up
	giveUp context.CancelCauseFunc
	// retired is done when no more jobs are to be taken, though the process goes on.
	retired context.Context
	retire  context.CancelFunc
	changed chan struct{} // has an element when the number of running jobs changed

	mu      sync.Mutex
	running map[string]*run // by the job's ID
	ready   bool
	active  bool        // a job ran since worked was asked
	ending  *time.Timer // of Retire, fires at end, when running jobs have to give up
	end     time.Time
}

// errDrain is the cause of running jobs' end when the worker has to stop.
var errDrain = errors.New("the worker is stopping")

// errTimeout is the cause where a job took longer than JobTimeout.
var errTimeout = errors.New("the job took longer than SLATE360_JOB_TIMEOUT allows")

// New returns a worker. It does nothing until Run.
func New(o Options) (*Worker, error) {
	if o.Queue == nil || o.Records == nil || o.Storage == nil || o.Pipeline == nil || o.WorkDir == "" {
		return nil, errors.New("a worker needs a queue, records, storage, pipelines and a folder to work in")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Memory <= 0 {
		o.Memory = host.DefaultMemoryBudget()
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
	if o.Run.Name == "" {
		o.Run.Name = queue.WorkerName()
	}
	o.Run.Concurrency = max(o.Run.Concurrency, 1)
	if o.StallTimeout <= 0 {
		o.StallTimeout = 15 * time.Minute
	}
	if o.WorkspaceTTL <= 0 {
		o.WorkspaceTTL = 24 * time.Hour
	}
	if o.Tracer == nil {
		o.Tracer = noop.NewTracerProvider().Tracer("")
	}
	if o.Observe == nil {
		o.Observe = func(job.Live) {}
	}
	if o.Line == nil {
		o.Line = func(string, string) {}
	}
	if o.Status == nil {
		o.Status = func(string) {}
	}
	if o.CheckpointTimeout <= 0 {
		o.CheckpointTimeout = checkpointTimeout
	}
	w := &Worker{
		o: o, log: o.Logger, memory: semaphore.NewWeighted(o.Memory >> 20), running: map[string]*run{}, changed: make(chan struct{}, 1),
	}
	for _, f := range source.Formats() {
		if def, ok := o.Pipeline(f); ok {
			o.Metrics.expect(def.Name)
		}
	}
	w.drain, w.giveUp = context.WithCancelCause(context.Background())
	w.retired, w.retire = context.WithCancel(context.Background())
	return w, nil
}

// Run takes jobs until ctx is done, then drains: no new job is taken, those that
// run get DrainTimeout, then give up and go back to the queue with their finished
// stages kept. It returns when the last one has ended. Once Retire was called it takes
// none either, but stays until ctx is done.
func (w *Worker) Run(ctx context.Context) error {
	if err := os.MkdirAll(w.o.WorkDir, 0o700); err != nil {
		return fmt.Errorf("make folder of workspaces: %w", err)
	}
	defer w.giveUp(errDrain)
	defer w.stopEnding()
	draining := make(chan *time.Timer, 1)
	notYet := context.AfterFunc(ctx, func() { draining <- w.startDrain() })
	defer func() {
		if !notYet() {
			timer := <-draining
			timer.Stop()
		}
	}()
	var wg sync.WaitGroup
	background, stop := context.WithCancel(ctx)
	defer wg.Wait()
	defer stop()
	wg.Go(func() { w.sweepWorkspaces(background) })
	wg.Go(func() { w.watch(background) })
	wg.Go(func() { w.age(background) })
	if w.o.Callbacks != nil {
		// The outbox goes on while jobs drain: they still put their ends into it.
		sending, stopSending := context.WithCancel(context.WithoutCancel(ctx))
		wg.Go(func() { w.o.Callbacks.Run(sending) })
		defer stopSending()
	}
	ro := w.o.Run
	ro.Dead = w.dead
	ro.Error = func(err error) {
		w.o.Metrics.QueueErrors.Inc()
		w.log.Warn("queue", "error", err)
	}
	w.setReady(w.retired.Err() == nil)
	defer w.setReady(false)
	w.o.Status(fmt.Sprintf("taking jobs, %d at once", ro.Concurrency))
	taking, stopTaking := context.WithCancel(ctx)
	defer stopTaking()
	unlink := context.AfterFunc(w.retired, func() {
		w.setReady(false)
		stopTaking()
	})
	defer unlink()
	if w.retired.Err() != nil {
		stopTaking() // at once: the function above runs on its own
	}
	if err := w.o.Queue.Run(taking, ro, w.handle); err != nil || w.retired.Err() == nil {
		return err
	}
	if ctx.Err() == nil {
		w.log.Info("no job runs any more; idle until the process is stopped")
		w.o.Status("idle: the machine will go")
	}
	<-ctx.Done()
	return nil
}

// startDrain lets running jobs give up when the timer that it returns fires.
func (w *Worker) startDrain() *time.Timer {
	w.setReady(false)
	w.o.Metrics.Draining.Set(1)
	n := w.Running()
	w.log.Info("draining", "running", n, "timeout", w.o.DrainTimeout)
	w.o.Status(fmt.Sprintf("draining, %d jobs are running", n))
	return time.AfterFunc(w.o.DrainTimeout, func() { w.giveUp(errDrain) })
}

// Running returns how many jobs run.
func (w *Worker) Running() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.running)
}

// worked tells whether a job runs, or ran since it was asked last.
func (w *Worker) worked() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	active := w.active || len(w.running) > 0
	w.active = false
	return active
}

// Ready tells whether the worker takes jobs.
func (w *Worker) Ready() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ready
}

func (w *Worker) setReady(v bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ready = v
}

// token returns a random text that tells one taking of a job from another.
func token() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return hex.EncodeToString(b[:])
}
