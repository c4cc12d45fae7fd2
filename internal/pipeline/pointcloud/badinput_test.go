package pointcloud

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slate360.ai/worker/codec/las"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/testdata"
)

// scan is a small cloud for files with faults.
type scan struct {
	format uint8
	points [][3]int32
	edit   func(h *las.Header)
}

// write makes a LAZ file.
func (s scan) write(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "scan.laz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := las.Header{VersionMajor: 1, VersionMinor: 4, PointFormat: s.format, Compressed: true, Scale: [3]float64{.01, .01, .01}}
	if s.edit != nil {
		s.edit(&h)
	}
	w, err := las.NewWriter(f, h, nil)
	if err != nil {
		t.Fatal(err)
	}
	sizes := []int{20, 28, 26, 34, 57, 63, 30, 36, 38, 59, 67}
	l, err := las.NewLayout(s.format, sizes[s.format])
	if err != nil {
		t.Fatal(err)
	}
	rec := make([]byte, l.Length)
	for i, p := range s.points {
		l.SetXYZ(rec, p[0], p[1], p[2])
		l.SetReturns(rec, 1, 1)
		l.SetIntensity(rec, uint16(i))
		if err := w.Write(context.Background(), rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func meadow(n int) [][3]int32 {
	r := rand.New(rand.NewPCG(1, 9))
	var p [][3]int32
	for range n {
		p = append(p, [3]int32{r.Int32N(20000), r.Int32N(20000), r.Int32N(100)})
	}
	return p
}

// TestOddClouds holds that clouds at the edge of what is sensible are processed,
// with all points in all outputs.
func TestOddClouds(t *testing.T) {
	equal := make([][3]int32, 100000)
	line := make([][3]int32, 5000)
	for i := range line {
		line[i] = [3]int32{int32(i), 0, 0}
	}
	far := append(meadow(5000), [3]int32{math.MaxInt32, math.MinInt32, 0})
	tests := map[string]scan{
		"one point":         {format: 6, points: [][3]int32{{1, 2, 3}}},
		"two points":        {format: 3, points: [][3]int32{{1, 2, 3}, {100, 200, 300}}},
		"all points equal":  {format: 7, points: equal},
		"a line":            {format: 1, points: line},
		"scales differ":     {format: 0, points: meadow(5000), edit: func(h *las.Header) { h.Scale = [3]float64{1e-7, 1e-7, .001} }},
		"far from zero":     {format: 8, points: meadow(5000), edit: func(h *las.Header) { h.Offset = [3]float64{1e12, -1e12, 0} }},
		"waveforms":         {format: 9, points: meadow(5000)},
		"waveforms, colour": {format: 10, points: meadow(5000)},
		"old with waveform": {format: 5, points: meadow(5000)},
		"a stray far away":  {format: 6, points: far, edit: func(h *las.Header) { h.Scale = [3]float64{1e-4, 1e-4, 1e-4} }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			source := test.write(t)
			dir, r := process(t, source, nil)
			for _, o := range r.Outputs {
				if o.Points != 0 && o.Points != int64(len(test.points)) {
					t.Errorf("%s has %d points of %d", o.Type, o.Points, len(test.points))
				}
			}
			c, err := las.Open(filepath.Join(dir, "copc", "scan.copc.laz"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if c.NumPoints() != uint64(len(test.points)) || len(c.Warnings()) > 0 {
				t.Errorf("COPC has %d points, %v", c.NumPoints(), c.Warnings())
			}
			if w := strings.Join(r.Warnings, "\n"); !strings.Contains(w, "coordinate system") {
				t.Errorf("no word on the missing CRS: %q", w)
			}
		})
	}
}

// TestBadInput holds that files which cannot be processed are told so, as errors
// of the input, that name what is wrong.
func TestBadInput(t *testing.T) {
	whole, err := os.ReadFile(scan{format: 6, points: meadow(60000)}.write(t))
	if err != nil {
		t.Fatal(err)
	}
	edit := func(fn func(b []byte) []byte) []byte { return fn(append([]byte(nil), whole...)) }
	tests := map[string]struct {
		file []byte
		says string
	}{
		"no points": {nil, "no points"},
		"scale 0": {edit(func(b []byte) []byte {
			clear(b[131:139])
			return b
		}), "scale"},
		"scale NaN": {edit(func(b []byte) []byte {
			copy(b[131:139], []byte{0, 0, 0, 0, 0, 0, 0xF8, 0x7F})
			return b
		}), "scale"},
		"scale negative": {edit(func(b []byte) []byte {
			b[138] |= 0x80
			return b
		}), "scale"},
		"middle overwritten": {edit(func(b []byte) []byte {
			for i := len(b) / 4; i < len(b)/2; i++ {
				b[i] = byte(i * 7)
			}
			return b
		}), "chunk"},
		"2^40 points in a small file": {edit(func(b []byte) []byte {
			copy(b[247:255], []byte{0, 0, 0, 0, 0, 1, 0, 0})
			return b[:1000]
		}), ""},
		"text":        {[]byte("LASF but only in name"), ""},
		"only header": {edit(func(b []byte) []byte { return b[:375] }), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bad.laz")
			file := test.file
			if file == nil {
				var err error
				if file, err = os.ReadFile(scan{format: 6}.write(t)); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(path, file, 0o666); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			_, err := pipeline.Run(context.Background(), Definition(), pipeline.Request{Source: path, OutDir: dir, Options: job.DefaultOptions()})
			var bad *pipeline.BadInputError
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "bad.laz") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestTruncated holds that a file which was cut off gives the part that is whole,
// and a warning.
func TestTruncated(t *testing.T) {
	b, err := os.ReadFile(testdata.Path(t, "pointcloud/autzen-small.laz"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cut.laz")
	if err := os.WriteFile(path, b[:len(b)*2/3], 0o666); err != nil {
		t.Fatal(err)
	}
	_, r := process(t, path, nil)
	var n uint64
	analysis(t, r, "points", &n)
	if n < 250000 || n > 320000 || len(r.Warnings) == 0 {
		t.Errorf("%d points, warnings %q", n, r.Warnings)
	}
}

// TestExtraBytes holds that extra dimensions come through conversion, octree and
// compression with their points.
func TestExtraBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "extra.laz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	vlr := las.ExtraBytesVLR([]las.ExtraBytes{{Type: las.TypeUint32, Name: "id"}, {Type: las.TypeFloat64, Name: "amplitude"}})
	h := las.Header{VersionMajor: 1, VersionMinor: 2, PointFormat: 1, PointRecordLength: 28 + 12, Compressed: true, Scale: [3]float64{.01, .01, .01}}
	w, err := las.NewWriter(f, h, []las.VLR{vlr})
	if err != nil {
		t.Fatal(err)
	}
	l, err := las.NewLayout(1, 40)
	if err != nil {
		t.Fatal(err)
	}
	points := meadow(80000)
	rec := make([]byte, l.Length)
	for i, p := range points {
		l.SetXYZ(rec, p[0], p[1], p[2])
		l.SetReturns(rec, 1, 1)
		binary.LittleEndian.PutUint32(rec[28:], uint32(i))
		if err := w.Write(context.Background(), rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	dir, _ := process(t, path, func(o *job.Options) { o.Formats = []string{job.TypeCOPC} })
	r, err := las.Open(filepath.Join(dir, "copc", "extra.copc.laz"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	extra, err := las.FindExtraBytes(r.VLRs(), r.Layout())
	if err != nil || len(extra) != 2 || extra[0].Name != "id" {
		t.Fatalf("extra dimensions %+v, %v", extra, err)
	}
	seen := make([]bool, len(points))
	if err := r.Each(context.Background(), 1, func(_ las.Chunk, records []byte) error {
		to := r.Layout()
		for ; len(records) > 0; records = records[to.Length:] {
			id := int(extra[0].Raw(records[:to.Length], 0))
			x, y, z := to.XYZ(records)
			if seen[id] || points[id] != [3]int32{x, y, z} {
				t.Fatalf("point %d comes twice, or elsewhere", id)
			}
			seen[id] = true
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestCRSOption holds that the option overrides the file and that one which is not
// understood is said.
func TestCRSOption(t *testing.T) {
	source := testdata.Path(t, "pointcloud/autzen_trim.laz")
	_, r := process(t, source, func(o *job.Options) { o.CRS.Source = "EPSG:2994"; o.Formats = []string{job.TypeLAZ} })
	var c CRSInfo
	if analysis(t, r, "crs", &c); c.EPSG != 2994 || c.Origin != "option" {
		t.Errorf("%+v", c)
	}
	_, r = process(t, source, func(o *job.Options) { o.CRS.Source = "EPSG:999999"; o.Formats = []string{job.TypeLAZ} })
	if w := strings.Join(r.Warnings, "\n"); !strings.Contains(w, "crs.source") {
		t.Errorf("warnings %q", w)
	}
}
