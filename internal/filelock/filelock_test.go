package filelock

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	first, err := TryFolder(dir, "lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := TryFolder(dir, "lock"); !errors.Is(err, ErrHeld) {
		t.Errorf("second lock: %v", err)
	}
	// A lock on a file that was removed holds nobody off any more.
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	second, err := TryFolder(dir, "lock")
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Unlock(); err != nil {
		t.Error(err)
	}
	if _, err := TryFolder(dir, "lock"); !errors.Is(err, ErrHeld) {
		t.Errorf("third lock: %v", err)
	}
	if err := second.Unlock(); err != nil {
		t.Error(err)
	}
}
