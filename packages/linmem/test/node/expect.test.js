// Expectations under the recorder: every allocation counts.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { readTrace } from "./read-trace.js";
import { onlyTrace, removeDirectory, runWatched, skip } from "./support.js";

after(removeDirectory);

const ran = skip ? undefined : runWatched("expect.mjs");
const results = new Map(skip ? [] : ran.stdout.trim().split("\n").map((line) => JSON.parse(line)));

const watched = (name, run) => test(name, { skip }, run);

/** What an expectation that passed returned. */
function value(name) {
  const result = results.get(name);
  assert.ok(result && "value" in result, `${name}: ${JSON.stringify(result)}`);
  return result.value;
}

/** The error of one that failed. */
function failure(name, code) {
  const result = results.get(name);
  assert.equal(result?.code, code, `${name}: ${JSON.stringify(result)}`);
  return result;
}

watched("the program came to its end", () => {
  assert.deepEqual([ran.status, ran.stderr], [0, ""]);
});

watched("steady", () => {
  const { pages, ...seen } = value("steady");
  assert.deepEqual(seen, { watched: true, calls: 17, allocations: 17, frees: 17, liveBytes: 0 });
});

for (const subject of ["instance", "exports", "spread", "memory"]) {
  watched(`the subject can be what names the instance by its ${subject}`, () => {
    const { watched, allocations } = value(subject);
    assert.deepEqual([watched, allocations], [true, 2]);
  });
}

watched("a leak has a stack of the module and of JavaScript, up to the body", () => {
  const { message, leakedBytes, left } = failure("leaks", "leak");
  assert.equal(leakedBytes, 100);
  assert.match(left[0].stack[0], /^function \d+ \(wasm-[0-9a-f]{8}\.wasm\)$/);
  assert.match(left[0].stack.at(-3), /^malloc \(wasm-[0-9a-f]{8}\.wasm\)$/);
  assert.match(left[0].stack.at(-2), /^leak \(.*programs\/expect\.mjs:\d+\)$/);
  assert.match(left[0].stack.at(-1), /programs\/expect\.mjs:\d+$/);
  assert.ok(!left[0].stack.some((frame) => /linmemBody|src\/test|src\/node/.test(frame)), left[0].stack.join("\n"));
  assert.match(message, /^live bytes are 100 bytes more after a call of the body than before it\.\nLeft by the call:\n  1 block, 100 bytes\n    /);
});

watched("a leak that the module makes itself", () => {
  const { leakedBytes, left } = failure("leaksInside", "leak");
  assert.equal(leakedBytes, 2);
  assert.deepEqual(left[0].stack.slice(0, 3), ["malloc (strings.wasm)", "strdup (strings.wasm)", "string_duplicate (strings.wasm)"]);
});

watched("names of allocator functions with underscores stand once in a stack", () => {
  const stacks = failure("leaksWithUnderscores", "leak").left.map(({ stack }) => stack.filter((frame) => frame.includes("wasm")));
  const file = /^(\w+) \((wasm-[0-9a-f]{8}\.wasm)\)$/;
  assert.deepEqual(stacks.map((stack) => stack.map((frame) => file.exec(frame)?.[1] ?? frame)), [
    ["posix_memalign", "align"],
    ["aligned_alloc", "place"],
    ["__rust_alloc", "make"],
  ]);
});

watched("the stack is that of the block that is left, though another comes from the same place in the module", () => {
  const { left } = failure("leaksOneOfTwo", "leak");
  assert.equal(left.length, 1);
  assert.equal(left[0].bytes, 20);
  assert.ok(left[0].stack.some((frame) => frame.startsWith("second (")), left[0].stack.join("\n"));
});

watched("after very many stacks, blocks still count", () => {
  const { leakedBytes, left } = failure("manyLeaks", "leak");
  assert.equal(leakedBytes, 40_000);
  assert.deepEqual(left.map(({ blocks, stack }) => [blocks, stack.length > 0]), [[4096, true], [904, false]]);
});

watched("growth of live bytes, and by pages only", () => {
  const { message, liveBytesPerCall, left } = failure("grows", "keeps-growing");
  assert.match(message, /^16 calls of the body, and still growing: 100 live bytes more with each\./);
  assert.deepEqual([liveBytesPerCall, left[0].blocks, left[0].bytes], [100, 1, 100]);
  assert.deepEqual([failure("growsByPages", "keeps-growing").pagesPerCall, failure("growsByPages", "keeps-growing").allocations], [1, 0]);
  assert.equal(failure("tooFew", "too-few-calls").message, "3 calls of the body are too few to tell");
});

