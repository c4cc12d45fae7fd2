package photogrammetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/internal/pipeline"
)

// Mapping is what the mapping stage made, for the report.
type Mapping struct {
	Photos     int `json:"photos"`
	Registered int `json:"registered"`
	Points     int `json:"points"`
	// Observations of points in photos, and how many photos see a point on average.
	Observations int     `json:"observations"`
	TrackLength  float64 `json:"trackLength"`
	// ReprojectionError is the mean distance, in pixels of the photos, between where
	// points are seen and where the model says they are.
	ReprojectionError float64 `json:"reprojectionError"`
	// Models are the photos of each model that COLMAP made: photos that are not tied
	// to each other fall apart.
	Models []int `json:"models"`
	// Unregistered are the photos that are not in the model, and why.
	Unregistered []UnregisteredPhoto `json:"unregistered"`
}

// UnregisteredPhoto is a photo that the model lacks.
type UnregisteredPhoto struct {
	Name   string `json:"name"`
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// mapper is one run of the stage.
type mapper struct {
	s        *pipeline.Context
	c        *colmapProgram
	photos   []Photo
	scratch  string
	links    string
	database string
	counts   map[pair]int // verified matches
	features map[string]int
}

// runMapping finds where the photos were taken, and the points they see.
func runMapping(ctx context.Context, s *pipeline.Context) error {
	m, err := newMapper(ctx, s)
	if err != nil {
		return err
	}
	models, err := m.reconstruct(ctx)
	if err != nil {
		return err
	}
	best, err := m.merge(ctx, models)
	if err != nil {
		return err
	}
	if best, err = m.extend(ctx, best); err != nil {
		return err
	}
	model, err := colmap.Read(best.dir)
	if err != nil {
		return fmt.Errorf("read COLMAP's model: %w", err)
	}
	if len(model.Images) < fewest {
		return m.tooFew()
	}
	out := s.Product(productSparseRaw)
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	if err := model.WriteBinary(out); err != nil {
		return fmt.Errorf("write model: %w", err)
	}
	return m.finish(model, models)
}

func newMapper(ctx context.Context, s *pipeline.Context) (*mapper, error) {
	photos, err := readPhotos(s)
	if err != nil {
		return nil, err
	}
	m := &mapper{s: s, photos: photos.used(), features: map[string]int{}}
	if m.c, err = openCOLMAP(ctx, s); err != nil {
		return nil, err
	}
	if m.scratch, err = s.TempDir(); err != nil {
		return nil, err
	}
	// COLMAP writes to the database even where it only reads.
	m.database = filepath.Join(m.scratch, "database.db")
	if err := copyFile(ctx, s.Product(productMatches), m.database); err != nil {
		return nil, fmt.Errorf("copy matches: %w", err)
	}
	if m.links, err = linkPhotos(s, m.photos); err != nil {
		return nil, err
	}
	return m, m.readDatabase(ctx)
}

func (m *mapper) readDatabase(ctx context.Context) (err error) {
	if m.counts, err = readVerified(ctx, m.database, m.photos); err != nil {
		return err
	}
	d, err := openDatabase(m.database)
	if err != nil {
		return err
	}
	defer d.Close()
	ids, err := d.images(ctx)
	if err != nil {
		return err
	}
	counts, err := d.featureCounts(ctx)
	for name, id := range ids {
		m.features[name] = counts[id]
	}
	return err
}

// candidate is a model that COLMAP made.
type candidate struct {
	dir    string
	photos []string
}

// attempts are options of the mapper, each less strict than the one before: small
// photos and flat or sparse scenes give few matches and narrow angles.
func attempts() [][]option {
	relaxed := []option{
		opt(30, "Mapper.init_min_num_inliers"), opt(4, "Mapper.init_min_tri_angle"), opt(15, "Mapper.abs_pose_min_num_inliers"),
		opt(0.15, "Mapper.abs_pose_min_inlier_ratio"), opt(10, "Mapper.min_num_matches"), opt(0.99, "Mapper.init_max_forward_motion"),
	}
	return [][]option{nil, relaxed}
}

// reconstruct returns the models, the one with the most photos first.
func (m *mapper) reconstruct(ctx context.Context) ([]candidate, error) {
	var best []candidate
	for i, extra := range attempts() {
		models, err := m.runMapper(ctx, filepath.Join(m.scratch, fmt.Sprintf("models%d", i)), extra)
		if err != nil {
			return nil, err
		}
		if len(models) > 0 && (len(best) == 0 || len(models[0].photos) > len(best[0].photos)) {
			best = models
		}
		if len(best) > 0 && len(best[0].photos) >= max(fewest, len(m.photos)/2) {
			break
		}
	}
	if len(best) == 0 {
		return nil, m.tooFew()
	}
	return best, nil
}

var registeredPattern = regexp.MustCompile(`Registering image #\d+ \((?:num_reg_frames=)?(\d+)`)

func (m *mapper) runMapper(ctx context.Context, dir string, extra []option) ([]candidate, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	err := m.c.run(ctx, "mapper", append([]option{
		opt(m.database, "database_path"),
		opt(m.links, "image_path"),
		opt(dir, "output_path"),
		opt(m.s.Workers(), "Mapper.num_threads"),
		opt(fewest, "Mapper.min_model_size"),
		maybe(m.c.gpu(), "Mapper.ba_use_gpu"),
	}, extra...), func(line string) {
		if r := registeredPattern.FindStringSubmatch(line); r != nil {
			if n, err := strconv.Atoi(r[1]); err == nil {
				m.s.Progress(float64(n), float64(len(m.photos)+1))
			}
		}
	})
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	// Versions differ in whether finding no model is a failure: what counts is what is there.
	models, readErr := readModels(dir)
	if readErr != nil {
		return nil, readErr
	}
	if err != nil && len(models) == 0 && !saysNoPair(err) {
		return nil, fmt.Errorf("reconstruct: %w", explainMemory(err))
	}
	return models, nil
}

// saysNoPair tells whether COLMAP ended because it found nothing to begin with.
func saysNoPair(err error) bool {
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "initial") || strings.Contains(text, "no images with matches") || strings.Contains(text, "failed to create")
}

