// How the guest's functions and memory are found, and what they are told.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cstrings } from "linmem/strings";
import { instantiate, libcInstance, makeMemory, thrown } from "./support.js";
import { bumpAllocator } from "./vectors.js";

// A bump allocator in WebAssembly whose functions have other names and take sizes. It reports
// each call: (what, pointer, size).
const sized = ({ malloc, free, realloc }, address = "i32") => `
  (module
    (import "host" "report" (func $report (param i32 ${address} ${address})))
    (memory (export "memory") ${address === "i64" ? "i64" : ""} 64)
    (global $next (mut ${address}) (${address}.const 1024))
    (func $bump (param $size ${address}) (result ${address})
      (global.get $next)
      (global.set $next (${address}.add (global.get $next) (local.get $size)))
      (call $report (i32.const 1) (${address}.sub (global.get $next) (local.get $size)) (local.get $size)))
    (func (export "${malloc}") (param $size ${address}) (param $align ${address}) (result ${address})
      (call $bump (local.get $size)))
    (func (export "${free}") (param $pointer ${address}) (param $size ${address}) (param $align ${address})
      (call $report (i32.const -1) (local.get $pointer) (local.get $size)))
    (func (export "${realloc}") (param $old ${address}) (param $oldSize ${address}) (param $size ${address}) (param $align ${address})
      (result ${address})
      (local $new ${address})
      (local.set $new (call $bump (local.get $size)))
      (memory.copy (local.get $new) (local.get $old) (local.get $oldSize))
      (call $report (i32.const -1) (local.get $old) (local.get $oldSize))
      (local.get $new)))`;

const names = { malloc: "__wbindgen_malloc", free: "__wbindgen_free", realloc: "__wbindgen_realloc" };

// Blocks that are alive, and a check that each is freed with its own size.
function ledger() {
  const live = new Map();
  const report = (what, pointer, size) => {
    if (what === 1) return live.set(pointer, size);
    assert.equal(live.get(pointer), size, `size of the block at ${pointer}`);
    live.delete(pointer);
  };
  return { live, imports: { host: { report } } };
}

function passEveryWay(strings) {
  for (const text of ["", "text", "é", "x".repeat(300), "é".repeat(5000)]) {
    assert.equal(strings.with(text, (p) => strings.read(p)), text);
    assert.deepEqual(strings.withAll([text, "b"], (a, b) => [strings.read(a), strings.read(b)]), [text, "b"]);
    const kept = strings.alloc(text);
    assert.equal(strings.read(kept.ptr), text);
    kept.free();
    assert.equal(strings.take(strings.alloc(text).ptr), text);
  }
  strings.release();
}

