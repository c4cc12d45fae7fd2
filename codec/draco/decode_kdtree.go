package draco

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// Point clouds in kd-tree encoding (bitstream 2.3): space is halved again and again,
// and what is coded is how many points lie on either side. The specification has no
// chapter of it; this follows what Google's encoder writes.

// kdMostLevel is the greatest level of compression, kdFewPoints as many points as the
// axis is no longer written for.
const (
	kdMostLevel = 6
	kdFewPoints = 64
)

// kdNumbers reads numbers of some bits, the most significant first.
type kdNumbers interface {
	read(n int) uint32
}

// kdDirect reads bits as they are, from words of 32, the highest first.
type kdDirect struct {
	words []byte
	at    int
	over  bool
}

func (d *kdDirect) read(n int) uint32 {
	v := uint32(0)
	for range n {
		i := d.at >> 5 * 4
		if i+4 > len(d.words) {
			d.over = true
			return 0
		}
		v = v<<1 | binary.LittleEndian.Uint32(d.words[i:])>>(31-d.at&31)&1
		d.at++
	}
	return v
}

func (in *input) direct() (*kdDirect, error) {
	n, err := in.u32()
	if err != nil {
		return nil, err
	}
	if n%4 != 0 || int64(n) > int64(len(in.data)) {
		return nil, errShort
	}
	words, err := in.take(int(n))
	return &kdDirect{words: words}, err
}

// kdCoded reads bits of uneven chance.
type kdCoded struct{ b *decoderBinary }

func (c kdCoded) read(n int) uint32 {
	v := uint32(0)
	for range n {
		v <<= 1
		if c.b.bit() {
			v |= 1
		}
	}
	return v
}

// kdFolded has a chance of its own for each place of a number.
type kdFolded struct{ places [32]*decoderBinary }

func (f *kdFolded) read(n int) uint32 {
	v := uint32(0)
	for i := range n {
		v <<= 1
		if f.places[i].bit() {
			v |= 1
		}
	}
	return v
}

func (in *input) kdNumbers(level uint8) (kdNumbers, error) {
	switch {
	case level < 2:
		return in.direct()
	case level < 4:
		b, err := in.binary()
		return kdCoded{b}, err
	}
	f := &kdFolded{}
	for i := range f.places {
		var err error
		if f.places[i], err = in.binary(); err != nil {
			return nil, err
		}
	}
	_, err := in.binary() // for single bits, of which there are none
	return f, err
}

// kdTree is the state while points are read.
type kdTree struct {
	bits, axes     int
	selectAxis     bool
	numbers        kdNumbers
	rest, axis, at *kdDirect // remaining bits, axes, which half has more
	out            []uint32
	point          []uint32
}

// kdCloud reads all points of a cloud and their attributes.
func (d *decoder) kdCloud() ([]Attribute, error) {
	n, err := d.in.u8()
	if err != nil {
		return nil, err
	}
	if n != 1 {
		return nil, fmt.Errorf("%d groups of attributes; a kd-tree has one", n)
	}
	g := &decoderGroup{}
	if err := g.describeList(&d.in); err != nil {
		return nil, err
	}
	axes := 0
	for _, a := range g.list {
		switch a.DataType {
		case Int8, Uint8, Int16, Uint16, Int32, Uint32, Float32:
			axes += a.Components
		default:
			return nil, fmt.Errorf("attribute %d: data type %d in a kd-tree", a.UniqueID, a.DataType)
		}
	}
	if axes == 0 || int64(d.points)*int64(axes) > math.MaxInt32 {
		return nil, errors.New("no attributes, or too many values")
	}
	t := &kdTree{axes: axes, point: make([]uint32, axes)}
	if err := t.read(d); err != nil {
		return nil, err
	}
	return d.kdAttributes(g, t)
}

func (t *kdTree) read(d *decoder) error {
	in := &d.in
	level, err := in.u8()
	if err != nil {
		return err
	}
	if level > kdMostLevel {
		return fmt.Errorf("kd-tree of level %d", level)
	}
	t.selectAxis = level == kdMostLevel
	length, err := in.u32()
	if err != nil {
		return err
	}
	points, err := in.u32()
	if err != nil {
		return err
	}
	if length > 32 || int64(points) != int64(d.points) {
		return fmt.Errorf("a kd-tree of %d points with %d bits, for %d points", points, length, d.points)
	}
	t.bits = int(length)
	if points == 0 {
		return nil
	}
	if t.numbers, err = in.kdNumbers(level); err != nil {
		return err
	}
	for _, p := range []**kdDirect{&t.rest, &t.axis, &t.at} {
		if *p, err = in.direct(); err != nil {
			return err
		}
	}
	t.out = make([]uint32, 0, int(points)*t.axes)
	return t.decode(int(points))
}

