package draco

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// How values are predicted, and how the difference is applied.
const (
	predictNone             = -2
	predictDifference       = 0
	predictParallelogram    = 1
	predictMulti            = 2
	predictConstrainedMulti = 4
	predictTexCoords        = 5
	predictNormals          = 6

	transformNone        = -1
	transformDelta       = 0
	transformWrap        = 1
	transformOctahedron  = 2
	transformCanonicalOc = 3

	maxParallelograms = 4
)

// decoderPrediction turns codes into the values of an attribute.
type decoderPrediction struct {
	d                 *decoder
	g                 *decoderGroup
	a                 *decoderAttribute
	scheme, transform int8

	// wrap
	low, high, modulus int32
	// octahedron
	oct octahedron
}

// restore decodes values in place (specification, "Prediction Decoder").
func (p *decoderPrediction) restore(codes []uint32) error {
	a := p.a
	a.values = make([]int32, len(codes))
	octahedral := p.transform == transformOctahedron || p.transform == transformCanonicalOc
	for i, v := range codes {
		if octahedral {
			a.values[i] = int32(v)
		} else {
			a.values[i] = int32(v>>1) ^ -int32(v&1)
		}
	}
	if p.scheme == predictNone {
		return nil
	}
	if octahedral && a.parts != 2 {
		return errors.New("an octahedral transform of values that are not normals")
	}
	if p.scheme != predictDifference && p.g.sequence == nil {
		return fmt.Errorf("prediction scheme %d needs triangles", p.scheme)
	}
	switch p.scheme {
	case predictDifference:
		return p.difference()
	case predictParallelogram, predictMulti, predictConstrainedMulti:
		return p.parallelograms()
	case predictTexCoords:
		return p.texCoords()
	case predictNormals:
		return p.normals()
	}
	return fmt.Errorf("prediction scheme %d cannot be read: encode the model anew with a current encoder", p.scheme)
}

// readTransform reads the bounds of values.
func (p *decoderPrediction) readTransform() error {
	in := &p.d.in
	switch p.transform {
	case transformWrap:
		low, err := in.u32()
		if err != nil {
			return err
		}
		high, err := in.u32()
		if err != nil {
			return err
		}
		p.low, p.high = int32(low), int32(high)
		if p.low > p.high || int64(p.high)-int64(p.low) >= math.MaxInt32 {
			return fmt.Errorf("values from %d to %d", p.low, p.high)
		}
		p.modulus = 1 + p.high - p.low
	case transformOctahedron, transformCanonicalOc:
		top, err := in.u32()
		if err != nil {
			return err
		}
		if p.transform == transformCanonicalOc {
			if _, err := in.u32(); err != nil { // the centre, which follows from the top
				return err
			}
		}
		if top < 3 || top > 1<<30 || top&(top+1) != 0 {
			return fmt.Errorf("octahedral coordinates up to %d", top)
		}
		p.oct = newOctahedron(bits.Len32(top))
	case transformDelta:
	default:
		return fmt.Errorf("prediction transform %d is not known", p.transform)
	}
	return nil
}

// apply adds the prediction to the correction at v, in place.
func (p *decoderPrediction) apply(predicted, v []int32) {
	switch p.transform {
	case transformWrap:
		for i := range v {
			x := min(max(predicted[i], p.low), p.high) + v[i]
			if x > p.high {
				x -= p.modulus
			} else if x < p.low {
				x += p.modulus
			}
			v[i] = x
		}
	case transformDelta:
		for i := range v {
			v[i] += predicted[i]
		}
	default:
		v[0], v[1] = p.oct.restore(predicted[0], predicted[1], v[0], v[1], p.transform == transformCanonicalOc)
	}
}

// difference predicts each value by the one before.
func (p *decoderPrediction) difference() error {
	if err := p.readTransform(); err != nil {
		return err
	}
	n, v := p.a.parts, p.a.values
	before := make([]int32, n)
	for i := 0; i < len(v); i += n {
		p.apply(before, v[i:i+n])
		before = v[i : i+n]
	}
	return nil
}

// parallelogram predicts the value at a corner by the triangle across; ok is false
// where one of its values is not known yet.
func (p *decoderPrediction) parallelogram(entry, corner int32, out []int32) bool {
	s := p.g.sequence
	o := s.opposite(corner)
	if o < 0 {
		return false
	}
	a, b, c := s.value[s.vertex(o)], s.value[s.vertex(nextCorner(o))], s.value[s.vertex(previousCorner(o))]
	if a >= entry || b >= entry || c >= entry {
		return false
	}
	n, v := int32(p.a.parts), p.a.values
	va, vb, vc := v[a*n:][:n], v[b*n:][:n], v[c*n:][:n]
	for k := range out {
		out[k] = vb[k] + vc[k] - va[k]
	}
	return true
}

