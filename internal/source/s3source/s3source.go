// Package s3source reads sources that lie in S3 buckets, with the SDK of AWS.
package s3source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"slate360.ai/worker/internal/source"
)

// Options of Open.
type Options struct {
	Region string
	// Endpoint of a server that is not Amazon's; PathStyle puts the bucket's name
	// into the path of addresses.
	Endpoint  string
	PathStyle bool
}

// Opener opens objects with a client of the SDK.
type Opener struct{ client *s3.Client }

var _ source.S3Opener = (*Opener)(nil)

// attempts of each request; Fetch tries again beyond them.
const attempts = 5

// Open returns an opener with the credentials that the AWS tools find. It makes no
// request.
func Open(ctx context.Context, o Options) (*Opener, error) {
	c, err := config.LoadDefaultConfig(ctx, config.WithRegion(o.Region), config.WithRetryMaxAttempts(attempts))
	if err != nil {
		return nil, fmt.Errorf("configuration of AWS: %w", err)
	}
	return &Opener{client: s3.NewFromConfig(c, func(so *s3.Options) {
		so.UsePathStyle = o.PathStyle
		if o.Endpoint != "" {
			so.BaseEndpoint = aws.String(o.Endpoint)
		}
		// Ranges have no checksum of their own.
		so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})}, nil
}

// explain makes refusals permanent: the SDK has tried the others again.
func explain(bucket, key string, err error) error {
	if err == nil {
		return nil
	}
	var resp interface{ HTTPStatusCode() int }
	e := &source.FetchError{Temporary: true, Err: fmt.Errorf("s3://%s/%s: %w", bucket, key, err)}
	if errors.As(err, &resp) {
		switch resp.HTTPStatusCode() {
		case http.StatusNotFound:
			e.Temporary, e.Hint = false, "is the key right?"
		case http.StatusForbidden:
			e.Temporary, e.Hint = false, "may the worker's role read the bucket?"
		case http.StatusBadRequest, http.StatusMovedPermanently:
			e.Temporary, e.Hint = false, "is AWS_REGION that of the bucket?"
		case http.StatusPreconditionFailed:
			e.Hint = "it changed while it was fetched"
		}
	}
	return e
}

// Stat is of source.S3Opener.
func (o *Opener) Stat(ctx context.Context, bucket, key string) (source.S3Object, error) {
	out, err := o.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return source.S3Object{}, explain(bucket, key, err)
	}
	return source.S3Object{Key: key, Size: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag)}, nil
}

// OpenRange is of source.S3Opener.
func (o *Opener) OpenRange(ctx context.Context, bucket, key, etag string, off, n int64) (io.ReadCloser, error) {
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key, Range: aws.String(fmt.Sprintf("bytes=%d-%d", off, off+n-1))}
	if etag != "" {
		in.IfMatch = &etag
	}
	out, err := o.client.GetObject(ctx, in)
	if err != nil {
		return nil, explain(bucket, key, err)
	}
	return out.Body, nil
}

// List is of source.S3Opener.
func (o *Opener) List(ctx context.Context, bucket, prefix string, f func(source.S3Object) error) error {
	pages := s3.NewListObjectsV2Paginator(o.client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return explain(bucket, prefix, err)
		}
		for _, c := range page.Contents {
			if err := f(source.S3Object{Key: aws.ToString(c.Key), Size: aws.ToInt64(c.Size), ETag: aws.ToString(c.ETag)}); err != nil {
				return err
			}
		}
	}
	return nil
}
