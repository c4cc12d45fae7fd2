// Package upload takes in what people send: resumable uploads by the protocol tus
// 1.0 (https://tus.io/protocols/resumable-upload, with the extensions creation,
// creation-with-upload, termination, checksum and expiration), and whole forms. What
// came in becomes the source of a job.
//
// The protocol is tusd's; files are kept here: below the folder partial as long as
// they are uploads, below jobs/<jobId> once a job has them. Content goes straight to
// disk, whatever its size.
package upload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/host"
	"slate360.ai/worker/internal/server/auth"
	"slate360.ai/worker/internal/server/problem"
	"slate360.ai/worker/internal/storage"
)

// Options of a Store.
type Options struct {
	// Dir is the folder; it is made where it does not exist.
	Dir string
	// MaxBytes of one upload, and of all files of one job.
	MaxBytes int64
	// MaxFiles of one job; MaxPending unfinished uploads of one organisation.
	MaxFiles, MaxPending int
	// TTL is how long an upload that nobody goes on with is kept, and the source of a
	// job that failed.
	TTL time.Duration
	// Reserve in bytes stays free on the disk.
	Reserve int64
	// Storage is where sources go that workers elsewhere need; Local says that the
	// workers read files of this machine.
	Storage storage.Store
	Local   bool
	Logger  *slog.Logger
}

// Store keeps uploads.
type Store struct {
	o   Options
	log *slog.Logger
	in  atomic.Int64 // bytes that came in

	mu    sync.Mutex
	files map[string]*file // by the ID of the upload
	usage map[string]*usage
}

// file is one upload.
type file struct {
	note
	offset int64
}

// note is what is kept beside the content of an upload.
type note struct {
	ID           string            `json:"id"`
	Size         int64             `json:"size"`
	Path         string            `json:"path"` // relative, clean
	Metadata     map[string]string `json:"metadata"`
	Organisation string            `json:"organisation,omitempty"`
	Expires      time.Time         `json:"expires"`
}

// usage is what an organisation uploaded on a day.
type usage struct {
	Day   string `json:"day"`
	Bytes int64  `json:"bytes"`
}

const (
	partialDir = "partial"
	jobsDir    = "jobs"
	noteExt    = ".json"
	usageName  = "usage.json"
)

// Open opens or makes the folder, and takes up what an earlier run left.
func Open(o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for _, dir := range []string{partialDir, jobsDir} {
		if err := os.MkdirAll(filepath.Join(o.Dir, dir), 0o700); err != nil {
			return nil, fmt.Errorf("open folder of uploads: %w", err)
		}
	}
	s := &Store{o: o, log: o.Logger, files: map[string]*file{}, usage: map[string]*usage{}}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("open folder of uploads: %w", err)
	}
	return s, nil
}

