package draco

import (
	"encoding/binary"
	"slices"
)

// Symbols of edgebreaker in the order that the valence coder numbers them, and
// the bit patterns of the standard coder (specification,
// "ParseEdgebreakerStandardSymbol").
const (
	encSymbolC = iota
	encSymbolS
	encSymbolL
	encSymbolR
	encSymbolE
)

// What encTraversal.faces says of a triangle that has no symbol.
const (
	encUnseen = -1
	encStart  = -2
)

// encTraversal takes a surface apart triangle by triangle. It is the encoder's
// half of Rossignac's edgebreaker in the form that is decoded backwards (Isenburg
// and Snoeyink, Spirale Reversi).
type encTraversal struct {
	corners *encCorners
	symbols []uint8
	order   []int32 // symbol → corner at the tip of its triangle
	starts  []int32 // corners of triangles that start inside a surface
	inside  []byte  // for each surface: it starts so
	splits  []encSplit
	nSplits int     // symbols S
	faces   []int32 // triangle → symbol, encUnseen or encStart
	seen    []bool  // vertices
	holes   []int32 // vertex → hole, or encNone
	visited []bool  // holes
	stack   []int32
}

// encSplit says that the triangle of a symbol touches that of an earlier symbol S
// other than through the edge it was reached by.
type encSplit struct {
	source, split int32
	right         bool
}

// run takes all surfaces apart.
func (t *encTraversal) run(c *encCorners) {
	t.corners = c
	faces, vertices := len(c.points)/3, len(c.boundary)
	t.symbols = encResize(t.symbols, faces)[:0]
	t.order = encResize(t.order, faces)[:0]
	t.starts, t.inside, t.splits = t.starts[:0], t.inside[:0], t.splits[:0]
	t.nSplits = 0
	t.faces = encResize(t.faces, faces)
	encFill(t.faces, encUnseen)
	t.seen = encResize(t.seen, vertices)
	clear(t.seen)
	t.findHoles()
	for f := range t.faces {
		if t.faces[f] != encUnseen {
			continue
		}
		corner, inside := t.startAt(int32(3 * f))
		if !inside {
			t.inside = append(t.inside, 0)
			t.seeHole(encNext(corner))
			t.component(corner)
			continue
		}
		t.inside = append(t.inside, 1)
		for k := range 3 {
			t.seen[c.vertex[3*f+k]] = true
		}
		t.faces[f] = encStart
		t.starts = append(t.starts, encNext(corner))
		t.component(c.opposite[encNext(corner)])
	}
}

// findHoles numbers the loops of open edges.
func (t *encTraversal) findHoles() {
	c := t.corners
	t.holes = encResize(t.holes, len(c.boundary))
	encFill(t.holes, encNone)
	t.visited = t.visited[:0]
	for i, o := range c.opposite {
		if o != encNone || t.holes[c.vertex[encNext(int32(i))]] != encNone {
			continue
		}
		hole := int32(len(t.visited))
		t.visited = append(t.visited, false)
		for at := int32(i); t.holes[c.vertex[encNext(at)]] == encNone; {
			t.holes[c.vertex[encNext(at)]] = hole
			at = t.nextOpen(encNext(at))
		}
	}
}

// nextOpen turns about the vertex after a corner to the corner that is opposite
// to an open edge.
func (t *encTraversal) nextOpen(c int32) int32 {
	for t.corners.opposite[c] != encNone {
		c = encNext(t.corners.opposite[c])
	}
	return c
}

// startAt finds the corner to start a surface from: opposite to an open edge
// where the triangle has a vertex on one, else any.
func (t *encTraversal) startAt(c int32) (corner int32, inside bool) {
	opposite := t.corners.opposite
	for range 3 {
		if opposite[c] == encNone {
			return c, false
		}
		if t.holes[t.corners.vertex[c]] != encNone {
			for opposite[encPrevious(c)] != encNone {
				c = encPrevious(opposite[encPrevious(c)])
			}
			return encPrevious(c), false
		}
		c = encNext(c)
	}
	return c, true
}

