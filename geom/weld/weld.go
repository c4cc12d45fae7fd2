// Package weld finds vertices that lie at one place.
package weld

import "math"

// Places returns for each vertex the first one that has its position (xyz triples).
func Places(p []float32) []uint32 {
	n := len(p) / 3
	size := 1
	for size < n*2 {
		size *= 2
	}
	table := make([]uint32, size) // vertices, from 1
	place := make([]uint32, n)
	for v := range uint32(n) {
		x, y, z := p[3*v]+0, p[3*v+1]+0, p[3*v+2]+0 // -0 becomes 0
		h := math.Float32bits(x)*0x9E3779B1 ^ math.Float32bits(y)*0x85EBCA77 ^ math.Float32bits(z)*0xC2B2AE3D
		h ^= h >> 15
		h *= 0x2C1B3C6D
		h ^= h >> 13
		for i := int(h) & (size - 1); ; i = (i + 1) & (size - 1) {
			if table[i] == 0 {
				table[i], place[v] = v+1, v
				break
			}
			if o := table[i] - 1; p[3*o] == x && p[3*o+1] == y && p[3*o+2] == z {
				place[v] = o
				break
			}
		}
	}
	return place
}
