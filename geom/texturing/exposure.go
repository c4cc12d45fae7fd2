package texturing

import "math"

// tone is how the photos were exposed: factors for the colours of each view, and how
// they get darker towards the corners, for each kind of camera.
type tone struct {
	lenses []lens
	gain   [][3]float64 // logarithms
	group  []int        // kind of camera, by view
	fall   [][2]float64 // of the group: factors of r² and r⁴ in the logarithm
}

// strongest bounds corrections: a factor of 2.
var strongest = math.Ln2

// at returns the factors for a pixel.
func (t *tone) at(view int, x, y float64) [3]float32 {
	r := t.lenses[view].radius(x, y)
	v := t.vignette(t.group[view], r)
	var out [3]float32
	for k := range 3 {
		out[k] = float32(math.Exp(min(max(t.gain[view][k]+v, -strongest), strongest)))
	}
	return out
}

func (t *tone) vignette(group int, r float64) float64 {
	r2 := r * r
	return t.fall[group][0]*r2 + t.fall[group][1]*r2*r2
}

// pair is a triangle that two views show.
type pair struct {
	a, b   uint16
	ra, rb float32    // radii
	ratio  [3]float32 // logarithm of b's colours over a's
}

const (
	// fewPairs and pairsAView bound how many pairs there are.
	fewPairs, pairsAView = 80_000, 200
	// dark and light bound the colours that tell of exposure.
	dark, light = 12, 243
	// rough is the difference of logarithms from which a pair counts little.
	rough = 0.06
)

// expose finds gains and vignetting by least squares over what views have in common,
// made robust by weights from the residuals of the round before.
func (t *texturer) expose() error {
	t.tone = &tone{gain: make([][3]float64, len(t.views))}
	groups := map[[4]float64]int{}
	for _, v := range t.views {
		l := lensOf(v, 1)
		t.tone.lenses = append(t.tone.lenses, l)
		key := [4]float64{float64(l.w), float64(l.h), math.Round(l.fx), math.Round(l.fy)}
		if _, ok := groups[key]; !ok {
			groups[key] = len(groups)
		}
		t.tone.group = append(t.tone.group, groups[key])
	}
	t.tone.fall = make([][2]float64, len(groups))
	pairs := t.pairs()
	if len(pairs) == 0 || t.o.noExposure {
		return nil
	}
	weights := make([]float32, len(pairs))
	for i := range weights {
		weights[i] = 1
	}
	x := make([]float32, 3*(len(t.views)+2*len(groups)))
	for range 6 {
		if err := t.balance(pairs, weights, x); err != nil {
			return err
		}
		for i := range pairs {
			e := t.tone.residue(&pairs[i])
			d := float64(max(abs32(e[0]), abs32(e[1]), abs32(e[2]))) / rough
			weights[i] = float32(1 / (1 + d*d))
		}
	}
	return nil
}

func (t *tone) residue(p *pair) (e [3]float32) {
	v := t.vignette(t.group[p.b], float64(p.rb)) - t.vignette(t.group[p.a], float64(p.ra))
	for k := range 3 {
		e[k] = p.ratio[k] + float32(t.gain[p.b][k]-t.gain[p.a][k]+v)
	}
	return e
}

// pairs gathers triangles seen by two views, of all alike, as many as are enough.
func (t *texturer) pairs() []pair {
	total := 0
	for _, n := range t.sights.count {
		total += int(n) * (int(n) - 1) / 2
	}
	enough := fewPairs + pairsAView*len(t.views)
	step := max(1, (total+enough-1)/enough)
	var list []pair
	at := 0
	for f := range t.mesh.area {
		s := t.sights.of(f)
		for i := range s {
			for j := range i {
				at++
				if at%step != 0 || s[i].trust != whole || s[j].trust != whole {
					continue
				}
				if p, ok := t.pair(f, &s[i], &s[j]); ok {
					list = append(list, p)
				}
			}
		}
	}
	return list
}

func (t *texturer) pair(f int, a, b *sight) (p pair, ok bool) {
	for k := range 3 {
		if min(a.color[k], b.color[k]) < dark || max(a.color[k], b.color[k]) > light {
			return p, false
		}
		p.ratio[k] = float32(math.Log(float64(b.color[k]) / float64(a.color[k])))
	}
	p.a, p.b = a.view, b.view
	m := t.mesh.middle(f)
	radius := func(view uint16) float32 {
		l := &t.tone.lenses[view]
		s := l.project(m)
		return float32(l.radius(float64(s.x), float64(s.y)))
	}
	p.ra, p.rb = radius(a.view), radius(b.view)
	return p, true
}

// balance solves for gains and vignetting, three columns for the channels; x is the
// solution before, and after.
func (t *texturer) balance(pairs []pair, weights, x []float32) error {
	views, groups := len(t.views), len(t.tone.fall)
	n := views + 2*groups
	terms := func(p *pair) (at [6]int, c [6]float32) {
		a2, b2 := p.ra*p.ra, p.rb*p.rb
		ga, gb := views+2*t.tone.group[p.a], views+2*t.tone.group[p.b]
		return [6]int{int(p.b), int(p.a), gb, gb + 1, ga, ga + 1}, [6]float32{1, -1, b2, b2 * b2, -a2, -a2 * a2}
	}
	// Without a weak pull to nothing, a factor for all photos would be free.
	held := 1e-3 * float32(len(pairs)) / float32(views)
	diagonal, b := make([]float32, n), make([]float32, 3*n)
	for i := range diagonal {
		diagonal[i] = held
	}
	for i := range pairs {
		at, c := terms(&pairs[i])
		for j, u := range at {
			diagonal[u] += weights[i] * c[j] * c[j]
			for k := range 3 {
				b[3*u+k] -= weights[i] * c[j] * pairs[i].ratio[k]
			}
		}
	}
	times := func(out, x []float32) error {
		for i := range out {
			out[i] = held * x[i]
		}
		for i := range pairs {
			at, c := terms(&pairs[i])
			for k := range 3 {
				sum := float32(0)
				for j, u := range at {
					sum += c[j] * x[3*u+k]
				}
				sum *= weights[i]
				for j, u := range at {
					out[3*u+k] += c[j] * sum
				}
			}
		}
		return t.ctx.Err()
	}
	if err := t.conjugate(3, times, diagonal, b, x, 1e-3, 40); err != nil {
		return err
	}
	for g := range groups { // light falls off alike in all channels
		for k := range 2 {
			u := 3 * (views + 2*g + k)
			t.tone.fall[g][k] = float64(x[u]+x[u+1]+x[u+2]) / 3
		}
	}
	for v := range views {
		for k := range 3 {
			t.tone.gain[v][k] = min(max(float64(x[3*v+k]), -strongest), strongest)
		}
	}
	return nil
}

func abs32(x float32) float32 { return max(x, -x) }
