package pointcloud

import (
	"context"
	"errors"
	"fmt"
	"io"

	"slate360.ai/worker/geom/octree"
	"slate360.ai/worker/internal/mapped"
	"slate360.ai/worker/internal/pipeline"
)

// runOctree divides the cloud into nodes.
func runOctree(ctx context.Context, s *pipeline.Context) error {
	c, err := openCloud(s)
	if err != nil {
		return err
	}
	t, err := octree.Build(ctx, c.xyz, c.Cube, octree.Params{Workers: s.Workers()})
	if err != nil {
		return err
	}
	return errors.Join(
		mapped.Write(s.Product(productLevels), t.Level),
		writeJSON(s.Product(productTree), t.Nodes),
	)
}

// sharedTree is the octree of a run.
type sharedTree struct {
	*octree.Tree
	file *mapped.File
}

// Close unmaps the levels.
func (t *sharedTree) Close() error { return t.file.Close() }

func openTree(s *pipeline.Context) (*octree.Tree, error) {
	h, err := s.Shared("octree", func() (io.Closer, error) {
		var nodes []octree.Node
		if err := readJSON(s.Product(productTree), &nodes); err != nil {
			return nil, err
		}
		f, err := mapped.Open(s.Product(productLevels))
		if err != nil {
			return nil, err
		}
		for _, n := range nodes {
			if n.First < 0 || n.End > len(f.Bytes()) || n.First >= n.End {
				return nil, errors.Join(fmt.Errorf("product %s does not fit %s; run with --fresh", productTree, productLevels), f.Close())
			}
		}
		return &sharedTree{&octree.Tree{Nodes: nodes, Level: f.Bytes()}, f}, nil
	})
	if err != nil {
		return nil, err
	}
	return h.(*sharedTree).Tree, nil
}
