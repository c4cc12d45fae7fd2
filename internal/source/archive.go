package source

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/host"
)

// archiveKind is how files are packed.
type archiveKind string

const (
	kindNone archiveKind = ""
	kindZip  archiveKind = "zip"
	kindTar  archiveKind = "tar"
	kindGzip archiveKind = "gzip"
	kindZstd archiveKind = "zstd"
	kind7z   archiveKind = "7z"
)

// archiveOf tells by its first bytes what kind of archive a file is.
func archiveOf(head []byte) archiveKind {
	for magic, kind := range map[string]archiveKind{
		"PK\x03\x04": kindZip, "PK\x05\x06": kindZip, "\x1f\x8b": kindGzip, "\x28\xb5\x2f\xfd": kindZstd, "7z\xbc\xaf\x27\x1c": kind7z,
	} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return kind
		}
	}
	if len(head) >= 263 && string(head[257:262]) == "ustar" {
		return kindTar
	}
	return kindNone
}

// archiveFile tells what kind of archive a file is.
func archiveFile(p string) (archiveKind, error) {
	f, err := os.Open(p)
	if err != nil {
		return kindNone, err
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return kindNone, err
	}
	return archiveOf(head[:n]), nil
}

// IsArchive tells by its content whether a file is an archive that Unpack unpacks.
// KMZ, 3MF, DOCX and the like are zip files, too.
func IsArchive(p string) (bool, error) {
	info, err := os.Stat(p)
	if err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	kind, err := archiveFile(p)
	return kind != kindNone, err
}

// unpacker is one Unpack.
type unpacker struct {
	ctx   context.Context
	l     Limits
	root  string
	left  int64 // bytes that the limits leave
	names map[string]bool
	got   Fetched
}

// Unpack unpacks a zip, tar, tar.gz, tar.zst or 7z file into the folder dir, and
// archives in it up to Limits.Nesting, each into a folder of its name. Links and
// devices are left out; so is what macOS and Windows add. Errors: *ArchiveError,
// with ErrTooLarge in its chain where a limit was reached. Files keep their times,
// but no permissions.
func Unpack(ctx context.Context, p, dir string, l Limits) (Fetched, error) {
	l = l.withDefaults()
	info, err := os.Stat(p)
	if err != nil {
		return Fetched{}, fmt.Errorf("unpack: %w", err)
	}
	u := &unpacker{ctx: ctx, l: l, root: dir, left: l.Bytes, names: map[string]bool{}}
	// What an archive may grow to is bounded by its own size, too; small ones may
	// be all one letter.
	const always = 64 << 20
	if most := int64(float64(info.Size())*l.Ratio) + always; most < u.left && most > 0 {
		u.left = most
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Fetched{}, fmt.Errorf("unpack: %w", err)
	}
	if err := u.archive(p, ".", 0); err != nil {
		return Fetched{}, errors.Join(err, os.RemoveAll(dir))
	}
	if u.got.Files == 0 {
		return Fetched{}, errors.Join(&ArchiveError{Err: errors.New("it holds no files")}, os.RemoveAll(dir))
	}
	u.got.Path = dir
	if u.got.Files == 1 {
		u.got.Path = filepath.Join(dir, filepath.FromSlash(u.got.Names[0]))
	}
	return u.got, nil
}

