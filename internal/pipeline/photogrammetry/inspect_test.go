package photogrammetry

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slate360.ai/worker/codec/exif"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/testdata"
)

// survey3 writes three good photos, so that a fourth can be bad.
func survey3(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "photos")
	for i := range 3 {
		g := tags{make: "Maker", model: "M1", focal35: 24, gps: true, lat: 47.5 + 1e-4*float64(i), lon: 8.25, alt: 500, time: fmt.Sprintf("2024:01:01 10:00:%02d", i)}
		write(t, dir, fmt.Sprintf("good%d.jpg", i), jpegOf(t, noise(400, 300, uint64(i+1)), g.block()))
	}
	return dir
}

func photoNamed(t *testing.T, p *Photos, file string) *Photo {
	t.Helper()
	i := slices.IndexFunc(p.Photos, func(q Photo) bool { return q.File == file })
	if i < 0 {
		t.Fatalf("there is no %s", file)
	}
	return &p.Photos[i]
}

func TestInspectGood(t *testing.T) {
	p, _, result := inspected(t, survey3(t))
	if len(p.used()) != 3 || len(p.Cameras) != 1 || len(result.Warnings) > 0 {
		t.Fatalf("%+v, warnings %q", p, result.Warnings)
	}
	c := p.Cameras[0]
	if c.Make != "Maker" || c.Width != 400 || math.Abs(c.FocalPixels-24/43.26661*500) > 0.01 {
		t.Errorf("camera = %+v", c)
	}
	if g := p.Photos[1].GPS; g == nil || math.Abs(g.Latitude-47.5001) > 1e-7 || *g.Altitude != 500 {
		t.Errorf("position = %+v", g)
	}
}

// Whatever one photo has wrong, the others are used, and the user is told.
func TestInspectBadPhotos(t *testing.T) {
	whole := jpegOf(t, noise(400, 300, 9), nil)
	deep := image.NewGray16(image.Rect(0, 0, 400, 300))
	for y := range 300 {
		for x := range 400 {
			deep.SetGray16(x, y, color.Gray16{Y: uint16(7000 + 997*(x*7+y*13)/100%1000)})
		}
	}
	var deepPNG, dim bytes.Buffer
	if err := errors.Join(png.Encode(&deepPNG, deep), jpeg.Encode(&dim, even(400, 300, 1), nil)); err != nil {
		t.Fatal(err)
	}
	lying := bytes.Clone(whole)
	i := bytes.Index(lying, []byte{0xff, 0xc0})
	copy(lying[i+5:], []byte{0xff, 0x00, 0xff, 0x00}) // 65,280 × 65,280 pixels
	tests := []struct {
		name, file string
		data       []byte
		excluded   string // part of the reason; empty where it is used
		warning    string
	}{
		{"black", "b.jpg", dim.Bytes(), "black", "left out"},
		{"even", "e.jpg", jpegOf(t, even(400, 300, 200), nil), "even area", "left out"},
		{"truncated", "t.jpg", whole[:len(whole)/2], "truncated", "left out"},
		{"header only", "h.jpg", whole[:20], "does not fit the file", "left out"},
		{"lying header", "l.jpg", lying, "megapixels", "left out"},
		{"tiny", "s.jpg", jpegOf(t, noise(100, 80, 3), nil), "only 100 × 80 pixels", "left out"},
		{"duplicate", "z.jpg", jpegOf(t, noise(400, 300, 2), nil), "same as", "left out"},
		{"panorama", "p.jpg", jpegOf(t, noise(2048, 1024, 4), nil), "360°", "360°"},
		{"16 bits", "d.png", deepPNG.Bytes(), "", "16-bit values"},
		{"other size", "o.jpg", jpegOf(t, noise(640, 480, 5), nil), "", "2 different sizes"},
		{"wrong focal length", "f.jpg", jpegOf(t, noise(400, 300, 6), tags{make: "X", focal35: 5000}.block()), "", "focal length"},
		{"position at 0, 0", "g.jpg", jpegOf(t, noise(400, 300, 7), tags{gps: true}.block()), "", "0° north"},
		{"other continent", "c.jpg", jpegOf(t, noise(400, 300, 8), tags{gps: true, lat: -33, lon: 151}.block()), "", "far away"},
		{"no photo", "n.txt", []byte("hello"), "-", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := survey3(t)
			write(t, dir, test.file, test.data)
			p, products, result := inspected(t, dir)
			if test.excluded == "-" {
				if len(p.Photos) != 3 {
					t.Errorf("%d photos", len(p.Photos))
				}
				return
			}
			photo := photoNamed(t, p, test.file)
			if test.excluded == "" {
				if !photo.Used() {
					t.Errorf("left out: %s", photo.Excluded)
				}
				if photo.GPS != nil {
					t.Errorf("position %+v is believed", photo.GPS)
				}
			} else if !strings.Contains(photo.Excluded, test.excluded) {
				t.Errorf("left out: %q, want %q", photo.Excluded, test.excluded)
			}
			if !warned(result.Warnings, test.warning) {
				t.Errorf("warnings: %q", result.Warnings)
			}
			if len(p.used()) < 3 {
				t.Errorf("%d photos are used", len(p.used()))
			}
			if photo.Converted {
				if f, err := os.Open(filepath.Join(products, productConverted, photo.Name)); err != nil {
					t.Error(err)
				} else if img, err := jpeg.Decode(f); err != nil || img.Bounds().Dx() != 400 {
					t.Errorf("copy: %v", err)
				} else if _, deviation := moments(grey(img, 400).pix); deviation < 50 {
					t.Errorf("the copy's contrast is %g", deviation)
				}
			}
		})
	}
}

