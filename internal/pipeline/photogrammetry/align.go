package photogrammetry

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/codec/crs"
	"slate360.ai/worker/geom/align"
	"slate360.ai/worker/geom/camera"
	"slate360.ai/worker/internal/pipeline"
)

// runAlign puts the model into the local frame.
func runAlign(ctx context.Context, s *pipeline.Context) error {
	photos, err := readPhotos(s)
	if err != nil {
		return err
	}
	model, err := colmap.ReadBinary(s.Product(productSparseRaw))
	if err != nil {
		return fmt.Errorf("read model: %w", err)
	}
	a := &aligner{s: s, photos: photos, model: model, frame: &Frame{UnitMetres: 1, HeightUnitMetres: 1}}
	if err := a.prepare(); err != nil {
		return err
	}
	similarity, err := a.align(ctx)
	if err != nil {
		return err
	}
	transformModel(model, similarity)
	out := s.Product(productSparse)
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	if err := model.WriteBinary(out); err != nil {
		return fmt.Errorf("write model: %w", err)
	}
	s.SetAnalysis("frame", a.frame)
	return writeJSON(s.Product(productFrame), a.frame)
}

// aligner is one run of the stage.
type aligner struct {
	s       *pipeline.Context
	photos  *Photos
	model   *colmap.Model
	list    []oriented // photos of the model, in its order
	cameras map[int]camera.Camera
	points  [][3]float64
	frame   *Frame
	grid    *grid

	up          [3]float64
	upDeviation float64
	// flat tells that no position has an altitude.
	flat bool
}

func (a *aligner) prepare() error {
	index := a.photos.byName()
	for i := range a.model.Images {
		img := &a.model.Images[i]
		k, ok := index[img.Name]
		if !ok {
			return fmt.Errorf("the model holds a photo %s that the source does not", img.Name)
		}
		a.list = append(a.list, oriented{&a.photos.Photos[k], camera.FromQuaternion(img.Rotation, img.Translation)})
	}
	a.cameras = map[int]camera.Camera{}
	for _, c := range a.model.Cameras {
		cam := camera.Camera{Model: camera.Model(c.Model), Width: c.Width, Height: c.Height, Params: c.Params}
		if err := cam.Check(); err != nil {
			return fmt.Errorf("camera %d of the model: %w", c.ID, err)
		}
		a.cameras[c.ID] = cam
	}
	for _, p := range a.model.Points {
		a.points = append(a.points, p.XYZ)
	}
	a.up, a.upDeviation = upOf(a.list)
	return nil
}

// align returns what takes the model into the local frame.
func (a *aligner) align(ctx context.Context) (align.Similarity, error) {
	if err := ctx.Err(); err != nil {
		return align.Similarity{}, context.Cause(ctx)
	}
	control, err := a.readControl()
	if err != nil {
		return align.Similarity{}, err
	}
	if err := a.chooseGrid(control); err != nil {
		return align.Similarity{}, err
	}
	if a.grid != nil {
		similarity, err := a.onGrid(control)
		if err == nil {
			return similarity, nil
		}
		if !errors.Is(err, align.ErrDegenerate) {
			return align.Similarity{}, err
		}
		a.s.Warn("the model is not georeferenced: the positions of the photos lie on a line or in one place")
	}
	return a.levelled(), nil
}

// control are the ground control points of the source, as far as photos of the model
// show them.
type control struct {
	system *crs.CRS
	points []controlPoint
}

func (a *aligner) readControl() (*control, error) {
	if a.photos.GCPs == "" {
		return nil, nil
	}
	root, err := sourceRoot(a.s.Source())
	if err != nil {
		return nil, err
	}
	set := sourceSet{root: root}
	f, err := os.Open(set.path(a.photos.GCPs))
	if err != nil {
		return nil, fmt.Errorf("open ground control points: %w", err)
	}
	defer f.Close()
	system, points, err := readControlPoints(f)
	if err != nil {
		return nil, pipeline.BadInput(fmt.Errorf("%s: %w", a.photos.GCPs, err), "")
	}
	return &control{system, points}, nil
}

// chooseGrid picks the CRS of the result: that of the option, else that of the control
// points, else the UTM zone of the photos.
func (a *aligner) chooseGrid(c *control) error {
	var middle []float64
	var lats, lons []float64
	for _, o := range a.list {
		if g := o.photo.GPS; g != nil {
			lats, lons = append(lats, g.Latitude), append(lons, g.Longitude)
		}
	}
	if c != nil && len(c.points) > 0 {
		to, err := c.system.ToWGS84()
		if err != nil {
			return pipeline.BadInput(fmt.Errorf("%s: %w", a.photos.GCPs, err), "")
		}
		p := c.points[0].at
		middle = p[:]
		if err := to.Apply(middle); err != nil {
			return pipeline.BadInput(fmt.Errorf("%s: %w", a.photos.GCPs, err), "check the coordinate system in its first line")
		}
	} else if len(lats) >= fewest {
		middle = []float64{median(lons), median(lats), 0}
	}
	if middle == nil {
		return nil
	}
	system, err := a.targetSystem(c, middle[1], middle[0])
	if err != nil {
		return err
	}
	a.grid, err = newGrid(system)
	return err
}

