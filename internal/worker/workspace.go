package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"slate360.ai/worker/internal/filelock"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/storage"
)

// workspace is the folder of one job:
//
//	lock      held while a run works here
//	job.json  whose it is
//	source/   what was fetched; fetched.json beside it once it is whole
//	unpacked/ what was in it, where it is an archive
//	out/      the result folder, with the pipeline's products in products/;
//	          processed.json beside it once it is whole
type workspace struct {
	dir  string
	lock *filelock.Folder
}

// owner is the content of job.json.
type owner struct {
	JobID   string `json:"jobId"`
	QueueID string `json:"queueId"`
}

const (
	lockName  = "lock"
	ownerName = "job.json"
)

func (d *workspace) source() string   { return filepath.Join(d.dir, "source") }
func (d *workspace) unpacked() string { return filepath.Join(d.dir, "unpacked") }
func (d *workspace) out() string      { return filepath.Join(d.dir, "out") }
func (d *workspace) products() string { return filepath.Join(d.out(), ".slate360-work") }

// spares is how many folders a job can have: a run that lost its lock may still
// hold one, paused or stuck, when the next begins on the same machine.
const spares = 8

func (w *Worker) folder(id string, n int) string {
	if n > 0 {
		return filepath.Join(w.o.WorkDir, fmt.Sprintf("%s~%d", id, n)) // '~' is not in IDs
	}
	return filepath.Join(w.o.WorkDir, id)
}

// openWorkspace locks a folder for a job: the one an earlier run left, if there is one.
func (w *Worker) openWorkspace(id, queueID string) (*workspace, error) {
	for n := range spares {
		dir := w.folder(id, n)
		lock, err := filelock.TryFolder(dir, lockName)
		if errors.Is(err, filelock.ErrHeld) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("workspace of the job: %w", err)
		}
		d := &workspace{dir: dir, lock: lock}
		data, err := json.Marshal(owner{JobID: id, QueueID: queueID})
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, ownerName), data, 0o600)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("workspace of the job: %w", err), lock.Unlock())
		}
		return d, nil
	}
	return nil, fmt.Errorf("the %d folders for the job in %s are all in use by other processes", spares, w.o.WorkDir)
}

// unlock lets others in; the folder stays.
func (d *workspace) unlock() error {
	if d.lock == nil {
		return nil
	}
	err := d.lock.Unlock()
	d.lock = nil
	return err
}

// remove takes the folder away while it is locked.
func (d *workspace) remove() {
	// What cannot be removed is tried again by the sweep.
	_ = os.RemoveAll(d.dir)
}

// forget removes the folders of a job that nobody works in.
func (w *Worker) forget(id string) {
	for n := range spares {
		dir := w.folder(id, n)
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		lock, err := filelock.TryFolder(dir, lockName)
		if err != nil {
			continue
		}
		d := &workspace{dir: dir, lock: lock}
		d.remove()
		if err := d.unlock(); err != nil {
			w.log.Warn("unlock workspace", "dir", dir, "error", err)
		}
	}
}

// sweepInterval is how often orphaned workspaces are looked for.
const sweepInterval = time.Minute

// sweepWorkspaces removes the folders of jobs that are at their end, or that
// nobody has worked in for WorkspaceTTL, until ctx is done.
func (w *Worker) sweepWorkspaces(ctx context.Context) {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		if err := w.SweepOnce(ctx); err != nil && ctx.Err() == nil {
			w.log.Warn("orphaned workspaces", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// SweepOnce removes what sweeping removes, once.
func (w *Worker) SweepOnce(ctx context.Context) error {
	entries, err := os.ReadDir(w.o.WorkDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		dir := filepath.Join(w.o.WorkDir, e.Name())
		// Only what nobody will come back to is locked: who comes back just then
		// would have to begin anew in another folder.
		if !w.orphaned(ctx, dir) {
			continue
		}
		lock, err := filelock.TryFolder(dir, lockName)
		if err != nil {
			continue // somebody works there
		}
		d := &workspace{dir: dir, lock: lock}
		if w.orphaned(ctx, dir) {
			w.log.Info("removing orphaned workspace", "dir", dir)
			d.remove()
		}
		if err := d.unlock(); err != nil {
			return err
		}
	}
	return nil
}

// orphaned tells whether nobody will come back to a folder. Where the queue does
// not say, it is not.
func (w *Worker) orphaned(ctx context.Context, dir string) bool {
	path := filepath.Join(dir, ownerName)
	var o owner
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &o)
	}
	info, statErr := os.Stat(path)
	if err != nil || statErr != nil {
		return true // not yet or not any more a workspace, and not locked
	}
	if time.Since(info.ModTime()) > w.o.WorkspaceTTL {
		return true
	}
	j, err := w.o.Queue.Get(ctx, o.QueueID)
	if errors.Is(err, queue.ErrNotFound) {
		return true
	}
	return err == nil && (j.State == queue.StateCompleted || j.State == queue.StateFailed)
}

// outputPrefix is where a job's outputs are in storage, checkpointPrefix where
// its checkpoint is.
func outputPrefix(id string) string     { return "processed/" + id }
func checkpointPrefix(id string) string { return "checkpoints/" + id }

// mayHaveCheckpoint tells whether an earlier run may have left one.
func (r *run) mayHaveCheckpoint() bool {
	j := r.task.Job()
	return r.resumed || j.AttemptsStarted > 1 || j.Stalled > 0 || j.AttemptsMade > 0
}

// resume brings the checkpoint of a drained run back where this machine has
// nothing of its own.
func (r *run) resume(ctx context.Context) error {
	if r.w.o.Checkpoints == nil {
		return nil
	}
	if _, err := os.Stat(filepath.Join(r.dir.products(), "manifest.json")); err == nil {
		return nil
	}
	found, err := storage.LoadCheckpoint(ctx, r.w.o.Checkpoints, checkpointPrefix(r.req.jobID), r.dir.products())
	r.resumed = r.resumed || found || err != nil
	if found {
		r.w.o.Metrics.checkpoints.WithLabelValues(checkpointLoaded).Inc()
		r.note("going on from a checkpoint of another worker")
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(r.dir.products()))
	}
	return nil
}

// processedName is the note beside a result folder that is whole.
const processedName = "processed.json"

// processedNote is the content of that note.
type processedNote struct {
	Data   json.RawMessage `json:"data"` // the job's
	Build  string          `json:"build"`
	Result job.Result      `json:"result"`
}

// noteProcessed notes that the pipeline is through: a run that is killed while
// it publishes does not process again.
func (r *run) noteProcessed(result job.Result) error {
	data, err := json.Marshal(processedNote{Data: r.task.Job().Data, Build: r.w.o.Build, Result: result})
	if err == nil {
		err = os.WriteFile(filepath.Join(r.dir.dir, processedName), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("note what was processed: %w", err)
	}
	return nil
}

// processedBefore returns the result of an earlier run of the same data that is
// whole in the result folder.
func (r *run) processedBefore() (job.Result, bool) {
	var n processedNote
	data, err := os.ReadFile(filepath.Join(r.dir.dir, processedName))
	if err != nil || json.Unmarshal(data, &n) != nil || n.Build != r.w.o.Build {
		return job.Result{}, false
	}
	var had, have bytes.Buffer
	if json.Compact(&had, n.Data) != nil || json.Compact(&have, r.task.Job().Data) != nil || !bytes.Equal(had.Bytes(), have.Bytes()) {
		return job.Result{}, false
	}
	_, err = os.Stat(filepath.Join(r.dir.out(), pipeline.ResultFile))
	return n.Result, err == nil
}
