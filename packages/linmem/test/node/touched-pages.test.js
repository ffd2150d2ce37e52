// The pages of large memories that are not zero, which are found without a look at those that nobody has touched.

import assert from "node:assert/strict";
import { test } from "node:test";
import { nonzeroPages } from "../../src/node/nonzero-pages.js";
import { touched } from "../../src/node/touched-pages.js";
import { nonzeroPages as byLoop } from "../../src/record/snapshot.js";

const PAGE_BYTES = 65536;
const GIB = 2 ** 30;

function memoryOf(pages, shared) {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
  return new Uint8Array(memory.buffer);
}

for (const shared of [false, true]) {
  const kind = shared ? "shared" : "private";
  const skip = process.platform !== "linux" && "only Linux tells it";

  test(`of a ${kind} memory of 2 GiB the parts that were touched are known`, { skip }, () => {
    const bytes = memoryOf(32768, shared);
    // Another one of the same size.
    const other = memoryOf(32768, shared);
    bytes[5] = 1;
    bytes[GIB] = 2;
    other[GIB + 8 * PAGE_BYTES] = 3;
    const parts = touched(bytes, PAGE_BYTES);
    const set = [...parts].flatMap((is, part) => (is === 1 ? [part] : []));
    assert.deepEqual([parts[0], parts[GIB / PAGE_BYTES], parts[GIB / PAGE_BYTES + 8]], [1, 1, 0]);
    assert.ok(set.length < 100, `${set.length} parts`);
    assert.equal(touched(other, PAGE_BYTES)[GIB / PAGE_BYTES + 8], 1);
  });

  test(`the pages of a ${kind} memory that are not zero`, () => {
    const bytes = memoryOf(2048, shared);
    bytes[3 * PAGE_BYTES] = 1;
    bytes[4 * PAGE_BYTES] = 0;
    bytes[2048 * PAGE_BYTES - 1] = 1;
    assert.deepEqual([...nonzeroPages(bytes)], [3 * PAGE_BYTES, 2047 * PAGE_BYTES]);
    assert.deepEqual([...byLoop(bytes)], [3 * PAGE_BYTES, 2047 * PAGE_BYTES]);
  });
}

test("a memory that is touched everywhere is looked at everywhere", () => {
  const bytes = memoryOf(2048, false).fill(1);
  assert.equal([...nonzeroPages(bytes)].length, 2048);
});
