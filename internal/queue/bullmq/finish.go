package bullmq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"slate360.ai/worker/internal/queue"
)

// stackLimit is how many attempts the stack trace of a job keeps where the job
// does not say.
const stackLimit = 10

// finish tells the queue how a job ended and returns the next job, if the same
// script took one.
func (r *runner) finish(ctx context.Context, t *Task, value any, err error) *rawJob {
	if errors.Is(context.Cause(ctx), queue.ErrLost) || errors.Is(err, queue.ErrLost) {
		r.report(fmt.Errorf("job %s: what its handler returned is dropped: %w", t.raw.ID, queue.ErrLost))
		return nil
	}
	if errors.Is(err, ErrWaitingChildren) {
		return nil
	}
	var delay *queue.DelayError
	var permanent *queue.PermanentError
	switch {
	case err == nil:
		return r.complete(t, value)
	case errors.Is(err, queue.ErrRelease):
		return r.settle(t, func(ctx context.Context) (any, error) { return r.release(ctx, t) })
	case errors.As(err, &delay):
		return r.settle(t, func(ctx context.Context) (any, error) { return r.delay(ctx, t, delay.After, true, nil) })
	case errors.As(err, &permanent), t.raw.AttemptsMade+1 >= t.raw.MaxAttempts:
		return r.fail(t, err)
	}
	return r.retry(t, err)
}

func (r *runner) complete(t *Task, value any) *rawJob {
	data, err := json.Marshal(value)
	if err != nil {
		return r.fail(t, queue.Permanent(fmt.Errorf("the return value of the job cannot be encoded as JSON: %w", err)))
	}
	next := r.settle(t, func(ctx context.Context) (any, error) {
		return r.moveToFinished(ctx, t, "completed", "returnvalue", string(data), keep(t.raw.opts.RemoveOnComplete, r.o.KeepCompleted), "")
	})
	return next
}

func (r *runner) fail(t *Task, err error) *rawJob {
	fields := failure(t, err)
	return r.settle(t, func(ctx context.Context) (any, error) {
		return r.moveToFinished(ctx, t, "failed", "failedReason", err.Error(), keep(t.raw.opts.RemoveOnFail, r.o.KeepFailed), fields)
	})
}

// failure packs the fields that a failed attempt writes.
func failure(t *Task, err error) string {
	limit := stackLimit
	if t.raw.opts.StackTraceLimit != nil {
		limit = max(*t.raw.opts.StackTraceLimit, 0)
	}
	stack := append(append([]string{}, t.raw.Stack...), stackOf(err))
	if len(stack) > limit {
		stack = stack[len(stack)-limit:]
	}
	text, encodeErr := json.Marshal(stack)
	if encodeErr != nil {
		text = []byte("[]")
	}
	return string(packer(nil).texts([]string{"failedReason", err.Error(), "stacktrace", string(text)}))
}

func (r *runner) retry(t *Task, err error) *rawJob {
	wait, backoffErr := backoff(t.raw.opts.Backoff, t.raw.AttemptsMade+1)
	r.report(backoffErr)
	fields := failure(t, err)
	return r.settle(t, func(ctx context.Context) (any, error) {
		if wait > 0 {
			return r.delay(ctx, t, wait, false, &fields)
		}
		return r.retryNow(ctx, t, fields)
	})
}

func (r *runner) retryNow(ctx context.Context, t *Task, fields string) (any, error) {
	k := &t.q.k
	push := "LPUSH"
	if t.raw.opts.LIFO {
		push = "RPUSH"
	}
	return t.q.call(ctx, "retryJob", t.raw.ID,
		[]string{k.active, k.wait, k.paused, k.job(t.raw.ID), k.meta, k.events, k.delayed, k.prioritized, k.pc, k.marker, k.stalled},
		k.base, now(), push, t.raw.ID, t.token, fields)
}

func (r *runner) release(ctx context.Context, t *Task) (any, error) {
	k := &t.q.k
	return t.q.call(ctx, "moveJobFromActiveToWait", t.raw.ID,
		[]string{k.active, k.wait, k.stalled, k.paused, k.meta, k.limiter, k.prioritized, k.marker, k.events},
		t.raw.ID, t.token, k.job(t.raw.ID))
}

