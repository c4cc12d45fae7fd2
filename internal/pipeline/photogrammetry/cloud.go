package photogrammetry

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/codec/las"
	"slate360.ai/worker/internal/pipeline"
)

// lasFormat is format 7: with colours, without near infrared.
const lasFormat, lasLength = 7, 36

// lasMetres is the step of coordinates in metres: a fifth of the finest pixels.
const lasMetres = 0.001

// cloudBatch is how many points are handed on at once.
const cloudBatch = 50_000

func cloudMemory(s *pipeline.Context) int64 { return 64<<20 + int64(s.Workers())*(16<<20) }

// runCloud writes the dense cloud as LAZ in the coordinates of the map, for the
// pipeline of point clouds.
func runCloud(ctx context.Context, s *pipeline.Context) (err error) {
	var frame Frame
	if err := readJSON(s.Product(productFrame), &frame); err != nil {
		return fmt.Errorf("read frame: %w", err)
	}
	r, err := colmap.OpenFused(s.Product(productDense))
	if err != nil {
		return fmt.Errorf("read dense cloud: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	f, err := os.Create(s.Product(productCloud))
	if err != nil {
		return err
	}
	out := &seekBuffer{bufio.NewWriterSize(f, 1<<20), f}
	if err := copyCloud(ctx, s, r, out, &frame); err != nil {
		return errors.Join(fmt.Errorf("write cloud: %w", err), f.Close())
	}
	return errors.Join(out.Flush(), f.Close())
}

// seekBuffer is a file with a buffer.
type seekBuffer struct {
	*bufio.Writer
	f *os.File
}

// Seek flushes and seeks.
func (b *seekBuffer) Seek(offset int64, whence int) (int64, error) {
	if err := b.Flush(); err != nil {
		return 0, err
	}
	return b.f.Seek(offset, whence)
}

func cloudHeader(frame *Frame) (las.Header, []las.VLR) {
	now := time.Now().UTC()
	h := las.Header{
		VersionMajor: 1, VersionMinor: 4, PointFormat: lasFormat, Compressed: true, GlobalEncoding: las.EncodingWKT | las.EncodingAdjustedGPSTime,
		SystemIdentifier: "photogrammetry", GeneratingSoftware: "slate360-worker",
		CreationYear: uint16(now.Year()), CreationDay: uint16(now.YearDay()),
	}
	for a := range 3 {
		unit := frame.UnitMetres
		if a == 2 {
			unit = frame.HeightUnitMetres
		}
		h.Scale[a] = lasMetres / unit
		h.Offset[a] = math.Floor(frame.Offset[a])
	}
	if frame.CRS == "" {
		return h, nil
	}
	return h, []las.VLR{{UserID: "LASF_Projection", RecordID: 2112, Description: "OGC WKT Coordinate System", Data: append([]byte(frame.CRS), 0)}}
}

func copyCloud(ctx context.Context, s *pipeline.Context, r *colmap.FusedReader, out io.WriteSeeker, frame *Frame) error {
	h, vlrs := cloudHeader(frame)
	w, err := las.NewWriter(out, h, vlrs, las.WithWorkers(s.Workers()))
	if err != nil {
		return err
	}
	layout, err := las.NewLayout(lasFormat, lasLength)
	if err != nil {
		return err
	}
	batch := make([]byte, 0, cloudBatch*lasLength)
	var p colmap.FusedPoint
	for done := uint64(0); ; done++ {
		err := r.Read(&p)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(batch) == cap(batch) || err != nil {
			if err := w.Write(ctx, batch); err != nil {
				return err
			}
			batch = batch[:0]
			s.Progress(float64(done), float64(r.Len()))
		}
		if err != nil {
			return w.Close()
		}
		batch = append(batch, make([]byte, lasLength)...)
		record(layout, batch[len(batch)-lasLength:], &p, &h, frame)
	}
}

// record writes a point as a record.
func record(l las.Layout, rec []byte, p *colmap.FusedPoint, h *las.Header, frame *Frame) {
	at := frame.ToCRS([3]float64{float64(p.XYZ[0]), float64(p.XYZ[1]), float64(p.XYZ[2])})
	var q [3]int32
	for a := range 3 {
		q[a] = int32(math.Round((at[a] - h.Offset[a]) / h.Scale[a]))
	}
	l.SetXYZ(rec, q[0], q[1], q[2])
	l.SetReturns(rec, 1, 1)
	// 8 bits are spread over 16: 255 becomes 65535.
	const wide = 257
	l.SetRGB(rec, uint16(p.Color[0])*wide, uint16(p.Color[1])*wide, uint16(p.Color[2])*wide)
}