func (a *aligner) targetSystem(c *control, lat, lon float64) (*crs.CRS, error) {
	if target := a.s.Options().CRS.Target; target != "" {
		system, err := crs.Parse(target)
		if err != nil {
			return nil, pipeline.BadInput(fmt.Errorf("option crs.target: %w", err), "")
		}
		if system.IsProjected() {
			return system, nil
		}
		a.s.Warn("option crs.target names %s, which is not a projected coordinate system: the UTM zone is used", system.Name())
	} else if c != nil && c.system.IsProjected() {
		return c.system, nil
	}
	return crs.FromEPSG(utmZone(lat, lon))
}

// onGrid places the model by control points and positions.
func (a *aligner) onGrid(c *control) (align.Similarity, error) {
	list, names, err := a.positions()
	if err != nil {
		return align.Similarity{}, err
	}
	gps := len(list)
	var marked []markedPoint
	if c != nil {
		if marked, err = a.triangulateControl(c); err != nil {
			return align.Similarity{}, err
		}
	}
	used := 0
	for _, m := range marked {
		if !m.check {
			list = append(list, m.Measurement)
			used++
		}
	}
	if len(list) < 2 {
		return align.Similarity{}, align.ErrDegenerate
	}
	// Far coordinates cost digits: work near the first.
	base := list[0].To
	for i := range list {
		list[i].To = add3(list[i].To, scale3(base, -1))
	}
	// The control points alone decide where they can: they are a hundred times as good,
	// and positions have offsets in common.
	alone := list
	if used >= fewest {
		alone = list[gps:]
	}
	r, err := align.Estimate(alone, align.Options{Up: a.up, UpDeviation: a.upDeviation})
	if err != nil && used >= fewest {
		r, err = align.Estimate(list, align.Options{Up: a.up, UpDeviation: a.upDeviation})
	}
	if err != nil {
		return align.Similarity{}, err
	}
	similarity := r.Similarity
	similarity.T = add3(similarity.T, base)
	for i := range list {
		list[i].To = add3(list[i].To, base)
	}
	a.report(similarity, list[:gps], names, marked, used)
	return a.toLocal(similarity)
}

// positions are the GPS positions of the photos of the model, on the grid.
func (a *aligner) positions() (list []align.Measurement, names []string, err error) {
	altitudes := 0
	for _, o := range a.list {
		if g := o.photo.GPS; g != nil && g.Altitude != nil {
			altitudes++
		}
	}
	for _, o := range a.list {
		g := o.photo.GPS
		if g == nil {
			continue
		}
		m := align.Measurement{From: o.pose.Center(), Horizontal: g.Horizontal, Vertical: g.Vertical}
		height := 0.0
		if g.Altitude == nil {
			m.Vertical = 0
		} else {
			height = *g.Altitude
		}
		if m.To, err = a.grid.metres(g.Latitude, g.Longitude, height); err != nil {
			return nil, nil, pipeline.BadInput(fmt.Errorf("position of %s: %w", o.photo.File, err), "is the option crs.target that of the place?")
		}
		list, names = append(list, m), append(names, o.photo.Name)
	}
	if len(list) > 0 && altitudes == 0 {
		a.flat = true
		a.s.Warn("the photos' positions have no altitudes: heights are above the ground of the scene")
	}
	return list, names, nil
}

// markedPoint is a control point that was found in the model.
type markedPoint struct {
	align.Measurement
	name   string
	check  bool
	photos int
	pixels float64
}

// Deviations of control points, in metres: those of a good receiver.
const controlHorizontal, controlVertical = 0.02, 0.03

// triangulateControl finds the control points in the model, by where photos show them.
func (a *aligner) triangulateControl(c *control) ([]markedPoint, error) {
	to, err := crs.NewTransform(c.system, a.grid.crs)
	if err != nil {
		return nil, err
	}
	inModel := map[string]int{}
	for i := range a.model.Images {
		inModel[a.model.Images[i].Name] = i
	}
	var out []markedPoint
	var lost []string
	for _, p := range c.points {
		at := p.at
		if err := to.Apply(at[:]); err != nil {
			return nil, pipeline.BadInput(fmt.Errorf("%s: %s: %w", a.photos.GCPs, p.name, err), "check the coordinate system in the first line")
		}
		var sights []sight
		for _, m := range p.marks {
			k := matchName(a.photos.Photos, m.photo)
			if k < 0 {
				continue
			}
			if i, ok := inModel[a.photos.Photos[k].Name]; ok {
				sights = append(sights, sight{a.cameras[a.model.Images[i].CameraID], a.list[i].pose, m.x, m.y})
			}
		}
		x, pixels, ok := triangulate(sights)
		if !ok {
			lost = append(lost, p.name)
			continue
		}
		out = append(out, markedPoint{
			Measurement: align.Measurement{
				From: x, To: [3]float64{at[0] * a.grid.unit, at[1] * a.grid.unit, at[2] * a.grid.zUnit},
				Horizontal: controlHorizontal, Vertical: controlVertical,
			},
			name: p.name, check: p.check, photos: len(sights), pixels: pixels,
		})
	}
	if len(lost) > 0 {
		a.s.Warn("ground control points are not used, since fewer than two photos of the model show them from different directions: %s", joinSome(lost))
	}
	return out, nil
}

