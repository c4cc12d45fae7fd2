package survey

// storey and bay are what windows are spaced by.
const (
	storey = 2.85
	bay    = 2.4
)

// facade is plaster with windows and doors, no two alike.
func facade(q *surface, u, v, width float32) rgb {
	n := octaves{2.5, 8, .92}.fractal(u, v, q.seed, width)
	c := q.color.times(max(.3, 1+.42*n))
	// Rain has run down: noise stretched along the wall's height.
	streak := clamp(1.7*octaves{.9, 5, .7}.fractal(u, v*.12, q.seed+30, width) - .35)
	c = c.times(1 - .45*streak)
	if v < .55+.04*noise(u/.5, 0, q.seed+31) {
		c = c.mix(rgb{.2, .19, .18}.times(1+.5*n), .85)
	}
	j, fv := floor((v - .45) / storey)
	bays := max(1, int32(q.width/bay))
	wide := q.width / float32(bays)
	i, fu := floor(u / wide)
	if j < 0 || i < 0 || i >= bays || float32(j+1)*storey+.2 > q.height {
		return c
	}
	h := hash2(i, j, q.seed+40)
	if share(h) < .18 {
		return c // a blank bay
	}
	return window(q, c, h, j == 0, (fu-.5)*wide, fv*storey, n, width)
}

// window of a bay: x from its middle, y above the floor. h decides how it looks.
func window(q *surface, wall rgb, h uint32, groundFloor bool, x, y, n, width float32) rgb {
	next := func() float32 { h = rehash(h); return share(h) }
	half := .42 + .32*next()
	x += .3 * (next() - .5)
	sill, top := .8+.25*next(), 2.05+.25*next()
	door := groundFloor && next() < .22
	if door || next() < .15 {
		sill = .05
	}
	frame := rgb{.6, .6, .58}
	if next() < .3 {
		frame = rgb{.16, .09, .05}
	}
	outer := within(x, -half, half, width) * within(y, sill, top, width)
	ledge := within(x, -half-.1, half+.1, width) * within(y, sill-.09, sill, width)
	c := wall.mix(rgb{.5, .49, .47}.times(1+.3*n), ledge)
	if outer <= 0 {
		return c
	}
	pane := rgb{.035, .045, .055}.mix(rgb{.16, .2, .24}, clamp((y-sill)/(top-sill)+.5*noise(x/.4, y/.4, h))*next())
	switch next2 := next(); {
	case door:
		pane = rgb{.22, .10, .05}.mix(rgb{.06, .14, .10}, next()).times(1 + .5*n)
	case next2 < .3: // a curtain, drawn in part
		if x < half*(2*next()-1) {
			pane = rgb{.42, .38, .32}.times(.7 + .3*noise(x/.07, 0, h)*shows(.07, width))
		}
	case next2 < .55: // a blind, part of the way down
		if y > mix(sill, top, next()) {
			pane = rgb{.3, .3, .29}.times(.85 + .3*next())
		}
	}
	inner := within(x, -half+.07, half-.07, width) * within(y, sill+.07, top-.07, width)
	mullion := within(x, -.03, .03, width)
	if door {
		mullion = 0
	}
	return c.mix(frame.mix(pane, inner*(1-mullion)), outer)
}
