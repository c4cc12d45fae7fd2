package fbx

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
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

// link is what an object is connected to, and as what.
type link struct {
	id int64
	as string
}

type reader struct {
	o        Options
	d        *gltf.Document
	objects  map[int64]*record
	children map[int64][]link
	visited  map[int64]bool
	looks    map[int64]int
	textures map[int64]int
}

// Read reads a model, in metres, with y up.
func Read(data []byte, o Options) (*gltf.Document, error) {
	parse := parseText
	if bytes.HasPrefix(data, []byte(binaryMagic)) {
		parse = parseBinary
	}
	root, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("fbx: %w", err)
	}
	r := &reader{o: o, d: &gltf.Document{}, objects: map[int64]*record{}, children: map[int64][]link{}, visited: map[int64]bool{}, looks: map[int64]int{}, textures: map[int64]int{}}
	r.d.Asset.Generator = "slate360-worker"
	if err := r.scene(root); err != nil {
		return nil, fmt.Errorf("fbx: %w", err)
	}
	return r.d, nil
}

func (r *reader) warn(format string, args ...any) {
	if r.o.Warn != nil {
		r.o.Warn(fmt.Sprintf(format, args...))
	}
}

func (r *reader) scene(root *record) error {
	objects := root.child("Objects")
	if objects == nil {
		return errors.New("the file has no objects")
	}
	still := false
	for _, o := range objects.children {
		r.objects[o.integer(0)] = o
		still = still || o.name == "AnimationCurve" || o.name == "Deformer"
	}
	if c := root.child("Connections"); c != nil {
		for _, l := range c.children {
			r.children[l.integer(2)] = append(r.children[l.integer(2)], link{l.integer(1), l.text(3)})
		}
	}
	top := &gltf.Node{Matrix: upright(propertiesOf(root.child("GlobalSettings")))}
	for _, l := range r.children[0] {
		if o := r.objects[l.id]; o != nil && o.name == "Model" {
			k, err := r.node(l.id, o, 0)
			if err != nil {
				return err
			}
			top.Children = append(top.Children, k)
		}
	}
	if len(r.d.Meshes) == 0 {
		return errors.New("the file has no meshes")
	}
	if still {
		r.warn("skins and animations are left out: the model stands in its bind pose")
	}
	r.d.SetRoots(r.d.AddNode(top))
	return nil
}

// upright turns the axes that the file names to those of glTF, and scales from its
// unit, in centimetres, to metres.
func upright(p properties) *[16]float64 {
	s := p.number("UnitScaleFactor", 1) / 100
	if !(s > 0) {
		s = 0.01
	}
	axis := func(name string, standard float64) (int, float64) {
		k := int(p.number(name, standard))
		sign := p.number(name+"Sign", 1)
		if k < 0 || k > 2 {
			k = int(standard)
		}
		if sign >= 0 {
			return k, s
		}
		return k, -s
	}
	right, rs := axis("CoordAxis", 0)
	up, us := axis("UpAxis", 1)
	front, fs := axis("FrontAxis", 2)
	if right == up || up == front || front == right {
		right, up, front, rs, us, fs = 0, 1, 2, s, s, s
	}
	var m [16]float64
	m[4*right], m[4*up+1], m[4*front+2], m[15] = rs, us, fs, 1
	return &m
}

// name cuts what comes after the name that people gave.
func name(o *record) string {
	s, _, _ := strings.Cut(o.text(1), "\x00\x01")
	if i := strings.LastIndex(s, "::"); i >= 0 {
		s = s[i+2:]
	}
	return s
}

func (r *reader) node(id int64, o *record, depth int) (int, error) {
	if r.visited[id] || depth > maxDepth {
		return 0, fmt.Errorf("model %q has two parents, is its own ancestor, or lies deeper than %d", name(o), maxDepth)
	}
	r.visited[id] = true
	p := propertiesOf(o)
	m := local(p)
	a := [16]float64(m)
	out := &gltf.Node{Matrix: &a}
	if m == gltf.Identity() {
		out.Matrix = nil
	}
	out.Name = name(o)
	var looks []int
	for _, l := range r.children[id] {
		if c := r.objects[l.id]; c != nil && c.name == "Material" {
			looks = append(looks, r.look(l.id, c))
		}
	}
	for _, l := range r.children[id] {
		c := r.objects[l.id]
		switch {
		case c == nil:
		case c.name == "Model":
			k, err := r.node(l.id, c, depth+1)
			if err != nil {
				return 0, err
			}
			out.Children = append(out.Children, k)
		case c.name == "Geometry" && c.child("Vertices") != nil:
			mesh, ok, err := r.mesh(c, looks)
			if err != nil {
				return 0, fmt.Errorf("geometry %q: %w", name(c), err)
			}
			if !ok {
				continue
			}
			geometric := [16]float64(offset(p))
			out.Children = append(out.Children, r.d.AddNode(&gltf.Node{Mesh: gltf.Ref(mesh), Matrix: &geometric}))
		}
	}
	return r.d.AddNode(out), nil
}

func move(v [3]float64) gltf.Matrix { return (&gltf.Node{Translation: &v}).Local() }

func scaling(v [3]float64) gltf.Matrix { return (&gltf.Node{Scale: &v}).Local() }

// rotation turns by degrees about x, y, z in the order that the file names: 0 is xyz,
// x first.
func rotation(v [3]float64, order int) gltf.Matrix {
	axes := [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 2, 0}, {1, 0, 2}, {2, 0, 1}, {2, 1, 0}}
	if order < 0 || order >= len(axes) {
		order = 0
	}
	m := gltf.Identity()
	for _, k := range axes[order] {
		s, c := math.Sincos(v[k] * math.Pi / 360)
		q := [4]float64{3: c}
		q[k] = s
		one := (&gltf.Node{Rotation: &q}).Local()
		m = one.Mul(&m)
	}
	return m
}

