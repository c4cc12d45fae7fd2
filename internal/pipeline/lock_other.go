//go:build !unix

package pipeline

import (
	"errors"
	"os"
)

var errLocked = errors.New("locked by another process")

// lockFile does nothing: these systems have no flock, and are not among those
// the product is released for.
func lockFile(*os.File) error { return nil }
