package texturing

import (
	"cmp"
	"math"
	"slices"
)

const (
	// blur is how often the detail of a triangle is replaced by the mean with its
	// neighbours, so that labels do not follow single triangles.
	blur = 4
	// steps is how many halvings of the detail cost as much as the surface itself.
	steps = 4
	// worst bounds that cost.
	worst = 2
	// rounds bounds how often labels are improved.
	rounds = 12
)

// labeling is the choice of a view for each triangle. Its energy is the cost of the
// views over the area, in the unit of the surface, and the length of seams by what a
// unit of seam costs.
type labeling struct {
	t      *texturer
	labels []int32
	costs  []float32 // of sights, times area
	seam   float64
	edges  []float32 // lengths, 3 a triangle
}

// label chooses views: the best for each triangle, then moves of single triangles at
// seams and of whole regions to the view of a neighbour, as long as the energy falls.
func (t *texturer) label() error {
	l := &labeling{t: t, labels: make([]int32, len(t.mesh.area)), edges: make([]float32, len(t.mesh.triangles))}
	t.texel = t.middleTexel()
	l.seam = t.o.Seam * t.texel
	if err := l.prepare(); err != nil {
		return err
	}
	for f := range l.labels {
		l.labels[f] = -1
		best := float32(math.Inf(1))
		for i, s := range t.sights.of(f) {
			if c := l.costs[f*t.sights.most+i]; c < best {
				best, l.labels[f] = c, int32(s.view)
			}
		}
	}
	for range rounds {
		moved := l.sweep()
		moved += l.merge()
		if err := t.ctx.Err(); err != nil {
			return err
		}
		if moved == 0 {
			break
		}
	}
	t.labels = l.labels
	return nil
}

// middleTexel is the median size of pixels on the surface.
func (t *texturer) middleTexel() float64 {
	var sizes []float64
	step := max(1, len(t.mesh.area)/20_000)
	for f := 0; f < len(t.mesh.area); f += step {
		s := t.sights.of(f)
		if len(s) == 0 {
			continue
		}
		best := slices.MaxFunc(s, func(a, b sight) int { return cmp.Compare(a.worth(), b.worth()) })
		l := &t.tone.lenses[best.view]
		if p := l.project(t.mesh.middle(f)); p.w > 0 {
			sizes = append(sizes, 1/(float64(p.w)*l.fx))
		}
	}
	if len(sizes) == 0 {
		return 0
	}
	slices.Sort(sizes)
	return sizes[len(sizes)/2]
}

// prepare finds costs and lengths of edges.
func (l *labeling) prepare() error {
	t := l.t
	n, most := len(t.mesh.area), t.sights.most
	density, next := make([]float32, n*most), make([]float32, n*most)
	err := t.each(n, 1<<12, func(from, to int) {
		for f := from; f < to; f++ {
			for i, s := range t.sights.of(f) {
				density[f*most+i] = s.detail / t.mesh.area[f]
			}
			for k := range 3 {
				l.edges[3*f+k] = float32(t.mesh.edgeLength(f, k))
			}
		}
	})
	for range blur {
		if err != nil {
			return err
		}
		err = t.each(n, 1<<12, func(from, to int) {
			for f := from; f < to; f++ {
				for i := range t.sights.of(f) {
					next[f*most+i] = l.mean(density, f, i)
				}
			}
		})
		density, next = next, density
	}
	if err != nil {
		return err
	}
	l.costs = next
	return t.each(n, 1<<12, func(from, to int) {
		for f := from; f < to; f++ {
			s := t.sights.of(f)
			best := float32(0)
			for i := range s {
				best = max(best, density[f*most+i])
			}
			for i := range s {
				cost := min(math.Log2(float64(best)/float64(density[f*most+i]))/steps, worst) + s[i].trust.penalty()
				l.costs[f*most+i] = float32(cost) * t.mesh.area[f]
			}
		}
	})
}

// mean is that of a view's detail at a triangle and its neighbours, by area.
func (l *labeling) mean(density []float32, f, i int) float32 {
	m, s := l.t.mesh, &l.t.sights
	view := s.of(f)[i].view
	sum, weight := density[f*s.most+i]*m.area[f], m.area[f]
	for k := range 3 {
		g := int(m.across[3*f+k])
		if g < 0 {
			continue
		}
		for j, o := range s.of(g) {
			if o.view == view {
				sum, weight = sum+density[g*s.most+j]*m.area[g], weight+m.area[g]
				break
			}
		}
	}
	return sum / weight
}

