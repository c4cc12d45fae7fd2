package mvs

import "math"

// The window: 5 × 5 samples two pixels apart, which sees as much as 9 × 9 pixels.
const (
	windowSide   = 5
	windowStep   = 2
	windowReach  = windowSide / 2
	windowRadius = windowReach * windowStep
	samples      = windowSide * windowSide
)

// worst is the cost of what cannot be compared.
const worst = 2

// noiseAt is the variance of brightness, in levels, that photos have where there is
// nothing to see. It keeps noise from correlating by chance, and is less where pixels
// are the mean of several.
func noiseAt(level int) float32 { return max(2/float32(int(1)<<level), 0.5) }

// window is what is around a pixel of the view: brightness, weights, and sums over
// them.
type window struct {
	value   [samples]float32 // brightness times weight
	weight  [samples]float32 // their sum is one
	mean    float32
	vari    float32
	noise   float32      // variance
	offsets [samples]int // into the picture
	spatial [samples]float32
}

// newWindow prepares windows on pictures of the width.
func newWindow(width, level int) *window {
	w := &window{noise: noiseAt(level)}
	const sigma = windowRadius
	for j := range windowSide {
		for i := range windowSide {
			dx, dy := (i-windowReach)*windowStep, (j-windowReach)*windowStep
			k := j*windowSide + i
			w.offsets[k] = dy*width + dx
			w.spatial[k] = float32(dx*dx+dy*dy) / (2 * sigma * sigma)
		}
	}
	return w
}

// colorSigma is the difference in brightness to the middle, in levels, at which the
// weight of a sample falls: what differs is likely another surface.
const colorSigma = 25

// load fills the window around pixel (x, y), which lies at least windowRadius pixels
// inside. It returns false where there is no texture to compare.
func (w *window) load(p *picture, x, y int) bool {
	at := y*p.w + x
	middle := p.pix[at]
	var sum, s1, s2 float32
	for k, off := range w.offsets {
		v := p.pix[at+off]
		d := (v - middle) * (1 / float32(colorSigma))
		g := fastExp(-(w.spatial[k] + 0.5*d*d))
		w.weight[k] = g
		w.value[k] = v
		sum += g
		s1 += g * v
		s2 += g * v * v
	}
	inv := 1 / sum
	w.mean = s1 * inv
	w.vari = s2*inv - w.mean*w.mean
	if !(w.vari > w.noise/2) {
		return false
	}
	for k := range w.weight {
		w.weight[k] *= inv
		w.value[k] *= w.weight[k]
	}
	return true
}

// fastExp is e to x for x ≤ 0, to some 3 % (N. Schraudolph, "A fast, compact
// approximation of the exponential function", 1999).
func fastExp(x float32) float32 {
	if x < -20 {
		return 0
	}
	return math.Float32frombits(uint32(int32(x*12102203.16) + 1064866805))
}

// cost compares the window with where plane p shows it in the source: one less the
// weighted correlation. inv is the inverse depth of the plane at the pixel, q is
// A·ray. The perspective map is replaced by its linear part at the pixel, from which
// it differs little over a few pixels.
func (w *window) cost(rel *relation, l *lens, p *plane, inv float32, q *[3]float32) float32 {
	b := &rel.b
	q2 := q[2] + b[2]*inv
	if q2 < 1e-6 {
		return worst
	}
	iz := 1 / q2
	u, v := (q[0]+b[0]*inv)*iz, (q[1]+b[1]*inv)*iz
	sx, sy := l.invFx*windowStep*iz, l.invFy*windowStep*iz
	a := &rel.a
	dwx, dwy := a[6]+b[2]*p[0], a[7]+b[2]*p[1]
	dux, duy := (a[0]+b[0]*p[0]-u*dwx)*sx, (a[1]+b[0]*p[1]-u*dwy)*sy
	dvx, dvy := (a[3]+b[1]*p[0]-v*dwx)*sx, (a[4]+b[1]*p[1]-v*dwy)*sy
	ex := windowReach * (abs32(dux) + abs32(duy))
	ey := windowReach * (abs32(dvx) + abs32(dvy))
	// Samples are between the middles of pixels. The comparison is also false for what
	// is not a number. A window that grows or shrinks much says nothing.
	u -= 0.5
	v -= 0.5
	const slack = 1.0 / 16 // for rounding
	const most, least = 4 * windowStep * windowStep, 0.2 * windowStep * windowStep
	if !(u-ex >= slack && v-ey >= slack && u+ex <= rel.w-1-slack && v+ey <= rel.h-1-slack) || ex+ey > 8*windowRadius {
		return worst
	}
	if area := abs32(dux*dvy - duy*dvx); area > most || area < least {
		return worst
	}
	return w.correlate(rel.pic, u, v, dux, dvx, duy, dvy)
}

func (w *window) correlate(p *picture, u, v, dux, dvx, duy, dvy float32) float32 {
	width := p.w
	pix := p.pix
	var s1, s2, sr float32
	u -= windowReach * (dux + duy)
	v -= windowReach * (dvx + dvy)
	for k := 0; k < samples; k += windowSide {
		x, y := u, v
		values, weights := w.value[k:k+windowSide], w.weight[k:k+windowSide]
		for i := range windowSide {
			ix, iy := int32(x), int32(y)
			fx, fy := x-float32(ix), y-float32(iy)
			at := int(iy)*width + int(ix)
			top := pix[at : at+2 : at+2]
			low := pix[at+width : at+width+2 : at+width+2]
			a := top[0] + fx*(top[1]-top[0])
			b := low[0] + fx*(low[1]-low[0])
			s := a + fy*(b-a)
			ws := weights[i] * s
			s1 += ws
			s2 += ws * s
			sr += values[i] * s
			x += dux
			y += dvx
		}
		u += duy
		v += dvy
	}
	vari := s2 - s1*s1
	covar := sr - s1*w.mean
	c := 1 - covar/sqrt32((max(vari, 0)+w.noise)*(w.vari+w.noise))
	return min(max(c, 0), worst)
}
