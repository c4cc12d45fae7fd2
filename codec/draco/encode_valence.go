package draco

import "encoding/binary"

// Valences of the tip of the active edge that the valence coder tells apart
// (specification, "EdgeBreaker Traversal Valence").
const (
	encMinValence  = 2
	encMaxValence  = 7
	encNumContexts = encMaxValence - encMinValence + 1
)

// encValences puts the symbols of a traversal into contexts by the valence that a
// decoder knows before it reads them. It is run after the traversal, and changes
// the vertices of the corners: where a symbol S splits the surface, the vertex is
// two until the decoder joins them.
type encValences struct {
	contexts [encNumContexts][]uint32
	valence  []int32
}

// run fills the contexts.
func (v *encValences) run(t *encTraversal) {
	c := t.corners
	v.valence = encResize(v.valence, len(c.boundary))
	for i, open := range c.boundary {
		v.valence[i] = 0
		if open {
			v.valence[i] = 1
		}
	}
	for _, i := range c.vertex {
		v.valence[i]++
	}
	for i := range v.contexts {
		v.contexts[i] = v.contexts[i][:0]
	}
	for i, s := range t.symbols {
		tip := t.order[i]
		next, previous := encNext(tip), encPrevious(tip)
		active := v.valence[c.vertex[next]]
		if i > 0 {
			k := min(max(active, encMinValence), encMaxValence) - encMinValence
			v.contexts[k] = append(v.contexts[k], uint32(t.symbols[i-1]))
		}
		a, n, p := &v.valence[c.vertex[tip]], &v.valence[c.vertex[next]], &v.valence[c.vertex[previous]]
		switch s {
		case encSymbolC:
			*n--
			*p--
		case encSymbolS:
			*n--
			*p--
			v.split(t, int32(i))
		case encSymbolR:
			*a--
			*n--
			*p -= 2
		case encSymbolL:
			*a--
			*n -= 2
			*p--
		case encSymbolE:
			*a -= 2
			*n -= 2
			*p -= 2
		}
	}
}

// split gives the vertex at the tip of a symbol S its triangles on the left, and
// a new vertex those on the right.
func (v *encValences) split(t *encTraversal, symbol int32) {
	c := t.corners
	tip := t.order[symbol]
	seen := func(corner int32) bool {
		return corner == encNone || t.faces[corner/3] <= symbol
	}
	left := int32(1)
	for at := c.opposite[encPrevious(tip)]; !seen(at); at = c.opposite[encNext(at)] {
		left++
	}
	v.valence[c.vertex[tip]] = left
	right := int32(1)
	for at := c.opposite[encNext(tip)]; !seen(at); at = c.opposite[encPrevious(at)] {
		c.vertex[encNext(at)] = int32(len(v.valence))
		right++
	}
	v.valence = append(v.valence, right)
}

// append appends the contexts (specification, "EdgeBreakerTraversalValenceStart").
func (v *encValences) append(dst []byte, t *encEntropy) []byte {
	for _, symbols := range v.contexts {
		dst = binary.AppendUvarint(dst, uint64(len(symbols)))
		dst = t.append(dst, symbols, 1)
	}
	return dst
}
