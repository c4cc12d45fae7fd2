package report

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"slate360.ai/worker/internal/format"
)

//go:embed page.html
var pageText string

// mostRows is how many rows a table of photos or points has; all are in report.json.
const mostRows = 1000

// Write writes report.html and report.json into an existing folder.
func Write(dir string, d *Data) error {
	b, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "report.json"), append(b, '\n'), 0o666); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	page, err := HTML(d)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "report.html"), page, 0o666); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// page is what the template sees.
type page struct {
	*Data
	Figures                                []figure
	Map, Graph, ErrorBars, TrackBars, Time template.HTML
	Lenses                                 []lens
	Placing                                []placing
	Rows                                   []Photo
	Lost                                   []Photo
	CutRows, CutPairs                      int
	Pictures                               []picture
	Legend                                 []key
	Coordinates                            [][2]string
	Scaled                                 bool
}

// figure is one of the large numbers at the top.
type figure struct{ Name, Value, Note string }

type lens struct {
	Camera
	Plot       template.HTML
	Exaggerate float64
}

// placing is a kind of residuals.
type placing struct {
	*Residuals
	Name, What string
	Plot       template.HTML
	Rows       []Residual
	Cut        int
	Pixels     bool
}

type picture struct {
	Title string
	URI   template.URL
}

// key is an entry of the legend of overlap.
type key struct {
	Color template.CSS
	Text  string
}

// HTML returns the report as one page that refers to nothing outside.
func HTML(d *Data) ([]byte, error) {
	t, err := template.New("report").Funcs(template.FuncMap{
		"count": func(n int) string { return format.Count(int64(n)) }, "fixed": fixed, "seconds": seconds, "bytes": format.Bytes,
		"metres": metres, "parameter": parameter,
	}).Parse(pageText)
	if err != nil {
		return nil, fmt.Errorf("write report: %w", err)
	}
	p, err := newPage(d)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("write report: %w", err)
	}
	return b.Bytes(), nil
}

func newPage(d *Data) (*page, error) {
	p := &page{Data: d, Figures: figures(d), Graph: pairGraph(d), Time: stageBars(d.Stages), Coordinates: coordinates(&d.Frame), Scaled: d.Frame.scaled()}
	var err error
	if p.Map, err = photoMap(d); err != nil {
		return nil, err
	}
	p.ErrorBars = bars("Distances of reprojection", "distance in pixels", d.Reprojection.Counts, func(i int) string { return tick(float64(i)*d.Reprojection.Step, d.Reprojection.Step) }, 5)
	p.TrackBars = bars("Photos that see a point", "photos that see a point", d.Tracks.Counts, func(i int) string {
		if i == len(d.Tracks.Counts)-1 {
			return strconv.Itoa(i+2) + "+"
		}
		return strconv.Itoa(i + 2)
	}, 2)
	for i := range d.Cameras {
		plot, exaggerate := distortionPlot(&d.Cameras[i])
		p.Lenses = append(p.Lenses, lens{d.Cameras[i], plot, exaggerate})
	}
	p.place("Positions of cameras", "Measured by the drone or camera (GPS), less the model", d.GPS)
	p.place("Ground control points", "Measured on the ground, less the model", d.GCP)
	p.place("Check points", "Measured on the ground, not used to place the model", d.Check)
	for _, photo := range d.Photos {
		if !photo.Registered {
			p.Lost = append(p.Lost, photo)
		}
	}
	p.Rows = d.Photos[:min(len(d.Photos), mostRows)]
	p.CutRows, p.CutPairs = len(d.Photos)-len(p.Rows), max(0, len(d.Pairs)-mostPairs)
	for _, v := range d.Previews {
		if !slices.Contains([]string{"image/png", "image/jpeg", "image/webp"}, v.Type) {
			return nil, fmt.Errorf("write report: a preview of type %q", v.Type)
		}
		p.Pictures = append(p.Pictures, picture{v.Title, template.URL("data:" + v.Type + ";base64," + base64.StdEncoding.EncodeToString(v.Bytes))}) // type is one of the above
	}
	if d.Overlap != nil {
		for i, c := range overlapColors {
			text := strconv.Itoa(i + 1)
			if i == len(overlapColors)-1 {
				text += "+"
			}
			p.Legend = append(p.Legend, key{template.CSS(fmt.Sprintf("background:#%02x%02x%02x", c.R, c.G, c.B)), text}) // numbers only
		}
	}
	return p, nil
}

