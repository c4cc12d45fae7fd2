// Package s3 keeps objects in a bucket of Amazon S3 or of a server that speaks its
// API (R2, MinIO, versitygw).
package s3

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"slate360.ai/worker/internal/storage"
)

// Options of a Store.
type Options struct {
	Bucket, Region string
	// Endpoint of a server that is not Amazon's; PathStyle puts the bucket's name
	// into the path of addresses.
	Endpoint  string
	PathStyle bool
	// PublicURL stands in front of keys where a CDN serves the bucket; SignedURLs
	// gives addresses that hold for URLExpiry (at most 7 days).
	PublicURL  string
	SignedURLs bool
	URLExpiry  time.Duration
	// Attempts of each request; default 8.
	Attempts int
}

// Store is a bucket.
type Store struct {
	o      Options
	client *s3.Client
	sign   *s3.PresignClient
}

var _ storage.Store = (*Store)(nil)

// NewClient returns a client of the SDK: credentials as the AWS tools find them.
func NewClient(ctx context.Context, o Options) (*s3.Client, error) {
	if o.Attempts <= 0 {
		o.Attempts = 8
	}
	c, err := config.LoadDefaultConfig(ctx, config.WithRegion(o.Region), config.WithRetryer(func() aws.Retryer {
		return retry.NewStandard(func(s *retry.StandardOptions) {
			s.MaxAttempts, s.MaxBackoff = o.Attempts, 20*time.Second
			s.RateLimiter = retryAlways{}
		})
	}))
	if err != nil {
		return nil, fmt.Errorf("configuration of AWS: %w", err)
	}
	return s3.NewFromConfig(c, func(so *s3.Options) {
		so.UsePathStyle = o.PathStyle
		if o.Endpoint != "" {
			so.BaseEndpoint = aws.String(o.Endpoint)
		}
		// Not all servers know the newer checksums; ours are sent where they matter.
		so.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	}), nil
}

// retryAlways does not ration retries over requests: thousands of small uploads
// of one job share a client, and a server that is away for a minute must not fail them.
type retryAlways struct{}

func (retryAlways) GetToken(context.Context, uint) (func() error, error) {
	return func() error { return nil }, nil
}
func (retryAlways) AddTokens(uint) error { return nil }

// Open returns the bucket. It is not asked for before it is used.
func Open(ctx context.Context, o Options) (*Store, error) {
	client, err := NewClient(ctx, o)
	if err != nil {
		return nil, err
	}
	if o.URLExpiry <= 0 {
		o.URLExpiry = 7 * 24 * time.Hour
	}
	o.PublicURL = strings.TrimRight(o.PublicURL, "/")
	return &Store{o: o, client: client, sign: s3.NewPresignClient(client)}, nil
}

// partSize is that of the parts of large objects, and the size from which an
// object is sent in parts; partsAtOnce are under way side by side.
const (
	partSize    = 16 << 20
	partsAtOnce = 4
	mostParts   = 10_000
)

// digestKey is the metadata that has the SHA-256 of an object, in hexadecimal.
const digestKey = "slate360-sha256"

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func metadata(a storage.Attributes) map[string]string {
	if a.SHA256 == "" {
		return nil
	}
	return map[string]string{digestKey: a.SHA256}
}

// checksum is the digest as S3 takes it, which then checks what arrives.
func checksum(a storage.Attributes) *string {
	b, err := hex.DecodeString(a.SHA256)
	if err != nil || len(b) == 0 {
		return nil
	}
	return aws.String(base64.StdEncoding.EncodeToString(b))
}

// Put is of storage.Store.
func (s *Store) Put(ctx context.Context, key string, r io.ReadSeeker, size int64, a storage.Attributes) error {
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.o.Bucket, Key: &key, Body: r, ContentLength: &size, ContentType: orNil(a.ContentType),
		ContentEncoding: orNil(a.ContentEncoding), CacheControl: orNil(a.CacheControl), Metadata: metadata(a), ChecksumSHA256: checksum(a),
	})
	return explain("store", key, err)
}

