// Pictures with an orientation, by libvips.
//
// exif.cjs write DIR      writes turned.jpg, turned.png, turned.webp
// exif.cjs compare A B    fails unless both have the same pixels, as stored, and B no EXIF
const sharp = require('sharp');

const [verb, first, second] = process.argv.slice(2);
const [width, height] = [48, 32];

async function write(dir) {
  const pixels = Buffer.alloc(3 * width * height);
  for (let i = 0; i < width * height; i++) pixels.set([5 * (i % width), 7 * Math.floor(i / width), 128], 3 * i);
  const turned = () => sharp(pixels, { raw: { width, height, channels: 3 } }).withMetadata({ orientation: 6 });
  await turned().jpeg({ quality: 95 }).toFile(`${dir}/turned.jpg`);
  await turned().png().toFile(`${dir}/turned.png`);
  await turned().webp({ lossless: true }).toFile(`${dir}/turned.webp`);
}

async function compare(a, b) {
  const of = (file) => Promise.all([sharp(file).metadata(), sharp(file).removeAlpha().raw().toBuffer()]);
  const [[before, stored], [after, left]] = await Promise.all([of(a), of(b)]);
  if (before.orientation !== 6) throw new Error('the first has no orientation');
  if (after.orientation || after.exif) throw new Error(`the orientation is ${after.orientation}`);
  if (before.width !== after.width || before.height !== after.height || !stored.equals(left)) throw new Error('the pixels differ');
}

(verb === 'write' ? write(first) : compare(first, second)).catch((error) => {
  console.log(error.message);
  process.exit(1);
});
