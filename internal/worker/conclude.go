package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"slate360.ai/worker/internal/callback"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/storage"
)

// concludeTimeout bounds what is written about a job that did not complete.
const concludeTimeout = 5 * time.Minute

// checkpointTimeout is the default of Options.CheckpointTimeout.
const checkpointTimeout = 25 * time.Second

// conclude writes how a run ended that did not complete the job, and returns the
// error that tells the queue how the job goes on.
func (r *run) conclude(jobCtx context.Context, start time.Time, err error) error {
	r.end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(jobCtx), concludeTimeout)
	defer cancel()
	j := r.task.Job()
	switch {
	case errors.Is(err, queue.ErrLost):
		r.w.o.Metrics.job("lost", r.kind, time.Since(start))
		r.log.Warn("the job is lost to another worker; nothing more is written")
		r.rec.Close()
		return err
	case errors.Is(err, errDrain):
		r.w.o.Metrics.job("released", r.kind, time.Since(start))
		r.giveBack(ctx)
		return queue.ErrRelease
	}
	final := permanent(err) || j.AttemptsMade+1 >= j.MaxAttempts
	if verifyErr := r.task.Verify(ctx); errors.Is(verifyErr, queue.ErrLost) {
		r.rec.Close()
		return queue.ErrLost
	}
	if !final {
		r.w.o.Metrics.job("retried", r.kind, time.Since(start))
		r.log.Warn("attempt failed", "attempt", j.AttemptsMade+1, "of", j.MaxAttempts, "error", err)
		r.releaseRecord(ctx, fmt.Sprintf("attempt %d of %d failed: waiting for the next", j.AttemptsMade+1, j.MaxAttempts), err)
		return err
	}
	r.w.o.Metrics.job(string(job.StatusFailed), r.kind, time.Since(start))
	r.log.Error("job failed", "error", err, "permanent", permanent(err))
	if lost := r.fail(ctx, err); lost != nil {
		return lost
	}
	if permanent(err) {
		return queue.Permanent(err)
	}
	return err
}

// fail writes the end of a job that will not be tried again. Its error is not
// nil where the end is not ours to tell, or could not be told.
func (r *run) fail(ctx context.Context, cause error) error {
	j := r.task.Job()
	data, err := json.Marshal(details(cause, j.AttemptsMade+1, permanent(cause)))
	if err != nil {
		return fmt.Errorf("encode error details: %w", err)
	}
	raw := json.RawMessage(data)
	// What is wrong with the job's data shows before there is anything to claim.
	if err := r.claim(ctx); err != nil {
		return err
	}
	status, message, step, now := job.StatusFailed, cause.Error(), "failed", time.Now().UTC()
	err = r.rec.Finish(ctx, record.Update{
		Status: &status, CurrentStep: &step, ErrorMessage: &message, ErrorDetails: &raw, CompletedAt: &now,
	})
	switch {
	case errors.Is(err, record.ErrCondition):
		return queue.ErrLost
	case errors.Is(err, record.ErrPermanent):
		r.log.Error("the record could not be written", "error", err)
	case err != nil:
		return fmt.Errorf("write the record: %w", err)
	}
	if r.w.o.Callbacks != nil {
		if err := r.w.o.Callbacks.Finish(ctx, callback.Event{
			JobID: r.jobID(), Status: callback.StatusFailed, ProgressPct: r.percent(), Stage: details(cause, 0, true).Stage,
			Error: message, EventID: r.eventID(callback.StatusFailed),
		}); err != nil {
			return err
		}
	}
	r.clearOutputs(ctx)
	return nil
}

