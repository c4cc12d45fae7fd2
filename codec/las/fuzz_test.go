package las

import (
	"bytes"
	"context"
	"io"
	"testing"
)

// FuzzReader feeds damaged files to everything that reads.
func FuzzReader(f *testing.F) {
	for _, d := range damagedFiles(f, 40) {
		f.Add(d.b)
		f.Add(d.setCount(0))
		f.Add(d.setCount(1 << 40))
		f.Add(d.b[:len(d.b)-30])
		f.Add(put(d.b, atPointOffset, uint32(0)))
		f.Add(put(d.b, atVLRCount, uint32(1<<31)))
		f.Add(put(d.b, int64(d.h.PointDataOffset), int64(-1)))
		f.Add(put(d.b, atBounds, [6]float64{}))
	}
	for _, format := range []uint8{0, 2, 4, 5, 6, 8, 9, 10} {
		for _, compressed := range []bool{false, true} {
			h := testHeader(format, extraDimsSize, compressed)
			l := layout(f, format, extraDimsSize)
			vlrs := []VLR{ExtraBytesVLR(extraDims())}
			if h.VersionMinor == 4 {
				vlrs = append(vlrs, VLR{UserID: UserSpec, RecordID: RecordWaveform, Data: []byte("packets"), Extended: true})
				h.GlobalEncoding |= EncodingInternalWaveform
			}
			f.Add(encode(f, h, vlrs, records(l, 12, 1), WithChunkSize(5)))
		}
	}
	limits := WithLimits(Limits{MaxChunkBytes: 1 << 20, MaxRecordBytes: 1 << 20, MaxRecords: 1000})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b), int64(len(b)), limits)
		if err != nil {
			return
		}
		sum := uint64(0)
		for i, c := range r.Chunks() {
			if c.First != sum {
				t.Fatalf("chunk %d begins at point %d, not %d", i, c.First, sum)
			}
			sum += uint64(c.Points)
			if i < 20 {
				_, _ = r.RawChunk(i, nil)
				if records, err := r.DecodeChunk(i, nil); err == nil && len(records) != c.Points*r.Layout().Length {
					t.Fatalf("chunk %d gives %d bytes for %d points", i, len(records), c.Points)
				}
			}
		}
		if sum != r.NumPoints() {
			t.Fatalf("chunks have %d points, header %d", sum, r.NumPoints())
		}
		buf := make([]byte, 100*r.Layout().Length)
		if n, err := r.ReadAt(context.Background(), buf, sum/2); err == nil && sum > 0 && n == 0 {
			t.Fatal("ReadAt gives nothing inside the file")
		}
		_, _ = FindExtraBytes(r.VLRs(), r.Layout())
		if w := r.Waveform(); w != nil {
			_, _ = io.CopyN(io.Discard, w, 10)
		}
	})
}
