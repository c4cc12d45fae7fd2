// Package raycast finds what rays hit first on a surface of triangles.
//
// Triangles lie in a binary tree of boxes that is split where rays are expected to
// cost least (I. Wald, "On fast construction of SAH-based bounding volume
// hierarchies", 2007); a ray and a triangle meet as T. Möller and B. Trumbore say
// ("Fast, minimum storage ray/triangle intersection", 1997).
package raycast

import (
	"errors"
	"fmt"
	"math"
)

// Errors of New.
var (
	// ErrEmpty says that there are no triangles.
	ErrEmpty = errors.New("raycast: a surface without triangles")
	// ErrMesh says that the arrays are no mesh.
	ErrMesh = errors.New("raycast: malformed mesh")
)

// Hit is where a ray meets a triangle.
type Hit struct {
	// T is the distance along the ray, in lengths of its direction.
	T float32
	// Triangle is its number, and the point (1-U-V)·a + U·b + V·c.
	Triangle int32
	U, V     float32
}

// Ray is a line from an origin; the direction need not be of length one.
type Ray struct{ Origin, Direction [3]float32 }

// At returns the point at distance t.
func (r *Ray) At(t float32) [3]float32 {
	return [3]float32{r.Origin[0] + t*r.Direction[0], r.Origin[1] + t*r.Direction[1], r.Origin[2] + t*r.Direction[2]}
}

// Surface is a mesh that can be asked for hits, by any number of goroutines.
type Surface struct {
	nodes []node
	tris  []triangle
	order []int32 // number of each of tris
	place []int32 // where in tris a triangle is
}

// triangle is a corner and the edges from it.
type triangle struct{ a, ab, ac [3]float32 }

// node of the tree: children are at first and first+1 where count is 0, else count
// triangles from first on.
type node struct {
	side         [2][3]float32 // lower and upper corner
	first, count int32
}

// New makes a surface of xyz triples and three indices a triangle, which it copies:
// some 80 bytes a triangle.
func New(positions []float32, triangles []uint32) (*Surface, error) {
	n := len(triangles) / 3
	if n == 0 {
		return nil, ErrEmpty
	}
	if len(triangles)%3 != 0 || len(positions)%3 != 0 || n > math.MaxInt32/4 {
		return nil, fmt.Errorf("%w: %d coordinates, %d indices", ErrMesh, len(positions), len(triangles))
	}
	for i, v := range triangles {
		if int(v) >= len(positions)/3 {
			return nil, fmt.Errorf("%w: index %d is vertex %d of %d", ErrMesh, i, v, len(positions)/3)
		}
		for k := range 3 {
			if c := positions[3*v+uint32(k)]; c-c != 0 {
				return nil, fmt.Errorf("%w: vertex %d is not finite", ErrMesh, v)
			}
		}
	}
	return build(positions, triangles), nil
}

// Nearest returns the first hit beyond tmin and before tmax. hint is the number of a
// triangle that may be hit, such as that of the ray beside this one, or -1.
func (s *Surface) Nearest(r *Ray, tmin, tmax float32, hint int32) (Hit, bool) {
	best := Hit{T: tmax, Triangle: -1}
	if hint >= 0 {
		s.test(s.place[hint], r, tmin, &best)
	}
	s.walk(r, tmin, &best, false)
	return best, best.Triangle >= 0
}

// Blocked tells whether anything is hit beyond tmin and before tmax.
func (s *Surface) Blocked(r *Ray, tmin, tmax float32) bool {
	best := Hit{T: tmax, Triangle: -1}
	s.walk(r, tmin, &best, true)
	return best.Triangle >= 0
}

