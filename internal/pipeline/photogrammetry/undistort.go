package photogrammetry

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/codec/exif"
	"slate360.ai/worker/geom/camera"
	"slate360.ai/worker/geom/undistort"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// Parts of the dense workspace.
const (
	denseImages = "images"
	denseSparse = "sparse"
	denseStereo = "stereo"
	// denseMasks holds masks of undistorted photos, as NAME.png, where there are any.
	denseMasks = "masks"
)

// undistortedQuality is the JPEG quality of undistorted photos.
const undistortedQuality = 95

// undistortSide bounds the long side of undistorted photos, in pixels: textures are
// made of them, and the dense stage makes them smaller for itself.
func undistortSide(o job.Options) int { return int(math.Round(1200 * math.Pow(4.5, o.Quality))) }

// undistortMemory is that of a decoded photo and of the result, for each worker.
func undistortMemory(s *pipeline.Context) int64 {
	const bytesPerPixel = 8
	var most int64 = 24 << 20
	if p, err := readPhotos(s); err == nil {
		most = 0
		for _, photo := range p.used() {
			most = max(most, int64(photo.Width)*int64(photo.Height))
		}
	}
	return most * bytesPerPixel * int64(s.Workers())
}

// ideal is a model with pinhole cameras, and what it was made of.
type ideal struct {
	model    *colmap.Model
	from, to map[int]camera.Camera // by COLMAP's number
}

// idealModel returns the model of the undistorted photos: one pinhole camera for each
// of the model's.
func idealModel(m *colmap.Model, side int) (*ideal, error) {
	i := &ideal{model: &colmap.Model{Points: m.Points}, from: map[int]camera.Camera{}, to: map[int]camera.Camera{}}
	for _, c := range m.Cameras {
		from := camera.Camera{Model: camera.Model(c.Model), Width: c.Width, Height: c.Height, Params: c.Params}
		to, err := undistort.Camera(from, side)
		if err != nil {
			return nil, fmt.Errorf("camera %d: %w", c.ID, err)
		}
		i.from[c.ID], i.to[c.ID] = from, to
		i.model.Cameras = append(i.model.Cameras, colmap.Camera{ID: c.ID, Model: string(to.Model), Width: to.Width, Height: to.Height, Params: to.Params})
	}
	for _, img := range m.Images {
		from, to := i.from[img.CameraID], i.to[img.CameraID]
		points := make([]colmap.ImagePoint, len(img.Points))
		for k, p := range img.Points {
			points[k] = p
			points[k].X, points[k].Y = to.Pixel(from.Direction(p.X, p.Y))
		}
		img.Points = points
		i.model.Images = append(i.model.Images, img)
	}
	return i, nil
}

// runUndistort writes the dense workspace.
func runUndistort(ctx context.Context, s *pipeline.Context) error {
	model, err := colmap.ReadBinary(s.Product(productSparse))
	if err != nil {
		return fmt.Errorf("read model: %w", err)
	}
	photos, err := readPhotos(s)
	if err != nil {
		return err
	}
	root, err := sourceRoot(s.Source())
	if err != nil {
		return err
	}
	i, err := idealModel(model, undistortSide(s.Options()))
	if err != nil {
		return err
	}
	out := s.Product(productUndistorted)
	if err := writeWorkspace(out, i.model); err != nil {
		return err
	}
	index := photos.byName()
	var done atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(s.Workers(), 1))
	for _, img := range i.model.Images {
		g.Go(func() error {
			p := &photos.Photos[index[img.Name]]
			if err := undistortPhoto(ctx, photoPath(s, root, p), filepath.Join(out, denseImages, img.Name), i.from[img.CameraID], i.to[img.CameraID]); err != nil {
				return fmt.Errorf("undistort %s: %w", p.File, err)
			}
			if err := undistortMask(ctx, s, p, i.from[img.CameraID], i.to[img.CameraID]); err != nil {
				return fmt.Errorf("undistort mask of %s: %w", p.File, err)
			}
			s.Progress(float64(done.Add(1)), float64(len(i.model.Images)))
			return nil
		})
	}
	return g.Wait()
}

// readAny reads the header of a photo and decodes it.
func readAny(ctx context.Context, path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	m, err := exif.Read(f, info.Size())
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return decode(ctx, path, m)
}

