package retrieval_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"slate360.ai/worker/geom/retrieval"
)

// scene is a line of places, each with features of its own; a photo sees some in a row.
type scene struct {
	places [][]uint8
	rng    *rand.Rand
}

func newScene(places int) *scene {
	s := &scene{rng: rand.New(rand.NewPCG(1, 2))}
	for range places {
		d := make([]uint8, 20*retrieval.Size)
		for i := range d {
			d[i] = uint8(s.rng.ExpFloat64() * 30)
		}
		s.places = append(s.places, d)
	}
	return s
}

// photo sees places from at on, with noise.
func (s *scene) photo(at, n int) (d []uint8) {
	for _, p := range s.places[at : at+n] {
		for _, v := range p {
			d = append(d, v+uint8(s.rng.IntN(5)))
		}
	}
	return d
}

func TestMatch(t *testing.T) {
	s := newScene(30)
	a, b, c := s.photo(0, 10), s.photo(5, 10), s.photo(20, 10)
	if n := retrieval.Match(a, b); n < 90 || n > 105 {
		t.Errorf("half overlap of 200 features: %d in common", n)
	}
	if n := retrieval.Match(a, c); n > 5 {
		t.Errorf("no overlap: %d in common", n)
	}
	if n, m := retrieval.Match(a, b), retrieval.Match(b, a); n != m {
		t.Errorf("%d one way, %d the other", n, m)
	}
	for _, few := range [][]uint8{nil, a[:retrieval.Size], a[:100]} {
		if n := retrieval.Match(few, a); n != 0 {
			t.Errorf("%d bytes: %d in common", len(few), n)
		}
	}
}

// Photos are most like their neighbours, whatever the number of workers.
func TestSimilar(t *testing.T) {
	photos, sees := 60, 10
	if testing.Short() {
		photos = 20 // the race detector takes its time
	}
	s := newScene(photos*3 + sees)
	var sets [][]uint8
	for i := range photos {
		sets = append(sets, s.photo(3*i, sees))
	}
	sets[17] = nil // shows nothing
	var first [][]int
	for _, workers := range []int{1, 4} {
		got, err := retrieval.Similar(t.Context(), sets, 6, workers)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
		}
		for i := range got {
			if !slices.Equal(got[i], first[i]) {
				t.Fatalf("photo %d: %v with one worker, %v with %d", i, first[i], got[i], workers)
			}
		}
	}
	found := 0
	for i, list := range first {
		for _, j := range []int{i - 1, i + 1} {
			if slices.Contains(list, j) {
				found++
			}
		}
	}
	// Each photo has two neighbours, those at the ends one; that which shows nothing takes
	// four away. One in twenty may be missed.
	if all := 2*photos - 2 - 4; found < all*95/100-1 {
		t.Errorf("%d of %d neighbours are found", found, all)
	}
	if len(first[17]) != 0 {
		t.Errorf("a photo that shows nothing is like %v", first[17])
	}
}

func TestSimilarStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := newScene(20)
	if _, err := retrieval.Similar(ctx, [][]uint8{s.photo(0, 9), s.photo(5, 9)}, 3, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("Similar = %v", err)
	}
	if got, err := retrieval.Similar(t.Context(), nil, 3, 2); err != nil || len(got) != 0 {
		t.Errorf("no photos: %v, %v", got, err)
	}
	if got, err := retrieval.Similar(t.Context(), make([][]uint8, 3), 3, 2); err != nil || len(got) != 3 {
		t.Errorf("photos without features: %v, %v", got, err)
	}
}

func BenchmarkMatch(b *testing.B) {
	s := newScene(40)
	x, y := s.photo(0, 20), s.photo(10, 20)
	b.SetBytes(400 * 400)
	for b.Loop() {
		retrieval.Match(x, y)
	}
}
