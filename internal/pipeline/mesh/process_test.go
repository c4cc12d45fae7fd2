package mesh_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/codec/tiles3d"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/pipeline/mesh"
	"slate360.ai/worker/internal/source"
	"slate360.ai/worker/internal/testdata"
)

// process runs the pipeline over a file.
func process(t *testing.T, path, options string) (job.Result, string) {
	t.Helper()
	result, dir, err := try(t, path, options)
	if err != nil {
		t.Fatal(err)
	}
	return result, dir
}

func try(t *testing.T, path, options string) (job.Result, string, error) {
	t.Helper()
	o, _, err := job.ParseOptions([]byte(options))
	if err != nil {
		t.Fatal(err)
	}
	f, err := source.Sniff(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	result, err := pipeline.Run(context.Background(), mesh.Definition(), pipeline.Request{
		Source: path, Format: string(f), Name: pipeline.NameOf(path), OutDir: dir, Options: o, MemoryBudget: 8 << 30, Workers: 2,
	})
	return result, dir, err
}

func open(t *testing.T, path string) *gltf.Document {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := gltf.Read(data, gltf.ReadOptions{Workers: 2})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return d
}

// TestOutputs puts real files through, whole, and has Khronos' validator look at
// every GLB, and Google's decoder at every bitstream.
func TestOutputs(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	for _, name := range []string{"spot.obj", "stanford-bunny.obj", "2CylinderEngine.glb", "draco/2CylinderEngine.gltf", "Wuson.ply", "Spider_binary.stl", "spider.obj", "duck.dae", "box.fbx", "huesitos.fbx", "animation_with_skeleton.fbx"} {
		t.Run(name, func(t *testing.T) {
			result, dir := process(t, testdata.Path(t, "mesh/"+name), `{"targetVertices":[20000,2000,500]}`)
			kinds := map[string]job.Output{}
			for _, o := range result.Outputs {
				kinds[o.Type] = o
			}
			for _, kind := range []string{"glb_draco", "lod_0", "lod_1", "lod_2", "glb_preview", "tiles_3d", "thumbnail"} {
				if _, ok := kinds[kind]; !ok {
					t.Errorf("there is no %s", kind)
				}
			}
			full := kinds["glb_draco"]
			for i, n := range []int64{20000, 2000, 500} {
				o := kinds[fmt.Sprintf("lod_%d", i)]
				d := open(t, filepath.Join(dir, o.Path))
				have := vertices(d)
				if want := min(n, full.Vertices); have > want*101/100 || o.Vertices != have {
					t.Errorf("%s has %d vertices, said %d, asked for %d", o.Path, have, o.Vertices, want)
				}
			}
			validate(t, dir)
			picture(t, filepath.Join(dir, "thumbnail.png"))
			if _, ok := result.Analysis["mesh"]; !ok {
				t.Error("there is no analysis")
			}
		})
	}
}

func vertices(d *gltf.Document) int64 {
	n := int64(0)
	for _, m := range d.Meshes {
		for _, p := range m.Primitives {
			n += int64(d.Accessors[p.Attributes["POSITION"]].Count)
		}
	}
	return n
}

// validate has the foreign validator look at all GLBs below a folder.
func validate(t *testing.T, dir string) {
	t.Helper()
	script := filepath.Join("testdata", "validate.cjs")
	cmd := exec.Command(testdata.Tool(t, "node"), script, dir)
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(testdata.RepoRoot(t), ".tools", "node_modules"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("the validator: %v\n%s", err, out)
	}
}

// picture tells whether a thumbnail shows something, and not all over.
func picture(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	b := img.Bounds()
	shown := 0
	for y := b.Min.Y; y < b.Max.Y; y++ {
		left, _, _, _ := img.At(b.Min.X, y).RGBA()
		for x := b.Min.X; x < b.Max.X; x++ {
			if r, _, _, _ := img.At(x, y).RGBA(); math.Abs(float64(r)-float64(left)) > 1500 {
				shown++
			}
		}
	}
	if share := float64(shown) / float64(b.Dx()*b.Dy()); share < 0.03 || share > 0.9 {
		t.Errorf("the model takes %.2f of the picture", share)
	}
}

// TestTiles walks the tileset of a model of several tiles: boxes hold what is in
// them, errors fall, leaves have all triangles, and wherever two tiles meet, at
// whatever levels, their border is the same vertex for vertex.
func TestTiles(t *testing.T) {
	path := hills(t, 400)
	result, dir := process(t, path, `{"formats":["3dtiles"],"origin":{"lat":47.5,"lon":8.2,"height":400}}`)
	if len(result.Outputs) != 1 || result.Outputs[0].Tiles < 5 {
		t.Fatalf("%+v", result.Outputs)
	}
	text, err := os.ReadFile(filepath.Join(dir, "3dtiles", "tileset.json"))
	if err != nil {
		t.Fatal(err)
	}
	var set tiles3d.Tileset
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	if m := set.Root.Transform; m == nil || math.Abs(math.Hypot(math.Hypot(m[12], m[13]), m[14])-6.367e6) > 2e4 {
		t.Errorf("the root is not on the globe: %v", m)
	}
	w := walk{t: t, dir: filepath.Join(dir, "3dtiles")}
	w.tile(set.Root, set.GeometricError)
	if w.leaves != 2*399*399 {
		t.Errorf("%d triangles in leaves, want %d", w.leaves, 2*399*399)
	}
	w.borders(set.Root)
	validate(t, filepath.Join(dir, "3dtiles"))
}

type walk struct {
	t      *testing.T
	dir    string
	leaves int
}

func (w *walk) tile(tile *tiles3d.Tile, above float64) {
	if tile.GeometricError >= above {
		w.t.Errorf("%s: error %g below %g", tile.Content.URI, tile.GeometricError, above)
	}
	d := open(w.t, filepath.Join(w.dir, tile.Content.URI))
	b := tile.BoundingVolume.Box
	for _, p := range positions(w.t, d) {
		q := [3]float64{float64(p[0]), -float64(p[2]), float64(p[1])}
		for k := range 3 {
			if math.Abs(q[k]-b[k]) > b[3+4*k]*1.0001+1e-3 {
				w.t.Fatalf("%s: %v lies outside %v", tile.Content.URI, q, b)
			}
		}
	}
	if len(tile.Children) == 0 {
		for _, m := range d.Meshes {
			for _, p := range m.Primitives {
				w.leaves += d.Accessors[*p.Indices].Count / 3
			}
		}
		if tile.GeometricError != 0 {
			w.t.Errorf("leaf %s has the error %g", tile.Content.URI, tile.GeometricError)
		}
	}
	for _, c := range tile.Children {
		w.tile(c, tile.GeometricError)
	}
}

func positions(t *testing.T, d *gltf.Document) [][3]float32 {
	t.Helper()
	var out [][3]float32
	for _, m := range d.Meshes {
		for _, p := range m.Primitives {
			v, err := d.Floats(p.Attributes["POSITION"])
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(v); i += 3 {
				out = append(out, [3]float32(v[i:]))
			}
		}
	}
	return out
}

// edges lists the open edges of a tile, as pairs of places.
func edges(t *testing.T, d *gltf.Document) map[[2][3]float32]bool {
	t.Helper()
	out := map[[2][3]float32]bool{}
	for _, m := range d.Meshes {
		for _, p := range m.Primitives {
			v, err := d.Floats(p.Attributes["POSITION"])
			if err != nil {
				t.Fatal(err)
			}
			in, err := d.Indices(*p.Indices)
			if err != nil {
				t.Fatal(err)
			}
			for i := range in {
				j := i + 1
				if j%3 == 0 {
					j -= 3
				}
				a, b := [3]float32(v[3*in[i]:]), [3]float32(v[3*in[j]:])
				if back := [2][3]float32{b, a}; out[back] {
					delete(out, back)
				} else {
					out[[2][3]float32{a, b}] = true
				}
			}
		}
	}
	return out
}

// borders compares tiles with the same parent, and each with the leaves of its
// siblings: an open edge that does not lie on the rim of the model is an open edge
// of a neighbour, the other way round.
func (w *walk) borders(tile *tiles3d.Tile) {
	var fine func(t *tiles3d.Tile, into map[[2][3]float32]bool)
	fine = func(t *tiles3d.Tile, into map[[2][3]float32]bool) {
		if len(t.Children) == 0 {
			for e := range edges(w.t, open(w.t, filepath.Join(w.dir, t.Content.URI))) {
				into[e] = true
			}
		}
		for _, c := range t.Children {
			fine(c, into)
		}
	}
	for i, c := range tile.Children {
		mine := edges(w.t, open(w.t, filepath.Join(w.dir, c.Content.URI)))
		coarse, leaves := map[[2][3]float32]bool{}, map[[2][3]float32]bool{}
		for j, o := range tile.Children {
			if j != i {
				for e := range edges(w.t, open(w.t, filepath.Join(w.dir, o.Content.URI))) {
					coarse[e] = true
				}
				fine(o, leaves)
			}
		}
		shared := 0
		for e := range leaves {
			back := [2][3]float32{e[1], e[0]}
			if !mine[back] {
				continue
			}
			shared++
			if !coarse[e] {
				w.t.Fatalf("%s: the edge %v is open to the leaves of a neighbour, but not to the neighbour", c.Content.URI, e)
			}
		}
		if shared == 0 {
			w.t.Errorf("%s shares no edge with its neighbours", c.Content.URI)
		}
		w.borders(c)
	}
}

// hills writes a heightfield of n×n vertices as OBJ.
func hills(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	for y := range n {
		for x := range n {
			u, v := float64(x)/float64(n-1), float64(y)/float64(n-1)
			fmt.Fprintf(&b, "v %.6f %.6f %.6f\nvt %.6f %.6f\n", 100*u, 3*math.Sin(9*u)*math.Cos(7*v), 100*v, u, v)
		}
	}
	for y := range n - 1 {
		for x := range n - 1 {
			a := y*n + x + 1
			fmt.Fprintf(&b, "f %d/%d %d/%d %d/%d\nf %d/%d %d/%d %d/%d\n", a, a, a+n, a+n, a+1, a+1, a+1, a+1, a+n, a+n, a+n+1, a+n+1)
		}
	}
	path := filepath.Join(t.TempDir(), "hills.obj")
	if err := os.WriteFile(path, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSloppyWarning: parts that went are warned of where a person sees it, and else
// told by the analysis alone.
func TestSloppyWarning(t *testing.T) {
	for _, c := range []struct {
		path string
		warn bool
	}{{cubes(t, 0.01), false}, {cubes(t, 1), true}} {
		result, _ := process(t, c.path, `{"targetVertices":[400],"formats":["lod_0"]}`)
		text, err := json.Marshal(result.Analysis["levels"])
		if err != nil {
			t.Fatal(err)
		}
		var levels []struct {
			Sloppy   bool
			Relative float64
		}
		if err := json.Unmarshal(text, &levels); err != nil {
			t.Fatal(err)
		}
		if len(levels) != 1 || !levels[0].Sloppy || c.warn != (levels[0].Relative > 0.01) {
			t.Errorf("%s: levels %s", filepath.Base(c.path), text)
		}
		if said := strings.Contains(strings.Join(result.Warnings, " "), "had to go"); said != c.warn {
			t.Errorf("%s: warnings %q", filepath.Base(c.path), result.Warnings)
		}
	}
}

// cubes writes a thousand cubes, three apart, which cannot all be kept.
func cubes(t *testing.T, side float64) string {
	t.Helper()
	return writeOBJ(t, "cubes.obj", func(b *strings.Builder) {
		for i := range 1000 {
			for c := range 8 {
				at := func(cell, corner int) float64 { return float64(3*cell) + side*float64(corner) }
				fmt.Fprintf(b, "v %g %g %g\n", at(i%10, c&1), at(i/10%10, c>>1&1), at(i/100, c>>2))
			}
			for _, f := range [6][4]int{{0, 2, 3, 1}, {4, 5, 7, 6}, {0, 1, 5, 4}, {2, 6, 7, 3}, {0, 4, 6, 2}, {1, 3, 7, 5}} {
				fmt.Fprintf(b, "f %d %d %d %d\n", 8*i+f[0]+1, 8*i+f[1]+1, 8*i+f[2]+1, 8*i+f[3]+1)
			}
		}
	})
}

func writeOBJ(t *testing.T, name string, write func(*strings.Builder)) string {
	t.Helper()
	var b strings.Builder
	write(&b)
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTurntable: the animation comes beside the thumbnail where it is asked for.
func TestTurntable(t *testing.T) {
	result, dir := process(t, cubes(t, 1), `{"formats":["thumbnail"],"turntable":4}`)
	kinds := map[string]job.Output{}
	for _, o := range result.Outputs {
		kinds[o.Type] = o
	}
	o, ok := kinds[job.TypeTurntable]
	if !ok || o.Width != 512 || o.Height != 384 || len(kinds) != 2 {
		t.Fatalf("%+v", result.Outputs)
	}
	if data, err := os.ReadFile(filepath.Join(dir, o.Path)); err != nil || strings.Count(string(data), "ANMF") != 4 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

// TestOrientation: textures are shown as their pixels are stored, whatever their EXIF
// says of a turn, and no viewer is told of one.
func TestOrientation(t *testing.T) {
	dir := t.TempDir()
	vips := func(args ...string) {
		cmd := exec.Command(testdata.Tool(t, "node"), append([]string{filepath.Join("testdata", "exif.cjs")}, args...)...)
		cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(testdata.RepoRoot(t), ".tools", "node_modules"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	vips("write", dir)
	for name, text := range map[string]string{
		"sheet.mtl": "newmtl m\nmap_Kd turned.jpg\n",
		"sheet.obj": "mtllib sheet.mtl\nv 0 0 0\nv 3 0 0\nv 3 2 0\nv 0 2 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nusemtl m\nf 1/1 2/2 3/3 4/4\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	_, out := process(t, filepath.Join(dir, "sheet.obj"), `{"formats":["glb_draco"]}`)
	d := open(t, filepath.Join(out, "sheet_draco.glb"))
	picture := filepath.Join(dir, "out.jpg")
	if err := os.WriteFile(picture, d.BufferViews[*d.Images[0].BufferView].Data, 0o666); err != nil {
		t.Fatal(err)
	}
	vips("compare", filepath.Join(dir, "turned.jpg"), picture)
}

// TestSkinsAndMorphs: a model with a skin, morph targets and an animation keeps all
// of them at every level, with values for each vertex.
func TestSkinsAndMorphs(t *testing.T) {
	d := &gltf.Document{}
	n := 30
	g := &gltf.Geometry{Mode: gltf.ModeTriangles, Material: -1}
	var morph []float32
	for y := range n {
		for x := range n {
			g.Positions = append(g.Positions, float32(x), float32(math.Sin(float64(x)/4)*2), float32(y))
			g.Normals = append(g.Normals, 0, 1, 0)
			g.Joints = append(g.Joints, float32(x*2/n), 0, 0, 0)
			g.Weights = append(g.Weights, 1, 0, 0, 0)
			morph = append(morph, float32(x), 0, 0)
		}
	}
	for y := range uint32(n - 1) {
		for x := range uint32(n - 1) {
			a := y*uint32(n) + x
			g.Indices = append(g.Indices, a, a+uint32(n), a+1, a+1, a+uint32(n), a+uint32(n)+1)
		}
	}
	p := d.AddGeometry(g)
	p.Targets = []gltf.Attributes{{"POSITION": d.AddFloats(morph, gltf.Format{Component: gltf.Float, Components: 3, Bounds: true, Target: gltf.ArrayBuffer})}}
	mesh := d.AddMesh("m", p)
	d.Meshes[mesh].Weights = []float64{0}
	d.Skins = []*gltf.Skin{{Joints: []int{1, 2}}}
	node := d.AddNode(&gltf.Node{Mesh: gltf.Ref(mesh), Skin: gltf.Ref(0)})
	one := d.AddNode(&gltf.Node{Translation: &[3]float64{0, 0, 0}})
	two := d.AddNode(&gltf.Node{Translation: &[3]float64{1, 0, 0}})
	d.SetRoots(node, d.AddNode(&gltf.Node{Children: []int{one, two}}))
	times := d.AddFloats([]float32{0, 1}, gltf.Format{Component: gltf.Float, Components: 1, Bounds: true})
	values := d.AddFloats([]float32{0, 1}, gltf.Format{Component: gltf.Float, Components: 1})
	d.Animations = []*gltf.Animation{{
		Samplers: []gltf.AnimationSampler{{Input: times, Output: values}},
		Channels: []gltf.AnimationChannel{{Target: gltf.AnimationTarget{Node: gltf.Ref(node), Path: "weights"}}},
	}}
	data, err := gltf.AppendGLB(nil, d)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "figure.glb")
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	_, dir := process(t, path, `{"targetVertices":[400,100],"formats":["glb_draco","lod_0","lod_1"]}`)
	validate(t, dir)
	for name, most := range map[string]int{"figure_draco.glb": 900, "figure_lod0.glb": 400, "figure_lod1.glb": 100} {
		e := open(t, filepath.Join(dir, name))
		q := e.Meshes[0].Primitives[0]
		count := e.Accessors[q.Attributes["POSITION"]].Count
		if count > most || count < most*99/100 || len(e.Skins) != 1 || len(e.Animations) != 1 || len(q.Targets) != 1 {
			t.Errorf("%s: %d vertices, %d skins, %d animations, %d targets", name, count, len(e.Skins), len(e.Animations), len(q.Targets))
			continue
		}
		xyz, err := e.Floats(q.Attributes["POSITION"])
		if err != nil {
			t.Fatal(err)
		}
		delta, err := e.Floats(q.Targets[0]["POSITION"])
		if err != nil || len(delta) != len(xyz) {
			t.Fatalf("%s: %d morphs, %v", name, len(delta), err)
		}
		joints, err := e.Floats(q.Attributes["JOINTS_0"])
		if err != nil {
			t.Fatal(err)
		}
		for i := range count {
			x := float64(xyz[3*i])
			if math.Abs(float64(delta[3*i])-x) > 0.02 || math.Abs(float64(joints[4*i])-math.Floor(math.Round(x)*2/float64(n))) > 0 {
				t.Fatalf("%s: vertex %d at %g has the morph %g and the joint %g", name, i, x, delta[3*i], joints[4*i])
			}
		}
	}
}

// TestBadInput: a fault of the source is bad input, with its place; what can be done
// without is a warning.
func TestBadInput(t *testing.T) {
	write := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct{ file, text, want string }{
		"index":   {"a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "line 4"},
		"cycle":   {"a.gltf", `{"asset":{"version":"2.0"},"nodes":[{"children":[1]},{"children":[0]}],"meshes":[]}`, "own ancestor"},
		"nothing": {"a.gltf", `{"asset":{"version":"2.0"},"meshes":[]}`, "no triangles"},
	} {
		_, _, err := try(t, write(c.file, c.text), "")
		var bad *pipeline.BadInputError
		if err == nil || !strings.Contains(err.Error(), c.want) || !asBad(err, &bad) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	result, _ := process(t, write("b.obj", "mtllib gone.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 0\nf 1 2 3\nf 1 2 4\nf 1 1 1\n"), "")
	if len(result.Warnings) == 0 || !strings.Contains(strings.Join(result.Warnings, " "), "gone.mtl") {
		t.Errorf("warnings %q", result.Warnings)
	}
}

func asBad(err error, bad **pipeline.BadInputError) bool { return errors.As(err, bad) }

// TestEngines has the programs of the platform's guide do their part.
func TestEngines(t *testing.T) {
	path := testdata.Path(t, "mesh/spot.obj")
	for _, name := range []string{"gltf-pipeline", "gltf-transform"} {
		t.Setenv("SLATE360_ENGINE_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_")), testdata.Tool(t, name))
	}
	for options, want := range map[string]string{
		`{"engines":{"draco":"gltf-pipeline"},"formats":["glb_draco"]}`:                                                          "spot_draco.glb",
		`{"engines":{"draco":"gltf-transform","lods":"gltf-transform"},"formats":["glb_draco","lod_0"],"targetVertices":[1000]}`: "spot_lod0.glb",
	} {
		result, dir := process(t, path, options)
		d := open(t, filepath.Join(dir, want))
		n := vertices(d)
		if want == "spot_lod0.glb" && (n < 700 || n > 1400) {
			t.Errorf("%s: %d vertices, asked for 1000", options, n)
		}
		for _, s := range result.Stages {
			if (s.Name == "draco" || s.Name == "lods") && s.Engine == "native" {
				t.Errorf("%s: stage %s ran natively", options, s.Name)
			}
		}
	}
}
