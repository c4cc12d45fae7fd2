// Package tiles3d writes tilesets of 3D Tiles.
//
// It follows "3D Tiles", version 1.1 (OGC 22-025r4, sections 6 tileset, 6.7.1.4
// boxes, 7.5 glTF content).
package tiles3d

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
)

// Box is an oriented bounding box: centre, then its three half-axes.
type Box [12]float64

// AxisBox gives the box along the axes between two corners. Flat ones get a
// thickness of a millimetre, so that no runtime divides by zero.
func AxisBox(lo, hi [3]float64) Box {
	var b Box
	for i := range 3 {
		b[i] = (lo[i] + hi[i]) / 2
		b[3+4*i] = max((hi[i]-lo[i])/2, 0.0005)
	}
	return b
}

// BoundingVolume of a tile.
type BoundingVolume struct {
	Box Box `json:"box"`
}

// Content of a tile: a file by its address relative to the tileset.
type Content struct {
	URI string `json:"uri"`
}

// Tile is a node of a tileset.
type Tile struct {
	BoundingVolume BoundingVolume `json:"boundingVolume"`
	// GeometricError is what is wrong, in metres, where this tile is drawn and
	// its children are not.
	GeometricError float64      `json:"geometricError"`
	Refine         string       `json:"refine,omitempty"` // ADD or REPLACE, of the root
	Transform      *[16]float64 `json:"transform,omitempty"`
	Content        *Content     `json:"content,omitempty"`
	Children       []*Tile      `json:"children,omitempty"`
}

// Tileset is the content of tileset.json.
type Tileset struct {
	Asset Asset `json:"asset"`
	// GeometricError is what is wrong where nothing is drawn.
	GeometricError float64 `json:"geometricError"`
	Root           *Tile   `json:"root"`
}

// Asset says which version of 3D Tiles this is, and what wrote it.
type Asset struct {
	Version   string         `json:"version"`
	Generator string         `json:"generator,omitempty"`
	Extras    map[string]any `json:"extras,omitempty"`
}

// Write writes a tileset to a file.
func Write(path string, t *Tileset) error {
	t.Asset.Version = "1.1"
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("tiles3d: %w", err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	if err := json.NewEncoder(w).Encode(t); err != nil {
		return fmt.Errorf("tiles3d: writing %s: %w", path, err)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("tiles3d: writing %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("tiles3d: writing %s: %w", path, err)
	}
	return nil
}

// Frame is the east-north-up frame at a place on the Earth.
type Frame struct {
	origin             [3]float64
	east, north, above [3]float64
}

// NewFrame gives the frame at longitude and latitude (degrees, WGS 84), whose
// origin in EPSG:4978 is origin (metres).
func NewFrame(lon, lat float64, origin [3]float64) Frame {
	sl, cl := math.Sincos(lon * math.Pi / 180)
	sp, cp := math.Sincos(lat * math.Pi / 180)
	return Frame{
		origin: origin,
		east:   [3]float64{-sl, cl, 0},
		north:  [3]float64{-sp * cl, -sp * sl, cp},
		above:  [3]float64{cp * cl, cp * sl, sp},
	}
}

// Matrix takes coordinates of the frame to EPSG:4978, in columns.
func (f *Frame) Matrix() *[16]float64 {
	e, n, u, o := f.east, f.north, f.above, f.origin
	return &[16]float64{e[0], e[1], e[2], 0, n[0], n[1], n[2], 0, u[0], u[1], u[2], 0, o[0], o[1], o[2], 1}
}

// Local takes points (x, y, z interleaved) from EPSG:4978 to the frame, in place.
func (f *Frame) Local(xyz []float64) {
	for ; len(xyz) >= 3; xyz = xyz[3:] {
		x, y, z := xyz[0]-f.origin[0], xyz[1]-f.origin[1], xyz[2]-f.origin[2]
		xyz[0] = f.east[0]*x + f.east[1]*y + f.east[2]*z
		xyz[1] = f.north[0]*x + f.north[1]*y + f.north[2]*z
		xyz[2] = f.above[0]*x + f.above[1]*y + f.above[2]*z
	}
}
