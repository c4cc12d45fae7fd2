// Package queue is the interface between the queue that jobs arrive by and the
// worker that runs them. Its backends are queue/bullmq (BullMQ's wire format on
// Redis, or on Upstash over REST) and queue/embedded (SQLite); package
// queue/queuetest is the suite that every backend passes.
//
// Delivery is at least once, with one owner at a time: a job taken is locked,
// the backend keeps the lock while the handler runs, and what a handler reports
// after it lost the lock is refused.
package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// State of a job in the queue, in BullMQ's words.
type State string

// The states of a job.
const (
	StateWaiting         State = "waiting"
	StatePrioritized     State = "prioritized"
	StateDelayed         State = "delayed"
	StateWaitingChildren State = "waiting-children"
	StateActive          State = "active"
	StateCompleted       State = "completed"
	StateFailed          State = "failed"
	StateUnknown         State = "unknown"
)

// States lists the states that a job can be listed by.
func States() []State {
	return []State{
		StateActive, StateWaiting, StatePrioritized, StateDelayed, StateWaitingChildren, StateCompleted, StateFailed,
	}
}

// Job is what the queue knows of a job.
type Job struct {
	ID   string          `json:"id"`
	Name string          `json:"name"`
	Data json.RawMessage `json:"data"`
	// State is empty in a job handed to a Handler: it is active.
	State State `json:"state,omitempty"`
	// Priority is BullMQ's: 1 is the most urgent, up to 2,097,151; 0 is none,
	// which comes before all.
	Priority int           `json:"priority,omitempty"`
	Delay    time.Duration `json:"-"`
	// AttemptsMade counts attempts that ended in failure before now; MaxAttempts
	// is how many there may be, at least 1.
	AttemptsMade int `json:"attemptsMade"`
	MaxAttempts  int `json:"maxAttempts"`
	// AttemptsStarted counts how often the job was taken, this time included.
	AttemptsStarted int `json:"attemptsStarted"`
	// Stalled counts how often its worker was lost.
	Stalled  int       `json:"stalled,omitempty"`
	Added    time.Time `json:"added"`
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero"`
	// Progress and ReturnValue are JSON as the handler gave them.
	Progress     json.RawMessage `json:"progress,omitempty"`
	ReturnValue  json.RawMessage `json:"returnValue,omitempty"`
	FailedReason string          `json:"failedReason,omitempty"`
	Stack        []string        `json:"stack,omitempty"`
	// Worker is the name of the worker that has or had it.
	Worker string `json:"worker,omitempty"`
	// Telemetry is the metadata that the producer's tracing put in, passed on as it is.
	Telemetry string `json:"telemetry,omitempty"`
}

// Task is a job in the hands of a Handler.
type Task interface {
	Job() Job
	// Progress publishes how far the job is: any JSON value. ErrLost once the lock is gone.
	Progress(ctx context.Context, value any) error
	// Log appends a line to the job's log in the queue.
	Log(ctx context.Context, line string) error
	// Verify asks the queue whether the lock is still ours, and extends it: nil, or
	// ErrLost. Handlers call it before they write what another owner must not find
	// overwritten; a process that was stopped for a while learns it here first.
	Verify(ctx context.Context) error
}

// Handler runs one job. What it returns becomes the job's return value, its
// error how it goes on: Permanent fails it at once, ErrRelease gives it back
// without counting the attempt, Delay gives it back for later without counting
// the attempt; any other error is retried as the job's attempts and backoff say.
//
// ctx is done with the cause ErrLost once the lock is lost (another worker may
// have the job: nothing may be written any more) and with ErrCanceled when
// somebody canceled the job. It is not done when Run's context is: the worker
// decides what draining means.
type Handler func(ctx context.Context, t Task) (any, error)

// Errors that handlers get or give.
var (
	// ErrLost says that the lock of a job is lost.
	ErrLost = errors.New("the lock of the job is lost: another worker may run it")
	// ErrCanceled says that somebody canceled the job.
	ErrCanceled = errors.New("the job was canceled")
	// ErrRelease gives the job back to the front of the queue, the attempt not counted.
	ErrRelease = errors.New("the job goes back to the queue")
	// ErrNotFound says that the queue has no such job.
	ErrNotFound = errors.New("there is no such job in the queue")
	// ErrState says that the job is in a state that does not allow what was asked.
	ErrState = errors.New("the job is in another state")
)

// PermanentError fails a job whatever attempts are left.
type PermanentError struct{ Err error }

func (e *PermanentError) Error() string { return e.Err.Error() }
func (e *PermanentError) Unwrap() error { return e.Err }

// Permanent wraps an error that trying again will not mend; nil stays nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &PermanentError{Err: err}
}

// DelayError gives a job back for After, the attempt not counted.
type DelayError struct {
	After time.Duration
	Err   error // why
}

func (e *DelayError) Error() string { return e.Err.Error() }
func (e *DelayError) Unwrap() error { return e.Err }

