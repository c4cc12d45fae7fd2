package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
	if info.IsDir() {
		return folderFingerprint(ctx, path)
	}
	if !info.Mode().IsRegular() {
		return fp, BadInput(fmt.Errorf("source %s is neither a file nor a folder", path), "")
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

// folderFingerprint is that of all files below a folder: their names and sizes, and
// their content, or where that is much, their times and both ends of each.
func folderFingerprint(ctx context.Context, dir string) (fp fingerprint, err error) {
	files, err := sourceFiles(dir)
	if err != nil {
		return fp, BadInput(fmt.Errorf("read source folder: %w", err), "")
	}
	fp.Size, fp.ModTime = stateOf(files)
	fp.Sampled = fp.Size > fullFingerprint
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%s\x00%d\x00", f.rel, f.info.Size())
		if fp.Sampled {
			fmt.Fprintf(h, "%d\x00", f.info.ModTime().UnixNano())
		}
		if err := hashFile(ctx, h, filepath.Join(dir, f.rel), f.info.Size(), fp.Sampled); err != nil {
			return fp, fmt.Errorf("read source: %w", err)
		}
	}
	fp.SHA256 = hex.EncodeToString(h.Sum(nil))
	return fp, nil
}

// sourceState returns the size and the time of a source; of a folder the sum and the
// newest.
func sourceState(path string) (size, modTime int64, err error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		if err == nil {
			size, modTime = info.Size(), info.ModTime().UnixNano()
		}
		return size, modTime, err
	}
	files, err := sourceFiles(path)
	if err != nil {
		return 0, 0, err
	}
	size, modTime = stateOf(files)
	return size, modTime, nil
}

func stateOf(files []sourceFile) (size, modTime int64) {
	for _, f := range files {
		size += f.info.Size()
		modTime = max(modTime, f.info.ModTime().UnixNano())
	}
	return size, modTime
}

// sourceFile is a file of a source folder.
type sourceFile struct {
	rel  string
	info fs.FileInfo // of what a link points to
}

// sourceFiles lists the files below dir in the order of their names. Names that
// begin with a dot are left out.
func sourceFiles(dir string) (files []sourceFile, err error) {
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p == dir:
			return nil
		case strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		}
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err == nil && info.Mode().IsRegular() {
			files = append(files, sourceFile{rel, info})
		}
		return err
	})
	return files, err
}

// hashFile adds a file to h, whole or both ends of it.
func hashFile(ctx context.Context, h io.Writer, path string, size int64, ends bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	parts := [][2]int64{{0, size}}
	if ends && size > 2*fingerprintBlock {
		parts = [][2]int64{{0, fingerprintBlock}, {size - fingerprintBlock, fingerprintBlock}}
	}
	for _, p := range parts {
		r := &contextReader{ctx: ctx, r: io.NewSectionReader(f, p[0], p[1])}
		if _, err := io.CopyBuffer(struct{ io.Writer }{h}, r, make([]byte, min(checksumBlock, max(p[1], 1)))); err != nil {
			return err
		}
	}
	return nil
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
