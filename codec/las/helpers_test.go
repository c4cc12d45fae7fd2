package las

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"
)

// memFile is a file in memory.
type memFile struct {
	b  []byte
	at int64
}

func (m *memFile) Write(p []byte) (int, error) {
	if need := m.at + int64(len(p)); need > int64(len(m.b)) {
		m.b = append(m.b, make([]byte, need-int64(len(m.b)))...)
	}
	copy(m.b[m.at:], p)
	m.at += int64(len(p))
	return len(p), nil
}

func (m *memFile) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += m.at
	case io.SeekEnd:
		offset += int64(len(m.b))
	}
	if offset < 0 {
		return 0, errors.New("seek before the start")
	}
	m.at = offset
	return offset, nil
}

// records makes n records as a scanner would: coordinates that wander, times that
// rise, and every other field with all values it can have. Coordinates are never
// all 0, so that bounds have a size.
func records(l Layout, n int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, uint64(l.Format)))
	b := make([]byte, n*l.Length)
	x, y, z, t := int32(1000), int32(-2000), int32(300), 1e5
	var r, g, bl uint16 = 100, 200, 300
	for i := range n {
		rec := b[i*l.Length : (i+1)*l.Length]
		x += rng.Int32N(400) - 190
		y += rng.Int32N(400) - 200
		z += rng.Int32N(60) - 30
		l.SetXYZ(rec, x, y, z)
		l.SetIntensity(rec, uint16(rng.IntN(300)))
		of := uint8(1 + rng.IntN(5))
		l.SetReturns(rec, uint8(1+rng.IntN(int(of))), of)
		l.SetClassification(rec, uint8(rng.IntN(8)))
		l.SetScanAngleDegrees(rec, float64(i%60)-30)
		l.SetPointSourceID(rec, uint16(i/500))
		l.SetUserData(rec, uint8(rng.IntN(4)))
		if i%97 == 0 { // now and then, anything
			for j := 14; j < 20; j++ {
				rec[j] = uint8(rng.Uint32())
			}
			x += 1 << 20
		}
		t += rng.Float64() / 1000
		l.SetGPSTime(rec, t)
		r, g, bl = r+uint16(rng.IntN(5)), g-uint16(rng.IntN(3)), bl+uint16(rng.IntN(700))
		l.SetRGB(rec, r, g, bl)
		l.SetNIR(rec, uint16(rng.IntN(1000)))
		if l.Wave >= 0 {
			w := rec[l.Wave : l.Wave+waveSize]
			w[0] = uint8(rng.IntN(3))
			binary.LittleEndian.PutUint64(w[1:], uint64(60+i*256))
			binary.LittleEndian.PutUint32(w[9:], 256)
			for j := range 4 {
				binary.LittleEndian.PutUint32(w[13+4*j:], math.Float32bits(rng.Float32()))
			}
		}
		if l.ExtraLen > 0 {
			for j := range l.ExtraLen {
				rec[l.Extra+j] = uint8(rng.IntN(256 >> (j % 8)))
			}
		}
	}
	return b
}

// extraDims describe 21 extra bytes and leave a few of longer records without.
func extraDims() []ExtraBytes {
	return []ExtraBytes{
		{Type: TypeUint8, Name: "echo width", Description: "of the pulse"},
		{Type: TypeInt16, Name: "height", Options: ExtraHasScale | ExtraHasOffset, Scale: [3]float64{0.01}, Offset: [3]float64{5}},
		{Type: TypeFloat64, Name: "amplitude", Options: ExtraHasNoData, NoData: [3]uint64{math.Float64bits(-1)}},
		{Type: TypeUint16 + 20, Name: "normal", Options: ExtraHasMin | ExtraHasMax, Max: [3]uint64{65535, 65535, 65535}},
		{Type: TypeInt32, Name: "deviation"},
	}
}

const extraDimsSize = 1 + 2 + 8 + 6 + 4

func testHeader(format uint8, extra int, compressed bool) Header {
	h := Header{
		VersionMajor: 1, VersionMinor: max(leastMinor(format), 2), PointFormat: format,
		PointRecordLength:  uint16(minRecordLength(format) + extra),
		Compressed:         compressed,
		FileSourceID:       7,
		GUID:               [16]byte{1, 2, 3, 15: 9},
		SystemIdentifier:   "MERGE",
		GeneratingSoftware: "codec/las test",
		CreationDay:        328, CreationYear: 2026,
		Scale:  [3]float64{0.01, 0.01, 0.001},
		Offset: [3]float64{500000, 4000000, -100},
	}
	if format >= 6 {
		h.GlobalEncoding = EncodingWKT | EncodingAdjustedGPSTime
	}
	return h
}

// encode writes a file with the package's own Writer.
func encode(t testing.TB, h Header, vlrs []VLR, recs []byte, opts ...WriteOption) []byte {
	t.Helper()
	var f memFile
	w, err := NewWriter(&f, h, vlrs, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(context.Background(), recs); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return f.b
}

func openBytes(t testing.TB, b []byte, opts ...ReadOption) *Reader {
	t.Helper()
	r, err := NewReader(bytes.NewReader(b), int64(len(b)), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// all gives the records of all chunks in order.
func all(r *Reader) ([]byte, error) {
	var out []byte
	for i := range r.Chunks() {
		b, err := r.DecodeChunk(i, nil)
		if err != nil {
			return out, err
		}
		out = append(out, b...)
	}
	return out, nil
}

func mustAll(t testing.TB, r *Reader) []byte {
	t.Helper()
	b, err := all(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sameRecords fails with the first record that differs.
func sameRecords(t testing.TB, length int, got, want []byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d records, want %d", len(got)/length, len(want)/length)
	}
	for at := 0; at < len(want); at += length {
		if !bytes.Equal(got[at:at+length], want[at:at+length]) {
			t.Fatalf("record %d differs:\n got %x\nwant %x", at/length, got[at:at+length], want[at:at+length])
		}
	}
}

func name(format uint8, compressed bool) string {
	if compressed {
		return fmt.Sprintf("laz%d", format)
	}
	return fmt.Sprintf("las%d", format)
}
