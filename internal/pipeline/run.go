package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"slate360.ai/worker/internal/job"
)

// runner is one Run or MakePlan.
type runner struct {
	req      Request
	log      *slog.Logger
	ws       *workspace
	tasks    []*task // each after those it needs
	manifest *manifest
	unsaved  bool // the manifest on disk lacks a finished stage
	resumed  map[string]bool
	warnings []string // of the run, not of a stage
	shared   sharedHandles
	meter    *meter
}

// Run takes the source of req through the stages of def into req.OutDir and
// returns what is in its result.json. Stages that an earlier run finished in the
// same workspace, with products that are still whole, do not run again.
//
// Errors: *UsageError (no such stage or engine), *ConfigError (engine not
// installed, not enough memory), *BadInputError (from a stage), *LockedError;
// those of a stage are wrapped in a *StageError. Once ctx is done the error
// matches its cause, and a later Run goes on from the last finished stage. The
// result of a failed run has the status failed and what is known.
func Run(ctx context.Context, def Definition, req Request) (job.Result, error) {
	r, err := newRunner(ctx, def, req)
	if err != nil {
		return failed(req, err), err
	}
	if err := r.ws.open(); err != nil {
		err = explain(err, r.req.OutDir)
		return failed(req, err), err
	}
	result, err := r.runLocked(ctx)
	if closeErr := r.ws.close(); err == nil && closeErr != nil {
		err = fmt.Errorf("unlock workspace: %w", closeErr)
	}
	if err != nil {
		err = explain(err, r.req.OutDir)
		result = r.result()
		result.Status, result.Error = job.StatusFailed, err.Error()
	}
	return result, err
}

func failed(req Request, err error) job.Result {
	return job.Result{
		JobID: req.JobID, Status: job.StatusFailed, SourceFormat: req.Format,
		Outputs: []job.Output{}, Stages: []job.StageResult{}, Warnings: []string{}, Error: err.Error(),
	}
}

// newRunner checks the request without writing anything.
func newRunner(ctx context.Context, def Definition, req Request) (*runner, error) {
	req, err := req.complete()
	if err != nil {
		return nil, err
	}
	r := &runner{req: req, log: req.Logger, ws: newWorkspace(req.Workspace), resumed: map[string]bool{}}
	r.meter = newMeter(req.Sink)
	if err := r.makeTasks(ctx, def); err != nil {
		return nil, err
	}
	source, err := fingerprintOf(ctx, req.Source)
	if err != nil {
		return nil, err
	}
	r.manifest = &manifest{
		Version: manifestVersion, Pipeline: def.Name, Build: req.Build, JobID: req.JobID,
		Name: req.Name, Format: req.Format, Source: source, Stages: map[string]*stageRecord{},
	}
	return r, nil
}

// former returns the manifest an earlier run left, or nil where it does not fit,
// and what to tell the user of it.
func (r *runner) former(ctx context.Context) (*manifest, []string, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if r.req.Fresh {
		return nil, nil, nil
	}
	m, err := loadManifest(r.ws.manifestPath())
	if err != nil {
		return nil, []string{err.Error() + "; starting anew"}, nil
	}
	if m == nil || len(m.Stages) == 0 {
		return nil, nil, nil
	}
	if why := r.manifest.misfit(m); why != "" {
		return nil, []string{why + "; starting anew"}, nil
	}
	return m, nil, nil
}

// takeUp goes on from the manifest of an earlier run, or clears the workspace.
func (r *runner) takeUp(ctx context.Context) error {
	former, notes, err := r.former(ctx)
	if err != nil {
		return err
	}
	for _, note := range notes {
		r.note(note)
	}
	if former == nil {
		if err := r.ws.clear(); err != nil {
			return err
		}
	} else {
		r.manifest.Stages, r.manifest.Begun = former.Stages, former.Begun
		if r.manifest.JobID == "" {
			r.manifest.JobID = former.JobID
		}
	}
	if r.manifest.JobID == "" {
		r.manifest.JobID = job.NewID()
	}
	return nil
}

