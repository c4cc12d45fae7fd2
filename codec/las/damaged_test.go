package las

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// put overwrites bytes of a copy of a file.
func put(b []byte, at int64, v any) []byte {
	out := bytes.Clone(b)
	var w bytes.Buffer
	if err := binary.Write(&w, binary.LittleEndian, v); err != nil {
		panic(err)
	}
	copy(out[at:], w.Bytes())
	return out
}

// Offsets in the header block.
const (
	atHeaderSize  = 94
	atPointOffset = 96
	atVLRCount    = 100
	atLegacyCount = 107
	atScale       = 131
	atBounds      = 179
	atEVLROffset  = 235
	atEVLRCount   = 243
	atCount14     = 247
)

// TestRepairs damages files in ways from which all or the whole part of the data
// must come back, with a warning that names the damage.
func TestRepairs(t *testing.T) {
	const n = 1000
	type damage struct {
		name   string
		change func(f damagedFile) []byte
		points func(f damagedFile) int // expected points, -1 for all but the last chunk's
		says   string
	}
	whole := func(damagedFile) int { return n }
	cases := []damage{
		{"count of zero", func(f damagedFile) []byte { return f.setCount(0) }, whole, "took all"},
		{"count too small", func(f damagedFile) []byte { return f.setCount(150) }, whole, "took all"},
		{"count of 2^40", func(f damagedFile) []byte { return f.setCount(1 << 40) }, whole, "others are missing"},
		{"offset of points is 0", func(f damagedFile) []byte { return put(f.b, atPointOffset, uint32(0)) }, whole, "points should be at byte 0"},
		{"offset of points behind the file", func(f damagedFile) []byte { return put(f.b, atPointOffset, uint32(1<<31)) }, whole, "points should be"},
		{"offset of points inside the records", func(f damagedFile) []byte { return put(f.b, atPointOffset, f.h.PointDataOffset-20) }, whole, "points should be"},
		{"offset of points too large", func(f damagedFile) []byte { return put(f.b, atPointOffset, f.h.PointDataOffset+20) }, whole, "points should be"},
		{"too many records", func(f damagedFile) []byte { return put(f.b, atVLRCount, uint32(math.MaxUint32)) }, whole, "records"},
		{"bounds inverted", func(f damagedFile) []byte {
			return put(f.b, atBounds, [6]float64{-1e308, 1e308, -1e308, 1e308, -1e308, 1e308})
		}, whole, "bounds"},
		{"bounds zero", func(f damagedFile) []byte { return put(f.b, atBounds, [6]float64{}) }, whole, "bounds"},
		{"bounds NaN", func(f damagedFile) []byte { return put(f.b, atBounds, math.NaN()) }, whole, "bounds"},
		{"header size of 0", func(f damagedFile) []byte { return put(f.b, atHeaderSize, uint16(0)) }, whole, "header size"},
		{"extended records nowhere", func(f damagedFile) []byte {
			if f.h.VersionMinor < 4 {
				return nil
			}
			return put(put(f.b, atEVLROffset, uint64(1<<50)), atEVLRCount, uint32(7))
		}, whole, "extended records"},
	}
	for _, f := range damagedFiles(t, n) {
		for _, tc := range cases {
			t.Run(f.name+"/"+tc.name, func(t *testing.T) {
				b := tc.change(f)
				if b == nil {
					t.Skip("has no such field")
				}
				r := openBytes(t, b)
				if !strings.Contains(strings.Join(r.Warnings(), "\n"), tc.says) {
					t.Errorf("warnings %q do not tell %q", r.Warnings(), tc.says)
				}
				got := mustAll(t, r)
				want := f.records[:tc.points(f)*f.l.Length]
				// Without a number, a point-wise chunk does not tell where it ends;
				// a few points may come out of the last bytes.
				if len(got) > len(want) && f.h.Compressed && f.h.PointFormat < 6 && strings.HasPrefix(tc.name, "count") {
					if surplus := (len(got) - len(want)) / f.l.Length; surplus > 40 {
						t.Errorf("%d points too many", surplus)
					}
					got = got[:len(want)]
				}
				sameRecords(t, f.l.Length, got, want)
				if r.Header().Min != f.h.Min {
					t.Errorf("bounds from %v, want %v", r.Header().Min, f.h.Min)
				}
			})
		}
	}
}

type damagedFile struct {
	name    string
	b       []byte
	records []byte
	h       Header
	l       Layout
	chunks  []Chunk
}

