// Package sample makes synthetic inputs whose truth is known, so that a bare
// machine can try and test the product.
//
// The point cloud is an airborne laser scan: fractal terrain with a lake and a
// road, houses, trees with several returns a pulse, strips flown there and back
// with overlap, noise below and above, colours and intensities by material.
package sample

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"

	"slate360.ai/worker/codec/crs"
	"slate360.ai/worker/codec/las"
)

// Params of the scan.
type Params struct {
	// Points is about how many to make, 1,000 to 500,000,000; default 1,500,000.
	Points int
	// Seed picks the scene; the same seed and number give the same file.
	Seed uint64
	// Workers is the number of goroutines; default 1. It does not change the file.
	Workers int
}

// DefaultPoints is the size of a scan that takes a moment.
const DefaultPoints = 1_500_000

// ASPRS classes of the truth.
const (
	classGround    = 2
	classHigh      = 5
	classBuilding  = 6
	classLowNoise  = 7
	classWater     = 9
	classRoad      = 11
	classHighNoise = 18
)

// Truth is what truth.json says of a scan.
type Truth struct {
	Seed    uint64         `json:"seed"`
	Points  int            `json:"points"`
	EPSG    int            `json:"epsg"`
	Classes map[string]int `json:"classes"`
	Strips  int            `json:"strips"`
	Side    float64        `json:"sideMetres"`
}

const (
	epsg = 32632 // UTM zone 32 north, around Heidelberg
	east = 477000.0
	nord = 5473000.0

	density    = 10.0 // pulses a square metre on the ground
	stripWidth = 150.0
	overlap    = 0.3
	flying     = 900.0 // metres above the terrain
	speed      = 60.0  // metres a second
	scale      = 0.01
)

// Pointcloud writes scan.laz and truth.json into dir, which is made.
func Pointcloud(ctx context.Context, dir string, p Params) (Truth, error) {
	if p.Points == 0 {
		p.Points = DefaultPoints
	}
	if p.Points < 1000 || p.Points > 500_000_000 {
		return Truth{}, fmt.Errorf("a sample of %d points cannot be made: 1,000 to 500,000,000 can", p.Points)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return Truth{}, fmt.Errorf("make sample folder: %w", err)
	}
	s := newScene(p)
	counts, err := s.writeScan(ctx, filepath.Join(dir, "scan.laz"), max(1, p.Workers))
	if err != nil {
		return Truth{}, err
	}
	t := Truth{Seed: p.Seed, EPSG: epsg, Classes: map[string]int{}, Strips: s.strips, Side: s.side}
	for class, n := range counts {
		if n > 0 {
			t.Classes[fmt.Sprint(class)] = n
			t.Points += n
		}
	}
	b, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return t, fmt.Errorf("write truth: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "truth.json"), append(b, '\n'), 0o666); err != nil {
		return t, fmt.Errorf("write truth: %w", err)
	}
	return t, nil
}

// buffered is a file with a buffer that seeks.
type buffered struct {
	*bufio.Writer
	f *os.File
}

// Seek flushes and seeks.
func (b buffered) Seek(offset int64, whence int) (int64, error) {
	if err := b.Flush(); err != nil {
		return 0, err
	}
	return b.f.Seek(offset, whence)
}

var _ io.WriteSeeker = buffered{}

