package photogrammetry

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/codec/crs"
	"slate360.ai/worker/geom/align"
	"slate360.ai/worker/geom/camera"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// world is a synthetic survey: where photos were really taken in UTM zone 32, and the
// model that a reconstruction made of it, in a frame of its own.
type world struct {
	photos Photos
	model  *colmap.Model
	truth  map[string][3]float64 // camera centres in EPSG:32632
	origin [3]float64
	frame  align.Similarity // from metres about the origin to the model
	camera camera.Camera
	gcps   string
}

// view is a photo of a world: where it stands about the origin, and what it looks at.
type view struct{ eye, target, top [3]float64 }

func newWorld(views []view) *world {
	rng := rand.New(rand.NewPCG(11, 12))
	w := &world{
		truth: map[string][3]float64{}, origin: [3]float64{465_000, 5_249_000, 480},
		camera: camera.Camera{Model: camera.SimpleRadial, Width: 4000, Height: 3000, Params: []float64{2900, 2000, 1500, 0.02}},
		model:  &colmap.Model{},
	}
	w.frame = align.Similarity{Scale: 0.031, R: align.RotationBetween([3]float64{0.3, -0.8, 0.5}, [3]float64{-0.6, 0.1, 0.4}), T: [3]float64{3, -2, 9}}
	w.model.Cameras = []colmap.Camera{{ID: 1, Model: "SIMPLE_RADIAL", Width: 4000, Height: 3000, Params: w.camera.Params}}
	for i, v := range views {
		name := fmt.Sprintf("IMG_%03d.jpg", i)
		p := camera.LookAt(v.eye, v.target, v.top).Transformed(w.frame.Scale, w.frame.R, w.frame.T)
		w.model.Images = append(w.model.Images, colmap.Image{ID: i + 1, CameraID: 1, Name: name, Rotation: p.Quaternion(), Translation: p.T})
		w.truth[name] = [3]float64{v.eye[0] + w.origin[0], v.eye[1] + w.origin[1], v.eye[2] + w.origin[2]}
		w.photos.Photos = append(w.photos.Photos, Photo{Name: name, File: name, Width: 4000, Height: 3000})
	}
	for i := range 500 {
		x := [3]float64{120 * (rng.Float64() - 0.5), 90 * (rng.Float64() - 0.5), rng.Float64()}
		w.model.Points = append(w.model.Points, colmap.Point{ID: int64(i + 1), XYZ: w.frame.Apply(x)})
	}
	w.photos.Cameras = []CameraGroup{{Width: 4000, Height: 3000}}
	return w
}

// nadir is a flight in strips, to and fro, 80 m above the ground.
func nadir(rows, cols int) (list []view) {
	for r := range rows {
		for c := range cols {
			eye := [3]float64{20*float64(c) - 10*float64(cols-1), 25*float64(r) - 12.5*float64(rows-1), 80 + float64((r*7+c*3)%5)}
			top := [3]float64{1, 0, 0}
			if r%2 == 1 {
				top[0] = -1
			}
			list = append(list, view{eye, [3]float64{eye[0], eye[1], 0}, top})
		}
	}
	return list
}

// orbit goes round a building at the height of the eyes.
func orbit(n int) (list []view) {
	for i := range n {
		s, c := math.Sincos(2 * math.Pi * float64(i) / float64(n))
		list = append(list, view{[3]float64{30 * c, 30 * s, 1.7}, [3]float64{0, 0, 5}, [3]float64{0, 0, 1}})
	}
	return list
}

// positions gives the photos GPS with noise.
func (w *world) positions(t *testing.T, horizontal, vertical float64) {
	t.Helper()
	utm, err := crs.FromEPSG(32632)
	if err != nil {
		t.Fatal(err)
	}
	to, err := utm.ToWGS84()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(13, 14))
	for i := range w.photos.Photos {
		p := &w.photos.Photos[i]
		x := w.truth[p.Name]
		at := []float64{x[0] + horizontal*rng.NormFloat64(), x[1] + horizontal*rng.NormFloat64(), x[2] + vertical*rng.NormFloat64()}
		if err := to.Apply(at); err != nil {
			t.Fatal(err)
		}
		p.GPS = &GPS{Latitude: at[1], Longitude: at[0], Altitude: &at[2], Horizontal: max(horizontal, 0.01), Vertical: max(vertical, 0.01)}
	}
}

