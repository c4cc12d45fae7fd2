package pointcloud

import (
	"encoding/json"
	"image"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/webp"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/testdata"
)

// TestHeightModels holds that GDAL finds surface and terrain at the place of the
// scan, in its CRS, with heights that fit each other.
func TestHeightModels(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	testdata.Tool(t, "gdalinfo")
	dir, _ := process(t, testdata.Path(t, "pointcloud/autzen-small.laz"), func(o *job.Options) { o.Formats = []string{job.TypeDSM, job.TypeDTM} })
	type info struct {
		DriverShortName  string
		Size             [2]int
		GeoTransform     [6]float64
		CoordinateSystem struct{ WKT string }
		Bands            []struct {
			ComputedMin, ComputedMax, NoDataValue float64
			Metadata                              map[string]map[string]string
		}
	}
	var models [2]info
	for i, name := range []string{"dsm.tif", "dtm.tif"} {
		out, err := exec.Command("gdalinfo", "-json", "-mm", "-stats", "--config", "GDAL_PAM_ENABLED", "NO", filepath.Join(dir, name)).Output()
		if err != nil {
			t.Fatalf("gdalinfo %s: %v", name, err)
		}
		m := &models[i]
		if err := json.Unmarshal(out, m); err != nil {
			t.Fatal(err)
		}
		if m.GeoTransform[1] <= 0 || m.GeoTransform[5] != -m.GeoTransform[1] || m.Bands[0].NoDataValue != -9999 {
			t.Errorf("%s: %+v", name, m)
		}
		// 800 feet a side, and north-west of the corner of the scan.
		if side := float64(m.Size[0]) * m.GeoTransform[1]; math.Abs(side-800) > 10 {
			t.Errorf("%s is %g feet wide", name, side)
		}
		if wkt := m.CoordinateSystem.WKT; !strings.Contains(wkt, "Lambert Conic Conformal (2SP)") || !strings.Contains(wkt, "43") {
			t.Errorf("%s: CRS %s", name, wkt)
		}
	}
	dsm, dtm := models[0].Bands[0], models[1].Bands[0]
	if dtm.ComputedMin < 400 || dtm.ComputedMax > dsm.ComputedMax || dsm.ComputedMax > 620 {
		t.Errorf("heights: surface %g to %g, terrain %g to %g", dsm.ComputedMin, dsm.ComputedMax, dtm.ComputedMin, dtm.ComputedMax)
	}
}

// TestThumbnails holds that both pictures are the same, filled and not all of one
// colour; by colours, and by heights where there are none.
func TestThumbnails(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	sources := map[string]string{
		"colours": testdata.Path(t, "pointcloud/autzen-small.laz"),
		"heights": scan{format: 6, points: meadow(50000)}.write(t),
	}
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			dir, _ := process(t, source, func(o *job.Options) { o.Formats = []string{job.TypeThumbnail} })
			a := openImage(t, filepath.Join(dir, "thumbnail.png"), func(f *os.File) (image.Image, error) { return png.Decode(f) })
			b := openImage(t, filepath.Join(dir, "thumbnail.webp"), func(f *os.File) (image.Image, error) { return webp.Decode(f) })
			if a.Bounds() != b.Bounds() || a.Bounds().Dx() != 1024 || a.Bounds().Dy() != 768 {
				t.Fatalf("sizes %v and %v", a.Bounds(), b.Bounds())
			}
			covered, colors := 0, map[[3]uint32]bool{}
			for y := range 768 {
				for x := range 1024 {
					r, g, bl, _ := a.At(x, y).RGBA()
					r2, g2, bl2, _ := b.At(x, y).RGBA()
					if r != r2 || g != g2 || bl != bl2 {
						t.Fatalf("pixel %d, %d differs", x, y)
					}
					// The background is a light blue grey.
					if bl < g || g < r || bl>>8 <= 200 {
						covered++
						colors[[3]uint32{r >> 12, g >> 12, bl >> 12}] = true
					}
				}
			}
			if covered < 1024*768/5 || len(colors) < 30 {
				t.Errorf("%d pixels covered in %d colours", covered, len(colors))
			}
		})
	}
}

func openImage(t *testing.T, path string, decode func(f *os.File) (image.Image, error)) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := decode(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return img
}
