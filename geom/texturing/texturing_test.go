package texturing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"testing"

	"slate360.ai/worker/geom/camera"
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
	for key, e := range edges {
		middle := vec{float64(key[0]+key[3]) / 2, float64(key[1]+key[4]) / 2, float64(key[2]+key[5]) / 2}
		if !buried(middle) && len(e) == 2 && e[0].at != e[1].at {
			q.seams++
			for k := range 3 {
				q.seam += math.Abs(float64(e[0].c[k]-e[1].c[k])) / 3
			}
		}
	}
	q.seam /= float64(max(q.seams, 1))
	return q
}

func textured(t testing.TB, s *site, o Options) *Result {
	t.Helper()
	r, err := Texture(context.Background(), s.positions, s.triangles, s.views, s, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestColors: colours are the site's, whatever exposure, vignetting and noise, and
// nothing of what passed in front of one photo is left.
func TestColors(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	s := plainSite()
	full := textured(t, s, Options{Workers: 2})
	q := judge(full)
	if q.mean > 1.4 || q.p99 > 9 || q.seam > 3.5 || q.red > 0 || q.seams == 0 {
		t.Errorf("%+v", q)
	}
	if full.Scale != 1 || len(full.Pages) != 1 || full.Dropped != 0 || len(full.Skipped) != 0 {
		t.Errorf("scale %g, %d pages, dropped %d, skipped %v", full.Scale, len(full.Pages), full.Dropped, full.Skipped)
	}
	// What each photo's gain is, up to one for all.
	for v := 1; v < len(s.gains); v++ {
		for k := range 3 {
			got, want := full.Gains[v][k]/full.Gains[0][k], s.gains[0][k]/s.gains[v][k]
			if math.Abs(got/want-1) > 0.02 {
				t.Errorf("view %d channel %d: gain %.3f, want %.3f", v, k, got, want)
			}
		}
	}
	if q := judge(textured(t, s, Options{Workers: 2, noExposure: true})); q.mean < 3 {
		t.Errorf("the site does not need what is tested: without exposure compensation %+v", q)
	}
	// Where seams cost little, no patch is drawn over what passed by chance.
	with, without := judge(textured(t, s, Options{Workers: 2, Seam: 4})), judge(textured(t, s, Options{Workers: 2, Seam: 4, noConsistency: true}))
	if with.red > 0 || without.red == 0 {
		t.Errorf("with rejection %+v, without %+v", with, without)
	}
}

// TestSeams: where the light changed between photos in a way that no exposure explains,
// seams are still levelled.
func TestSeams(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	s := newSite()
	s.clouds, s.intruder = 0.15, -1
	plain := judge(textured(t, s, Options{Workers: 2, noGlobal: true, noLocal: true}))
	global := judge(textured(t, s, Options{Workers: 2, noLocal: true}))
	full := judge(textured(t, s, Options{Workers: 2}))
	t.Logf("nothing %+v", plain)
	t.Logf("globally %+v", global)
	t.Logf("and along seams %+v", full)
	if plain.seam < 6 || global.seam > plain.seam/1.8 || full.seam > plain.seam/2.3 || full.mean > plain.mean*1.1 {
		t.Error("seams are not levelled")
	}
}

// TestWhole: all triangles are there, once, with places inside their pages.
func TestWhole(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	s := plainSite()
	for _, o := range []Options{
		{Workers: 2},
		{Workers: 3, PageSize: 512, MaxPages: 9},
		{Workers: 1, PageSize: 512, MaxPages: 2},
		{Workers: 2, Texels: 150_000, Padding: 2},
	} {
		r := textured(t, s, o)
		o = o.defaults()
		count, texels := map[[9]float32]int{}, int64(0)
		for n := range r.Pages {
			p := &r.Pages[n]
			texels += int64(p.Width) * int64(p.Height)
			if p.Width > o.PageSize || p.Height > o.PageSize || len(p.Pix) != 3*p.Width*p.Height || len(p.UV)/2 != len(p.Positions)/3 {
				t.Errorf("page of %d × %d", p.Width, p.Height)
			}
			for _, v := range p.UV {
				if !(v >= 0 && v <= 1) {
					t.Fatalf("texture coordinate %g", v)
				}
			}
			for f := 0; f < len(p.Triangles); f += 3 {
				var key [9]float32
				for k := range 3 {
					copy(key[3*k:], p.Positions[3*p.Triangles[f+k]:][:3])
				}
				count[key]++
			}
		}
		for f := 0; f < len(s.triangles); f += 3 {
			var key [9]float32
			for k := range 3 {
				copy(key[3*k:], s.positions[3*s.triangles[f+k]:][:3])
			}
			if count[key] != 1 {
				t.Fatalf("triangle %d is there %d times", f/3, count[key])
			}
		}
		if len(count) != len(s.triangles)/3 || len(r.Pages) > o.MaxPages || texels > o.Texels {
			t.Errorf("%d triangles on %d pages of %d texels together", len(count), len(r.Pages), texels)
		}
		if q := judge(r); q.mean > 4 || q.red > 0 {
			t.Errorf("%+v: scale %.2f, %+v", o, r.Scale, q)
		}
	}
}

func TestWorkersDoNotMatter(t *testing.T) {
	s := plainSite()
	want := textured(t, s, Options{Workers: 1})
	for _, workers := range []int{2, 5} {
		if got := textured(t, s, Options{Workers: workers}); !reflect.DeepEqual(got, want) {
			t.Errorf("%d workers give something else", workers)
		}
	}
}

// TestUnseen: what no photo shows takes its colours from around.
func TestUnseen(t *testing.T) {
	s := &site{intruder: -1, photos: map[int][]uint8{}}
	s.grid(40, 40, func(u, v float64) vec { return vec{10*u - 5, 10*v - 5, 0} })
	// A lid below, seen by nobody, but for its rim.
	s.grid(40, 4, func(u, v float64) vec { return vec{10*u - 5, -5 + 2*v, -2 * v} })
	cam := camera.NewPinhole(400, 400, 400, 400, 200, 200)
	s.views = []View{{cam, camera.LookAt([3]float64{0, 0, 12}, [3]float64{}, [3]float64{0, 1, 0})}}
	s.gains = [][3]float64{{1, 1, 1}}
	r := textured(t, s, Options{})
	if r.Unseen != 320 {
		t.Fatalf("%d unseen", r.Unseen)
	}
	dark, n := 0, 0
	for _, p := range r.Pages {
		for f := 0; f < len(p.Triangles); f += 3 {
			i := p.Triangles[f]
			if p.Positions[3*i+2] >= 0 {
				continue
			}
			n++
			c, want := sampleUV(&p, p.UV[2*i], p.UV[2*i+1]), truth(vec{float64(p.Positions[3*i]), -5, 0})
			for k := range 3 {
				if math.Abs(float64(c[k])-want[k]) > 45 {
					dark++
				}
			}
		}
	}
	if n == 0 || dark > n/20 {
		t.Errorf("%d of %d have strange colours", dark, 3*n)
	}
}

type album struct {
	photos Photos
	err    map[int]error
	short  bool
}

func (a *album) RGB(ctx context.Context, view int) ([]uint8, error) {
	if err := a.err[view]; err != nil {
		return nil, err
	}
	rgb, err := a.photos.RGB(ctx, view)
	if a.short {
		rgb = rgb[3:]
	}
	return rgb, err
}

func TestRefused(t *testing.T) {
	ctx := context.Background()
	s := plainSite()
	nan := math.NaN()
	away := []View{{s.views[0].Camera, camera.LookAt([3]float64{0, 0, 50}, [3]float64{0, 0, 90}, [3]float64{0, 1, 0})}}
	fisheye := []View{{camera.Camera{Model: camera.SimpleRadial, Width: 640, Height: 480, Params: []float64{500, 320, 240, .1}}, s.views[0].Pose}}
	lost := []View{s.views[0]}
	lost[0].Pose.T[1] = nan
	lens := []View{s.views[0]}
	lens[0].Camera.Params = []float64{nan, 1, 1, 1}
	turned := slices.Clone(s.triangles)
	for i := 0; i < len(turned); i += 3 {
		turned[i], turned[i+1] = turned[i+1], turned[i]
	}
	none := map[int]error{}
	for v := range s.views {
		none[v] = fmt.Errorf("photo %d: %w", v, ErrNoPhoto)
	}
	for _, test := range []struct {
		name      string
		positions []float32
		triangles []uint32
		views     []View
		photos    Photos
		o         Options
		want      error
	}{
		{"no triangles", s.positions, nil, s.views, s, Options{}, nil},
		{"half a triangle", s.positions, []uint32{0, 1}, s.views, s, Options{}, nil},
		{"index", s.positions, []uint32{0, 1, 1 << 30}, s.views, s, Options{}, nil},
		{"no views", s.positions, s.triangles, nil, s, Options{}, nil},
		{"distorted", s.positions, s.triangles, fisheye, s, Options{}, nil},
		{"pose", s.positions, s.triangles, lost, s, Options{}, nil},
		{"camera", s.positions, s.triangles, lens, s, Options{}, nil},
		{"looks away", s.positions, s.triangles, away, s, Options{}, ErrUnseen},
		{"inside out", s.positions, turned[:6*60*60], s.views, s, Options{}, ErrUnseen},
		{"flat triangles", s.positions, []uint32{0, 0, 1, 2, 2, 2}, s.views, s, Options{}, ErrUnseen},
		{"no photos", s.positions, s.triangles, s.views, &album{photos: s, err: none}, Options{}, ErrUnseen},
		{"broken photo", s.positions, s.triangles, s.views, &album{photos: s, err: map[int]error{4: io.ErrUnexpectedEOF}}, Options{}, io.ErrUnexpectedEOF},
		{"short photo", s.positions, s.triangles, s.views, &album{photos: s, short: true}, Options{}, nil},
		{"tiny pages", s.positions, s.triangles, s.views, s, Options{PageSize: 3}, nil},
		{"too few texels", s.positions, s.triangles, s.views, s, Options{PageSize: 64, MaxPages: 1}, errPages},
		{"seams", s.positions, s.triangles, s.views, s, Options{Seam: nan}, nil},
	} {
		r, err := Texture(ctx, test.positions, test.triangles, test.views, test.photos, test.o, nil)
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %+v, %v", test.name, r, err)
		}
	}
}

// TestBlemishes: photos that are missing are left out; triangles that are none, too.
func TestBlemishes(t *testing.T) {
	s := *plainSite()
	nan := float32(math.NaN())
	n := uint32(len(s.positions) / 3)
	s.positions = append(slices.Clone(s.positions), nan, 0, 0, 1e38, 1e38, -1e38, float32(math.Inf(1)), 0, 1)
	s.triangles = append(slices.Clone(s.triangles), 0, 1, n, 0, 0, 5, n, n+1, n+2, 3, 4, n+2)
	r, err := Texture(context.Background(), s.positions, s.triangles, s.views, &album{photos: &s, err: map[int]error{2: ErrNoPhoto, 11: ErrNoPhoto}}, Options{Workers: 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.Skipped, []int{2, 11}) || r.Dropped != 4 {
		t.Errorf("skipped %v, dropped %d", r.Skipped, r.Dropped)
	}
	for f, v := range r.Views {
		if v == 2 || v == 11 {
			t.Fatalf("triangle %d is from photo %d, which is not there", f, v)
		}
	}
	if q := judge(r); q.mean > 1.5 || q.red > 0 {
		t.Errorf("%+v", q)
	}
}

// TestCancel ends the work at each report of progress, and in a photo that waits.
func TestCancel(t *testing.T) {
	s := plainSite()
	var reports int
	for stop := 0; ; stop += 8 {
		ctx, cancel := context.WithCancel(context.Background())
		n, last := 0, 0.0
		_, err := Texture(ctx, s.positions, s.triangles, s.views, s, Options{Workers: 2}, func(done float64) {
			if n == stop {
				cancel()
			}
			if done < last || done > 1 {
				t.Errorf("progress from %g to %g", last, done)
			}
			n, last = n+1, done
		})
		cancel()
		if n <= stop {
			reports = n
			break
		}
		if last < 1 && !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled at report %d: %v", stop, err)
		}
	}
	if reports < 20 {
		t.Errorf("%d reports of progress", reports)
	}
	ctx, cancel := context.WithCancel(context.Background())
	_, err := Texture(ctx, s.positions, s.triangles, s.views, &stuck{cancel}, Options{}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("in a photo that waits: %v", err)
	}
}

// stuck is a photo that never comes.
type stuck struct{ cancel func() }

func (s *stuck) RGB(ctx context.Context, _ int) ([]uint8, error) {
	s.cancel()
	<-ctx.Done()
	return nil, ctx.Err()
}

func BenchmarkTexture(b *testing.B) {
	s := plainSite()
	b.ReportAllocs()
	for b.Loop() {
		textured(b, s, Options{Workers: 2})
	}
}
