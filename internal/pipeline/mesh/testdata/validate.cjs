// Validates all GLBs below a folder with Khronos' validator, and decodes all of their
// Draco bitstreams with Google's decoder. Prints what is wrong and fails.
const fs = require('fs');
const path = require('path');
const validator = require('gltf-validator');
const draco3d = require('draco3dgltf');

function* glbs(dir) {
  for (const e of fs.readdirSync(dir, { withFileTypes: true })) {
    const p = path.join(dir, e.name);
    if (e.isDirectory()) yield* glbs(p);
    else if (p.endsWith('.glb')) yield p;
  }
}

// dracoFaults compares what the decoder gives with what the accessors say.
function dracoFaults(decoderModule, data) {
  const length = data.readUInt32LE(12);
  const json = JSON.parse(data.subarray(20, 20 + length).toString());
  const bin = data.subarray(20 + length + 8);
  const faults = [];
  let count = 0;
  for (const mesh of json.meshes) {
    for (const primitive of mesh.primitives) {
      const ext = primitive.extensions && primitive.extensions.KHR_draco_mesh_compression;
      if (!ext) continue;
      count++;
      const view = json.bufferViews[ext.bufferView];
      const bytes = bin.subarray(view.byteOffset || 0, (view.byteOffset || 0) + view.byteLength);
      const decoder = new decoderModule.Decoder();
      const out = new decoderModule.Mesh();
      const status = decoder.DecodeArrayToMesh(new Int8Array(bytes), bytes.length, out);
      if (!status.ok()) faults.push(`bitstream: ${status.error_msg()}`);
      else {
        if (out.num_faces() * 3 !== json.accessors[primitive.indices].count) faults.push(`${out.num_faces()} faces, said ${json.accessors[primitive.indices].count / 3}`);
        for (const [name, id] of Object.entries(ext.attributes)) {
          const attribute = decoder.GetAttributeByUniqueId(out, id);
          const accessor = json.accessors[primitive.attributes[name]];
          if (out.num_points() !== accessor.count) faults.push(`${name}: ${out.num_points()} points, said ${accessor.count}`);
          if (name === 'POSITION') {
            const values = new decoderModule.DracoFloat32Array();
            decoder.GetAttributeFloatForAllPoints(out, attribute, values);
            const span = Math.max(...accessor.max.map((v, i) => v - accessor.min[i]));
            for (let i = 0; i < values.size(); i++) {
              const v = values.GetValue(i);
              if (!(v >= accessor.min[i % 3] - span / 1000 - 1e-6) || !(v <= accessor.max[i % 3] + span / 1000 + 1e-6)) {
                faults.push(`POSITION ${v} lies outside ${accessor.min[i % 3]} … ${accessor.max[i % 3]}`);
                break;
              }
            }
            decoderModule.destroy(values);
          }
        }
      }
      decoderModule.destroy(out);
      decoderModule.destroy(decoder);
    }
  }
  return { faults, count };
}

(async () => {
  const decoderModule = await draco3d.createDecoderModule();
  let files = 0;
  let streams = 0;
  let failed = false;
  for (const file of glbs(process.argv[2])) {
    files++;
    const data = fs.readFileSync(file);
    const report = await validator.validateBytes(new Uint8Array(data), { ignoredIssues: ['UNSUPPORTED_EXTENSION'] });
    const { faults, count } = dracoFaults(decoderModule, data);
    streams += count;
    const messages = report.issues.messages.filter((m) => m.severity <= 1);
    if (messages.length || faults.length) {
      failed = true;
      console.log(file, JSON.stringify(messages.slice(0, 5)), faults.slice(0, 5));
    }
  }
  console.log(`${files} files, ${streams} bitstreams`);
  process.exit(failed || files === 0 ? 1 : 0);
})();
