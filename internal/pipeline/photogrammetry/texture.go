package photogrammetry

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/codec/obj"
	"slate360.ai/worker/geom/mvs/workspace"
	"slate360.ai/worker/geom/texturing"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// generator is who made a file.
const generator = "slate360-worker"

// textureTexels bounds all pages together: at default quality some 100 million, as
// much as two pages of 8,192 hold three quarters full.
func textureTexels(o job.Options) int64 { return int64(20e6 * math.Pow(7.5, o.Quality)) }

func textureOptions(s *pipeline.Context) texturing.Options {
	return texturing.Options{Texels: textureTexels(s.Options()), Workers: s.Workers()}
}

func textureMemory(s *pipeline.Context) int64 {
	triangles, views, pixels := int64(500_000), 16, int64(12<<20)
	if info, err := os.Stat(s.Product(productSurface)); err == nil {
		const bytesPerTriangle = 13 + 6 // and half a vertex
		triangles = info.Size() / bytesPerTriangle
	}
	if w, err := workspace.Open(s.Product(productUndistorted), workspace.Options{}); err == nil {
		views, pixels = len(w.Views()), 0
		for _, v := range w.Views() {
			pixels = max(pixels, int64(v.Camera.Width)*int64(v.Camera.Height))
		}
	}
	return texturing.Bytes(triangles, views, pixels, textureOptions(s))
}

// runTexture gives the surface textures from the photos.
func runTexture(ctx context.Context, s *pipeline.Context) error {
	positions, triangles, err := readSurface(s)
	if err != nil {
		return err
	}
	w, err := workspace.Open(s.Product(productUndistorted), workspace.Options{})
	if err != nil {
		return err
	}
	views := make([]texturing.View, len(w.Views()))
	for i, v := range w.Views() {
		views[i] = texturing.View{Camera: v.Camera, Pose: v.Pose}
	}
	const share = 0.9
	r, err := texturing.Texture(ctx, positions, triangles, views, w, textureOptions(s), func(done float64) { s.Progress(share*done, 1) })
	if err != nil {
		return err
	}
	s.SetAnalysis("texture", map[string]any{
		"pages": len(r.Pages), "patches": r.Patches, "unseenTriangles": r.Unseen, "texelsPerPixel": math.Round(1000*r.Scale) / 1000,
	})
	pages, err := encodePages(ctx, r.Pages, s.Workers())
	if err != nil {
		return err
	}
	return deliverTextured(s, r.Pages, pages)
}

// deliverTextured writes the product, and the OBJ where that is wanted.
func deliverTextured(s *pipeline.Context, pages []texturing.Page, textures [][]byte) error {
	if err := writeTextured(s.Product(productTextured), pages, textures); err != nil {
		return err
	}
	if !s.Options().Wants(job.TypeOBJ) {
		return nil
	}
	return publishOBJ(s, pages, textures)
}

// readTexturedOBJ reads a textured model as another program wrote it: a page for each
// of its textures.
func readTexturedOBJ(dir string) (pages []texturing.Page, textures [][]byte, err error) {
	data, err := os.ReadFile(filepath.Join(dir, texturedName))
	if err != nil {
		return nil, nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	d, err := obj.Read(data, obj.Options{File: func(name string) ([]byte, error) { return root.ReadFile(name) }})
	if err != nil {
		return nil, nil, err
	}
	for _, m := range d.Meshes {
		for _, p := range m.Primitives {
			page, texture, err := pageOf(d, p)
			if err != nil {
				return nil, nil, err
			}
			pages, textures = append(pages, page), append(textures, texture)
		}
	}
	return pages, textures, nil
}

func pageOf(d *gltf.Document, p *gltf.Primitive) (page texturing.Page, texture []byte, err error) {
	uv, ok := p.Attributes["TEXCOORD_0"]
	if !ok || p.Material == nil || d.Materials[*p.Material].PBR.BaseColorTexture == nil || p.Indices == nil {
		return page, nil, errors.New("a part of the model has no texture")
	}
	if page.Positions, err = d.Floats(p.Attributes["POSITION"]); err != nil {
		return page, nil, err
	}
	if page.UV, err = d.Floats(uv); err != nil {
		return page, nil, err
	}
	if page.Triangles, err = d.Indices(*p.Indices); err != nil {
		return page, nil, err
	}
	t := d.Textures[d.Materials[*p.Material].PBR.BaseColorTexture.Index]
	return page, d.BufferViews[*d.Images[*t.Source].BufferView].Data, nil
}

// pageQuality is the JPEG quality of textures: the mesh pipeline compresses them for
// the web.
const pageQuality = 92

func encodePages(ctx context.Context, pages []texturing.Page, workers int) ([][]byte, error) {
	out := make([][]byte, len(pages))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(workers, 1))
	for i := range pages {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			var b bytes.Buffer
			if err := jpeg.Encode(&b, pageImage(&pages[i]), &jpeg.Options{Quality: pageQuality}); err != nil {
				return fmt.Errorf("encode texture: %w", err)
			}
			out[i] = b.Bytes()
			return nil
		})
	}
	return out, g.Wait()
}