func (s *Store) load() error {
	entries, err := os.ReadDir(filepath.Join(s.o.Dir, partialDir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), noteExt)
		if !ok {
			continue
		}
		data, err := os.ReadFile(s.notePath(id))
		if err != nil {
			return err
		}
		f := &file{}
		info, statErr := os.Stat(s.contentPath(id))
		if json.Unmarshal(data, &f.note) != nil || f.ID != id || statErr != nil {
			s.log.Warn("an upload is damaged and is removed", "id", id)
			if err := s.remove(id); err != nil {
				return err
			}
			continue
		}
		f.offset = min(info.Size(), f.Size)
		s.files[id] = f
	}
	data, err := os.ReadFile(filepath.Join(s.o.Dir, usageName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && json.Unmarshal(data, &s.usage) != nil {
		s.usage = map[string]*usage{}
	}
	return err
}

// MaxBytes is the most that one upload may have.
func (s *Store) MaxBytes() int64 { return s.o.MaxBytes }

// Received is how many bytes came in so far.
func (s *Store) Received() int64 { return s.in.Load() }

// Count counts an upload that goes to the storage by itself against the quota.
func (s *Store) Count(p auth.Principal, size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.take(p, size)
}

func (s *Store) contentPath(id string) string { return filepath.Join(s.o.Dir, partialDir, id) }
func (s *Store) notePath(id string) string    { return s.contentPath(id) + noteExt }

func (s *Store) remove(id string) error {
	var errs []error
	for _, p := range []string{s.notePath(id), s.contentPath(id)} {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// writeNote must be called with mu held.
func (s *Store) writeNote(f *file) error {
	data, err := json.Marshal(f.note)
	if err != nil {
		return err
	}
	return replaceFile(s.notePath(f.ID), data)
}

// replaceFile writes a file that is there whole or not at all.
func replaceFile(path string, data []byte) error {
	temp := path + ".new"
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// admit tells whether there is room for an upload of size bytes, and counts it
// against the quota of the day. It must be called with mu held.
func (s *Store) admit(p auth.Principal, size int64) error {
	if err := s.fits(p, size); err != nil {
		return err
	}
	return s.take(p, size)
}

func tooLarge(limit int64) error {
	return problem.New(http.StatusRequestEntityTooLarge, "it is larger than %s", format.Bytes(limit)).
		Kind("too-large", "The upload is too large").Advise("see SLATE360_MAX_UPLOAD, or name an address to fetch it from")
}

// fits tells whether there is room for size bytes more of a caller beside all that
// was promised already. It must be called with mu held.
func (s *Store) fits(p auth.Principal, size int64) error {
	if size > s.o.MaxBytes {
		return tooLarge(s.o.MaxBytes)
	}
	var promised int64
	pending := 0
	for _, f := range s.files {
		promised += f.Size - f.offset
		if f.Organisation == p.Organisation && f.offset < f.Size {
			pending++
		}
	}
	if pending >= s.o.MaxPending {
		return problem.New(http.StatusTooManyRequests, "%d uploads are unfinished", pending).Kind("too-many-uploads", "Too many uploads at once").
			Advise("finish or delete some").With("Retry-After", "60")
	}
	if free := host.FreeDisk(s.o.Dir); free >= 0 && size+promised+s.o.Reserve > free {
		return problem.New(http.StatusInsufficientStorage, "there is room for %s beside SLATE360_DISK_RESERVE and the uploads under way",
			format.Bytes(max(0, free-promised-s.o.Reserve))).Kind("disk-full", "There is no room for it").
			Advise("wait until jobs are done, or make room on the disk of SLATE360_DATA_DIR")
	}
	return nil
}

// within tells whether size bytes more are within the quota of the day. It must be
// called with mu held.
func (s *Store) within(p auth.Principal, size int64) error {
	used := s.today(p).Bytes
	if most := p.Quota.BytesPerDay; most > 0 && used+size > most {
		return problem.New(http.StatusTooManyRequests, "%s were uploaded today, of the %s that the organisation may", format.Bytes(used), format.Bytes(most)).
			Kind("quota", "The quota is used up").Advise("it begins anew at midnight UTC").With("Retry-After", "3600")
	}
	return nil
}

// today must be called with mu held.
func (s *Store) today(p auth.Principal) *usage {
	day := time.Now().UTC().Format(time.DateOnly)
	u := s.usage[p.Organisation]
	if u == nil || u.Day != day {
		u = &usage{Day: day}
		s.usage[p.Organisation] = u
	}
	return u
}

// take counts bytes against the quota of the day. It must be called with mu held.
func (s *Store) take(p auth.Principal, size int64) error {
	if err := s.within(p, size); err != nil {
		return err
	}
	s.today(p).Bytes += size
	data, err := json.Marshal(s.usage)
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(s.o.Dir, usageName), data)
}

// sweepInterval is how often what nobody needs any more is looked for.
const sweepInterval = time.Minute

// Run removes uploads that have expired and sources of jobs that are done, until ctx
// is done. needed tells whether a job still needs its source, and since when it is
// at its end where it may be tried again.
func (s *Store) Run(ctx context.Context, needed func(ctx context.Context, jobID string) (Need, error)) {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		if err := s.Sweep(ctx, time.Now(), needed); err != nil && ctx.Err() == nil {
			s.log.Warn("old uploads", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Need says whether a job still needs its source.
type Need int

// The needs of a job.
const (
	// Needed by a job that waits or runs.
	Needed Need = iota
	// Perhaps needed: the job failed, and may be tried again.
	Perhaps
	// Unneeded: the job is completed.
	Unneeded
	// Unknown: there is no such job, or not yet.
	Unknown
)

// graceUnknown is how long the source of a job that nobody knows is kept: it may be
// about to be submitted.
const graceUnknown = time.Hour

// Sweep removes what Run removes, once.
func (s *Store) Sweep(ctx context.Context, now time.Time, needed func(ctx context.Context, jobID string) (Need, error)) error {
	s.mu.Lock()
	for id, f := range s.files {
		if now.After(f.Expires) {
			delete(s.files, id)
			if err := s.remove(id); err != nil {
				s.log.Warn("an upload that has expired", "id", id, "error", err)
			}
		}
	}
	s.mu.Unlock()
	entries, err := os.ReadDir(filepath.Join(s.o.Dir, jobsDir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			continue // it is gone
		}
		age := now.Sub(info.ModTime())
		need, err := needed(ctx, e.Name())
		if err != nil {
			return err
		}
		if need == Unneeded || need == Perhaps && age > s.o.TTL || need == Unknown && age > graceUnknown {
			if err := s.Discard(ctx, e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Offset is how many bytes of an upload are here, -1 where there is no such upload.
func (s *Store) Offset(id string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.files[id]
	if f == nil {
		return -1
	}
	return f.offset
}
