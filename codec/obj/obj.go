// Package obj reads Wavefront OBJ models and their MTL materials, and writes textured
// ones.
//
// It follows "Appendix B1. Object Files (.obj)" and "B2. Material Library Files
// (.mtl)" of the Advanced Visualizer Manual of Wavefront, the vertex colours that
// follow positions as many programs write them, and the PBR statements of MTL that
// Clara.io introduced. Free-form curves and surfaces are skipped, with a warning.
package obj

import (
	"bytes"
	"fmt"
	"math"
	"path"
	"strings"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/geom/polygon"
)

// Options say how a model is read.
type Options struct {
	// File returns the bytes of a material library or texture beside the model,
	// by its clean relative path; nil is for models without.
	File func(name string) ([]byte, error)
	// Warn is told of what is missing or skipped; nil is nobody.
	Warn func(message string)
}

// Limits of what one model may ask for.
const (
	maxPolygon   = 1 << 16 // corners of a face
	maxMaterials = 1 << 16
)

// key is a vertex of the result: indices of position, UV and normal, -1 for none.
type key struct{ v, t, n int32 }

// part gathers what has one object, one material and one mode.
type part struct {
	material int
	mode     int
	lookup   map[key]uint32
	keys     []key
	indices  []uint32
}

type object struct {
	name  string
	parts map[[2]int]*part
	order []*part
}

type reader struct {
	o         Options
	d         *gltf.Document
	v         []float64
	vc        []float32 // linear RGB of each v, or empty
	vt, vn    []float32
	objects   []*object
	materials map[string]int
	textures  map[string]int
	material  int
	line      int
	warned    map[string]bool
	corners   []key
	points    []float64
	triangles []int
}

// Read reads a model. Positions are centred where they are so far from the origin
// that 32-bit numbers would lose them: the node that holds all then has the extra
// "offset". Errors name the line.
func Read(data []byte, o Options) (*gltf.Document, error) {
	r := &reader{o: o, d: &gltf.Document{}, materials: map[string]int{}, textures: map[string]int{}, material: -1, warned: map[string]bool{}}
	r.d.Asset.Generator = "slate360-worker"
	if err := r.parse(data); err != nil {
		return nil, fmt.Errorf("obj: line %d: %w", r.line, err)
	}
	if err := r.build(); err != nil {
		return nil, fmt.Errorf("obj: %w", err)
	}
	return r.d, nil
}

func (r *reader) warn(format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	if r.o.Warn != nil && !r.warned[msg] {
		r.warned[msg] = true
		r.o.Warn(msg)
	}
}

func (r *reader) parse(data []byte) error {
	var joined []byte
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		line := data
		if end >= 0 {
			line, data = data[:end], data[end+1:]
		} else {
			data = nil
		}
		r.line++
		line = bytes.TrimRight(line, "\r \t")
		// A backslash at the end of a line joins it with the next.
		if n := len(line); n > 0 && line[n-1] == '\\' {
			joined = append(append(joined, line[:n-1]...), ' ')
			continue
		}
		if len(joined) > 0 {
			line = append(joined, line...)
			joined = nil
		}
		if err := r.statement(line); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) statement(line []byte) error {
	word, rest := next(line)
	if len(word) == 0 || word[0] == '#' {
		return nil
	}
	switch string(word) {
	case "v":
		return r.vertex(rest)
	case "vt":
		return r.numbers(&r.vt, rest, 2, 1)
	case "vn":
		return r.numbers(&r.vn, rest, 3, 3)
	case "f", "fo":
		return r.element(rest, gltf.ModeTriangles)
	case "l":
		return r.element(rest, gltf.ModeLines)
	case "p":
		return r.element(rest, gltf.ModePoints)
	case "o", "g":
		r.begin(string(bytes.TrimSpace(rest)))
	case "usemtl":
		return r.use(string(bytes.TrimSpace(rest)))
	case "mtllib":
		r.libraries(string(bytes.TrimSpace(rest)))
	case "curv", "curv2", "surf":
		r.warn("free-form curves and surfaces are left out: export the model with triangles")
	}
	return nil
}

// next cuts the first word off a line.
func next(line []byte) (word, rest []byte) {
	i := 0
	for i < len(line) && (line[i] == ' ' || line[i] == '\t') {
		i++
	}
	j := i
	for j < len(line) && line[j] != ' ' && line[j] != '\t' {
		j++
	}
	return line[i:j], line[j:]
}

