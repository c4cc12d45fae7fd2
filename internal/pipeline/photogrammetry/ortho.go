package photogrammetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // textures
	"math"
	"os"
	"path/filepath"
	"slices"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/codec/crs"
	"slate360.ai/worker/codec/geotiff"
	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/geom/camera"
	"slate360.ai/worker/geom/ortho"
	"slate360.ai/worker/geom/texture"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

const orthophotoName = "orthophoto.tif"

// mostOrthoCells bounds the orthophoto: beyond, cells get larger.
const mostOrthoCells = 1 << 30

// leastDown is how far down photos must look on average for a picture from above to
// show more than roofs' edges: the cosine of 60 degrees from straight down.
const leastDown = 0.5

func orthoMemory(s *pipeline.Context) int64 {
	size := int64(512 << 20)
	if info, err := os.Stat(s.Product(productTextured)); err == nil {
		// Textures are decoded, with all their sizes.
		const unpacked = 20
		size = unpacked * info.Size()
	}
	return size + 256<<20
}

// outlook is what the poses say of the whole: how far down photos look on average (the
// cosine of the angle), and the ground sampling distance in metres, which is how far
// apart the pixels of undistorted photos lie on what they show.
type outlook struct {
	Down float64
	GSD  float64
}

func outlookOf(m *colmap.Model) outlook {
	cameras := map[int]camera.Camera{}
	for _, c := range m.Cameras {
		cameras[c.ID] = camera.Camera{Model: camera.Model(c.Model), Width: c.Width, Height: c.Height, Params: c.Params}
	}
	poses, focal := map[int]camera.Pose{}, map[int]float64{}
	var v outlook
	for _, i := range m.Images {
		p := camera.FromQuaternion(i.Rotation, i.Translation)
		poses[i.ID] = p
		focal[i.ID], _, _, _ = cameras[i.CameraID].Linear()
		v.Down -= p.R[8] / float64(len(m.Images)) // the axis of the camera, upwards
	}
	var sizes []float64
	for _, p := range m.Points {
		for _, o := range p.Track {
			if pose, ok := poses[o.ImageID]; ok && focal[o.ImageID] > 0 {
				if z := pose.Apply(p.XYZ)[2]; z > 0 {
					sizes = append(sizes, z/focal[o.ImageID])
				}
			}
		}
	}
	if len(sizes) > 0 {
		slices.Sort(sizes)
		v.GSD = sizes[len(sizes)/2]
	}
	return v
}

// runOrtho draws the textured surface from straight above.
func runOrtho(ctx context.Context, s *pipeline.Context) error {
	var frame Frame
	if err := readJSON(s.Product(productFrame), &frame); err != nil {
		return fmt.Errorf("read frame: %w", err)
	}
	model, err := colmap.ReadBinary(filepath.Join(s.Product(productUndistorted), denseSparse))
	if err != nil {
		return fmt.Errorf("read model: %w", err)
	}
	v := outlookOf(model)
	asked := slices.Contains(s.Options().Formats, job.TypeOrthophoto)
	if v.Down < leastDown && !asked {
		s.Logger().Info("no orthophoto: the photos do not look down")
		return nil
	}
	parts, err := orthoParts(s.Product(productTextured))
	if err != nil {
		return err
	}
	grid, err := orthoGrid(s, parts, v.GSD)
	if err != nil {
		return err
	}
	s.SetAnalysis("orthophoto", map[string]any{"groundSamplingDistance": grid.Cell, "columns": grid.Cols, "rows": grid.Rows})
	return writeOrtho(ctx, s, parts, grid, &frame)
}

