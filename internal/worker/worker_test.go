package worker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/source"
)

// scan writes a source, and returns its address.
func scan(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "scan.las")
	if err := os.WriteFile(path, []byte(lasFile), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}

// blocking lets the pipeline wait until its job is ended; running tells of each.
func (r *rig) blocking() (running chan struct{}) {
	running = make(chan struct{}, 10)
	r.o.Pipeline = func(f source.Format) (pipeline.Definition, bool) {
		return copying(func(ctx context.Context) error {
			running <- struct{}{}
			<-ctx.Done()
			return context.Cause(ctx)
		}), f == source.LAS
	}
	return running
}

func receive(t *testing.T, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(patience):
		t.Fatal("it did not come about")
	}
}

// A job that does not end in time goes back, its attempt not counted, and the
// next worker completes it.
func TestDrain(t *testing.T) {
	r := newRig(t)
	running := r.blocking()
	able := r.o.Pipeline
	r.o.DrainTimeout = 20 * time.Millisecond
	stop := r.start()
	id := r.add(Payload{JobID: "drained", SourceURL: scan(t)})
	receive(t, running)
	stop()
	j, err := r.queue.Get(t.Context(), id)
	if err != nil || j.State != queue.StateWaiting || j.AttemptsMade != 0 || j.Stalled != 0 {
		t.Errorf("%+v, %v", j, err)
	}
	if rec := r.record(id); rec.Status != "queued" || rec.WorkerID != "" {
		t.Errorf("%+v", rec)
	}
	if len(r.workspaces()) != 1 || len(r.ends(id)) > 0 {
		t.Errorf("workspaces %v, told %v", r.workspaces(), r.ends(id))
	}
	r.o.Pipeline = func(f source.Format) (pipeline.Definition, bool) {
		_, ok := able(f)
		return copying(nil), ok
	}
	stop = r.start()
	r.until(id, queue.StateCompleted)
	stop()
	if len(r.workspaces()) > 0 {
		t.Errorf("workspaces %v", r.workspaces())
	}
}

func TestCancel(t *testing.T) {
	r := newRig(t)
	running := r.blocking()
	stop := r.start()
	id := r.add(Payload{JobID: "canceled", SourceURL: scan(t)})
	receive(t, running)
	if err := r.queue.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if j := r.until(id, queue.StateFailed); j.AttemptsStarted != 1 || !strings.Contains(j.FailedReason, "canceled") {
		t.Errorf("%+v", j)
	}
	stop()
	if rec := r.record(id); rec.Status != "failed" || len(r.workspaces()) > 0 {
		t.Errorf("%+v, workspaces %v", rec, r.workspaces())
	}
}

func TestJobTimeout(t *testing.T) {
	r := newRig(t)
	r.blocking()
	r.o.JobTimeout = 30 * time.Millisecond
	stop := r.start()
	id := r.add(Payload{JobID: "slow", SourceURL: scan(t)})
	if j := r.until(id, queue.StateFailed); j.AttemptsStarted != 3 || !strings.Contains(j.FailedReason, "SLATE360_JOB_TIMEOUT") {
		t.Errorf("%+v", j)
	}
	stop()
}

// What may be mended by trying again is tried again.
func TestRetry(t *testing.T) {
	r := newRig(t)
	var tries atomic.Int32
	r.o.Pipeline = func(f source.Format) (pipeline.Definition, bool) {
		return copying(func(context.Context) error {
			if tries.Add(1) < 3 {
				return errors.New("the disk hiccuped")
			}
			return nil
		}), f == source.LAS
	}
	stop := r.start()
	id := r.add(Payload{JobID: "again", SourceURL: scan(t)})
	if j := r.until(id, queue.StateCompleted); j.AttemptsMade != 2 && j.AttemptsMade != 3 {
		t.Errorf("%+v", j)
	}
	stop()
	if rec := r.record(id); rec.Status != "completed" || rec.ErrorMessage != "" {
		t.Errorf("%+v", rec)
	}
}

// asked is a queue whose Get tells that it was called, and waits.
type asked struct {
	queue.Queue
	called, answer chan struct{}
}

func (a *asked) Get(ctx context.Context, id string) (queue.Job, error) {
	select {
	case a.called <- struct{}{}:
	default:
	}
	<-a.answer
	return a.Queue.Get(ctx, id)
}

// A job that comes back while it is asked whether anybody will gets the folder
// with its finished stages.
func TestSweepHoldsNobodyOff(t *testing.T) {
	r := newRig(t)
	id := r.add(Payload{JobID: "back", SourceURL: scan(t)})
	a := &asked{Queue: r.queue, called: make(chan struct{}, 1), answer: make(chan struct{})}
	r.o.Queue = a
	w, err := New(r.o)
	if err != nil {
		t.Fatal(err)
	}
	left, err := w.openWorkspace("back", id)
	if err != nil {
		t.Fatal(err)
	}
	if err := left.unlock(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.SweepOnce(context.Background()) }()
	receive(t, a.called)
	again, err := w.openWorkspace("back", id)
	if err != nil || again.dir != left.dir {
		t.Errorf("it got %s, %v", again.dir, err)
	}
	close(a.answer)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(left.dir, ownerName)); err != nil {
		t.Error(err)
	}
	if err := again.unlock(); err != nil {
		t.Error(err)
	}
	// Once the job is gone so is its folder.
	if err := r.queue.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := w.SweepOnce(t.Context()); err != nil || len(r.workspaces()) > 0 {
		t.Errorf("%v are left, %v", r.workspaces(), err)
	}
}
