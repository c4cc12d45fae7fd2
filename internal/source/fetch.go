package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/host"
)

// Limits bound what a source may be. Zero values have the default named.
type Limits struct {
	Bytes   int64   // of all files, unpacked; default 500 GiB
	Files   int     // default 100,000
	Ratio   float64 // of an archive's content to itself; default 200
	Nesting int     // archives inside archives; default 2
	// Dictionary is the memory in bytes that unpacking an archive may take for what
	// it refers back to, as the archive itself demands; default 320 MiB.
	Dictionary int64
	Time       time.Duration // of fetching; default 6 h
}

func (l Limits) withDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = 500 << 30
	}
	if l.Files <= 0 {
		l.Files = 100_000
	}
	if l.Ratio <= 0 {
		l.Ratio = 200
	}
	if l.Nesting < 0 {
		l.Nesting = 0
	}
	if l.Dictionary <= 0 {
		l.Dictionary = 320 << 20 // 7-Zip's own most is 256 MiB, and BCJ2 has two small ones beside it
	}
	if l.Time <= 0 {
		l.Time = 6 * time.Hour
	}
	return l
}

// S3Object is an object that S3Opener found.
type S3Object struct {
	Key  string
	Size int64
	ETag string
}

// S3Opener reads objects of buckets.
type S3Opener interface {
	Stat(ctx context.Context, bucket, key string) (S3Object, error)
	// OpenRange reads n bytes from off of the object, while it has that ETag.
	OpenRange(ctx context.Context, bucket, key, etag string, off, n int64) (io.ReadCloser, error)
	// List calls f for each object whose key begins with prefix.
	List(ctx context.Context, bucket, prefix string, f func(S3Object) error) error
}

// FetchOptions say how sources are fetched.
type FetchOptions struct {
	Limits
	// Workers is how many ranges are fetched at once; default 4.
	Workers int
	// Progress is told of the bytes that are here, and of all where they are known
	// (else 0); one call at a time.
	Progress func(done, total int64)
	// Allow names hosts, host:ports and networks with private addresses.
	Allow []string
	// AllowFiles lets file:// URLs and paths of this machine be sources.
	AllowFiles bool
	// S3 opens s3:// sources; nil is that there are none.
	S3 S3Opener
	// Tries is how often a range is tried before the fetch fails; default 6.
	Tries  int
	Logger *slog.Logger

	guard *guard // for tests; nil is made of Allow
}

// Fetched is a source that is here.
type Fetched struct {
	// Path of the file, or of the folder where there are several.
	Path  string   `json:"path"`
	Files int      `json:"files"`
	Size  int64    `json:"size"`
	Names []string `json:"names"`
}

// fetcher is one Fetch.
type fetcher struct {
	o      FetchOptions
	dir    string
	client *http.Client
	names  names
	total  int64 // of the files known so far
	left   int64 // bytes that the limit leaves
	files  int

	mu   sync.Mutex
	done int64 // bytes that are here
}

// Fetch brings sources (https, http, s3; files where allowed) into the folder dir.
// What a former Fetch into the same folder left of the same sources is gone on
// from. Errors: *FetchError, with ErrTooLarge or ErrForbiddenAddress in its chain
// where those are the reason. After one that is not Temporary the folder is gone.
func Fetch(ctx context.Context, urls []string, dir string, o FetchOptions) (got Fetched, err error) {
	o.Limits = o.withDefaults()
	if o.Workers <= 0 {
		o.Workers = 4
	}
	if o.Tries <= 0 {
		o.Tries = 6
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	g := o.guard
	if g == nil {
		if g, err = newGuard(o.Allow); err != nil {
			return got, err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return got, fmt.Errorf("make folder of the source: %w", err)
	}
	f := &fetcher{o: o, dir: dir, client: g.client(), names: names{}, left: o.Bytes}
	defer f.client.CloseIdleConnections()
	ctx, cancel := context.WithTimeoutCause(ctx, o.Time, fmt.Errorf("it took longer than %v", o.Time))
	defer cancel()
	for _, raw := range urls {
		if err := f.one(ctx, raw, &got); err != nil {
			return Fetched{}, f.failed(ctx, raw, err)
		}
	}
	if got.Files == 0 {
		return got, f.failed(ctx, urls[0], &FetchError{Err: errors.New("there is nothing there"), Hint: "a prefix that names no object is a frequent cause"})
	}
	got.Path = dir
	if got.Files == 1 {
		got.Path = filepath.Join(dir, got.Names[0])
	}
	return got, nil
}

// failed completes the error, and clears away what nobody will go on from.
func (f *fetcher) failed(ctx context.Context, raw string, err error) error {
	var e *FetchError
	if !errors.As(err, &e) {
		e = &FetchError{Err: err, Temporary: temporary(err)}
	}
	e = &FetchError{URL: Redact(raw), Temporary: e.Temporary, Hint: e.Hint, Err: e.Err}
	// The client's errors quote the URL with its query.
	var u *url.Error
	if errors.As(e.Err, &u) {
		e.Err = u.Err
	}
	if cause := context.Cause(ctx); ctx.Err() != nil {
		e.Err, e.Temporary = errors.Join(cause, ctx.Err()), true
	}
	if !e.Temporary {
		if err := os.RemoveAll(f.dir); err != nil {
			e.Err = errors.Join(e.Err, err)
		}
	}
	return e
}

// one fetches one source.
func (f *fetcher) one(ctx context.Context, raw string, got *Fetched) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return &FetchError{Err: errors.New("it is no URL")}
	case u.Scheme == "s3":
		return f.s3(ctx, u, got)
	case u.Scheme == "file" || u.Scheme == "" && filepath.IsAbs(raw):
		return f.file(ctx, u, got)
	}
	if err := checkScheme(u); err != nil {
		return &FetchError{Err: err}
	}
	return f.http(ctx, u, got)
}

