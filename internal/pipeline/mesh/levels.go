package mesh

import (
	"fmt"
	"slices"

	"slate360.ai/worker/internal/job"
)

// Kinds of levels.
const (
	levelFull    = "full"
	levelLOD     = "lod"
	levelPreview = "preview"
)

// previewShare is the part of the vertices that the preview keeps.
const previewShare = 1000

// levelSpec is one GLB that is to be made.
type levelSpec struct {
	Kind string `json:"kind"`
	// Number of a LOD, Vertices the most it may have.
	Number   int `json:"number,omitempty"`
	Vertices int `json:"vertices,omitempty"`
	// Texture is the longest side that textures keep, in pixels; 0 is any.
	Texture int `json:"texture,omitempty"`
}

// output returns the type and the file name of a level.
func (l levelSpec) output(name string) (kind, file string) {
	switch l.Kind {
	case levelLOD:
		return job.LODType(l.Number), fmt.Sprintf("%s_lod%d.glb", name, l.Number)
	case levelPreview:
		return job.TypeGLBPreview, name + "_preview.glb"
	}
	return job.TypeGLBDraco, name + "_draco.glb"
}

// Longest sides of textures of levels, finest first.
const (
	lodTexture     = 4096
	lodTextureStep = 2 // each level has half the side of the one before
	previewTexture = 512
)

// levelsOf lists the GLBs that options ask for, finest first.
func levelsOf(o job.Options) []levelSpec {
	var out []levelSpec
	if o.Wants(job.TypeGLBDraco) {
		out = append(out, levelSpec{Kind: levelFull})
	}
	if o.GenerateLOD {
		side := lodTexture
		for i, n := range o.TargetVertices {
			side /= lodTextureStep
			if o.Wants(job.LODType(i)) {
				out = append(out, levelSpec{Kind: levelLOD, Number: i, Vertices: n, Texture: max(side, previewTexture)})
			}
		}
		if o.Wants(job.TypeGLBPreview) {
			out = append(out, levelSpec{Kind: levelPreview, Texture: previewTexture})
		}
	}
	return out
}

// target is the number of vertices that a level may have of a model of so many.
func (l levelSpec) target(vertices int) int {
	switch l.Kind {
	case levelLOD:
		return min(l.Vertices, vertices)
	case levelPreview:
		return max(vertices/previewShare, 64)
	}
	return vertices
}

// descending returns the indices of levels in the order in which simplification
// comes by them.
func descending(levels []levelSpec, vertices int) []int {
	order := make([]int, len(levels))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return levels[b].target(vertices) - levels[a].target(vertices) })
	return order
}
