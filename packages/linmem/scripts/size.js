// Prints how many bytes a browser downloads: bundled, minified, and compressed.

import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

for (const name of ["strings", "compat"]) {
  const options = { entryPoints: [path(`../src/${name}.js`)], bundle: true, minify: true, format: "esm", target: "es2022", write: false };
  const { outputFiles } = await build(options);
  const { contents } = outputFiles[0];
  const sizes = [contents.length, gzipSync(contents, { level: 9 }).length, brotliCompressSync(contents).length];
  console.log(`linmem/${name}: minified %d bytes, gzip %d, brotli %d`, ...sizes);
}
