// Stacks in pages: how places are told, and stacks that are texts, as Firefox and Safari write them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { placeOf } from "../src/browser/places.js";
import { StackTexts } from "../src/browser/stack-texts.js";

globalThis.origin = "http://localhost:5173";

test("files of the page's own server are told by their paths", () => {
  const places = [
    ["http://localhost:5173/src/app.js?t=17#x", "src/app.js:5"],
    ["http://localhost:5173/", "/:5"],
    ["http://localhost:5173/node_modules/yoga/index.js", "node_modules/yoga/index.js:5"],
    ["http://localhost:8080/app.js", "http://localhost:8080/app.js:5"],
    ["https://cdn.example/yoga.js?v=1", "https://cdn.example/yoga.js:5"],
    ["blob:http://localhost:5173/0a1b2c3d-1111-2222-3333-444455556666", "blob:0a1b2c3d:5"],
    ["data:text/javascript,work()", "data:5"],
    ["eval", "eval:5"],
    ["file:///home/me/app.html", "file:///home/me/app.html:5"],
  ];
  for (const [file, place] of places) assert.equal(placeOf(file, 5, 3), place);
});

test("a line that no one wrote has a column", () => {
  assert.equal(placeOf("http://localhost:5173/app.js", 1, 501), "app.js:1:501");
  assert.equal(placeOf("http://localhost:5173/app.js", 1, 500), "app.js:1");
  assert.equal(placeOf("http://localhost:5173/node_modules/a.js", 1, 81), "node_modules/a.js:1:81");
});

const framesOf = (stack) => new StackTexts((text) => text.includes("linmem:recorder")).framesOf(stack);

test("a stack that is a text", () => {
  const frames = framesOf(`take@linmem:recorder:1:2
malloc@http://localhost:5173/app.js line 12 > WebAssembly.instantiate:wasm-function[3]:0x5a
wasm-function[4]@http://localhost:5173/app.js line 12 > WebAssembly.instantiate:wasm-function[4]:0xff
work@http://localhost:5173/app.js:5:3
@http://localhost:5173/app.js:9:1
async*later@http://localhost:5173/src/b.js:7:1
`);
  const url = "http://localhost:5173/app.js line 12 > WebAssembly.instantiate";
  assert.deepEqual(frames, [
    { url, index: 3, offset: 0x5a, name: "malloc" },
    { url, index: 4, offset: 0xff, name: undefined },
    { text: "work (app.js:5)" },
    { text: "app.js:9" },
    { text: "async later (src/b.js:7)" },
  ]);
});

test("the same line is the same frame", () => {
  const texts = new StackTexts(() => false);
  const [one, other] = [0, 1].map(() => texts.framesOf("work@http://localhost:5173/app.js:5:3")[0]);
  assert.equal(one, other);
});

test("what is no stack has no frames", () => {
  for (const text of ["", "\n", "Error: no", "[native code]", "a@", "@[native code]", "x@y:z"]) assert.deepEqual(framesOf(text), []);
});
