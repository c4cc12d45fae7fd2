package s3

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"slate360.ai/worker/internal/storage"
)

const (
	// deleteBatch is what DeleteObjects takes at most.
	deleteBatch = 1000
	// deleteTries covers single keys of a batch that the service was too busy for.
	deleteTries = 8
	// deletesAtOnce, where the service only deletes one by one.
	deletesAtOnce = 16
	// pingPrefix is where Ping writes.
	pingPrefix = ".slate360-ping/"
)

// List calls f for each object whose key begins with prefix, in order of keys. A
// page is 1,000 keys.
func (s *Store) List(ctx context.Context, prefix string, f func(storage.Info) error) error {
	if err := storage.CheckPrefix(prefix); err != nil {
		return err
	}
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.o.Bucket, Prefix: optional(prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return s.failed("list", prefix, err)
		}
		for _, o := range page.Contents {
			key := aws.ToString(o.Key)
			if strings.HasSuffix(key, "/") || strings.HasPrefix(key, pingPrefix) {
				continue // the mark that some programs make for a folder
			}
			info := storage.Info{Key: key, Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified), MD5: md5Of(aws.ToString(o.ETag))}
			if err := f(info); err != nil {
				return err
			}
		}
	}
	return nil
}

// md5Of is the digest in the entity tag of an object that came in one part;
// empty where it is something else.
func md5Of(etag string) string {
	etag = strings.ToLower(strings.Trim(etag, `"`))
	if len(etag) != 32 || strings.Trim(etag, "0123456789abcdef") != "" {
		return ""
	}
	return etag
}

// Delete removes objects, 1,000 a request.
func (s *Store) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := storage.CheckKey(key); err != nil {
			return err
		}
	}
	for len(keys) > 0 {
		batch := keys[:min(len(keys), deleteBatch)]
		if err := s.deleteBatch(ctx, batch); err != nil {
			return err
		}
		keys = keys[len(batch):]
	}
	return nil
}

func (s *Store) deleteBatch(ctx context.Context, keys []string) error {
	if len(keys) == 1 {
		return s.deleteOne(ctx, keys[0])
	}
	var busy error
	for try := 1; try <= deleteTries; try++ {
		objects := make([]types.ObjectIdentifier, len(keys))
		for i := range keys {
			objects[i].Key = &keys[i]
		}
		out, err := s.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &s.o.Bucket, Delete: &types.Delete{Objects: objects, Quiet: aws.Bool(true)}})
		if err != nil {
			switch code, _ := codeOf(err); code {
			case "NotImplemented", "MissingContentMD5", "InvalidRequest", "InvalidDigest", "MethodNotAllowed":
				return s.deleteEach(ctx, keys) // some compatibles have no such request, or want an MD5
			}
			return s.failed("delete objects such as", keys[0], err)
		}
		if keys, busy = s.left(out.Errors); len(keys) == 0 {
			return busy
		}
		if err := wait(ctx, backoff(try)); err != nil {
			return err
		}
	}
	return busy
}

// left returns the keys to try again; where there are none, err is of those that
// cannot be deleted.
func (s *Store) left(failures []types.Error) (again []string, err error) {
	var final, last error
	for _, e := range failures {
		code, key := aws.ToString(e.Code), aws.ToString(e.Key)
		switch code {
		case "NoSuchKey":
		case "InternalError", "SlowDown", "ServiceUnavailable", "OperationAborted":
			again = append(again, key)
			last = fmt.Errorf("delete s3://%s/%s: %s: %s", s.o.Bucket, key, code, aws.ToString(e.Message))
		default:
			final = fmt.Errorf("delete s3://%s/%s: %s: %s", s.o.Bucket, key, code, aws.ToString(e.Message))
		}
	}
	if final != nil {
		return nil, final
	}
	return again, last
}

func (s *Store) deleteEach(ctx context.Context, keys []string) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(deletesAtOnce)
	for _, key := range keys {
		if groupCtx.Err() != nil {
			break
		}
		group.Go(func() error { return s.deleteOne(groupCtx, key) })
	}
	return cmp.Or(group.Wait(), ctx.Err())
}

func (s *Store) deleteOne(ctx context.Context, key string) error {
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.o.Bucket, Key: &key})
	if err != nil {
		if err = s.failed("delete", key, err); errors.Is(err, storage.ErrNotFound) {
			return nil
		}
	}
	return err
}

// Ping puts and deletes a small object.
func (s *Store) Ping(ctx context.Context) error {
	key := pingPrefix + rand.Text()
	if err := s.Put(ctx, key, strings.NewReader("ping"), 4, storage.Attributes{ContentType: "text/plain"}); err != nil {
		return err
	}
	return s.deleteOne(ctx, key)
}