func (p *decoderPrediction) parallelograms() error {
	var crease [maxParallelograms][]bool
	if p.scheme == predictConstrainedMulti {
		var err error
		if crease, err = p.creases(); err != nil {
			return err
		}
	}
	if err := p.readTransform(); err != nil {
		return err
	}
	n, v := p.a.parts, p.a.values
	if len(v) == 0 {
		return nil
	}
	predicted := make([]int32, n)
	p.apply(predicted, v[:n])
	for i := 1; i < len(v)/n; i++ {
		corner := p.g.sequence.corner[i]
		var ok bool
		if p.scheme == predictParallelogram {
			ok = p.parallelogram(int32(i), corner, predicted)
		} else {
			var err error
			if ok, err = p.mean(int32(i), corner, predicted, &crease); err != nil {
				return err
			}
		}
		if ok {
			p.apply(predicted, v[i*n:(i+1)*n])
		} else {
			p.apply(v[(i-1)*n:i*n], v[i*n:(i+1)*n])
		}
	}
	return nil
}

// creases reads which parallelograms are not used.
func (p *decoderPrediction) creases() (out [maxParallelograms][]bool, err error) {
	in := &p.d.in
	for i := range out {
		n, err := in.varint()
		if err != nil {
			return out, err
		}
		if n > uint64(len(p.d.table.vertex)) {
			return out, errors.New("more creases than corners")
		}
		if n == 0 {
			continue
		}
		b, err := in.binary()
		if err != nil {
			return out, err
		}
		out[i] = make([]bool, n)
		for j := range out[i] {
			out[i][j] = b.bit()
		}
	}
	return out, nil
}

// mean predicts by the mean of all parallelograms around a vertex, as far as they
// are known and not across a crease.
func (p *decoderPrediction) mean(entry, start int32, out []int32, crease *[maxParallelograms][]bool) (bool, error) {
	s, n := p.g.sequence, p.a.parts
	constrained := p.scheme == predictConstrainedMulti
	most := maxParallelograms
	if !constrained {
		most = math.MaxInt
	}
	var kept [maxParallelograms][]int32
	sum := make([]int64, n)
	one := make([]int32, n)
	count := 0
	right := false
	for c := start; c >= 0; {
		if p.parallelogram(entry, c, one) {
			if constrained {
				kept[count] = append([]int32(nil), one...)
			} else {
				for k := range one {
					sum[k] += int64(one[k])
				}
			}
			if count++; count == most {
				break
			}
		}
		if right {
			c = s.swingRight(c)
		} else {
			c = s.swingLeft(c)
		}
		if c == start {
			break
		}
		if c < 0 && !right {
			right = true
			c = s.swingRight(start)
		}
	}
	used := count
	if constrained {
		used = 0
		for i := range count {
			flags := &crease[count-1]
			if len(*flags) == 0 {
				return false, errors.New("there are fewer creases than parallelograms")
			}
			skip := (*flags)[0]
			*flags = (*flags)[1:]
			if skip {
				continue
			}
			used++
			for k, x := range kept[i] {
				sum[k] += int64(x)
			}
		}
	}
	if used == 0 {
		return false, nil
	}
	for k := range out {
		out[k] = int32(sum[k]) / int32(used)
	}
	return true, nil
}

// positionsOf gives the quantised position of each value of the group.
func (p *decoderPrediction) positionsOf() ([][3]int32, error) {
	d := p.d
	pos := d.position
	if pos == nil || pos.parts != 3 || pos.values == nil {
		return nil, errors.New("it is predicted by positions, which do not come before it")
	}
	s := p.g.sequence
	out := make([][3]int32, len(s.corner))
	for i, c := range s.corner {
		point := d.indices[c]
		copy(out[i][:], pos.values[3*d.positionOf[point]:])
	}
	return out, nil
}

// texCoords predicts texture coordinates by the shape of the triangle in space
// (specification, "TexCoords Prediction Decoder").
func (p *decoderPrediction) texCoords() error {
	in := &p.d.in
	if p.a.parts != 2 {
		return fmt.Errorf("texture coordinates of %d components", p.a.parts)
	}
	count, err := in.u32()
	if err != nil {
		return err
	}
	if int(count) > len(p.g.sequence.corner) {
		return errors.New("more orientations than values")
	}
	b, err := in.binary()
	if err != nil {
		return err
	}
	orientation := make([]bool, count)
	last := true
	for i := range orientation {
		if !b.bit() {
			last = !last
		}
		orientation[i] = last
	}
	if err := p.readTransform(); err != nil {
		return err
	}
	at, err := p.positionsOf()
	if err != nil {
		return err
	}
	s, v := p.g.sequence, p.a.values
	for i, c := range s.corner {
		next, previous := s.value[s.vertex(nextCorner(c))], s.value[s.vertex(previousCorner(c))]
		e := int32(i)
		var predicted [2]int32
		done := false
		if next < e && previous < e {
			n, q := [2]int64{int64(v[2*next]), int64(v[2*next+1])}, [2]int64{int64(v[2*previous]), int64(v[2*previous+1])}
			var used bool
			if predicted, used, done = predictUV(at[i], at[next], at[previous], n, q, orientation); used {
				if len(orientation) == 0 {
					return errors.New("there are fewer orientations than triangles")
				}
				orientation = orientation[:len(orientation)-1]
			}
		}
		if !done {
			from := none
			if next < e {
				from = next
			} else if e > 0 {
				from = e - 1
			}
			if from >= 0 {
				predicted = [2]int32{v[2*from], v[2*from+1]}
			}
		}
		p.apply(predicted[:], v[2*i:2*i+2])
	}
	return nil
}

