package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"slate360.ai/worker/internal/job"
)

// PublishOptions of Publish. Zero values have the default named.
type PublishOptions struct {
	// Workers is how many files are sent at once; default 32.
	Workers int
	// Progress is told of the bytes that are there, and of all; one call at a time.
	Progress func(done, total int64)
	Logger   *slog.Logger
}

// Report is what Publish did.
type Report struct {
	Uploaded, Skipped, Deleted int
	Bytes                      int64 // sent
}

// The entry points, by which readers find all else: they are sent last,
// result.json after all others, and removed first where they change.
const resultFile = "result.json"

func entryPoint(key string) bool {
	switch path.Base(key) {
	case "tileset.json", "ept.json", resultFile:
		return true
	}
	return false
}

// noteFile lists what a Publish has sent, with digests: what a later one need not
// send again. It is written before the first object that it does not list, and at
// the end.
const noteFile = ".slate360-published.json"

// Outputs are written again under the same key when a job is retried: readers
// may keep them for an hour, and ask again for entry points each time.
const (
	cacheFile  = "public, max-age=3600"
	cacheEntry = "no-cache"
)

// published is one file of the folder.
type published struct {
	rel  string
	size int64
	sha  string
}

// Publish brings the files of a folder to storage below prefix, so that a reader
// never sees half a result: while result.json is there, all it names is there.
// Objects that an earlier Publish sent and that have not changed are not sent
// again; those that are not in the folder any more are deleted.
func Publish(ctx context.Context, s Store, dir, prefix string, o PublishOptions) (Report, error) {
	if o.Workers <= 0 {
		o.Workers = 32
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	p := &publisher{s: s, dir: dir, prefix: strings.TrimSuffix(prefix, "/") + "/", o: o, had: map[string]Info{}, known: map[string]published{}}
	return p.run(ctx)
}

type publisher struct {
	s           Store
	dir, prefix string
	o           PublishOptions
	files       []published
	had         map[string]Info      // by path below the prefix
	known       map[string]published // as the note of an earlier Publish says

	mu          sync.Mutex
	report      Report
	done, total int64
}

func (p *publisher) run(ctx context.Context) (Report, error) {
	if err := p.look(ctx); err != nil {
		return p.report, err
	}
	var changed []published
	for _, f := range p.files {
		if had, ok := p.had[f.rel]; ok && had.Size == f.size && p.known[f.rel] == f {
			p.report.Skipped++
			p.done += f.size
			continue
		}
		changed = append(changed, f)
	}
	local := make(map[string]bool, len(p.files))
	for _, f := range p.files {
		local[f.rel] = true
	}
	var stale []string
	for rel := range p.had {
		if rel != noteFile && !local[rel] {
			stale = append(stale, p.prefix+rel)
		}
	}
	if len(changed) == 0 && len(stale) == 0 {
		return p.report, nil
	}
	// A reader must not find an old entry point beside new content.
	var entries []string
	for rel := range p.had {
		if entryPoint(rel) {
			entries = append(entries, p.prefix+rel)
		}
	}
	slices.SortFunc(entries, func(a, b string) int { return last(b) - last(a) })
	for _, key := range entries {
		if err := p.s.Delete(ctx, key); err != nil {
			return p.report, err
		}
	}
	for _, f := range p.files {
		if _, there := p.had[f.rel]; there && entryPoint(f.rel) && !slices.Contains(changed, f) {
			changed = append(changed, f)
		}
	}
	if err := p.note(ctx, changed); err != nil {
		return p.report, err
	}
	for stage := range 3 {
		var files []published
		for _, f := range changed {
			if last(f.rel) == stage {
				files = append(files, f)
			}
		}
		if err := p.send(ctx, files); err != nil {
			return p.report, err
		}
		if stage == 0 {
			if err := p.s.Delete(ctx, stale...); err != nil {
				return p.report, err
			}
			p.report.Deleted = len(stale)
			// What is there now need not be sent again by a run after this.
			if err := p.note(ctx, nil); err != nil {
				return p.report, err
			}
		}
	}
	return p.report, nil
}

// last tells in which round a file is sent: content, entry points, result.json.
func last(key string) int {
	switch {
	case path.Base(key) == resultFile:
		return 2
	case entryPoint(key):
		return 1
	}
	return 0
}

// look reads what is in the folder and what is in storage.
func (p *publisher) look(ctx context.Context) error {
	err := filepath.WalkDir(p.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a folder", name)
		}
		rel, err := filepath.Rel(p.dir, name)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		p.files = append(p.files, published{rel: filepath.ToSlash(rel), size: info.Size()})
		p.total += info.Size()
		return ctx.Err()
	})
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if err := p.each(ctx, len(p.files), func(i int) (err error) {
		p.files[i].sha, err = digestFile(ctx, filepath.Join(p.dir, filepath.FromSlash(p.files[i].rel)))
		return err
	}); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	err = p.s.List(ctx, p.prefix, func(i Info) error {
		p.had[strings.TrimPrefix(i.Key, p.prefix)] = i
		return nil
	})
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if _, ok := p.had[noteFile]; ok {
		return p.readNote(ctx)
	}
	return nil
}

