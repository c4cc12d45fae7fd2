package survey

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"slate360.ai/worker/geom/camera"
)

// Truth is what truth.json says. Positions are of the local frame unless they say
// otherwise; pixels have the outer corner of the first at (0, 0).
type Truth struct {
	Seed uint64 `json:"seed"`
	EPSG int    `json:"epsg"`
	// Offset is added to the local frame to get coordinates of the CRS.
	Offset [3]float64 `json:"offset"`
	// GSD is the width of a pixel on the ground under the drone, in metres.
	GSD    float64       `json:"gsdMetres"`
	Camera TruthCamera   `json:"camera"`
	Photos []TruthPhoto  `json:"photos"`
	GCPs   []TruthGCP    `json:"controlPoints"`
	Ortho  TruthRaster   `json:"orthophoto"`
	Core   [2][2]float64 `json:"core"` // west, south and east, north of what three photos of a strip and two strips show
	// Triangles of mesh.ply.
	Triangles int `json:"triangles"`
}

// TruthCamera is the camera in COLMAP's terms.
type TruthCamera struct {
	Model  camera.Model `json:"model"`
	Width  int          `json:"width"`
	Height int          `json:"height"`
	Params []float64    `json:"params"`
}

// TruthPhoto is a photo with its true position and that in EXIF.
type TruthPhoto struct {
	Name     string     `json:"name"`
	Position [3]float64 `json:"position"`
	Oblique  bool       `json:"oblique"`
	// Latitude, Longitude (degrees) and Altitude (metres) are what EXIF says.
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Altitude  float64 `json:"altitude"`
}

// TruthGCP is a control point and the pixels that show it.
type TruthGCP struct {
	Name     string       `json:"name"`
	Position [3]float64   `json:"position"`
	Seen     []TruthPixel `json:"seen"`
}

// TruthPixel is where a photo shows a control point.
type TruthPixel struct {
	Photo string  `json:"photo"`
	X     float64 `json:"x"`
	Y     float64 `json:"y"`
}

// TruthRaster is the frame of orthophoto.png and dsm.tif: outer corner of the first
// pixel in the CRS, rows from the north.
type TruthRaster struct {
	West  float64 `json:"west"`
	North float64 `json:"north"`
	Cell  float64 `json:"cell"`
	Cols  int     `json:"cols"`
	Rows  int     `json:"rows"`
}

func writeTruth(ctx context.Context, dir string, p *Params, s *scene, l *lens, f *flight, shots []metadata) (*Truth, error) {
	fx, _, _, _ := l.Linear()
	t := &Truth{
		Seed: p.Seed, EPSG: epsg, Offset: offset, GSD: p.Height / fx,
		Camera: TruthCamera{l.Model, l.Width, l.Height, l.Params}, Triangles: len(s.triangles) / 3,
		Core: [2][2]float64{{-f.coreX, -f.coreY}, {f.coreX, f.coreY}},
	}
	for i, shot := range f.shots {
		m := shots[i]
		t.Photos = append(t.Photos, TruthPhoto{photoName(i), shot.center, shot.oblique, m.latitude, m.longitude, m.altitude})
	}
	t.GCPs = s.controlPoints(l, f)
	if err := writeFile(filepath.Join(dir, "gcp_list.txt"), t.gcpList); err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(dir, "mesh.ply"), s.ply); err != nil {
		return nil, err
	}
	model, err := s.sparse(ctx, l, f)
	if err != nil {
		return nil, err
	}
	if err := model.WriteText(filepath.Join(dir, "sparse")); err != nil {
		return nil, fmt.Errorf("write truth: %w", err)
	}
	if err := s.writeOrtho(ctx, dir, t, f, p.Workers); err != nil {
		return nil, err
	}
	return t, writeFile(filepath.Join(dir, "truth.json"), func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(t)
	})
}

func writeFile(path string, f func(w io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write truth: %w", err)
	}
	w := bufio.NewWriterSize(file, 1<<20)
	err = f(w)
	if err == nil {
		err = w.Flush()
	}
	if e := file.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("write truth: %s: %w", filepath.Base(path), err)
	}
	return nil
}

// ply writes the surface as binary triangles in the local frame.
func (m *mesh) ply(w io.Writer) error {
	n := len(m.triangles) / 3
	if _, err := fmt.Fprintf(w, "ply\nformat binary_little_endian 1.0\ncomment local frame, metres; offset in truth.json\nelement vertex %d\nproperty float x\nproperty float y\nproperty float z\nelement face %d\nproperty list uchar int vertex_indices\nend_header\n", len(m.positions)/3, n); err != nil {
		return err
	}
	if err := binary.Write(w, binary.LittleEndian, m.positions); err != nil {
		return err
	}
	b := make([]byte, 0, 13*n)
	for i := range n {
		b = append(b, 3)
		for k := range 3 {
			b = binary.LittleEndian.AppendUint32(b, m.triangles[3*i+k])
		}
	}
	_, err := w.Write(b)
	return err
}

// gcpList writes control points as OpenDroneMap reads them.
func (t *Truth) gcpList(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "EPSG:%d\n", t.EPSG); err != nil {
		return err
	}
	for _, g := range t.GCPs {
		for _, s := range g.Seen {
			if _, err := fmt.Fprintf(w, "%.4f %.4f %.4f %.3f %.3f %s %s\n", g.Position[0]+t.Offset[0], g.Position[1]+t.Offset[1], g.Position[2]+t.Offset[2], s.X, s.Y, s.Photo, g.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// controlPoints are the painted targets, where photos show them whole.
func (s *scene) controlPoints(l *lens, f *flight) []TruthGCP {
	var out []TruthGCP
	for i, at := range s.targets {
		g := TruthGCP{Name: fmt.Sprintf("gcp%d", i+1), Position: [3]float64{float64(at[0]), float64(at[1]), float64(at[2])}}
		for k := range f.shots {
			if x, y, ok := s.seen(l, &f.shots[k], g.Position, 6); ok {
				g.Seen = append(g.Seen, TruthPixel{photoName(k), x, y})
			}
		}
		out = append(out, g)
	}
	return out
}

// seen returns the pixel that shows a point of the surface, unless something hides it
// or it is within margin pixels of the edge.
func (s *scene) seen(l *lens, shot *shot, p [3]float64, margin float64) (x, y float64, ok bool) {
	x, y, ok = l.Project(shot.pose.Apply(p))
	if !ok || x < margin || y < margin || x > float64(l.Width)-margin || y > float64(l.Height)-margin {
		return 0, 0, false
	}
	// Far outside a lens model may fold over into the photo.
	c := shot.pose.Apply(p)
	if dx, dy := l.Direction(x, y); math.Hypot(dx-c[0]/c[2], dy-c[1]/c[2]) > 1e-6 {
		return 0, 0, false
	}
	return x, y, !s.blocked(shot.center, p)
}
