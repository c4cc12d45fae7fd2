package mesh

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/geom/topology"
	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/mapped"
	"slate360.ai/worker/internal/pipeline"
)

// Analysis is what is known of a model.
type Analysis struct {
	Format     string   `json:"format"`
	Vertices   int64    `json:"vertices"`
	Triangles  int64    `json:"triangles"`
	Points     int64    `json:"points,omitempty"`
	Meshes     int      `json:"meshes"`
	Primitives int      `json:"primitives"`
	Nodes      int      `json:"nodes"`
	Materials  int      `json:"materials"`
	Animations []string `json:"animations"`
	Skins      int      `json:"skins,omitempty"`
	// Extensions that the file uses.
	Extensions  []string      `json:"extensions"`
	HasTextures bool          `json:"hasTextures"`
	HasUVs      bool          `json:"hasUVs"`
	HasNormals  bool          `json:"hasNormals"`
	HasColors   bool          `json:"hasColors"`
	Textures    []TextureInfo `json:"textures"`
	// Bounds and Size in metres, as glTF has it, in the places of the scene.
	Bounds   [2][3]float64   `json:"bounds"`
	Size     [3]float64      `json:"size"`
	Offset   *[3]float64     `json:"offset,omitempty"`
	Topology topology.Report `json:"topology"`
	// EstimatedSize is about the bytes of the Draco GLB.
	EstimatedSize int64    `json:"estimatedSize"`
	SourceSize    int64    `json:"sourceSize"`
	Warnings      []string `json:"warnings,omitempty"`
}

// TextureInfo is what is known of an image.
type TextureInfo struct {
	Name   string `json:"name,omitempty"`
	Type   string `json:"type"`
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
	Bytes  int    `json:"bytes"`
	Usage  string `json:"usage"`
}

// runAnalysis puts what is known of the model into the result.
func runAnalysis(ctx context.Context, s *pipeline.Context) error {
	d, err := openScene(s)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(s.Product(productMeta))
	if err != nil {
		return err
	}
	var m meta
	if err := json.Unmarshal(text, &m); err != nil {
		return err
	}
	a, err := analyze(ctx, d)
	if err != nil {
		return err
	}
	a.Format, a.SourceSize = m.Format, m.Size
	s.SetAnalysis("mesh", a)
	return nil
}

// Bytes that Draco takes for a vertex with texture coordinates, at 14 and 12 bits,
// about.
const bytesPerVertex = 3

func analyze(ctx context.Context, d *gltf.Document) (*Analysis, error) {
	a := &Analysis{Meshes: len(d.Meshes), Nodes: len(d.Nodes), Materials: len(d.Materials), Skins: len(d.Skins), Animations: []string{}, Extensions: slices.Clone(d.ExtensionsUsed), Textures: []TextureInfo{}}
	for _, n := range d.Animations {
		a.Animations = append(a.Animations, n.Name)
	}
	if a.Extensions == nil {
		a.Extensions = []string{}
	}
	a.Vertices, a.Triangles = count(d)
	for _, m := range d.Meshes {
		a.Primitives += len(m.Primitives)
		a.HasUVs = a.HasUVs || hasAttribute(m, "TEXCOORD_0")
		a.HasNormals = a.HasNormals || hasAttribute(m, "NORMAL")
		a.HasColors = a.HasColors || hasAttribute(m, "COLOR_0")
		for _, p := range m.Primitives {
			if k, ok := p.Attributes["POSITION"]; ok && p.Mode == gltf.ModePoints {
				a.Points += int64(d.Accessors[k].Count)
			}
		}
	}
	a.HasTextures = len(d.Textures) > 0
	a.textures(d)
	if err := a.bounds(d); err != nil {
		return nil, err
	}
	for _, n := range d.Nodes {
		var extras struct {
			Offset *[3]float64 `json:"offset"`
		}
		if len(n.Extras) > 0 && json.Unmarshal(n.Extras, &extras) == nil && extras.Offset != nil {
			a.Offset = extras.Offset
		}
	}
	m, err := newModel(d, false)
	if err != nil {
		return nil, pipeline.BadInput(err, "")
	}
	a.Topology = topology.Analyze(m.mesh.Positions, m.mesh.Indices)
	a.EstimatedSize += bytesPerVertex * a.Vertices
	return a, ctx.Err()
}

