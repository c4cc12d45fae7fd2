package mesh_test

import (
	"bytes"
	"image"
	"image/color"
	_ "image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/geom/texture"
)

// gradient is a picture whose colour tells the place.
func gradient(t *testing.T, n int) *texture.Image {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, n, n))
	for y := range n {
		for x := range n {
			img.SetNRGBA(x, y, color.NRGBA{uint8(40 + 200*x/n), uint8(40 + 200*y/n), 90, 255})
		}
	}
	return texture.New(img)
}

// sheet is a square of n×n vertices with two sets of texture coordinates, 0 to 1 in
// the first, and half of that in the second.
func sheet(t *testing.T, n int, material *gltf.Material, picture *texture.Image) *gltf.Document {
	t.Helper()
	d := &gltf.Document{}
	g := &gltf.Geometry{Mode: gltf.ModeTriangles, Material: 0}
	var first, second []float32
	for y := range n {
		for x := range n {
			u, v := float32(x)/float32(n-1), float32(y)/float32(n-1)
			g.Positions = append(g.Positions, 10*u, float32(math.Sin(float64(3*u)))/2, 10*v)
			first, second = append(first, u, v), append(second, u/2, v/2)
		}
	}
	for y := range uint32(n - 1) {
		for x := range uint32(n - 1) {
			a := y*uint32(n) + x
			g.Indices = append(g.Indices, a, a+uint32(n), a+1, a+1, a+uint32(n), a+uint32(n)+1)
		}
	}
	p := d.AddGeometry(g)
	uv := gltf.Format{Component: gltf.Float, Components: 2, Target: gltf.ArrayBuffer}
	p.Attributes["TEXCOORD_0"], p.Attributes["TEXCOORD_1"] = d.AddFloats(first, uv), d.AddFloats(second, uv)
	var b bytes.Buffer
	if err := png.Encode(&b, picture.NRGBA()); err != nil {
		t.Fatal(err)
	}
	d.AddTexture("gradient", b.Bytes(), nil)
	d.Materials = []*gltf.Material{material}
	d.Use(gltf.ExtTextureTransform, true)
	d.SetRoots(d.AddNode(&gltf.Node{Mesh: gltf.Ref(d.AddMesh("sheet", p))}))
	return d
}

func writeDocument(t *testing.T, name string, d *gltf.Document) string {
	t.Helper()
	data, err := gltf.AppendGLB(nil, d)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func moved(texCoord int, offset, scale [2]float64, rotation float64) *gltf.TextureInfo {
	info := &gltf.TextureInfo{}
	info.Extensions = gltf.Extensions{gltf.ExtTextureTransform: map[string]any{"texCoord": texCoord, "offset": offset, "scale": scale, "rotation": rotation}}
	return info
}

// TestTextureTransform: tiles of a model whose coordinates are moved have the result,
// with the part of the texture that they use; each vertex has the colour that it has
// in the model.
func TestTextureTransform(t *testing.T) {
	picture := gradient(t, 256)
	for name, info := range map[string]*gltf.TextureInfo{
		"part":   moved(0, [2]float64{0.3, 0.6}, [2]float64{0.2, 0.25}, 0),
		"upside": moved(0, [2]float64{0, 0}, [2]float64{1, -1}, 0),
		"turned": moved(0, [2]float64{0.1, 3.7}, [2]float64{0.4, 0.3}, math.Pi/2),
		"second": moved(1, [2]float64{0.2, 0.2}, [2]float64{0.5, 1}, -0.1),
	} {
		t.Run(name, func(t *testing.T) {
			path := writeDocument(t, "sheet.glb", sheet(t, 12, &gltf.Material{PBR: &gltf.PBR{BaseColorTexture: info}, DoubleSided: true}, picture))
			_, dir := process(t, path, `{"formats":["3dtiles"],"dracoCompression":0}`)
			validate(t, dir)
			d := tile(t, dir)
			if slices.Contains(d.ExtensionsUsed, gltf.ExtTextureTransform) || len(d.Meshes[0].Primitives[0].Attributes) != 2 {
				t.Errorf("extensions %q, attributes %v", d.ExtensionsUsed, d.Meshes[0].Primitives[0].Attributes)
			}
			got := d.Materials[0].PBR.BaseColorTexture
			if got.TexCoord != 0 || len(got.Extensions) > 0 {
				t.Errorf("the texture is %+v", got)
			}
			sameColors(t, d, open(t, path), picture)
		})
	}
}

// tile opens the only tile.
func tile(t *testing.T, dir string) *gltf.Document {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "3dtiles", "tiles", "*.glb"))
	if err != nil || len(files) != 1 {
		t.Fatalf("tiles %q, %v", files, err)
	}
	return open(t, files[0])
}

