// Package retrieval tells which photos may show the same, cheaply, before features
// are matched for real.
//
// Two means: Match compares a few of the largest features of two photos; Similar
// ranks all photos by the visual words they share (J. Sivic, A. Zisserman, "Video
// Google", 2003; the words are the leaves of a tree of k-means clusters, D. Nistér,
// H. Stewénius, "Scalable recognition with a vocabulary tree", 2006, trained on the
// photos themselves). Descriptors are SIFT's as COLMAP stores them: 128 bytes, of
// length about 512.
//
// Results do not depend on the number of workers.
package retrieval

// Size is that of a descriptor, in bytes.
const Size = 128

// ratio is how much nearer, in squared distance, the nearest neighbour must be than
// the second: 0.8² of D. G. Lowe, "Distinctive image features from scale-invariant
// keypoints" (2004).
const ratio = 0.64

// Match returns how many descriptors of a and b are each other's nearest neighbours
// and pass the ratio test both ways. It takes time with the product of their numbers:
// some 50 ns a pair of descriptors.
func Match(a, b []uint8) int {
	na, nb := len(a)/Size, len(b)/Size
	if na < 2 || nb < 2 {
		return 0
	}
	forward, backward := make([]nearest, na), make([]nearest, nb)
	for i := range forward {
		forward[i] = unseen()
	}
	for i := range backward {
		backward[i] = unseen()
	}
	for i := range na {
		d := (*[Size]uint8)(a[i*Size:])
		for j := range nb {
			dist := distance(d, (*[Size]uint8)(b[j*Size:]), max(forward[i].second, backward[j].second))
			forward[i].see(j, dist)
			backward[j].see(i, dist)
		}
	}
	n := 0
	for i, f := range forward {
		if f.distinct() && backward[f.index].index == i && backward[f.index].distinct() {
			n++
		}
	}
	return n
}

// nearest keeps the two least distances, squared.
type nearest struct {
	index         int
	first, second int32
}

func unseen() nearest { return nearest{index: -1, first: 1 << 30, second: 1 << 30} }

func (n *nearest) see(index int, dist int32) {
	if dist >= n.second {
		return
	}
	if dist < n.first {
		n.index, n.first, n.second = index, dist, n.first
		return
	}
	n.second = dist
}

func (n *nearest) distinct() bool { return float64(n.first) < ratio*float64(n.second) }

// distance is squared. It stops early, at a number from limit up, where it becomes
// that large.
func distance(a, b *[Size]uint8, limit int32) int32 {
	const block = 32
	var sum int32
	for at := 0; at < Size; at += block {
		x, y := (*[block]uint8)(a[at:]), (*[block]uint8)(b[at:])
		var s0, s1, s2, s3 int32
		for i := 0; i < block; i += 4 {
			d0 := int32(x[i]) - int32(y[i])
			d1 := int32(x[i+1]) - int32(y[i+1])
			d2 := int32(x[i+2]) - int32(y[i+2])
			d3 := int32(x[i+3]) - int32(y[i+3])
			s0 += d0 * d0
			s1 += d1 * d1
			s2 += d2 * d2
			s3 += d3 * d3
		}
		if sum += s0 + s1 + s2 + s3; sum >= limit {
			return sum
		}
	}
	return sum
}
