package las

import (
	"errors"
	"fmt"
)

// ErrNotLAS says that the input does not begin with the signature "LASF".
var ErrNotLAS = errors.New("not a LAS file: the signature LASF is missing; check that the upload is a .las or .laz file")

// ErrClosed says that a Reader or Writer was used after Close.
var ErrClosed = errors.New("las: already closed")

// FormatError tells where a file contradicts the specification in a way that
// could not be repaired, and what to do about it.
type FormatError struct {
	File   string // path of the file, empty where the input has none
	Offset int64  // byte offset in the file
	Msg    string // what is wrong and what to do
	Err    error  // the cause, may be nil
}

func (e *FormatError) Error() string {
	name := e.File
	if name == "" {
		name = "las input"
	}
	if e.Err != nil {
		return fmt.Sprintf("%s: at byte %d: %s: %v", name, e.Offset, e.Msg, e.Err)
	}
	return fmt.Sprintf("%s: at byte %d: %s", name, e.Offset, e.Msg)
}

// Unwrap gives the cause.
func (e *FormatError) Unwrap() error { return e.Err }

func formatErrorf(offset int64, format string, args ...any) *FormatError {
	return &FormatError{Offset: offset, Msg: fmt.Sprintf(format, args...)}
}
