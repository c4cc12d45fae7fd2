package align

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Measurement ties a point of the model to a measured one.
type Measurement struct {
	From, To [3]float64
	// Horizontal and Vertical are the standard deviations of To, in its unit, along x
	// and y, and along z. A Vertical of 0 says that z was not measured.
	Horizontal, Vertical float64
}

// Options of Estimate.
type Options struct {
	// Up is the direction in the model that is likely vertical, with the deviation in
	// radians; it fixes what points on a line leave open. The zero value is not known.
	Up          [3]float64
	UpDeviation float64
	// Trials of random samples; 0 is 500.
	Trials int
}

// Result is what Estimate found.
type Result struct {
	Similarity
	// Residuals are To less the images of From, and Inliers which of them fit.
	Residuals [][3]float64
	Inliers   []bool
}

// Bounds, in standard deviations.
const (
	// huber is where squares turn into absolute values.
	huber = 1.5
	// fits is up to where a measurement is an inlier.
	fits = 4
)

// Estimate returns the similarity that fits the measurements best. It needs three that
// are not on a line, or two where Up is known. The error is ErrDegenerate.
func Estimate(list []Measurement, o Options) (*Result, error) {
	if o.Trials == 0 {
		o.Trials = 500
	}
	best, err := sample(list, o)
	if err != nil {
		return nil, err
	}
	// Deviations that are too small would drop good points: they grow with the median
	// of what is left.
	spread := inflation(&best, list)
	s := refine(best, list, o, spread)
	// What does not fit at all is left out: even bounded, its pull is one-sided.
	spread = inflation(&s, list)
	if good := fitting(&s, list, spread); len(good) >= 2 {
		s = refine(s, good, o, inflation(&s, good))
	}
	spread = inflation(&s, list)
	r := &Result{Similarity: s}
	for _, m := range list {
		y := s.Apply(m.From)
		d := [3]float64{m.To[0] - y[0], m.To[1] - y[1], m.To[2] - y[2]}
		if m.Vertical == 0 {
			d[2] = 0
		}
		r.Residuals = append(r.Residuals, d)
		r.Inliers = append(r.Inliers, math.Sqrt(m.squares(d)) <= fits*spread)
	}
	return r, nil
}

// fitting returns the measurements within a few deviations.
func fitting(s *Similarity, list []Measurement, spread float64) (good []Measurement) {
	for _, m := range list {
		if math.Sqrt(m.squares(m.residual(s))) <= fits*spread {
			good = append(good, m)
		}
	}
	return good
}

// squares is the squared distance in deviations.
func (m *Measurement) squares(d [3]float64) float64 {
	sum := (d[0]*d[0] + d[1]*d[1]) / (m.Horizontal * m.Horizontal)
	if m.Vertical > 0 {
		sum += d[2] * d[2] / (m.Vertical * m.Vertical)
	}
	return sum
}

func (m *Measurement) residual(s *Similarity) [3]float64 {
	y := s.Apply(m.From)
	return [3]float64{m.To[0] - y[0], m.To[1] - y[1], m.To[2] - y[2]}
}

// inflation is how much larger residuals are than deviations say: at least 1. The
// median of the distance of a normal deviate in three dimensions is 1.54.
func inflation(s *Similarity, list []Measurement) float64 {
	all := make([]float64, len(list))
	for i := range list {
		all[i] = math.Sqrt(list[i].squares(list[i].residual(s)))
	}
	return max(1, middle(all)/1.54)
}

// sample tries small samples and returns the similarity under which the nearer half
// fits best: that needs no deviation to be right, and stands for up to half of all
// being wrong.
func sample(list []Measurement, o Options) (Similarity, error) {
	rng := rand.New(rand.NewPCG(1, 2)) // the same each time
	best, least := Similarity{}, math.Inf(1)
	distances := make([]float64, len(list))
	consider := func(s Similarity, err error) {
		if err != nil {
			return
		}
		for i := range list {
			distances[i] = list[i].squares(list[i].residual(&s))
		}
		if m := robustMean(distances); m < least {
			best, least = s, m
		}
	}
	from, to := split(list)
	consider(Umeyama(from, to, nil))
	if o.known() {
		consider(upright(o.Up, from, to))
	}
	n := len(list)
	for range o.Trials {
		if n >= 3 {
			f, t := pick(rng, list, 3)
			consider(Umeyama(f, t, nil))
		}
		if n >= 2 && o.known() {
			f, t := pick(rng, list, 2)
			consider(upright(o.Up, f, t))
		}
	}
	if math.IsInf(least, 1) {
		return best, ErrDegenerate
	}
	return best, nil
}

func (o *Options) known() bool { return o.UpDeviation > 0 && o.Up != [3]float64{} }

func split(list []Measurement) (from, to [][3]float64) {
	for _, m := range list {
		from, to = append(from, m.From), append(to, m.To)
	}
	return from, to
}

func pick(rng *rand.Rand, list []Measurement, k int) (from, to [][3]float64) {
	chosen := make([]int, 0, 3)
next:
	for len(chosen) < k {
		i := rng.IntN(len(list))
		for _, c := range chosen {
			if c == i {
				continue next
			}
		}
		chosen = append(chosen, i)
		from, to = append(from, list[i].From), append(to, list[i].To)
	}
	return from, to
}

// robustMean is the mean of the lower half: it tells similarities with the same median
// apart.
func robustMean(squares []float64) float64 {
	sorted := slices.Sorted(slices.Values(squares))
	half := (len(sorted) + 1) / 2
	var sum float64
	for _, v := range sorted[:half] {
		sum += v
	}
	return sum / float64(half)
}
