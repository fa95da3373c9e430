// Builds the pages' scripts and styles into webapp/static/build, with manifest.json mapping each source
// ("main.js") to its built file, whose name carries a hash of its content so that it may be cached for ever.

import { rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const assets = fileURLToPath(new URL(".", import.meta.url));
const output = fileURLToPath(new URL("../static/build/", import.meta.url));

await rm(output, { recursive: true, force: true });

const { metafile } = await build({
  absWorkingDir: assets,
  entryPoints: ["main.js", "style.css"],
  entryNames: "[name]-[hash]",
  outdir: output,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome111", "firefox115", "safari16.4"],
  metafile: true,
  logLevel: "warning",
});

const manifest = {};
for (const [file, { entryPoint, bytes }] of Object.entries(metafile.outputs)) {
  manifest[entryPoint] = basename(file);
  console.log(`${entryPoint} -> ${basename(file)} (${(bytes / 1024).toFixed(1)} kB)`);
}
await writeFile(`${output}/manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`);
