package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"math"

	"slate360.ai/worker/geom/camera"
)

// plan takes places to a map: east right, north up.
type plan struct {
	west, north, scale float64 // pixels of the map a metre
	width, height      float64
	margin             float64
}

const mapWidth = 720.0

// newPlan fits all photos, and the overlap where there is one.
func newPlan(data *Data) (*plan, bool) {
	west, east, south, north := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	add := func(x, y float64) {
		west, east, south, north = min(west, x), max(east, x), min(south, y), max(north, y)
	}
	for _, p := range data.Photos {
		if p.Position != nil {
			add(p.Position[0], p.Position[1])
		}
	}
	if o := data.Overlap; o != nil {
		add(o.West, o.North)
		add(o.West+float64(o.Cols)*o.Cell, o.North-float64(o.Rows)*o.Cell)
	}
	side := max(east-west, north-south)
	if !(side > 0) || math.IsInf(side, 0) {
		return nil, false
	}
	p := &plan{west: west, north: north, margin: 24}
	// A long strip is not made thinner than a third.
	p.scale = min((mapWidth-2*p.margin)/(east-west), 1.2*mapWidth/max(north-south, 1e-9))
	p.width = mapWidth
	p.margin = max(p.margin, (mapWidth-(east-west)*p.scale)/2)
	p.height = (north-south)*p.scale + 48
	return p, true
}

func (p *plan) at(x, y float64) (u, v float64) {
	return p.margin + (x-p.west)*p.scale, 24 + (p.north-y)*p.scale
}

// ruler draws a scale and where north is.
func (p *plan) ruler(d *drawing, f *Frame) {
	length := round(.12 * p.width / p.scale)
	x, y := p.width-20-length*p.scale, p.height-10
	d.rect(x-6, y-20, length*p.scale+12, 26, "plate", "")
	d.line(x, y, x+length*p.scale, y, "ruler")
	unit := " m"
	if !f.scaled() {
		unit = " units"
	}
	d.text(x+length*p.scale/2, y-5, "middle", "tick", tick(length, length)+unit)
	if f.Georeferenced {
		d.path([][2]float64{{20, 34}, {20, 10}, {16, 18}, {20, 10}, {24, 18}}, "north")
		d.text(20, 47, "middle", "tick", "N")
	}
}

// overlapColors are for 1, 2, 3, 4, 5 and more photos: told apart by lightness, too.
var overlapColors = []color.NRGBA{{253, 231, 200, 255}, {253, 190, 133, 255}, {158, 202, 225, 255}, {107, 174, 214, 255}, {49, 130, 189, 255}, {8, 81, 156, 255}}

const overlapMost = 6

// photoMap shows where photos were taken, over the overlap where there is one.
func photoMap(data *Data) (template.HTML, error) {
	p, ok := newPlan(data)
	if !ok {
		return "", nil
	}
	d := newDrawing(p.width, p.height, fmt.Sprintf("Map of %d photos", len(data.Photos)))
	if o := data.Overlap; o != nil {
		uri, err := heat(o)
		if err != nil {
			return "", err
		}
		u, v := p.at(o.West, o.North)
		fmt.Fprintf(&d.b, `<image x="%s" y="%s" width="%s" height="%s" preserveAspectRatio="none" href="%s"/>`, num(u), num(v), num(float64(o.Cols)*o.Cell*p.scale), num(float64(o.Rows)*o.Cell*p.scale), uri)
	}
	var way [][2]float64
	for _, photo := range data.Photos {
		if photo.Position != nil {
			u, v := p.at(photo.Position[0], photo.Position[1])
			way = append(way, [2]float64{u, v})
		}
	}
	d.path(way, "way")
	for _, photo := range data.Photos {
		if photo.Position == nil {
			continue
		}
		u, v := p.at(photo.Position[0], photo.Position[1])
		if !photo.Registered {
			d.path([][2]float64{{u - 5, v - 5}, {u + 5, v + 5}}, "lost")
			d.path([][2]float64{{u - 5, v + 5}, {u + 5, v - 5}}, "lost")
			d.circle(u, v, 6, "hit", photo.Name+": "+photo.Reason)
			continue
		}
		if look := photo.Direction; look != nil && math.Hypot(look[0], look[1]) > .2 {
			d.line(u, v, u+16*look[0], v-16*look[1], "look")
		}
		d.circle(u, v, 4, "photo", fmt.Sprintf("%s: %d points, %.2f pixels", photo.Name, photo.Points, photo.Error))
	}
	p.ruler(d, &data.Frame)
	return d.html(), nil
}

