package render

import (
	"context"
	"image"
	"math"
)

// Turntable draws pictures from all around, frames of them, and hands each to yield
// until that has an error. The eye goes to the right, as if the scene turned to the left,
// at one distance, from which all of the scene is in all pictures. The first is seen from
// the direction of Draw.
func Turntable(ctx context.Context, s *Scene, o Options, frames int, yield func(*image.NRGBA) error) error {
	lo, hi, ok := s.bounds()
	if !ok {
		return ErrEmpty
	}
	o.Samples = samples(o)
	direction := vec(o.Direction)
	if direction == (vec{}) {
		direction = s.choose(lo, hi)
	}
	center := mul(add(lo, hi), 0.5)
	eyes := make([]eye, frames)
	var all extremes
	for i := range eyes {
		eyes[i] = look(turned(direction, 2*math.Pi*float64(i)/float64(frames)), o.Width*o.Samples, o.Height*o.Samples)
		e := s.extremes(&eyes[i], center)
		// The axis stays in the middle.
		e.side[0] = max(e.side[0], e.side[1])
		e.side[1] = e.side[0]
		if i == 0 {
			all = e
		}
		for k := range e.side {
			all.side[k] = max(all.side[k], e.side[k])
		}
		all.front = max(all.front, e.front)
	}
	for i := range eyes {
		eyes[i].stand(all, center, lo, hi)
		img, err := s.draw(ctx, o, eyes[i])
		if err != nil {
			return err
		}
		if err := yield(img); err != nil {
			return err
		}
	}
	return nil
}

// turned goes around the axis that is up.
func turned(d vec, angle float64) vec {
	s, c := math.Sincos(angle)
	return vec{c*d[0] + s*d[2], d[1], c*d[2] - s*d[0]}
}
