package collada

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"

	"slate360.ai/worker/codec/gltf"
)

// Options say how a model is read.
type Options struct {
	// File returns the bytes of a texture beside the model, by its clean relative
	// path; nil is for models without.
	File func(name string) ([]byte, error)
	// Warn is told of what is missing or left out; nil is nobody.
	Warn func(message string)
}

// Limits of what references may unfold to.
const (
	maxNodes = 200_000
	maxDepth = 128
)

type reader struct {
	o    Options
	in   *document
	d    *gltf.Document
	made map[string]int // meshes, by geometry and materials

	geometries  map[string]*geometry
	controllers map[string]*controller
	effects     map[string]*effect
	materials   map[string]*material
	images      map[string]*image
	nodes       map[string]*node
	textures    map[string]int
	looks       map[string]int
	count       int
}

// Read reads a model, in metres, with y up.
func Read(data []byte, o Options) (*gltf.Document, error) {
	in := &document{}
	dec := xml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(in); err != nil {
		line, _ := dec.InputPos()
		return nil, fmt.Errorf("collada: line %d: %w", line, err)
	}
	r := &reader{
		o: o, in: in, d: &gltf.Document{}, made: map[string]int{}, textures: map[string]int{}, looks: map[string]int{},
		geometries: index(in.Geometries, func(v *geometry) string { return v.ID }), controllers: index(in.Controllers, func(v *controller) string { return v.ID }),
		effects: index(in.Effects, func(v *effect) string { return v.ID }), materials: index(in.Materials, func(v *material) string { return v.ID }),
		images: index(in.Images, func(v *image) string { return v.ID }), nodes: map[string]*node{},
	}
	r.d.Asset.Generator = "slate360-worker"
	if err := r.scene(); err != nil {
		return nil, fmt.Errorf("collada: %w", err)
	}
	return r.d, nil
}

func index[T any](list []T, id func(*T) string) map[string]*T {
	out := make(map[string]*T, len(list))
	for i := range list {
		out[id(&list[i])] = &list[i]
	}
	return out
}

func (r *reader) warn(format string, args ...any) {
	if r.o.Warn != nil {
		r.o.Warn(fmt.Sprintf(format, args...))
	}
}

// scene makes the nodes of the scene that is shown, below one that turns and scales
// them.
func (r *reader) scene() error {
	if len(r.in.Scenes) == 0 {
		return errors.New("the file has no visual scene")
	}
	shown := &r.in.Scenes[0]
	for i := range r.in.Scenes {
		r.collect(r.in.Scenes[i].Nodes)
		if "#"+r.in.Scenes[i].ID == r.in.Scene.URL {
			shown = &r.in.Scenes[i]
		}
	}
	r.collect(r.in.Nodes)
	root := &gltf.Node{Matrix: r.upright()}
	for i := range shown.Nodes {
		k, err := r.node(&shown.Nodes[i], 0)
		if err != nil {
			return err
		}
		root.Children = append(root.Children, k)
	}
	if len(r.in.Animations) > 0 || len(r.in.Controllers) > 0 {
		r.warn("skins and animations are left out: the model stands in its bind pose")
	}
	r.d.SetRoots(r.d.AddNode(root))
	return nil
}

func (r *reader) collect(list []node) {
	for i := range list {
		r.nodes[list[i].ID] = &list[i]
		r.collect(list[i].Nodes)
	}
}

// upright turns the up axis to y and scales to metres; nil changes nothing.
func (r *reader) upright() *[16]float64 {
	s := r.in.Asset.Unit.Meter
	if !(s > 0) || math.IsInf(s, 0) {
		s = 1
	}
	switch strings.TrimSpace(r.in.Asset.UpAxis) {
	case "Z_UP":
		return &[16]float64{s, 0, 0, 0, 0, 0, -s, 0, 0, s, 0, 0, 0, 0, 0, 1}
	case "X_UP":
		return &[16]float64{0, s, 0, 0, -s, 0, 0, 0, 0, 0, s, 0, 0, 0, 0, 1}
	}
	if s == 1 {
		return nil
	}
	return &[16]float64{s, 0, 0, 0, 0, s, 0, 0, 0, 0, s, 0, 0, 0, 0, 1}
}

