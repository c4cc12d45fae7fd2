// Package viewer serves a result folder to a browser on the same machine: its
// files with range requests, as COPC and GeoTIFF readers need them, and a page
// that lists what is there. The page loads nothing from elsewhere.
package viewer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"

	"slate360.ai/worker/internal/job"
)

// resultFile is what the pipelines call their summary.
const resultFile = "result.json"

// resultLimit bounds the summary that is read for the page, in bytes.
const resultLimit = 64 << 20

// Handler serves one result folder.
type Handler struct {
	root *os.Root
	// local tells that only requests to a loopback name are answered.
	local bool
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
	return &Handler{root: root, local: local}, nil
}

// Close closes the folder.
func (h *Handler) Close() error { return h.root.Close() }

// ServeHTTP answers GET and HEAD.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Content-Security-Policy", pageSecurity)
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-cache")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD are served", http.StatusMethodNotAllowed)
		return
	}
	if h.local && !loopbackHost(r.Host) {
		http.Error(w, "this server answers to localhost only", http.StatusForbidden)
		return
	}
	if r.URL.Path == "/" {
		h.servePage(w)
		return
	}
	h.serveFile(w, r)
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
	name := strings.TrimPrefix(r.URL.Path, "/")
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

// loadResult reads result.json; a folder without one is served all the same.
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

// link returns the path of an output as a reference in the page.
func link(rel string) string { return (&url.URL{Path: "/" + path.Clean("/" + rel)[1:]}).EscapedPath() }