// PutFile is of storage.Store.
func (s *Store) PutFile(ctx context.Context, key, path string, a storage.Attributes) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	if info.Size() <= partSize {
		return s.Put(ctx, key, f, info.Size(), a)
	}
	created, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &s.o.Bucket, Key: &key, ContentType: orNil(a.ContentType), ContentEncoding: orNil(a.ContentEncoding),
		CacheControl: orNil(a.CacheControl), Metadata: metadata(a),
	})
	if err != nil {
		return explain("store", key, err)
	}
	parts, err := s.putParts(ctx, key, created.UploadId, f, info.Size())
	if err == nil {
		_, err = s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &s.o.Bucket, Key: &key, UploadId: created.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		})
	}
	if err != nil {
		// Parts that nobody completes are paid for until somebody aborts them.
		aborting, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_, abortErr := s.client.AbortMultipartUpload(aborting, &s3.AbortMultipartUploadInput{Bucket: &s.o.Bucket, Key: &key, UploadId: created.UploadId})
		return errors.Join(explain("store", key, err), abortErr)
	}
	return nil
}

func (s *Store) putParts(ctx context.Context, key string, upload *string, f io.ReaderAt, size int64) ([]types.CompletedPart, error) {
	each := max(int64(partSize), (size+mostParts-1)/mostParts)
	n := int((size + each - 1) / each)
	parts := make([]types.CompletedPart, n)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, partsAtOnce)
	var wg sync.WaitGroup
	for i := range n {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			off := int64(i) * each
			length, number := min(each, size-off), int32(i+1) //nolint:gosec // at most 10,000
			out, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
				Bucket: &s.o.Bucket, Key: &key, UploadId: upload, PartNumber: &number, ContentLength: &length,
				Body: io.NewSectionReader(f, off, length),
			})
			if err != nil {
				cancel(err)
				return
			}
			parts[i] = types.CompletedPart{ETag: out.ETag, PartNumber: &number}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return parts, nil
}

// explain wraps an error of the SDK, and makes those of absent objects ErrNotFound.
func explain(what, key string, err error) error {
	if err == nil {
		return nil
	}
	var api smithy.APIError
	var resp interface{ HTTPStatusCode() int }
	if errors.As(err, &api) && (api.ErrorCode() == "NoSuchKey" || api.ErrorCode() == "NotFound") ||
		errors.As(err, &resp) && resp.HTTPStatusCode() == http.StatusNotFound {
		return fmt.Errorf("%s %s: %w", what, key, storage.ErrNotFound)
	}
	return fmt.Errorf("%s %s: %w", what, key, err)
}

// Stat is of storage.Store.
func (s *Store) Stat(ctx context.Context, key string) (storage.Info, error) {
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.o.Bucket, Key: &key})
	if err != nil {
		return storage.Info{}, explain("object", key, err)
	}
	return storage.Info{
		Key: key, Size: aws.ToInt64(out.ContentLength), Modified: aws.ToTime(out.LastModified), SHA256: out.Metadata[digestKey],
	}, nil
}

// Open is of storage.Store. A body that is cut is gone on with where it was.
func (s *Store) Open(ctx context.Context, key string) (io.ReadCloser, storage.Info, error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.o.Bucket, Key: &key})
	if err != nil {
		return nil, storage.Info{}, explain("object", key, err)
	}
	info := storage.Info{
		Key: key, Size: aws.ToInt64(out.ContentLength), Modified: aws.ToTime(out.LastModified), SHA256: out.Metadata[digestKey],
	}
	return &resumingBody{ctx: ctx, s: s, key: key, etag: out.ETag, body: out.Body, left: info.Size}, info, nil
}

// resumingBody reads an object over cuts of the connection.
type resumingBody struct {
	ctx   context.Context
	s     *Store
	key   string
	etag  *string
	body  io.ReadCloser
	off   int64
	left  int64
	tries int
}

