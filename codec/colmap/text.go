package colmap

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// maxLine bounds a line of text: a photo with a million features fits.
const maxLine = 256 << 20

// fields parses the words of a line and keeps the first error.
type fields struct {
	name  string
	line  int
	words []string
	err   error
}

func (f *fields) word() string {
	if len(f.words) == 0 {
		if f.err == nil {
			f.err = malformed(f.name, "line %d has too few fields", f.line)
		}
		return "0"
	}
	w := f.words[0]
	f.words = f.words[1:]
	return w
}

func (f *fields) float() float64 {
	w := f.word()
	v, err := strconv.ParseFloat(w, 64)
	if err != nil && f.err == nil {
		f.err = malformed(f.name, "line %d: %q is not a number", f.line, w)
	}
	return v
}

func (f *fields) int() int {
	w := f.word()
	v, err := strconv.ParseInt(w, 10, 64)
	if err != nil && f.err == nil {
		f.err = malformed(f.name, "line %d: %q is not a whole number", f.line, w)
	}
	return int(v)
}

// lines calls f for each line of a file that is no comment.
func lines(path string, f func(*fields) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return scan(file, filepath.Base(path), f)
}

func scan(r io.Reader, name string, f func(*fields) error) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxLine)
	for n := 1; s.Scan(); n++ {
		text := strings.TrimSpace(s.Text())
		if strings.HasPrefix(text, "#") {
			continue
		}
		if err := f(&fields{name: name, line: n, words: strings.Fields(text)}); err != nil {
			return err
		}
	}
	if err := s.Err(); err != nil {
		return malformed(name, "%v", err)
	}
	return nil
}

// ReadText reads cameras.txt, images.txt and points3D.txt.
func ReadText(dir string) (*Model, error) {
	m := &Model{}
	features := false // the next line has those of the photo before
	for _, part := range []struct {
		name string
		read func(f *fields) error
	}{
		{"cameras.txt", m.readCamera},
		{"images.txt", func(f *fields) error {
			if features = !features; features {
				return m.readImage(f)
			}
			return m.readFeatures(f)
		}},
		{"points3D.txt", m.readPoint},
	} {
		err := lines(filepath.Join(dir, part.name), func(f *fields) error {
			if len(f.words) == 0 && !features { // else a photo without features
				return nil
			}
			return part.read(f)
		})
		if err != nil {
			return nil, err
		}
		features = false
	}
	return m, nil
}

func (m *Model) readCamera(f *fields) error {
	c := Camera{ID: f.int(), Model: f.word(), Width: f.int(), Height: f.int()}
	for len(f.words) > 0 {
		c.Params = append(c.Params, f.float())
	}
	if f.err == nil && (c.number() < 0 || c.Width < 0 || c.Height < 0 || c.Width > maxSide || c.Height > maxSide) {
		f.err = malformed(f.name, "line %d: camera %d has model %q with %d parameters and size %d × %d", f.line, c.ID, c.Model, len(c.Params), c.Width, c.Height)
	}
	m.Cameras = append(m.Cameras, c)
	return f.err
}

func (m *Model) readImage(f *fields) error {
	i := Image{ID: f.int()}
	for k := range i.Rotation {
		i.Rotation[k] = f.float()
	}
	for k := range i.Translation {
		i.Translation[k] = f.float()
	}
	i.CameraID = f.int()
	i.Name = f.word()
	for len(f.words) > 0 { // a name with spaces
		i.Name += " " + f.word()
	}
	m.Images = append(m.Images, i)
	return f.err
}

func (m *Model) readFeatures(f *fields) error {
	i := &m.Images[len(m.Images)-1]
	i.Points = make([]ImagePoint, 0, len(f.words)/3)
	for len(f.words) > 0 && f.err == nil {
		i.Points = append(i.Points, ImagePoint{X: f.float(), Y: f.float(), Point: int64(f.int())})
	}
	return f.err
}

func (m *Model) readPoint(f *fields) error {
	p := Point{ID: int64(f.int())}
	for k := range p.XYZ {
		p.XYZ[k] = f.float()
	}
	for k := range p.Color {
		v := f.int()
		if f.err == nil && v != int(uint8(v)) {
			f.err = malformed(f.name, "line %d: a colour of %d", f.line, v)
		}
		p.Color[k] = uint8(v)
	}
	p.Error = f.float()
	for len(f.words) > 0 && f.err == nil {
		p.Track = append(p.Track, Observation{ImageID: f.int(), Index: f.int()})
	}
	m.Points = append(m.Points, p)
	return f.err
}

// WriteText writes cameras.txt, images.txt and points3D.txt into an existing folder.
func (m *Model) WriteText(dir string) error {
	if err := writeLines(filepath.Join(dir, "cameras.txt"), func(w *bufio.Writer) {
		fmt.Fprintf(w, "# Camera list with one line of data per camera:\n#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n# Number of cameras: %d\n", len(m.Cameras))
		for _, c := range m.Cameras {
			fmt.Fprintf(w, "%d %s %d %d", c.ID, c.Model, c.Width, c.Height)
			for _, p := range c.Params {
				fmt.Fprintf(w, " %.17g", p)
			}
			fmt.Fprintln(w)
		}
	}); err != nil {
		return err
	}
	if err := writeLines(filepath.Join(dir, "images.txt"), func(w *bufio.Writer) {
		fmt.Fprintf(w, "# Image list with two lines of data per image:\n#   IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME\n#   POINTS2D[] as (X, Y, POINT3D_ID)\n# Number of images: %d\n", len(m.Images))
		for _, i := range m.Images {
			q, t := i.Rotation, i.Translation
			fmt.Fprintf(w, "%d %.17g %.17g %.17g %.17g %.17g %.17g %.17g %d %s\n", i.ID, q[0], q[1], q[2], q[3], t[0], t[1], t[2], i.CameraID, i.Name)
			for k, p := range i.Points {
				if k > 0 {
					fmt.Fprint(w, " ")
				}
				fmt.Fprintf(w, "%.9g %.9g %d", p.X, p.Y, p.Point)
			}
			fmt.Fprintln(w)
		}
	}); err != nil {
		return err
	}
	return writeLines(filepath.Join(dir, "points3D.txt"), func(w *bufio.Writer) {
		fmt.Fprintf(w, "# 3D point list with one line of data per point:\n#   POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as (IMAGE_ID, POINT2D_IDX)\n# Number of points: %d\n", len(m.Points))
		for _, p := range m.Points {
			fmt.Fprintf(w, "%d %.17g %.17g %.17g %d %d %d %.9g", p.ID, p.XYZ[0], p.XYZ[1], p.XYZ[2], p.Color[0], p.Color[1], p.Color[2], p.Error)
			for _, o := range p.Track {
				fmt.Fprintf(w, " %d %d", o.ImageID, o.Index)
			}
			fmt.Fprintln(w)
		}
	})
}

func writeLines(path string, f func(w *bufio.Writer)) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(file, 1<<20)
	f(w)
	err = w.Flush()
	if e := file.Close(); err == nil {
		err = e
	}
	return err
}
