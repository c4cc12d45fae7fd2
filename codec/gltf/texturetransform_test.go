package gltf_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/internal/testdata"
)

// TestTextureTransform compares the matrices of KHR_texture_transform with Cesium's.
func TestTextureTransform(t *testing.T) {
	const infos = `[{"index":0},{"index":0,"texCoord":2},
		{"index":0,"extensions":{"KHR_texture_transform":{}}},
		{"index":0,"texCoord":1,"extensions":{"KHR_texture_transform":{"texCoord":0,"offset":[0,1],"scale":[1,-1]}}},
		{"index":0,"texCoord":1,"extensions":{"KHR_texture_transform":{"rotation":1.5707963}}},
		{"index":0,"extensions":{"KHR_texture_transform":{"texCoord":3,"offset":[0.25,-2.5],"rotation":-0.7,"scale":[3,0.5]}}}]`
	cmd := exec.Command(testdata.Tool(t, "node"), filepath.Join("testdata", "texturetransform.mjs"))
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(testdata.RepoRoot(t), ".tools", "node_modules"))
	cmd.Stdin, cmd.Stderr = bytes.NewBufferString(infos), os.Stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []gltf.TextureInfo
	if err := json.Unmarshal([]byte(infos), &list); err != nil {
		t.Fatal(err)
	}
	var want []struct {
		TexCoord int
		Matrix   *[6]float64
	}
	if err := json.Unmarshal(text, &want); err != nil || len(want) != len(list) {
		t.Fatalf("%s: %v", text, err)
	}
	for i, info := range list {
		got, err := info.Transform()
		if err != nil {
			t.Fatal(err)
		}
		w := want[i].Matrix
		if w == nil {
			w = &[6]float64{1, 0, 0, 1, 0, 0}
		}
		for k, v := range w {
			if math.Abs(v-got.Matrix[k]) > 1e-12 {
				t.Errorf("%d: matrix %v, Cesium has %v", i, got.Matrix, *w)
				break
			}
		}
		if got.TexCoord != want[i].TexCoord {
			t.Errorf("%d: coordinates %d, Cesium has %d", i, got.TexCoord, want[i].TexCoord)
		}
		uv := []float32{0.5, 0.25}
		got.Apply(uv)
		if u, v := w[0]*0.5+w[2]*0.25+w[4], w[1]*0.5+w[3]*0.25+w[5]; math.Hypot(u-float64(uv[0]), v-float64(uv[1])) > 1e-6 {
			t.Errorf("%d: moved to %v, want %g, %g", i, uv, u, v)
		}
	}
}

// TestTextureTransformBad: what cannot be understood is an error, with the
// coordinates as they are; coordinates beyond all bounds become finite.
func TestTextureTransformBad(t *testing.T) {
	for _, text := range []string{`{"rotation":"x"}`, `{"texCoord":-1}`, `[]`, `{"scale":1}`} {
		var info gltf.TextureInfo
		if err := json.Unmarshal([]byte(`{"index":0,"texCoord":4,"extensions":{"KHR_texture_transform":`+text+`}}`), &info); err != nil {
			t.Fatal(err)
		}
		got, err := info.Transform()
		if err == nil || got.Moves() || got.TexCoord != 4 {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	big := gltf.UVTransform{Matrix: [6]float64{1e300, 0, 0, 1, 0, 0}}
	uv := []float32{1e30, float32(math.NaN())}
	big.Apply(uv)
	if uv[0] != 0 || uv[1] != 0 {
		t.Errorf("%v", uv)
	}
}
