package photogrammetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/codec/ply"
	"slate360.ai/worker/internal/pipeline"
)

// recorder is a program that stands for others: it writes its name and arguments into
// a file, one command a line, and runs a script.
func recorder(t *testing.T, script string, names ...string) (log string) {
	t.Helper()
	dir := t.TempDir()
	log = filepath.Join(dir, "log")
	for _, name := range names {
		p := write(t, dir, name, []byte("#!/bin/sh\necho \"$(basename \"$0\") $*\" >> '"+log+"'\n"+script))
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+"/usr/bin:/bin")
	return log
}

// recorded returns the commands.
func recorded(t *testing.T, log string) []string {
	t.Helper()
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

// denseRun runs an engine of a later stage over a workspace of two photos.
func denseRun(t *testing.T, inputs []string, outputs []string, run func(ctx context.Context, s *pipeline.Context) error) (products string, err error) {
	t.Helper()
	w := newWorld(nadir(1, 2))
	i, err := idealModel(w.model, 1000)
	if err != nil {
		t.Fatal(err)
	}
	def := pipeline.Definition{Name: "test", Stages: []pipeline.Stage{
		{Name: "before", Outputs: inputs, Engines: native(func(ctx context.Context, s *pipeline.Context) error {
			for _, p := range inputs {
				if p == productUndistorted {
					if err := writeWorkspace(s.Product(p), i.model); err != nil {
						return err
					}
				} else if err := os.WriteFile(s.Product(p), []byte(p), 0o666); err != nil {
					return err
				}
			}
			return nil
		})},
		{Name: "stage", Inputs: inputs, Outputs: outputs, Engines: native(run)},
		{Name: "end", Inputs: outputs, Engines: native(func(context.Context, *pipeline.Context) error { return errEnd })},
	}}
	out := filepath.Join(t.TempDir(), "out")
	source := write(t, t.TempDir(), "a.jpg", []byte("x"))
	_, err = pipeline.Run(t.Context(), def, pipeline.Request{Source: source, OutDir: out, Workers: 2, MemoryBudget: 8 << 30, Options: parse(t, "{}")})
	if errors.Is(err, errEnd) {
		err = nil
	}
	return filepath.Join(out, ".slate360-work", "products"), err
}

// helpOf prints the options of a command as COLMAP does, those of some version.
func helpOf(version, cuda string, commands map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "case \"$1 $2\" in\n\"help \") echo 'COLMAP %s (Commit x on y %s CUDA)'; exit 0 ;;\n", version, cuda)
	for command, options := range commands {
		fmt.Fprintf(&b, "\"%s -h\")\n", command)
		for o := range strings.FieldsSeq(options) {
			fmt.Fprintf(&b, "echo '  --%s arg (=0)'\n", o)
		}
		b.WriteString("exit 0 ;;\n")
	}
	return b.String() + "esac\n"
}

// option of the command line of a command: its value, or "".
func valueOf(command, name string) string {
	_, rest, ok := strings.Cut(command, " --"+name+" ")
	if !ok {
		return ""
	}
	v, _, _ := strings.Cut(rest, " ")
	return v
}

func TestDenseByCOLMAP(t *testing.T) {
	log := recorder(t, helpOf("3.9", "with", map[string]string{
		"patch_match_stereo": "workspace_path workspace_format PatchMatchStereo.geom_consistency PatchMatchStereo.max_image_size PatchMatchStereo.cache_size",
		"stereo_fusion":      "workspace_path workspace_format input_type output_path StereoFusion.cache_size",
	})+`case "$1" in
patch_match_stereo) touch "$3/stereo/depth_maps/a.geometric.bin" ;;
stereo_fusion) for o; do case "$last" in --output_path) echo cloud > "$o"; echo seen > "$o.vis" ;; esac; last=$o; done ;;
esac`, "colmap")
	products, err := denseRun(t, []string{productUndistorted}, []string{productDense, productVisibility, productStereo}, runDenseCOLMAP)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range recorded(t, log) {
		if !strings.HasSuffix(c, " -h") && c != "colmap help" {
			got = append(got, c)
		}
	}
	ws := valueOf(got[0], "workspace_path")
	want := []string{
		"colmap patch_match_stereo --workspace_path WS --workspace_format COLMAP --PatchMatchStereo.geom_consistency true --PatchMatchStereo.max_image_size 1597 --PatchMatchStereo.cache_size 4.0",
		"colmap stereo_fusion --workspace_path WS --workspace_format COLMAP --input_type geometric --output_path WS/fused.ply --StereoFusion.cache_size 4.0",
	}
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], ws, "WS")
	}
	if !slices.Equal(got, want) {
		t.Errorf("commands:\n%s", strings.Join(got, "\n"))
	}
	for _, p := range []string{productDense, productVisibility, productStereo + "/depth_maps/a.geometric.bin"} {
		if _, err := os.Stat(filepath.Join(products, p)); err != nil {
			t.Error(err)
		}
	}
}