describe("families", () => {
  const pairs = [["malloc", "free"], ["allocate", "deallocate"], ["alloc", "dealloc"], ["__wbindgen_malloc", "__wbindgen_free"], ["_malloc", "_free"]];
  for (const [malloc, free] of pairs) {
    test(`${malloc} and ${free}`, () => {
      const guest = bumpAllocator({ pages: 8 }, makeMemory);
      passEveryWay(cstrings({ memory: guest.memory, [malloc]: guest.malloc, [free]: guest.free }));
      assert.equal(guest.live.size, 0);
    });
  }

  test("an instance, its exports, or named parts", () => {
    const { live, imports } = ledger();
    const instance = instantiate(sized(names), imports);
    passEveryWay(cstrings(instance));
    passEveryWay(cstrings(instance.exports));
    const { memory, __wbindgen_malloc: malloc, __wbindgen_free: free } = instance.exports;
    passEveryWay(cstrings({ memory, malloc, free }));
    assert.equal(live.size, 0);
  });

  test("sized functions are told exact sizes", () => {
    const { live, imports } = ledger();
    passEveryWay(cstrings(instantiate(sized(names), imports)));
    passEveryWay(cstrings(instantiate(sized(names), imports), { scratch: 0 }));
    assert.equal(live.size, 0);
  });

  test("cabi_realloc alone", () => {
    const guest = bumpAllocator({ pages: 8 }, makeMemory);
    const sizes = new Map();
    const cabi_realloc = (old, oldSize, align, size) => {
      assert.equal(align, 1);
      assert.equal(old === 0 ? 0 : sizes.get(old), oldSize);
      const block = size === 0 ? 0 : guest.malloc(size);
      sizes.set(block, size);
      if (old !== 0) new Uint8Array(guest.memory.buffer).copyWithin(block, old, old + Math.min(size, oldSize));
      if (old !== 0) guest.free(old);
      return block;
    };
    passEveryWay(cstrings({ memory: guest.memory, cabi_realloc }));
    assert.equal(guest.live.size, 0);
  });

  test("a sized function is not told a size that is not known", () => {
    const guest = bumpAllocator({ pages: 1 }, makeMemory);
    new Uint8Array(guest.memory.buffer).fill(0x61, 1024);
    const strings = cstrings({ ...guest, free: (_pointer, _size) => assert.fail() });
    thrown(() => strings.take(1024), "unterminated");
  });

  test("what was never allocated is not given back", () => {
    const memory = makeMemory({ initial: 1 });
    const sizedStrings = cstrings({ memory, malloc: assert.fail, free: (_pointer, _size) => assert.fail() });
    assert.equal(sizedStrings.take(0, 0), "");
    assert.equal(sizedStrings.take(1, 0), "");
    const freed = [];
    const strings = cstrings({ memory, malloc: assert.fail, free: (pointer) => freed.push(pointer) });
    assert.equal(strings.take(0, 0), "");
    assert.equal(strings.take(8, 0), "");
    assert.deepEqual(freed, [8]);
  });

  test("a realloc of any number of parameters is called as C's", () => {
    const { exports } = libcInstance();
    const realloc = (...values) => {
      assert.equal(values.length, 4);
      assert.deepEqual(values.slice(2), [undefined, undefined]);
      return exports.realloc(...values);
    };
    passEveryWay(cstrings({ ...exports, realloc }));
  });

  test("none: the error lists the names", () => {
    const { message } = thrown(() => cstrings({ memory: makeMemory({ initial: 1 }), malloc() {} }), "missing-export");
    for (const name of ["malloc/free", "allocate/deallocate", "alloc/dealloc", "__wbindgen_malloc", "_malloc", "cabi_realloc", "{ memory, malloc, free }"]) {
      assert.ok(message.includes(name), `${name} in: ${message}`);
    }
  });

  test("none is needed to read", () => {
    const strings = cstrings({ memory: makeMemory({ initial: 1 }) }, { readOnly: true });
    assert.equal(strings.read(8), "");
    thrown(() => strings.with("text", assert.fail), "missing-export");
  });
});

describe("memory", () => {
  const functions = { malloc() {}, free() {} };

  test("under another name", () => {
    assert.equal(cstrings({ ...functions, m: makeMemory({ initial: 1 }) }).read(8), "");
  });

  test("none, or several without the name", () => {
    thrown(() => cstrings(functions), "missing-export");
    thrown(() => cstrings({ ...functions, a: makeMemory({ initial: 1 }), b: makeMemory({ initial: 1 }) }), "missing-export");
  });

  test("a source that is none", () => {
    for (const source of [undefined, null, 3, "module"]) thrown(() => cstrings(source), "invalid-argument");
    thrown(() => cstrings(Promise.resolve()), "missing-export");
  });

  test("is not touched when it is looked at", () => {
    const memory = makeMemory({ initial: 1 });
    const { buffer } = memory;
    cstrings({ ...functions, memory });
    assert.equal(memory.buffer, buffer);
    assert.equal(buffer.byteLength, 65536);
  });
});

const hasMemory64 = WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 5, 3, 1, 4, 1]));

describe("64-bit memory", { skip: !hasMemory64 && "this engine has no memory64" }, () => {
  test("pointers and sizes are BigInts", () => {
    const { live, imports } = ledger();
    const instance = instantiate(sized(names, "i64"), imports, { memory64: true });
    passEveryWay(cstrings(instance));
    passEveryWay(cstrings(instance, { scratch: 0 }));
    const strings = cstrings(instance);
    assert.equal(typeof strings.with("text", (pointer) => pointer), "bigint");
    assert.deepEqual(strings.withAll([null], (pointer) => pointer), 0n);
    assert.equal(typeof strings.scratch.ptr, "bigint");
    strings.release();
    thrown(() => strings.read(-1n), "out-of-range");
    thrown(() => strings.read(2n ** 40n), "out-of-range");
    thrown(() => strings.read(0n), "null-pointer");
    assert.equal(live.size, 0);
  });
});
