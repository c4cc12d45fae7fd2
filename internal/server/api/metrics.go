package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"slate360.ai/worker/internal/job"
)

// metrics are what the server counts.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	sent     prometheus.Counter
	received prometheus.CounterFunc
}

func newMetrics(received func() int64) *metrics {
	return &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "slate360_http_requests_total", Help: "Requests, by route, method and status.",
		}, []string{"route", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "slate360_http_request_seconds", Help: "Time of requests, event streams aside.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 9),
		}, []string{"route"}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "slate360_http_sent_bytes_total", Help: "Bytes of results that were sent to clients.",
		}),
		received: prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "slate360_http_received_bytes_total", Help: "Bytes that clients uploaded.",
		}, func() float64 { return float64(received()) }),
	}
}

// Collectors returns what /metrics shows of the server and its jobs.
func (s *Server) Collectors() []prometheus.Collector {
	return []prometheus.Collector{s.metrics.requests, s.metrics.seconds, s.metrics.sent, s.metrics.received, &jobCollector{s}}
}

// measured counts requests.
func (s *Server) measured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route, start := routeOf(r.URL.Path), time.Now()
		out := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			s.metrics.requests.WithLabelValues(route, methodOf(r.Method), strconv.Itoa(out.status)).Inc()
			if !strings.HasSuffix(route, "/events") {
				s.metrics.seconds.WithLabelValues(route).Observe(time.Since(start).Seconds())
			}
		}()
		next.ServeHTTP(out, r)
	})
}

// statusWriter notes the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// methodOf keeps what clients make up out of the labels.
func methodOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// routeOf names the route of a path, without what is different in each.
func routeOf(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case strings.HasPrefix(path, "/api/models/jobs/") && len(parts) > 4:
		switch parts[4] {
		case "events", "log", "outputs", "retry", "share":
			return "/api/models/jobs/{id}/" + parts[4]
		}
		return "other"
	case strings.HasPrefix(path, "/api/models/jobs/"):
		return "/api/models/jobs/{id}"
	case path == "/api/uploads/presign":
		return path
	case strings.HasPrefix(path, "/api/uploads/"):
		return "/api/uploads/{id}"
	case strings.HasPrefix(path, "/share/"):
		return "/share/{token}"
	case strings.HasPrefix(path, "/view/"):
		return "/view/{id}"
	case strings.HasPrefix(path, "/assets/"):
		return "/assets"
	}
	switch path {
	case "/", "/health", "/ready", "/metrics", "/openapi.json", "/api/models/jobs", "/api/models/process", "/api/uploads", "/api/events",
		"/api/session", "/api/workers", "/api/queue", "/api/queue/pause", "/api/queue/resume", "/api/system":
		return path
	}
	return "other"
}

// jobCollector tells of queue and running jobs when metrics are asked for.
type jobCollector struct{ s *Server }

// Describe is of prometheus.Collector: the labels are those that there are.
func (*jobCollector) Describe(chan<- *prometheus.Desc) {}

// collectTimeout bounds what the queue is asked for metrics.
const collectTimeout = 5 * time.Second

// Collect is of prometheus.Collector.
func (c *jobCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(name, help string, v float64, labels ...string) {
		var names, values []string
		for i := 0; i < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, labels[i+1])
		}
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("slate360_"+name, help, names, nil), prometheus.GaugeValue, v, values...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	if st, err := c.s.o.Jobs.QueueState(ctx); err == nil {
		for state, n := range st.Counts {
			gauge("queue_jobs", "Jobs in the queue, by state.", float64(n), "state", state)
		}
		gauge("queue_oldest_seconds", "How long the oldest of the next jobs has waited.", st.OldestSeconds)
		paused := 0.0
		if st.Paused {
			paused = 1
		}
		gauge("queue_paused", "Whether the taking of jobs is stopped.", paused)
	} else {
		c.s.log.Warn("metrics of the queue", "error", err)
	}
	type key struct{ kind, status string }
	type stage struct{ kind, name, engine string }
	running, stages := map[key]int{}, map[stage]int{}
	for _, l := range c.s.o.Jobs.Running() {
		running[key{l.Kind, string(l.Status)}]++
		for _, st := range l.Stages {
			if st.State == job.StageRunning {
				stages[stage{l.Kind, st.Name, st.Engine}]++
			}
		}
	}
	for k, n := range running {
		gauge("running_jobs", "Jobs that run in this process, by kind and status.", float64(n), "kind", k.kind, "status", k.status)
	}
	for k, n := range stages {
		gauge("running_stages", "Stages that run in this process.", float64(n), "kind", k.kind, "stage", k.name, "engine", k.engine)
	}
	gauge("event_clients", "Clients that follow events.", float64(c.s.streams.n.Load()))
}
