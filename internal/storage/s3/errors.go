package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"slate360.ai/worker/internal/storage"
)

// errChanged says that an object was overwritten while it was read.
var errChanged = storage.ErrChanged

// failed wraps what the service answered with the key, what was being done, and
// what to do where that is known.
func (s *Store) failed(doing, key string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s s3://%s/%s: %w", doing, s.o.Bucket, key, err)
	}
	code, status := codeOf(err)
	switch {
	case code == "NoSuchBucket":
		return fmt.Errorf("%s s3://%s/%s: there is no such bucket: create it, or set AWS_S3_BUCKET: %w", doing, s.o.Bucket, key, err)
	case code == "NoSuchKey" || code == "NotFound" || status == http.StatusNotFound && code != "NoSuchUpload":
		return fmt.Errorf("%s s3://%s/%s: %w", doing, s.o.Bucket, key, storage.ErrNotFound)
	case status == http.StatusPreconditionFailed:
		return fmt.Errorf("%s s3://%s/%s: %w", doing, s.o.Bucket, key, errChanged)
	case code == "AccessDenied" || status == http.StatusForbidden && code == "Forbidden":
		return fmt.Errorf("%s s3://%s/%s: access is denied: the credentials need s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on the bucket's objects and s3:ListBucket on the bucket: %w", doing, s.o.Bucket, key, err)
	case code == "InvalidAccessKeyId" || code == "SignatureDoesNotMatch":
		return fmt.Errorf("%s s3://%s/%s: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: %w", doing, s.o.Bucket, key, err)
	case status == http.StatusMovedPermanently || code == "AuthorizationHeaderMalformed":
		return fmt.Errorf("%s s3://%s/%s: the bucket is not in region %s: set AWS_REGION: %w", doing, s.o.Bucket, key, s.o.Region, err)
	}
	return fmt.Errorf("%s s3://%s/%s: %w", doing, s.o.Bucket, key, err)
}

// codeOf returns the service's word for an error, and the HTTP status, where
// there are such.
func codeOf(err error) (code string, status int) {
	var api smithy.APIError
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	return code, status
}
