package texturing

import (
	"context"
	"errors"
	"fmt"
)

// maxWorking is how many pixels photos have at most where they are compared; larger
// ones are scaled down by a whole number.
const maxWorking = 12 << 20

func reduction(v View) int {
	r := 1
	for int64(v.Camera.Width/r)*int64(v.Camera.Height/r) > maxWorking {
		r++
	}
	return r
}

// eachPhoto calls f for the photos of views one after the other; the next one is
// loaded meanwhile. Views without a photo are marked as skipped.
func (t *texturer) eachPhoto(list []int, f func(view int, rgb []uint8) error) error {
	type loaded struct {
		rgb []uint8
		err error
	}
	ctx, cancel := context.WithCancel(t.ctx)
	photos := make(chan loaded)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, view := range list {
			rgb, err := t.photos.RGB(ctx, view)
			select {
			case photos <- loaded{rgb, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() { cancel(); <-done }()
	for _, view := range list {
		var p loaded
		select {
		case p = <-photos:
		case <-ctx.Done():
			return ctx.Err()
		}
		if errors.Is(p.err, ErrNoPhoto) {
			t.skipped[view] = true
			continue
		}
		if p.err != nil {
			return fmt.Errorf("texturing: photo of view %d: %w", view, p.err)
		}
		if c := t.views[view].Camera; len(p.rgb) != 3*c.Width*c.Height {
			return fmt.Errorf("texturing: photo of view %d has %d bytes; want 3 × %d × %d", view, len(p.rgb), c.Width, c.Height)
		}
		if err := f(view, p.rgb); err != nil {
			return err
		}
	}
	return nil
}

// picture is a photo to look at.
type picture struct {
	w, h     int
	rgb      []uint8
	gradient []uint8
}

// picture scales a photo down by the mean of reduce × reduce pixels and finds how
// steep its brightness is.
func (t *texturer) picture(rgb []uint8, width int, l *lens, reduce int) (*picture, error) {
	p := &picture{w: l.w, h: l.h, rgb: rgb, gradient: make([]uint8, l.w*l.h)}
	if reduce > 1 {
		p.rgb = make([]uint8, 3*p.w*p.h)
		err := t.each(p.h, 64, func(from, to int) {
			for y := from; y < to; y++ {
				reduceRow(p.rgb[3*y*p.w:][:3*p.w], rgb[3*y*reduce*width:], width, reduce)
			}
		})
		if err != nil {
			return nil, err
		}
	} else if width != p.w {
		return nil, fmt.Errorf("texturing: a photo %d pixels wide for a lens of %d", width, p.w)
	}
	luma := make([]uint8, p.w*p.h)
	err := t.each(len(luma), 1<<18, func(from, to int) {
		for i := from; i < to; i++ {
			c := p.rgb[3*i:][:3]
			luma[i] = uint8((2*uint32(c[0]) + 5*uint32(c[1]) + uint32(c[2])) / 8)
		}
	})
	if err != nil {
		return nil, err
	}
	err = t.each(p.h, 64, func(from, to int) {
		for y := from; y < to; y++ {
			above, row, below := luma[max(y-1, 0)*p.w:][:p.w], luma[y*p.w:][:p.w], luma[min(y+1, p.h-1)*p.w:][:p.w]
			out := p.gradient[y*p.w:][:p.w]
			for x := range out {
				dx := int(row[min(x+1, p.w-1)]) - int(row[max(x-1, 0)])
				dy := int(below[x]) - int(above[x])
				out[x] = uint8(min(max(dx, -dx)+max(dy, -dy), steepest))
			}
		}
	})
	return p, err
}

// steepest bounds gradients: the edge of a shadow or a reflection is not more detail
// than a wall of bricks.
const steepest = 96

func reduceRow(out, rgb []uint8, width, reduce int) {
	n := uint32(reduce * reduce)
	for x := 0; x < len(out); x += 3 {
		var sum [3]uint32
		for j := range reduce {
			row := rgb[3*(j*width)+x*reduce:][:3*reduce]
			for i := 0; i < len(row); i += 3 {
				sum[0] += uint32(row[i])
				sum[1] += uint32(row[i+1])
				sum[2] += uint32(row[i+2])
			}
		}
		for k := range 3 {
			out[x+k] = uint8((sum[k] + n/2) / n)
		}
	}
}
