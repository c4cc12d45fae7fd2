package draco

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// libdracoScript decodes bitstreams that come one after the other with Google's
// decoder, and writes points, triangles and attributes as they lie in memory.
const libdracoScript = `
const draco3d = require(process.argv[1]);
const fs = require('fs');
draco3d.createDecoderModule().then((lib) => {
  const all = fs.readFileSync(0);
  const out = [];
  const put = (typed) => out.push(Buffer.from(typed.buffer.slice(typed.byteOffset, typed.byteOffset + typed.byteLength)));
  for (let at = 0; at < all.length;) {
    const size = all.readUInt32LE(at);
    const data = new Int8Array(all.subarray(at + 4, at + 4 + size));
    at += 4 + size;
    const decoder = new lib.Decoder();
    const kind = data[7] === 1 ? lib.TRIANGULAR_MESH : lib.POINT_CLOUD;
    const mesh = kind === lib.TRIANGULAR_MESH ? new lib.Mesh() : new lib.PointCloud();
    const status = kind === lib.TRIANGULAR_MESH ? decoder.DecodeArrayToMesh(data, size, mesh) : decoder.DecodeArrayToPointCloud(data, size, mesh);
    if (!status.ok()) {
      const text = Buffer.from(status.error_msg());
      put(new Uint32Array([0xffffffff, text.length])); out.push(text);
      continue;
    }
    const points = mesh.num_points(), faces = kind === lib.TRIANGULAR_MESH ? mesh.num_faces() : 0, n = mesh.num_attributes();
    put(new Uint32Array([points, faces, n]));
    if (faces > 0) {
      const p = lib._malloc(faces * 12);
      decoder.GetTrianglesUInt32Array(mesh, faces * 12, p);
      put(new Uint32Array(lib.HEAPU32.buffer, p, faces * 3));
      lib._free(p);
    }
    for (let i = 0; i < n; i++) {
      const a = decoder.GetAttribute(mesh, i);
      const float = a.data_type() === lib.DT_FLOAT32;
      put(new Uint32Array([a.attribute_type(), a.data_type(), a.num_components(), a.normalized() ? 1 : 0, a.unique_id()]));
      const bytes = points * a.num_components() * 4;
      const p = lib._malloc(bytes);
      if (!decoder.GetAttributeDataArrayForAllPoints(mesh, a, float ? lib.DT_FLOAT32 : a.data_type() === lib.DT_UINT32 ? lib.DT_UINT32 : lib.DT_INT32, bytes, p)) throw new Error('attribute ' + i);
      put(new Uint8Array(lib.HEAPU8.buffer, p, bytes));
      lib._free(p);
    }
    lib.destroy(mesh); lib.destroy(decoder);
  }
  fs.writeSync(1, '');
  const whole = Buffer.concat(out);
  for (let at = 0; at < whole.length;) at += fs.writeSync(1, whole, at);
});
`

// libdraco decodes bitstreams with Google's decoder, or skips.
func libdraco(t testing.TB, streams ...[]byte) []*Mesh {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	module := filepath.Join(root, ".tools", "node_modules", "draco3dgltf")
	node := filepath.Join(root, ".tools", "bin", "node")
	if found, err := exec.LookPath("node"); err == nil {
		node = found
	}
	_, err = os.Stat(module)
	if err == nil {
		_, err = os.Stat(node)
	}
	if err != nil {
		if os.Getenv("SLATE360_REQUIRE_TOOLS") == "1" {
			t.Fatalf("Google's decoder: %v; run scripts/setup-tools.sh test", err)
		}
		t.Skipf("needs Google's decoder: %v; run scripts/setup-tools.sh test", err)
	}
	var in []byte
	for _, s := range streams {
		in = binary.LittleEndian.AppendUint32(in, uint32(len(s)))
		in = append(in, s...)
	}
	cmd := exec.Command(node, "-e", libdracoScript, module)
	cmd.Stdin = bytes.NewReader(in)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("Google's decoder: %v\n%s", err, complaints.Bytes())
	}
	meshes := make([]*Mesh, len(streams))
	for i := range meshes {
		meshes[i], out = parseDecoded(t, out)
	}
	return meshes
}

// parseDecoded reads what the script wrote; nil stands for a refused bitstream.
func parseDecoded(t testing.TB, out []byte) (*Mesh, []byte) {
	t.Helper()
	next := func() uint32 {
		v := binary.LittleEndian.Uint32(out)
		out = out[4:]
		return v
	}
	points := next()
	if points == math.MaxUint32 {
		n := next()
		t.Logf("refused: %s", out[:n])
		return nil, out[n:]
	}
	m := &Mesh{Points: int(points)}
	faces, attributes := int(next()), int(next())
	for range 3 * faces {
		m.Indices = append(m.Indices, next())
	}
	for range attributes {
		a := Attribute{Type: AttributeType(next()), DataType: DataType(next()), Components: int(next()), Normalized: next() == 1, UniqueID: next()}
		for range m.Points * a.Components {
			v := next()
			if a.DataType == Float32 {
				a.Floats = append(a.Floats, math.Float32frombits(v))
			} else {
				a.Ints = append(a.Ints, int32(v))
			}
		}
		m.Attributes = append(m.Attributes, a)
	}
	return m, out
}
