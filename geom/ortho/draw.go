package ortho

import (
	"context"
	"math"
	"sync"
	"sync/atomic"

	"slate360.ai/worker/geom/scanline"
	"slate360.ai/worker/geom/texture"
)

// drawing holds what all strips share.
type drawing struct {
	parts  []Part
	starts []int // number of the first triangle of a part
	grid   Grid
	o      Options
	tiles  int // across
	// Triangles by strips: bins[from[s]:from[s+1]].
	from   []int
	bins   []int32
	buffer sync.Pool
}

func newDrawing(parts []Part, g Grid, o Options) *drawing {
	d := &drawing{parts: parts, grid: g, o: o, tiles: (g.Cols + StripRows - 1) / StripRows, starts: make([]int, len(parts)+1)}
	for i := range parts {
		d.starts[i+1] = d.starts[i] + len(parts[i].Triangles)/3
	}
	d.sort()
	return d
}

// locate returns the part of a triangle, and which of its triangles it is.
func (d *drawing) locate(n int32) (*Part, int) {
	i := 0
	for int(n) >= d.starts[i+1] {
		i++
	}
	return &d.parts[i], int(n) - d.starts[i]
}

// corners returns a triangle in cells; ok is false where it is not finite or outside.
func (d *drawing) corners(p *Part, t int) (x, y [3]float64, z [3]float32, ok bool) {
	for k, v := range p.Triangles[3*t:][:3] {
		c := p.Positions[3*v:][:3]
		x[k] = (float64(c[0]) - d.grid.West) / d.grid.Cell
		y[k] = (d.grid.North - float64(c[1])) / d.grid.Cell
		z[k] = c[2]
		if c[2]-c[2] != 0 || !(math.Abs(x[k]) < 1e8) || !(math.Abs(y[k]) < 1e8) {
			return x, y, z, false
		}
	}
	edge := float64(d.o.Hole)
	return x, y, z, max(x[0], x[1], x[2]) >= -edge && min(x[0], x[1], x[2]) <= float64(d.grid.Cols)+edge
}

// sort puts triangles into the strips that they, or the surroundings of these, touch.
func (d *drawing) sort() {
	count := (d.grid.Rows + StripRows - 1) / StripRows
	each := func(f func(strip int, triangle int32)) {
		n := int32(0)
		for i := range d.parts {
			for t := range len(d.parts[i].Triangles) / 3 {
				_, y, _, ok := d.corners(&d.parts[i], t)
				if ok {
					lo := int(math.Floor(min(y[0], y[1], y[2]))) - d.o.Hole - 1
					hi := int(math.Ceil(max(y[0], y[1], y[2]))) + d.o.Hole + 1
					if hi >= 0 && lo < d.grid.Rows {
						for s := max(lo, 0) / StripRows; s <= min(hi/StripRows, count-1); s++ {
							f(s, n)
						}
					}
				}
				n++
			}
		}
	}
	d.from = make([]int, count+1)
	each(func(s int, _ int32) { d.from[s+1]++ })
	for s := range count {
		d.from[s+1] += d.from[s]
	}
	d.bins = make([]int32, d.from[count])
	at := append([]int(nil), d.from...)
	each(func(s int, n int32) { d.bins[at[s]] = n; at[s]++ })
}

// strip draws the tiles of a strip.
func (d *drawing) strip(ctx context.Context, s *Strip) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(d.o.Workers, d.tiles) {
		wait.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= d.tiles {
					return
				}
				t, _ := d.buffer.Get().(*tile)
				if t == nil {
					t = newTile(d)
				}
				t.run(ctx, s, i*StripRows)
				d.buffer.Put(t)
			}
		})
	}
	wait.Wait()
	return ctx.Err()
}

// tile draws a square of a strip with its surroundings, which tell what holes are.
type tile struct {
	d      *drawing
	edge   int // cells a side
	z      []float32
	owner  []int32 // triangle, from 1
	alpha  []uint8
	height []float32
	cell   []uint8 // rgb of cells
}

func newTile(d *drawing) *tile {
	t := &tile{d: d, edge: StripRows + 2*d.o.Hole}
	n, cells := t.edge*d.o.Samples*t.edge*d.o.Samples, t.edge*t.edge
	t.z, t.owner = make([]float32, n), make([]int32, n)
	t.alpha, t.height, t.cell = make([]uint8, cells), make([]float32, cells), make([]uint8, 3*cells)
	return t
}

// run draws the tile whose first column is col.
func (t *tile) run(ctx context.Context, s *Strip, col int) {
	clear(t.owner)
	x0, y0 := col-t.d.o.Hole, s.Row-t.d.o.Hole
	index := s.Row / StripRows
	for i, n := range t.d.bins[t.d.from[index]:t.d.from[index+1]] {
		if i&0xfff == 0 && ctx.Err() != nil {
			return
		}
		t.draw(n, x0, y0)
	}
	var shade shader
	for y := range t.edge {
		if ctx.Err() != nil {
			return
		}
		for x := range t.edge {
			t.resolve(&shade, x, y, x0, y0)
		}
	}
	t.emit(s, col)
}

// samples returns a triangle in samples of the tile.
func (t *tile) samples(n int32, x0, y0 int) (p *Part, i int, tri scanline.Triangle, z [3]float32, ok bool) {
	p, i = t.d.locate(n)
	x, y, z, ok := t.d.corners(p, i)
	for k := range 3 {
		tri.X[k] = float32((x[k] - float64(x0)) * float64(t.d.o.Samples))
		tri.Y[k] = float32((y[k] - float64(y0)) * float64(t.d.o.Samples))
	}
	return p, i, tri, z, ok
}

