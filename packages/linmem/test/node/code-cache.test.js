// The cache of compiled code.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { NAME_IN_STACKS } from "../../src/node/code-cache.js";

const directory = mkdtempSync(join(tmpdir(), "linmem-code-"));
after(() => rmSync(directory, { recursive: true }));

const CODE_CACHE = new URL("../../src/node/code-cache.js", import.meta.url).href;
const script = join(directory, "said.cjs");
const starter = join(directory, "start.mjs");
const starts = (path) => writeFileSync(starter, `import { runCached } from ${JSON.stringify(CODE_CACHE)}; runCached(${JSON.stringify(pathToFileURL(path).href)}, (keep) => keep());`);
starts(script);

let roots = 0;
const newRoot = () => join(directory, `root${roots++}`);
const run = (root, options = []) => execFileSync(process.execPath, [...options, starter], { env: { ...process.env, LINMEM_CACHE_DIR: root, NODE_OPTIONS: "" }, encoding: "utf8" });
const files = (root) => readdirSync(join(root, "code")).map((name) => join(root, "code", name));
const says = (words) => writeFileSync(script, `console.log(${JSON.stringify(words)}, require("node:path").basename(__filename), typeof module.exports);`);

test("a file runs as it is, with its code in the cache or without", () => {
  const root = newRoot();
  says("one");
  assert.equal(run(root), "one said.cjs object\n");
  const [kept] = files(root);
  const { mtimeMs } = statSync(kept);
  assert.equal(run(root), "one said.cjs object\n");
  assert.equal(statSync(kept).mtimeMs, mtimeMs, "it was good");
  says("two");
  assert.equal(run(root), "two said.cjs object\n");
  assert.equal(files(root).length, 2);
});

for (const [damage, change] of Object.entries({
  changed: (bytes) => (bytes[bytes.length >> 1]++, bytes),
  cut: (bytes) => bytes.subarray(0, bytes.length >> 1),
  empty: () => Buffer.alloc(0),
})) {
  test(`code that is ${damage} is not run, and is replaced`, () => {
    const root = newRoot();
    says(damage);
    run(root);
    const [kept] = files(root);
    const whole = readFileSync(kept);
    writeFileSync(kept, change(Buffer.from(whole)));
    assert.equal(run(root), `${damage} said.cjs object\n`);
    assert.equal(readFileSync(kept).length, whole.length);
  });
}

test("a file has one name in stacks, wherever it lies", () => {
  const root = newRoot();
  const stack = 'console.log(/\\((.*?):1/.exec(new Error().stack)[1]);';
  const elsewhere = mkdtempSync(join(directory, "elsewhere-"));
  for (const folder of [directory, elsewhere]) {
    const path = join(folder, "stack.cjs");
    writeFileSync(path, stack);
    starts(path);
    assert.equal(run(root), `${NAME_IN_STACKS}\n`);
  }
  assert.equal(files(root).length, 1);
  starts(script);
});

test("code that the engine made with other options is replaced", () => {
  const root = newRoot();
  says("options");
  run(root);
  assert.equal(run(root, ["--no-opt"]), "options said.cjs object\n");
  assert.equal(files(root).length, 1);
});

test("where nothing can be written, it still runs", () => {
  const root = newRoot();
  writeFileSync(root, "a file");
  chmodSync(root, 0o444);
  says("nowhere");
  assert.equal(run(root), "nowhere said.cjs object\n");
});
