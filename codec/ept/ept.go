// Package ept writes Entwine Point Tiles: an octree of small LAZ files with a JSON
// description, which viewers fetch node by node from any web server.
//
// It follows "Entwine Point Tile format", version 1.1.0 (sections ept.json,
// ept-data, ept-hierarchy, ept-sources), with data type "laszip". Points come as
// chunks that codec/laz compressed.
package ept

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"slate360.ai/worker/codec/las"
)

// Key names a node: depth, and place among the 2^Depth nodes a side.
type Key struct {
	Depth   int
	X, Y, Z uint32
}

// String gives depth-x-y-z, the name of the node in files and hierarchy.
func (k Key) String() string {
	b := make([]byte, 0, 32)
	b = strconv.AppendInt(b, int64(k.Depth), 10)
	for _, v := range [...]uint32{k.X, k.Y, k.Z} {
		b = append(b, '-')
		b = strconv.AppendUint(b, uint64(v), 10)
	}
	return string(b)
}

func (k Key) parent() Key { return Key{k.Depth - 1, k.X >> 1, k.Y >> 1, k.Z >> 1} }

// Dimension is an entry of the schema. The statistics are left out where Count is 0.
type Dimension struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"` // signed, unsigned, float
	Size     int      `json:"size"` // bytes
	Scale    *float64 `json:"scale,omitempty"`
	Offset   *float64 `json:"offset,omitempty"`
	Count    uint64   `json:"count,omitempty"`
	Minimum  *float64 `json:"minimum,omitempty"`
	Maximum  *float64 `json:"maximum,omitempty"`
	Mean     *float64 `json:"mean,omitempty"`
	StdDev   *float64 `json:"stddev,omitempty"`
	Variance *float64 `json:"variance,omitempty"`
	Counts   []Count  `json:"counts,omitempty"`
}

// Count says how many points have a value.
type Count struct {
	Value float64 `json:"value"`
	Count uint64  `json:"count"`
}

// SRS is the coordinate reference system; all empty where it is not known.
type SRS struct {
	Authority  string `json:"authority,omitempty"`
	Horizontal string `json:"horizontal,omitempty"`
	Vertical   string `json:"vertical,omitempty"`
	WKT        string `json:"wkt,omitempty"`
}

// Description is the content of ept.json, but for what a Writer knows itself.
type Description struct {
	// Bounds are those of the root node's cube, minimum then maximum.
	Bounds [6]float64 `json:"bounds"`
	// BoundsConforming are those of the points.
	BoundsConforming [6]float64  `json:"boundsConforming"`
	Schema           []Dimension `json:"schema"`
	// Span is the number of cells a side of the grid that a node samples.
	Span int `json:"span"`
	SRS  SRS `json:"srs"`
}

// Source is the file that the points come from.
type Source struct {
	Path   string
	Points uint64
	Bounds [6]float64
}

// pageDepth is the number of depths in a file of the hierarchy where there are
// more than pageNodes nodes.
const (
	pageDepth = 6
	pageNodes = 16384
)

// Writer writes one tile set. WriteNode may be called concurrently.
type Writer struct {
	dir    string
	header las.Header
	vlrs   []las.VLR

	mu     sync.Mutex
	nodes  map[Key]int64
	points uint64
}

// NewWriter makes the folders below dir, which must exist. h gives format, record
// length, scale, offset and texts of all nodes; vlrs go into each node, so they
// should be few: the CRS and the description of extra bytes.
func NewWriter(dir string, h las.Header, vlrs []las.VLR) (*Writer, error) {
	for _, sub := range []string{"ept-data", "ept-hierarchy", "ept-sources"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o777); err != nil {
			return nil, fmt.Errorf("ept: %w", err)
		}
	}
	return &Writer{dir: dir, header: h, vlrs: vlrs, nodes: map[Key]int64{}}, nil
}

