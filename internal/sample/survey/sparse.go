package survey

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/codec/crs"
	"slate360.ai/worker/codec/geotiff"
	"slate360.ai/worker/geom/raycast"
)

// blocked tells whether something stands between an eye and a point of the surface.
func (s *scene) blocked(eye, p [3]float64) bool {
	r := raycast.Ray{Origin: [3]float32{float32(eye[0]), float32(eye[1]), float32(eye[2])}}
	square := 0.0
	for k := range 3 {
		d := p[k] - eye[k]
		r.Direction[k] = float32(d)
		square += d * d
	}
	return s.rays.Blocked(&r, 0, 1-float32(.02/math.Sqrt(square)))
}

const (
	sparsePoints = 4000
	leastTrack   = 3
)

// sparse is the true model: camera, poses, and points of the surface with the pixels
// that show them, so that later steps can start from the truth.
func (s *scene) sparse(ctx context.Context, l *lens, f *flight) (*colmap.Model, error) {
	m := &colmap.Model{Cameras: []colmap.Camera{{ID: 1, Model: string(l.Model), Width: l.Width, Height: l.Height, Params: l.Params}}}
	for i, shot := range f.shots {
		m.Images = append(m.Images, colmap.Image{ID: i + 1, Rotation: shot.pose.Quaternion(), Translation: shot.pose.T, CameraID: 1, Name: photoName(i)})
	}
	r := rand.New(rand.NewPCG(uint64(s.seed), 5))
	table := gamma()
	for range 3 * sparsePoints {
		if len(m.Points) == sparsePoints {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		// What a random pixel of a random photo sees.
		shot := &f.shots[r.IntN(len(f.shots))]
		x, y := l.Direction(r.Float64()*float64(l.Width), r.Float64()*float64(l.Height))
		d := shot.pose.Unrotate([3]float64{x, y, 1})
		eye := shot.center
		ray := raycast.Ray{Origin: [3]float32{float32(eye[0]), float32(eye[1]), float32(eye[2])}, Direction: [3]float32{float32(d[0]), float32(d[1]), float32(d[2])}}
		hit, ok := s.rays.Nearest(&ray, .1, 1000, -1)
		if !ok {
			continue
		}
		at := ray.At(hit.T)
		p := colmap.Point{ID: int64(len(m.Points) + 1), XYZ: [3]float64{float64(at[0]), float64(at[1]), float64(at[2])}}
		light := s.shade(&ray, &hit, l.spread)
		for k := range 3 {
			p.Color[k] = table[int(clamp(middle*light[k]/1.15)*(gammaSteps-1))]
		}
		var pixels [][2]float64
		for i := range f.shots {
			if u, v, ok := s.seen(l, &f.shots[i], p.XYZ, 0); ok {
				p.Track = append(p.Track, colmap.Observation{ImageID: i + 1, Index: len(m.Images[i].Points)})
				pixels = append(pixels, [2]float64{u, v})
			}
		}
		if len(p.Track) < leastTrack {
			continue
		}
		for k, o := range p.Track {
			image := &m.Images[o.ImageID-1]
			image.Points = append(image.Points, colmap.ImagePoint{X: pixels[k][0], Y: pixels[k][1], Point: p.ID})
		}
		m.Points = append(m.Points, p)
	}
	return m, nil
}

// orthoCells is the most pixels of the orthophoto; it is coarser than the photos where
// they would be more.
const orthoCells = 40e6

// writeOrtho draws the site straight from above: orthophoto.png with a world file, and
// dsm.tif.
func (s *scene) writeOrtho(ctx context.Context, dir string, t *Truth, f *flight, workers int) error {
	cell := max(t.GSD, math.Sqrt(4*f.halfX*f.halfY/orthoCells))
	o := &t.Ortho
	*o = TruthRaster{West: offset[0] - f.halfX, North: offset[1] + f.halfY, Cell: cell, Cols: int(2 * f.halfX / cell), Rows: int(2 * f.halfY / cell)}
	picture := image.NewRGBA(image.Rect(0, 0, o.Cols, o.Rows))
	heights := make([]float32, o.Cols*o.Rows)
	table := gamma()
	err := bands(ctx, workers, o.Rows, func(row int) {
		hint := int32(-1)
		look := func(col, right, down float64) (light rgb, z float32) {
			x, y := -f.halfX+(col+right)*cell, f.halfY-(float64(row)+down)*cell
			r := raycast.Ray{Origin: [3]float32{float32(x), float32(y), 400}, Direction: [3]float32{0, 0, -1}}
			h, ok := s.rays.Nearest(&r, 0, 1000, hint)
			if !ok {
				return skyColor, 0
			}
			hint = h.Triangle
			return s.shade(&r, &h, float32(cell)/h.T), 400 - h.T
		}
		for col := range o.Cols {
			var sum rgb
			for _, at := range [2][2]float64{{.25, .25}, {.75, .75}} {
				light, _ := look(float64(col), at[0], at[1])
				for k := range sum {
					sum[k] += light[k] / 2
				}
			}
			i := row*o.Cols + col
			_, heights[i] = look(float64(col), .5, .5)
			heights[i] += float32(offset[2])
			for k := range 3 {
				picture.Pix[4*i+k] = table[int(clamp(middle*sum[k]/1.15)*(gammaSteps-1))]
			}
			picture.Pix[4*i+3] = 255
		}
	})
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "orthophoto.png"), func(w io.Writer) error {
		return (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(w, picture)
	}); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "orthophoto.pgw"), func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%.12g\n0\n0\n%.12g\n%.6f\n%.6f\n", cell, -cell, o.West+cell/2, o.North-cell/2)
		return err
	}); err != nil {
		return err
	}
	return writeHeights(ctx, filepath.Join(dir, "dsm.tif"), o, heights, workers)
}

func writeHeights(ctx context.Context, path string, o *TruthRaster, heights []float32, workers int) error {
	utm, err := crs.FromEPSG(epsg)
	if err != nil {
		return err
	}
	r := geotiff.Raster{Cols: o.Cols, Rows: o.Rows, Data: heights, NoData: -9999, West: o.West, North: o.North, CellX: o.Cell, CellY: o.Cell}
	r.KeyDirectory, r.KeyDoubles, r.KeyASCII, _ = utm.GeoTIFFKeys()
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write truth: %w", err)
	}
	err = geotiff.Write(ctx, file, &r, workers)
	if e := file.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("write truth: dsm.tif: %w", err)
	}
	return nil
}