// openMVSPrograms are those of the chain.
var openMVSPrograms = []string{"InterfaceCOLMAP", "DensifyPointCloud", "ReconstructMesh", "RefineMesh", "TextureMesh"}

// cloudOfOpenMVS is what DensifyPointCloud writes: two points with the photos that see them.
func cloudOfOpenMVS() string {
	return "ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\nproperty float z\n" +
		"property float nx\nproperty float ny\nproperty float nz\nproperty uchar red\nproperty uchar green\nproperty uchar blue\n" +
		"property list uchar uint view_indices\nproperty list uchar float view_weights\nend_header\n" +
		"1 2 3 0 0 1 10 20 30 2 0 1 2 0.5 0.5\n4 5 6 0 1 0 40 50 60 1 1 1 1.0\n"
}

func TestOpenMVS(t *testing.T) {
	cloud := write(t, t.TempDir(), "cloud.ply", []byte(cloudOfOpenMVS()))
	model := texturedModel(t)
	log := recorder(t, `case "$(basename "$0")" in
DensifyPointCloud) cp '`+cloud+`' scene_dense.ply; echo "Fused depth-maps 2 (100%, 1s)" ;;
ReconstructMesh) echo mesh > scene_mesh.ply ;;
RefineMesh) test -e scene_mesh.ply && echo refined > scene_refined.ply ;;
TextureMesh) cp '`+model+`'/* textured ;;
esac`, openMVSPrograms...)
	tests := []struct {
		name            string
		inputs, outputs []string
		run             func(ctx context.Context, s *pipeline.Context) error
		want            []string
	}{
		{"dense", []string{productUndistorted}, []string{productDense, productVisibility, productStereo}, runDenseOpenMVS, []string{
			"InterfaceCOLMAP -i WS -o WS/scene.mvs -w WS --max-threads 2",
			"DensifyPointCloud scene.mvs -o scene_dense.mvs --resolution-level 1 -w WS --max-threads 2",
		}},
		{"surface", []string{productUndistorted, productDense, productVisibility}, []string{productSurface}, runSurfaceOpenMVS, []string{
			"InterfaceCOLMAP -i WS -o WS/scene.mvs -w WS --max-threads 2",
			"ReconstructMesh scene.mvs -o scene_mesh.mvs -w WS --max-threads 2",
			"RefineMesh scene.mvs --mesh-file scene_mesh.ply -o scene_refined.mvs --resolution-level 1 --max-face-area 16 -w WS --max-threads 2",
		}},
		{"texture", []string{productUndistorted, productSurface}, []string{productTextured}, runTextureOpenMVS, []string{
			"InterfaceCOLMAP -i WS -o WS/scene.mvs -w WS --max-threads 2",
			"TextureMesh scene.mvs --mesh-file surface.ply -o WS/textured/textured.mvs --export-type obj -w WS --max-threads 2",
		}},
	}
	t.Setenv("SLATE360_ENGINE_OPENMVS", filepath.Join(filepath.Dir(log), "DensifyPointCloud"))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			os.Remove(log)
			products, err := denseRun(t, test.inputs, test.outputs, test.run)
			if err != nil {
				t.Fatal(err)
			}
			got := recorded(t, log)
			_, ws, _ := strings.Cut(got[0], "-i ")
			ws, _, _ = strings.Cut(ws, " ")
			for i := range got {
				got[i] = strings.ReplaceAll(got[i], ws, "WS")
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("commands:\n%s", strings.Join(got, "\n"))
			}
			if test.name == "dense" {
				checkFused(t, products)
			}
			if test.name == "texture" {
				checkTextured(t, products)
			}
		})
	}
}

// texturedModel is what TextureMesh writes, of one triangle.
func texturedModel(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "textured.obj", []byte("mtllib textured.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 2\nvt 0 0\nvt 1 0\nvt 0 1\nusemtl m\nf 1/1 2/2 3/3\n"))
	write(t, dir, "textured.mtl", []byte("newmtl m\nmap_Kd m.jpg\n"))
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 4, 4)), nil); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "m.jpg", picture.Bytes())
	return dir
}

