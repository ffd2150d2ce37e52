// Makes dist/browser.js of src/browser/script.js: one classic script, minified.

import { build } from "esbuild";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

await build({
  entryPoints: [path("../src/browser/script.js")],
  outfile: path("../dist/browser.js"),
  bundle: true,
  format: "iife",
  minify: true,
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
});
