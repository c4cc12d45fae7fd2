package worker

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"slate360.ai/worker/internal/job"
)

// Metrics are what the worker counts.
type Metrics struct {
	Running     prometheus.Gauge
	Draining    prometheus.Gauge
	Stuck       prometheus.Counter
	QueueErrors prometheus.Counter
	jobs        *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	stages      *prometheus.HistogramVec
	uploaded    prometheus.Counter
	fetched     prometheus.Counter
	checkpoints *prometheus.CounterVec

	completed, failed atomic.Int64
}

// Ended returns how many jobs were completed, and how many failed for good.
func (m *Metrics) Ended() (completed, failed int64) { return m.completed.Load(), m.failed.Load() }

// secondsBuckets reach from a tenth of a second to most of a day.
func secondsBuckets() []float64 { return prometheus.ExponentialBuckets(0.1, 3, 13) }

// NewMetrics returns a set; it counts without being registered.
func NewMetrics() *Metrics {
	m := &Metrics{
		Running:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "slate360_jobs_running", Help: "Jobs that run now."}),
		Draining:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "slate360_worker_draining", Help: "1 where the worker takes no more jobs: it is stopped, or its machine will go."}),
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
		checkpoints: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "slate360_checkpoints_total", Help: "Checkpoints of jobs that were given back, by what became of them (saved, failed, loaded).",
		}, []string{"result"}),
		fetched: prometheus.NewCounter(prometheus.CounterOpts{Name: "slate360_fetched_bytes_total", Help: "Bytes of sources fetched."}),
	}
	for _, result := range []string{checkpointSaved, checkpointFailed, checkpointLoaded} {
		m.checkpoints.WithLabelValues(result) // there from the start: a rate needs a first value
	}
	return m
}

// What becomes of checkpoints.
const (
	checkpointSaved  = "saved"
	checkpointFailed = "failed"
	checkpointLoaded = "loaded"
)

// Collectors returns all, to be registered.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.Running, m.Stuck, m.QueueErrors, m.jobs, m.seconds, m.stages, m.uploaded, m.fetched, m.checkpoints, m.Draining}
}

// results are the ends of runs.
func results() []string {
	return []string{string(job.StatusCompleted), string(job.StatusFailed), "retried", "released", "lost"}
}

// expect lets the counts of a kind be there before the first job: a rate needs a
// first value.
func (m *Metrics) expect(kind string) {
	for _, result := range results() {
		m.jobs.WithLabelValues(result, kind)
	}
}

func (m *Metrics) job(result, kind string, d time.Duration) {
	if kind == "" {
		kind = "unknown"
	}
	m.jobs.WithLabelValues(result, kind).Inc()
	switch job.Status(result) {
	case job.StatusCompleted:
		m.completed.Add(1)
	case job.StatusFailed:
		m.failed.Add(1)
	}
	m.seconds.WithLabelValues(result, kind).Observe(d.Seconds())
}

func (m *Metrics) stage(kind, stage, engine string, seconds float64) {
	m.stages.WithLabelValues(kind, stage, engine).Observe(seconds)
}
