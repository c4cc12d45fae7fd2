package draco

import "encoding/binary"

// Ways of coding the symbols (specification, edgebreaker_traversal_type).
const (
	encStandard = 0
	encValence  = 2
)

// Kinds of attributes (specification, att_dec_decoder_type).
const (
	encPerVertex = 0
	encPerCorner = 1
)

// encMaxSeams is how many attributes may have a connectivity of their own, whose
// numbers are signed bytes.
const encMaxSeams = 127

// encodeEdgebreaker appends triangles by edgebreaker.
func (e *Encoder) encodeEdgebreaker(dst []byte) (Encoded, error) {
	s := &e.surface
	// Up to level 4 a mesh is split where any attribute is, and all attributes
	// share its connectivity, which is quicker.
	single := e.options.Level <= 4 || len(e.order) > encMaxSeams
	s.positions = encResize(s.positions, e.mesh.Points)
	count := e.identify(s.positions, []*Attribute{e.position})
	identities := s.positions
	if single && len(e.order) > 1 {
		all := make([]*Attribute, len(e.order))
		for i, a := range e.order {
			all[i] = &e.mesh.Attributes[a]
		}
		s.identities = encResize(s.identities, e.mesh.Points)
		identities = s.identities
		count = e.identify(identities, all)
	}
	s.corners.build(e.mesh.Indices, s.positions, identities, count)
	if len(s.corners.points) == 0 {
		return Encoded{}, ErrNoTriangles
	}
	s.traversal.run(&s.corners)
	s.renumber()
	s.seams = s.seams[:0]
	if !single {
		s.seams = encResize(s.seams, len(e.order)-1)
		for i := range s.seams {
			s.cutAt(&e.mesh.Attributes[e.order[i+1]], &s.seams[i])
		}
	}
	out := Encoded{Points: s.decodedPoints(), Triangles: len(s.points) / 3}
	dst = encAppendHeader(dst, encGeometryMesh, encMethodEdgebreaker)
	dst = e.appendConnectivity(dst)
	groups, err := e.sequences(single)
	if err != nil {
		return Encoded{}, err
	}
	if out.Data, err = e.appendGroups(dst, groups); err != nil {
		return Encoded{}, err
	}
	return out, nil
}

// appendConnectivity appends the triangles (specification,
// "ParseEdgebreakerConnectivityData" and what follows).
func (e *Encoder) appendConnectivity(dst []byte) []byte {
	s, t := &e.surface, &e.surface.traversal
	kind, standard := byte(encStandard), (t.standardBits()+7)/8
	var valence []byte
	if e.options.Level >= 6 {
		s.valences.run(t)
		valence = s.valences.append(e.scratch.sides[0][:0], &e.entropy)
		e.scratch.sides[0] = valence
		if len(valence) < standard {
			kind = encValence
		}
	}
	dst = append(dst, kind)
	dst = binary.AppendUvarint(dst, uint64(len(s.main.boundary)))
	dst = binary.AppendUvarint(dst, uint64(len(s.points)/3))
	dst = append(dst, byte(len(s.seams)))
	dst = binary.AppendUvarint(dst, uint64(len(t.symbols)))
	dst = binary.AppendUvarint(dst, uint64(t.nSplits))
	dst = t.appendSplits(dst)
	if kind == encStandard {
		dst = t.appendStandard(dst)
	}
	dst = e.appendBits(dst, t.inside)
	for i := range s.seams {
		dst = e.appendBits(dst, s.seams[i].bits)
	}
	if kind == encValence {
		dst = append(dst, valence...)
	}
	return dst
}

// encGroup is attributes that share a sequence: what the specification calls an
// attributes decoder.
type encGroup struct {
	attributes []*Attribute
	sequence   *encSequence // nil where points are in their order
	// data is the connectivity, -1 for that of positions; kind and traversal
	// belong to it.
	data            int8
	kind, traversal byte
}

// sequences orders the values of all attributes.
func (e *Encoder) sequences(single bool) ([]encGroup, error) {
	s := &e.surface
	main := encGroup{attributes: []*Attribute{e.position}, sequence: &s.main, data: -1}
	if e.options.Level == 10 && !single {
		s.again.opposite = s.main.opposite
		s.again.vertex = append(s.again.vertex[:0], s.main.vertex...)
		s.again.boundary = s.main.boundary
		s.walk.predictionDegree(&s.again)
	}
	s.walk.depthFirst(&s.main)
	shared := &s.main
	if e.options.Level == 10 && !single {
		better, err := e.better(&s.again, &s.main)
		if err != nil {
			return nil, err
		}
		if better {
			// Positions lie where main says, all others keep the other order.
			s.main, s.again = s.again, s.main
			main.traversal, shared = encPredictionDegree, &s.again
		}
	}
	groups := []encGroup{main}
	for i, index := range e.order[1:] {
		a := &e.mesh.Attributes[index]
		if single {
			groups[0].attributes = append(groups[0].attributes, a)
			continue
		}
		g := encGroup{attributes: []*Attribute{a}, data: int8(i), kind: encPerVertex, sequence: shared}
		if s.seams[i].cut {
			g.kind, g.sequence = encPerCorner, &s.seams[i].sequence
			s.walk.depthFirst(g.sequence)
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// better tells whether positions take fewer bits in the order of the prediction
// degree than depth first, and keeps what was found out if they do. Depth first
// wins on regular grids, where one parallelogram predicts best; elsewhere it is
// behind with one as with several, so that one is enough to know.
func (e *Encoder) better(degree, depth *encSequence) (bool, error) {
	var one, many encValues
	if err := e.prepare(&one, e.position, depth); err != nil || one.values == nil {
		return false, err
	}
	w, ok := newEncWrap(one.values)
	if !ok {
		return false, nil
	}
	bits := e.estimate(&one, e.predictParallelogram(&one, w, depth, 0))
	if err := e.prepare(&many, e.position, degree); err != nil {
		return false, err
	}
	p := e.predict(&many, w, degree, &many)
	if e.estimate(&many, p) >= bits {
		return false, nil
	}
	e.ready = &encReady{values: many, prediction: p}
	return true, nil
}
