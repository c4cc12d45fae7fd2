package pointcloud

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"slate360.ai/worker/codec/copc"
	"slate360.ai/worker/geom/octree"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// runCOPC puts the compressed nodes into one file.
func runCOPC(ctx context.Context, s *pipeline.Context) error {
	m, err := readMeta(s)
	if err != nil {
		return err
	}
	nodes, chunks, err := readNodes(s)
	if err != nil {
		return err
	}
	defer chunks.Close()
	rel := "copc/" + s.Name() + ".copc.laz"
	f, err := os.Create(s.OutputPath(rel))
	if err != nil {
		return fmt.Errorf("create output: %w", err)
	}
	defer f.Close()
	if err := writeCOPC(ctx, s, m, nodes, chunks, f); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	s.Publish(job.Output{Type: job.TypeCOPC, Path: rel, Points: int64(m.Points)})
	return nil
}

func writeCOPC(ctx context.Context, s *pipeline.Context, m *meta, nodes []node, chunks *os.File, f *os.File) error {
	to, err := webLayout(m.layout())
	if err != nil {
		return err
	}
	vlrs, err := sourceVLRs(ctx, s)
	if err != nil {
		return err
	}
	b := &seekBuffer{Writer: bufio.NewWriterSize(f, 1<<20), f: f}
	w, err := copc.NewWriter(b, webHeader(m, to), outputVLRs(vlrs, m.CRS, true), copcInfo(m))
	if err != nil {
		return err
	}
	var chunk []byte
	for i := range nodes {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := &nodes[i]
		if chunk, err = readChunk(chunks, n, chunk); err != nil {
			return err
		}
		key := copc.Key{Level: int32(n.Key.Level), X: int32(n.Key.X), Y: int32(n.Key.Y), Z: int32(n.Key.Z)}
		if err := w.WriteNode(key, chunk, &n.Stats); err != nil {
			return err
		}
		s.Progress(float64(i+1), float64(len(nodes)))
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// copcInfo describes the octree.
func copcInfo(m *meta) copc.Info {
	b := m.cubeBounds()
	half := (b[3] - b[0]) / 2
	info := copc.Info{HalfSize: half, Spacing: 2 * half / octree.Span}
	for i := range 3 {
		info.Center[i] = b[i] + half
	}
	if t := m.Stats.find("GpsTime"); t != nil {
		info.GPSTimeMin, info.GPSTimeMax = t.Min, t.Max
	}
	return info
}

// seekBuffer is a buffered writer that seeks, which formats that fill in their
// header at the end need.
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

var _ io.WriteSeeker = (*seekBuffer)(nil)
