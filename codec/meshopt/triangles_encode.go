package meshopt

import (
	"fmt"
	"slices"
)

// EncodeTriangles encodes indices, three a triangle. The triangles come in the order
// given, but a triangle may begin at another of its corners. It is smallest where
// triangles follow their neighbours, and vertices are numbered as they come by.
func EncodeTriangles(indices []uint32) ([]byte, error) {
	if len(indices)%3 != 0 {
		return nil, fmt.Errorf("meshopt: %d indices, want three a triangle", len(indices))
	}
	n := len(indices) / 3
	e := triangleEncoder{codes: make([]byte, 0, n), sizes: make([]uint8, 0, n)}
	for t := range n {
		before := len(e.extra)
		e.triangle([3]uint32(indices[3*t:]))
		e.sizes = append(e.sizes, uint8(len(e.extra)-before))
	}
	return e.bytes(), nil
}

// triangleEncoder follows the state of the decoder.
type triangleEncoder struct {
	triangles
	next, last uint32
	codes      []byte
	corners    []byte  // of triangles without a known edge: where their corners come from
	extra      []byte  // indices as differences
	sizes      []uint8 // how many bytes of extra belong to each triangle
}

// Codes of triangles.
const (
	codeFresh    = 0xf0 // the table says where corners come from; the first is next
	codeNext     = 0xfe // a byte says it; the first corner is next
	codeExplicit = 0xff // the same; the first corner is told
	explicit     = 15   // of a corner: it is told
	oneLess      = 13   // of a third corner: the one before the last told
	oneMore      = 14
)

// triangle appends a triangle.
func (e *triangleEncoder) triangle(v [3]uint32) {
	for age := uint32(0); age < min(e.edge, 15); age++ {
		edge := e.edges[(e.edge-1-age)&15]
		for k := range 3 {
			if edge == [2]uint32{v[k], v[(k+1)%3]} {
				e.known(byte(age), v[k], v[(k+1)%3], v[(k+2)%3])
				return
			}
		}
	}
	if k := slices.Index(v[:], e.next); k > 0 {
		v[0], v[1], v[2] = v[k], v[(k+1)%3], v[(k+2)%3]
	}
	e.fresh(v[0], v[1], v[2])
}

// known appends a triangle at an edge that came by lately.
func (e *triangleEncoder) known(age byte, a, b, c uint32) {
	const oldest = 12
	corner, push := byte(explicit), true
	if c == e.next {
		corner = 0
		e.next++
	} else if k := e.find(c); k > 0 && k <= oldest {
		corner, push = byte(k), false
	} else {
		switch c {
		case e.last - 1:
			corner = oneLess
		case e.last + 1:
			corner = oneMore
		default:
			e.tell(c)
		}
		e.last = c
	}
	e.codes = append(e.codes, age<<4|corner)
	e.pushVertex(c, push)
	e.pushEdge(c, b)
	e.pushEdge(a, c)
}

// fresh appends a triangle without a known edge.
func (e *triangleEncoder) fresh(a, b, c uint32) {
	code := byte(codeExplicit)
	// The first three vertices again: numbers start anew.
	again := e.next > 0 && [3]uint32{a, b, c} == [3]uint32{0, 1, 2}
	if again {
		e.next = 0
	}
	if a == e.next {
		code = codeNext
		e.next++
	}
	from := [2]byte{explicit, explicit}
	for i, v := range [2]uint32{b, c} {
		const oldest = 13
		if v == e.next {
			from[i] = 0
			e.next++
		} else if k := e.find(v); k >= 0 && k <= oldest {
			from[i] = byte(k + 1)
		}
	}
	for i, v := range [3]uint32{a, b, c} {
		if i == 0 && code == codeExplicit || i > 0 && from[i-1] == explicit {
			e.tell(v)
			e.last = v
		}
	}
	if code == codeNext && !again && from[0] != explicit && from[1] != explicit {
		code = codeFresh
	}
	e.codes = append(e.codes, code)
	e.corners = append(e.corners, from[0]<<4|from[1])
	e.pushVertex(a, true)
	e.pushVertex(b, from[0] == 0 || from[0] == explicit)
	e.pushVertex(c, from[1] == 0 || from[1] == explicit)
	e.pushEdge(b, a)
	e.pushEdge(c, b)
	e.pushEdge(a, c)
}

// find tells how long ago a vertex came by, -1 where it has not lately.
func (e *triangleEncoder) find(v uint32) int {
	for age := uint32(0); age < min(e.vertex, 16); age++ {
		if e.vertices[(e.vertex-1-age)&15] == v {
			return int(age)
		}
	}
	return -1
}

// tell appends an index.
func (e *triangleEncoder) tell(v uint32) { e.extra = appendVarint(e.extra, zigzag(v-e.last)) }

// table lists the commonest origins of corners, at most 14, three new vertices always
// among them: as a byte of their own they would mean a new start.
func (e *triangleEncoder) table() []byte {
	const most = 14
	var counts [256]int
	fresh := 0
	for _, c := range e.codes {
		if c >= codeFresh {
			if c == codeFresh {
				counts[e.corners[fresh]]++
			}
			fresh++
		}
	}
	list := []byte{}
	for k := 1; k < len(counts); k++ {
		if counts[k] > 0 {
			list = append(list, byte(k))
		}
	}
	slices.SortStableFunc(list, func(a, b byte) int { return counts[b] - counts[a] })
	return append([]byte{0}, list[:min(len(list), most-1)]...)
}

// bytes puts the stream together.
func (e *triangleEncoder) bytes() []byte {
	const size = 16
	table := e.table()
	out := append(make([]byte, 0, 1+len(e.codes)+len(e.extra)+len(e.corners)+size), trianglesMagic)
	codes := len(out)
	out = append(out, e.codes...)
	corners, extra := e.corners, e.extra
	for t, c := range e.codes {
		if c >= codeFresh {
			from := corners[0]
			corners = corners[1:]
			k := slices.Index(table, from)
			switch {
			case c == codeFresh && k >= 0:
				out[codes+t] = codeFresh | byte(k)
			case c == codeFresh:
				out[codes+t] = codeNext
				fallthrough
			default:
				out = append(out, from)
			}
		}
		n := int(e.sizes[t])
		out = append(out, extra[:n]...)
		extra = extra[n:]
	}
	return append(out, append(table, make([]byte, size-len(table))...)...)
}
