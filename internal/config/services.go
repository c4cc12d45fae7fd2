package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Services is what `run`, `submit` and `jobs` need beside the rest: where jobs
// come from, who is told, where outputs go. A part without variables is embedded.
type Services struct {
	// RedisURL, or UpstashURL with UpstashToken, is where BullMQ's queue lies; all
	// empty is the embedded queue.
	RedisURL, UpstashURL, UpstashToken string
	// Queue is the name of the queue, Prefix that of its keys.
	Queue, Prefix string
	// SupabaseURL with SupabaseKey, or DatabaseURL, is where records lie; all empty
	// is the embedded database.
	SupabaseURL, SupabaseKey, DatabaseURL string
	// Bucket is where outputs go; empty is a folder of DataDir.
	Bucket, Region, S3Endpoint string
	// S3PathStyle asks for addresses with the bucket in the path.
	S3PathStyle bool
	// PublicURL stands in front of the outputs' keys; empty with SignedURLs gives
	// signed addresses that hold for URLExpiry.
	PublicURL  string
	SignedURLs bool
	URLExpiry  time.Duration
	// APIURL and CallbackPath are where callbacks go, signed with WorkerSecret;
	// an empty APIURL is no callbacks.
	APIURL, CallbackPath, WorkerSecret string

	// Concurrency is how many jobs run at once. LimiterMax jobs start in
	// LimiterDuration over all workers; 0 is no limit.
	Concurrency     int
	LimiterMax      int
	LimiterDuration time.Duration
	// LockDuration is how long a job stays a lost worker's; MaxStalled how often it
	// may lose its worker.
	LockDuration time.Duration
	MaxStalled   int
	// Attempts and Backoff of jobs that `submit` adds.
	Attempts int
	Backoff  time.Duration
	// KeepCompleted and KeepFailed are how many finished jobs stay in the queue.
	KeepCompleted, KeepFailed int
	// Ageing is the wait after which a job goes up one priority; 0 is never.
	Ageing time.Duration

	// DrainTimeout is what running jobs get to end after SIGTERM, JobTimeout the
	// longest a job may take (0 is no limit), StallTimeout after what time without
	// progress the watchdog reports a stage.
	DrainTimeout, JobTimeout, StallTimeout time.Duration
	// WorkspaceTTL is how long the workspace of a job that nobody runs is kept.
	WorkspaceTTL time.Duration
	// DiskReserve in bytes stays free on the disk of the workspaces.
	DiskReserve int64

	// The limits on sources: bytes, files, ratio of archives, nesting, time.
	SourceMaxBytes   int64
	SourceMaxFiles   int
	SourceMaxRatio   float64
	SourceMaxNesting int
	// SourceMaxDictionary in bytes is the memory that unpacking may take.
	SourceMaxDictionary int64
	SourceTimeout       time.Duration
	// SourceAllow names hosts and networks whose private addresses may be fetched from.
	SourceAllow []string
}

func defaultServices() Services {
	return Services{
		Queue: "model-processing", Prefix: "bull", CallbackPath: "/api/models/jobs/callback",
		URLExpiry: 7 * 24 * time.Hour, Concurrency: 2, LimiterMax: 10, LimiterDuration: time.Minute,
		LockDuration: 30 * time.Second, MaxStalled: 3, Attempts: 3, Backoff: 5 * time.Second,
		KeepCompleted: 1000, KeepFailed: 5000, Ageing: 15 * time.Minute,
		DrainTimeout: 90 * time.Second, StallTimeout: 15 * time.Minute, WorkspaceTTL: 24 * time.Hour,
		DiskReserve: 1 << 30, SourceMaxBytes: 500 << 30, SourceMaxFiles: 100_000, SourceMaxRatio: 200,
		SourceMaxNesting: 2, SourceMaxDictionary: 320 << 20, SourceTimeout: 6 * time.Hour,
	}
}

// serviceVariables are those of Services.
func serviceVariables() []Variable {
	return append(append(queueVariables(), recordVariables()...), append(outputVariables(), limitVariables()...)...)
}