// checkTextured reads the textured surface as later stages do.
func checkTextured(t *testing.T, products string) {
	t.Helper()
	parts, err := orthoParts(filepath.Join(products, productTextured))
	if err != nil {
		t.Fatal(err)
	}
	if len(parts) != 1 || !slices.Equal(parts[0].Positions, []float32{0, 0, 0, 1, 0, 0, 0, 1, 2}) || parts[0].Texture.Width != 4 {
		t.Errorf("%d parts, the first %v", len(parts), parts[0].Positions)
	}
}

// checkFused reads the cloud by our reader of COLMAP's files, and by that of PLY.
func checkFused(t *testing.T, products string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(products, productDense))
	if err != nil {
		t.Fatal(err)
	}
	f, err := ply.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	e := f.Element("vertex")
	if e.Count != 2 || e.Property("y").Values[1] != 5 || e.Property("nz").Values[0] != 1 || e.Property("blue").Values[1] != 60 {
		t.Errorf("%+v", e)
	}
	views, offsets, err := colmap.ReadVisibility(filepath.Join(products, productVisibility))
	if err != nil || !slices.Equal(views, []uint32{0, 1, 1}) || !slices.Equal(offsets, []uint32{0, 2, 3}) {
		t.Errorf("%v, %v, %v", views, offsets, err)
	}
}

func TestOpenMVSFails(t *testing.T) {
	recorder(t, `echo "error: the scene is empty" >&2; exit 1`, openMVSPrograms...)
	_, err := denseRun(t, []string{productUndistorted}, []string{productDense, productVisibility, productStereo}, runDenseOpenMVS)
	if err == nil || !strings.Contains(err.Error(), "InterfaceCOLMAP failed: exit status 1: error: the scene is empty") {
		t.Errorf("Run = %v", err)
	}
}

// Options of COLMAP 3.8 and 4 have different names; each version gets its own.
func TestOptionNames(t *testing.T) {
	old := "database_path image_path image_list_path ImageReader.camera_model ImageReader.single_camera ImageReader.camera_params " +
		"SiftExtraction.use_gpu SiftExtraction.num_threads SiftExtraction.max_image_size SiftExtraction.max_num_features"
	current := strings.NewReplacer("SiftExtraction.use_gpu", "FeatureExtraction.use_gpu", "SiftExtraction.num_threads", "FeatureExtraction.num_threads",
		"SiftExtraction.max_image_size", "FeatureExtraction.max_image_size").Replace(old)
	for version, options := range map[string]string{"3.8": old, "4.0.1": current} {
		t.Run(version, func(t *testing.T) {
			dir := survey3(t)
			log := recorder(t, helpOf(version, "without", map[string]string{"feature_extractor": options})+"echo 'no such database' >&2; exit 1", "colmap")
			_, _, err := trial{source: dir, stages: []string{"inspect", "features"}}.run(t)
			if err == nil || !strings.Contains(err.Error(), "no such database") {
				t.Errorf("Run = %v", err)
			}
			all := recorded(t, log)
			got := all[len(all)-1]
			for _, o := range strings.Fields(options) {
				if valueOf(got, o) == "" {
					t.Errorf("--%s is not given: %s", o, got)
				}
			}
			if v := valueOf(got, "ImageReader.camera_params"); v != "277.350,200,150,0" {
				t.Errorf("camera_params %s", v)
			}
		})
	}
}

func TestCOLMAPIsMissing(t *testing.T) {
	t.Setenv("PATH", "/nonexistent")
	_, _, err := trial{source: survey3(t), stages: []string{"inspect", "features"}}.run(t)
	var config *pipeline.ConfigError
	if !errors.As(err, &config) || !strings.Contains(err.Error(), "apt install colmap") {
		t.Errorf("Run = %v", err)
	}
}

// The memory that SIFT takes is lowered by threads first, then by size.
func TestPlanExtraction(t *testing.T) {
	photos := []Photo{{Width: 8000, Height: 6000}}
	o := parse(t, `{"quality":1}`)
	if e := planExtraction(photos, o, 8, 64<<30, false); e.side != 3200 || e.threads != 8 || e.count != 8192 || e.warning != "" {
		t.Errorf("much memory: %+v", e)
	}
	if e := planExtraction(photos, o, 8, 6<<30, false); e.side != 3200 || e.threads >= 8 || e.threads < 1 {
		t.Errorf("some memory: %+v", e)
	}
	e := planExtraction(photos, o, 8, 1<<30, false)
	if e.side >= 3200 || e.threads != 1 || siftMemory(photos, e.side) > 1<<30 || !strings.Contains(e.warning, "instead of 3200") {
		t.Errorf("little memory: %+v", e)
	}
	if e := planExtraction(photos, o, 8, 1<<30, true); e.side != 3200 || e.threads != 8 {
		t.Errorf("on a GPU: %+v", e)
	}
}
