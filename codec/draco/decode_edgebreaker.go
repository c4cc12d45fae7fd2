package draco

import (
	"errors"
	"fmt"
)

// Symbols of edgebreaker as bits have them, and how traversals are coded.
const (
	topologyC = 0
	topologyS = 1
	topologyL = 3
	topologyR = 5
	topologyE = 7

	traversalStandard = 0
	traversalValence  = 2

	valences = 6 // contexts: 2 or fewer neighbours, 3 … 6, 7 or more
)

var errTopology = errors.New("the connectivity contradicts itself: the bitstream is damaged")

// decoderSplit is where a hole of the traversal is closed again.
type decoderSplit struct {
	source, split int
	right         bool
}

// edgebreaker is the state while connectivity is read.
type edgebreaker struct {
	t         *decoderTable
	traversal uint8
	hole      []bool // of vertices: on a boundary, as far as is known
	splits    []decoderSplit
	bits      decoderBits    // symbols of the standard traversal
	starts    *decoderBinary // whether a component begins inside
	seams     []*decoderBinary
	vertices  int

	contexts [valences][]uint32 // symbols of the valence traversal, read from the end
	valence  []int32
	context  int
}

// edgebreakerConnectivity reads connectivity and seams (specification, "EdgeBreaker
// Decoder", "Boundary Decoder").
func (d *decoder) edgebreakerConnectivity() error {
	e := &edgebreaker{context: -1}
	var err error
	if e.traversal, err = d.in.u8(); err != nil {
		return err
	}
	if e.traversal != traversalStandard && e.traversal != traversalValence {
		return fmt.Errorf("edgebreaker traversal %d cannot be read: encode the model anew with a current encoder", e.traversal)
	}
	var n [4]int64 // vertices, faces, symbols, split symbols
	var attributes uint8
	for i := range n {
		if i == 2 {
			if attributes, err = d.in.u8(); err != nil {
				return err
			}
		}
		v, err := d.in.varint()
		if err != nil {
			return err
		}
		if v > 1<<32 {
			return errTopology
		}
		n[i] = int64(v)
	}
	vertices, faces, symbols, splits := n[0], n[1], n[2], n[3]
	if err := d.claim(vertices, faces); err != nil {
		return err
	}
	if symbols > faces || faces > symbols+symbols/3 || splits > symbols || vertices > 3*faces {
		return errTopology
	}
	e.t = &decoderTable{
		opposite: filled(int(3*faces), none), vertex: filled(int(3*faces), none),
		leftmost: filled(int(vertices+splits), none),
	}
	e.hole = make([]bool, vertices+splits)
	for i := range e.hole {
		e.hole[i] = true
	}
	if err := e.readSplits(&d.in); err != nil {
		return err
	}
	if err := e.start(&d.in, int(attributes), int(faces)); err != nil {
		return err
	}
	if err := e.connect(int(symbols), int(faces), attributes == 0); err != nil {
		return err
	}
	return d.points2corners(e)
}

func filled(n int, v int32) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = v
	}
	return s
}

func (e *edgebreaker) readSplits(in *input) error {
	n, err := in.count()
	if err != nil {
		return err
	}
	last := 0
	for range n {
		source, err := in.varint()
		if err != nil {
			return err
		}
		back, err := in.varint()
		if err != nil {
			return err
		}
		if source > 1<<32 || back > source+uint64(last) {
			return errTopology
		}
		last += int(source)
		e.splits = append(e.splits, decoderSplit{source: last, split: last - int(back)})
	}
	if n == 0 {
		return nil
	}
	edges, err := in.take((n + 7) / 8)
	if err != nil {
		return err
	}
	for i := range e.splits {
		e.splits[i].right = edges[i>>3]>>(i&7)&1 != 0
	}
	return nil
}

