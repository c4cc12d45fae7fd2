// Package viewer serves a result folder to a browser: the viewer of package web,
// the summary that it opens, and the files of the folder with range requests, as
// COPC and GeoTIFF readers need them. The pages load nothing from elsewhere.
package viewer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/web"
)

// resultFile is what the pipelines call their summary.
const resultFile = "result.json"

// resultLimit bounds the summary that is read for the page, in bytes.
const resultLimit = 64 << 20

// filePrefix is the path below which the files of the folder are.
const filePrefix = "/files/"

// Handler serves one result folder.
type Handler struct {
	root *os.Root
	name string
	// local tells that only requests to a loopback name are answered.
	local bool
	pages *web.Handler
	mux   *http.ServeMux
}

// New returns a handler for the folder. Paths cannot leave it, nor can symbolic
// links in it; names that begin with a dot are not served. Where local is set,
// requests for other hosts than this machine's loopback names are refused, so
// that a web page elsewhere cannot read the files through a name of its own
// (DNS rebinding). Close it after use.
func New(dir string, local bool) (*Handler, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open result folder: %w", err)
	}
	h := &Handler{root: root, name: folderName(dir), local: local, pages: web.NewHandler(), mux: http.NewServeMux()}
	h.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { h.pages.ServePage(w, r, web.Viewer) })
	h.mux.HandleFunc("GET /"+resultFile, h.serveResult)
	h.mux.HandleFunc("GET "+filePrefix, h.serveFile)
	h.mux.Handle("GET "+web.AssetPrefix, h.pages)
	return h, nil
}

// folderName is what the page calls the result.
func folderName(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return filepath.Base(dir)
}

// Close closes the folder.
func (h *Handler) Close() error { return h.root.Close() }

// ServeHTTP answers GET and HEAD.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-cache")
	if h.local && !loopbackHost(r.Host) {
		http.Error(w, "this server answers to localhost only", http.StatusForbidden)
		return
	}
	h.mux.ServeHTTP(w, r)
}

func loopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}

func (h *Handler) serveFile(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, filePrefix)
	if !fs.ValidPath(name) || strings.ContainsAny(name, "\\\x00") || hidden(name) {
		http.NotFound(w, r)
		return
	}
	f, err := h.root.Open(name)
	if err != nil {
		status := http.StatusNotFound // also where a link leads out of the folder
		if errors.Is(err, fs.ErrPermission) {
			status = http.StatusForbidden
		}
		http.Error(w, http.StatusText(status), status)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", job.ContentType(name))
	if strings.HasSuffix(strings.ToLower(name), ".html") {
		// Reports are self-contained; whatever else they hold stays in a sandbox.
		w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'")
	}
	http.ServeContent(w, r, "", info.ModTime(), f)
}

func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.Contains(name, "/.")
}

// summary is what the page opens: the folder's result.json, and a name for it.
type summary struct {
	Name string `json:"name"`
	job.Result
}

// problem is an answer that says what went wrong (RFC 9457).
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

func (h *Handler) serveResult(w http.ResponseWriter, _ *http.Request) {
	result, err := h.loadResult()
	if err != nil {
		answer(w, "application/problem+json", http.StatusNotFound, problem{"there is no result", http.StatusNotFound, err.Error()})
		return
	}
	answer(w, "application/json", http.StatusOK, summary{h.name, result})
}

func answer(w http.ResponseWriter, contentType string, status int, v any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a browser that went away is no error
}

func (h *Handler) loadResult() (job.Result, error) {
	var result job.Result
	info, err := h.root.Stat(resultFile)
	if err != nil {
		return result, fmt.Errorf("there is no %s: the folder is not, or not yet, a finished result", resultFile)
	}
	if info.Size() > resultLimit {
		return result, fmt.Errorf("%s is too large to show", resultFile)
	}
	data, err := h.root.ReadFile(resultFile)
	if err != nil {
		return result, fmt.Errorf("%s cannot be read", resultFile)
	}
	if err := json.Unmarshal(data, &result); err != nil {
		return result, fmt.Errorf("%s is damaged: %w", resultFile, err)
	}
	return result, nil
}