func pageImage(p *texturing.Page) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, p.Width, p.Height))
	for i, j := 0, 0; i+2 < len(p.Pix); i, j = i+3, j+4 {
		img.Pix[j], img.Pix[j+1], img.Pix[j+2], img.Pix[j+3] = p.Pix[i], p.Pix[i+1], p.Pix[i+2], 255
	}
	return img
}

// writeTextured writes a GLB: a primitive a page, y up as glTF has it, so that x is
// east and -z north.
func writeTextured(path string, pages []texturing.Page, textures [][]byte) error {
	d := &gltf.Document{ExtensionsUsed: []string{extUnlit}}
	d.Asset.Generator = generator
	var primitives []*gltf.Primitive
	for i := range pages {
		p := &pages[i]
		up := make([]float32, len(p.Positions))
		for v := 0; v < len(up); v += 3 {
			up[v], up[v+1], up[v+2] = p.Positions[v], p.Positions[v+2], -p.Positions[v+1]
		}
		t := d.AddTexture(fmt.Sprintf("page%d", i), textures[i], &gltf.Sampler{WrapS: gltf.ClampToEdge, WrapT: gltf.ClampToEdge})
		m := &gltf.Material{PBR: &gltf.PBR{MetallicFactor: new(float64), BaseColorTexture: &gltf.TextureInfo{Index: t}}}
		// Light is in the photos already.
		m.Extensions = gltf.Extensions{extUnlit: struct{}{}}
		d.Materials = append(d.Materials, m)
		primitives = append(primitives, d.AddGeometry(&gltf.Geometry{
			Mode: gltf.ModeTriangles, Positions: up, UVs: p.UV, Indices: p.Triangles, Material: len(d.Materials) - 1,
		}))
	}
	d.SetRoots(d.AddNode(&gltf.Node{Mesh: gltf.Ref(d.AddMesh("surface", primitives...))}))
	return writeFile(path, func(f *os.File) error {
		w := bufio.NewWriterSize(f, 1<<20)
		return errors.Join(gltf.WriteGLB(w, d), w.Flush())
	})
}

// extUnlit says that a material is shown as its texture is.
const extUnlit = "KHR_materials_unlit"

// objName is the textured model for programs that want OBJ: in the local frame.
const objName = "textured.obj"

func publishOBJ(s *pipeline.Context, pages []texturing.Page, textures [][]byte) error {
	m := obj.Model{Library: "textured.mtl", Comment: "metres, x east, y north, z up; where the origin lies: result.json, analysis.frame"}
	var names, files []string
	triangles := 0
	for i := range pages {
		p := &pages[i]
		first := uint32(len(m.Positions) / 3)
		g := obj.Group{Material: fmt.Sprintf("page%d", i), Triangles: make([]uint32, len(p.Triangles))}
		for k, v := range p.Triangles {
			g.Triangles[k] = first + v
		}
		m.Positions = append(m.Positions, p.Positions...)
		for v := 0; v+1 < len(p.UV); v += 2 {
			m.UVs = append(m.UVs, p.UV[v], 1-p.UV[v+1])
		}
		m.Groups = append(m.Groups, g)
		triangles += len(p.Triangles) / 3
		names, files = append(names, g.Material), append(files, fmt.Sprintf("textured_%d.jpg", i))
		if err := os.WriteFile(s.OutputPath(files[i]), textures[i], 0o666); err != nil {
			return fmt.Errorf("write texture: %w", err)
		}
	}
	err := writeFile(s.OutputPath(m.Library), func(f *os.File) error { return obj.WriteMaterials(f, names, files) })
	if err == nil {
		err = writeFile(s.OutputPath(objName), func(f *os.File) error { return obj.Write(f, m) })
	}
	if err != nil {
		return fmt.Errorf("write OBJ: %w", err)
	}
	s.Publish(job.Output{Type: job.TypeOBJ, Path: objName, Vertices: int64(len(m.Positions) / 3), Triangles: int64(triangles)})
	return nil
}

// readTextured reads the textured surface back, in the local frame.
func readTextured(path string) (*gltf.Document, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d, err := gltf.Read(data, gltf.ReadOptions{})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	return d, nil
}
