package simplify

// merge puts what is left of cells together as the surface of the next round. What
// cells share has the sum of what it stands for in each.
func (d *descent) merge(results []result, between []bool) {
	s := d.s
	k := s.m.Stride
	to := make([]uint32, len(s.place)) // new number from 1
	triangles := 0
	for i := range results {
		for _, v := range results[i].global {
			to[v] = 1
		}
		triangles += len(results[i].indices)
	}
	n := &surface{m: s.m, lo: s.lo, extent: s.extent, indices: make([]uint32, 0, triangles)}
	first := make([]uint32, len(s.place)) // of places: new vertex from 1
	for v := range to {
		if to[v] == 0 {
			continue
		}
		i := uint32(len(n.vertex))
		to[v] = i + 1
		p := s.place[v]
		if first[p] == 0 {
			first[p] = i + 1
		}
		n.vertex, n.place = append(n.vertex, s.source(uint32(v))), append(n.place, first[p]-1)
		n.bare = append(n.bare, between[p])
		if s.owner != nil {
			n.owner = append(n.owner, s.owner[v])
		}
		if s.locked != nil {
			n.locked = append(n.locked, s.locked[p])
		}
	}
	n.live = len(n.vertex)
	n.shape = make([]quadric, n.live)
	if k > 0 {
		n.look, n.course = make([]quadric, n.live), make([]course, n.live*k)
	}
	for i := range results {
		n.gather(&results[i], to, first, s, k)
		results[i] = result{}
	}
	if s.shape != nil {
		n.inherit(s, to, first, between)
	}
	d.s = n
}

// gather takes over what is left of one cell.
func (n *surface) gather(r *result, to, first []uint32, s *surface, k int) {
	for _, v := range r.indices {
		n.indices = append(n.indices, to[r.global[v]]-1)
	}
	n.groups = append(n.groups, r.groups...)
	for i, v := range r.place {
		n.shape[first[s.place[r.global[v]]]-1].add(&r.shape[i])
	}
	if k == 0 {
		return
	}
	for i, v := range r.global {
		u := int(to[v]) - 1
		n.look[u].add(&r.look[i])
		for j := range k {
			n.course[u*k+j].add(&r.course[i*k+j])
		}
	}
}

// inherit gives what cells shared its own part, which was in none of them.
func (n *surface) inherit(s *surface, to, first []uint32, between []bool) {
	k := n.m.Stride
	for v, u := range to {
		p := s.place[v]
		if u == 0 || !between[p] {
			continue
		}
		if first[p] == u {
			n.shape[u-1].add(&s.shape[p])
		}
		if k == 0 {
			continue
		}
		n.look[u-1].add(&s.look[v])
		for j := range k {
			n.course[int(u-1)*k+j].add(&s.course[v*k+j])
		}
	}
}