// mark writes lines of a file of control points for a point in the grid, as all photos
// that show it do.
func (w *world) mark(b *strings.Builder, name string, at [3]float64) {
	x := w.frame.Apply([3]float64{at[0] - w.origin[0], at[1] - w.origin[1], at[2] - w.origin[2]})
	for _, i := range w.model.Images {
		u, v, ok := w.camera.Project(camera.FromQuaternion(i.Rotation, i.Translation).Apply(x))
		if ok && u >= 0 && v >= 0 && u < 4000 && v < 3000 {
			fmt.Fprintf(b, "%.4f %.4f %.4f %.3f %.3f %s %s\n", at[0], at[1], at[2], u, v, strings.ToUpper(i.Name), name)
		}
	}
}

// aligned runs the stage and returns what it made.
func (w *world) aligned(t *testing.T, options string) (*Frame, *colmap.Model, job.Result) {
	t.Helper()
	source := t.TempDir()
	if w.gcps != "" {
		write(t, source, gcpFile, []byte(w.gcps))
		w.photos.GCPs = gcpFile
	}
	write(t, source, "x.jpg", []byte("x"))
	put := func(_ context.Context, s *pipeline.Context) error {
		for _, p := range []string{productConverted, productMasks} {
			if err := os.MkdirAll(s.Product(p), 0o777); err != nil {
				return err
			}
		}
		return writeJSON(s.Product(productPhotos), w.photos)
	}
	result, products, err := trial{
		source: source, options: options, stages: []string{"inspect", "features", "matching", "mapping", "align"},
		replace: map[string]func(context.Context, *pipeline.Context) error{
			"inspect":  put,
			"features": empty(productFeatures), "matching": empty(productMatches, productMatchList),
			"mapping": func(ctx context.Context, s *pipeline.Context) error {
				if err := os.MkdirAll(s.Product(productSparseRaw), 0o777); err != nil {
					return err
				}
				if err := w.model.WriteBinary(s.Product(productSparseRaw)); err != nil {
					return err
				}
				return empty(productMapping)(ctx, s)
			},
		},
	}.run(t)
	if err != nil {
		t.Fatal(err)
	}
	f := &Frame{}
	if err := readJSON(filepath.Join(products, productFrame), f); err != nil {
		t.Fatal(err)
	}
	m, err := colmap.ReadBinary(filepath.Join(products, productSparse))
	if err != nil {
		t.Fatal(err)
	}
	return f, m, result
}

func empty(products ...string) func(context.Context, *pipeline.Context) error {
	return func(_ context.Context, s *pipeline.Context) error {
		for _, p := range products {
			if err := os.WriteFile(s.Product(p), nil, 0o666); err != nil {
				return err
			}
		}
		return nil
	}
}

// errors in metres of camera centres, the worst across and along the vertical.
func (w *world) worst(f *Frame, m *colmap.Model) (horizontal, vertical float64) {
	for _, i := range m.Images {
		got := f.ToCRS(camera.FromQuaternion(i.Rotation, i.Translation).Center())
		want := w.truth[i.Name]
		horizontal = max(horizontal, math.Hypot(got[0]-want[0], got[1]-want[1]))
		vertical = max(vertical, math.Abs(got[2]-want[2]))
	}
	return horizontal, vertical
}

func TestAlignByGPS(t *testing.T) {
	w := newWorld(nadir(5, 8))
	w.positions(t, 0, 0)
	f, m, result := w.aligned(t, "{}")
	if !f.Georeferenced || f.From != "gps" || f.EPSG != 32632 || len(result.Warnings) > 0 {
		t.Errorf("frame = %+v, warnings %q", f, result.Warnings)
	}
	if h, v := w.worst(f, m); h > 0.01 || v > 0.01 {
		t.Errorf("cameras are off by %g and %g m", h, v)
	}
	if f.GPS.Used != 40 || f.GPS.RMS3D > 0.01 {
		t.Errorf("residuals = %+v", f.GPS)
	}
	for k := range 3 {
		if d := f.Offset[k] - w.origin[k]; math.Abs(d) > 10 || d != math.Round(d) {
			t.Errorf("offset %v is not near the middle %v at whole metres", f.Offset, w.origin)
		}
	}
	if math.Abs(f.Latitude-47.39) > 0.1 || math.Abs(f.Longitude-8.53) > 0.1 {
		t.Errorf("origin at %g, %g", f.Latitude, f.Longitude)
	}
	// The points come along: they lie on the ground, around the origin.
	var sum float64
	for _, p := range m.Points {
		sum += math.Abs(p.XYZ[2])
	}
	if mean := sum / float64(len(m.Points)); mean > 2 {
		t.Errorf("points are %g m from the ground", mean)
	}
}

func TestAlignByNoisyGPS(t *testing.T) {
	w := newWorld(nadir(6, 8))
	w.positions(t, 2, 4)
	for _, i := range []int{3, 17, 30} { // a receiver that lost its way
		w.photos.Photos[i].GPS.Latitude += 0.002
	}
	f, m, result := w.aligned(t, "{}")
	if h, v := w.worst(f, m); h > 2 || v > 4 {
		t.Errorf("cameras are off by %g and %g m", h, v)
	}
	if f.GPS.Used != 45 || !warned(result.Warnings, "positions of 3 photo(s)") {
		t.Errorf("%d used, warnings %q", f.GPS.Used, result.Warnings)
	}
}

