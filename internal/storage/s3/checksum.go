package s3

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"slate360.ai/worker/internal/storage"
)

// metadataSHA256 is the object metadata (x-amz-meta-sha256) that keeps the
// digest of the whole content in hexadecimals, which S3 itself does not know of
// objects that came in parts.
const metadataSHA256 = "sha256"

// crc64NVME is the polynomial of x-amz-checksum-crc64nvme, reversed.
const crc64NVME = 0x9a6c9329ac4bc9b5

// digest is what the content of an object must hash to.
type digest struct {
	new  func() hash.Hash
	want []byte
}

// digestOf takes the digest by which an object can be checked, the best first:
// our own SHA-256, or one of those that S3 keeps of whole objects (other programs'
// uploads have a CRC). ok is false where there is none.
func digestOf(head *s3.HeadObjectOutput) (d digest, ok bool) {
	if want, err := hex.DecodeString(head.Metadata[metadataSHA256]); err == nil && len(want) == sha256.Size {
		return digest{sha256.New, want}, true
	}
	if head.ChecksumType == types.ChecksumTypeComposite {
		return digest{}, false
	}
	for _, c := range []struct {
		value *string
		new   func() hash.Hash
	}{
		{head.ChecksumSHA256, sha256.New},
		{head.ChecksumSHA1, sha1.New},
		{head.ChecksumCRC64NVME, func() hash.Hash { return crc64.New(crc64.MakeTable(crc64NVME)) }},
		{head.ChecksumCRC32C, func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }},
		{head.ChecksumCRC32, func() hash.Hash { return crc32.NewIEEE() }},
	} {
		if c.value == nil {
			continue
		}
		if want, err := base64.StdEncoding.DecodeString(*c.value); err == nil && len(want) == c.new().Size() {
			return digest{c.new, want}, true // "…-3" of a composite one does not decode
		}
	}
	return digest{}, false
}

// checkFile hashes a file and compares; ErrDamaged.
func (d digest) checkFile(ctx context.Context, f *os.File) error {
	h := d.new()
	if err := hashTo(ctx, h, io.NewSectionReader(f, 0, 1<<62)); err != nil {
		return err
	}
	return d.compare(h)
}

func (d digest) compare(h hash.Hash) error {
	if got := h.Sum(nil); !bytes.Equal(got, d.want) {
		return fmt.Errorf("%w: it hashes to %x, not %x", storage.ErrDamaged, got, d.want)
	}
	return nil
}

// hashTo hashes all of r, and stops when the context ends.
func hashTo(ctx context.Context, h hash.Hash, r io.Reader) error {
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(buf)
		h.Write(buf[:n])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func sha256Of(ctx context.Context, r io.Reader) ([]byte, error) {
	h := sha256.New()
	if err := hashTo(ctx, h, r); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}