// start reads what steers the traversal.
func (e *edgebreaker) start(in *input, attributes, faces int) error {
	if e.traversal == traversalStandard {
		data, err := in.block()
		if err != nil {
			return err
		}
		e.bits = decoderBits{data: data}
	}
	var err error
	if e.starts, err = in.binary(); err != nil {
		return err
	}
	for range attributes {
		s, err := in.binary()
		if err != nil {
			return err
		}
		e.seams = append(e.seams, s)
	}
	if e.traversal != traversalValence {
		return nil
	}
	e.valence = make([]int32, len(e.hole))
	for i := range e.contexts {
		n, err := in.varint()
		if err != nil {
			return err
		}
		if n > uint64(faces) {
			return errTopology
		}
		e.contexts[i] = make([]uint32, n)
		if err := in.symbols(e.contexts[i], 1); err != nil {
			return err
		}
	}
	return nil
}

// symbol returns the next, or -1.
func (e *edgebreaker) symbol() int {
	if e.traversal == traversalStandard {
		if e.bits.read(1) == 0 {
			return topologyC
		}
		return int(e.bits.read(2)<<1 | 1)
	}
	if e.context < 0 {
		return topologyE
	}
	s := e.contexts[e.context]
	if len(s) == 0 {
		return -1
	}
	v := s[len(s)-1]
	e.contexts[e.context] = s[:len(s)-1]
	switch v {
	case 0:
		return topologyC
	case 1, 2, 3, 4:
		return int(2*v - 1) // S, L, R, E
	}
	return -1
}

// reached counts the neighbours of the vertices of the newest face and picks the
// context of the next symbol (specification, "EdgeBreaker Traversal Valence").
func (e *edgebreaker) reached(symbol int, corner int32) {
	if e.traversal != traversalValence {
		return
	}
	add := func(c, n int32) { e.valence[e.t.vertex[c]] += n }
	next, previous := nextCorner(corner), previousCorner(corner)
	switch symbol {
	case topologyC, topologyS:
		add(next, 1)
		add(previous, 1)
	case topologyR:
		add(corner, 1)
		add(next, 1)
		add(previous, 2)
	case topologyL:
		add(corner, 1)
		add(next, 2)
		add(previous, 1)
	default:
		add(corner, 2)
		add(next, 2)
		add(previous, 2)
	}
	e.context = int(min(max(e.valence[e.t.vertex[next]], 2), 7)) - 2
}

// connect makes the faces, in the order of symbols, then those inside which a
// component began. compact moves the vertices that merges left empty to the end.
func (e *edgebreaker) connect(symbols, faces int, compact bool) error {
	var stack, empty []int32
	later := map[int]int32{} // where merged loops go on, by symbol
	for i := range symbols {
		corner := int32(3 * i)
		symbol := e.symbol()
		if symbol != topologyE && len(stack) == 0 {
			return errTopology
		}
		var err error
		switch symbol {
		case topologyC:
			err = e.faceC(corner, stack)
		case topologyR, topologyL:
			err = e.faceRL(symbol, corner, stack)
		case topologyS:
			b := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if c, ok := later[i]; ok {
				stack = append(stack, c)
			}
			if len(stack) == 0 {
				return errTopology
			}
			var merged int32
			if merged, err = e.faceS(corner, b, stack); err == nil && compact {
				empty = append(empty, merged)
			}
		case topologyE:
			if e.vertices+3 > len(e.hole) {
				return errTopology
			}
			for k := range int32(3) {
				e.t.vertex[corner+k] = int32(e.vertices)
				e.t.leftmost[e.vertices] = corner + k
				e.vertices++
			}
			stack = append(stack, corner)
		default:
			err = errTopology
		}
		if err != nil {
			return err
		}
		stack[len(stack)-1] = corner
		e.reached(symbol, corner)
		if symbol == topologyC || symbol == topologyS {
			continue
		}
		for id := symbols - i - 1; len(e.splits) > 0 && e.splits[len(e.splits)-1].source == id; {
			s := e.splits[len(e.splits)-1]
			e.splits = e.splits[:len(e.splits)-1]
			c := previousCorner(corner)
			if s.right {
				c = nextCorner(corner)
			}
			later[symbols-s.split-1] = c
		}
	}
	if e.bits.over() {
		return errShort
	}
	made, err := e.inside(stack, symbols, faces)
	if err != nil {
		return err
	}
	if made != faces {
		return errTopology
	}
	e.compact(empty)
	return nil
}

