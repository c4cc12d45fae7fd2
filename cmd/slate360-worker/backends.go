package main

import (
	"context"
	"errors"
	"log/slog"

	"slate360.ai/worker/internal/cli"
	"slate360.ai/worker/internal/config"
	"slate360.ai/worker/internal/ops/autoscale"
	"slate360.ai/worker/internal/ops/awsgroup"
	"slate360.ai/worker/internal/ops/cloudwatch"
	"slate360.ai/worker/internal/ops/spot"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/queue/bullmq"
	queuefile "slate360.ai/worker/internal/queue/embedded"
	"slate360.ai/worker/internal/record"
	recordfile "slate360.ai/worker/internal/record/embedded"
	"slate360.ai/worker/internal/record/postgres"
	"slate360.ai/worker/internal/record/schema"
	"slate360.ai/worker/internal/record/supabase"
	"slate360.ai/worker/internal/source"
	"slate360.ai/worker/internal/source/s3source"
	"slate360.ai/worker/internal/storage"
	"slate360.ai/worker/internal/storage/disk"
	"slate360.ai/worker/internal/storage/s3"
)

// backends are what the configuration can choose from.
func backends() cli.Backends {
	return cli.Backends{
		Queue: openQueue, Records: openRecords, Storage: openStorage, S3Source: openS3Source, Group: openGroup, Member: openMember,
		CloudWatch: openCloudWatch, Schema: schema.SQL,
	}
}

func openGroup(ctx context.Context, name, region string) (autoscale.Target, error) {
	return awsgroup.Open(ctx, name, region)
}

func openMember(ctx context.Context, instance, region string) (spot.Group, error) {
	g, err := awsgroup.Of(ctx, instance, region)
	if g == nil || err != nil {
		return nil, err
	}
	return g, nil
}

func openCloudWatch(ctx context.Context, region string) (cloudwatch.Sink, error) {
	return cloudwatch.OpenAPI(ctx, region)
}

func openQueue(ctx context.Context, c config.Config, worker string, _ *slog.Logger) (queue.Queue, error) {
	if c.EmbeddedQueue() {
		return queuefile.Open(ctx, c.Database(), queuefile.Options{Name: c.Queue})
	}
	var (
		conn bullmq.Conn
		err  error
	)
	if c.RedisURL != "" {
		name := ""
		if worker != "" {
			name = bullmq.WorkerClientName(c.Prefix, c.Queue, worker)
		}
		conn, err = bullmq.DialRedis(ctx, c.RedisURL, bullmq.RedisOptions{ClientName: name})
	} else {
		conn, err = bullmq.DialREST(c.UpstashURL, c.UpstashToken, bullmq.RESTOptions{})
	}
	if err != nil {
		return nil, err
	}
	q, err := bullmq.New(conn, bullmq.Options{Prefix: c.Prefix, Name: c.Queue, MetricsPoints: metricsPoints})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return q, nil
}

// metricsPoints are the minutes of BullMQ's metrics that are kept: two weeks.
const metricsPoints = 14 * 24 * 60

func openRecords(ctx context.Context, c config.Config) (record.Store, error) {
	switch {
	case c.SupabaseURL != "":
		return supabase.Open(c.SupabaseURL, c.SupabaseKey)
	case c.DatabaseURL != "":
		return postgres.Open(ctx, c.DatabaseURL)
	}
	return recordfile.Open(ctx, c.Database())
}

func s3Options(c config.Config) s3.Options {
	return s3.Options{
		Bucket: c.Bucket, Region: c.Region, Endpoint: c.S3Endpoint, PathStyle: c.S3PathStyle,
		PublicURL: c.PublicURL, SignedURLs: c.SignedURLs, URLExpiry: c.URLExpiry,
	}
}

func openStorage(ctx context.Context, c config.Config) (storage.Store, error) {
	if c.LocalStorage() {
		return disk.Open(disk.Options{Dir: c.OutputDir(), PublicURL: c.PublicURL})
	}
	return s3.Open(ctx, s3Options(c))
}

func openS3Source(ctx context.Context, c config.Config) (source.S3Opener, error) {
	return s3source.Open(ctx, s3source.Options{Region: c.Region, Endpoint: c.S3Endpoint, PathStyle: c.S3PathStyle})
}
