package evaluate

import (
	"context"
	"fmt"
	"math"
	"sync"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/geom/camera"
	"slate360.ai/worker/geom/meshdistance"
	"slate360.ai/worker/geom/raycast"
)

// SurfaceParams say what is compared.
type SurfaceParams struct {
	// Thresholds are distances, in the unit of the truth, within which a point counts
	// as right.
	Thresholds []float64
	// Area is the rectangle (lower and upper corner) in which surfaces are compared.
	Area [2][2]float64
	// Views is how many photos must see a point of the truth for it to count;
	// default 3.
	Views int
	// Samples on each surface; default 100,000.
	Samples int
	Workers int
}

// Score is what share of a surface lies within a threshold of another.
type Score struct {
	Threshold float64 `json:"threshold"`
	// Precision is that of the result near the truth, Recall that of the truth near
	// the result, and F their harmonic mean (A. Knapitsch et al., "Tanks and Temples",
	// 2017).
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F         float64 `json:"f"`
}

// Surface is how well a surface is reconstructed.
type Surface struct {
	Scores []Score `json:"scores"`
	// MedianToTruth and MedianToResult are distances in the unit of the truth.
	MedianToTruth  float64 `json:"medianToTruth"`
	MedianToResult float64 `json:"medianToResult"`
	// Samples that counted: of the result, whose nearest true point photos saw, and of
	// the truth, which photos saw.
	ResultSamples int `json:"resultSamples"`
	TruthSamples  int `json:"truthSamples"`
}

// CompareSurfaces measures a mesh against the true one, both in the frame of the
// truth. Only what photos could see counts: points of the truth that enough photos of
// cameras see unhidden and not too much at a slant, and points of the result whose
// nearest point of the truth is such a one.
func CompareSurfaces(ctx context.Context, result, truth meshdistance.Mesh, cameras *colmap.Model, p SurfaceParams) (*Surface, error) {
	if p.Views == 0 {
		p.Views = 3
	}
	if p.Samples == 0 {
		p.Samples = 100_000
	}
	p.Workers = max(1, p.Workers)
	inArea := crop(truth, p.Area)
	w, err := newWitness(truth, cameras, p.Views)
	if err != nil {
		return nil, err
	}
	toTruth, err := meshdistance.NewSurface(truth)
	if err != nil {
		return nil, fmt.Errorf("true surface: %w", err)
	}
	cropped := crop(result, p.Area)
	toResult, err := meshdistance.NewSurface(cropped)
	if err != nil {
		return nil, fmt.Errorf("reconstructed surface: %w", err)
	}
	out := &Surface{}
	points, _ := meshdistance.Sample(cropped, p.Samples)
	there, err := distances(ctx, points, p.Workers, func(point [3]float64, hint int32) (float64, bool, int32) {
		at, d, next := toTruth.Nearest(point, hint)
		return d, w.sees(at), next
	})
	if err != nil {
		return nil, err
	}
	points, _ = meshdistance.Sample(inArea, p.Samples)
	back, err := distances(ctx, points, p.Workers, func(point [3]float64, hint int32) (float64, bool, int32) {
		if !w.sees(point) {
			return 0, false, hint
		}
		_, d, next := toResult.Nearest(point, hint)
		return d, true, next
	})
	if err != nil {
		return nil, err
	}
	out.ResultSamples, out.TruthSamples = len(there), len(back)
	for _, t := range p.Thresholds {
		s := Score{Threshold: t, Precision: within(there, t), Recall: within(back, t)}
		if s.Precision+s.Recall > 0 {
			s.F = 2 * s.Precision * s.Recall / (s.Precision + s.Recall)
		}
		out.Scores = append(out.Scores, s)
	}
	out.MedianToTruth, out.MedianToResult = quantile(there, .5), quantile(back, .5)
	return out, nil
}

