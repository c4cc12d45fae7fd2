package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"slate360.ai/worker/internal/config"
	"slate360.ai/worker/internal/ops/autoscale"
	"slate360.ai/worker/internal/ops/cloudwatch"
	"slate360.ai/worker/internal/ops/spot"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/source"
	"slate360.ai/worker/internal/storage"
)

// Backends open what the configuration names; main fills them in.
type Backends struct {
	// Queue opens the queue; worker is the name of the worker that will take jobs
	// from it, empty for a client that does not.
	Queue   func(ctx context.Context, c config.Config, worker string, log *slog.Logger) (queue.Queue, error)
	Records func(ctx context.Context, c config.Config) (record.Store, error)
	Storage func(ctx context.Context, c config.Config) (storage.Store, error)
	// S3Source opens objects that sources name as s3://bucket/key.
	S3Source func(ctx context.Context, c config.Config) (source.S3Opener, error)
	// Group opens the Auto Scaling group of a name; nil is none in this build.
	Group func(ctx context.Context, name, region string) (autoscale.Target, error)
	// Member opens the group that a machine is in: a nil Group where it is in none.
	Member func(ctx context.Context, instance, region string) (spot.Group, error)
	// CloudWatch opens what takes metrics of a region.
	CloudWatch func(ctx context.Context, region string) (cloudwatch.Sink, error)
	// Schema returns the SQL that brings a database to the current schema.
	Schema func() string
}

// connectTimeout bounds the first contact with a service.
const connectTimeout = 15 * time.Second

// unreachable wraps the error of a service that cannot be used as it is configured.
func unreachable(what, hint string, err error) error {
	return &pipeline.ConfigError{Err: fmt.Errorf("%s: %w", what, err), Hint: hint}
}

// openQueue opens the configured queue.
func (p *Program) openQueue(ctx context.Context, c config.Config) (queue.Queue, error) {
	q, err := p.Backends.Queue(ctx, c, "", p.logger(c))
	if err != nil {
		return nil, unreachable("queue", "check REDIS_URL; '"+Name+" doctor' says what can be reached", err)
	}
	return q, nil
}

// openRecords opens the configured records.
func (p *Program) openRecords(ctx context.Context, c config.Config) (record.Store, error) {
	s, err := p.Backends.Records(ctx, c)
	if err != nil {
		return nil, unreachable("records", "check SUPABASE_URL or DATABASE_URL; '"+Name+" doctor' says what can be reached", err)
	}
	return s, nil
}

// serviceState is what doctor says of a service.
type serviceState struct {
	Name string `json:"name"`
	// Kind is how it is done: redis, upstash, embedded, …
	Kind string `json:"kind"`
	// Where it is, without secrets.
	Where     string  `json:"where"`
	Reachable bool    `json:"reachable"`
	Seconds   float64 `json:"seconds"`
	Problem   string  `json:"problem,omitempty"`
	// Adds says what a service of its own would add to the embedded part.
	Adds string `json:"adds,omitempty"`
}

// connect asks all services whether they can be used.
func (p *Program) connect(ctx context.Context, c config.Config) []serviceState {
	states := []serviceState{queueState(c), recordState(c), storageState(c)}
	asks := []func(ctx context.Context) error{
		func(ctx context.Context) error {
			q, err := p.Backends.Queue(ctx, c, "", slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			return errors.Join(q.Ping(ctx), q.Close())
		},
		func(ctx context.Context) error {
			s, err := p.Backends.Records(ctx, c)
			if err != nil {
				return err
			}
			return errors.Join(s.Ping(ctx), s.Close())
		},
		func(ctx context.Context) error {
			s, err := p.Backends.Storage(ctx, c)
			if err != nil {
				return err
			}
			return errors.Join(s.Ping(ctx), s.Close())
		},
	}
	if c.ScalingGroup != "" {
		states = append(states, serviceState{Name: "group", Kind: "autoscaling", Where: c.ScalingGroup + " in " + c.Region})
		asks = append(asks, func(ctx context.Context) error {
			g, err := p.Backends.Group(ctx, c.ScalingGroup, c.Region)
			if err != nil {
				return err
			}
			_, err = g.State(ctx)
			return err
		})
	}
	if c.FollowsNotices(spot.Likely()) {
		states = append(states, serviceState{Name: "machine", Kind: "ec2", Where: "instance metadata"})
		asks = append(asks, func(ctx context.Context) error {
			m, err := spot.Open(ctx)
			if err != nil {
				return err
			}
			_, err = m.Notices(ctx)
			return err
		})
	}
	for i, ask := range asks {
		start := time.Now()
		asking, cancel := context.WithTimeout(ctx, connectTimeout)
		err := ask(asking)
		cancel()
		states[i].Seconds = time.Since(start).Seconds()
		states[i].Reachable = err == nil
		if err != nil {
			states[i].Problem = err.Error()
		}
	}
	return states
}

func queueState(c config.Config) serviceState {
	s := serviceState{Name: "queue"}
	switch {
	case c.RedisURL != "":
		s.Kind, s.Where = "redis", config.Redact(c.RedisURL)+" "+c.Prefix+":"+c.Queue
	case c.UpstashURL != "":
		s.Kind, s.Where = "upstash", config.Redact(c.UpstashURL)+" "+c.Prefix+":"+c.Queue
	default:
		s.Kind, s.Where = "embedded", c.Database()
		s.Adds = "REDIS_URL: jobs from the platform, several machines"
	}
	return s
}

func recordState(c config.Config) serviceState {
	s := serviceState{Name: "records"}
	switch {
	case c.SupabaseURL != "":
		s.Kind, s.Where = "supabase", config.Redact(c.SupabaseURL)
	case c.DatabaseURL != "":
		s.Kind, s.Where = "postgres", config.Redact(c.DatabaseURL)
	default:
		s.Kind, s.Where = "embedded", c.Database()
		s.Adds = "SUPABASE_URL: the platform's records"
	}
	return s
}

func storageState(c config.Config) serviceState {
	if c.LocalStorage() {
		return serviceState{Name: "storage", Kind: "disk", Where: c.OutputDir(), Adds: "AWS_S3_BUCKET: outputs that the platform can reach"}
	}
	where := "s3://" + c.Bucket
	if c.S3Endpoint != "" {
		where += " at " + config.Redact(c.S3Endpoint)
	}
	return serviceState{Name: "storage", Kind: "s3", Where: where}
}