func TestAlignTargetCRS(t *testing.T) {
	w := newWorld(nadir(4, 5))
	w.positions(t, 0, 0)
	f, _, _ := w.aligned(t, `{"crs":{"target":"EPSG:2056"}}`) // Switzerland
	if f.EPSG != 2056 || math.Abs(f.Offset[0]-2_682_000) > 5000 || math.Abs(f.Offset[1]-1_249_000) > 5000 {
		t.Errorf("frame = %+v", f)
	}
	f, _, result := w.aligned(t, `{"crs":{"target":"EPSG:4326"}}`)
	if f.EPSG != 32632 || !warned(result.Warnings, "not a projected") {
		t.Errorf("frame = %+v, warnings %q", f, result.Warnings)
	}
	// Feet: the offset is in feet, the model in metres.
	f, m, _ := w.aligned(t, `{"crs":{"target":"EPSG:32632"}}`)
	before, _ := w.worst(f, m)
	utm := f.Offset
	f, m, _ = w.aligned(t, `{"crs":{"target":"EPSG:27700"}}`) // a grid of another country
	if h, _ := w.worst(f, m); before > 0.01 || h < 1000 || f.Offset == utm {
		t.Errorf("%g m in its own grid, %g in another", before, h)
	}
}

func TestAlignByControlPoints(t *testing.T) {
	w := newWorld(nadir(5, 8))
	w.positions(t, 3, 6)
	for i := range w.photos.Photos { // GPS is off as a whole, too
		*w.photos.Photos[i].GPS.Altitude += 12
	}
	var b strings.Builder
	b.WriteString("EPSG:32632\n")
	for i, x := range [][3]float64{{-50, -40, 0.5}, {50, -40, 0.2}, {50, 40, 0}, {-50, 40, 1}, {0, 0, 0.3}} {
		w.mark(&b, fmt.Sprintf("P%d", i), [3]float64{w.origin[0] + x[0], w.origin[1] + x[1], w.origin[2] + x[2]})
	}
	w.mark(&b, "CHK1", [3]float64{w.origin[0] + 20, w.origin[1] - 10, w.origin[2] + 0.1})
	w.gcps = b.String()
	f, m, result := w.aligned(t, "{}")
	if f.From != "gcp" || f.GCP == nil || len(f.GCP.Points) != 5 || f.Check == nil || len(f.Check.Points) != 1 {
		t.Fatalf("frame = %+v, warnings %q", f, result.Warnings)
	}
	if h, v := w.worst(f, m); h > 0.05 || v > 0.05 {
		t.Errorf("cameras are off by %g and %g m", h, v)
	}
	if f.GCP.RMS3D > 0.01 || f.Check.RMS3D > 0.01 || math.Abs(f.GPS.Mean[2]-12) > 3 {
		t.Errorf("residuals: control %+v, check %+v, GPS mean %v", f.GCP, f.Check, f.GPS.Mean)
	}
}

// One control point shifts what GPS has turned and scaled.
func TestAlignByOneControlPoint(t *testing.T) {
	w := newWorld(nadir(5, 8))
	w.positions(t, 0.5, 1)
	var b strings.Builder
	b.WriteString("+proj=utm +zone=32 +datum=WGS84 +units=m +no_defs\n")
	w.mark(&b, "A", [3]float64{w.origin[0], w.origin[1], w.origin[2]})
	w.gcps = b.String()
	f, m, _ := w.aligned(t, "{}")
	if f.From != "gcp and gps" {
		t.Errorf("from %s", f.From)
	}
	if h, v := w.worst(f, m); h > 0.5 || v > 1 {
		t.Errorf("cameras are off by %g and %g m", h, v)
	}
}

func TestAlignBadControlPoints(t *testing.T) {
	w := newWorld(nadir(3, 4))
	w.gcps = "EPSG:32632\n1 2 x 4 5 a.jpg\n"
	source := t.TempDir()
	write(t, source, gcpFile, []byte(w.gcps))
	if _, _, err := readControlPoints(strings.NewReader(w.gcps)); err == nil || !strings.Contains(err.Error(), `line 2: "x" is not a number`) {
		t.Errorf("readControlPoints = %v", err)
	}
}

