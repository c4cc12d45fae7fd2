package evaluate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	_ "image/png" // the true orthophoto
	"math"
	"os"
	"path/filepath"
	"strings"

	_ "golang.org/x/image/tiff" // orthophotos of results

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/codec/ply"
	"slate360.ai/worker/geom/meshdistance"
)

// LoadMesh reads the triangles of a PLY file as they are, or of a GLB file turned from
// y up to z up.
func LoadMesh(path string) (meshdistance.Mesh, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return meshdistance.Mesh{}, fmt.Errorf("read mesh: %w", err)
	}
	var m meshdistance.Mesh
	if gltf.IsGLB(data) {
		m, err = glbMesh(data)
	} else {
		m, err = plyMesh(data)
	}
	if err != nil {
		return m, fmt.Errorf("read mesh %s: %w", filepath.Base(path), err)
	}
	if len(m.Indices) == 0 {
		return m, fmt.Errorf("read mesh %s: there are no triangles", filepath.Base(path))
	}
	return m, nil
}

func plyMesh(data []byte) (m meshdistance.Mesh, err error) {
	f, err := ply.Parse(data)
	if err != nil {
		return m, err
	}
	v, faces := f.Element("vertex"), f.Element("face")
	if v == nil || faces == nil {
		return m, errors.New("there are no vertices or no faces")
	}
	x, y, z, list := v.Property("x"), v.Property("y"), v.Property("z"), faces.Property("vertex_indices", "vertex_index")
	if x == nil || y == nil || z == nil || list == nil {
		return m, errors.New("vertices have no position, or faces no corners")
	}
	for i := range v.Count {
		m.Positions = append(m.Positions, float32(x.Values[i]), float32(y.Values[i]), float32(z.Values[i]))
	}
	for i := range faces.Count {
		c := list.List(i)
		for k := 2; k < len(c); k++ {
			for _, at := range [3]float64{c[0], c[k-1], c[k]} {
				if at < 0 || int(at) >= v.Count {
					return m, fmt.Errorf("face %d has vertex %g of %d", i, at, v.Count)
				}
				m.Indices = append(m.Indices, uint32(at))
			}
		}
	}
	return m, nil
}

func glbMesh(data []byte) (m meshdistance.Mesh, err error) {
	d, err := gltf.Read(data, gltf.ReadOptions{})
	if err != nil {
		return m, err
	}
	instances, err := d.Instances()
	if err != nil {
		return m, err
	}
	for _, instance := range instances {
		for _, p := range d.Meshes[instance.Mesh].Primitives {
			positions, err := d.Floats(p.Attributes["POSITION"])
			if err != nil {
				return m, err
			}
			if p.Indices == nil {
				return m, errors.New("triangles without indices")
			}
			indices, err := d.Indices(*p.Indices)
			if err != nil {
				return m, err
			}
			first := uint32(len(m.Positions) / 3)
			for i := 0; i+2 < len(positions); i += 3 {
				q := instance.World.Point([3]float64{float64(positions[i]), float64(positions[i+1]), float64(positions[i+2])})
				m.Positions = append(m.Positions, float32(q[0]), float32(-q[2]), float32(q[1]))
			}
			for _, i := range indices {
				m.Indices = append(m.Indices, first+i)
			}
		}
	}
	return m, nil
}

// Moved returns a mesh in another frame.
func Moved(m meshdistance.Mesh, s Similarity) meshdistance.Mesh {
	out := meshdistance.Mesh{Positions: make([]float32, len(m.Positions)), Indices: m.Indices}
	for i := 0; i+2 < len(m.Positions); i += 3 {
		p := s.Apply([3]float64{float64(m.Positions[i]), float64(m.Positions[i+1]), float64(m.Positions[i+2])})
		out.Positions[i], out.Positions[i+1], out.Positions[i+2] = float32(p[0]), float32(p[1]), float32(p[2])
	}
	return out
}

// LoadOrtho reads an orthophoto: a GeoTIFF, or a picture with a world file.
func LoadOrtho(path string) (*Picture, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read orthophoto: %w", err)
	}
	defer f.Close()
	img, kind, err := image.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("read orthophoto %s: %w", filepath.Base(path), err)
	}
	p := grey(img)
	if kind == "tiff" {
		err = p.placeByTags(path)
	} else {
		err = p.placeByWorldFile(strings.TrimSuffix(path, filepath.Ext(path)) + ".pgw")
	}
	if err != nil {
		return nil, fmt.Errorf("read orthophoto %s: %w", filepath.Base(path), err)
	}
	return p, nil
}

func grey(img image.Image) *Picture {
	b := img.Bounds()
	p := &Picture{Cols: b.Dx(), Rows: b.Dy(), Grey: make([]float32, b.Dx()*b.Dy())}
	for y := range p.Rows {
		for x := range p.Cols {
			r, g, bl, a := img.At(b.Min.X+x, b.Min.Y+y).RGBA()
			v := float32(math.NaN())
			if a > 0x7fff {
				v = (.299*float32(r) + .587*float32(g) + .114*float32(bl)) / float32(a) * 255
			}
			p.Grey[y*p.Cols+x] = v
		}
	}
	return p
}

func (p *Picture) placeByWorldFile(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var a, d, c, e, x, y float64
	if _, err := fmt.Sscan(string(b), &a, &d, &c, &e, &x, &y); err != nil {
		return fmt.Errorf("world file: %w", err)
	}
	return p.place(a, -e, x-a/2, y-e/2)
}

func (p *Picture) place(cellX, cellY, west, north float64) error {
	if !(cellX > 0) || math.Abs(cellX-cellY) > 1e-6*cellX {
		return fmt.Errorf("pixels of %g by %g", cellX, cellY)
	}
	p.Cell, p.West, p.North = cellX, west, north
	return nil
}

func (p *Picture) placeByTags(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return p.placeByDirectory(b)
}

// placeByDirectory reads where a GeoTIFF lies: ModelPixelScaleTag and ModelTiepointTag
// of its first directory.
func (p *Picture) placeByDirectory(b []byte) error {
	if len(b) < 8 {
		return errors.New("too short")
	}
	var order binary.ByteOrder = binary.LittleEndian
	if b[0] == 'M' {
		order = binary.BigEndian
	}
	at := int(order.Uint32(b[4:]))
	if at < 8 || at+2 > len(b) {
		return errors.New("no directory")
	}
	doubles := map[uint16][]float64{}
	for i := range int(order.Uint16(b[at:])) {
		e := at + 2 + 12*i
		if e+12 > len(b) {
			return errors.New("the directory is cut off")
		}
		tag, n, from := order.Uint16(b[e:]), int(order.Uint32(b[e+4:])), int(order.Uint32(b[e+8:]))
		if (tag != 33550 && tag != 33922) || n > 6 || from+8*n > len(b) {
			continue
		}
		for k := range n {
			doubles[tag] = append(doubles[tag], math.Float64frombits(order.Uint64(b[from+8*k:])))
		}
	}
	scale, tie := doubles[33550], doubles[33922]
	if len(scale) < 2 || len(tie) < 6 {
		return errors.New("it does not say where it lies")
	}
	return p.place(scale[0], scale[1], tie[3]-tie[0]*scale[0], tie[4]+tie[1]*scale[1])
}
