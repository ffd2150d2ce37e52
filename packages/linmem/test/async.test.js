// Callbacks that return promises: their strings stay until the promise settles.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { cstrings } from "linmem/strings";
import { makeMemory, thrown } from "./support.js";
import { bumpAllocator } from "./vectors.js";

const bump = () => bumpAllocator({ pages: 16 }, makeMemory);
const texts = ["short", "x".repeat(20000)];

for (const scratch of [0, 16384]) {
  describe(`with a kept block of ${scratch} bytes`, () => {
    test("freed after the promise is fulfilled", async () => {
      for (const text of texts) {
        const guest = bump();
        const strings = cstrings(guest, { scratch });
        const promise = strings.with(text, async (pointer) => {
          await sleep(1);
          assert.equal(guest.live.size, 1);
          return strings.read(pointer);
        });
        assert.equal(guest.live.size, 1);
        assert.equal(await promise, text);
        assert.equal(guest.live.size, 0);
      }
    });

    test("freed after the promise is rejected", async () => {
      const guest = bump();
      const strings = cstrings(guest, { scratch });
      const promise = strings.withAll(["a", "b"], () => Promise.reject(new Error("rejected")));
      assert.equal(guest.live.size, 1);
      await assert.rejects(promise, /rejected/);
      assert.equal(guest.live.size, 0);
    });

    test("many at once, mixed with calls that are not async", async () => {
      const guest = bump();
      const strings = cstrings(guest, { scratch });
      const later = Array.from({ length: 20 }, (_, i) =>
        strings.with(`text ${i}`, async (pointer) => {
          await sleep(20 - i);
          strings.with("x".repeat(20), () => {});
          return strings.read(pointer);
        }),
      );
      strings.with("y".repeat(50), () => {});
      assert.deepEqual(await Promise.all(later), Array.from({ length: 20 }, (_, i) => `text ${i}`));
      strings.release();
      assert.equal(guest.live.size, 0);
    });

    test("nested: the outer string outlives the inner promise, and the other way round", async () => {
      const guest = bump();
      const strings = cstrings(guest, { scratch });
      for (const [outerDelay, innerDelay] of [[5, 1], [1, 5]]) {
        let inner;
        const outer = strings.with("outer", async (p) => {
          inner = strings.with("inner", async (q) => (await sleep(innerDelay), strings.read(q)));
          await sleep(outerDelay);
          return strings.read(p);
        });
        assert.deepEqual(await Promise.all([outer, inner]), ["outer", "inner"]);
      }
      let promise;
      strings.with("sync", (p) => {
        promise = strings.with("inner", async (q) => (await sleep(1), strings.read(q)));
        strings.with("third", () => {});
        assert.equal(strings.read(p), "sync");
      });
      assert.equal(await promise, "inner");
      strings.release();
      assert.equal(guest.live.size, 0);
    });
  });
}

test("any thenable will do", async () => {
  const guest = bump();
  const strings = cstrings(guest);
  const thenable = { then: (resolve) => resolve(3) };
  assert.equal(await strings.with("text", () => thenable), 3);
  assert.equal(guest.live.size, 0);
});

test("a promise rejected by a trap poisons", async () => {
  const guest = bump();
  const strings = cstrings(guest);
  await assert.rejects(strings.with("text", () => Promise.reject(new WebAssembly.RuntimeError("unreachable"))), /unreachable/);
  assert.equal(guest.live.size, 1);
  thrown(() => strings.with("text", assert.fail), "poisoned");
});

test("a wrapped function that returns a promise", async () => {
  const guest = bump();
  const exports = { ...guest, echo: async (pointer) => (await sleep(1), pointer), nothing: async () => 1 };
  const strings = cstrings(exports);
  const api = strings.wrap({ echo: ["string", "->", "string"], nothing: ["string"] });
  assert.equal(await api.echo("text"), "text");
  assert.equal(await api.nothing("text"), undefined);
  assert.equal(guest.live.size, 0);
});
