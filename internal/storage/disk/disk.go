// Package disk keeps objects as files below a folder: the key is the path. It
// serves where no bucket is configured. Files are replaced atomically (rename(2)),
// and no key or link leads out of the folder (os.Root).
//
// Attributes other than the content are not kept: whoever serves the files takes
// the content type from the name, as job.ContentType does.
package disk

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
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
	"time"

	"slate360.ai/worker/internal/storage"
)

const (
	// temporary is the folder of files that are not whole yet; no key begins with it.
	temporary = ".slate360-tmp"
	// staleAfter is the age at which such a file is of a process that was killed.
	staleAfter = 48 * time.Hour
	copyBlock  = 1 << 20
	// makeTries covers a Delete beside a Put that removes the folder it has made.
	makeTries = 16
)

// Options of Open.
type Options struct {
	// Dir is the folder; it is made where it does not exist.
	Dir string
	// PublicURL stands in front of keys in URL; empty gives file:// addresses.
	PublicURL string
	// Sync waits until the disk has each file before Put and PutFile return: they
	// then survive a loss of power.
	Sync bool
	// Copy makes PutFile copy files. Without it a file is linked where the file
	// system can: it takes no time, and no space until the original is removed.
	Copy bool
}

// Store is a storage.Store in a folder.
type Store struct {
	o    Options
	root *os.Root
}

var _ storage.Store = (*Store)(nil)

// Open makes the folder where it is missing, and removes what killed processes
// left half written.
func Open(o Options) (*Store, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil || o.Dir == "" {
		return nil, fmt.Errorf("open storage folder %q: %w", o.Dir, errors.Join(err, errors.New("it must be a path")))
	}
	o.Dir = dir
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("open storage folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open storage folder: %w", err)
	}
	s := &Store{o: o, root: root}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("open storage folder: %w", err), root.Close())
	}
	return s, nil
}

