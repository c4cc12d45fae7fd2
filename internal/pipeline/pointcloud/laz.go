package pointcloud

import (
	"bufio"
	"context"
	"fmt"
	"os"

	"slate360.ai/worker/codec/las"
	"slate360.ai/worker/codec/laz"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// filteredName is the LAZ file with the classes of the filters.
const filteredName = "filtered.laz"

// runLAZ writes the source again with the new classes: its format, records and
// order of points. Where the source is compressed in layers, only the layer of
// the class is compressed anew and all else is copied.
func runLAZ(ctx context.Context, s *pipeline.Context) error {
	c, class, err := openClassified(s)
	if err != nil {
		return err
	}
	bySource := make([]uint8, len(class))
	for i, src := range c.order {
		bySource[src] = class[i]
	}
	r, err := openSource(ctx, s.Source())
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := os.Create(s.OutputPath(filteredName))
	if err != nil {
		return fmt.Errorf("create output: %w", err)
	}
	defer f.Close()
	b := &seekBuffer{Writer: bufio.NewWriterSize(f, 1<<20), f: f}
	if err := writeFiltered(ctx, s, c, r, bySource, b); err != nil {
		return err
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	s.Publish(job.Output{Type: job.TypeLAZ, Path: filteredName, Points: int64(c.Points)})
	return nil
}

func writeFiltered(ctx context.Context, s *pipeline.Context, c *cloud, r *las.Reader, class []uint8, b *seekBuffer) error {
	h := r.Header()
	layered := h.Compressed && h.PointFormat >= 6
	h.Compressed = true
	var vlrs []las.VLR
	var wave *las.VLR
	for _, v := range r.VLRs() {
		switch {
		case v.UserID == "copc": // its offsets would be wrong
		case v.Is(las.UserSpec, las.RecordWaveform):
			wave = &v
		default:
			vlrs = append(vlrs, v)
		}
	}
	opts := []las.WriteOption{las.WithWorkers(s.Workers())}
	if layered {
		opts = append(opts, las.WithChunkSize(las.VariableChunks))
	}
	w, err := las.NewWriter(b, h, vlrs, opts...)
	if err != nil {
		return err
	}
	if data := r.Waveform(); data != nil {
		v := las.VLR{UserID: las.UserSpec, RecordID: las.RecordWaveform, Extended: true}
		if wave != nil {
			v.Description = wave.Description
		}
		if err := w.AddExtended(v, data, data.Size()); err != nil {
			return err
		}
	}
	if layered {
		err = reclassify(ctx, s, r, class, w)
	} else {
		err = recompress(ctx, s, c, class, w)
	}
	if err != nil {
		return err
	}
	return w.Close()
}

// recompressPoints is how many records are handed to the writer at a time.
const recompressPoints = las.DefaultChunkSize

func recompress(ctx context.Context, s *pipeline.Context, c *cloud, class []uint8, w *las.Writer) error {
	var buf []byte
	n := int(c.Points)
	for first := 0; first < n; first += recompressPoints {
		end := min(first+recompressPoints, n)
		buf = append(buf[:0], c.records[first*c.layout.Length:end*c.layout.Length]...)
		for i := range end - first {
			c.layout.SetClassification(buf[i*c.layout.Length:(i+1)*c.layout.Length], class[first+i])
		}
		if err := w.Write(ctx, buf); err != nil {
			return err
		}
		s.Progress(float64(end), float64(n))
	}
	return nil
}

// reclassified is a chunk on its way to the writer.
type reclassified struct {
	chunk []byte
	raw   []byte
	stats las.Stats
	err   error
	ready chan struct{}
}

// reclassify replaces the layer of the class in all chunks, several at a time, and
// writes them in order.
func reclassify(ctx context.Context, s *pipeline.Context, r *las.Reader, class []uint8, w *las.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	layout, chunks := r.Layout(), r.Chunks()
	c, err := openCloud(s)
	if err != nil {
		return err
	}
	slots := make([]reclassified, 2*s.Workers())
	for i := range slots {
		slots[i].ready = make(chan struct{}, 1)
	}
	free := make(chan int, len(slots))
	for i := range slots {
		free <- i
	}
	type task struct{ chunk, slot int }
	tasks := make(chan task)
	queue := make(chan task, len(slots))
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		defer close(tasks)
		defer close(queue)
		for i := range chunks {
			select {
			case slot := <-free:
				queue <- task{i, slot}
				tasks <- task{i, slot}
			case <-ctx.Done():
				return
			}
		}
	}()
	workers := make(chan struct{}, s.Workers())
	for range s.Workers() {
		go func() {
			defer func() { workers <- struct{}{} }()
			enc, err := laz.NewReclassifier(layout.Format, layout.Length)
			for t := range tasks {
				slot := &slots[t.slot]
				slot.err = err
				if err == nil {
					slot.err = slot.fill(enc, r, c, t.chunk, class)
				}
				slot.ready <- struct{}{}
			}
		}()
	}
	for t := range queue {
		slot := &slots[t.slot]
		<-slot.ready
		if err == nil {
			err = slot.err
		}
		if err == nil {
			err = w.WriteChunk(chunks[t.chunk].Points, slot.chunk, &slot.stats)
		}
		if err != nil {
			cancel()
		}
		free <- t.slot
		s.Progress(float64(t.chunk+1), float64(len(chunks)))
	}
	<-finished
	for range s.Workers() {
		<-workers
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

func (t *reclassified) fill(enc *laz.Reclassifier, r *las.Reader, c *cloud, i int, class []uint8) error {
	chunk := r.Chunks()[i]
	var err error
	if t.raw, err = r.RawChunk(i, t.raw); err != nil {
		return err
	}
	first, end := int(chunk.First), int(chunk.First)+chunk.Points
	t.stats = las.Stats{}
	t.stats.Add(c.layout, c.records[first*c.layout.Length:end*c.layout.Length])
	t.chunk, err = enc.Replace(t.chunk[:0], t.raw, chunk.Points, class[first:end])
	if err != nil {
		return fmt.Errorf("chunk %d: %w", i, err)
	}
	return nil
}
