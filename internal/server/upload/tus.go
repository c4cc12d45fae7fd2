package upload

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"
	"golang.org/x/exp/slog"

	"slate360.ai/worker/internal/server/auth"
	"slate360.ai/worker/internal/server/problem"
)

// BasePath is where uploads are.
const BasePath = "/api/uploads"

// networkTimeout is how long an upload may stand still on its connection,
// gracePeriod what a chunk gets to be written after its connection was cut.
const (
	networkTimeout = time.Minute
	gracePeriod    = time.Second
)

// checksums are the algorithms of the extension checksum.
func checksums() map[string]func() hash.Hash {
	return map[string]func() hash.Hash{
		"sha1": sha1.New, "sha256": sha256.New, "md5": md5.New, "crc32": func() hash.Hash { return crc32.NewIEEE() },
	}
}

const checksumNames = "sha1,sha256,md5,crc32"

// Handler returns the handler of BasePath. Requests have passed authentication: who
// makes them is in their context (WithCaller).
func (s *Store) Handler() (http.Handler, error) {
	composer := handler.NewStoreComposer()
	store := tusStore{s}
	composer.UseCore(store)
	composer.UseTerminater(store)
	composer.UseLocker(memorylocker.New())
	tus, err := handler.NewHandler(handler.Config{
		StoreComposer: composer, BasePath: BasePath + "/", MaxSize: s.o.MaxBytes, DisableDownload: true, DisableConcatenation: true,
		Cors: &handler.CorsConfig{Disable: true}, NetworkTimeout: networkTimeout, GracefulRequestCompletionTimeout: gracePeriod,
		Logger: slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1})),
	})
	if err != nil {
		return nil, fmt.Errorf("set up tus: %w", err)
	}
	stripped := http.StripPrefix(BasePath, tus)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(stripped, w, r) }), nil
}

func (s *Store) serve(next http.Handler, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	check, err := parseChecksum(r.Header.Get("Upload-Checksum"))
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	if check != nil {
		r = r.WithContext(context.WithValue(r.Context(), checksumKey{}, check))
	}
	out := &answer{ResponseWriter: w, r: r}
	if id := strings.Trim(strings.TrimPrefix(r.URL.Path, BasePath), "/"); id != "" {
		if expires, ok := s.touch(id, caller(r.Context())); ok {
			w.Header().Set("Upload-Expires", expires.UTC().Format(http.TimeFormat))
		}
	} else if r.Method == http.MethodPost {
		w.Header().Set("Upload-Expires", time.Now().Add(s.o.TTL).UTC().Format(http.TimeFormat))
	}
	next.ServeHTTP(out, r)
	out.finish()
}

// touch lets an upload that somebody goes on with live on.
func (s *Store) touch(id string, p auth.Principal) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.files[id]
	if f == nil || !p.Sees(f.Organisation) {
		return time.Time{}, false
	}
	f.Expires = time.Now().Add(s.o.TTL)
	return f.Expires, true
}

type (
	callerKey   struct{}
	checksumKey struct{}
)

// WithCaller returns a context that says who makes the request.
func WithCaller(ctx context.Context, p auth.Principal) context.Context {
	return context.WithValue(ctx, callerKey{}, p)
}

func caller(ctx context.Context) auth.Principal {
	p, _ := ctx.Value(callerKey{}).(auth.Principal)
	return p
}

// checksum is what a chunk must hash to.
type checksum struct {
	make func() hash.Hash
	want []byte
}

// parseChecksum reads Upload-Checksum: an algorithm and a digest in Base64.
func parseChecksum(header string) (*checksum, error) {
	if header == "" {
		return nil, nil
	}
	name, digest, _ := strings.Cut(header, " ")
	c := &checksum{make: checksums()[strings.ToLower(name)]}
	if c.make == nil {
		return nil, problem.New(http.StatusBadRequest, "the checksum algorithm %.20q is not known", name).In("Upload-Checksum").
			Advise("use one of " + checksumNames)
	}
	want, err := base64.StdEncoding.DecodeString(digest)
	if err != nil || len(want) != c.make().Size() {
		return nil, problem.New(http.StatusBadRequest, "the checksum is no digest of %s in Base64", name).In("Upload-Checksum")
	}
	c.want = want
	return c, nil
}

