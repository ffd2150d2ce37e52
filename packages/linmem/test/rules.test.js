// The library's promises that the vectors do not have, one test each.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cstrings, CStringError, EmbeddedNulError } from "linmem/strings";
import { libcInstance, makeMemory, thrown } from "./support.js";
import { bumpAllocator } from "./vectors.js";

const bump = (allocator = {}) => bumpAllocator(allocator, makeMemory);

describe("lending", () => {
  test("the callback gets pointer and length, and its result is returned", () => {
    const { exports } = libcInstance();
    const strings = cstrings({ exports });
    assert.deepEqual(strings.with("héllo", (pointer, length) => [exports.strlen(pointer), length]), [6, 6]);
  });

  test("the string is freed when the callback returns, and when it throws", () => {
    const guest = bump();
    const strings = cstrings(guest, { scratch: 0 });
    strings.with("text", () => assert.equal(guest.live.size, 1));
    assert.equal(guest.live.size, 0);
    assert.throws(() => strings.with("text", () => assert.fail("thrown")), /thrown/);
    assert.equal(guest.live.size, 0);
  });

  test("a batch is one allocation, and null and undefined are NULL", () => {
    const guest = bump();
    const strings = cstrings(guest, { scratch: 0 });
    const read = strings.withAll(["a", null, "ç", undefined, ""], (a, b, c, d, e) => {
      assert.equal(guest.live.size, 1);
      return [strings.read(a), b, strings.read(c), d, strings.read(e)];
    });
    assert.deepEqual(read, ["a", 0, "ç", 0, ""]);
    assert.equal(guest.live.size, 0);
  });

  test("a batch of nothing but NULL", () => {
    for (const scratch of [0, 16384]) {
      const strings = cstrings(bump(), { scratch });
      assert.deepEqual(strings.withAll([null, null], (a, b) => [a, b]), [0, 0]);
      assert.deepEqual(strings.withAll([], (...pointers) => pointers), []);
    }
  });

  test("a batch that has no room in the kept block", () => {
    const strings = cstrings(bump({ pages: 4 }));
    const texts = ["x".repeat(9000), "y", "é".repeat(9000), "z"];
    assert.deepEqual(strings.withAll(texts, (...pointers) => pointers.map((p) => strings.read(p))), texts);
  });

  test("texts in a batch are checked like others, before anything is allocated for them", () => {
    const guest = bump();
    const strings = cstrings(guest, { scratch: 0 });
    assert.equal(thrown(() => strings.withAll(["a", "b\0c"], assert.fail), "embedded-nul").index, 1);
    assert.equal(guest.live.size, 0);
  });

  test("null and undefined are no text where no type says optional", () => {
    const strings = cstrings(bump());
    for (const text of [null, undefined, 3, {}, ["text"], new String("text")]) {
      thrown(() => strings.with(text, assert.fail), "invalid-argument");
      thrown(() => strings.alloc(text), "invalid-argument");
    }
    thrown(() => strings.withAll([3], assert.fail), "invalid-argument");
  });
});

describe("the kept block", () => {
  test("nested calls use different parts of it", () => {
    const strings = cstrings(bump());
    const read = strings.with("outer", (outer) => {
      const inner = strings.with("inner", (p) => strings.withAll(["x", "y"], (x, y) => [strings.read(p), strings.read(x), strings.read(y)]));
      const again = strings.with("again", (p) => strings.read(p));
      return [strings.read(outer), ...inner, again];
    });
    assert.deepEqual(read, ["outer", "inner", "x", "y", "again"]);
  });

  test("a full one is not overrun", () => {
    const guest = bump({ pages: 4 });
    const strings = cstrings(guest, { scratch: 16 });
    const nest = (depth) => strings.with(`text ${depth}`, (p) => (depth === 0 ? [] : nest(depth - 1)).concat(strings.read(p)));
    assert.deepEqual(nest(5), ["text 0", "text 1", "text 2", "text 3", "text 4", "text 5"]);
    assert.equal(guest.live.size, 1);
  });

  test("texts that just fit, and just do not", () => {
    for (const text of ["x".repeat(99), "x".repeat(100), "é".repeat(49), "é".repeat(50), "漢".repeat(33), "漢".repeat(34)]) {
      const guest = bump();
      const strings = cstrings(guest, { scratch: 100 });
      const fits = new TextEncoder().encode(text).length < 100;
      strings.with("", (first) => first && strings.with(text, (p) => assert.equal(strings.read(p), text)));
      strings.with(text, (p) => {
        assert.equal(strings.read(p), text);
        assert.equal(p === strings.scratch?.ptr, fits);
      });
    }
  });

  test("it is visible, freed by release(), and made again when needed", () => {
    const guest = bump();
    const strings = cstrings(guest);
    assert.equal(strings.scratch, undefined);
    strings.with("text", () => {});
    assert.deepEqual(strings.scratch, { ptr: 1024, byteLength: 16384 });
    strings.release();
    strings.release();
    assert.equal(strings.scratch, undefined);
    assert.equal(guest.live.size, 0);
    assert.equal(strings.with("again", (p) => strings.read(p)), "again");
  });

  test("release() within a callback waits for it", () => {
    const guest = bump();
    const strings = cstrings(guest);
    strings.with("text", (pointer) => {
      strings.release();
      assert.equal(guest.live.size, 1);
      assert.equal(strings.read(pointer), "text");
    });
    assert.equal(guest.live.size, 0);
  });

  test("a guest without room for it still gets short texts", () => {
    const guest = bump({ pages: 1, maximum: 1, base: 65536 - 4096 });
    const strings = cstrings(guest);
    assert.equal(strings.with("text", (p) => strings.read(p)), "text");
    assert.equal(guest.live.size, 0);
  });

  test("long texts do not make one", () => {
    const strings = cstrings(bump({ pages: 4 }));
    strings.with("x".repeat(16384), () => assert.equal(strings.scratch, undefined));
  });
});