func product(list ...gltf.Matrix) gltf.Matrix {
	m := gltf.Identity()
	for i := range list {
		m = m.Mul(&list[i])
	}
	return m
}

func negative(v [3]float64) [3]float64 { return [3]float64{-v[0], -v[1], -v[2]} }

// local is the matrix of a model in its parent.
func local(p properties) gltf.Matrix {
	order := int(p.number("RotationOrder", 0))
	zero, one := [3]float64{}, [3]float64{1, 1, 1}
	pivot, scalePivot := p.vector("RotationPivot", zero), p.vector("ScalingPivot", zero)
	post := rotation(p.vector("PostRotation", zero), 0)
	return product(
		move(p.vector("Lcl Translation", zero)), move(p.vector("RotationOffset", zero)), move(pivot),
		rotation(p.vector("PreRotation", zero), 0), rotation(p.vector("Lcl Rotation", zero), order), transposed(post), move(negative(pivot)),
		move(p.vector("ScalingOffset", zero)), move(scalePivot), scaling(p.vector("Lcl Scaling", one)), move(negative(scalePivot)),
	)
}

// transposed is the inverse of a rotation.
func transposed(m gltf.Matrix) gltf.Matrix {
	var out gltf.Matrix
	for i := range m {
		out[i] = m[i%4*4+i/4]
	}
	return out
}

// offset is the matrix of a geometry in its model, which children do not have.
func offset(p properties) gltf.Matrix {
	zero, one := [3]float64{}, [3]float64{1, 1, 1}
	return product(move(p.vector("GeometricTranslation", zero)), rotation(p.vector("GeometricRotation", zero), 0), scaling(p.vector("GeometricScaling", one)))
}

// look makes a material.
func (r *reader) look(id int64, o *record) int {
	if i, ok := r.looks[id]; ok {
		return i
	}
	p := propertiesOf(o)
	out := &gltf.Material{PBR: &gltf.PBR{MetallicFactor: new(float64)}, DoubleSided: true}
	out.Name = name(o)
	color := p.vector("DiffuseColor", [3]float64{0.8, 0.8, 0.8})
	factor := p.number("DiffuseFactor", 1)
	base := [4]float64{gltf.Linear(color[0] * factor), gltf.Linear(color[1] * factor), gltf.Linear(color[2] * factor), 1}
	if opacity := min(max(p.number("Opacity", 1), 0), 1); opacity > 0 {
		base[3] = opacity
	}
	for _, l := range r.children[id] {
		t := r.objects[l.id]
		if t == nil || t.name != "Texture" {
			continue
		}
		switch l.as {
		case "DiffuseColor":
			if i := r.texture(l.id, t); i >= 0 {
				out.PBR.BaseColorTexture = &gltf.TextureInfo{Index: i}
				base = [4]float64{1, 1, 1, base[3]}
			}
		case "EmissiveColor":
			if i := r.texture(l.id, t); i >= 0 {
				out.EmissiveTexture, out.EmissiveFactor = &gltf.TextureInfo{Index: i}, &[3]float64{1, 1, 1}
			}
		case "NormalMap":
			if i := r.texture(l.id, t); i >= 0 {
				out.NormalTexture = &gltf.TextureInfo{Index: i}
			}
		}
	}
	if e := p.vector("EmissiveColor", [3]float64{}); out.EmissiveTexture == nil && p.number("EmissiveFactor", 0) > 0 && e != ([3]float64{}) {
		k := min(p.number("EmissiveFactor", 0), 1)
		out.EmissiveFactor = &[3]float64{gltf.Linear(e[0] * k), gltf.Linear(e[1] * k), gltf.Linear(e[2] * k)}
	}
	if shine := p.number("ShininessExponent", p.number("Shininess", 0)); shine > 1 {
		rough := math.Pow(2/(shine+2), 0.25)
		out.PBR.RoughnessFactor = &rough
	}
	if base[3] < 1 {
		out.AlphaMode = "BLEND"
	}
	out.PBR.BaseColorFactor = &base
	r.d.Materials = append(r.d.Materials, out)
	r.looks[id] = len(r.d.Materials) - 1
	return r.looks[id]
}

// texture finds the picture of a texture: within the file, or beside it.
func (r *reader) texture(id int64, o *record) int {
	if i, ok := r.textures[id]; ok {
		return i
	}
	r.textures[id] = -1
	names := []string{o.child("RelativeFilename").text(0), o.child("FileName").text(0)}
	var data []byte
	for _, l := range r.children[id] {
		if v := r.objects[l.id]; v != nil && v.name == "Video" {
			data = v.child("Content").bytes()
			names = append(names, v.child("RelativeFilename").text(0), v.child("Filename").text(0))
		}
	}
	names = slices.DeleteFunc(names, func(s string) bool { return s == "" })
	if len(data) == 0 {
		var err error
		if data, err = r.open(names); err != nil {
			r.warn("texture %q is left out: %v", strings.Join(names[:min(1, len(names))], ""), err)
			return -1
		}
	}
	r.textures[id] = r.d.AddTexture(name(o), data, nil)
	return r.textures[id]
}

// open reads a file beside the model, by one of its paths, else by its name alone.
func (r *reader) open(names []string) ([]byte, error) {
	err := errors.New("it is not there")
	if r.o.File == nil {
		return nil, err
	}
	for _, n := range names {
		for _, n := range []string{n, path.Base(strings.ReplaceAll(n, "\\", "/"))} {
			local, e := gltf.LocalName(n)
			if e != nil {
				err = e
				continue
			}
			data, e := r.o.File(local)
			if e == nil {
				return data, nil
			}
			err = e
		}
	}
	return nil, err
}