// archive unpacks one archive into a folder below the root.
func (u *unpacker) archive(p, into string, depth int) error {
	kind, err := archiveFile(p)
	if err != nil {
		return &ArchiveError{Err: err}
	}
	var nested []string
	add := func(name string, r io.Reader, mode fs.FileMode, modified time.Time) error {
		written, err := u.member(into, name, r, mode, modified)
		if err != nil || written == "" {
			return err
		}
		inner, err := archiveFile(filepath.Join(u.root, filepath.FromSlash(written)))
		if err == nil && inner != kindNone && depth < u.l.Nesting && packed(written) {
			nested = append(nested, written)
		}
		return err
	}
	switch kind {
	case kindZip:
		err = unpackZip(p, add)
	case kindTar, kindGzip, kindZstd:
		err = u.unpackStream(p, kind, add)
	case kind7z:
		err = u.unpack7z(p, add)
	default:
		err = &ArchiveError{Err: errors.New("it is none that is known: want zip, tar, tar.gz, tar.zst or 7z")}
	}
	if err != nil {
		return err
	}
	for _, name := range nested {
		if err := u.inner(name, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// packed tells by its name whether an archive inside another is one to be
// unpacked, and not a file whose format only builds on one.
func packed(name string) bool {
	for _, ext := range []string{".zip", ".tar", ".tgz", ".gz", ".zst", ".7z"} {
		if strings.HasSuffix(strings.ToLower(name), ext) {
			return true
		}
	}
	return false
}

// inner unpacks an archive that was in another, and removes it.
func (u *unpacker) inner(name string, depth int) error {
	p := filepath.Join(u.root, filepath.FromSlash(name))
	info, err := os.Stat(p)
	if err != nil {
		return &ArchiveError{Member: name, Err: err}
	}
	into := strings.TrimSuffix(name, path.Ext(name))
	if u.names[strings.ToLower(into)] {
		into = name + ".unpacked"
	}
	if err := u.archive(p, into, depth); err != nil {
		var a *ArchiveError
		if errors.As(err, &a) && a.Member == "" {
			a.Member = name
		}
		return err
	}
	for i, n := range u.got.Names {
		if n == name {
			u.got.Names = append(u.got.Names[:i], u.got.Names[i+1:]...)
			break
		}
	}
	u.got.Files--
	u.got.Size -= info.Size()
	return os.Remove(p)
}

// safePath returns a member's path below the root, with forward slashes; empty
// where it is to be left out.
func safePath(name string) (string, error) {
	if strings.ContainsRune(name, 0) {
		return "", errors.New("its name has a zero byte")
	}
	slashed := strings.ReplaceAll(name, `\`, "/")
	if strings.HasPrefix(slashed, "/") || len(slashed) > 1 && slashed[1] == ':' {
		return "", errors.New("its path is absolute")
	}
	var parts []string
	for part := range strings.SplitSeq(slashed, "/") {
		switch part {
		case "", ".":
			continue
		case "..":
			return "", errors.New("its path leads out of the archive")
		}
		parts = append(parts, SafeName(part))
	}
	if len(parts) == 0 {
		return "", nil
	}
	const deepest = 64
	if len(parts) > deepest {
		return "", fmt.Errorf("its path has more than %d folders", deepest)
	}
	base := path.Base(slashed)
	if parts[0] == "__MACOSX" || strings.HasPrefix(base, "._") || base == ".DS_Store" || strings.EqualFold(base, "Thumbs.db") || strings.EqualFold(base, "desktop.ini") {
		return "", nil
	}
	return path.Join(parts...), nil
}

// member writes one file of an archive and returns where; empty where it is left out.
func (u *unpacker) member(into, name string, r io.Reader, mode fs.FileMode, modified time.Time) (string, error) {
	fail := func(err error) (string, error) { return "", &ArchiveError{Member: name, Err: err} }
	if err := u.ctx.Err(); err != nil {
		return "", context.Cause(u.ctx)
	}
	rel, err := safePath(name)
	if err != nil {
		return fail(err)
	}
	if rel == "" || !mode.IsRegular() {
		return "", nil // folders come with their files; links and devices are nobody's
	}
	rel = path.Join(into, rel)
	if key := strings.ToLower(rel); u.names[key] {
		return fail(errors.New("there are two of that name"))
	} else {
		u.names[key] = true
	}
	if u.got.Files++; u.got.Files > u.l.Files {
		return fail(fmt.Errorf("%w: more than %d files (see SLATE360_SOURCE_MAX_FILES)", ErrTooLarge, u.l.Files))
	}
	to := filepath.Join(u.root, filepath.FromSlash(rel))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return fail(err)
	}
	n, err := u.write(to, r)
	if err != nil {
		return fail(err)
	}
	u.got.Size += n
	u.got.Names = append(u.got.Names, rel)
	if !modified.IsZero() {
		err = os.Chtimes(to, modified, modified)
	}
	return rel, err
}

// reserveDisk stays free while archives are unpacked, in bytes.
const reserveDisk = 256 << 20

func (u *unpacker) write(to string, r io.Reader) (n int64, err error) {
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buf := make([]byte, 1<<20)
	for block := 0; ; block++ {
		if err := u.ctx.Err(); err != nil {
			return n, context.Cause(u.ctx)
		}
		if free := host.FreeDisk(u.root); block%64 == 0 && free >= 0 && free < reserveDisk {
			return n, fmt.Errorf("the disk has only %s left", format.Bytes(free))
		}
		k, err := r.Read(buf)
		if err := u.spend(k); err != nil {
			return n, err
		}
		if k > 0 {
			if _, err := f.Write(buf[:k]); err != nil {
				return n, err
			}
			n += int64(k)
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// spend counts unpacked bytes, kept or not, against the limits.
func (u *unpacker) spend(n int) error {
	if u.left -= int64(n); u.left < 0 {
		return fmt.Errorf("%w: the archive unpacks to more than is allowed (see SLATE360_SOURCE_MAX_BYTES and SLATE360_SOURCE_MAX_RATIO)", ErrTooLarge)
	}
	return nil
}

// pass reads what is left of a member and drops it.
func (u *unpacker) pass(r io.Reader) error {
	buf := make([]byte, 64<<10)
	for {
		if err := u.ctx.Err(); err != nil {
			return context.Cause(u.ctx)
		}
		n, err := r.Read(buf)
		if err := u.spend(n); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// addMember takes one member of an archive.
type addMember func(name string, r io.Reader, mode fs.FileMode, modified time.Time) error

func unpackZip(p string, add addMember) error {
	z, err := zip.OpenReader(p)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return &ArchiveError{Err: err}
	}
	defer z.Close()
	for _, f := range z.File {
		if f.Flags&1 != 0 {
			return &ArchiveError{Member: f.Name, Err: errors.New("it is encrypted: pack it without a password")}
		}
		if err := addOpened(f.Name, f.FileInfo(), f.Open, add); err != nil {
			return err
		}
	}
	return nil
}

func addOpened(name string, info fs.FileInfo, open func() (io.ReadCloser, error), add addMember) error {
	if !info.Mode().IsRegular() {
		return nil
	}
	r, err := open()
	if err != nil {
		return &ArchiveError{Member: name, Err: err}
	}
	defer r.Close()
	return add(name, r, info.Mode(), info.ModTime())
}

// unpackStream unpacks a tar file, compressed or not, or a single compressed file.
func (u *unpacker) unpackStream(p string, kind archiveKind, add addMember) error {
	f, err := os.Open(p)
	if err != nil {
		return &ArchiveError{Err: err}
	}
	defer f.Close()
	var r io.Reader = f
	switch kind {
	case kindGzip:
		g, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<20))
		if err != nil {
			return &ArchiveError{Err: err}
		}
		defer g.Close()
		r = g
	case kindZstd:
		z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(uint64(u.l.Dictionary)))
		if err != nil {
			return &ArchiveError{Err: err}
		}
		defer z.Close()
		r = z
	}
	b := bufio.NewReaderSize(r, 1<<20)
	head, err := b.Peek(512)
	switch {
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return &ArchiveError{Err: largeDictionary("more than that", u.l.Dictionary)}
	case err != nil && !errors.Is(err, io.EOF):
		return &ArchiveError{Err: err}
	}
	if archiveOf(head) != kindTar {
		if kind == kindTar {
			return &ArchiveError{Err: errors.New("it is broken")}
		}
		name := strings.TrimSuffix(filepath.Base(p), filepath.Ext(p))
		return add(name, b, 0, time.Time{})
	}
	t := tar.NewReader(b)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return &ArchiveError{Err: err}
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := add(h.Name, t, 0, h.ModTime); err != nil {
			return err
		}
	}
}
