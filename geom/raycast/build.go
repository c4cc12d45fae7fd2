package raycast

import "math"

const (
	bins     = 16
	leafSize = 4
)

// box is a bounding box.
type box struct{ lo, hi [3]float32 }

func emptyBox() box {
	inf := float32(math.Inf(1))
	return box{[3]float32{inf, inf, inf}, [3]float32{-inf, -inf, -inf}}
}

func (b *box) add(o *box) {
	for k := range 3 {
		b.lo[k], b.hi[k] = min(b.lo[k], o.lo[k]), max(b.hi[k], o.hi[k])
	}
}

func (b *box) point(p [3]float32) { b.add(&box{p, p}) }

// half of the area of a box.
func (b *box) half() float64 {
	x, y, z := float64(b.hi[0]-b.lo[0]), float64(b.hi[1]-b.lo[1]), float64(b.hi[2]-b.lo[2])
	return x*y + y*z + z*x
}

// builder holds what is needed while a tree grows.
type builder struct {
	boxes   []box
	centers [][3]float32
	order   []int32
	nodes   []node
}

func build(positions []float32, triangles []uint32) *Surface {
	n := len(triangles) / 3
	at := func(v uint32) [3]float32 { return [3]float32(positions[3*v : 3*v+3]) }
	b := &builder{boxes: make([]box, n), centers: make([][3]float32, n), order: make([]int32, n), nodes: make([]node, 1, n)}
	for i := range n {
		bb := emptyBox()
		for c := range 3 {
			bb.point(at(triangles[3*i+c]))
		}
		b.boxes[i], b.order[i] = bb, int32(i)
		for k := range 3 {
			b.centers[i][k] = bb.lo[k]/2 + bb.hi[k]/2
		}
	}
	b.split(0, 0, n, 0)
	s := &Surface{nodes: b.nodes, order: b.order, tris: make([]triangle, n), place: make([]int32, n)}
	for place, i := range s.order {
		s.place[i] = int32(place)
		p, q, r := at(triangles[3*i]), at(triangles[3*i+1]), at(triangles[3*i+2])
		s.tris[place] = triangle{p, [3]float32{q[0] - p[0], q[1] - p[1], q[2] - p[2]}, [3]float32{r[0] - p[0], r[1] - p[1], r[2] - p[2]}}
	}
	return s
}

// deepest is below the stack of a walk.
const deepest = 90

// split makes node at of the triangles order[from:to].
func (b *builder) split(at int32, from, to, depth int) {
	whole, middle := emptyBox(), emptyBox()
	for _, i := range b.order[from:to] {
		whole.add(&b.boxes[i])
		middle.point(b.centers[i])
	}
	n := &b.nodes[at]
	n.side = [2][3]float32{whole.lo, whole.hi}
	n.first, n.count = int32(from), int32(to-from)
	if to-from <= leafSize || depth >= deepest {
		return
	}
	half := b.partition(from, to, &whole, &middle)
	first := int32(len(b.nodes))
	n.first, n.count = first, 0
	b.nodes = append(b.nodes, node{}, node{})
	b.split(first, from, half, depth+1)
	b.split(first+1, half, to, depth+1)
}

// partition orders the triangles by the cheapest of the splits tried, and returns
// where it is: the middle where all centres are at one place.
func (b *builder) partition(from, to int, whole, middle *box) int {
	axis, cut, cost := -1, 0, math.Inf(1)
	for k := range 3 {
		if middle.hi[k] <= middle.lo[k] {
			continue
		}
		if c, price := b.cheapest(from, to, k, middle); price < cost {
			axis, cut, cost = k, c, price
		}
	}
	if axis < 0 {
		return (from + to) / 2
	}
	half := from
	for i := from; i < to; i++ {
		if bin(b.centers[b.order[i]][axis], middle, axis) < cut {
			b.order[i], b.order[half] = b.order[half], b.order[i]
			half++
		}
	}
	if half == from || half == to {
		return (from + to) / 2
	}
	return half
}

func bin(center float32, middle *box, axis int) int {
	return min(bins-1, int((center-middle.lo[axis])/(middle.hi[axis]-middle.lo[axis])*bins))
}

// cheapest returns the bin on an axis before which a split costs least.
func (b *builder) cheapest(from, to, axis int, middle *box) (cut int, cost float64) {
	var boxes [bins]box
	var counts [bins]int
	for i := range boxes {
		boxes[i] = emptyBox()
	}
	for _, i := range b.order[from:to] {
		k := bin(b.centers[i][axis], middle, axis)
		boxes[k].add(&b.boxes[i])
		counts[k]++
	}
	var right [bins]float64
	acc, n := emptyBox(), 0
	for k := bins - 1; k > 0; k-- {
		acc.add(&boxes[k])
		n += counts[k]
		right[k] = 0
		if n > 0 {
			right[k] = acc.half() * float64(n)
		}
	}
	acc, n, cost = emptyBox(), 0, math.Inf(1)
	for k := 1; k < bins; k++ {
		acc.add(&boxes[k-1])
		n += counts[k-1]
		if n == 0 || n == to-from {
			continue
		}
		if price := acc.half()*float64(n) + right[k]; price < cost {
			cut, cost = k, price
		}
	}
	return cut, cost
}