// seeHole marks the hole that the vertex of a corner lies on, and all its
// vertices.
func (t *encTraversal) seeHole(c int32) {
	vertex := t.corners.vertex
	first := vertex[c]
	t.visited[t.holes[first]] = true
	at := encPrevious(c)
	for {
		at = t.nextOpen(at)
		v := vertex[encPrevious(at)]
		t.seen[v] = true
		if v == first {
			return
		}
		at = encNext(at)
	}
}

// component takes apart what is connected with a corner.
func (t *encTraversal) component(c int32) {
	t.stack = append(t.stack[:0], c)
	for len(t.stack) > 0 {
		c = t.stack[len(t.stack)-1]
		if c == encNone || t.faces[c/3] != encUnseen {
			t.stack = t.stack[:len(t.stack)-1]
			continue
		}
		t.strip(c)
	}
}

// strip goes from triangle to triangle until it must turn back or split.
func (t *encTraversal) strip(c int32) {
	opposite := t.corners.opposite
	for {
		symbol := int32(len(t.symbols))
		t.faces[c/3] = symbol
		t.order = append(t.order, c)
		v := t.corners.vertex[c]
		right, left := opposite[encNext(c)], opposite[encPrevious(c)]
		if !t.seen[v] {
			t.seen[v] = true
			if t.holes[v] == encNone {
				t.symbols = append(t.symbols, encSymbolC)
				c = right
				continue
			}
		}
		rightDone := t.done(right, symbol, true)
		leftDone := t.done(left, symbol, false)
		switch {
		case rightDone && leftDone:
			t.symbols = append(t.symbols, encSymbolE)
			t.stack = t.stack[:len(t.stack)-1]
			return
		case rightDone:
			t.symbols = append(t.symbols, encSymbolR)
			c = left
		case leftDone:
			t.symbols = append(t.symbols, encSymbolL)
			c = right
		default:
			t.symbols = append(t.symbols, encSymbolS)
			t.nSplits++
			if h := t.holes[v]; h != encNone && !t.visited[h] {
				t.seeHole(c)
			}
			t.stack[len(t.stack)-1] = left
			t.stack = append(t.stack, right)
			return
		}
	}
}

// done tells whether the triangle of a corner needs no visit, and notes it where
// it was a split.
func (t *encTraversal) done(c, symbol int32, right bool) bool {
	if c == encNone {
		return true
	}
	s := t.faces[c/3]
	if s == encUnseen {
		return false
	}
	if s != encStart && t.symbols[s] == encSymbolS {
		t.splits = append(t.splits, encSplit{source: symbol, split: s, right: right})
	}
	return true
}

// appendSplits appends the number of splits that are not told by the symbols, and
// what they are (specification, "ParseTopologySplitEvents").
func (t *encTraversal) appendSplits(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(t.splits)))
	last := int32(0)
	for _, s := range t.splits {
		dst = binary.AppendUvarint(dst, uint64(s.source-last))
		dst = binary.AppendUvarint(dst, uint64(s.source-s.split))
		last = s.source
	}
	w := encBitWriter{out: dst}
	for _, s := range t.splits {
		bit := uint32(0)
		if s.right {
			bit = 1
		}
		w.put(bit, 1)
	}
	return w.finish()
}

// standardBits is the size of the symbols by the standard coder.
func (t *encTraversal) standardBits() int {
	n := 0
	for _, s := range t.symbols {
		if s == encSymbolC {
			n++
		} else {
			n += 3
		}
	}
	return n
}

// appendStandard appends the symbols by the standard coder, last one first.
func (t *encTraversal) appendStandard(dst []byte) []byte {
	patterns := [...]uint32{encSymbolC: 0, encSymbolS: 1, encSymbolL: 3, encSymbolR: 5, encSymbolE: 7}
	dst = binary.AppendUvarint(dst, uint64(t.standardBits()+7)/8)
	w := encBitWriter{out: dst}
	for _, s := range slices.Backward(t.symbols) {
		if s == encSymbolC {
			w.put(0, 1)
		} else {
			w.put(patterns[s], 3)
		}
	}
	return w.finish()
}
