package surface

import "context"

func heightField(ctx context.Context, v *vertices, o Options) (*mesh, error) {
	return nil, ErrTooFew
}