// draw puts a triangle into the depth buffer.
func (t *tile) draw(n int32, x0, y0 int) {
	side := t.edge * t.d.o.Samples
	_, _, tri, z, ok := t.samples(n, x0, y0)
	if !ok || max(tri.X[0], tri.X[1], tri.X[2]) < 0 || min(tri.X[0], tri.X[1], tri.X[2]) > float32(side) {
		return
	}
	plane, ok := tri.Plane(z)
	if !ok {
		return
	}
	lo, hi := min(z[0], z[1], z[2]), max(z[0], z[1], z[2])
	from, to := tri.Rows(0, side)
	for y := from; y < to; y++ {
		first, last := tri.Row(y, side)
		for x := first; x < last; x++ {
			// A wall's plane is so steep that rounding would lift it above its corners.
			v := min(max(plane.At(x, y), lo), hi)
			if at := y*side + x; t.owner[at] == 0 || v > t.z[at] {
				t.z[at], t.owner[at] = v, n+1
			}
		}
	}
}

// shader colours samples of one triangle.
type shader struct {
	owner int32
	level *texture.Image
	u, v  scanline.Plane
	box   [4]float32 // of u and v
}

// prepare chooses the size of the texture at which about one texel falls on a sample.
func (t *tile) prepare(s *shader, owner int32, x0, y0 int) {
	s.owner, s.level = owner, nil
	p, i, tri, z, _ := t.samples(owner-1, x0, y0)
	if p.Texture == nil {
		return
	}
	var u, v [3]float32
	for k, n := range p.Triangles[3*i:][:3] {
		u[k], v[k] = p.UV[2*n], p.UV[2*n+1]
	}
	var ok bool
	if s.u, ok = tri.Plane(u); !ok {
		return
	}
	s.v, _ = tri.Plane(v)
	s.box = [4]float32{min(u[0], u[1], u[2]), max(u[0], u[1], u[2]), min(v[0], v[1], v[2]), max(v[0], v[1], v[2])}
	texels := math.Abs(float64((u[1]-u[0])*(v[2]-v[0])-(u[2]-u[0])*(v[1]-v[0]))) * float64(p.Texture.Width) * float64(p.Texture.Height)
	s.level = p.Texture.Level(texels / t.size(&tri, z))
}

// size is twice the area of a triangle in samples; of a steep one, a share of its true
// area: its texture would else be blurred over what lies beside it on the page.
func (t *tile) size(tri *scanline.Triangle, z [3]float32) float64 {
	const steep = 0.4
	unit := float64(t.d.o.Samples) / t.d.grid.Cell
	ux, uy, uz := float64(tri.X[1]-tri.X[0]), float64(tri.Y[1]-tri.Y[0]), float64(z[1]-z[0])*unit
	vx, vy, vz := float64(tri.X[2]-tri.X[0]), float64(tri.Y[2]-tri.Y[0]), float64(z[2]-z[0])*unit
	flat := math.Abs(ux*vy - uy*vx)
	return max(flat, steep*math.Sqrt((uy*vz-uz*vy)*(uy*vz-uz*vy)+(uz*vx-ux*vz)*(uz*vx-ux*vz)+flat*flat))
}

// plain is the linear grey of what has no texture.
const plain = 0.5

func (s *shader) at(x, y int) [4]float32 {
	if s.level == nil {
		return [4]float32{plain, plain, plain, 1}
	}
	u := min(max(s.u.At(x, y), s.box[0]), s.box[1])
	v := min(max(s.v.At(x, y), s.box[2]), s.box[3])
	return s.level.Sample(u, v)
}

// resolve mixes the samples of a cell.
func (t *tile) resolve(s *shader, x, y, x0, y0 int) {
	n, side := t.d.o.Samples, t.edge*t.d.o.Samples
	cell := y*t.edge + x
	var sum [3]float32
	count, top := 0, float32(math.Inf(-1))
	for j := y * n; j < (y+1)*n; j++ {
		for i := x * n; i < (x+1)*n; i++ {
			at := j*side + i
			if t.owner[at] == 0 {
				continue
			}
			if t.owner[at] != s.owner {
				t.prepare(s, t.owner[at], x0, y0)
			}
			c := s.at(i, j)
			for k := range 3 {
				sum[k] += c[k]
			}
			count++
			top = max(top, t.z[at])
		}
	}
	t.alpha[cell] = uint8((count*255 + n*n/2) / (n * n))
	if count == 0 {
		t.height[cell] = float32(math.NaN())
		return
	}
	for k := range 3 {
		t.cell[3*cell+k] = texture.Encode(sum[k] / float32(count))
	}
	t.height[cell] = t.surface(x, y, top)
}

// surface is the height of a cell: the mean of its samples, but at the edge of
// something high that of those on it.
func (t *tile) surface(x, y int, top float32) float32 {
	n, side := t.d.o.Samples, t.edge*t.d.o.Samples
	sum, count := 0.0, 0
	for j := y * n; j < (y+1)*n; j++ {
		for i := x * n; i < (x+1)*n; i++ {
			if at := j*side + i; t.owner[at] != 0 && float64(top-t.z[at]) <= t.d.grid.Cell {
				sum += float64(t.z[at])
				count++
			}
		}
	}
	return float32(sum / float64(count))
}
