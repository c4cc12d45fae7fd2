// Decodes streams, JSON of base64 on standard input, with meshoptimizer, and prints what
// comes out, or the error; streams of EXT_meshopt_compression with the release of 2023.
const fs = require('fs');
const load = require('./load.cjs');
const { MeshoptDecoder: old } = require('meshoptimizer');

(async () => {
  const { MeshoptDecoder } = await load();
  await old.ready;
  const out = JSON.parse(fs.readFileSync(0)).map(({ Count, Stride, Mode, Filter, Data, Old }) => {
    const target = new Uint8Array(Count * Stride);
    try {
      (Old ? old : MeshoptDecoder).decodeGltfBuffer(target, Count, Stride, new Uint8Array(Buffer.from(Data, 'base64')), Mode, Filter);
    } catch (error) {
      return { Error: String(error) };
    }
    return { Data: Buffer.from(target).toString('base64') };
  });
  console.log(JSON.stringify(out));
})();
