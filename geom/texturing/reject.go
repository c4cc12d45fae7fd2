package texturing

import "slices"

const (
	// apart is the least difference of colours, of 255, that tells of another thing.
	apart = 26
	// rings is how many triangles around one that shows something else are distrusted
	// in the same photo.
	rings = 2
)

// reject distrusts photos where they show a triangle unlike the other photos do: there
// something moved, was in the way, or mirrors. It takes three photos to tell.
func (t *texturer) reject() error {
	if t.o.noConsistency {
		return nil
	}
	n := len(t.mesh.area)
	spread := make([]uint8, n) // how far apart the photos are anyway
	err := t.each(n, 1<<12, func(from, to int) {
		for f := from; f < to; f++ {
			spread[f] = t.compare(f)
		}
	})
	if err != nil {
		return err
	}
	marks := make([]uint16, n) // a bit for each sight
	err = t.each(n, 1<<12, func(from, to int) {
		for f := from; f < to; f++ {
			marks[f] = t.outliers(f, spread)
		}
	})
	if err != nil {
		return err
	}
	for range rings {
		grown := slices.Clone(marks)
		err := t.each(n, 1<<12, func(from, to int) {
			for f := from; f < to; f++ {
				grown[f] |= t.beside(f, marks)
			}
		})
		if err != nil {
			return err
		}
		marks = grown
	}
	return t.each(n, 1<<12, func(from, to int) {
		for f := from; f < to; f++ {
			for i := range t.sights.of(f) {
				if marks[f]>>i&1 == 1 {
					t.sights.of(f)[i].trust = another
				}
			}
		}
	})
}

// compare sets how far each view's colour is from the median of all, and returns the
// median of that.
func (t *texturer) compare(f int) (spread uint8) {
	s := t.sights.of(f)
	if len(s) < 3 {
		return 0
	}
	var colors [maxSights][3]float32
	m := t.mesh.middle(f)
	for i := range s {
		p := t.tone.lenses[s[i].view].project(m)
		g := t.tone.at(int(s[i].view), float64(p.x), float64(p.y))
		for k := range 3 {
			colors[i][k] = float32(s[i].color[k]) * g[k]
		}
	}
	var middle [3]float32
	var buf [maxSights]float32
	for k := range 3 {
		for i := range s {
			buf[i] = colors[i][k]
		}
		middle[k] = median(buf[:len(s)])
	}
	for i := range s {
		d := float32(0)
		for k := range 3 {
			d = max(d, abs32(colors[i][k]-middle[k]))
		}
		s[i].residue = uint8(min(d, 255))
		buf[i] = d
	}
	return uint8(min(median(buf[:len(s)]), 255))
}

func median(v []float32) float32 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// outliers marks sights that are far off here and in the mean of the neighbours.
func (t *texturer) outliers(f int, spread []uint8) (marks uint16) {
	s := t.sights.of(f)
	if len(s) < 3 {
		return 0
	}
	for i := range s {
		if s[i].residue < apart {
			continue
		}
		residue, usual, n := int(s[i].residue), int(spread[f]), 1
		for k := range 3 {
			g := t.mesh.across[3*f+k]
			if g < 0 || t.sights.count[g] < 3 {
				continue
			}
			if o := t.sights.find(int(g), s[i].view); o != nil {
				residue, usual, n = residue+int(o.residue), usual+int(spread[g]), n+1
			}
		}
		if residue > apart*n && residue > 3*usual {
			marks |= 1 << i
		}
	}
	return marks
}

// beside marks the sights of views that are marked at a neighbour.
func (t *texturer) beside(f int, marks []uint16) (own uint16) {
	s := t.sights.of(f)
	if len(s) < 3 {
		return 0
	}
	for k := range 3 {
		g := t.mesh.across[3*f+k]
		if g < 0 || marks[g] == 0 {
			continue
		}
		for i, o := range t.sights.of(int(g)) {
			if marks[g]>>i&1 == 0 {
				continue
			}
			for j := range s {
				if s[j].view == o.view {
					own |= 1 << j
				}
			}
		}
	}
	return own
}
