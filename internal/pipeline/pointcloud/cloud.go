package pointcloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"slate360.ai/worker/codec/las"
	"slate360.ai/worker/geom/morton"
	"slate360.ai/worker/internal/mapped"
	"slate360.ai/worker/internal/pipeline"
)

// meta is the product index.json: what the index stage learned of the source.
type meta struct {
	Points uint64     `json:"points"`
	Header las.Header `json:"header"`
	// Min and Max are raw coordinates, Real ones those in the unit of the CRS.
	Min   [3]int32    `json:"min"`
	Max   [3]int32    `json:"max"`
	Cube  morton.Cube `json:"cube"`
	Stats *statistics `json:"stats"`
	CRS   crsInfo     `json:"crs"`
	// ColorScale is 256 where 8-bit colours are stored in the 16 bits, else 1.
	ColorScale uint16 `json:"colorScale"`
	HasColor   bool   `json:"hasColor"`
}

func (m *meta) layout() las.Layout {
	l, err := las.NewLayout(m.Header.PointFormat, int(m.Header.PointRecordLength))
	if err != nil {
		panic(fmt.Sprintf("pointcloud: index of a layout that was never read: %v", err))
	}
	return l
}

// real gives coordinate v of an axis in the unit of the CRS.
func (m *meta) real(axis int, v int32) float64 {
	return float64(v)*m.Header.Scale[axis] + m.Header.Offset[axis]
}

// cubeBounds gives the cube of the root node, minimum then maximum.
func (m *meta) cubeBounds() (b [6]float64) {
	edge := m.Cube.Edge(m.Header.Scale)
	for i := range 3 {
		b[i] = float64(m.Cube.Min[i])*m.Header.Scale[i] + m.Header.Offset[i]
		b[i+3] = b[i] + edge
	}
	return b
}

func (m *meta) bounds() (b [6]float64) {
	for i := range 3 {
		b[i], b[i+3] = m.real(i, m.Min[i]), m.real(i, m.Max[i])
	}
	return b
}

func readMeta(s *pipeline.Context) (*meta, error) {
	var m meta
	if err := readJSON(s.Product(productIndex), &m); err != nil {
		return nil, err
	}
	return &m, nil
}

// cloud gives the points as the index stage left them; slices are mapped files.
type cloud struct {
	*meta
	layout  las.Layout
	records []byte   // in source order
	xyz     []int32  // in Morton order
	order   []uint32 // source index of each point in Morton order
	files   []*mapped.File
}

// openCloud gives the cloud that all stages of a run share.
func openCloud(s *pipeline.Context) (*cloud, error) {
	h, err := s.Shared("cloud", func() (io.Closer, error) { return mapCloud(s) })
	if err != nil {
		return nil, err
	}
	return h.(*cloud), nil
}

func mapCloud(s *pipeline.Context) (*cloud, error) {
	m, err := readMeta(s)
	if err != nil {
		return nil, err
	}
	c := &cloud{meta: m, layout: m.layout()}
	var b [3][]byte
	for i, name := range []string{productRecords, productXYZ, productOrder} {
		f, err := mapped.Open(s.Product(name))
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		c.files = append(c.files, f)
		b[i] = f.Bytes()
	}
	c.records, c.xyz, c.order = b[0], mapped.Values[int32](b[1]), mapped.Values[uint32](b[2])
	if n := int(m.Points); len(c.records) != n*c.layout.Length || len(c.xyz) != 3*n || len(c.order) != n {
		return nil, errors.Join(errors.New("products of the index do not fit each other; run with --fresh"), c.Close())
	}
	return c, nil
}

// Close unmaps the files.
func (c *cloud) Close() error {
	var errs []error
	for _, f := range c.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// record gives the raw record of the point at a place of the source.
func (c *cloud) record(source uint32) []byte {
	at := int(source) * c.layout.Length
	return c.records[at : at+c.layout.Length]
}

// classes gives the classes of the points in Morton order that the filters before
// this stage left: those of the source where none ran. The slice may be mapped.
func (c *cloud) classes(s *pipeline.Context) ([]uint8, error) {
	for _, name := range []string{productSMRF, productELM, productOutlier} {
		if !s.Has(name) {
			continue
		}
		h, err := s.Shared(name, func() (io.Closer, error) { return mapped.Open(s.Product(name)) })
		if err != nil {
			return nil, err
		}
		b := h.(*mapped.File).Bytes()
		if len(b) != len(c.order) {
			return nil, fmt.Errorf("product %s has %d classes of %d points; run with --fresh", name, len(b), len(c.order))
		}
		return b, nil
	}
	class := make([]uint8, len(c.order))
	for i, src := range c.order {
		class[i] = c.layout.Classification(c.record(src))
	}
	return class, nil
}

// openClassified gives the cloud and its classes as the filters left them.
func openClassified(s *pipeline.Context) (*cloud, []uint8, error) {
	c, err := openCloud(s)
	if err != nil {
		return nil, nil, err
	}
	class, err := c.classes(s)
	return c, class, err
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read product: %w", err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read product %s: %w", path, err)
	}
	return nil
}

func writeJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write product %s: %w", path, err)
	}
	if err := os.WriteFile(path, b, 0o666); err != nil {
		return fmt.Errorf("write product: %w", err)
	}
	return nil
}
