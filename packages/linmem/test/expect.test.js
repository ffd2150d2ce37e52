// Expectations without a recorder: pages, and what the body does with the exports that it is given.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expectNoLeak, expectSteadyMemory, MemoryExpectationError } from "linmem/test";
import { cstrings } from "linmem/strings";
import { instantiate, libcInstance } from "./support.js";

/** The error of an expectation that must fail. */
async function failure(promise, code) {
  const error = await promise.then(() => assert.fail(`passed, instead of ${code}`), (error) => error);
  assert.ok(error instanceof MemoryExpectationError, error.stack);
  assert.equal(error.code, code, error.message);
  return error;
}

const passes = ({ malloc, free }) => free(malloc(100));

test("steady: blocks are freed, and calls are counted", async () => {
  const seen = await expectSteadyMemory(libcInstance(), passes);
  assert.deepEqual(seen, { watched: false, calls: 17, pages: seen.pages, allocations: 17, frees: 17, liveBytes: 0 });
  assert.deepEqual((await expectNoLeak(libcInstance(), passes, { warmup: 3 })).calls, 4);
});

test("the exports will do, and parts, and a thing that has exports", async () => {
  const { exports } = libcInstance();
  for (const subject of [exports, { exports }, { ...exports }, { memory: exports.memory, malloc: exports.malloc, free: exports.free }]) {
    assert.equal((await expectNoLeak(subject, passes)).allocations, 2);
  }
});

test("a leak: how much, and where", async () => {
  const error = await failure(expectNoLeak(libcInstance(), function leaks({ malloc }) { malloc(100); malloc(20); }), "leak");
  assert.match(error.message, /^live bytes are 120 bytes more after a call of the body than before it\..*Left by the call:\n  1 block, 100 bytes\n    leaks \(.*expect\.test\.js:\d+:\d+\)\n  1 block, 20 bytes\n/s);
  assert.doesNotMatch(error.message, /linmemBody|src\/test/);
  assert.deepEqual([error.leakedBytes, error.calls, error.watched, error.left.map(({ blocks, bytes }) => [blocks, bytes])], [120, 2, false, [[1, 100], [1, 20]]]);
});

test("growth of live bytes", async () => {
  const error = await failure(expectSteadyMemory(libcInstance(), ({ malloc }) => malloc(100)), "keeps-growing");
  assert.match(error.message, /^16 calls of the body, and still growing: 100 live bytes more with each\. See which blocks/);
  assert.deepEqual([error.liveBytesPerCall, error.pagesPerCall, error.left[0].bytes], [100, 0, 100]);
});

test("growth by pages only", async () => {
  const error = await failure(expectSteadyMemory(libcInstance(), ({ grow }) => grow(1)), "keeps-growing");
  assert.match(error.message, /still growing: 1 pages more with each\./);
  assert.deepEqual([error.liveBytesPerCall, error.pagesPerCall, error.left, error.pages - error.pagesBefore], [0, 1, [], 17]);
});

test("growth that comes to rest in the first half is warming up", async () => {
  let call = 0;
  const warms = ({ malloc, free }) => (++call <= 8 ? malloc(10) : free(malloc(10)));
  await expectSteadyMemory(libcInstance(), warms, { warmup: 0 });
  call = 0;
  await failure(expectSteadyMemory(libcInstance(), warms, { warmup: 0, times: 14 }), "keeps-growing");
});

test("what goes up and down is steady", async () => {
  const kept = [];
  await expectSteadyMemory(libcInstance(), ({ malloc, free }) => (kept.length < 3 ? kept.push(malloc(50)) : kept.splice(0).forEach((block) => free(block))));
});

test("too few calls, unless nothing changes", async () => {
  const error = await failure(expectSteadyMemory(libcInstance(), ({ malloc }) => malloc(1), { times: 3 }), "too-few-calls");
  assert.equal(error.message, "3 calls of the body are too few to tell");
  await failure(expectSteadyMemory(libcInstance(), passes, { times: 1 }), "too-few-calls");
  await failure(expectSteadyMemory(libcInstance(), ({ malloc }) => malloc(1), { times: 4 }), "keeps-growing");
  await expectSteadyMemory(libcInstance(), passes, { times: 2 });
});

