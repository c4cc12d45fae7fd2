package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/host"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/source"
)

// fetched is a source that is on this machine.
type fetched struct {
	path     string
	format   source.Format
	name     string // <name> in the names of outputs
	warnings []string
}

// fetchedName is the note beside a source that is there whole.
const fetchedName = "fetched.json"

// fetchNote is the content of that note.
type fetchNote struct {
	URLs    []string       `json:"urls"`
	Fetched source.Fetched `json:"fetched"`
}

// source brings the source here, unpacks it and tells what it is.
func (r *run) source(ctx context.Context) (fetched, error) {
	r.at(0, job.StatusAnalyzing, stepFetch)
	got, err := r.fetch(ctx)
	if err != nil {
		return fetched{}, inStep(stepFetch, err)
	}
	src := fetched{path: got.Path, format: r.req.format}
	size, files := got.Size, int64(max(got.Files, 1))
	archive, err := source.IsArchive(got.Path)
	if err != nil {
		return src, err
	}
	info, err := os.Stat(got.Path)
	if err != nil {
		return src, err
	}
	switch {
	case archive:
		if src, size, files, err = r.unpack(ctx, got.Path); err != nil {
			return src, inStep(stepUnpack, err)
		}
	case info.IsDir():
		if src, err = r.pick(got.Path); err != nil {
			return src, err
		}
	case src.format == source.Auto || src.format == source.ZIP:
		if src.format, err = source.Sniff(got.Path); err != nil {
			return src, err
		}
	}
	src.name = pipeline.NameOf(src.path)
	text := string(src.format)
	r.rec.Progress(record.Update{SourceFormat: &text, SourceSize: &size, SourceFileCount: &files})
	r.observe(func(l *job.Live) { l.Format, l.Size, l.Files = text, size, files })
	r.note(fmt.Sprintf("source: %s, %s in %d file(s)", src.format, format.Bytes(size), files))
	return src, nil
}

// fetch returns the source as an earlier run left it, or fetches it.
func (r *run) fetch(ctx context.Context) (source.Fetched, error) {
	if path, ok := r.localFile(); ok {
		info, err := os.Stat(path)
		if err != nil {
			return source.Fetched{}, pipeline.BadInput(err, "")
		}
		return source.Fetched{Path: path, Files: 1, Size: info.Size()}, nil
	}
	note := filepath.Join(r.dir.dir, fetchedName)
	if got, ok := r.fetchedBefore(note); ok {
		r.note("the source is here from an earlier run")
		return got, nil
	}
	if free := host.FreeDisk(r.dir.dir); free >= 0 && free < r.w.o.DiskReserve {
		return source.Fetched{}, fmt.Errorf("the disk of %s has %s left, less than SLATE360_DISK_RESERVE",
			r.w.o.WorkDir, format.Bytes(free))
	}
	o := r.w.o.Fetch
	o.Logger = r.log
	var last int64
	o.Progress = func(done, total int64) {
		r.w.o.Metrics.fetched.Add(float64(max(done-last, 0)))
		last = max(done, last)
		share := 0.0
		if total > 0 {
			share = float64(done) / float64(total)
		}
		r.at(share*fetchShare, job.StatusAnalyzing, stepFetch)
		r.observeBytes(stepFetch, done)
	}
	got, err := source.Fetch(ctx, r.req.urls, r.dir.source(), o)
	if err != nil {
		return got, err
	}
	// The pipeline knows large sources by size, samples and time: the time is made
	// the same on every machine that may go on with the job.
	if err := setTimes(got.Path, r); err != nil {
		return got, err
	}
	data, err := json.Marshal(fetchNote{URLs: r.req.urls, Fetched: got})
	if err != nil {
		return got, fmt.Errorf("encode note of what was fetched: %w", err)
	}
	if err := os.WriteFile(note, data, 0o600); err != nil {
		return got, fmt.Errorf("note what was fetched: %w", err)
	}
	return got, nil
}

// localFile returns the path of a source that is a single file of this machine,
// which is read where it lies; only where files are allowed at all.
func (r *run) localFile() (string, bool) {
	if !r.w.o.Fetch.AllowFiles || len(r.req.urls) != 1 {
		return "", false
	}
	path, isURL := strings.CutPrefix(r.req.urls[0], "file://")
	if !isURL && strings.Contains(path, "://") || !filepath.IsAbs(path) {
		return "", false
	}
	info, err := os.Stat(path)
	return path, err == nil && info.Mode().IsRegular()
}

func (r *run) fetchedBefore(note string) (source.Fetched, bool) {
	var n fetchNote
	data, err := os.ReadFile(note)
	if err != nil || json.Unmarshal(data, &n) != nil || !slices.Equal(n.URLs, r.req.urls) {
		return source.Fetched{}, false
	}
	info, err := os.Stat(n.Fetched.Path)
	if err != nil || info.Mode().IsRegular() && info.Size() != n.Fetched.Size {
		return source.Fetched{}, false
	}
	return n.Fetched, true
}

func setTimes(path string, r *run) error {
	added := r.task.Job().Added
	return filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chtimes(p, added, added)
	})
}

// unpack unpacks an archive and picks what is in it to be processed.
func (r *run) unpack(ctx context.Context, path string) (src fetched, size, files int64, err error) {
	r.at(fetchShare, job.StatusAnalyzing, stepUnpack)
	if err := os.RemoveAll(r.dir.unpacked()); err != nil {
		return src, 0, 0, fmt.Errorf("clear what an earlier run unpacked: %w", err)
	}
	got, err := source.Unpack(ctx, path, r.dir.unpacked(), r.w.o.Fetch.Limits)
	if err != nil {
		return src, 0, 0, err
	}
	if err := setTimes(got.Path, r); err != nil {
		return src, 0, 0, err
	}
	src, err = r.pick(got.Path)
	return src, got.Size, int64(got.Files), err
}
