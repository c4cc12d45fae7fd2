package s3

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"slate360.ai/worker/internal/storage"
)

var _ storage.Presigner = (*Store)(nil)

// maxPut is what S3 takes in one PUT.
const maxPut = 5 << 30

// MaxPresigned is of storage.Presigner.
func (s *Store) MaxPresigned() int64 { return maxPut }

// Source is of storage.Presigner.
func (s *Store) Source(key string) string { return "s3://" + s.o.Bucket + "/" + key }

// PresignPut is of storage.Presigner. The length is signed: S3 refuses a body of
// another size.
func (s *Store) PresignPut(ctx context.Context, key string, size int64, contentType string, expires time.Duration) (storage.Upload, error) {
	if err := storage.CheckKey(key); err != nil {
		return storage.Upload{}, err
	}
	if size < 0 || size > maxPut {
		return storage.Upload{}, fmt.Errorf("sign an upload of %d bytes: one request puts from 0 to %d", size, int64(maxPut))
	}
	expires = min(expires, maxURLExpiry)
	request, err := s.sign.PresignPutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.o.Bucket, Key: &key, ContentLength: &size, ContentType: &contentType,
	}, s3.WithPresignExpires(expires))
	if err != nil {
		return storage.Upload{}, s.failed("sign an upload to", key, err)
	}
	u := storage.Upload{URL: request.URL, Headers: map[string]string{}, Expires: time.Now().Add(expires), Source: s.Source(key)}
	for name, values := range request.SignedHeader {
		switch http.CanonicalHeaderKey(name) {
		case "Host", "Content-Length": // the client's own
		default:
			u.Headers[name] = values[0]
		}
	}
	return u, nil
}
