package pointcloud

import (
	"context"
	"path/filepath"
	"testing"

	"slate360.ai/worker/codec/las"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/sample"
	"slate360.ai/worker/internal/testdata"
)

func synthetic(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if _, err := sample.Pointcloud(context.Background(), dir, sample.Params{Points: 300000, Seed: 3, Workers: 2}); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "scan.laz")
}

// TestOthersReadSample is TestOthersReadOutputs where there is no real scan: on a
// synthetic one, with several returns a pulse, an EPSG code and 16-bit colours.
func TestOthersReadSample(t *testing.T) {
	testdata.Python(t)
	source := synthetic(t)
	dir, _ := process(t, source, nil)
	v := verify(t, source, dir, "scan")
	for _, fault := range v.Faults {
		t.Error(fault)
	}
	n := v.Source.Points
	for name, f := range map[string]found{"filtered": v.Filtered, "copc": v.Copc, "ept": v.Ept} {
		if f.Points != n || f.Digest[0] != v.Source.Digest[0] || f.Digest[1] != v.Filtered.Digest[1] {
			t.Errorf("%s: %d points of %d, or other values", name, f.Points, n)
		}
	}
	if v.Tiles.Points != n || v.Ept.Foreign != n || v.Copc.Query != n {
		t.Errorf("tiles %d, ept-python %d, COPC query %d points of %d", v.Tiles.Points, v.Ept.Foreign, v.Copc.Query, n)
	}
}

// classesOf reads the classes of a file in its order.
func classesOf(t *testing.T, path string) []uint8 {
	t.Helper()
	r, err := las.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out := make([]uint8, r.NumPoints())
	l := r.Layout()
	if err := r.Each(context.Background(), 2, func(c las.Chunk, records []byte) error {
		for i := range c.Points {
			out[int(c.First)+i] = l.Classification(records[i*l.Length : (i+1)*l.Length])
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestTruthOfSample holds the filters against a scene whose every point is known:
// the ground is found, roofs and trees are not taken for it, noise is noise.
func TestTruthOfSample(t *testing.T) {
	source := synthetic(t)
	dir, _ := process(t, source, func(o *job.Options) { o.Formats = []string{job.TypeLAZ} })
	truth, got := classesOf(t, source), classesOf(t, filepath.Join(dir, filteredName))
	var table [256][256]float64
	var all [256]float64
	for i, k := range truth {
		table[k][got[i]]++
		all[k]++
	}
	share := func(truth, class uint8) float64 { return table[truth][class] / all[truth] }
	for name, check := range map[string]struct{ share, least, most float64 }{
		"ground as ground":          {share(2, classGround), .97, 1},
		"road as ground":            {share(11, classGround), .97, 1},
		"roofs as ground":           {share(6, classGround), 0, .02},
		"trees as ground":           {share(5, classGround), 0, .05},
		"low noise as noise":        {share(7, classLowNoise), .95, 1},
		"high noise as noise":       {share(18, classLowNoise), .95, 1},
		"what is ground, as noise":  {share(2, classLowNoise), 0, .01},
		"what is a roof, as noise":  {share(6, classLowNoise), 0, .02},
		"what is a tree, as noise":  {share(5, classLowNoise), 0, .02},
		"what is a road, as noise":  {share(11, classLowNoise), 0, .01},
		"what is noise, as ground":  {share(18, classGround), 0, 0},
		"low noise taken as ground": {share(7, classGround), 0, .05},
	} {
		t.Logf("%-26s %.2f %%", name, 100*check.share)
		if check.share < check.least || check.share > check.most {
			t.Errorf("%s: %.2f %%, want %.0f to %.0f %%", name, 100*check.share, 100*check.least, 100*check.most)
		}
	}
}
