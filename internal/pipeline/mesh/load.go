package mesh

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"slate360.ai/worker/codec/collada"
	"slate360.ai/worker/codec/fbx"
	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/codec/obj"
	"slate360.ai/worker/codec/ply"
	"slate360.ai/worker/codec/stl"
	"slate360.ai/worker/internal/mapped"
	"slate360.ai/worker/internal/pipeline"
)

const generator = "slate360-worker"

// meta is what is known of the source beside the scene.
type meta struct {
	Format string `json:"format"`
	Size   int64  `json:"size"`
}

// siblings opens files beside a model, and no others: links out of its folder do
// not resolve.
func siblings(source string) func(name string) ([]byte, error) {
	dir := filepath.Dir(source)
	return func(name string) ([]byte, error) {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		f, err := root.Open(filepath.FromSlash(name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the file %q is not beside the model: upload both, as a zip archive or as one .glb", name)
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, maxSibling))
	}
}

// maxSibling is the most bytes of one file beside a model.
const maxSibling = 4 << 30

// read reads a model of any format as glTF. The document refers to data.
func read(path, format string, data []byte, workers int, warn func(string)) (*gltf.Document, error) {
	file := siblings(path)
	switch format {
	case "glb", "gltf":
		return gltf.Read(data, gltf.ReadOptions{File: file, Warn: warn, Workers: workers})
	case "obj":
		d, err := obj.Read(data, obj.Options{File: file, Warn: warn})
		if err != nil {
			return nil, err
		}
		return d, besideTexture(d, path)
	case "ply":
		return ply.Read(data, ply.Options{File: file, Warn: warn})
	case "dae":
		return collada.Read(data, collada.Options{File: file, Warn: warn})
	case "fbx":
		return fbx.Read(data, fbx.Options{File: file, Warn: warn})
	case "stl":
		return stl.Read(data)
	}
	return nil, fmt.Errorf("models of format %s cannot be read", format)
}

// turnUp puts a model whose z is up upright: y is up in glTF.
func turnUp(d *gltf.Document) {
	root := &gltf.Node{Children: d.Roots(), Rotation: &[4]float64{-math.Sqrt2 / 2, 0, 0, math.Sqrt2 / 2}}
	d.Scenes, d.Scene = nil, nil
	d.SetRoots(d.AddNode(root))
}

// besideTexture gives a model without materials but with texture coordinates the
// picture beside it that has its name: spot.png or spot_texture.png for spot.obj.
func besideTexture(d *gltf.Document, path string) error {
	if len(d.Images) > 0 || len(d.Materials) > 0 {
		return nil
	}
	stem := strings.TrimSuffix(path, filepath.Ext(path))
	for _, suffix := range []string{"", "_texture", "_diffuse", "_color", "_albedo"} {
		for _, ext := range []string{".png", ".jpg", ".jpeg", ".webp"} {
			data, err := os.ReadFile(stem + suffix + ext)
			if err != nil {
				continue
			}
			t := d.AddTexture(filepath.Base(stem+suffix), data, nil)
			d.Materials = append(d.Materials, &gltf.Material{PBR: &gltf.PBR{MetallicFactor: new(float64), BaseColorTexture: &gltf.TextureInfo{Index: t}}})
			for _, m := range d.Meshes {
				for _, p := range m.Primitives {
					if _, ok := p.Attributes["TEXCOORD_0"]; ok {
						p.Material = gltf.Ref(len(d.Materials) - 1)
					}
				}
			}
			return nil
		}
	}
	return nil
}

// runImport reads the source into a plain GLB.
func runImport(ctx context.Context, s *pipeline.Context) error {
	if s.Format() == "3ds" {
		d, err := readAny(ctx, s)
		if err != nil {
			return err
		}
		return finishImport(ctx, s, d)
	}
	m, err := mapped.Open(s.Source())
	if err != nil {
		return pipeline.BadInput(err, "")
	}
	defer m.Close()
	d, err := read(s.Source(), s.Format(), m.Bytes(), s.Workers(), func(msg string) { s.Warn("%s", msg) })
	if err != nil {
		return pipeline.BadInput(err, "")
	}
	return finishImport(ctx, s, d)
}

// finishImport writes what was read.
func finishImport(ctx context.Context, s *pipeline.Context, d *gltf.Document) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if up := s.Options().UpAxis; up == "z" || up == "auto" && s.Format() == "stl" {
		turnUp(d)
	}
	if !hasGeometry(d) {
		return pipeline.BadInput(errors.New("the model has no triangles, lines or points to show"), "is the right file uploaded?")
	}
	d.Asset.Generator = generator
	if err := mendImages(d, func(msg string) { s.Warn("%s", msg) }); err != nil {
		return err
	}
	if err := d.Compact(); err != nil {
		return pipeline.BadInput(err, "")
	}
	if err := writeGLB(s.Product(productScene), d); err != nil {
		return err
	}
	info, err := os.Stat(s.Source())
	if err != nil {
		return err
	}
	text, err := json.Marshal(meta{Format: s.Format(), Size: info.Size()})
	if err != nil {
		return err
	}
	return os.WriteFile(s.Product(productMeta), text, 0o666)
}

func hasGeometry(d *gltf.Document) bool {
	for _, m := range d.Meshes {
		for _, p := range m.Primitives {
			if a, ok := p.Attributes["POSITION"]; ok && d.Accessors[a].Count > 0 {
				return true
			}
		}
	}
	return false
}

func writeGLB(path string, d *gltf.Document) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("create %s: %w", filepath.Base(path), err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := gltf.WriteGLB(w, d); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return f.Close()
}

// openScene returns a document of its own for the stage: its views are shared, and
// must not be written to.
func openScene(s *pipeline.Context) (*gltf.Document, error) {
	shared, err := s.Shared(productScene, func() (io.Closer, error) {
		f, err := mapped.Open(s.Product(productScene))
		if err != nil {
			return nil, err
		}
		return f, nil
	})
	if err != nil {
		return nil, err
	}
	return gltf.Read(shared.(*mapped.File).Bytes(), gltf.ReadOptions{Workers: s.Workers()})
}
