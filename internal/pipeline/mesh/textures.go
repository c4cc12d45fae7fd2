package mesh

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"

	"github.com/HugoSmits86/nativewebp"
	"golang.org/x/image/webp"
	"golang.org/x/sync/errgroup"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/geom/texture"
	"slate360.ai/worker/internal/pipeline"
)

// maxPixels is the most of a texture that is decoded: a gigabyte of memory. Larger
// ones are kept as they are in the full model and left out of its levels.
const maxPixels = 1 << 28

// usage is what the pixels of an image mean.
type usage string

const (
	usageColor  usage = "color"
	usageNormal usage = "normal"
	usageData   usage = "data"
)

// usages tells for each image what it is used for; those nobody uses are colours.
func usages(d *gltf.Document) []usage {
	out := make([]usage, len(d.Images))
	for i := range out {
		out[i] = usageColor
	}
	set := func(t *gltf.TextureInfo, u usage) {
		if t != nil && t.Index >= 0 && t.Index < len(d.Textures) {
			for _, i := range imagesOf(d.Textures[t.Index]) {
				if i >= 0 && i < len(out) {
					out[i] = u
				}
			}
		}
	}
	for _, m := range d.Materials {
		set(m.NormalTexture, usageNormal)
		set(m.OcclusionTexture, usageData)
		if m.PBR != nil {
			set(m.PBR.MetallicRoughnessTexture, usageData)
		}
		for name := range m.Extensions {
			extensionUsages(m.Extensions, name, set)
		}
	}
	return out
}

// extensionUsages finds the textures of the KHR_materials_* extensions: by their
// names all but those of colour hold numbers.
func extensionUsages(e gltf.Extensions, name string, set func(*gltf.TextureInfo, usage)) {
	var members map[string]json.RawMessage
	if have, err := e.Get(name, &members); err != nil || !have {
		return
	}
	for key, raw := range members {
		var t gltf.TextureInfo
		if len(key) < 8 || key[len(key)-7:] != "Texture" || json.Unmarshal(raw, &t) != nil {
			continue
		}
		switch key {
		case "clearcoatNormalTexture":
			set(&t, usageNormal)
		case "diffuseTexture", "specularGlossinessTexture", "specularColorTexture", "sheenColorTexture":
		default:
			set(&t, usageData)
		}
	}
}

// imagesOf lists the images of a texture: its source, and those of extensions.
func imagesOf(t *gltf.Texture) []int {
	var out []int
	if t.Source != nil {
		out = append(out, *t.Source)
	}
	for _, name := range []string{gltf.ExtWebP, gltf.ExtBasisu, gltf.ExtAVIF} {
		var e struct {
			Source int `json:"source"`
		}
		if have, err := t.Extensions.Get(name, &e); have && err == nil {
			out = append(out, e.Source)
		}
	}
	return out
}

// decodeImage decodes PNG, JPEG and WebP. ok is false where the format is another
// one, which is kept.
func decodeImage(data []byte) (img image.Image, ok bool, err error) {
	var config image.Config
	var decode func() (image.Image, error)
	switch {
	case bytes.HasPrefix(data, []byte("\x89PNG")):
		config, err = png.DecodeConfig(bytes.NewReader(data))
		decode = func() (image.Image, error) { return png.Decode(bytes.NewReader(data)) }
	case bytes.HasPrefix(data, []byte("\xff\xd8")):
		config, err = jpeg.DecodeConfig(bytes.NewReader(data))
		decode = func() (image.Image, error) { return jpeg.Decode(bytes.NewReader(data)) }
	case len(data) > 12 && string(data[8:12]) == "WEBP":
		config, err = webp.DecodeConfig(bytes.NewReader(data))
		decode = func() (image.Image, error) { return webp.Decode(bytes.NewReader(data)) }
	default:
		return nil, false, nil
	}
	if err != nil {
		return nil, true, err
	}
	if int64(config.Width)*int64(config.Height) > maxPixels {
		return nil, true, fmt.Errorf("%w: %d × %d, %d are the most", errTooManyPixels, config.Width, config.Height, maxPixels)
	}
	img, err = decode()
	return img, true, err
}

// checkImage tells whether the header of an image can be read and its size be
// borne.
func checkImage(data []byte) error {
	config, _, err := image.DecodeConfig(bytes.NewReader(data))
	switch {
	case errors.Is(err, image.ErrFormat):
		return nil // KTX2, AVIF and the like are kept
	case err != nil:
		return err
	case int64(config.Width)*int64(config.Height) > maxPixels:
		return fmt.Errorf("%w: %d × %d, %d are the most", errTooManyPixels, config.Width, config.Height, maxPixels)
	}
	return nil
}

// neutral is a picture of one pixel that changes nothing where a texture is missing.
func neutral(u usage) ([]byte, error) {
	img := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	c := color.NRGBA{255, 255, 255, 255}
	if u == usageNormal {
		c = color.NRGBA{128, 128, 255, 255}
	}
	img.SetNRGBA(0, 0, c)
	var b bytes.Buffer
	err := png.Encode(&b, img)
	return b.Bytes(), err
}

// mendImages puts a neutral picture where an image could not be read, and takes EXIF
// out of the others.
func mendImages(d *gltf.Document, warn func(string)) error {
	use := usages(d)
	for i, m := range d.Images {
		if m.BufferView != nil {
			data := d.BufferViews[*m.BufferView].Data
			err := checkImage(data)
			if err == nil {
				if plain := withoutExif(data); len(plain) != len(data) {
					m.BufferView = gltf.Ref(d.AddView(plain, 0))
				}
				continue
			}
			warn(fmt.Sprintf("image %d (%s) is left out: %v", i, m.Name, err))
		}
		data, err := neutral(use[i])
		if err != nil {
			return err
		}
		m.URI, m.MimeType, m.BufferView = "", "image/png", gltf.Ref(d.AddView(data, 0))
	}
	return nil
}

