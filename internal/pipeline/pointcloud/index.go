package pointcloud

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync/atomic"

	"slate360.ai/worker/codec/las"
	"slate360.ai/worker/geom/morton"
	"slate360.ai/worker/internal/mapped"
	"slate360.ai/worker/internal/pipeline"
)

// headerPoints gives the number of points that a file says to have, at most as
// many as its bytes can be.
func headerPoints(path string) (int64, error) {
	r, err := las.Open(path)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return int64(r.NumPoints()), nil
}

// runIndex decodes the source once, in parallel: records go to a file in source
// order, coordinates are kept, sorted along the Z curve and written.
func runIndex(ctx context.Context, s *pipeline.Context) error {
	r, err := openSource(ctx, s.Source())
	if err != nil {
		return err
	}
	defer r.Close()
	for _, w := range r.Warnings() {
		s.Warn("%s", w)
	}
	n := int(r.NumPoints())
	if need := int64(n) * indexBytes; need > s.MemoryBudget() {
		return &pipeline.ConfigError{
			Err:  fmt.Errorf("sorting %d points needs %d MB of memory, the budget is %d MB", n, need>>20, s.MemoryBudget()>>20),
			Hint: "raise SLATE360_MEMORY, or cut the scan into parts",
		}
	}
	xyz := make([]int32, 3*n)
	stats, err := decode(ctx, s, r, xyz)
	if err != nil {
		return err
	}
	m := &meta{Points: uint64(n), Header: r.Header(), Stats: stats}
	m.Min, m.Max = stats.bounds()
	m.Cube = morton.NewCube(m.Min, m.Max, m.Header.Scale)
	m.ColorScale, m.HasColor = stats.colors()
	m.CRS = findCRS(s, r.VLRs())
	if c, err := m.CRS.crs(); err == nil && c != nil && c.IsGeographic() {
		s.Warn("coordinates are degrees beside heights in metres: the levels of COPC, EPT and 3D Tiles are uneven; project the scan for better ones")
	}
	order, err := morton.Sort(ctx, xyz, m.Cube, s.Workers())
	if err != nil {
		return err
	}
	return errors.Join(
		mapped.Write(s.Product(productXYZ), xyz),
		mapped.Write(s.Product(productOrder), order),
		writeJSON(s.Product(productIndex), m),
	)
}

// openSource opens a scan and refuses what no later stage could make sense of.
func openSource(ctx context.Context, path string) (*las.Reader, error) {
	r, err := las.Open(path, las.WithContext(ctx))
	var pathErr *os.PathError
	switch {
	case errors.As(err, &pathErr), ctx.Err() != nil:
		return nil, err
	case err != nil:
		return nil, pipeline.BadInput(err, "")
	}
	if err := checkHeader(r); err != nil {
		return nil, errors.Join(pipeline.BadInput(fmt.Errorf("%s: %w", path, err), ""), r.Close())
	}
	return r, nil
}

func checkHeader(r *las.Reader) error {
	h := r.Header()
	if r.NumPoints() == 0 {
		return errors.New("the file has no points; export it again")
	}
	if r.NumPoints() > math.MaxUint32 {
		return fmt.Errorf("the file has %d points, at most %d are processed at a time; cut it into parts", r.NumPoints(), uint32(math.MaxUint32))
	}
	for i, axis := range []string{"x", "y", "z"} {
		scale, offset := h.Scale[i], h.Offset[i]
		if !(scale > 0) || math.IsInf(scale, 0) || math.IsNaN(offset) || math.IsInf(offset, 0) {
			return fmt.Errorf("the header gives %s a scale of %g and an offset of %g, so that its coordinates have no meaning; export it again", axis, scale, offset)
		}
	}
	return nil
}

// decode writes all records to the product and gathers coordinates and statistics.
func decode(ctx context.Context, s *pipeline.Context, r *las.Reader, xyz []int32) (*statistics, error) {
	f, err := os.Create(s.Product(productRecords))
	if err != nil {
		return nil, fmt.Errorf("create product: %w", err)
	}
	defer f.Close()
	layout := r.Layout()
	extra, err := las.FindExtraBytes(r.VLRs(), layout)
	if err != nil {
		s.Warn("%v; the extra bytes are kept without a name", err)
	}
	parts := make(chan *statistics, s.Workers())
	for range s.Workers() {
		parts <- newStatistics(layout, extra)
	}
	var done atomic.Int64
	err = r.Each(ctx, s.Workers(), func(c las.Chunk, records []byte) error {
		if _, err := f.WriteAt(records, int64(c.First)*int64(layout.Length)); err != nil {
			return fmt.Errorf("write product: %w", err)
		}
		at := 3 * int(c.First)
		part := <-parts
		part.add(records, xyz[at:at+3*c.Points])
		parts <- part
		s.Progress(float64(done.Add(int64(c.Points))), float64(r.NumPoints()))
		return nil
	})
	var format *las.FormatError
	if errors.As(err, &format) {
		return nil, pipeline.BadInput(err, "")
	}
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("write product: %w", err)
	}
	total := newStatistics(layout, extra)
	for range s.Workers() {
		total.merge(<-parts)
	}
	return total, nil
}
