package evaluate

import (
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/geom/camera"
	"slate360.ai/worker/geom/meshdistance"
)

func randomSimilarity(r *rand.Rand) Similarity {
	q := [4]float64{r.NormFloat64(), r.NormFloat64(), r.NormFloat64(), r.NormFloat64()}
	return Similarity{Scale: .1 + 5*r.Float64(), R: camera.FromQuaternion(q, [3]float64{}).R, T: [3]float64{100 * r.NormFloat64(), 100 * r.NormFloat64(), 100 * r.NormFloat64()}}
}

func TestAlign(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		want := randomSimilarity(r)
		var from, to [][3]float64
		for range 3 + r.IntN(20) {
			p := [3]float64{10 * r.NormFloat64(), 10 * r.NormFloat64(), 10 * r.NormFloat64()}
			from, to = append(from, p), append(to, want.Apply(p))
		}
		got, err := Align(from, to)
		if err != nil {
			t.Fatal(err)
		}
		back := got.Inverse()
		for i := range from {
			at, home := got.Apply(from[i]), back.Apply(to[i])
			for k := range 3 {
				if math.Abs(at[k]-to[i][k]) > 1e-8*(1+math.Abs(to[i][k])) || math.Abs(home[k]-from[i][k]) > 1e-7 {
					t.Fatalf("%v goes to %v, want %v, and back to %v", from[i], at, to[i], home)
				}
			}
		}
	}
	line := [][3]float64{{0, 0, 0}, {1, 1, 1}, {2, 2, 2}, {5, 5, 5}}
	if _, err := Align(line, line); !errors.Is(err, ErrDegenerate) {
		t.Errorf("points on a line: %v", err)
	}
	if _, err := Align(line[:2], line[:2]); !errors.Is(err, ErrDegenerate) {
		t.Errorf("two points: %v", err)
	}
}

// survey is cameras in a grid that look down at the square from (-20, -20) to (20, 20).
func survey() *colmap.Model {
	m := &colmap.Model{Cameras: []colmap.Camera{{ID: 1, Model: "SIMPLE_RADIAL", Width: 800, Height: 600, Params: []float64{500, 400, 300, -.05}}}}
	for i := range 25 {
		eye := [3]float64{float64(i%5-2) * 8, float64(i/5-2) * 8, 40 + float64(i%3)}
		p := camera.LookAt(eye, [3]float64{eye[0], eye[1], 0}, [3]float64{0, 1, 0})
		m.Images = append(m.Images, colmap.Image{ID: i + 1, CameraID: 1, Name: string(rune('a' + i)), Rotation: p.Quaternion(), Translation: p.T})
	}
	return m
}

// TestCompareCameras moves a model by a similarity and then a camera by 0.3 m.
func TestCompareCameras(t *testing.T) {
	truth := survey()
	r := rand.New(rand.NewPCG(2, 2))
	s := randomSimilarity(r)
	got := &colmap.Model{Cameras: truth.Cameras}
	for _, i := range truth.Images[1:] { // one is not registered
		p := camera.FromQuaternion(i.Rotation, i.Translation).Transformed(s.Scale, s.R, s.T)
		got.Images = append(got.Images, colmap.Image{ID: i.ID, CameraID: 1, Name: i.Name, Rotation: p.Quaternion(), Translation: p.T})
	}
	c, err := CompareCameras(got, truth, .05)
	if err != nil {
		t.Fatal(err)
	}
	if c.Registered != 24 || c.Photos != 25 || c.Max > 1e-6 || c.Rotation > 1e-6 || c.Each[0].Distance != -1 {
		t.Errorf("%+v, want no error", c)
	}
	if want := s.Inverse(); math.Abs(c.ToTruth.Scale-want.Scale) > 1e-9 {
		t.Errorf("scale %g, want %g", c.ToTruth.Scale, want.Scale)
	}
	// The middle one, so that the rest hardly turns.
	p := camera.FromQuaternion(truth.Images[12].Rotation, truth.Images[12].Translation)
	center := p.Center()
	center[0] += .3
	moved := camera.LookAt(center, [3]float64{center[0], center[1], 0}, [3]float64{0, 1, 0}).Transformed(s.Scale, s.R, s.T)
	got.Images[11].Rotation, got.Images[11].Translation = moved.Quaternion(), moved.T
	if c, err = CompareCameras(got, truth, .05); err != nil {
		t.Fatal(err)
	}
	if e := c.Each[12]; math.Abs(e.Distance-6) > .4 || c.Max != e.Distance {
		t.Errorf("a camera moved by 6 GSD is %g off, at most %g", e.Distance, c.Max)
	}
}

