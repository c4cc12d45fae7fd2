package worker

import (
	"context"
	"testing"
	"time"

	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/source"
)

// serve runs a worker, and returns it with what ends it.
func (r *rig) serve() (w *Worker, stop func()) {
	r.t.Helper()
	w, err := New(r.o)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = func() {
		r.t.Helper()
		select {
		case err := <-done:
			r.t.Errorf("a retired worker has ended: %v", err)
		default:
		}
		cancel()
		select {
		case err := <-done:
			if err != nil {
				r.t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			r.t.Error("Run did not return")
		}
	}
	r.t.Cleanup(cancel)
	return w, stop
}

// A worker whose machine goes gives its job back in time and stays idle: the next one,
// elsewhere, takes the job.
func TestRetireGivesBack(t *testing.T) {
	r := newRig(t)
	running := r.blocking()
	w, stop := r.serve()
	id := r.add(Payload{JobID: "moved", SourceURL: scan(t)})
	receive(t, running)
	w.Retire("the machine goes", time.Now().Add(time.Hour))
	if w.Ready() {
		t.Error("it is ready")
	}
	w.Retire("the machine goes now", time.Now())
	w.Retire("and some time", time.Now().Add(time.Hour)) // the earlier end holds
	r.eventually("it gives the job back", func() bool { return w.Running() == 0 })
	if j := r.until(id, queue.StateWaiting); j.AttemptsMade != 0 {
		t.Errorf("%+v", j)
	}
	r.o.WorkDir = t.TempDir()
	r.o.Pipeline = func(f source.Format) (pipeline.Definition, bool) { return copying(nil), f == source.LAS }
	stopOther := r.start()
	r.until(id, queue.StateCompleted)
	stopOther()
	stop()
}

// Where there is time a running job ends, and no other is taken.
func TestRetireLetsEnd(t *testing.T) {
	r := newRig(t)
	running, finish := make(chan struct{}, 2), make(chan struct{})
	r.o.Pipeline = func(f source.Format) (pipeline.Definition, bool) {
		return copying(func(ctx context.Context) error {
			running <- struct{}{}
			select {
			case <-finish:
			case <-ctx.Done():
			}
			return ctx.Err()
		}), f == source.LAS
	}
	w, stop := r.serve()
	first := r.add(Payload{JobID: "first", SourceURL: scan(t)})
	receive(t, running)
	w.Retire("a machine may go", time.Time{})
	second := r.add(Payload{JobID: "second", SourceURL: scan(t)})
	close(finish)
	r.until(first, queue.StateCompleted)
	r.eventually("it has nothing left to do", func() bool { return w.Running() == 0 })
	stop()
	if j := r.until(second, queue.StateWaiting); j.AttemptsStarted != 0 {
		t.Errorf("it was taken: %+v", j)
	}
	select {
	case <-w.Changed():
	default:
		t.Error("nobody was told that jobs came and went")
	}
}

// A worker that is retired before it runs takes nothing.
func TestRetireFirst(t *testing.T) {
	r := newRig(t)
	id := r.add(Payload{JobID: "kept", SourceURL: scan(t)})
	w, err := New(r.o)
	if err != nil {
		t.Fatal(err)
	}
	w.Retire("the machine goes", time.Now())
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := w.Run(ctx); err != nil || w.Ready() {
		t.Errorf("Run: %v, ready %v", err, w.Ready())
	}
	if j := r.until(id, queue.StateWaiting); j.AttemptsStarted != 0 {
		t.Errorf("it was taken: %+v", j)
	}
}