func queueVariables() []Variable {
	return []Variable{
		{
			Name: "REDIS_URL", Default: "the embedded queue", Example: "rediss://user:password@redis.example.com:6379", Secret: true,
			Doc: "Redis or Valkey, 6.2 or newer, that BullMQ's queue lies on: redis://, rediss:// (TLS), unix:// or redis-sentinel://.",
			set: func(c *Config, v string) error {
				c.RedisURL = v
				return checkURL(v, "redis", "rediss", "unix", "redis-sentinel", "rediss-sentinel")
			},
		},
		{
			Name: "UPSTASH_REDIS_REST_URL", Default: "none", Example: "https://eu1-example.upstash.io",
			Doc: "Upstash over REST, where REDIS_URL is not set. It has no blocking commands: jobs start some seconds later than over rediss://.",
			set: func(c *Config, v string) error { c.UpstashURL = v; return checkURL(v, "https", "http") },
		},
		{
			Name: "UPSTASH_REDIS_REST_TOKEN", Default: "none", Example: "token", Secret: true,
			Doc: "Token of UPSTASH_REDIS_REST_URL.",
			set: func(c *Config, v string) error { c.UpstashToken = v; return nil },
		},
		{
			Name: "SLATE360_QUEUE", Default: "model-processing", Example: "model-processing",
			Doc: "Name of the queue.",
			set: func(c *Config, v string) error { c.Queue = v; return checkQueueName(v) },
		},
		{
			Name: "SLATE360_QUEUE_PREFIX", Default: "bull", Example: "bull",
			Doc: "Prefix of the queue's keys, as BullMQ's option prefix; {bull} on Redis Cluster.",
			set: func(c *Config, v string) error { c.Prefix = v; return nil },
		},
		count("SLATE360_CONCURRENCY", "2", "2", "Jobs that run at once.", 1, 256, func(c *Config) *int { return &c.Concurrency }),
		count("SLATE360_LIMITER_MAX", "10", "10", "Jobs that start in SLATE360_LIMITER_DURATION, over all workers of the queue; 0 is no limit.",
			0, 1_000_000, func(c *Config) *int { return &c.LimiterMax }),
		duration("SLATE360_LIMITER_DURATION", "60000 ms", "60000", "Time that SLATE360_LIMITER_MAX counts in: milliseconds, or 1m.",
			time.Millisecond, 24*time.Hour, func(c *Config) *time.Duration { return &c.LimiterDuration }),
		duration("SLATE360_LOCK_DURATION", "30s", "30s", "How long a job stays with a worker that is lost.",
			time.Second, time.Hour, func(c *Config) *time.Duration { return &c.LockDuration }),
		count("SLATE360_MAX_STALLED", "3", "3", "How often a job may lose its worker (spot machines do) before it fails.",
			0, 1000, func(c *Config) *int { return &c.MaxStalled }),
		count("SLATE360_ATTEMPTS", "3", "3", "Attempts of jobs that `submit` adds.", 1, 1000, func(c *Config) *int { return &c.Attempts }),
		duration("SLATE360_BACKOFF", "5s", "5s", "Wait before the first retry of jobs that `submit` adds; it doubles.",
			time.Millisecond, 24*time.Hour, func(c *Config) *time.Duration { return &c.Backoff }),
		count("SLATE360_KEEP_COMPLETED", "1000", "1000", "Completed jobs that stay in the queue where a job does not say; 0 keeps all.",
			0, 1_000_000_000, func(c *Config) *int { return &c.KeepCompleted }),
		count("SLATE360_KEEP_FAILED", "5000", "5000", "Failed jobs that stay in the queue where a job does not say; 0 keeps all.",
			0, 1_000_000_000, func(c *Config) *int { return &c.KeepFailed }),
		duration("SLATE360_AGEING", "15m", "15m", "Wait after which a job goes up one priority, so that none starves; 0 is never.",
			0, 7*24*time.Hour, func(c *Config) *time.Duration { return &c.Ageing }),
	}
}

