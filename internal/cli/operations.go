package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
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
	for _, open := range []func(context.Context) (func(context.Context), error){o.reporter, o.scaler, o.watchdogOfBudget} {
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

// Waits between two tries to ask the machine what it is.
const learnEvery = 10 * time.Second

// learnPrice asks the machine what it is, until it says so, and looks up its price.
func (o *operations) learnPrice(ctx context.Context) {
	for {
		err := o.learn(ctx)
		if err == nil {
			return
		}
		o.log.Debug("type of the machine", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(learnEvery):
		}
	}
}

func (o *operations) learn(ctx context.Context) error {
	id, err := o.machine.ID(ctx)
	if err != nil {
		return err
	}
	name, isSpot, err := o.machine.Type(ctx)
	if err != nil {
		return err
	}
	list, err := cost.Load(nil)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.instance, o.priced = id, true
	if i, err := list.Instance(name); err == nil {
		o.price = list.Price(i, isSpot)
		o.hourly.Set(o.price)
		o.log.Info("price of the machine", "type", name, "spot", isSpot, "hour", o.price, "currency", list.Currency, "pricesOf", list.Date)
	}
	return nil
}

// priceHour is what the machine costs; 0 is not known.
func (o *operations) priceHour() float64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.price
}

// instanceID names the machine: as EC2 does, or as the host does.
func (o *operations) instanceID() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.instance == "" {
		o.instance, _ = os.Hostname() // a machine without a name has an empty one
	}
	return o.instance
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

// Leaser is a queue that gives a task to one of its workers.
type Leaser interface {
	// Lease tells whether the task is the owner's for the time given: it has it
	// already, or nobody has.
	Lease(ctx context.Context, task, owner string, ttl time.Duration) (bool, error)
}

// leaseTTL is after what time another takes the task of one that is lost.
const leaseTTL = 2 * time.Minute

// leads tells whether this worker has a task. Where the queue gives none it is that
// of one machine, whose workers all do the same.
func (o *operations) leads(task string) func(ctx context.Context) (bool, error) {
	leaser, ok := o.s.queue.(Leaser)
	if !ok {
		return func(context.Context) (bool, error) { return true, nil }
	}
	return func(ctx context.Context) (bool, error) { return leaser.Lease(ctx, task, o.name, leaseTTL) }
}

// scaleEvery is the time between two decisions of autoscale in `run`.
const scaleEvery = 30 * time.Second

// scaler sizes the group of machines.
func (o *operations) scaler(ctx context.Context) (func(context.Context), error) {
	if !o.c.Autoscale {
		return nil, nil
	}
	scaler, err := autoscale.New(autoscale.Policy{
		TargetDelay: o.c.TargetDelay, CoolDown: o.c.CoolDown, Concurrency: o.c.Concurrency, PriceHour: o.c.PriceHour, CostCapHour: o.c.CostCapHour,
	})
	if err != nil {
		return nil, err
	}
	target, err := o.p.Backends.Group(ctx, o.c.ScalingGroup, o.c.Region)
	if err != nil {
		return nil, unreachable("Auto Scaling group", "check AWS_REGION and the credentials", err)
	}
	follow := autoscale.FollowOptions{
		Reader: o.reader, Target: target, Scaler: scaler, Every: min(scaleEvery, o.c.CoolDown), Lead: o.leads("autoscale"), Logger: o.log,
		Decided: func(_ autoscale.Backlog, g autoscale.Group, d autoscale.Decision) {
			level := slog.LevelDebug
			if d.Desired != g.Desired {
				level = slog.LevelInfo
			}
			o.log.Log(ctx, level, "autoscale", "group", o.c.ScalingGroup, "was", g.Desired, "desired", d.Desired, "why", strings.Join(d.Reasons, "; "))
		},
	}
	return func(ctx context.Context) { autoscale.Follow(ctx, follow) }, nil
}

// budgetEvery is the time between two looks at what the month has cost.
const budgetEvery = time.Hour

// watchdogOfBudget tells when parts of the budget are spent.
func (o *operations) watchdogOfBudget(context.Context) (func(context.Context), error) {
	if o.c.Budget == 0 {
		return nil, nil
	}
	if o.c.PriceHour == 0 && o.machine == nil {
		return nil, unreachable("budget", "set SLATE360_PRICE_HOUR", fmt.Errorf("what the machine costs is not known"))
	}
	w := &cost.Watch{
		Budget: o.c.Budget, Every: budgetEvery, Metrics: o.budget, Logger: o.log, Lead: o.leads("budget"),
		Rate: func() float64 { return o.priceHour() / float64(o.c.Concurrency) },
		Jobs: func(ctx context.Context, since time.Time) ([]cost.Job, error) {
			return o.p.costJobs(ctx, o.s.records, since)
		},
	}
	if o.c.BudgetWebhook != "" {
		w.Tell = cost.Webhook{URL: o.c.BudgetWebhook, Secret: o.c.WorkerSecret}.Tell
	}
	return w.Run, nil
}