// predictUV places the tip of a triangle in texture space as it lies over the edge
// next–previous in space. used tells that the last orientation was asked for; done
// is false where the edge has no length.
func predictUV(tip, next, previous [3]int32, nuv, puv [2]int64, orientation []bool) (uv [2]int32, used, done bool) {
	if nuv == puv {
		return [2]int32{int32(puv[0]), int32(puv[1])}, false, true
	}
	var pn, cn [3]int64
	var norm, dot int64
	for k := range 3 {
		pn[k] = int64(previous[k]) - int64(next[k])
		cn[k] = int64(tip[k]) - int64(next[k])
		norm += pn[k] * pn[k]
		dot += pn[k] * cn[k]
	}
	if norm == 0 {
		return uv, false, false
	}
	if len(orientation) == 0 {
		return uv, true, true
	}
	var square int64
	for k := range 3 {
		x := int64(tip[k]) - (int64(next[k]) + pn[k]*dot/norm)
		square += x * x
	}
	du, dv := puv[0]-nuv[0], puv[1]-nuv[1]
	xu, xv := nuv[0]*norm+du*dot, nuv[1]*norm+dv*dot
	root := int64(intSqrt(uint64(square) * uint64(norm)))
	cu, cv := dv*root, -du*root
	if !orientation[len(orientation)-1] {
		cu, cv = -cu, -cv
	}
	return [2]int32{int32((xu + cu) / norm), int32((xv + cv) / norm)}, true, true
}

// intSqrt returns the integer square root, by Newton's method from a power of two
// (specification, IntSqrt).
func intSqrt(n uint64) uint64 {
	if n == 0 {
		return 0
	}
	root := uint64(1)
	for rest := n; rest >= 2; rest /= 4 {
		root *= 2
	}
	for {
		root = (root + n/root) / 2
		if hi, lo := bits.Mul64(root, root); hi == 0 && lo <= n {
			return root
		}
	}
}

// normals predicts normals by those of the triangles around (specification, "Normal
// Prediction Decoder").
func (p *decoderPrediction) normals() error {
	if p.transform != transformOctahedron && p.transform != transformCanonicalOc {
		return fmt.Errorf("normals with prediction transform %d", p.transform)
	}
	if err := p.readTransform(); err != nil {
		return err
	}
	flips, err := p.d.in.binary()
	if err != nil {
		return err
	}
	at, err := p.positionsOf()
	if err != nil {
		return err
	}
	s, v := p.g.sequence, p.a.values
	for i, c := range s.corner {
		n := p.oct.canonical(p.fanNormal(at, int32(i), c))
		if flips.bit() {
			n = [3]int32{-n[0], -n[1], -n[2]}
		}
		x, y := p.oct.fold(n)
		predicted := [2]int32{x, y}
		p.apply(predicted[:], v[2*i:2*i+2])
	}
	return nil
}

// fanNormal sums the normals of the triangles around a corner, weighted by area.
func (p *decoderPrediction) fanNormal(at [][3]int32, entry, start int32) [3]int64 {
	s := p.g.sequence
	center := at[entry]
	var sum [3]int64
	right := false
	for c := start; c >= 0; {
		next, previous := at[s.value[s.vertex(nextCorner(c))]], at[s.value[s.vertex(previousCorner(c))]]
		var a, b [3]int64
		for k := range 3 {
			a[k], b[k] = int64(next[k])-int64(center[k]), int64(previous[k])-int64(center[k])
		}
		sum[0] += a[1]*b[2] - a[2]*b[1]
		sum[1] += a[2]*b[0] - a[0]*b[2]
		sum[2] += a[0]*b[1] - a[1]*b[0]
		if right {
			c = s.swingRight(c)
			continue
		}
		if c = s.swingLeft(c); c == start {
			break
		} else if c < 0 {
			c = s.swingRight(start)
			right = true
		}
	}
	const bound = 1 << 29
	if total := abs64(sum[0]) + abs64(sum[1]) + abs64(sum[2]); total > bound {
		q := total / bound
		for k := range sum {
			sum[k] /= q
		}
	}
	return sum
}

func abs64(v int64) int64 {
	if v < 0 {
		return -v
	}
	return v
}
