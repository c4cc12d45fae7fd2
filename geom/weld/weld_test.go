package weld

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestPlaces(t *testing.T) {
	p := []float32{1, 2, 3, 0, 0, 0, 1, 2, 3, float32(math.Copysign(0, -1)), 0, 0, 1, 2, 4}
	if got := Places(p); !slices.Equal(got, []uint32{0, 1, 0, 1, 4}) {
		t.Errorf("%v", got)
	}
	// Against a map, with many vertices at few places.
	r := rand.New(rand.NewPCG(1, 2))
	p = nil
	for range 5000 {
		p = append(p, float32(r.IntN(9)), float32(r.IntN(9)), float32(r.IntN(9)))
	}
	first := map[[3]float32]uint32{}
	for v, got := range Places(p) {
		k := [3]float32(p[3*v:])
		if _, ok := first[k]; !ok {
			first[k] = uint32(v)
		}
		if got != first[k] {
			t.Fatalf("vertex %d is at the place of %d, want %d", v, got, first[k])
		}
	}
}
