package pointcloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"slate360.ai/worker/codec/las"
	"slate360.ai/worker/codec/laz"
	"slate360.ai/worker/geom/octree"
	"slate360.ai/worker/internal/pipeline"
)

// node is an entry of the product nodes.json: where the compressed points of an
// octree node are in chunks.bin.
type node struct {
	Key    octree.Key `json:"key"`
	Offset int64      `json:"offset"`
	Size   int        `json:"size"`
	Stats  las.Stats  `json:"stats"`
}

// webLayout is the layout of records in COPC and EPT: format 6, 7 or 8, which
// COPC allows, with what the source has of time, colour and infrared, and its
// extra bytes; only waveforms have no place there.
func webLayout(from las.Layout) (las.Layout, error) {
	format, length := uint8(6), 30
	switch {
	case from.NIR >= 0:
		format, length = 8, 38
	case from.RGB >= 0:
		format, length = 7, 36
	}
	return las.NewLayout(format, length+from.ExtraLen)
}

// gatherer collects the records of nodes from the mapped source.
type gatherer struct {
	c       *cloud
	tree    *octree.Tree
	class   []uint8 // in Morton order
	to      las.Layout
	places  []uint32
	pairs   []uint64
	records []byte
}

// node gives the records of a node in the layout of outputs, in the order of the
// source: points that a scanner measured one after the other then stand together,
// which compresses far better than the order along the curve. Valid until the
// next call.
func (g *gatherer) node(n int) []byte {
	g.places = g.tree.Points(n, g.places[:0])
	g.pairs = g.pairs[:0]
	for _, p := range g.places {
		g.pairs = append(g.pairs, uint64(g.c.order[p])<<32|uint64(p))
	}
	slices.Sort(g.pairs)
	size := len(g.pairs) * g.to.Length
	if cap(g.records) < size {
		g.records = make([]byte, size+size/4)
	}
	g.records = g.records[:size]
	same := g.to == g.c.layout
	for i, pair := range g.pairs {
		dst := g.records[i*g.to.Length : (i+1)*g.to.Length]
		src := g.c.record(uint32(pair >> 32))
		if same {
			copy(dst, src)
		} else {
			las.ConvertRecords(dst[:0], g.to, src, g.c.layout)
		}
		g.to.SetClassification(dst, g.class[uint32(pair)])
		if g.c.ColorScale != 1 && g.to.RGB >= 0 {
			r, gr, b := g.to.RGBOf(dst)
			g.to.SetRGB(dst, r*g.c.ColorScale, gr*g.c.ColorScale, b*g.c.ColorScale)
		}
	}
	return g.records
}

// breadthFirst gives the nodes of a tree, coarse ones first: readers get what they
// ask for first from one place of the file.
func breadthFirst(nodes []octree.Node) []int {
	order := make([]int, len(nodes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(nodes[a].Key.Level, nodes[b].Key.Level) })
	return order
}

// runEncode compresses each node once, for COPC and EPT.
func runEncode(ctx context.Context, s *pipeline.Context) error {
	c, class, err := openClassified(s)
	if err != nil {
		return err
	}
	tree, err := openTree(s)
	if err != nil {
		return err
	}
	to, err := webLayout(c.layout)
	if err != nil {
		return err
	}
	f, err := os.Create(s.Product(productChunks))
	if err != nil {
		return fmt.Errorf("create product: %w", err)
	}
	defer f.Close()

	nodes := make([]node, len(tree.Nodes))
	order := breadthFirst(tree.Nodes)
	out := chunkFile{f: f}
	var done atomic.Int64
	err = eachParallel(ctx, s.Workers(), len(order), func() (func(int) error, error) {
		enc, err := laz.NewEncoder(to.Format, to.Length)
		if err != nil {
			return nil, err
		}
		g := gatherer{c: c, tree: tree, class: class, to: to}
		var chunk []byte
		return func(i int) error {
			n := order[i]
			records := g.node(n)
			var err error
			if chunk, err = enc.Encode(chunk[:0], records); err != nil {
				return fmt.Errorf("compress node %v: %w", tree.Nodes[n].Key, err)
			}
			nodes[i] = node{Key: tree.Nodes[n].Key, Size: len(chunk)}
			nodes[i].Stats.Add(to, records)
			if nodes[i].Offset, err = out.append(chunk); err != nil {
				return err
			}
			s.Progress(float64(done.Add(int64(len(g.pairs)))), float64(c.Points))
			return nil
		}, nil
	})
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write product: %w", err)
	}
	return writeJSON(s.Product(productNodes), nodes)
}

// chunkFile takes chunks from several goroutines.
type chunkFile struct {
	mu sync.Mutex
	f  *os.File
	at int64
}

func (c *chunkFile) append(b []byte) (offset int64, err error) {
	c.mu.Lock()
	offset = c.at
	c.at += int64(len(b))
	c.mu.Unlock()
	if _, err := c.f.WriteAt(b, offset); err != nil {
		return 0, fmt.Errorf("write product: %w", err)
	}
	return offset, nil
}

// eachParallel calls functions that start makes, one for each worker, with 0 to
// n-1, each once. The first error ends it, as does the end of ctx.
func eachParallel(ctx context.Context, workers, n int, start func() (func(i int) error, error)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range max(1, min(workers, n)) {
		wg.Go(func() {
			work, err := start()
			for err == nil && ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				err = work(i)
			}
			if err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// readNodes gives the nodes of nodes.json, and their chunks.
func readNodes(s *pipeline.Context) ([]node, *os.File, error) {
	var nodes []node
	if err := readJSON(s.Product(productNodes), &nodes); err != nil {
		return nil, nil, err
	}
	if len(nodes) == 0 {
		return nil, nil, errors.New("product " + productNodes + " is empty; run with --fresh")
	}
	f, err := os.Open(s.Product(productChunks))
	if err != nil {
		return nil, nil, fmt.Errorf("read product: %w", err)
	}
	return nodes, f, nil
}

// readChunk gives the compressed points of a node, in dst where it is large enough.
func readChunk(f *os.File, n *node, dst []byte) ([]byte, error) {
	if cap(dst) < n.Size {
		dst = make([]byte, n.Size+n.Size/4)
	}
	dst = dst[:n.Size]
	if _, err := f.ReadAt(dst, n.Offset); err != nil {
		return dst, fmt.Errorf("read product %s: %w", productChunks, err)
	}
	return dst, nil
}

// webHeader is the header of COPC and of EPT nodes.
func webHeader(m *meta, to las.Layout) las.Header {
	h := m.Header
	h.VersionMajor, h.VersionMinor, h.HeaderSize = 1, 4, 0
	h.PointFormat, h.PointRecordLength = to.Format, uint16(to.Length)
	h.Compressed = true
	h.GlobalEncoding &^= las.EncodingInternalWaveform | las.EncodingExternalWaveform
	if m.CRS.WKT != "" {
		h.GlobalEncoding |= las.EncodingWKT
	}
	h.GeneratingSoftware = "slate360-worker"
	h.WaveformOffset, h.EVLROffset, h.EVLRCount = 0, 0, 0
	return h
}

// sourceVLRs reads the records of the source.
func sourceVLRs(ctx context.Context, s *pipeline.Context) ([]las.VLR, error) {
	r, err := openSource(ctx, s.Source())
	if err != nil {
		return nil, err
	}
	return r.VLRs(), r.Close()
}
