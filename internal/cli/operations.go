package cli

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"slate360.ai/worker/internal/config"
	"slate360.ai/worker/internal/ops/autoscale"
	"slate360.ai/worker/internal/ops/cloudwatch"
	"slate360.ai/worker/internal/ops/cost"
	"slate360.ai/worker/internal/ops/gpu"
	"slate360.ai/worker/internal/ops/spot"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/worker"
)

// operations are what `run` does beside its jobs: it follows notices of the machine,
// sends metrics, sizes the group of machines, and watches the budget.
type operations struct {
	p      *Program
	c      config.Config
	s      *services
	name   string // of the worker
	jobs   *worker.Metrics
	gpus   *gpu.Reader
	log    *slog.Logger
	reader autoscale.Reader

	machine *spot.Machine // nil where notices are not followed
	notices *spot.Metrics
	budget  *cost.Metrics
	hourly  prometheus.Gauge

	mu       sync.Mutex
	instance string
	price    float64 // of an hour; 0 is not known
	priced   bool
}

// operate opens what the configuration asks for.
func (p *Program) operate(ctx context.Context, c config.Config, s *services, name string, jobs *worker.Metrics, log *slog.Logger) (*operations, error) {
	o := &operations{
		p: p, c: c, s: s, name: name, jobs: jobs, gpus: gpu.NewReader(), log: log, reader: autoscale.Reader{Queue: s.queue, Kind: p.kindOf},
		notices: spot.NewMetrics(), budget: cost.NewMetrics(), price: c.PriceHour, priced: c.PriceHour > 0,
		hourly: prometheus.NewGauge(prometheus.GaugeOpts{Name: "slate360_machine_cost_hour", Help: "What the machine costs an hour; 0 where it is not known."}),
	}
	o.hourly.Set(c.PriceHour)
	o.budget.Budget.Set(c.Budget)
	if !c.FollowsNotices(spot.Likely()) {
		return o, nil
	}
	var err error
	if o.machine, err = spot.Open(ctx); err != nil {
		return nil, unreachable("notices of the machine", "set SLATE360_SPOT=off where there are none", err)
	}
	return o, nil
}

// collectors are what /metrics shows of it.
func (o *operations) collectors() []prometheus.Collector {
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "slate360_callbacks_waiting", Help: "Ends of jobs that the platform has not been told of yet.",
	}, o.callbacksWaiting)
	return slices.Concat(o.notices.Collectors(), o.budget.Collectors(), []prometheus.Collector{o.hourly, waiting})
}

// outboxPatience bounds a look into the outbox.
const outboxPatience = 2 * time.Second

// callbacksWaiting is how many callbacks wait to be sent.
func (o *operations) callbacksWaiting() float64 {
	if o.s.callbacks == nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), outboxPatience)
	defer cancel()
	n, err := o.s.callbacks.Pending(ctx)
	if err != nil {
		o.log.Warn("outbox of callbacks", "error", err)
	}
	return float64(n)
}

// start begins; what it begins goes on while jobs drain, until stop.
func (o *operations) start(ctx context.Context, w *worker.Worker) (stop func(), err error) {
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	stop = func() {
		cancel()
		wg.Wait()
	}
	run := func(f func(context.Context)) { wg.Go(func() { f(background) }) }
	if o.machine != nil {
		run(o.guard(w).Run)
	}
	if o.machine != nil && !o.priced {
		run(o.learnPrice)
	}
	for _, open := range []func(context.Context) (func(context.Context), error){o.reporter, o.scaler, o.budgetWatch} {
		f, err := open(ctx)
		if err != nil {
			stop()
			return nil, err
		}
		if f != nil {
			run(f)
		}
	}
	return stop, nil
}

// guard follows the notices of the machine.
func (o *operations) guard(w *worker.Worker) *spot.Guard {
	return spot.NewGuard(spot.Options{
		Machine: o.machine, Worker: w, Group: o.p.Backends.Member, Others: o.others, Margin: o.c.SpotMargin, Patience: o.c.TerminateTimeout,
		Rebalance: o.c.SpotRebalance, Every: o.c.SpotInterval, Metrics: o.notices, Logger: o.log,
	})
}

// others tells whether other workers are at the queue, as far as it knows.
func (o *operations) others(ctx context.Context) (bool, error) {
	workers, err := o.s.queue.Workers(ctx)
	return slices.ContainsFunc(workers, func(w queue.Worker) bool { return w.Name != o.name }), err
}

// reporter sends metrics to CloudWatch.
func (o *operations) reporter(ctx context.Context) (func(context.Context), error) {
	var sink cloudwatch.Sink
	switch o.c.CloudWatch {
	case "api":
		var err error
		if sink, err = o.p.Backends.CloudWatch(ctx, o.c.Region); err != nil {
			return nil, unreachable("CloudWatch", "check AWS_REGION and the credentials", err)
		}
	case "emf":
		sink = cloudwatch.EMF{W: o.p.Stdout}
	default:
		return nil, nil
	}
	return cloudwatch.NewReporter(cloudwatch.Options{
		Sink: sink, Sample: o.sample, Every: o.c.CloudWatchInterval, Queue: o.c.Queue, Instance: o.instanceID, Logger: o.log,
	}).Run, nil
}

// sample is how worker and queue stand.
func (o *operations) sample(ctx context.Context) cloudwatch.Sample {
	s := cloudwatch.Sample{CostPerHour: o.priceHour(), Interruptions: o.notices.Interruptions()}
	s.Completed, s.Failed = o.jobs.Ended()
	if b, err := o.reader.Backlog(ctx, time.Now()); err == nil {
		s.QueueKnown, s.QueueDepth, s.OldestJobAge, s.ActiveJobs = true, float64(b.Jobs()), max(b.Oldest.Seconds(), 0), float64(b.Active)
	} else if ctx.Err() == nil {
		o.log.Debug("backlog of the queue", "error", err)
	}
	cards, err := o.gpus.Cards(ctx)
	if err != nil {
		o.log.Debug("graphics cards", "error", err)
	}
	for _, c := range cards {
		s.GPUs = append(s.GPUs, cloudwatch.GPU{Index: c.Index, Utilization: c.Utilization, MemoryUsed: c.MemoryUsed})
	}
	return s
}
