package report

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/geom/camera"
)

const hostile = `"><script>alert(1)</script><img src=https://example.com/x onerror=alert(2)>'&.jpg`

// flat is cols × rows photos straight down from 50 m, of a plane with a point a metre;
// every feature is off by 0.25 pixels to the right.
func flat(cols, rows int) *colmap.Model {
	m := &colmap.Model{Cameras: []colmap.Camera{{ID: 7, Model: "SIMPLE_RADIAL", Width: 1000, Height: 800, Params: []float64{1000, 500, 400, -.05}}}}
	c := camera.Camera{Model: camera.SimpleRadial, Width: 1000, Height: 800, Params: m.Cameras[0].Params}
	for i := range cols * rows {
		eye := [3]float64{float64(i%cols) * 10, float64(i/cols) * 10, 50}
		p := camera.LookAt(eye, [3]float64{eye[0], eye[1], 0}, [3]float64{0, 1, 0})
		m.Images = append(m.Images, colmap.Image{ID: i + 1, CameraID: 7, Name: fmt.Sprintf("p%02d.jpg", i), Rotation: p.Quaternion(), Translation: p.T})
	}
	for y := -20; y <= 40; y++ {
		for x := -25; x <= 55; x++ {
			point := colmap.Point{ID: int64(len(m.Points) + 1), XYZ: [3]float64{float64(x), float64(y), 0}}
			for i := range m.Images {
				image := &m.Images[i]
				at := camera.FromQuaternion(image.Rotation, image.Translation).Apply(point.XYZ)
				if u, v, ok := c.Project(at); ok && u >= 0 && v >= 0 && u <= 1000 && v <= 800 && math.Abs(at[0]/at[2]) < .6 {
					point.Track = append(point.Track, colmap.Observation{ImageID: image.ID, Index: len(image.Points)})
					image.Points = append(image.Points, colmap.ImagePoint{X: u + .25, Y: v, Point: point.ID})
				}
			}
			if len(point.Track) >= 2 {
				m.Points = append(m.Points, point)
				continue
			}
			for _, o := range point.Track { // not a point: its features show nothing
				m.Images[o.ImageID-1].Points[o.Index].Point = -1
			}
		}
	}
	return m
}

