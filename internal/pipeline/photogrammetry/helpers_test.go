package photogrammetry

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	xdraw "golang.org/x/image/draw"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/testdata"
)

// tags are EXIF for tests: a focal length and a position.
type tags struct {
	make, model   string
	focal35       uint16
	orientation   uint16
	lat, lon, alt float64
	gps           bool
	time          string
}

// block encodes the tags as a little-endian TIFF.
func (g tags) block() []byte {
	order := binary.LittleEndian
	type entry struct {
		tag, kind uint16
		count     uint32
		data      []byte
	}
	text := func(tag uint16, s string) entry { return entry{tag, 2, uint32(len(s) + 1), append([]byte(s), 0)} }
	short := func(tag, v uint16) entry { return entry{tag, 3, 1, order.AppendUint16(nil, v)} }
	long := func(tag uint16, v uint32) entry { return entry{tag, 4, 1, order.AppendUint32(nil, v)} }
	degrees := func(tag uint16, v float64) entry {
		b := order.AppendUint32(order.AppendUint32(nil, uint32(math.Round(math.Abs(v)*1e7))), 1e7)
		return entry{tag, 5, 3, append(b, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0)}
	}
	side := func(v float64, plus, minus string) string {
		if v < 0 {
			return minus
		}
		return plus
	}
	encode := func(at uint32, list []entry) []byte {
		slices.SortFunc(list, func(a, b entry) int { return int(a.tag) - int(b.tag) })
		b := order.AppendUint16(nil, uint16(len(list)))
		next := at + 2 + 12*uint32(len(list)) + 4
		var tail []byte
		for _, e := range list {
			b = order.AppendUint32(order.AppendUint16(order.AppendUint16(b, e.tag), e.kind), e.count)
			if len(e.data) <= 4 {
				b = append(b, append(bytes.Clone(e.data), make([]byte, 4-len(e.data))...)...)
				continue
			}
			b = order.AppendUint32(b, next+uint32(len(tail)))
			tail = append(tail, e.data...)
		}
		return append(order.AppendUint32(b, 0), tail...)
	}
	main := func(exif, gps uint32) []entry {
		list := []entry{text(0x10f, g.make), text(0x110, g.model), short(0x112, max(g.orientation, 1)), long(0x8769, exif)}
		if g.gps {
			list = append(list, long(0x8825, gps))
		}
		return list
	}
	exifs := []entry{short(0xa405, g.focal35), text(0x9003, g.time)}
	at := 8 + uint32(len(encode(8, main(0, 0))))
	second := encode(at, exifs)
	out := append([]byte("II*\x00\x08\x00\x00\x00"), encode(8, main(at, at+uint32(len(second))))...)
	out = append(out, second...)
	if g.gps {
		out = append(out, encode(at+uint32(len(second)), []entry{
			text(1, side(g.lat, "N", "S")), degrees(2, g.lat), text(3, side(g.lon, "E", "W")), degrees(4, g.lon),
			{5, 1, 1, []byte{0}},
			{6, 5, 1, order.AppendUint32(order.AppendUint32(nil, uint32(math.Round(g.alt*1000))), 1000)},
		})...)
	}
	return out
}

// jpegOf encodes a photo with EXIF.
func jpegOf(t testing.TB, img image.Image, segment []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	if segment == nil {
		return b.Bytes()
	}
	segment = append([]byte("Exif\x00\x00"), segment...)
	out := append([]byte{0xff, 0xd8, 0xff, 0xe1, byte((len(segment) + 2) >> 8), byte(len(segment) + 2)}, segment...)
	return append(out, b.Bytes()[2:]...)
}

// noise is a picture with detail of all sizes, different for each seed.
func noise(w, h int, seed uint64) *image.RGBA {
	rng := rand.New(rand.NewPCG(seed, 1))
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for _, cells := range []int{6, 24, 96} {
		small := image.NewRGBA(image.Rect(0, 0, cells, cells*h/w+1))
		for i := range small.Pix {
			small.Pix[i] = uint8(rng.IntN(256))
		}
		layer := image.NewRGBA(out.Rect)
		xdraw.BiLinear.Scale(layer, layer.Rect, small, small.Rect, xdraw.Src, nil)
		for i, v := range layer.Pix {
			out.Pix[i] += v / 3
		}
	}
	for i := 3; i < len(out.Pix); i += 4 {
		out.Pix[i] = 255
	}
	return out
}

func even(w, h int, v uint8) image.Image {
	img := image.NewGray(image.Rect(0, 0, w, h))
	xdraw.Draw(img, img.Rect, image.NewUniform(color.Gray{Y: v}), image.Point{}, xdraw.Src)
	return img
}

func write(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	p := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return p
}

var errEnd = errors.New("the end of the test's pipeline")

// trial is a run of some stages; the last one fails, so that the products stay.
type trial struct {
	source, out, options string
	stages               []string
	replace              map[string]func(ctx context.Context, s *pipeline.Context) error
	fresh                bool
}