func (r *runner) runLocked(ctx context.Context) (_ job.Result, err error) {
	for _, msg := range r.req.Warnings {
		r.warnRun(msg)
	}
	if err := r.takeUp(ctx); err != nil {
		return job.Result{}, err
	}
	intact, err := r.intactStages(ctx)
	if err != nil {
		return job.Result{}, err
	}
	if err := r.dropStale(intact); err != nil {
		return job.Result{}, err
	}
	if err := r.saveManifest(); err != nil {
		return job.Result{}, err
	}
	stop := r.meter.run()
	err = r.schedule(ctx, intact)
	stop()
	if closeErr := r.shared.close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return job.Result{}, err
	}
	r.checkSource()
	return r.deliver(ctx)
}

// intactStages tells which finished stages' products verify.
func (r *runner) intactStages(ctx context.Context) (map[string]bool, error) {
	intact := map[string]bool{}
	for _, t := range r.tasks {
		rec := r.manifest.Stages[t.stage.Name]
		if rec == nil || !t.enabled || rec.Key != t.key {
			continue
		}
		ok, err := r.ws.intact(ctx, t.stage, rec, r.req.OutDir, r.req.Workers)
		if err != nil {
			return nil, fmt.Errorf("verify finished stage %s: %w", t.stage.Name, err)
		}
		intact[t.stage.Name] = ok
	}
	return intact, nil
}

// dropStale removes what stages left that did not finish, whose products are
// damaged, or that the options no longer ask for: nobody is to take it for
// present, and it may be what fills the disk.
func (r *runner) dropStale(intact map[string]bool) error {
	if err := r.ws.sweep(); err != nil {
		return err
	}
	for _, t := range r.tasks {
		if intact[t.stage.Name] {
			continue
		}
		delete(r.manifest.Stages, t.stage.Name)
		if begun := r.manifest.Begun[t.stage.Name]; begun != nil && t.enabled && begun.Key == t.key {
			continue // it may go on
		}
		delete(r.manifest.Begun, t.stage.Name)
		if err := r.ws.discard(t.stage); err != nil {
			return err
		}
	}
	return nil
}

// reusable returns the record of a stage that need not run: its products are
// whole and the same options, engine and inputs would be used again.
func (r *runner) reusable(t *task, intact bool) *stageRecord {
	rec := r.manifest.Stages[t.stage.Name]
	if rec == nil || !intact || rec.Key != t.key {
		return nil
	}
	if t.chosen && rec.Engine != t.engine.Name {
		return nil
	}
	inputs := r.inputDigests(t)
	if len(inputs) != len(rec.Inputs) {
		return nil
	}
	for name, digest := range inputs {
		if rec.Inputs[name] != digest {
			return nil
		}
	}
	return rec
}

// inputDigests returns the digests of the inputs that are there.
func (r *runner) inputDigests(t *task) map[string]string {
	digests := map[string]string{}
	for _, in := range t.stage.Inputs {
		for _, maker := range t.needs {
			if rec := r.manifest.Stages[maker.stage.Name]; rec != nil {
				if p, ok := rec.Products[in]; ok {
					digests[in] = p.Digest
				}
			}
		}
	}
	return digests
}

// outcome is what the goroutine of a stage reports.
type outcome struct {
	task   *task
	record *stageRecord
	err    error
}

// schedule runs all enabled stages that are not resumed: each as soon as those
// it needs are finished, as far as memory and workers allow.
func (r *runner) schedule(parent context.Context, intact map[string]bool) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	for _, t := range r.tasks {
		if t.enabled {
			r.meter.add(t)
		}
	}
	outcomes := make(chan outcome)
	var active int
	var failure error
	for {
		if failure == nil && ctx.Err() == nil {
			started, err := r.startReady(ctx, intact, outcomes)
			active += started
			if err != nil {
				failure = err
				cancel()
			}
		}
		if active == 0 {
			break
		}
		o := <-outcomes
		active--
		if err := r.conclude(o); err != nil && failure == nil && parent.Err() == nil {
			failure = err
			cancel()
		}
	}
	if r.unsaved {
		// Another stage had filled the disk; what it left is gone by now.
		failure = errors.Join(failure, r.saveManifest())
	}
	if parent.Err() != nil {
		return fmt.Errorf("stopped: %w", context.Cause(parent))
	}
	return failure
}

