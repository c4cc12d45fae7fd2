package photogrammetry

import (
	"image"
	"slices"
	"strings"
	"testing"
)

func TestDetailFits(t *testing.T) {
	many := func(n int) []image.Point { return slices.Repeat([]image.Point{{X: 4000, Y: 3000}}, n) }
	const gib = 1 << 30
	full := fittingDetail(many(20), 1600, 16*gib, -1)
	if full.Side != 1600 || full.Why != "" {
		t.Fatalf("20 photos in 16 GiB: %+v", full)
	}
	for _, test := range []struct {
		name         string
		photos       int
		memory, free int64
		why          string
	}{
		{"a thousand photos", 1000, 16 * gib, -1, "16.0 GiB of memory"},
		{"little memory", 20, 2 * gib, -1, "2.00 GiB of memory"},
		{"little room", 200, 64 * gib, 4 * gib, "the disk has 4.00 GiB left"},
	} {
		d := fittingDetail(many(test.photos), 1600, test.memory, test.free)
		if d.Side >= 1600 || d.Side < leastDepthSide || !strings.Contains(d.Why, test.why) || !strings.Contains(d.warning(), "1,600") {
			t.Errorf("%s: %+v: %s", test.name, d, d.warning())
		}
		largest, points, disk := denseSize(many(test.photos), d.Side)
		if d.Side > leastDepthSide && (max(depthMemory(largest), fusionMemory(largest), pointMemory(points)) > test.memory || test.free >= 0 && disk > test.free) {
			t.Errorf("%s: %d pixels do not fit", test.name, d.Side)
		}
		larger := float64(d.Side)/lessSide + 1
		largest, points, disk = denseSize(many(test.photos), int(larger))
		if max(depthMemory(largest), fusionMemory(largest), pointMemory(points)) <= test.memory && (test.free < 0 || disk <= test.free) {
			t.Errorf("%s: %.0f pixels would fit, %d were taken", test.name, larger, d.Side)
		}
	}
	if d := fittingDetail(many(1), 1600, 1, 1); d.Side != leastDepthSide {
		t.Errorf("least: %+v", d)
	}
	if d := fittingDetail([]image.Point{{X: 300, Y: 200}}, 1600, 16*gib, -1); d.Side != 1600 {
		t.Errorf("small photos: %+v", d)
	}
}