func (r *resumingBody) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.body.Read(p)
	r.off, r.left = r.off+int64(n), r.left-int64(n)
	if n > 0 {
		r.tries = 0
		return n, nil // an error shows again with the next read
	}
	const most = 6
	if err == nil || r.ctx.Err() != nil {
		return 0, err
	}
	if r.tries++; r.tries > most {
		return 0, fmt.Errorf("read %s: %w", r.key, err)
	}
	r.body.Close()
	out, getErr := r.s.client.GetObject(r.ctx, &s3.GetObjectInput{
		Bucket: &r.s.o.Bucket, Key: &r.key, IfMatch: r.etag, Range: aws.String(fmt.Sprintf("bytes=%d-", r.off)),
	})
	if getErr != nil {
		return 0, explain("read", r.key, getErr)
	}
	r.body = out.Body
	return 0, nil
}

func (r *resumingBody) Close() error { return r.body.Close() }

// GetFile is of storage.Store.
func (s *Store) GetFile(ctx context.Context, key, path string) (storage.Info, error) {
	r, info, err := s.Open(ctx, key)
	if err != nil {
		return info, err
	}
	defer r.Close()
	f, err := os.Create(path + ".part")
	if err != nil {
		return info, fmt.Errorf("fetch %s: %w", key, err)
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err != nil {
		return info, errors.Join(fmt.Errorf("fetch %s: %w", key, err), os.Remove(path+".part"))
	}
	return info, os.Rename(path+".part", path)
}

// List is of storage.Store. It does not know digests.
func (s *Store) List(ctx context.Context, prefix string, f func(storage.Info) error) error {
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.o.Bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return explain("list", prefix, err)
		}
		for _, o := range page.Contents {
			if err := f(storage.Info{Key: aws.ToString(o.Key), Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// deleteBatch is how many objects one request deletes.
const deleteBatch = 1000

// Delete is of storage.Store.
func (s *Store) Delete(ctx context.Context, keys ...string) error {
	for len(keys) > 0 {
		n := min(len(keys), deleteBatch)
		var ids []types.ObjectIdentifier
		for _, k := range keys[:n] {
			ids = append(ids, types.ObjectIdentifier{Key: aws.String(k)})
		}
		out, err := s.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: &s.o.Bucket, Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)},
		})
		if err != nil {
			return explain("delete", keys[0], err)
		}
		for _, e := range out.Errors {
			if aws.ToString(e.Code) != "NoSuchKey" {
				return fmt.Errorf("delete %s: %s", aws.ToString(e.Key), aws.ToString(e.Message))
			}
		}
		keys = keys[n:]
	}
	return nil
}

// URL is of storage.Store.
func (s *Store) URL(ctx context.Context, key string) (string, error) {
	escaped := (&url.URL{Path: key}).EscapedPath()
	switch {
	case s.o.PublicURL != "":
		return s.o.PublicURL + "/" + escaped, nil
	case s.o.SignedURLs:
		req, err := s.sign.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &s.o.Bucket, Key: &key}, s3.WithPresignExpires(s.o.URLExpiry))
		if err != nil {
			return "", fmt.Errorf("sign the address of %s: %w", key, err)
		}
		return req.URL, nil
	case s.o.Endpoint != "" && s.o.PathStyle:
		return strings.TrimRight(s.o.Endpoint, "/") + "/" + s.o.Bucket + "/" + escaped, nil
	case s.o.Endpoint != "":
		u, err := url.Parse(s.o.Endpoint)
		if err != nil {
			return "", err
		}
		return u.Scheme + "://" + s.o.Bucket + "." + u.Host + "/" + escaped, nil
	}
	return fmt.Sprintf("https://%s.s3.%s.amazonaws.com/%s", s.o.Bucket, s.o.Region, escaped), nil
}

// Ping is of storage.Store.
func (s *Store) Ping(ctx context.Context) error {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	key := ".slate360-ping/" + host
	if err := s.Put(ctx, key, strings.NewReader("ping"), 4, storage.Attributes{ContentType: "text/plain"}); err != nil {
		return err
	}
	return s.Delete(ctx, key)
}

// Close is of storage.Store.
func (s *Store) Close() error { return nil }
