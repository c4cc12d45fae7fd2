package align

import (
	"math"
	"slices"
)

func middle(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// rounds of reweighting; each solves the linearised problem once.
const rounds = 50

// refine runs Gauss-Newton over scale (as its logarithm), rotation (as a small turn
// after the one there is) and shift. Shifts are about the middle of the points, where
// they do not mix with turns.
func refine(s Similarity, list []Measurement, o Options, spread float64) Similarity {
	for range rounds {
		var normal [7][8]float64 // the last column is the right side
		pivot := pivotOf(s, list)
		for i := range list {
			list[i].accumulate(&normal, &s, pivot, spread)
		}
		if o.known() {
			accumulateUp(&normal, &s, o)
		}
		step, ok := solve(&normal)
		if !ok {
			return s
		}
		s = s.moved(step, pivot)
		if biggest(step) < 1e-12*(1+math.Abs(pivot[0])+math.Abs(pivot[1])) {
			break
		}
	}
	return s
}

func biggest(step [7]float64) (m float64) {
	for _, v := range step {
		m = max(m, math.Abs(v))
	}
	return m
}

func pivotOf(s Similarity, list []Measurement) (p [3]float64) {
	for i := range list {
		y := s.Apply(list[i].From)
		for k := range 3 {
			p[k] += y[k] / float64(len(list))
		}
	}
	return p
}

// moved applies a step: logarithm of scale, turn, shift, all about the pivot.
func (s Similarity) moved(step [7]float64, pivot [3]float64) Similarity {
	turn := [3]float64{step[1], step[2], step[3]}
	angle := math.Sqrt(dot(turn, turn))
	d := Similarity{Scale: math.Exp(step[0]), R: Identity().R}
	if angle > 0 {
		d.R = rotation(unit(turn), angle)
	}
	moved := d.Rotate(pivot)
	for k := range 3 {
		d.T[k] = pivot[k] - d.Scale*moved[k] + step[4+k]
	}
	return s.Then(d)
}

// accumulate adds the equations of a measurement, weighted by its deviations and by
// Huber's loss.
func (m *Measurement) accumulate(normal *[7][8]float64, s *Similarity, pivot [3]float64, spread float64) {
	y := s.Apply(m.From)
	d := [3]float64{m.To[0] - y[0], m.To[1] - y[1], m.To[2] - y[2]}
	weight := 1.0
	if far := math.Sqrt(m.squares(d)) / spread; far > huber {
		weight = huber / far
	}
	a := [3]float64{y[0] - pivot[0], y[1] - pivot[1], y[2] - pivot[2]}
	rows := [3][7]float64{ // d y / d(scale, turn, shift); turn × a
		{a[0], 0, a[2], -a[1], 1, 0, 0},
		{a[1], -a[2], 0, a[0], 0, 1, 0},
		{a[2], a[1], -a[0], 0, 0, 0, 1},
	}
	for k, row := range rows {
		sigma := m.Horizontal
		if k == 2 {
			if sigma = m.Vertical; sigma == 0 {
				continue
			}
		}
		add(normal, row, d[k], weight/(sigma*sigma*spread*spread))
	}
}

// accumulateUp adds that the image of Up is vertical, within its deviation.
func accumulateUp(normal *[7][8]float64, s *Similarity, o Options) {
	up := s.Rotate(unit(o.Up))
	w := 1 / (o.UpDeviation * o.UpDeviation)
	// up + turn × up = z, in x and y.
	add(normal, [7]float64{0, 0, up[2], -up[1]}, -up[0], w)
	add(normal, [7]float64{0, -up[2], 0, up[0]}, -up[1], w)
}

func add(normal *[7][8]float64, row [7]float64, right, weight float64) {
	for i := range 7 {
		for j := range 7 {
			normal[i][j] += weight * row[i] * row[j]
		}
		normal[i][7] += weight * row[i] * right
	}
}

// solve solves the equations by elimination with pivots; unknowns that nothing fixes
// stay as they are.
func solve(m *[7][8]float64) (x [7]float64, ok bool) {
	var scale [7]float64 // unknowns in units of their own
	for i := range 7 {
		scale[i] = 1
		if m[i][i] > 0 {
			scale[i] = 1 / math.Sqrt(m[i][i])
		}
	}
	for i := range 7 {
		for j := range 7 {
			m[i][j] *= scale[i] * scale[j]
		}
		m[i][7] *= scale[i]
		m[i][i] += 1e-12
	}
	for c := range 7 {
		p := c
		for r := c + 1; r < 7; r++ {
			if math.Abs(m[r][c]) > math.Abs(m[p][c]) {
				p = r
			}
		}
		m[c], m[p] = m[p], m[c]
		if !(math.Abs(m[c][c]) > 1e-18) {
			return x, false
		}
		for r := c + 1; r < 7; r++ {
			f := m[r][c] / m[c][c]
			for k := c; k < 8; k++ {
				m[r][k] -= f * m[c][k]
			}
		}
	}
	for i := 6; i >= 0; i-- {
		v := m[i][7]
		for k := i + 1; k < 7; k++ {
			v -= m[i][k] * x[k]
		}
		x[i] = v / m[i][i]
	}
	for i := range x {
		x[i] *= scale[i]
		if math.IsNaN(x[i]) || math.IsInf(x[i], 0) {
			return x, false
		}
	}
	return x, true
}
