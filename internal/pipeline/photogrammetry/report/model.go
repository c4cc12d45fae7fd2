package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/geom/camera"
)

// SourcePhoto is what is known of a photo beside the model.
type SourcePhoto struct {
	// Name is that in the model, Label what people know it by; empty is Name.
	Name, Label string
	// Reason says why it is not in the model, if it is not.
	Reason string
	// Position that GPS says, in the local frame; nil where it says none.
	Position  *[3]float64
	Sharpness float64
	// Camera is the index of its SourceCamera, -1 for none.
	Camera int
}

// SourceCamera is what was known of a camera before adjustment.
type SourceCamera struct {
	Name      string
	Prior     float64 // focal length in pixels
	PriorFrom string
}

// FromModel returns what a model in the local frame says: photos, cameras, errors,
// tracks, pairs, ground sampling distance, overlap and area. photos, in the order in
// which they were taken, and cameras may be nil. All else of Data is left to the caller. A model that contradicts itself is an
// error.
func FromModel(m *colmap.Model, photos []SourcePhoto, cameras []SourceCamera) (*Data, error) {
	if photos == nil {
		for _, i := range m.Images {
			photos = append(photos, SourcePhoto{Name: i.Name, Camera: -1})
		}
		slices.SortFunc(photos, func(a, b SourcePhoto) int { return strings.Compare(a.Name, b.Name) })
	}
	b := &builder{model: m, points: map[int64]*colmap.Point{}, data: &Data{SparsePoints: len(m.Points), Warnings: []string{}, Stages: []Stage{}}}
	for i := range m.Points {
		b.points[m.Points[i].ID] = &m.Points[i]
	}
	if err := b.register(); err != nil {
		return nil, err
	}
	b.cameras(photos, cameras)
	b.photos(photos)
	b.tracks()
	b.pairs()
	b.overlap()
	return b.data, nil
}

// view is a registered photo.
type view struct {
	image  *colmap.Image
	camera camera.Camera
	pose   camera.Pose
	index  int // of Data.Photos
}

type builder struct {
	model  *colmap.Model
	points map[int64]*colmap.Point
	byID   map[int]int // camera's number → index of Data.Cameras
	list   []view
	data   *Data
}

func (b *builder) register() error {
	cameras := map[int]camera.Camera{}
	for _, c := range b.model.Cameras {
		k := camera.Camera{Model: camera.Model(c.Model), Width: c.Width, Height: c.Height, Params: c.Params}
		if err := k.Check(); err != nil {
			return fmt.Errorf("report: camera %d: %w", c.ID, err)
		}
		cameras[c.ID] = k
	}
	for i := range b.model.Images {
		image := &b.model.Images[i]
		c, ok := cameras[image.CameraID]
		if !ok {
			return fmt.Errorf("report: photo %s has camera %d, which the model lacks", image.Name, image.CameraID)
		}
		b.list = append(b.list, view{image, c, camera.FromQuaternion(image.Rotation, image.Translation), -1})
	}
	return nil
}

var parameterNames = map[camera.Model][]string{
	camera.SimplePinhole: {"f", "cx", "cy"},
	camera.Pinhole:       {"fx", "fy", "cx", "cy"},
	camera.SimpleRadial:  {"f", "cx", "cy", "k"},
	camera.Radial:        {"f", "cx", "cy", "k1", "k2"},
	camera.OpenCV:        {"fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2"},
	camera.FullOpenCV:    {"fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"},
}

func (b *builder) cameras(photos []SourcePhoto, sources []SourceCamera) {
	group := map[string]int{}
	for _, p := range photos {
		group[p.Name] = p.Camera
	}
	b.byID = map[int]int{}
	for _, c := range b.model.Cameras {
		k := camera.Camera{Model: camera.Model(c.Model), Width: c.Width, Height: c.Height, Params: c.Params}
		out := Camera{Model: c.Model, Width: c.Width, Height: c.Height, Name: fmt.Sprintf("camera %d", c.ID), Displacement: displacement(k)}
		for i, name := range parameterNames[k.Model] {
			out.Parameters = append(out.Parameters, Parameter{name, c.Params[i]})
		}
		for _, image := range b.model.Images {
			if image.CameraID != c.ID {
				continue
			}
			out.Photos++
			if g, ok := group[image.Name]; ok && g >= 0 && g < len(sources) {
				out.Prior, out.PriorFrom = sources[g].Prior, sources[g].PriorFrom
				if sources[g].Name != "" {
					out.Name = sources[g].Name
				}
			}
		}
		b.byID[c.ID] = len(b.data.Cameras)
		b.data.Cameras = append(b.data.Cameras, out)
	}
}

// displacement is the most that distortion moves a corner of a photo.
func displacement(c camera.Camera) float64 {
	far := 0.0
	straight := c.Undistorted()
	for _, p := range [][2]float64{{0, 0}, {float64(c.Width), 0}, {0, float64(c.Height)}, {float64(c.Width), float64(c.Height)}} {
		u, v := straight.Pixel(c.Direction(p[0], p[1]))
		far = max(far, math.Hypot(u-p[0], v-p[1]))
	}
	return far
}

// photos measures every registered photo, and lists the others.
func (b *builder) photos(sources []SourcePhoto) {
	at := map[string]int{}
	for _, s := range sources {
		p := Photo{Name: s.Label, Reason: s.Reason, Camera: -1, Position: s.Position, Sharpness: s.Sharpness}
		if p.Name == "" {
			p.Name = s.Name
		}
		at[s.Name] = len(b.data.Photos)
		b.data.Photos = append(b.data.Photos, p)
	}
	var all, widths []float64
	for i := range b.list {
		v := &b.list[i]
		k, ok := at[v.image.Name]
		if !ok {
			k = len(b.data.Photos)
			b.data.Photos = append(b.data.Photos, Photo{Name: v.image.Name})
		}
		v.index = k
		p := &b.data.Photos[k]
		p.Registered, p.Reason, p.Camera = true, "", b.byID[v.image.CameraID]
		center, look := v.pose.Center(), v.pose.Unrotate([3]float64{0, 0, 1})
		p.Position, p.Direction = &center, &look
		errors, gsd := b.measure(v)
		p.Points, p.Error, p.GSD = len(errors), mean(errors), gsd
		all = append(all, errors...)
		if gsd > 0 {
			widths = append(widths, gsd)
		}
	}
	b.data.GSD = median(widths)
	b.data.Reprojection = histogram(all)
}

// measure returns the distances of reprojection of a photo, and the median width of
// what its pixels see.
func (b *builder) measure(v *view) (errors []float64, gsd float64) {
	fx, fy, _, _ := v.camera.Linear()
	var widths []float64
	for _, o := range v.image.Points {
		p := b.points[o.Point]
		if o.Point < 0 || p == nil {
			continue
		}
		c := v.pose.Apply(p.XYZ)
		x, y, ok := v.camera.Project(c)
		if !ok {
			continue
		}
		errors = append(errors, math.Hypot(x-o.X, y-o.Y))
		widths = append(widths, c[2]/math.Sqrt(fx*fy))
	}
	return errors, median(widths)
}

const (
	errorStep  = .1 // pixels
	errorSteps = 30
	longTrack  = 20
)

func histogram(all []float64) Errors {
	e := Errors{Observations: len(all), Mean: mean(all), Median: median(all), Step: errorStep, Counts: make([]int, errorSteps)}
	for _, d := range all {
		e.RMS += d * d / float64(len(all))
		e.Counts[min(errorSteps-1, int(d/errorStep))]++
	}
	e.RMS = math.Sqrt(e.RMS)
	return e
}

func (b *builder) tracks() {
	t := &b.data.Tracks
	t.Counts = make([]int, longTrack-1)
	for _, p := range b.model.Points {
		n := len(p.Track)
		t.Mean += float64(n) / float64(len(b.model.Points))
		t.Counts[min(max(n, 2), longTrack)-2]++
	}
}

// pairs counts the points that photos share.
func (b *builder) pairs() {
	index := map[int]int{}
	for _, v := range b.list {
		index[v.image.ID] = v.index
	}
	shared := map[[2]int]int{}
	var seen []int
	for _, p := range b.model.Points {
		seen = seen[:0]
		for _, o := range p.Track {
			if k, ok := index[o.ImageID]; ok {
				seen = append(seen, k)
			}
		}
		slices.Sort(seen)
		seen = slices.Compact(seen)
		for i, a := range seen {
			for _, c := range seen[i+1:] {
				shared[[2]int{a, c}]++
			}
		}
	}
	b.data.Pairs = make([]Pair, 0, len(shared))
	for k, n := range shared {
		b.data.Pairs = append(b.data.Pairs, Pair{k[0], k[1], n})
	}
	slices.SortFunc(b.data.Pairs, func(p, q Pair) int {
		if p.Shared != q.Shared {
			return q.Shared - p.Shared
		}
		if p.A != q.A {
			return p.A - q.A
		}
		return p.B - q.B
	})
}

func mean(list []float64) float64 {
	sum := 0.0
	for _, v := range list {
		sum += v / float64(len(list))
	}
	return sum
}

// median sorts the list; it is 0 of none.
func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[len(list)/2]
}
