package testservices

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// IMDS is the instance metadata service of a machine, version 2: nothing without a token.
type IMDS struct {
	URL string
	// Asked has an element when metadata were asked for since the last was taken.
	Asked chan struct{}

	mu     sync.Mutex
	values map[string]string // by the path below /latest/meta-data/
	fail   bool
}

// NewIMDS starts the service of a machine of this ID.
func NewIMDS(t testing.TB, instance string) *IMDS {
	t.Helper()
	s := &IMDS{values: map[string]string{"instance-id": instance, "placement/region": "us-east-1"}, Asked: make(chan struct{}, 1)}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Environment is what the SDK of AWS reads.
func (s *IMDS) Environment() []string {
	return []string{"AWS_EC2_METADATA_SERVICE_ENDPOINT=" + s.URL, "AWS_EC2_METADATA_DISABLED=false"}
}

// Set gives a piece of metadata a value.
func (s *IMDS) Set(path, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[path] = value
}

// Fail lets all requests for metadata fail, or no longer.
func (s *IMDS) Fail(fail bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

// ServeHTTP answers as the service does.
func (s *IMDS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const root, ttl, token = "/latest/meta-data/", "X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "token"
	if r.URL.Path == "/latest/api/token" {
		if r.Method != http.MethodPut || r.Header.Get(ttl) == "" {
			http.Error(w, "bad", http.StatusBadRequest)
			return
		}
		w.Header().Set(ttl, "21600")
		_, _ = w.Write([]byte(token)) // the client may have gone
		return
	}
	select {
	case s.Asked <- struct{}{}:
	default:
	}
	path := r.URL.Path
	if len(path) > len(root) {
		path = path[len(root):]
	}
	v, ok := s.values[path]
	switch {
	case s.fail:
		http.Error(w, "broken", http.StatusBadRequest)
	case r.Header.Get("X-Aws-Ec2-Metadata-Token") != token:
		http.Error(w, "no token", http.StatusUnauthorized)
	case !ok:
		http.NotFound(w, r)
	default:
		_, _ = w.Write([]byte(v)) // the client may have gone
	}
}
