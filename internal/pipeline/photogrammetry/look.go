package photogrammetry

import (
	"image"
	"math"
	"math/bits"

	xdraw "golang.org/x/image/draw"
)

// lookSide is the long side, in pixels, of the picture that sharpness is measured on:
// blur that is gone at the size where features are found does no harm.
const lookSide = 1600

// thumbSide is that of the small picture which duplicates are found by.
const thumbSide = 32

// lookAt measures a photo; the small picture is for the search of duplicates.
func lookAt(img image.Image) (Look, []uint8) {
	p := grey(img, lookSide)
	l := Look{Sharpness: sharpness(p)}
	l.Mean, l.Deviation = moments(p.pix)
	small := image.NewGray(image.Rect(0, 0, thumbSide, thumbSide))
	xdraw.ApproxBiLinear.Scale(small, small.Bounds(), &image.Gray{Pix: p.pix, Stride: p.w, Rect: image.Rect(0, 0, p.w, p.h)}, image.Rect(0, 0, p.w, p.h), xdraw.Src, nil)
	l.Hash = differenceHash(small)
	return l, small.Pix
}

func moments(pix []uint8) (mean, deviation float64) {
	var sum, squares float64
	for _, v := range pix {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	n := float64(len(pix))
	mean = sum / n
	return mean, math.Sqrt(max(0, squares/n-mean*mean))
}

// sharpness is one less the blur of Crete, Dolmiere, Ladret, Nicolas: "The blur
// effect: perception and estimation with a new no-reference perceptual blur metric"
// (2007). It compares how much neighbours differ before and after a blur: a picture
// that was blurred already loses little. It depends little on what is shown; 0 is
// blurred, 1 is noise.
func sharpness(p plane) float64 {
	if p.w < 16 || p.h < 16 {
		return 0
	}
	const radius = 4
	along := func(stride, n, lines, lineStride int) float64 {
		var all, lost float64
		for l := range lines {
			at := l * lineStride
			px := func(i int) float64 { return float64(p.pix[at+i*stride]) }
			var sum float64
			for i := range 2*radius + 1 {
				sum += px(i)
			}
			before := sum / (2*radius + 1)
			for i := radius + 1; i < n-radius; i++ {
				sum += px(i+radius) - px(i-radius-1)
				after := sum / (2*radius + 1)
				d, blurred := math.Abs(px(i)-px(i-1)), math.Abs(after-before)
				all += d
				lost += max(0, d-blurred)
				before = after
			}
		}
		if all == 0 {
			return 0
		}
		return lost / all
	}
	return min(along(1, p.w, p.h, p.w), along(p.w, p.h, p.w, 1))
}

// differenceHash is one bit for each of 8 × 8 places: whether it is brighter than its
// right neighbour.
func differenceHash(small *image.Gray) (h uint64) {
	const cols, rows = 9, 8
	cell := func(cx, cy int) (sum int) {
		for y := cy * thumbSide / rows; y < (cy+1)*thumbSide/rows; y++ {
			for x := cx * thumbSide / cols; x < (cx+1)*thumbSide/cols; x++ {
				sum += int(small.GrayAt(x, y).Y)
			}
		}
		return sum * 1000 / ((cx+1)*thumbSide/cols - cx*thumbSide/cols)
	}
	for y := range rows {
		for x := range cols - 1 {
			h <<= 1
			if cell(x, y) > cell(x+1, y) {
				h |= 1
			}
		}
	}
	return h
}

// Bounds of looks.
const (
	// darkest and flattest are the mean and the deviation of brightness below which a
	// photo shows nothing: a covered lens, an even sky.
	darkest, flattest = 3, 2.5
	// duplicateBits of the hashes, and duplicateLevels of brightness on average of the
	// small pictures, may differ between duplicates.
	duplicateBits, duplicateLevels = 3, 1.0
	// duplicateMetres is how far apart by GPS photos are no duplicates, whatever they
	// look like.
	duplicateMetres = 0.5
	// blurredShare of the median sharpness is blurred.
	blurredShare = 0.6
)

// emptiness says why a photo shows nothing, or returns "".
func emptiness(l Look) string {
	switch {
	case l.Mean < darkest && l.Deviation < 2*flattest:
		return "it is black"
	case l.Deviation < flattest:
		return "it shows an even area without any detail"
	}
	return ""
}

func alike(a, b Look, small, other []uint8) bool {
	if bits.OnesCount64(a.Hash^b.Hash) > duplicateBits || len(small) != len(other) || len(small) == 0 {
		return false
	}
	sum := 0
	for i := range small {
		d := int(small[i]) - int(other[i])
		sum += max(d, -d)
	}
	return float64(sum) <= duplicateLevels*float64(len(small))
}