func undistortPhoto(ctx context.Context, path, to string, from, ideal camera.Camera) error {
	img, err := readAny(ctx, path)
	if err != nil {
		return err
	}
	out, err := undistort.Image(ctx, img, from, ideal)
	if err != nil {
		return err
	}
	return writeFile(to, func(f *os.File) error {
		if strings.EqualFold(filepath.Ext(to), ".png") {
			return png.Encode(f, out)
		}
		return jpeg.Encode(f, out, &jpeg.Options{Quality: undistortedQuality})
	})
}

// undistortMask writes the mask of an undistorted photo, where it has one.
func undistortMask(ctx context.Context, s *pipeline.Context, p *Photo, from, to camera.Camera) error {
	if p.Mask == "" {
		return nil
	}
	img, err := readAny(ctx, filepath.Join(s.Product(productMasks), p.Mask))
	if err != nil {
		return err
	}
	out, err := undistort.Image(ctx, img, from, to)
	if err != nil {
		return err
	}
	mask := image.NewGray(out.Rect)
	for y := range to.Height {
		for x := range to.Width {
			if out.Y[y*out.YStride+x] >= 128 {
				mask.Pix[y*mask.Stride+x] = 255
			}
		}
	}
	dir := filepath.Join(s.Product(productUndistorted), denseMasks)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, p.Mask), func(f *os.File) error { return png.Encode(f, mask) })
}

// sourceViews is how many neighbours COLMAP's patch match looks at for each photo.
const sourceViews = 20

// writeWorkspace makes the folders of a dense workspace, the model, and what COLMAP's
// dense stages are configured by.
func writeWorkspace(dir string, m *colmap.Model) error {
	for _, d := range []string{denseImages, denseSparse, denseStereo + "/depth_maps", denseStereo + "/normal_maps", denseStereo + "/consistency_graphs"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o777); err != nil {
			return err
		}
	}
	if err := m.WriteBinary(filepath.Join(dir, denseSparse)); err != nil {
		return fmt.Errorf("write undistorted model: %w", err)
	}
	var match, fusion strings.Builder
	for _, i := range m.Images {
		fmt.Fprintf(&match, "%s\n__auto__, %d\n", i.Name, sourceViews)
		fmt.Fprintln(&fusion, i.Name)
	}
	err := os.WriteFile(filepath.Join(dir, denseStereo, "patch-match.cfg"), []byte(match.String()), 0o666)
	return errors.Join(err, os.WriteFile(filepath.Join(dir, denseStereo, "fusion.cfg"), []byte(fusion.String()), 0o666))
}

// runUndistortCOLMAP has COLMAP write the photos; masks are ours.
func runUndistortCOLMAP(ctx context.Context, s *pipeline.Context) error {
	photos, err := readPhotos(s)
	if err != nil {
		return err
	}
	c, err := openCOLMAP(ctx, s)
	if err != nil {
		return err
	}
	dir, err := linkPhotos(s, photos.used())
	if err != nil {
		return err
	}
	err = c.run(ctx, "image_undistorter", []option{
		opt(dir, "image_path"), opt(s.Product(productSparse), "input_path"), opt(s.Product(productUndistorted), "output_path"),
		opt("COLMAP", "output_type"), opt(undistortSide(s.Options()), "max_image_size"),
	}, func(line string) {
		if done, total, ok := countOf(line); ok {
			s.Progress(float64(done), float64(total))
		}
	})
	if err != nil {
		return fmt.Errorf("undistort: %w", explainMemory(err))
	}
	return undistortMasks(ctx, s, photos)
}

func undistortMasks(ctx context.Context, s *pipeline.Context, photos *Photos) error {
	model, err := colmap.ReadBinary(s.Product(productSparse))
	if err != nil {
		return fmt.Errorf("read model: %w", err)
	}
	i, err := idealModel(model, undistortSide(s.Options()))
	if err != nil {
		return err
	}
	index := photos.byName()
	for _, img := range i.model.Images {
		if err := undistortMask(ctx, s, &photos.Photos[index[img.Name]], i.from[img.CameraID], i.to[img.CameraID]); err != nil {
			return err
		}
	}
	return nil
}
