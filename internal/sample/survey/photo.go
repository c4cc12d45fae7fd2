package survey

import (
	"context"
	"image"
	"math"
	"math/rand/v2"

	"slate360.ai/worker/geom/camera"
	"slate360.ai/worker/geom/raycast"
)

// lens holds the direction (x, y, 1) of the middle of every pixel: the distortion is
// undone once for all photos.
type lens struct {
	camera.Camera
	directions []float32 // x, y a pixel
	spread     float32   // width of a pixel at distance 1
}

func newLens(ctx context.Context, c camera.Camera, workers int) (*lens, error) {
	l := &lens{Camera: c, directions: make([]float32, 2*c.Width*c.Height)}
	fx, _, _, _ := c.Linear()
	l.spread = float32(1 / fx)
	err := bands(ctx, workers, c.Height, func(row int) {
		for col := range c.Width {
			x, y := c.Direction(float64(col)+.5, float64(row)+.5)
			at := 2 * (row*c.Width + col)
			l.directions[at], l.directions[at+1] = float32(x), float32(y)
		}
	})
	return l, err
}

// canvas is a picture of light while it is made.
type canvas struct {
	light  []rgb   // a sample in the middle of each pixel, then the mean over it
	smooth []rgb   // after the samples at edges
	hit    []int32 // triangle, or -1
}

func newCanvas(width, height int) *canvas {
	n := width * height
	return &canvas{make([]rgb, n), make([]rgb, n), make([]int32, n)}
}

var skyColor = rgb{.55, .68, .9}

// expose draws the light that falls on each pixel: one ray for each, then four more
// where neighbours see another surface or are much brighter.
func (s *scene) expose(ctx context.Context, l *lens, pose camera.Pose, c *canvas, workers int) error {
	eye := pose.Center()
	origin := [3]float32{float32(eye[0]), float32(eye[1]), float32(eye[2])}
	look := func(x, y float32, hint int32) (rgb, int32) {
		d := pose.Unrotate([3]float64{float64(x), float64(y), 1})
		r := raycast.Ray{Origin: origin, Direction: [3]float32{float32(d[0]), float32(d[1]), float32(d[2])}}
		h, ok := s.rays.Nearest(&r, .1, 5000, hint)
		if !ok {
			return skyColor, -1
		}
		n := float32(math.Sqrt(float64(x*x + y*y + 1)))
		return s.shade(&r, &h, l.spread*n), h.Triangle
	}
	w, h := l.Width, l.Height
	if err := bands(ctx, workers, h, func(row int) {
		hint := int32(-1)
		for i := row * w; i < (row+1)*w; i++ {
			c.light[i], hint = look(l.directions[2*i], l.directions[2*i+1], hint)
			c.hit[i] = hint
		}
	}); err != nil {
		return err
	}
	return bands(ctx, workers, h, func(row int) {
		for col := range w {
			i := row*w + col
			c.smooth[i] = c.light[i]
			left, right, up, down := i-min(1, col), i+min(1, w-1-col), i-w*min(1, row), i+w*min(1, h-1-row)
			if !s.edge(c, i, left, right, up, down) {
				continue
			}
			// How directions change over a pixel, from its neighbours.
			d := l.directions
			sx, sy := 1/float32(max(1, right-left)), 1/float32(max(1, (down-up)/w))
			ux, uy := (d[2*right]-d[2*left])*sx, (d[2*right+1]-d[2*left+1])*sx
			vx, vy := (d[2*down]-d[2*up])*sy, (d[2*down+1]-d[2*up+1])*sy
			sum := rgb{}
			for _, o := range [4][2]float32{{-.125, -.375}, {.375, -.125}, {.125, .375}, {-.375, .125}} {
				more, _ := look(d[2*i]+o[0]*ux+o[1]*vx, d[2*i+1]+o[0]*uy+o[1]*vy, c.hit[i])
				for k := range sum {
					sum[k] += more[k] / 4
				}
			}
			c.smooth[i] = sum
		}
	})
}

// edge tells whether a pixel differs from a neighbour by its surface or brightness.
func (s *scene) edge(c *canvas, i int, others ...int) bool {
	of := func(i int) int32 {
		if c.hit[i] < 0 {
			return -1
		}
		return s.of[c.hit[i]]
	}
	mine, bright := of(i), c.light[i][1]
	for _, k := range others {
		if of(k) != mine || abs(c.light[k][1]-bright) > .28*(bright+.05) {
			return true
		}
	}
	return false
}

// lensBlur is the weight of each pixel beside one in what the lens and the cells of
// the sensor make of it, on both axes.
const lensBlur = .09

// develop makes the picture: blur, vignette, exposure, noise, sRGB.
func develop(ctx context.Context, l *lens, c *canvas, gain, noise float64, seed uint64, photo, workers int) (*image.RGBA, error) {
	w, h := l.Width, l.Height
	if err := bands(ctx, workers, h, func(row int) {
		for col := range w {
			i := row*w + col
			a, b := c.smooth[i-min(1, col)], c.smooth[i+min(1, w-1-col)]
			for k := range 3 {
				c.light[i][k] = (1-2*lensBlur)*c.smooth[i][k] + lensBlur*(a[k]+b[k])
			}
		}
	}); err != nil {
		return nil, err
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	table := gamma()
	err := bands(ctx, workers, h, func(row int) {
		r := rand.New(rand.NewPCG(seed, uint64(photo)<<32|uint64(row)))
		for col := range w {
			i := row*w + col
			a, b := c.light[i-w*min(1, row)], c.light[i+w*min(1, h-1-row)]
			x, y := l.directions[2*i], l.directions[2*i+1]
			r2 := x*x + y*y
			dim := middle * float32(gain) * (1 - .22*r2) // most of cos⁴ is corrected by the camera
			common := float32(r.NormFloat64())
			for k := range 3 {
				v := dim * ((1-2*lensBlur)*c.light[i][k] + lensBlur*(a[k]+b[k]))
				// Shot noise grows with the root of the light; neighbouring colours
				// share some of it after demosaicing.
				sigma := float32(noise) * .014 * float32(math.Sqrt(float64(max(v, 0)+.01)))
				v += sigma * (.6*common + .8*float32(r.NormFloat64()))
				out.Pix[4*i+k] = table[int(clamp(v/1.15)*(gammaSteps-1))]
			}
			out.Pix[4*i+3] = 255
		}
	})
	return out, err
}

// middle is the exposure that puts sunlit grass below the middle of the range.
const middle = .62

const gammaSteps = 1 << 14

// gamma is the sRGB curve of values from 0 to 1, with bright ones compressed as
// cameras do.
func gamma() []uint8 {
	t := make([]uint8, gammaSteps)
	for i := range t {
		v := float64(i) / (gammaSteps - 1) * 1.15
		v = v * 1.25 / (1 + .25*v*v)
		s := 12.92 * v
		if v > .0031308 {
			s = 1.055*math.Pow(v, 1/2.4) - .055
		}
		t[i] = uint8(min(255, max(0, s*255+.5)))
	}
	return t
}
