package laz

import (
	"fmt"
	"testing"
)

func inputs(b *testing.B) []input {
	b.Helper()
	var out []input
	for _, file := range []string{"autzen_trim.laz", "autzen-small.laz"} {
		in := realInput(b, file)
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