// kdCell is a box that waits: its points, the axis it was cut along, and where its
// corner and levels lie.
type kdCell struct{ points, axis, depth int }

func (t *kdTree) decode(points int) error {
	depths := 32*t.axes + 2
	base, levels := make([][]uint32, depths), make([][]uint32, depths)
	for i := range base {
		base[i], levels[i] = make([]uint32, t.axes), make([]uint32, t.axes)
	}
	stack := []kdCell{{points: points}}
	for len(stack) > 0 {
		c := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		corner, level := base[c.depth], levels[c.depth]
		axis := t.next(c, level)
		if axis >= t.axes {
			return errors.New("a kd-tree is cut along an axis that it does not have")
		}
		left := t.bits - int(level[axis])
		if left <= 0 {
			for range c.points {
				t.out = append(t.out, corner...)
			}
			continue
		}
		if c.points <= 2 {
			t.few(c.points, axis, corner, level)
			continue
		}
		if c.depth+1 >= depths {
			return errors.New("a kd-tree is deeper than its bits")
		}
		copy(base[c.depth+1], corner)
		base[c.depth+1][axis] += 1 << (left - 1)
		missing := int(t.numbers.read(bits.Len32(uint32(c.points)) - 1))
		first := c.points/2 - missing
		if first < 0 {
			return errors.New("a kd-tree has more points in a half than in the whole")
		}
		second := c.points - first
		if first != second && t.at.read(1) == 0 {
			first, second = second, first
		}
		level[axis]++
		copy(levels[c.depth+1], level)
		if first > 0 {
			stack = append(stack, kdCell{first, axis, c.depth})
		}
		if second > 0 {
			stack = append(stack, kdCell{second, axis, c.depth + 1})
		}
	}
	if t.rest.over || t.axis.over || t.at.over {
		return errShort
	}
	if len(t.out) != points*t.axes {
		return errors.New("a kd-tree has other points than it says")
	}
	return nil
}

// next is the axis along which a cell is cut: the next one, or, at the greatest level,
// the one that was cut least, which is written where there are many points.
func (t *kdTree) next(c kdCell, level []uint32) int {
	if !t.selectAxis {
		return (c.axis + 1) % t.axes
	}
	if c.points >= kdFewPoints {
		return int(t.axis.read(4))
	}
	best := 0
	for a := range level {
		if level[a] < level[best] {
			best = a
		}
	}
	return best
}

// few reads the bits that are left of one point or two.
func (t *kdTree) few(points, axis int, corner, level []uint32) {
	for range points {
		for k := range t.axes {
			a := (axis + k) % t.axes
			t.point[a] = corner[a] | t.rest.read(t.bits-int(level[a]))
		}
		t.out = append(t.out, t.point...)
	}
}

// kdAttributes gives points the values of the attributes.
func (d *decoder) kdAttributes(g *decoderGroup, t *kdTree) ([]Attribute, error) {
	for _, a := range g.list {
		if a.DataType != Float32 {
			continue
		}
		a.coded = codedQuantized
		if err := a.transformData(&d.in); err != nil {
			return nil, fmt.Errorf("attribute %d: %w", a.UniqueID, err)
		}
	}
	var out []Attribute
	first := 0
	for _, a := range g.list {
		a.parts = a.Components
		if a.DataType != Float32 {
			a.coded = codedInteger
		}
		low := make([]int32, a.Components)
		if a.DataType == Int8 || a.DataType == Int16 || a.DataType == Int32 {
			for k := range low {
				v, err := d.in.varint()
				if err != nil {
					return nil, err
				}
				low[k] = int32(uint32(v)>>1) ^ -int32(v&1)
			}
		}
		a.values = make([]int32, d.points*a.Components)
		for p := range d.points {
			for k := range a.Components {
				a.values[p*a.Components+k] = int32(t.out[p*t.axes+first+k]) + low[k]
			}
		}
		first += a.Components
		if err := a.finish(nil, d.points); err != nil {
			return nil, fmt.Errorf("attribute %d: %w", a.UniqueID, err)
		}
		out = append(out, a.Attribute)
	}
	return out, nil
}
