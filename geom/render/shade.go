package render

import (
	"math"

	"slate360.ai/worker/geom/texture"
)

// shader colours the pixels of one triangle.
type shader struct {
	d           *drawing
	m           *Mesh
	mat         *Material
	i           [3]uint32
	flat        vec // normal where the mesh has none
	smooth      bool
	turn        float64 // -1 where the triangle is seen from behind
	level       *texture.Image
	emissive    *texture.Image
	base        [4]float32
	uniform     bool // the light is the same all over
	light, glow float32
}

// shader prepares a triangle: the level of the texture by how many of its pixels
// fall on one of the picture.
func (d *drawing) shader(m *Mesh, mat *Material, i0, i1, i2 uint32, facing bool, area float32) *shader {
	s := &shader{d: d, m: m, mat: mat, i: [3]uint32{i0, i1, i2}, turn: 1, base: mat.Color}
	if !facing {
		s.turn = -1
	}
	s.smooth = m.Normals != nil
	at := func(i uint32) vec {
		p := m.Positions[3*i:]
		return vec{float64(p[0]), float64(p[1]), float64(p[2])}
	}
	if !s.smooth {
		s.flat = mul(unit(cross(sub(at(i1), at(i0)), sub(at(i2), at(i0)))), s.turn)
		s.light, s.glow = s.illuminate(s.flat)
		s.uniform = true
	}
	s.level = s.scaled(mat.Texture, m.UVs, area)
	s.emissive = s.scaled(mat.EmissiveTexture, m.EmissiveUVs, area)
	return s
}

// scaled is the level of a texture for a triangle that takes an area of the picture,
// nil where there is no texture.
func (s *shader) scaled(t *texture.Image, uv []float32, area float32) *texture.Image {
	if t == nil || uv == nil {
		return nil
	}
	i0, i1, i2 := s.i[0], s.i[1], s.i[2]
	du1, dv1 := uv[2*i1]-uv[2*i0], uv[2*i1+1]-uv[2*i0+1]
	du2, dv2 := uv[2*i2]-uv[2*i0], uv[2*i2+1]-uv[2*i0+1]
	texels := math.Abs(float64(du1*dv2-du2*dv1)) * float64(t.Width) * float64(t.Height)
	return t.Level(texels / math.Abs(float64(area)))
}

// sample is the colour of a texture at the place of barycentric coordinates.
func (s *shader) sample(t *texture.Image, uv []float32, a, b, c float32) [4]float32 {
	i0, i1, i2 := 2*s.i[0], 2*s.i[1], 2*s.i[2]
	return t.Sample(a*uv[i0]+b*uv[i1]+c*uv[i2], a*uv[i0+1]+b*uv[i1+1]+c*uv[i2+1])
}

// illuminate gives diffuse light and highlight for a normal: sky and ground, a key
// light from the upper left, a weak one from the eye.
func (s *shader) illuminate(n vec) (light, glow float32) {
	sky := 0.5 + 0.5*n[1]
	key := max(0, dot(n, s.d.key))
	eye := max(0, dot(n, s.d.c.back))
	light = float32(0.26 + 0.22*sky + 0.55*key + 0.12*eye)
	rough := max(float64(s.mat.Roughness), 0.15)
	power := 2/(rough*rough*rough*rough) - 2
	h := max(0, dot(n, s.d.half))
	glow = float32(math.Pow(h, max(power, 1)) * (1 - 0.75*rough))
	return light, glow
}

// at colours the place of barycentric coordinates; ok is false where it is cut out.
func (s *shader) at(a, b, c float32) (out [4]float32, ok bool) {
	m := s.m
	out = s.base
	if s.level != nil {
		t := s.sample(s.level, m.UVs, a, b, c)
		for k := range 4 {
			out[k] *= t[k]
		}
	}
	if m.Colors != nil {
		n := uint32(m.ColorSize)
		for k := range min(n, 4) {
			out[k] *= a*m.Colors[s.i[0]*n+k] + b*m.Colors[s.i[1]*n+k] + c*m.Colors[s.i[2]*n+k]
		}
	}
	if s.mat.Cutoff > 0 && out[3] < s.mat.Cutoff {
		return out, false
	}
	if s.mat.Unlit {
		return out, true
	}
	light, glow := s.light, s.glow
	if !s.uniform {
		var n vec
		for k := range uint32(3) {
			n[k] = float64(a*m.Normals[3*s.i[0]+k] + b*m.Normals[3*s.i[1]+k] + c*m.Normals[3*s.i[2]+k])
		}
		n = unit(n)
		// A normal that looks away from the eye is that of the back.
		if dot(n, s.d.c.back)*s.turn < -0.3 || s.turn < 0 {
			n = mul(n, s.turn)
		}
		light, glow = s.illuminate(n)
	}
	// Metal has no diffuse light; the sky that it would mirror is a brighter
	// ambient here.
	metal := s.mat.Metallic
	emitted := [4]float32{1, 1, 1}
	if s.emissive != nil {
		emitted = s.sample(s.emissive, m.EmissiveUVs, a, b, c)
	}
	for k := range 3 {
		diffuse := out[k] * light * (1 - 0.25*metal)
		highlight := glow * (0.25*(1-metal) + 0.9*out[k]*metal)
		out[k] = diffuse + highlight + s.mat.Emissive[k]*emitted[k]
	}
	return out, true
}
