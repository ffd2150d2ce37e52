// Which code the engine optimises while the library instruments a module: what V8 says of its compilations.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const url = (relative) => JSON.stringify(new URL(relative, import.meta.url).href);

const INSTRUMENTS = `import { readFileSync } from "node:fs";
  import { theLibrary } from ${url("../../src/node/packaged-library.js")};
  const guest = readFileSync(new URL(${url("../guests/libc.wasm")}));
  theLibrary().instrument(guest);`;

// A loop of 100 million bytes of code.
const LOOPS = `const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0,
    10, 24, 1, 22, 1, 1, 127, 3, 64, 32, 0, 65, 1, 106, 34, 0, 65, 128, 173, 226, 4, 71, 13, 0, 11, 11]);
  new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.f();`;

/** The functions that were optimised, by their numbers. */
function optimised(source, options = []) {
  const words = ["--trace-wasm-compilation-times", ...options, "--input-type=module", "--eval", source];
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: "utf8", env: { ...process.env, NODE_OPTIONS: "" } });
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(stdout, /Liftoff/);
  return [...stdout.matchAll(/#(\d+) using TurboFan/g)].map(([, index]) => Number(index));
}

const isKnown = parseInt(process.versions.v8) in { 11: 0, 12: 0, 13: 0 } ? {} : { skip: "not a version of V8 whose options are known" };

test("the library's code is not optimised for one small module, and the program's is as ever", isKnown, () => {
  assert.ok(optimised(INSTRUMENTS).length <= 1);
  assert.deepEqual(optimised(LOOPS), [0]);
  // The library's function 0 is an import.
  assert.ok(optimised(`${INSTRUMENTS}\n${LOOPS}`).includes(0));
});

test("what the user says of optimising holds for the library, too", () => {
  for (const option of ["--wasm-tiering-budget=20000", "--wasm_tiering_budget=20000"]) assert.ok(optimised(INSTRUMENTS, [option]).length > 5, option);
});

test("a version of V8 that is not known gets no option that it may not have", () => {
  const other = `Object.defineProperty(process, "versions", { value: { ...process.versions, v8: "99.1" } });
    const { doneLate } = await import(${url("../../src/node/done-late.js")});
    const v8 = await import("node:v8");
    v8.default.setFlagsFromString = () => { throw new Error("set"); };
    if (doneLate(() => 7) !== 7) throw new Error("not called");
    ${LOOPS}`;
  assert.deepEqual(optimised(other), [0]);
});
