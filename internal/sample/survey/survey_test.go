package survey

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/jpeg"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/codec/crs"
	"slate360.ai/worker/geom/camera"
	"slate360.ai/worker/geom/raycast"
	"slate360.ai/worker/internal/evaluate"
	"slate360.ai/worker/internal/testdata"
)

func small() Params {
	p := DefaultParams()
	p.Photos, p.Oblique, p.Width, p.Rows, p.Height, p.Workers = 5, 1, 640, 480, 28, 2
	return p
}

func fly(t *testing.T, p Params) (string, *Truth) {
	t.Helper()
	dir := t.TempDir()
	truth, err := Photos(context.Background(), dir, p)
	if err != nil {
		t.Fatal(err)
	}
	return dir, truth
}

func decode(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := jpeg.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func brightness(img image.Image, x, y float64) float64 {
	g := func(i, j int) float64 {
		r, g, b, _ := img.At(i, j).RGBA()
		return (.299*float64(r) + .587*float64(g) + .114*float64(b)) / 257
	}
	i, j := math.Floor(x-.5), math.Floor(y-.5)
	u, v := x-.5-i, y-.5-j
	a, b, c, d := g(int(i), int(j)), g(int(i)+1, int(j)), g(int(i), int(j)+1), g(int(i)+1, int(j)+1)
	return (a*(1-u)+b*u)*(1-v) + (c*(1-u)+d*u)*v
}

// TestPhotos flies once and looks at what was made.
func TestPhotos(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	p := small()
	p.Model, p.GPSNoise = camera.OpenCV, .05
	dir, truth := fly(t, p)
	t.Run("truth", func(t *testing.T) { photosAreWhatTheTruthSays(t, p, dir, truth) })
	t.Run("control points", func(t *testing.T) { controlPoints(t, dir, truth) })
	t.Run("exif", func(t *testing.T) { exif(t, p, dir, truth) })
	t.Run("evaluate", func(t *testing.T) { evaluateTruth(t, filepath.Join(dir, "truth"), truth) })
}

// evaluateTruth holds that the truth is right by its own measure.
func evaluateTruth(t *testing.T, dir string, truth *Truth) {
	placed, err := json.Marshal(map[string]any{"frame": map[string]any{"offset": truth.Offset}})
	if err != nil {
		t.Fatal(err)
	}
	frame := filepath.Join(t.TempDir(), "cameras.json")
	if err := os.WriteFile(frame, placed, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := evaluate.Compare(context.Background(), dir, evaluate.Files{
		Model: filepath.Join(dir, "sparse"), Mesh: filepath.Join(dir, "mesh.ply"),
		Ortho: filepath.Join(dir, "orthophoto.png"), Frame: frame,
	}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Cameras; c.Registered != c.Photos || c.Max > 1e-6 {
		t.Errorf("cameras: %+v", c)
	}
	if s := r.Surface; s.Scores[0].F < .9999 || s.TruthSamples < 10000 {
		t.Errorf("surface: %+v", s)
	}
	// At walls a pixel of the raster is looked up from beside them.
	if o := r.Ortho; o.Median > .05 || o.P90 > .2 || o.Covered < .98 {
		t.Errorf("orthophoto: %+v", o)
	}
}

// photosAreWhatTheTruthSays looks up every photo at where the written cameras and
// surface say that each pixel of the orthophoto is, and compares.
func photosAreWhatTheTruthSays(t *testing.T, p Params, dir string, truth *Truth) {
	model, err := colmap.Read(filepath.Join(dir, "truth", "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	mesh, err := evaluate.LoadMesh(filepath.Join(dir, "truth", "mesh.ply"))
	if err != nil {
		t.Fatal(err)
	}
	rays, err := raycast.New(mesh.Positions, mesh.Indices)
	if err != nil {
		t.Fatal(err)
	}
	want, err := evaluate.LoadOrtho(filepath.Join(dir, "truth", "orthophoto.png"))
	if err != nil {
		t.Fatal(err)
	}
	c := camera.Camera{Model: camera.Model(model.Cameras[0].Model), Width: p.Width, Height: p.Rows, Params: model.Cameras[0].Params}
	for i, shot := range model.Images {
		img := decode(t, filepath.Join(dir, "photos", shot.Name))
		o, err := evaluate.CompareOrthos(context.Background(), onGround(img, c, shot, rays, want, truth.Offset), want, 2)
		if err != nil {
			t.Fatalf("%s: %v", shot.Name, err)
		}
		t.Logf("%s: shift %.3f median, %.3f %.3f mean of %d places", shot.Name, o.Median, o.East, o.South, o.Places)
		// What is seen at a slant is blurred, and repeated by what stands before.
		if limit := .2 + .6*float64(b2i(truth.Photos[i].Oblique)); o.Median > limit || o.Places < 5 || math.Abs(o.East) > limit || math.Abs(o.South) > limit {
			t.Errorf("%s: %+v", shot.Name, o)
		}
	}
}

// onGround draws a photo on the raster of an orthophoto, NaN where it sees nothing.
func onGround(img image.Image, c camera.Camera, shot colmap.Image, rays *raycast.Surface, raster *evaluate.Picture, offset [3]float64) *evaluate.Picture {
	pose := camera.FromQuaternion(shot.Rotation, shot.Translation)
	eye := pose.Center()
	out := &evaluate.Picture{Cols: raster.Cols, Rows: raster.Rows, West: raster.West, North: raster.North, Cell: raster.Cell, Grey: make([]float32, len(raster.Grey))}
	for i := range out.Grey {
		out.Grey[i] = float32(math.NaN())
		x, y := raster.West+(float64(i%raster.Cols)+.5)*raster.Cell-offset[0], raster.North-(float64(i/raster.Cols)+.5)*raster.Cell-offset[1]
		down := raycast.Ray{Origin: [3]float32{float32(x), float32(y), 100}, Direction: [3]float32{0, 0, -1}}
		h, ok := rays.Nearest(&down, 0, 200, -1)
		if !ok {
			continue
		}
		at := [3]float64{x, y, float64(100 - h.T)}
		u, v, ok := c.Project(pose.Apply(at))
		if !ok || u < 1 || v < 1 || u > float64(c.Width-1) || v > float64(c.Height-1) {
			continue
		}
		r := raycast.Ray{Origin: [3]float32{float32(eye[0]), float32(eye[1]), float32(eye[2])}}
		for k := range 3 {
			r.Direction[k] = float32(at[k] - eye[k])
		}
		if !rays.Blocked(&r, 0, .998) {
			out.Grey[i] = float32(brightness(img, u, v))
		}
	}
	return out
}

// controlPoints finds the black and white quarters of the targets around the pixels of
// gcp_list.txt.
func controlPoints(t *testing.T, dir string, truth *Truth) {
	seen := 0
	for _, g := range truth.GCPs {
		for _, s := range g.Seen {
			img := decode(t, filepath.Join(dir, "photos", s.Photo))
			// On a circle about the middle brightness goes up and down twice, and
			// opposite places are as bright.
			var twice, once [2]float64
			sum := 0.0
			const n, radius = 32, 2.6
			for i := range n {
				a := 2 * math.Pi * float64(i) / n
				v := brightness(img, s.X+radius*math.Cos(a), s.Y+radius*math.Sin(a)) / n
				twice[0], twice[1], sum = twice[0]+v*math.Cos(2*a), twice[1]+v*math.Sin(2*a), sum+v
				once[0], once[1] = once[0]+v*math.Cos(a), once[1]+v*math.Sin(a)
			}
			if swing := math.Hypot(twice[0], twice[1]); swing < .2*sum || math.Hypot(once[0], once[1]) > .2*swing {
				t.Errorf("%s in %s at %.2f, %.2f: swings of %.0f and %.0f about %.0f", g.Name, s.Photo, s.X, s.Y, swing, math.Hypot(once[0], once[1]), sum)
			}
			seen++
		}
	}
	list, err := os.ReadFile(filepath.Join(dir, "truth", "gcp_list.txt"))
	if err != nil || bytes.Count(list, []byte("\n")) != seen+1 || !bytes.HasPrefix(list, []byte("EPSG:32632\n")) {
		t.Errorf("gcp_list.txt has not a line for each of %d sightings: %v\n%s", seen, err, list)
	}
	if len(truth.GCPs) < 4 || seen < 8 {
		t.Errorf("%d control points are seen %d times", len(truth.GCPs), seen)
	}
}

// exif has the metadata read by a program that is not ours.
func exif(t *testing.T, p Params, dir string, truth *Truth) {
	python := testdata.Python(t)
	if exec.Command(python, "-c", "import exifread").Run() != nil {
		t.Skip("exifread is absent: make setup-test")
	}
	script := `
import exifread, json, sys
from exifread.utils import get_gps_coords
out = []
for path in sys.argv[1:]:
    t = exifread.process_file(open(path, "rb"), details=True)
    lat, lon = get_gps_coords(t)
    alt = t["GPS GPSAltitude"].values[0]
    out.append({"lat": lat, "lon": lon, "alt": alt.num / alt.den, "make": str(t["Image Make"]), "model": str(t["Image Model"]),
        "focal": float(t["EXIF FocalLength"].values[0].num) / t["EXIF FocalLength"].values[0].den, "focal35": t["EXIF FocalLengthIn35mmFilm"].values[0],
        "time": str(t["EXIF DateTimeOriginal"]), "ref": t["GPS GPSAltitudeRef"].values[0], "width": t["EXIF ExifImageWidth"].values[0],
        "error": float(t["GPS Tag 0x001F"].values[0].num) / t["GPS Tag 0x001F"].values[0].den})
print(json.dumps(out))`
	args := []string{"-c", script}
	for _, photo := range truth.Photos {
		args = append(args, filepath.Join(dir, "photos", photo.Name))
	}
	b, err := exec.Command(python, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var read []struct {
		Lat, Lon, Alt, Focal, Focal35, Ref, Width, Error float64
		Make, Model, Time                                string
	}
	if err := json.Unmarshal(b, &read); err != nil {
		t.Fatal(err)
	}
	utm, err := crs.FromEPSG(truth.EPSG)
	if err != nil {
		t.Fatal(err)
	}
	wgs, err := crs.FromEPSG(4326)
	if err != nil {
		t.Fatal(err)
	}
	toGrid, err := crs.NewTransform(wgs, utm)
	if err != nil {
		t.Fatal(err)
	}
	last := ""
	for i, r := range read {
		at := []float64{r.Lon, r.Lat, r.Alt}
		if err := toGrid.Apply(at); err != nil {
			t.Fatal(err)
		}
		for k := range 3 {
			if d := at[k] - truth.Offset[k] - truth.Photos[i].Position[k]; math.Abs(d) > 5*p.GPSNoise*verticalError {
				t.Errorf("photo %d is %.3f m off on axis %d", i, d, k)
			}
		}
		if r.Make != maker || r.Model != model || r.Focal35 != 24 || r.Ref != 0 || r.Width != float64(p.Width) || r.Error != .05 || math.Abs(r.Focal/sensorWidth*float64(p.Width)*off-truth.Camera.Params[0]) > .2 || r.Time <= last {
			t.Errorf("photo %d: %+v after %q", i, r, last)
		}
		last = r.Time
	}
	xmp, err := os.ReadFile(filepath.Join(dir, "photos", truth.Photos[0].Name))
	if err != nil || !bytes.Contains(xmp, []byte(`drone-dji:RtkStdLon="0.05000"`)) {
		t.Errorf("no accuracy in XMP: %v", err)
	}
}

// TestSeed holds that a seed gives the same files, whatever the workers, and another
// seed others.
func TestSeed(t *testing.T) {
	p := small()
	p.Photos, p.Oblique, p.Width, p.Rows, p.Height = 3, 1, 120, 90, 25
	first, _ := fly(t, p)
	p.Workers = 5
	second, _ := fly(t, p)
	p.Seed = 2
	other, _ := fly(t, p)
	for _, name := range []string{"photos/SLT_0001.JPG", "photos/SLT_0003.JPG", "truth/mesh.ply", "truth/truth.json", "truth/orthophoto.png", "truth/sparse/points3D.txt"} {
		var b [3][]byte
		for i, dir := range []string{first, second, other} {
			var err error
			if b[i], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(b[0], b[1]) {
			t.Errorf("the number of workers changes %s", name)
		}
		if bytes.Equal(b[0], b[2]) {
			t.Errorf("the seed does not change %s", name)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, change := range map[string]func(p *Params){
		"photos":  func(p *Params) { p.Photos = 2 },
		"oblique": func(p *Params) { p.Oblique = p.Photos },
		"size":    func(p *Params) { p.Width = 20000 },
		"model":   func(p *Params) { p.Model = "FISHEYE" },
		"height":  func(p *Params) { p.Height = math.NaN() },
		"overlap": func(p *Params) { p.Sidelap = 1 },
		"noise":   func(p *Params) { p.Noise = -1 },
	} {
		p := small()
		change(&p)
		if _, err := Photos(context.Background(), t.TempDir(), p); !errors.Is(err, ErrParams) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Photos(ctx, t.TempDir(), small()); !errors.Is(err, context.Canceled) {
		t.Errorf("the end of the context: %v", err)
	}
}