func (e *edgebreaker) open(corners ...int32) bool {
	for _, c := range corners {
		if c < 0 || e.t.opposite[c] >= 0 {
			return false
		}
	}
	return true
}

// faceC closes the fan around a vertex.
func (e *edgebreaker) faceC(corner int32, stack []int32) error {
	t := e.t
	a := stack[len(stack)-1]
	x := t.vertex[nextCorner(a)]
	if t.leftmost[x] < 0 {
		return errTopology
	}
	b := nextCorner(t.leftmost[x])
	if a == b || !e.open(a, b) {
		return errTopology
	}
	t.link(a, corner+1)
	t.link(b, corner+2)
	p, n := t.vertex[previousCorner(a)], t.vertex[nextCorner(b)]
	if x == p || x == n {
		return errTopology
	}
	t.vertex[corner], t.vertex[corner+1], t.vertex[corner+2] = x, n, p
	t.leftmost[p] = corner + 2
	e.hole[x] = false
	return nil
}

// faceRL adds a vertex at an open edge.
func (e *edgebreaker) faceRL(symbol int, corner int32, stack []int32) error {
	t := e.t
	a := stack[len(stack)-1]
	if !e.open(a) || e.vertices >= len(e.hole) {
		return errTopology
	}
	opposite, left, right := corner+2, corner+1, corner
	if symbol == topologyL {
		opposite, left, right = corner+1, corner, corner+2
	}
	t.link(opposite, a)
	v := int32(e.vertices)
	e.vertices++
	t.vertex[opposite], t.leftmost[v] = v, opposite
	r := t.vertex[previousCorner(a)]
	t.vertex[right], t.leftmost[r] = r, right
	t.vertex[left] = t.vertex[nextCorner(a)]
	return nil
}

// faceS joins two open loops; the vertices at which they meet become one.
func (e *edgebreaker) faceS(corner, b int32, stack []int32) (merged int32, err error) {
	t := e.t
	a := stack[len(stack)-1]
	if a == b || !e.open(a, b) {
		return 0, errTopology
	}
	t.link(a, corner+2)
	t.link(b, corner+1)
	p := t.vertex[previousCorner(a)]
	t.vertex[corner], t.vertex[corner+1] = p, t.vertex[nextCorner(a)]
	bp := t.vertex[previousCorner(b)]
	t.vertex[corner+2], t.leftmost[bp] = bp, corner+2
	c := nextCorner(b)
	n := t.vertex[c]
	if e.valence != nil {
		e.valence[p] += e.valence[n]
	}
	t.leftmost[p] = t.leftmost[n]
	for first := c; c >= 0; {
		t.vertex[c] = p
		if c = t.swingLeft(c); c == first {
			return 0, errTopology
		}
	}
	t.leftmost[n] = none
	return n, nil
}

// inside adds the faces inside which components began (specification,
// ProcessInteriorEdges), and returns how many faces there are.
func (e *edgebreaker) inside(stack []int32, made, faces int) (int, error) {
	t := e.t
	for len(stack) > 0 {
		a := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if !e.starts.bit() {
			continue
		}
		if made >= faces {
			return 0, errTopology
		}
		n := t.vertex[nextCorner(a)]
		if t.leftmost[n] < 0 {
			return 0, errTopology
		}
		b := nextCorner(t.leftmost[n])
		x := t.vertex[nextCorner(b)]
		if t.leftmost[x] < 0 {
			return 0, errTopology
		}
		c := nextCorner(t.leftmost[x])
		if a == b || a == c || b == c || !e.open(a, b, c) {
			return 0, errTopology
		}
		p := t.vertex[nextCorner(c)]
		corner := int32(3 * made)
		made++
		t.link(corner, a)
		t.link(corner+1, b)
		t.link(corner+2, c)
		t.vertex[corner], t.vertex[corner+1], t.vertex[corner+2] = x, p, n
		e.hole[x], e.hole[p], e.hole[n] = false, false, false
	}
	return made, nil
}

