package photogrammetry

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"slate360.ai/worker/geom/retrieval"
)

// flightPhotos are photos of a survey of rows strips, each of cols photos, 20 m apart
// along and 30 m across, with GPS and time if wanted. Photo r·cols + c is the c-th of
// strip r from the west.
func flightPhotos(rows, cols int, gps, clock bool) []Photo {
	var list []Photo
	const degree = 111_195.0
	start := time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC)
	for r := range rows {
		for c := range cols {
			p := Photo{Name: fmt.Sprintf("%d_%d.jpg", r, c), File: fmt.Sprintf("%d_%d.jpg", r, c)}
			if gps {
				p.GPS = &GPS{Latitude: 47 + 30*float64(r)/degree, Longitude: 8 + 20*float64(c)/degree/math.Cos(47*math.Pi/180)}
			}
			if clock {
				flown := c
				if r%2 == 1 {
					flown = cols - 1 - c
				}
				p.Time = start.Add(time.Duration(r*cols+flown) * 2 * time.Second)
			}
			list = append(list, p)
		}
	}
	return list
}

// scores gives pairs of photos of such a survey the common features that their overlap
// gives: footprints are 100 × 75 m; fewer than six are chance.
func scores(pairs []pair, cols int) []scored {
	rng := rand.New(rand.NewPCG(1, 2))
	var list []scored
	for _, p := range pairs {
		dx := 20 * math.Abs(float64(p[0]%cols-p[1]%cols))
		dy := 30 * math.Abs(float64(p[0]/cols-p[1]/cols))
		s := int(150*max(0, 1-dx/75)*max(0, 1-dy/100)) + rng.IntN(5)
		list = append(list, scored{p, s})
	}
	return list
}

// A hundred photos with positions match a small part of the 4,950 pairs, and those of
// neighbours in a strip and across strips.
func TestPairsOfASurvey(t *testing.T) {
	const rows, cols = 10, 10
	photos := flightPhotos(rows, cols, true, true)
	candidates := candidatePairs(photos, nil)
	if len(candidates) > 1800 {
		t.Errorf("%d pairs are compared", len(candidates))
	}
	chosen := choosePairs(photos, scores(candidates, cols))
	if len(chosen) > 900 {
		t.Errorf("%d pairs are matched", len(chosen))
	}
	for r := range rows {
		for c := range cols - 1 {
			if p := (pair{r*cols + c, r*cols + c + 1}); !slices.Contains(chosen, p) {
				t.Errorf("neighbours %v in a strip are not matched", p)
			}
		}
		if r+1 < rows {
			across := 0
			for c := range cols {
				if slices.Contains(chosen, pair{r*cols + c, (r+1)*cols + c}) {
					across++
				}
			}
			if across < cols/2 {
				t.Errorf("strips %d and %d are tied by %d pairs", r, r+1, across)
			}
		}
	}
	group := groups(len(photos), chosen)
	for _, g := range group {
		if g != group[0] {
			t.Fatal("the photos fall apart")
		}
	}
}

// Without positions, the order of time and visual words give the candidates.
func TestPairsWithoutPositions(t *testing.T) {
	const rows, cols = 10, 10
	photos := flightPhotos(rows, cols, false, true)
	words := make([][]int, len(photos))
	for i := range words { // the strips to both sides, as words find them
		for _, j := range []int{i - cols, i + cols} {
			if j >= 0 && j < len(photos) {
				words[i] = append(words[i], j)
			}
		}
	}
	candidates := candidatePairs(photos, words)
	if len(candidates) > 800 {
		t.Errorf("%d pairs are compared", len(candidates))
	}
	chosen := choosePairs(photos, scores(candidates, cols))
	group := groups(len(photos), chosen)
	for _, g := range group {
		if g != group[0] {
			t.Fatal("the photos fall apart")
		}
	}
}

func TestRescueAndLoops(t *testing.T) {
	// 0-1-2 and 3-4 match; 2-3 was missed, 5 has nothing.
	verified := map[pair]int{{0, 1}: 100, {1, 2}: 80, {3, 4}: 90}
	tried := map[pair]bool{{0, 1}: true, {1, 2}: true, {3, 4}: true, {4, 5}: true}
	list := []scored{{pair{2, 3}, 5}, {pair{0, 4}, 3}, {pair{0, 2}, 9}, {pair{4, 5}, 4}, {pair{1, 5}, 1}}
	if got := rescuePairs(8, list, tried, verifiedPairs(verified)); !slices.Equal(got, []pair{{0, 4}, {2, 3}}) {
		t.Errorf("rescued: %v", got)
	}
	if got := closePairs(6, verified, tried); !slices.Equal(got, []pair{{0, 2}}) {
		t.Errorf("loops: %v", got)
	}
}

// Two pictures of one thing share features, by the measure that picks pairs.
func TestScoresTellOverlap(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	descriptors := func(n int) []uint8 {
		d := make([]uint8, n*retrieval.Size)
		for i := range d {
			d[i] = uint8(rng.IntN(90))
		}
		return d
	}
	a, b := descriptors(300), descriptors(300)
	for i := range 100 * retrieval.Size { // a third is the same but for noise
		b[i] = a[i] + uint8(rng.IntN(4))
	}
	got, err := scorePairs(t.Context(), []pair{{0, 1}, {0, 2}}, [][]uint8{a, b, descriptors(300)}, 2, func(float64, float64) {})
	if err != nil || got[0].score < 90 || got[1].score >= telling {
		t.Errorf("%+v, %v", got, err)
	}
}
