package texturing

import (
	"cmp"
	"math"
	"slices"

	"slate360.ai/worker/geom/scanline"
)

const (
	// strip is how far from seams, in texels, colours are drawn together.
	strip = 20
	// most is the largest change of a colour there.
	most = 40
	// relaxations is how often membranes are relaxed.
	relaxations = 24
	// fraction of corrections that are kept as whole numbers.
	fraction = 32
)

// meeting is a place at a seam where colours must change by so much.
type meeting struct {
	x, y float32 // on the page
	by   [3]float32
}

// finishPatches applies the corrections, and along seams those that make both sides
// meet in the middle: a membrane from there to nothing at the edge of the strip.
func (t *texturer) finishPatches() error {
	meetings, starts, err := t.meetings()
	if err != nil {
		return err
	}
	var order []int
	for i := range t.patches {
		if t.patches[i].view >= 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(t.patches[b].w*t.patches[b].h, t.patches[a].w*t.patches[a].h)
	})
	return t.each(len(order), 1, func(from, _ int) {
		i := order[from]
		f := &finisher{t: t, p: &t.patches[i], g: &t.pages[t.patches[i].page]}
		f.run(meetings[starts[i]:starts[i+1]])
	})
}

// meetings samples seams, by patch. Pages still hold what the photos show.
func (t *texturer) meetings() (list []meeting, starts []int, err error) {
	starts = make([]int, len(t.patches)+1)
	if t.o.noLocal {
		return nil, starts, nil
	}
	seams := t.seams()
	for i := range seams {
		n := t.samples(&seams[i])
		for _, ends := range seams[i].nodes {
			starts[t.nodes.patch[ends[0]]+1] += n
		}
	}
	for i := range t.patches {
		starts[i+1] += starts[i]
	}
	list = make([]meeting, starts[len(t.patches)])
	places, at := make([][2]int, len(seams)), append([]int(nil), starts...)
	for i := range seams {
		n := t.samples(&seams[i])
		for side, ends := range seams[i].nodes {
			p := t.nodes.patch[ends[0]]
			places[i][side] = at[p]
			at[p] += n
		}
	}
	err = t.each(len(seams), 1<<10, func(from, to int) {
		for i := from; i < to; i++ {
			t.meet(&seams[i], list[places[i][0]:], list[places[i][1]:])
		}
	})
	return list, starts, err
}

func (t *texturer) meet(s *seam, first, second []meeting) {
	n := t.samples(s)
	for i := range n {
		share := (float32(i) + 0.5) / float32(n)
		var c [2][3]float32
		for side, ends := range s.nodes {
			m := &first[i]
			if side == 1 {
				m = &second[i]
			}
			m.x, m.y = t.at(s, side, share)
			c[side] = t.color(s, side, share)
			a, b := t.leveling[3*ends[0]:][:3], t.leveling[3*ends[1]:][:3]
			for k := range 3 {
				c[side][k] += a[k] + (b[k]-a[k])*share
			}
		}
		for k := range 3 {
			by := min(max((c[1][k]-c[0][k])/2, -most), most)
			first[i].by[k], second[i].by[k] = by, -by
		}
	}
}

// finisher works on the texels of one patch.
type finisher struct {
	t    *texturer
	p    *patch
	g    *page
	add  []int16 // corrections, rgb, times fraction
	have []uint8 // 1: inside a triangle, 2: beside one
	// The strip along seams: where its texels are, and the number of each texel's, from
	// 1.
	texels []int32
	number []int32
	fixed  int // so many of the strip, at the front, are at seams
	height []float32
}

func (f *finisher) run(meetings []meeting) {
	n := f.p.w * f.p.h
	f.add, f.have = make([]int16, 3*n), make([]uint8, n)
	for i, face := range f.p.faces {
		if i&0xfff == 0 && f.t.ctx.Err() != nil {
			return
		}
		f.triangle(int(face))
	}
	f.outline()
	f.grow()
	if len(meetings) > 0 {
		f.number = make([]int32, n)
		f.collect(meetings)
		f.relax()
	}
	f.write()
}

// corner returns a node in texels of the patch.
func (f *finisher) corner(node int32) screen {
	xy := f.t.nodes.xy[2*node:][:2]
	return screen{x: xy[0] - float32(f.p.x), y: xy[1] - float32(f.p.y)}
}

// triangle sets the corrections inside a triangle.
func (f *finisher) triangle(face int) {
	n := f.t.nodes.of[3*face:][:3]
	a, b, c := f.corner(n[0]), f.corner(n[1]), f.corner(n[2])
	p := triangleOf(&a, &b, &c)
	var planes [3]scanline.Plane
	for k := range planes {
		at := func(i int) float32 { return f.t.leveling[3*n[i]+int32(k)] }
		var ok bool
		planes[k], ok = p.Plane([3]float32{at(0), at(1), at(2)})
		if !ok {
			return
		}
	}
	y0, y1 := p.Rows(0, f.p.h)
	for y := y0; y < y1; y++ {
		x0, x1 := p.Row(y, f.p.w)
		for x := x0; x < x1; x++ {
			i := y*f.p.w + x
			f.have[i] = 1
			for k := range planes {
				f.add[3*i+k] = fixedPoint(planes[k].At(x, y))
			}
		}
	}
}

func fixedPoint(v float32) int16 {
	return int16(min(max(math.Round(float64(v)*fraction), -32000), 32000))
}

