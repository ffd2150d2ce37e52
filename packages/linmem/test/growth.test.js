// Memory that grows, is shared, or changes its kind while strings pass.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cstrings } from "linmem/strings";
import { libcInstance, makeMemory } from "./support.js";
import { bumpAllocator } from "./vectors.js";

const texts = ["short", "é", "x".repeat(200), "é".repeat(9000)];

// The library with a view that was detached by a growth just before.
function roundTrips(strings, grow) {
  for (const text of texts) {
    grow();
    assert.equal(strings.with(text, (p) => (grow(), strings.read(p))), text);
    grow();
    assert.deepEqual(strings.withAll([text, "b"], (a, b) => (grow(), [strings.read(a), strings.read(b)])), [text, "b"]);
    grow();
    const kept = strings.alloc(text);
    grow();
    assert.equal(strings.read(kept.ptr), text);
    assert.equal(strings.read(kept.ptr, kept.byteLength), text);
    kept.free();
  }
}

test("growth before and during calls, by the guest", () => {
  const { exports } = libcInstance();
  roundTrips(cstrings(exports), () => assert.ok(exports.grow(1) > 0));
});

test("growth before and during calls, by the host", () => {
  const { exports } = libcInstance();
  roundTrips(cstrings(exports), () => exports.memory.grow(1));
});

test("growth within malloc and realloc", () => {
  const guest = bumpAllocator({ pages: 1, growBy: 1 }, makeMemory);
  const realloc = (block, size) => {
    const larger = guest.malloc(size);
    new Uint8Array(guest.memory.buffer).copyWithin(larger, block, block + size);
    guest.free(block);
    return larger;
  };
  for (const scratch of [0, 16384]) {
    roundTrips(cstrings(guest, { scratch }), () => {});
    roundTrips(cstrings({ ...guest, realloc }, { scratch }), () => {});
  }
});

test("a string that ends where the memory ended before it grew", () => {
  const memory = makeMemory({ initial: 1 });
  const strings = cstrings({ memory }, { readOnly: true });
  strings.read(8);
  memory.grow(1);
  new Uint8Array(memory.buffer).fill(0x61, 65000, 70000);
  assert.equal(strings.read(65000).length, 5000);
});

describe("shared memory", () => {
  test("growth by somebody else is seen", () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 8, shared: true });
    const strings = cstrings({ memory }, { readOnly: true });
    strings.read(8);
    memory.grow(1);
    new Uint8Array(memory.buffer).fill(0x61, 65000, 70000);
    assert.equal(strings.read(65000).length, 5000);
    assert.equal(strings.read(69990, 10), "a".repeat(10));
  });
});

describe("resizable memory", { skip: !WebAssembly.Memory.prototype.toResizableBuffer && "this engine has no toResizableBuffer" }, () => {
  test("flipping back and forth", () => {
    const guest = bumpAllocator({ pages: 8, maximum: 400 }, makeMemory);
    const strings = cstrings(guest);
    let calls = 0;
    roundTrips(strings, () => {
      if (calls++ % 2) guest.memory.toFixedLengthBuffer();
      else guest.memory.toResizableBuffer();
      guest.memory.grow(1);
    });
  });
});
