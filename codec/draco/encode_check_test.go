package draco

import (
	"math"
	"slices"
	"testing"
)

// corner is what a corner of a triangle holds, made comparable: floats quantized
// as the encoder does, so that a decoded corner has the same.
type corner [21]int32

// quantizer turns values of an attribute into steps, as the extent among the
// points that are used asks for.
type quantizer struct {
	least [8]float64
	scale float64
}

func newQuantizer(a *Attribute, points []uint32, bits int) quantizer {
	var q quantizer
	var most [8]float64
	k := a.Components
	for i, p := range points {
		for j := range k {
			v := float64(a.Floats[int(p)*k+j])
			if i == 0 {
				q.least[j], most[j] = v, v
			}
			q.least[j], most[j] = min(q.least[j], v), max(most[j], v)
		}
	}
	extent := 0.0
	for j := range k {
		extent = max(extent, float64(float32(most[j])-float32(q.least[j])))
	}
	if extent == 0 {
		extent = 1
	}
	q.scale = (math.Pow(2, float64(bits)) - 1) / extent
	return q
}

// checkDecoded compares a decoded mesh with the one that was encoded.
func checkDecoded(t *testing.T, name string, m, got *Mesh, enc Encoded, o Options, ordered bool) {
	t.Helper()
	if got == nil {
		t.Errorf("%s: refused", name)
		return
	}
	if got.Points != enc.Points || len(got.Indices) != 3*enc.Triangles {
		t.Errorf("%s: decoded %d points, %d triangles; encoder said %d, %d", name, got.Points, len(got.Indices)/3, enc.Points, enc.Triangles)
		return
	}
	if len(got.Attributes) != len(m.Attributes) {
		t.Errorf("%s: %d attributes, want %d", name, len(got.Attributes), len(m.Attributes))
		return
	}
	used := usedPoints(m, ordered)
	wantCorners, gotCorners := make([]corner, m.Points), make([]corner, got.Points)
	at := 0
	for i := range m.Attributes {
		a := &m.Attributes[i]
		b := got.Attribute(a.UniqueID)
		if b == nil || b.Type != a.Type || b.DataType != a.DataType || b.Components != a.Components || b.Normalized != a.Normalized {
			t.Errorf("%s: attribute %d is %+v", name, i, b)
			return
		}
		switch {
		case a.DataType == Float32 && a.Type == Normal:
			// Compared by angle below, for ties are rounded as they fall.
			o := newEncOctahedron(o.NormalBits)
			fill(wantCorners, at, 2, func(p int) []int32 { return octahedral(o, a, p) })
			fill(gotCorners, at, 2, func(p int) []int32 { return octahedral(o, b, p) })
			at += 2
		case a.DataType == Float32:
			q := newQuantizer(a, used, o.bits(a.Type))
			fill(wantCorners, at, a.Components, func(p int) []int32 { return q.steps(a, p) })
			fill(gotCorners, at, a.Components, func(p int) []int32 { return q.steps(b, p) })
			at += a.Components
		default:
			fill(wantCorners, at, a.Components, func(p int) []int32 { return a.Ints[p*a.Components:] })
			fill(gotCorners, at, a.Components, func(p int) []int32 { return b.Ints[p*a.Components:] })
			at += a.Components
		}
	}
	if m.Indices == nil {
		compareCorners(t, name, wantCorners, gotCorners)
		return
	}
	want := corners(m.Indices, wantCorners, m.Attributes[0].Floats, ordered)
	have := corners(got.Indices, gotCorners, nil, ordered)
	compareCorners(t, name, want, have)
}

// usedPoints are those of triangles with an area.
func usedPoints(m *Mesh, all bool) []uint32 {
	if m.Indices == nil || all {
		used := make([]uint32, m.Points)
		for i := range used {
			used[i] = uint32(i)
		}
		return used
	}
	var used []uint32
	for i := 0; i < len(m.Indices); i += 3 {
		if !degenerate(m.Attributes[0].Floats, m.Indices[i:i+3]) {
			used = append(used, m.Indices[i:i+3]...)
		}
	}
	return used
}

func degenerate(positions []float32, triangle []uint32) bool {
	at := func(i int) [3]float32 { return [3]float32(positions[3*triangle[i]:]) }
	return at(0) == at(1) || at(1) == at(2) || at(2) == at(0)
}

func fill(corners []corner, at, n int, values func(p int) []int32) {
	for p := range corners {
		copy(corners[p][at:at+n], values(p))
	}
}

func octahedral(o encOctahedron, a *Attribute, p int) []int32 {
	s, t := o.fromVector(a.Floats[3*p], a.Floats[3*p+1], a.Floats[3*p+2])
	return []int32{s, t}
}

func (q quantizer) steps(a *Attribute, p int) []int32 {
	out := make([]int32, a.Components)
	for j := range out {
		out[j] = int32(math.Floor((float64(a.Floats[p*a.Components+j])-q.least[j])*q.scale + 0.5))
	}
	return out
}

// corners lists triangles, each from its least corner on, in order.
func corners(indices []uint32, of []corner, positions []float32, ordered bool) []corner {
	var triangles [][3]corner
	for i := 0; i < len(indices); i += 3 {
		if !ordered && positions != nil && degenerate(positions, indices[i:i+3]) {
			continue
		}
		t := [3]corner{of[indices[i]], of[indices[i+1]], of[indices[i+2]]}
		for range 2 {
			if u := [3]corner{t[1], t[2], t[0]}; slices.Compare(flat(u), flat(t)) < 0 && !ordered {
				t = u
			} else if u := [3]corner{t[2], t[0], t[1]}; slices.Compare(flat(u), flat(t)) < 0 && !ordered {
				t = u
			}
		}
		triangles = append(triangles, t)
	}
	if !ordered {
		slices.SortFunc(triangles, func(a, b [3]corner) int { return slices.Compare(flat(a), flat(b)) })
	}
	out := make([]corner, 0, 3*len(triangles))
	for _, t := range triangles {
		out = append(out, t[:]...)
	}
	return out
}

func flat(t [3]corner) []int32 {
	return append(append(append(make([]int32, 0, 72), t[0][:]...), t[1][:]...), t[2][:]...)
}

func compareCorners(t *testing.T, name string, want, got []corner) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%s: %d corners, want %d", name, len(got), len(want))
		return
	}
	wrong, first := 0, -1
	for i := range want {
		if want[i] != got[i] {
			wrong++
			if first < 0 {
				first = i
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%s: %d of %d corners differ; the first, %d, is %v, want %v", name, wrong, len(want), first, got[first], want[first])
	}
}
