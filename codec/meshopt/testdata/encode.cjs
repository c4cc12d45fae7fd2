// Encodes made-up data with meshoptimizer, and prints the streams and what its own
// decoder makes of them, as JSON of base64.
const load = require('./load.cjs');

const b64 = (a) => Buffer.from(a.buffer, a.byteOffset, a.byteLength).toString('base64');

(async () => {
  const { MeshoptEncoder: E, MeshoptDecoder: D } = await load();
  const out = [];
  let seed = 12345;
  const random = () => ((seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff);
  const check = (name, count, stride, mode, filter, data) => {
    const decoded = new Uint8Array(count * stride);
    D.decodeGltfBuffer(decoded, count, stride, data, mode, filter);
    out.push({ name, count, stride, mode, filter: filter || 'NONE', data: b64(data), want: b64(decoded) });
  };
  for (const stride of [4, 8, 12, 16, 64, 256]) {
    for (const count of [1, 15, 16, 17, 255, 256, 257, 1000]) {
      const v = new Uint8Array(count * stride);
      for (let i = 0; i < v.length; i++) v[i] = i % stride < 2 ? random() * 256 : i % stride < 4 ? (i / stride) * 3 + random() * 2 : i % 7 ? 9 : random() * 20;
      for (const version of [0, 1]) check(`attributes ${stride} ${count} version ${version}`, count, stride, 'ATTRIBUTES', 'NONE', E.encodeGltfBuffer(v, count, stride, 'ATTRIBUTES', version));
    }
  }
  // Kinds of numbers that version 1 has channels for.
  for (const count of [1, 100, 777]) {
    const kinds = {
      shorts: new Uint8Array(Uint16Array.from({ length: 4 * count }, (_, i) => 3 * i + (i % 4) * 9000 + random() * 300).buffer),
      floats: new Uint8Array(Float32Array.from({ length: 4 * count }, (_, i) => (i % 4) + Math.sin(i / 50) + random() / 100).buffer),
      noise: Uint8Array.from({ length: 16 * count }, () => random() * 256),
      bits: Uint8Array.from({ length: 16 * count }, () => (random() < 0.3 ? random() * 3 : 0)),
      same: new Uint8Array(16 * count).fill(7),
    };
    for (const [name, v] of Object.entries(kinds)) {
      const stride = v.length / count;
      for (const level of [0, 2, 3]) check(`${name} ${count} level ${level}`, count, stride, 'ATTRIBUTES', 'NONE', E.encodeVertexBufferLevel(v, count, stride, level, 1));
    }
  }
  const n = 40;
  const grid = [];
  for (let y = 0; y < n; y++) for (let x = 0; x < n; x++) {
    const a = y * (n + 1) + x;
    grid.push(a, a + 1, a + n + 1, a + n + 1, a + 1, a + n + 2);
  }
  const soup = Array.from({ length: 900 }, () => Math.floor(random() * 70000));
  for (const [name, list] of [['grid', grid], ['soup', soup], ['one', [0, 1, 2]], ['backwards', grid.slice().reverse()]]) {
    for (const size of [2, 4]) {
      const values = size === 2 ? Uint16Array.from(list, (v) => v & 65535) : Uint32Array.from(list);
      const bytes = new Uint8Array(values.buffer);
      check(`${name} triangles ${size}`, values.length, size, 'TRIANGLES', 'NONE', E.encodeGltfBuffer(bytes, values.length, size, 'TRIANGLES'));
      check(`${name} indices ${size}`, values.length, size, 'INDICES', 'NONE', E.encodeGltfBuffer(bytes, values.length, size, 'INDICES'));
    }
  }
  const unit = (k, w) => {
    const v = new Float32Array(4 * k);
    for (let i = 0; i < k; i++) {
      const q = [random() - 0.5, random() - 0.5, random() - 0.5, random() - 0.5];
      const l = Math.hypot(q[0], q[1], q[2], w ? q[3] : 0);
      for (let j = 0; j < 4; j++) v[4 * i + j] = j < 3 || w ? q[j] / l : 0;
    }
    return v;
  };
  const k = 300;
  for (const [stride, bits] of [[4, 8], [8, 12], [8, 16]]) {
    check(`octahedral ${bits}`, k, stride, 'ATTRIBUTES', 'OCTAHEDRAL', E.encodeGltfBuffer(E.encodeFilterOct(unit(k, false), k, stride, bits), k, stride, 'ATTRIBUTES', 0));
  }
  check('quaternion', k, 8, 'ATTRIBUTES', 'QUATERNION', E.encodeGltfBuffer(E.encodeFilterQuat(unit(k, true), k, 8, 12), k, 8, 'ATTRIBUTES', 0));
  check('exponential', k, 16, 'ATTRIBUTES', 'EXPONENTIAL', E.encodeGltfBuffer(E.encodeFilterExp(unit(k, true), k, 16, 15), k, 16, 'ATTRIBUTES', 0));
  const colors = Float32Array.from({ length: 4 * k }, () => random());
  for (const [stride, bits] of [[4, 8], [4, 6], [8, 12], [8, 16]]) {
    check(`color ${bits}`, k, stride, 'ATTRIBUTES', 'COLOR', E.encodeGltfBuffer(E.encodeFilterColor(colors, k, stride, bits), k, stride, 'ATTRIBUTES', 1));
  }
  console.log(JSON.stringify(out));
})();