func within(list []float64, t float64) float64 {
	n := 0
	for _, d := range list {
		if d <= t {
			n++
		}
	}
	return float64(n) / float64(max(1, len(list)))
}

// crop returns the triangles whose middle lies in a rectangle.
func crop(m meshdistance.Mesh, area [2][2]float64) meshdistance.Mesh {
	out := meshdistance.Mesh{Positions: m.Positions}
	for i := 0; i+2 < len(m.Indices); i += 3 {
		x, y := 0.0, 0.0
		for _, v := range m.Indices[i : i+3] {
			x, y = x+float64(m.Positions[3*v])/3, y+float64(m.Positions[3*v+1])/3
		}
		if x >= area[0][0] && y >= area[0][1] && x <= area[1][0] && y <= area[1][1] {
			out.Indices = append(out.Indices, m.Indices[i:i+3]...)
		}
	}
	return out
}

// distances of those points that count.
func distances(ctx context.Context, points [][3]float64, workers int, f func(p [3]float64, hint int32) (d float64, counts bool, next int32)) ([]float64, error) {
	parts := make([][]float64, workers)
	var wait sync.WaitGroup
	for i := range workers {
		wait.Go(func() {
			hint := int32(0)
			for k := len(points) * i / workers; k < len(points)*(i+1)/workers; k++ {
				if k&0xff == 0 && ctx.Err() != nil {
					return
				}
				var d float64
				var counts bool
				if d, counts, hint = f(points[k], hint); counts {
					parts[i] = append(parts[i], d)
				}
			}
		})
	}
	wait.Wait()
	var all []float64
	for _, p := range parts {
		all = append(all, p...)
	}
	return all, ctx.Err()
}

// witness knows what photos see of a surface.
type witness struct {
	surface *raycast.Surface
	views   []view
	least   int
}

type view struct {
	camera camera.Camera
	pose   camera.Pose
	center [3]float64
}

func newWitness(m meshdistance.Mesh, model *colmap.Model, least int) (*witness, error) {
	s, err := raycast.New(m.Positions, m.Indices)
	if err != nil {
		return nil, fmt.Errorf("true surface: %w", err)
	}
	w := &witness{surface: s, least: least}
	cameras := map[int]camera.Camera{}
	for _, c := range model.Cameras {
		cameras[c.ID] = camera.Camera{Model: camera.Model(c.Model), Width: c.Width, Height: c.Height, Params: c.Params}
	}
	for _, i := range model.Images {
		c, ok := cameras[i.CameraID]
		if !ok {
			return nil, fmt.Errorf("evaluate: photo %s has no camera", i.Name)
		}
		if err := c.Check(); err != nil {
			return nil, err
		}
		pose := camera.FromQuaternion(i.Rotation, i.Translation)
		w.views = append(w.views, view{c, pose, pose.Center()})
	}
	return w, nil
}

// sees tells whether enough photos show a point of the surface: within the picture,
// with nothing before it. A ray that all but touches the surface before it comes to the
// point counts as hidden, so that points seen at a slant do not count.
func (w *witness) sees(p [3]float64) bool {
	n := 0
	for i := range w.views {
		v := &w.views[i]
		c := v.pose.Apply(p)
		x, y, ok := v.camera.Project(c)
		if !ok || x < 0 || y < 0 || x > float64(v.camera.Width) || y > float64(v.camera.Height) || math.Hypot(c[0], c[1]) > 2*c[2] {
			continue
		}
		r := raycast.Ray{Origin: [3]float32{float32(v.center[0]), float32(v.center[1]), float32(v.center[2])}}
		for k := range 3 {
			r.Direction[k] = float32(p[k] - v.center[k])
		}
		if !w.surface.Blocked(&r, 0, 1-slant) {
			if n++; n >= w.least {
				return true
			}
		}
	}
	return false
}

// slant is the share of the way from a camera to a point that need not be free: some
// 5 cm at 50 m.
const slant = 1e-3
