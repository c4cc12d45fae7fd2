package auth

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"slate360.ai/worker/internal/server/problem"
)

// Origins are the web pages of others that may call the API (CORS).
type Origins []string

// Allowed tells whether an origin is in the list.
func (o Origins) Allowed(origin string) bool { return slices.Contains(o, origin) }

// sameOrigin tells whether the page that sends a request came from this server.
// Only the host is compared: behind a proxy the scheme is not known.
func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		switch r.Header.Get("Sec-Fetch-Site") {
		case "", "same-origin", "none": // no browser, or one that names no origin
			return true
		}
		return false
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}

// CheckOrigin refuses requests that change something and that a page of another
// site may have caused: those that need no secret which the page would have to know.
func (o Origins) CheckOrigin(r *http.Request, p Principal) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	if !p.Cookie && !p.Open {
		return nil
	}
	if !sameOrigin(r) && (p.Cookie || !o.Allowed(r.Header.Get("Origin"))) {
		return problem.New(http.StatusForbidden, "the request comes from a page of another site").In("Origin").Kind("cross-site", "Cross-site request")
	}
	if p.Cookie && r.Header.Get(CSRFHeader) != "1" {
		return problem.New(http.StatusForbidden, "a request with a session needs the header x-slate360-csrf: 1").
			In("x-slate360-csrf").Kind("cross-site", "Cross-site request")
	}
	return nil
}

// exposed are the headers of answers that pages of others may read.
const exposed = "ETag, Location, Retry-After, Content-Range, Accept-Ranges, Upload-Offset, Upload-Length, Upload-Expires, Upload-Metadata, Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm"

// accepted are the headers of requests that they may send.
const accepted = "Authorization, X-Dispatch-Token, Content-Type, Idempotency-Key, Last-Event-ID, Range, If-None-Match, X-Slate360-Csrf, " +
	"Tus-Resumable, Upload-Length, Upload-Offset, Upload-Metadata, Upload-Checksum, Upload-Defer-Length, X-HTTP-Method-Override, Traceparent, Tracestate"

// Share sets the headers by which pages of the list may call the API, and answers
// preflights; done is true where it did.
func (o Origins) Share(w http.ResponseWriter, r *http.Request) (done bool) {
	origin := r.Header.Get("Origin")
	if len(o) > 0 {
		w.Header().Add("Vary", "Origin")
	}
	if origin == "" || !o.Allowed(origin) {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin) // without credentials: they send a token
	h.Set("Access-Control-Expose-Headers", exposed)
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PATCH, DELETE, OPTIONS")
	h.Set("Access-Control-Allow-Headers", accepted)
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}
