package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// fullFingerprint is the size, in bytes, up to which a source is hashed whole:
// some tenths of a second. Of larger ones samples are hashed.
const (
	fullFingerprint   = 256 << 20
	fingerprintBlocks = 256
	fingerprintBlock  = 64 << 10
)

// fingerprint tells whether a source is the one that an earlier run had.
type fingerprint struct {
	Size int64 `json:"size"`
	// ModTime in Unix nanoseconds counts for sampled sources only: a file that
	// was hashed whole may have been copied or touched.
	ModTime int64  `json:"modTime"`
	SHA256  string `json:"sha256"`
	Sampled bool   `json:"sampled,omitempty"`
}

func (f fingerprint) same(g fingerprint) bool {
	return f.Size == g.Size && f.SHA256 == g.SHA256 && f.Sampled == g.Sampled &&
		(!f.Sampled || f.ModTime == g.ModTime)
}

func fingerprintOf(ctx context.Context, path string) (fp fingerprint, err error) {
	f, err := os.Open(path)
	if err != nil {
		return fp, BadInput(fmt.Errorf("open source: %w", err), "")
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return fp, fmt.Errorf("source: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fp, BadInput(fmt.Errorf("source %s is not a file", path), "")
	}
	fp = fingerprint{Size: info.Size(), ModTime: info.ModTime().UnixNano(), Sampled: info.Size() > fullFingerprint}
	h := sha256.New()
	offsets, block := []int64{0}, info.Size()
	if fp.Sampled {
		offsets, block = offsets[:0], fingerprintBlock
		for i := range int64(fingerprintBlocks) {
			offsets = append(offsets, (info.Size()-block)/(fingerprintBlocks-1)*i)
		}
		offsets[fingerprintBlocks-1] = info.Size() - block // the tail, exactly
	}
	for _, at := range offsets {
		r := &contextReader{ctx: ctx, r: io.NewSectionReader(f, at, block)}
		if _, err := io.CopyBuffer(struct{ io.Writer }{h}, r, make([]byte, checksumBlock)); err != nil {
			return fp, fmt.Errorf("read source: %w", err)
		}
	}
	fp.SHA256 = hex.EncodeToString(h.Sum(nil))
	return fp, nil
}

// contextReader ends a copy when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
