package photogrammetry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"slate360.ai/worker/codec/exif"
	"slate360.ai/worker/internal/pipeline"
)

// fewest is how many photos make a model: a point needs two, and a third to prove it.
const fewest = 3

// runInspect finds the photos of the source, and what they are.
func runInspect(ctx context.Context, s *pipeline.Context) error {
	for _, p := range []string{productConverted, productMasks} {
		if err := os.MkdirAll(s.Product(p), 0o777); err != nil {
			return err
		}
	}
	scratch, err := s.TempDir()
	if err != nil {
		return err
	}
	v := &survey{
		workers: s.Workers(), budget: s.MemoryBudget(), progress: s.Progress,
		convert: &converter{dir: s.Product(productConverted), scratch: scratch, log: s.Logger()},
		masks:   s.Product(productMasks),
	}
	photos, err := v.run(ctx, s.Source())
	if err != nil {
		return err
	}
	for _, w := range photos.Warnings {
		s.Warn("%s", w)
	}
	if err := enough(photos); err != nil {
		return err
	}
	return writeJSON(s.Product(productPhotos), photos)
}

// survey is one look at a source.
type survey struct {
	workers  int
	budget   int64
	progress func(done, total float64)
	// convert makes copies that COLMAP can read; nil only looks.
	convert *converter
	// masks is the folder that masks are written to; empty for none.
	masks string

	set   *sourceSet
	items []item
}

// item is a photo while it is looked at.
type item struct {
	photo  Photo
	path   string // of the file that is decoded
	meta   *exif.Metadata
	small  []uint8
	notes  []string
	isCopy bool // path is a copy that was made of a frame or a foreign photo
}

func (v *survey) run(ctx context.Context, source string) (*Photos, error) {
	set, err := gather(source)
	if err != nil {
		return nil, pipeline.BadInput(fmt.Errorf("read source: %w", err), "")
	}
	v.set = set
	out := &Photos{GCPs: set.gcps, Warnings: []string{}}
	if err := v.list(ctx, out); err != nil {
		return nil, err
	}
	if len(v.items) == 0 {
		return nil, pipeline.BadInput(errors.New("the source holds no photos"), "JPEG, PNG, TIFF, WebP and, with a converter, HEIC are read")
	}
	if err := v.lookAtAll(ctx); err != nil {
		return nil, err
	}
	v.findDuplicates()
	v.group(out)
	for i := range v.items {
		out.Photos = append(out.Photos, v.items[i].photo)
	}
	v.checkPositions(out)
	v.checkSharpness(out)
	v.report(out)
	return out, nil
}

// list makes an item of each photo, and of each frame taken out of a video.
func (v *survey) list(ctx context.Context, out *Photos) error {
	names := modelNames(v.set.photos)
	for i, f := range v.set.photos {
		v.items = append(v.items, item{path: v.set.path(f), photo: Photo{Name: names[i], File: f, Camera: -1}})
	}
	for _, f := range v.set.videos {
		if v.convert == nil {
			out.Warnings = append(out.Warnings, f+" is a video: its frames are looked at when it is processed")
			continue
		}
		frames, err := v.convert.video(ctx, v.set.path(f), f)
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			if len(v.set.photos) == 0 {
				return err
			}
			out.Warnings = append(out.Warnings, fmt.Sprintf("video %s is left out: %v", f, err))
			continue
		}
		for _, name := range frames {
			v.items = append(v.items, item{
				path: filepath.Join(v.convert.dir, name), isCopy: true,
				photo: Photo{Name: name, File: f, Camera: -1, Converted: true},
			})
		}
	}
	return nil
}

// lookAtAll decodes the photos, as many at once as processors and memory allow.
func (v *survey) lookAtAll(ctx context.Context) error {
	memory := semaphore.NewWeighted(max(v.budget, 1))
	var done atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(v.workers, 1))
	for i := range v.items {
		g.Go(func() error {
			err := v.lookAt(ctx, &v.items[i], memory)
			v.progress(float64(done.Add(1)), float64(len(v.items)))
			return err
		})
	}
	return g.Wait()
}