func (s *Store) prepare() error {
	if err := s.root.MkdirAll(temporary, 0o777); err != nil {
		return err
	}
	// PutFile links into it by its plain path, so it must not lead elsewhere.
	if info, err := s.root.Lstat(temporary); err != nil || !info.IsDir() {
		return errors.Join(fmt.Errorf("%s is not a folder", temporary), err)
	}
	entries, err := s.entries(temporary)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || time.Since(info.ModTime()) < staleAfter {
			continue // another process may be writing it, or has finished
		}
		if err := s.root.RemoveAll(path.Join(temporary, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Close gives the folder free.
func (s *Store) Close() error { return s.root.Close() }

// Path is the file of a key, for those that serve files; it may not exist.
func (s *Store) Path(key string) (string, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	return filepath.Join(s.o.Dir, filepath.FromSlash(key)), nil
}

func checkKey(key string) error {
	if err := storage.CheckKey(key); err != nil {
		return err
	}
	if first, _, _ := strings.Cut(key, "/"); first == temporary {
		return fmt.Errorf("key %q: %s is the store's own", key, temporary)
	}
	if !filepath.IsLocal(filepath.FromSlash(key)) {
		return fmt.Errorf("key %q: it is no path below a folder", key)
	}
	return nil
}

// PutFile stores a local file: by a link where Options.Copy is not set and the
// file system can, else by a copy.
func (s *Store) PutFile(ctx context.Context, key, file string, a storage.Attributes) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if !s.o.Copy && a.SHA256 == "" { // with a digest the content must be read anyway
		size, linked, err := s.link(ctx, key, file)
		if linked && err == nil && a.Sent != nil {
			a.Sent(size)
		}
		if linked || err != nil {
			return err
		}
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("store %s: %s is not a file", key, file)
	}
	return s.Put(ctx, key, f, info.Size(), a)
}

// link puts the file itself into the store; linked is false where that cannot be
// done (another file system, or one without links).
func (s *Store) link(ctx context.Context, key, file string) (size int64, linked bool, err error) {
	if err := ctx.Err(); err != nil {
		return 0, false, err
	}
	info, err := os.Lstat(file)
	if err != nil {
		return 0, false, fmt.Errorf("store %s: %w", key, err)
	}
	if !info.Mode().IsRegular() {
		return 0, false, fmt.Errorf("store %s: %s is not a file", key, file)
	}
	temp := path.Join(temporary, rand.Text())
	if err := os.Link(file, filepath.Join(s.o.Dir, filepath.FromSlash(temp))); err != nil {
		return 0, false, nil //nolint:nilerr // then it is copied, which says what is wrong
	}
	if s.o.Sync {
		if err := syncFile(file); err != nil {
			return 0, false, errors.Join(fmt.Errorf("store %s: %w", key, err), s.root.Remove(temp))
		}
	}
	return info.Size(), true, s.settle(temp, key)
}

func syncFile(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Put stores size bytes from where r stands.
func (s *Store) Put(ctx context.Context, key string, r io.ReadSeeker, size int64, a storage.Attributes) error {
	if err := checkKey(key); err != nil {
		return err
	}
	temp := path.Join(temporary, rand.Text())
	f, err := s.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	err = s.write(ctx, f, r, size, a)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("store %s: %w", key, errors.Join(err, s.root.Remove(temp)))
	}
	return s.settle(temp, key)
}

func (s *Store) write(ctx context.Context, f *os.File, r io.Reader, size int64, a storage.Attributes) error {
	h, buf := sha256.New(), make([]byte, min(copyBlock, max(size, 512)))
	for left := size; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(r, buf[:min(left, int64(len(buf)))])
		if err != nil {
			return fmt.Errorf("read the content, %d bytes before its end: %w", left-int64(n), err)
		}
		h.Write(buf[:n])
		if _, err := f.Write(buf[:n]); err != nil {
			return err
		}
		left -= int64(n)
		if a.Sent != nil {
			a.Sent(int64(n))
		}
	}
	if got := hex.EncodeToString(h.Sum(nil)); a.SHA256 != "" && a.SHA256 != got {
		return fmt.Errorf("%w: it hashes to %s, not %s", storage.ErrDamaged, got, a.SHA256)
	}
	if s.o.Sync {
		return f.Sync()
	}
	return nil
}

// settle moves a whole file to its key.
func (s *Store) settle(temp, key string) error {
	var err error
	for range makeTries {
		if dir := path.Dir(key); dir != "." {
			if err = s.root.MkdirAll(dir, 0o777); err != nil {
				if errors.Is(err, fs.ErrNotExist) {
					continue
				}
				break
			}
		}
		if err = s.root.Rename(temp, key); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err == nil && s.o.Sync {
		err = s.syncDir(path.Dir(key))
	}
	// Of two links of one file rename(2) leaves both.
	if removeErr := s.root.Remove(temp); removeErr != nil && !errors.Is(removeErr, fs.ErrNotExist) {
		err = errors.Join(err, removeErr)
	}
	if err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	return nil
}

// syncDir makes a rename last, also the making of the folders above.
func (s *Store) syncDir(dir string) error {
	for {
		d, err := s.root.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return err
		}
		if dir == "." {
			return nil
		}
		dir = path.Dir(dir)
	}
}

// URL is the address below PublicURL, or that of the file.
func (s *Store) URL(_ context.Context, key string) (string, error) {
	file, err := s.Path(key)
	if err != nil {
		return "", err
	}
	if s.o.PublicURL != "" {
		return strings.TrimRight(s.o.PublicURL, "/") + "/" + storage.EscapeKey(key), nil
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(file)}).String(), nil
}

// Ping writes a file and removes it.
func (s *Store) Ping(context.Context) error {
	name := path.Join(temporary, rand.Text())
	if err := s.root.WriteFile(name, []byte("ping"), 0o666); err != nil {
		return fmt.Errorf("write to the storage folder %s: %w", s.o.Dir, err)
	}
	if err := s.root.Remove(name); err != nil {
		return fmt.Errorf("delete in the storage folder %s: %w", s.o.Dir, err)
	}
	return nil
}
