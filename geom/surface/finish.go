package surface

import "context"

// teeth is how often triangles that stand out of a border are dropped.
const teeth = 2

// finish cleans, closes and smooths a surface.
func (m *mesh) finish(ctx context.Context, o Options, progress func(float64)) error {
	if err := m.dropTeeth(ctx, teeth, o.Workers); err != nil {
		return err
	}
	// What hung together by teeth only are parts now.
	if err := m.dropParts(ctx, o.MinPart); err != nil {
		return err
	}
	mates, err := m.manifold(ctx, o.Workers)
	if err != nil {
		return err
	}
	if err := m.fillHoles(ctx, mates, o.MaxHole); err != nil {
		return err
	}
	if _, err := m.manifold(ctx, o.Workers); err != nil {
		return err
	}
	m.compact()
	progress(0.3)
	if err := m.smooth(ctx, o, part(progress, 0.3, 0.9)); err != nil {
		return err
	}
	m.separate()
	return ctx.Err()
}