func (a *Analysis) textures(d *gltf.Document) {
	use := usages(d)
	for i, m := range d.Images {
		t := TextureInfo{Name: m.Name, Type: m.MimeType, Usage: string(use[i])}
		if m.BufferView != nil {
			data := d.BufferViews[*m.BufferView].Data
			t.Bytes = len(data)
			t.Width, t.Height = imageSize(data)
		}
		a.EstimatedSize += int64(t.Bytes)
		a.Textures = append(a.Textures, t)
	}
}

func (a *Analysis) bounds(d *gltf.Document) error {
	list, err := d.Instances()
	if err != nil {
		return err
	}
	lo, hi := [3]float64{math.Inf(1), math.Inf(1), math.Inf(1)}, [3]float64{math.Inf(-1), math.Inf(-1), math.Inf(-1)}
	for _, at := range list {
		for _, p := range d.Meshes[at.Mesh].Primitives {
			k, ok := p.Attributes["POSITION"]
			if !ok {
				continue
			}
			v, err := d.Floats(k)
			if err != nil {
				return err
			}
			for i := 0; i+2 < len(v); i += 3 {
				q := at.World.Point([3]float64{float64(v[i]), float64(v[i+1]), float64(v[i+2])})
				for k := range 3 {
					if q[k]-q[k] == 0 {
						lo[k], hi[k] = min(lo[k], q[k]), max(hi[k], q[k])
					}
				}
			}
		}
	}
	for k := range 3 {
		if hi[k] >= lo[k] {
			a.Bounds[0][k], a.Bounds[1][k], a.Size[k] = lo[k], hi[k], hi[k]-lo[k]
		}
	}
	return nil
}

// Info is what the info command says of a model.
type Info struct {
	File string `json:"file"`
	*Analysis
}

// ReadInfo reads what a model holds. Damaged files are a pipeline.BadInputError.
func ReadInfo(ctx context.Context, path, format string, workers int) (*Info, error) {
	m, err := mapped.Open(path)
	if err != nil {
		return nil, pipeline.BadInput(err, "")
	}
	defer m.Close()
	warnings := []string{}
	d, err := read(path, format, m.Bytes(), workers, func(msg string) { warnings = append(warnings, msg) })
	if err != nil {
		return nil, pipeline.BadInput(err, "")
	}
	used := slices.Clone(d.ExtensionsUsed)
	a, err := analyze(ctx, d)
	if err != nil {
		return nil, err
	}
	a.Format, a.SourceSize, a.Warnings, a.Extensions = format, int64(len(m.Bytes())), warnings, used
	return &Info{filepath.Base(path), a}, nil
}

// WriteText writes the info for people.
func (i *Info) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, f string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(f, args...)) }
	row("file", "%s (%s, %s)", i.File, i.Format, format.Bytes(i.SourceSize))
	row("vertices", "%s", format.Count(i.Vertices))
	row("triangles", "%s", format.Count(i.Triangles))
	if i.Points > 0 {
		row("points", "%s", format.Count(i.Points))
	}
	row("meshes", "%d in %d primitives, %d nodes, %d materials", i.Meshes, i.Primitives, i.Nodes, i.Materials)
	row("size", "%.4g × %.4g × %.4g m", i.Size[0], i.Size[1], i.Size[2])
	row("bounds", "%.6g … %.6g", i.Bounds[0], i.Bounds[1])
	if i.Offset != nil {
		row("offset", "%v was taken off the coordinates", *i.Offset)
	}
	row("attributes", "%s", strings.Join(yes(map[string]bool{"normals": i.HasNormals, "texture coordinates": i.HasUVs, "colours": i.HasColors}), ", "))
	r := i.Topology
	row("surface", "%d parts, %s border edges, %s edges of more than two triangles", r.Parts, format.Count(r.BorderEdges), format.Count(r.NonManifoldEdges))
	row("watertight", "%t", r.Watertight)
	row("degenerate", "%s triangles without area, %s twice", format.Count(r.Degenerate), format.Count(r.Duplicate))
	for k, x := range i.Textures {
		row(fmt.Sprintf("texture %d", k), "%s %d × %d, %s, %s %s", x.Type, x.Width, x.Height, format.Bytes(int64(x.Bytes)), x.Usage, x.Name)
	}
	if len(i.Animations) > 0 {
		row("animations", "%d: %s", len(i.Animations), strings.Join(i.Animations, ", "))
	}
	if len(i.Extensions) > 0 {
		row("extensions", "%s", strings.Join(i.Extensions, ", "))
	}
	for _, msg := range i.Warnings {
		row("warning", "%s", msg)
	}
	return t.Flush()
}

func yes(m map[string]bool) []string {
	var out []string
	for k, v := range m {
		if v {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	if out == nil {
		return []string{"positions only"}
	}
	return out
}
