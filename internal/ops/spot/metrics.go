package spot

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are what a guard counts.
type Metrics struct {
	notices   *prometheus.CounterVec
	protected prometheus.Gauge
	failures  prometheus.Counter

	interruptions atomic.Int64
}

// Interruptions is how many notices of an interruption there were.
func (m *Metrics) Interruptions() int64 { return m.interruptions.Load() }

// NewMetrics returns a set; it counts without being registered.
func NewMetrics() *Metrics {
	m := &Metrics{
		notices: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "slate360_machine_notices_total", Help: "Notices that the machine will go, by kind (interruption, terminating, rebalance).",
		}, []string{"kind"}),
		protected: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "slate360_machine_protected", Help: "1 while the group may not take the machine when it shrinks.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "slate360_machine_errors_total", Help: "Failures to ask for notices, or to tell the Auto Scaling group.",
		}),
	}
	for _, k := range []Kind{Interruption, Terminating, Rebalance} {
		m.notices.WithLabelValues(string(k)) // there from the start: a rate needs a first value
	}
	return m
}

// Collectors returns all, to be registered.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.notices, m.protected, m.failures}
}