func recordVariables() []Variable {
	return []Variable{
		{
			Name: "SUPABASE_URL", Default: "none", Example: "https://example.supabase.co",
			Doc: "Supabase project whose table model_processing_jobs has the records.",
			set: func(c *Config, v string) error { c.SupabaseURL = v; return checkURL(v, "https", "http") },
		},
		{
			Name: "SUPABASE_SERVICE_ROLE_KEY", Default: "none", Example: "key", Secret: true,
			Doc: "Service-role key of the Supabase project.",
			set: func(c *Config, v string) error { c.SupabaseKey = v; return nil },
		},
		{
			Name: "DATABASE_URL", Default: "the embedded database", Example: "postgres://user:password@db.example.com/slate360", Secret: true,
			Doc: "PostgreSQL that has the records, where SUPABASE_URL is not set.",
			set: func(c *Config, v string) error {
				c.DatabaseURL = v
				if !strings.Contains(v, "://") {
					return nil // libpq's keyword form
				}
				return checkURL(v, "postgres", "postgresql")
			},
		},
		{
			Name: "SLATE360_API_URL", Default: "no callbacks", Example: "https://slate360.example.com",
			Doc: "Platform that is told of progress and results.",
			set: func(c *Config, v string) error { c.APIURL = v; return checkURL(v, "https", "http") },
		},
		{
			Name: "SLATE360_CALLBACK_PATH", Default: "/api/models/jobs/callback", Example: "/api/models/jobs/callback",
			Doc: "Path of the callbacks at SLATE360_API_URL.",
			set: func(c *Config, v string) error {
				c.CallbackPath = v
				if !strings.HasPrefix(v, "/") {
					return fmt.Errorf("want a path that begins with /, got %q", v)
				}
				return nil
			},
		},
		{
			Name: "GPU_WORKER_SECRET_KEY", Default: "none", Example: "secret", Secret: true,
			Doc: "Key that signs callbacks, and that requests to the API carry.",
			set: func(c *Config, v string) error { c.WorkerSecret = v; return nil },
		},
	}
}

func outputVariables() []Variable {
	return []Variable{
		{
			Name: "AWS_S3_BUCKET", Default: "a folder of SLATE360_DATA_DIR", Example: "slate360-models",
			Doc: "Bucket that outputs go to. Credentials are found as by the AWS tools: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the machine's role.",
			set: func(c *Config, v string) error { c.Bucket = v; return nil },
		},
		{
			Name: "AWS_REGION", Default: "us-east-1", Example: "eu-central-1", Doc: "Region of the bucket.",
			set: func(c *Config, v string) error { c.Region = v; return nil },
		},
		{
			Name: "AWS_ENDPOINT_URL_S3", Default: "that of AWS", Example: "https://s3.example.com",
			Doc: "S3-compatible server (R2, MinIO and the like).",
			set: func(c *Config, v string) error { c.S3Endpoint = v; return checkURL(v, "https", "http") },
		},
		{
			Name: "SLATE360_S3_PATH_STYLE", Default: "true with AWS_ENDPOINT_URL_S3", Example: "true",
			Doc: "Whether the bucket's name goes into the path of addresses.",
			set: func(c *Config, v string) (err error) {
				c.S3PathStyle, err = parseBool(v)
				c.pathStyleSet = true
				return err
			},
		},
		{
			Name: "SLATE360_PUBLIC_URL", Default: "the bucket's own", Example: "https://cdn.example.com",
			Doc: "Address in front of the outputs' keys, such as that of a CDN.",
			set: func(c *Config, v string) error {
				c.PublicURL = strings.TrimRight(v, "/")
				return checkURL(v, "https", "http")
			},
		},
		{
			Name: "SLATE360_SIGNED_URLS", Default: "false", Example: "true",
			Doc: "Whether outputs get signed addresses: for a private bucket without SLATE360_PUBLIC_URL.",
			set: func(c *Config, v string) (err error) { c.SignedURLs, err = parseBool(v); return err },
		},
		duration("SLATE360_URL_EXPIRY", "168h", "24h", "How long signed addresses hold; S3 allows 168h at most.",
			time.Minute, 7*24*time.Hour, func(c *Config) *time.Duration { return &c.URLExpiry }),
	}
}

