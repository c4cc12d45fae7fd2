package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"slate360.ai/worker/internal/storage"
)

const (
	// downloadPart is what one request of a parallel download asks for.
	downloadPart = 16 * mebibyte
	// maxCuts is how often a download goes on without a byte between.
	maxCuts = 10
	// maxRestarts is how often a download begins anew as the object was overwritten.
	maxRestarts = 3
)

// object is what HeadObject tells.
type object struct {
	info   storage.Info
	etag   *string
	digest digest
	known  bool // whether digest is
}

func (s *Store) head(ctx context.Context, key string) (object, error) {
	if err := storage.CheckKey(key); err != nil {
		return object{}, err
	}
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.o.Bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		return object{}, s.failed("look up", key, err)
	}
	o := object{etag: out.ETag}
	o.info = storage.Info{Key: key, Size: aws.ToInt64(out.ContentLength), Modified: aws.ToTime(out.LastModified), SHA256: out.Metadata[metadataSHA256], Version: aws.ToString(out.ETag)}
	o.digest, o.known = digestOf(out)
	return o, nil
}

// Stat asks for an object without reading it.
func (s *Store) Stat(ctx context.Context, key string) (storage.Info, error) {
	o, err := s.head(ctx, key)
	return o.info, err
}

// Open reads an object; the reader goes on where a connection is cut, and gives
// ErrDamaged in place of io.EOF where the content does not match its digest.
func (s *Store) Open(ctx context.Context, key string) (io.ReadCloser, storage.Info, error) {
	o, err := s.head(ctx, key)
	if err != nil {
		return nil, storage.Info{}, err
	}
	r := &rangeReader{ctx: ctx, s: s, key: key, etag: o.etag, end: o.info.Size}
	if o.known {
		r.digest, r.hash = o.digest, o.digest.new()
	}
	// The first request is made now, so that what is wrong shows here.
	if o.info.Size > 0 {
		if err := r.open(); err != nil {
			return nil, storage.Info{}, err
		}
	}
	return r, o.info, nil
}

// OpenRange reads a part of an object; the reader goes on where a connection is cut.
func (s *Store) OpenRange(ctx context.Context, info storage.Info, off, n int64) (io.ReadCloser, error) {
	if err := storage.CheckKey(info.Key); err != nil {
		return nil, err
	}
	r := &rangeReader{ctx: ctx, s: s, key: info.Key, at: max(off, 0), end: min(off+n, info.Size)}
	if info.Version != "" {
		r.etag = &info.Version
	}
	if r.at >= r.end {
		return r, nil
	}
	return r, r.open()
}

// GetFile writes an object to a local file: in parallel ranges where it is large,
// each going on where its connection was cut, checked against the object's
// digest where it has one, and under its name only when all that is done.
func (s *Store) GetFile(ctx context.Context, key, path string) (storage.Info, error) {
	for restarts := 0; ; restarts++ {
		info, err := s.download(ctx, key, path)
		if !errors.Is(err, errChanged) || restarts == maxRestarts {
			return info, err
		}
	}
}