// vertex reads x y z [w] or x y z r g b [a].
func (r *reader) vertex(line []byte) error {
	var f [8]float64
	n := 0
	for n < len(f) {
		word, rest := next(line)
		if len(word) == 0 {
			break
		}
		v, err := parseFloat(word)
		if err != nil {
			return err
		}
		f[n], line = v, rest
		n++
	}
	if n < 3 {
		return fmt.Errorf("a vertex of %d coordinates; it needs 3", n)
	}
	count := len(r.v) / 3
	if count >= math.MaxInt32 {
		return fmt.Errorf("more than %d vertices", math.MaxInt32)
	}
	r.v = append(r.v, f[0], f[1], f[2])
	if n >= 6 {
		for len(r.vc) < 3*count { // those before had none
			r.vc = append(r.vc, 1)
		}
		r.vc = append(r.vc, float32(gltf.Linear(f[3])), float32(gltf.Linear(f[4])), float32(gltf.Linear(f[5])))
	} else if len(r.vc) > 0 {
		r.vc = append(r.vc, 1, 1, 1)
	}
	return nil
}

// numbers appends n numbers, of which at least some must be there.
func (r *reader) numbers(to *[]float32, line []byte, n, least int) error {
	for i := range n {
		word, rest := next(line)
		if len(word) == 0 {
			if i < least {
				return fmt.Errorf("%d numbers where %d are needed", i, least)
			}
			*to = append(*to, 0)
			continue
		}
		v, err := parseFloat(word)
		if err != nil {
			return err
		}
		*to, line = append(*to, float32(v)), rest
	}
	return nil
}

func (r *reader) begin(name string) {
	if n := len(r.objects); n > 0 && len(r.objects[n-1].order) == 0 {
		r.objects[n-1].name = name
		return
	}
	r.objects = append(r.objects, &object{name: name, parts: map[[2]int]*part{}})
}

// element reads a face, a line, or points.
func (r *reader) element(line []byte, mode int) error {
	r.corners = r.corners[:0]
	for {
		word, rest := next(line)
		if len(word) == 0 {
			break
		}
		k, err := r.corner(word)
		if err != nil {
			return err
		}
		r.corners, line = append(r.corners, k), rest
		if len(r.corners) > maxPolygon {
			return fmt.Errorf("a face of more than %d corners", maxPolygon)
		}
	}
	if least := map[int]int{gltf.ModeTriangles: 3, gltf.ModeLines: 2, gltf.ModePoints: 1}[mode]; len(r.corners) < least {
		r.warn("faces of fewer than 3 corners, or lines of fewer than 2, are left out (the first in line %d)", r.line)
		return nil
	}
	p := r.part(mode)
	switch mode {
	case gltf.ModePoints:
		for _, k := range r.corners {
			p.indices = append(p.indices, p.index(k))
		}
	case gltf.ModeLines:
		for i := 1; i < len(r.corners); i++ {
			p.indices = append(p.indices, p.index(r.corners[i-1]), p.index(r.corners[i]))
		}
	default:
		r.face(p)
	}
	return nil
}

func (r *reader) face(p *part) {
	if len(r.corners) == 3 {
		p.indices = append(p.indices, p.index(r.corners[0]), p.index(r.corners[1]), p.index(r.corners[2]))
		return
	}
	r.points = r.points[:0]
	for _, k := range r.corners {
		r.points = append(r.points, r.v[3*k.v:3*k.v+3]...)
	}
	r.triangles = polygon.Triangulate(r.triangles[:0], r.points)
	for _, i := range r.triangles {
		p.indices = append(p.indices, p.index(r.corners[i]))
	}
}

// corner reads v, v/t, v//n or v/t/n. Negative indices count from the last that
// was read.
func (r *reader) corner(word []byte) (key, error) {
	k := key{-1, -1, -1}
	for field, to := range []*int32{&k.v, &k.t, &k.n} {
		part := word
		i := bytes.IndexByte(word, '/')
		if i >= 0 {
			part, word = word[:i], word[i+1:]
		}
		if len(part) > 0 {
			n, err := parseInt(part)
			if err != nil {
				return k, err
			}
			count := [3]int{len(r.v) / 3, len(r.vt) / 2, len(r.vn) / 3}[field]
			if n < 0 {
				n += count + 1
			}
			if n < 1 || n > count {
				return k, fmt.Errorf("%s %s, there are %d so far", [3]string{"vertex", "texture coordinate", "normal"}[field], part, count)
			}
			*to = int32(n - 1)
		}
		if i < 0 {
			break
		}
	}
	if k.v < 0 {
		return k, fmt.Errorf("a corner without a vertex")
	}
	return k, nil
}