// cost of a view at a triangle; ok is false where the view does not show it.
func (l *labeling) cost(f int, view int32) (c float64, ok bool) {
	s := &l.t.sights
	for i, o := range s.of(f) {
		if int32(o.view) == view {
			return float64(l.costs[f*s.most+i]), true
		}
	}
	return 0, false
}

// sweep moves single triangles at seams to the label of a neighbour.
func (l *labeling) sweep() (moved int) {
	for range 8 {
		n := 0
		for f, own := range l.labels {
			if own >= 0 && l.improve(f, own) {
				n++
			}
		}
		moved += n
		if n*1000 < len(l.labels) {
			break
		}
	}
	return moved
}

func (l *labeling) improve(f int, own int32) bool {
	var labels [3]int32
	at := false
	for k := range 3 {
		labels[k] = own
		if g := l.t.mesh.across[3*f+k]; g >= 0 && l.labels[g] >= 0 {
			labels[k] = l.labels[g]
		}
		at = at || labels[k] != own
	}
	if !at {
		return false
	}
	energy := func(view int32) float64 {
		c, ok := l.cost(f, view)
		if !ok {
			return math.Inf(1)
		}
		for k := range 3 {
			if g := l.t.mesh.across[3*f+k]; g >= 0 && l.labels[g] >= 0 && l.labels[g] != view {
				c += l.seam * float64(l.edges[3*f+k])
			}
		}
		return c
	}
	best, to := energy(own)*(1-1e-6), own
	for _, v := range labels {
		if v != own {
			if e := energy(v); e < best {
				best, to = e, v
			}
		}
	}
	l.labels[f] = to
	return to != own
}

// region is triangles of one label that hang together.
type region struct {
	faces []int32
	area  float64
}

// regions finds all that have a label, and the number of each triangle's; -1 for none.
func regions(m *mesh, labels []int32) (list []region, of []int32) {
	of = make([]int32, len(labels))
	for f := range of {
		of[f] = -1
	}
	order := make([]int32, 0, len(labels))
	for f, label := range labels {
		if label < 0 || of[f] >= 0 {
			continue
		}
		start := len(order)
		r := region{}
		of[f] = int32(len(list))
		order = append(order, int32(f))
		for i := start; i < len(order); i++ {
			g := int(order[i])
			r.area += float64(m.area[g])
			for k := range 3 {
				if h := m.across[3*g+k]; h >= 0 && labels[h] == label && of[h] < 0 {
					of[h] = int32(len(list))
					order = append(order, h)
				}
			}
		}
		r.faces = order[start:len(order):len(order)]
		list = append(list, r)
	}
	return list, of
}

// merge moves whole regions, the small ones first, to the label of a neighbour.
func (l *labeling) merge() (moved int) {
	list, _ := regions(l.t.mesh, l.labels)
	slices.SortStableFunc(list, func(a, b region) int { return cmp.Compare(a.area, b.area) })
	for i := range list {
		if l.t.ctx.Err() != nil {
			return moved
		}
		if l.absorb(&list[i]) {
			moved++
		}
	}
	return moved
}

// absorb gives a region the label of the neighbour for which the energy falls most.
func (l *labeling) absorb(r *region) bool {
	type border struct {
		view   int32
		length float64
	}
	var around []border
	own, now := l.labels[r.faces[0]], 0.0
	for _, f := range r.faces {
		c, _ := l.cost(int(f), own)
		now += c
		for k := range 3 {
			g := l.t.mesh.across[3*f+int32(k)]
			if g < 0 || l.labels[g] < 0 || l.labels[g] == own {
				continue
			}
			i := slices.IndexFunc(around, func(b border) bool { return b.view == l.labels[g] })
			if i < 0 {
				i = len(around)
				around = append(around, border{view: l.labels[g]})
			}
			around[i].length += float64(l.edges[3*f+int32(k)])
		}
	}
	best, to := now*(1-1e-6), own
	for _, b := range around {
		e := -l.seam * b.length
		for _, f := range r.faces {
			c, ok := l.cost(int(f), b.view)
			if e += c; !ok || e >= best {
				e = math.Inf(1)
				break
			}
		}
		if e < best {
			best, to = e, b.view
		}
	}
	if to == own {
		return false
	}
	for _, f := range r.faces {
		l.labels[f] = to
	}
	return true
}