describe("keeping", () => {
  test("free() is idempotent, and .ptr throws afterwards", () => {
    const guest = bump();
    const text = cstrings(guest).alloc("text");
    assert.equal(text.byteLength, 4);
    assert.deepEqual([...guest.live], [text.ptr]);
    text.free();
    text.free();
    assert.equal(guest.live.size, 0);
    thrown(() => text.ptr, "use-after-free");
  });

  test("disposing frees", { skip: !Symbol.dispose && "no Symbol.dispose" }, () => {
    const guest = bump();
    const strings = cstrings(guest);
    strings.alloc("text")[Symbol.dispose]();
    strings.with("text", () => {});
    strings[Symbol.dispose]();
    assert.equal(guest.live.size, 0);
  });

  test("a text that is not ASCII is given its exact size", () => {
    const { exports } = libcInstance();
    const sizes = [];
    const realloc = (block, size) => sizes.push(size) && exports.realloc(block, size);
    const parts = { memory: exports.memory, malloc: exports.malloc, free: exports.free, realloc };
    for (const text of ["é", "é".repeat(1000), `${"a".repeat(100)}${"é".repeat(1000)}`]) {
      const kept = cstrings(parts).alloc(text);
      assert.equal(sizes.at(-1), kept.byteLength + 1);
      assert.equal(cstrings(parts).read(kept.ptr), text);
    }
  });
});

describe("reading", () => {
  test("a taken string is freed", () => {
    const { exports } = libcInstance();
    const freed = [];
    const strings = cstrings({ ...exports, free: (block) => freed.push(block) && exports.free(block) }, { scratch: 0 });
    const copy = strings.with("text", (p) => exports.duplicate(p));
    freed.length = 0;
    assert.equal(strings.take(copy), "text");
    assert.deepEqual(freed, [copy]);
  });

  test("a taken string is freed when it cannot be read", () => {
    const guest = bump({ pages: 1 });
    const block = guest.malloc(16);
    new Uint8Array(guest.memory.buffer).fill(0xff, block);
    thrown(() => cstrings(guest, { invalid: "fatal" }).take(block, 4), "invalid-utf8");
    assert.equal(guest.live.size, 0);
    guest.live.add(block);
    thrown(() => cstrings(guest).take(block), "unterminated");
    assert.equal(guest.live.size, 0);
  });

  test("what never was a block is not freed", () => {
    const strings = cstrings({ ...bump(), free: assert.fail });
    thrown(() => strings.take(0), "null-pointer");
    thrown(() => strings.take(65536), "out-of-range");
    thrown(() => strings.take(65530, 10), "out-of-range");
  });

  test("another function may free", () => {
    const { exports } = libcInstance();
    const freed = [];
    const strings = cstrings({ ...exports, free: assert.fail });
    const copy = exports.duplicate(exports.greeting());
    assert.equal(strings.take(copy, undefined, (block) => freed.push(block)), "hello");
    assert.deepEqual(freed, [copy]);
  });

  test("pointers must be numbers", () => {
    const strings = cstrings(bump());
    for (const pointer of ["8", null, undefined, NaN, 1.5, -(2 ** 31) - 1, Infinity, {}]) {
      thrown(() => strings.read(pointer), "invalid-argument");
    }
    thrown(() => strings.read(8, "3"), "invalid-argument");
    thrown(() => strings.read(2 ** 32), "out-of-range");
  });
});

describe("errors", () => {
  test("a failed allocation says what was asked and what there is", () => {
    const error = thrown(() => cstrings(bump({ pages: 2, maximum: 2 })).with("a".repeat(131072), assert.fail), "allocation-failed");
    assert.match(error.message, /131073 bytes.*131072 bytes.*maximum/);
    assert.equal(error.memoryBytes, 131072);
  });

  test("nothing is written when the allocator returns NULL", () => {
    const guest = bump({ fails: true });
    for (const text of ["short", "x".repeat(20000)]) {
      const strings = cstrings(guest);
      for (const run of [() => strings.with(text, assert.fail), () => strings.alloc(text), () => strings.withAll([text], assert.fail)]) {
        thrown(run, "allocation-failed");
      }
    }
    assert.ok(new Uint8Array(guest.memory.buffer).every((byte) => byte === 0));
  });

  test("a failed realloc frees the block", () => {
    const guest = bump({ pages: 2, maximum: 2 });
    thrown(() => cstrings({ ...guest, realloc: (_block, _size) => 0 }).alloc("é".repeat(1000)), "allocation-failed");
    assert.equal(guest.live.size, 0);
    thrown(() => cstrings(guest).alloc("é".repeat(40000)), "allocation-failed");
    assert.equal(guest.live.size, 0);
  });

  test("they are classes with a name, a code and what is known", () => {
    const error = thrown(() => cstrings(bump()).with("a\0", assert.fail), "embedded-nul");
    assert.ok(error instanceof EmbeddedNulError && error instanceof CStringError && error instanceof Error);
    assert.equal(error.name, "EmbeddedNulError");
    assert.equal(error.index, 1);
  });

  test("options that do not exist, or cannot have that value", () => {
    for (const options of [{ onNull: "error" }, { invalid: "ignore" }, { scanLimit: -1 }, { scratch: 1.5 }, { debug: 1 }]) {
      thrown(() => cstrings(bump(), options), "invalid-argument");
    }
  });
});
