package texturing

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
)

// quality is how near textures come to the truth, after one factor for each channel:
// how bright the site is at all, photos of unknown exposure cannot tell.
type quality struct {
	mean, p99 float64 // differences at the middles of triangles
	seam      float64 // mean difference of the two sides of seams
	seams     int
	red       int // triangles with the colour of the intruder
}

func sampleUV(p *Page, u, v float32) [3]float32 {
	g := &page{width: p.Width, height: p.Height, pix: p.Pix}
	return g.sample(u*float32(p.Width), v*float32(p.Height))
}

func judge(r *Result) (q quality) {
	type shown struct{ is, want [3]float64 }
	var list []shown
	type side struct {
		c  [3]float32
		at uint32
	}
	edges := map[[6]float32][]side{}
	for n := range r.Pages {
		p := &r.Pages[n]
		for f := 0; f < len(p.Triangles); f += 3 {
			var middle vec
			var u, v float32
			for k := range 3 {
				i := p.Triangles[f+k]
				for c := range 3 {
					middle[c] += float64(p.Positions[3*i+uint32(c)]) / 3
				}
				u += p.UV[2*i] / 3
				v += p.UV[2*i+1] / 3
				j := p.Triangles[f+(k+1)%3]
				a, b := [3]float32(p.Positions[3*i:][:3]), [3]float32(p.Positions[3*j:][:3])
				if slices.Compare(a[:], b[:]) > 0 {
					a, b = b, a
				}
				key := [6]float32{a[0], a[1], a[2], b[0], b[1], b[2]}
				edges[key] = append(edges[key], side{sampleUV(p, (p.UV[2*i]+p.UV[2*j])/2, (p.UV[2*i+1]+p.UV[2*j+1])/2), i + j})
			}
			if buried(middle) {
				continue
			}
			c := sampleUV(p, u, v)
			if c[0] > 180 && c[1] < 70 {
				q.red++
			}
			list = append(list, shown{[3]float64{float64(c[0]), float64(c[1]), float64(c[2])}, truth(middle)})
		}
	}
	var is, want [3]float64
	for _, s := range list {
		for k := range 3 {
			is[k] += s.is[k]
			want[k] += s.want[k]
		}
	}
	var errs []float64
	for _, s := range list {
		for k := range 3 {
			e := math.Abs(s.is[k]*want[k]/is[k] - s.want[k])
			errs = append(errs, e)
			q.mean += e
		}
	}
	q.mean /= float64(len(errs))
	slices.Sort(errs)
	q.p99 = errs[len(errs)*99/100]
	for _, e := range edges {
		if len(e) == 2 && e[0].at != e[1].at {
			q.seams++
			for k := range 3 {
				q.seam += math.Abs(float64(e[0].c[k]-e[1].c[k])) / 3
			}
		}
	}
	q.seam /= float64(max(q.seams, 1))
	return q
}

func texture(t testing.TB, s *site, o Options) *Result {
	t.Helper()
	r, err := Texture(context.Background(), s.positions, s.triangles, s.views, s, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPlay(t *testing.T) {
	s := newSite()
	for _, o := range []Options{
		{Workers: 2},
		{Workers: 2, noLocal: true},
		{Workers: 2, noLocal: true, noGlobal: true},
		{Workers: 2, noLocal: true, noGlobal: true, noExposure: true},
		{Workers: 2, noConsistency: true},
	} {
		r := texture(t, s, o)
		fmt.Printf("%+v\n   pages %d of %dx%d, unseen %d, patches %d, scale %g\n", judge(r), len(r.Pages), r.Pages[0].Width, r.Pages[0].Height, r.Unseen, r.Patches, r.Scale)
	}
}
