package gltf

import (
	"fmt"
	"math"
)

// UVTransform says which texture coordinates a texture uses, and how they are moved
// first: KHR_texture_transform, or the coordinates as they are.
type UVTransform struct {
	TexCoord int        // the set: n of TEXCOORD_n
	Matrix   [6]float64 // u' = m0 u + m2 v + m4, v' = m1 u + m3 v + m5
}

// Transform returns what a reference to a texture says of its coordinates. An
// extension that cannot be read is an error, with the coordinates as they are.
func (t *TextureInfo) Transform() (UVTransform, error) {
	out := UVTransform{TexCoord: t.TexCoord, Matrix: [6]float64{1, 0, 0, 1, 0, 0}}
	e := struct {
		Offset   [2]float64 `json:"offset"`
		Rotation float64    `json:"rotation"` // radians, anticlockwise
		Scale    [2]float64 `json:"scale"`
		TexCoord int        `json:"texCoord"`
	}{Scale: [2]float64{1, 1}, TexCoord: t.TexCoord}
	have, err := t.Extensions.Get(ExtTextureTransform, &e)
	if err != nil || !have {
		return out, err
	}
	if e.TexCoord < 0 {
		return out, fmt.Errorf("%s: texCoord is %d", ExtTextureTransform, e.TexCoord)
	}
	s, c := math.Sincos(e.Rotation)
	out.TexCoord = e.TexCoord
	out.Matrix = [6]float64{c * e.Scale[0], -s * e.Scale[0], s * e.Scale[1], c * e.Scale[1], e.Offset[0], e.Offset[1]}
	return out, nil
}

// Moves tells whether coordinates change.
func (t *UVTransform) Moves() bool { return t.Matrix != [6]float64{1, 0, 0, 1, 0, 0} }

// Apply moves coordinates, pairs of u and v, in place. Those that leave the numbers
// of 32 bits become 0.
func (t *UVTransform) Apply(uv []float32) {
	m := &t.Matrix
	for i := 0; i+1 < len(uv); i += 2 {
		u, v := float64(uv[i]), float64(uv[i+1])
		uv[i], uv[i+1] = finite(m[0]*u+m[2]*v+m[4]), finite(m[1]*u+m[3]*v+m[5])
	}
}

func finite(v float64) float32 {
	if f := float32(v); f-f == 0 {
		return f
	}
	return 0
}