// outline marks texels along the border, where triangles may be too thin to hold the
// middle of one.
func (f *finisher) outline() {
	t := f.t
	for _, face := range f.p.faces {
		for k := range 3 {
			if g := t.mesh.across[3*int(face)+k]; g >= 0 && t.labels[g] == f.p.view {
				continue
			}
			na, nb := t.nodes.of[3*int(face)+k], t.nodes.of[3*int(face)+(k+1)%3]
			a, b := f.corner(na), f.corner(nb)
			n := int(2*max(abs32(b.x-a.x), abs32(b.y-a.y))) + 1
			for i := range n + 1 {
				share := float32(i) / float32(n)
				x := min(max(int(a.x+(b.x-a.x)*share), 0), f.p.w-1)
				y := min(max(int(a.y+(b.y-a.y)*share), 0), f.p.h-1)
				at := y*f.p.w + x
				if f.have[at] != 0 {
					continue
				}
				f.have[at] = 1
				for c := range int32(3) {
					va, vb := t.leveling[3*na+c], t.leveling[3*nb+c]
					f.add[3*at+int(c)] = fixedPoint(va + (vb-va)*share)
				}
			}
		}
	}
}

// grow adds a texel all around: what lies between the border and the next middle of a
// texel is mixed from both. The photo shows there what is beside.
func (f *finisher) grow() {
	for y := range f.p.h {
		for x := range f.p.w {
			i := y*f.p.w + x
			if f.have[i] != 0 {
				continue
			}
			var sum [3]int32
			n := int32(0)
			for j := max(y-1, 0); j <= min(y+1, f.p.h-1); j++ {
				for k := max(x-1, 0); k <= min(x+1, f.p.w-1); k++ {
					if at := j*f.p.w + k; f.have[at] == 1 {
						n++
						for c := range 3 {
							sum[c] += int32(f.add[3*at+c])
						}
					}
				}
			}
			if n > 0 {
				f.have[i] = 2
				for c := range 3 {
					f.add[3*i+c] = int16(sum[c] / n)
				}
			}
		}
	}
}

// collect finds the strip: texels at seams first, then outwards from them, each with
// the height of where it was reached from, a little lower.
func (f *finisher) collect(meetings []meeting) {
	var counts []float32
	for _, m := range meetings {
		x, y := int(m.x)-f.p.x, int(m.y)-f.p.y
		if x < 0 || y < 0 || x >= f.p.w || y >= f.p.h || f.have[y*f.p.w+x] == 0 {
			continue
		}
		i := y*f.p.w + x
		if f.number[i] == 0 {
			f.texels = append(f.texels, int32(i))
			f.number[i] = int32(len(f.texels))
			f.height = append(f.height, 0, 0, 0)
			counts = append(counts, 0)
		}
		n := f.number[i] - 1
		counts[n]++
		for k := range 3 {
			f.height[3*n+int32(k)] += m.by[k]
		}
	}
	for n, c := range counts {
		for k := range 3 {
			f.height[3*n+k] /= c
		}
	}
	f.fixed = len(f.texels)
	first := 0
	for ring := range strip {
		last := len(f.texels)
		lower := 1 - 1/float32(strip-ring)
		for n := first; n < last; n++ {
			f.around(f.texels[n], func(i int32) {
				if f.number[i] == 0 {
					f.texels = append(f.texels, i)
					f.number[i] = int32(len(f.texels))
					h := f.height[3*n:][:3]
					f.height = append(f.height, h[0]*lower, h[1]*lower, h[2]*lower)
				}
			})
		}
		first = last
	}
}

// around calls g for the four texels beside one that belong to the patch.
func (f *finisher) around(i int32, g func(i int32)) {
	w := int32(f.p.w)
	x, y := i%w, i/w
	if x > 0 && f.have[i-1] != 0 {
		g(i - 1)
	}
	if x+1 < w && f.have[i+1] != 0 {
		g(i + 1)
	}
	if y > 0 && f.have[i-w] != 0 {
		g(i - w)
	}
	if int(y)+1 < f.p.h && f.have[i+w] != 0 {
		g(i + w)
	}
}

// relax lets the membrane settle, to and fro so that heights run far.
func (f *finisher) relax() {
	settle := func(n int) {
		var sum [3]float32
		count := float32(0)
		f.around(f.texels[n], func(i int32) {
			count++
			if o := f.number[i]; o > 0 {
				h := f.height[3*(o-1):][:3]
				sum[0] += h[0]
				sum[1] += h[1]
				sum[2] += h[2]
			}
		})
		if count > 0 {
			for k := range 3 {
				f.height[3*n+k] = sum[k] / count
			}
		}
	}
	for round := range relaxations {
		if f.t.ctx.Err() != nil {
			return
		}
		if round%2 == 0 {
			for n := f.fixed; n < len(f.texels); n++ {
				settle(n)
			}
			continue
		}
		for n := len(f.texels) - 1; n >= f.fixed; n-- {
			settle(n)
		}
	}
}

// write changes the page.
func (f *finisher) write() {
	for y := range f.p.h {
		for x := range f.p.w {
			i := y*f.p.w + x
			if f.have[i] == 0 {
				continue
			}
			at := (f.p.y+y)*f.g.width + f.p.x + x
			f.g.filled[at] = true
			for k := range 3 {
				v := float32(f.g.pix[3*at+k]) + float32(f.add[3*i+k])/fraction
				if f.number != nil && f.number[i] > 0 {
					v += f.height[3*(int(f.number[i])-1)+k]
				}
				f.g.pix[3*at+k] = uint8(min(max(v+0.5, 0), 255))
			}
		}
	}
}
