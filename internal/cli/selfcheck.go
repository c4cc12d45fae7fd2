package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"slate360.ai/worker/internal/config"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/storage"
)

type selfCheckFlags struct {
	timeout                  time.Duration
	withWorker, keep, asJSON bool
}

func (p *Program) selfCheckCommand() *cobra.Command {
	f := &selfCheckFlags{}
	c := &cobra.Command{
		Use:   "self-check",
		Short: "Run a small job through the queue, the storage and the records that are configured",
		Long: `Shows that a deployment works, after it was made or changed: puts a small synthetic
scan into the storage, a job for it on the queue, and waits for the worker that takes
it. Then the record must be completed, each output must be in the storage with the
digest that the result names, and the platform must accept a signed callback. All
that was made is removed again.

A worker has to be running, or has to be started by the autoscaler within --timeout.
With --with-worker one runs inside this command; it takes other jobs of the queue,
too, and what it has not finished goes back.

Ends with 0 where all is in order, 1 where a step failed, 5 where a service that is
configured cannot be used.`,
		Example: "  " + Name + " self-check\n  " + Name + " self-check --timeout 20m --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.timeout <= 0 {
				return usagef("--timeout: want a duration above 0, got %s", f.timeout)
			}
			c, err := load()
			if err != nil {
				return err
			}
			return p.selfCheck(cmd.Context(), c, f)
		},
	}
	flags := c.Flags()
	flags.DurationVar(&f.timeout, "timeout", 5*time.Minute, "what the job gets to be taken and done; more where a machine has to start first")
	flags.BoolVar(&f.withWorker, "with-worker", false, "run a worker inside")
	flags.BoolVar(&f.keep, "keep", false, "leave source, outputs, record and job as they are")
	flags.BoolVar(&f.asJSON, "json", false, "a JSON line for each step")
	return c
}

// The states of a step of the check.
const (
	stepOK      = "ok"
	stepWarning = "warning"
	stepSkipped = "skipped"
	stepFailed  = "failed"
)

// checkStep is what is said of a step.
type checkStep struct {
	Step    string  `json:"step"`
	State   string  `json:"state"`
	Seconds float64 `json:"seconds"`
	Detail  string  `json:"detail,omitempty"`
	Problem string  `json:"problem,omitempty"`
	Hint    string  `json:"hint,omitempty"`
}

// hintedError is the error of a step with what a person can do.
type hintedError struct {
	error
	hint string
}

func (e *hintedError) Unwrap() error { return e.error }

// outcome of a step that did not fail.
type outcome struct{ state, detail string }

func okf(format string, args ...any) (outcome, error) {
	return outcome{stepOK, fmt.Sprintf(format, args...)}, nil
}

func warningf(format string, args ...any) (outcome, error) {
	return outcome{stepWarning, fmt.Sprintf(format, args...)}, nil
}

func skippedf(format string, args ...any) (outcome, error) {
	return outcome{stepSkipped, fmt.Sprintf(format, args...)}, nil
}

// selfCheck is one run of the check.
type selfCheck struct {
	p *Program
	c config.Config
	f *selfCheckFlags

	id      string // of the job
	queue   queue.Queue
	records record.Store
	storage storage.Store
	source  string // address of the sample, as the job names it
	result  job.Result
	// began says that there may be something to remove.
	began bool
}

func (p *Program) selfCheck(ctx context.Context, c config.Config, f *selfCheckFlags) (err error) {
	s := &selfCheck{p: p, c: c, f: f, id: job.NewID()}
	defer func() { err = errors.Join(err, s.close()) }()
	err = s.runSteps(ctx)
	if s.began && !f.keep {
		// Also after an interruption: what the check made is nobody's.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, s.step(ctx, "clean up", s.cleanUp))
	}
	return err
}

func (s *selfCheck) runSteps(ctx context.Context) error {
	steps := []struct {
		name string
		do   func(ctx context.Context) (outcome, error)
	}{
		{"queue", s.openQueue},
		{"records", s.openRecords},
		{"storage", s.openStorage},
		{"source", s.upload},
		{"record", s.createRecord},
		{"callback", s.probeCallback},
		{"job", s.runJob},
		{"outputs", s.checkOutputs},
		{"record done", s.checkRecord},
		{"address", s.checkAddress},
		{"outbox", s.checkOutbox},
	}
	for _, step := range steps {
		if err := s.step(ctx, step.name, step.do); err != nil {
			return err
		}
	}
	return nil
}

// step runs a step and says how it went.
func (s *selfCheck) step(ctx context.Context, name string, do func(ctx context.Context) (outcome, error)) error {
	start := time.Now()
	o, err := do(ctx)
	said := checkStep{Step: name, State: o.state, Detail: o.detail, Seconds: time.Since(start).Seconds()}
	if err != nil {
		said.State, said.Problem = stepFailed, err.Error()
		var machine *pipeline.ConfigError
		var hinted *hintedError
		if errors.As(err, &machine) {
			said.Problem, said.Hint = machine.Err.Error(), machine.Hint
		} else if errors.As(err, &hinted) {
			said.Hint = hinted.hint
		}
	}
	if sayErr := s.say(said); sayErr != nil {
		return errors.Join(err, sayErr)
	}
	if err != nil {
		return &shownError{fmt.Errorf("%s: %w", name, err)}
	}
	return nil
}

func (s *selfCheck) say(step checkStep) error {
	if s.f.asJSON {
		return json.NewEncoder(s.p.Stdout).Encode(step)
	}
	text := step.Detail + step.Problem
	if step.Hint != "" {
		text += "; " + step.Hint
	}
	_, err := fmt.Fprintf(s.p.Stdout, "%-8s %-12s %8.3f s  %s\n", step.State, step.Step, step.Seconds, text)
	return err
}

func (s *selfCheck) close() error {
	var errs []error
	if s.storage != nil {
		errs = append(errs, s.storage.Close())
	}
	if s.records != nil {
		errs = append(errs, s.records.Close())
	}
	if s.queue != nil {
		errs = append(errs, s.queue.Close())
	}
	return errors.Join(errs...)
}

// cleanUp removes all that the check made.
func (s *selfCheck) cleanUp(ctx context.Context) (outcome, error) {
	var errs []error
	n := 0
	for _, prefix := range []string{"processed/" + s.id + "/", "checkpoints/" + s.id + "/", sourcePrefix(s.id)} {
		var keys []string
		err := s.storage.List(ctx, prefix, func(i storage.Info) error {
			keys = append(keys, i.Key)
			return nil
		})
		n += len(keys)
		errs = append(errs, err, s.storage.Delete(ctx, keys...))
	}
	if !s.recordsApart() {
		errs = append(errs, s.records.Delete(ctx, s.id))
	}
	// A job that is still active stays, canceled; its worker ends it.
	if err := s.queue.Remove(ctx, s.id); err != nil && !errors.Is(err, queue.ErrNotFound) && !errors.Is(err, queue.ErrState) {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return outcome{}, err
	}
	return okf("%d objects, the record and the job are removed", n)
}

// recordsApart tells that each worker has records of its own, which cannot be seen
// from here.
func (s *selfCheck) recordsApart() bool { return s.c.EmbeddedRecords() && !s.c.EmbeddedQueue() }

// sourcePrefix is where the sample of a check lies.
func sourcePrefix(id string) string { return "uploads/self-check-" + id + "/" }

// tempDir makes a folder that is gone after f.
func tempDir(f func(dir string) error) (err error) {
	dir, err := os.MkdirTemp("", Name+"-self-check-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return f(dir)
}
