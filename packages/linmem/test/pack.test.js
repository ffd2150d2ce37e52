// The package as users get it: packed, installed into an empty project, and the README's example run.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { EXAMPLE_LINES, example, installPacked } from "./readme.js";

const project = installPacked();
after(project.remove);

const installed = join(project.directory, "node_modules/linmem");

test("only what users need is packed, and it depends on nothing", () => {
  assert.deepEqual(project.files.filter((path) => !/^(src\/.*\.(c?js|d\.ts)|dist\/(linmem\.wasm(\.sha256)?|browser\.js)|package\.json|README\.md|LICENSE-\w+)$/.test(path)), []);
  assert.equal(JSON.parse(readFileSync(join(installed, "package.json"), "utf8")).dependencies, undefined);
});

test("the README's example runs", () => {
  const guest = fileURLToPath(new URL("guests/libc.wasm", import.meta.url));
  const load = `import { readFileSync } from "node:fs";\nconst bytes = readFileSync(${JSON.stringify(guest)});`;
  writeFileSync(join(project.directory, "example.js"), example(load));
  assert.deepEqual(project.run(process.execPath, "example.js").split("\n"), [...EXAMPLE_LINES, ""]);
});

test("every export and its types are there", () => {
  const { exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  const paths = Object.values(exports).flatMap((target) => (typeof target === "string" ? [target] : Object.values(target)));
  for (const path of paths) assert.ok(readFileSync(join(installed, path)).length > 0);
});