func (p *page) place(name, what string, r *Residuals) {
	if r == nil || len(r.Points) == 0 {
		return
	}
	k := placing{Residuals: r, Name: name, What: what, Plot: residualPlot(name, r), Rows: r.Points[:min(len(r.Points), mostRows)]}
	k.Cut = len(r.Points) - len(k.Rows)
	k.Pixels = slices.ContainsFunc(r.Points, func(p Residual) bool { return p.Photos > 0 })
	p.Placing = append(p.Placing, k)
}

// figures are what a reader looks for first.
func figures(d *Data) []figure {
	registered, total := 0, 0.0
	for _, p := range d.Photos {
		if p.Registered {
			registered++
		}
	}
	for _, s := range d.Stages {
		total += s.Seconds
	}
	list := []figure{
		{"Photos in the model", fmt.Sprintf("%s of %s", format.Count(int64(registered)), format.Count(int64(len(d.Photos)))), ""},
		{"Reprojection error", fixed(d.Reprojection.Mean, 2) + " px", "mean of " + format.Count(int64(d.Reprojection.Observations)) + " sightings"},
	}
	scaled := d.Frame.scaled()
	if d.GSD > 0 && scaled {
		list = append(list, figure{"Ground sampling distance", metres(d.GSD), "width of a pixel on the surface"})
	}
	if d.Area > 0 && scaled {
		list = append(list, figure{"Area", area(d.Area), "seen by two photos or more"})
	}
	list = append(list, figure{"Tie points", format.Count(int64(d.SparsePoints)), "each seen by " + fixed(d.Tracks.Mean, 1) + " photos"})
	if d.DensePoints > 0 {
		note := ""
		if d.Area > 0 && scaled {
			note = fixed(float64(d.DensePoints)/d.Area, 0) + " a square metre"
		}
		list = append(list, figure{"Dense points", format.Count(d.DensePoints), note})
	}
	if d.Triangles > 0 {
		list = append(list, figure{"Triangles", format.Count(d.Triangles), ""})
	}
	if d.GCP != nil && d.GCP.Used > 0 {
		list = append(list, figure{"Control points", metres(d.GCP.RMS3D), "root mean square in space"})
	} else if d.GPS != nil && d.GPS.Used > 0 {
		list = append(list, figure{"GPS against the model", metres(d.GPS.RMS3D), "root mean square in space"})
	}
	if total > 0 {
		list = append(list, figure{"Time", seconds(total), "of all stages"})
	}
	return list
}

// coordinates say where the model lies.
func coordinates(f *Frame) [][2]string {
	if !f.Georeferenced {
		scale := "The scale is a guess."
		if f.ScaleFrom != "" && f.ScaleFrom != "guess" {
			scale = "The scale is from: " + f.ScaleFrom + "."
		}
		return [][2]string{{"Placed by", "nothing: the photos say no positions. The model lies level in a frame of its own. " + scale}}
	}
	name := crsName(f.CRS)
	if f.EPSG > 0 {
		name = strings.TrimSpace(name + " (EPSG:" + strconv.Itoa(f.EPSG) + ")")
	}
	return [][2]string{
		{"Placed by", f.From},
		{"Coordinate reference system", name},
		{"Origin of the local frame", fmt.Sprintf("%.3f east, %.3f north, %.3f up", f.Offset[0], f.Offset[1], f.Offset[2])},
		{"On the globe", fmt.Sprintf("%.6f° latitude, %.6f° longitude, %.1f m", f.Latitude, f.Longitude, f.Height)},
	}
}

// crsName is the first name in well-known text.
func crsName(wkt string) string {
	_, rest, _ := strings.Cut(wkt, `"`)
	name, _, _ := strings.Cut(rest, `"`)
	return name
}

func fixed(v float64, digits int) string { return strconv.FormatFloat(v, 'f', digits, 64) }

// metres are written as people say them.
func metres(v float64) string {
	switch a := math.Abs(v); {
	case a < .01:
		return fixed(v*1000, 2) + " mm"
	case a < 1:
		return fixed(v*100, 2) + " cm"
	}
	return fixed(v, 2) + " m"
}

func area(v float64) string {
	if v >= 20000 {
		return fixed(v/10000, 2) + " ha"
	}
	return fixed(v, 0) + " m²"
}

func seconds(v float64) string { return format.Seconds(v) }

// parameter of a camera: pixels with two digits, coefficients with six.
func parameter(p Parameter) string {
	if p.Name[0] == 'f' || p.Name[0] == 'c' {
		return fixed(p.Value, 2)
	}
	return fixed(p.Value, 6)
}
