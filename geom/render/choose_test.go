package render

import "testing"

// box has the sides that are named, seen from outside: bottom, top, left, right, back
// and front.
func box(sides ...string) *Scene {
	corners := map[string][4]uint32{ // x + 2y + 4z, counter-clockwise from outside
		"bottom": {0, 1, 5, 4}, "top": {2, 6, 7, 3}, "left": {0, 4, 6, 2}, "right": {1, 3, 7, 5}, "back": {0, 2, 3, 1}, "front": {4, 5, 7, 6},
	}
	m := &Mesh{}
	for i := range 8 {
		m.Positions = append(m.Positions, float32(i&1), float32(i>>1&1), float32(i>>2&1))
	}
	for _, s := range sides {
		c := corners[s]
		m.Indices = append(m.Indices, c[0], c[1], c[2], c[0], c[2], c[3])
	}
	return &Scene{Meshes: []*Mesh{m}}
}

// What is closed is looked at from the front, what is open from where more of it is
// seen.
func TestChoose(t *testing.T) {
	lo, hi := vec{0, 0, 0}, vec{1, 1, 1}
	for _, test := range []struct {
		missing string
		x, z    float64 // which way the view has to be; 0 is either
	}{
		{"", 1, 1}, {"bottom", 1, 1}, {"top", 1, 1}, {"back", 1, 1}, {"left", 1, 0}, {"front", 0, -1}, {"right", -1, 0},
	} {
		var sides []string
		for _, s := range []string{"bottom", "top", "left", "right", "back", "front"} {
			if s != test.missing {
				sides = append(sides, s)
			}
		}
		s := box(sides...)
		v := s.choose(lo, hi)
		if v[0]*test.x < 0 || v[2]*test.z < 0 || v[1] <= 0 {
			t.Errorf("without %q: from %v", test.missing, v)
		}
		if area, sum := s.facing(); test.missing == "" && (area != 6 || sum != vec{}) {
			t.Errorf("a closed box: area %g, sum %v", area, sum)
		}
	}
}
