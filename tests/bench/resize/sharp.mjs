// sharp, the normal way or cascaded by hand, behind the protocol of serve.py: `node sharp.mjs FOLDER normal|cascade`,
// where FOLDER is where npm has installed it.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [folder, way] = process.argv.slice(2);
const sharp = createRequire(`${folder}/`)("sharp");
sharp.concurrency(1);
sharp.cache(false);

const FORMATS = {
  jpeg: (picture) => picture.jpeg({ quality: 80 }),
  webp: (picture) => picture.webp({ quality: 80, effort: 4 }),
  raw: (picture) => picture.toColourspace("srgb").raw(),
};

// Most people tell only the width, which gives the same size and takes as long, but puts rows a fraction of a pixel off
// where the height has to be rounded: that would look like bad quality.
const resized = (picture, [width, height]) => picture.resize({ width, height, fit: "fill", withoutEnlargement: true });

const WAYS = {
  // A pipeline from the original for each file.
  async *normal(original, sizes, formats) {
    for (const size of sizes) {
      for (const format of formats) {
        yield FORMATS[format](resized(sharp(original).autoOrient(), size)).toBuffer();
      }
    }
  },

  // Decoded once, each size made of the pixels of the next larger one.
  async *cascade(original, sizes, formats) {
    let picture = sharp(original).autoOrient();
    for (const size of sizes) {
      const { data, info } = await resized(picture, size).raw().toBuffer({ resolveWithObject: true });
      const pixels = () => sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } });
      for (const format of formats) {
        yield FORMATS[format](pixels()).toBuffer();
      }
      picture = pixels();
    }
  },
};

async function done({ photo, sizes, formats, folder }) {
  const original = readFileSync(photo);
  const before = process.cpuUsage();
  let [number, bytes] = [0, 0];
  for await (const file of WAYS[way](original, sizes, formats)) {
    bytes += file.length;
    if (folder) {
      writeFileSync(`${folder}/${number}`, file);
    }
    number += 1;
  }
  const { user, system } = process.cpuUsage(before);
  return { cpu_s: (user + system) / 1e6, bytes, children_mb: 0 };
}

for await (const line of createInterface({ input: process.stdin })) {
  const results = [];
  for (const job of JSON.parse(line)) {
    results.push(await done(job));
  }
  console.log(JSON.stringify(results));
}
