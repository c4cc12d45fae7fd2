package laz

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzDecode feeds chunks to decoders of all formats and of all item versions.
func FuzzDecode(f *testing.F) {
	for format := uint8(0); format <= 10; format++ {
		for i, s := range scenes {
			if i%2 == 0 || format > 6 {
				f.Add(format, false, uint16(40), mustEncode(f, format, baseLength[format]+2, makeRecords(s, format, 2, 40)))
			}
		}
		f.Add(format, true, uint16(9), make([]byte, 200))
	}
	type key struct {
		format uint8
		other  bool
	}
	decoders := map[key]*Decoder{}
	f.Fuzz(func(t *testing.T, format uint8, other bool, points uint16, chunk []byte) {
		format %= 11
		length := baseLength[format] + 2
		d := decoders[key{format, other}]
		if d == nil {
			desc, err := NewDescriptor(format, length, 0)
			if err != nil {
				t.Fatal(err)
			}
			for i := range desc.Items {
				if other && format < 6 {
					desc.Items[i].Version = 1
				} else if other {
					desc.Items[i].Version = 4
				}
			}
			if d, err = NewDescriptorDecoder(desc, length); err != nil {
				t.Fatal(err)
			}
			decoders[key{format, other}] = d
		}
		n := int(points % 5000)
		dst := make([]byte, n*length)
		err := d.Decode(dst, chunk, n)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("error of another kind: %v", err)
			}
			_, _ = d.DecodePartial(dst, chunk, n)
			return
		}
		if n == 0 || other {
			return
		}
		// What decodes must survive being encoded.
		again := mustEncode(t, format, length, dst)
		got := make([]byte, len(dst))
		if err := d.Decode(got, again, n); err != nil || !bytes.Equal(got, dst) {
			t.Fatalf("records do not come back: %v", err)
		}
	})
}

func FuzzReplaceClassification(f *testing.F) {
	for _, s := range scenes {
		f.Add(uint16(40), mustEncode(f, 7, 36, makeRecords(s, 7, 0, 40)))
	}
	f.Fuzz(func(t *testing.T, points uint16, chunk []byte) {
		n := int(points%2000) + 1
		class := make([]uint8, n)
		for i := range class {
			class[i] = uint8(i * 7 >> 4)
		}
		if _, err := ReplaceClassification(nil, chunk, 7, 36, n, class); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
	})
}

func FuzzParseDescriptor(f *testing.F) {
	for format := uint8(0); format <= 10; format++ {
		d, err := NewDescriptor(format, baseLength[format]+int(format), 50000)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(d.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseDescriptor(b)
		if err != nil {
			return
		}
		if got := d.Append(nil); !bytes.Equal(got, b[:len(got)]) {
			t.Fatalf("%v became %v", b, got)
		}
		if length := itemsLength(d.Items); length < 1000 {
			_, _ = NewDescriptorDecoder(d, length)
		}
	})
}

func FuzzParseChunkTable(f *testing.F) {
	entries := []ChunkEntry{{50000, 400000}, {50000, 410000}, {1, 40}, {0xFFFFFFFF, 0xFFFFFFFF}}
	for n := range entries {
		f.Add(AppendChunkTable(nil, entries[:n+1], true), true)
		f.Add(AppendChunkTable(nil, entries[:n+1], false), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, variable bool) {
		got, n, err := ParseChunkTable(b, variable, 1<<20)
		if err != nil {
			return
		}
		if n > len(b) {
			t.Fatalf("%d of %d bytes", n, len(b))
		}
		again, _, err := ParseChunkTable(AppendChunkTable(nil, got, variable), variable, len(got))
		if err != nil || len(again) != len(got) {
			t.Fatalf("%d entries became %d: %v", len(got), len(again), err)
		}
	})
}