test("nothing was seen: an idle body, another instance, exports that were not the argument", async () => {
  const instance = libcInstance();
  const bodies = [() => {}, () => passes(libcInstance().exports), () => passes(instance.exports)];
  for (const body of bodies) {
    const error = await failure(expectSteadyMemory(instance, body), "unseen");
    assert.match(error.message, /^nothing can be said about 17 calls of the body: .* stayed at \d+ pages\. Run the test under `linmem node`.*\(exports\) => …$/);
    await failure(expectNoLeak(instance, body), "unseen");
  }
});

test("pages that grew show that something ran, but not what is left", async () => {
  const { exports } = libcInstance();
  const long = () => exports.free(exports.malloc(1 << 20));
  await expectSteadyMemory(exports, long);
  const fresh = libcInstance().exports;
  const error = await failure(expectNoLeak(fresh, () => fresh.free(fresh.malloc(1 << 20))), "unseen");
  assert.match(error.message, /grew from \d+ to \d+ pages, which does not tell what is left/);
});

test("not awaited: allocations, growth and frees that come later", async () => {
  const later = await failure(expectSteadyMemory(libcInstance(), (exports) => void sleep(1).then(() => passes(exports))), "unseen");
  assert.match(later.message, /17 allocations came after the body had returned: return its promise, or await it\./);
  assert.equal(later.laterAllocations, 17);
  const { exports } = libcInstance();
  const grows = await failure(expectSteadyMemory(exports, () => void sleep(1).then(() => exports.grow(1))), "unseen");
  assert.match(grows.message, /The memory grew to \d+ pages after the body had returned/);
  const late = ({ malloc, free }) => void ((block) => sleep(1).then(() => free(block)))(malloc(8));
  const frees = await failure(expectNoLeak(libcInstance(), late, { warmup: 0 }), "leak");
  assert.match(frees.message, /1 block was freed only after the body had returned/);
});

test("an async body is awaited", async () => {
  const slow = async ({ malloc, free }) => {
    const block = malloc(8);
    await sleep(2);
    free(block);
  };
  assert.equal((await expectNoLeak(libcInstance(), slow)).frees, 2);
  const leaks = async function leaksLater({ malloc }) {
    await sleep(1);
    malloc(8);
  };
  assert.match((await failure(expectNoLeak(libcInstance(), leaks), "leak")).message, /leaksLater/);
});

test("the body's own errors and traps pass through, and the instance can be looked at again", async () => {
  const instance = libcInstance();
  const own = new Error("own");
  await assert.rejects(expectSteadyMemory(instance, () => { throw own; }), (error) => error === own);
  await assert.rejects(expectNoLeak(instance, async () => { throw own; }), (error) => error === own);
  await assert.rejects(expectNoLeak(instance, ({ trap }) => trap(0)), WebAssembly.RuntimeError);
  await expectNoLeak(instance, passes);
});

test("expectations on different instances at once; on one, the second fails", async () => {
  const slow = async ({ malloc, free }) => {
    const block = malloc(8);
    await sleep(1);
    free(block);
  };
  await Promise.all([1, 2, 3].map(() => expectSteadyMemory(libcInstance(), slow)));
  const instance = libcInstance();
  const first = expectNoLeak(instance, slow);
  const second = await failure(expectNoLeak(instance.exports, slow), "already-running");
  assert.match(second.message, /^another expectation is running on this instance, or on one that shares its memory: await it first$/);
  await first;
  await expectNoLeak(instance, slow);
});

