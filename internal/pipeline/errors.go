package pipeline

import (
	"errors"
	"fmt"
)

// BadInputError says that the source itself cannot be processed. It is
// permanent: the same source fails in the same way again.
type BadInputError struct {
	Err error
	// Hint says what the user can do; may be empty.
	Hint string
}

// BadInput wraps err as a BadInputError; a nil err stays nil.
func BadInput(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &BadInputError{Err: err, Hint: hint}
}

func (e *BadInputError) Error() string { return withHint(e.Err.Error(), e.Hint) }

// Unwrap returns the cause.
func (e *BadInputError) Unwrap() error { return e.Err }

// ConfigError says that this machine or its configuration, not the source,
// is in the way: an engine that is not installed, too little memory.
type ConfigError struct {
	Err  error
	Hint string
}

func (e *ConfigError) Error() string { return withHint(e.Err.Error(), e.Hint) }

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// UsageError says that what was asked for does not exist: a stage or an engine.
type UsageError struct{ Msg string }

func (e *UsageError) Error() string { return e.Msg }

// LockedError says that another process works in the workspace.
type LockedError struct {
	Workspace string
	// PID is that of the other process, 0 where it is unknown.
	PID int
}

func (e *LockedError) Error() string {
	who := "another process"
	if e.PID > 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("%s works in %s: wait for it, or choose another --out", who, e.Workspace)
}

// PanicError is a panic of a stage, caught: a defect of the program that must
// not take the other work with it.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("internal error: %v (a defect of slate360-worker; please report it with the log)", e.Value)
}

// StageError says in which stage, done by which engine, a job failed.
type StageError struct {
	Stage, Engine string
	Err           error
}

func (e *StageError) Error() string {
	if e.Engine == "" || e.Engine == EngineNative {
		return fmt.Sprintf("stage %s: %v", e.Stage, e.Err)
	}
	return fmt.Sprintf("stage %s (%s): %v", e.Stage, e.Engine, e.Err)
}

// Unwrap returns the cause.
func (e *StageError) Unwrap() error { return e.Err }

func withHint(msg, hint string) string {
	if hint == "" {
		return msg
	}
	return msg + ": " + hint
}

// ErrNoSource is returned for a request without a source file.
var ErrNoSource = errors.New("no source file")
