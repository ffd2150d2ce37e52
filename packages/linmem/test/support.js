// What the tests share: vectors, guests, and how to see an error.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import wabt from "wabt";

const read = (path) => readFileSync(new URL(path, import.meta.url));

export const testdata = {
  strings: JSON.parse(read("../../../testdata/strings.json")),
  utf8tests: JSON.parse(read("../../../testdata/utf8tests.json")),
  repeats: JSON.parse(read("../../../testdata/repeats.json")),
  hooks: JSON.parse(read("../../../testdata/hooks.json")),
};

export const makeMemory = ({ initial, maximum }) => new WebAssembly.Memory({ initial, ...(maximum && { maximum }) });

const libc = new WebAssembly.Module(read("guests/libc.wasm"));

/** A new instance of guests/libc.c, with wasi-libc's allocator. */
export const libcInstance = () => new WebAssembly.Instance(libc);

const { parseWat } = await wabt();

/** A module in the text format as bytes. */
export function bytesOfText(text, features = {}) {
  const module = parseWat("guest.wat", text, features);
  const { buffer } = module.toBinary({});
  module.destroy();
  return buffer;
}

/** An instance of a module in the text format. */
export const instantiate = (text, imports = {}, features = {}) => new WebAssembly.Instance(new WebAssembly.Module(bytesOfText(text, features)), imports);

/** Checks that `run` throws an error with `code`, and returns it. */
export function thrown(run, code) {
  let error;
  assert.throws(run, (caught) => {
    error = caught;
    return true;
  });
  assert.equal(error.code, code, error.stack);
  return error;
}
