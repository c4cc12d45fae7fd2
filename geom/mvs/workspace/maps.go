package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/geom/mvs"
)

const (
	depths      = "depth_maps"
	normals     = "normal_maps"
	confidences = "confidence_maps"
)

func (w *Workspace) path(kind string, view int, geometric bool) string {
	pass := "photometric"
	if geometric {
		pass = "geometric"
	}
	return filepath.Join(w.maps, kind, filepath.FromSlash(w.names[view])+"."+pass+".bin")
}

// Has tells whether a view has its maps, from an earlier run or from COLMAP.
func (w *Workspace) Has(view int, geometric bool) bool {
	for _, kind := range []string{depths, normals} {
		if _, err := os.Stat(w.path(kind, view, geometric)); err != nil {
			return false
		}
	}
	return true
}

// Load reads the maps of a view.
func (w *Workspace) Load(ctx context.Context, view int, geometric bool) (*mvs.Map, error) {
	var list [3]*colmap.Map
	for k, kind := range []string{depths, normals, confidences} {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m, err := colmap.ReadMap(w.path(kind, view, geometric))
		if kind == confidences && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading maps of %s: %w", w.names[view], err)
		}
		if want := []int{1, 3, 1}[k]; m.Channels != want {
			return nil, fmt.Errorf("%w: %s of %s has %d channels, want %d", colmap.ErrFormat, kind, w.names[view], m.Channels, want)
		}
		list[k] = m
	}
	out := &mvs.Map{Width: list[0].Width, Height: list[0].Height, Depth: list[0].Data, Normal: interleaved(list[1].Data)}
	if list[2] != nil {
		out.Cost = list[2].Data
	}
	return out, nil
}

// Store writes the maps of a view. The depths, which say that all is there, come last.
func (w *Workspace) Store(ctx context.Context, view int, geometric bool, m *mvs.Map) error {
	files := []struct {
		kind     string
		channels int
		data     []float32
	}{{confidences, 1, m.Cost}, {normals, 3, planar(m.Normal)}, {depths, 1, m.Depth}}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if f.data == nil {
			continue
		}
		path := w.path(f.kind, view, geometric)
		if err := replace(path, &colmap.Map{Width: m.Width, Height: m.Height, Channels: f.channels, Data: f.data}); err != nil {
			return fmt.Errorf("writing maps of %s: %w", w.names[view], err)
		}
	}
	return nil
}

// Files have the x of all normals first, then y, then z.
func interleaved(data []float32) []float32 {
	out := make([]float32, len(data))
	n := len(data) / 3
	for i := range n {
		out[3*i], out[3*i+1], out[3*i+2] = data[i], data[n+i], data[2*n+i]
	}
	return out
}

func planar(data []float32) []float32 {
	out := make([]float32, len(data))
	n := len(data) / 3
	for i := range n {
		out[i], out[n+i], out[2*n+i] = data[3*i], data[3*i+1], data[3*i+2]
	}
	return out
}

// replace writes a map beside its place and moves it there when it is whole.
func replace(path string, m *colmap.Map) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	part := path + ".part"
	if err := m.Write(part); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return os.Rename(part, path)
}