// run runs the stages and returns the result and where the products are.
func (r trial) run(t *testing.T) (result job.Result, products string, err error) {
	t.Helper()
	def := stages()
	var inputs []string
	var kept []pipeline.Stage
	for _, s := range def.Stages {
		if !slices.Contains(r.stages, s.Name) {
			continue
		}
		if f := r.replace[s.Name]; f != nil {
			s.Engines = native(f)
		}
		inputs = append(inputs, s.Outputs...)
		kept = append(kept, s)
	}
	def.Stages = append(kept, pipeline.Stage{
		Name: "end", Inputs: inputs, Engines: native(func(context.Context, *pipeline.Context) error { return errEnd }),
	})
	if r.out == "" {
		r.out = filepath.Join(t.TempDir(), "out")
	}
	if r.options == "" {
		r.options = "{}"
	}
	o, _, err := job.ParseOptions([]byte(r.options))
	if err != nil {
		t.Fatal(err)
	}
	result, err = pipeline.Run(t.Context(), def, pipeline.Request{
		Source: r.source, Format: "photos", OutDir: r.out, Options: o, Workers: 2, MemoryBudget: 4 << 30, Build: "test", Fresh: r.fresh,
	})
	if errors.Is(err, errEnd) {
		err = nil
	}
	return result, filepath.Join(r.out, ".slate360-work", "products"), err
}

// inspected runs inspect only.
func inspected(t *testing.T, source string) (*Photos, string, job.Result) {
	t.Helper()
	result, products, err := trial{source: source, stages: []string{"inspect"}}.run(t)
	if err != nil {
		t.Fatal(err)
	}
	p := &Photos{}
	if err := readJSON(filepath.Join(products, productPhotos), p); err != nil {
		t.Fatal(err)
	}
	return p, products, result
}

// warned tells whether a warning holds all the words.
func warned(list []string, words ...string) bool {
	return slices.ContainsFunc(list, func(w string) bool {
		for _, word := range words {
			if !strings.Contains(w, word) {
				return false
			}
		}
		return true
	})
}

// shrunk writes real photos, made smaller, with their EXIF.
func shrunk(t *testing.T, dir string, side int, names ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), filepath.Base(dir))
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(testdata.Path(t, dir), name))
		if err != nil {
			t.Fatal(err)
		}
		img, err := jpeg.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		b := img.Bounds()
		small := image.NewRGBA(image.Rect(0, 0, side, side*b.Dy()/b.Dx()))
		xdraw.ApproxBiLinear.Scale(small, small.Rect, box(img, b.Dx()/side), image.Rect(0, 0, b.Dx()/(b.Dx()/side), b.Dy()/(b.Dx()/side)), xdraw.Src, nil)
		write(t, out, name, jpegOf(t, small, exifBlock(data)))
	}
	return out
}

// box is the mean of squares of pixels.
func box(img image.Image, n int) image.Image {
	b := img.Bounds()
	m := img.(*image.YCbCr)
	out := image.NewRGBA(image.Rect(0, 0, b.Dx()/n, b.Dy()/n))
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			var sum [3]int
			for v := range n {
				for u := range n {
					i, j := m.YOffset(x*n+u, y*n+v), m.COffset(x*n+u, y*n+v)
					r, g, bl := color.YCbCrToRGB(m.Y[i], m.Cb[j], m.Cr[j])
					sum[0], sum[1], sum[2] = sum[0]+int(r), sum[1]+int(g), sum[2]+int(bl)
				}
			}
			out.SetRGBA(x, y, color.RGBA{uint8(sum[0] / (n * n)), uint8(sum[1] / (n * n)), uint8(sum[2] / (n * n)), 255})
		}
	}
	return out
}

// exifBlock is the EXIF of a JPEG, without what introduces it; nil where it has none.
func exifBlock(data []byte) []byte {
	for at := 2; at+4 < len(data) && data[at] == 0xff && data[at+1] != 0xda; {
		n := int(binary.BigEndian.Uint16(data[at+2:]))
		if body := data[at+4 : at+2+n]; data[at+1] == 0xe1 && bytes.HasPrefix(body, []byte("Exif\x00\x00")) {
			return body[6:]
		}
		at += 2 + n
	}
	return nil
}

func toYCbCr(img image.Image) *image.YCbCr {
	b := img.Bounds()
	out := image.NewYCbCr(b, image.YCbCrSubsampleRatio444)
	for y := range b.Dy() {
		for x := range b.Dx() {
			c := color.YCbCrModel.Convert(img.At(x, y)).(color.YCbCr)
			i := out.YOffset(x, y)
			out.Y[i], out.Cb[i], out.Cr[i] = c.Y, c.Cb, c.Cr
		}
	}
	return out
}

func scale(dst *image.RGBA, src image.Image) {
	xdraw.BiLinear.Scale(dst, dst.Rect, src, src.Bounds(), xdraw.Src, nil)
}

func parse(t testing.TB, options string) job.Options {
	t.Helper()
	o, _, err := job.ParseOptions([]byte(options))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// analyze asks COLMAP what it makes of a model.
func analyze(t *testing.T, program, dir string) string {
	t.Helper()
	cmd := exec.Command(program, "model_analyzer", "--path", dir)
	cmd.Env = append(os.Environ(), "QT_QPA_PLATFORM=offscreen")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}
