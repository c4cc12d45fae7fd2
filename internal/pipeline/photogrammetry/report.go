package photogrammetry

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/pipeline/photogrammetry/report"
)

const (
	reportName  = "report.html"
	camerasName = "cameras.json"
)

// runReport says how good it all is: report.html, report.json, cameras.json with the
// photos made smaller, and the model as text of COLMAP.
func runReport(ctx context.Context, s *pipeline.Context) error {
	model, err := colmap.ReadBinary(s.Product(productSparse))
	if err != nil {
		return fmt.Errorf("read model: %w", err)
	}
	r := &reporter{s: s, model: model}
	for name, v := range map[string]any{productPhotos: &r.photos, productMapping: &r.mapping, productFrame: &r.frame} {
		if err := readJSON(s.Product(name), v); err != nil {
			return err
		}
	}
	d, err := r.data(ctx)
	if err != nil {
		return err
	}
	if err := report.Write(filepath.Dir(s.OutputPath(reportName)), d); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := r.cameras(ctx, d.Frame); err != nil {
		return fmt.Errorf("write cameras: %w", err)
	}
	s.Publish(job.Output{Type: job.TypeReport, Path: reportName})
	s.Publish(job.Output{Type: job.TypeCameras, Path: camerasName})
	return nil
}

type reporter struct {
	s       *pipeline.Context
	model   *colmap.Model
	photos  Photos
	mapping Mapping
	frame   Frame
}

func (r *reporter) data(ctx context.Context) (*report.Data, error) {
	d, err := report.FromModel(r.model, r.sources(), r.priors())
	if err != nil {
		return nil, err
	}
	f := &r.frame
	d.Title, d.Program, d.Created = r.s.Name(), generator, time.Now().UTC()
	d.Frame = report.Frame{
		Georeferenced: f.Georeferenced, From: f.From, ScaleFrom: f.ScaleFrom, CRS: f.CRS, EPSG: f.EPSG, Offset: f.Offset,
		UnitMetres: f.UnitMetres, HeightUnitMetres: f.HeightUnitMetres, Latitude: f.Latitude, Longitude: f.Longitude, Height: f.Height,
	}
	d.GPS, d.GCP, d.Check = residuals(f.GPS), residuals(f.GCP), residuals(f.Check)
	for _, st := range r.s.Before() {
		d.Stages = append(d.Stages, report.Stage(st))
	}
	d.Warnings = append(d.Warnings, r.photos.Warnings...)
	if r.s.Has(productDense) {
		d.DensePoints = densePoints(r.s)
	}
	if r.s.Has(productTextured) {
		if err := r.compare(ctx, d); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// sources are the photos as the report wants them, with what became of each.
func (r *reporter) sources() []report.SourcePhoto {
	why := map[string]string{}
	for _, u := range r.mapping.Unregistered {
		why[u.Name] = u.Reason
	}
	list := make([]report.SourcePhoto, len(r.photos.Photos))
	for i := range r.photos.Photos {
		p := &r.photos.Photos[i]
		list[i] = report.SourcePhoto{Name: p.Name, Label: p.File, Reason: why[p.Name], Sharpness: p.Look.Sharpness, Camera: p.Camera}
		if !p.Used() {
			list[i].Reason, list[i].Camera = p.Excluded, -1
		}
	}
	return list
}

func (r *reporter) priors() []report.SourceCamera {
	list := make([]report.SourceCamera, len(r.photos.Cameras))
	for i, c := range r.photos.Cameras {
		name := c.Make
		if name != "" && c.Model != "" {
			name += " "
		}
		list[i] = report.SourceCamera{Name: name + c.Model, Prior: c.FocalPixels, PriorFrom: c.FocalFrom}
	}
	return list
}

func residuals(r *Residuals) *report.Residuals {
	if r == nil {
		return nil
	}
	out := &report.Residuals{Used: r.Used, Mean: r.Mean, RMS: r.RMS, RMSHorizontal: r.RMSHorizontal, RMS3D: r.RMS3D}
	for _, p := range r.Points {
		out.Points = append(out.Points, report.Residual(p))
	}
	return out
}

// cameras writes the poses: as JSON, and as COLMAP's text.
func (r *reporter) cameras(ctx context.Context, f report.Frame) error {
	labels := map[string]string{}
	for i := range r.photos.Photos {
		labels[r.photos.Photos[i].Name] = r.photos.Photos[i].File
	}
	views, err := r.views(ctx)
	if err != nil {
		return err
	}
	c, err := report.Cameras(r.model, f, labels, views)
	if err != nil {
		return err
	}
	if err := writeFile(r.s.OutputPath(camerasName), func(file *os.File) error { return c.Write(file) }); err != nil {
		return err
	}
	return r.model.WriteText(filepath.Dir(r.s.OutputPath("colmap/cameras.txt")))
}
