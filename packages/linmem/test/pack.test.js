// The package as users get it: packed, installed into an empty project, and the README's example run.

import assert from "node:assert/strict";
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { EXAMPLE_LINES, example, installPacked } from "./readme.js";

const project = installPacked();
after(project.remove);

const installed = join(project.directory, "node_modules/linmem");

test("only what users need is packed, and it depends on nothing", () => {
  assert.deepEqual(project.files.filter((path) => !/^(src\/.*\.(c?js|d\.ts)|dist\/(linmem\.wasm(\.sha256)?|browser\.js|browser\/auto\.js|command\/main\.cjs|node\/(preload|recorder)\.cjs|sample\.trace)|package\.json|README\.md|LICENSE-\w+)$/.test(path)), []);
  assert.equal(JSON.parse(readFileSync(join(installed, "package.json"), "utf8")).dependencies, undefined);
});

test("the README's example runs", () => {
  const guest = fileURLToPath(new URL("guests/libc.wasm", import.meta.url));
  const load = `import { readFileSync } from "node:fs";\nconst bytes = readFileSync(${JSON.stringify(guest)});`;
  writeFileSync(join(project.directory, "example.js"), example(load));
  assert.deepEqual(project.run(process.execPath, "example.js").split("\n"), [...EXAMPLE_LINES, ""]);
});

test("what packed files import is packed", () => {
  const scripts = project.files.filter((path) => /^src\/.*\.js$/.test(path));
  const missing = scripts.flatMap((path) => {
    const source = readFileSync(join(installed, path), "utf8");
    const targets = [...source.matchAll(/(?:\bfrom |^import |\bimport\(|\bnew URL\()"(\.[^"]*\.\w+)"/gm)];
    return targets.map(([, target]) => join(path, "..", target)).filter((target) => !project.files.includes(target));
  });
  assert.ok(scripts.length > 50);
  assert.deepEqual(missing, []);
});

test("linmem/node is there for --require and for --import, and alone is enough", () => {
  const guest = fileURLToPath(new URL("guests/libc.wasm", import.meta.url));
  writeFileSync(join(project.directory, "leak.mjs"), `import { readFileSync } from "node:fs";
    const { instance } = await WebAssembly.instantiate(readFileSync(${JSON.stringify(guest)}));
    instance.exports.malloc(100);`);
  for (const options of [["--require", "linmem/node"], ["--import", "linmem/node"], ["--require", "linmem/node", "--import", "linmem/node"]]) {
    project.run("env", "LINMEM_TRACE_DIR=traces", `LINMEM_CACHE_DIR=${join(project.directory, "cache")}`, process.execPath, ...options, "leak.mjs");
    const [trace, ...others] = readdirSync(join(project.directory, "traces"));
    assert.deepEqual(others, []);
    assert.match(project.run("npx", "--offline", "linmem", "report", "--json", "-", join("traces", trace)), /100 bytes in 1 block never given back.*leak\.mjs:3/);
    rmSync(join(project.directory, "traces"), { recursive: true });
  }
});

test("every export and its types are there", () => {
  const { exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  const paths = Object.values(exports).flatMap((target) => (typeof target === "string" ? [target] : Object.values(target)));
  for (const path of paths) assert.ok(readFileSync(join(installed, path)).length > 0);
});
