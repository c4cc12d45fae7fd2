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

// What a texel of a patch is, if anything.
const (
	inside  = 1 + iota // in a triangle
	beside             // next to one that is
	foreign            // mixed with what the photo shows behind
)

// finisher works on the texels of one patch.
type finisher struct {
	t    *texturer
	p    *patch
	g    *page
	add  []int16 // corrections, rgb, times fraction
	have []uint8 // what a texel is
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
	f.border()
	f.grow()
	f.purify()
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
			f.have[i] = inside
			for k := range planes {
				f.add[3*i+k] = fixedPoint(planes[k].At(x, y))
			}
		}
	}
}

func fixedPoint(v float32) int16 {
	return int16(min(max(math.Round(float64(v)*fraction), -32000), 32000))
}

// walk calls g for texels along the border of the patch, twice as many as it is long,
// with the nodes at the ends of the edge, the share of the way, and the triangle beyond;
// -1 for none.
func (f *finisher) walk(g func(x, y float32, na, nb int32, share float32, beyond int32)) {
	t := f.t
	for _, face := range f.p.faces {
		for k := range 3 {
			beyond := t.mesh.across[3*int(face)+k]
			if beyond >= 0 && t.labels[beyond] == f.p.view {
				continue
			}
			na, nb := t.nodes.of[3*int(face)+k], t.nodes.of[3*int(face)+(k+1)%3]
			a, b := f.corner(na), f.corner(nb)
			n := int(2*max(abs32(b.x-a.x), abs32(b.y-a.y))) + 1
			for i := range n + 1 {
				share := float32(i) / float32(n)
				g(a.x+(b.x-a.x)*share, a.y+(b.y-a.y)*share, na, nb, share, beyond)
			}
		}
	}
}

// border marks texels along the border, where triangles may be too thin to hold the
// middle of one.
func (f *finisher) border() {
	level := f.t.leveling
	f.walk(func(x, y float32, na, nb int32, share float32, _ int32) {
		at := min(max(int(y), 0), f.p.h-1)*f.p.w + min(max(int(x), 0), f.p.w-1)
		if f.have[at] != 0 {
			return
		}
		f.have[at] = inside
		for c := range int32(3) {
			va, vb := level[3*na+c], level[3*nb+c]
			f.add[3*at+int(c)] = fixedPoint(va + (vb-va)*share)
		}
	})
}

// mixture is how far from outlines, in texels, pixels are mixed with what is behind.
const mixture = 1.2

// purify gives texels along outlines on the photo the colours from farther inside.
func (f *finisher) purify() {
	var mixed []int
	f.walk(func(x, y float32, _, _ int32, _ float32, beyond int32) {
		if beyond < 0 || f.t.shows(f.p.view, int(beyond)) {
			return
		}
		for j := max(int(y-mixture), 0); j <= min(int(y+mixture), f.p.h-1); j++ {
			for i := max(int(x-mixture), 0); i <= min(int(x+mixture), f.p.w-1); i++ {
				dx, dy := float32(i)+0.5-x, float32(j)+0.5-y
				if at := j*f.p.w + i; dx*dx+dy*dy <= mixture*mixture && (f.have[at] == inside || f.have[at] == beside) {
					f.have[at] = foreign
					mixed = append(mixed, at)
				}
			}
		}
	})
	// What is too thin stays as it is.
	for round := 0; round < 4 && len(mixed) > 0; round++ {
		mixed = f.replace(mixed)
	}
	for _, at := range mixed {
		f.have[at] = inside
	}
}

// replace gives texels the mean of those around them that are pure, and returns those
// without any.
func (f *finisher) replace(mixed []int) (left []int) {
	var pure []int
	for _, at := range mixed {
		x, y := at%f.p.w, at/f.p.w
		var sum [3]int
		n := 0
		for j := max(y-1, 0); j <= min(y+1, f.p.h-1); j++ {
			for i := max(x-1, 0); i <= min(x+1, f.p.w-1); i++ {
				if h := f.have[j*f.p.w+i]; h == inside || h == beside {
					n++
					c := f.g.pix[3*((f.p.y+j)*f.g.width+f.p.x+i):][:3]
					for k := range sum {
						sum[k] += int(c[k])
					}
				}
			}
		}
		if n == 0 {
			left = append(left, at)
			continue
		}
		pure = append(pure, at)
		c := f.g.pix[3*((f.p.y+y)*f.g.width+f.p.x+x):][:3]
		for k := range sum {
			c[k] = uint8((sum[k] + n/2) / n)
		}
	}
	for _, at := range pure {
		f.have[at] = inside
	}
	return left
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
					if at := j*f.p.w + k; f.have[at] == inside {
						n++
						for c := range 3 {
							sum[c] += int32(f.add[3*at+c])
						}
					}
				}
			}
			if n > 0 {
				f.have[i] = beside
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
