package texturing

import (
	"math"

	"slate360.ai/worker/geom/texture"
)

// result gathers pages with their vertices and triangles.
func (t *texturer) result() *Result {
	r := &Result{Views: t.labels, Scale: t.scale, Pages: make([]Page, len(t.pages))}
	for i := range t.pages {
		g := &t.pages[i]
		r.Pages[i] = Page{Width: g.width, Height: g.height, Pix: g.pix}
		g.filled = nil
	}
	number := make([]uint32, len(t.nodes.vertex)) // on its page, from 1
	for i := range t.patches {
		p := &t.patches[i]
		page := &r.Pages[p.page]
		if p.view < 0 {
			r.Unseen += len(p.faces)
			t.addCells(page, p)
			continue
		}
		r.Patches++
		for _, f := range p.faces {
			for _, n := range t.nodes.of[3*f:][:3] {
				if number[n] == 0 {
					page.vertex(t.mesh, t.nodes.vertex[n], t.nodes.xy[2*n], t.nodes.xy[2*n+1])
					number[n] = uint32(len(page.Positions) / 3)
				}
				page.Triangles = append(page.Triangles, number[n]-1)
			}
		}
	}
	for _, a := range t.mesh.area {
		if a == 0 {
			r.Dropped++
		}
	}
	for v, skipped := range t.skipped {
		if skipped {
			r.Skipped = append(r.Skipped, v)
		}
	}
	for _, g := range t.tone.gain {
		r.Gains = append(r.Gains, [3]float64{math.Exp(g[0]), math.Exp(g[1]), math.Exp(g[2])})
	}
	return r
}

func (t *texturer) addCells(page *Page, p *patch) {
	for i, f := range p.faces {
		for k := range 3 {
			x, y := p.corner(i, k)
			page.Triangles = append(page.Triangles, uint32(len(page.Positions)/3))
			page.vertex(t.mesh, t.mesh.triangles[3*int(f)+k], x, y)
		}
	}
}

// vertex adds a vertex at a place in texels.
func (g *Page) vertex(m *mesh, v uint32, x, y float32) {
	g.Positions = append(g.Positions, m.positions[3*v:][:3]...)
	g.UV = append(g.UV, x/float32(g.Width), y/float32(g.Height))
}

// Image returns the texture as a picture, a copy.
func (g *Page) Image() *texture.Image {
	p := &texture.Image{Width: g.Width, Height: g.Height, Pix: make([]uint8, 4*g.Width*g.Height)}
	for i := range g.Width * g.Height {
		to, from := p.Pix[4*i:][:4], g.Pix[3*i:][:3]
		to[0], to[1], to[2], to[3] = from[0], from[1], from[2], 255
	}
	return p
}
