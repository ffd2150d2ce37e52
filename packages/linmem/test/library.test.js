// The library as WebAssembly: it instruments a module as the native program does, analyses a recording as the native
// program does, and survives its own failures.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Files } from "../src/driver/files.js";
import { Library } from "../src/library/library.js";
import { PROGRAM } from "./node/support.js";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "linmem-library-"));
after(() => rmSync(directory, { recursive: true }));

const file = readFileSync(path("../dist/linmem.wasm"));
const module = new WebAssembly.Module(file);
const library = new Library(module);
const leaks = path("../../../examples/leaks.wasm");

function linmem(...values) {
  const { status, stderr, stdout } = spawnSync(PROGRAM, values, { encoding: "utf8" });
  assert.ok(status === 0 || status === 1, stderr);
  return stdout;
}

test("it asks its host for recordings, and to be told of panics, and for nothing else", () => {
  const imports = WebAssembly.Module.imports(module).map(({ module: of, name }) => `${of}.${name}`);
  assert.deepEqual(imports.sort(), ["linmem.open", "linmem.panicked", "linmem.read"]);
});

test("it instruments a module as the program does", () => {
  const [output, map] = [join(directory, "leaks.wasm"), join(directory, "leaks.map")];
  linmem("instrument", leaks, "--output", output, "--map", map);
  const instrumented = library.instrument(readFileSync(leaks));
  assert.ok(readFileSync(output).equals(instrumented.wasm));
  assert.equal(instrumented.map, readFileSync(map, "utf8"));
  assert.ok(WebAssembly.validate(instrumented.wasm));
});

test("it inspects a module as the program does", () => {
  assert.equal(library.inspect(readFileSync(leaks)), linmem("inspect", leaks));
});

test("it heeds what is said of the allocator", () => {
  const { map } = library.instrument(readFileSync(leaks), [["malloc", "main"]].slice(1));
  assert.ok(JSON.parse(map).allocator.functions.length > 0);
  assert.throws(() => library.instrument(readFileSync(leaks), [["malloc", "nobody"]]), /nobody/);
  assert.throws(() => library.instrument(readFileSync(leaks), [["mallok", "x"]]), /there is no role mallok/);
});

function reported(names, hotSites = 3) {
  const files = new Files();
  const reading = library.reading(files, { hotSites });
  names.forEach((name) => reading.add(name));
  try {
    return reading.finish();
  } finally {
    files.close();
  }
}

test("it reports on recordings as the program does", () => {
  const [trace, text, json] = ["leaks.trace", "leaks.txt", "leaks.json"].map((name) => join(directory, name));
  linmem("run", "--quiet", "--trace", trace, leaks);
  linmem("report", "--output", text, "--json", json, trace);
  const report = reported([trace]);
  assert.equal(report.text, readFileSync(text, "utf8"));
  assert.equal(report.json, readFileSync(json, "utf8"));
  const { text: _, json: __, ...verdict } = report;
  assert.deepEqual(verdict, { nothingWatched: null, errors: true, notes: [], unwatched: [] });
  assert.equal(reported([trace, trace]).text, report.text, "a recording is read once");
});

test("no recordings are a report on nothing", () => {
  const { nothingWatched, errors } = reported([]);
  assert.deepEqual([nothingWatched, errors], ["no-instance", false]);
});

test("it says what is wrong with what it gets", () => {
  assert.throws(() => library.instrument(Buffer.from("no module")), /magic number/);
  assert.throws(() => library.inspect(Buffer.from("no module")), /magic number/);
  assert.throws(() => reported([leaks]), /leaks\.wasm: not a linmem trace/);
  assert.throws(() => reported([join(directory, "none.trace")]), /cannot read .*none\.trace: no such file/);
});

test("a host that fails is not a failure of the library", () => {
  const open = () => {
    throw new TypeError("thrown by the host");
  };
  const reading = library.reading({ open, read: () => 0 }, { hotSites: 3 });
  reading.add("a");
  assert.throws(() => reading.takeIn(), new TypeError("thrown by the host"));
  const tooMuch = library.reading({ open: () => 0, read: (_, bytes) => bytes.length + 1 }, { hotSites: 3 });
  tooMuch.add("a");
  assert.throws(() => tooMuch.takeIn(), /a: the host read more than there is room for/);
});

// What traps is not an error that a message speaks of: a module that is cut in the wrong place would be one.
test("a trap becomes an error, and the next call has a new instance", () => {
  const broken = new WebAssembly.Module(withoutCode());
  const failing = new Library(broken);
  for (let time = 0; time < 2; time++) assert.throws(() => failing.debugFile(new Uint8Array(8)), /linmem failed, which is an error of linmem itself: unreachable/);
});

// A library whose functions all trap.
function withoutCode() {
  const exported = (name, parameters, results) => ({ name, parameters, results });
  const functions = [exported("malloc", 1, 1), exported("free", 1, 0), exported("debug_file", 2, 1), exported("release", 1, 0)];
  const vector = (items) => [items.length, ...items.flat()];
  const section = (id, bytes) => [id, bytes.length, ...bytes];
  const text = (words) => [words.length, ...Buffer.from(words)];
  const i32 = 0x7f;
  const types = functions.map(({ parameters, results }) => [0x60, parameters, ...Array(parameters).fill(i32), results, ...Array(results).fill(i32)]);
  const exports = [...functions.map(({ name }, index) => [...text(name), 0, index]), [...text("memory"), 2, 0]];
  // `malloc` returns 4096, `free` does nothing.
  const bodies = [[0, 0x41, 0x80, 0x20, 0x0b], [0, 0x0b], [0, 0x00, 0x0b], [0, 0x0b]].map((body) => [body.length, ...body]);
  return Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, section(1, vector(types)), section(3, vector(functions.map((_, index) => [index]))), section(5, vector([[0, 1]])), section(7, vector(exports)), section(10, vector(bodies))].flat());
}

test("an instance that has grown large is not kept", () => {
  // 14 MB of data, in a module of its own size.
  const large = wasmOf(14 << 20);
  const { wasm } = library.instrument(large);
  assert.ok(wasm.length > 14 << 20);
  assert.ok(library.instrument(readFileSync(leaks)).wasm.length > 0);
});

function wasmOf(bytes) {
  const leb = (number) => (number < 128 ? [number] : [(number & 127) | 128, ...leb(number >>> 7)]);
  const memory = [5, 4, 1, 0, ...leb(400)].slice(0);
  const data = Buffer.concat([Buffer.from([1, 0, 0x41, 0, 0x0b, ...leb(bytes)]), Buffer.alloc(bytes, 7)]);
  memory[1] = memory.length - 2;
  return Buffer.concat([Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...memory, 11, ...leb(data.length)]), data]);
}
