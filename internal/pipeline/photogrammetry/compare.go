package photogrammetry

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"math"

	"slate360.ai/worker/geom/imagequality"
	"slate360.ai/worker/geom/mvs/workspace"
	"slate360.ai/worker/geom/render"
	"slate360.ai/worker/internal/pipeline/photogrammetry/report"
)

const (
	// comparedPhotos is how many photos the model is drawn beside, compareSide their
	// longest side in pixels.
	comparedPhotos = 6
	compareSide    = 800
	previewQuality = 85
)

// Likeness is how much the textured model, drawn as the cameras saw it, looks like the
// photos: structural similarity of brightness where there is any model, 1 at best.
type Likeness struct {
	Mean   float64         `json:"mean"`
	Photos []PhotoLikeness `json:"photos"`
}

// PhotoLikeness is that of one photo. Covered is the part of it that shows the model.
type PhotoLikeness struct {
	Name    string  `json:"name"`
	SSIM    float64 `json:"ssim"`
	Covered float64 `json:"covered"`
}

// compare draws the model beside some of the photos.
func (r *reporter) compare(ctx context.Context, d *report.Data) error {
	w, err := workspace.Open(r.s.Product(productUndistorted), workspace.Options{Side: compareSide})
	if err != nil {
		return err
	}
	scene, triangles, err := texturedScene(r.s.Product(productTextured))
	if err != nil {
		return err
	}
	d.Triangles = triangles
	var l Likeness
	views := w.Views()
	n := min(comparedPhotos, len(views))
	for k := range n {
		i := k * len(views) / n
		p, picture, err := r.compareView(ctx, w, scene, i)
		if err != nil {
			return fmt.Errorf("draw the model beside %s: %w", w.Name(i), err)
		}
		l.Photos = append(l.Photos, p)
		l.Mean += p.SSIM / float64(n)
		d.Previews = append(d.Previews, report.Preview{
			Title: fmt.Sprintf("%s: photo and model (structural similarity %.2f)", p.Name, p.SSIM), Type: "image/jpeg", Bytes: picture,
		})
		r.s.Progress(float64(k+1), float64(n))
	}
	r.s.SetAnalysis("likeness", l)
	return nil
}

func (r *reporter) compareView(ctx context.Context, w *workspace.Workspace, scene *render.Scene, i int) (p PhotoLikeness, picture []byte, err error) {
	v := w.Views()[i]
	width, height := v.Camera.Width, v.Camera.Height
	drawn, err := render.Draw(ctx, scene, render.Options{
		Width: width, Height: height, View: &render.View{Camera: v.Camera, Pose: v.Pose}, Workers: r.s.Workers(),
	})
	if err != nil {
		return p, nil, err
	}
	photo, err := w.RGB(ctx, i)
	if err != nil {
		return p, nil, err
	}
	both := image.NewRGBA(image.Rect(0, 0, 2*width, height))
	draw.Draw(both, both.Rect, image.NewUniform(color.Gray{Y: 225}), image.Point{}, draw.Src)
	a, b, use := make([]float32, width*height), make([]float32, width*height), make([]bool, width*height)
	covered := 0
	for at := range use {
		x, y := at%width, at/width
		both.SetRGBA(x, y, color.RGBA{photo[3*at], photo[3*at+1], photo[3*at+2], 255})
		m := drawn.NRGBAAt(x, y)
		a[at], b[at] = luma(photo[3*at], photo[3*at+1], photo[3*at+2]), luma(m.R, m.G, m.B)
		if use[at] = m.A == 255; use[at] {
			covered++
		} else {
			b[at] = a[at] // outlines do not count
		}
	}
	draw.Draw(both, image.Rect(width, 0, 2*width, height), drawn, image.Point{}, draw.Over)
	p = PhotoLikeness{Name: w.Name(i), Covered: math.Round(1000*float64(covered)/float64(len(use))) / 1000}
	if j, ok := r.photos.byName()[p.Name]; ok {
		p.Name = r.photos.Photos[j].File
	}
	if covered > 0 {
		if p.SSIM, err = imagequality.SSIM(a, b, width, height, use); err != nil {
			return p, nil, err
		}
	}
	p.SSIM = math.Round(1000*p.SSIM) / 1000
	var out bytes.Buffer
	err = jpeg.Encode(&out, both, &jpeg.Options{Quality: previewQuality})
	return p, out.Bytes(), err
}

// luma is brightness of 8-bit colours (ITU-R BT.601).
func luma(r, g, b uint8) float32 {
	return 0.299*float32(r) + 0.587*float32(g) + 0.114*float32(b)
}

// texturedScene is the textured surface in the local frame, for drawing.
func texturedScene(path string) (*render.Scene, int64, error) {
	parts, err := orthoParts(path)
	if err != nil {
		return nil, 0, err
	}
	scene, triangles := &render.Scene{}, int64(0)
	for i, p := range parts {
		scene.Materials = append(scene.Materials, render.Material{Color: [4]float32{1, 1, 1, 1}, Texture: p.Texture, Roughness: 1, Unlit: true})
		scene.Meshes = append(scene.Meshes, &render.Mesh{Positions: p.Positions, UVs: p.UV, Indices: p.Triangles, Material: i})
		triangles += int64(len(p.Triangles) / 3)
	}
	return scene, triangles, nil
}