func (f damagedFile) setCount(n uint64) []byte {
	b := put(f.b, atLegacyCount, uint32(min(n, math.MaxUint32)))
	if f.h.VersionMinor >= 4 {
		b = put(put(b, atCount14, n), atLegacyCount, uint32(0))
	}
	return b
}

// damagedFiles are whole files of every way to store points.
func damagedFiles(t testing.TB, n int) []damagedFile {
	t.Helper()
	var out []damagedFile
	for _, tc := range []struct {
		format     uint8
		compressed bool
	}{{3, false}, {7, false}, {1, true}, {7, true}} {
		h := testHeader(tc.format, 2, tc.compressed)
		l := layout(t, tc.format, 2)
		f := damagedFile{name: name(tc.format, tc.compressed), l: l, records: records(l, n, 21)}
		f.b = encode(t, h, someVLRs()[:1], f.records, WithChunkSize(300))
		r := openBytes(t, f.b)
		f.h, f.chunks = r.Header(), r.Chunks()
		out = append(out, f)
	}
	return out
}

// TestTruncated cuts files anywhere: the whole part of the points comes back.
func TestTruncated(t *testing.T) {
	for _, f := range damagedFiles(t, 1000) {
		start := int64(f.h.PointDataOffset)
		for _, cut := range []int64{1, 8, 20, 100, 1000, 3000, int64(len(f.b)) - start - 9, int64(len(f.b)) - start + 3, int64(len(f.b)) - 230, int64(len(f.b)) - 3} {
			b := f.b[:int64(len(f.b))-cut]
			r, err := NewReader(bytes.NewReader(b), int64(len(b)), WithName("cut.laz"))
			end := int64(len(b))
			if end < start+int64(f.l.Length)+8 {
				var fe *FormatError
				if err != nil && !errors.As(err, &fe) && !errors.Is(err, ErrNotLAS) || err == nil && len(r.Warnings()) == 0 {
					t.Errorf("%s, %d bytes: no whole point, error %v", f.name, end, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s, %d bytes: %v", f.name, end, err)
				continue
			}
			got := mustAll(t, r)
			if len(got) > len(f.records) || !bytes.Equal(got, f.records[:len(got)]) {
				t.Errorf("%s, %d of %d bytes: the %d points are not the first of the file", f.name, end, len(f.b), len(got)/f.l.Length)
			}
			if want := wholePoints(f, end); len(got)/f.l.Length < want {
				t.Errorf("%s, %d of %d bytes: %d points, %d are whole", f.name, end, len(f.b), len(got)/f.l.Length, want)
			}
			if len(got) < len(f.records) && !strings.Contains(strings.Join(r.Warnings(), "\n"), "missing") {
				t.Errorf("%s, %d bytes: warnings %q", f.name, end, r.Warnings())
			}
		}
	}
}

// wholePoints is the least number of points that a file cut at end must give.
func wholePoints(f damagedFile, end int64) int {
	if !f.h.Compressed {
		return int(min(uint64(end-int64(f.h.PointDataOffset))/uint64(f.l.Length), f.h.PointCount))
	}
	n := 0
	for _, c := range f.chunks {
		switch {
		case c.Offset+c.Size <= end:
			n += c.Points
		case f.h.PointFormat < 6 && c.Offset < end: // of a point-wise chunk nearly the part that is there
			n += max(0, int((end-c.Offset)*int64(c.Points)/c.Size)*8/10-20)
		}
	}
	return n
}

func TestStreamedChunkTable(t *testing.T) {
	for _, f := range damagedFiles(t, 1000) {
		if !f.h.Compressed {
			continue
		}
		at := int64(f.h.PointDataOffset)
		table := binary.LittleEndian.Uint64(f.b[at:])
		// The writer could not seek: -1 at the start, the place at the end.
		b := binary.LittleEndian.AppendUint64(put(f.b, at, int64(-1)), table)
		r := openBytes(t, b)
		if len(r.Warnings()) > 0 {
			t.Errorf("%s: %q", f.name, r.Warnings())
		}
		sameRecords(t, f.l.Length, mustAll(t, r), f.records)
		// The writer died: the pointer to itself, no table. Or it leads astray.
		for _, pointer := range []int64{at, 0, 1 << 60, -2, at + 9} {
			b := put(f.b, at, pointer)[:table]
			r := openBytes(t, b)
			if len(r.Warnings()) == 0 {
				t.Errorf("%s, pointer %d: no warning", f.name, pointer)
			}
			sameRecords(t, f.l.Length, mustAll(t, r), f.records)
		}
	}
}

func TestVersion10Signature(t *testing.T) {
	h := testHeader(1, 0, false)
	h.VersionMinor = 0
	l := layout(t, 1, 0)
	recs := records(l, 50, 2)
	b := encode(t, h, someVLRs()[:1], recs)
	at := openBytes(t, b).Header().PointDataOffset
	if b[at-2] != 0xDD || b[at-1] != 0xCC {
		t.Errorf("no signature in front of the points: % x", b[at-2:at])
	}
	for _, offset := range []uint32{at, at - 2} { // some writers point to the signature
		r := openBytes(t, put(b, atPointOffset, offset))
		sameRecords(t, l.Length, mustAll(t, r), recs)
	}
}

// TestRefused are files from which nothing can be had: a clear error with file,
// place and what to do.
func TestRefused(t *testing.T) {
	files := damagedFiles(t, 100)
	plain, packed := files[1].b, files[3].b
	cases := []struct {
		name string
		b    []byte
		says string
	}{
		{"scale 0", put(plain, atScale, float64(0)), "scale factor of x is 0"},
		{"scale NaN", put(plain, atScale+16, math.NaN()), "scale factor of z is NaN"},
		{"offset infinite", put(plain, atScale+24, math.Inf(1)), "offset of x is +Inf"},
		{"version 2.0", put(plain, 24, [2]uint8{2, 0}), "version 2.0"},
		{"format 30", put(plain, 104, uint8(30)), "format 30"},
		{"record length 5", put(plain, 105, uint16(5)), "36 to 65535 bytes, not 5"},
		{"cut in the header", plain[:200], "ends inside the 227-byte header"},
		{"cut in the 1.4 part", plain[:300], "ends inside the 375-byte header"},
		{"laszip record gone", put(packed, int64(bytes.Index(packed, []byte(UserLASzip))), byte('x')), "no laszip record"},
	}
	for _, tc := range cases {
		_, err := NewReader(bytes.NewReader(tc.b), int64(len(tc.b)), WithName("bad.las"))
		var f *FormatError
		if !errors.As(err, &f) || f.File != "bad.las" || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	for _, b := range [][]byte{nil, []byte("LAS"), []byte(strings.Repeat("PK\x03\x04", 200))} {
		if _, err := NewReader(bytes.NewReader(b), int64(len(b))); !errors.Is(err, ErrNotLAS) {
			t.Errorf("%d bytes of something else: %v", len(b), err)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "absent.las")); err == nil || !strings.Contains(err.Error(), "absent.las") {
		t.Errorf("absent file: %v", err)
	}
}

// TestCorruptChunk turns bytes of chunks over: an error or other points, and the
// other chunks as they were.
func TestCorruptChunk(t *testing.T) {
	for _, f := range damagedFiles(t, 1000) {
		if !f.h.Compressed {
			continue
		}
		b := bytes.Clone(f.b)
		for i := f.chunks[1].Offset + 60; i < f.chunks[1].Offset+f.chunks[1].Size; i += 7 {
			b[i] ^= 0x5A
		}
		r := openBytes(t, b)
		for i, c := range r.Chunks() {
			got, err := r.DecodeChunk(i, nil)
			if i == 1 {
				var fe *FormatError
				if err != nil && !errors.As(err, &fe) {
					t.Errorf("%s: %v", f.name, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			sameRecords(t, f.l.Length, got, f.records[int(c.First)*f.l.Length:][:len(got)])
		}
	}
}

// TestMemoryBounded opens files of some kB that claim terabytes.
func TestMemoryBounded(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, f := range damagedFiles(t, 100) {
		b := put(f.setCount(1<<40), atVLRCount, uint32(math.MaxUint32))
		files := [][]byte{b}
		if f.h.VersionMinor >= 4 {
			files = append(files, put(put(b, atEVLRCount, uint32(math.MaxUint32)), atEVLROffset, uint64(f.h.HeaderSize)))
		}
		if at := int64(bytes.Index(b, []byte(UserLASzip))); at > 0 {
			size := at + 16 + 2 + 2 + 32 + 12 // chunk size within the record
			files = append(files, put(b, size, uint32(math.MaxUint32-1)), put(b, size, uint32(1<<30)), put(b, size, uint32(math.MaxUint32)))
			table := int64(binary.LittleEndian.Uint64(b[f.h.PointDataOffset:]))
			files = append(files, put(b, table+4, uint32(math.MaxUint32)))
		}
		for _, file := range files {
			r, err := NewReader(bytes.NewReader(file), int64(len(file)))
			if err != nil {
				continue
			}
			_ = r.Each(context.Background(), 2, func(Chunk, []byte) error { return nil })
		}
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 2<<30 {
		t.Errorf("%d MB were allocated in all", got>>20)
	}
}
