package api

import (
	"net/http"
	"strings"

	"slate360.ai/worker/internal/server/upload"
)

// secure sets what every answer has: browsers guess no types, tell no other site
// where they come from, and let nobody frame us or use the machine's devices.
func (s *Server) secure(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Permissions-Policy", "accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=(), "+
		"fullscreen=(self), xr-spatial-tracking=(self)")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
}

// unlimited tells whether requests do not count for the rate: there are many of them
// by nature, and they have bounds of their own.
func unlimited(r *http.Request) bool {
	if strings.HasPrefix(r.URL.Path, upload.BasePath) {
		return true
	}
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.Contains(r.URL.Path, "/outputs/")
}
