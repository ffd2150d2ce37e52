// Frames of modules that the recorder knows nothing of.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Frames } from "../../src/record/frames.js";

const shown = (frame) => new Frames({}).shown([frame], undefined).map(({ host }) => host);

test("a module is told by its own name, not by the engine's hash of its bytes", () => {
  assert.deepEqual(shown({ url: "wasm://wasm/side.wasm-0677bae6", name: "make" }), ["make (side.wasm)"]);
  assert.deepEqual(shown({ url: "wasm://wasm/a-b-0677bae6", name: "make" }), ["make (a-b)"]);
  assert.deepEqual(shown({ url: "wasm://wasm/0677bae6", name: undefined }), ["function (wasm)"]);
});

test("other engines' names stay as they are", () => {
  assert.deepEqual(shown({ url: "http://localhost/side.wasm", name: "make" }), ["make (http://localhost/side.wasm)"]);
});
