// The three functions of linmem/compat.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createCString, readStaticCString, receiveCString } from "linmem/compat";
import { libcInstance, makeMemory, thrown } from "./support.js";
import { bumpAllocator } from "./vectors.js";

const bump = () => bumpAllocator({ pages: 8 }, makeMemory);

test("createCString lends a copy and returns what run returns", () => {
  const guest = bump();
  const result = createCString(guest, "héllo", (...values) => {
    assert.deepEqual(values, [...guest.live]);
    assert.equal(guest.live.size, 1);
    return readStaticCString(guest, values[0]);
  });
  assert.equal(result, "héllo");
  assert.equal(guest.live.size, 0);
});

test("createCString awaits a promise before it frees", async () => {
  const guest = bump();
  const promise = createCString(guest, "text", async (pointer) => (await null, readStaticCString(guest, pointer)));
  assert.equal(guest.live.size, 1);
  assert.equal(await promise, "text");
  assert.equal(guest.live.size, 0);
});

test("createCString frees when run throws", () => {
  const guest = bump();
  assert.throws(() => createCString(guest, "text", () => assert.fail("thrown")), /thrown/);
  assert.equal(guest.live.size, 0);
});

test("readStaticCString needs no allocator, and frees nothing", () => {
  const memory = makeMemory({ initial: 1 });
  new Uint8Array(memory.buffer).set([104, 105], 8);
  assert.equal(readStaticCString({ memory }, 8), "hi");
  thrown(() => readStaticCString({ memory }, 0), "null-pointer");
});

test("receiveCString reads what create returns, and frees it", async () => {
  const guest = bump();
  const create = () => {
    const block = guest.malloc(3);
    new Uint8Array(guest.memory.buffer).set([104, 105, 0], block);
    return block;
  };
  assert.equal(receiveCString(guest, create), "hi");
  assert.equal(await receiveCString(guest, async () => create()), "hi");
  assert.equal(guest.live.size, 0);
});

test("an instance will do, and memory comes to rest", () => {
  const instance = libcInstance();
  const { exports } = instance;
  const text = "a".repeat(131072);
  const sizes = Array.from({ length: 16 }, () => {
    assert.equal(createCString(instance, text, (pointer) => exports.strlen(pointer)), 131072);
    assert.equal(receiveCString(instance, () => createCString(instance, text, (pointer) => exports.duplicate(pointer))), text);
    return exports.memory.buffer.byteLength;
  });
  assert.deepEqual(new Set(sizes.slice(1)).size, 1);
});
