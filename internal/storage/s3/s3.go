// Package s3 keeps objects in a bucket of Amazon S3, or of a service that speaks
// its protocol (R2, MinIO, Ceph, versitygw), as the Amazon S3 API Reference
// (2006-03-01) has it.
//
// Objects below 16 MiB go in one request, larger ones in parts. Each carries its
// SHA-256: the service checks what arrives against x-amz-checksum-sha256, and the
// digest stays with the object as metadata "sha256" for whoever reads it.
package s3

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"slate360.ai/worker/internal/storage"
)

const (
	mebibyte = 1 << 20
	// multipartFrom is the size from which objects go in parts, and the smallest
	// part: below it, one request costs less than the three of a multipart upload.
	multipartFrom = 16 * mebibyte
	// maxParts is what S3 allows of one object.
	maxParts = 10_000
	// maxURLExpiry is what S3 allows of a signed address.
	maxURLExpiry = 7 * 24 * time.Hour
	// defaultAttempts, with the delays of backoff, outlast an outage of a minute.
	defaultAttempts = 12
	defaultParts    = 4
	defaultRegion   = "us-east-1"
)

// Options of Open. What is zero is taken from where the AWS tools look:
// environment, shared configuration, the role of the machine.
type Options struct {
	Bucket string // required
	// Region defaults to that of the environment, then us-east-1.
	Region string
	// Endpoint is the http(s) address of a compatible service; empty is
	// AWS_ENDPOINT_URL_S3, then Amazon's own.
	Endpoint string
	// PathStyle puts the bucket into the path of addresses instead of the host.
	PathStyle bool
	// PublicURL stands in front of keys in URL, such as that of a CDN.
	PublicURL string
	// SignedURLs makes URL return signed addresses where PublicURL is empty. They
	// hold for URLExpiry (default and most 7 days), but never longer than the
	// credentials that sign them: those of a machine's role end after hours.
	SignedURLs bool
	URLExpiry  time.Duration
	// Credentials instead of those that the AWS tools find.
	Credentials aws.CredentialsProvider
	// HTTPClient instead of one that fits many small requests.
	HTTPClient aws.HTTPClient
	// Attempts of each request, 12 where 0; PartsAtOnce of one large object, 4
	// where 0.
	Attempts, PartsAtOnce int
	// Logger gets what went wrong and was tried again; nil is none.
	Logger *slog.Logger
}

// Store is a storage.Store in a bucket.
type Store struct {
	o      Options
	client *s3.Client
	sign   *s3.PresignClient
	log    *slog.Logger
	close  func()
	// unchecked is set once the service refuses checksums that it does not know.
	unchecked atomic.Bool
}

var _ storage.Store = (*Store)(nil)

// Open prepares access to a bucket; it makes no request to it (Ping does).
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Bucket == "" {
		return nil, errors.New("open S3 storage: no bucket; set AWS_S3_BUCKET")
	}
	if o.Endpoint == "" {
		o.Endpoint = os.Getenv("AWS_ENDPOINT_URL_S3")
	}
	if err := checkEndpoint(o.Endpoint); err != nil {
		return nil, fmt.Errorf("open S3 storage: %w", err)
	}
	if o.URLExpiry <= 0 || o.URLExpiry > maxURLExpiry {
		o.URLExpiry = maxURLExpiry
	}
	if o.Attempts <= 0 {
		o.Attempts = defaultAttempts
	}
	if o.PartsAtOnce <= 0 {
		o.PartsAtOnce = defaultParts
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{o: o, log: o.Logger, close: func() {}}
	if o.HTTPClient == nil {
		s.o.HTTPClient, s.close = newHTTPClient()
	}
	load := []func(*config.LoadOptions) error{config.WithHTTPClient(s.o.HTTPClient)}
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	if o.Credentials != nil {
		load = append(load, config.WithCredentialsProvider(o.Credentials))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("open S3 storage: AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		cfg.Region = defaultRegion
	}
	s.o.Region = cfg.Region
	s.client = s3.NewFromConfig(cfg, func(c *s3.Options) {
		c.UsePathStyle = o.PathStyle
		if o.Endpoint != "" {
			c.BaseEndpoint = aws.String(o.Endpoint)
		}
		c.Retryer = s.retryer()
		// Checksums are given by hand, in headers: the SDK's own come in trailers,
		// which not every compatible service reads.
		c.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		c.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		c.DisableLogOutputChecksumValidationSkipped = true
	})
	s.sign = s3.NewPresignClient(s.client, s3.WithPresignExpires(s.o.URLExpiry))
	return s, nil
}

// Close closes the connections. Nothing may be under way any more.
func (s *Store) Close() error {
	s.close()
	return nil
}

// checkEndpoint refuses what is no address of a service. Its text is not shown:
// it may hold a password.
func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("the endpoint is not an http or https address; see AWS_ENDPOINT_URL_S3")
	}
	if u.User != nil {
		return errors.New("the endpoint has a user or password in it: credentials go into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	return nil
}

// URL is the address of an object for readers: below PublicURL, signed, or its
// own, in this order. Whether the object is there is not asked.
func (s *Store) URL(ctx context.Context, key string) (string, error) {
	if err := storage.CheckKey(key); err != nil {
		return "", err
	}
	switch {
	case s.o.PublicURL != "":
		return strings.TrimRight(s.o.PublicURL, "/") + "/" + storage.EscapeKey(key), nil
	case s.o.SignedURLs:
		request, err := s.sign.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &s.o.Bucket, Key: &key})
		if err != nil {
			return "", s.failed("sign the address of", key, err)
		}
		return request.URL, nil
	}
	return s.ownURL(key), nil
}

// ownURL is the object's address at the service itself.
func (s *Store) ownURL(key string) string {
	pathStyle := s.o.PathStyle || strings.Contains(s.o.Bucket, ".") // TLS certificates cover one label
	scheme, host, path := "https", "s3."+s.o.Region+".amazonaws.com", ""
	if strings.HasPrefix(s.o.Region, "cn-") {
		host += ".cn"
	}
	if u, err := url.Parse(s.o.Endpoint); err == nil && u.Host != "" { // Open has checked it
		scheme, host, path = u.Scheme, u.Host, strings.TrimRight(u.EscapedPath(), "/")
	}
	if pathStyle {
		path += "/" + s.o.Bucket
	} else {
		host = s.o.Bucket + "." + host
	}
	return scheme + "://" + host + path + "/" + storage.EscapeKey(key)
}

func (s *Store) retryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = s.o.Attempts
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
			return backoff(attempt), nil
		})
		// The SDK's budget of retries is for callers that had better give up; a job
		// that has computed for hours had better not.
		o.RateLimiter = unlimited{}
		o.Retryables = append(o.Retryables, retry.IsErrorRetryableFunc(retryable))
	})
}
