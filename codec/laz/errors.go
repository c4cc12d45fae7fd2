package laz

import (
	"errors"
	"fmt"
)

// ErrCorrupt is wrapped by every error that compressed data itself is to blame
// for.
var ErrCorrupt = errors.New("compressed points are corrupt")

// ErrUnsupported is wrapped by errors about compression that this package does
// not read or write.
var ErrUnsupported = errors.New("unsupported LASzip compression")

func corruptf(format string, args ...any) error {
	return fmt.Errorf("laz: %w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

func unsupportedf(format string, args ...any) error {
	return fmt.Errorf("laz: %w: %s", ErrUnsupported, fmt.Sprintf(format, args...))
}