func (s *Surface) walk(r *Ray, tmin float32, best *Hit, stopAtFirst bool) {
	sl := newSlabs(r)
	var stack [96]int32
	depth, at := 0, int32(0)
	if sl.enter(&s.nodes[0], tmin, best.T) == missed {
		return
	}
	for {
		n := &s.nodes[at]
		if n.count > 0 {
			for i := n.first; i < n.first+n.count; i++ {
				if s.test(i, r, tmin, best) && stopAtFirst {
					return
				}
			}
		} else {
			near, far := n.first, n.first+1
			tn, tf := sl.enter(&s.nodes[near], tmin, best.T), sl.enter(&s.nodes[far], tmin, best.T)
			if tf < tn {
				near, far, tn, tf = far, near, tf, tn
			}
			if tn != missed {
				if tf != missed {
					stack[depth] = far
					depth++
				}
				at = near
				continue
			}
		}
		// What was hit since may be before what waits.
		for {
			if depth == 0 {
				return
			}
			depth--
			at = stack[depth]
			if sl.enter(&s.nodes[at], tmin, best.T) != missed {
				break
			}
		}
	}
}

const missed = math.MaxFloat32

// slabs is what of a ray the boxes need: the inverse of its direction, and which side
// of a box it meets first on each axis.
type slabs struct {
	origin, inverse [3]float32
	x, y, z         uint8
}

func newSlabs(r *Ray) slabs {
	s := slabs{origin: r.Origin, inverse: [3]float32{1 / r.Direction[0], 1 / r.Direction[1], 1 / r.Direction[2]}}
	if s.inverse[0] < 0 {
		s.x = 1
	}
	if s.inverse[1] < 0 {
		s.y = 1
	}
	if s.inverse[2] < 0 {
		s.z = 1
	}
	return s
}

// enter returns where the ray comes into a box, or missed. A direction of zero gives
// infinite distances, or none at all on a side of the box, which count as inside.
func (s *slabs) enter(n *node, tmin, tmax float32) float32 {
	if t := (n.side[s.x&1][0] - s.origin[0]) * s.inverse[0]; t > tmin {
		tmin = t
	}
	if t := (n.side[s.y&1][1] - s.origin[1]) * s.inverse[1]; t > tmin {
		tmin = t
	}
	if t := (n.side[s.z&1][2] - s.origin[2]) * s.inverse[2]; t > tmin {
		tmin = t
	}
	if t := (n.side[1-s.x&1][0] - s.origin[0]) * s.inverse[0]; t < tmax {
		tmax = t
	}
	if t := (n.side[1-s.y&1][1] - s.origin[1]) * s.inverse[1]; t < tmax {
		tmax = t
	}
	if t := (n.side[1-s.z&1][2] - s.origin[2]) * s.inverse[2]; t < tmax {
		tmax = t
	}
	if tmin > tmax*(1+4e-7)+1e-30 {
		return missed
	}
	return tmin
}

// slack lets rays that pass between two triangles hit one of them.
const slack = 2e-6

func (s *Surface) test(i int32, r *Ray, tmin float32, best *Hit) bool {
	t := &s.tris[i]
	d, ab, ac := &r.Direction, &t.ab, &t.ac
	px, py, pz := d[1]*ac[2]-d[2]*ac[1], d[2]*ac[0]-d[0]*ac[2], d[0]*ac[1]-d[1]*ac[0]
	det := ab[0]*px + ab[1]*py + ab[2]*pz
	if det == 0 {
		return false
	}
	inv := 1 / det
	ox, oy, oz := r.Origin[0]-t.a[0], r.Origin[1]-t.a[1], r.Origin[2]-t.a[2]
	u := (ox*px + oy*py + oz*pz) * inv
	if !(u >= -slack && u <= 1+slack) {
		return false
	}
	qx, qy, qz := oy*ab[2]-oz*ab[1], oz*ab[0]-ox*ab[2], ox*ab[1]-oy*ab[0]
	v := (d[0]*qx + d[1]*qy + d[2]*qz) * inv
	if !(v >= -slack && u+v <= 1+slack) {
		return false
	}
	h := (ac[0]*qx + ac[1]*qy + ac[2]*qz) * inv
	if !(h > tmin && h < best.T) {
		return false
	}
	*best = Hit{T: h, Triangle: s.order[i], U: u, V: v}
	return true
}
