// Prints what libvips reads of an animation, as JSON: delays, repetitions, and the
// pixels of each frame in base64.
const sharp = require('sharp');

(async () => {
  const file = process.argv[2];
  const { pages, delay, loop, width, pageHeight } = await sharp(file, { animated: true }).metadata();
  const frames = [];
  for (let page = 0; page < pages; page++) frames.push((await sharp(file, { page }).removeAlpha().raw().toBuffer()).toString('base64'));
  console.log(JSON.stringify({ delay, loop, width, height: pageHeight, frames }));
})();
