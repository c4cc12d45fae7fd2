// Package files serves stored objects to browsers: with ranges and validators
// (RFC 9110), and so that what users brought in cannot act as a page of ours.
//
// Content types come from a list by extension, never from the content. What a
// browser would run (HTML, SVG, XML) is shown in a sandbox or not at all.
package files

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/server/problem"
	"slate360.ai/worker/internal/storage"
)

// Server serves the objects of a store.
type Server struct {
	store storage.Store
	// sent is told of the bytes that went out.
	sent func(n int64)
}

// New returns a server of the store; sent may be nil.
func New(store storage.Store, sent func(n int64)) *Server {
	if sent == nil {
		sent = func(int64) {}
	}
	return &Server{store: store, sent: sent}
}

// Sandbox is the policy of pages that come out of a job: they may have their own
// style and pictures, and run nothing.
const Sandbox = "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; font-src data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// writeTimeout is what a client gets to take a block of a file.
const writeTimeout = time.Minute

// Serve answers a GET or HEAD for the file rel below the folder prefix. Its errors
// are written as problems.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request, prefix, rel string) {
	if err := s.serve(w, r, prefix, rel); err != nil {
		problem.Write(w, r, err)
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, prefix, rel string) error {
	notFound := problem.New(http.StatusNotFound, "there is no such file in the result")
	if !Plain(rel) {
		return notFound
	}
	info, err := s.store.Stat(r.Context(), prefix+"/"+rel)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return notFound
	case err != nil:
		return fmt.Errorf("serve %s: %w", rel, err)
	}
	ranges, err := parseRanges(r.Header.Get("Range"), info.Size)
	switch {
	case errors.Is(err, errTooManyRanges):
		return problem.New(http.StatusRequestedRangeNotSatisfiable, "more than %d ranges are asked for", maxRanges).In("Range")
	case errors.Is(err, errUnsatisfiable) && r.Header.Get("If-Range") == "":
		return problem.New(http.StatusRequestedRangeNotSatisfiable, "the range lies outside of the %d bytes of the file", info.Size).
			In("Range").With("Content-Range", fmt.Sprintf("bytes */%d", info.Size))
	case errors.Is(err, errRangeSyntax), err == nil && ranges == nil:
		r.Header.Del("Range") // one that cannot be read is ignored (RFC 9110, 14.2)
	}
	describe(w.Header(), rel, info)
	content := &object{ctx: r.Context(), store: s.store, info: info, ranges: ranges}
	defer content.Close()
	zipped, err := content.zipped(rel)
	if err != nil {
		return fmt.Errorf("serve %s: %w", rel, err)
	}
	out := &meter{ResponseWriter: w, control: http.NewResponseController(w), sent: s.sent}
	if zipped {
		w.Header().Add("Vary", "Accept-Encoding")
		if !acceptsGzip(r.Header.Get("Accept-Encoding")) {
			return inflate(out, r, content)
		}
		w.Header().Set("Content-Encoding", "gzip")
	}
	http.ServeContent(out, r, "", info.Modified, content)
	return nil
}

// Plain tells whether a path names a file below a folder: no empty, "." or ".."
// segment, no backslash or control character, nothing hidden.
func Plain(rel string) bool {
	if storage.CheckKey(rel) != nil {
		return false
	}
	for segment := range strings.SplitSeq(rel, "/") {
		if strings.HasPrefix(segment, ".") {
			return false
		}
	}
	return true
}

// describe sets the headers of a file.
func describe(h http.Header, rel string, info storage.Info) {
	contentType := job.ContentType(rel)
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Etag", etag(info))
	h.Set("Cache-Control", "private, no-cache") // kept, and asked for again by its validator
	h.Set("Content-Security-Policy", Sandbox)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if !harmless(contentType) {
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(rel)}))
	}
}

// harmless tells whether a browser may show the file: data, pictures, plain text,
// and pages, which the sandbox keeps from doing anything. What is a document with
// scripts of its own (SVG, XML) or code is saved instead.
func harmless(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch media {
	case "image/svg+xml", "application/xml", "text/javascript", "application/wasm", "text/css":
		return false
	}
	return true
}

