package meshopt

import "fmt"

// triangles is the state of the triangle codec.
type triangles struct {
	edges    [16][2]uint32
	vertices [16]uint32
	edge     uint32
	vertex   uint32
}

func (t *triangles) pushEdge(a, b uint32) {
	t.edges[t.edge&15] = [2]uint32{a, b}
	t.edge++
}

func (t *triangles) pushVertex(v uint32, push bool) {
	t.vertices[t.vertex&15] = v
	if push {
		t.vertex++
	}
}

// Triangles decodes count indices, three a triangle.
func Triangles(count int, src []byte) ([]uint32, error) {
	if count%3 != 0 {
		return nil, fmt.Errorf("meshopt: %d indices, want three a triangle", count)
	}
	n := count / 3
	const table = 16
	if len(src) < 1+n+table {
		return nil, errShort
	}
	if src[0] != trianglesMagic {
		return nil, fmt.Errorf("meshopt: a triangle stream that begins with %#x cannot be read", src[0])
	}
	codes, aux := src[1:1+n], src[len(src)-table:]
	s := stream{data: src[1+n : len(src)-table]}
	out := make([]uint32, 0, count)
	var t triangles
	var next, last uint32
	take := func() uint32 { next++; return next - 1 }
	for _, code := range codes {
		if code < 0xf0 {
			e := t.edges[(t.edge-1-uint32(code>>4))&15]
			a, b := e[0], e[1]
			var c uint32
			fec := uint32(code & 15)
			push := true
			switch {
			case fec == 0:
				c = take()
			case fec < 13:
				c, push = t.vertices[(t.vertex-1-fec)&15], false
			case fec == 15:
				c = s.index(last)
				last = c
			default:
				c = last + (fec - (fec ^ 3))
				last = c
			}
			out = append(out, a, b, c)
			t.pushVertex(c, push)
			t.pushEdge(c, b)
			t.pushEdge(a, c)
			continue
		}
		var a, b, c uint32
		var feb, fec uint32
		if code < 0xfe {
			x := uint32(aux[code&15])
			feb, fec = x>>4, x&15
			a = take()
			b = t.pick(feb, take)
			c = t.pick(fec, take)
			t.pushVertex(a, true)
			t.pushVertex(b, feb == 0)
			t.pushVertex(c, fec == 0)
		} else {
			x := uint32(s.byte())
			feb, fec = x>>4, x&15
			if x == 0 {
				next = 0
			}
			if code == 0xfe {
				a = take()
			}
			if feb != 15 {
				b = t.pick(feb, take)
			}
			if fec != 15 {
				c = t.pick(fec, take)
			}
			if code == 0xff {
				a = s.index(last)
				last = a
			}
			if feb == 15 {
				b = s.index(last)
				last = b
			}
			if fec == 15 {
				c = s.index(last)
				last = c
			}
			t.pushVertex(a, true)
			t.pushVertex(b, feb == 0 || feb == 15)
			t.pushVertex(c, fec == 0 || fec == 15)
		}
		out = append(out, a, b, c)
		t.pushEdge(b, a)
		t.pushEdge(c, b)
		t.pushEdge(a, c)
	}
	return out, s.end()
}

// pick is the next vertex, or one of the last.
func (t *triangles) pick(f uint32, take func() uint32) uint32 {
	if f == 0 {
		return take()
	}
	return t.vertices[(t.vertex-f)&15]
}
