package photogrammetry

import (
	"fmt"
	"image"
	"math"
	"path/filepath"
	"strings"

	"slate360.ai/worker/geom/mvs"
	"slate360.ai/worker/geom/mvs/workspace"
	"slate360.ai/worker/geom/surface"
	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/host"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// denseSide bounds the long side of photos whose depth is worked out, in pixels: at
// default quality some 1,600, where surfaces are a third of the photos' resolution and
// a depth map costs a sixth.
func denseSide(o job.Options) int { return int(math.Round(600 * math.Pow(3.4, o.Quality))) }

const (
	// pointShare is how many points of the cloud a pixel makes: 0.13 (a facade) to 0.30 (a
	// survey with 80 % overlap) were measured.
	pointShare = 0.3
	// mapBytes are those of a pixel on the disk: depth, normal and confidence, of both
	// passes, the first at half the size.
	mapBytes = 5 * 4 * 5 / 4
	// leastDepthSide is not gone below; lessSide is the step.
	leastDepthSide, lessSide = 400, 0.93
)

// detail is how large photos are when their depth is worked out.
type detail struct {
	// Side is the longest, in pixels, and Asked that of the quality.
	Side, Asked int
	// Why the side is not the one asked for.
	Why string
	// Memory of depth maps and their fusion, in bytes.
	Memory int64
}

// warning says what is lost, and how to get it.
func (d detail) warning() string {
	return fmt.Sprintf("depth is worked out on photos of %s pixels instead of %s: %s", format.Count(int64(d.Side)), format.Count(int64(d.Asked)), d.Why)
}

// detailName is a file beside the maps that says how large they are: a run that goes on
// with them may find less room, which they take themselves.
const detailName = "detail.json"

// keptDetail is that of the maps which are there, or else chosen and kept.
func keptDetail(s *pipeline.Context) (d detail, err error) {
	path := filepath.Join(s.Product(productStereo), detailName)
	if readJSON(path, &d) == nil && d.Side > 0 {
		if d.Side < d.Asked {
			s.Warn("%s", d.warning())
		}
		return d, nil
	}
	if d, err = chooseDetail(s); err != nil {
		return d, err
	}
	return d, writeJSON(path, &d)
}

// chooseDetail says so where the detail is less than was asked for.
func chooseDetail(s *pipeline.Context) (detail, error) {
	d, err := detailOf(s)
	if err == nil && d.Side < d.Asked {
		s.Warn("%s", d.warning())
	}
	return d, err
}

// detailOf picks the largest side, up to that of the quality, whose depth maps, cloud
// and surface fit memory and disk.
func detailOf(s *pipeline.Context) (detail, error) {
	w, err := workspace.Open(s.Product(productUndistorted), workspace.Options{})
	if err != nil {
		return detail{}, err
	}
	sizes := make([]image.Point, len(w.Views()))
	for i, v := range w.Views() {
		sizes[i] = image.Pt(v.Camera.Width, v.Camera.Height)
	}
	return fittingDetail(sizes, denseSide(s.Options()), s.MemoryBudget(), host.FreeDisk(filepath.Dir(s.Product(productStereo)))), nil
}

// fittingDetail is that of photos of such sizes; free is the room on the disk in bytes,
// -1 where it is not known.
func fittingDetail(sizes []image.Point, side int, memory, free int64) detail {
	d := detail{Side: side, Asked: side}
	for {
		largest, points, room := denseSize(sizes, d.Side)
		d.Memory = max(depthMemory(largest), fusionMemory(largest))
		var why []string
		if max(d.Memory, pointMemory(points)) > memory {
			why = append(why, fmt.Sprintf("%s of memory may be used, and more (--memory) gives more detail", format.Bytes(memory)))
		}
		if free >= 0 && room > free {
			why = append(why, fmt.Sprintf("the disk has %s left, and more room gives more detail", format.Bytes(free)))
		}
		if len(why) == 0 || d.Side <= leastDepthSide {
			return d
		}
		d.Side, d.Why = max(leastDepthSide, int(float64(d.Side)*lessSide)), strings.Join(why, "; ")
	}
}

// denseSize is how many pixels the largest photo has at a size, how many points come of
// all, and what they take on the disk, in bytes.
func denseSize(sizes []image.Point, side int) (largest, points, disk int64) {
	var all int64
	for _, p := range sizes {
		smaller := min(1, float64(side)/float64(max(p.X, p.Y)))
		n := int64(float64(p.X) * smaller * float64(p.Y) * smaller)
		largest, all = max(largest, n), all+n
	}
	points = int64(pointShare * float64(all))
	return largest, points, all*mapBytes + points*fusedBytes
}

// depthMemory is that of the depth map of a view and the photos it is compared with.
func depthMemory(pixels int64) int64 {
	const sources = 6
	return 256<<20 + mvs.Bytes(pixels, sources)
}

// fusedBytes is what a fused point takes, with the views that see it.
const fusedBytes = 3*4 + 3*4 + 3 + 4*(4+1)

// fusionMemory is that of the maps of a view and its neighbours; the cloud goes to the
// disk.
func fusionMemory(pixels int64) int64 {
	const maps, inMemory = 9, 5 * 4
	return 256<<20 + pixels*maps*inMemory
}

// pointMemory is that of a surface of so many points.
func pointMemory(points int64) int64 { return points*fusedBytes + surface.Bytes(int(points)) }
