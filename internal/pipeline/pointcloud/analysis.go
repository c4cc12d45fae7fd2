package pointcloud

import (
	"context"
	"math"
	"strings"

	"slate360.ai/worker/codec/crs"
	"slate360.ai/worker/internal/pipeline"
)

// Bounds are the extent of a cloud.
type Bounds struct {
	Min [3]float64 `json:"min"`
	Max [3]float64 `json:"max"`
}

// GeoBounds are degrees on WGS 84, and metres above its ellipsoid.
type GeoBounds struct {
	West   float64    `json:"west"`
	South  float64    `json:"south"`
	East   float64    `json:"east"`
	North  float64    `json:"north"`
	Height [2]float64 `json:"height"`
	// Center is longitude and latitude of the middle of the cloud.
	Center [2]float64 `json:"center"`
}

// CRSInfo is the coordinate reference system of a cloud.
type CRSInfo struct {
	Name           string `json:"name"`
	EPSG           int    `json:"epsg,omitempty"`
	VerticalEPSG   int    `json:"verticalEpsg,omitempty"`
	HorizontalUnit string `json:"horizontalUnit"`
	VerticalUnit   string `json:"verticalUnit"`
	WKT            string `json:"wkt"`
	// Origin says where it was found: option, wkt, geotiff.
	Origin string `json:"origin"`
	// Note says what transforming from it leaves out.
	Note string `json:"note,omitempty"`
}

