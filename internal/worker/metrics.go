package worker

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are what the worker counts.
type Metrics struct {
	Running     prometheus.Gauge
	Stuck       prometheus.Counter
	QueueErrors prometheus.Counter
	jobs        *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	stages      *prometheus.HistogramVec
	uploaded    prometheus.Counter
	fetched     prometheus.Counter
}

// secondsBuckets reach from a tenth of a second to most of a day.
func secondsBuckets() []float64 { return prometheus.ExponentialBuckets(0.1, 3, 13) }

// NewMetrics returns a set; it counts without being registered.
func NewMetrics() *Metrics {
	return &Metrics{
		Running:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "slate360_jobs_running", Help: "Jobs that run now."}),
		Stuck:       prometheus.NewCounter(prometheus.CounterOpts{Name: "slate360_stages_stuck_total", Help: "Stages without progress for longer than SLATE360_STALL_TIMEOUT."}),
		QueueErrors: prometheus.NewCounter(prometheus.CounterOpts{Name: "slate360_queue_errors_total", Help: "Errors of the queue beside the jobs."}),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "slate360_jobs_total", Help: "Runs of jobs that ended, by result (completed, failed, retried, released, lost) and kind.",
		}, []string{"result", "kind"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "slate360_job_seconds", Help: "Time of runs of jobs.", Buckets: secondsBuckets(),
		}, []string{"result", "kind"}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "slate360_stage_seconds", Help: "Time of stages.", Buckets: secondsBuckets(),
		}, []string{"kind", "stage", "engine"}),
		uploaded: prometheus.NewCounter(prometheus.CounterOpts{Name: "slate360_uploaded_bytes_total", Help: "Bytes of outputs sent to storage."}),
		fetched:  prometheus.NewCounter(prometheus.CounterOpts{Name: "slate360_fetched_bytes_total", Help: "Bytes of sources fetched."}),
	}
}

// Collectors returns all, to be registered.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.Running, m.Stuck, m.QueueErrors, m.jobs, m.seconds, m.stages, m.uploaded, m.fetched}
}

func (m *Metrics) job(result, kind string, d time.Duration) {
	if kind == "" {
		kind = "unknown"
	}
	m.jobs.WithLabelValues(result, kind).Inc()
	m.seconds.WithLabelValues(result, kind).Observe(d.Seconds())
}

func (m *Metrics) stage(kind, stage, engine string, seconds float64) {
	m.stages.WithLabelValues(kind, stage, engine).Observe(seconds)
}
