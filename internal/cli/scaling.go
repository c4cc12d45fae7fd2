package cli

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"slate360.ai/worker/internal/ops/autoscale"
	"slate360.ai/worker/internal/ops/cost"
)

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

// budgetWatch tells when parts of the budget are spent.
func (o *operations) budgetWatch(context.Context) (func(context.Context), error) {
	if o.c.Budget == 0 {
		return nil, nil
	}
	if o.c.PriceHour == 0 && o.machine == nil {
		return nil, unreachable("budget", "set SLATE360_PRICE_HOUR", errors.New("what the machine costs is not known"))
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
