// Package polygon cuts polygons into triangles, by clipping ears (G. H. Meisters,
// "Polygons have ears", 1975).
package polygon

import "math"

// Triangulate cuts a polygon in space into triangles and appends the indices of
// their corners in the polygon to dst, in its winding. Points are xyz triples. Every
// polygon of n points gives n-2 triangles, self-crossing ones too.
func Triangulate(dst []int, points []float64) []int {
	n := len(points) / 3
	switch {
	case n < 3:
		return dst
	case n == 3:
		return append(dst, 0, 1, 2)
	}
	if n > mostClipped {
		for i := 2; i < n; i++ {
			dst = append(dst, 0, i-1, i)
		}
		return dst
	}
	flat := project(points)
	if n == 4 {
		return quad(dst, flat)
	}
	return clip(dst, flat)
}

// mostClipped is as many points as ears are clipped of: larger ones, which no program
// draws, are cut from their first point.
const mostClipped = 1 << 14

type point struct{ x, y float64 }

// project drops the axis along which the normal of the polygon (Newell's method) is
// longest, so that it runs counter-clockwise.
func project(points []float64) []point {
	n := len(points) / 3
	var normal [3]float64
	for i := range n {
		a, b := points[3*i:], points[3*((i+1)%n):]
		for k := range 3 {
			u, v := (k+1)%3, (k+2)%3
			normal[k] += (a[u] - b[u]) * (a[v] + b[v])
		}
	}
	axis := 0
	for k := 1; k < 3; k++ {
		if math.Abs(normal[k]) > math.Abs(normal[axis]) {
			axis = k
		}
	}
	u, v := (axis+1)%3, (axis+2)%3
	if normal[axis] < 0 {
		u, v = v, u
	}
	out := make([]point, n)
	for i := range out {
		out[i] = point{points[3*i+u], points[3*i+v]}
	}
	return out
}

func cross(a, b, c point) float64 { return (b.x-a.x)*(c.y-a.y) - (b.y-a.y)*(c.x-a.x) }

// quad cuts along the diagonal inside, the shorter of two.
func quad(dst []int, p []point) []int {
	inside02 := cross(p[0], p[1], p[2]) > 0 && cross(p[0], p[2], p[3]) > 0
	inside13 := cross(p[1], p[2], p[3]) > 0 && cross(p[1], p[3], p[0]) > 0
	d02 := math.Hypot(p[0].x-p[2].x, p[0].y-p[2].y)
	d13 := math.Hypot(p[1].x-p[3].x, p[1].y-p[3].y)
	if inside13 && (!inside02 || d13 < d02*0.999) {
		return append(dst, 1, 2, 3, 1, 3, 0)
	}
	return append(dst, 0, 1, 2, 0, 2, 3)
}

// clipWork bounds the looking for ears, in points that are looked at: some tens of
// milliseconds. Real polygons of thousands of points stay below.
const clipWork = 1 << 24

// clip cuts ears off until a triangle is left. Where there is no ear, since the
// polygon crosses itself, or after clipWork, it cuts anyway.
func clip(dst []int, p []point) []int {
	work := 0
	left := make([]int, len(p))
	for i := range left {
		left[i] = i
	}
	at, tried := 0, 0
	for len(left) > 3 {
		n := len(left)
		a, b, c := left[(at+n-1)%n], left[at%n], left[(at+1)%n]
		if work += n; work < clipWork && tried <= n && !ear(p, left, a, b, c) {
			at, tried = (at+1)%n, tried+1
			continue
		}
		dst = append(dst, a, b, c)
		left = append(left[:at%n], left[at%n+1:]...)
		at, tried = (at+len(left)-1)%len(left), 0
		if at%2 == 0 { // go round, so that ears do not all share a corner
			at = (at + 1) % len(left)
		}
	}
	return append(dst, left[0], left[1], left[2])
}

func ear(p []point, left []int, a, b, c int) bool {
	if cross(p[a], p[b], p[c]) <= 0 {
		return false
	}
	for _, i := range left {
		if i == a || i == b || i == c || p[i] == p[a] || p[i] == p[b] || p[i] == p[c] {
			continue
		}
		if cross(p[a], p[b], p[i]) >= 0 && cross(p[b], p[c], p[i]) >= 0 && cross(p[c], p[a], p[i]) >= 0 {
			return false
		}
	}
	return true
}