// hills is a surface of n × n cells over the square, moved up by dz; cells that keep
// says no to are left out.
func hills(n int, dz float64, keep func(x, y float64) bool) meshdistance.Mesh {
	var m meshdistance.Mesh
	at := func(i int) float64 { return 40*float64(i)/float64(n) - 20 }
	for y := range n + 1 {
		for x := range n + 1 {
			m.Positions = append(m.Positions, float32(at(x)), float32(at(y)), float32(math.Sin(at(x)/5)+math.Cos(at(y)/4)+dz))
		}
	}
	for y := range n {
		for x := range n {
			if keep != nil && !keep(at(x), at(y)) {
				continue
			}
			a := uint32(y*(n+1) + x)
			b := a + uint32(n) + 1
			m.Indices = append(m.Indices, a, a+1, b, b, a+1, b+1)
		}
	}
	return m
}

func TestCompareSurfaces(t *testing.T) {
	params := SurfaceParams{Thresholds: []float64{.1}, Area: [2][2]float64{{-15, -15}, {15, 15}}, Samples: 5000, Workers: 2}
	half := func(x, _ float64) bool { return x < 0 }
	// A second floor 3 m below, which no photo sees, and one above, which all do.
	twice := func(dz float64) meshdistance.Mesh {
		m, more := hills(80, 0, nil), hills(80, dz, nil)
		for _, i := range more.Indices {
			m.Indices = append(m.Indices, i+uint32(len(m.Positions)/3))
		}
		m.Positions = append(m.Positions, more.Positions...)
		return m
	}
	for name, c := range map[string]struct {
		result            meshdistance.Mesh
		precision, recall float64
	}{
		"same":      {hills(80, 0, nil), 1, 1},
		"near":      {hills(80, .08, nil), 1, 1},
		"far":       {hills(80, .2, nil), 0, 0},
		"half":      {hills(80, 0, half), 1, .5},
		"outliers":  {twice(3), .5, 1},
		"sunk copy": {twice(-3), .5, 1},
	} {
		s, err := CompareSurfaces(context.Background(), c.result, hills(80, 0, nil), survey(), params)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := s.Scores[0]
		f := 0.0
		if c.precision+c.recall > 0 {
			f = 2 * c.precision * c.recall / (c.precision + c.recall)
		}
		if math.Abs(got.Precision-c.precision) > .03 || math.Abs(got.Recall-c.recall) > .03 || math.Abs(got.F-f) > .03 {
			t.Errorf("%s: %+v, want precision %g, recall %g", name, got, c.precision, c.recall)
		}
		if s.TruthSamples < 4000 {
			t.Errorf("%s: %d samples of the truth count", name, s.TruthSamples)
		}
	}
}

