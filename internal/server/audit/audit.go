// Package audit writes who did what: a line of JSON for each request that changed
// something or was refused, in a file that only grows until it is turned over.
package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Entry is one line.
type Entry struct {
	Time time.Time `json:"time"`
	// Who is the name of the token, Organisation the one it is of.
	Who          string `json:"who"`
	Organisation string `json:"organisation,omitempty"`
	// From is the address of the client's machine.
	From string `json:"from,omitempty"`
	// Action is submit, cancel, retry, purge, share, pause, resume, login, logout, …
	Action string         `json:"action"`
	JobID  string         `json:"jobId,omitempty"`
	Error  string         `json:"error,omitempty"`
	More   map[string]any `json:"more,omitempty"`
}

// The file is turned over at maxBytes; so many old ones are kept.
const (
	maxBytes = 64 << 20
	kept     = 4
)

// Log is the file. A nil Log writes nothing.
type Log struct {
	path string
	log  *slog.Logger

	mu   sync.Mutex
	file *os.File
	size int64
}

// Open opens the file for appending. Who else may read the folder may not read it.
func Open(path string, log *slog.Logger) (*Log, error) {
	l := &Log{path: path, log: log}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	return l, l.open()
}

func (l *Log) open() error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open audit log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("open audit log: %w", err), f.Close())
	}
	l.file, l.size = f, info.Size()
	return nil
}

// Write appends an entry. A log that cannot be written does not stop the work: it is
// said in the log of the program.
func (l *Log) Write(e Entry) {
	if l == nil {
		return
	}
	if e.Time.IsZero() {
		e.Time = time.Now().UTC()
	}
	line, err := json.Marshal(e)
	if err != nil {
		l.log.Error("audit log", "error", err)
		return
	}
	l.log.Info("audit", "who", e.Who, "organisation", e.Organisation, "action", e.Action, "jobId", e.JobID, "from", e.From)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > maxBytes {
		if err := l.turn(); err != nil {
			l.log.Error("audit log", "error", err)
		}
	}
	n, err := l.file.Write(append(line, '\n'))
	l.size += int64(n)
	if err != nil {
		l.log.Error("audit log", "error", err)
	}
}

// turn begins a new file; it must be called with mu held.
func (l *Log) turn() error {
	err := l.file.Close()
	for i := kept; i > 0; i-- {
		from := l.path
		if i > 1 {
			from = fmt.Sprintf("%s.%d", l.path, i-1)
		}
		if renameErr := os.Rename(from, fmt.Sprintf("%s.%d", l.path, i)); !errors.Is(renameErr, fs.ErrNotExist) {
			err = errors.Join(err, renameErr)
		}
	}
	return errors.Join(err, l.open())
}

// Close closes the file.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}