// take counts a file of a size in; -1 is unknown.
func (f *fetcher) take(size int64) error {
	f.files++
	if f.files > f.o.Files {
		return &FetchError{Err: fmt.Errorf("%w: more than %d files", ErrTooLarge, f.o.Files), Hint: "see SLATE360_SOURCE_MAX_FILES"}
	}
	if size < 0 {
		return nil
	}
	if size > f.left {
		return tooLarge(f.o.Bytes)
	}
	f.left -= size
	f.total += size
	return f.fits(size)
}

func tooLarge(limit int64) error {
	return &FetchError{Err: fmt.Errorf("%w: more than %s", ErrTooLarge, format.Bytes(limit)), Hint: "see SLATE360_SOURCE_MAX_BYTES"}
}

// fits tells whether the disk has room for so many bytes more.
func (f *fetcher) fits(size int64) error {
	if free := host.FreeDisk(f.dir); free >= 0 && size > free {
		return &FetchError{
			Temporary: true, Err: fmt.Errorf("it has %s, and the disk has room for %s", format.Bytes(size), format.Bytes(free)),
			Hint: "make room, or wait until other jobs are done",
		}
	}
	return nil
}

func (f *fetcher) progress(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done += n
	if f.o.Progress != nil && n != 0 {
		f.o.Progress(f.done, f.total)
	}
}

// s3 fetches one object, or all below a prefix that ends in a slash.
func (f *fetcher) s3(ctx context.Context, u *url.URL, got *Fetched) error {
	bucket, key := u.Host, strings.TrimPrefix(u.Path, "/")
	if f.o.S3 == nil {
		return &FetchError{Err: errors.New("S3 is not configured"), Hint: "set AWS_REGION and credentials"}
	}
	var objects []S3Object
	if key == "" || strings.HasSuffix(key, "/") {
		err := f.o.S3.List(ctx, bucket, key, func(o S3Object) error {
			if strings.HasSuffix(o.Key, "/") {
				return nil // a folder, as some consoles make them
			}
			if objects = append(objects, o); len(objects) > f.o.Files {
				return &FetchError{Err: fmt.Errorf("%w: more than %d objects", ErrTooLarge, f.o.Files), Hint: "see SLATE360_SOURCE_MAX_FILES"}
			}
			return nil
		})
		if err != nil {
			return err
		}
	} else {
		o, err := f.o.S3.Stat(ctx, bucket, key)
		if err != nil {
			return err
		}
		objects = append(objects, o)
	}
	for _, o := range objects {
		if err := f.take(o.Size); err != nil {
			return err
		}
	}
	for _, o := range objects {
		name := f.names.distinct(SafeName(o.Key))
		d := &download{
			f: f, path: filepath.Join(f.dir, name), size: o.Size, version: o.ETag, source: bucket + "/" + o.Key,
			open: func(ctx context.Context, off, n int64) (io.ReadCloser, error) {
				return f.o.S3.OpenRange(ctx, bucket, o.Key, o.ETag, off, n)
			},
		}
		if err := d.ranged(ctx); err != nil {
			return err
		}
		f.add(got, name, o.Size)
	}
	return nil
}

func (f *fetcher) add(got *Fetched, name string, size int64) {
	got.Files++
	got.Size += size
	got.Names = append(got.Names, name)
}

// file copies a file, or the files of a folder, of this machine.
func (f *fetcher) file(ctx context.Context, u *url.URL, got *Fetched) error {
	if !f.o.AllowFiles {
		return &FetchError{Err: errors.New("files of this machine cannot be sources here"), Hint: "upload it, and name its https:// or s3:// address"}
	}
	return filepath.WalkDir(u.Path, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return &FetchError{Err: err}
		}
		if d.IsDir() {
			return ctx.Err()
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() {
			return err // links and the like are left out
		}
		if err := f.take(info.Size()); err != nil {
			return err
		}
		name := f.names.distinct(SafeName(p))
		if err := f.copyFile(ctx, p, filepath.Join(f.dir, name)); err != nil {
			return err
		}
		f.add(got, name, info.Size())
		return nil
	})
}

func (f *fetcher) copyFile(ctx context.Context, from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return &FetchError{Err: err}
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(struct{ io.Writer }{out}, &meteredReader{ctx: ctx, r: in, f: f})
	return err
}

// meteredReader ends with its context, and tells the progress.
type meteredReader struct {
	ctx context.Context
	r   io.Reader
	f   *fetcher
}

func (m *meteredReader) Read(p []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.r.Read(p)
	m.f.progress(int64(n))
	return n, err
}
