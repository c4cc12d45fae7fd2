package mvs

import "math"

// plane is a hypothesis in the frame of a camera: the vector w whose product with a
// ray (x, y, 1) is the inverse of the depth at which the ray meets the plane. It is
// the normal divided by n·X, so that the same plane at another pixel is the same
// three numbers. Zero stands for none.
type plane [3]float32

// inverse returns one over the depth along a ray.
func (p *plane) inverse(rx, ry float32) float32 { return p[0]*rx + p[1]*ry + p[2] }

// planeAt returns the plane with a unit normal, towards the camera, at a depth of a ray.
func planeAt(depth float32, n [3]float32, rx, ry float32) plane {
	d := 1 / (depth * (n[0]*rx + n[1]*ry + n[2]))
	return plane{n[0] * d, n[1] * d, n[2] * d}
}

// normal returns the unit normal, towards the camera.
func (p *plane) normal() [3]float32 {
	l := -1 / sqrt32(p[0]*p[0]+p[1]*p[1]+p[2]*p[2])
	return [3]float32{p[0] * l, p[1] * l, p[2] * l}
}

// grazing is the cosine of the flattest view of a plane that is tried, 87 degrees:
// people photograph the ground in front of them like that.
const grazing = 0.05

// faces tells whether the plane, of which inv is the inverse depth at the ray, is
// seen from the front and not grazing.
func (p *plane) faces(inv, rx, ry float32) bool {
	return inv > 0 && inv*inv > grazing*grazing*(p[0]*p[0]+p[1]*p[1]+p[2]*p[2])*(rx*rx+ry*ry+1)
}

func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }

func abs32(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

func dot3(a, b [3]float32) float32 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }
