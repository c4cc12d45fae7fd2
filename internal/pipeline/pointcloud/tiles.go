package pointcloud

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"slate360.ai/worker/codec/crs"
	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/codec/tiles3d"
	"slate360.ai/worker/geom/octree"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

const (
	generator = "slate360-worker"
	// errorSpacings is the geometric error of a node in distances between its
	// points. Viewers refine where the error is above 16 pixels, their usual
	// setting: points are then at most two pixels apart.
	errorSpacings = 8
	// tilesetNodes is the most nodes in one tileset file; in larger trees, the
	// parts below subtreeLevel are files of their own.
	tilesetNodes = 2000
	subtreeLevel = 4
)

// place takes a cloud to where tiles are: the east-north-up frame in its middle,
// or, where its CRS is not known, coordinates around its middle.
type place struct {
	toECEF *crs.Transform
	frame  tiles3d.Frame
	middle [3]float64

	note string
}

func newPlace(m *meta) (*place, error) {
	b := m.bounds()
	p := &place{middle: [3]float64{(b[0] + b[3]) / 2, (b[1] + b[4]) / 2, min(b[2], b[5])}}
	c, err := m.CRS.crs()
	if err != nil || c == nil {
		return p, nil
	}
	geo, err := c.ToWGS84()
	if err != nil {
		return nil, err
	}
	if p.toECEF, err = c.ToECEF(); err != nil {
		return nil, err
	}
	p.note = p.toECEF.Note()
	ll, origin := p.middle, p.middle
	if err := geo.Apply(ll[:]); err != nil {
		return nil, err
	}
	if err := p.toECEF.Apply(origin[:]); err != nil {
		return nil, err
	}
	p.frame = tiles3d.NewFrame(ll[0], ll[1], origin)
	return p, nil
}

// local takes coordinates of the cloud to the frame of the tiles, in place.
func (p *place) local(xyz []float64) error {
	if p.toECEF == nil {
		for i := range xyz {
			xyz[i] -= p.middle[i%3]
		}
		return nil
	}
	if err := p.toECEF.Apply(xyz); err != nil {
		return err
	}
	p.frame.Local(xyz)
	return nil
}

// transform is that of the root tile, nil where the place is not known.
func (p *place) transform() *[16]float64 {
	if p.toECEF == nil {
		return nil
	}
	return p.frame.Matrix()
}

// runTiles writes the nodes of the octree as glTF point clouds and a tileset.
func runTiles(ctx context.Context, s *pipeline.Context) error {
	c, class, err := openClassified(s)
	if err != nil {
		return err
	}
	tree, err := openTree(s)
	if err != nil {
		return err
	}
	where, err := newPlace(c.meta)
	if err != nil {
		return pipeline.BadInput(fmt.Errorf("place the cloud on the globe: %w", err), "the coordinate system may not be that of the file: give it with --crs EPSG:n")
	}
	entry := s.OutputPath("3dtiles/tileset.json")
	dir := filepath.Dir(entry)
	if err := os.MkdirAll(filepath.Join(dir, "points"), 0o777); err != nil {
		return fmt.Errorf("create output folder: %w", err)
	}
	boxes := make([]extent, len(tree.Nodes))
	var done atomic.Int64
	err = eachParallel(ctx, s.Workers(), len(tree.Nodes), func() (func(int) error, error) {
		w := tileWriter{c: c, tree: tree, class: class, where: where}
		return func(n int) error {
			if err := w.write(n, filepath.Join(dir, tileName(tree.Nodes[n].Key))); err != nil {
				return err
			}
			boxes[n] = w.extent
			s.Progress(float64(done.Add(int64(tree.Nodes[n].Points))), float64(c.Points))
			return nil
		}, nil
	})
	if err != nil {
		return err
	}
	if err := writeTilesets(dir, c.meta, tree.Nodes, boxes, where); err != nil {
		return err
	}
	s.Publish(job.Output{Type: job.TypeTiles3D, Path: "3dtiles/tileset.json", Points: int64(c.Points), Tiles: int64(len(tree.Nodes))})
	return nil
}

func tileName(k octree.Key) string { return "points/" + k.String() + ".glb" }

// extent is the box of the points of a node in the frame of the tiles.
type extent struct {
	lo, hi [3]float64
}

func (e *extent) merge(o extent) {
	for a := range 3 {
		e.lo[a], e.hi[a] = min(e.lo[a], o.lo[a]), max(e.hi[a], o.hi[a])
	}
}

// tileWriter writes contents of tiles.
type tileWriter struct {
	c      *cloud
	tree   *octree.Tree
	class  []uint8
	where  *place
	extent extent

	gltf      gltf.PointWriter
	places    []uint32
	xyz       []float64
	colors    []uint16
	intensity []uint16
	classes   []uint8
	returns   []uint8
	file      []byte
}

func (w *tileWriter) write(n int, path string) error {
	w.places = w.tree.Points(n, w.places[:0])
	w.gather()
	if err := w.where.local(w.xyz); err != nil {
		return fmt.Errorf("node %v: %w", w.tree.Nodes[n].Key, err)
	}
	w.extent = extent{[3]float64(w.xyz[:3]), [3]float64(w.xyz[:3])}
	for i := 3; i < len(w.xyz); i += 3 {
		p := [3]float64(w.xyz[i : i+3])
		w.extent.merge(extent{p, p})
	}
	var err error
	w.file, err = w.gltf.Append(w.file[:0], gltf.Points{
		XYZ: w.xyz, Colors: w.colors, Intensity: w.intensity, Classification: w.classes, ReturnNumber: w.returns, Generator: generator,
	})
	if err != nil {
		return fmt.Errorf("node %v: %w", w.tree.Nodes[n].Key, err)
	}
	if err := os.WriteFile(path, w.file, 0o666); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// gather collects the points of w.places.
func (w *tileWriter) gather() {
	c := w.c
	w.xyz, w.colors, w.intensity = w.xyz[:0], w.colors[:0], w.intensity[:0]
	w.classes, w.returns = w.classes[:0], w.returns[:0]
	w.xyz = slices.Grow(w.xyz, 3*len(w.places))
	for _, p := range w.places {
		for a := range 3 {
			w.xyz = append(w.xyz, c.real(a, c.xyz[3*int(p)+a]))
		}
		rec := c.record(c.order[p])
		w.intensity = append(w.intensity, c.layout.Intensity(rec))
		w.classes = append(w.classes, w.class[p])
		w.returns = append(w.returns, c.layout.ReturnNumber(rec))
		if c.HasColor {
			r, g, b := c.layout.RGBOf(rec)
			// 8 bits are widened so that white stays white.
			if c.ColorScale != 1 {
				r, g, b = r*257, g*257, b*257
			}
			w.colors = append(w.colors, r, g, b)
		}
	}
}

// writeTilesets writes tileset.json, and further files for parts of large trees.
func writeTilesets(dir string, m *meta, nodes []octree.Node, boxes []extent, where *place) error {
	tiles := make([]*tiles3d.Tile, len(nodes))
	leaf := make([]bool, len(nodes))
	for i := range leaf {
		leaf[i] = true
	}
	for i := len(nodes) - 1; i >= 0; i-- {
		if p := nodes[i].Parent; p >= 0 {
			boxes[p].merge(boxes[i])
			leaf[p] = false
		}
	}
	h, _ := m.units()
	if where.toECEF == nil {
		h = 1
	}
	spacing := m.Cube.Edge(m.Header.Scale) * h / octree.Span
	split := len(nodes) > tilesetNodes
	for i, n := range nodes {
		t := &tiles3d.Tile{BoundingVolume: tiles3d.BoundingVolume{Box: tiles3d.AxisBox(boxes[i].lo, boxes[i].hi)}}
		t.Content = &tiles3d.Content{URI: tileName(n.Key)}
		if !leaf[i] {
			t.GeometricError = errorSpacings * spacing / math.Exp2(float64(n.Key.Level))
		}
		tiles[i] = t
		if n.Parent < 0 {
			continue
		}
		if split && n.Key.Level == subtreeLevel && !leaf[i] {
			t = &tiles3d.Tile{BoundingVolume: t.BoundingVolume, GeometricError: t.GeometricError, Content: &tiles3d.Content{URI: subtreeName(n.Key)}}
		}
		tiles[n.Parent].Children = append(tiles[n.Parent].Children, t)
	}
	for i, n := range nodes {
		if split && n.Key.Level == subtreeLevel && !leaf[i] {
			tiles[i].Refine = "ADD"
			if err := tiles3d.Write(filepath.Join(dir, subtreeName(n.Key)), &tiles3d.Tileset{
				Asset: tiles3d.Asset{Generator: generator}, GeometricError: tiles[i].GeometricError, Root: tiles[i],
			}); err != nil {
				return err
			}
		}
	}
	root := tiles[0]
	root.Refine, root.Transform = "ADD", where.transform()
	set := &tiles3d.Tileset{Asset: tiles3d.Asset{Generator: generator}, GeometricError: 2 * errorSpacings * spacing, Root: root}
	if where.note != "" {
		set.Asset.Extras = map[string]any{"note": where.note}
	}
	return tiles3d.Write(filepath.Join(dir, "tileset.json"), set)
}

func subtreeName(k octree.Key) string { return "subtree-" + k.String() + ".json" }
