package mvs

import (
	"context"
	"math"
	"runtime"
	"sync"
	"testing"
)

var once = sync.OnceValues(func() (*scene, error) {
	s := newScene(6, 256, 192)
	err := Estimate(context.Background(), s.views, s, s, Options{Workers: runtime.GOMAXPROCS(0)}, nil)
	return s, err
})

func TestDepth(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	s := estimated(t)
	var want, have, good, off, sky, ghosts int
	var slant float64
	for i, v := range s.views {
		m := s.maps[mapKey{i, true}]
		for at, d := range m.Depth {
			x, y := at%v.Camera.Width, at/v.Camera.Width
			truth := s.depth[i][at]
			switch s.face[i][at] {
			case -1:
				if sky++; d > 0 && m.Cost[at] < 0.5 {
					ghosts++
				}
				continue
			case blankFace:
				continue
			}
			if len(s.seenBy(s.world(i, x, y, truth))) < 3 {
				continue
			}
			want++
			if d == 0 {
				continue
			}
			have++
			switch e := math.Abs(float64(d/truth) - 1); {
			case e < 0.01:
				good++
				slant += s.slant(i, at, m)
			case e > 0.05:
				off++
			}
		}
	}
	t.Logf("of %d pixels %.1f %% have depth, %.1f %% within 1 %%, %.1f %% off by more than 5 %%; normals off by %.1f degrees; %.2f %% of the sky has depth",
		want, 100*float64(have)/float64(want), 100*float64(good)/float64(want), 100*float64(off)/float64(want), slant/float64(good), 100*float64(ghosts)/float64(sky))
	if good < want*90/100 {
		t.Errorf("%d of %d pixels are within 1 %%, want 90 %%", good, want)
	}
	if ghosts > sky/100 {
		t.Errorf("%d of %d pixels of the sky have depth", ghosts, sky)
	}
	if slant/float64(good) > 15 {
		t.Errorf("normals are off by %.1f degrees in the mean", slant/float64(good))
	}
}

// slant is the angle between the normal of a map and the face's, in degrees.
func (s *scene) slant(i, at int, m *Map) float64 {
	c := s.views[i].Pose.Rotate(s.normal(s.face[i][at]))
	dot := 0.0
	for k := range 3 {
		dot += c[k] * float64(m.Normal[3*at+k])
	}
	return math.Acos(min(max(dot, -1), 1)) * 180 / math.Pi
}

// normal of a face, outwards; up for the sky.
func (s *scene) normal(face int) [3]float64 {
	n := [3]float64{0, 0, 1}
	if face > 0 {
		n = [3]float64{}
		n[(face-1)%6/2] = float64(2*((face-1)%2) - 1)
	}
	return n
}

func TestFuse(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	s := estimated(t)
	c, err := Fuse(context.Background(), s.views, s, s, FuseOptions{Workers: 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const pixel = 18.0 / 256 // at the far side, at least
	near, far := 0, 0
	for i := range c.Len() {
		var p [3]float64
		for k := range p {
			p[k] = float64(c.Points[3*i+k]) + c.Origin[k]
		}
		switch d := s.distance(p); {
		case d < 2*pixel:
			near++
		case d > 10*pixel:
			far++
		}
	}
	t.Logf("%d points, %.1f %% within 2 pixels, %.2f %% beyond 10", c.Len(), 100*float64(near)/float64(c.Len()), 100*float64(far)/float64(c.Len()))
	if near < c.Len()*95/100 || far > c.Len()/500 {
		t.Errorf("of %d points %d are within 2 pixels of a surface, %d farther than 10", c.Len(), near, far)
	}
	if c.Len() < 256*192*3/4 {
		t.Errorf("%d points are fewer than three quarters of a photo", c.Len())
	}
}
