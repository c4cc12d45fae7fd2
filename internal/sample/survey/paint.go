package survey

// Albedo of every material, as what a pixel of some width sees of it. Contrast of 10
// to 30 % at all wavelengths from metres to centimetres gives features everywhere,
// and hashed cells (tiles, slabs, windows) make sure that no two places look alike.

// paint returns the albedo of a point.
func (s *site) paint(q *surface, p, normal vec, width float32) rgb {
	d := p.minus(q.origin)
	u, v := d.dot(q.u), d.dot(q.v)
	switch q.material {
	case ground:
		return s.groundColor(p[0], p[1], width)
	case plaster:
		return facade(q, u, v, width)
	case tiles:
		return tileColor(q, u, v, width)
	case flatRoof:
		return feltColor(q, u, v, width)
	case foliage:
		n := octaves{1.1, 5, .85}.fractal(u, v, q.seed, width)
		c := q.color.times(max(.25, 1+.75*n))
		return c.mix(rgb{.25, .23, .06}, .35*clamp(2*noise(u/.7, v/.7, q.seed+9)-.6))
	case containerSteel:
		rib := noise(u/.17, 0, q.seed) * shows(.17, width)
		rust := clamp(1.6*octaves{2.2, 5, .7}.fractal(u, v, q.seed+3, width) - .55)
		return q.color.times(1+.25*rib+.18*octaves{1.3, 5, .75}.fractal(u, v, q.seed+1, width)).mix(rgb{.2, .09, .04}, rust)
	case target:
		return targetColor(u-targetRadius, v-targetRadius, width)
	case carPaint, glass:
		return q.color.times(1 + .25*octaves{.9, 3, .6}.fractal(u, v, q.seed, width))
	}
	return q.color.times(max(.2, 1+.38*octaves{1.4, 6, .9}.fractal(u, v, q.seed, width)))
}

// groundColor is that of road, pavement, bare soil and grass.
func (s *site) groundColor(x, y, width float32) rgb {
	d, along := s.road(x, y)
	edge := d + .06*noise(x/.6, y/.6, s.seed+20)*shows(.6, width)
	road := 1 - step(edge, roadHalf, width)
	if road >= 1 {
		return s.asphalt(x, y, d, along, width)
	}
	paved := 1 - step(edge, roadHalf+walk, width)
	var c rgb
	if paved < 1 {
		c = s.open(x, y, width)
	}
	if paved > 0 {
		c = c.mix(s.slabs(x, y, d, along, width), paved)
	}
	if road > 0 {
		c = c.mix(s.asphalt(x, y, d, along, width), road)
	}
	return c
}

func (s *site) asphalt(x, y, d, along, width float32) rgb {
	n := octaves{6, 8, .95}.fractal(x, y, s.seed+30, width)
	c := rgb{.105, .105, .11}.times(max(.3, 1+.75*n))
	// Patches of repair, and cracks along the lines where noise is zero.
	if patch := noise(x/4.1, y/4.1, s.seed+40); patch > .45 {
		c = c.times(.62)
	}
	crack := max(0, .6-2*noise(x/5.3, y/5.3, s.seed+45)) + abs(noise(x/2.3, y/2.3, s.seed+41)+.35*noise(x/.7, y/.7, s.seed+42))/.05
	c = c.times(1 - .6*clamp(1-crack)*shows(.25, width))
	worn := clamp(.75 + .9*noise(x/.9, y/.9, s.seed+43))
	cycle, at := floor(along / 6)
	dash := within(at*6, 0, 2.6+.5*lattice(cycle, 1, s.seed+44), width) * within(d, -.09, .09, width)
	line := within(d, roadHalf-.42, roadHalf-.3, width)
	return c.mix(rgb{.62, .62, .6}, .8*worn*max(dash, line))
}