// heat is the overlap as a PNG, transparent where no photo sees the ground.
func heat(o *Overlap) (string, error) {
	img := image.NewNRGBA(image.Rect(0, 0, o.Cols, o.Rows))
	for i, n := range o.Counts {
		if n > 0 {
			img.SetNRGBA(i%o.Cols, i/o.Cols, overlapColors[min(n, overlapMost)-1])
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return "", fmt.Errorf("draw overlap: %w", err)
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// mostPairs is how many lines a graph can show.
const mostPairs = 3000

// pairGraph joins photos that share points; the more the darker.
func pairGraph(data *Data) template.HTML {
	p, ok := newPlan(&Data{Photos: data.Photos})
	if !ok || len(data.Pairs) == 0 {
		return ""
	}
	d := newDrawing(p.width, p.height, fmt.Sprintf("Graph of %d pairs of photos that share points", len(data.Pairs)))
	most := float64(max(1, data.Pairs[0].Shared))
	shown := data.Pairs[:min(len(data.Pairs), mostPairs)]
	for i := len(shown) - 1; i >= 0; i-- { // strong ones on top
		q := shown[i]
		a, b := data.Photos[q.A].Position, data.Photos[q.B].Position
		if a == nil || b == nil {
			continue
		}
		x1, y1 := p.at(a[0], a[1])
		x2, y2 := p.at(b[0], b[1])
		k := math.Sqrt(float64(q.Shared) / most)
		fmt.Fprintf(&d.b, `<line x1="%s" y1="%s" x2="%s" y2="%s" class="pair" stroke-opacity="%s" stroke-width="%s"><title>`, num(x1), num(y1), num(x2), num(y2), num(.08+.85*k), num(.6+2.2*k))
		template.HTMLEscape(&d.b, []byte(fmt.Sprintf("%s, %s: %d", data.Photos[q.A].Name, data.Photos[q.B].Name, q.Shared)))
		d.b.WriteString("</title></line>")
	}
	for _, photo := range data.Photos {
		if photo.Position != nil && photo.Registered {
			u, v := p.at(photo.Position[0], photo.Position[1])
			d.circle(u, v, 3.5, "photo", photo.Name)
		}
	}
	p.ruler(d, &data.Frame)
	return d.html()
}

// distortionPlot shows where a lens without distortion would show the lines of a grid on
// the photo, drawn farther off than they are where that is little.
func distortionPlot(c *Camera) (plot template.HTML, exaggerate float64) {
	k := c.inner()
	if k.Check() != nil || !k.Distorted() {
		return "", 1
	}
	const w, margin = 360.0, 34.0
	scale := (w - 2*margin) / float64(c.Width)
	h := float64(c.Height)*scale + 2*margin
	exaggerate = 1
	if c.Displacement > 0 {
		exaggerate = max(1, math.Floor(margin/scale/c.Displacement))
	}
	d := newDrawing(w, h, fmt.Sprintf("Distortion of %s, drawn %.0f times as large", c.Name, exaggerate))
	d.rect(margin, margin, float64(c.Width)*scale, float64(c.Height)*scale, "frame", "")
	straight := k.Undistorted()
	move := func(x, y float64) [2]float64 {
		u, v := straight.Pixel(k.Direction(x, y)) // where it would be without
		return [2]float64{margin + (x+(u-x)*exaggerate)*scale, margin + (y+(v-y)*exaggerate)*scale}
	}
	const lines, steps = 8, 32
	for i := range lines + 1 {
		var across, down [][2]float64
		for s := range steps + 1 {
			a, b := float64(i)/lines, float64(s)/steps
			across = append(across, move(b*float64(c.Width), a*float64(c.Height)))
			down = append(down, move(a*float64(c.Width), b*float64(c.Height)))
		}
		d.path(across, "lens")
		d.path(down, "lens")
	}
	return d.html(), exaggerate
}

func (c *Camera) inner() camera.Camera {
	k := camera.Camera{Model: camera.Model(c.Model), Width: c.Width, Height: c.Height}
	for _, p := range c.Parameters {
		k.Params = append(k.Params, p.Value)
	}
	return k
}

// residualPlot shows residuals from above, with circles at one and two times their root
// mean square.
func residualPlot(title string, r *Residuals) template.HTML {
	const size, middle = 320.0, 160.0
	reach := r.RMSHorizontal
	for _, p := range r.Points {
		if p.Fits {
			reach = max(reach, math.Hypot(p.Delta[0], p.Delta[1]))
		}
	}
	if !(reach > 0) {
		return ""
	}
	d := newDrawing(size, size, title)
	scale := (middle - 22) / reach
	d.line(10, middle, size-10, middle, "grid")
	d.line(middle, 10, middle, size-10, "grid")
	d.circle(middle, middle, r.RMSHorizontal*scale, "ring", "root mean square")
	if 2*r.RMSHorizontal < reach*1.1 {
		d.circle(middle, middle, 2*r.RMSHorizontal*scale, "ring", "twice the root mean square")
	}
	for _, p := range r.Points {
		class := "photo"
		if !p.Fits {
			class = "outlier"
			if math.Hypot(p.Delta[0], p.Delta[1]) > reach {
				continue
			}
		}
		d.circle(middle+p.Delta[0]*scale, middle-p.Delta[1]*scale, 3.5, class, fmt.Sprintf("%s: %.3f east, %.3f north, %.3f up", p.Name, p.Delta[0], p.Delta[1], p.Delta[2]))
	}
	length := round(reach / 3)
	d.line(12, size-8, 12+length*scale, size-8, "ruler")
	d.text(12, size-13, "start", "tick", tick(length, length)+" m")
	d.text(middle+4, 18, "start", "tick", "north")
	d.text(size-12, middle-5, "end", "tick", "east")
	return d.html()
}

// stageBars shows how long each stage took.
func stageBars(stages []Stage) template.HTML {
	if len(stages) == 0 {
		return ""
	}
	const w, left, row = 720.0, 170.0, 24.0
	d := newDrawing(w, row*float64(len(stages))+8, "Time of each stage")
	longest := 1e-9
	for _, s := range stages {
		longest = max(longest, s.Seconds)
	}
	for i, s := range stages {
		y := 4 + row*float64(i)
		d.text(left-8, y+16, "end", "tick", s.Name)
		d.rect(left, y+4, max(1, (w-left-90)*s.Seconds/longest), row-8, "bar", "")
		d.text(left+max(1, (w-left-90)*s.Seconds/longest)+6, y+16, "start", "tick", seconds(s.Seconds))
	}
	return d.html()
}
