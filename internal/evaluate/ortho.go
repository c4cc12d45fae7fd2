package evaluate

import (
	"context"
	"errors"
	"math"
	"sync"
)

// Picture is an orthophoto in grey: brightness 0 to 255, NaN where nothing is. West and
// North are the outer corner of the first pixel, Cell its size.
type Picture struct {
	Cols, Rows        int
	West, North, Cell float64
	Grey              []float32
}

// At returns the brightness at a place between four pixels, NaN beside the picture.
func (p *Picture) At(x, y float64) float32 {
	u, v := (x-p.West)/p.Cell-.5, (p.North-y)/p.Cell-.5
	i, j := math.Floor(u), math.Floor(v)
	if !(i >= 0 && j >= 0 && int(i) < p.Cols-1 && int(j) < p.Rows-1) {
		return float32(math.NaN())
	}
	fu, fv := float32(u-i), float32(v-j)
	at := int(j)*p.Cols + int(i)
	a, b, c, d := p.Grey[at], p.Grey[at+1], p.Grey[at+p.Cols], p.Grey[at+p.Cols+1]
	return (a+(b-a)*fu)*(1-fv) + (c+(d-c)*fu)*fv
}

// Ortho is how well an orthophoto lies.
type Ortho struct {
	// Places is how many patches were found again, of Tried with texture.
	Places int `json:"places"`
	Tried  int `json:"tried"`
	// Shifts of patches in pixels of the truth: root mean square, median and 90 %
	// quantile of lengths, and the mean to the east and south.
	RMS    float64 `json:"rmsPixels"`
	Median float64 `json:"medianPixels"`
	P90    float64 `json:"p90Pixels"`
	East   float64 `json:"meanEastPixels"`
	South  float64 `json:"meanSouthPixels"`
	// Correlation is the mean of patches where they fit best, and Difference the root
	// mean square of brightness (0 to 255) with nothing moved.
	Correlation float64 `json:"correlation"`
	Difference  float64 `json:"differenceRMS"`
	// Covered is the share of the truth for which the result has a pixel.
	Covered float64 `json:"covered"`
}

const (
	patch  = 48 // pixels on a side
	search = 8  // pixels to each side
	// textured is the least standard deviation of brightness, and alike the least
	// correlation, of a patch that counts.
	textured = 5
	alike    = .5
)

// ErrApart says that pictures have no place in common that can be found again.
var ErrApart = errors.New("evaluate: the orthophotos have nothing in common")

// CompareOrthos measures an orthophoto against the true one on the same raster, by
// finding patches of the truth in the result (normalised cross-correlation, to a part
// of a pixel).
func CompareOrthos(ctx context.Context, result, truth *Picture, workers int) (*Ortho, error) {
	if result.Cols != truth.Cols || result.Rows != truth.Rows {
		return nil, errors.New("evaluate: the orthophotos have different rasters")
	}
	out := &Ortho{}
	covered, squares := 0, 0.0
	for i, g := range result.Grey {
		if d := float64(g - truth.Grey[i]); d == d {
			covered++
			squares += d * d
		}
	}
	out.Covered = float64(covered) / float64(len(truth.Grey))
	out.Difference = math.Sqrt(squares / float64(max(1, covered)))
	cols, rows := (truth.Cols-2*search)/patch, (truth.Rows-2*search)/patch
	if cols < 1 || rows < 1 {
		return nil, ErrApart
	}
	found := make([]match, cols*rows)
	var wait sync.WaitGroup
	for w := range max(1, workers) {
		wait.Go(func() {
			for i := w; i < len(found) && ctx.Err() == nil; i += max(1, workers) {
				found[i] = find(result, truth, search+i%cols*patch, search+i/cols*patch)
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return out, out.sum(found)
}

func (o *Ortho) sum(found []match) error {
	var lengths []float64
	for _, m := range found {
		if !m.tried {
			continue
		}
		o.Tried++
		if m.score < alike {
			continue
		}
		lengths = append(lengths, math.Hypot(m.x, m.y))
		o.RMS += m.x*m.x + m.y*m.y
		o.East += m.x
		o.South += m.y
		o.Correlation += m.score
	}
	n := float64(len(lengths))
	if n == 0 {
		return ErrApart
	}
	o.Places = len(lengths)
	o.RMS, o.East, o.South, o.Correlation = math.Sqrt(o.RMS/n), o.East/n, o.South/n, o.Correlation/n
	o.Median, o.P90 = quantile(lengths, .5), quantile(lengths, .9)
	return nil
}

// match is where the result shows a patch: shifted right and down.
type match struct {
	tried       bool
	x, y, score float64
}

func find(result, truth *Picture, col, row int) match {
	const side = 2*search + 1
	mean, deviation := statistics(truth, col, row)
	if !(deviation >= textured) {
		return match{}
	}
	var score [side * side]float64
	best := -1
	for i := range score {
		dx, dy := i%side-search, i/side-search
		score[i] = correlation(result, truth, col, row, dx, dy, mean, deviation)
		if s := score[i]; s == s && (best < 0 || s > score[best]) {
			best = i
		}
	}
	if best < 0 {
		return match{} // the result has nothing here
	}
	m := match{tried: true, x: float64(best%side - search), y: float64(best/side - search)}
	x, y := best%side, best/side
	if x == 0 || y == 0 || x == side-1 || y == side-1 {
		return m // it lies further off than was looked
	}
	px, py := peak(score[best-1], score[best], score[best+1]), peak(score[best-side], score[best], score[best+side])
	if math.IsNaN(px + py) {
		return match{}
	}
	m.x, m.y, m.score = m.x+px, m.y+py, score[best]
	return m
}

// peak is where a parabola through three values at -1, 0 and 1 is highest.
func peak(a, b, c float64) float64 {
	d := a - 2*b + c
	if d == 0 {
		return 0
	}
	return (a - c) / (2 * d)
}

func statistics(p *Picture, col, row int) (mean, deviation float64) {
	sum, squares := 0.0, 0.0
	for y := row; y < row+patch; y++ {
		for _, g := range p.Grey[y*p.Cols+col : y*p.Cols+col+patch] {
			sum += float64(g)
			squares += float64(g) * float64(g)
		}
	}
	mean = sum / (patch * patch)
	return mean, math.Sqrt(max(0, squares/(patch*patch)-mean*mean))
}

func correlation(result, truth *Picture, col, row, dx, dy int, mean, deviation float64) float64 {
	product, sum, squares := 0.0, 0.0, 0.0
	for y := row; y < row+patch; y++ {
		a := truth.Grey[y*truth.Cols+col:][:patch]
		b := result.Grey[(y+dy)*truth.Cols+col+dx:][:patch]
		for i, g := range b {
			v := float64(g)
			product += (float64(a[i]) - mean) * v
			sum += v
			squares += v * v
		}
	}
	const n = patch * patch
	spread := math.Sqrt(max(0, squares/n-sum/n*sum/n))
	return product / n / (deviation*spread + 1e-9)
}
