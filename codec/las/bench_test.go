package las

import (
	"context"
	"io"
	"runtime"
	"testing"

	"slate360.ai/worker/internal/testdata"
)

// discard takes what a Writer writes.
type discard struct{ at, end int64 }

func (d *discard) Write(p []byte) (int, error) {
	d.at += int64(len(p))
	d.end = max(d.end, d.at)
	return len(p), nil
}

func (d *discard) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += d.at
	case io.SeekEnd:
		offset += d.end
	}
	d.at = offset
	return offset, nil
}

var benchFiles = []string{"autzen_trim.laz", "autzen-small.laz", "autzen.laz"}

// BenchmarkDecode decompresses whole files on all cores; bytes are those of the
// records.
func BenchmarkDecode(b *testing.B) {
	for _, file := range benchFiles {
		b.Run(file, func(b *testing.B) {
			r, err := Open(testdata.Path(b, "pointcloud/"+file))
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			b.SetBytes(int64(r.NumPoints()) * int64(r.Layout().Length))
			b.ReportAllocs()
			for b.Loop() {
				if err := r.Each(context.Background(), 0, func(Chunk, []byte) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(r.NumPoints())*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
		})
	}
}

// BenchmarkEncode compresses the points of the files on all cores.
func BenchmarkEncode(b *testing.B) {
	for _, file := range benchFiles {
		b.Run(file, func(b *testing.B) {
			r, err := Open(testdata.Path(b, "pointcloud/"+file))
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			records := make([]byte, int(r.NumPoints())*r.Layout().Length)
			if _, err := r.ReadAt(context.Background(), records, 0); err != nil {
				b.Fatal(err)
			}
			runtime.GC()
			b.SetBytes(int64(len(records)))
			b.ReportAllocs()
			for b.Loop() {
				w, err := NewWriter(&discard{}, r.Header(), r.VLRs())
				if err == nil {
					err = w.Write(context.Background(), records)
				}
				if err == nil {
					err = w.Close()
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(r.NumPoints())*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
		})
	}
}