// delay lets a job wait; the attempt counts unless skip says so.
func (r *runner) delay(ctx context.Context, t *Task, wait time.Duration, skip bool, fields *string) (any, error) {
	k := &t.q.k
	args := []string{k.base, now(), t.raw.ID, t.token, itoa(wait.Milliseconds()), "0", "", "0", ""}
	if skip {
		args[5] = "1"
	}
	if fields != nil {
		args[6] = *fields
	}
	if r.fetchesNext() {
		args[7], args[8] = "1", string(r.takeOptions(nil, t.token))
	}
	return t.q.call(ctx, "moveToDelayed", t.raw.ID,
		[]string{k.marker, k.active, k.prioritized, k.delayed, k.job(t.raw.ID), k.events, k.meta, k.stalled, k.wait, k.limiter, k.pc}, args...)
}

// fetchesNext tells whether the script that ends a job takes the next.
func (r *runner) fetchesNext() bool { return r.taking.Err() == nil }

func (r *runner) moveToFinished(ctx context.Context, t *Task, target, field, value string, keep map[string]any, fields string) (any, error) {
	k := &t.q.k
	set := k.completed
	if target == "failed" {
		set = k.failed
	}
	fetch := "0"
	if r.fetchesNext() {
		fetch = "1"
	}
	o := &t.raw.opts
	n := 10
	if r.o.LimiterMax > 0 {
		n++
	}
	p := r.takeFields(make(packer, 0, 320).dictionary(n), t.token)
	p = p.text("keepJobs").value(keep)
	p = p.text("attempts").integer(int64(t.raw.MaxAttempts))
	p = p.text("maxMetricsSize")
	if r.q.o.MetricsPoints > 0 {
		p = p.integer(int64(r.q.o.MetricsPoints))
	} else {
		p = p.text("")
	}
	p = p.text("fpof").boolean(o.FailParent)
	p = p.text("cpof").boolean(o.ContinueParent)
	p = p.text("idof").boolean(o.IgnoreDependency)
	p = p.text("rdof").boolean(o.RemoveDependency)
	args := []string{t.raw.ID, now(), field, value, target, fetch, k.base, string(p)}
	if fields != "" {
		args = append(args, fields)
	}
	return t.q.call(ctx, "moveToFinished", t.raw.ID, []string{
		k.wait, k.active, k.prioritized, k.events, k.stalled, k.limiter, k.delayed, k.paused, k.meta, k.pc,
		set, k.job(t.raw.ID), k.base + "metrics:" + target, k.marker,
	}, args...)
}

// settle runs what ends a job until the server has answered: while it cannot be
// reached nobody else gets the job either. It gives up after some lock times,
// when another worker has taken it over; after one where the worker is to stop.
func (r *runner) settle(t *Task, script func(ctx context.Context) (any, error)) *rawJob {
	t.finishing.Store(true)
	deadline := time.Now().Add(max(4*r.o.LockDuration, 2*time.Minute))
	unsure := false // whether an earlier try may have been carried out
	for {
		if last := time.Now().Add(r.o.LockDuration); r.taking.Err() != nil && last.Before(deadline) {
			deadline = last
		}
		ctx, cancel := context.WithTimeout(r.life, r.o.LockDuration)
		reply, err := script(ctx)
		cancel()
		switch {
		case err == nil:
			return r.taken(reply)
		case refused(err):
			if unsure && r.settled(t) {
				return nil
			}
			r.report(fmt.Errorf("job %s: its end was refused: %w", t.raw.ID, err))
			return r.unfinished(t, err)
		case time.Now().After(deadline):
			r.report(fmt.Errorf("job %s: its end could not be told: %w", t.raw.ID, err))
			return nil
		}
		unsure = true
		r.report(fmt.Errorf("job %s: tell its end: %w", t.raw.ID, err))
		r.sleep(r.life, retryPause)
	}
}

// unfinished fails a job that cannot be completed because of its children, as
// BullMQ does; other refusals are of a job that is not ours any more.
func (r *runner) unfinished(t *Task, err error) *rawJob {
	var c *codeError
	if errors.As(err, &c) && (c.code == -4 || c.code == -9) && c.script == "moveToFinished" && !t.refusedOnce {
		t.refusedOnce = true
		return r.fail(t, queue.Permanent(err))
	}
	return nil
}

// settled tells whether a job is not active under our lock any more.
func (r *runner) settled(t *Task) bool {
	ctx, cancel := context.WithTimeout(r.life, r.o.LockDuration)
	defer cancel()
	v, err := t.q.conn.Do(ctx, "GET", t.q.k.job(t.raw.ID)+":lock")
	lock, _ := v.(string)
	return err == nil && lock != t.token
}