// RunOptions say how jobs are taken. The zero value of each field has the
// default named.
type RunOptions struct {
	// Concurrency is how many handlers run at once, from 1; default 1.
	Concurrency int
	// Name of the worker, shown beside its jobs; default host name and process ID.
	Name string
	// LockDuration is how long a job stays ours without renewal; default 30 s.
	// Locks are renewed at half of it.
	LockDuration time.Duration
	// StalledInterval is how often jobs of lost workers are looked for; default 30 s.
	StalledInterval time.Duration
	// MaxStalled is how often a job may lose its worker before it fails. Default 1;
	// negative is never.
	MaxStalled int
	// LimiterMax jobs start in LimiterDuration, over all workers of the queue;
	// 0 is no limit.
	LimiterMax      int
	LimiterDuration time.Duration
	// KeepCompleted and KeepFailed are how many finished jobs, and for how long,
	// stay in the queue where a job does not say; zero values keep all.
	KeepCompleted, KeepFailed Keep
	// Dead is called before a job fails without a handler having run (its worker
	// was lost more than MaxStalled times), so that whoever keeps records of jobs
	// can write the end of it; nil is none. It is called while the lock is held,
	// and may be called again where the process dies in it.
	Dead func(ctx context.Context, t Task, reason error)
	// Error is told of what goes wrong beside the jobs (connection, renewal), one
	// call at a time; nil drops it.
	Error func(error)
}

// WithDefaults returns the options with what is zero filled in; MaxStalled is then
// not negative.
func (o RunOptions) WithDefaults() RunOptions {
	o.Concurrency = max(o.Concurrency, 1)
	if o.LockDuration <= 0 {
		o.LockDuration = 30 * time.Second
	}
	if o.StalledInterval <= 0 {
		o.StalledInterval = 30 * time.Second
	}
	if o.MaxStalled == 0 {
		o.MaxStalled = 1
	}
	o.MaxStalled = max(o.MaxStalled, 0)
	if o.Name == "" {
		o.Name = WorkerName()
	}
	if o.LimiterMax > 0 && o.LimiterDuration <= 0 {
		o.LimiterDuration = time.Minute
	}
	return o
}

// WorkerName is the name of a worker that has none: of its host and process.
func WorkerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}

// Keep bounds finished jobs; 0 is no bound.
type Keep struct {
	Count int
	Age   time.Duration
}

// Backoff is the wait before a retry.
type Backoff struct {
	// Type is "fixed" or "exponential" (Delay·2^(attempt-1)).
	Type  string
	Delay time.Duration
	// Jitter, 0 to 1, is the share of the wait that is random.
	Jitter float64
}

// AddOptions of a new job; the zero value is a job at once, of no priority, one attempt.
type AddOptions struct {
	// ID of the job; empty takes the queue's own. Adding a job with the ID of one
	// that is there changes nothing.
	ID                        string
	Priority                  int
	Delay                     time.Duration
	Attempts                  int
	Backoff                   Backoff
	KeepCompleted, KeepFailed Keep
	RemoveOnComplete          bool
	RemoveOnFail              bool
	// Telemetry is metadata of the producer's tracing, which the job carries.
	Telemetry string
}

// Event of a job: what an observer is told.
type Event struct {
	// Name is added, waiting, active, progress, completed, failed, delayed, stalled, removed, …
	Name     string
	JobID    string
	Progress json.RawMessage // of progress
	Result   json.RawMessage // of completed
	Reason   string          // of failed
}

// Worker is a worker of the queue.
type Worker struct {
	// Name as in RunOptions; empty where it has none.
	Name string
	// Address of its connection, where there is one.
	Address string
	// Since when it is connected.
	Since time.Time
	// Active is how many jobs it has; -1 is unknown.
	Active int
}

// Queue is one named queue. All methods may be called from several goroutines.
type Queue interface {
	// Run takes jobs and hands them to h, until ctx is done; it returns after the
	// last handler has. It returns an error only for what cannot mend (wrong
	// password, scripts missing): lost connections are waited out.
	Run(ctx context.Context, o RunOptions, h Handler) error

	// Add puts a job on the queue and returns its ID. data is encoded as JSON.
	Add(ctx context.Context, name string, data any, o AddOptions) (string, error)
	// Get returns a job, or ErrNotFound.
	Get(ctx context.Context, id string) (Job, error)
	// List returns jobs of a state, newest first where finished, next first where
	// waiting: limit of them after the first offset.
	List(ctx context.Context, s State, offset, limit int) ([]Job, error)
	// Counts returns how many jobs are in each of States.
	Counts(ctx context.Context) (map[State]int64, error)
	// Logs returns the lines of a job's log.
	Logs(ctx context.Context, id string) ([]string, error)
	// Cancel removes a waiting job, or tells the worker of an active one to end it
	// (it then fails with ErrCanceled's text). ErrState for one that is finished.
	Cancel(ctx context.Context, id string) error
	// Retry gives a failed job another round of attempts.
	Retry(ctx context.Context, id string) error
	// Remove deletes a job that is not active, with its log.
	Remove(ctx context.Context, id string) error
	// Pause stops the taking of jobs by all workers, Resume lets it go on.
	Pause(ctx context.Context) error
	Resume(ctx context.Context) error
	// Paused tells whether the taking of jobs is stopped.
	Paused(ctx context.Context) (bool, error)
	// Workers lists the workers that take jobs, as far as the backend knows of them;
	// nil is that it does not.
	Workers(ctx context.Context) ([]Worker, error)
	// Watch calls f for each event from now on until ctx is done, and returns
	// ctx's cause then. ready is called once no event is missed any more; nil is allowed.
	Watch(ctx context.Context, ready func(), f func(Event)) error
	// Ping tells whether the queue can be reached and used.
	Ping(ctx context.Context) error
	// Close frees connections. Run must have returned.
	Close() error
}
