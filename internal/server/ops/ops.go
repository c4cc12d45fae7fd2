// Package ops serves what machines ask of a running worker: /health (is the
// process alive), /ready (does it take jobs, and can it reach what it needs) and
// /metrics (Prometheus).
package ops

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check tells whether a part that the worker needs can be reached.
type Check struct {
	Name string
	Ping func(ctx context.Context) error
}

// Options of a Handler.
type Options struct {
	Build string
	// Taking tells whether the worker takes jobs: not before it has started and
	// not while it drains.
	Taking func() bool
	Checks []Check
	// Metrics are served at /metrics.
	Metrics prometheus.Gatherer
}

// checkTimeout bounds a check; readyTTL is how long an answer of /ready holds, so
// that probes cost few requests.
const (
	checkTimeout = 5 * time.Second
	readyTTL     = 5 * time.Second
)

// New returns the handler.
func New(o Options) http.Handler {
	mux := http.NewServeMux()
	r := &readiness{o: o}
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"status": "ok", "build": o.Build})
	})
	mux.HandleFunc("GET /ready", r.serve)
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{}))
	return mux
}

// readiness remembers the last answer.
type readiness struct {
	o Options

	mu    sync.Mutex
	asked time.Time
	state map[string]string
	ok    bool
}

func (r *readiness) serve(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	if time.Since(r.asked) > readyTTL {
		r.check(req.Context())
	}
	ok, state := r.ok, r.state
	r.mu.Unlock()
	code, status := http.StatusOK, "ready"
	switch {
	case !r.o.Taking():
		code, status = http.StatusServiceUnavailable, "not taking jobs"
	case !ok:
		code, status = http.StatusServiceUnavailable, "a part cannot be reached"
	}
	answer(w, code, map[string]any{"status": status, "checks": state})
}

// check asks all parts side by side. It must be called with mu held.
func (r *readiness) check(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	errs := make([]error, len(r.o.Checks))
	var wg sync.WaitGroup
	for i, c := range r.o.Checks {
		wg.Go(func() { errs[i] = c.Ping(ctx) })
	}
	wg.Wait()
	r.ok, r.state = true, map[string]string{}
	for i, c := range r.o.Checks {
		r.state[c.Name] = "ok"
		if errs[i] != nil {
			r.ok, r.state[c.Name] = false, errs[i].Error()
		}
	}
	r.asked = time.Now()
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client may have gone
}