// saveManifest notes in unsaved whether finished stages are still to be written.
func (r *runner) saveManifest() error {
	err := r.manifest.save(r.ws.manifestPath())
	r.unsaved = err != nil
	return err
}

// startReady resumes or starts every stage that can be, and returns how many
// goroutines it started.
func (r *runner) startReady(ctx context.Context, intact map[string]bool, outcomes chan<- outcome) (started int, err error) {
	for _, t := range r.tasks {
		if !t.enabled || t.state != pending || !t.ready() {
			continue
		}
		if rec := r.reusable(t, intact[t.stage.Name]); rec != nil {
			r.resume(t, rec)
			continue
		}
		delete(r.manifest.Stages, t.stage.Name)
		if t.memory, err = t.estimate(); err != nil {
			return started, &StageError{Stage: t.stage.Name, Engine: t.engine.Name, Err: err}
		}
		warning, err := r.checkMemory(t)
		if err != nil {
			return started, err
		}
		if !r.fits(t) {
			continue
		}
		if warning != "" {
			t.context.Warn("%s", warning)
		}
		t.state = running
		t.inputs = r.inputDigests(t)
		if err := r.begin(t); err != nil {
			return started, err
		}
		t.context.before = r.result().Stages
		started++
		go func() { outcomes <- r.runStage(ctx, t) }()
	}
	return started, nil
}

// begin notes that an engine which can go on begins, and whether it does go on.
func (r *runner) begin(t *task) error {
	if !t.engine.Resumes {
		return nil
	}
	name := t.stage.Name
	begun := r.manifest.Begun[name]
	t.goesOn = begun != nil && begun.Engine == t.engine.Name && begun.Key == t.key && maps.Equal(begun.Inputs, t.inputs)
	if t.goesOn {
		return nil
	}
	if r.manifest.Begun == nil {
		r.manifest.Begun = map[string]*stageRecord{}
	}
	r.manifest.Begun[name] = &stageRecord{Engine: t.engine.Name, Key: t.key, Inputs: t.inputs}
	// What is there is not of this run: it has to go before the note is written.
	if err := r.ws.discard(t.stage); err != nil {
		return err
	}
	return r.saveManifest()
}

func (t *task) ready() bool {
	for _, n := range t.needs {
		if n.state != finished {
			return false
		}
	}
	return true
}

// fits tells whether a stage may start beside those that run. The first always
// may; no more run than there are workers.
func (r *runner) fits(t *task) bool {
	memory, count := t.memory, 0
	for _, other := range r.tasks {
		if other.state == running {
			memory += other.memory
			count++
		}
	}
	return count == 0 || (count < r.req.Workers && memory <= r.req.MemoryBudget)
}

func (r *runner) resume(t *task, rec *stageRecord) {
	t.state = finished
	r.resumed[t.stage.Name] = true
	res := rec.result(t.stage.Name, true)
	r.meter.finish(t, true)
	r.log.Info("stage resumed", "stage", t.stage.Name)
	r.meter.emit(job.Progress{
		Event: job.EventStageResumed, Stage: t.stage.Name, Title: t.stage.title(), Status: t.stage.status(), Engine: rec.Engine,
		StagePercent: 100, Result: &res,
	})
}

func (rec *stageRecord) result(name string, resumed bool) job.StageResult {
	return job.StageResult{Name: name, Engine: rec.Engine, Seconds: rec.Seconds, PeakBytes: rec.Peak, Resumed: resumed}
}

