// Reads references to textures as JSON from standard input, and prints what Cesium
// makes of each: the set of coordinates, and the matrix, or null.
import fs from 'fs';
import path from 'path';
import { pathToFileURL } from 'url';

const file = path.join(process.env.NODE_PATH, '@cesium/engine/Source/Scene/GltfLoaderUtil.js');
const { default: util } = await import(pathToFileURL(file));
const infos = JSON.parse(fs.readFileSync(0));
console.log(JSON.stringify(infos.map((textureInfo) => {
  const { texCoord, transform: m } = util.createModelTextureReader({ textureInfo });
  return { texCoord, matrix: m ? [m[0], m[1], m[3], m[4], m[6], m[7]] : null };
})));
