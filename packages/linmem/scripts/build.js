// Makes what is in dist beside the library, of src: the recorder for pages as one classic script, and the
// command and the recorder for Node as one CommonJS file each, which Node starts much sooner than their many ES modules, and
// what starts the recorder. Each file of dist lies as deep as those of src that it is made of, so that relative URLs lead to the
// same files.

import { build } from "esbuild";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

const common = { bundle: true, minify: true, target: "es2022", charset: "utf8", legalComments: "none" };

await build({
  ...common,
  entryPoints: [path("../src/browser/script.js")],
  outfile: path("../dist/browser.js"),
  format: "iife",
});

const ofNode = {
  ...common,
  platform: "node",
  format: "cjs",
  define: { "import.meta.url": "linmemFile" },
  banner: { js: 'const linmemFile = require("node:url").pathToFileURL(__filename).href;' },
};

await build({ ...ofNode, entryPoints: [path("../src/node.js")], outfile: path("../dist/node/recorder.cjs") });

await build({
  ...ofNode,
  entryPoints: [path("../src/node/start.js")],
  outfile: path("../dist/node/preload.cjs"),
  // As src/node/preload.cjs does: the program finds nothing but its own modules here.
  footer: { js: "delete require.cache[__filename];" },
});

await build({ ...ofNode, entryPoints: [path("../src/command/main.js")], outfile: path("../dist/command/main.cjs") });

// A recording for the command to practise on, see src/command/warm-up.js.
const scratch = mkdtempSync(join(tmpdir(), "linmem-"));
const env = { ...process.env, NODE_OPTIONS: "", LINMEM_PROGRAM: "", LINMEM_TRACE_DIR: scratch, LINMEM_CACHE_DIR: join(scratch, "cache") };
execFileSync(process.execPath, ["--require", path("../dist/node/preload.cjs"), path("sample.mjs")], { env, stdio: "inherit" });
const [sample] = readdirSync(scratch).filter((name) => name.endsWith(".trace"));
copyFileSync(join(scratch, sample), path("../dist/sample.trace"));
rmSync(scratch, { recursive: true });
