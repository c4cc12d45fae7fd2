package draco

// octahedron folds unit vectors onto a square of 2^bits - 1 values a side
// (specification, "Normal Prediction Decoder", "Prediction Normal Transform").
type octahedron struct {
	top    int32 // 2^bits - 1, the modulus of corrections
	last   int32 // the greatest coordinate
	center int32
}

func newOctahedron(bits int) octahedron {
	top := int32(1)<<bits - 1
	return octahedron{top: top, last: top - 1, center: (top - 1) / 2}
}

func abs(v int32) int32 {
	if v < 0 {
		return -v
	}
	return v
}

// canonical scales a vector so that its absolute values sum to center.
func (o *octahedron) canonical(v [3]int64) [3]int32 {
	sum := abs64(v[0]) + abs64(v[1]) + abs64(v[2])
	if sum == 0 {
		return [3]int32{o.center, 0, 0}
	}
	x := int32(v[0] * int64(o.center) / sum)
	y := int32(v[1] * int64(o.center) / sum)
	z := o.center - abs(x) - abs(y)
	if v[2] < 0 {
		z = -z
	}
	return [3]int32{x, y, z}
}

// fold gives the coordinates of a canonical vector.
func (o *octahedron) fold(v [3]int32) (s, t int32) {
	if v[0] >= 0 {
		return o.canonicalCoords(v[1]+o.center, v[2]+o.center)
	}
	if s = abs(v[2]); v[1] >= 0 {
		s = o.last - s
	}
	if t = abs(v[1]); v[2] >= 0 {
		t = o.last - t
	}
	return o.canonicalCoords(s, t)
}

// canonicalCoords picks one of the coordinates that stand for the same vector on
// the rim of the square.
func (o *octahedron) canonicalCoords(s, t int32) (int32, int32) {
	switch {
	case s == 0 && t == 0, s == 0 && t == o.last, s == o.last && t == 0:
		return o.last, o.last
	case s == 0 && t > o.center:
		t = 2*o.center - t
	case s == o.last && t < o.center:
		t = 2*o.center - t
	case t == o.last && s < o.center:
		s = 2*o.center - s
	case t == 0 && s > o.center:
		s = 2*o.center - s
	}
	return s, t
}

// invert mirrors coordinates relative to the centre between the diamond of the
// right hemisphere and the corners of the left.
func (o *octahedron) invert(s, t int32) (int32, int32) {
	signS, signT := int32(-1), int32(-1)
	switch {
	case s >= 0 && t >= 0:
		signS, signT = 1, 1
	case s <= 0 && t <= 0:
	default:
		if s > 0 {
			signS = 1
		}
		if t > 0 {
			signT = 1
		}
	}
	cs, ct := signS*o.center, signT*o.center
	s, t = 2*s-cs, 2*t-ct
	if signS*signT >= 0 {
		s, t = -t, -s
	} else {
		s, t = t, s
	}
	return (s + cs) / 2, (t + ct) / 2
}

// turns is how often coordinates are turned by a quarter to lie bottom left.
func turns(s, t int32) int {
	switch {
	case s == 0 && t == 0:
		return 0
	case s == 0 && t > 0:
		return 3
	case s == 0:
		return 1
	case s > 0 && t >= 0:
		return 2
	case s > 0:
		return 1
	case t <= 0:
		return 0
	}
	return 3
}

func turn(s, t int32, n int) (int32, int32) {
	switch n {
	case 1:
		return t, -s
	case 2:
		return -s, -t
	case 3:
		return -t, s
	}
	return s, t
}

func (o *octahedron) wrap(v int32) int32 {
	if v > o.center {
		return v - o.top
	}
	if v < -o.center {
		return v + o.top
	}
	return v
}

// restore adds a correction to a prediction.
func (o *octahedron) restore(ps, pt, cs, ct int32, canonical bool) (int32, int32) {
	ps, pt = ps-o.center, pt-o.center
	inside := abs(ps)+abs(pt) <= o.center
	if !inside {
		ps, pt = o.invert(ps, pt)
	}
	n := 0
	if canonical {
		n = turns(ps, pt)
		ps, pt = turn(ps, pt, n)
	}
	s, t := o.wrap(ps+cs), o.wrap(pt+ct)
	s, t = turn(s, t, (4-n)%4)
	if !inside {
		s, t = o.invert(s, t)
	}
	return s + o.center, t + o.center
}
