package survey

import "math"

// hash2 mixes two whole numbers and a seed into 32 bits.
func hash2(x, y int32, seed uint32) uint32 {
	h := uint32(x)*0x9E3779B1 ^ uint32(y)*0x85EBCA77 ^ seed*0xC2B2AE3D
	h ^= h >> 15
	h *= 0x2C1B3C6D
	h ^= h >> 12
	h *= 0x297A2D39
	return h ^ h>>15
}

// share turns bits into a number from 0 to 1.
func share(h uint32) float32 { return float32(h>>8) * (1.0 / (1 << 24)) }

// rehash gives further bits.
func rehash(h uint32) uint32 { return hash2(int32(h), 17, 0x51ED27) }

func lattice(x, y int32, seed uint32) float32 { return 2*share(hash2(x, y, seed)) - 1 }

func floor(v float32) (int32, float32) {
	i := int32(v)
	if float32(i) > v {
		i--
	}
	return i, v - float32(i)
}

// noise is value noise on a lattice that never repeats, -1 to 1.
func noise(x, y float32, seed uint32) float32 {
	i, u := floor(x)
	j, v := floor(y)
	u, v = u*u*(3-2*u), v*v*(3-2*v)
	a, b := lattice(i, j, seed), lattice(i+1, j, seed)
	c, d := lattice(i, j+1, seed), lattice(i+1, j+1, seed)
	a += (b - a) * u
	c += (d - c) * u
	return a + (c-a)*v
}

// octaves is noise of several wavelengths.
type octaves struct {
	longest float32 // metres
	n       int
	gain    float32 // from one to the next, which is half as long
}

// fractal sums octaves to about a third of root mean square. Those that a pixel of
// this width (metres) cannot show fade out: the mean over the pixel, so that nothing
// is aliased.
func (o octaves) fractal(x, y float32, seed uint32, width float32) float32 {
	sum, squares, amplitude, wave := float32(0), float32(0), float32(1), o.longest
	for range o.n {
		squares += amplitude * amplitude
		if seen := shows(wave, width); seen > 0 {
			sum += amplitude * seen * noise(x/wave, y/wave, seed)
		}
		// Turned by some 37°, so that lattices do not lie over each other.
		x, y = .8*x-.6*y+3.7, .6*x+.8*y-9.1
		wave *= .5
		amplitude *= o.gain
		seed++
	}
	return sum / float32(math.Sqrt(float64(squares)))
}

// shows tells how much of a pattern is left in pixels of a width: nothing of one with
// a pixel a cell, all with two.
func shows(cell, width float32) float32 { return clamp(cell/width - 1) }

// noise3 is value noise in space.
func noise3(x, y, z float32, seed uint32) float32 {
	k, w := floor(z)
	w = w * w * (3 - 2*w)
	a, b := noise(x, y, seed^uint32(k)*0x27D4EB2F), noise(x, y, seed^uint32(k+1)*0x27D4EB2F)
	return a + (b-a)*w
}

func clamp(v float32) float32 { return min(max(v, 0), 1) }

// step goes from 0 to 1 where v passes edge, over the width of a pixel.
func step(v, edge, width float32) float32 { return clamp((v-edge)/width + .5) }

// within is 1 between two edges and 0 outside, smoothed over the width of a pixel.
func within(v, from, to, width float32) float32 {
	return clamp(step(v, from, width) - step(v, to, width))
}

func mix(a, b, t float32) float32 { return a + (b-a)*t }

// rgb is a colour in linear light.
type rgb [3]float32

func (c rgb) mix(o rgb, t float32) rgb {
	return rgb{mix(c[0], o[0], t), mix(c[1], o[1], t), mix(c[2], o[2], t)}
}

func (c rgb) times(f float32) rgb { return rgb{c[0] * f, c[1] * f, c[2] * f} }

type vec [3]float32

func (a vec) plus(b vec) vec             { return vec{a[0] + b[0], a[1] + b[1], a[2] + b[2]} }
func (a vec) minus(b vec) vec            { return vec{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }
func (a vec) times(f float32) vec        { return vec{a[0] * f, a[1] * f, a[2] * f} }
func (a vec) dot(b vec) float32          { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }
func (a vec) along(t float32, d vec) vec { return a.plus(d.times(t)) }
func (a vec) unit() vec                  { return a.times(1 / float32(math.Sqrt(float64(a.dot(a))))) }

func (a vec) cross(b vec) vec {
	return vec{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}
