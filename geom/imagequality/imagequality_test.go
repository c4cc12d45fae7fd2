package imagequality

import (
	"math"
	"testing"
)

const width, height = 61, 47

// pictures are made of whole numbers, the same in Python.
func pictures() (a, b, c []float32) {
	for y := range height {
		for x := range width {
			v := (x*7 + y*13 + (x*y)%31*3) % 256
			a = append(a, float32(v))
			b = append(b, float32(min((v*7+(x*5+y*3)%29*12)/8, 255)))
			c = append(c, float32(255-v))
		}
	}
	return a, b, c
}

// TestReference compares with scikit-image 0.26.0: structural_similarity with
// gaussian_weights, sigma 1.5, without use_sample_covariance, data_range 255; and
// peak_signal_noise_ratio.
func TestReference(t *testing.T) {
	a, b, c := pictures()
	for _, test := range []struct {
		other              []float32
		mean, at2030, at55 float64
	}{
		{a, 1, 1, 1},
		{b, 0.946711138873577, 0.9816736172266382, 0.9339254935721792},
		{c, -0.7948222083820289, -0.9937734609262309, -0.8808135405582257},
	} {
		mean, err := SSIM(a, test.other, width, height, nil)
		if err != nil || math.Abs(mean-test.mean) > 1e-6 {
			t.Errorf("mean %.9f, %v; want %.9f", mean, err, test.mean)
		}
		m, err := Map(a, test.other, width, height)
		if err != nil || math.Abs(float64(m[20*width+30])-test.at2030) > 1e-6 || math.Abs(float64(m[5*width+5])-test.at55) > 1e-6 {
			t.Errorf("map %.9f %.9f, %v", m[20*width+30], m[5*width+5], err)
		}
	}
	p, err := PSNR(bytes(a), bytes(b))
	if err != nil || math.Abs(p-23.85782341110447) > 1e-9 {
		t.Errorf("PSNR %.9f, %v", p, err)
	}
	if p, err := PSNR(bytes(a), bytes(a)); err != nil || !math.IsInf(p, 1) {
		t.Errorf("PSNR of the same: %g, %v", p, err)
	}
}

func bytes(v []float32) (b []uint8) {
	for _, x := range v {
		b = append(b, uint8(x))
	}
	return b
}

// TestUse holds that only pixels asked for count.
func TestUse(t *testing.T) {
	a, b, _ := pictures()
	use := make([]bool, len(a))
	use[20*width+30] = true
	if s, err := SSIM(a, b, width, height, use); err != nil || math.Abs(s-0.9816736172266382) > 1e-6 {
		t.Errorf("%g, %v", s, err)
	}
}

func TestRefused(t *testing.T) {
	a, b, _ := pictures()
	if _, err := SSIM(a, b, width, height, make([]bool, len(a))); err == nil {
		t.Error("no pixel is no error")
	}
	if _, err := SSIM(a, b, width, height, make([]bool, 3)); err == nil {
		t.Error("3 flags are no error")
	}
	if _, err := SSIM(a, b[1:], width, height, nil); err == nil {
		t.Error("a pixel too few is no error")
	}
	if _, err := SSIM(a[:100], b[:100], 10, 10, nil); err == nil {
		t.Error("a picture smaller than the window is no error")
	}
	if _, err := PSNR(nil, nil); err == nil {
		t.Error("nothing is no error")
	}
}