// A single strip does not say how it is turned about its axis: the photos do.
func TestAlignOneStrip(t *testing.T) {
	w := newWorld(nadir(1, 12))
	w.positions(t, 0.5, 1)
	for i := range w.photos.Photos {
		w.photos.Photos[i].Attitude = &Attitude{Yaw: 90, Pitch: -90}
	}
	f, m, _ := w.aligned(t, "{}")
	if !f.Georeferenced {
		t.Fatal("not georeferenced")
	}
	for _, i := range m.Images {
		p := camera.FromQuaternion(i.Rotation, i.Translation)
		if down := p.Unrotate([3]float64{0, 0, 1})[2]; down > -math.Cos(3*math.Pi/180) {
			t.Errorf("%s looks along z by %g", i.Name, down)
		}
	}
}

// Without positions the model is level.
func TestAlignLevel(t *testing.T) {
	tests := []struct {
		name  string
		views []view
		prior func(p *Photo)
		scale func(step float64) float64 // the expected spacing of photos
	}{
		{"orbit", orbit(24), nil, func(float64) float64 { return stepMetres }},
		{"flight", nadir(4, 6), nil, nil},
		{"flight with altitudes", nadir(4, 6), func(p *Photo) { h := 80.0; p.RelativeAltitude = &h }, func(float64) float64 { return 20 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(test.views)
			for i := range w.photos.Photos {
				if test.prior != nil {
					test.prior(&w.photos.Photos[i])
				}
			}
			f, m, _ := w.aligned(t, "{}")
			if f.Georeferenced || f.CRS != "" || f.From != "none" {
				t.Errorf("frame = %+v", f)
			}
			// The real vertical is vertical: a photo's directions there are those here.
			for k, i := range m.Images {
				v := test.views[k]
				real := camera.LookAt(v.eye, v.target, v.top)
				p := camera.FromQuaternion(i.Rotation, i.Translation)
				up := p.Unrotate(real.Rotate([3]float64{0, 0, 1}))
				if up[2] < math.Cos(2*math.Pi/180) {
					t.Fatalf("up of %s is %v", i.Name, up)
				}
			}
			if test.scale != nil {
				a := camera.FromQuaternion(m.Images[0].Rotation, m.Images[0].Translation).Center()
				b := camera.FromQuaternion(m.Images[1].Rotation, m.Images[1].Translation).Center()
				if got, want := norm(add3(a, scale3(b, -1))), test.scale(0); math.Abs(got/want-1) > 0.1 {
					t.Errorf("photos are %g m apart, want %g", got, want)
				}
			}
		})
	}
}

func TestParseProjection(t *testing.T) {
	for text, want := range map[string]int{
		"EPSG:25832":    25832,
		"WGS84 UTM 17N": 32617,
		"wgs84 utm 33s": 32733,
		"+proj=utm +zone=10 +ellps=WGS84 +datum=WGS84 +units=m +no_defs": 32610,
		"+proj=utm +zone=56 +south +datum=WGS84":                         32756,
		"+proj=utm +zone=32 +ellps=GRS80 +units=m":                       25832,
		"+proj=utm +zone=17 +datum=NAD83":                                26917,
		"+init=epsg:2056":                                                2056,
		"+proj=longlat +datum=WGS84 +no_defs":                            4979,
	} {
		c, err := parseProjection(text)
		if err != nil || c.EPSG() != want {
			t.Errorf("%s: %v, %v", text, c, err)
		}
	}
	for _, text := range []string{"+proj=lcc +lat_1=33", "WGS84 UTM 99N", "+proj=utm +zone=0", "hello", "+proj=utm +zone=17 +datum=NAD27", "+proj=utm +zone=10 +units=us-ft"} {
		if _, err := parseProjection(text); err == nil {
			t.Errorf("%s is understood", text)
		}
	}
}

func TestUTMZone(t *testing.T) {
	for _, test := range []struct {
		lat, lon float64
		want     int
	}{{47, 8.5, 32632}, {-33, 151, 32756}, {60, 5, 32632}, {78, 20, 32633}, {0, 180, 32601}, {10, -179.9, 32601}, {41, -83.3, 32617}} {
		if got := utmZone(test.lat, test.lon); got != test.want {
			t.Errorf("%g, %g: %d, want %d", test.lat, test.lon, got, test.want)
		}
	}
}

func FuzzControlPoints(f *testing.F) {
	f.Add([]byte("EPSG:32632\n1 2 3 4 5 a.jpg P1\n# c\n\n1 2 3 6 7 b.jpg\n"))
	f.Add([]byte("+proj=utm +zone=32\n1 2 3 4 5 a.jpg\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, points, err := readControlPoints(strings.NewReader(string(data)))
		if err == nil && c == nil {
			t.Fatal("no system and no error")
		}
		for _, p := range points {
			if len(p.marks) == 0 || p.name == "" {
				t.Fatalf("%+v", p)
			}
		}
	})
}