func (s *scene) writeScan(ctx context.Context, path string, workers int) (counts [256]int, err error) {
	f, err := os.Create(path)
	if err != nil {
		return counts, fmt.Errorf("write sample: %w", err)
	}
	defer f.Close()
	out := buffered{bufio.NewWriterSize(f, 1<<20), f}
	utm, err := crs.FromEPSG(epsg)
	if err != nil {
		return counts, err
	}
	h := las.Header{
		VersionMajor: 1, VersionMinor: 4, PointFormat: 7, Compressed: true, GlobalEncoding: las.EncodingWKT | las.EncodingAdjustedGPSTime,
		SystemIdentifier: "synthetic scan", GeneratingSoftware: "slate360-worker sample", CreationYear: 2026, CreationDay: 1,
		Scale: [3]float64{scale, scale, scale}, Offset: [3]float64{east, nord, 0},
	}
	wkt := las.VLR{UserID: "LASF_Projection", RecordID: 2112, Description: "OGC WKT Coordinate System", Data: append([]byte(utm.WKT()), 0)}
	w, err := las.NewWriter(out, h, []las.VLR{wkt}, las.WithWorkers(workers))
	if err != nil {
		return counts, err
	}
	// Strips are cut into lines across; a block of lines has a generator of its
	// own, so that workers make no difference.
	blocks := s.strips * s.blocksPerStrip
	for first := 0; first < blocks; first += workers {
		if err := ctx.Err(); err != nil {
			return counts, err
		}
		part := make([]block, min(workers, blocks-first))
		var wg sync.WaitGroup
		for i := range part {
			wg.Go(func() { part[i] = s.fly((first+i)/s.blocksPerStrip, (first+i)%s.blocksPerStrip) })
		}
		wg.Wait()
		for i := range part {
			if err := w.Write(ctx, part[i].records); err != nil {
				return counts, err
			}
			for class, n := range part[i].counts {
				counts[class] += n
			}
		}
	}
	if err := w.Close(); err != nil {
		return counts, err
	}
	if err := out.Flush(); err != nil {
		return counts, fmt.Errorf("write sample: %w", err)
	}
	if err := f.Close(); err != nil {
		return counts, fmt.Errorf("write sample: %w", err)
	}
	return counts, nil
}

// block is what was measured in a part of a strip.
type block struct {
	records []byte
	counts  [256]int
}

// hit is a point that a pulse returns from.
type hit struct {
	z         float64
	class     uint8
	intensity uint16
	rgb       [3]float64
}

// fly measures a block of a strip: lines across, pulse by pulse.
func (s *scene) fly(strip, part int) block {
	r := rand.New(rand.NewPCG(s.seed, uint64(strip)<<32|uint64(part)))
	layout, err := las.NewLayout(7, 36)
	if err != nil {
		panic(fmt.Sprintf("sample: layout of format 7: %v", err))
	}
	var b block
	rec := make([]byte, layout.Length)
	center := (float64(strip) + .5) * s.stripStep
	step := 1 / math.Sqrt(density)
	perLine := max(1, int(s.stripWidth/step))
	lines := int(math.Ceil(s.side / float64(s.blocksPerStrip) / step))
	hits := make([]hit, 0, 4)
	for line := range lines {
		along := (float64(part)/float64(s.blocksPerStrip))*s.side + float64(line)*step
		if strip%2 == 1 {
			along = s.side - along
		}
		for i := range perLine {
			k := i
			if line%2 == 1 {
				k = perLine - 1 - i
			}
			across := (float64(k)+r.Float64())*step - s.stripWidth/2
			x, y := center+across, along+step*(r.Float64()-.5)
			if x < 0 || x >= s.side || y < 0 || y >= s.side {
				continue
			}
			time := 3e8 + float64(strip)*s.side/speed*1.4 + (float64(part*lines+line)+float64(i)/float64(perLine))*step/speed
			hits = s.pulse(r, x, y, hits[:0])
			for n, hit := range hits {
				layout.SetXYZ(rec, int32(math.Round(x/scale)), int32(math.Round(y/scale)), int32(math.Round(hit.z/scale)))
				layout.SetIntensity(rec, hit.intensity)
				layout.SetReturns(rec, uint8(n+1), uint8(len(hits)))
				layout.SetClassification(rec, hit.class)
				layout.SetScanAngleDegrees(rec, math.Atan2(across, flying)*180/math.Pi)
				layout.SetPointSourceID(rec, uint16(strip+1))
				layout.SetGPSTime(rec, time)
				c := hit.rgb
				layout.SetRGB(rec, color16(c[0]), color16(c[1]), color16(c[2]))
				rec[15] = uint8(line%2) << 6 // scan direction
				if i == perLine-1 {
					rec[15] |= 0x80 // edge of flight line
				}
				b.records = append(b.records, rec...)
				b.counts[hit.class]++
			}
		}
	}
	return b
}

func color16(v float64) uint16 { return uint16(min(max(v, 0), 1) * 65535) }
