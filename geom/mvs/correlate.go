package mvs

import "math"

// The window: 7 × 7 samples, two pixels apart on the finest size, where texture is
// plenty; one apart on the others.
const (
	windowSamples = 7
	windowRadius  = windowSamples / 2
	samples       = windowSamples * windowSamples
)

// worst is the cost of what cannot be compared.
const worst = 2

// window is what is around a pixel of the view: brightness, weights, and sums over
// them.
type window struct {
	step float32
	// radius in pixels.
	radius  int
	value   [samples]float32 // brightness times weight
	weight  [samples]float32
	sum     float32 // of weights
	mean    float32
	vari    float32
	offsets [samples]int32 // into the picture
	spatial [samples]float32
}

// newWindow prepares windows of samples step pixels apart on pictures of the width.
func newWindow(step, width int) *window {
	w := &window{step: float32(step), radius: step * windowRadius}
	sigma := float32(w.radius)
	for j := range windowSamples {
		for i := range windowSamples {
			dx, dy := (i-windowRadius)*step, (j-windowRadius)*step
			k := j*windowSamples + i
			w.offsets[k] = int32(dy*width + dx)
			w.spatial[k] = float32(dx*dx+dy*dy) / (2 * sigma * sigma)
		}
	}
	return w
}

// The weight of a sample falls with its difference in brightness to the middle: what
// differs is likely another surface. In levels of 255.
const colorSigma = 25

// load fills the window around pixel (x, y), which lies at least radius pixels inside.
// It returns false where there is no texture to compare.
func (w *window) load(p *picture, x, y int) bool {
	at := y*p.w + x
	middle := p.pix[at]
	var sum, s1, s2 float32
	for k, off := range w.offsets {
		v := p.pix[at+int(off)]
		d := (v - middle) * (1 / float32(colorSigma))
		g := fastExp(-(w.spatial[k] + 0.5*d*d))
		w.weight[k] = g
		w.value[k] = g * v
		sum += g
		s1 += g * v
		s2 += g * v * v
	}
	w.sum = sum
	inv := 1 / sum
	w.mean = s1 * inv
	w.vari = s2*inv - w.mean*w.mean
	return w.vari > 1 // a standard deviation of one level
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
// weighted correlation. (ax, ay, az) is A·ray of the pixel. The perspective map is
// replaced by its linear part at the pixel, which over a few pixels differs little.
func (w *window) cost(rel *relation, l *lens, p *plane, rx, ry, ax, ay, az float32) float32 {
	inv := 1 / p.depth
	q0, q1, q2 := ax+rel.b[0]*inv, ay+rel.b[1]*inv, az+rel.b[2]*inv
	if q2 < 1e-6 {
		return worst
	}
	iz := 1 / q2
	u, v := q0*iz, q1*iz
	// The plane: n·X = δ; 1/depth of a ray is n·ray/δ.
	delta := (p.n[0]*rx + p.n[1]*ry + p.n[2]) * p.depth
	gx, gy := p.n[0]/delta, p.n[1]/delta
	sx, sy := l.invFx*w.step, l.invFy*w.step
	dux := (rel.a[0] + rel.b[0]*gx) * sx
	dvx := (rel.a[3] + rel.b[1]*gx) * sx
	dwx := (rel.a[6] + rel.b[2]*gx) * sx
	duy := (rel.a[1] + rel.b[0]*gy) * sy
	dvy := (rel.a[4] + rel.b[1]*gy) * sy
	dwy := (rel.a[7] + rel.b[2]*gy) * sy
	dux, dvx = (dux-u*dwx)*iz, (dvx-v*dwx)*iz
	duy, dvy = (duy-u*dwy)*iz, (dvy-v*dwy)*iz
	// Where the middles of pixels lie at whole numbers.
	u -= 0.5
	v -= 0.5
	ex := windowRadius * (abs32(dux) + abs32(duy))
	ey := windowRadius * (abs32(dvx) + abs32(dvy))
	// Also false for what is not a number. A window that grows or shrinks much says
	// nothing.
	if !(u-ex >= 0 && v-ey >= 0 && u+ex < rel.w-1 && v+ey < rel.h-1) || ex > 6*float32(w.radius) || ey > 6*float32(w.radius) {
		return worst
	}
	return w.correlate(rel.pic, u, v, dux, dvx, duy, dvy)
}

func (w *window) correlate(p *picture, u, v, dux, dvx, duy, dvy float32) float32 {
	width := p.w
	pix := p.pix
	var s1, s2, sr float32
	u -= windowRadius * (dux + duy)
	v -= windowRadius * (dvx + dvy)
	k := 0
	for range windowSamples {
		x, y := u, v
		values, weights := w.value[k:k+windowSamples], w.weight[k:k+windowSamples]
		for i := range windowSamples {
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
		k += windowSamples
	}
	inv := 1 / w.sum
	mean := s1 * inv
	vari := s2*inv - mean*mean
	if vari < 0.5 {
		return worst
	}
	covar := sr*inv - mean*w.mean
	c := 1 - covar/float32(math.Sqrt(float64(vari*w.vari)))
	return min(max(c, 0), worst)
}

func abs32(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }
