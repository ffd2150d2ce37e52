// Whether bytes are those of a module that has a memory: "no" is only said where it is certain. And a module's custom
// sections.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesWithRoom, mayHaveMemory, withCustomSection, withOnlySections } from "../../src/record/sections.js";
import { bytesOfText } from "../support.js";

const EMPTY = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

const WITHOUT = {
  nothing: "(module)",
  "functions and a table": '(module (table (export "t") 2 funcref) (func (export "f") (param i32) (result i32) local.get 0))',
  "a trampoline": '(module (import "e" "f" (func (param i32))) (export "f" (func 0)))',
  "imports of every other kind": `(module (import "a" "f" (func (param i32 f64) (result i64))) (import "a" "t" (table 1 300 funcref))
    (import "a" "u" (table 1 externref)) (import "a" "g" (global (mut f64))) (import "a" "h" (global externref)))`,
  "a tag": '(module (import "a" "tag" (tag (param i32))) (import "a" "g" (global i32)))',
};

const WITH = {
  "a memory": "(module (memory 0))",
  "an imported memory": '(module (import "env" "memory" (memory 1)))',
  "an imported memory behind other imports": `(module (import "a" "f" (func)) (import "a" "t" (table 1 200000 funcref))
    (import "a" "g" (global (mut i64))) (import "a" "memory" (memory 1 65536 shared)))`,
};

for (const [what, text] of Object.entries(WITHOUT)) {
  test(`a module with ${what} has no memory`, () => assert.equal(mayHaveMemory(bytesOfText(text, { exceptions: true, threads: true })), false));
}

for (const [what, text] of Object.entries(WITH)) {
  test(`a module with ${what} has one`, () => assert.equal(mayHaveMemory(bytesOfText(text, { threads: true })), true));
}

test("a memory section without a memory is none", () => {
  assert.equal(mayHaveMemory(Uint8Array.from([...EMPTY, 5, 1, 0])), false);
});

test("references to functions of a type are followed by it", () => {
  const imported = (kind, ...rest) => {
    const imports = [1, 1, 0x61, 1, 0x62, kind, ...rest];
    return Uint8Array.from([...EMPTY, 2, imports.length, ...imports]);
  };
  assert.equal(mayHaveMemory(imported(3, 0x64, 5, 0)), false, "a global of (ref 5)");
  assert.equal(mayHaveMemory(imported(1, 0x63, 0x80, 0x01, 0, 1)), false, "a table of (ref null 128)");
  assert.equal(mayHaveMemory(imported(3, 0x50, 0)), true, "a type that is not known");
  assert.equal(mayHaveMemory(imported(9, 0)), true, "a kind that is not known");
  assert.equal(mayHaveMemory(imported(1, 0x70, 0x10, 1)), true, "limits that are not known");
});

test("of bytes that are no module nothing is said", () => {
  assert.equal(mayHaveMemory(new Uint8Array()), true);
  assert.equal(mayHaveMemory(Uint8Array.from(EMPTY.with(4, 13))), true, "a component");
  const whole = bytesOfText('(module (import "a" "f" (func)) (import "a" "memory" (memory 1)))');
  for (let length = 0; length < whole.length; length++) assert.doesNotThrow(() => mayHaveMemory(whole.subarray(0, length)), `${length} bytes`);
  assert.equal(mayHaveMemory(Uint8Array.from([...EMPTY, 2, 0x7f, 1])), true, "a section that is too long");
  assert.equal(mayHaveMemory(Uint8Array.from([...EMPTY, 1, 0x80, 0x80])), true, "a number without an end");
});

test("a module with only the custom sections of a name has all of them, in their order", () => {
  const parts = [["a", "1"], ["b", "2".repeat(300)], ["a", ""], ["ä", "3"], ["a", "4"]];
  const whole = parts.reduce((bytes, part) => withCustomSection(bytes, ...part), bytesOfText("(module (memory 1) (func $named))"));
  const contents = (bytes, name) => WebAssembly.Module.customSections(new WebAssembly.Module(bytes), name).map((section) => new TextDecoder().decode(section));
  for (const name of ["a", "b", "ä", "none", ""]) {
    const only = withOnlySections(whole, name);
    assert.deepEqual(contents(only, name), contents(whole, name), name);
    assert.deepEqual(["a", "b", "ä"].filter((other) => other !== name && contents(only, other).length > 0), [], name);
  }
  assert.deepEqual(withOnlySections(whole, "none"), Uint8Array.from(EMPTY));
});

test("a section goes into the room behind a module, once, and beside it where there is too little", () => {
  const module = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  const roomy = () => {
    const bytes = bytesWithRoom(module.length);
    bytes.set(module);
    return bytes;
  };
  for (const text of ["short", "long".repeat(1000)]) {
    const bytes = roomy();
    const made = withCustomSection(bytes, "a", text);
    assert.deepEqual(made, withCustomSection(module, "a", text));
    assert.equal(made.buffer === bytes.buffer, text === "short");
    assert.deepEqual(withCustomSection(bytes, "b", text), withCustomSection(module, "b", text));
    assert.deepEqual(made, withCustomSection(module, "a", text), "which the next one leaves alone");
  }
});
