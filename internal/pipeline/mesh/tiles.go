package mesh

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"slate360.ai/worker/codec/crs"
	"slate360.ai/worker/codec/draco"
	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/codec/tiles3d"
	"slate360.ai/worker/geom/simplify"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// gridBits is what positions of tiles are rounded to, over the whole model, so that
// tiles meet without cracks: 4 mm of a kilometre.
const gridBits = 18

// runTiles cuts the model into a tree of tiles and writes each: leaves as they are,
// all others simplified from their children, with the vertices that they share with
// neighbours where they were.
func runTiles(ctx context.Context, s *pipeline.Context) error {
	d, err := openScene(s)
	if err != nil {
		return err
	}
	m, err := newModel(d, true)
	if err != nil {
		return pipeline.BadInput(err, "")
	}
	if len(m.mesh.Indices) == 0 {
		s.Warn("the model has no triangles: there are no 3D Tiles")
		return nil
	}
	f := newForest(m)
	w := &tileWriter{s: s, f: f, doc: d, grid: gridOf(m.mesh.Positions), pictures: newPictures(d)}
	w.dir = filepath.Dir(s.OutputPath("3dtiles/tileset.json"))
	if err := os.MkdirAll(filepath.Join(w.dir, "tiles"), 0o777); err != nil {
		return fmt.Errorf("create output folder: %w", err)
	}
	total := 0
	for _, level := range f.levels {
		total += len(level)
	}
	var done atomic.Int64
	for _, level := range slices.Backward(f.levels) {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(max(1, s.Workers()))
		for _, t := range level {
			group.Go(func() error {
				if err := w.make(ctx, t); err != nil {
					return fmt.Errorf("tile %s: %w", t.name, err)
				}
				s.Progress(float64(done.Add(1)), float64(total))
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		for _, t := range level {
			for _, c := range t.children {
				c.level = simplify.Level{} // the parent is made
			}
		}
	}
	if err := writeTileset(w.dir, f.root, s.Options().Origin); err != nil {
		return err
	}
	s.Publish(job.Output{Type: job.TypeTiles3D, Path: "3dtiles/tileset.json", Tiles: int64(total), Triangles: int64(len(m.mesh.Indices) / 3)})
	return nil
}

// gridOf is the cube of all positions.
func gridOf(p []float32) draco.Grid {
	g := draco.Grid{Min: [3]float32{math.MaxFloat32, math.MaxFloat32, math.MaxFloat32}}
	top := [3]float32{-math.MaxFloat32, -math.MaxFloat32, -math.MaxFloat32}
	for i, v := range p {
		g.Min[i%3], top[i%3] = min(g.Min[i%3], v), max(top[i%3], v)
	}
	for k := range 3 {
		g.Span = max(g.Span, top[k]-g.Min[k])
	}
	return g
}

type tileWriter struct {
	s        *pipeline.Context
	f        *forest
	doc      *gltf.Document
	dir      string
	grid     draco.Grid
	pictures *pictures
}

// make gives a tile its geometry and writes it.
func (w *tileWriter) make(ctx context.Context, t *tile) error {
	if len(t.children) == 0 {
		w.f.leaf(t)
	} else {
		mesh, vertices := w.f.merged(t)
		levels, err := simplify.Simplify(ctx, mesh, simplify.Options{Targets: []simplify.Target{{Triangles: tileTriangles}}, Workers: 1})
		if err != nil {
			return err
		}
		t.level = levels[0]
		for i, v := range t.level.Vertices {
			t.level.Vertices[i] = vertices[v]
		}
		for _, c := range t.children {
			t.err = max(t.err, c.err)
		}
		t.err += levels[0].Error
	}
	w.f.measure(t)
	d, err := w.document(t)
	if err != nil {
		return err
	}
	if level := w.s.Options().DracoCompression; level > 0 {
		o := dracoOptions(level, w.s.Options().Quality)
		o.PositionBits, o.Grid = gridBits, w.grid
		if err := compress(ctx, d, o, false, 1); err != nil && !errors.Is(err, draco.ErrNoTriangles) {
			return err
		}
		if err := d.Compact(); err != nil {
			return err
		}
	}
	t.made = len(t.level.Indices) / 3
	return writeGLB(filepath.Join(w.dir, tileFile(t)), d)
}

func tileFile(t *tile) string { return "tiles/" + t.name + ".glb" }

// document puts the geometry of a tile into a document of its own: a primitive for
// each material, in the frame of the model.
func (w *tileWriter) document(t *tile) (*gltf.Document, error) {
	d := &gltf.Document{}
	d.Asset.Generator = generator
	d.ExtensionsUsed = slices.DeleteFunc(slices.Clone(w.doc.ExtensionsUsed), func(name string) bool {
		return name == gltf.ExtInstancing || name == gltf.ExtVariants || name == gltf.ExtQuantization
	})
	d.ExtensionsRequired = slices.DeleteFunc(slices.Clone(w.doc.ExtensionsRequired), func(name string) bool {
		return !slices.Contains(d.ExtensionsUsed, name)
	})
	byPart := map[uint32][]uint32{}
	var order []uint32
	for k, g := range t.level.Groups {
		if _, ok := byPart[g]; !ok {
			order = append(order, g)
		}
		byPart[g] = append(byPart[g], t.level.Vertices[t.level.Indices[3*k]], t.level.Vertices[t.level.Indices[3*k+1]], t.level.Vertices[t.level.Indices[3*k+2]])
	}
	looks := newLooks(w.doc, d, w.pictures, len(t.children) == 0)
	var primitives []*gltf.Primitive
	for _, g := range order {
		p, err := w.primitive(d, &w.f.m.parts[g], byPart[g], looks)
		if err != nil {
			return nil, err
		}
		primitives = append(primitives, p)
	}
	if len(primitives) == 0 {
		return nil, errors.New("it has no triangles left")
	}
	if err := looks.finish(w.s.Options().Quality); err != nil {
		return nil, err
	}
	d.SetRoots(d.AddNode(&gltf.Node{Mesh: gltf.Ref(d.AddMesh("", primitives...))}))
	return d, nil
}

// primitive gathers the vertices of a part that triangles use.
func (w *tileWriter) primitive(d *gltf.Document, part *part, vertices []uint32, looks *looks) (*gltf.Primitive, error) {
	to := map[uint32]uint32{}
	var kept []uint32
	indices := make([]uint32, len(vertices))
	for i, v := range vertices {
		k, ok := to[v]
		if !ok {
			k = uint32(len(kept))
			to[v] = k
			kept = append(kept, v)
		}
		indices[i] = k
	}
	p := &gltf.Primitive{Attributes: gltf.Attributes{}, Mode: gltf.ModeTriangles, Indices: gltf.Ref(d.AddIndices(indices))}
	for _, name := range slices.Sorted(maps.Keys(part.p.Attributes)) {
		k := part.p.Attributes[name]
		values, err := w.values(part, name, k, kept)
		if err != nil {
			return nil, err
		}
		a := w.doc.Accessors[k]
		f := gltf.Format{Component: a.ComponentType, Normalized: a.Normalized, Components: gltf.Components(a.Type), Target: gltf.ArrayBuffer}
		switch {
		case name == "POSITION":
			f.Component, f.Normalized, f.Bounds = gltf.Float, false, true
		case name == "NORMAL", name == "TANGENT":
			f.Component, f.Normalized = gltf.Float, false
		case strings.HasPrefix(name, "TEXCOORD_"):
			f.Component, f.Normalized = gltf.Float, false
			name = looks.coordinates(part.p.Material, name, values)
		case strings.HasPrefix(name, "JOINTS_"), strings.HasPrefix(name, "WEIGHTS_"):
			name = "" // tiles stand still
		}
		if name == "" {
			continue
		}
		p.Attributes[name] = d.AddFloats(values, f)
	}
	looks.use(part.p.Material, p)
	return p, nil
}

// values takes those of some vertices; positions and normals in the frame of the
// model.
func (w *tileWriter) values(part *part, name string, accessor int, kept []uint32) ([]float32, error) {
	m := &w.f.m.mesh
	if name == "POSITION" {
		out := make([]float32, 0, 3*len(kept))
		for _, v := range kept {
			out = append(out, m.Positions[3*v:3*v+3]...)
		}
		return out, nil
	}
	all, err := w.f.m.floats(accessor)
	if err != nil {
		return nil, err
	}
	n := gltf.Components(w.doc.Accessors[accessor].Type)
	out := make([]float32, 0, n*len(kept))
	for _, v := range kept {
		out = append(out, all[n*(int(v)-part.base):][:n]...)
	}
	if name == "NORMAL" || name == "TANGENT" {
		turn(out, n, &part.world)
	}
	return out, nil
}

// turn takes directions along with a matrix and makes them of length 1.
func turn(v []float32, n int, world *gltf.Matrix) {
	c := world.Normals()
	sign := 1.0
	if world.Determinant() < 0 {
		sign = -1
	}
	for i := 0; i+2 < len(v); i += n {
		x, y, z := float64(v[i]), float64(v[i+1]), float64(v[i+2])
		var o [3]float64
		l := 0.0
		for k := range 3 {
			o[k] = sign * (c[k]*x + c[3+k]*y + c[6+k]*z)
			l += o[k] * o[k]
		}
		if l = math.Sqrt(l); !(l > 0) {
			o, l = [3]float64{0, 1, 0}, 1
		}
		for k := range 3 {
			v[i+k] = float32(o[k] / l)
		}
	}
}

// floatCache keeps the values of accessors while tiles are made.
type floatCache struct {
	mu     sync.Mutex
	values map[int][]float32
}

func (m *model) floats(accessor int) ([]float32, error) {
	m.cache.mu.Lock()
	defer m.cache.mu.Unlock()
	if v, ok := m.cache.values[accessor]; ok {
		return v, nil
	}
	v, err := m.doc.Floats(accessor)
	if err != nil {
		return nil, err
	}
	if m.cache.values == nil {
		m.cache.values = map[int][]float32{}
	}
	m.cache.values[accessor] = v
	return v, nil
}

// writeTileset writes tileset.json.
func writeTileset(dir string, root *tile, origin *job.Origin) error {
	set := &tiles3d.Tileset{Asset: tiles3d.Asset{Generator: generator}, Root: tileOf(root)}
	set.Root.Refine = "REPLACE"
	size := 0.0
	for k := range 3 {
		size += (root.hi[k] - root.lo[k]) * (root.hi[k] - root.lo[k])
	}
	set.GeometricError = max(math.Sqrt(size), 2*root.err)
	if origin != nil {
		t, err := placeOnGlobe(origin)
		if err != nil {
			return err
		}
		set.Root.Transform = t
	}
	return tiles3d.Write(filepath.Join(dir, "tileset.json"), set)
}

func tileOf(t *tile) *tiles3d.Tile {
	out := &tiles3d.Tile{
		BoundingVolume: tiles3d.BoundingVolume{Box: tiles3d.AxisBox(t.lo, t.hi)}, GeometricError: t.err,
		Content: &tiles3d.Content{URI: tileFile(t)},
	}
	for _, c := range t.children {
		out.Children = append(out.Children, tileOf(c))
	}
	return out
}

// placeOnGlobe is the matrix that takes the frame of tiles (x right, y to the front
// of the model, z up) to EPSG:4978.
func placeOnGlobe(o *job.Origin) (*[16]float64, error) {
	geodetic, err := crs.Parse("EPSG:4979")
	if err != nil {
		return nil, err
	}
	to, err := geodetic.ToECEF()
	if err != nil {
		return nil, err
	}
	origin := [3]float64{o.Lon, o.Lat, o.Height}
	if err := to.Apply(origin[:]); err != nil {
		return nil, err
	}
	frame := tiles3d.NewFrame(o.Lon, o.Lat, origin)
	enu := gltf.Matrix(*frame.Matrix())
	s, c := math.Sincos(-o.Heading * math.Pi / 180)
	turned := enu.Mul(&gltf.Matrix{c, s, 0, 0, -s, c, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1})
	out := [16]float64(turned)
	return &out, nil
}
