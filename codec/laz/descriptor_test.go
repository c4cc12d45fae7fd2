package laz

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

func TestDescriptor(t *testing.T) {
	d, err := NewDescriptor(7, 36+5, 50000)
	if err != nil {
		t.Fatal(err)
	}
	want := []byte{
		3, 0, 0, 0, 3, 4, 3, 0, 0, 0, 0, 0, 0x50, 0xC3, 0, 0,
		255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
		3, 0, 10, 0, 30, 0, 3, 0, 11, 0, 6, 0, 3, 0, 14, 0, 5, 0, 3, 0,
	}
	if got := d.Append(nil); !slices.Equal(got, want) {
		t.Errorf("record is\n%v instead of\n%v", got, want)
	}
	for format := uint8(0); format <= 10; format++ {
		length := baseLength[format] + 7
		d, err := NewDescriptor(format, length, VariableChunks)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseDescriptor(append(d.Append(nil), 1, 2))
		if err != nil || !reflect.DeepEqual(got, d) {
			t.Errorf("format %d: %+v instead of %+v: %v", format, got, d, err)
		}
		if _, err := NewDescriptorDecoder(got, length); err != nil {
			t.Errorf("format %d: %v", format, err)
		}
	}
}

func TestDescriptorsRefused(t *testing.T) {
	good, err := NewDescriptor(3, 34, 50000)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(d *Descriptor)
		want   error
	}{
		"compressor":  {func(d *Descriptor) { d.Compressor = 4 }, ErrUnsupported},
		"raw":         {func(d *Descriptor) { d.Compressor = CompressorNone }, ErrUnsupported},
		"layered":     {func(d *Descriptor) { d.Compressor = CompressorLayered }, ErrUnsupported},
		"coder":       {func(d *Descriptor) { d.Coder = 1 }, ErrUnsupported},
		"no items":    {func(d *Descriptor) { d.Items = nil }, ErrCorrupt},
		"length":      {func(d *Descriptor) { d.Items = d.Items[:2] }, ErrCorrupt},
		"version":     {func(d *Descriptor) { d.Items[1].Version = 3 }, ErrUnsupported},
		"order":       {func(d *Descriptor) { d.Items[0], d.Items[1] = d.Items[1], d.Items[0] }, ErrUnsupported},
		"twice":       {func(d *Descriptor) { d.Items[2] = Item{ItemGPSTime11, 6, 2} }, ErrUnsupported},
		"item size":   {func(d *Descriptor) { d.Items[0].Size, d.Items[1].Size = 21, 7 }, ErrUnsupported},
		"item type":   {func(d *Descriptor) { d.Items[2].Type = 5 }, ErrUnsupported},
		"item family": {func(d *Descriptor) { d.Items[2].Type = ItemRGB14 }, ErrUnsupported},
	} {
		d := good
		d.Items = slices.Clone(good.Items)
		c.change(&d)
		if _, err := NewDescriptorDecoder(d, 34); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseDescriptor(good.Append(nil)[:51]); !errors.Is(err, ErrCorrupt) {
		t.Errorf("cut record: %v", err)
	}
}

func TestChunkTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, variable := range []bool{false, true} {
		for _, n := range []int{0, 1, 2, 300} {
			entries := make([]ChunkEntry, n)
			for i := range entries {
				entries[i].Bytes = rng.Uint64N(1 << (1 + i%32))
				if variable {
					entries[i].Points = uint32(rng.Uint64N(1 << (32 - i%32)))
				}
			}
			b := AppendChunkTable([]byte{9}, entries, variable)[1:]
			got, size, err := ParseChunkTable(append(b, 1, 2, 3, 4, 5, 6, 7, 8), variable, n)
			if err != nil || size != len(b) || !slices.Equal(got, entries) {
				t.Errorf("%d entries, variable %v: %d entries, %d of %d bytes, %v", n, variable, len(got), size, len(b), err)
			}
			if n == 0 {
				continue
			}
			if _, _, err := ParseChunkTable(b, variable, n-1); !errors.Is(err, ErrCorrupt) {
				t.Errorf("more than wanted: %v", err)
			}
			if _, _, err := ParseChunkTable(b[:len(b)/2], variable, n); n > 2 && !errors.Is(err, ErrCorrupt) {
				t.Errorf("half a table of %d: %v", n, err)
			}
		}
	}
}
