package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// drawing is an SVG picture while it grows. All text that goes in is escaped.
type drawing struct {
	b             strings.Builder
	width, height float64
}

// newDrawing begins a picture that scales to its place; title says to those who cannot
// see it what it shows.
func newDrawing(width, height float64, title string) *drawing {
	d := &drawing{width: width, height: height}
	fmt.Fprintf(&d.b, `<svg viewBox="0 0 %s %s" role="img" aria-label="%s">`, num(width), num(height), html.EscapeString(title))
	return d
}

// html ends the picture.
func (d *drawing) html() template.HTML {
	return template.HTML(d.b.String() + "</svg>") // text is escaped by text, label and newDrawing
}

// num is a number with two digits at most after the point.
func num(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}

func (d *drawing) line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(&d.b, `<line x1="%s" y1="%s" x2="%s" y2="%s" class="%s"/>`, num(x1), num(y1), num(x2), num(y2), class)
}

func (d *drawing) rect(x, y, w, h float64, class, label string) {
	fmt.Fprintf(&d.b, `<rect x="%s" y="%s" width="%s" height="%s" class="%s">`, num(x), num(y), num(w), num(h), class)
	d.label(label)
	d.b.WriteString("</rect>")
}

func (d *drawing) circle(x, y, r float64, class, label string) {
	fmt.Fprintf(&d.b, `<circle cx="%s" cy="%s" r="%s" class="%s">`, num(x), num(y), num(r), class)
	d.label(label)
	d.b.WriteString("</circle>")
}

// label is what a pointer that rests on a shape sees.
func (d *drawing) label(text string) {
	if text != "" {
		fmt.Fprintf(&d.b, "<title>%s</title>", html.EscapeString(text))
	}
}

// text anchored at start, middle or end.
func (d *drawing) text(x, y float64, anchor, class, text string) {
	fmt.Fprintf(&d.b, `<text x="%s" y="%s" text-anchor="%s" class="%s">%s</text>`, num(x), num(y), anchor, class, html.EscapeString(text))
}

func (d *drawing) path(points [][2]float64, class string) {
	if len(points) < 2 {
		return
	}
	d.b.WriteString(`<path d="`)
	for i, p := range points {
		if i == 0 {
			d.b.WriteString("M")
		} else {
			d.b.WriteString("L")
		}
		d.b.WriteString(num(p[0]) + " " + num(p[1]))
	}
	fmt.Fprintf(&d.b, `" class="%s"/>`, class)
}

// ticks are round numbers from 0 or lo to hi, some n of them.
func ticks(lo, hi float64, n int) (list []float64, step float64) {
	if !(hi > lo) {
		return []float64{lo}, 1
	}
	step = round((hi - lo) / float64(n))
	for v := math.Ceil(lo/step) * step; v <= hi+step*1e-6; v += step {
		list = append(list, v)
	}
	return list, step
}

// round gives the next of 1, 2 or 5 times a power of ten.
func round(v float64) float64 {
	if !(v > 0) || math.IsInf(v, 0) {
		return 1
	}
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, k := range []float64{1, 2, 5} {
		if v <= k*p*1.0000001 {
			return k * p
		}
	}
	return 10 * p
}

// label of a tick: as many digits as the step needs.
func tick(v, step float64) string {
	digits := max(0, int(math.Ceil(-math.Log10(step)-1e-9)))
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// bars draws a histogram with an axis of numbers below and of counts at the left.
func bars(title, axis string, counts []int, name func(i int) string, every int) template.HTML {
	const w, h, left, right, top, bottom = 560.0, 240.0, 58.0, 12.0, 12.0, 44.0
	d := newDrawing(w, h, title)
	most := 1
	for _, c := range counts {
		most = max(most, c)
	}
	list, step := ticks(0, float64(most), 4)
	y := func(v float64) float64 { return h - bottom - v/float64(most)*(h-top-bottom) }
	for _, v := range list {
		d.line(left, y(v), w-right, y(v), "grid")
		d.text(left-6, y(v)+4, "end", "tick", short(v, step))
	}
	each := (w - left - right) / float64(max(1, len(counts)))
	for i, c := range counts {
		x := left + float64(i)*each
		d.rect(x+each*.08, y(float64(c)), each*.84, h-bottom-y(float64(c)), "bar", fmt.Sprintf("%s: %d", name(i), c))
		if i%every == 0 {
			d.text(x+each/2, h-bottom+16, "middle", "tick", name(i))
		}
	}
	d.line(left, h-bottom, w-right, h-bottom, "axis")
	d.text((left+w-right)/2, h-8, "middle", "axis-name", axis)
	return d.html()
}

// short writes thousands as k.
func short(v, step float64) string {
	if v >= 10000 {
		return tick(v/1000, step/1000) + " k"
	}
	return tick(v, step)
}