func (r *reader) node(n *node, depth int) (int, error) {
	if r.count++; r.count > maxNodes || depth > maxDepth {
		return 0, fmt.Errorf("node %q: nodes refer to each other more than %d deep, or unfold to more than %d", n.ID, maxDepth, maxNodes)
	}
	m, err := n.matrix()
	if err != nil {
		return 0, fmt.Errorf("node %q: %w", n.ID, err)
	}
	out := &gltf.Node{}
	if out.Name = n.Name; out.Name == "" {
		out.Name = n.ID
	}
	if m != gltf.Identity() {
		a := [16]float64(m)
		out.Matrix = &a
	}
	for _, list := range [][]instance{n.Instances, n.Controllers} {
		for i := range list {
			mesh, ok, err := r.mesh(&list[i])
			if err != nil {
				return 0, err
			}
			if !ok {
				continue
			}
			if out.Mesh == nil {
				out.Mesh = gltf.Ref(mesh)
			} else {
				out.Children = append(out.Children, r.d.AddNode(&gltf.Node{Mesh: gltf.Ref(mesh)}))
			}
		}
	}
	for i := range n.Nodes {
		k, err := r.node(&n.Nodes[i], depth+1)
		if err != nil {
			return 0, err
		}
		out.Children = append(out.Children, k)
	}
	for _, ref := range n.References {
		target, ok := r.nodes[strings.TrimPrefix(ref.URL, "#")]
		if !ok {
			r.warn("node %q refers to %q, which is not there", n.ID, ref.URL)
			continue
		}
		k, err := r.node(target, depth+1)
		if err != nil {
			return 0, err
		}
		out.Children = append(out.Children, k)
	}
	return r.d.AddNode(out), nil
}

// matrix multiplies the transforms of a node in their order (chapter 5, node).
func (n *node) matrix() (gltf.Matrix, error) {
	m := gltf.Identity()
	for _, t := range n.Transforms {
		want := map[string]int{"matrix": 16, "translate": 3, "rotate": 4, "scale": 3}[t.XMLName.Local]
		if want == 0 {
			continue
		}
		v, err := floats(t.Text)
		if err != nil || len(v) != want {
			return m, fmt.Errorf("%s of %d numbers, want %d (%w)", t.XMLName.Local, len(v), want, err)
		}
		var one gltf.Matrix
		switch t.XMLName.Local {
		case "matrix": // in rows
			for i := range one {
				one[i%4*4+i/4] = v[i]
			}
		case "translate":
			one = (&gltf.Node{Translation: (*[3]float64)(v)}).Local()
		case "scale":
			one = (&gltf.Node{Scale: (*[3]float64)(v)}).Local()
		case "rotate":
			l := math.Sqrt(v[0]*v[0] + v[1]*v[1] + v[2]*v[2])
			if !(l > 0) {
				continue
			}
			s, c := math.Sincos(v[3] * math.Pi / 360)
			one = (&gltf.Node{Rotation: &[4]float64{v[0] / l * s, v[1] / l * s, v[2] / l * s, c}}).Local()
		}
		m = m.Mul(&one)
	}
	return m, nil
}

// floats reads numbers between spaces.
func floats(text string) ([]float64, error) {
	words := strings.Fields(text)
	out := make([]float64, len(words))
	for i, w := range words {
		v, err := strconv.ParseFloat(w, 64)
		if err != nil || v-v != 0 {
			return nil, fmt.Errorf("%.40q is not a number that can be used", w)
		}
		out[i] = v
	}
	return out, nil
}

// look makes the material that a symbol is bound to; -1 is none.
func (r *reader) look(symbol string, at *instance) int {
	target := symbol
	for _, m := range at.Materials {
		if m.Symbol == symbol {
			target = strings.TrimPrefix(m.Target, "#")
		}
	}
	if i, ok := r.looks[target]; ok {
		return i
	}
	m, ok := r.materials[target]
	if !ok {
		return -1
	}
	e, ok := r.effects[strings.TrimPrefix(m.Effect.URL, "#")]
	if !ok {
		return -1
	}
	out := &gltf.Material{PBR: &gltf.PBR{MetallicFactor: new(float64)}, DoubleSided: true}
	if out.Name = m.Name; out.Name == "" {
		out.Name = m.ID
	}
	for _, s := range []*shading{e.Technique.Phong, e.Technique.Blinn, e.Technique.Lambert, e.Technique.Constant} {
		if s != nil {
			r.shade(out, e, s)
			break
		}
	}
	r.d.Materials = append(r.d.Materials, out)
	r.looks[target] = len(r.d.Materials) - 1
	return r.looks[target]
}

