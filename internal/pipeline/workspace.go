package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"slate360.ai/worker/internal/filelock"
)

// workspace is the folder in which a job's stages leave what they make:
//
//	lock             held while a process works here
//	manifest.json    what finished stages made
//	products/<name>  products
//	outputs/<stage>  outputs, until they move into the result folder
//	tmp/<stage>      scratch of a running stage
type workspace struct {
	dir      string
	products string
	lock     *os.File
}

func newWorkspace(dir string) *workspace {
	return &workspace{dir: dir, products: filepath.Join(dir, "products")}
}

func (w *workspace) staging(stage string) string { return filepath.Join(w.dir, "outputs", stage) }

func (w *workspace) scratch(stage string) string { return filepath.Join(w.dir, "tmp", stage) }

func (w *workspace) manifestPath() string { return filepath.Join(w.dir, "manifest.json") }

func (w *workspace) lockPath() string { return filepath.Join(w.dir, "lock") }

// open makes the folder and locks it against other processes.
func (w *workspace) open() error {
	if err := os.MkdirAll(w.products, 0o777); err != nil {
		return fmt.Errorf("create workspace: %w", err)
	}
	for {
		f, err := os.OpenFile(w.lockPath(), os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return fmt.Errorf("lock workspace: %w", err)
		}
		if err := filelock.Lock(f); err != nil {
			held := &LockedError{Workspace: w.dir, PID: readPID(f)}
			_ = f.Close()
			if errors.Is(err, filelock.ErrHeld) {
				return held
			}
			return fmt.Errorf("lock workspace %s: %w", w.dir, err)
		}
		// The process that held it before may have removed the file meanwhile:
		// then this lock holds nobody off.
		if filelock.SameFile(f, w.lockPath()) {
			w.lock = f
			return writePID(f)
		}
		_ = f.Close()
		if err := os.MkdirAll(w.products, 0o777); err != nil {
			return fmt.Errorf("create workspace: %w", err)
		}
	}
}

func readPID(f *os.File) int {
	buf := make([]byte, 32)
	n, _ := f.ReadAt(buf, 0) // an empty or unreadable file names nobody
	pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil {
		return 0
	}
	return pid
}

// writePID notes who holds the lock. A full disk is not an error here: the lock
// holds without it.
func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("lock workspace: %w", err)
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil && !isDiskFull(err) {
		return fmt.Errorf("lock workspace: %w", err)
	}
	return nil
}

// close lets others in again.
func (w *workspace) close() error {
	if w.lock == nil {
		return nil
	}
	err := w.lock.Close()
	w.lock = nil
	return err
}

// sweep removes scratch, and the new manifests of runs that were killed while
// they wrote them.
func (w *workspace) sweep() error {
	errs := []error{os.RemoveAll(filepath.Join(w.dir, "tmp"))}
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return fmt.Errorf("read workspace: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".manifest.json-") {
			errs = append(errs, os.Remove(filepath.Join(w.dir, e.Name())))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("clear workspace: %w", err)
	}
	return nil
}

// clear removes what earlier runs left.
func (w *workspace) clear() error {
	for _, name := range []string{"manifest.json", "products", "outputs", "tmp"} {
		if err := os.RemoveAll(filepath.Join(w.dir, name)); err != nil {
			return fmt.Errorf("clear workspace: %w", err)
		}
	}
	if err := os.MkdirAll(w.products, 0o777); err != nil {
		return fmt.Errorf("create workspace: %w", err)
	}
	return w.sweep()
}

// remove takes the workspace away; files that are not ours stay, and the folder
// with them.
func (w *workspace) remove() error {
	if err := w.clear(); err != nil {
		return err
	}
	err := errors.Join(os.RemoveAll(w.products), os.Remove(w.lockPath()))
	if err != nil {
		return fmt.Errorf("remove workspace: %w", err)
	}
	if err := os.Remove(w.dir); err != nil {
		if entries, readErr := os.ReadDir(w.dir); readErr == nil && len(entries) > 0 {
			return nil
		}
		return fmt.Errorf("remove workspace: %w", err)
	}
	return nil
}

// discard removes what a stage left.
func (w *workspace) discard(s *Stage) error {
	for _, p := range s.Outputs {
		if err := os.RemoveAll(filepath.Join(w.products, p)); err != nil {
			return fmt.Errorf("discard former work of stage %s: %w", s.Name, err)
		}
	}
	return w.discardScratch(s)
}

// discardScratch removes what a stage left beside its products.
func (w *workspace) discardScratch(s *Stage) error {
	for _, p := range []string{w.staging(s.Name), w.scratch(s.Name)} {
		if err := os.RemoveAll(p); err != nil {
			return fmt.Errorf("discard former work of stage %s: %w", s.Name, err)
		}
	}
	return nil
}

// listFiles returns the regular files at or below path, relative to it with
// forward slashes ("." for path itself), in lexical order. Anything but files
// and folders is an error: a link could point out of the workspace.
func listFiles(path string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return nil
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a folder", p)
		}
		rel, err := filepath.Rel(path, p)
		if err != nil {
			return err
		}
		files = append(files, filepath.ToSlash(rel))
		return nil
	})
	return files, err
}
