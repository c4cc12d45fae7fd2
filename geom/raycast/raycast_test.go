package raycast

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// soup is random triangles in a cube.
func soup(r *rand.Rand, n int, size float32) ([]float32, []uint32) {
	var p []float32
	var t []uint32
	for i := range uint32(n) {
		c := [3]float32{r.Float32(), r.Float32(), r.Float32()}
		for range 3 {
			for k := range 3 {
				p = append(p, c[k]+size*(r.Float32()-.5))
			}
		}
		t = append(t, 3*i, 3*i+1, 3*i+2)
	}
	return p, t
}

// every tries all triangles.
func every(s *Surface, r *Ray, tmin, tmax float32) Hit {
	best := Hit{T: tmax, Triangle: -1}
	for i := range s.tris {
		s.test(int32(i), r, tmin, &best)
	}
	return best
}

func TestNearestIsThatOfAll(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 3, 50, 3000} {
		s, err := New(soup(r, n, .2))
		if err != nil {
			t.Fatal(err)
		}
		hits := 0
		for range 2000 {
			ray := Ray{[3]float32{3*r.Float32() - 1, 3*r.Float32() - 1, 3*r.Float32() - 1}, [3]float32{r.Float32() - .5, r.Float32() - .5, r.Float32() - .5}}
			if r.IntN(3) == 0 {
				ray.Direction[r.IntN(3)] = 0
			}
			want := every(s, &ray, 0, 100)
			got, ok := s.Nearest(&ray, 0, 100, int32(r.IntN(n+1)-1))
			if ok != (want.Triangle >= 0) || got.T != want.T {
				t.Fatalf("of %d triangles %+v hits %+v, want %+v", n, ray, got, want)
			}
			if s.Blocked(&ray, 0, 100) != ok || ok && s.Blocked(&ray, got.T*1.00001, got.T*1.00002) && every(s, &ray, got.T*1.00001, got.T*1.00002).Triangle < 0 {
				t.Fatal("Blocked does not agree")
			}
			if ok {
				hits++
			}
		}
		if n > 1000 && hits < 100 {
			t.Errorf("%d hits of %d triangles", hits, n)
		}
	}
}

// TestNoHoles looks straight at the edges and corners of a grid.
func TestNoHoles(t *testing.T) {
	const n = 40
	var p []float32
	var tri []uint32
	for y := range n + 1 {
		for x := range n + 1 {
			p = append(p, float32(x)*.37, float32(y)*.37, float32(math.Sin(float64(x*y))))
		}
	}
	for y := range uint32(n) {
		for x := range uint32(n) {
			a := y*(n+1) + x
			tri = append(tri, a, a+1, a+n+1, a+n+1, a+1, a+n+2)
		}
	}
	s, err := New(p, tri)
	if err != nil {
		t.Fatal(err)
	}
	for y := 1; y < 2*n; y++ {
		for x := 1; x < 2*n; x++ {
			px, py := float32(x)*.37/2, float32(y)*.37/2
			for _, eye := range [][3]float32{{px, py, 50}, {px - 3, py + 7, 60}} {
				ray := Ray{eye, [3]float32{px - eye[0], py - eye[1], -eye[2]}}
				if _, ok := s.Nearest(&ray, 0, 10, -1); !ok {
					t.Fatalf("a hole at %g, %g", px, py)
				}
			}
		}
	}
}

func TestHitIsOnTheTriangle(t *testing.T) {
	s, err := New([]float32{0, 0, 0, 4, 0, 0, 0, 2, 0}, []uint32{0, 1, 2})
	if err != nil {
		t.Fatal(err)
	}
	ray := Ray{[3]float32{1, 1, 10}, [3]float32{0, 0, -2}}
	h, ok := s.Nearest(&ray, 0, 100, -1)
	if !ok || h != (Hit{T: 5, Triangle: 0, U: .25, V: .5}) || ray.At(h.T) != [3]float32{1, 1, 0} {
		t.Errorf("%+v, %v", h, ok)
	}
	if _, ok := s.Nearest(&ray, 0, 5, -1); ok {
		t.Error("a hit at tmax")
	}
}

func TestManyAtOnePlace(t *testing.T) {
	var p []float32
	var tri []uint32
	for i := range uint32(500) {
		p = append(p, 0, 0, 0, 1, 0, 0, 0, 1, 0)
		tri = append(tri, 3*i, 3*i+1, 3*i+2)
	}
	s, err := New(p, tri)
	if err != nil {
		t.Fatal(err)
	}
	ray := Ray{[3]float32{.2, .2, 1}, [3]float32{0, 0, -1}}
	if _, ok := s.Nearest(&ray, 0, 2, -1); !ok {
		t.Error("missed")
	}
}

func TestRefused(t *testing.T) {
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		p    []float32
		tri  []uint32
		want error
	}{
		"empty":   {nil, nil, ErrEmpty},
		"index":   {[]float32{0, 0, 0}, []uint32{0, 0, 1}, ErrMesh},
		"uneven":  {[]float32{0, 0, 0}, []uint32{0, 0, 0, 0}, ErrMesh},
		"not one": {[]float32{0, nan, 0}, []uint32{0, 0, 0}, ErrMesh},
	} {
		if _, err := New(c.p, c.tri); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkNearest(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	s, err := New(soup(r, 100000, .02))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		ray := Ray{[3]float32{.5, .5, 5}, [3]float32{.2 * (r.Float32() - .5), .2 * (r.Float32() - .5), -1}}
		s.Nearest(&ray, 0, 100, -1)
	}
}