// Limits of what is reported as bad, in metres and pixels.
const (
	controlLimit = 0.5
	markLimit    = 8
)

// report fills in residuals, and warns of what does not fit.
func (a *aligner) report(s align.Similarity, gps []align.Measurement, names []string, marked []markedPoint, used int) {
	residual := func(m align.Measurement) [3]float64 {
		d := add3(m.To, scale3(s.Apply(m.From), -1))
		if m.Vertical == 0 {
			d[2] = 0
		}
		return d
	}
	if len(gps) > 0 {
		list := make([]Residual, len(gps))
		var far []float64
		for i, m := range gps {
			list[i] = Residual{Name: names[i], Delta: residual(m)}
			far = append(far, deviations(m, list[i].Delta))
		}
		limit := 4 * max(1, median(far)/1.54)
		var bad []string
		for i := range list {
			if list[i].Fits = far[i] <= limit; !list[i].Fits {
				bad = append(bad, list[i].Name)
			}
		}
		a.frame.GPS = sumUp(list)
		if len(bad) > 0 {
			a.s.Warn("positions of %d photo(s) do not fit the model and are not used: %s", len(bad), joinSome(bad))
		}
	}
	var control, check []Residual
	for _, m := range marked {
		r := Residual{Name: m.name, Delta: residual(m.Measurement), Fits: true, Photos: m.photos, PixelError: m.pixels}
		if norm(r.Delta) > controlLimit || m.pixels > markLimit {
			a.s.Warn("ground control point %s is off by %.2f m, and by %.1f pixels in its %d photos: check its coordinates and marks", m.name, norm(r.Delta), m.pixels, m.photos)
		}
		if m.check {
			check = append(check, r)
		} else {
			control = append(control, r)
		}
	}
	if control != nil {
		a.frame.GCP = sumUp(control)
	}
	if check != nil {
		a.frame.Check = sumUp(check)
	}
	switch {
	case used >= fewest:
		a.frame.From = "gcp"
	case used > 0 && len(gps) > 0:
		a.frame.From = "gcp and gps"
	case used > 0:
		a.frame.From = "gcp"
	default:
		a.frame.From = "gps"
	}
	a.frame.ScaleFrom = a.frame.From
}

// deviations is a distance in standard deviations.
func deviations(m align.Measurement, d [3]float64) float64 {
	sum := (d[0]*d[0] + d[1]*d[1]) / (m.Horizontal * m.Horizontal)
	if m.Vertical > 0 {
		sum += d[2] * d[2] / (m.Vertical * m.Vertical)
	}
	return math.Sqrt(sum)
}

// toLocal shifts the grid's coordinates to an origin near the middle of the scene, on
// its ground, at whole metres.
func (a *aligner) toLocal(s align.Similarity) (align.Similarity, error) {
	origin := a.middle(s)
	for k := range origin {
		origin[k] = math.Round(origin[k])
	}
	s.T = add3(s.T, scale3(origin, -1))
	if a.flat && a.frame.From == "gps" {
		origin[2] = 0
	}
	return s, a.grid.place(a.frame, origin)
}

// middle is the median of the points of the model in the plane, and their ground.
func (a *aligner) middle(s align.Similarity) [3]float64 {
	moved := make([][3]float64, len(a.points))
	var xs, ys []float64
	for i, p := range a.points {
		moved[i] = s.Apply(p)
		xs, ys = append(xs, moved[i][0]), append(ys, moved[i][1])
	}
	return [3]float64{median(xs), median(ys), groundLevel(moved, [3]float64{0, 0, 1})}
}

// levelled is the frame of a model that nothing places: level, with a likely scale.
func (a *aligner) levelled() align.Similarity {
	a.frame.From = "none"
	s := align.Identity()
	s.Scale, a.frame.ScaleFrom = guessScale(a.list, a.up, a.points)
	s.R = align.RotationBetween(a.up, [3]float64{0, 0, 1})
	s.T = scale3(a.middle(s), -1)
	if o := a.s.Options().Origin; o != nil {
		a.frame.Latitude, a.frame.Longitude, a.frame.Height = o.Lat, o.Lon, o.Height
	}
	if a.frame.ScaleFrom == "guess" {
		a.s.Warn("the photos do not say where they were taken: the model is level, but its size is a guess and it lies nowhere on the map")
	}
	return s
}

// transformModel takes a model into another frame.
func transformModel(m *colmap.Model, s align.Similarity) {
	for i := range m.Images {
		img := &m.Images[i]
		p := camera.FromQuaternion(img.Rotation, img.Translation).Transformed(s.Scale, s.R, s.T)
		img.Rotation, img.Translation = p.Quaternion(), p.T
	}
	for i := range m.Points {
		m.Points[i].XYZ = s.Apply(m.Points[i].XYZ)
	}
}