// conclude takes a finished stage into the manifest.
func (r *runner) conclude(o outcome) error {
	t := o.task
	t.state = finished
	if o.err != nil {
		r.meter.drop(t)
		return &StageError{Stage: t.stage.Name, Engine: t.engine.Name, Err: o.err}
	}
	r.manifest.Stages[t.stage.Name] = o.record
	delete(r.manifest.Begun, t.stage.Name)
	r.meter.finish(t, false)
	if err := r.saveManifest(); err != nil {
		return err
	}
	res := o.record.result(t.stage.Name, false)
	r.log.Info("stage finished", "stage", res.Name, "engine", res.Engine, "seconds", res.Seconds, "peak", res.PeakBytes)
	r.meter.emit(job.Progress{
		Event: job.EventStageFinished, Stage: t.stage.Name, Title: t.stage.title(), Status: t.stage.status(), Engine: res.Engine,
		StagePercent: 100, Result: &res,
	})
	return nil
}

// runStage runs the engine of a stage and collects what it made.
func (r *runner) runStage(ctx context.Context, t *task) (o outcome) {
	o.task = t
	defer func() {
		o.err = caught(recover(), o.err)
		if p := (*PanicError)(nil); errors.As(o.err, &p) {
			r.log.Error("stage panicked", "stage", t.stage.Name, "panic", p.Value, "stack", string(p.Stack))
		}
		// Half a product is of no use and may be what fills the disk. An
		// interruption does not wait for it: the next run clears it away.
		if o.err != nil && ctx.Err() == nil {
			o.err = errors.Join(o.err, r.ws.discard(t.stage))
		}
	}()
	// A product is often a mapped file: where the disk fails under it, that
	// becomes an error of the stage instead of the end of the process.
	debug.SetPanicOnFault(true)
	if t.goesOn {
		o.err = r.ws.discardScratch(t.stage)
	} else {
		o.err = r.ws.discard(t.stage)
	}
	if o.err != nil {
		return o
	}
	if o.err = os.MkdirAll(r.ws.products, 0o777); o.err != nil {
		return o
	}
	r.log.Info("stage started", "stage", t.stage.Name, "engine", t.engine.Name, "memory", t.memory)
	r.meter.begin(t)
	r.meter.emit(job.Progress{
		Event: job.EventStageStarted, Stage: t.stage.Name, Title: t.stage.title(), Status: t.stage.status(), Engine: t.engine.Name,
	})
	start := time.Now()
	if o.err = t.engine.Run(ctx, t.context); o.err != nil {
		return o
	}
	if o.err = ctx.Err(); o.err != nil {
		return o
	}
	if o.record, o.err = r.collect(ctx, t); o.err != nil {
		return o
	}
	o.err = os.RemoveAll(r.ws.scratch(t.stage.Name))
	r.meter.samplePeak()
	o.record.Seconds = time.Since(start).Seconds()
	o.record.Peak = t.context.peak.Load()
	return o
}

// caught returns a recovered panic as a *PanicError, else err.
func caught(recovered any, err error) error {
	if recovered == nil {
		return err
	}
	return &PanicError{Value: recovered, Stack: debug.Stack()}
}

// warn hands on a warning of a stage. Warnings are for the user and reach them as
// events and in the result; the log has them beside what else went on.
func (r *runner) warn(s *Stage, msg string) {
	r.log.Info("warned", "stage", s.Name, "warning", msg)
	r.meter.emit(job.Progress{Event: job.EventWarning, Stage: s.Name, Title: s.title(), Message: msg})
}

// warnRun warns of what no single stage is to blame for.
func (r *runner) warnRun(msg string) {
	r.warnings = append(r.warnings, msg)
	r.log.Info("warned", "warning", msg)
	r.meter.emit(job.Progress{Event: job.EventWarning, Message: msg})
}

func (r *runner) note(msg string) {
	r.log.Info(msg)
	r.meter.emit(job.Progress{Event: job.EventNote, Message: msg})
}

// checkSource warns where the source was changed under the run's hands.
func (r *runner) checkSource() {
	size, modTime, err := sourceState(r.req.Source)
	was := r.manifest.Source
	if err == nil && size == was.Size && modTime == was.ModTime {
		return
	}
	msg := filepath.Base(r.req.Source) + " changed while it was processed: the outputs may be of neither state"
	r.warnRun(msg)
}
