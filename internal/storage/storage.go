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

// ErrChanged says that an object was overwritten while it was read.
var ErrChanged = errors.New("the object was overwritten meanwhile")

// Upload is how somebody without credentials can store one object.
type Upload struct {
	// URL takes a PUT with these Headers until Expires.
	URL     string
	Headers map[string]string
	Expires time.Time
	// Source is the address by which a job names the object: s3://bucket/key.
	Source string
}

// Presigner is a store in which others can be allowed to put an object.
type Presigner interface {
	// PresignPut allows one object of exactly size bytes to be put for a time.
	PresignPut(ctx context.Context, key string, size int64, contentType string, expires time.Duration) (Upload, error)
	// MaxPresigned is the largest size that one request can put, in bytes.
	MaxPresigned() int64
	// Source is the address of a key, or of all keys below one that ends in a slash.
	Source(key string) string
}

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
	// Version tells states of the object apart; it is of Stat and Open only.
	Version string
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
	// OpenRange reads n bytes of an object from off on; less where it ends before.
	// ErrNotFound. info must be of Stat or Open, and says which state of the object
	// is meant: one that was overwritten since is ErrChanged.
	OpenRange(ctx context.Context, info Info, off, n int64) (io.ReadCloser, error)
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