// slabs of a pavement, behind a kerb.
func (s *site) slabs(x, y, d, along, width float32) rgb {
	if d < roadHalf+.16 {
		i, _ := floor(along / 1.05)
		return rgb{.42, .41, .39}.times(1 + .2*lattice(i, 0, s.seed+50) + .3*octaves{.5, 4, .8}.fractal(x, y, s.seed+51, width))
	}
	i, fu := floor(along / .62)
	j, fv := floor(d / .45)
	show := shows(.5, width)
	c := rgb{.31, .30, .28}.times(1 + .34*show*lattice(i, j, s.seed+52) + .5*octaves{3, 7, .8}.fractal(x, y, s.seed+53, width))
	joint := min(fu, 1-fu)*.62 < .018 || min(fv, 1-fv)*.45 < .018
	if joint {
		c = c.times(1 - .5*clamp(.036/width))
	}
	return c
}

// open ground: bare soil in the yard, else grass with dry and trodden patches.
func (s *site) open(x, y, width float32) rgb {
	soil := s.inYard(x, y)
	bare := step(soil, 0, max(width, .4))
	var c rgb
	if bare < 1 {
		n := octaves{11, 9, .98}.fractal(x, y, s.seed+60, width)
		dry := clamp(.45 + 1.3*octaves{19, 6, .62}.fractal(x, y, s.seed+70, width))
		c = rgb{.062, .105, .024}.mix(rgb{.165, .155, .062}, dry).times(max(.22, 1+.85*n))
		trodden := clamp(3.2*octaves{9, 6, .6}.fractal(x, y, s.seed+80, width) - 1)
		c = c.mix(rgb{.24, .175, .11}.times(1+.5*n), trodden)
	}
	if bare > 0 {
		n := octaves{7, 9, .98}.fractal(x, y, s.seed+90, width)
		wet := clamp(1.8*octaves{13, 5, .6}.fractal(x, y, s.seed+100, width) - .3)
		earth := rgb{.30, .21, .13}.mix(rgb{.13, .09, .06}, .75*wet).times(max(.25, 1+.7*n))
		// Stones.
		i, fu := floor(x / .23)
		j, fv := floor(y / .23)
		if h := hash2(i, j, s.seed+110); share(h) < .16 {
			k := rehash(h)
			du, dv, size := fu-.3-.4*share(k), fv-.3-.4*share(rehash(k)), .1+.2*share(rehash(k+5))
			if du*du+dv*dv < size*size {
				earth = earth.mix(rgb{.34, .31, .27}.times(.5+.8*share(k)), shows(.12, width))
			}
		}
		c = c.mix(earth, bare)
	}
	return c
}

// tileColor of a roof: rows of tiles, each of its own shade, with moss.
func tileColor(q *surface, u, v, width float32) rgb {
	j, fv := floor(v / .34)
	i, _ := floor(u/.27 + share(hash2(j, 3, q.seed)))
	show := shows(.3, width)
	c := q.color.times(max(.25, 1+.42*show*lattice(i, j, q.seed+1)+.6*octaves{3.5, 7, .9}.fractal(u, v, q.seed+2, width)))
	if fv < .16 {
		c = c.times(1 - .35*show)
	}
	moss := clamp(2.4*octaves{2.6, 6, .7}.fractal(u, v, q.seed+20, width) - .75)
	return c.mix(rgb{.10, .12, .045}, .75*moss)
}

// feltColor of a flat roof: sheets with seams, puddles that dried, gravel.
func feltColor(q *surface, u, v, width float32) rgb {
	i, f := floor(u / 1.05)
	n := octaves{5, 8, .95}.fractal(u, v, q.seed, width)
	c := q.color.times(max(.3, 1+.16*lattice(i, 0, q.seed+10)+.65*n))
	seam := within(f*1.05, 0, .06, width)
	c = c.times(1 - .45*seam*(.6+.4*noise(0, v/.8, q.seed+uint32(i))))
	dirt := clamp(2.2*octaves{3, 6, .7}.fractal(u, v, q.seed+11, width) - .5)
	return c.mix(rgb{.10, .09, .075}, .7*dirt)
}

func targetColor(u, v, width float32) rgb {
	white, black := rgb{.75, .75, .75}, rgb{.02, .02, .02}
	a, b := step(u, 0, width), step(v, 0, width)
	return black.mix(white, a*b+(1-a)*(1-b))
}
