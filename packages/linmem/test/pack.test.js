// The package as users get it: packed, installed into an empty project, and the README's example run.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { EXAMPLE_OUTPUT, readmeExample } from "./readme.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const project = mkdtempSync(join(tmpdir(), "linmem-"));
after(() => rmSync(project, { recursive: true }));

const run = (command, ...values) => execFileSync(command, values, { cwd: project, encoding: "utf8" });

test("installs from its tarball, and the README's example runs", () => {
  const [{ filename, files }] = JSON.parse(run("npm", "pack", "--json", "--silent", "--pack-destination", project, root));
  assert.ok(files.every(({ path }) => /^(src\/|package\.json$|README\.md$|LICENSE-)/.test(path)), files.map(({ path }) => path).join());
  writeFileSync(join(project, "package.json"), '{ "type": "module" }');
  run("npm", "install", "--offline", "--no-audit", "--no-fund", "--silent", join(project, filename));
  copyFileSync(fileURLToPath(new URL("guests/libc.wasm", import.meta.url)), join(project, "guest.wasm"));
  const load = 'import { readFileSync } from "node:fs";\nconst bytes = readFileSync("guest.wasm");\n';
  writeFileSync(join(project, "example.js"), load + readmeExample());
  assert.equal(run("node", "example.js"), EXAMPLE_OUTPUT);
  const installed = JSON.parse(readFileSync(join(project, "node_modules/linmem/package.json"), "utf8"));
  assert.equal(installed.dependencies, undefined);
});
