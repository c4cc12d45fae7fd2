package evaluate

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"slate360.ai/worker/codec/colmap"
)

// Files of a result that are compared; empty ones are left out.
type Files struct {
	Model string // folder of a COLMAP model, in the local frame of the result
	Mesh  string // PLY or GLB in the same frame
	Ortho string // GeoTIFF, or PNG with a world file
	Frame string // cameras.json, which has the offset from that frame to the orthophoto's coordinates
}

// Report is all that is known of a result.
type Report struct {
	GSD     float64  `json:"gsd"`
	Cameras *Cameras `json:"cameras"`
	Surface *Surface `json:"surface,omitempty"`
	Ortho   *Ortho   `json:"orthophoto,omitempty"`
}

// truth is what is needed of truth.json.
type truth struct {
	GSD    float64       `json:"gsdMetres"`
	Offset [3]float64    `json:"offset"`
	Core   [2][2]float64 `json:"core"`
}

// Compare measures a result against the truth folder of a synthetic survey. Mesh and
// orthophoto are moved as the cameras say, so that errors of GPS do not count.
func Compare(ctx context.Context, truthDir string, files Files, workers int) (*Report, error) {
	var t truth
	if err := readJSON(filepath.Join(truthDir, "truth.json"), &t); err != nil {
		return nil, err
	}
	want, err := colmap.Read(filepath.Join(truthDir, "sparse"))
	if err != nil {
		return nil, fmt.Errorf("read true cameras: %w", err)
	}
	got, err := colmap.Read(files.Model)
	if err != nil {
		return nil, fmt.Errorf("read cameras: %w", err)
	}
	out := &Report{GSD: t.GSD}
	if out.Cameras, err = CompareCameras(got, want, t.GSD); err != nil {
		return nil, err
	}
	if files.Mesh == "" && files.Ortho == "" {
		return out, nil
	}
	surface, err := LoadMesh(filepath.Join(truthDir, "mesh.ply"))
	if err != nil {
		return nil, err
	}
	if files.Mesh != "" {
		m, err := LoadMesh(files.Mesh)
		if err != nil {
			return nil, err
		}
		p := SurfaceParams{Thresholds: []float64{t.GSD, 2 * t.GSD, 4 * t.GSD}, Area: t.Core, Workers: workers}
		if out.Surface, err = CompareSurfaces(ctx, Moved(m, out.Cameras.ToTruth), surface, want, p); err != nil {
			return nil, err
		}
	}
	if files.Ortho == "" {
		return out, nil
	}
	var placed struct {
		Frame struct {
			Offset [3]float64 `json:"offset"`
		} `json:"frame"`
	}
	if files.Frame != "" {
		if err := readJSON(files.Frame, &placed); err != nil {
			return nil, err
		}
	}
	ours, err := LoadOrtho(files.Ortho)
	if err != nil {
		return nil, err
	}
	theirs, err := LoadOrtho(filepath.Join(truthDir, "orthophoto.png"))
	if err != nil {
		return nil, err
	}
	moved, err := Reprojected(ctx, ours, theirs, surface, out.Cameras.ToTruth.Inverse(), t.Offset, placed.Frame.Offset)
	if err != nil {
		return nil, err
	}
	out.Ortho, err = CompareOrthos(ctx, moved, theirs, workers)
	return out, err
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	return nil
}
