package copc

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// pageLevels is the number of levels in a page of the hierarchy where there are
// more nodes than fit into one page, and pageNodes that number: a page of 128 KiB,
// one request.
const (
	pageLevels = 5
	pageNodes  = 4096
)

// hierarchy gives the pages of the directory, which begin at byte base of the
// file, and where the root page is. Pages that are referred to come first.
func (c *Writer) hierarchy(base uint64) (pages []byte, root, rootSize uint64) {
	c.addAncestors()
	children := make(map[Key][]int, len(c.entries))
	rootIndex := c.nodes[Key{}]
	order := make([]int, len(c.entries))
	for i := range order {
		order[i] = i
	}
	// A fixed order, coarse nodes first, makes equal clouds give equal files.
	slices.SortFunc(order, func(a, b int) int { return compareKeys(c.entries[a].Key, c.entries[b].Key) })
	for _, i := range order {
		if k := c.entries[i].Key; k.Level > 0 {
			children[k.parent()] = append(children[k.parent()], i)
		}
	}
	h := hierarchyWriter{entries: c.entries, children: children, base: base, single: len(c.entries) <= pageNodes}
	root, rootSize = h.page(rootIndex)
	return h.out, root, rootSize
}

// addAncestors puts in empty nodes for those above that have no points, which
// readers need on their way down.
func (c *Writer) addAncestors() {
	for i := 0; i < len(c.entries); i++ {
		k := c.entries[i].Key
		if k.Level == 0 {
			continue
		}
		if _, ok := c.nodes[k.parent()]; !ok {
			c.nodes[k.parent()] = len(c.entries)
			c.entries = append(c.entries, Entry{Key: k.parent()})
		}
	}
}

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.X, b.X), cmp.Compare(a.Y, b.Y), cmp.Compare(a.Z, b.Z))
}

type hierarchyWriter struct {
	entries  []Entry
	children map[Key][]int
	base     uint64
	single   bool
	out      []byte
}

// page writes the page whose first node is entry top, after those below it.
func (h *hierarchyWriter) page(top int) (offset, size uint64) {
	var list []Entry
	last := int32(-1)
	if !h.single {
		last = h.entries[top].Key.Level + pageLevels
	}
	var visit func(i int)
	visit = func(i int) {
		e := h.entries[i]
		if below := h.children[e.Key]; i != top && e.Key.Level == last && len(below) > 0 {
			offset, size := h.page(i)
			list = append(list, Entry{Key: e.Key, Offset: offset, ByteSize: int32(size), PointCount: -1})
			return
		}
		list = append(list, e)
		for _, child := range h.children[e.Key] {
			visit(child)
		}
	}
	visit(top)
	offset = h.base + uint64(len(h.out))
	for _, e := range list {
		h.out = e.append(h.out)
	}
	return offset, uint64(len(list)) * entrySize
}

func (e *Entry) append(dst []byte) []byte {
	for _, v := range []int32{e.Key.Level, e.Key.X, e.Key.Y, e.Key.Z} {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v))
	}
	dst = binary.LittleEndian.AppendUint64(dst, e.Offset)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(e.ByteSize))
	return binary.LittleEndian.AppendUint32(dst, uint32(e.PointCount))
}

// ParsePage reads a page of the hierarchy.
func ParsePage(b []byte) ([]Entry, error) {
	if len(b)%entrySize != 0 {
		return nil, fmt.Errorf("copc: a page of the hierarchy has %d bytes, no multiple of %d", len(b), entrySize)
	}
	list := make([]Entry, 0, len(b)/entrySize)
	for ; len(b) > 0; b = b[entrySize:] {
		i32 := func(at int) int32 { return int32(binary.LittleEndian.Uint32(b[at:])) }
		e := Entry{
			Key:    Key{i32(0), i32(4), i32(8), i32(12)},
			Offset: binary.LittleEndian.Uint64(b[16:]), ByteSize: i32(24), PointCount: i32(28),
		}
		if e.PointCount < -1 || e.ByteSize < 0 || e.Key.Level < 0 || e.Key.Level > 31 {
			return nil, fmt.Errorf("copc: entry %d of the hierarchy is no node: %+v", len(list), e)
		}
		list = append(list, e)
	}
	return list, nil
}