const NOTHING = "of the body allocated nothing in this instance, so nothing was tested";

watched("a body that allocates nothing anywhere", () => {
  assert.equal(failure("idle", "allocated-nothing").message, `17 calls ${NOTHING}: no instance allocated anything, neither meanwhile nor within 100 ms after`);
});

watched("a body that works in other instances", () => {
  const { message, otherInstances, otherAllocations } = failure("elsewhere", "allocated-nothing");
  assert.equal(message, `17 calls ${NOTHING}: 17 other instances of the same module made 34 allocations meanwhile: pass the instance that you measure`);
  assert.deepEqual([otherInstances, otherAllocations], [17, 34]);
  const others = failure("elsewhereInOthers", "allocated-nothing").message;
  assert.equal(others, `4 calls ${NOTHING}: 4 other instances of other modules made 4 allocations meanwhile: pass the instance that you measure`);
});

watched("a body that nobody awaits", () => {
  const { message, laterAllocations } = failure("notAwaited", "allocated-nothing");
  assert.match(message, /: \d+ allocations? came after the body had returned: return its promise, or await it$/);
  assert.ok(laterAllocations > 0);
  assert.match(failure("elsewhereLater", "allocated-nothing").message, /: 2 other instances of the same module made 2 allocations after the body had returned: await it, and pass the instance that you measure$/);
  assert.match(failure("freedLater", "leak").message, /\. 1 block was freed only after the body had returned: return its promise, or await it\.\n/);
});

watched("an async body is awaited", () => {
  assert.equal(value("async").frees, 2);
  assert.ok(failure("asyncLeak", "leak").left[0].stack.some((frame) => frame.startsWith("leaksLater (")));
});

watched("errors of the body pass through, and traps", () => {
  assert.equal(value("throws"), true);
  assert.deepEqual(value("traps"), [true, "unreachable"]);
});

watched("a body that only frees, or whose allocations fail", () => {
  assert.match(failure("onlyFrees", "allocated-nothing").message, /: it only freed 2 blocks$/);
  assert.match(failure("onlyFails", "allocated-nothing").message, /: 2 allocations failed, as the allocator returned NULL$/);
});

watched("reallocation", () => {
  assert.equal(value("realloc").liveBytes, 0);
  assert.equal(failure("reallocLeaks", "leak").leakedBytes, 1000);
  assert.equal(failure("reallocOfNull", "leak").leakedBytes, 30);
});

watched("blocks that are older have no known size, until they are gone", () => {
  assert.match(failure("olderBlocks", "older-blocks").message, /freed \d+ blocks? that had been allocated before the expectation began/);
  assert.equal(value("olderBlocksGone").frees, 26);
});

watched("a block that the first call keeps is warming up", () => {
  assert.deepEqual([value("warmsUpOnly").allocations, value("warmsUpOnly").liveBytes], [1, 16384]);
});

watched("expectations at once: on different instances, and on one", () => {
  assert.deepEqual(value("parallel").map(({ allocations }) => allocations), [17, 17, 17, 17]);
  assert.deepEqual(value("parallelLeak"), [8, 2]);
  assert.deepEqual(value("twice"), ["fulfilled", "already-running"]);
  failure("within", "already-running");
});

watched("instances that share a memory", () => {
  const [ofMemory, ofFirst] = value("shared");
  assert.match(ofMemory, /^live bytes are 16 bytes more/);
  assert.match(ofFirst, /: 1 other instance of the same module made 2 allocations meanwhile/);
});

watched("contexts of node:vm", () => {
  assert.deepEqual([value("context").watched, value("contextOffers")], [true, 1]);
});

watched("an instance that is not watched, in a program that is", () => {
  assert.match(failure("unwatched", "unseen").message, /linmem watches this program, but not this instance: its report has a note that says why\.$/);
});

watched("events are looked at only while an expectation runs", () => {
  assert.equal(value("rests"), false);
});

watched("sizes that an expectation reads are not the program's", () => {
  const sizes = readTrace(onlyTrace(ran.traces)).filter(({ record }) => record === "SIZE_READ");
  assert.equal(new Set(sizes.map(({ memory }) => memory)).size, 1);
});
