package meshopt

import "fmt"

// Indices decodes count indices of any order.
func Indices(count int, src []byte) ([]uint32, error) {
	const tail = 4
	if len(src) < 1+count+tail {
		return nil, errShort
	}
	if src[0] != indicesMagic {
		return nil, fmt.Errorf("meshopt: an index stream that begins with %#x cannot be read", src[0])
	}
	s := stream{data: src[1 : len(src)-tail]}
	out := make([]uint32, count)
	var last [2]uint32
	for i := range out {
		v := s.varint()
		k := v & 1
		v >>= 1
		last[k] += v>>1 ^ -(v & 1)
		out[i] = last[k]
	}
	return out, s.end()
}

// maxIndex is the greatest index that differences of 31 bits reach from any other.
const maxIndex = 1<<30 - 1

// inByte is the first difference, its sign in the lowest bit, that one byte does not
// hold beside the baseline.
const inByte = 1 << 6

// EncodeIndices encodes indices of any order, below 2³⁰.
func EncodeIndices(indices []uint32) ([]byte, error) {
	out := append(make([]byte, 0, 2*len(indices)+8), indicesMagic)
	var last [2]uint32
	k := 0
	for i, v := range indices {
		if v > maxIndex {
			return nil, fmt.Errorf("meshopt: index %d is %d, the greatest is %d", i, v, maxIndex)
		}
		// A baseline is kept while it is near. Where it is not, the other is taken
		// though it may be farther: it catches up with the second of two sequences.
		if zigzag(v-last[k]) >= inByte {
			k = 1 - k
		}
		d := zigzag(v - last[k])
		last[k] = v
		out = appendVarint(out, d<<1|uint32(k))
	}
	return append(out, 0, 0, 0, 0), nil
}
