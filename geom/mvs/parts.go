package mvs

// parts are the connected parts of a grid: of each pixel its part's first, or of that
// itself minus how many there are.
type parts []int32

// connect joins the pixels of a grid with those beside them (union by size, with
// halving of paths).
func connect(w, h int, joined func(a, b int) bool) parts {
	p := make(parts, w*h)
	for i := range p {
		p[i] = -1
	}
	for y := range h {
		for x := range w {
			i := y*w + x
			if x > 0 && joined(i-1, i) {
				p.join(i-1, i)
			}
			if y > 0 && joined(i-w, i) {
				p.join(i-w, i)
			}
		}
	}
	for i := range p {
		if r := p.find(i); r != i {
			p[i] = int32(r)
		}
	}
	return p
}

func (p parts) find(i int) int {
	for p[i] >= 0 {
		if up := p[i]; p[up] >= 0 {
			p[i] = p[up]
		}
		i = int(p[i])
	}
	return i
}

func (p parts) join(a, b int) {
	a, b = p.find(a), p.find(b)
	if a == b {
		return
	}
	if p[a] > p[b] {
		a, b = b, a
	}
	p[a] += p[b]
	p[b] = int32(a)
}

// of is the part that a pixel belongs to, by its first.
func (p parts) of(i int) int {
	if p[i] >= 0 {
		return int(p[i])
	}
	return i
}

func (p parts) size(i int) int { return -int(p[p.of(i)]) }

// continuous tells whether pixels beside each other may be of one surface, by their
// depths or the inverses of these.
func continuous(a, b float32) bool {
	const step = 0.02 // relative
	return a > 0 && b > 0 && abs32(a-b) < step*min(a, b)
}