func limitVariables() []Variable {
	return []Variable{
		duration("SLATE360_DRAIN_TIMEOUT", "90s", "90s", "What running jobs get to end after SIGTERM before they go back to the queue; a spot notice gives 2 minutes.",
			0, 24*time.Hour, func(c *Config) *time.Duration { return &c.DrainTimeout }),
		duration("SLATE360_JOB_TIMEOUT", "no limit", "12h", "Longest that a job may take.",
			0, 30*24*time.Hour, func(c *Config) *time.Duration { return &c.JobTimeout }),
		duration("SLATE360_STALL_TIMEOUT", "15m", "15m", "Time without progress after which the watchdog reports a stage.",
			time.Second, 24*time.Hour, func(c *Config) *time.Duration { return &c.StallTimeout }),
		duration("SLATE360_WORKSPACE_TTL", "24h", "24h", "How long the workspace of a job that nobody runs is kept for it to be resumed.",
			0, 90*24*time.Hour, func(c *Config) *time.Duration { return &c.WorkspaceTTL }),
		size("SLATE360_DISK_RESERVE", "1G", "10G", "Bytes that stay free on the disk of the workspaces.", func(c *Config) *int64 { return &c.DiskReserve }),
		size("SLATE360_SOURCE_MAX_BYTES", "500G", "50G", "Most bytes of a source, unpacked.", func(c *Config) *int64 { return &c.SourceMaxBytes }),
		count("SLATE360_SOURCE_MAX_FILES", "100000", "10000", "Most files of a source.", 1, 100_000_000, func(c *Config) *int { return &c.SourceMaxFiles }),
		{
			Name: "SLATE360_SOURCE_MAX_RATIO", Default: "200", Example: "200", Doc: "Most that an archive may grow when it is unpacked.",
			set: func(c *Config, v string) error {
				x, err := strconv.ParseFloat(v, 64)
				if err != nil || !(x >= 1 && x <= 1e6) {
					return fmt.Errorf("want a number from 1 to 1000000, got %q", v)
				}
				c.SourceMaxRatio = x
				return nil
			},
		},
		count("SLATE360_SOURCE_MAX_NESTING", "2", "1", "Archives inside archives that are unpacked.", 0, 16, func(c *Config) *int { return &c.SourceMaxNesting }),
		size("SLATE360_SOURCE_MAX_DICTIONARY", "320M", "1600M", "Most memory that unpacking an archive (7z, zst) may take for its dictionary, which the archive demands.",
			func(c *Config) *int64 { return &c.SourceMaxDictionary }),
		duration("SLATE360_SOURCE_TIMEOUT", "6h", "1h", "Longest that fetching a source may take.",
			time.Second, 30*24*time.Hour, func(c *Config) *time.Duration { return &c.SourceTimeout }),
		{
			Name: "SLATE360_SOURCE_ALLOW", Default: "none", Example: "minio.internal,10.1.0.0/16",
			Doc: "Hosts, host:port and networks with private addresses that sources may come from, separated by commas.",
			set: func(c *Config, v string) error {
				for _, a := range strings.Split(v, ",") {
					if a = strings.TrimSpace(a); a == "" {
						continue
					}
					if strings.Contains(a, "/") {
						if _, err := netip.ParsePrefix(a); err != nil {
							return fmt.Errorf("want hosts or networks such as 10.1.0.0/16, got %q", a)
						}
					}
					c.SourceAllow = append(c.SourceAllow, a)
				}
				return nil
			},
		},
	}
}

// complete fills in what depends on several variables, and returns what does not
// fit together.
func (c *Config) complete() (faults []string) {
	pair := func(a, an, b, bn string) {
		if a != "" && b == "" {
			faults = append(faults, fmt.Sprintf("%s is set but %s is not", an, bn))
		}
	}
	if c.RedisURL == "" {
		pair(c.UpstashURL, "UPSTASH_REDIS_REST_URL", c.UpstashToken, "UPSTASH_REDIS_REST_TOKEN")
		pair(c.UpstashToken, "UPSTASH_REDIS_REST_TOKEN", c.UpstashURL, "UPSTASH_REDIS_REST_URL")
	}
	pair(c.SupabaseURL, "SUPABASE_URL", c.SupabaseKey, "SUPABASE_SERVICE_ROLE_KEY")
	pair(c.SupabaseKey, "SUPABASE_SERVICE_ROLE_KEY", c.SupabaseURL, "SUPABASE_URL")
	pair(c.APIURL, "SLATE360_API_URL", c.WorkerSecret, "GPU_WORKER_SECRET_KEY")
	if !c.pathStyleSet {
		c.S3PathStyle = c.S3Endpoint != ""
	}
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	return faults
}

// EmbeddedQueue tells whether jobs come from the embedded queue.
func (s Services) EmbeddedQueue() bool { return s.RedisURL == "" && s.UpstashURL == "" }

// EmbeddedRecords tells whether records go to the embedded database.
func (s Services) EmbeddedRecords() bool { return s.SupabaseURL == "" && s.DatabaseURL == "" }

