package bullmq

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"slate360.ai/worker/internal/queue"
)

// Task is a job in the hands of a handler; more of what BullMQ offers for it
// than queue.Task has is in its methods.
type Task struct {
	r     *runner
	q     *Queue
	raw   *rawJob
	token string
	since time.Time
	// cancel ends the handler; finishing says that it has ended.
	cancel    context.CancelCauseFunc
	finishing atomic.Bool
	// refusedOnce says that its completion was refused already.
	refusedOnce bool
}

var _ queue.Task = (*Task)(nil)

// Job is of queue.Task.
func (t *Task) Job() queue.Job { return t.raw.Job }

// Progress is of queue.Task.
func (t *Task) Progress(ctx context.Context, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode progress: %w", err)
	}
	k := &t.q.k
	_, err = t.q.call(ctx, "updateProgress", t.raw.ID, []string{k.job(t.raw.ID), k.events, k.meta}, t.raw.ID, string(data))
	return err
}

// Log is of queue.Task.
func (t *Task) Log(ctx context.Context, line string) error {
	k := &t.q.k
	limit := ""
	if t.raw.opts.KeepLogs > 0 {
		limit = itoa(t.raw.opts.KeepLogs)
	}
	_, err := t.q.call(ctx, "addLog", t.raw.ID, []string{k.job(t.raw.ID), k.job(t.raw.ID) + ":logs"}, t.raw.ID, line, limit)
	return err
}

// Verify is of queue.Task.
func (t *Task) Verify(ctx context.Context) error {
	k := &t.q.k
	v, err := t.q.eval(ctx, "extendLock", []string{k.job(t.raw.ID) + ":lock", k.stalled},
		t.token, itoa(t.r.o.LockDuration.Milliseconds()), t.raw.ID)
	if err != nil {
		return err
	}
	if integer(v) != 1 {
		t.cancel(queue.ErrLost)
		return queue.ErrLost
	}
	return nil
}

// UpdateData replaces the data of the job.
func (t *Task) UpdateData(ctx context.Context, data any) error {
	return t.q.UpdateData(ctx, t.raw.ID, data)
}

// ChildrenValues returns what the children of the job in a flow returned, by
// their keys (<prefix>:<queue>:<id>).
func (t *Task) ChildrenValues(ctx context.Context) (map[string]json.RawMessage, error) {
	return t.q.childrenOf(ctx, t.raw.ID, "processed")
}

// IgnoredFailures returns why children failed whose failure the job ignores, by
// their keys.
func (t *Task) IgnoredFailures(ctx context.Context) (map[string]json.RawMessage, error) {
	return t.q.childrenOf(ctx, t.raw.ID, "failed")
}

// ErrWaitingChildren is returned by a handler after WaitForChildren moved its job.
var ErrWaitingChildren = errors.New("the job waits for its children")

// WaitForChildren lets the job wait for children that have not ended, and tells
// whether there are any: the handler then returns ErrWaitingChildren and is
// called again when they have.
func (t *Task) WaitForChildren(ctx context.Context) (waits bool, err error) {
	k := &t.q.k
	id := t.raw.ID
	job := k.job(id)
	v, err := t.q.call(ctx, "moveToWaitingChildren", id,
		[]string{k.active, k.waitingChildren, job, job + ":dependencies", job + ":unsuccessful", k.stalled, k.events},
		t.token, "", now(), id, k.base)
	if err != nil {
		return false, err
	}
	if integer(v) == 0 {
		t.finishing.Store(true) // the lock is gone with the move
		return true, nil
	}
	return false, nil
}

// newToken returns a random text that no other lock has.
func newToken() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return hex.EncodeToString(b[:])
}

// process runs one job and returns the next, where the script that ended it
// brought one.
func (r *runner) process(q *Queue, j *rawJob, token string) *rawJob {
	ctx, cancel := context.WithCancelCause(r.life)
	defer cancel(nil)
	t := &Task{r: r, q: q, raw: j, token: token, since: time.Now(), cancel: cancel}
	r.mu.Lock()
	r.tasks[j.ID] = t
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		if r.tasks[j.ID] == t {
			delete(r.tasks, j.ID)
		}
		r.mu.Unlock()
	}()
	if j.scheduler != "" {
		if err := r.q.continueScheduler(ctx, j); err != nil {
			r.report(fmt.Errorf("next iteration of scheduler %s: %w", j.scheduler, err))
		}
	}
	if j.deferred != "" {
		err := queue.Permanent(errors.New(j.deferred))
		if r.o.Dead != nil {
			r.o.Dead(ctx, t, err)
		}
		return r.finish(ctx, t, nil, err)
	}
	value, err := r.call(ctx, t)
	return r.finish(ctx, t, value, err)
}

// panicError is a panic of a handler.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("the handler panicked: %v", e.value) }

// call calls the handler; a panic is an error of the job.
func (r *runner) call(ctx context.Context, t *Task) (value any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{value: p, stack: debug.Stack()}
		}
	}()
	return r.h(ctx, t)
}

// stackOf is the entry that an attempt adds to the job's stack trace.
func stackOf(err error) string {
	var panicked *panicError
	if errors.As(err, &panicked) {
		return "Error: " + err.Error() + "\n" + string(panicked.stack)
	}
	var b strings.Builder
	b.WriteString("Error: " + err.Error())
	for e := errors.Unwrap(err); e != nil; e = errors.Unwrap(e) {
		fmt.Fprintf(&b, "\n    at %T: %s", e, e)
	}
	return b.String()
}
