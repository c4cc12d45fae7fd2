// Package storage is where outputs go and checkpoints are kept. Its backends are
// storage/s3 and storage/disk; package storage/storagetest is the suite that
// every backend passes. Publish, in this package, brings a result folder there
// so that a reader never sees half a result.
package storage

import (
	"context"
	"errors"
	"io"
	"time"
)

// ErrNotFound says that there is no object of this key.
var ErrNotFound = errors.New("there is no such object")

// ErrDamaged says that what arrived, or is stored, is not what was promised: its
// size or its digest differs.
var ErrDamaged = errors.New("the content does not match its digest")

// Attributes of an object.
type Attributes struct {
	// ContentType such as "model/gltf-binary"; ContentEncoding "gzip" or empty.
	ContentType, ContentEncoding, CacheControl string
	// SHA256 is the lower-case hexadecimal digest of the content; where the
	// backend can, it is kept with the object and checked on arrival. Empty lets
	// the backend compute it; a wrong one is ErrDamaged.
	SHA256 string
	// Sent, where it is not nil, gets the bytes that have arrived since its last
	// call, from several goroutines, while a large object is on its way.
	Sent func(n int64)
}

// Info is what is known of a stored object.
type Info struct {
	Key      string // with forward slashes, no leading one
	Size     int64  // bytes
	Modified time.Time
	// SHA256 where it is known without reading the object; else empty. List seldom
	// knows it.
	SHA256 string
	// MD5, in lower-case hexadecimals, is what List of an S3 store tells of objects
	// that were sent in one part. Under a key of KMS it is something else, so it
	// proves that two are the same, not that they differ.
	MD5 string
}

// Store keeps objects by key. All methods may be called from several goroutines.
// Errors are wrapped with the key and what was being done.
type Store interface {
	// PutFile stores a local file; large ones in parts. The object is there whole
	// or not at all. The file must not be changed in place afterwards: a local
	// store may keep the file itself.
	PutFile(ctx context.Context, key, path string, a Attributes) error
	// Put stores size bytes from where r stands.
	Put(ctx context.Context, key string, r io.ReadSeeker, size int64, a Attributes) error
	// Open reads an object; ErrNotFound.
	Open(ctx context.Context, key string) (io.ReadCloser, Info, error)
	// GetFile writes an object to a local file (ranged and parallel where large),
	// which is there whole or not at all; ErrNotFound, ErrDamaged.
	GetFile(ctx context.Context, key, path string) (Info, error)
	// Stat; ErrNotFound.
	Stat(ctx context.Context, key string) (Info, error)
	// List calls f for each object whose key begins with prefix, in order of keys.
	List(ctx context.Context, prefix string, f func(Info) error) error
	// Delete removes objects; those that are not there are no error.
	Delete(ctx context.Context, keys ...string) error
	// URL is where a reader gets the object: below SLATE360_PUBLIC_URL where that
	// is set, signed where the bucket is private, else the object's own address.
	URL(ctx context.Context, key string) (string, error)
	// Ping tells whether objects can be written.
	Ping(ctx context.Context) error
	Close() error
}