// clearOutputs removes what a failed job left: outputs that no result.json stands
// for, its checkpoint and its workspace.
func (r *run) clearOutputs(ctx context.Context) {
	if r.req.jobID == "" {
		return
	}
	prefix := outputPrefix(r.req.jobID)
	if r.published {
		if err := storage.Discard(ctx, r.w.o.Storage, prefix); err != nil {
			r.log.Warn("outputs of a failed job stay in storage", "prefix", prefix, "error", err)
		}
	}
	if cp := r.w.o.Checkpoints; cp != nil && r.mayHaveCheckpoint() {
		if err := storage.DropCheckpoint(ctx, cp, checkpointPrefix(r.req.jobID)); err != nil {
			r.log.Warn("a checkpoint stays in storage", "error", err)
		}
	}
	if r.dir != nil {
		r.dir.remove()
	} else {
		r.w.forget(r.req.jobID)
	}
}

// giveBack keeps what is finished for whoever takes the job next.
func (r *run) giveBack(ctx context.Context) {
	kept := "its finished stages are kept on this machine"
	if cp := r.w.o.Checkpoints; cp != nil && r.dir != nil {
		saving, cancel := context.WithTimeout(ctx, r.w.o.CheckpointTimeout)
		err := storage.SaveCheckpoint(saving, cp, checkpointPrefix(r.req.jobID), r.dir.products(), r.w.o.CheckpointBytes)
		cancel()
		switch {
		case err == nil:
			kept = "its finished stages are in storage"
			r.w.o.Metrics.checkpoints.WithLabelValues(checkpointSaved).Inc()
			r.dir.remove()
		case errors.Is(err, storage.ErrCheapCheckpoint):
			r.log.Info("no checkpoint", "reason", err)
		default:
			r.w.o.Metrics.checkpoints.WithLabelValues(checkpointFailed).Inc()
			r.log.Warn("the checkpoint could not be saved", "error", err)
		}
	}
	r.log.Info("job goes back to the queue; " + kept)
	r.releaseRecord(ctx, "waiting for another worker", nil)
}

// releaseRecord shows a job that waits again.
func (r *run) releaseRecord(ctx context.Context, step string, cause error) {
	status := job.StatusQueued
	u := record.Update{Status: &status, CurrentStep: &step}
	if cause != nil {
		message := cause.Error()
		u.ErrorMessage = &message
		if data, err := json.Marshal(details(cause, r.task.Job().AttemptsMade+1, false)); err == nil {
			raw := json.RawMessage(data)
			u.ErrorDetails = &raw
		}
	}
	if err := r.rec.Release(ctx, u); err != nil {
		r.log.Warn("the record could not be written", "error", err)
	}
}

// dead writes the end of a job that the queue fails because it lost its worker
// too often: it is likely what kills them.
func (w *Worker) dead(ctx context.Context, t queue.Task, reason error) {
	j := t.Job()
	req, _ := parsePayload(j.Data, j.ID) // as far as it can be read
	r := w.newRun(t, req)
	r.log.Error("job failed", "error", reason, "stalled", j.Stalled)
	w.o.Metrics.job(string(job.StatusFailed), r.kind, 0)
	if r.req.jobID == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, concludeTimeout)
	defer cancel()
	// It claims the record, which takes it from the worker that was lost.
	if err := r.fail(ctx, queue.Permanent(fmt.Errorf("%w: workers that ran it were lost; it may need more memory than they have", reason))); err != nil {
		r.log.Error("the end of the job could not be told", "error", err)
	}
}

func (r *run) jobID() string {
	if r.req.jobID != "" {
		return r.req.jobID
	}
	return r.task.Job().ID
}

// retry calls f until it succeeds, fails in a way that give finds final, or ctx
// is done: for some minutes of a service that is away.
func retry(ctx context.Context, f func() error, give func(error) bool) error {
	wait := 100 * time.Millisecond
	for {
		err := f()
		if err == nil || give(err) {
			return err
		}
		t := time.NewTimer(wait/2 + time.Duration(rand.Int64N(int64(wait))))
		select {
		case <-ctx.Done():
			t.Stop()
			return errors.Join(err, context.Cause(ctx))
		case <-t.C:
		}
		wait = min(2*wait, 10*time.Second)
	}
}
