//go:build !unix

package mapped

import (
	"io"
	"os"
)

// mapFile reads the file: there is no mapping on this system.
func mapFile(f *os.File, size int) ([]byte, error) {
	data := make([]byte, size)
	_, err := io.ReadFull(f, data)
	return data, err
}

func unmap([]byte) error { return nil }