// lookAt reads, measures and, where it must, converts a photo. What is wrong with it
// excludes it; an error stops the survey.
func (v *survey) lookAt(ctx context.Context, it *item, memory *semaphore.Weighted) error {
	exclude := func(err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		it.photo.Excluded = err.Error()
		return nil
	}
	kind, err := sniffKind(it.path)
	if err != nil {
		return exclude(err)
	}
	if kind == foreignFile {
		if v.convert == nil {
			it.photo.Excluded = "it needs a converter, and is looked at when it is processed"
			return nil
		}
		name, err := v.convert.foreign(ctx, it.path, it.photo.Name)
		if err != nil {
			return exclude(err)
		}
		it.path, it.isCopy = filepath.Join(v.convert.dir, name), true
		it.photo.Name, it.photo.Converted = name, true
	}
	size, err := it.readHeader()
	if err != nil {
		return exclude(err)
	}
	if err := checkSize(it.meta, size, v.budget); err != nil {
		return exclude(err)
	}
	if max(it.meta.Width, it.meta.Height) < smallest {
		return exclude(fmt.Errorf("it has only %d × %d pixels", it.meta.Width, it.meta.Height))
	}
	if why := panorama(it.meta); why != "" {
		it.photo.Excluded = why
		return nil
	}
	weight := int64(it.meta.Width) * int64(it.meta.Height) * pixelBytes
	if err := memory.Acquire(ctx, weight); err != nil {
		return context.Cause(ctx)
	}
	defer memory.Release(weight)
	return v.measure(ctx, it, exclude)
}

// measure decodes a photo, looks at it, and writes the copies that are needed.
func (v *survey) measure(ctx context.Context, it *item, exclude func(error) error) error {
	img, err := decode(ctx, it.path, it.meta)
	if err != nil {
		return exclude(err)
	}
	if mustConvert(it.meta) {
		var note string
		img, note = normalise(img)
		if note != "" {
			it.notes = append(it.notes, note)
		}
	}
	it.photo.Look, it.small = lookAt(img)
	if why := emptiness(it.photo.Look); why != "" {
		it.photo.Excluded = why
		return nil
	}
	if mustConvert(it.meta) && v.convert != nil {
		name, err := v.convert.write(img, it.photo.Name)
		if err != nil {
			return err
		}
		it.photo.Name, it.photo.Converted = name, true
	}
	if mask, ok := v.set.masks[it.photo.File]; ok && v.masks != "" {
		name, err := writeMask(ctx, v.set.path(mask), v.masks, it.photo, v.budget)
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			it.notes = append(it.notes, fmt.Sprintf("its mask %s is not used: %v", mask, err))
		}
		it.photo.Mask = name
	}
	return nil
}

