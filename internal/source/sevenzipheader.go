package source

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/ulikunitz/xz/lzma"

	"slate360.ai/worker/internal/format"
)

// The header of a 7z archive says what is allocated before a byte is unpacked:
// counts, and the dictionaries of its coders, four bytes for four gigabytes. The
// reader that unpacks believes it, so that it is read here first, strictly, as far
// as anything is allocated by it (7zFormat.txt of the LZMA SDK, in its words).

// Property IDs.
const (
	id7zEnd              = 0x00
	id7zHeader           = 0x01
	id7zMainStreams      = 0x04
	id7zFiles            = 0x05
	id7zPackInfo         = 0x06
	id7zUnpackInfo       = 0x07
	id7zSubStreams       = 0x08
	id7zSize             = 0x09
	id7zCRC              = 0x0a
	id7zFolder           = 0x0b
	id7zCodersUnpackSize = 0x0c
	id7zNumUnpackStream  = 0x0d
	id7zEncodedHeader    = 0x17
)

const (
	signature7zSize = 32
	// coders7zMost and streams7zMost bound a folder; 7-Zip's own bounds are 64 and 32.
	coders7zMost  = 32
	streams7zMost = 32
)

// folder7z is a chain of coders that unpacks one stream.
type folder7z struct {
	coders []coder7z
	sizes  []uint64 // of what each coder gives; the last one's is that of the folder
}

type coder7z struct {
	id         string
	in         int
	properties []byte
}

// streams7z is a StreamsInfo, as far as anything depends on it.
type streams7z struct {
	position uint64 // of the first packed stream, after the signature
	packed   []uint64
	folders  []folder7z
}

// check7z reads the headers of a 7z archive and refuses what is broken, encrypted,
// or would need more memory than the limits allow.
func check7z(r io.ReaderAt, size int64, l Limits) error {
	var start [signature7zSize]byte
	if _, err := r.ReadAt(start[:], 0); err != nil {
		return fmt.Errorf("it is broken: %w", noEOF(err))
	}
	offset, length := binary.LittleEndian.Uint64(start[12:]), binary.LittleEndian.Uint64(start[20:])
	if crc32.ChecksumIEEE(start[12:]) != binary.LittleEndian.Uint32(start[8:]) {
		return errors.New("it is broken: the checksum of its start is wrong")
	}
	rest := uint64(max(size-signature7zSize, 0))
	if length > rest || offset > rest-length {
		return errors.New("it is cut off: its header lies beyond its end")
	}
	most := headerMost(l)
	if length > most {
		return fmt.Errorf("%w: its header has %s (see SLATE360_SOURCE_MAX_FILES)", ErrTooLarge, format.Bytes(int64(length)))
	}
	header := make([]byte, length)
	if _, err := r.ReadAt(header, signature7zSize+int64(offset)); err != nil {
		return fmt.Errorf("it is broken: %w", noEOF(err))
	}
	if crc32.ChecksumIEEE(header) != binary.LittleEndian.Uint32(start[28:]) {
		return errors.New("it is broken: the checksum of its header is wrong")
	}
	s := &scan7z{rest: header, files: entriesMost(l)}
	id := s.byte()
	if id == id7zEncodedHeader {
		info := s.streams()
		if err := s.end(); err != nil {
			return err
		}
		packed := io.NewSectionReader(r, signature7zSize, int64(offset))
		data, err := info.decodeHeader(packed, most, l)
		if err != nil {
			return err
		}
		s = &scan7z{rest: data, files: entriesMost(l)}
		id = s.byte()
	}
	return s.header(id, l)
}

// headerMost bounds a header in bytes: some hundreds a file are many.
func headerMost(l Limits) uint64 { return min(1<<20+512*uint64(l.Files), 256<<20) }

// entriesMost bounds the files and folders that a header may list.
func entriesMost(l Limits) uint64 { return 1000 + 2*uint64(l.Files) }

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// header reads what follows the ID of a Header, up to the number of files: all
// that comes after is as long as that number says.
func (s *scan7z) header(id byte, l Limits) error {
	if id != id7zHeader {
		s.fail("its header does not begin as one")
	}
	if s.peek() == id7zMainStreams {
		s.byte()
		info := s.streams()
		if s.err != nil {
			return s.err
		}
		for _, f := range info.folders {
			if err := f.check(l.Dictionary); err != nil {
				return err
			}
		}
	}
	if s.peek() == id7zFiles {
		s.byte()
		n := s.number()
		switch {
		case s.err != nil:
			return s.err
		case n > s.files:
			return fmt.Errorf("%w: it lists %d files and folders (see SLATE360_SOURCE_MAX_FILES)", ErrTooLarge, n)
		case 2*n > uint64(len(s.rest)): // two bytes end a name
			return fmt.Errorf("it is broken: it lists %d files and does not name them", n)
		}
		return nil
	}
	return s.end()
}

