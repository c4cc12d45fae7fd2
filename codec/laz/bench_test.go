package laz

import (
	"encoding/binary"
	"fmt"
	"os"
	"testing"

	"slate360.ai/worker/internal/testdata"
)

// benchPoints is the number of points of a chunk, as is custom.
const benchPoints = 50000

// realChunk gives the first chunk of a real file, autzen_trim.laz of format 3 or
// autzen-small.laz of format 7.
func realChunk(b *testing.B, file string) input {
	b.Helper()
	data, err := os.ReadFile(testdata.Path(b, "pointcloud/"+file))
	if err != nil {
		b.Fatal(err)
	}
	le := binary.LittleEndian
	in := input{format: data[104] &^ 0xC0, length: int(le.Uint16(data[105:]))}
	start := int64(le.Uint32(data[96:]))
	entries, _, err := ParseChunkTable(data[le.Uint64(data[start:]):], false, 1<<20)
	if err != nil {
		b.Fatal(err)
	}
	in.chunk = data[start+8 : start+8+int64(entries[0].Bytes)]
	in.records = make([]byte, benchPoints*in.length)
	if err := mustDecoder(b, in.format, in.length).Decode(in.records, in.chunk, benchPoints); err != nil {
		b.Fatal(err)
	}
	return in
}

// input is a chunk to measure.
type input struct {
	name           string
	format         uint8
	length         int
	chunk, records []byte
}

func inputs(b *testing.B) []input {
	b.Helper()
	var out []input
	for _, file := range []string{"autzen_trim.laz", "autzen-small.laz"} {
		in := realChunk(b, file)
		in.name = fmt.Sprintf("real/%d", in.format)
		out = append(out, in)
	}
	for format := uint8(0); format <= 10; format++ {
		length := baseLength[format]
		records := makeRecords(scenes[2], format, 0, benchPoints)
		out = append(out, input{fmt.Sprintf("made/%d", format), format, length, mustEncode(b, format, length, records), records})
	}
	return out
}

func report(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchPoints, "ns/point")
	b.ReportMetric(benchPoints*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
}

func BenchmarkDecode(b *testing.B) {
	for _, in := range inputs(b) {
		b.Run(in.name, func(b *testing.B) {
			d := mustDecoder(b, in.format, in.length)
			dst := make([]byte, len(in.records))
			b.SetBytes(int64(len(dst)))
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Decode(dst, in.chunk, benchPoints); err != nil {
					b.Fatal(err)
				}
			}
			report(b)
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, in := range inputs(b) {
		b.Run(in.name, func(b *testing.B) {
			e, err := NewEncoder(in.format, in.length)
			if err != nil {
				b.Fatal(err)
			}
			var dst []byte
			b.SetBytes(int64(len(in.records)))
			b.ReportAllocs()
			for b.Loop() {
				if dst, err = e.Encode(dst[:0], in.records); err != nil {
					b.Fatal(err)
				}
			}
			report(b)
		})
	}
}

func BenchmarkReplaceClassification(b *testing.B) {
	for _, in := range inputs(b) {
		if in.format < 6 {
			continue
		}
		b.Run(in.name, func(b *testing.B) {
			r, err := NewReclassifier(in.format, in.length)
			if err != nil {
				b.Fatal(err)
			}
			class := make([]uint8, benchPoints)
			for i := range class {
				class[i] = 1 + in.records[i*in.length+12]&1
			}
			var dst []byte
			b.SetBytes(int64(len(in.records)))
			b.ReportAllocs()
			for b.Loop() {
				if dst, err = r.Replace(dst[:0], in.chunk, benchPoints, class); err != nil {
					b.Fatal(err)
				}
			}
			report(b)
		})
	}
}
