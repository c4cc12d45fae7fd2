package worker

import (
	"context"
	"errors"
	"strings"

	"slate360.ai/worker/internal/engine"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/source"
)

// permanent tells whether trying the job again would fail in the same way: what
// is wrong with it is its source, its options, or what this version can do.
func permanent(err error) bool {
	var (
		payload *PayloadError
		option  *job.OptionError
		bad     *pipeline.BadInputError
		usage   *pipeline.UsageError
		unknown *source.UnknownFormatError
		fetch   *source.FetchError
		archive *source.ArchiveError
		marked  *queue.PermanentError
	)
	switch {
	case errors.As(err, &fetch):
		return !fetch.Temporary
	case errors.As(err, &payload), errors.As(err, &option), errors.As(err, &bad), errors.As(err, &usage),
		errors.As(err, &unknown), errors.As(err, &archive), errors.As(err, &marked),
		errors.Is(err, source.ErrEmpty), errors.Is(err, queue.ErrCanceled):
		return true
	}
	return false
}

// details says of an error what the column error_details shows.
func details(err error, attempt int, final bool) record.ErrorDetails {
	d := record.ErrorDetails{Attempt: attempt, Permanent: final}
	var (
		step    *stepError
		stage   *pipeline.StageError
		program *engine.ExitError
		bad     *pipeline.BadInputError
		machine *pipeline.ConfigError
		fetch   *source.FetchError
	)
	if errors.As(err, &step) {
		d.Stage = step.step
	}
	if errors.As(err, &stage) {
		d.Stage, d.Engine = stage.Stage, stage.Engine
	}
	if errors.As(err, &program) {
		d.Log = strings.Join(program.Tail, "\n")
	}
	switch {
	case errors.As(err, &bad) && bad.Hint != "":
		d.Hint = bad.Hint
	case errors.As(err, &machine):
		d.Hint = machine.Hint
	case errors.As(err, &fetch):
		d.Stage, d.Hint = stepFetch, fetch.Hint
	}
	if d.Hint == "" {
		d.Hint = hint(err)
	}
	return d
}

// hint says what a person can do where the error itself does not.
func hint(err error) string {
	var panicked *pipeline.PanicError
	switch {
	case errors.As(err, &panicked):
		return "this is a defect of the program: please report it with the log of the worker"
	case errors.Is(err, queue.ErrCanceled):
		return "submit the job again if it is still wanted"
	case errors.Is(err, errTimeout):
		return "raise SLATE360_JOB_TIMEOUT, or ask for fewer outputs; a retry goes on from the last finished stage"
	case permanent(err):
		return "the source or the options have to change; trying again gives the same"
	}
	return "retry the job; if it fails in the same way, see the log of the worker"
}

// stepError says in what step around the pipeline a job failed.
type stepError struct {
	step string
	err  error
}

func (e *stepError) Error() string { return e.step + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

func inStep(step string, err error) error {
	if err == nil {
		return nil
	}
	return &stepError{step: step, err: err}
}

// ended returns why ctx ended, as far as it is one of the reasons that decide how
// the job goes on; else err.
func ended(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	for _, reason := range []error{queue.ErrLost, queue.ErrCanceled, errDrain, errTimeout} {
		if errors.Is(cause, reason) {
			return reason
		}
	}
	return err
}
