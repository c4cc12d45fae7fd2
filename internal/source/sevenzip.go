package source

import (
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"

	"github.com/bodgit/sevenzip"
)

// unpack7z unpacks a 7z archive. What is in it is read to its end, in its order,
// wanted or not: else the reader would keep the dictionary of each stream.
func (u *unpacker) unpack7z(p string, add addMember) (err error) {
	// The reader panics on some broken headers.
	defer func() {
		if v := recover(); v != nil {
			err = &ArchiveError{Err: fmt.Errorf("it is broken: %v", v)}
		}
	}()
	f, err := os.Open(p)
	if err != nil {
		return &ArchiveError{Err: err}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return &ArchiveError{Err: err}
	}
	if err := check7z(f, info.Size(), u.l); err != nil {
		return &ArchiveError{Err: err}
	}
	z, err := sevenzip.NewReader(f, info.Size())
	if err != nil {
		return &ArchiveError{Err: err}
	}
	for _, file := range z.File {
		if err := u.file7z(file, add); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) file7z(file *sevenzip.File, add addMember) error {
	mode := file.FileInfo().Mode()
	if mode.IsDir() && file.UncompressedSize == 0 {
		return nil
	}
	content, err := file.Open()
	if err != nil {
		return &ArchiveError{Member: file.Name, Err: err}
	}
	defer content.Close()
	r := &checked{r: content, left: file.UncompressedSize, sum: crc32.NewIEEE(), want: file.CRC32}
	if err := add(file.Name, r, mode, file.Modified); err != nil {
		return err
	}
	if err := u.pass(r); err != nil {
		return &ArchiveError{Member: file.Name, Err: err}
	}
	return nil
}

// checked reads a member to the size that is claimed, and holds it against its
// checksum; the archive's reader does neither.
type checked struct {
	r    io.Reader
	left uint64 // bytes
	sum  hash.Hash32
	want uint32 // 0 is that there is none
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	_, _ = c.sum.Write(p[:n]) // never fails
	c.left -= min(uint64(n), c.left)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	switch {
	case c.left > 0:
		return n, errors.New("it is broken: it ends early")
	case c.want != 0 && c.sum.Sum32() != c.want:
		return n, errors.New("it is broken: its checksum is wrong")
	}
	return n, err
}
