package mesh

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/geom/simplify"
	"slate360.ai/worker/internal/mapped"
	"slate360.ai/worker/internal/pipeline"
)

func pointerOf(accessor int) string { return "/accessors/" + strconv.Itoa(accessor) }

func indexError(i int, v uint32, count int) error {
	return fmt.Errorf("index %d is %d, there are %d vertices", i, v, count)
}

// levelInfo is what is known of a level when its geometry is made.
type levelInfo struct {
	Spec      levelSpec `json:"spec"`
	Vertices  int       `json:"vertices"`
	Triangles int       `json:"triangles"`
	// Error is the distance to the source in units of the model, Relative in
	// parts of its extent.
	Error    float64 `json:"error"`
	Relative float64 `json:"relative"`
	Sloppy   bool    `json:"sloppy,omitempty"`
	// Full says that the level is the source: it has no file.
	Full bool `json:"full,omitempty"`
}

// runSimplify makes the geometry of all levels.
func runSimplify(ctx context.Context, s *pipeline.Context) error {
	d, err := openScene(s)
	if err != nil {
		return err
	}
	m, err := newModel(d, false)
	if err != nil {
		return pipeline.BadInput(err, "")
	}
	dir := s.Product(productLevels)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	specs := slices.DeleteFunc(levelsOf(s.Options()), func(l levelSpec) bool { return l.Kind == levelFull })
	infos := make([]levelInfo, len(specs))
	var targets []simplify.Target
	var which []int
	for _, i := range descending(specs, m.used) {
		infos[i] = levelInfo{Spec: specs[i], Vertices: m.used, Triangles: len(m.mesh.Indices) / 3, Full: true}
		if t := specs[i].target(m.used); t < m.used {
			targets, which = append(targets, simplify.Target{Vertices: t}), append(which, i)
		}
	}
	levels, err := simplify.Simplify(ctx, &m.mesh, simplify.Options{Targets: targets, Workers: s.Workers()})
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return pipeline.BadInput(err, "")
	}
	for k, l := range levels {
		i := which[k]
		infos[i] = levelInfo{Spec: specs[i], Vertices: len(l.Vertices), Triangles: len(l.Indices) / 3, Error: l.Error, Relative: l.Relative, Sloppy: l.Sloppy}
		for name, values := range map[string][]uint32{"vertices": l.Vertices, "indices": l.Indices, "groups": l.Groups} {
			if err := mapped.Write(filepath.Join(dir, levelFile(i, name)), values); err != nil {
				return err
			}
		}
	}
	text, err := json.Marshal(infos)
	if err != nil {
		return err
	}
	s.SetAnalysis("levels", infos)
	return os.WriteFile(filepath.Join(dir, "levels.json"), text, 0o666)
}

func levelFile(level int, name string) string { return fmt.Sprintf("%d.%s", level, name) }

// readLevels returns what simplification made.
func readLevels(s *pipeline.Context) ([]levelInfo, error) {
	text, err := os.ReadFile(filepath.Join(s.Product(productLevels), "levels.json"))
	if err != nil {
		return nil, err
	}
	var out []levelInfo
	return out, json.Unmarshal(text, &out)
}

// reduce puts the geometry of a level into a document: each part keeps the vertices
// that its triangles still use, with all that belongs to them. Parts without a
// triangle go, and with them meshes without parts.
func reduce(d *gltf.Document, m *model, s *pipeline.Context, level int) error {
	var values [3][]uint32
	for i, name := range []string{"vertices", "indices", "groups"} {
		f, err := mapped.Open(filepath.Join(s.Product(productLevels), levelFile(level, name)))
		if err != nil {
			return err
		}
		defer f.Close()
		values[i] = mapped.Values[uint32](f.Bytes())
	}
	return selectGeometry(d, m.parts, simplify.Level{Vertices: values[0], Indices: values[1], Groups: values[2]})
}

// selectGeometry replaces the primitives of parts by those of a level.
func selectGeometry(d *gltf.Document, parts []part, l simplify.Level) error {
	indices := make([][]uint32, len(parts))
	for t, g := range l.Groups {
		indices[g] = append(indices[g], l.Vertices[l.Indices[3*t]], l.Vertices[l.Indices[3*t+1]], l.Vertices[l.Indices[3*t+2]])
	}
	gone := map[*gltf.Primitive]bool{}
	for i, p := range parts {
		primitive := d.Meshes[p.mesh].Primitives[p.primitive]
		if len(indices[i]) == 0 {
			gone[primitive] = true
			continue
		}
		if err := selectVertices(d, primitive, p, indices[i]); err != nil {
			return err
		}
	}
	dropPrimitives(d, gone)
	return nil
}

// selectVertices keeps the vertices of a primitive that are used, in the order of
// their first use, which is good for caches of vertices.
func selectVertices(d *gltf.Document, p *gltf.Primitive, of part, indices []uint32) error {
	to := make([]int32, of.count)
	for i := range to {
		to[i] = -1
	}
	var kept []uint32
	out := make([]uint32, len(indices))
	for i, v := range indices {
		v -= uint32(of.base)
		if to[v] < 0 {
			to[v] = int32(len(kept))
			kept = append(kept, v)
		}
		out[i] = uint32(to[v])
	}
	take := func(a gltf.Attributes) (gltf.Attributes, error) {
		taken := gltf.Attributes{}
		for name, k := range a {
			index, err := takeElements(d, k, kept, name)
			if err != nil {
				return nil, err
			}
			taken[name] = index
		}
		return taken, nil
	}
	var err error
	if p.Attributes, err = take(p.Attributes); err != nil {
		return err
	}
	for i, t := range p.Targets {
		if p.Targets[i], err = take(t); err != nil {
			return err
		}
	}
	p.Indices, p.Mode = gltf.Ref(d.AddIndices(out)), gltf.ModeTriangles
	return nil
}

// takeElements adds an accessor of some elements of another, in its format.
func takeElements(d *gltf.Document, accessor int, which []uint32, name string) (int, error) {
	a := d.Accessors[accessor]
	values, err := d.Floats(accessor)
	if err != nil {
		return 0, err
	}
	n := gltf.Components(a.Type)
	out := make([]float32, 0, n*len(which))
	for _, v := range which {
		out = append(out, values[int(v)*n:(int(v)+1)*n]...)
	}
	k := d.AddFloats(out, gltf.Format{Component: a.ComponentType, Normalized: a.Normalized, Components: n, Bounds: name == "POSITION", Target: gltf.ArrayBuffer})
	d.Accessors[k].Named = a.Named
	return k, nil
}

// dropPrimitives removes primitives, meshes that have none left, and what refers to
// those.
func dropPrimitives(d *gltf.Document, gone map[*gltf.Primitive]bool) {
	if len(gone) == 0 {
		return
	}
	to := make([]*int, len(d.Meshes))
	var meshes []*gltf.Mesh
	for i, m := range d.Meshes {
		var kept []*gltf.Primitive
		for _, p := range m.Primitives {
			if !gone[p] {
				kept = append(kept, p)
			}
		}
		if len(kept) == 0 {
			continue
		}
		m.Primitives = kept
		to[i] = gltf.Ref(len(meshes))
		meshes = append(meshes, m)
	}
	d.Meshes = meshes
	for _, n := range d.Nodes {
		if n.Mesh == nil {
			continue
		}
		if n.Mesh = to[*n.Mesh]; n.Mesh == nil {
			n.Skin, n.Weights = nil, nil
			delete(n.Extensions, gltf.ExtInstancing)
		}
	}
}
