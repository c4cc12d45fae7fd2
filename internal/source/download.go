package source

import (
	"context"
	"crypto/md5"    //nolint:gosec // Content-MD5
	"crypto/sha256" // X-Amz-Checksum-Sha256, Repr-Digest
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// pieceSize is that of the ranges that are fetched side by side, in bytes.
const pieceSize = 16 << 20

// download brings one file of known size here, by ranges.
type download struct {
	f      *fetcher
	path   string
	size   int64
	source string // what it is a download of, for the note
	// version is the ETag, or what else changes with the content.
	version string
	open    func(ctx context.Context, off, n int64) (io.ReadCloser, error)
	// digests that the server named, checked at the end.
	digests []digest

	mu    sync.Mutex
	state partState
}

// partState is the note beside a download that is not whole.
type partState struct {
	Source  string `json:"source"`
	Version string `json:"version"`
	Size    int64  `json:"size"`
	// Done are the pieces that are here.
	Done []int `json:"done"`
}

func (d *download) part() string { return d.path + ".part" }
func (d *download) note() string { return d.path + ".part.json" }

// ranged fetches the pieces that are not here yet.
func (d *download) ranged(ctx context.Context) error {
	if info, err := os.Stat(d.path); err == nil && info.Size() == d.size && d.version != "" && d.known() {
		d.f.progress(d.size) // an earlier run has it whole
		return nil
	}
	file, err := d.resume()
	if err != nil {
		return err
	}
	defer file.Close()
	pieces := int((d.size + pieceSize - 1) / pieceSize)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	here := slices.Clone(d.state.Done)
	work := make(chan int)
	var wg sync.WaitGroup
	for range min(d.f.o.Workers, max(pieces, 1)) {
		wg.Go(func() {
			for i := range work {
				if err := d.piece(ctx, file, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range pieces {
		if slices.Contains(here, i) {
			d.f.progress(d.length(i))
			continue
		}
		select {
		case work <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(work)
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return d.complete(file)
}

func (d *download) length(i int) int64 { return min(pieceSize, d.size-int64(i)*pieceSize) }

// known tells whether the note of a whole file is of this source.
func (d *download) known() bool {
	var s partState
	data, err := os.ReadFile(d.note())
	return err == nil && json.Unmarshal(data, &s) == nil && s.Source == d.source && s.Version == d.version && s.Size == d.size
}

// resume opens what is here, or begins anew.
func (d *download) resume() (*os.File, error) {
	file, err := os.OpenFile(d.part(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("write the source: %w", err)
	}
	fresh := partState{Source: d.source, Version: d.version, Size: d.size, Done: []int{}}
	if data, readErr := os.ReadFile(d.note()); readErr != nil || !d.known() || json.Unmarshal(data, &d.state) != nil || d.version == "" {
		d.state = fresh
		err = file.Truncate(0)
	}
	if err == nil {
		err = file.Truncate(d.size)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write the source: %w", err), file.Close())
	}
	return file, nil
}

// piece fetches one piece, with retries.
func (d *download) piece(ctx context.Context, file *os.File, i int) error {
	off, n := int64(i)*pieceSize, d.length(i)
	var err error
	for try := 0; try < d.f.o.Tries; try++ {
		if try > 0 {
			d.f.o.Logger.Debug("fetch: again", "try", try+1, "offset", off, "error", err)
			if waitErr := pause(ctx, try, err); waitErr != nil {
				return waitErr
			}
		}
		var got int64
		got, err = d.copyRange(ctx, file, off, n)
		off, n = off+got, n-got // what came is not fetched again
		if err == nil && n == 0 {
			return d.done(i)
		}
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !temporary(err) {
			return err
		}
		if got > 0 {
			try = 0 // it goes on, if slowly
		}
	}
	return &FetchError{Temporary: true, Err: fmt.Errorf("given up after %d tries: %w", d.f.o.Tries, err)}
}

func (d *download) copyRange(ctx context.Context, file *os.File, off, n int64) (int64, error) {
	body, err := d.open(ctx, off, n)
	if err != nil {
		return 0, err
	}
	defer body.Close()
	stop := context.AfterFunc(ctx, func() { body.Close() })
	defer stop()
	return io.Copy(io.NewOffsetWriter(file, off), &meteredReader{ctx: ctx, r: io.LimitReader(body, n), f: d.f})
}

// done notes a piece, so that a run that is killed has it next time.
func (d *download) done(i int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state.Done = append(d.state.Done, i)
	return d.save()
}

func (d *download) save() error {
	data, err := json.Marshal(d.state)
	if err == nil {
		err = os.WriteFile(d.note()+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(d.note()+".new", d.note())
	}
	if err != nil {
		return fmt.Errorf("note what is fetched: %w", err)
	}
	return nil
}

// complete checks the digests and gives the file its name.
func (d *download) complete(file *os.File) error {
	for _, g := range d.digests {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.Copy(g.hash, file); err != nil {
			return fmt.Errorf("read back the source: %w", err)
		}
		if got := base64.StdEncoding.EncodeToString(g.hash.Sum(nil)); got != g.want {
			err := errors.Join(os.Remove(d.part()), os.Remove(d.note()))
			return &FetchError{Temporary: true, Err: errors.Join(fmt.Errorf("its %s is not what the server says", g.name), err)}
		}
	}
	if err := d.save(); err != nil {
		return err
	}
	return os.Rename(d.part(), d.path)
}

// digest is a checksum that a server named.
type digest struct {
	name, want string // base64
	hash       hash.Hash
}

var reprDigest = regexp.MustCompile(`(?i)sha-256=:?([A-Za-z0-9+/=]+):?`)

// digestsOf reads the checksums of the whole content in a response's headers:
// Repr-Digest (RFC 9530), its forerunner Digest, those of S3, Content-MD5.
func digestsOf(h http.Header) []digest {
	for _, name := range []string{"Repr-Digest", "Digest"} {
		if m := reprDigest.FindStringSubmatch(h.Get(name)); m != nil {
			return []digest{{name, m[1], sha256.New()}}
		}
	}
	if v := h.Get("X-Amz-Checksum-Sha256"); v != "" && !strings.Contains(v, "-") {
		return []digest{{"X-Amz-Checksum-Sha256", v, sha256.New()}}
	}
	return nil
}

// statusError is an HTTP answer that is no content.
type statusError struct {
	code int
	wait time.Duration
}

func (e *statusError) Error() string {
	return fmt.Sprintf("the server answers %d %s", e.code, http.StatusText(e.code))
}

// temporary tells whether trying again may help.
func temporary(err error) bool {
	var (
		fetch  *FetchError
		status *statusError
		dns    *net.DNSError
	)
	switch {
	case errors.As(err, &fetch):
		return fetch.Temporary
	case errors.Is(err, ErrForbiddenAddress), errors.Is(err, ErrTooLarge), errors.Is(err, os.ErrNotExist), errors.Is(err, os.ErrPermission):
		return false
	case errors.As(err, &status):
		return status.code >= 500 || status.code == http.StatusTooManyRequests || status.code == http.StatusRequestTimeout
	case errors.As(err, &dns):
		return !dns.IsNotFound
	case errors.Is(err, syscall.ENOSPC):
		return true
	}
	var u *url.Error
	if errors.As(err, &u) {
		return !strings.Contains(u.Err.Error(), "certificate")
	}
	var perm interface{ Permanent() bool } // of other transports
	return !errors.As(err, &perm) || !perm.Permanent()
}

// pause waits before another try: longer each time, or as the server says.
func pause(ctx context.Context, try int, cause error) error {
	wait := min(200*time.Millisecond<<try, 30*time.Second)
	var status *statusError
	if errors.As(cause, &status) && status.wait > 0 {
		wait = min(status.wait, time.Minute)
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

func retryAfter(h http.Header) time.Duration {
	if s, err := strconv.Atoi(h.Get("Retry-After")); err == nil && s > 0 {
		return time.Duration(s) * time.Second
	}
	return 0
}

// http fetches a URL: the first answer says whether the server gives ranges.
func (f *fetcher) http(ctx context.Context, u *url.URL, got *Fetched) error {
	var err error
	for try := range f.o.Tries {
		if try > 0 {
			if waitErr := pause(ctx, try, err); waitErr != nil {
				return waitErr
			}
		}
		if err = f.httpOnce(ctx, u, got); err == nil || !temporary(err) || ctx.Err() != nil {
			return err
		}
		f.o.Logger.Debug("fetch: again", "try", try+1, "url", Redact(u.String()), "error", err)
	}
	return err
}

var contentRange = regexp.MustCompile(`^bytes (\d+)-(\d+)/(\d+|\*)$`)

func (f *fetcher) get(ctx context.Context, u *url.URL, off, n int64, version string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, &FetchError{Err: errors.New("it is no URL")}
	}
	req.Header.Set("User-Agent", "slate360-worker")
	req.Header.Set("Accept-Encoding", "identity")
	if n > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	}
	if version != "" && strings.HasPrefix(version, `"`) {
		req.Header.Set("If-Match", version)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusPartialContent:
		return resp, nil
	case http.StatusPreconditionFailed:
		resp.Body.Close()
		return nil, &FetchError{Temporary: true, Err: errors.New("it changed while it was fetched")}
	}
	resp.Body.Close()
	hint := ""
	switch resp.StatusCode {
	case http.StatusForbidden, http.StatusUnauthorized:
		hint = "is the link signed, and has it run out?"
	case http.StatusNotFound, http.StatusGone:
		hint = "is the address right?"
	}
	status := &statusError{code: resp.StatusCode, wait: retryAfter(resp.Header)}
	return nil, &FetchError{Temporary: temporary(status), Hint: hint, Err: status}
}

func (f *fetcher) httpOnce(ctx context.Context, u *url.URL, got *Fetched) error {
	resp, err := f.get(ctx, u, 0, pieceSize, "")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	name := nameOf(resp.Header.Get("Content-Disposition"), resp.Request.URL)
	m := contentRange.FindStringSubmatch(resp.Header.Get("Content-Range"))
	if resp.StatusCode == http.StatusPartialContent && m != nil && m[3] != "*" && m[1] == "0" {
		size, err := strconv.ParseInt(m[3], 10, 64)
		if err != nil {
			return &FetchError{Err: fmt.Errorf("the server names a size of %q", m[3])}
		}
		return f.httpRanged(ctx, u, resp, name, size, got)
	}
	return f.httpWhole(ctx, resp, name, got)
}

// httpRanged fetches from a server that gives ranges. The first answer is the
// first piece only where nothing of it is here, so it is closed.
func (f *fetcher) httpRanged(ctx context.Context, u *url.URL, first *http.Response, name string, size int64, got *Fetched) error {
	if err := f.take(size); err != nil {
		return err
	}
	final := first.Request.URL // after redirects
	if final.Host != u.Host {
		final = u // signed targets of redirects run out; each range asks again
	}
	version := first.Header.Get("ETag")
	if version == "" || strings.HasPrefix(version, "W/") {
		version = first.Header.Get("Last-Modified")
	}
	name = f.names.distinct(name)
	firstBody := first.Body
	d := &download{
		f: f, path: filepath.Join(f.dir, name), size: size, version: version, source: Redact(u.String()), digests: digestsOf(first.Header),
		open: func(ctx context.Context, off, n int64) (io.ReadCloser, error) {
			if off == 0 && firstBody != nil {
				body := firstBody
				firstBody = nil
				return body, nil
			}
			resp, err := f.get(ctx, final, off, n, version)
			if err != nil {
				return nil, err
			}
			want := fmt.Sprintf("bytes %d-", off)
			now := resp.Header.Get("ETag")
			if now == "" || strings.HasPrefix(now, "W/") {
				now = resp.Header.Get("Last-Modified")
			}
			if resp.StatusCode != http.StatusPartialContent || !strings.HasPrefix(resp.Header.Get("Content-Range"), want) || now != version {
				resp.Body.Close()
				return nil, &FetchError{Temporary: true, Err: errors.New("it changed while it was fetched, or the server does not give ranges")}
			}
			return resp.Body, nil
		},
	}
	if err := d.ranged(ctx); err != nil {
		f.files, f.left, f.total = f.files-1, f.left+size, f.total-size
		delete(f.names, strings.ToLower(name))
		return err
	}
	f.add(got, name, size)
	return nil
}

// httpWhole fetches from a server that gives no ranges: in one go, from the
// beginning after each cut.
func (f *fetcher) httpWhole(ctx context.Context, resp *http.Response, name string, got *Fetched) (err error) {
	size := resp.ContentLength
	if err := f.take(size); err != nil {
		return err
	}
	name = f.names.distinct(name)
	path := filepath.Join(f.dir, name)
	f.mu.Lock()
	before := f.done
	f.mu.Unlock()
	left, total := f.left, f.total
	defer func() {
		if err != nil {
			f.files--
			f.left, f.total = left+max(size, 0), total-max(size, 0)
			f.mu.Lock()
			f.done = before
			f.mu.Unlock()
			delete(f.names, strings.ToLower(name))
			err = errors.Join(err, removeIfThere(path+".part"))
		}
	}()
	file, err := os.Create(path + ".part")
	if err != nil {
		return fmt.Errorf("write the source: %w", err)
	}
	defer func() { err = errors.Join(err, closeOnce(file)) }()
	most := f.left
	if size >= 0 {
		most = size
	}
	var w io.Writer = file
	sums := digestsOf(resp.Header)
	if v := resp.Header.Get("Content-MD5"); v != "" && len(sums) == 0 {
		sums = []digest{{"Content-MD5", v, md5.New()}} //nolint:gosec // it is what the server names
	}
	for _, g := range sums {
		w = io.MultiWriter(w, g.hash)
	}
	stop := context.AfterFunc(ctx, func() { resp.Body.Close() })
	defer stop()
	n, err := io.Copy(struct{ io.Writer }{w}, &meteredReader{ctx: ctx, r: io.LimitReader(resp.Body, most+1), f: f})
	switch {
	case err != nil:
		return err
	case n > most && size < 0:
		return tooLarge(f.o.Bytes)
	case size >= 0 && n != size:
		return io.ErrUnexpectedEOF
	}
	for _, g := range sums {
		if base64.StdEncoding.EncodeToString(g.hash.Sum(nil)) != g.want {
			return &FetchError{Temporary: true, Err: fmt.Errorf("its %s is not what the server says", g.name)}
		}
	}
	if size < 0 {
		f.left -= n
	}
	if err := closeOnce(file); err != nil {
		return fmt.Errorf("write the source: %w", err)
	}
	if err := os.Rename(path+".part", path); err != nil {
		return err
	}
	f.add(got, name, n)
	return nil
}

func closeOnce(f *os.File) error {
	if err := f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
