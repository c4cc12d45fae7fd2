package laz

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// TestRoundTrip encodes and decodes every scene in every format, with one encoder
// and one decoder for all, so that what a chunk leaves behind would show.
func TestRoundTrip(t *testing.T) {
	for format := uint8(0); format <= 10; format++ {
		for _, extra := range []int{0, 5} {
			length := baseLength[format] + extra
			e, err := NewEncoder(format, length)
			if err != nil {
				t.Fatal(err)
			}
			d := mustDecoder(t, format, length)
			for _, s := range scenes {
				t.Run(fmt.Sprintf("%d+%d/%s", format, extra, s.name), func(t *testing.T) {
					for _, n := range []int{1, 2, 3, 60, 1500} {
						records := makeRecords(s, format, extra, n)
						prefix := []byte("kept")
						chunk, err := e.Encode(prefix, records)
						if err != nil {
							t.Fatal(err)
						}
						if !bytes.HasPrefix(chunk, prefix) {
							t.Fatal("encoder does not append")
						}
						chunk = chunk[len(prefix):]
						got := make([]byte, len(records))
						if err := d.Decode(got, chunk, n); err != nil {
							t.Fatalf("%d points: %v", n, err)
						}
						if !bytes.Equal(got, records) {
							t.Fatalf("%d points: %s", n, firstDifference(got, records, length))
						}
						clear(got)
						if whole, err := d.DecodePartial(got, chunk, n); whole != n || err != nil || !bytes.Equal(got, records) {
							t.Fatalf("%d points: partial decoding gave %d points and %v", n, whole, err)
						}
						if half := n / 2; half > 0 {
							clear(got)
							if err := d.Decode(got, chunk, half); err != nil || !bytes.Equal(got[:half*length], records[:half*length]) {
								t.Fatalf("first %d of %d points: %v", half, n, err)
							}
						}
					}
				})
			}
		}
	}
}

func firstDifference(got, want []byte, length int) string {
	for i := range want {
		if got[i] != want[i] {
			return fmt.Sprintf("byte %d of point %d is %d instead of %d", i%length, i/length, got[i], want[i])
		}
	}
	return "no difference"
}

// TestVersion4 checks the layered items of version 4, which nothing here writes,
// by an encoder that is told to.
func TestVersion4(t *testing.T) {
	for format := uint8(6); format <= 10; format++ {
		length := baseLength[format] + 2
		d, err := NewDescriptor(format, length, 50000)
		if err != nil {
			t.Fatal(err)
		}
		for i := range d.Items {
			d.Items[i].Version = 4
		}
		l, err := newLayered(d.Items, false)
		if err != nil {
			t.Fatal(err)
		}
		decoder, err := NewDescriptorDecoder(d, length)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range scenes {
			records := makeRecords(s, format, 2, 1500)
			got := make([]byte, len(records))
			if err := decoder.Decode(got, l.encode(nil, records), 1500); err != nil || !bytes.Equal(got, records) {
				t.Errorf("format %d, %s: %v, %s", format, s.name, err, firstDifference(got, records, length))
			}
		}
	}
}

// TestConstantLayersAreEmpty looks at what a chunk of equal points is made of.
func TestConstantLayersAreEmpty(t *testing.T) {
	const format, n = 10, 1000
	length := baseLength[format] + 3
	records := makeRecords(scenes[0], format, 3, n)
	chunk := mustEncode(t, format, length, records)
	l := layered{length: length, sizes: make([]int, 9+2+1+3)}
	if _, err := l.readSizes(chunk, n); err != nil {
		t.Fatal(err)
	}
	for i, size := range l.sizes {
		if (size > 0) != (i < 2) {
			t.Errorf("layer %d has %d bytes", i, size)
		}
	}
}

