package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"slate360.ai/worker/internal/callback"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/leaktest"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/queue"
	queuefile "slate360.ai/worker/internal/queue/embedded"
	"slate360.ai/worker/internal/record"
	recordfile "slate360.ai/worker/internal/record/embedded"
	"slate360.ai/worker/internal/source"
	"slate360.ai/worker/internal/sqlite"
	"slate360.ai/worker/internal/storage/disk"
)

// rig is a worker on embedded parts, with a pipeline that copies LAS files.
type rig struct {
	t       *testing.T
	queue   *queuefile.Queue
	records *recordfile.Store
	outputs string // folder
	o       Options

	mu   sync.Mutex
	told []callback.Event
}

// patience is what a condition gets until the test fails.
const patience = 30 * time.Second

func newRig(t *testing.T) *rig {
	t.Helper()
	leaktest.Check(t)
	r := &rig{t: t, outputs: filepath.Join(t.TempDir(), "outputs")}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	platform := httptest.NewServer(http.HandlerFunc(r.hear))
	t.Cleanup(platform.Close)
	path := filepath.Join(t.TempDir(), "slate360.db")
	var err error
	r.queue, err = queuefile.Open(t.Context(), path, queuefile.Options{})
	must(err)
	t.Cleanup(func() { r.queue.Close() })
	r.records, err = recordfile.Open(t.Context(), path)
	must(err)
	t.Cleanup(func() { r.records.Close() })
	files, err := disk.Open(disk.Options{Dir: r.outputs})
	must(err)
	t.Cleanup(func() { files.Close() })
	db, err := sqlite.Open(t.Context(), path)
	must(err)
	t.Cleanup(func() { db.Close() })
	calls, err := callback.New(t.Context(), db, callback.Options{URL: platform.URL, Secret: "secret"})
	must(err)
	t.Cleanup(func() { calls.Close() })
	r.o = Options{
		Queue: r.queue, Records: r.records, Storage: files, Callbacks: calls, WorkDir: filepath.Join(t.TempDir(), "work"), CreateRecords: true,
		Pipeline: func(f source.Format) (pipeline.Definition, bool) { return copying(nil), f == source.LAS },
		Fetch:    source.FetchOptions{AllowFiles: true, Allow: []string{"127.0.0.1"}, Limits: source.Limits{Nesting: 2}},
		Memory:   1 << 30, Workers: 1, DrainTimeout: patience,
	}
	return r
}

func (r *rig) hear(_ http.ResponseWriter, req *http.Request) {
	var e callback.Event
	data, err := io.ReadAll(req.Body)
	if err != nil || json.Unmarshal(data, &e) != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, e)
}

// ends returns the ends that the platform was told of a job.
func (r *rig) ends(id string) (ends []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.told {
		if e.JobID == id && e.Status != callback.StatusProgress {
			ends = append(ends, e.Status)
		}
	}
	return ends
}

// copying is a pipeline of one stage that copies its source, after before.
func copying(before func(ctx context.Context) error) pipeline.Definition {
	run := func(ctx context.Context, s *pipeline.Context) error {
		if before != nil {
			if err := before(ctx); err != nil {
				return err
			}
		}
		data, err := os.ReadFile(s.Source())
		if err != nil {
			return err
		}
		rel := s.Name() + ".laz"
		s.Publish(job.Output{Type: job.TypeLAZ, Path: rel})
		return os.WriteFile(s.OutputPath(rel), data, 0o600)
	}
	return pipeline.Definition{Name: "copying", Stages: []pipeline.Stage{{
		Name: "copy", Title: "Copying", Engines: []pipeline.Engine{{Name: pipeline.EngineNative, Run: run}},
	}}}
}

// start runs a worker until stop, or the end of the test.
func (r *rig) start() (stop func()) {
	r.t.Helper()
	w, err := New(r.o)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				r.t.Errorf("Run: %v", err)
			}
		case <-time.After(2 * patience):
			r.t.Error("Run did not return")
		}
		if w.Ready() || w.Running() > 0 {
			r.t.Errorf("it says that it is ready (%v), with %d jobs", w.Ready(), w.Running())
		}
	})
	r.t.Cleanup(stop)
	return stop
}

// add puts a job on the queue.
func (r *rig) add(p Payload) string {
	r.t.Helper()
	id, err := r.queue.Add(r.t.Context(), QueueJobName, p, queue.AddOptions{ID: p.JobID, Attempts: 3, Backoff: queue.Backoff{Type: "fixed", Delay: time.Millisecond}})
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// until waits until a job is in a state.
func (r *rig) until(id string, s queue.State) queue.Job {
	r.t.Helper()
	var j queue.Job
	r.eventually(fmt.Sprintf("job %s is %s", id, s), func() bool {
		var err error
		if j, err = r.queue.Get(r.t.Context(), id); err != nil {
			r.t.Fatal(err)
		}
		ended := j.State == queue.StateCompleted || j.State == queue.StateFailed
		if ended && j.State != s {
			r.t.Fatalf("job %s is %s: %s", id, j.State, j.FailedReason)
		}
		return j.State == s
	})
	return j
}

func (r *rig) eventually(what string, condition func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			r.t.Fatalf("it did not come about: %s", what)
		}
		time.Sleep(5 * time.Millisecond) // between two looks
	}
}

func (r *rig) record(id string) record.Record {
	r.t.Helper()
	rec, err := r.records.Get(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return rec
}

// workspaces returns what lies in the folder of workspaces.
func (r *rig) workspaces() (names []string) {
	entries, err := os.ReadDir(r.o.WorkDir)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