// etag is strong: it changes with the version of the object.
func etag(info storage.Info) string {
	if info.SHA256 != "" {
		return `"` + info.SHA256 + `"`
	}
	h := fnv.New64a()
	_, _ = io.WriteString(h, info.Version) // never fails
	return fmt.Sprintf(`"%x-%x-%x"`, info.Size, info.Modified.UnixNano(), h.Sum64())
}

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3).
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		coding, params, _ := strings.Cut(part, ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		if coding != "gzip" && coding != "*" {
			continue
		}
		q, found := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(params), " ", ""), "q=")
		if weight, err := strconv.ParseFloat(q, 64); found && err == nil && weight == 0 {
			return false
		}
		return true
	}
	return false
}

// inflate sends a file that is kept compressed to who cannot read it so, without ranges.
func inflate(w http.ResponseWriter, r *http.Request, content io.Reader) error {
	z, err := gzip.NewReader(content)
	if err != nil {
		return fmt.Errorf("inflate: %w", err)
	}
	w.Header().Del("Etag") // it is that of the compressed form
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	// The status is out: what goes wrong now shows as a connection that is cut.
	if _, err := io.Copy(w, z); err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// object reads one stored object for http.ServeContent. It asks the store for no
// more than the ranges of the request.
type object struct {
	ctx    context.Context
	store  storage.Store
	info   storage.Info
	ranges []byteRange

	at   int64
	body io.ReadCloser
}

// Seek is of io.Seeker.
func (o *object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += o.info.Size
	}
	if offset < 0 {
		return 0, errors.New("seek before the begin of the object")
	}
	if offset != o.at {
		o.at = offset
		if err := o.Close(); err != nil {
			return 0, err
		}
	}
	return offset, nil
}

// Read is of io.Reader.
func (o *object) Read(p []byte) (int, error) {
	if o.at >= o.info.Size {
		return 0, io.EOF
	}
	if o.body == nil {
		n := o.info.Size - o.at
		for _, r := range o.ranges {
			if r.off == o.at {
				n = r.n
				break
			}
		}
		body, err := o.store.OpenRange(o.ctx, o.info, o.at, n)
		if err != nil {
			return 0, err
		}
		o.body = body
	}
	n, err := o.body.Read(p)
	o.at += int64(n)
	if errors.Is(err, io.EOF) {
		err = o.Close()
		if n == 0 && err == nil {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

// Close ends the reading of a range.
func (o *object) Close() error {
	if o.body == nil {
		return nil
	}
	err := o.body.Close()
	o.body = nil
	return err
}

// zipped tells whether the object is gzip under the name of something else, as
// tiles may be. A name that says so itself is what it is.
func (o *object) zipped(rel string) (bool, error) {
	if !storage.MayBeCompressed(rel) || o.info.Size < 18 {
		return false, nil
	}
	head, err := o.store.OpenRange(o.ctx, o.info, 0, 512)
	if err != nil {
		return false, err
	}
	defer head.Close()
	data, err := io.ReadAll(head)
	if err != nil {
		return false, err
	}
	return storage.IsGzip(bytes.NewReader(data)), nil
}

// meter counts what goes out and cuts clients off that do not take it.
type meter struct {
	http.ResponseWriter
	control *http.ResponseController
	sent    func(n int64)
}

// block is what is written under one deadline, in bytes.
const block = 8 << 20

func (m *meter) Write(p []byte) (int, error) {
	m.extend()
	n, err := m.ResponseWriter.Write(p)
	m.sent(int64(n))
	return n, err
}

// ReadFrom lets the system send files by itself where it can.
func (m *meter) ReadFrom(r io.Reader) (total int64, err error) {
	for {
		m.extend()
		n, err := io.CopyN(m.ResponseWriter, r, block)
		total += n
		m.sent(n)
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

func (m *meter) extend() {
	// Writers of tests have no deadline.
	_ = m.control.SetWriteDeadline(time.Now().Add(writeTimeout))
}

// Unwrap is for http.ResponseController.
func (m *meter) Unwrap() http.ResponseWriter { return m.ResponseWriter }
