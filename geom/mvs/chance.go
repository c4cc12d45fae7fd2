package mvs

import "math"

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

// signed is from −1 to 1.
func (c *chance) signed() float32 { return 2*c.unit() - 1 }

// depth is between two, evenly in its inverse, as distances on the photos are.
func (c *chance) depth(near, far float32) float32 {
	u := c.unit()
	return 1 / (u/near + (1-u)/far)
}

// normal is a direction within some 60 degrees of straight towards the camera.
func (c *chance) normal(rx, ry float32) [3]float32 {
	l := float32(math.Sqrt(float64(rx*rx + ry*ry + 1)))
	for range 8 {
		n := [3]float32{-rx/l + 1.2*c.signed(), -ry/l + 1.2*c.signed(), -1 / l}
		if facing(&n, rx, ry) {
			return n
		}
	}
	return [3]float32{-rx / l, -ry / l, -1 / l}
}
