package mvs

import "testing"

// plain is a map of one depth, seen well everywhere.
func plain(w, h int, depth float32) *Map {
	m := &Map{Width: w, Height: h, Depth: make([]float32, w*h), Normal: make([]float32, 3*w*h), Cost: make([]float32, w*h)}
	for i := range m.Depth {
		m.Depth[i], m.Normal[3*i+2], m.Cost[i] = depth, -1, 0.1
	}
	return m
}

func TestSpecksGo(t *testing.T) {
	m := plain(400, 300, 5)
	m.Depth[150*400+200] = 6     // alone
	m.Depth[10*400+10] = 0       // a hole
	for x := 300; x < 330; x++ { // a part that is large enough
		m.Depth[200*400+x] = 7
	}
	m.dropSpecks()
	if m.Depth[150*400+200] != 0 || m.Cost[150*400+200] != worst || m.Normal[3*(150*400+200)+2] != 0 {
		t.Error("a speck stays")
	}
	if m.Depth[200*400+310] != 7 || m.Depth[0] != 5 {
		t.Error("surfaces go")
	}
}

// The sky takes with it what looks like it beside an outline, and no more.
func TestFringeOfSkyGoes(t *testing.T) {
	const w, h = 100, 80
	m := plain(w, h, 5)
	photo := newPicture(w, h, make([]uint8, w*h))
	for y := range h {
		for x := range w {
			i := y*w + x
			photo.pix[i] = -60
			if y < 30 {
				photo.pix[i] = 100
			}
			if y < 27 { // the fringe of three rows has the depth of the wall
				m.Depth[i], m.Cost[i] = 0, worst
			}
		}
	}
	// A hole in the wall, as large, does not reach the border.
	for y := 50; y < 70; y++ {
		for x := 20; x < 80; x++ {
			m.Depth[y*w+x], m.Cost[y*w+x] = 0, worst
		}
	}
	m.trimSky(photo)
	for y := range h {
		i := y*w + 50
		want := y >= 30 && (y < 50 || y >= 70)
		if (m.Depth[i] > 0) != want {
			t.Errorf("row %d: a depth of %g", y, m.Depth[i])
		}
	}
}

func TestConnect(t *testing.T) {
	grid := []string{
		"aabba",
		"abbba",
		"aaaaa",
		"ccbba",
	}
	at := func(i int) byte { return grid[i/5][i%5] }
	p := connect(5, 4, func(a, b int) bool { return at(a) == at(b) })
	for i, want := range map[int]int{0: 11, 4: 11, 2: 5, 7: 5, 15: 2, 17: 2} {
		if got := p.size(i); got != want {
			t.Errorf("pixel %d is of a part of %d, want %d", i, got, want)
		}
	}
	if p.of(0) != p.of(19) || p.of(2) == p.of(18) {
		t.Error("parts are not those of the grid")
	}
}
