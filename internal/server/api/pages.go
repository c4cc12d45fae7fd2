package api

import (
	"bytes"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/server/problem"
)

// The pages: one that is not built is the other.
const (
	dashboardPage = "index.html"
	viewerPage    = "viewer.html"
)

// without is what a build without pages shows.
const without = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>slate360-worker</title></head>
<body><h1>slate360-worker</h1>
<p>This build has no web pages: build it with <code>make build</code>, which needs Node.</p>
<p>The API is there: <a href="/openapi.json">/openapi.json</a>, <a href="/api/models/jobs">/api/models/jobs</a>, <a href="/health">/health</a>.</p>
</body></html>
`

// page serves the dashboard, the viewer and what they are made of.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	if !readOnly(w, r) {
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	switch {
	case name == "":
		s.document(w, r, dashboardPage)
		return
	case strings.HasPrefix(name, "view/"):
		s.document(w, r, viewerPage)
		return
	}
	if s.o.Web != nil && fs.ValidPath(name) {
		if data, err := fs.ReadFile(s.o.Web, name); err == nil {
			s.asset(w, r, name, data)
			return
		}
	}
	if s.o.Web != nil && path.Ext(name) == "" && strings.Contains(r.Header.Get("Accept"), "text/html") {
		s.document(w, r, dashboardPage) // a place within the dashboard
		return
	}
	problem.Write(w, r, problem.New(http.StatusNotFound, "there is nothing at %s", r.URL.Path))
}

// document serves a page.
func (s *Server) document(w http.ResponseWriter, r *http.Request, name string) {
	var data []byte
	if s.o.Web != nil {
		for _, n := range []string{name, dashboardPage} {
			if got, err := fs.ReadFile(s.o.Web, n); err == nil {
				data = got
				break
			}
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Security-Policy", s.pagePolicy())
	if data == nil {
		data = []byte(without)
	}
	http.ServeContent(w, r, "", s.started, bytes.NewReader(data))
}

// asset serves a part of the pages. Names with a hash of their content in them, which
// Vite puts below assets/, hold for ever.
func (s *Server) asset(w http.ResponseWriter, r *http.Request, name string, data []byte) {
	h := w.Header()
	h.Set("Content-Type", job.ContentType(name))
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, "assets/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if strings.HasSuffix(name, ".html") {
		h.Set("Content-Security-Policy", s.pagePolicy())
	} else if strings.HasSuffix(name, ".js") {
		// Workers have the policy that they came with.
		h.Set("Content-Security-Policy", s.pagePolicy())
	}
	http.ServeContent(w, r, "", s.started, bytes.NewReader(data))
}
