// Package imagequality measures how alike two pictures are: the peak signal-to-noise
// ratio, and structural similarity (Z. Wang, A. C. Bovik, H. R. Sheikh, E. P.
// Simoncelli, "Image quality assessment: from error visibility to structural
// similarity", 2004).
package imagequality

import (
	"fmt"
	"math"
)

const (
	// radius and sigma of the window are those of the paper: 11 × 11 pixels.
	radius = 5
	sigma  = 1.5
	peak   = 255
)

// PSNR returns the peak signal-to-noise ratio of two lists of 8-bit numbers, in
// decibels; infinite where they are the same.
func PSNR(a, b []uint8) (float64, error) {
	if len(a) != len(b) || len(a) == 0 {
		return 0, fmt.Errorf("imagequality: %d numbers against %d", len(a), len(b))
	}
	sum := 0.0
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	if sum == 0 {
		return math.Inf(1), nil
	}
	return 10 * math.Log10(peak*peak/(sum/float64(len(a)))), nil
}

// SSIM returns the mean structural similarity of two grey pictures, 0 to 255 in rows:
// 1 where they are the same. Only pixels whose whole window lies in the picture count,
// and, where use is not nil, that it holds true for.
func SSIM(a, b []float32, width, height int, use []bool) (float64, error) {
	m, err := Map(a, b, width, height)
	if err != nil {
		return 0, err
	}
	if use != nil && len(use) != len(a) {
		return 0, fmt.Errorf("imagequality: %d flags for %d pixels", len(use), len(a))
	}
	sum, n := 0.0, 0
	for y := radius; y < height-radius; y++ {
		for x := radius; x < width-radius; x++ {
			if i := y*width + x; use == nil || use[i] {
				sum += float64(m[i])
				n++
			}
		}
	}
	if n == 0 {
		return 0, fmt.Errorf("imagequality: no pixel of %d × %d is to be compared", width, height)
	}
	return sum / float64(n), nil
}

// Map returns the structural similarity at each pixel; 0 where the window leaves the
// picture.
func Map(a, b []float32, width, height int) ([]float32, error) {
	if len(a) != len(b) || width <= 0 || height <= 0 || len(a) != width*height {
		return nil, fmt.Errorf("imagequality: %d and %d pixels for %d × %d", len(a), len(b), width, height)
	}
	w := window()
	out := make([]float32, len(a))
	// The sums over windows of a, b, aa, bb and ab, across for the rows of a window,
	// then down.
	var rows [2*radius + 1][][5]float64
	for i := range rows {
		rows[i] = make([][5]float64, width)
	}
	for y := range height {
		across(rows[y%len(rows)], a[y*width:][:width], b[y*width:][:width], &w)
		if y < 2*radius {
			continue
		}
		for x := radius; x < width-radius; x++ {
			var s [5]float64
			for j := range rows {
				r := &rows[(y-2*radius+j)%len(rows)][x]
				for k := range s {
					s[k] += w[j] * r[k]
				}
			}
			out[(y-radius)*width+x] = float32(similarity(s))
		}
	}
	return out, nil
}

func window() (w [2*radius + 1]float64) {
	sum := 0.0
	for i := range w {
		d := float64(i - radius)
		w[i] = math.Exp(-d * d / (2 * sigma * sigma))
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

func across(out [][5]float64, a, b []float32, w *[2*radius + 1]float64) {
	for x := radius; x < len(a)-radius; x++ {
		var s [5]float64
		for i, k := range w {
			p, q := float64(a[x-radius+i]), float64(b[x-radius+i])
			s[0] += k * p
			s[1] += k * q
			s[2] += k * p * p
			s[3] += k * q * q
			s[4] += k * p * q
		}
		out[x] = s
	}
}

func similarity(s [5]float64) float64 {
	const c1, c2 = (0.01 * peak) * (0.01 * peak), (0.03 * peak) * (0.03 * peak)
	va, vb, ab := s[2]-s[0]*s[0], s[3]-s[1]*s[1], s[4]-s[0]*s[1]
	return (2*s[0]*s[1] + c1) * (2*ab + c2) / ((s[0]*s[0] + s[1]*s[1] + c1) * (va + vb + c2))
}
