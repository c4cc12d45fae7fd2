package s3

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/sync/errgroup"

	"slate360.ai/worker/internal/storage"
)

// abortTimeout is what cleaning up gets after the caller's context has ended.
const abortTimeout = 20 * time.Second

// PutFile stores a local file.
func (s *Store) PutFile(ctx context.Context, key, path string, a storage.Attributes) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("upload %s: it is not a file", path)
	}
	return s.Put(ctx, key, f, info.Size(), a)
}

// Put stores size bytes from where r stands; from 16 MiB on in parts, where r is
// also an io.ReaderAt.
func (s *Store) Put(ctx context.Context, key string, r io.ReadSeeker, size int64, a storage.Attributes) error {
	if err := storage.CheckKey(key); err != nil {
		return err
	}
	section, err := sectionOf(r, size)
	if err != nil {
		return fmt.Errorf("upload s3://%s/%s: %w", s.o.Bucket, key, err)
	}
	sum, err := sha256Of(ctx, section)
	if err != nil {
		return fmt.Errorf("upload s3://%s/%s: %w", s.o.Bucket, key, err)
	}
	if got := hex.EncodeToString(sum); a.SHA256 != "" && a.SHA256 != got {
		return fmt.Errorf("upload s3://%s/%s: %w: it hashes to %s, not %s", s.o.Bucket, key, storage.ErrDamaged, got, a.SHA256)
	}
	a.SHA256 = hex.EncodeToString(sum)
	if size < multipartFrom {
		return s.putWhole(ctx, key, section, size, sum, a)
	}
	return s.putParts(ctx, key, section, size, a)
}

// sectionOf is the size bytes of r from where it stands.
func sectionOf(r io.ReadSeeker, size int64) (*io.SectionReader, error) {
	at, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	end, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	if size < 0 || end-at < size {
		return nil, fmt.Errorf("%w: %d bytes are wanted of %d", io.ErrUnexpectedEOF, size, end-at)
	}
	if ra, ok := r.(io.ReaderAt); ok {
		return io.NewSectionReader(ra, at, size), nil
	}
	return io.NewSectionReader(seekingReaderAt{r}, at, size), nil
}

// seekingReaderAt reads at offsets by seeking: one read at a time.
type seekingReaderAt struct{ r io.ReadSeeker }

func (s seekingReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if _, err := s.r.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(s.r, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

func (s *Store) putWhole(ctx context.Context, key string, body *io.SectionReader, size int64, sum []byte, a storage.Attributes) error {
	put := func() error {
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &s.o.Bucket, Key: &key, Body: body, ContentLength: &size,
			ContentType: optional(a.ContentType), ContentEncoding: optional(a.ContentEncoding), CacheControl: optional(a.CacheControl),
			Metadata: map[string]string{metadataSHA256: a.SHA256}, ChecksumSHA256: s.checksum(sum),
		}, withPayloadHash(sum))
		return err
	}
	err := put()
	if s.refusesChecksums(err) {
		err = put()
	}
	if err != nil {
		return s.failed("upload", key, err)
	}
	if a.Sent != nil {
		a.Sent(size)
	}
	return nil
}

// checksum is the digest for a request's header; nil where the service is known
// not to take it.
func (s *Store) checksum(sum []byte) *string {
	if s.unchecked.Load() {
		return nil
	}
	return aws.String(base64.StdEncoding.EncodeToString(sum))
}

// refusesChecksums tells, once, that a service does not implement what was asked:
// older compatibles do not know x-amz-checksum-sha256. The signature covers the
// content's hash all the same.
func (s *Store) refusesChecksums(err error) bool {
	if err == nil {
		return false
	}
	code, _ := codeOf(err)
	if code != "NotImplemented" || !s.unchecked.CompareAndSwap(false, true) {
		return false
	}
	s.log.Warn("the S3 service does not take SHA-256 checksums: going on without", "error", err)
	return true
}

// withPayloadHash spares the signer to hash what has been hashed.
func withPayloadHash(sum []byte) func(*s3.Options) {
	return s3.WithAPIOptions(func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("slate360:PayloadHash",
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				return next.HandleInitialize(v4.SetPayloadHash(ctx, hex.EncodeToString(sum)), in)
			}), middleware.Before)
	})
}

