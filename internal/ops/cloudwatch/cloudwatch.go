// Package cloudwatch brings the metrics of a worker to Amazon CloudWatch: by
// PutMetricData, or as lines in the embedded metric format for an agent that reads
// logs.
//
// It follows the "Amazon CloudWatch API Reference" (PutMetricData, Query protocol,
// version 2010-08-01) and "CloudWatch embedded metric format specification". Counts
// are those since the last set; what is of the whole queue is sent by each worker
// alike, so that its statistic is the maximum, while counts are summed.
package cloudwatch

import (
	"context"
	"log/slog"
	"strconv"
	"time"
)

// Namespace of all metrics.
const Namespace = "Slate360/Worker"

// Units of metrics, in CloudWatch's words.
const (
	Count   = "Count"
	Seconds = "Seconds"
	Percent = "Percent"
	Bytes   = "Bytes"
	None    = "None"
)

// Dimension is a name with its value.
type Dimension struct{ Name, Value string }

// Datum is one value of a metric.
type Datum struct {
	Name, Unit string
	Value      float64
	Dimensions []Dimension
}

// Sample is how worker and queue stand. Totals are those since the start of the
// process.
type Sample struct {
	// QueueKnown says that QueueDepth (jobs that wait), OldestJobAge (of them, in
	// seconds) and ActiveJobs (over all workers) are known.
	QueueKnown                           bool
	QueueDepth, OldestJobAge, ActiveJobs float64
	Completed, Failed, Interruptions     int64
	// CostPerHour of this machine; 0 is not known.
	CostPerHour float64
	GPUs        []GPU
}

// GPU is one graphics card.
type GPU struct {
	Index int
	// Utilization in percent, MemoryUsed in bytes.
	Utilization float64
	MemoryUsed  int64
}

// Sink takes metrics.
type Sink interface {
	Put(ctx context.Context, at time.Time, data []Datum) error
}

// Options of a Reporter.
type Options struct {
	Sink Sink
	// Sample is asked each Every.
	Sample func(ctx context.Context) Sample
	Every  time.Duration
	// Queue is the name of the queue; Instance returns that of the machine, once it is
	// known.
	Queue    string
	Instance func() string
	Logger   *slog.Logger
}

// Reporter sends metrics.
type Reporter struct {
	o    Options
	sent Sample // the totals that are sent
}

// NewReporter returns a reporter. It does nothing until Run.
func NewReporter(o Options) *Reporter { return &Reporter{o: o} }

// sendTimeout bounds the sending of one set.
const sendTimeout = 20 * time.Second

// Run sends a set now and each Every, and a last one when ctx is done. What cannot
// be sent is logged, once in a row; its counts are in the next.
func (r *Reporter) Run(ctx context.Context) {
	tick := time.NewTicker(r.o.Every)
	defer tick.Stop()
	broken := false
	for {
		err := r.send(ctx)
		if err != nil && !broken && ctx.Err() == nil {
			r.o.Logger.Warn("metrics for CloudWatch", "error", err, "again", r.o.Every)
		}
		broken = err != nil
		select {
		case <-ctx.Done():
			if err := r.send(context.WithoutCancel(ctx)); err != nil {
				r.o.Logger.Warn("the last metrics for CloudWatch were not sent", "error", err)
			}
			return
		case <-tick.C:
		}
	}
}

// send sends one set.
func (r *Reporter) send(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	s := r.o.Sample(ctx)
	if err := r.o.Sink.Put(ctx, time.Now(), r.data(s)); err != nil {
		return err
	}
	r.sent = s
	return nil
}

// data are the metrics of a sample.
func (r *Reporter) data(s Sample) []Datum {
	queue := []Dimension{{"Queue", r.o.Queue}}
	var data []Datum
	add := func(name, unit string, v float64) { data = append(data, Datum{name, unit, v, queue}) }
	if s.QueueKnown {
		add("QueueDepth", Count, s.QueueDepth)
		add("OldestJobAge", Seconds, s.OldestJobAge)
		add("ActiveJobs", Count, s.ActiveJobs)
	}
	add("JobsCompleted", Count, float64(s.Completed-r.sent.Completed))
	add("JobsFailed", Count, float64(s.Failed-r.sent.Failed))
	add("SpotInterruptions", Count, float64(s.Interruptions-r.sent.Interruptions))
	if s.CostPerHour > 0 {
		add("CostPerHour", None, s.CostPerHour)
	}
	for _, g := range s.GPUs {
		card := []Dimension{queue[0], {"InstanceId", r.o.Instance()}, {"GPU", strconv.Itoa(g.Index)}}
		data = append(data, Datum{"GPUUtilization", Percent, g.Utilization, card[:2:2]}, Datum{"GPUMemoryUsed", Bytes, float64(g.MemoryUsed), card[:2:2]})
		if len(s.GPUs) > 1 {
			data = append(data, Datum{"GPUUtilization", Percent, g.Utilization, card}, Datum{"GPUMemoryUsed", Bytes, float64(g.MemoryUsed), card})
		}
	}
	return data
}
