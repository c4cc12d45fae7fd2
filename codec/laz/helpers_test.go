package laz

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

// baseLength is the length of the records of each format without extra bytes.
var baseLength = [11]int{20, 28, 26, 34, 57, 63, 30, 36, 38, 59, 67}

// A scene makes records that exercise one side of the compression.
type scene struct {
	name string
	// point changes a record, which is a copy of the one before it.
	point func(rng *rand.Rand, f fields, i int)
}

// fields are places in one record; those that the format has not are nil.
type fields struct {
	rec, gps, rgb, nir, wave, extra []byte
	format                          uint8
}

func split(format uint8, rec []byte) fields {
	f := fields{rec: rec, format: format, extra: rec[baseLength[format]:]}
	switch {
	case format >= 6:
		f.gps = rec[22:30]
	case format == 1 || format >= 3:
		f.gps = rec[20:28]
	}
	switch format {
	case 2:
		f.rgb = rec[20:26]
	case 3, 5:
		f.rgb = rec[28:34]
	case 7, 8, 10:
		f.rgb = rec[30:36]
	}
	if format == 8 || format == 10 {
		f.nir = rec[36:38]
	}
	if n := baseLength[format]; format == 4 || format == 5 || format >= 9 {
		f.wave = rec[n-29 : n]
	}
	return f
}

func (f fields) setTime(v float64) {
	if f.gps != nil {
		binary.LittleEndian.PutUint64(f.gps, math.Float64bits(v))
	}
}

func add32(b []byte, v int) {
	binary.LittleEndian.PutUint32(b, binary.LittleEndian.Uint32(b)+uint32(int32(v)))
}

func add16(b []byte, v int) {
	if b != nil {
		binary.LittleEndian.PutUint16(b, binary.LittleEndian.Uint16(b)+uint16(v))
	}
}

// fill sets all bytes to random ones.
func fill(rng *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
}

var scenes = []scene{
	{"constant", func(*rand.Rand, fields, int) {}},
	{"noise", func(rng *rand.Rand, f fields, _ int) { fill(rng, f.rec) }},
	{"scan", scan},
	{"channels", func(rng *rand.Rand, f fields, i int) {
		scan(rng, f, i)
		if f.format >= 6 {
			channel := byte(i / 3 % 4)
			if i%50 == 0 {
				channel = byte(rng.IntN(4))
			}
			f.rec[15] = f.rec[15]&^0x30 | channel<<4
		}
	}},
	{"second channel only", func(rng *rand.Rand, f fields, i int) {
		scan(rng, f, i)
		if f.format >= 6 {
			f.rec[15] = f.rec[15]&^0x30 | 0x10
		}
	}},
	{"time jumps", func(rng *rand.Rand, f fields, i int) {
		add32(f.rec, rng.IntN(20))
		switch rng.IntN(6) {
		case 0:
			f.setTime(math.NaN())
		case 1:
			f.setTime(math.Copysign(0, -1))
		case 2:
			f.setTime(float64(i%4)*1e7 + float64(i))
		case 3:
			f.setTime(float64(rng.IntN(6)) * 1e5)
		case 4:
			if f.gps != nil {
				binary.LittleEndian.PutUint64(f.gps, rng.Uint64())
			}
		}
	}},
	{"extremes", func(rng *rand.Rand, f fields, _ int) {
		ends := []uint32{0, 1, math.MaxInt32, 1 << 31, math.MaxUint32, 1 << 16}
		for at := 0; at < 12; at += 4 {
			binary.LittleEndian.PutUint32(f.rec[at:], ends[rng.IntN(len(ends))])
		}
		binary.LittleEndian.PutUint16(f.rec[12:], uint16(ends[rng.IntN(len(ends))]>>3))
		for _, b := range [][]byte{f.rgb, f.nir, f.extra} {
			for i := range b {
				b[i] = byte(ends[rng.IntN(len(ends))])
			}
		}
	}},
}

// scan looks like an airborne laser scan.
func scan(rng *rand.Rand, f fields, i int) {
	add32(f.rec[0:], rng.IntN(300)-100)
	add32(f.rec[4:], rng.IntN(200)-100)
	add32(f.rec[8:], rng.IntN(60)-30)
	add16(f.rec[12:], rng.IntN(60)-30)
	n := 1 + rng.IntN(4)
	r := 1 + rng.IntN(n)
	if f.format >= 6 {
		f.rec[14] = byte(n<<4 | r)
		f.rec[16] = byte(rng.IntN(9))
		if i%40 == 0 {
			f.rec[15] ^= 1 << rng.IntN(8)
			add16(f.rec[18:], rng.IntN(100)-50)
		}
		f.rec[17] = byte(i / 100)
		f.rec[20] = byte(i / 300)
	} else {
		f.rec[14] = byte(n<<3 | r)
		f.rec[15] = byte(rng.IntN(9))
		f.rec[16] = byte(i/20%40 - 20)
		f.rec[17] = byte(i / 100)
		f.rec[18] = byte(i / 300)
	}
	if i%3 == 0 {
		f.setTime(1000 + float64(i)/1024 + rng.Float64()/1e6)
	}
	if f.rgb != nil {
		add16(f.rgb[0:], rng.IntN(9)-4)
		add16(f.rgb[2:], rng.IntN(9)-4)
		add16(f.rgb[4:], rng.IntN(600)-300)
		if i%5 == 0 {
			copy(f.rgb[2:4], f.rgb[:2])
			copy(f.rgb[4:6], f.rgb[:2])
		}
	}
	add16(f.nir, rng.IntN(300))
	if f.wave != nil {
		f.wave[0] = byte(rng.IntN(3))
		switch rng.IntN(4) {
		case 0:
			binary.LittleEndian.PutUint64(f.wave[1:], uint64(i)*256)
		case 1:
			binary.LittleEndian.PutUint64(f.wave[1:], rng.Uint64())
		case 2:
			size := binary.LittleEndian.Uint32(f.wave[9:])
			binary.LittleEndian.PutUint64(f.wave[1:], binary.LittleEndian.Uint64(f.wave[1:])+uint64(size))
		}
		binary.LittleEndian.PutUint32(f.wave[9:], uint32(rng.IntN(3)*200))
		for at := 13; at < 29; at += 4 {
			binary.LittleEndian.PutUint32(f.wave[at:], math.Float32bits(rng.Float32()))
		}
	}
	for j := range f.extra {
		f.extra[j] += byte(rng.IntN(1 + j*j))
	}
}

// makeRecords gives n records of a scene; it is the same at every call.
func makeRecords(s scene, format uint8, extra, n int) []byte {
	length := baseLength[format] + extra
	rng := rand.New(rand.NewPCG(uint64(format), uint64(extra)))
	b := make([]byte, n*length)
	fill(rng, b[:min(n*length, length)])
	for i := 1; i < n; i++ {
		rec := b[i*length : (i+1)*length]
		copy(rec, b[(i-1)*length:])
		s.point(rng, split(format, rec), i)
	}
	return b
}

func mustEncode(t testing.TB, format uint8, length int, records []byte) []byte {
	t.Helper()
	e, err := NewEncoder(format, length)
	if err != nil {
		t.Fatal(err)
	}
	chunk, err := e.Encode(nil, records)
	if err != nil {
		t.Fatal(err)
	}
	return chunk
}

func mustDecoder(t testing.TB, format uint8, length int) *Decoder {
	t.Helper()
	d, err := NewDecoder(format, length)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
