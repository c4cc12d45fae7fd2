// Package filelock holds folders against other processes: an exclusive lock on a
// file in them, which the system takes away when its process ends.
package filelock

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrHeld says that another process, or another part of this one, has the lock.
var ErrHeld = errors.New("locked by another process")

// Folder is a locked folder.
type Folder struct{ f *os.File }

// TryFolder makes dir where it is not there, and locks the file name in it
// without waiting: ErrHeld.
func TryFolder(dir, name string) (*Folder, error) {
	path := filepath.Join(dir, name)
	for {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return nil, fmt.Errorf("make folder: %w", err)
		}
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if errors.Is(err, os.ErrNotExist) {
			continue // somebody removed the folder meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("lock folder: %w", err)
		}
		if err := Lock(f); err != nil {
			_ = f.Close() // it was only opened for the lock
			return nil, err
		}
		if SameFile(f, path) {
			return &Folder{f: f}, nil
		}
		_ = f.Close() // its folder was removed after we opened it
	}
}

// Unlock lets others in again.
func (l *Folder) Unlock() error { return l.f.Close() }

// SameFile tells whether path still names the open file f: whoever held the lock
// before may have removed it, and a lock on it then holds nobody off.
func SameFile(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}