// LocalStorage tells whether outputs go to a folder of DataDir.
func (s Services) LocalStorage() bool { return s.Bucket == "" }

// WorkDir is the folder of workspaces.
func (c Config) WorkDir() string { return filepath.Join(c.DataDir, "work") }

// OutputDir is the folder of local outputs.
func (c Config) OutputDir() string { return filepath.Join(c.DataDir, "outputs") }

// Database is the file of the embedded queue, records and outbox.
func (c Config) Database() string { return filepath.Join(c.DataDir, "slate360.db") }

// UploadDir is the folder of what was uploaded.
func (c Config) UploadDir() string { return filepath.Join(c.DataDir, "uploads") }

// AuditFile is the log of who did what.
func (c Config) AuditFile() string { return filepath.Join(c.DataDir, "audit.log") }

// ServerKey is the file of the key that signs what the server gives out, where
// GPU_WORKER_SECRET_KEY does not.
func (c Config) ServerKey() string { return filepath.Join(c.DataDir, "server.key") }

// CallbackURL is where callbacks are posted.
func (s Services) CallbackURL() string { return strings.TrimRight(s.APIURL, "/") + s.CallbackPath }

// Secrets returns the values that must not be shown, for doctor and logs.
func (s Services) Secrets() []string {
	var secrets []string
	for _, v := range []string{s.RedisURL, s.UpstashToken, s.SupabaseKey, s.DatabaseURL, s.WorkerSecret} {
		if v != "" {
			secrets = append(secrets, v)
		}
	}
	return secrets
}

// Redact returns a URL without its password and query, or "set" where it is none.
func Redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "set"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

func checkURL(v string, schemes ...string) error {
	u, err := url.Parse(v)
	if err != nil {
		return errors.New("not a URL") // the parser's own words would show a password
	}
	for _, s := range schemes {
		if u.Scheme == s && (u.Host != "" || s == "unix") {
			if _, port, err := net.SplitHostPort(u.Host); err == nil && port != "" && !strings.Contains(u.Host, ",") {
				if _, err := parseCount(port, 1, 65535); err != nil {
					return errors.New("not a URL: its port is no number from 1 to 65535")
				}
			}
			return nil
		}
	}
	return fmt.Errorf("want a URL that begins with %s://", strings.Join(schemes, ":// or "))
}

func checkQueueName(v string) error {
	if strings.ContainsAny(v, ": \t\n{}") {
		return fmt.Errorf("a queue's name has no colon, space or brace, got %q", v)
	}
	return nil
}

func parseBool(v string) (bool, error) {
	switch strings.ToLower(v) {
	case "1", "true", "yes", "on":
		return true, nil
	case "0", "false", "no", "off":
		return false, nil
	}
	return false, fmt.Errorf("want true or false, got %q", v)
}

func count(name, def, example, doc string, low, high int, field func(c *Config) *int) Variable {
	return Variable{Name: name, Default: def, Example: example, Doc: doc, set: func(c *Config, v string) (err error) {
		*field(c), err = parseCount(v, low, high)
		return err
	}}
}

func text(name, def, example, doc string, field func(c *Config) *string) Variable {
	return Variable{Name: name, Default: def, Example: example, Doc: doc, set: func(c *Config, v string) error {
		*field(c) = v
		return nil
	}}
}

func size(name, def, example, doc string, field func(c *Config) *int64) Variable {
	return Variable{Name: name, Default: def, Example: example, Doc: doc, set: func(c *Config, v string) (err error) {
		*field(c), err = ParseSize(v)
		return err
	}}
}

// duration reads "90s", "1h30m", or a number of milliseconds.
func duration(name, def, example, doc string, low, high time.Duration, field func(c *Config) *time.Duration) Variable {
	return Variable{Name: name, Default: def, Example: example, Doc: doc, set: func(c *Config, v string) error {
		d, err := time.ParseDuration(v)
		if ms, numErr := strconv.ParseInt(v, 10, 64); numErr == nil && ms >= 0 && ms <= int64(high/time.Millisecond) {
			d, err = time.Duration(ms)*time.Millisecond, nil
		}
		if err != nil || d < low || d > high {
			return fmt.Errorf("want a time from %v to %v, such as 90s or 1h30m, or milliseconds, got %q", low, high, v)
		}
		*field(c) = d
		return nil
	}}
}