// readModels returns the models below a folder, the one with the most photos first.
func readModels(dir string) ([]candidate, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []candidate
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		c, err := readCandidate(filepath.Join(dir, e.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(len(b.photos), len(a.photos)) })
	return list, nil
}

func readCandidate(dir string) (candidate, error) {
	model, err := colmap.Read(dir)
	if err != nil {
		return candidate{}, fmt.Errorf("read COLMAP's model: %w", err)
	}
	c := candidate{dir: dir}
	for _, i := range model.Images {
		c.photos = append(c.photos, i.Name)
	}
	return c, nil
}

// commonToMerge is how many photos models must share to be merged.
const commonToMerge = 3

// merge adds to the largest model those that share photos with it, where that gives
// a larger one.
func (m *mapper) merge(ctx context.Context, models []candidate) (candidate, error) {
	best := models[0]
	for i, other := range models[1:] {
		if shared(best.photos, other.photos) < commonToMerge || isSubset(other.photos, best.photos) {
			continue
		}
		base := filepath.Join(m.scratch, fmt.Sprintf("merged%d", i))
		out := filepath.Join(base, "0")
		if err := os.MkdirAll(out, 0o777); err != nil {
			return best, err
		}
		err := m.c.run(ctx, "model_merger", []option{opt(best.dir, "input_path1"), opt(other.dir, "input_path2"), opt(out, "output_path")}, nil)
		if err == nil {
			err = m.c.run(ctx, "bundle_adjuster", []option{opt(out, "input_path"), opt(out, "output_path")}, nil)
		}
		if ctx.Err() != nil {
			return best, context.Cause(ctx)
		}
		merged, readErr := readModels(base)
		if err != nil || readErr != nil || len(merged) == 0 || len(merged[0].photos) <= len(best.photos) {
			m.s.Logger().Info("two models could not be merged", "photos", len(best.photos), "others", len(other.photos), "error", errors.Join(err, readErr))
			continue
		}
		best = merged[0]
	}
	return best, nil
}

// weakMatches and weakShare are how many matches, and which share of them, must fit for
// a photo to be added to a model that stands: half of what COLMAP asks for while it
// builds one, when a wrong photo does more harm.
const weakMatches, weakShare = 15, 0.15

// extend adds photos that match the model weakly. On surveys with little overlap, or
// over fields, these are those at the ends of strips.
func (m *mapper) extend(ctx context.Context, best candidate) (candidate, error) {
	if !m.weaklyTied(best) {
		return best, nil
	}
	dir := filepath.Join(m.scratch, "extended")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return best, err
	}
	err := m.c.run(ctx, "mapper", []option{
		opt(m.database, "database_path"), opt(m.links, "image_path"), opt(best.dir, "input_path"), opt(dir, "output_path"),
		opt(m.s.Workers(), "Mapper.num_threads"),
		opt(weakMatches, "Mapper.abs_pose_min_num_inliers"), opt(weakShare, "Mapper.abs_pose_min_inlier_ratio"),
		maybe(m.c.gpu(), "Mapper.ba_use_gpu"),
	}, nil)
	if ctx.Err() != nil {
		return best, context.Cause(ctx)
	}
	// Versions write the model into the folder itself, or into one of a number.
	models, readErr := readModels(dir)
	if len(models) == 0 && readErr == nil {
		var c candidate
		if c, readErr = readCandidate(dir); readErr == nil {
			models = append(models, c)
		}
	}
	if err != nil || readErr != nil || len(models[0].photos) <= len(best.photos) {
		m.s.Logger().Info("no photo could be added to the model", "photos", len(best.photos), "error", errors.Join(err, readErr))
		return best, nil
	}
	return models[0], nil
}

