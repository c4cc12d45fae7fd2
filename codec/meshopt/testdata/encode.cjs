// Encodes what standard input says with meshoptimizer, and prints the streams and
// what its own decoder makes of them, as JSON of base64.
const { MeshoptEncoder: E, MeshoptDecoder: D } = require('meshoptimizer');

const b64 = (a) => Buffer.from(a.buffer, a.byteOffset, a.byteLength).toString('base64');

(async () => {
  await E.ready;
  await D.ready;
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
      check(`attributes ${stride} ${count}`, count, stride, 'ATTRIBUTES', 'NONE', E.encodeGltfBuffer(v, count, stride, 'ATTRIBUTES', 0));
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
  console.log(JSON.stringify(out));
})();
