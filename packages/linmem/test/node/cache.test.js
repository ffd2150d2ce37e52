// The cache of instrumented modules.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Cache, originalAt, sha256 } from "../../src/node/cache.js";

const directory = mkdtempSync(join(tmpdir(), "linmem-cache-"));
after(() => rmSync(directory, { recursive: true }));

let roots = 0;
const newRoot = () => join(directory, `root${roots++}`);

const entry = (text, bytes = 10) => ({ original: Buffer.from(text), wasm: Buffer.alloc(bytes, text), map: `{"of":"${text}"}`, isValid: true });
const instrumented = (text, bytes) => (({ original, wasm, ...made }) => ({ wasm: new Uint8Array(wasm), ...made }))(entry(text, bytes));
const allFiles = (root) => readdirSync(root).flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(root, folder, name)));
// Without the originals.
const files = (root) => allFiles(root).filter((path) => !path.endsWith(".wasm"));

test("what is put in comes out, for the same maker only", () => {
  const root = newRoot();
  const key = sha256("a");
  const cache = new Cache("one", { root });
  assert.equal(cache.get(key), undefined);
  cache.put(key, entry("a"));
  assert.deepEqual(cache.get(key), instrumented("a"));
  assert.deepEqual(new Cache("one", { root }).get(key), instrumented("a"));
  assert.equal(new Cache("another", { root }).get(key), undefined);
});

test("that a module is valid is known of this engine only", () => {
  const root = newRoot();
  const key = sha256("a");
  const cache = new Cache("one", { root });
  cache.put(key, { ...entry("a"), isValid: false });
  assert.equal(cache.get(key).isValid, undefined, "so it is looked at again");
  cache.put(key, entry("a"));
  const [path] = files(root);
  const bytes = readFileSync(path);
  // The digest of the engine follows those of the module and of the map.
  bytes[16 + 2 * 32]++;
  writeFileSync(path, bytes);
  assert.equal(cache.get(key).isValid, undefined);
});

for (const [damage, change] of Object.entries({
  "cut": (bytes) => bytes.subarray(0, bytes.length - 1),
  "empty": () => Buffer.alloc(0),
  "longer": (bytes) => Buffer.concat([bytes, Buffer.from("x")]),
  "changed": (bytes) => (bytes[bytes.length - 20]++, bytes),
  "of another format": (bytes) => (bytes[0]++, bytes),
  "with other lengths": (bytes) => (bytes[16 + 3 * 32]++, bytes),
})) {
  test(`a file that is ${damage} is not taken, and is replaced`, () => {
    const root = newRoot();
    const cache = new Cache("one", { root });
    const key = sha256("a");
    cache.put(key, entry("a"));
    const [path] = files(root);
    writeFileSync(path, change(readFileSync(path)));
    assert.equal(cache.get(key), undefined);
    cache.put(key, entry("a"));
    assert.deepEqual(cache.get(key), instrumented("a"));
  });
}

test("the original comes out if it is what the key says", () => {
  const root = newRoot();
  const cache = new Cache("one", { root });
  const [key, other] = ["a", "b"].map(sha256);
  assert.deepEqual([cache.original(key), cache.map(key)], [undefined, undefined]);
  cache.put(key, entry("a"));
  cache.put(other, entry("a"));
  assert.deepEqual(cache.original(key), Buffer.from("a"));
  assert.equal(cache.map(key), entry("a").map);
  assert.equal(cache.original(other), undefined, "a forged one");
});

test("the original has a further name as long as that is wanted", () => {
  const root = newRoot();
  const cache = new Cache("one", { root, limit: 1000 });
  const [key, other] = ["a", "b"].map(sha256);
  const beside = join(directory, `${key}.wasm`);
  assert.equal(cache.link(key, 1, beside), false, "nothing is kept");
  cache.put(key, entry("a"));
  assert.ok(cache.link(key, 1, beside));
  assert.ok(cache.link(key, 1, beside), "again");
  assert.equal(cache.link(key, 2, join(directory, "cut")), false, "it is cut");
  cache.put(other, entry("b", 5000));
  assert.equal(cache.original(key), undefined, "evicted");
  assert.deepEqual(originalAt(beside, key), Buffer.from("a"));
  assert.equal(originalAt(beside, other), undefined, "another one");
  assert.equal(cache.link("../x", 1, join(directory, "x")), false);
});

test("a key that is none leads nowhere", () => {
  const root = newRoot();
  const cache = new Cache("one", { root });
  cache.put(sha256("a"), entry("a"));
  writeFileSync(`${root}.module`, "x");
  for (const key of [`../../${root.split("/").at(-1)}`, "", "a".repeat(63), "A".repeat(64), `${"a".repeat(64)}/..`, "../".repeat(20)]) {
    assert.equal(cache.get(key), undefined);
    cache.put(key, entry("b"));
  }
  assert.equal(files(root).length, 1);
});

test("what was used longest ago goes first when there is too much, whoever made it", () => {
  const root = newRoot();
  const [old, used, fresh] = ["old", "used", "fresh"].map(sha256);
  const cache = new Cache("one", { root, limit: 25_000 });
  new Cache("another", { root, limit: 25_000 }).put(old, entry("old", 10_000));
  cache.put(used, entry("used", 10_000));
  for (const path of files(root)) utimesSync(path, 1000, path.includes(old) ? 2000 : 1000);
  assert.ok(cache.get(used), "which marks it as used");
  cache.put(fresh, entry("fresh", 10_000));
  assert.deepEqual([cache.get(used) !== undefined, cache.get(fresh) !== undefined, files(root).length], [true, true, 2]);
});

test("one that is larger than all may be is kept alone", () => {
  const root = newRoot();
  const cache = new Cache("one", { root, limit: 1000 });
  cache.put(sha256("a"), entry("a"));
  cache.put(sha256("b"), entry("b", 5000));
  assert.deepEqual([files(root).length, cache.get(sha256("b")) !== undefined], [1, true]);
});

test("nothing unfinished is left", () => {
  const root = newRoot();
  const cache = new Cache("one", { root });
  for (let time = 0; time < 3; time++) cache.put(sha256("a"), entry("a"));
  assert.deepEqual(files(root).map((path) => path.endsWith(".module")), [true]);
  assert.ok(statSync(files(root)[0]).size > 0);
});

test("where it cannot be written, recordings' directory has it", (context) => {
  const traces = join(directory, "traces");
  mkdirSync(traces);
  const blocked = join(directory, "blocked");
  writeFileSync(blocked, "a file");
  const before = process.env.LINMEM_TRACE_DIR;
  context.after(() => (before === undefined ? delete process.env.LINMEM_TRACE_DIR : (process.env.LINMEM_TRACE_DIR = before)));
  process.env.LINMEM_TRACE_DIR = traces;
  const cache = new Cache("one", { root: blocked });
  cache.put(sha256("a"), entry("a"));
  assert.deepEqual(cache.get(sha256("a")), instrumented("a"));
  assert.deepEqual(files(traces).length, 1);
});
