package dem

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func height(x, y float64) float64 { return 100 + 5*math.Sin(x/40) + 3*math.Cos(y/25) + .03*x }

// scene has 2 points a square metre on 300 by 200 m of waves, a box of 40 by 30 m
// with a flat roof 12 m above, and noise.
func scene() Cloud {
	r := rand.New(rand.NewPCG(2, 3))
	c := Cloud{Scale: [3]float64{.01, .01, .01}, Offset: [3]float64{1000, 2000, 50}}
	add := func(x, y, z float64, class uint8) {
		c.XYZ = append(c.XYZ, int32(x*100), int32(y*100), int32((z-50)*100))
		c.Class = append(c.Class, class)
	}
	for range 120000 {
		x, y := r.Float64()*300, r.Float64()*200
		if x > 100 && x < 140 && y > 80 && y < 110 {
			add(x, y, 125, 6)
			continue
		}
		add(x, y, height(x, y), 2)
	}
	add(50, 50, 300, 18)
	add(60, 60, 10, 7)
	add(5000, 50, 100, 7)
	return c
}

func (r *Raster) at(x, y float64) float32 {
	return r.Data[int((r.North-y)/r.Cell)*r.Cols+int((x-r.West)/r.Cell)]
}

func TestSurfaces(t *testing.T) {
	dsm, dtm, err := Surfaces(context.Background(), scene(), Params{Workers: 3})
	if err != nil {
		t.Fatal(err)
	}
	if dsm.Cell != 1 || dsm.Cols < 300 || dsm.Cols > 302 || dsm.Rows < 200 || dsm.Rows > 202 || math.Mod(dsm.West, dsm.Cell) != 0 {
		t.Fatalf("%d by %d cells of %g from %g", dsm.Cols, dsm.Rows, dsm.Cell, dsm.West)
	}
	var sum, sumUnder float64
	var n, under int
	for y := 5.0; y < 195; y += 1.7 {
		for x := 5.0; x < 295; x += 1.7 {
			box := x > 102 && x < 138 && y > 82 && y < 108
			got, want := float64(dtm.at(1000+x, 2000+y)), height(x, y)
			switch {
			case box:
				sumUnder += (got - want) * (got - want)
				under++
				if roof := dsm.at(1000+x, 2000+y); math.Abs(float64(roof)-125) > .01 {
					t.Fatalf("roof at %g, %g is %g", x, y, roof)
				}
			case x < 98 || x > 142 || y < 78 || y > 112:
				sum += (got - want) * (got - want)
				n++
				if d := float64(dsm.at(1000+x, 2000+y)) - want; d < -.3 || d > .6 {
					t.Fatalf("surface at %g, %g is off by %g", x, y, d)
				}
			}
		}
	}
	if rmse := math.Sqrt(sum / float64(n)); rmse > .15 {
		t.Errorf("terrain is off by %.3f m (RMSE)", rmse)
	}
	if rmse := math.Sqrt(sumUnder / float64(under)); rmse > 1.5 {
		t.Errorf("terrain below the building is off by %.3f m (RMSE)", rmse)
	}
}

// TestReach holds that no surface is made up far from points.
func TestReach(t *testing.T) {
	c := scene()
	for i := 0; i < len(c.XYZ); i += 3 {
		if c.XYZ[i] > 15000 {
			c.XYZ[i] += 30000
		}
	}
	dsm, dtm, err := Surfaces(context.Background(), c, Params{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Raster{dsm, dtm} {
		if v := r.at(1300, 2100); v != NoData {
			t.Errorf("height %g in the gap", v)
		}
		if v := r.at(1050, 2100); v == NoData {
			t.Error("no height where points are")
		}
	}
}

func TestDegenerate(t *testing.T) {
	one := [3]float64{1, 1, 1}
	if _, _, err := Surfaces(context.Background(), Cloud{XYZ: []int32{1, 2, 3}, Scale: one, Class: []uint8{7}}, Params{}); !errors.Is(err, ErrNoPoints) {
		t.Errorf("nothing but noise: %v", err)
	}
	dsm, dtm, err := Surfaces(context.Background(), Cloud{XYZ: []int32{1, 2, 3}, Scale: one, Class: []uint8{1}}, Params{})
	if err != nil || dtm != nil || dsm.Cols != 1 || dsm.Rows != 1 || dsm.Data[0] != 3 {
		t.Errorf("one point: %+v, %v, %v", dsm, dtm, err)
	}
	line := Cloud{Scale: one}
	for i := range 1000 {
		line.XYZ = append(line.XYZ, int32(i), 0, int32(i))
		line.Class = append(line.Class, 2)
	}
	if dsm, dtm, err = Surfaces(context.Background(), line, Params{}); err != nil || dsm.Rows != 1 || dtm == nil {
		t.Errorf("a line: %v", err)
	}
	far := Cloud{XYZ: []int32{math.MinInt32, math.MinInt32, 0, math.MaxInt32, math.MaxInt32, 0}, Scale: one, Class: []uint8{2, 2}}
	if dsm, _, err = Surfaces(context.Background(), far, Params{Cell: 1, MaxCells: 1 << 16}); err != nil || dsm.Cols*dsm.Rows > 1<<16 {
		t.Errorf("far points: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Surfaces(ctx, line, Params{}); err == nil {
		t.Error("the end of the context is no error")
	}
}

func BenchmarkSurfaces(b *testing.B) {
	c := scene()
	for b.Loop() {
		if _, _, err := Surfaces(context.Background(), c, Params{Workers: 2}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(c.Class))*float64(b.N)/b.Elapsed().Seconds(), "points/s")
}
