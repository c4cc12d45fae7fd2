package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"slate360.ai/worker/internal/storage"
)

// Open reads an object.
func (s *Store) Open(ctx context.Context, key string) (io.ReadCloser, storage.Info, error) {
	f, info, err := s.open(ctx, key)
	if err != nil {
		return nil, storage.Info{}, err
	}
	return f, info, nil
}

func (s *Store) open(ctx context.Context, key string) (*os.File, storage.Info, error) {
	info, err := s.Stat(ctx, key)
	if err != nil {
		return nil, info, err
	}
	f, err := s.root.Open(key)
	if err != nil {
		return nil, info, failed("read", key, err)
	}
	stat, err := f.Stat() // it may have been replaced meanwhile
	if err != nil {
		return nil, info, errors.Join(failed("read", key, err), f.Close())
	}
	return f, infoOf(key, stat), nil
}

// GetFile copies an object to a local file.
func (s *Store) GetFile(ctx context.Context, key, file string) (info storage.Info, err error) {
	in, info, err := s.open(ctx, key)
	if err != nil {
		return info, err
	}
	defer in.Close()
	temp := fmt.Sprintf("%s.%d.part", file, os.Getpid())
	out, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return info, failed("fetch", key, err)
	}
	for err == nil {
		if err = ctx.Err(); err == nil {
			_, err = io.CopyN(out, in, copyBlock)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = os.Rename(temp, file)
	}
	if err != nil {
		return info, failed("fetch", key, errors.Join(err, os.Remove(temp)))
	}
	return info, nil
}

// Stat looks an object up.
func (s *Store) Stat(ctx context.Context, key string) (storage.Info, error) {
	if err := errors.Join(ctx.Err(), checkKey(key)); err != nil {
		return storage.Info{}, err
	}
	stat, err := s.root.Lstat(key)
	if err != nil {
		return storage.Info{}, failed("look up", key, err)
	}
	if !stat.Mode().IsRegular() {
		return storage.Info{}, failed("look up", key, fs.ErrNotExist)
	}
	return infoOf(key, stat), nil
}

func infoOf(key string, stat fs.FileInfo) storage.Info {
	return storage.Info{Key: key, Size: stat.Size(), Modified: stat.ModTime(), Version: version(stat)}
}

// version of a file: files are replaced, not changed in place.
func version(stat fs.FileInfo) string {
	return strconv.FormatInt(stat.ModTime().UnixNano(), 36) + "-" + strconv.FormatInt(stat.Size(), 36)
}

// OpenRange reads a part of an object.
func (s *Store) OpenRange(ctx context.Context, info storage.Info, off, n int64) (io.ReadCloser, error) {
	f, now, err := s.open(ctx, info.Key)
	if err != nil {
		return nil, err
	}
	if now.Version != info.Version {
		return nil, errors.Join(fmt.Errorf("read %s: %w", info.Key, storage.ErrChanged), f.Close())
	}
	if _, err := f.Seek(off, io.SeekStart); err != nil {
		return nil, errors.Join(failed("read", info.Key, err), f.Close())
	}
	return part{Reader: io.LimitReader(f, n), Closer: f}, nil
}

// part is a part of a file.
type part struct {
	io.Reader
	io.Closer
}

// failed wraps an error with the key; what is not there is ErrNotFound.
func failed(doing, key string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("%s %s: %w", doing, key, storage.ErrNotFound)
	}
	return fmt.Errorf("%s %s: %w", doing, key, err)
}

// List calls f for each object whose key begins with prefix, in order of keys.
func (s *Store) List(ctx context.Context, prefix string, f func(storage.Info) error) error {
	if err := storage.CheckPrefix(prefix); err != nil {
		return err
	}
	dir := path.Dir(prefix + "x") // the folder that all keys of the prefix are in
	return s.list(ctx, dir, prefix, f)
}

func (s *Store) list(ctx context.Context, dir, prefix string, f func(storage.Info) error) error {
	entries, err := s.entries(dir)
	if err != nil {
		return err
	}
	// Keys are in order when folders sort with the slash that follows their name.
	name := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/"
		}
		return e.Name()
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(name(a), name(b)) })
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		key := path.Join(dir, e.Name())
		switch {
		case key == temporary:
		case e.IsDir():
			// Either the folder is below the prefix, or the prefix ends in its name.
			if strings.HasPrefix(key+"/", prefix) || strings.HasPrefix(prefix, key+"/") {
				err = s.list(ctx, key, prefix, f)
			}
		case e.Type().IsRegular() && strings.HasPrefix(key, prefix):
			var stat fs.FileInfo
			if stat, err = e.Info(); err == nil {
				err = f(infoOf(key, stat))
			} else if errors.Is(err, fs.ErrNotExist) {
				err = nil // it was deleted meanwhile
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// entries of a folder in no order; none where it does not exist.
func (s *Store) entries(dir string) ([]fs.DirEntry, error) {
	d, err := s.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	defer d.Close()
	entries, err := d.ReadDir(-1)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	return entries, nil
}

// Delete removes objects, and the folders that are empty then.
func (s *Store) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := errors.Join(ctx.Err(), checkKey(key)); err != nil {
			return err
		}
		stat, err := s.root.Lstat(key)
		if err == nil && !stat.IsDir() { // a folder is no object
			err = s.root.Remove(key)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return fmt.Errorf("delete %s: %w", key, err)
		}
		for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
			if s.root.Remove(dir) != nil {
				break // others are in it, or remove it, too
			}
		}
	}
	return nil
}
