package geotiff

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"slate360.ai/worker/codec/crs"
)

// painting is a smooth picture with a hole, soft at its edge, and a transparent border.
func painting(cols, rows int) []uint8 {
	pix := make([]uint8, 4*cols*rows)
	for i := range cols * rows {
		x, y := float64(i%cols), float64(i/cols)
		p := pix[4*i:][:4]
		alpha := min(max((math.Hypot(x-150, y-120)-60)*8, 0), 255)
		if x < 7 || y > float64(rows)-5 {
			alpha = 0
		}
		p[3] = uint8(alpha)
		if p[3] == 0 {
			continue
		}
		p[0] = uint8(128 + 100*math.Sin(x/40)*math.Cos(y/55))
		p[1] = uint8(120 + 90*math.Sin((x+y)/70))
		p[2] = uint8(110 + 80*math.Cos(x/90-y/35))
	}
	return pix
}

const readPicture = `
import json, sys
import numpy
from osgeo import gdal
from osgeo_utils.samples.validate_cloud_optimized_geotiff import validate
gdal.UseExceptions()
path, raw, cols, rows, lossless = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5] == "true"
d = gdal.Open(path)
want = numpy.fromfile(raw, numpy.uint8).reshape(rows, cols, 4).astype(float)
warnings, found, _ = validate(path, full_check=True)
def read(level):
    bands = [d.GetRasterBand(i + 1) for i in range(3)]
    mask = bands[0].GetMaskBand()
    if level >= 0:
        mask = mask.GetOverview(level) if not lossless else d.GetRasterBand(4).GetOverview(level)
        bands = [b.GetOverview(level) for b in bands]
    return numpy.dstack([b.ReadAsArray() for b in bands] + [mask.ReadAsArray()]).astype(float)
def half(a):
    a = numpy.pad(a, ((0, a.shape[0] % 2), (0, a.shape[1] % 2), (0, 0)), mode="edge")
    w = a[..., 3:4]
    q = lambda v: v[0::2, 0::2] + v[1::2, 0::2] + v[0::2, 1::2] + v[1::2, 1::2]
    alpha = q(w)
    color = q(a[..., :3] * w) / numpy.maximum(alpha, 1)
    return numpy.floor(numpy.dstack([color * (alpha > 0), alpha / 4]) + .5)
levels = []
for level in range(-1, d.GetRasterBand(1).GetOverviewCount()):
    got = read(level)
    if level >= 0:
        want = half(want)
    there = want[..., 3] >= (1 if lossless else 128)
    e = (got - want)[there][..., :3] if there.any() else numpy.zeros((1, 3))
    mask = want[..., 3] if lossless else 255 * (want[..., 3] >= 128)
    levels.append({"largest": float(abs(e).max()), "rmse": float((e ** 2).mean() ** .5), "mask": float(abs(got[..., 3] - mask).max()),
        "size": [got.shape[1], got.shape[0]]})
srs = d.GetSpatialRef()
print(json.dumps({"levels": levels, "errors": list(warnings) + list(found), "geo": d.GetGeoTransform(),
    "code": srs.GetAuthorityCode(None), "compression": d.GetMetadataItem("COMPRESSION", "IMAGE_STRUCTURE"),
    "color": d.GetMetadataItem("SOURCE_COLOR_SPACE", "IMAGE_STRUCTURE"), "alpha": d.RasterCount == 4 and gdal.GetColorInterpretationName(d.GetRasterBand(4).GetColorInterpretation())}))
`

// TestGDALReadsPictures holds that GDAL reads colours and transparency as written, on
// all levels, and that its validator calls the file cloud optimized.
func TestGDALReadsPictures(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	python := systemPython(t)
	for _, test := range []struct {
		name       string
		cols, rows int
		levels     int
		lossless   bool
		big        bool
	}{
		{"lossless", 1301, 1177, 3, true, false},
		{"jpeg", 1301, 1177, 3, false, false},
		{"small", 401, 300, 1, false, false},
		{"big", 700, 530, 2, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			path, raw := filepath.Join(dir, "a.tif"), filepath.Join(dir, "a.raw")
			pix := painting(test.cols, test.rows)
			if err := os.WriteFile(raw, pix, 0o666); err != nil {
				t.Fatal(err)
			}
			writePicture(t, path, pix, Picture{Cols: test.cols, Rows: test.rows, Lossless: test.lossless, Quality: 95}, 2, test.big)
			arguments := []string{"-c", readPicture, path, raw, jsonOf(test.cols), jsonOf(test.rows), jsonOf(test.lossless)}
			out, err := exec.Command(python, arguments...).Output()
			if err != nil {
				t.Fatalf("GDAL: %v", err)
			}
			var got struct {
				Levels []struct {
					Largest, RMSE, Mask float64
					Size                [2]int
				}
				Errors                   []string
				Geo                      [6]float64
				Code, Compression, Color string
				Alpha                    any
			}
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatal(err)
			}
			if len(got.Errors) > 0 || len(got.Levels) != test.levels || got.Code != "32632" || got.Geo != [6]float64{500000.5, .25, 0, 5400000.25, 0, -.25} {
				t.Errorf("%+v", got)
			}
			if test.lossless && (got.Alpha != "Alpha" || got.Compression != "DEFLATE") || !test.lossless && got.Compression != "YCbCr JPEG" {
				t.Errorf("%+v", got)
			}
			for i, l := range got.Levels {
				// A picture as smooth as this loses next to nothing in JPEG.
				largest, rmse := 45.0, 2.0
				if test.lossless {
					largest, rmse = float64(min(i, 1)), float64(min(i, 1))/10 // rounding of halves
				}
				if l.Largest > largest || l.RMSE > rmse || l.Mask > float64(min(i, 1)) {
					t.Errorf("level %d: %+v", i, l)
				}
			}
		})
	}
}