// WriteNode writes a node of compressed points; stats are of them. buf is scratch
// memory that may be nil; it is returned for the next call.
func (w *Writer) WriteNode(k Key, chunk []byte, stats *las.Stats, buf []byte) ([]byte, error) {
	if stats.Count == 0 {
		return buf, fmt.Errorf("ept: node %v has no points", k)
	}
	w.mu.Lock()
	_, twice := w.nodes[k]
	if !twice {
		w.nodes[k] = int64(stats.Count)
		w.points += stats.Count
	}
	w.mu.Unlock()
	if twice {
		return buf, fmt.Errorf("ept: node %v comes twice", k)
	}
	buf, err := las.AppendFile(buf[:0], w.header, w.vlrs, chunk, *stats)
	if err != nil {
		return buf, fmt.Errorf("ept: node %v: %w", k, err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "ept-data", k.String()+".laz"), buf, 0o666); err != nil {
		return buf, fmt.Errorf("ept: %w", err)
	}
	return buf, nil
}

// Nodes is the number of nodes written.
func (w *Writer) Nodes() int { return len(w.nodes) }

// Close writes the hierarchy, the sources, and ept.json last.
func (w *Writer) Close(d Description, sources []Source) error {
	if len(w.nodes) == 0 {
		return fmt.Errorf("ept: there are no points; a tile set needs at least one node")
	}
	if err := w.writeHierarchy(); err != nil {
		return err
	}
	if err := w.writeSources(d, sources); err != nil {
		return err
	}
	for i := range d.Schema {
		d.Schema[i].finite()
	}
	return w.writeJSON("ept.json", struct {
		Description
		DataType      string `json:"dataType"`
		HierarchyType string `json:"hierarchyType"`
		Points        uint64 `json:"points"`
		Version       string `json:"version"`
	}{d, "laszip", "json", w.points, "1.1.0"})
}

// finite takes out numbers that JSON cannot hold.
func (d *Dimension) finite() {
	for _, p := range []**float64{&d.Minimum, &d.Maximum, &d.Mean, &d.StdDev, &d.Variance} {
		if *p != nil && (math.IsNaN(**p) || math.IsInf(**p, 0)) {
			*p = nil
		}
	}
}

// writeHierarchy writes the number of points of all nodes; nodes without points
// that lie above others count 0. In large sets a node at the end of a page is -1
// there and the first of a page of its own.
func (w *Writer) writeHierarchy() error {
	children := map[Key][]Key{}
	for k := range w.nodes {
		for k.Depth > 0 {
			up := k.parent()
			_, known := w.nodes[up]
			above := len(children[up]) > 0
			children[up] = append(children[up], k)
			if known || above {
				break
			}
			k = up
		}
	}
	single := len(w.nodes) <= pageNodes
	var page func(top Key) error
	page = func(top Key) error {
		counts := map[string]int64{}
		var below []Key
		var visit func(k Key)
		visit = func(k Key) {
			if !single && k != top && k.Depth == top.Depth+pageDepth && len(children[k]) > 0 {
				counts[k.String()] = -1
				below = append(below, k)
				return
			}
			counts[k.String()] = w.nodes[k]
			for _, c := range children[k] {
				visit(c)
			}
		}
		visit(top)
		if err := w.writeJSON(filepath.Join("ept-hierarchy", top.String()+".json"), counts); err != nil {
			return err
		}
		for _, k := range below {
			if err := page(k); err != nil {
				return err
			}
		}
		return nil
	}
	return page(Key{})
}

func (w *Writer) writeSources(d Description, sources []Source) error {
	type entry struct {
		Path     string     `json:"path"`
		Points   uint64     `json:"points"`
		Bounds   [6]float64 `json:"bounds"`
		Inserted bool       `json:"inserted"`
		SRS      SRS        `json:"srs"`
	}
	list := make([]entry, len(sources))
	for i, s := range sources {
		list[i] = entry{s.Path, s.Points, s.Bounds, true, d.SRS}
	}
	return w.writeJSON(filepath.Join("ept-sources", "manifest.json"), list)
}

func (w *Writer) writeJSON(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("ept: encoding %s: %w", name, err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, name), append(b, '\n'), 0o666); err != nil {
		return fmt.Errorf("ept: %w", err)
	}
	return nil
}