func TestInspectTooFew(t *testing.T) {
	dir := survey3(t)
	if err := os.Remove(filepath.Join(dir, "good1.jpg")); err != nil {
		t.Fatal(err)
	}
	_, _, err := trial{source: dir, stages: []string{"inspect"}}.run(t)
	var bad *pipeline.BadInputError
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), "2 of 2 photos") || !strings.Contains(err.Error(), "photograph the object from all sides") {
		t.Errorf("Run = %v", err)
	}
	// One photo is a source, too.
	_, _, err = trial{source: filepath.Join(dir, "good0.jpg"), stages: []string{"inspect"}}.run(t)
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), "1 of 1 photos") {
		t.Errorf("Run = %v", err)
	}
}

// GDAL writes CMYK where it has four bands.
func TestInspectCMYK(t *testing.T) {
	gdal := testdata.Tool(t, "gdal_translate")
	dir := survey3(t)
	var b bytes.Buffer
	rgba := noise(400, 300, 20)
	for i := 3; i < len(rgba.Pix); i += 4 {
		rgba.Pix[i] = uint8(i)
	}
	if err := png.Encode(&b, rgba); err != nil {
		t.Fatal(err)
	}
	from := write(t, t.TempDir(), "four.png", b.Bytes())
	to := filepath.Join(t.TempDir(), "cmyk.jpg")
	if out, err := exec.Command(gdal, "-q", "-of", "JPEG", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	// What marks the four channels as CMYK, as Adobe's programs do.
	adobe := []byte("\xff\xd8\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00")
	write(t, dir, "cmyk.jpg", append(adobe, data[2:]...))
	p, products, _ := inspected(t, dir)
	photo := photoNamed(t, p, "cmyk.jpg")
	if !photo.Used() || !photo.Converted {
		t.Fatalf("%+v", photo)
	}
	f, err := os.Open(filepath.Join(products, productConverted, photo.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if m, err := exif.Read(f, info.Size()); err != nil || m.Components != 3 {
		t.Errorf("copy: %+v, %v", m, err)
	}
}

func TestMasks(t *testing.T) {
	dir := survey3(t)
	var b bytes.Buffer
	mask := image.NewGray(image.Rect(0, 0, 200, 150)) // of half the size
	for i := range mask.Pix[:len(mask.Pix)/2] {
		mask.Pix[i] = 255
	}
	if err := png.Encode(&b, mask); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "good0_mask.png", b.Bytes())
	write(t, dir, "good1.jpg.png", b.Bytes())
	write(t, dir, "masks/good2.png", b.Bytes())
	p, products, result := inspected(t, dir)
	if len(p.Photos) != 3 || len(result.Warnings) > 0 {
		t.Fatalf("%d photos, warnings %q", len(p.Photos), result.Warnings)
	}
	for _, photo := range p.Photos {
		f, err := os.Open(filepath.Join(products, productMasks, photo.Name+".png"))
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		g, ok := img.(*image.Gray)
		if !ok || g.Rect.Dx() != 400 || g.GrayAt(10, 140).Y != 255 || g.GrayAt(390, 160).Y != 0 {
			t.Errorf("mask of %s is wrong", photo.File)
		}
	}
}

// stub writes a program of the shell that stands for another, and finds it first.
func stub(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	p := write(t, dir, name, []byte("#!/bin/sh\n"+script))
	if err := os.Chmod(p, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func TestForeignPhotos(t *testing.T) {
	heic := append([]byte("\x00\x00\x00\x18ftypheic"), make([]byte, 100)...)
	dir := survey3(t)
	write(t, dir, "phone.heic", heic)
	t.Setenv("PATH", "/nonexistent")
	p, _, result := inspected(t, dir)
	if q := photoNamed(t, p, "phone.heic"); !strings.Contains(q.Excluded, "no converter is installed") || !warned(result.Warnings, "heif-convert") {
		t.Errorf("%+v, warnings %q", q, result.Warnings)
	}
	t.Setenv("PATH", "/usr/bin:/bin")
	converted := write(t, t.TempDir(), "c.jpg", jpegOf(t, noise(400, 300, 11), tags{make: "Phone", focal35: 26, gps: true, lat: 47.5, lon: 8.25}.block()))
	stub(t, "heif-convert", `for last; do :; done; cp '`+converted+`' "$last"`)
	p, _, _ = inspected(t, dir)
	if q := photoNamed(t, p, "phone.heic"); !q.Used() || !q.Converted || q.Width != 400 || q.GPS == nil {
		t.Errorf("%+v", q)
	}
}

func TestVideo(t *testing.T) {
	video := append([]byte("\x00\x00\x00\x18ftypmp42"), make([]byte, 100)...)
	dir := t.TempDir()
	path := write(t, dir, "flight.mp4", video)
	t.Setenv("PATH", "/nonexistent")
	_, _, err := trial{source: path, stages: []string{"inspect"}}.run(t)
	if err == nil || !strings.Contains(err.Error(), "install ffmpeg") {
		t.Fatalf("Run = %v", err)
	}
	t.Setenv("PATH", "/usr/bin:/bin")
	frames := t.TempDir()
	for i := range 9 { // the second of each three is sharp
		img := image.Image(noise(400, 300, uint64(i/3+1)))
		if i%3 != 1 {
			small := box(toYCbCr(img), 8)
			big := noise(400, 300, 1)
			scale(big, small)
			img = big
		}
		write(t, frames, fmt.Sprintf("%06d.jpg", i+1), jpegOf(t, img, nil))
	}
	stub(t, "ffmpeg", `for last; do :; done
case "$*" in
*-vf*) cp '`+frames+`'/*.jpg "$(dirname "$last")" ;;
*) echo "  Duration: 00:00:04.50, start: 0.0" >&2; exit 1 ;;
esac`)
	p, products, _ := inspected(t, path)
	if len(p.used()) != 3 {
		t.Fatalf("%d frames are used: %+v", len(p.used()), p.Photos)
	}
	for i, photo := range p.Photos {
		got, err := os.ReadFile(filepath.Join(products, productConverted, photo.Name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(frames, fmt.Sprintf("%06d.jpg", 3*i+2)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("frame %d is not the sharp one", i)
		}
	}
}

func TestModelNames(t *testing.T) {
	got := modelNames([]string{"a b.jpg", "a_b.jpg", "x/IMG.JPG", "y/IMG.JPG", "-o.jpg", "ü.png"})
	want := []string{"a_b.jpg", "a_b_2.jpg", "IMG.JPG", "y_IMG.JPG", "o.jpg", "_.png"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestReadInfo(t *testing.T) {
	dir := survey3(t)
	info, err := ReadInfo(t.Context(), dir, 2, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := info.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	if info.Used != 3 || info.Positioned != 3 || !strings.Contains(b.String(), "47.5001") || !strings.Contains(b.String(), "Maker M1, 400 × 300") {
		t.Errorf("%s", b.String())
	}
}