func TestFromModel(t *testing.T) {
	m := flat(4, 3)
	lost := [3]float64{5, 5, 50}
	d, err := FromModel(m, []SourcePhoto{{Name: "p00.jpg", Label: "DSC 1.JPG", Sharpness: .4}, {Name: "gone.jpg", Reason: "blurred", Position: &lost, Camera: -1}}, []SourceCamera{{"Maker One", 980, "EXIF"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Photos) != 13 || !d.Photos[0].Registered || d.Photos[0].Name != "DSC 1.JPG" || d.Photos[0].Sharpness != .4 || d.Photos[1].Registered || d.Photos[1].Reason != "blurred" || d.Photos[2].Name != "p01.jpg" {
		t.Errorf("photos: %+v", d.Photos[:3])
	}
	if math.Abs(d.GSD-.05) > 1e-9 {
		t.Errorf("GSD %g, want 0.05", d.GSD)
	}
	if r := d.Reprojection; math.Abs(r.Mean-.25) > 1e-6 || math.Abs(r.RMS-.25) > 1e-6 || r.Counts[2] != r.Observations || r.Observations == 0 {
		t.Errorf("reprojection: %+v", r)
	}
	if c := d.Cameras[0]; c.Name != "Maker One" || c.Photos != 12 || c.Prior != 980 || c.Parameters[3] != (Parameter{"k", -.05}) || c.Displacement < 10 || c.Displacement > 40 {
		t.Errorf("camera: %+v", c)
	}
	// Tracks of all points, counted again.
	n, observations := 0, 0
	for _, c := range d.Tracks.Counts {
		n += c
	}
	for _, p := range m.Points {
		observations += len(p.Track)
	}
	if n != len(m.Points) || math.Abs(d.Tracks.Mean-float64(observations)/float64(n)) > 1e-9 {
		t.Errorf("tracks: %+v of %d points", d.Tracks, len(m.Points))
	}
	// Neighbours share more than those far apart; each pair once.
	seen := map[[2]int]int{}
	for _, p := range d.Pairs {
		if p.A >= p.B || seen[[2]int{p.A, p.B}] > 0 || p.Shared < 1 {
			t.Fatalf("pair %+v", p)
		}
		seen[[2]int{p.A, p.B}] = p.Shared
	}
	if seen[[2]int{0, 2}] <= seen[[2]int{0, 4}] {
		t.Errorf("photos 0 and 1 share %d, 0 and 3 %d", seen[[2]int{0, 2}], seen[[2]int{0, 4}])
	}
	// The middle is seen by all but few, and photos cover 50 × 40 m and more.
	o := d.Overlap
	if o == nil {
		t.Fatal("no overlap")
	}
	middle := o.Counts[int((o.North-10)/o.Cell)*o.Cols+int((15-o.West)/o.Cell)]
	if middle < 10 || d.Area < 70*50 || d.Area > 85*65 {
		t.Errorf("%d photos see the middle, %g m² are seen", middle, d.Area)
	}
}

func TestNotAerial(t *testing.T) {
	m := flat(4, 3)
	for i := range m.Images { // turn all to the horizon
		p := camera.LookAt([3]float64{float64(i), 0, 2}, [3]float64{float64(i), 10, 2}, [3]float64{0, 0, 1})
		m.Images[i].Rotation, m.Images[i].Translation = p.Quaternion(), p.T
	}
	d, err := FromModel(m, nil, nil)
	if err != nil || d.Overlap != nil || d.Area != 0 {
		t.Errorf("%v, %v", d.Overlap, err)
	}
	if _, err := HTML(d); err != nil {
		t.Error(err)
	}
}

func TestContradictions(t *testing.T) {
	for name, change := range map[string]func(m *colmap.Model){
		"no camera":  func(m *colmap.Model) { m.Images[0].CameraID = 99 },
		"bad camera": func(m *colmap.Model) { m.Cameras[0].Params = nil },
		"bad model":  func(m *colmap.Model) { m.Cameras[0].Model = "X" },
	} {
		m := flat(2, 2)
		change(m)
		if _, err := FromModel(m, nil, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	// Features of points, and photos, that are not there are passed over.
	m := flat(2, 2)
	m.Images[0].Points[0].Point = 1 << 40
	m.Points[0].Track[0].ImageID = 77
	if _, err := FromModel(m, nil, nil); err != nil {
		t.Error(err)
	}
	if d, err := FromModel(&colmap.Model{}, nil, nil); err != nil {
		t.Error(err)
	} else if _, err := HTML(d); err != nil {
		t.Errorf("nothing at all: %v", err)
	}
}

// full is a report with all there can be, and hostile text everywhere.
func full(t *testing.T) *Data {
	t.Helper()
	m := flat(4, 3)
	m.Images[0].Name = hostile
	at := [3]float64{3, 3, 50}
	d, err := FromModel(m, []SourcePhoto{{Name: hostile}, {Name: "gone", Label: hostile, Reason: hostile, Position: &at, Camera: -1}}, []SourceCamera{{hostile, 990, hostile}})
	if err != nil {
		t.Fatal(err)
	}
	r := &Residuals{Used: 2, RMS: [3]float64{.1, .2, .3}, RMSHorizontal: .22, RMS3D: .37, Points: []Residual{{Name: hostile, Delta: [3]float64{.1, -.2, .3}, Fits: true, Photos: 5, PixelError: .7}, {Name: "b", Delta: [3]float64{9, 9, 9}}}}
	d.Title, d.Program, d.Created = hostile, hostile, time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	d.Frame = Frame{Georeferenced: true, From: "gps", CRS: `PROJCS["` + strings.ReplaceAll(hostile, `"`, "'") + `"]`, EPSG: 32632, Offset: [3]float64{477000, 5473000, 110}}
	d.GPS, d.GCP, d.Check = r, r, r
	d.Warnings = []string{hostile}
	d.Stages = []Stage{{hostile, hostile, 61, 5 << 20, true}}
	d.Previews = []Preview{{hostile, "image/png", []byte("\x89PNG\r\n\x1a\n")}}
	d.DensePoints, d.Triangles = 1234567, 7654
	return d
}

func walk(n *html.Node, f func(n *html.Node)) {
	f(n)
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		walk(c, f)
	}
}

func text(n *html.Node) string {
	var b strings.Builder
	walk(n, func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
	})
	return strings.Join(strings.Fields(b.String()), " ")
}

// TestPage parses the page, and looks for what a reader needs and for all that could
// leave the page or run in it.
func TestPage(t *testing.T) {
	dir := t.TempDir()
	d := full(t)
	if err := Write(dir, d); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	var headings []string
	walk(root, func(n *html.Node) {
		if n.Type != html.ElementNode {
			return
		}
		count[n.Data]++
		switch n.Data {
		case "script", "iframe", "object", "embed", "link", "base", "form", "a":
			t.Errorf("a %s in the page", n.Data)
		case "h2":
			headings = append(headings, text(n))
		case "img":
			if attribute(n, "alt") == "" {
				t.Error("a picture without a text")
			}
		case "svg":
			if attribute(n, "role") != "img" || attribute(n, "aria-label") == "" {
				t.Error("a drawing without a text")
			}
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") {
				t.Errorf("%s has %s", n.Data, a.Key)
			}
			if (a.Key == "src" || a.Key == "href") && !strings.HasPrefix(a.Val, "data:image/") {
				t.Errorf("%s refers to %q", n.Data, a.Val)
			}
		}
	})
	for _, want := range []string{"Results", "Photos and overlap", "Photos that are not in the model", "Place", "Cameras", "Accuracy of tie points", "Matches", "Processing", "All photos"} {
		if !strings.Contains(strings.Join(headings, "|"), want) {
			t.Errorf("no heading %q of %q", want, headings)
		}
	}
	all := text(root)
	for _, want := range []string{"12 of 13", "0.25 px", "5.00 cm", "1,234,567", "EPSG:32632", "4 March 2026", hostile, "not believed", "from an earlier run", "SIMPLE_RADIAL", "-0.050000"} {
		if !strings.Contains(all, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if count["svg"] != 9 || count["image"] != 1 || count["h1"] != 1 {
		t.Errorf("%d drawings, %d heat maps, %d titles", count["svg"], count["image"], count["h1"])
	}
	var back Data
	j, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(j, &back); err != nil || len(back.Photos) != 13 || back.Title != hostile || back.GSD != d.GSD {
		t.Errorf("report.json: %v", err)
	}
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// TestDrawingsAreXML holds that every drawing is well-formed by itself.
func TestDrawingsAreXML(t *testing.T) {
	b, err := HTML(full(t))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rest := string(b); ; n++ {
		_, after, ok := strings.Cut(rest, "<svg")
		if !ok {
			break
		}
		one, tail, ok := strings.Cut(after, "</svg>")
		if !ok {
			t.Fatal("a drawing does not end")
		}
		x := xml.NewDecoder(strings.NewReader("<svg" + one + "</svg>"))
		for {
			if _, err := x.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("drawing %d: %v", n, err)
			}
		}
		rest = tail
	}
	if n == 0 {
		t.Error("there are no drawings")
	}
}

// TestHeat reads the map of overlap back.
func TestHeat(t *testing.T) {
	uri, err := heat(&Overlap{Cols: 3, Rows: 2, Counts: []int{0, 1, 2, 3, 6, 99}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(uri, "data:image/png;base64,"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, a := img.At(0, 0).RGBA(); a != 0 {
		t.Error("what no photo sees is not transparent")
	}
	if img.At(1, 1) != img.At(2, 1) || img.At(1, 0) == img.At(2, 0) {
		t.Error("colours do not go by numbers")
	}
}

func TestPreviewType(t *testing.T) {
	d := full(t)
	d.Previews = []Preview{{"x", "text/html", nil}}
	if _, err := HTML(d); err == nil {
		t.Error("a preview of HTML is no error")
	}
}

func TestCameras(t *testing.T) {
	m := flat(2, 2)
	side := camera.LookAt([3]float64{0, 0, 10}, [3]float64{10, 0, 0}, [3]float64{0, 0, 1})
	m.Images[1].Rotation, m.Images[1].Translation = side.Quaternion(), side.T
	f := Frame{Georeferenced: true, EPSG: 32632, Offset: [3]float64{477000, 5473000, 110}}
	view := View{Path: "photos/00000.jpg", Width: 40, Height: 30, Focal: [2]float64{40, 40}, Center: [2]float64{20, 15}}
	c, err := Cameras(m, f, map[string]string{"p00.jpg": "a/DSC 1.JPG"}, map[string]View{"p00.jpg": view})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := c.Write(&b); err != nil {
		t.Fatal(err)
	}
	var back CamerasFile
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	s := back.Shots[0]
	if s.View == nil || *s.View != view || back.Shots[1].View != nil {
		t.Errorf("views %+v, %+v", s.View, back.Shots[1].View)
	}
	if back.Format != CamerasFormat || s.Photo != "a/DSC 1.JPG" || s.Camera != 7 || math.Hypot(s.Position[0], s.Position[1]) > 1e-9 || s.Pitch != -90 || math.Abs(s.Yaw) > 1e-6 {
		t.Errorf("%+v", s)
	}
	// As PROJ says.
	if *s.Coordinates != [3]float64{477000, 5473000, 160} || math.Abs(*s.Latitude-49.4092490306909) > 1e-9 || math.Abs(*s.Longitude-8.68293938200041) > 1e-9 || *s.Height != 160 {
		t.Errorf("on the globe: %v, %v, %v", *s.Latitude, *s.Longitude, *s.Height)
	}
	if q := back.Shots[1]; math.Abs(q.Yaw-90) > 1e-6 || math.Abs(q.Pitch+45) > 1e-6 || math.Abs(q.Roll) > 1e-6 {
		t.Errorf("to the east and down: yaw %g, pitch %g, roll %g", q.Yaw, q.Pitch, q.Roll)
	}
	if back.Cameras[0].Parameters["k"] != -.05 || back.Cameras[0].ID != 7 {
		t.Errorf("%+v", back.Cameras)
	}
	// Rotation and position put a point where the model's pose does.
	pose := camera.FromQuaternion(m.Images[1].Rotation, m.Images[1].Translation)
	x := [3]float64{3, -7, 1}
	want := pose.Apply(x)
	for i, row := range back.Shots[1].Rotation {
		v := 0.0
		for k := range 3 {
			v += row[k] * (x[k] - back.Shots[1].Position[k])
		}
		if math.Abs(v-want[i]) > 1e-9 {
			t.Errorf("axis %d: %g, want %g", i, v, want[i])
		}
	}
	if c, err := Cameras(m, Frame{}, nil, nil); err != nil || c.Shots[0].Latitude != nil {
		t.Errorf("without a place: %v", err)
	}
	if _, err := Cameras(m, Frame{Georeferenced: true, CRS: "nonsense"}, nil, nil); err == nil {
		t.Error("an unknown CRS is no error")
	}
}

func TestAttitudeRoll(t *testing.T) {
	// Level to the north, turned by 10° about the line of sight.
	a := 10 * math.Pi / 180
	p := camera.LookAt([3]float64{0, 0, 0}, [3]float64{0, 5, 0}, [3]float64{math.Sin(a), 0, math.Cos(a)})
	yaw, pitch, roll := attitude(&p)
	if math.Abs(yaw) > 1e-6 && math.Abs(yaw-360) > 1e-6 || math.Abs(pitch) > 1e-6 || math.Abs(roll-10) > 1e-6 {
		t.Errorf("yaw %g, pitch %g, roll %g", yaw, pitch, roll)
	}
}
