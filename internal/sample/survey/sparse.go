package survey

import (
	"context"
	"math"
	"math/rand/v2"

	"slate360.ai/worker/codec/colmap"
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