// answer turns what tusd answers into what the rest of the API answers: problems in
// place of its texts, and addresses without a host, which a proxy may have changed.
type answer struct {
	http.ResponseWriter
	r      *http.Request
	status int
	text   strings.Builder
}

// WriteHeader is of http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	h := a.Header()
	if at := strings.Index(h.Get("Location"), BasePath+"/"); at >= 0 {
		h.Set("Location", h.Get("Location")[at:])
	}
	if extensions := h.Get("Tus-Extension"); extensions != "" {
		h.Set("Tus-Extension", extensions+",checksum,expiration")
		h.Set("Tus-Checksum-Algorithm", checksumNames)
	}
	if a.r.Method == http.MethodHead && status >= 400 {
		h.Del("Content-Type") // there is nothing of any type
	}
	a.status = status
	if status < 400 || a.r.Method == http.MethodHead {
		a.ResponseWriter.WriteHeader(status)
	}
}

// Write is of http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	if a.status >= 400 {
		return a.text.Write(p)
	}
	return a.ResponseWriter.Write(p)
}

// finish writes the problem that was held back.
func (a *answer) finish() {
	if a.status < 400 || a.r.Method == http.MethodHead {
		return
	}
	a.Header().Del("Content-Length")
	code, detail, ok := strings.Cut(strings.TrimSpace(a.text.String()), ": ")
	if !ok {
		code, detail = "", code
	}
	p := problem.New(a.status, "%s", detail)
	if code != "" {
		p = p.Kind(strings.ToLower(strings.ReplaceAll(code, "_", "-")), "The upload was refused")
	}
	problem.Write(a.ResponseWriter, a.r, p)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// refused makes an error of tusd of a problem.
func refused(err error) error {
	var p *problem.Problem
	if !errors.As(err, &p) {
		return err
	}
	slug := strings.TrimPrefix(p.Type, "urn:slate360:problem:")
	return handler.NewError(slug, p.Detail, p.Status)
}

// tusStore is what tusd asks of a Store.
type tusStore struct{ s *Store }

// NewUpload is of handler.DataStore.
func (t tusStore) NewUpload(ctx context.Context, info handler.FileInfo) (handler.Upload, error) {
	s, p := t.s, caller(ctx)
	if info.SizeIsDeferred {
		return nil, handler.ErrNotImplemented
	}
	rel := CleanPath(info.MetaData["relativePath"])
	if rel == "" {
		rel = CleanPath(info.MetaData["filename"])
	}
	if rel == "" {
		rel = "source"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.admit(p, info.Size); err != nil {
		return nil, refused(err)
	}
	f := &file{note: note{
		ID: strings.ToLower(rand.Text()), Size: info.Size, Path: rel, Metadata: bounded(info.MetaData), Organisation: p.Organisation,
		Expires: time.Now().Add(s.o.TTL),
	}}
	if err := os.WriteFile(s.contentPath(f.ID), nil, 0o600); err != nil {
		return nil, fmt.Errorf("make upload: %w", err)
	}
	if err := s.writeNote(f); err != nil {
		return nil, fmt.Errorf("make upload: %w", err)
	}
	s.files[f.ID] = f
	return &tusUpload{s: s, f: f}, nil
}

// maxMetadata bounds what is kept of the metadata, in bytes a value.
const maxMetadata = 1024

func bounded(m handler.MetaData) map[string]string {
	kept := map[string]string{}
	for _, name := range []string{"filename", "relativePath", "filetype", "batch"} {
		if v, ok := m[name]; ok {
			kept[name] = v[:min(len(v), maxMetadata)]
		}
	}
	return kept
}

// GetUpload is of handler.DataStore.
func (t tusStore) GetUpload(ctx context.Context, id string) (handler.Upload, error) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	f := t.s.files[id]
	if f == nil || !caller(ctx).Sees(f.Organisation) || time.Now().After(f.Expires) {
		return nil, handler.ErrNotFound
	}
	return &tusUpload{s: t.s, f: f}, nil
}

// AsTerminatableUpload is of handler.TerminaterDataStore.
func (t tusStore) AsTerminatableUpload(u handler.Upload) handler.TerminatableUpload {
	upload, _ := u.(*tusUpload) // all of them are ours
	return upload
}

type tusUpload struct {
	s *Store
	f *file
}

// GetInfo is of handler.Upload.
func (u *tusUpload) GetInfo(context.Context) (handler.FileInfo, error) {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	return handler.FileInfo{ID: u.f.ID, Size: u.f.Size, Offset: u.f.offset, MetaData: u.f.Metadata}, nil
}

// errChecksum is the answer that the extension checksum demands.
func errChecksum() error {
	return handler.NewError("ERR_CHECKSUM_MISMATCH", "the chunk does not match its checksum, and was dropped", 460)
}

// copyBuffer is what one upload has in memory, in bytes.
const copyBuffer = 64 << 10

// WriteChunk is of handler.Upload. A chunk with a checksum counts whole or not at all.
func (u *tusUpload) WriteChunk(ctx context.Context, offset int64, src io.Reader) (int64, error) {
	out, err := os.OpenFile(u.s.contentPath(u.f.ID), os.O_WRONLY, 0)
	if err != nil {
		return 0, fmt.Errorf("write upload: %w", err)
	}
	defer out.Close()
	// What a killed process wrote beyond the offset is written over, or cut off.
	if err := out.Truncate(offset); err != nil {
		return 0, fmt.Errorf("write upload: %w", err)
	}
	if _, err := out.Seek(offset, io.SeekStart); err != nil {
		return 0, fmt.Errorf("write upload: %w", err)
	}
	var to io.Writer = counting{out, &u.s.in}
	var sum hash.Hash
	check, _ := ctx.Value(checksumKey{}).(*checksum)
	if check != nil {
		sum = check.make()
		to = io.MultiWriter(to, sum)
	}
	n, err := io.CopyBuffer(to, src, make([]byte, copyBuffer))
	if check != nil && (err != nil || string(sum.Sum(nil)) != string(check.want)) {
		err = errors.Join(err, errChecksum(), out.Truncate(offset))
		n = 0
	}
	u.s.mu.Lock()
	u.f.offset = offset + n
	u.s.mu.Unlock()
	return n, err
}

// counting counts what is written.
type counting struct {
	w io.Writer
	n *atomic.Int64
}

func (c counting) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// GetReader is of handler.Upload; uploads are not given back.
func (u *tusUpload) GetReader(context.Context) (io.ReadCloser, error) {
	return nil, handler.ErrNotImplemented
}

// FinishUpload is of handler.Upload: the content survives a loss of power from here on.
func (u *tusUpload) FinishUpload(context.Context) error {
	out, err := os.OpenFile(u.s.contentPath(u.f.ID), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("finish upload: %w", err)
	}
	err = errors.Join(out.Sync(), out.Close())
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	if err = errors.Join(err, u.s.writeNote(u.f)); err != nil {
		return fmt.Errorf("finish upload: %w", err)
	}
	return nil
}

// Terminate is of handler.TerminatableUpload.
func (u *tusUpload) Terminate(context.Context) error {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	delete(u.s.files, u.f.ID)
	return u.s.remove(u.f.ID)
}

// Protocol is what OPTIONS says of the server, for the documentation.
func (s *Store) Protocol() map[string]string {
	return map[string]string{"version": "1.0.0", "maxSize": strconv.FormatInt(s.o.MaxBytes, 10), "checksums": checksumNames}
}