// decodeHeader unpacks a header that is packed itself.
func (info streams7z) decodeHeader(packed *io.SectionReader, most uint64, l Limits) ([]byte, error) {
	if len(info.folders) != 1 {
		return nil, errors.New("it is broken: its header is in several streams")
	}
	f := info.folders[0]
	if err := f.check(l.Dictionary); err != nil {
		return nil, err
	}
	size := f.sizes[len(f.sizes)-1]
	if size > most {
		return nil, fmt.Errorf("%w: its header unpacks to %s (see SLATE360_SOURCE_MAX_FILES)", ErrTooLarge, format.Bytes(int64(min(size, math.MaxInt64))))
	}
	if len(f.coders) != 1 || len(info.packed) != 1 {
		return nil, errors.New("its header is packed in a way that is not known: pack it without a filter")
	}
	end := uint64(packed.Size())
	if info.packed[0] > end || info.position > end-info.packed[0] {
		return nil, errors.New("it is broken: its packed header lies outside of it")
	}
	unpacked, err := f.coders[0].open(io.NewSectionReader(packed, int64(info.position), int64(info.packed[0])), size)
	if err != nil {
		return nil, fmt.Errorf("it is broken: its header: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(unpacked, int64(size)))
	if err == nil && uint64(len(data)) != size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("it is broken: its header: %w", err)
	}
	return data, nil
}

// The coders, by their IDs.
const (
	coder7zCopy  = "\x00"
	coder7zLZMA  = "\x03\x01\x01"
	coder7zLZMA2 = "\x21"
	coder7zPPMd  = "\x03\x04\x01"
	coder7zZstd  = "\x04\xf7\x11\x01"
	coder7zAES   = "\x06\xf1\x07\x01"
)

// memory returns what a coder allocates in bytes, but for what is small.
func (c coder7z) memory() (int64, error) {
	broken := fmt.Errorf("it is broken: the properties of its method %s", hex.EncodeToString([]byte(c.id)))
	switch c.id {
	case coder7zLZMA, coder7zPPMd:
		if len(c.properties) < 5 {
			return 0, broken
		}
		return int64(binary.LittleEndian.Uint32(c.properties[1:])), nil
	case coder7zLZMA2:
		if len(c.properties) != 1 || c.properties[0] > 40 {
			return 0, broken
		}
		p := c.properties[0]
		return (2 | int64(p&1)) << (p/2 + 11), nil
	case coder7zZstd:
		return 512 << 20, nil // its largest window: each frame has one of its own
	case coder7zAES:
		return 0, errors.New("it is encrypted: pack it without a password")
	case coder7zCopy, "\x03", "\x0a", // delta, ARM64
		"\x03\x03\x01\x03", "\x03\x03\x01\x1b", "\x03\x03\x02\x05", "\x03\x03\x05\x01", "\x03\x03\x08\x05", // branches of x86 (BCJ, BCJ2), PPC, ARM, SPARC
		"\x04\x01\x08", "\x04\x02\x02", "\x04\xf7\x11\x02", "\x04\xf7\x11\x04": // Deflate, bzip2, Brotli, LZ4
		return 0, nil
	}
	return 0, fmt.Errorf("it is packed by a method that is not known (%s): use LZMA2", hex.EncodeToString([]byte(c.id)))
}

// check refuses a folder whose coders need more than most bytes together.
func (f folder7z) check(most int64) error {
	need := int64(0)
	for _, c := range f.coders {
		n, err := c.memory()
		if err != nil {
			return err
		}
		need += n
	}
	if need > most {
		return largeDictionary(format.Bytes(need), most)
	}
	return nil
}

// largeDictionary is the error of an archive that takes too much memory.
func largeDictionary(need string, most int64) error {
	return fmt.Errorf("%w: its dictionary takes %s of memory, and %s is allowed: pack it with a smaller one, or raise SLATE360_SOURCE_MAX_DICTIONARY",
		ErrTooLarge, need, format.Bytes(most))
}

// open unpacks a stream of size bytes; of the coders those that pack headers.
func (c coder7z) open(r io.Reader, size uint64) (io.Reader, error) {
	// A dictionary is never larger than what there is to unpack.
	dictionary := int(max(size, lzma.MinDictCap))
	switch c.id {
	case coder7zCopy:
		return r, nil
	case coder7zLZMA:
		head := binary.LittleEndian.AppendUint32(append([]byte{}, c.properties[0]), uint32(dictionary))
		return lzma.ReaderConfig{DictCap: dictionary}.NewReader(io.MultiReader(bytes.NewReader(binary.LittleEndian.AppendUint64(head, size)), r))
	case coder7zLZMA2:
		return lzma.Reader2Config{DictCap: dictionary}.NewReader2(r)
	}
	return nil, errors.New("it is packed by another method than LZMA")
}
