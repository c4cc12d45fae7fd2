package mesh_test

import (
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/internal/engine"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/testdata"
)

// Test3DS reads a format that Assimp alone knows, which Assimp wrote.
func Test3DS(t *testing.T) {
	assimp := testdata.Tool(t, "assimp")
	t.Setenv("SLATE360_ENGINE_ASSIMP", assimp)
	source, path := testdata.Path(t, "mesh/spot.obj"), filepath.Join(t.TempDir(), "spot.3ds")
	if out, err := exec.Command(assimp, "export", source, path, "-f3ds").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const options = `{"formats":["glb_draco"]}`
	result, dir := process(t, path, options)
	validate(t, dir)
	if n := result.Outputs[0].Triangles; n != 5856 {
		t.Errorf("%d triangles", n)
	}
	_, plain := process(t, source, options)
	got, want := size(t, open(t, filepath.Join(dir, "spot_draco.glb"))), size(t, open(t, filepath.Join(plain, "spot_draco.glb")))
	// z is up in 3DS: Assimp writes coordinates as they are, and turns what it reads.
	want[1], want[2] = want[2], want[1]
	for k := range got {
		if math.Abs(got[k]-want[k]) > want[k]/500 {
			t.Errorf("size %v, want %v", got, want)
			break
		}
	}

	bad := append([]byte("MM\x00\x00\x00\x00"), "no chunks at all"...)
	binary.LittleEndian.PutUint32(bad[2:], uint32(len(bad)))
	if err := os.WriteFile(path, bad, 0o666); err != nil {
		t.Fatal(err)
	}
	var fault *pipeline.BadInputError
	if _, _, err := try(t, path, options); err == nil || !asBad(err, &fault) {
		t.Errorf("a file without chunks: %v", err)
	}
}

// size is that of a scene.
func size(t *testing.T, d *gltf.Document) (out [3]float64) {
	t.Helper()
	lo, hi := [3]float64{math.Inf(1), math.Inf(1), math.Inf(1)}, [3]float64{math.Inf(-1), math.Inf(-1), math.Inf(-1)}
	list, err := d.Instances()
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range list {
		for _, p := range d.Meshes[at.Mesh].Primitives {
			v, err := d.Floats(p.Attributes["POSITION"])
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(v); i += 3 {
				q := at.World.Point([3]float64{float64(v[i]), float64(v[i+1]), float64(v[i+2])})
				for k := range q {
					lo[k], hi[k] = min(lo[k], q[k]), max(hi[k], q[k])
				}
			}
		}
	}
	for k := range out {
		out[k] = hi[k] - lo[k]
	}
	return out
}

// TestForeignImport has other programs read FBX: what they know of skins and
// animations, and we do not, comes through.
func TestForeignImport(t *testing.T) {
	path := testdata.Path(t, "mesh/animation_with_skeleton.fbx")
	for _, name := range []string{"assimp", "FBX2glTF"} {
		t.Run(name, func(t *testing.T) {
			if name == "assimp" {
				t.Setenv("SLATE360_ENGINE_ASSIMP", testdata.Tool(t, name))
			} else if err := engine.Available(name)(t.Context()); err != nil {
				t.Skip(err) // it comes with a library that is not free
			}
			result, dir := process(t, path, `{"engines":{"import":"`+name+`"},"formats":["glb_draco","lod_0"],"targetVertices":[500]}`)
			if i := slices.IndexFunc(result.Stages, func(s job.StageResult) bool { return s.Name == "import" }); result.Stages[i].Engine != name {
				t.Errorf("stages %+v", result.Stages)
			}
			for _, o := range result.Outputs {
				d := open(t, filepath.Join(dir, o.Path))
				if len(d.Skins) == 0 || len(d.Animations) == 0 {
					t.Errorf("%s: %d skins, %d animations", o.Path, len(d.Skins), len(d.Animations))
				}
			}
			if n := result.Outputs[0].Triangles; n != 2112 {
				t.Errorf("%d triangles", n)
			}
		})
	}
	if err := engine.Available("FBX2glTF")(t.Context()); err == nil {
		_, _, err := try(t, testdata.Path(t, "mesh/spot.obj"), `{"engines":{"import":"FBX2glTF"}}`)
		if err == nil || !strings.Contains(err.Error(), "FBX alone") {
			t.Errorf("OBJ: %v", err)
		}
	}
}
