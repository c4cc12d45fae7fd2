package surface

import (
	"context"

	"slate360.ai/worker/geom/delaunay"
	"slate360.ai/worker/geom/maxflow"
)

// volume is the surface between what is empty and what is full.
func volume(ctx context.Context, v *vertices, centers [][3]float32, o Options, progress func(float64)) (*mesh, error) {
	t, err := delaunay.Build(ctx, v.points, part(progress, 0, 0.4))
	if err != nil {
		return nil, err
	}
	g := &maxflow.Graph{Arcs: t.Faces, Capacity: make([][4]int32, len(t.Cells)), Terminal: make([]int32, len(t.Cells))}
	if err := sight(ctx, t, v, centers, g, o, part(progress, 0.4, 0.7)); err != nil {
		return nil, err
	}
	if err := smallness(ctx, t, v, g, o); err != nil {
		return nil, err
	}
	progress(0.75)
	empty, _, err := maxflow.Cut(ctx, g)
	if err != nil {
		return nil, err
	}
	progress(0.95)
	m, err := extract(ctx, t, v, empty)
	if err != nil {
		return nil, err
	}
	if err := m.dropLong(ctx, o.MaxEdge, o.Workers); err != nil {
		return nil, err
	}
	m.normals = nil
	return m, nil
}
