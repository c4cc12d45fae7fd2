package mesh

import (
	"context"
	"image"
	"strconv"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/geom/render"
	"slate360.ai/worker/geom/texture"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/pipeline/thumbnail"
)

// thumbnailTexture is the longest side of textures that the picture is made with.
const thumbnailTexture = 2048

// runThumbnail draws the model.
func runThumbnail(ctx context.Context, s *pipeline.Context) error {
	d, err := openScene(s)
	if err != nil {
		return err
	}
	scene, err := renderScene(d)
	if err != nil {
		return pipeline.BadInput(err, "")
	}
	img, err := render.Draw(ctx, scene, render.Options{Width: thumbnail.Width, Height: thumbnail.Height, Workers: s.Workers()})
	if err != nil {
		return err
	}
	if err := thumbnail.Publish(s, img); err != nil {
		return err
	}
	frames := s.Options().Turntable
	if frames == 0 {
		return nil
	}
	return thumbnail.PublishTurntable(s, frames, func(yield func(*image.NRGBA) error) error {
		o := render.Options{Width: thumbnail.TurntableWidth, Height: thumbnail.TurntableHeight, Workers: s.Workers()}
		return render.Turntable(ctx, scene, o, frames, yield)
	})
}

// renderScene gathers all that is shown, in the places of the scene.
func renderScene(d *gltf.Document) (*render.Scene, error) {
	out := &render.Scene{Materials: materials(d)}
	instances, err := d.Instances()
	if err != nil {
		return nil, err
	}
	for _, at := range instances {
		for _, p := range d.Meshes[at.Mesh].Primitives {
			if _, ok := p.Attributes["POSITION"]; !ok {
				continue
			}
			m, err := renderMesh(d, p, &at.World)
			if err != nil {
				return nil, err
			}
			out.Meshes = append(out.Meshes, m)
		}
	}
	return out, nil
}

func renderMesh(d *gltf.Document, p *gltf.Primitive, world *gltf.Matrix) (*render.Mesh, error) {
	m := &render.Mesh{Material: len(d.Materials)}
	if p.Material != nil {
		m.Material = *p.Material
	}
	var err error
	read := func(name string) []float32 {
		k, ok := p.Attributes[name]
		if !ok || err != nil {
			return nil
		}
		var v []float32
		v, err = d.Floats(k)
		return v
	}
	m.Positions, m.Normals, m.Colors = read("POSITION"), read("NORMAL"), read("COLOR_0")
	if p.Material != nil {
		material := d.Materials[*p.Material]
		if material.PBR != nil {
			m.UVs = coordinates(material.PBR.BaseColorTexture, read)
		}
		m.EmissiveUVs = coordinates(material.EmissiveTexture, read)
	}
	if err != nil {
		return nil, err
	}
	if k, ok := p.Attributes["COLOR_0"]; ok {
		m.ColorSize = gltf.Components(d.Accessors[k].Type)
	}
	n := world.Normals()
	if world.Determinant() < 0 {
		for i := range n {
			n[i] = -n[i]
		}
	}
	for i := 0; i+2 < len(m.Positions); i += 3 {
		q := world.Point([3]float64{float64(m.Positions[i]), float64(m.Positions[i+1]), float64(m.Positions[i+2])})
		m.Positions[i], m.Positions[i+1], m.Positions[i+2] = float32(q[0]), float32(q[1]), float32(q[2])
	}
	for i := 0; i+2 < len(m.Normals); i += 3 {
		x, y, z := float64(m.Normals[i]), float64(m.Normals[i+1]), float64(m.Normals[i+2])
		for k := range 3 {
			m.Normals[i+k] = float32(n[k]*x + n[3+k]*y + n[6+k]*z)
		}
	}
	switch p.Mode {
	case gltf.ModePoints:
		m.Points = true
	case gltf.ModeTriangles, gltf.ModeTriangleStrip, gltf.ModeTriangleFan:
		if m.Indices, err = triangles(d, p); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// coordinates reads those that a texture uses, moved as it says. What cannot be
// understood of that is left out: a picture is better than none.
func coordinates(t *gltf.TextureInfo, read func(name string) []float32) []float32 {
	if t == nil {
		return nil
	}
	move, _ := t.Transform()
	uv := read("TEXCOORD_" + strconv.Itoa(move.TexCoord))
	move.Apply(uv)
	return uv
}

// materials gives those of the document, and a plain one at the end.
func materials(d *gltf.Document) []render.Material {
	pictures := map[int]*texture.Image{}
	picture := func(t *gltf.TextureInfo) *texture.Image {
		if t == nil {
			return nil
		}
		for _, i := range imagesOf(d.Textures[t.Index]) {
			if i < 0 || i >= len(d.Images) || d.Images[i].BufferView == nil {
				continue
			}
			if p, ok := pictures[i]; ok {
				return p
			}
			img, ok, err := decodeImage(d.BufferViews[*d.Images[i].BufferView].Data)
			if err != nil || !ok {
				continue
			}
			p := texture.New(img)
			for max(p.Width, p.Height) > thumbnailTexture {
				p = p.Half(true, false)
			}
			pictures[i] = p
			return p
		}
		return nil
	}
	out := make([]render.Material, 0, len(d.Materials)+1)
	for _, m := range d.Materials {
		r := render.DefaultMaterial()
		if m.PBR != nil {
			if c := m.PBR.BaseColorFactor; c != nil {
				r.Color = [4]float32{float32(c[0]), float32(c[1]), float32(c[2]), float32(c[3])}
			}
			if m.PBR.MetallicFactor != nil {
				r.Metallic = float32(*m.PBR.MetallicFactor)
			}
			if m.PBR.RoughnessFactor != nil {
				r.Roughness = float32(*m.PBR.RoughnessFactor)
			}
			r.Texture = picture(m.PBR.BaseColorTexture)
		}
		if e := m.EmissiveFactor; e != nil {
			r.Emissive = [3]float32{float32(e[0]), float32(e[1]), float32(e[2])}
			r.EmissiveTexture = picture(m.EmissiveTexture)
		}
		_, r.Unlit = m.Extensions[gltf.ExtUnlit]
		r.DoubleSided = m.DoubleSided
		switch m.AlphaMode {
		case "MASK":
			r.Cutoff = 0.5
			if m.AlphaCutoff != nil {
				r.Cutoff = float32(*m.AlphaCutoff)
			}
		case "BLEND":
			r.Blend = true
		}
		out = append(out, r)
	}
	plain := render.DefaultMaterial()
	plain.Metallic = 0
	return append(out, plain)
}
