package raster

import (
	"image/color"
	"math"
)

// Ramp gives the colour of a value from 0 to 1: Turbo, from blue over green to red
// (A. Mikhailov, "Turbo, an improved rainbow colormap for visualization", 2019,
// polynomial approximation).
func Ramp(v float64) color.NRGBA {
	v = min(max(v, 0), 1)
	v2, v3 := v*v, v*v*v
	v4, v5 := v2*v2, v2*v3
	r := 0.13572138 + 4.61539260*v - 42.66032258*v2 + 132.13108234*v3 - 152.94239396*v4 + 59.28637943*v5
	g := 0.09140261 + 2.19418839*v + 4.84296658*v2 - 14.18503333*v3 + 4.27729857*v4 + 2.82956604*v5
	b := 0.10667330 + 12.64194608*v - 60.58204836*v2 + 110.36276771*v3 - 89.90310912*v4 + 27.34824973*v5
	return color.NRGBA{R: byteOf(r), G: byteOf(g), B: byteOf(b), A: 255}
}

func byteOf(v float64) uint8 { return uint8(math.Round(min(max(v, 0), 1) * 255)) }

// ClassColor gives the usual colour of an ASPRS class (LAS 1.4 R15, table 17).
func ClassColor(class uint8) color.NRGBA {
	colors := [...]color.NRGBA{
		0: {190, 190, 190, 255}, 1: {170, 170, 170, 255}, 2: {168, 126, 78, 255}, 3: {150, 200, 90, 255}, 4: {90, 170, 70, 255},
		5: {30, 120, 50, 255}, 6: {226, 88, 62, 255}, 7: {240, 60, 200, 255}, 8: {210, 180, 60, 255}, 9: {60, 130, 220, 255},
		10: {120, 90, 160, 255}, 11: {100, 100, 110, 255}, 12: {200, 200, 160, 255}, 13: {240, 220, 80, 255}, 14: {240, 190, 50, 255},
		15: {180, 120, 200, 255}, 16: {220, 160, 60, 255}, 17: {130, 150, 200, 255}, 18: {250, 80, 120, 255},
	}
	if int(class) < len(colors) {
		return colors[class]
	}
	return colors[1]
}
