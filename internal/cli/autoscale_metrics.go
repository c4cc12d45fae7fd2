package cli

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"slate360.ai/worker/internal/config"
	"slate360.ai/worker/internal/ops/autoscale"
	"slate360.ai/worker/internal/ops/cloudwatch"
	"slate360.ai/worker/internal/queue"
)

// reportQueue sends how the queue stands to CloudWatch, where SLATE360_CLOUDWATCH is
// api, until the function that it returns is called: of a group of no machines nobody
// else tells that jobs wait.
func (p *Program) reportQueue(ctx context.Context, c config.Config, q queue.Queue, log *slog.Logger) (stop func(), err error) {
	if c.CloudWatch != "api" {
		return func() {}, nil
	}
	sink, err := p.Backends.CloudWatch(ctx, c.Region)
	if err != nil {
		return nil, unreachable("CloudWatch", "check AWS_REGION and the credentials", err)
	}
	reader := autoscale.Reader{Queue: q, Kind: p.kindOf}
	reporter := cloudwatch.NewReporter(cloudwatch.Options{
		Sink: sink, Every: c.CloudWatchInterval, Queue: c.Queue, Instance: func() string { return "" }, Logger: log,
		Sample: func(ctx context.Context) cloudwatch.Sample {
			b, err := reader.Backlog(ctx, time.Now())
			if err != nil {
				log.Debug("backlog of the queue", "error", err)
				return cloudwatch.Sample{}
			}
			return cloudwatch.Sample{
				QueueKnown: true, QueueDepth: float64(b.Jobs()), OldestJobAge: max(b.Oldest.Seconds(), 0), ActiveJobs: float64(b.Active),
			}
		},
	})
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { reporter.Run(ctx) })
	return func() {
		cancel()
		running.Wait()
	}, nil
}
