package pointcloud

import (
	"context"
	"math"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"slate360.ai/worker/codec/crs"
	"slate360.ai/worker/codec/ept"
	"slate360.ai/worker/codec/las"
	"slate360.ai/worker/geom/octree"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// runEPT puts each compressed node into a file of its own.
func runEPT(ctx context.Context, s *pipeline.Context) error {
	m, err := readMeta(s)
	if err != nil {
		return err
	}
	nodes, chunks, err := readNodes(s)
	if err != nil {
		return err
	}
	defer chunks.Close()
	to, err := webLayout(m.layout())
	if err != nil {
		return err
	}
	vlrs, err := sourceVLRs(ctx, s)
	if err != nil {
		return err
	}
	entry := s.OutputPath("ept/ept.json")
	w, err := ept.NewWriter(filepath.Dir(entry), webHeader(m, to), outputVLRs(vlrs, m.CRS, false))
	if err != nil {
		return err
	}
	var done atomic.Int64
	err = eachParallel(ctx, s.Workers(), len(nodes), func() (func(int) error, error) {
		var chunk, file []byte
		return func(i int) error {
			n := &nodes[i]
			var err error
			if chunk, err = readChunk(chunks, n, chunk); err != nil {
				return err
			}
			key := ept.Key{Depth: n.Key.Level, X: n.Key.X, Y: n.Key.Y, Z: n.Key.Z}
			file, err = w.WriteNode(key, chunk, &n.Stats, file)
			s.Progress(float64(done.Add(1)), float64(len(nodes)))
			return err
		}, nil
	})
	if err != nil {
		return err
	}
	schema, err := eptSchema(m, to, vlrs)
	if err != nil {
		return err
	}
	d := ept.Description{Bounds: m.cubeBounds(), BoundsConforming: m.bounds(), Schema: schema, Span: octree.Span, SRS: eptSRS(m.CRS)}
	if err := w.Close(d, []ept.Source{{Path: filepath.Base(s.Source()), Points: m.Points, Bounds: m.bounds()}}); err != nil {
		return err
	}
	s.Publish(job.Output{Type: job.TypeEPT, Path: "ept/ept.json", Points: int64(m.Points), Tiles: int64(w.Nodes())})
	return nil
}

// eptSchema gives the dimensions of the nodes, with the statistics of the source.
// Those of the class are left out: the filters changed it.
func eptSchema(m *meta, to las.Layout, vlrs []las.VLR) ([]ept.Dimension, error) {
	extra, err := las.FindExtraBytes(vlrs, to)
	if err != nil {
		extra = nil
	}
	list := make([]ept.Dimension, 0, 24)
	for _, d := range newStatistics(to, extra).Dimensions {
		e := ept.Dimension{Name: d.Name, Type: d.Type, Size: d.Size}
		factor, offset := 1.0, 0.0
		switch d.Name {
		case "X", "Y", "Z":
			axis := int(d.Name[0] - 'X')
			factor, offset = m.Header.Scale[axis], m.Header.Offset[axis]
			e.Scale, e.Offset = &factor, &offset
		case "Red", "Green", "Blue":
			factor = float64(m.ColorScale)
		}
		for i := range extra {
			if x := &extra[i]; x.Name == d.Name && x.Options&las.ExtraHasScale != 0 {
				e.Scale = &x.Scale[0]
				e.Offset = new(float64)
				if x.Options&las.ExtraHasOffset != 0 {
					e.Offset = &x.Offset[0]
				}
			}
		}
		if o := m.Stats.find(d.Name); o != nil && o.Count > 0 && d.Name != "Classification" {
			if o.Scale != 1 {
				factor = o.Scale
			}
			lo, hi := o.Min*factor+offset, o.Max*factor+offset
			lo, hi = min(lo, hi), max(lo, hi)
			mean, variance := o.Mean*factor+offset, o.variance()*factor*factor
			stddev := math.Sqrt(variance)
			e.Count, e.Minimum, e.Maximum, e.Mean, e.StdDev, e.Variance = o.Count, &lo, &hi, &mean, &stddev, &variance
		}
		list = append(list, e)
	}
	return list, nil
}

func eptSRS(info crsInfo) ept.SRS {
	srs := ept.SRS{WKT: info.WKT}
	c, err := info.crs()
	if err != nil || c == nil {
		return srs
	}
	return withCodes(srs, c)
}

func withCodes(srs ept.SRS, c *crs.CRS) ept.SRS {
	if c.EPSG() == 0 {
		return srs
	}
	srs.Authority, srs.Horizontal = "EPSG", strconv.Itoa(c.EPSG())
	if v := c.VerticalEPSG(); v != 0 {
		srs.Vertical = strconv.Itoa(v)
	}
	return srs
}