// TestTruncated cuts chunks everywhere: never a wrong point, never no error.
func TestTruncated(t *testing.T) {
	for _, format := range []uint8{0, 3, 5, 6, 10} {
		length := baseLength[format] + 1
		const n = 60
		records := makeRecords(scenes[2], format, 1, n)
		chunk := mustEncode(t, format, length, records)
		d := mustDecoder(t, format, length)
		got := make([]byte, len(records))
		last := 0
		for size := range chunk {
			whole, err := d.DecodePartial(got, chunk[:size], n)
			if err == nil || !errors.Is(err, ErrCorrupt) {
				t.Fatalf("format %d: %d of %d bytes decode: %v", format, size, len(chunk), err)
			}
			if format >= 6 && whole != 0 {
				t.Fatalf("format %d: %d points of %d of %d bytes", format, whole, size, len(chunk))
			}
			if whole < last || !bytes.Equal(got[:whole*length], records[:whole*length]) {
				t.Fatalf("format %d: %d of %d bytes gave %d points, %s", format, size, len(chunk), whole, firstDifference(got, records, length))
			}
			last = whole
			if err := d.Decode(got, chunk[:size], n); err == nil && size < len(chunk)-overrunSlack {
				t.Fatalf("format %d: no error for %d of %d bytes", format, size, len(chunk))
			}
		}
		if format < 6 && last < n*9/10 {
			t.Errorf("format %d: all bytes but one gave %d of %d points", format, last, n)
		}
	}
}

func TestArguments(t *testing.T) {
	if _, err := NewEncoder(11, 100); !errors.Is(err, ErrUnsupported) {
		t.Errorf("format 11: %v", err)
	}
	if _, err := NewDecoder(3, 33); !errors.Is(err, ErrUnsupported) {
		t.Errorf("short record: %v", err)
	}
	e, err := NewEncoder(6, 30)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Encode(nil, make([]byte, 31)); err == nil {
		t.Error("part of a record was encoded")
	}
	if chunk, err := e.Encode(nil, nil); err != nil || len(chunk) != 0 {
		t.Errorf("no records: %d bytes, %v", len(chunk), err)
	}
	d := mustDecoder(t, 6, 30)
	if err := d.Decode(make([]byte, 59), make([]byte, 1000), 2); !errors.Is(err, ErrUnsupported) {
		t.Errorf("small buffer: %v", err)
	}
	if err := d.Decode(nil, nil, -1); err == nil {
		t.Error("negative number of points")
	}
	if err := d.Decode(nil, nil, 0); err != nil {
		t.Errorf("no points: %v", err)
	}
}

// TestAllocations checks that chunks cost no memory once the tables are there.
func TestAllocations(t *testing.T) {
	for _, format := range []uint8{3, 5, 7, 10} {
		length := baseLength[format] + 2
		records := makeRecords(scenes[3], format, 2, 3000)
		e, err := NewEncoder(format, length)
		if err != nil {
			t.Fatal(err)
		}
		d := mustDecoder(t, format, length)
		chunk, err := e.Encode(nil, records)
		if err != nil {
			t.Fatal(err)
		}
		dst, out := make([]byte, len(records)), make([]byte, 0, len(chunk))
		n := testing.AllocsPerRun(3, func() {
			_, _ = e.Encode(out, records)
			_ = d.Decode(dst, chunk, 3000)
		})
		if n > 0 {
			t.Errorf("format %d: %v allocations a chunk", format, n)
		}
	}
}

func TestReplaceClassification(t *testing.T) {
	for format := uint8(6); format <= 10; format++ {
		length := baseLength[format] + 2
		r, err := NewReclassifier(format, length)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range scenes {
			for _, n := range []int{1, 2, 1300} {
				records := makeRecords(s, format, 2, n)
				chunk := mustEncode(t, format, length, records)
				for pattern, class := range map[string]func(i int) byte{
					"ground":  func(int) byte { return 2 },
					"changes": func(i int) byte { return byte(i / 7 * 31) },
					"same":    func(i int) byte { return records[i*length+classByte] },
				} {
					classes := make([]uint8, n)
					want := bytes.Clone(records)
					for i := range classes {
						classes[i] = class(i)
						want[i*length+classByte] = classes[i]
					}
					got, err := r.Replace([]byte("kept"), chunk, n, classes)
					if err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(got, append([]byte("kept"), mustEncode(t, format, length, want)...)) {
						t.Errorf("format %d, %s, %d points, %s: chunk differs from a full encoding", format, s.name, n, pattern)
					}
				}
			}
		}
	}
	if _, err := ReplaceClassification(nil, nil, 3, 34, 1, []uint8{1}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("format 3: %v", err)
	}
	if _, err := ReplaceClassification(nil, make([]byte, 80), 6, 30, 2, []uint8{1, 2}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("zeros: %v", err)
	}
}
