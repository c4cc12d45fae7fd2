package mvs

// chance is a small random generator, of its own for each pixel and round, so that
// results do not depend on who computes what (PCG, M. O'Neill, 2014: XSH-RR).
type chance uint64

func newChance(seed uint64, view, round, pixel int) chance {
	// SplitMix64 (G. Steele et al., 2014) spreads the numbers.
	z := seed ^ uint64(view)<<48 ^ uint64(round)<<40 ^ uint64(pixel)
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return chance(z ^ z>>31)
}

func (c *chance) uint32() uint32 {
	old := uint64(*c)
	*c = chance(old*6364136223846793005 + 1442695040888963407)
	x := uint32((old>>18 ^ old) >> 27)
	rot := uint32(old >> 59)
	return x>>rot | x<<(-rot&31)
}

// unit is from 0 to 1.
func (c *chance) unit() float32 { return float32(c.uint32()>>8) * (1.0 / (1 << 24)) }

// signed is from -1 to 1.
func (c *chance) signed() float32 { return 2*c.unit() - 1 }

// plane is at any depth between two inverse ones, evenly as distances on photos are,
// and within some 60 degrees of straight towards the camera.
func (c *chance) plane(near, far, rx, ry float32) plane {
	inv := far + c.unit()*(near-far)
	return c.tilted(1/inv, rx, ry)
}

// tilted is a plane through a point: half of them within some 50 degrees of straight
// towards the camera, half as flat as planes can be seen.
func (c *chance) tilted(depth, rx, ry float32) plane {
	l := 1 / sqrt32(rx*rx+ry*ry+1)
	tilt := float32(1)
	if c.uint32()&1 != 0 {
		tilt = 8 * c.unit()
	}
	// About the ray: straight is n = -ray, and what is added is across it, roughly.
	n := [3]float32{-rx*l + tilt*c.signed(), -ry*l + tilt*c.signed(), -l}
	p := planeAt(depth, n, rx, ry)
	if !p.faces(1/depth, rx, ry) {
		p = planeAt(depth, [3]float32{-rx, -ry, -1}, rx, ry)
	}
	return p
}