// DimensionInfo are the statistics of a dimension, in its unit.
type DimensionInfo struct {
	Name   string  `json:"name"`
	Type   string  `json:"type"`
	Size   int     `json:"size"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Mean   float64 `json:"mean"`
	StdDev float64 `json:"stddev"`
}

// ClassInfo counts the points of a class.
type ClassInfo struct {
	Class  int    `json:"class"`
	Name   string `json:"name"`
	Points uint64 `json:"points"`
}

// className gives the name of a class (LAS 1.4 R15, table 17).
func className(class int) string {
	names := [...]string{
		"never classified", "unclassified", "ground", "low vegetation", "medium vegetation", "high vegetation", "building",
		"low noise", "model key point", "water", "rail", "road surface", "overlap", "wire guard", "wire conductor",
		"transmission tower", "wire connector", "bridge deck", "high noise",
	}
	switch {
	case class < len(names):
		return names[class]
	case class < 64:
		return "reserved"
	}
	return "user-defined"
}

// runAnalysis sums up what is known of the cloud, with the classes of the filters.
func runAnalysis(ctx context.Context, s *pipeline.Context) error {
	c, class, err := openClassified(s)
	if err != nil {
		return err
	}
	var counts [256]uint64
	for _, k := range class {
		counts[k]++
	}
	s.SetAnalysis("points", c.Points)
	s.SetAnalysis("pointFormat", c.Header.PointFormat)
	s.SetAnalysis("bounds", boundsOf(c.meta))
	s.SetAnalysis("hasColor", c.HasColor)
	s.SetAnalysis("classes", classInfos(counts[:]))
	s.SetAnalysis("sourceClasses", classInfos(c.Stats.Classes[:]))
	s.SetAnalysis("returns", trimZeros(c.Stats.Returns[:]))
	s.SetAnalysis("dimensions", dimensionInfos(c.meta))
	if c.ColorScale != 1 {
		s.SetAnalysis("colorDepth", 8)
	} else if c.HasColor {
		s.SetAnalysis("colorDepth", 16)
	}
	area := c.area()
	h, _ := c.units()
	s.SetAnalysis("area", area*h*h)
	if area > 0 {
		s.SetAnalysis("density", float64(c.Points)/(area*h*h))
	}
	known, err := c.CRS.crs()
	if err != nil || known == nil {
		return ctx.Err()
	}
	info := describeCRS(known, c.CRS)
	if geo, note, err := geoBounds(c.meta, known); err != nil {
		s.Warn("bounds on WGS 84 are left out: %v", err)
	} else {
		info.Note = note
		s.SetAnalysis("wgs84", geo)
	}
	s.SetAnalysis("crs", info)
	return ctx.Err()
}

func boundsOf(m *meta) Bounds {
	b := m.bounds()
	out := Bounds{}
	for i := range 3 {
		out.Min[i], out.Max[i] = min(b[i], b[i+3]), max(b[i], b[i+3])
	}
	return out
}

func classInfos(counts []uint64) []ClassInfo {
	list := []ClassInfo{}
	for class, n := range counts {
		if n > 0 {
			list = append(list, ClassInfo{class, className(class), n})
		}
	}
	return list
}

// trimZeros leaves out the zeros at the end.
func trimZeros(v []uint64) []uint64 {
	n := len(v)
	for n > 0 && v[n-1] == 0 {
		n--
	}
	return v[:n]
}

func dimensionInfos(m *meta) []DimensionInfo {
	list := make([]DimensionInfo, 0, len(m.Stats.Dimensions))
	for _, d := range m.Stats.Dimensions {
		factor, offset := d.Scale, d.Offset
		switch d.Name {
		case "X", "Y", "Z":
			axis := strings.Index("XYZ", d.Name)
			factor, offset = m.Header.Scale[axis], m.Header.Offset[axis]
		}
		lo, hi := d.Min*factor+offset, d.Max*factor+offset
		list = append(list, DimensionInfo{
			Name: d.Name, Type: d.Type, Size: d.Size, Min: min(lo, hi), Max: max(lo, hi),
			Mean: d.Mean*factor + offset, StdDev: math.Sqrt(d.variance()) * math.Abs(factor),
		})
	}
	return list
}

// areaCells is the number of cells along the longer side of the grid that the area
// is counted with.
const areaCells = 2048

// area gives the area that the points cover, in square units of the cloud: that of
// the cells of a grid that hold points. Cells are so large that one holds several
// points on average.
func (c *cloud) area() float64 {
	w := float64(int64(c.Max[0])-int64(c.Min[0])) * math.Abs(c.Header.Scale[0])
	d := float64(int64(c.Max[1])-int64(c.Min[1])) * math.Abs(c.Header.Scale[1])
	if w <= 0 || d <= 0 {
		return 0
	}
	const pointsPerCell = 8
	cell := max(math.Sqrt(w*d*pointsPerCell/float64(c.Points)), max(w, d)/areaCells)
	cols, rows := int(w/cell)+1, int(d/cell)+1
	seen := make([]bool, cols*rows)
	n := 0
	fx, fy := math.Abs(c.Header.Scale[0])/cell, math.Abs(c.Header.Scale[1])/cell
	for i := 0; i < len(c.xyz); i += 3 {
		x := int(float64(int64(c.xyz[i])-int64(c.Min[0])) * fx)
		y := int(float64(int64(c.xyz[i+1])-int64(c.Min[1])) * fy)
		if at := y*cols + x; !seen[at] {
			seen[at] = true
			n++
		}
	}
	// Cells at the border are covered in part only: their share is not counted
	// beyond the bounds.
	return min(float64(n)*cell*cell, w*d)
}

func describeCRS(c *crs.CRS, info crsInfo) CRSInfo {
	return CRSInfo{
		Name: c.Name(), EPSG: c.EPSG(), VerticalEPSG: c.VerticalEPSG(),
		HorizontalUnit: c.HorizontalUnit().Name, VerticalUnit: c.VerticalUnit().Name,
		WKT: info.WKT, Origin: info.Origin,
	}
}

// geoBounds transforms the border of the cloud to WGS 84.
func geoBounds(m *meta, c *crs.CRS) (GeoBounds, string, error) {
	return geoBoundsOf(boundsOf(m), c)
}

func geoBoundsOf(b Bounds, c *crs.CRS) (GeoBounds, string, error) {
	tr, err := c.ToWGS84()
	if err != nil {
		return GeoBounds{}, "", err
	}
	const steps = 8 // a side: parallels and meridians are curved in a projection
	var p []float64
	for i := range steps + 1 {
		for j := range steps + 1 {
			x := b.Min[0] + (b.Max[0]-b.Min[0])*float64(i)/steps
			y := b.Min[1] + (b.Max[1]-b.Min[1])*float64(j)/steps
			p = append(p, x, y, b.Min[2], x, y, b.Max[2])
		}
	}
	center := []float64{(b.Min[0] + b.Max[0]) / 2, (b.Min[1] + b.Max[1]) / 2, b.Min[2]}
	if err := tr.Apply(center); err != nil {
		return GeoBounds{}, "", err
	}
	if err := tr.Apply(p); err != nil {
		return GeoBounds{}, "", err
	}
	g := GeoBounds{West: math.Inf(1), South: math.Inf(1), East: math.Inf(-1), North: math.Inf(-1), Center: [2]float64{center[0], center[1]}}
	g.Height = [2]float64{math.Inf(1), math.Inf(-1)}
	for ; len(p) > 0; p = p[3:] {
		g.West, g.East = min(g.West, p[0]), max(g.East, p[0])
		g.South, g.North = min(g.South, p[1]), max(g.North, p[1])
		g.Height[0], g.Height[1] = min(g.Height[0], p[2]), max(g.Height[1], p[2])
	}
	return g, tr.Note(), nil
}
