package geotiff

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"slate360.ai/worker/codec/crs"
	"slate360.ai/worker/internal/testdata"
)

func waves(cols, rows int) *Raster {
	r := &Raster{Cols: cols, Rows: rows, NoData: -9999, West: 500000.5, North: 5400000.25, CellX: .5, CellY: .5, Data: make([]float32, cols*rows)}
	for i := range r.Data {
		x, y := i%cols, i/cols
		r.Data[i] = float32(100 + 10*math.Sin(float64(x)/30)*math.Cos(float64(y)/50))
		if math.Hypot(float64(x-50), float64(y-60)) < 30 {
			r.Data[i] = r.NoData
		}
	}
	return r
}

const readBack = `
import json, struct, sys
import numpy
from osgeo import gdal
gdal.UseExceptions()
d = gdal.Open(sys.argv[1])
b = d.GetRasterBand(1)
a = b.ReadAsArray()
raw = numpy.fromfile(sys.argv[2], numpy.float32).reshape(a.shape)
errors = []
try:
    from osgeo_utils.samples.validate_cloud_optimized_geotiff import validate
    warnings, found, _ = validate(sys.argv[1], full_check=True)
    errors = list(warnings) + list(found)
except ImportError:
    errors = ["the validator of GDAL is missing"]
srs = d.GetSpatialRef()
print(json.dumps({"equal": bool((a == raw).all()), "geo": d.GetGeoTransform(), "nodata": b.GetNoDataValue(),
    "overviews": b.GetOverviewCount(), "errors": errors, "code": srs.GetAuthorityCode(None) if srs else None,
    "unit": srs.GetLinearUnits() if srs else 0, "name": srs.GetName() if srs else ""}))
`

// systemPython is the interpreter that GDAL's module is installed for.
func systemPython(t *testing.T) string {
	t.Helper()
	testdata.Tool(t, "gdalinfo")
	for _, p := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(p, "-c", "import numpy; from osgeo import gdal").Run() == nil {
			return p
		}
	}
	if os.Getenv("SLATE360_REQUIRE_TOOLS") == "1" {
		t.Fatal("the Python module of GDAL is not installed: run make setup-test")
	}
	t.Skip("the Python module of GDAL is not installed: run make setup-test")
	return ""
}

// TestGDALReads holds that GDAL reads each cell as written, the place and the CRS,
// and that its validator calls the file cloud optimized.
func TestGDALReads(t *testing.T) {
	python := systemPython(t)
	tests := []struct {
		name      string
		raster    *Raster
		crs       string
		overviews int
	}{
		{"one tile", waves(300, 200), "EPSG:32632", 0},
		{"levels", waves(1700, 1100), "EPSG:2994", 2},
		{"one cell", waves(1, 1), "", 0},
		{"a strip", waves(3000, 1), "EPSG:4326", 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			path, raw := filepath.Join(dir, "a.tif"), filepath.Join(dir, "a.raw")
			if test.crs != "" {
				c, err := crs.Parse(test.crs)
				if err != nil {
					t.Fatal(err)
				}
				test.raster.KeyDirectory, test.raster.KeyDoubles, test.raster.KeyASCII, _ = c.GeoTIFFKeys()
			}
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := Write(context.Background(), f, test.raster, 2); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(raw, rawBytes(test.raster.Data), 0o666); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(python, "-c", readBack, path, raw).Output()
			if err != nil {
				t.Fatalf("GDAL: %v", err)
			}
			var got struct {
				Equal      bool
				Geo        [6]float64
				NoData     float64
				Overviews  int
				Errors     []string
				Code, Name string
			}
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatal(err)
			}
			if !got.Equal || got.NoData != -9999 || got.Overviews != test.overviews || len(got.Errors) > 0 {
				t.Errorf("%+v", got)
			}
			if got.Geo != [6]float64{500000.5, .5, 0, 5400000.25, 0, -.5} {
				t.Errorf("place %v", got.Geo)
			}
			if test.crs != "" && "EPSG:"+got.Code != test.crs {
				t.Errorf("CRS %s %s, want %s", got.Code, got.Name, test.crs)
			}
		})
	}
}

func rawBytes(v []float32) []byte {
	var b []byte
	for _, f := range v {
		u := math.Float32bits(f)
		b = append(b, byte(u), byte(u>>8), byte(u>>16), byte(u>>24))
	}
	return b
}

func TestRefused(t *testing.T) {
	for _, r := range []*Raster{{}, {Cols: 2, Rows: 2, Data: make([]float32, 3), CellX: 1, CellY: 1}, {Cols: 1, Rows: 1, Data: make([]float32, 1)}} {
		if Write(context.Background(), nil, r, 1) == nil {
			t.Errorf("%+v is no error", r)
		}
	}
}

// TestBig writes the directories of BigTIFF for a small raster.
func TestBig(t *testing.T) {
	testdata.Tool(t, "gdalinfo")
	r := waves(40, 30)
	path := filepath.Join(t.TempDir(), "big.tif")
	w, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	g, err := NewRasterWriter(w, &memory{}, r, 1)
	if err != nil {
		t.Fatal(err)
	}
	g.big = true
	if err := g.WriteNumbers(context.Background(), r.Data); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("gdalinfo", "-json", "-mm", path).Output()
	if err != nil {
		t.Fatalf("gdalinfo: %v", err)
	}
	var info struct {
		Size  [2]int
		Bands []struct{ ComputedMin, ComputedMax float64 }
	}
	if err := json.Unmarshal(out, &info); err != nil || info.Size != [2]int{40, 30} || len(info.Bands) != 1 || info.Bands[0].ComputedMin < 89 || info.Bands[0].ComputedMax > 111 {
		t.Errorf("%s, %v", out, err)
	}
}
