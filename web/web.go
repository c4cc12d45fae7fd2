// Package web holds the built pages of the product: the dashboard and the 3D
// viewer, which the program embeds. It serves them with what a browser has to be
// told about them: how long they may be kept, and what they may load (Content
// Security Policy, level 3). Sources are in src; scripts/web.sh builds them.
package web

import (
	"bytes"
	"embed"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"slate360.ai/worker/internal/job"
)

// dist holds the pages where the program was built with them; see dist/README.md.
//
//go:embed all:dist
var dist embed.FS

// ErrNotBuilt says that the program was built without its pages.
var ErrNotBuilt = errors.New("this build lacks its web pages: build it with make build")

// Page is one of the HTML documents.
type Page string

// The pages.
const (
	Dashboard Page = "index.html"
	Viewer    Page = "view.html"
)

// AssetPrefix is the path below which pages find their scripts, styles and fonts.
// What lies there is public: it holds nothing of any job.
const AssetPrefix = "/assets/"

// site is the folder of dist that the build writes.
const site = "dist/site"

// Built tells whether the program was built with its pages.
func Built() bool {
	_, err := fs.Stat(dist, path.Join(site, string(Dashboard)))
	return err == nil
}

// Policy is the Content-Security-Policy of the pages. Data may come from the
// server itself and from the origins named (object storage that a job's files are
// redirected to, "https://bucket.s3.eu-central-1.amazonaws.com"), nothing from
// anywhere else. WebAssembly may run; scripts from text may not, in workers neither.
func Policy(origins ...string) string {
	data := "'self'"
	if len(origins) > 0 {
		data += " " + strings.Join(origins, " ")
	}
	return "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; font-src 'self'; " +
		"img-src " + data + " data: blob:; connect-src " + data + " data: blob:; worker-src 'self' blob:; manifest-src 'self'; " +
		"base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
}

// Handler serves the pages and what they load.
type Handler struct{ policy string }

// NewHandler returns a handler; see Policy for the origins.
func NewHandler(origins ...string) *Handler {
	return &Handler{policy: Policy(origins...)}
}

// ServePage answers with a page, whatever the path of the request is.
func (h *Handler) ServePage(w http.ResponseWriter, r *http.Request, page Page) {
	h.secure(w.Header())
	if !Built() {
		http.Error(w, ErrNotBuilt.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Cache-Control", "no-cache") // it names the assets of this build
	h.serve(w, r, string(page))
}

// ServeHTTP serves what lies below AssetPrefix. The names hold a hash of the
// content, so that a browser may keep them.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutPrefix(r.URL.Path, AssetPrefix)
	if !ok || !fs.ValidPath(name) || strings.HasSuffix(name, compressed) {
		http.NotFound(w, r)
		return
	}
	h.secure(w.Header())
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	h.serve(w, r, path.Join("assets", name))
}

func (h *Handler) secure(header http.Header) {
	header.Set("Content-Security-Policy", h.policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
}

// compressed ends the name of the gzip twin that the build puts beside a file.
const compressed = ".gz"

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, name string) {
	data, err := fs.ReadFile(dist, path.Join(site, name))
	if err != nil {
		w.Header().Set("Cache-Control", "no-store")
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	header.Set("Content-Type", contentType(name))
	header.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		if small, err := fs.ReadFile(dist, path.Join(site, name+compressed)); err == nil {
			header.Set("Content-Encoding", "gzip")
			data = small
		}
	}
	// Embedded files have no time; the names of assets tell versions apart.
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".woff2":
		return "font/woff2"
	case ".webmanifest":
		return "application/manifest+json"
	}
	return job.ContentType(name)
}