// noted is the content of the note: digest and size by path.
type noted struct {
	Files map[string]notedFile `json:"files"`
}

type notedFile struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// noteLimit bounds a note, in bytes: some hundred for each of a million files.
const noteLimit = 1 << 30

func (p *publisher) readNote(ctx context.Context) error {
	r, _, err := p.s.Open(ctx, p.prefix+noteFile)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer r.Close()
	var n noted
	data, err := io.ReadAll(io.LimitReader(r, noteLimit))
	if err != nil {
		return fmt.Errorf("read the note of what was published: %w", err)
	}
	if json.Unmarshal(data, &n) != nil {
		return nil // then all is sent
	}
	for rel, f := range n.Files {
		p.known[rel] = published{rel: rel, size: f.Size, sha: f.SHA256}
	}
	return nil
}

// note writes what is in storage with the content that the folder has, but for
// the files given, which are about to be written.
func (p *publisher) note(ctx context.Context, but []published) error {
	n := noted{Files: map[string]notedFile{}}
	skip := map[string]bool{}
	for _, f := range but {
		skip[f.rel] = true
	}
	for _, f := range p.files {
		if !skip[f.rel] && !entryPoint(f.rel) {
			n.Files[f.rel] = notedFile{f.size, f.sha}
		}
	}
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return p.s.Put(ctx, p.prefix+noteFile, strings.NewReader(string(data)), int64(len(data)),
		Attributes{ContentType: "application/json", CacheControl: cacheEntry})
}

func (p *publisher) send(ctx context.Context, files []published) error {
	return p.each(ctx, len(files), func(i int) error {
		f := files[i]
		a := Attributes{ContentType: job.ContentType(f.rel), CacheControl: cacheFile, SHA256: f.sha}
		if entryPoint(f.rel) {
			a.CacheControl = cacheEntry
		}
		if err := p.s.PutFile(ctx, p.prefix+f.rel, filepath.Join(p.dir, filepath.FromSlash(f.rel)), a); err != nil {
			return err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.report.Uploaded++
		p.report.Bytes += f.size
		p.done += f.size
		if p.o.Progress != nil {
			p.o.Progress(p.done, p.total)
		}
		return nil
	})
}

// each calls f for 0 to n-1 on Workers goroutines, until one fails.
func (p *publisher) each(ctx context.Context, n int, f func(i int) error) error {
	return parallel(ctx, p.o.Workers, n, f)
}

func parallel(ctx context.Context, workers, n int, f func(i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for i := range next {
				if err := f(i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range n {
		select {
		case next <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

func digestFile(ctx context.Context, name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := f.Read(buf)
		h.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// Discard removes all below prefix: result.json and entry points first.
func Discard(ctx context.Context, s Store, prefix string) error {
	prefix = strings.TrimSuffix(prefix, "/") + "/"
	var keys []string
	if err := s.List(ctx, prefix, func(i Info) error {
		keys = append(keys, i.Key)
		return nil
	}); err != nil {
		return err
	}
	slices.SortStableFunc(keys, func(a, b string) int { return last(b) - last(a) })
	return s.Delete(ctx, keys...)
}
