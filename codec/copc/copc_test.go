package copc

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"testing"

	"slate360.ai/worker/codec/las"
	"slate360.ai/worker/codec/laz"
)

// buffer is a file in memory.
type buffer struct {
	b  []byte
	at int64
}

func (w *buffer) Write(p []byte) (int, error) {
	if need := int(w.at) + len(p); need > len(w.b) {
		w.b = append(w.b, make([]byte, need-len(w.b))...)
	}
	copy(w.b[w.at:], p)
	w.at += int64(len(p))
	return len(p), nil
}

func (w *buffer) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += w.at
	case io.SeekEnd:
		offset += int64(len(w.b))
	}
	w.at = offset
	return offset, nil
}

func header() las.Header {
	return las.Header{VersionMajor: 1, VersionMinor: 4, PointFormat: 6, PointRecordLength: 30, Scale: [3]float64{1, 1, 1}}
}

// chunk compresses n points at x.
func chunk(t *testing.T, n int, x int32) ([]byte, *las.Stats) {
	t.Helper()
	l, err := las.NewLayout(6, 30)
	if err != nil {
		t.Fatal(err)
	}
	records := make([]byte, 30*n)
	for i := range n {
		rec := records[30*i : 30*i+30]
		l.SetXYZ(rec, x, int32(i), 0)
		l.SetReturns(rec, 1, 1)
	}
	e, err := laz.NewEncoder(6, 30)
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.Encode(nil, records)
	if err != nil {
		t.Fatal(err)
	}
	s := &las.Stats{}
	s.Add(l, records)
	return b, s
}

// page reads all entries below a page of a file.
func page(t *testing.T, file []byte, offset, size uint64, depth int) []Entry {
	t.Helper()
	list, err := ParsePage(file[offset : offset+size])
	if err != nil {
		t.Fatal(err)
	}
	var all []Entry
	for _, e := range list {
		if e.PointCount == -1 {
			if depth > 8 {
				t.Fatal("pages refer to each other without end")
			}
			all = append(all, page(t, file, e.Offset, uint64(e.ByteSize), depth+1)...)
			continue
		}
		all = append(all, e)
	}
	return all
}

// TestPages writes more nodes than fit into one page, and holds that each is found
// from the root, once, with its parent.
func TestPages(t *testing.T) {
	w := &buffer{}
	c, err := NewWriter(w, header(), nil, Info{HalfSize: 512, Spacing: 8, GPSTimeMax: 7})
	if err != nil {
		t.Fatal(err)
	}
	b, stats := chunk(t, 3, 5)
	keys := map[Key]bool{}
	// A line of nodes down to level 14, and all of level 6 in two dimensions; levels
	// between them have no points of their own.
	for level := range int32(15) {
		keys[Key{level, 0, 0, 0}] = true
	}
	for x := range int32(64) {
		for y := range int32(64) {
			keys[Key{6, x, y, 0}] = true
			keys[Key{7, 2 * x, 2 * y, 1}] = true
		}
	}
	for k := range keys {
		if err := c.WriteNode(k, b, stats); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	file := w.b
	info := file[375+54:]
	root, size := binary.LittleEndian.Uint64(info[40:]), binary.LittleEndian.Uint64(info[48:])
	if string(file[377:381]) != "copc" || size > 3000*entrySize {
		t.Fatalf("info record %q, root page of %d bytes", file[377:381], size)
	}
	seen := map[Key]bool{}
	for _, e := range page(t, file, root, size, 0) {
		if seen[e.Key] {
			t.Errorf("node %v twice", e.Key)
		}
		seen[e.Key] = true
		if (e.PointCount > 0) != keys[e.Key] {
			t.Errorf("node %v has %d points", e.Key, e.PointCount)
		}
		if e.PointCount > 0 && !bytes.Equal(file[e.Offset:e.Offset+uint64(e.ByteSize)], b) {
			t.Errorf("node %v: other bytes at %d", e.Key, e.Offset)
		}
	}
	for k := range keys {
		if !seen[k] {
			t.Errorf("node %v is not found", k)
		}
	}
	for k := range seen {
		if k.Level > 0 && !seen[k.parent()] {
			t.Errorf("node %v has no parent", k)
		}
	}
	r, err := las.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil || r.NumPoints() != uint64(3*len(keys)) || len(r.Warnings()) > 0 {
		t.Fatalf("as LAZ: %v, %v", err, r.Warnings())
	}
	if err := r.Each(context.Background(), 1, func(las.Chunk, []byte) error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	h := header()
	h.PointFormat, h.PointRecordLength = 3, 34
	if _, err := NewWriter(&buffer{}, h, nil, Info{}); err == nil {
		t.Error("format 3 is allowed")
	}
	c, err := NewWriter(&buffer{}, header(), nil, Info{})
	if err != nil {
		t.Fatal(err)
	}
	b, stats := chunk(t, 2, 1)
	for _, k := range []Key{{-1, 0, 0, 0}, {0, 1, 0, 0}, {2, 0, 4, 0}, {2, 0, -1, 0}, {40, 0, 0, 0}} {
		if c.WriteNode(k, b, stats) == nil {
			t.Errorf("node %v is allowed", k)
		}
	}
	if c.WriteNode(Key{}, b, stats) != nil || c.WriteNode(Key{}, b, stats) == nil {
		t.Error("a node twice is allowed")
	}
	if c.WriteNode(Key{1, 0, 0, 0}, nil, &las.Stats{}) == nil {
		t.Error("a node without points is allowed")
	}
	empty, err := NewWriter(&buffer{}, header(), nil, Info{})
	if err != nil {
		t.Fatal(err)
	}
	if empty.Close() == nil {
		t.Error("a file without points is allowed")
	}
}

func FuzzParsePage(f *testing.F) {
	e := Entry{Key: Key{1, 0, 1, 0}, Offset: 1 << 40, ByteSize: 5, PointCount: -1}
	f.Add(e.append(nil))
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ParsePage(b)
		if err != nil {
			return
		}
		var back []byte
		for i := range list {
			back = list[i].append(back)
		}
		if !bytes.Equal(back, b) {
			t.Error("a page does not come back as it was")
		}
	})
}