var errTooManyPixels = errors.New("too many pixels")

// textureFile is an image of a level that was made anew.
type textureFile struct {
	Image int    `json:"image"`
	Side  int    `json:"side"` // longest side allowed; 0 is any
	File  string `json:"file"`
	Mime  string `json:"mime"`
}

type textureSet struct {
	Files []textureFile `json:"files"`
}

// runTextures makes the images of all levels.
func runTextures(ctx context.Context, s *pipeline.Context) error {
	d, err := openScene(s)
	if err != nil {
		return err
	}
	dir := s.Product(productTextures)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	sides := map[int]bool{}
	for _, l := range levelsOf(s.Options()) {
		sides[l.Texture] = true
	}
	use := usages(d)
	made := make([][]textureFile, len(d.Images))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, s.Workers()))
	for i, m := range d.Images {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			made[i], err = makeTextures(ctx, dir, i, d.BufferViews[*m.BufferView].Data, use[i], sides, s.Options().Quality)
			if err != nil {
				s.Warn("image %d (%s) is kept as it is: %v", i, m.Name, err)
				return ctx.Err()
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	var set textureSet
	for _, files := range made {
		set.Files = append(set.Files, files...)
	}
	text, err := json.Marshal(set)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "textures.json"), text, 0o666)
}

// makeTextures writes one image for each longest side, where that is smaller than
// what there is.
func makeTextures(ctx context.Context, dir string, i int, data []byte, u usage, sides map[int]bool, quality float64) ([]textureFile, error) {
	img, ok, err := decodeImage(data)
	if !ok || err != nil {
		return nil, err
	}
	full := texture.New(img)
	var out []textureFile
	for side := range sides {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		small := full
		for side > 0 && max(small.Width, small.Height) > side {
			small = small.Half(u == usageColor, u == usageNormal)
		}
		if small == full && bytes.HasPrefix(data, []byte("\xff\xd8")) {
			continue // JPEG gets worse each time
		}
		encoded, mime, err := encodeTexture(small, u, quality)
		if err != nil {
			return nil, err
		}
		if small == full && len(encoded) >= len(data) {
			continue
		}
		f := textureFile{Image: i, Side: side, File: fmt.Sprintf("%d-%d", i, side), Mime: mime}
		if err := os.WriteFile(filepath.Join(dir, f.File), encoded, 0o666); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// encodeTexture picks what is smallest: JPEG where nothing is transparent, else
// lossless WebP or PNG.
func encodeTexture(p *texture.Image, u usage, quality float64) ([]byte, string, error) {
	img := p.NRGBA()
	var b bytes.Buffer
	if !p.Transparent() && quality < 1 {
		q := 70 + int(25*quality)
		if u != usageColor {
			q = min(q+8, 98)
		}
		if err := jpeg.Encode(&b, opaque(img), &jpeg.Options{Quality: q}); err != nil {
			return nil, "", err
		}
		return b.Bytes(), "image/jpeg", nil
	}
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, img); err != nil {
		return nil, "", err
	}
	var w bytes.Buffer
	if err := nativewebp.Encode(&w, img, nil); err != nil {
		return nil, "", err
	}
	if w.Len() < b.Len() {
		return w.Bytes(), "image/webp", nil
	}
	return b.Bytes(), "image/png", nil
}

// opaque shows pixels as image.RGBA, which the JPEG encoder knows.
func opaque(p *image.NRGBA) image.Image {
	return &image.RGBA{Pix: p.Pix, Stride: p.Stride, Rect: p.Rect}
}

func readTextures(s *pipeline.Context) (*textureSet, error) {
	text, err := os.ReadFile(filepath.Join(s.Product(productTextures), "textures.json"))
	if err != nil {
		return nil, err
	}
	set := &textureSet{}
	return set, json.Unmarshal(text, set)
}

// put replaces the images of a document by those of a level.
func (set *textureSet) put(d *gltf.Document, s *pipeline.Context, l levelSpec) error {
	for _, f := range set.Files {
		if f.Side != l.Texture {
			continue
		}
		data, err := os.ReadFile(filepath.Join(s.Product(productTextures), f.File))
		if err != nil {
			return err
		}
		setImage(d, f.Image, data, f.Mime)
	}
	return nil
}

// setImage gives an image other bytes; textures refer to WebP by its extension.
func setImage(d *gltf.Document, i int, data []byte, mime string) {
	m := d.Images[i]
	m.MimeType, m.BufferView = mime, gltf.Ref(d.AddView(data, 0))
	for _, t := range d.Textures {
		for _, k := range imagesOf(t) {
			if k != i {
				continue
			}
			delete(t.Extensions, gltf.ExtWebP)
			t.Source = gltf.Ref(i)
			if mime == "image/webp" {
				if t.Extensions == nil {
					t.Extensions = gltf.Extensions{}
				}
				t.Extensions[gltf.ExtWebP] = map[string]any{"source": i}
				t.Source = nil
				d.Use(gltf.ExtWebP, true)
			}
		}
	}
	if !usesWebP(d) {
		d.Forget(gltf.ExtWebP)
	}
}

func usesWebP(d *gltf.Document) bool {
	for _, t := range d.Textures {
		if _, ok := t.Extensions[gltf.ExtWebP]; ok {
			return true
		}
	}
	return false
}

// imageSize returns the pixels of an image, 0 where it is of another format.
func imageSize(data []byte) (width, height int) {
	if config, _, err := image.DecodeConfig(bytes.NewReader(data)); err == nil {
		return config.Width, config.Height
	}
	return 0, 0
}
