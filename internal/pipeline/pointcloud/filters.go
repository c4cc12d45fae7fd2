package pointcloud

import (
	"context"
	"errors"
	"slices"

	"slate360.ai/worker/geom/ground"
	"slate360.ai/worker/geom/outlier"
	"slate360.ai/worker/internal/mapped"
	"slate360.ai/worker/internal/pipeline"
)

// ASPRS classes that the filters give (LAS 1.4 R15, table 17).
const (
	classUnclassified = 1
	classGround       = 2
	classLowNoise     = 7
	classHighNoise    = 18
)

// units gives metres in a unit of the cloud, horizontally and vertically. A cloud
// without a CRS is taken to be in metres, one in degrees has metres by its place.
func (m *meta) units() (horizontal, vertical float64) {
	c, err := m.CRS.crs()
	if err != nil || c == nil {
		return 1, 1
	}
	horizontal, vertical = c.HorizontalUnit().Metres, c.VerticalUnit().Metres
	if c.IsGeographic() {
		const metresPerDegree = 111_320 // on the equator; the filters are coarse there anyway
		horizontal = metresPerDegree
	}
	if !(horizontal > 0) {
		horizontal = 1
	}
	if !(vertical > 0) {
		vertical = horizontal
	}
	return horizontal, vertical
}

// classify runs a filter on a copy of the classes before it.
func classify(s *pipeline.Context, product string, filter func(c *cloud, class []uint8) error) error {
	c, err := openCloud(s)
	if err != nil {
		return err
	}
	before, err := c.classes(s)
	if err != nil {
		return err
	}
	class := slices.Clone(before)
	if err := filter(c, class); err != nil {
		return err
	}
	return mapped.Write(s.Product(product), class)
}

func runOutlier(ctx context.Context, s *pipeline.Context) error {
	return classify(s, productOutlier, func(c *cloud, class []uint8) error {
		o := s.Options().Filters.Outlier
		n := float64(len(class))
		r, err := outlier.Statistical(ctx, c.xyz, c.Header.Scale, outlier.Params{MeanK: o.MeanK, Multiplier: o.Multiplier}, s.Workers(),
			func(done int) { s.Progress(float64(done), n) },
			func(i int) { class[i] = classLowNoise })
		if err != nil {
			return err
		}
		s.SetAnalysis("outlier", map[string]any{
			"points": r.Outliers, "meanDistance": r.Mean, "stddev": r.StdDev, "threshold": r.Threshold,
		})
		return nil
	})
}

func runELM(ctx context.Context, s *pipeline.Context) error {
	return classify(s, productELM, func(c *cloud, class []uint8) error {
		o := s.Options().Filters.ELM
		h, v := c.units()
		outlying := slices.Clone(class) // mark changes class while ELM asks
		found, err := ground.ELM(ctx, ground.Cloud{XYZ: c.xyz, Scale: c.Header.Scale},
			ground.ELMParams{Cell: o.Cell / h, Threshold: o.Threshold / v}, s.Workers(),
			func(i int) bool { return !noise(outlying[i]) },
			func(i int) { class[i] = classLowNoise })
		if err != nil {
			return tooWide(s, err)
		}
		s.SetAnalysis("elm", map[string]any{"points": found})
		return nil
	})
}

// runSMRF classifies last and only returns, as PDAL does: the others did not reach
// the ground. They become unclassified where the source called them ground.
func runSMRF(ctx context.Context, s *pipeline.Context) error {
	return classify(s, productSMRF, func(c *cloud, class []uint8) error {
		o := s.Options().Filters.SMRF
		h, v := c.units()
		keep := c.lastReturns(class)
		err := ground.SMRF(ctx, ground.Cloud{XYZ: c.xyz, Scale: c.Header.Scale},
			ground.SMRFParams{Cell: o.Cell / h, Slope: o.Slope * h / v, Window: o.Window / h, Scalar: o.Scalar * v / h, Threshold: o.Threshold / v},
			s.Workers(), func(i int) bool { return keep[i] },
			func(done, total int) { s.Progress(float64(done), float64(total)) },
			func(i int, ground bool) {
				class[i] = classUnclassified
				if ground {
					class[i] = classGround
				}
			})
		return tooWide(s, err)
	})
}

// lastReturns tells for each point whether it takes part in the search for the
// ground: no noise, and the last return of its pulse. Where the source does not
// number returns, all do.
func (c *cloud) lastReturns(class []uint8) []bool {
	numbered := c.Stats.Returns[0] == 0 && c.Stats.Of[0] == 0
	keep := make([]bool, len(class))
	for i, k := range class {
		if noise(k) {
			continue
		}
		keep[i] = true
		if numbered {
			rec := c.record(c.order[i])
			keep[i] = c.layout.ReturnNumber(rec) == c.layout.NumberOfReturns(rec)
		}
	}
	return keep
}

// tooWide makes of a grid that is too large a warning: the filter is left out, and
// what needs no ground comes nevertheless.
func tooWide(s *pipeline.Context, err error) error {
	var cells *ground.TooManyCellsError
	if errors.As(err, &cells) {
		s.Warn("this filter was left out: %v", err)
		return nil
	}
	return err
}

// noise tells whether a class is noise.
func noise(class uint8) bool { return class == classLowNoise || class == classHighNoise }