// putParts sends an object in parts, and takes them back when one fails.
func (s *Store) putParts(ctx context.Context, key string, r io.ReaderAt, size int64, a storage.Attributes) error {
	create := func() (*s3.CreateMultipartUploadOutput, error) {
		input := &s3.CreateMultipartUploadInput{
			Bucket: &s.o.Bucket, Key: &key, Metadata: map[string]string{metadataSHA256: a.SHA256},
			ContentType: optional(a.ContentType), ContentEncoding: optional(a.ContentEncoding), CacheControl: optional(a.CacheControl),
		}
		if !s.unchecked.Load() {
			input.ChecksumAlgorithm = types.ChecksumAlgorithmSha256
		}
		return s.client.CreateMultipartUpload(ctx, input)
	}
	upload, err := create()
	if s.refusesChecksums(err) {
		upload, err = create()
	}
	if err != nil {
		return s.failed("begin the upload of", key, err)
	}
	parts, err := s.sendParts(ctx, key, upload.UploadId, r, size, a.Sent)
	if err == nil {
		err = s.complete(ctx, key, upload.UploadId, parts, a.SHA256)
	}
	if err != nil {
		return errors.Join(err, s.abort(ctx, key, upload.UploadId))
	}
	return nil
}

func (s *Store) sendParts(ctx context.Context, key string, id *string, r io.ReaderAt, size int64, sent func(int64)) ([]types.CompletedPart, error) {
	part := partSize(size)
	parts := make([]types.CompletedPart, (size+part-1)/part)
	group, partCtx := errgroup.WithContext(ctx)
	group.SetLimit(s.o.PartsAtOnce)
	for i := range parts {
		if partCtx.Err() != nil {
			break
		}
		group.Go(func() error {
			at := int64(i) * part
			length := min(part, size-at)
			body := io.NewSectionReader(r, at, length)
			sum, err := sha256Of(partCtx, body)
			if err != nil {
				return fmt.Errorf("upload s3://%s/%s: %w", s.o.Bucket, key, err)
			}
			if _, err := body.Seek(0, io.SeekStart); err != nil {
				return err
			}
			number, checksum := aws.Int32(int32(i+1)), s.checksum(sum)
			out, err := s.client.UploadPart(partCtx, &s3.UploadPartInput{
				Bucket: &s.o.Bucket, Key: &key, UploadId: id, PartNumber: number,
				Body: body, ContentLength: &length, ChecksumSHA256: checksum,
			}, withPayloadHash(sum))
			if err != nil {
				return s.failed(fmt.Sprintf("upload part %d of", i+1), key, err)
			}
			parts[i] = types.CompletedPart{PartNumber: number, ETag: out.ETag, ChecksumSHA256: checksum}
			if sent != nil {
				sent(length)
			}
			return nil
		})
	}
	return parts, cmp.Or(group.Wait(), ctx.Err())
}

// complete makes one object of the parts. A first attempt may have done so, and
// its answer been lost: then the upload is gone, but the object is there.
func (s *Store) complete(ctx context.Context, key string, id *string, parts []types.CompletedPart, sum string) error {
	_, err := s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &s.o.Bucket, Key: &key, UploadId: id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err == nil {
		return nil
	}
	if code, _ := codeOf(err); code == "NoSuchUpload" {
		if info, statErr := s.Stat(ctx, key); statErr == nil && info.SHA256 == sum {
			return nil
		}
	}
	return s.failed("complete the upload of", key, err)
}

// abort frees the parts of an upload that failed, also where the context has
// ended: the bucket's owner would pay for them.
func (s *Store) abort(ctx context.Context, key string, id *string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.o.Bucket, Key: &key, UploadId: id})
	if code, _ := codeOf(err); err == nil || code == "NoSuchUpload" {
		return nil
	}
	return s.failed("abort the upload of", key, err)
}

// partSize is a multiple of 1 MiB that gives at most 10,000 parts.
func partSize(size int64) int64 {
	part := (size + maxParts - 1) / maxParts
	return max(multipartFrom, (part+mebibyte-1)/mebibyte*mebibyte)
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