func jsonOf(v any) string { b, _ := json.Marshal(v); return string(b) }

// writePicture writes rows in pieces of odd sizes.
func writePicture(t *testing.T, path string, pix []uint8, p Picture, workers int, big bool) {
	t.Helper()
	c, err := crs.Parse("EPSG:32632")
	if err != nil {
		t.Fatal(err)
	}
	p.Place = Place{West: 500000.5, North: 5400000.25, CellX: .25, CellY: .25}
	p.Place.KeyDirectory, p.Place.KeyDoubles, p.Place.KeyASCII, _ = c.GeoTIFFKeys()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	scratch, err := os.Create(path + ".scratch")
	if err != nil {
		t.Fatal(err)
	}
	defer scratch.Close()
	g, err := NewPictureWriter(f, scratch, p, workers)
	if err != nil {
		t.Fatal(err)
	}
	g.big = big
	for y := 0; y < p.Rows; y += 137 {
		if err := g.WriteRGBA(context.Background(), pix[4*p.Cols*y:4*p.Cols*min(y+137, p.Rows)]); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestWorkersDoNotMatter compares files bit for bit.
func TestWorkersDoNotMatter(t *testing.T) {
	dir := t.TempDir()
	var first []byte
	for workers := 1; workers <= 5; workers += 2 {
		path := filepath.Join(dir, "a.tif")
		writePicture(t, path, painting(1100, 600), Picture{Cols: 1100, Rows: 600}, workers, false)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		}
		if !bytes.Equal(b, first) {
			t.Errorf("the file of %d workers is another", workers)
		}
	}
}

func TestPictureRefused(t *testing.T) {
	ctx := context.Background()
	place := Place{CellX: 1, CellY: 1}
	for _, p := range []Picture{{}, {Cols: 1, Rows: 1}, {Cols: 1, Rows: 1, Place: place, Quality: 101}, {Cols: -1, Rows: 1, Place: place}} {
		if _, err := NewPictureWriter(nil, nil, p, 1); err == nil {
			t.Errorf("%+v is no error", p)
		}
	}
	g, err := NewPictureWriter(&memory{}, &memory{}, Picture{Cols: 3, Rows: 2, Place: place}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if g.WriteRGBA(ctx, make([]byte, 13)) == nil {
		t.Error("13 bytes are rows of 3")
	}
	if g.WriteNumbers(ctx, make([]float32, 3)) == nil {
		t.Error("numbers are colours")
	}
	if err := g.WriteRGBA(ctx, make([]byte, 12)); err != nil {
		t.Error(err)
	}
	if g.Close(ctx) == nil {
		t.Error("a row is missing, and nobody says so")
	}
	if g.WriteRGBA(ctx, make([]byte, 24)) == nil {
		t.Error("there are three rows of two")
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	g, _ = NewPictureWriter(&memory{}, &memory{}, Picture{Cols: 3, Rows: 2, Place: place}, 1)
	if g.WriteRGBA(cancelled, make([]byte, 24)) == nil {
		t.Error("a context that has ended does not end it")
	}
}

func BenchmarkPicture(b *testing.B) {
	pix := painting(4096, 512)
	b.SetBytes(int64(len(pix)))
	for b.Loop() {
		g, err := NewPictureWriter(&memory{}, &memory{}, Picture{Cols: 4096, Rows: 512, Place: Place{CellX: 1, CellY: 1}}, 2)
		if err != nil {
			b.Fatal(err)
		}
		if err := g.WriteRGBA(context.Background(), pix); err != nil {
			b.Fatal(err)
		}
		if err := g.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