// TestUnseenDoesNotCount hides half of the truth below a roof that is part of it.
func TestUnseenDoesNotCount(t *testing.T) {
	roofed := hills(80, 0, nil)
	first := uint32(len(roofed.Positions) / 3)
	roofed.Positions = append(roofed.Positions, -30, -30, 6, 0, -30, 6, 0, 30, 6, -30, 30, 6)
	whole := meshdistance.Mesh{Positions: roofed.Positions, Indices: append(append([]uint32{}, roofed.Indices...), first, first+1, first+2, first, first+2, first+3)}
	// The result has the roof, and nothing below it.
	result := hills(80, 0, func(x, _ float64) bool { return x > 0 })
	at := uint32(len(result.Positions) / 3)
	result.Positions = append(result.Positions, -30, -30, 6, 0, -30, 6, 0, 30, 6, -30, 30, 6)
	result.Indices = append(result.Indices, at, at+1, at+2, at, at+2, at+3)
	s, err := CompareSurfaces(context.Background(), result, whole, survey(), SurfaceParams{Thresholds: []float64{.05}, Area: [2][2]float64{{-18, -18}, {18, 18}}, Samples: 8000, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	// Of the ground below the roof some is seen at a slant from beside it.
	if got := s.Scores[0]; got.Precision < .99 || got.Recall < .9 {
		t.Errorf("%+v", got)
	}
}

// texture is a smooth random picture.
func texture(x, y float64) float64 {
	v := 0.0
	for k := range 12 {
		a := float64(k) * 2.4
		f := .12 + .05*float64(k)
		v += math.Sin(f*(x*math.Cos(a)+y*math.Sin(a)) + 3*a)
	}
	return 128 + 14*v
}

func picture(dx, dy float64) *Picture {
	p := &Picture{Cols: 260, Rows: 210, West: 1000, North: 2000, Cell: .25, Grey: make([]float32, 260*210)}
	for y := range p.Rows {
		for x := range p.Cols {
			p.Grey[y*p.Cols+x] = float32(texture(float64(x)-dx, float64(y)-dy))
		}
	}
	return p
}

func TestCompareOrthos(t *testing.T) {
	for _, c := range [][2]float64{{0, 0}, {1, 0}, {.4, -.7}, {-3.3, 5.2}} {
		o, err := CompareOrthos(context.Background(), picture(c[0], c[1]), picture(0, 0), 2)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(o.East-c[0]) > .05 || math.Abs(o.South-c[1]) > .05 || math.Abs(o.RMS-math.Hypot(c[0], c[1])) > .05 || o.Places != o.Tried || o.Correlation < .95 || o.Covered != 1 {
			t.Errorf("moved by %v: %+v", c, o)
		}
	}
	half := picture(.5, 0)
	for i := range half.Grey {
		if i%half.Cols < half.Cols/2 {
			half.Grey[i] = float32(math.NaN())
		}
	}
	o, err := CompareOrthos(context.Background(), half, picture(0, 0), 1)
	if err != nil || math.Abs(o.Covered-.5) > .01 || math.Abs(o.East-.5) > .05 || o.Places == 0 {
		t.Errorf("half a picture: %+v, %v", o, err)
	}
	if _, err := CompareOrthos(context.Background(), picture(30, 40), picture(0, 0), 1); !errors.Is(err, ErrApart) {
		t.Errorf("nothing in common: %v", err)
	}
}

// TestReprojected turns and shifts a picture, and finds it again.
func TestReprojected(t *testing.T) {
	truth := picture(0, 0)
	ground := meshdistance.Mesh{Positions: []float32{-100, -100, 5, 200, -100, 5, 200, 100, 5, -100, 100, 5}, Indices: []uint32{0, 1, 2, 0, 2, 3}}
	a := 10 * math.Pi / 180
	s := Similarity{Scale: 1.1, R: [9]float64{math.Cos(a), -math.Sin(a), 0, math.Sin(a), math.Cos(a), 0, 0, 0, 1}, T: [3]float64{7, -3, 2}}
	back := s.Inverse()
	truthOffset, offset := [3]float64{1000, 2000, 0}, [3]float64{5000, 6000, 0}
	result := &Picture{Cols: 600, Rows: 600, West: 4980, North: 6040, Cell: .2, Grey: make([]float32, 600*600)}
	for i := range result.Grey {
		x, y := result.West+(float64(i%600)+.5)*.2, result.North-(float64(i/600)+.5)*.2
		p := back.Apply([3]float64{x - offset[0], y - offset[1], s.Scale*5 + 2})
		result.Grey[i] = float32(texture((p[0]+truthOffset[0]-truth.West)/truth.Cell-.5, (truth.North-p[1]-truthOffset[1])/truth.Cell-.5))
	}
	got, err := Reprojected(context.Background(), result, truth, ground, s, truthOffset, offset)
	if err != nil {
		t.Fatal(err)
	}
	o, err := CompareOrthos(context.Background(), got, truth, 1)
	if err != nil || o.RMS > .03 || o.Difference > 3 || o.Covered < .9 {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestLoadOrtho(t *testing.T) {
	dir := t.TempDir()
	img := image.NewNRGBA(image.Rect(0, 0, 4, 3))
	for i := range 12 {
		img.SetNRGBA(i%4, i/4, color.NRGBA{uint8(20 * i), uint8(20 * i), uint8(20 * i), 255})
	}
	img.SetNRGBA(0, 0, color.NRGBA{})
	path := filepath.Join(dir, "a.png")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := LoadOrtho(path); err == nil {
		t.Error("no world file is no error")
	}
	if err := os.WriteFile(filepath.Join(dir, "a.pgw"), []byte("0.5\n0\n0\n-0.5\n100.25\n199.75\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	p, err := LoadOrtho(path)
	if err != nil {
		t.Fatal(err)
	}
	if p.West != 100 || p.North != 200 || p.Cell != .5 || !math.IsNaN(float64(p.Grey[0])) || p.At(101.25, 199.25) != 120 || p.At(101, 199.25) != 110 {
		t.Errorf("%+v: %g, %g", p, p.At(101.25, 199.25), p.At(101, 199.25))
	}
}

// tiff is a directory that says where a picture lies, in both orders of bytes.
func tiff(order binary.AppendByteOrder) []byte {
	b := []byte("II*\x00")
	if order.String() == binary.BigEndian.String() {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	for tag, at := range map[uint16]uint32{33550: 38, 33922: 62} {
		b = order.AppendUint16(b, tag)
		b = order.AppendUint16(b, 12)
		b = order.AppendUint32(b, map[uint16]uint32{33550: 3, 33922: 6}[tag])
		b = order.AppendUint32(b, at)
	}
	b = order.AppendUint32(b, 0)
	for _, v := range []float64{.25, .25, 0, 2, 4, 0, 500, 900, 0} {
		b = order.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

func TestPlaceByDirectory(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		var p Picture
		if err := p.placeByDirectory(tiff(order)); err != nil || p.West != 499.5 || p.North != 901 || p.Cell != .25 {
			t.Errorf("%v: %+v, %v", order, p, err)
		}
	}
}

func FuzzPlaceByDirectory(f *testing.F) {
	f.Add(tiff(binary.LittleEndian))
	f.Add(tiff(binary.BigEndian))
	f.Add([]byte("II*\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Picture
		if p.placeByDirectory(b) == nil && !(p.Cell > 0) {
			t.Errorf("a cell of %g", p.Cell)
		}
	})
}