func (r *reader) shade(out *gltf.Material, e *effect, s *shading) {
	color := [4]float64{1, 1, 1, 1}
	if out.PBR.BaseColorTexture = r.texture(e, s.Diffuse); out.PBR.BaseColorTexture == nil {
		if v, err := floats(s.Diffuse.Color); err == nil && len(v) >= 3 {
			for k := range 3 {
				color[k] = gltf.Linear(v[k])
			}
		}
	}
	if s.Transparency != nil {
		// A_ONE: 1 is opaque. RGB_ZERO: 0 is; exporters mix them up, and none
		// means an object that nobody sees.
		a := min(max(*s.Transparency, 0), 1)
		if s.Transparent.Opaque == "RGB_ZERO" {
			a = 1 - a
		}
		if a > 0 {
			color[3] = a
		}
	}
	if color[3] < 1 {
		out.AlphaMode = "BLEND"
	}
	out.PBR.BaseColorFactor = &color
	if t := r.texture(e, s.Emission); t != nil {
		out.EmissiveTexture, out.EmissiveFactor = t, &[3]float64{1, 1, 1}
	} else if v, err := floats(s.Emission.Color); err == nil && len(v) >= 3 && v[0]+v[1]+v[2] > 0 {
		out.EmissiveFactor = &[3]float64{gltf.Linear(v[0]), gltf.Linear(v[1]), gltf.Linear(v[2])}
	}
	if s.Shininess != nil && *s.Shininess > 1 {
		rough := math.Pow(2/(*s.Shininess+2), 0.25)
		out.PBR.RoughnessFactor = &rough
	}
}

// texture finds the image behind a sampler and a surface; nil is none.
func (r *reader) texture(e *effect, c colorOrTexture) *gltf.TextureInfo {
	if c.Texture == nil {
		return nil
	}
	id := c.Texture.Name
	for range 2 { // sampler, surface
		for i := range e.Params {
			p := &e.Params[i]
			switch {
			case p.SID != id:
			case p.Sampler.Source != "":
				id = p.Sampler.Source
			case p.Sampler.Instance.URL != "":
				id = strings.TrimPrefix(p.Sampler.Instance.URL, "#")
			case p.Surface.InitFrom != "":
				id = p.Surface.InitFrom
			}
		}
	}
	if i, ok := r.textures[id]; ok {
		return info(i)
	}
	r.textures[id] = -1
	img, ok := r.images[id]
	if !ok {
		r.warn("texture %q has no image", id)
		return nil
	}
	name := strings.TrimSpace(img.InitFrom.Text)
	if img.InitFrom.Ref != "" {
		name = strings.TrimSpace(img.InitFrom.Ref)
	}
	data, err := r.open(name)
	if err != nil {
		r.warn("texture %q is left out: %v", name, err)
		return nil
	}
	r.textures[id] = r.d.AddTexture(strings.TrimSuffix(path.Base(name), path.Ext(name)), data, nil)
	return info(r.textures[id])
}

func info(i int) *gltf.TextureInfo {
	if i < 0 {
		return nil
	}
	return &gltf.TextureInfo{Index: i}
}

// open reads a file beside the model: by its path, else by its name alone, since
// exporters write paths of the author's machine.
func (r *reader) open(name string) ([]byte, error) {
	if r.o.File == nil {
		return nil, errors.New("it is not there")
	}
	name = strings.TrimPrefix(name, "file://")
	local, err := gltf.LocalName(name)
	if err == nil {
		var data []byte
		if data, err = r.o.File(local); err == nil {
			return data, nil
		}
	}
	if base, err2 := gltf.LocalName(path.Base(strings.ReplaceAll(name, "\\", "/"))); err2 == nil && base != local {
		if data, err2 := r.o.File(base); err2 == nil {
			return data, nil
		}
	}
	return nil, err
}
