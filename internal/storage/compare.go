package storage

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

// compare lists what the store has below the prefix and finds which files it has
// already.
func (p *publication) compare(ctx context.Context) error {
	err := p.store.List(ctx, p.prefix, func(i Info) error {
		rel := strings.TrimPrefix(i.Key, p.prefix)
		if rankOf(rel) > 0 {
			p.entries = append(p.entries, i.Key)
		}
		at, found := slices.BinarySearchFunc(p.files, rel, func(f localFile, rel string) int { return strings.Compare(f.rel, rel) })
		if !found {
			p.stale = append(p.stale, i.Key)
			return nil
		}
		f := &p.files[at]
		f.there = i.Size == f.size // another size is another content
		if sum, err := hex.DecodeString(i.MD5); err == nil && len(sum) == len(f.digest) {
			f.md5 = true
			copy(f.digest[:], sum)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.each(ctx, p.o.Workers, func(f *localFile) bool { return f.there }, p.compareOne)
}

// compareOne never takes the size for a proof. An MD5 that matches is one, as an
// earlier try of this job wrote the object, not an attacker; one that does not
// match may be something else than an MD5, so the object's own SHA-256 decides.
func (p *publication) compareOne(ctx context.Context, f *localFile) error {
	var want string
	if !f.md5 {
		info, err := p.store.Stat(ctx, p.prefix+f.rel)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if want = info.SHA256; want == "" || info.Size != f.size {
			return nil // nothing to compare with: it is sent
		}
	}
	md, sha, err := digests(ctx, p.path(f), f.md5)
	if err != nil {
		return err
	}
	if f.md5 {
		if f.same = bytes.Equal(md, f.digest[:]); f.same {
			return nil
		}
		info, err := p.store.Stat(ctx, p.prefix+f.rel)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		want = info.SHA256
	}
	f.same = want == hex.EncodeToString(sha)
	return nil
}

// digests reads a file once; the MD5 is made where it is wanted.
func digests(ctx context.Context, path string, withMD5 bool) (md, sha []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	m, s := md5.New(), sha256.New()
	buf := make([]byte, 64<<10)
	for {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		n, err := f.Read(buf)
		s.Write(buf[:n])
		if withMD5 {
			m.Write(buf[:n])
		}
		if errors.Is(err, io.EOF) {
			return m.Sum(nil), s.Sum(nil), nil
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// gzipProbe is how much of a file must inflate for it to be gzip.
const gzipProbe = 512

// MayBeCompressed tells whether a file of this name may be gzip under the name of
// something else, as tiles may be. A name that says so itself (.gz), or whose
// content may begin with any bytes (.bin), is what it is.
func MayBeCompressed(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".json", ".geojson", ".topojson", ".b3dm", ".i3dm", ".pnts", ".cmpt", ".subtree", ".terrain", ".glb", ".gltf",
		".svg", ".html", ".css", ".js", ".mjs", ".wasm", ".txt", ".csv", ".obj", ".mtl", ".xml":
		return true
	}
	return false
}

// IsGzip tells whether what r gives is gzip, as far as its begin says; r may end
// within it.
func IsGzip(r io.Reader) bool {
	z, err := gzip.NewReader(r)
	if err != nil {
		return false
	}
	_, err = io.CopyN(io.Discard, z, gzipProbe)
	return err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// contentEncoding is "gzip" for files that are compressed under another name.
func contentEncoding(file string) (string, error) {
	if !MayBeCompressed(file) {
		return "", nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if IsGzip(f) {
		return "gzip", nil
	}
	return "", nil
}
