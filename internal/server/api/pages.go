package api

import (
	"net/http"
	"path"
	"strings"

	"slate360.ai/worker/internal/server/problem"
	"slate360.ai/worker/web"
)

// page serves the dashboard, the viewer and what they are made of.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	if !readOnly(w, r) {
		return
	}
	switch {
	case r.URL.Path == "/":
		s.pages.ServePage(w, r, web.Dashboard)
	case strings.HasPrefix(r.URL.Path, "/view/"):
		s.pages.ServePage(w, r, web.Viewer)
	case strings.HasPrefix(r.URL.Path, web.AssetPrefix):
		s.pages.ServeHTTP(w, r)
	case path.Ext(r.URL.Path) == "" && strings.Contains(r.Header.Get("Accept"), "text/html"):
		s.pages.ServePage(w, r, web.Dashboard) // a place within the dashboard
	default:
		problem.Write(w, r, problem.New(http.StatusNotFound, "there is nothing at %s", r.URL.Path))
	}
}
