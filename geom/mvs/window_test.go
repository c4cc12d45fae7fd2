package mvs

import (
	"context"
	"math"
	"runtime"
	"testing"

	"slate360.ai/worker/geom/camera"
)

// pair is two photos of a slanted plane with a pattern.
func pair() (view, source View, photos [2]*picture, truth plane) {
	const w, h = 120, 100
	truth = planeAt(6, [3]float32{0.3, -0.2, -0.93}, 0, 0)
	c := camera.NewPinhole(w, h, 110, 110, w/2, h/2)
	view = View{Camera: c, Pose: camera.Identity()}
	source = View{Camera: c, Pose: camera.LookAt([3]float64{1, 0.3, 0.2}, [3]float64{0, 0, 6}, [3]float64{0, -1, 0})}
	for i, v := range []View{view, source} {
		gray := make([]uint8, w*h)
		for at := range gray {
			x, y := c.Direction(float64(at%w)+0.5, float64(at/w)+0.5)
			d, o := v.Pose.Unrotate([3]float64{x, y, 1}), v.Pose.Center()
			// w·(o + t·d) is one on the plane.
			f := func(p [3]float64) float64 {
				return float64(truth[0])*p[0] + float64(truth[1])*p[1] + float64(truth[2])*p[2]
			}
			t := (1 - f(o)) / f(d)
			gray[at] = uint8(128 + 200*pattern([3]float64{o[0] + t*d[0], o[1] + t*d[1], o[2] + t*d[2]}, 3))
		}
		photos[i] = newPicture(w, h, gray)
	}
	return view, source, photos, truth
}

func TestCost(t *testing.T) {
	view, source, photos, truth := pair()
	rel := relate(view, source, 0, photos[1])
	l := lensOf(view.Camera, 0)
	w := newWindow(l.w, 0)
	for y := 30; y < 70; y += 5 {
		for x := 40; x < 80; x += 5 {
			if !w.load(photos[0], x, y) {
				t.Fatalf("there is nothing to see at %d, %d", x, y)
			}
			rx, ry := l.ray(x, y)
			q := rel.project(rx, ry)
			inv := truth.inverse(rx, ry)
			good := w.cost(&rel, &l, &truth, inv, &q)
			if good > 0.1 {
				t.Errorf("the true plane costs %g at %d, %d", good, x, y)
			}
			// Three pixels of parallax away.
			f := 1 + 3/(rel.parallax(&q, inv)*inv)
			off := plane{truth[0] * f, truth[1] * f, truth[2] * f}
			if bad := w.cost(&rel, &l, &off, inv*f, &q); bad < good+0.1 {
				t.Errorf("a plane that is off costs %g, the true one %g at %d, %d", bad, good, x, y)
			}
		}
	}
}

// Planes that are hidden, seen out of the photo, or no numbers at all, cost the most.
func TestCostOfTheImpossible(t *testing.T) {
	view, source, photos, truth := pair()
	rel := relate(view, source, 0, photos[1])
	l := lensOf(view.Camera, 0)
	w := newWindow(l.w, 0)
	w.load(photos[0], 60, 50)
	rx, ry := l.ray(60, 50)
	q := rel.project(rx, ry)
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, p := range []plane{
		{nan, nan, nan},
		{inf, 0, 1},
		{0, 0, inf},
		{0, 0, 1e30},
		{0, 0, -1},
		{1e6, 0, 1},
		{0, 0, 5},
		{truth[0], truth[1] + 40, truth[2]},
	} {
		if c := w.cost(&rel, &l, &p, p.inverse(rx, ry), &q); c != worst {
			t.Errorf("plane %v costs %g", p, c)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	_, _, photos, _ := pair()
	w := newWindow(photos[0].w, 0)
	for i := range b.N {
		w.load(photos[0], 20+i%80, 50)
	}
}

func BenchmarkCost(b *testing.B) {
	view, source, photos, truth := pair()
	rel := relate(view, source, 0, photos[1])
	l := lensOf(view.Camera, 0)
	w := newWindow(l.w, 0)
	w.load(photos[0], 60, 50)
	rx, ry := l.ray(60, 50)
	q := rel.project(rx, ry)
	inv := truth.inverse(rx, ry)
	for range b.N {
		w.cost(&rel, &l, &truth, inv, &q)
	}
}

// BenchmarkEstimate makes the depth maps of four views; bytes are pixels.
func BenchmarkEstimate(b *testing.B) {
	s := newScene(4, 320, 240)
	b.SetBytes(4 * 320 * 240)
	for range b.N {
		clear(s.maps)
		if err := Estimate(context.Background(), s.views, s, s, Options{Workers: runtime.GOMAXPROCS(0)}, nil); err != nil {
			b.Fatal(err)
		}
	}
}
