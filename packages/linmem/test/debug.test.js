// The debug mode: what was forgotten, and whose pointers are whose.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { cstrings } from "linmem/strings";
import { libcInstance, makeMemory, thrown } from "./support.js";
import { bumpAllocator } from "./vectors.js";

function debugged(exports = libcInstance().exports) {
  const findings = [];
  return { exports, findings, strings: cstrings(exports, { debug: (finding) => findings.push(finding) }) };
}

function keepSomething(strings) {
  return strings.alloc("kept é");
}

test("a pointer that is another instance's string", () => {
  const [one, two] = [debugged(), debugged()];
  const kept = keepSomething(one.strings);
  for (const read of [() => two.strings.read(kept.ptr), () => two.strings.take(kept.ptr, undefined, () => {})]) {
    read();
    const { code, cause } = two.findings.pop();
    assert.equal(code, "foreign-pointer");
    assert.match(cause.stack, /keepSomething/);
  }
  new Uint8Array(two.exports.memory.buffer).fill(0xff, kept.ptr);
  thrown(() => two.strings.read(kept.ptr), "unterminated");
  assert.equal(two.findings.pop().code, "foreign-pointer");
  assert.equal(one.strings.read(kept.ptr), "kept é");
  assert.equal(one.findings.length, 0);
  kept.free();
});

test("the same address here is fine when there is a string", () => {
  const [one, two] = [debugged(), debugged()];
  const kept = keepSomething(one.strings);
  const copy = two.exports.duplicate(two.exports.greeting());
  assert.equal(copy, kept.ptr);
  assert.equal(two.strings.read(copy), "hello");
  assert.equal(two.strings.take(copy), "hello");
  const empty = two.strings.alloc("");
  assert.equal(empty.ptr, kept.ptr);
  assert.equal(two.strings.read(empty.ptr), "");
  assert.equal(two.findings.length, 0);
  kept.free();
  empty.free();
});

test("strings that are not freed, with size and stack", () => {
  const { strings } = debugged();
  const kept = keepSomething(strings);
  const freed = strings.alloc("freed");
  freed.free();
  strings.with("x".repeat(300), () => assert.equal(strings.unfreed().length, 2));
  const [block, ...others] = strings.unfreed();
  assert.equal(others.length, 0);
  assert.equal(block.ptr, kept.ptr);
  assert.equal(block.size, 8);
  assert.match(block.allocated.stack, /keepSomething/);
});

test("strings whose promise never settles", () => {
  const { strings } = debugged();
  strings.with("text", () => new Promise(() => {}));
  assert.equal(strings.unfreed().length, 1);
});

test("no block is kept: every string is one", () => {
  const guest = bumpAllocator({ growBy: 0 }, makeMemory);
  const { strings } = debugged(guest);
  strings.with("text", () => assert.equal(guest.live.size, 1));
  assert.equal(strings.scratch, undefined);
  assert.equal(guest.live.size, 0);
});

test("a failed allocation leaves nothing behind", () => {
  const { strings } = debugged(bumpAllocator({ pages: 2, maximum: 2 }, makeMemory));
  thrown(() => strings.alloc("é".repeat(40000)), "allocation-failed");
  assert.deepEqual(strings.unfreed(), []);
});

test("use of .ptr after free says where it was freed", () => {
  const { strings } = debugged();
  for (const name of ["free", ...(Symbol.dispose ? [Symbol.dispose] : [])]) {
    const text = strings.alloc("text");
    (function giveBack() {
      text[name]();
    })();
    assert.match(thrown(() => text.ptr, "use-after-free").cause.stack, /giveBack/);
  }
});

test("a string dropped without free() is reported when it is collected", { skip: !globalThis.gc && "needs --expose-gc" }, async () => {
  const { strings, findings } = debugged();
  keepSomething(strings);
  keepSomething(strings).free();
  for (let i = 0; i < 20 && findings.length === 0; i++) {
    globalThis.gc();
    await turn();
  }
  assert.equal(findings.length, 1);
  assert.equal(findings[0].code, "string-dropped");
  assert.match(findings[0].cause.stack, /keepSomething/);
});

test("taken strings of the guest's are no concern", () => {
  const { exports, findings, strings } = debugged();
  assert.equal(strings.take(exports.duplicate(exports.greeting())), "hello");
  assert.equal(findings.length, 0);
  assert.deepEqual(strings.unfreed(), []);
});

test("findings go to console.warn without a function", (t) => {
  const warn = t.mock.method(console, "warn", () => {});
  const [one, two] = [cstrings(libcInstance(), { debug: true }), cstrings(libcInstance(), { debug: true })];
  two.read(keepSomething(one).ptr);
  assert.equal(warn.mock.callCount(), 1);
});