// compact gives the numbers of vertices that merges left empty to the last ones.
func (e *edgebreaker) compact(empty []int32) {
	t := e.t
	for _, v := range empty {
		for e.vertices > 0 && t.leftmost[e.vertices-1] < 0 {
			e.vertices--
		}
		last := int32(e.vertices - 1)
		if last < v {
			continue
		}
		first := t.leftmost[last]
		c := first
		for ; c >= 0; c = t.swingLeft(c) {
			t.vertex[c] = v
			if t.swingLeft(c) == first {
				break
			}
		}
		if c < 0 {
			for c = t.swingRight(first); c >= 0; c = t.swingRight(c) {
				t.vertex[c] = v
			}
		}
		t.leftmost[v], t.leftmost[last] = first, none
		e.hole[v], e.hole[last] = e.hole[last], false
		e.vertices--
	}
}

// points2corners reads the seams of attributes and numbers points: corners of a
// vertex that agree in all attributes are one (specification, "Boundary Decoder"
// and Attribute_AssignPointsToCorners).
func (d *decoder) points2corners(e *edgebreaker) error {
	t := e.t
	d.table = t
	for v := range t.leftmost {
		if e.hole[v] {
			t.turn(int32(v))
		}
	}
	d.indices = make([]uint32, len(t.vertex))
	if len(e.seams) == 0 {
		for c, v := range t.vertex {
			if v < 0 {
				return errTopology
			}
			d.indices[c] = uint32(v)
		}
		d.points = e.vertices
		d.pointCorner = t.leftmost[:e.vertices]
		return nil
	}
	if err := d.readSeams(e); err != nil {
		return err
	}
	for v, c := range t.leftmost {
		if c >= 0 {
			d.pointsOf(e, int32(v), c)
		}
	}
	d.points = len(d.pointCorner)
	return nil
}

func (d *decoder) readSeams(e *edgebreaker) error {
	t := e.t
	for range e.seams {
		d.seams = append(d.seams, newDecoderSeams(t))
	}
	for c := range int32(len(t.vertex)) {
		if t.vertex[c] < 0 {
			return errTopology
		}
		o := t.opposite[c]
		switch {
		case o < 0:
			for _, s := range d.seams {
				s.cut(t, c)
			}
		case o/3 >= c/3:
			for i, s := range d.seams {
				if e.seams[i].bit() {
					s.cut(t, c)
					s.cut(t, o)
				}
			}
		}
	}
	for _, s := range d.seams {
		s.number(t)
	}
	return nil
}

// pointsOf numbers the points of a vertex, beginning at a seam where there is one.
func (d *decoder) pointsOf(e *edgebreaker, v, c int32) {
	t := e.t
	if !e.hole[v] {
		c = d.seamCorner(t, v, c)
	}
	first, before := c, c
	d.indices[c] = uint32(len(d.pointCorner))
	d.pointCorner = append(d.pointCorner, c)
	for c = t.swingRight(c); c >= 0 && c != first; c = t.swingRight(c) {
		d.indices[c] = d.indices[before]
		for _, s := range d.seams {
			if s.vertex[c] != s.vertex[before] {
				d.indices[c] = uint32(len(d.pointCorner))
				d.pointCorner = append(d.pointCorner, c)
				break
			}
		}
		before = c
	}
}

// seamCorner returns the first corner, turning right from c, at which an attribute
// of the vertex changes; c where none does.
func (d *decoder) seamCorner(t *decoderTable, v, c int32) int32 {
	for _, s := range d.seams {
		if !s.onSeam[v] {
			continue
		}
		for act := t.swingRight(c); act >= 0 && act != c; act = t.swingRight(act) {
			if s.vertex[act] != s.vertex[c] {
				return act
			}
		}
	}
	return c
}