test("reallocation, NULL, and blocks that the module frees itself", async () => {
  await expectNoLeak(libcInstance(), ({ malloc, realloc, free }) => free(realloc(malloc(8), 100)));
  const error = await failure(expectNoLeak(libcInstance(), ({ malloc, realloc }) => realloc(malloc(8), 100)), "leak");
  assert.equal(error.leakedBytes, 100);
  await expectNoLeak(libcInstance(), ({ malloc, realloc, free }) => { const block = malloc(8); realloc(block, 2 ** 31); free(block); free(0); });
  // One that fails leaves the block as it was.
  const failed = await failure(expectNoLeak(libcInstance(), ({ malloc, realloc }) => realloc(malloc(8), 2 ** 31)), "leak");
  assert.equal(failed.leakedBytes, 8);
  const { exports } = libcInstance();
  // The same address again: it was freed unseen.
  await expectSteadyMemory(exports, ({ malloc }) => exports.free(malloc(8)));
});

test("a reallocation to nothing frees", async () => {
  const guest = instantiate(`(module (memory (export "memory") 1)
    (func (export "malloc") (param i32) (result i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32) (result i32) (i32.const 0)))`);
  const seen = await expectNoLeak(guest, ({ malloc, realloc }) => realloc(malloc(8), 0));
  assert.deepEqual([seen.allocations, seen.frees], [2, 2]);
});

test("the component model's allocator", async () => {
  const component = () => instantiate(`(module (memory (export "memory") 1)
    (func (export "cabi_realloc") (param $old i32) (param i32 i32 i32) (result i32)
      (select (local.get $old) (i32.const 1024) (local.get $old))))`);
  await expectNoLeak(component(), ({ cabi_realloc }) => cabi_realloc(cabi_realloc(0, 0, 1, 40), 40, 1, 0));
  const leak = await failure(expectNoLeak(component(), ({ cabi_realloc }) => cabi_realloc(0, 0, 1, 40), { warmup: 0 }), "leak");
  assert.equal(leak.leakedBytes, 40);
});

test("the argument serves linmem/strings", async () => {
  const instance = libcInstance();
  const roundTrip = (exports) => {
    const strings = cstrings(exports, { scratch: 0 });
    assert.equal(strings.with("banana", (pointer) => strings.take(exports.duplicate(pointer))), "banana");
  };
  await expectNoLeak(instance, roundTrip);
  const kept = await failure(expectSteadyMemory(instance, (exports) => cstrings(exports).with("banana", () => {})), "keeps-growing");
  assert.equal(kept.liveBytesPerCall, 16384);
});

test("no function is known to allocate", async () => {
  const { message } = await failure(expectNoLeak(instantiate('(module (memory (export "memory") 1))'), () => {}), "unseen");
  assert.match(message, /No export has the name of an allocator function that is known\./);
});

test("arguments that cannot be", async () => {
  const instance = libcInstance();
  for (const call of [
    () => expectNoLeak(null, passes),
    () => expectNoLeak(7, passes),
    () => expectNoLeak({}, passes),
    () => expectNoLeak(instance),
    () => expectNoLeak(instance, passes, { times: 3 }),
    () => expectNoLeak(instance, passes, { warmup: -1 }),
    () => expectSteadyMemory(instance, passes, { times: 0 }),
    () => expectSteadyMemory(instance, passes, { times: 1.5 }),
  ]) {
    await failure(call(), "invalid-argument");
  }
});

test("a recorder of another version is not asked", async () => {
  const watch = Symbol.for("linmem.watch");
  Object.defineProperty(WebAssembly, watch, { value: { version: 2 }, configurable: true });
  try {
    await failure(expectNoLeak(libcInstance(), passes), "other-version");
  } finally {
    delete WebAssembly[watch];
  }
});

test("the README's example runs", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [, source] = /## linmem\/test.*?```js\n(.*?)```/s.exec(readme);
  const guest = fileURLToPath(new URL("guests/libc.wasm", import.meta.url));
  const load = `import { readFileSync } from "node:fs";\nconst bytes = readFileSync(${JSON.stringify(guest)});`;
  const options = { cwd: fileURLToPath(new URL("..", import.meta.url)), encoding: "utf8", env: { ...process.env, NODE_TEST_CONTEXT: "" } };
  const output = execFileSync(process.execPath, ["--input-type=module", "-e", source.replace("\n\n", `\n${load}\n`)], options);
  assert.match(output, /pass 1\n.*fail 0\n/s);
});