// weaklyTied tells whether a photo that is not in the model matches one that is.
func (m *mapper) weaklyTied(c candidate) bool {
	in := make([]bool, len(m.photos))
	for i := range m.photos {
		in[i] = slices.Contains(c.photos, m.photos[i].Name)
	}
	for p, n := range m.counts {
		if n >= weakMatches && in[p[0]] != in[p[1]] {
			return true
		}
	}
	return false
}

func shared(a, b []string) (n int) {
	for _, name := range b {
		if slices.Contains(a, name) {
			n++
		}
	}
	return n
}

func isSubset(a, of []string) bool { return shared(of, a) == len(a) }

// finish sums up what there is, and says what there is not.
func (m *mapper) finish(model *colmap.Model, models []candidate) error {
	r := Mapping{Photos: len(m.photos), Registered: len(model.Images), Points: len(model.Points), Unregistered: []UnregisteredPhoto{}}
	var sum float64
	for _, p := range model.Points {
		r.Observations += len(p.Track)
		sum += p.Error * float64(len(p.Track))
	}
	if r.Observations > 0 {
		r.ReprojectionError = sum / float64(r.Observations)
		r.TrackLength = float64(r.Observations) / float64(r.Points)
	}
	for _, c := range models {
		r.Models = append(r.Models, len(c.photos))
	}
	in := map[string]bool{}
	for _, i := range model.Images {
		in[i.Name] = true
	}
	for i, p := range m.photos {
		if !in[p.Name] {
			r.Unregistered = append(r.Unregistered, UnregisteredPhoto{p.Name, p.File, m.reason(i, in)})
		}
	}
	if n := len(r.Unregistered); n > 0 {
		var list []string
		for _, u := range r.Unregistered {
			list = append(list, u.File+" ("+u.Reason+")")
		}
		m.s.Warn("%d of %d photos are not in the model: %s", n, len(m.photos), joinSome(list))
	}
	if n := len(r.Models); n > 1 {
		m.s.Warn("the photos fall into %d parts that could not be joined, of %v photos; the largest is used: photograph what lies between them", n, r.Models)
	}
	m.s.SetAnalysis("mapping", r)
	return writeJSON(m.s.Product(productMapping), r)
}

// enoughMatches is how many a photo needs with another to be placed by it.
const enoughMatches = 30

// reason says why a photo is not in the model.
func (m *mapper) reason(i int, in map[string]bool) string {
	p := &m.photos[i]
	if n := m.features[p.Name]; n < 200 {
		return fmt.Sprintf("only %d features were found: it is blurred, or shows little detail", n)
	}
	best, with := 0, -1
	for q, n := range m.counts {
		other := -1
		switch i {
		case q[0]:
			other = q[1]
		case q[1]:
			other = q[0]
		}
		if other >= 0 && (n > best || n == best && other < with) {
			best, with = n, other
		}
	}
	switch {
	case with < 0:
		return "it matches no other photo: more overlap is needed"
	case best < enoughMatches:
		return fmt.Sprintf("too few matches (%d) between it and %s: more overlap is needed", best, m.photos[with].File)
	case !in[m.photos[with].Name]:
		return fmt.Sprintf("it is tied to %s only, which is not in the model: more overlap with the others is needed", m.photos[with].File)
	}
	return fmt.Sprintf("its %d matches with %s do not fit the model", best, m.photos[with].File)
}

// tooFew says why there is no model at all.
func (m *mapper) tooFew() error {
	var weak []string
	order := byTime(m.photos)
	for i := range len(order) - 1 {
		p := pairOf(order[i], order[i+1])
		if n := m.counts[p]; n < enoughMatches {
			weak = append(weak, fmt.Sprintf("too few matches (%d) between photos %s", n, describePair(m.photos, p)))
		}
	}
	err := errors.New("the photos cannot be put together to a model")
	if len(weak) > 0 {
		err = fmt.Errorf("%w: %s: more overlap is needed", err, joinSome(weak))
	} else {
		err = fmt.Errorf("%w: they match, but were taken from one place, or show one plane", err)
	}
	return pipeline.BadInput(err, howToPhotograph)
}
