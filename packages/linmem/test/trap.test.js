// After a trap the guest is not called again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cstrings } from "linmem/strings";
import { instantiate, libcInstance, thrown } from "./support.js";

// libc's functions, counted.
function counted() {
  const { exports } = libcInstance();
  const calls = { count: 0 };
  const count = (run) => (...values) => (calls.count++, run(...values));
  const [malloc, free] = [count(exports.malloc), count(exports.free)];
  return { calls, exports, strings: cstrings({ ...exports, malloc, free }) };
}

const isTrap = (error) => error instanceof WebAssembly.RuntimeError;

test("a trap in a call: no free, and no further call", () => {
  for (const text of ["short", "x".repeat(20000)]) {
    const { calls, exports, strings } = counted();
    const kept = strings.alloc("kept");
    calls.count = 0;
    assert.throws(() => strings.with(text, (pointer) => exports.trap(pointer)), isTrap);
    assert.equal(calls.count, 1);
    kept.free();
    strings.release();
    const error = thrown(() => strings.with("text", assert.fail), "poisoned");
    assert.ok(isTrap(error.cause));
    thrown(() => strings.withAll(["text"], assert.fail), "poisoned");
    thrown(() => strings.alloc("text"), "poisoned");
    assert.equal(calls.count, 1);
  }
});

test("what lies in memory can still be read, and is not freed", () => {
  const { calls, exports, strings } = counted();
  const pointer = exports.duplicate(exports.greeting());
  assert.throws(() => strings.with("text", exports.trap), isTrap);
  calls.count = 0;
  assert.equal(strings.read(pointer), "hello");
  assert.equal(strings.take(pointer), "hello");
  assert.equal(calls.count, 0);
});

test("a trap in a wrapped function, with and without strings", () => {
  for (const [signature, value] of [[["string"], "text"], [["i32"], 0]]) {
    const strings = cstrings(libcInstance());
    const api = strings.wrap({ trap: signature, half: ["f64", "->", "f64"] });
    assert.throws(() => api.trap(value), isTrap);
    thrown(() => api.half(1), "poisoned");
  }
});

test("a trap in the allocator", () => {
  const trapping = (malloc, free) => `(module (memory (export "memory") 1)
    (func (export "malloc") (param i32) (result i32) ${malloc}) (func (export "free") (param i32) ${free}))`;
  const noMalloc = cstrings(instantiate(trapping("unreachable", "")));
  assert.throws(() => noMalloc.alloc("text"), isTrap);
  thrown(() => noMalloc.alloc("text"), "poisoned");
  const noFree = cstrings(instantiate(trapping("i32.const 1024", "unreachable")));
  assert.throws(() => noFree.alloc("text").free(), isTrap);
  thrown(() => noFree.alloc("text"), "poisoned");
});

test("an exhausted stack is a trap", () => {
  const strings = cstrings(
    instantiate(`(module (memory (export "memory") 1) (func $f (export "f") (param i32) (call $f (local.get 0)))
      (func (export "malloc") (param i32) (result i32) i32.const 1024) (func (export "free") (param i32)))`),
  );
  assert.throws(() => strings.wrap({ f: ["string"] }).f("text"), RangeError);
  thrown(() => strings.with("text", assert.fail), "poisoned");
});

test("an error of the host's is none: the string is freed and the instance goes on", () => {
  const { calls, strings } = counted();
  assert.throws(() => strings.with("x".repeat(20000), () => JSON.parse("{")), SyntaxError);
  assert.equal(calls.count, 2);
  assert.equal(strings.with("text", (pointer) => strings.read(pointer)), "text");
});

test("a wrapped function without strings whose promise is rejected by a trap", async () => {
  const { exports } = libcInstance();
  const strings = cstrings({ ...exports, later: async () => exports.trap(0) });
  await assert.rejects(strings.wrap({ later: [] }).later(), isTrap);
  thrown(() => strings.alloc("text"), "poisoned");
});
