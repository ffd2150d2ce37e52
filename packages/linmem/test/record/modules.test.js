// Modules that the engine refuses once they are instrumented: the program gets its own, and the trace a note.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createContext, runInContext } from "node:vm";
import { Recorder } from "../../src/record/recorder.js";
import { MAP_VERSION } from "../../src/record/names.js";
import { withCustomSection } from "../../src/record/sections.js";
import { readRecords } from "../node/read-trace.js";

// "Implementation-defined Limits" of the WebAssembly JavaScript Interface: the body of a function, in bytes.
const LARGEST_BODY = 7_654_321;

/** A module whose one function, `run`, has a body of so many bytes. */
function moduleWithBody(bytes) {
  const leb = (number) => (number < 128 ? [number] : [(number & 127) | 128, ...leb(number >>> 7)]);
  const section = (id, content) => [id, ...leb(content.length), ...content];
  const code = Buffer.concat([Buffer.from([1, ...leb(bytes)]), Buffer.from([0]), Buffer.alloc(bytes - 2, 1), Buffer.from([0x0b])]);
  return Buffer.concat([
    Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]),
    Buffer.from([...section(1, [1, 0x60, 0, 0]), ...section(3, [1, 0]), ...section(7, [1, 3, ...Buffer.from("run"), 0, 0])]),
    Buffer.from([10, ...leb(code.length)]),
    code,
  ]);
}

/** A realm that is watched with an instrument port that makes `wasm` and finds what other threads made, and the records of its trace. */
function watchedRealm(make, { find = () => undefined, seal } = {}) {
  const chunks = [];
  const recorder = new Recorder({
    sink: (bytes) => chunks.push(Buffer.from(bytes)),
    clock: { micros: () => 0, every: () => () => {} },
    stacks: { take: () => [], isHostsOwn: () => false, cleaned: (error) => error },
    instrument: { key: () => "0123456789", make, find },
    seal,
    complain: (message) => assert.fail(message),
  });
  const realm = runInContext("globalThis", createContext());
  recorder.watch(realm);
  const notes = () => {
    recorder.records.flush();
    return readRecords(Buffer.concat(chunks)).filter(({ record }) => record === "NOTE");
  };
  return { WebAssembly: realm.WebAssembly, notes };
}

const map = { version: MAP_VERSION, functions: [], offsets: "AA" };

test("the engine takes a function of the largest size, and refuses a larger one", () => {
  assert.equal(WebAssembly.validate(moduleWithBody(LARGEST_BODY)), true);
  assert.equal(WebAssembly.validate(moduleWithBody(LARGEST_BODY + 1)), false);
});

test("a module that the engine refuses once it is instrumented runs as it is, with a note", async () => {
  const own = moduleWithBody(100);
  const { WebAssembly, notes } = watchedRealm(() => ({ wasm: moduleWithBody(LARGEST_BODY + 1), map }));
  const instances = [
    new WebAssembly.Instance(new WebAssembly.Module(own)),
    new WebAssembly.Instance(await WebAssembly.compile(own)),
    (await WebAssembly.instantiate(own)).instance,
  ];
  for (const { exports } of instances) {
    assert.deepEqual(Object.keys(exports), ["run"]);
    assert.equal(exports.run(), undefined);
  }
  assert.deepEqual(notes().map(({ words }) => words), ["module wasm-01234567.wasm is not watched: the engine refuses the instrumented module"]);
});

test("a module that cannot be instrumented runs as it is, with a note that says why", () => {
  const { WebAssembly, notes } = watchedRealm(() => {
    throw new Error("the code of large would have 7,654,323 bytes");
  });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(moduleWithBody(100)));
  assert.deepEqual(Object.keys(exports), ["run"]);
  assert.deepEqual(notes().map(({ words }) => words), ["module wasm-01234567.wasm is not watched: the code of large would have 7,654,323 bytes"]);
});

test("what the engine refuses as the program made it is the program's own error, without a note", () => {
  const { WebAssembly, notes } = watchedRealm((_, wasm) => ({ wasm, map }));
  assert.throws(() => new WebAssembly.Module(moduleWithBody(LARGEST_BODY + 1)), { name: "CompileError" });
  assert.deepEqual(notes(), []);
});

/** Realms of two threads, of which the second gets modules compiled; `asked` are the keys that it looks for. */
function twoThreads(seals) {
  const asked = [];
  const find = (key) => void asked.push(key);
  const whole = { ...map, allocator: { functions: [] }, entries: [], constructors: [], sizes: {}, tables: [] };
  const [first, second] = seals.map((seal) => watchedRealm((_, wasm) => ({ wasm, map: whole }), { find, seal }).WebAssembly);
  return { first, second, asked };
}

const ORIGIN = "linmem.origin";

test("what one thread has instrumented is known in another one of the program", () => {
  const { first, second, asked } = twoThreads(["seal", "seal"]);
  new second.Instance(new first.Module(moduleWithBody(100)));
  assert.deepEqual(asked, ["0123456789"]);
});

test("a module that says of another program that it has instrumented it is a module as any other", () => {
  const { first, second, asked } = twoThreads(["seal", "other"]);
  const { exports } = new second.Instance(new first.Module(moduleWithBody(100)));
  assert.deepEqual([Object.keys(exports), asked], [["run"], []]);
});

for (const words of ["0123456789", "0123456789 ", "0123456789 guess", "../../secret seal2", ""]) {
  test(`a module that says itself what it was made of is not believed: ${JSON.stringify(words)}`, () => {
    const { second, asked } = twoThreads(["seal", "seal"]);
    const forged = new WebAssembly.Module(withCustomSection(moduleWithBody(100), ORIGIN, words));
    const { exports } = new second.Instance(forged);
    assert.deepEqual([Object.keys(exports), asked], [["run"], []]);
  });
}

test("what a module says itself does not stand before what the recorder says of it", () => {
  const { first, second, asked } = twoThreads(["seal", "seal"]);
  new second.Instance(new first.Module(withCustomSection(moduleWithBody(100), ORIGIN, "9876543210 seal")));
  assert.deepEqual(asked, ["0123456789"]);
});
