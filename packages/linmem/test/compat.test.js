// The three functions of linmem/compat.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
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

const TEXTS = {
  empty: "",
  short: "banana",
  ASCII: Array.from({ length: 95 }, (_, code) => String.fromCharCode(32 + code)).join(""),
  Chinese: "内存泄漏在哪里",
  Arabic: "أين تتسرب الذاكرة",
  "very long": "a 文 ب ".repeat(40_000),
  "NUL inside": "before\0after",
};

const BYTES = readFileSync(new URL("../../../examples/strings.wasm", import.meta.url));

// What programs have at hand.
const FORMS = {
  "what instantiate resolves to": (loaded) => loaded,
  "the instance": ({ instance }) => instance,
  "the exports": ({ instance }) => instance.exports,
};

for (const [form, of] of Object.entries(FORMS)) {
  for (const [kind, text] of Object.entries(TEXTS)) {
    test(`${form}: a round trip in a fresh instance, ${kind}`, async () => {
      const loaded = await WebAssembly.instantiate(BYTES);
      const { string_duplicate } = loaded.instance.exports;
      let copy;
      createCString(of(loaded), text, (pointer) => {
        assert.equal(readStaticCString(of(loaded), pointer), text.split("\0")[0]);
        copy = receiveCString(of(loaded), () => string_duplicate(pointer));
      });
      assert.equal(copy, text.split("\0")[0]);
    });
  }

  test(`${form}: memory comes to rest`, async () => {
    const loaded = await WebAssembly.instantiate(BYTES);
    const { memory, string_duplicate } = loaded.instance.exports;
    const sizes = Array.from({ length: 16 }, () => {
      createCString(of(loaded), "a".repeat(131_072), (pointer) => receiveCString(of(loaded), () => string_duplicate(pointer)));
      return memory.buffer.byteLength;
    });
    assert.equal(new Set(sizes.slice(1)).size, 1);
  });
}

test("exports may have the name of an instance", () => {
  const guest = { ...bump(), instance: () => 0 };
  assert.equal(createCString(guest, "text", (pointer) => readStaticCString(guest, pointer)), "text");
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
