package pointcloud

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/testdata"
)

// process runs the pipeline on a file and gives the result folder.
func process(t *testing.T, source string, options func(*job.Options)) (string, job.Result) {
	t.Helper()
	dir := t.TempDir()
	o := job.DefaultOptions()
	if options != nil {
		options(&o)
	}
	r, err := pipeline.Run(context.Background(), Definition(), pipeline.Request{Source: source, OutDir: dir, Options: o, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	return dir, r
}

// analysis decodes a part of the analysis, which comes as it is in result.json.
func analysis(t *testing.T, r job.Result, key string, v any) {
	t.Helper()
	b, err := json.Marshal(r.Analysis[key])
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatalf("analysis %s: %v", key, err)
	}
}

type found struct {
	Points    int64
	Laspy     int64
	Query     int64
	Said      int64
	Foreign   int64
	Tiles     int64
	Nodes     int64
	Digest    [2]uint64
	Plain     [2]uint64
	Classes   map[string]int64
	Format    int
	Version   string
	Order     bool
	CRS       bool
	VLRs      [][]any
	Transform []float64
	Lo, Hi    [3]float64
	Color     [3]float64
}

type verified struct {
	Source, Filtered, Copc, Ept, Tiles found
	Faults                             []string
}

// verify reads all outputs with laspy and copclib.
func verify(t *testing.T, source, dir, name string) verified {
	t.Helper()
	cmd := exec.Command(testdata.Python(t), "testdata/verify.py", source, dir, name)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("verify.py: %v\n%s", err, stderr.String())
	}
	var v verified
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestOthersReadOutputs processes real scans of an old and a new format, and holds
// that readers which are not ours find every point, once, in each output.
func TestOthersReadOutputs(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	for _, file := range []string{"autzen_trim", "autzen-small"} {
		t.Run(file, func(t *testing.T) {
			testdata.Python(t)
			source := testdata.Path(t, "pointcloud/"+file+".laz")
			dir, result := process(t, source, nil)
			v := verify(t, source, dir, file)
			for _, fault := range v.Faults {
				t.Error(fault)
			}
			n := v.Source.Points
			for name, f := range map[string]found{"filtered": v.Filtered, "copc": v.Copc, "ept": v.Ept} {
				if f.Points != n || f.Digest[0] != v.Source.Digest[0] {
					t.Errorf("%s: %d points of %d, or other values", name, f.Points, n)
				}
				if f.Digest[1] != v.Filtered.Digest[1] || !reflect.DeepEqual(f.Classes, v.Filtered.Classes) {
					t.Errorf("%s: other classes than filtered.laz: %v and %v", name, f.Classes, v.Filtered.Classes)
				}
			}
			if v.Filtered.Plain[0] != v.Source.Plain[0] || !v.Filtered.Order || v.Filtered.Format != v.Source.Format ||
				v.Filtered.Version != v.Source.Version || !reflect.DeepEqual(v.Filtered.VLRs, v.Source.VLRs) {
				t.Errorf("filtered.laz is not the source with other classes: %+v, %+v", v.Filtered, v.Source)
			}
			if v.Copc.Laspy != n || v.Copc.Query != n || !v.Copc.CRS || v.Ept.Said != n || v.Ept.Foreign != n {
				t.Errorf("COPC %+v, EPT %+v: want %d points", v.Copc, v.Ept, n)
			}
			if v.Tiles.Points != n || v.Tiles.Version != "1.1" || !reflect.DeepEqual(v.Tiles.Classes, v.Filtered.Classes) {
				t.Errorf("tiles: %+v", v.Tiles)
			}
			if v.Filtered.Classes["2"] < n/2 || v.Filtered.Classes["7"] == 0 {
				t.Errorf("classes %v: little ground or no noise", v.Filtered.Classes)
			}
			liesInEugene(t, v.Tiles, result)
		})
	}
}

// liesInEugene holds that tiles stand upright at the stadium, with heights in
// metres.
func liesInEugene(t *testing.T, tiles found, r job.Result) {
	t.Helper()
	var mid [3]float64
	for i := range 3 {
		mid[i] = (tiles.Lo[i] + tiles.Hi[i]) / 2
	}
	lon := math.Atan2(mid[1], mid[0]) * 180 / math.Pi
	lat := math.Atan2(mid[2], math.Hypot(mid[0], mid[1])*(1-0.00669437999)) * 180 / math.Pi
	if math.Abs(lon+123.068) > 0.006 || math.Abs(lat-44.055) > 0.008 {
		t.Errorf("tiles lie at %.4f, %.4f", lon, lat)
	}
	up := tiles.Transform[8:11]
	norm := math.Sqrt(mid[0]*mid[0] + mid[1]*mid[1] + mid[2]*mid[2])
	if cos := (up[0]*mid[0] + up[1]*mid[1] + up[2]*mid[2]) / norm; cos < 0.99998 {
		t.Errorf("up points away from the vertical: cosine %g", cos)
	}
	var geo GeoBounds
	analysis(t, r, "wgs84", &geo)
	if math.Abs(geo.Center[0]-lon) > 0.001 || math.Abs(geo.Center[1]-lat) > 0.001 {
		t.Errorf("analysis says %+v", geo)
	}
	if h := geo.Height; h[0] < 120 || h[0] > 130 || h[1] > 190 {
		t.Errorf("heights %v are not those of Eugene in metres", h)
	}
}

// TestValidTiles runs the validator of Khronos over every tile, and the tools of
// Cesium over the whole set.
func TestValidTiles(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	tools := testdata.Tool(t, "3d-tiles-tools")
	modules := filepath.Join(testdata.RepoRoot(t), ".tools", "node_modules")
	dir, _ := process(t, testdata.Path(t, "pointcloud/autzen-small.laz"), func(o *job.Options) { o.Formats = []string{job.TypeTiles3D} })
	out, err := exec.Command("node", "testdata/validate.cjs", modules, filepath.Join(dir, "3dtiles", "points")).Output()
	if err != nil {
		t.Fatalf("validate.cjs: %v", err)
	}
	var glb struct {
		Files    int
		Messages []struct {
			File, Code, Message string
			Severity            int
		}
	}
	if err := json.Unmarshal(out, &glb); err != nil || glb.Files < 10 {
		t.Fatalf("%d files, %v", glb.Files, err)
	}
	for _, m := range glb.Messages {
		// Information, severity 2, is that the validator does not know the extension
		// for metadata, which verify.py reads.
		if m.Severity < 2 || m.Severity == 2 && m.Code != "UNSUPPORTED_EXTENSION" {
			t.Errorf("%s: %s %s", m.File, m.Code, m.Message)
		}
	}
	tileset := filepath.Join(dir, "3dtiles", "tileset.json")
	pack, copied := filepath.Join(t.TempDir(), "set.3tz"), filepath.Join(t.TempDir(), "copy")
	for _, args := range [][]string{
		{"convert", "-f", "-i", tileset, "-o", pack},
		{"convert", "-f", "-i", pack, "-o", copied},
		{"analyze", "-f", "-i", filepath.Join(dir, "3dtiles", "points", "0-0-0-0.glb"), "-o", t.TempDir()},
	} {
		if out, err := exec.Command(tools, args...).CombinedOutput(); err != nil || strings.Contains(string(out), "rror") {
			t.Errorf("3d-tiles-tools %s: %v\n%s", args[0], err, out)
		}
	}
	found, err := filepath.Glob(filepath.Join(copied, "points", "*.glb"))
	if err != nil || len(found) != glb.Files {
		t.Errorf("3d-tiles-tools found %d tiles of %d, %v", len(found), glb.Files, err)
	}
}

// TestClassesOfReference processes 10.65 million points and holds the classes
// against those that PDAL gives with the same parameters.
func TestClassesOfReference(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	if raceEnabled {
		t.Skip("skipped under the race detector, which makes 10 million points take minutes: the small scans go through the same code")
	}
	source := testdata.Path(t, "pointcloud/autzen.laz")
	packed, err := os.Open(testdata.Path(t, "pointcloud/autzen.classification.zlib"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	z, err := zlib.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	want, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	dir, _ := process(t, source, func(o *job.Options) { o.Formats = []string{job.TypeLAZ} })
	got := classesOf(t, filepath.Join(dir, filteredName))
	if len(got) != len(want) {
		t.Fatalf("%d points, the reference has %d", len(got), len(want))
	}
	var table [256][256]int
	for i, k := range want {
		table[k][got[i]]++
	}
	t.Logf("%22s %10s %10s %10s", "PDAL \\ ours", "1 other", "2 ground", "7 noise")
	for _, k := range []int{1, 2, 7} {
		t.Logf("%22d %10d %10d %10d", k, table[k][1], table[k][2], table[k][7])
	}
	for _, class := range []int{2, 7} {
		equal, all := 0, 0
		for a := range 256 {
			for b := range 256 {
				if n := table[a][b]; a == class || b == class {
					all += n
					if a == b {
						equal += n
					}
				}
			}
		}
		share := float64(equal) / float64(all)
		t.Logf("class %d: %.4f %% of the points that either calls so", class, 100*share)
		if share < 0.995 {
			t.Errorf("class %d: only %.4f %% agree", class, 100*share)
		}
	}
}

// TestResultListsOutputs holds that the result names files that are there, and the
// source's facts.
func TestResultListsOutputs(t *testing.T) {
	dir, r := process(t, testdata.Path(t, "pointcloud/autzen-small.laz"), nil)
	types := map[string]bool{}
	for _, o := range r.Outputs {
		types[o.Type] = true
		if info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(o.Path))); err != nil || o.Size < info.Size() || o.ContentType == "" {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, want := range []string{job.TypeLAZ, job.TypeCOPC, job.TypeEPT, job.TypeTiles3D, job.TypeDSM, job.TypeDTM, job.TypeThumbnail} {
		if !types[want] {
			t.Errorf("no output %s in %v", want, r.Outputs)
		}
	}
	var points, depth int
	analysis(t, r, "points", &points)
	analysis(t, r, "colorDepth", &depth)
	if points != 470574 || depth != 8 {
		t.Errorf("analysis: %d points, colours of %d bits", points, depth)
	}
	// 800 by 800 feet, with some gaps.
	var area float64
	if analysis(t, r, "area", &area); area > 59457 || area < 52000 {
		t.Errorf("area %.0f m²", area)
	}
	var c CRSInfo
	if analysis(t, r, "crs", &c); !strings.Contains(c.Name, "Lambert") {
		t.Errorf("CRS %+v", c)
	}
}

// BenchmarkProcess runs the whole pipeline on 10.65 million points.
func BenchmarkProcess(b *testing.B) {
	source := testdata.Path(b, "pointcloud/autzen.laz")
	var points float64
	for b.Loop() {
		_, err := pipeline.Run(context.Background(), Definition(), pipeline.Request{Source: source, OutDir: b.TempDir(), Options: job.DefaultOptions()})
		if err != nil {
			b.Fatal(err)
		}
		points += 10653336
	}
	b.ReportMetric(points/b.Elapsed().Seconds(), "points/s")
}
