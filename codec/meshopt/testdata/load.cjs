// Loads a meshoptimizer that knows version 1 of attributes: one that comes with others.
const path = require('path');
const { pathToFileURL } = require('url');

module.exports = async () => {
  const file = path.join(process.env.NODE_PATH, '@gltf-transform/cli/node_modules/meshoptimizer/index.js');
  const all = await import(pathToFileURL(file));
  await all.MeshoptEncoder.ready;
  await all.MeshoptDecoder.ready;
  return all;
};