func (s *Store) download(ctx context.Context, key, path string) (info storage.Info, err error) {
	o, err := s.head(ctx, key)
	if err != nil {
		return storage.Info{}, err
	}
	f, err := createTemporary(path)
	if err != nil {
		return storage.Info{}, fmt.Errorf("download s3://%s/%s: %w", s.o.Bucket, key, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	group, partCtx := errgroup.WithContext(ctx)
	group.SetLimit(s.o.PartsAtOnce)
	for at := int64(0); at < o.info.Size && partCtx.Err() == nil; at += downloadPart {
		group.Go(func() error {
			r := &rangeReader{ctx: partCtx, s: s, key: key, etag: o.etag, at: at, end: min(at+downloadPart, o.info.Size)}
			defer r.Close()
			_, err := io.CopyBuffer(struct{ io.Writer }{io.NewOffsetWriter(f, at)}, struct{ io.Reader }{r}, make([]byte, 256<<10))
			return err
		})
	}
	if err := cmp.Or(group.Wait(), ctx.Err()); err != nil {
		return storage.Info{}, err
	}
	if o.known {
		err = o.digest.checkFile(ctx, f)
	} else if stat, statErr := f.Stat(); statErr != nil || stat.Size() != o.info.Size {
		err = errors.Join(storage.ErrDamaged, statErr)
	}
	if err != nil {
		return storage.Info{}, fmt.Errorf("download s3://%s/%s: %w", s.o.Bucket, key, err)
	}
	if err := f.Close(); err != nil {
		return storage.Info{}, errors.Join(fmt.Errorf("download s3://%s/%s: %w", s.o.Bucket, key, err), os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return storage.Info{}, errors.Join(fmt.Errorf("download s3://%s/%s: %w", s.o.Bucket, key, err), os.Remove(f.Name()))
	}
	return o.info, nil
}

// createTemporary makes a new hidden file beside path, with the rights that a
// file of the user has (os.CreateTemp's are the owner's alone).
func createTemporary(path string) (*os.File, error) {
	dir, base := filepath.Split(path)
	for try := 0; ; try++ {
		name := filepath.Join(dir, "."+base+"."+strconv.Itoa(os.Getpid())+"-"+strconv.Itoa(try)+".part")
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		return f, err
	}
}

// rangeReader reads [at, end) of one version of an object, and asks again for
// what is left where a connection was cut.
type rangeReader struct {
	ctx     context.Context
	s       *Store
	key     string
	etag    *string
	at, end int64
	body    io.ReadCloser
	cuts    int
	// hash and digest check a read of the whole; nil is unchecked.
	hash   hash.Hash
	digest digest
}

func (r *rangeReader) open() error {
	want := fmt.Sprintf("bytes=%d-%d", r.at, r.end-1)
	out, err := r.s.client.GetObject(r.ctx, &s3.GetObjectInput{Bucket: &r.s.o.Bucket, Key: &r.key, Range: &want, IfMatch: r.etag})
	if err != nil {
		return r.s.failed("download", r.key, err)
	}
	// A server that ignores ranges would send the begin again.
	if r.at > 0 && out.ContentRange == nil {
		return errors.Join(fmt.Errorf("download s3://%s/%s: the service does not give ranges", r.s.o.Bucket, r.key), out.Body.Close())
	}
	r.body = out.Body
	return nil
}

func (r *rangeReader) Read(p []byte) (int, error) {
	for {
		if r.at >= r.end {
			if r.hash != nil {
				if err := r.digest.compare(r.hash); err != nil {
					return 0, fmt.Errorf("download s3://%s/%s: %w", r.s.o.Bucket, r.key, err)
				}
			}
			return 0, io.EOF
		}
		if len(p) == 0 {
			return 0, nil
		}
		if r.body == nil {
			if err := r.open(); err != nil {
				return 0, err
			}
		}
		n, err := r.body.Read(p[:min(int64(len(p)), r.end-r.at)])
		if r.hash != nil {
			r.hash.Write(p[:n])
		}
		r.at += int64(n)
		if err != nil && r.at < r.end {
			if again := r.goOn(n, err); again != nil {
				return n, again
			}
		}
		if n > 0 {
			return n, nil
		}
	}
}

// goOn prepares for the next request after a cut; it returns why not, where it
// has been cut too often.
func (r *rangeReader) goOn(n int, cause error) error {
	_ = r.body.Close() // it has failed
	r.body = nil
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if n > 0 {
		r.cuts = 0
	}
	r.cuts++
	if r.cuts > maxCuts {
		return r.s.failed("download", r.key, cause)
	}
	r.s.log.Debug("download was cut: going on", "key", r.key, "at", r.at, "error", cause)
	return wait(r.ctx, backoff(r.cuts))
}

func (r *rangeReader) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	return err
}