func (r *reader) part(mode int) *part {
	if len(r.objects) == 0 {
		r.begin("")
	}
	o := r.objects[len(r.objects)-1]
	id := [2]int{r.material, mode}
	p := o.parts[id]
	if p == nil {
		p = &part{material: r.material, mode: mode, lookup: map[key]uint32{}}
		o.parts[id] = p
		o.order = append(o.order, p)
	}
	return p
}

func (p *part) index(k key) uint32 {
	if i, ok := p.lookup[k]; ok {
		return i
	}
	i := uint32(len(p.keys))
	p.lookup[k] = i
	p.keys = append(p.keys, k)
	return i
}

// build makes the document of what was read.
func (r *reader) build() error {
	offset := gltf.Center(r.v)
	root := &gltf.Node{}
	for _, o := range r.objects {
		if len(o.order) == 0 {
			continue
		}
		var primitives []*gltf.Primitive
		for _, p := range o.order {
			primitives = append(primitives, r.d.AddGeometry(r.geometry(p, offset)))
			p.lookup = nil
		}
		n := &gltf.Node{Mesh: gltf.Ref(r.d.AddMesh(o.name, primitives...))}
		n.Name = o.name
		root.Children = append(root.Children, r.d.AddNode(n))
	}
	if len(root.Children) == 0 {
		return r.cloud(offset)
	}
	root.Extras = gltf.OffsetExtras(offset)
	if len(root.Children) == 1 && root.Extras == nil {
		r.d.SetRoots(root.Children[0])
		return nil
	}
	r.d.SetRoots(r.d.AddNode(root))
	return nil
}

// cloud makes points of a model that has vertices only.
func (r *reader) cloud(offset [3]float64) error {
	if len(r.v) == 0 {
		return fmt.Errorf("the file has no vertices")
	}
	g := &gltf.Geometry{Mode: gltf.ModePoints, Material: -1, Positions: make([]float32, len(r.v))}
	for i, v := range r.v {
		g.Positions[i] = float32(v - offset[i%3])
	}
	if len(r.vc) > 0 {
		for i := 0; i+2 < len(r.vc); i += 3 {
			g.Colors = append(g.Colors, r.vc[i], r.vc[i+1], r.vc[i+2], 1)
		}
	}
	root := &gltf.Node{Mesh: gltf.Ref(r.d.AddMesh("", r.d.AddGeometry(g)))}
	root.Extras = gltf.OffsetExtras(offset)
	r.d.SetRoots(r.d.AddNode(root))
	return nil
}

// geometry gathers the vertices of a part. A UV or normal counts only where all
// vertices have one.
func (r *reader) geometry(p *part, offset [3]float64) *gltf.Geometry {
	g := &gltf.Geometry{Mode: p.mode, Material: p.material, Indices: p.indices}
	uv, normal := p.mode == gltf.ModeTriangles, p.mode == gltf.ModeTriangles
	for _, k := range p.keys {
		uv, normal = uv && k.t >= 0, normal && k.n >= 0
	}
	n := len(p.keys)
	g.Positions = make([]float32, 0, 3*n)
	if uv {
		g.UVs = make([]float32, 0, 2*n)
	}
	if normal {
		g.Normals = make([]float32, 0, 3*n)
	}
	if len(r.vc) > 0 {
		g.Colors = make([]float32, 0, 4*n)
	}
	for _, k := range p.keys {
		for a := range 3 {
			g.Positions = append(g.Positions, float32(r.v[3*int(k.v)+a]-offset[a]))
		}
		if uv {
			g.UVs = append(g.UVs, r.vt[2*k.t], 1-r.vt[2*k.t+1])
		}
		if normal {
			g.Normals = append(g.Normals, gltf.Unit(float64(r.vn[3*k.n]), float64(r.vn[3*k.n+1]), float64(r.vn[3*k.n+2]))...)
		}
		if g.Colors != nil {
			c := r.vc[3*k.v:]
			g.Colors = append(g.Colors, c[0], c[1], c[2], 1)
		}
	}
	return g
}

// sibling returns the name of a file that one in folder dir refers to.
func sibling(dir, name string) (string, error) {
	local, err := gltf.LocalName(name)
	if err != nil {
		return "", err
	}
	return strings.TrimPrefix(path.Join(dir, local), "./"), nil
}