// sameColors compares the colours of vertices at the same places, a frame turned.
func sameColors(t *testing.T, got, want *gltf.Document, picture *texture.Image) {
	t.Helper()
	move, err := want.Materials[0].PBR.BaseColorTexture.Transform()
	if err != nil {
		t.Fatal(err)
	}
	uv := floats(t, want, "TEXCOORD_"+string(rune('0'+move.TexCoord)))
	move.Apply(uv)
	colors := map[[2]int][4]float32{}
	for i, p := range positions(t, want) {
		colors[place(p)] = picture.Sample(uv[2*i], uv[2*i+1])
	}
	tex := got.Textures[got.Materials[0].PBR.BaseColorTexture.Index]
	img, _, err := image.Decode(bytes.NewReader(got.BufferViews[*got.Images[*tex.Source].BufferView].Data))
	if err != nil {
		t.Fatal(err)
	}
	have, uv := texture.New(img), floats(t, got, "TEXCOORD_0")
	if n := got.Accessors[got.Meshes[0].Primitives[0].Attributes["TEXCOORD_0"]].Count; n != 144 {
		t.Fatalf("%d vertices", n)
	}
	for i, p := range positions(t, got) {
		w, ok := colors[place(p)]
		if !ok {
			t.Fatalf("a vertex at %v", p)
		}
		// At the edge of the whole texture filtering goes round.
		if u, v := uv[2*i], uv[2*i+1]; math.Abs(float64(u)-math.Round(float64(u))) < 0.02 || math.Abs(float64(v)-math.Round(float64(v))) < 0.02 {
			continue
		}
		c := have.Sample(uv[2*i], uv[2*i+1])
		for k := range 3 {
			if math.Abs(float64(c[k]-w[k])) > 0.05 {
				t.Fatalf("the vertex at %v has the colour %v, want %v", p, c, w)
			}
		}
	}
}

func place(p [3]float32) [2]int {
	return [2]int{int(math.Round(float64(p[0]) * 100)), int(math.Round(float64(p[2]) * 100))}
}

func floats(t *testing.T, d *gltf.Document, name string) []float32 {
	t.Helper()
	v, err := d.Floats(d.Meshes[0].Primitives[0].Attributes[name])
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestTextureTransformsDiffer: textures that move coordinates each in its way keep
// what they say, and the coordinates are as they were.
func TestTextureTransformsDiffer(t *testing.T) {
	m := &gltf.Material{
		PBR: &gltf.PBR{BaseColorTexture: moved(0, [2]float64{0.5, 0}, [2]float64{2, 2}, 0)}, EmissiveFactor: &[3]float64{1, 1, 1},
		EmissiveTexture: moved(1, [2]float64{0, 0}, [2]float64{1, -1}, 0),
	}
	_, dir := process(t, writeDocument(t, "sheet.glb", sheet(t, 12, m, gradient(t, 64))), `{"formats":["3dtiles"]}`)
	validate(t, dir)
	d := tile(t, dir)
	for i, pair := range [][2]*gltf.TextureInfo{{m.PBR.BaseColorTexture, d.Materials[0].PBR.BaseColorTexture}, {m.EmissiveTexture, d.Materials[0].EmissiveTexture}} {
		want, _ := pair[0].Transform()
		got, err := pair[1].Transform()
		if err != nil || got != want {
			t.Errorf("texture %d: %+v, %v, want %+v", i, got, err, want)
		}
	}
	if !slices.Contains(d.ExtensionsRequired, gltf.ExtTextureTransform) || len(d.Meshes[0].Primitives[0].Attributes) != 3 {
		t.Errorf("required %q, attributes %v", d.ExtensionsRequired, d.Meshes[0].Primitives[0].Attributes)
	}
}

// TestTextureTransformDrawn: the picture of a model whose coordinates are moved is
// that of one with the result.
func TestTextureTransformDrawn(t *testing.T) {
	picture := gradient(t, 256)
	glow := &[3]float64{0.5, 0.5, 0.5}
	info, emissive := moved(1, [2]float64{0.25, 1.5}, [2]float64{1.5, 0.75}, 0.6), moved(0, [2]float64{0, 1}, [2]float64{1, -1}, 0)
	draw := func(d *gltf.Document) []byte {
		_, dir := process(t, writeDocument(t, "sheet.glb", d), `{"formats":["thumbnail"]}`)
		data, err := os.ReadFile(filepath.Join(dir, "thumbnail.png"))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	got := draw(sheet(t, 12, &gltf.Material{PBR: &gltf.PBR{BaseColorTexture: info}, EmissiveTexture: emissive, EmissiveFactor: glow, DoubleSided: true}, picture))
	d := sheet(t, 12, &gltf.Material{PBR: &gltf.PBR{BaseColorTexture: &gltf.TextureInfo{}}, EmissiveTexture: &gltf.TextureInfo{TexCoord: 1}, EmissiveFactor: glow, DoubleSided: true}, picture)
	plain := draw(d)
	base, second := floats(t, d, "TEXCOORD_1"), floats(t, d, "TEXCOORD_0")
	for i := 0; i < len(base); i += 2 {
		s, c := math.Sincos(0.6)
		u, v := 1.5*float64(base[i]), 0.75*float64(base[i+1])
		base[i], base[i+1] = float32(0.25+c*u+s*v), float32(1.5-s*u+c*v)
		second[i+1] = 1 - second[i+1]
	}
	uv := gltf.Format{Component: gltf.Float, Components: 2, Target: gltf.ArrayBuffer}
	attributes := d.Meshes[0].Primitives[0].Attributes
	attributes["TEXCOORD_0"], attributes["TEXCOORD_1"] = d.AddFloats(base, uv), d.AddFloats(second, uv)
	if want := draw(d); difference(t, got, want) > 0.01 || difference(t, got, plain) < 1 {
		t.Errorf("%g off; %g off the picture without", difference(t, got, want), difference(t, got, plain))
	}
}

// difference is the mean one of two pictures, of 255.
func difference(t *testing.T, a, b []byte) float64 {
	t.Helper()
	var img [2]*texture.Image
	for i, data := range [][]byte{a, b} {
		p, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		img[i] = texture.New(p)
	}
	sum := 0.0
	for i, v := range img[0].Pix {
		sum += math.Abs(float64(v) - float64(img[1].Pix[i]))
	}
	return sum / float64(len(img[0].Pix))
}