// orthoGrid is the raster: cells of the photos' resolution, to two digits.
func orthoGrid(s *pipeline.Context, parts []ortho.Part, gsd float64) (ortho.Grid, error) {
	if !(gsd > 0) {
		return ortho.Grid{}, errors.New("the model has no points that tell how large a pixel is on the ground")
	}
	digits := math.Pow(10, math.Floor(math.Log10(gsd))-1)
	cell := math.Ceil(gsd/digits) * digits
	for {
		g, err := ortho.Cover(parts, cell)
		if err != nil || int64(g.Cols)*int64(g.Rows) <= mostOrthoCells {
			return g, err
		}
		if cell *= 2; cell > 1e6*gsd {
			return g, fmt.Errorf("an orthophoto of %d × %d cells is too large", g.Cols, g.Rows)
		}
		s.Warn("the orthophoto has cells of %.3g m, larger than the photos' %.3g m: it would be too large", cell, gsd)
	}
}

// orthoParts are the pages of the textured surface, z up again.
func orthoParts(path string) ([]ortho.Part, error) {
	d, err := readTextured(path)
	if err != nil {
		return nil, err
	}
	var parts []ortho.Part
	for _, m := range d.Meshes {
		for _, p := range m.Primitives {
			part, err := orthoPart(d, p)
			if err != nil {
				return nil, fmt.Errorf("textured surface: %w", err)
			}
			parts = append(parts, part)
		}
	}
	return parts, nil
}

func orthoPart(d *gltf.Document, p *gltf.Primitive) (part ortho.Part, err error) {
	up, err := d.Floats(p.Attributes["POSITION"])
	if err != nil {
		return part, err
	}
	part.Positions = make([]float32, len(up))
	for v := 0; v < len(up); v += 3 {
		part.Positions[v], part.Positions[v+1], part.Positions[v+2] = up[v], -up[v+2], up[v+1]
	}
	if part.UV, err = d.Floats(p.Attributes["TEXCOORD_0"]); err != nil {
		return part, err
	}
	if part.Triangles, err = d.Indices(*p.Indices); err != nil {
		return part, err
	}
	t := d.Materials[*p.Material].PBR.BaseColorTexture
	view := d.BufferViews[*d.Images[*d.Textures[t.Index].Source].BufferView]
	img, _, err := image.Decode(bytes.NewReader(view.Data))
	if err != nil {
		return part, fmt.Errorf("texture %d: %w", t.Index, err)
	}
	part.Texture = texture.New(img)
	return part, nil
}

func writeOrtho(ctx context.Context, s *pipeline.Context, parts []ortho.Part, g ortho.Grid, frame *Frame) (err error) {
	corner := frame.ToCRS([3]float64{g.West, g.North, 0})
	picture := geotiff.Picture{Cols: g.Cols, Rows: g.Rows, Place: geotiff.Place{
		West: corner[0], North: corner[1], CellX: g.Cell / frame.UnitMetres, CellY: g.Cell / frame.UnitMetres,
	}}
	if frame.CRS != "" {
		c, err := crs.Parse(frame.CRS)
		if err != nil {
			return fmt.Errorf("coordinate system of the frame: %w", err)
		}
		var ok bool
		if picture.Place.KeyDirectory, picture.Place.KeyDoubles, picture.Place.KeyASCII, ok = c.GeoTIFFKeys(); !ok {
			s.Warn("GeoTIFF cannot say the coordinate system %s: the orthophoto has none", c.Name())
		}
	}
	dir, err := s.TempDir()
	if err != nil {
		return err
	}
	scratch, err := os.Create(filepath.Join(dir, "tiles"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, scratch.Close()) }()
	err = writeFile(s.OutputPath(orthophotoName), func(f *os.File) error {
		w, err := geotiff.NewPictureWriter(f, scratch, picture, s.Workers())
		if err != nil {
			return err
		}
		err = ortho.Draw(ctx, parts, g, ortho.Options{Workers: s.Workers()},
			func(strip ortho.Strip) error { return w.WriteRGBA(ctx, strip.RGBA) },
			func(done float64) { s.Progress(done, 1) })
		if err != nil {
			return err
		}
		return w.Close(ctx)
	})
	if err != nil {
		return fmt.Errorf("write orthophoto: %w", err)
	}
	s.Publish(job.Output{Type: job.TypeOrthophoto, Path: orthophotoName, Width: int64(g.Cols), Height: int64(g.Rows)})
	return nil
}