// readHeader reads what the photo says of itself.
func (it *item) readHeader() (size int64, err error) {
	f, err := os.Open(it.path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	m, err := exif.Read(f, info.Size())
	if err != nil {
		return 0, err
	}
	it.meta = m
	it.photo.Width, it.photo.Height, it.photo.Orientation, it.photo.Time = m.Width, m.Height, m.Orientation, m.Time
	it.photo.GPS = position(m)
	a := m.XMP.Gimbal
	if a == nil {
		a = m.XMP.Flight
	}
	if a != nil {
		it.photo.Attitude = &Attitude{Yaw: a.Yaw, Pitch: a.Pitch, Roll: a.Roll}
	}
	if m.XMP.HasRelativeAltitude {
		it.photo.RelativeAltitude = &m.XMP.RelativeAltitude
	}
	return info.Size(), nil
}

// Standard deviations, in metres, of receivers whose photos do not say theirs.
const (
	plainHorizontal, plainVertical = 5, 10
	fixedHorizontal, fixedVertical = 0.03, 0.06
	rtkFixed                       = 50
)

func position(m *exif.Metadata) *GPS {
	p := m.GPS
	if p == nil {
		return nil
	}
	g := &GPS{Latitude: p.Latitude, Longitude: p.Longitude, Horizontal: p.Horizontal, Vertical: p.Vertical}
	if p.HasAltitude {
		g.Altitude = &p.Altitude
	}
	h, vertical := float64(plainHorizontal), float64(plainVertical)
	if m.XMP.HasRTK && m.XMP.RTK == rtkFixed {
		h, vertical = fixedHorizontal, fixedVertical
	}
	if g.Horizontal == 0 {
		g.Horizontal = h
	}
	if g.Vertical == 0 {
		g.Vertical = max(vertical, 2*p.Horizontal)
		if p.Horizontal > 0 {
			g.Vertical = 2 * p.Horizontal
		}
	}
	return g
}

// panorama says why a photo of all directions is not used.
func panorama(m *exif.Metadata) string {
	const how = "360° photos are not supported yet: photograph with a normal lens, or export flat views"
	if m.XMP.Projection != "" && m.XMP.Projection != "rectilinear" {
		return fmt.Sprintf("it is a panorama (%s); %s", m.XMP.Projection, how)
	}
	// No lens has this shape, and cameras for it say nothing of a focal length that
	// would fit.
	if m.Width == 2*m.Height && m.Width >= 2048 && (m.Focal35 == 0 || m.Focal35 < 16) {
		return "it is twice as wide as high, as equirectangular panoramas are; " + how
	}
	return ""
}

// findDuplicates excludes photos that show what another shows from the same place:
// of each pair the blurrier.
func (v *survey) findDuplicates() {
	for i := range v.items {
		a := &v.items[i]
		if !a.photo.Used() {
			continue
		}
		for j := range i {
			b := &v.items[j]
			if !b.photo.Used() || !alike(a.photo.Look, b.photo.Look, a.small, b.small) {
				continue
			}
			if a.photo.GPS != nil && b.photo.GPS != nil && metresApart(a.photo.GPS, b.photo.GPS) > duplicateMetres {
				continue
			}
			worse, better := a, b
			if b.photo.Look.Sharpness < a.photo.Look.Sharpness {
				worse, better = b, a
			}
			worse.photo.Excluded = "it is the same as " + better.photo.File
			if worse == a {
				break
			}
		}
	}
}

// enough says what to photograph where there is too little.
func enough(p *Photos) error {
	used := p.used()
	if len(used) >= fewest {
		return nil
	}
	var reasons []string
	for _, photo := range p.Photos {
		if !photo.Used() && len(reasons) < 5 {
			reasons = append(reasons, photo.File+": "+photo.Excluded)
		}
	}
	err := fmt.Errorf("%d of %d photos can be used, at least %d are needed", len(used), len(p.Photos), fewest)
	if len(reasons) > 0 {
		err = fmt.Errorf("%w (%s)", err, joinSome(reasons))
	}
	return pipeline.BadInput(err, howToPhotograph)
}

const howToPhotograph = "photograph the object from all sides, a step or a small angle (10 to 15°) apart, so that neighbouring photos " +
	"share two thirds of what they show and each spot is seen on three photos or more"

// joinSome lists the first few of many.
func joinSome(list []string) string {
	const most = 5
	text := ""
	for i, s := range list[:min(len(list), most)] {
		if i > 0 {
			text += "; "
		}
		text += s
	}
	if len(list) > most {
		text += fmt.Sprintf("; and %d more", len(list)-most)
	}
	return text
}

// report puts what was found into warnings.
func (v *survey) report(out *Photos) {
	byReason := map[string][]string{}
	var order []string
	for i := range v.items {
		it := &v.items[i]
		for _, note := range it.notes {
			out.Warnings = append(out.Warnings, it.photo.File+": "+note)
		}
		if why := it.photo.Excluded; why != "" {
			if byReason[why] == nil {
				order = append(order, why)
			}
			byReason[why] = append(byReason[why], it.photo.File)
		}
	}
	for _, why := range order {
		out.Warnings = append(out.Warnings, fmt.Sprintf("left out: %s: %s", joinSome(byReason[why]), why))
	}
}

// checkSharpness reports photos that are much blurrier than the others. They are kept:
// a blurred photo may be the only one of its place, and textures avoid it.
func (v *survey) checkSharpness(out *Photos) {
	var all []float64
	for _, p := range out.Photos {
		if p.Used() {
			all = append(all, p.Look.Sharpness)
		}
	}
	if len(all) < fewest {
		return
	}
	slices.Sort(all)
	limit := blurredShare * all[len(all)/2]
	var blurred []string
	for _, p := range out.Photos {
		if p.Used() && p.Look.Sharpness < limit {
			blurred = append(blurred, p.File)
		}
	}
	if len(blurred) > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d photo(s) are blurred, such as %s: hold the camera still, fly slower, or use a shorter exposure", len(blurred), joinSome(blurred)))
	}
}
