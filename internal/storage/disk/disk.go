// Package disk keeps objects as files of a folder.
package disk

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"slate360.ai/worker/internal/storage"
)

// Store is a folder. Keys are paths below it.
type Store struct {
	root   *os.Root
	dir    string
	public string
}

var _ storage.Store = (*Store)(nil)

// Open opens or makes the folder. publicURL is the address it is served at; empty
// gives file:// addresses.
func Open(dir, publicURL string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("folder of outputs: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("folder of outputs: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("folder of outputs: %w", err)
	}
	return &Store{root: root, dir: dir, public: strings.TrimRight(publicURL, "/")}, nil
}

// temporary begins the names of files that are being written; no key may.
const temporary = ".slate360-tmp-"

// local returns the path of a key below the root.
func local(key string) (string, error) {
	name := filepath.FromSlash(key)
	if key == "" || strings.ContainsAny(key, "\x00\\") || path.Clean(key) != key || !filepath.IsLocal(name) ||
		strings.HasPrefix(path.Base(key), temporary) {
		return "", fmt.Errorf("key %q cannot be a file", key)
	}
	return name, nil
}

// PutFile is of storage.Store. Where the file lies on the same file system it is
// linked, not copied.
func (s *Store) PutFile(ctx context.Context, key, from string, _ storage.Attributes) error {
	name, err := local(key)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	temp, err := s.temp(name)
	if err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	if err := os.Link(from, filepath.Join(s.dir, temp)); err == nil {
		return s.rename(key, temp, name)
	}
	f, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	defer f.Close()
	return s.write(ctx, key, name, temp, f)
}

// Put is of storage.Store.
func (s *Store) Put(ctx context.Context, key string, r io.ReadSeeker, size int64, _ storage.Attributes) error {
	name, err := local(key)
	if err != nil {
		return err
	}
	temp, err := s.temp(name)
	if err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	return s.write(ctx, key, name, temp, io.LimitReader(r, size))
}

// temp makes the folder of a file and returns a name in it for writing.
func (s *Store) temp(name string) (string, error) {
	dir := filepath.Dir(name)
	if err := s.root.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return filepath.Join(dir, temporary+hex.EncodeToString(b[:])), nil
}

func (s *Store) write(ctx context.Context, key, name, temp string, r io.Reader) (err error) {
	f, err := s.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	_, err = io.Copy(struct{ io.Writer }{f}, &contextReader{ctx, r})
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("store %s: %w", key, err), s.root.Remove(temp))
	}
	return s.rename(key, temp, name)
}

func (s *Store) rename(key, temp, name string) error {
	if err := s.root.Rename(temp, name); err != nil {
		return errors.Join(fmt.Errorf("store %s: %w", key, err), s.root.Remove(temp))
	}
	// Where both are links to one file, rename does nothing, and succeeds.
	if err := s.root.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("store %s: %w", key, err)
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

func missing(key string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("object %s: %w", key, storage.ErrNotFound)
	}
	return fmt.Errorf("object %s: %w", key, err)
}

// Open is of storage.Store.
func (s *Store) Open(ctx context.Context, key string) (io.ReadCloser, storage.Info, error) {
	info, err := s.Stat(ctx, key)
	if err != nil {
		return nil, info, err
	}
	f, err := s.root.Open(filepath.FromSlash(key))
	if err != nil {
		return nil, info, missing(key, err)
	}
	return f, info, nil
}

// GetFile is of storage.Store.
func (s *Store) GetFile(ctx context.Context, key, to string) (storage.Info, error) {
	r, info, err := s.Open(ctx, key)
	if err != nil {
		return info, err
	}
	defer r.Close()
	f, err := os.Create(to + ".part")
	if err != nil {
		return info, fmt.Errorf("fetch %s: %w", key, err)
	}
	_, err = io.Copy(struct{ io.Writer }{f}, &contextReader{ctx, r})
	if err = errors.Join(err, f.Close()); err != nil {
		return info, errors.Join(fmt.Errorf("fetch %s: %w", key, err), os.Remove(to+".part"))
	}
	return info, os.Rename(to+".part", to)
}

// Stat is of storage.Store.
func (s *Store) Stat(_ context.Context, key string) (storage.Info, error) {
	name, err := local(key)
	if err != nil {
		return storage.Info{}, err
	}
	info, err := s.root.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return storage.Info{}, missing(key, err)
	}
	return storage.Info{Key: key, Size: info.Size(), Modified: info.ModTime()}, nil
}

// List is of storage.Store.
func (s *Store) List(ctx context.Context, prefix string, f func(storage.Info) error) error {
	top := "."
	if i := strings.LastIndexByte(prefix, '/'); i > 0 {
		top = prefix[:i]
		if _, err := local(top); err != nil {
			return err
		}
	}
	err := fs.WalkDir(s.root.FS(), top, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && errors.Is(err, fs.ErrNotExist):
			return nil // it went while we looked, or was never there
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case d.IsDir() || !strings.HasPrefix(p, prefix) || strings.HasPrefix(d.Name(), temporary):
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return f(storage.Info{Key: p, Size: info.Size(), Modified: info.ModTime()})
	})
	if err != nil {
		return fmt.Errorf("list %s: %w", prefix, err)
	}
	return nil
}

// Delete is of storage.Store. Folders that become empty go, too.
func (s *Store) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := ctx.Err(); err != nil {
			return err
		}
		name, err := local(key)
		if err != nil {
			return err
		}
		if err := s.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("delete %s: %w", key, err)
		}
		for dir := filepath.Dir(name); dir != "."; dir = filepath.Dir(dir) {
			if s.root.Remove(dir) != nil {
				break // something else is in it
			}
		}
	}
	return nil
}

// URL is of storage.Store.
func (s *Store) URL(_ context.Context, key string) (string, error) {
	if _, err := local(key); err != nil {
		return "", err
	}
	if s.public != "" {
		return s.public + "/" + (&url.URL{Path: key}).EscapedPath(), nil
	}
	return (&url.URL{Scheme: "file", Path: path.Join(filepath.ToSlash(s.dir), key)}).String(), nil
}

// Ping is of storage.Store.
func (s *Store) Ping(ctx context.Context) error {
	const key = ".slate360-ping"
	if err := s.Put(ctx, key, strings.NewReader("ping"), 4, storage.Attributes{}); err != nil {
		return err
	}
	return s.Delete(ctx, key)
}

// Close is of storage.Store.
func (s *Store) Close() error { return s.root.Close() }
