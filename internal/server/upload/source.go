package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/server/auth"
	"slate360.ai/worker/internal/server/problem"
	"slate360.ai/worker/internal/source"
	"slate360.ai/worker/internal/storage"
)

// maxDepth bounds the folders of a path.
const maxDepth = 32

// CleanPath makes a relative path of text that came from outside, each part a safe
// file name; empty where nothing is left of it.
func CleanPath(text string) string {
	var parts []string
	for part := range strings.SplitSeq(strings.ReplaceAll(text, `\`, "/"), "/") {
		if part == "" || strings.Trim(part, ". ") == "" {
			continue
		}
		parts = append(parts, source.SafeName(part))
	}
	if len(parts) > maxDepth {
		parts = parts[len(parts)-maxDepth:]
	}
	return strings.Join(parts, "/")
}

// Batch is the files of one job as they come in.
type Batch struct {
	s     *Store
	p     auth.Principal
	jobID string
	dir   string // of the job
	files []string
	seen  map[string]bool // lower case
	bytes int64
}

// Batch begins the source of a job.
func (s *Store) Batch(p auth.Principal, jobID string) (*Batch, error) {
	b := &Batch{s: s, p: p, jobID: jobID, dir: filepath.Join(s.o.Dir, jobsDir, jobID), seen: map[string]bool{}}
	if err := os.Mkdir(b.dir, 0o700); err != nil {
		if errors.Is(err, os.ErrExist) {
			return nil, problem.New(http.StatusConflict, "job %s has a source already, or is just being submitted", jobID).In("jobId")
		}
		return nil, fmt.Errorf("make folder of the source: %w", err)
	}
	return b, nil
}

// filesDir has the files of a batch until it is known how many there are.
const filesDir = "files"

// place takes a path in, which must be new, and makes its folder.
func (b *Batch) place(rel string) (string, error) {
	if rel = CleanPath(rel); rel == "" {
		return "", problem.New(http.StatusUnprocessableEntity, "a file has no name").In("file")
	}
	if len(b.files) >= b.s.o.MaxFiles {
		return "", problem.New(http.StatusRequestEntityTooLarge, "there are more than %d files", b.s.o.MaxFiles).Advise("see SLATE360_SOURCE_MAX_FILES")
	}
	if b.seen[strings.ToLower(rel)] {
		return "", problem.New(http.StatusUnprocessableEntity, "two files are named %s", rel).In("file").Advise("send their paths, relative to the folder")
	}
	b.seen[strings.ToLower(rel)] = true
	b.files = append(b.files, rel)
	full := filepath.Join(b.dir, filesDir, filepath.FromSlash(rel))
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		return "", problem.New(http.StatusUnprocessableEntity, "%s is a file and a folder", rel).In("file")
	}
	return full, nil
}

// Add writes one file as it comes in.
func (b *Batch) Add(rel string, r io.Reader) (err error) {
	full, err := b.place(rel)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(full, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write upload: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	buf := make([]byte, copyBuffer)
	for admitted := int64(0); ; {
		n, readErr := r.Read(buf)
		// The size is not known before: room is asked for in steps.
		for b.bytes+int64(n) > admitted {
			const step = 64 << 20
			if err := b.admit(step); err != nil {
				return err
			}
			admitted = b.bytes + step
		}
		if b.bytes += int64(n); b.bytes > b.s.o.MaxBytes {
			return tooLarge(b.s.o.MaxBytes)
		}
		if _, err := out.Write(buf[:n]); err != nil {
			return fmt.Errorf("write upload: %w", err)
		}
		b.s.in.Add(int64(n))
		if errors.Is(readErr, io.EOF) {
			break
		}
		if readErr != nil {
			return readErr
		}
	}
	return nil
}

// admit tells whether there is room for step bytes beside those that are here.
func (b *Batch) admit(step int64) error {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if err := b.s.within(b.p, b.bytes); err != nil {
		return err
	}
	if b.bytes >= b.s.o.MaxBytes {
		return tooLarge(b.s.o.MaxBytes)
	}
	return b.s.fits(b.p, min(step, b.s.o.MaxBytes-b.bytes))
}

// Take moves finished uploads into the batch.
func (b *Batch) Take(ids []string) error {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	for i, id := range ids {
		f := b.s.files[id]
		if f == nil || !b.p.Sees(f.Organisation) {
			return problem.New(http.StatusUnprocessableEntity, "there is no upload %.64q: it has expired, or another job has it", id).In(fmt.Sprintf("uploads[%d]", i))
		}
		if f.offset < f.Size {
			return problem.New(http.StatusConflict, "upload %s has %d of its %d bytes", id, f.offset, f.Size).In(fmt.Sprintf("uploads[%d]", i)).
				Advise("finish it first")
		}
	}
	var moved []*file
	for _, id := range ids {
		f := b.s.files[id]
		full, err := b.place(f.Path)
		if err == nil {
			err = os.Rename(b.s.contentPath(id), full)
		}
		if err != nil {
			return errors.Join(err, b.giveBack(moved))
		}
		moved = append(moved, f)
		b.bytes += f.Size
	}
	for _, f := range moved {
		delete(b.s.files, f.ID)
		if err := os.Remove(b.s.notePath(f.ID)); err != nil {
			b.s.log.Warn("the note of an upload stays", "id", f.ID, "error", err)
		}
	}
	return nil
}

// giveBack makes uploads again of files that were moved. mu is held.
func (b *Batch) giveBack(moved []*file) error {
	var errs []error
	for _, f := range moved {
		errs = append(errs, os.Rename(filepath.Join(b.dir, filesDir, filepath.FromSlash(f.Path)), b.s.contentPath(f.ID)))
	}
	return errors.Join(errs...)
}

// Files is how many files there are.
func (b *Batch) Files() int { return len(b.files) }

// Bytes is what the files have together.
func (b *Batch) Bytes() int64 { return b.bytes }

// Discard takes back what came in.
func (b *Batch) Discard() {
	if err := os.RemoveAll(b.dir); err != nil {
		b.s.log.Warn("files of an upload that was refused stay", "dir", b.dir, "error", err)
	}
}

// Done gives the files their place and returns the address that names them as the
// source of the job: of a file of this machine, or of the storage.
func (b *Batch) Done(ctx context.Context, uploaded bool) (string, error) {
	if len(b.files) == 0 {
		return "", problem.New(http.StatusUnprocessableEntity, "there is no file").In("file")
	}
	if !uploaded { // uploads were counted when they began
		b.s.mu.Lock()
		err := b.s.take(b.p, b.bytes)
		b.s.mu.Unlock()
		if err != nil {
			return "", err
		}
	}
	rel, from := b.name()
	to := filepath.Join(b.dir, "source", filepath.FromSlash(rel))
	if err := os.Mkdir(filepath.Join(b.dir, "source"), 0o700); err != nil {
		return "", fmt.Errorf("place the source: %w", err)
	}
	if err := os.Rename(from, to); err != nil {
		return "", fmt.Errorf("place the source: %w", err)
	}
	if b.s.o.Local {
		return "file://" + to, nil
	}
	return b.s.send(ctx, b.jobID, to, rel)
}

// name names the source, and says what it is: the one file, the folder that all
// files are in, or all of them together.
func (b *Batch) name() (rel, from string) {
	files := filepath.Join(b.dir, filesDir)
	top, _, nested := strings.Cut(b.files[0], "/")
	for _, f := range b.files[1:] {
		if first, _, in := strings.Cut(f, "/"); !nested || !in || first != top {
			return "upload", files
		}
	}
	return top, filepath.Join(files, top)
}

// prefix is where the storage has the source of a job.
func prefix(jobID string) string { return "uploads/" + jobID }

// send brings a source to the storage, for workers elsewhere.
func (s *Store) send(ctx context.Context, jobID, from, rel string) (string, error) {
	signer, ok := s.o.Storage.(storage.Presigner)
	if !ok {
		return "", problem.New(http.StatusConflict, "workers elsewhere do not see files of this machine").
			Kind("no-storage", "Uploads need storage").Advise("set AWS_S3_BUCKET, or name an address to fetch the source from")
	}
	key := prefix(jobID) + "/" + rel
	info, err := os.Stat(from)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		err = s.o.Storage.PutFile(ctx, key, from, storage.Attributes{ContentType: job.ContentType(rel)})
		key = signer.Source(key)
	} else {
		err = filepath.WalkDir(from, func(p string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			inner, err := filepath.Rel(from, p)
			if err != nil {
				return err
			}
			return s.o.Storage.PutFile(ctx, path.Join(key, filepath.ToSlash(inner)), p, storage.Attributes{ContentType: job.ContentType(p)})
		})
		key = signer.Source(key + "/")
	}
	if err != nil {
		return "", fmt.Errorf("bring the source to the storage: %w", err)
	}
	// The folder stays, empty: it says that the storage has something to be removed.
	return key, os.RemoveAll(filepath.Join(s.o.Dir, jobsDir, jobID, "source"))
}

// Discard removes the source of a job that came as an upload.
func (s *Store) Discard(ctx context.Context, jobID string) error {
	dir := filepath.Join(s.o.Dir, jobsDir, filepath.Base(jobID))
	if _, err := os.Stat(dir); err != nil {
		return nil //nolint:nilerr // it had none
	}
	if !s.o.Local {
		if err := storage.Discard(ctx, s.o.Storage, prefix(jobID)); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the source of job %s: %w", jobID, err)
	}
	return nil
}

// PresignTTL is how long a signed address takes an upload.
const PresignTTL = time.Hour
