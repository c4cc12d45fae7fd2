package source

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// scan7z reads the parts of a 7z header. The first error stays; after it all that
// is read is zero.
type scan7z struct {
	rest  []byte
	files uint64 // the most that there may be
	err   error
}

func (s *scan7z) fail(what string) {
	if s.err == nil {
		s.err = errors.New("it is broken: " + what)
	}
	s.rest = nil
}

// end checks that nothing but the last property is left.
func (s *scan7z) end() error {
	if s.err == nil && (len(s.rest) > 1 || len(s.rest) == 1 && s.rest[0] != id7zEnd) {
		s.fail("there is something after its header")
	}
	return s.err
}

func (s *scan7z) peek() byte {
	if len(s.rest) == 0 {
		return id7zEnd
	}
	return s.rest[0]
}

func (s *scan7z) byte() byte {
	if len(s.rest) == 0 {
		s.fail("its header ends early")
		return 0
	}
	b := s.rest[0]
	s.rest = s.rest[1:]
	return b
}

func (s *scan7z) take(n uint64) []byte {
	if n > uint64(len(s.rest)) {
		s.fail("its header ends early")
		return nil
	}
	b := s.rest[:n]
	s.rest = s.rest[n:]
	return b
}

// number reads a NUMBER: the ones that the first byte begins with say how many
// bytes follow, its other bits are the highest ones.
func (s *scan7z) number() uint64 {
	first := s.byte()
	n := bits.LeadingZeros8(^first)
	var v uint64
	if n < 7 {
		v = uint64(first&(1<<(7-n)-1)) << (8 * n)
	}
	for i := range n {
		v |= uint64(s.byte()) << (8 * i)
	}
	return v
}

// count reads a number of things that take at least a byte each.
func (s *scan7z) count(least, most uint64) int {
	n := s.number()
	if s.err == nil && (n < least || n > most || n > uint64(len(s.rest))) {
		s.fail(fmt.Sprintf("its header has %d of what cannot be so many", n))
	}
	if s.err != nil {
		return 0
	}
	return int(n)
}

func (s *scan7z) want(id byte) {
	if got := s.byte(); s.err == nil && got != id {
		s.fail(fmt.Sprintf("its header has %#x where %#x belongs", got, id))
	}
}

// digests passes over the checksums of n things.
func (s *scan7z) digests(n uint64) {
	defined := n
	if all := s.byte(); all == 0 {
		defined = 0
		for i, b := range s.take((n + 7) / 8) {
			if left := n - 8*uint64(i); left < 8 {
				b &= ^byte(0) << (8 - left)
			}
			defined += uint64(bits.OnesCount8(b))
		}
	}
	s.take(4 * defined)
}

// streams reads a StreamsInfo.
func (s *scan7z) streams() (info streams7z) {
	if s.peek() == id7zPackInfo {
		s.byte()
		info.position = s.number()
		n := s.count(1, math.MaxUint32)
		s.want(id7zSize)
		for range n {
			info.packed = append(info.packed, s.number())
		}
		s.optionalDigests(uint64(n))
		s.want(id7zEnd)
	}
	if s.peek() == id7zUnpackInfo {
		s.byte()
		info.folders = s.folders()
	}
	if s.peek() == id7zSubStreams {
		s.byte()
		s.subStreams(info.folders)
	}
	s.want(id7zEnd)
	return info
}

func (s *scan7z) optionalDigests(n uint64) {
	if s.peek() == id7zCRC {
		s.byte()
		s.digests(n)
	}
}

func (s *scan7z) folders() (folders []folder7z) {
	s.want(id7zFolder)
	n := s.count(1, s.files)
	if s.byte() != 0 {
		s.fail("parts of its header lie elsewhere")
	}
	for range n {
		folders = append(folders, s.folder())
		if s.err != nil {
			return nil
		}
	}
	s.want(id7zCodersUnpackSize)
	for i := range folders {
		for range folders[i].coders {
			size := s.number()
			if size > math.MaxInt64/2 {
				s.fail("it claims a size that cannot be")
			}
			folders[i].sizes = append(folders[i].sizes, size)
		}
	}
	s.optionalDigests(uint64(n))
	s.want(id7zEnd)
	return folders
}

// folder reads the coders of a folder and how they are bound to each other. Each
// coder gives one stream; each stream is bound once, so that only the last coder's
// is left, and is what the folder holds.
func (s *scan7z) folder() (f folder7z) {
	ins := 0
	for range s.count(1, coders7zMost) {
		c := s.coder()
		ins += c.in
		f.coders = append(f.coders, c)
	}
	if s.err != nil {
		return f
	}
	bound, given := make([]bool, ins), make([]bool, len(f.coders))
	bind := func(set []bool, i uint64) {
		if i >= uint64(len(set)) || set[i] {
			s.fail("its coders are not bound to each other as they can be")
			return
		}
		set[i] = true
	}
	for range len(f.coders) - 1 {
		bind(bound, s.number())
		bind(given, s.number())
	}
	switch packed := ins - (len(f.coders) - 1); {
	case packed < 1:
		s.fail("its coders read nothing")
	case packed > 1:
		for range packed {
			bind(bound, s.number())
		}
	}
	if s.err == nil && given[len(given)-1] {
		s.fail("its coders are not in the order that they work in")
	}
	return f
}

func (s *scan7z) coder() (c coder7z) {
	flags := s.byte()
	c.id = string(s.take(uint64(flags & 0x0f)))
	c.in = 1
	if flags&0x10 != 0 {
		c.in = s.count(1, streams7zMost)
		if s.number() != 1 {
			s.fail("one of its coders gives several streams")
		}
	}
	if flags&0x20 != 0 {
		c.properties = s.take(s.number())
	}
	return c
}

// subStreams reads how the folders' streams are divided into files. Where the
// number of checksums depends on those of folders, it is read as the reader that
// unpacks does: all files have one.
func (s *scan7z) subStreams(folders []folder7z) {
	counts := make([]uint64, len(folders))
	for i := range counts {
		counts[i] = 1
	}
	if s.peek() == id7zNumUnpackStream {
		s.byte()
		for i := range counts {
			counts[i] = s.number()
		}
	}
	total := uint64(0)
	for _, n := range counts {
		if n > s.files || total > s.files {
			s.fail(fmt.Sprintf("it lists more than %d files (see SLATE360_SOURCE_MAX_FILES)", s.files))
			return
		}
		total += n
	}
	if s.peek() == id7zSize {
		s.byte()
		for i, n := range counts {
			left := folders[i].sizes[len(folders[i].sizes)-1]
			for ; n > 1; n-- {
				size := s.number()
				if s.err != nil {
					return
				}
				if size > left {
					s.fail("its files are larger than what holds them")
					return
				}
				left -= size
			}
		}
	}
	s.optionalDigests(total)
	s.want(id7zEnd)
}
