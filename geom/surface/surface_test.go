package surface

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"slate360.ai/worker/geom/topology"
)

// TestReconstruct holds surfaces of noisy clouds with outliers against the bodies that
// they are of.
func TestReconstruct(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	for _, c := range []struct {
		name       string
		scene      *scene
		within     float64 // spacings
		watertight bool
	}{
		{"site", site(), 1, false},
		{"globe", globe(), 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cloud, truth := c.scene.cloud()
			m, err := Reconstruct(context.Background(), cloud, Options{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			top := checkMesh(t, m)
			f, p, r := c.scene.score(m, truth, c.within*c.scene.spacing)
			t.Logf("%d points, %d triangles: F %.4f, precision %.4f, recall %.4f", len(cloud.Points)/3, len(m.Triangles)/3, f, p, r)
			if f < 0.95 {
				t.Errorf("F is %.3f", f)
			}
			if top.Parts != 1 || c.watertight && !top.Watertight {
				t.Errorf("%+v", top)
			}
			if v := signedVolume(m); c.watertight && v <= 0 {
				t.Errorf("triangles face inwards: volume %g", v)
			}
		})
	}
}

func signedVolume(m *Mesh) (sum float64) {
	s := &mesh{points: m.Positions}
	for i := 0; i < len(m.Triangles); i += 3 {
		a, b, c := s.at(int32(m.Triangles[i])), s.at(int32(m.Triangles[i+1])), s.at(int32(m.Triangles[i+2]))
		sum += dot(a, cross(b, c)) / 6
	}
	return sum
}

func checkMesh(t *testing.T, m *Mesh) topology.Report {
	t.Helper()
	for _, p := range m.Positions {
		if !finite(p) {
			t.Fatal("a coordinate is not finite")
		}
	}
	used := make([]bool, len(m.Positions)/3)
	for _, v := range m.Triangles {
		if int(v) >= len(used) {
			t.Fatalf("vertex %d of %d", v, len(used))
		}
		used[v] = true
	}
	if slices.Contains(used, false) {
		t.Error("a vertex is in no triangle")
	}
	r := topology.Analyze(m.Positions, m.Triangles)
	if !r.Manifold || r.Degenerate > 0 || r.Duplicate > 0 {
		t.Errorf("%+v", r)
	}
	return r
}

// sheet is a square of n × n points with one camera above and normals up.
func sheet(n int, height func(x, y int) float32) Cloud {
	c := Cloud{Centers: [][3]float32{{0, 0, 50}, {float32(n), float32(n), 50}}, Offsets: []uint32{0}}
	for y := range n {
		for x := range n {
			c.Points = append(c.Points, float32(x), float32(y), height(x, y))
			c.Normals = append(c.Normals, 0, 0, 1)
			c.Views = append(c.Views, 0, 1)
			c.Offsets = append(c.Offsets, uint32(len(c.Views)))
		}
	}
	return c
}

func flat(_, _ int) float32 { return 0 }

func wavy(x, y int) float32 { return float32(2 * math.Sin(float64(x)/6) * math.Cos(float64(y)/6)) }

// TestOptions makes the same wave in all ways, and holds it against its height.
func TestOptions(t *testing.T) {
	seen := sheet(50, wavy)
	blind := Cloud{Points: seen.Points, Normals: seen.Normals}
	bare := Cloud{Points: seen.Points}
	for name, c := range map[string]struct {
		cloud Cloud
		o     Options
	}{
		"views": {seen, Options{Merge: 1}}, "normals": {blind, Options{Merge: 1}}, "nothing": {bare, Options{Merge: 1}},
		"height field": {seen, Options{Merge: 1, Mode: HeightField}}, "rough": {seen, Options{Merge: 1, Smooth: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Reconstruct(context.Background(), c.cloud, c.o, nil)
			if err != nil {
				t.Fatal(err)
			}
			checkMesh(t, m)
			area := 0.0
			s := &mesh{points: m.Positions}
			for i := 0; i < len(m.Triangles); i += 3 {
				n := s.area([3]int32{int32(m.Triangles[i]), int32(m.Triangles[i+1]), int32(m.Triangles[i+2])})
				area += n[2] / 2
			}
			for i := 0; i < len(m.Positions); i += 3 {
				x, y, z := float64(m.Positions[i]), float64(m.Positions[i+1]), float64(m.Positions[i+2])
				if want := 2 * math.Sin(x/6) * math.Cos(y/6); math.Abs(z-want) > 0.4 {
					t.Fatalf("height %.2f at %.2f, %.2f, not %.2f", z, x, y, want)
				}
			}
			if area < 45*45 || area > 49.001*49.001 {
				t.Errorf("an area of %.0f in plan", area)
			}
		})
	}
}

// TestAuto holds what is taken for a survey from above.
func TestAuto(t *testing.T) {
	for name, c := range map[string]struct {
		height float32
		above  bool
	}{"high": {300, true}, "low": {3, false}} {
		cloud := sheet(30, wavy)
		for i := range cloud.Centers {
			cloud.Centers[i][2] = c.height
		}
		v, err := merge(context.Background(), cloud, Options{}.defaults())
		if err != nil {
			t.Fatal(err)
		}
		if above := v.fromAbove(cloud.Centers); above != c.above {
			t.Errorf("%s: from above %v", name, above)
		}
		if _, err := Reconstruct(context.Background(), cloud, Options{Mode: Auto, Merge: 1}, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPlane gives points exactly in planes, which have no tetrahedra, and a grid in
// space, all of whose cells are on common balls.
func TestPlane(t *testing.T) {
	upright := sheet(40, flat)
	for i := 0; i < len(upright.Points); i += 3 {
		p := upright.Points[i : i+3]
		n := upright.Normals[i : i+3]
		p[1], p[2], n[1], n[2] = p[2], p[1], -1, 0
	}
	for name, c := range map[string]Cloud{"level": sheet(40, flat), "upright": upright} {
		m, err := Reconstruct(context.Background(), c, Options{Merge: 1}, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkMesh(t, m)
		s := &mesh{points: m.Positions}
		var sum vec
		for i := 0; i < len(m.Triangles); i += 3 {
			n := s.area([3]int32{int32(m.Triangles[i]), int32(m.Triangles[i+1]), int32(m.Triangles[i+2])})
			for a := range 3 {
				sum[a] += n[a] / 2
			}
		}
		want := c.Normals[:3]
		if d := sum[0]*float64(want[0]) + sum[1]*float64(want[1]) + sum[2]*float64(want[2]); d < 36*36 {
			t.Errorf("%s: an area of %v", name, sum)
		}
	}
}

func TestBadClouds(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	seen := func(points ...float32) Cloud {
		c := Cloud{Points: points, Centers: [][3]float32{{0, 0, 10}}, Offsets: []uint32{0}}
		for range len(points) / 3 {
			c.Views = append(c.Views, 0)
			c.Offsets = append(c.Offsets, uint32(len(c.Views)))
		}
		return c
	}
	few := map[string]Cloud{
		"nothing": {}, "one": seen(1, 2, 3), "two": seen(1, 2, 3, 4, 5, 6),
		"same":         seen(slices.Repeat([]float32{1, 2, 3}, 100)...),
		"line":         seen(0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5),
		"not a number": seen(nan, 0, 0, 0, inf, 0, 0, 0, -inf, nan, nan, nan),
		"in a camera":  seen(slices.Repeat([]float32{0, 0, 10}, 100)...),
		"huge line":    seen(-math.MaxFloat32, 0, 0, 0, 0, 0, math.MaxFloat32, 0, 0),
	}
	for name, c := range few {
		if _, err := Reconstruct(context.Background(), c, Options{}, nil); !errors.Is(err, ErrTooFew) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wrong := map[string]Cloud{
		"half a point":     {Points: []float32{1, 2}},
		"normals":          {Points: make([]float32, 9), Normals: make([]float32, 6)},
		"views":            {Points: make([]float32, 9), Views: []uint32{0}},
		"offsets":          {Points: make([]float32, 9), Offsets: []uint32{0, 0, 0}},
		"falling offsets":  {Points: make([]float32, 9), Offsets: []uint32{0, 2, 1, 2}, Views: []uint32{0, 0}, Centers: make([][3]float32, 1)},
		"view":             {Points: make([]float32, 9), Offsets: []uint32{0, 1, 1, 1}, Views: []uint32{3}, Centers: make([][3]float32, 3)},
		"camera somewhere": {Points: make([]float32, 9), Offsets: []uint32{0, 1, 1, 1}, Views: []uint32{0}, Centers: [][3]float32{{nan, 0, 0}}},
	}
	for name, c := range wrong {
		if _, err := Reconstruct(context.Background(), c, Options{}, nil); err == nil || errors.Is(err, ErrTooFew) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDirt adds to a wave what real clouds have: duplicates, points that are not
// finite, normals that are not, points without views.
func TestDirt(t *testing.T) {
	c := sheet(40, wavy)
	nan := float32(math.NaN())
	for i := range 200 {
		c.Points = append(c.Points, c.Points[3*i], c.Points[3*i+1], c.Points[3*i+2], nan, 1, 1, float32(i), 3, 90)
		c.Normals = append(c.Normals, nan, nan, nan, 0, 0, 1, 0, 0, 0)
		c.Views = append(c.Views, 0, 1)
		n := uint32(len(c.Views))
		c.Offsets = append(c.Offsets, n-1, n, n)
	}
	m, err := Reconstruct(context.Background(), c, Options{Merge: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := checkMesh(t, m); r.Parts != 1 {
		t.Errorf("%+v", r)
	}
}

// TestWorkers holds the meshes of one and of several workers against each other.
func TestWorkers(t *testing.T) {
	c, _ := globe().cloud()
	var first *Mesh
	for _, workers := range []int{1, 2, 7} {
		m, err := Reconstruct(context.Background(), c, Options{Workers: workers}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = m
		}
		if !slices.Equal(m.Positions, first.Positions) || !slices.Equal(m.Triangles, first.Triangles) {
			t.Errorf("another mesh with %d workers", workers)
		}
	}
}

func TestCancelAndProgress(t *testing.T) {
	c := sheet(60, wavy)
	var told []float64
	if _, err := Reconstruct(context.Background(), c, Options{Merge: 1}, func(done float64) { told = append(told, done) }); err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(told) || told[0] < 0 || told[len(told)-1] != 1 {
		t.Errorf("progress was %v", told)
	}
	for i := 0; i < len(told)-1; i += 1 + len(told)/12 {
		stop := told[i]
		ctx, cancel := context.WithCancel(context.Background())
		_, err := Reconstruct(ctx, c, Options{Merge: 1}, func(done float64) {
			if done >= stop {
				cancel()
			}
		})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled at %g: %v", stop, err)
		}
	}
}
