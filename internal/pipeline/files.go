package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/host"
)

// isDiskFull tells whether an error means that no more can be written: no
// space, quota or file size limit reached.
func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// explain adds to errors of the file system what the user can do.
func explain(err error, dir string) error {
	switch {
	case err == nil:
		return nil
	case isDiskFull(err):
		free := ""
		if n := host.FreeDisk(dir); n >= 0 {
			free = fmt.Sprintf(" (%s free)", format.Bytes(n))
		}
		return fmt.Errorf("%w: the disk of %s is full%s, or a quota is reached: make room and run again, finished stages are kept", err, dir, free)
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %s cannot be written: choose another result folder with --out", err, dir)
	}
	return err
}

// writeFileAtomic replaces the file at path by data: readers, and whoever looks
// after a crash, see the old content or the new, never a part.
func writeFileAtomic(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a rename in dir durable. File systems that cannot sync a folder
// say EINVAL; there is nothing more to do then.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// checksumBlock is how much is hashed between two looks at the context: at the
// slowest disks well below 100 ms.
const checksumBlock = 1 << 20

// fileRecord is a file as the manifest knows it.
type fileRecord struct {
	// Path is relative, with forward slashes; "." is the product itself.
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	CRC32C uint32 `json:"crc32c"`
}

// checksum reads a file and returns its size and CRC-32C (Castagnoli), which
// processors compute faster than disks read. Where digest is true it returns
// the SHA-256 in hexadecimal as well.
func checksum(ctx context.Context, path string, digest bool) (size int64, crc uint32, sha string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var h hash.Hash
	if digest {
		h = sha256.New()
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	buf := make([]byte, checksumBlock)
	for {
		if err := ctx.Err(); err != nil {
			return 0, 0, "", err
		}
		n, err := f.Read(buf)
		size += int64(n)
		crc = crc32.Update(crc, table, buf[:n])
		if h != nil {
			h.Write(buf[:n])
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, 0, "", err
		}
	}
	if h != nil {
		sha = hex.EncodeToString(h.Sum(nil))
	}
	return size, crc, sha, nil
}

// parallel calls fn for 0 … n-1 on some goroutines and returns the first error.
func parallel(ctx context.Context, workers, n int, fn func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(max(workers, 1), n) {
		wg.Go(func() {
			for i := range next {
				if err := fn(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
feed:
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}
