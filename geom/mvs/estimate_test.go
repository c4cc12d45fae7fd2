package mvs

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"slate360.ai/worker/geom/camera"
)

// The same comes out with any number of workers, and after a stop in between.
func TestSameWithAnyWorkers(t *testing.T) {
	ctx := context.Background()
	one := newScene(4, 160, 120)
	if err := Estimate(ctx, one.views, one, one, Options{Workers: 1}, nil); err != nil {
		t.Fatal(err)
	}
	many := newScene(4, 160, 120)
	stopped, stop := context.WithCancel(ctx)
	err := Estimate(stopped, many.views, many, many, Options{Workers: 7}, func(done float64) {
		if done > 0.5 {
			stop()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("after the stop: %v", err)
	}
	made := len(many.maps)
	if made < 4 || made >= 8 {
		t.Fatalf("%d maps were made before the stop", made)
	}
	if err := Estimate(ctx, many.views, many, many, Options{Workers: 3}, nil); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(one.maps, many.maps) {
		t.Error("depth maps depend on the number of workers")
	}
	a, err := Fuse(ctx, one.views, one, one, FuseOptions{Workers: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Fuse(ctx, many.views, many, many, FuseOptions{Workers: 5}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Len() == 0 || !reflect.DeepEqual(a, b) {
		t.Errorf("clouds of %d and %d points depend on the number of workers", a.Len(), b.Len())
	}
}

// The second pass goes on from maps that another program made at full size.
func TestOtherMaps(t *testing.T) {
	s := newScene(4, 240, 200)
	for i, v := range s.views {
		m := &Map{Width: 240, Height: 200, Depth: s.depth[i], Normal: make([]float32, 3*240*200)}
		for at := range m.Depth {
			n := v.Pose.Rotate(s.normal(s.face[i][at]))
			for k := range n {
				m.Normal[3*at+k] = float32(n[k])
			}
		}
		s.maps[mapKey{i, false}] = m
	}
	if err := Estimate(context.Background(), s.views, s, s, Options{Workers: 2}, nil); err != nil {
		t.Fatal(err)
	}
	good, all := 0, 0
	for at, d := range s.maps[mapKey{1, true}].Depth {
		if truth := s.depth[1][at]; d > 0 && truth > 0 && s.face[1][at] != blankFace {
			all++
			if math.Abs(float64(d/truth)-1) < 0.01 {
				good++
			}
		}
	}
	if good < all*95/100 || good < 240*200/3 {
		t.Errorf("%d of %d pixels are within 1 %%", good, all)
	}
}

// A stop is heard in the middle of a view, by the next row of each worker.
func TestStop(t *testing.T) {
	s := newScene(4, 160, 120)
	ctx := &countdown{Context: context.Background()}
	ctx.left.Store(200) // rows: there are some 1,500 to a view
	if err := Estimate(ctx, s.views, s, s, Options{Workers: 2}, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if len(s.maps) != 0 {
		t.Error("the view was finished all the same")
	}
	if more := -ctx.left.Load(); more > 6 {
		t.Errorf("the context was asked %d times after the stop", more)
	}
}

// countdown is a context that ends after it was asked so many times.
type countdown struct {
	context.Context
	left atomic.Int64
}

func (c *countdown) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

func TestSelect(t *testing.T) {
	s := newScene(6, 160, 120)
	for i, v := range s.views {
		if len(v.Neighbors) < 3 || len(v.Seeds) < 50 {
			t.Errorf("view %d has neighbours %v and %d seeds", i, v.Neighbors, len(v.Seeds))
		}
		if n := v.Neighbors[0]; n != i-1 && n != i+1 {
			t.Errorf("the best neighbour of view %d is %d", i, n)
		}
		out := 0
		for _, d := range s.depth[i] {
			if d > 0 && (float64(d) < v.Near || float64(d) > v.Far) {
				out++
			}
		}
		if out > len(s.depth[i])/50 {
			t.Errorf("%d pixels of view %d are out of %g to %g", out, i, v.Near, v.Far)
		}
	}
}

// A view that shares too little with others takes no part, and points that name views
// that are not there do no harm.
func TestSelectLeavesOut(t *testing.T) {
	s := newScene(4, 160, 120)
	points := s.points()
	for i := range points {
		var seen []int
		for _, v := range points[i].Views {
			if v != 2 {
				seen = append(seen, v)
			}
		}
		points[i].Views = append(seen, 99, -1)
	}
	Select(s.views, points)
	for i, v := range s.views {
		if (len(v.Neighbors) == 0) != (i == 2) {
			t.Errorf("view %d has neighbours %v", i, v.Neighbors)
		}
		for _, n := range v.Neighbors {
			if n == 2 {
				t.Errorf("view %d has view 2 as a neighbour", i)
			}
		}
	}
	if err := Estimate(context.Background(), s.views, s, s, Options{Workers: 2}, nil); err != nil {
		t.Fatal(err)
	}
	if s.Has(2, true) || !s.Has(1, true) {
		t.Error("maps are there of the wrong views")
	}
	if c, err := Fuse(context.Background(), s.views, s, s, FuseOptions{}, nil); err != nil || c.Len() == 0 {
		t.Errorf("fused %v, %v", c, err)
	}
}

// Photos that were all taken from one place have no depth to find.
func TestSelectWantsDistance(t *testing.T) {
	s := newScene(3, 160, 120)
	points := s.points()
	for i := range s.views {
		s.views[i].Pose = s.views[0].Pose
	}
	Select(s.views, points)
	if err := Estimate(context.Background(), s.views, s, s, Options{}, nil); !errors.Is(err, ErrNoViews) {
		t.Errorf("got %v, want ErrNoViews", err)
	}
}

func TestRefused(t *testing.T) {
	distorted := camera.Camera{Model: camera.SimpleRadial, Width: 64, Height: 48, Params: []float64{60, 32, 24, 0.1}}
	for want, change := range map[string]func(v []View) []View{
		"no view has a neighbour":           func(v []View) []View { v[0].Neighbors, v[1].Neighbors = nil, nil; return v },
		"no view":                           func([]View) []View { return nil },
		"view 0 has lens distortion":        func(v []View) []View { v[0].Camera = distorted; return v },
		"view 1 has depths from 0 to 5":     func(v []View) []View { v[1].Near = 0; return v },
		"view 1 has depths from 1 to +Inf":  func(v []View) []View { v[1].Far = math.Inf(1); return v },
		"view 0 has neighbour 2 of 2 views": func(v []View) []View { v[0].Neighbors = []int{2}; return v },
		"view 0 has neighbour 0 of 2 views": func(v []View) []View { v[0].Neighbors = []int{0}; return v },
		"a size of 0 × 48":                  func(v []View) []View { v[0].Camera.Width = 0; return v },
		"the photo of view 0 has 3072":      func(v []View) []View { v[0].Camera.Width = 65; return v },
	} {
		views := []View{
			{Camera: camera.NewPinhole(64, 48, 60, 60, 32, 24), Pose: camera.Identity(), Neighbors: []int{1}, Near: 1, Far: 5},
			{Camera: camera.NewPinhole(64, 48, 60, 60, 32, 24), Pose: camera.Identity(), Neighbors: []int{0}, Near: 1, Far: 5},
		}
		s := &scene{gray: [][]uint8{make([]uint8, 64*48), make([]uint8, 64*48)}, maps: map[mapKey]*Map{}}
		views = change(views)
		if err := Estimate(context.Background(), views, s, s, Options{}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// Photos without anything to see, smaller than a window, or from one place, give empty
// maps and no harm.
func TestNothingToSee(t *testing.T) {
	for _, size := range [][2]int{{64, 48}, {5, 5}, {1, 1}, {300, 9}} {
		w, h := size[0], size[1]
		c := camera.NewPinhole(w, h, float64(w), float64(w), float64(w)/2, float64(h)/2)
		views := []View{
			{Camera: c, Pose: camera.Identity(), Neighbors: []int{1}, Near: 1, Far: 5, Seeds: [][3]float32{{0, 0, 2}}},
			{Camera: c, Pose: camera.Identity(), Neighbors: []int{0}, Near: 1, Far: 5},
		}
		s := &scene{gray: [][]uint8{make([]uint8, w*h), make([]uint8, w*h)}, maps: map[mapKey]*Map{}}
		if err := Estimate(context.Background(), views, s, s, Options{}, nil); err != nil {
			t.Fatal(err)
		}
		for _, d := range s.maps[mapKey{0, true}].Depth {
			if d != 0 {
				t.Fatalf("%d × %d: a depth of %g", w, h, d)
			}
		}
		if c, err := Fuse(context.Background(), views, s, s, FuseOptions{}, nil); err != nil || c.Len() != 0 {
			t.Errorf("%d × %d: fused %v, %v", w, h, c, err)
		}
	}
}
