// What is in the trace of a program that was watched.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { after, test } from "node:test";
import { once } from "node:events";
import { readTrace } from "./read-trace.js";
import { directory, onlyReport, onlyTrace, removeDirectory, report, runWatched, runWith, skip, startWatched, traceFiles } from "./support.js";

after(removeDirectory);

const watched = (name, run) => test(name, { skip }, run);

const recordsOf = (name, ...values) => readTrace(onlyTrace(runWatched(name, ...values).traces));
const of = (records, ...kinds) => records.filter(({ record }) => kinds.includes(record));
const hostFrames = ({ stack }) => stack.filter((frame) => typeof frame === "string");

watched("allocations, frees, and what is left", () => {
  const { totals, instances, memories, end, truncated } = onlyReport(runWatched("strings.mjs").traces);
  const { allocations, frees, failed, allocated_bytes, at_end } = totals;
  assert.deepEqual({ allocations, frees, failed, allocated_bytes }, { allocations: 11, frees: 10, failed: 0, allocated_bytes: 77 });
  assert.deepEqual([at_end.blocks, at_end.bytes], [1, 7]);
  assert.deepEqual([instances.length, instances[0].module, memories[0].initial_pages], [1, "strings.wasm", 2]);
  assert.deepEqual([end, truncated], [{ kind: "exit", code: 0 }, false]);
});

watched("a stack has frames of JavaScript and of C, with lines", () => {
  const { memories } = onlyReport(runWatched("strings.mjs").traces);
  const [{ stack }] = memories[0].hot_sites.longest_lived;
  const names = stack.map((frame) => frame.function);
  assert.equal(names[0], "malloc");
  const allocate = stack[names.indexOf("allocate")];
  assert.match(allocate.file, /strings\.c$/);
  assert.equal(allocate.line, 13);
  assert.match(names[names.indexOf("allocate") + 2], /^createCString \(.*strings\.mjs:8\)$/);
  assert.match(names.at(-1), /strings\.mjs:13$/);
});

watched("CommonJS", () => {
  const { totals, instances } = onlyReport(runWatched("commonjs.cjs").traces);
  assert.deepEqual([totals.allocations, totals.frees, totals.at_end.bytes, instances.length], [2, 1, 100, 1]);
});

watched("frames are paths below the directory that the program was started in", () => {
  const [first] = of(recordsOf("commonjs.cjs"), "ALLOCATED");
  assert.match(hostFrames(first)[0], /^keep \(.*programs\/commonjs\.cjs:9\)$/);
  assert.ok(hostFrames(first).every((frame) => !/node:|src\/node/.test(frame)));
});

watched("each thread has its trace, and a module that was posted is still watched", () => {
  const [main, worker] = traceFiles(runWatched("worker.mjs").traces).map(report);
  assert.deepEqual([main.totals.allocations, main.totals.allocated_bytes], [1, 10]);
  assert.deepEqual([worker.totals.allocations, worker.totals.allocated_bytes, worker.instances.length], [2, 50, 2]);
  assert.deepEqual([main.end, worker.end], [{ kind: "exit", code: 0 }, { kind: "exit", code: 0 }]);
});

watched("child processes have their own", () => {
  const ends = traceFiles(runWatched("child.mjs").traces).map(report).map(({ end, totals }) => [end.code, totals.allocated_bytes]);
  assert.deepEqual(ends.sort(), [[0, 2], [3, 3]]);
});

watched("a start function's events belong to the instance that is being made", () => {
  const records = recordsOf("starts.mjs");
  assert.deepEqual(records.filter(({ record }) => record !== "CLOCK").map(({ record }) => record).slice(0, 7), ["THREAD", "MEMORY", "MODULE", "INSTANCE", "ALLOCATED", "HANDED_OUT", "CREATED"]);
  assert.deepEqual(of(records, "INSTANCE"), [{ record: "INSTANCE", module: 0, memory: 0 }]);
  assert.deepEqual(of(records, "MEMORY"), [{ record: "MEMORY", initial_pages: 1, max_pages: 4, page_bytes: 65536, sharing: 0 }]);
  assert.equal(of(records, "ALLOCATED")[0].size, 24);
  assert.match(hostFrames(of(records, "CREATED")[0])[0], /^start \(.*starts\.mjs:6\)$/);
});

watched("which exports are called, and which addresses go in and come out", () => {
  const records = recordsOf("crosses.mjs");
  const crossings = of(records, "RETURNED", "PASSED", "HANDED_OUT").map(({ record, pointer }) => [record, pointer]);
  assert.deepEqual(crossings, [
    ["RETURNED", 4096],
    ["RETURNED", 4112],
    ["RETURNED", 4128],
    ["PASSED", 4096],
    ["HANDED_OUT", 4176],
    ["PASSED", 4240],
  ]);
  const [sized] = of(records, "SIZE_READ");
  assert.deepEqual([sized.by, sized.pages], [2, 1]);
  const calls = of(records, "CALLED").map(({ times }) => times);
  assert.equal(calls.reduce((sum, times) => sum + times), 9);
});

watched("blocks that the program has are told from lost ones", () => {
  const { findings, instances } = onlyReport(runWatched("crosses.mjs").traces);
  const leaks = findings.filter(({ code }) => code.startsWith("leak")).map(({ code, severity, numbers }) => [code, severity, numbers.bytes]);
  assert.deepEqual(leaks, [
    ["leak-definite", "error", 32],
    ["leak-host-held", "warning", 64],
    ["leak-host-held", "warning", 48],
    ["leak-host-held", "warning", 32],
  ]);
  const made = findings.find(({ message }) => message.includes("from `make`"));
  assert.deepEqual([made.numbers.returned, made.numbers.freed], [3, 1]);
  assert.deepEqual(Object.fromEntries(instances[0].calls), { free: 1, give: 1, lose: 1, make: 3, put: 1, size: 1, use: 1 });
});

watched("addresses behind headers and in halves, a size that is read within realloc, an export in a table", () => {
  const { findings, instances, totals } = onlyReport(runWatched("corners.mjs").traces);
  const left = findings.filter(({ code }) => code.startsWith("leak")).map(({ code, message, numbers }) => [code, /from `(\w+)`/.exec(message)?.[1], numbers.bytes]);
  assert.deepEqual(left.sort(), [
    ["leak-definite", undefined, 40],
    ["leak-host-held", "behind", 40],
    ["leak-host-held", "packed", 24],
    ["leak-host-held", "realloc", 200],
  ]);
  assert.deepEqual([totals.allocations, totals.reallocations], [4, 1]);
  // What the module calls through a table is not a call by the program.
  assert.equal(Object.fromEntries(instances[0].calls).behind, 1);
});

watched("functions that the program calls out of a table are entries like exports", () => {
  const { traces } = runWatched("identity.mjs");
  const { findings } = onlyReport(traces);
  const held = findings.filter(({ code }) => code === "leak-host-held").map(({ message }) => /from `(.*?)`/.exec(message)[1]);
  assert.deepEqual(held.sort(), ["inside", "inside", "malloc", "malloc"]);
  const [record] = of(readTrace(onlyTrace(traces)), "ALLOCATED");
  assert.match(hostFrames(record)[0], /identity\.mjs:13$/);
  assert.equal(of(readTrace(onlyTrace(traces)), "TOOK_FUNCTION").length, 0);
});

watched("the module is the program's own, byte for byte", () => {
  const [module] = of(recordsOf("starts.mjs"), "MODULE");
  assert.deepEqual(module.file, readFileSync(`${directory}/starts.wasm`));
  assert.deepEqual(Object.keys(JSON.parse(module.allocator)), ["functions", "unseen", "notes", "candidates"]);
  assert.match(module.name, /^wasm-[0-9a-f]{8}\.wasm$/);
});

watched("two instances of one memory; sizes, growths and stale views", () => {
  const records = recordsOf("host.mjs");
  assert.deepEqual(of(records, "INSTANCE").map(({ memory }) => memory), [0, 0]);
  const host = of(records, "SIZE_READ", "HOST_GROWN", "STALE_VIEW").map(({ stack, ...record }) => record);
  assert.deepEqual(host, [
    { record: "SIZE_READ", memory: 0, by: 0, pages: 1 },
    { record: "SIZE_READ", memory: 0, by: 1, pages: 1 },
    { record: "HOST_GROWN", memory: 0, delta_pages: 1, previous_pages: 1 },
    { record: "HOST_GROWN", memory: 0, delta_pages: 1, previous_pages: null },
    { record: "STALE_VIEW", memory: 0, pages: 1 },
    { record: "STALE_VIEW", memory: 0, pages: 1 },
  ]);
  assert.match(hostFrames(of(records, "SIZE_READ")[0])[0], /^readSize \(.*host\.mjs:10\)$/);
});

watched("a failed allocation whose NULL is written to", () => {
  const records = of(recordsOf("host.mjs"), "GROW_FAILED", "ALLOCATED", "LOW_MEMORY", "FREED");
  assert.deepEqual(records.map(({ record }) => record).slice(0, 4), ["GROW_FAILED", "ALLOCATED", "LOW_MEMORY", "FREED"]);
  assert.deepEqual([records[1].pointer, records[1].size], [0, 131072]);
  assert.deepEqual(records[2], { record: "LOW_MEMORY", first: 0, last: 99, changed: 100 });
});

// A finding that the host wrote through the NULL of a failed allocation, and how many bytes.
const ignored = (way) => onlyReport(runWatched("fails.mjs", way).traces).findings.filter(({ code }) => code === "null-ignored");

for (const way of ["realloc", "twice", "calloc", "malloc", "kept"]) {
  watched(`low memory that was written before an allocation failed is no write through NULL: ${way}`, () => {
    assert.deepEqual(ignored(way), []);
  });
}

for (const way of ["reallocIgnored", "callocIgnored", "reallocIgnoredLate"]) {
  watched(`a write through NULL is found: ${way}`, () => {
    assert.equal(ignored(way).length, 1);
  });
}

watched("a failed reallocation, and what was written before it", () => {
  const records = of(recordsOf("fails.mjs", "realloc"), "REALLOCATING", "REALLOCATED", "LOW_MEMORY");
  assert.deepEqual(records.map(({ record }) => record), ["REALLOCATING", "LOW_MEMORY", "REALLOCATED"]);
  assert.deepEqual(records[1], { record: "LOW_MEMORY", first: 8, last: 8, changed: 1 });
});

watched("collected instances, and those that a function keeps", () => {
  const records = recordsOf("collects.mjs");
  assert.equal(of(records, "COLLECTED").length, 5);
  assert.equal(of(records, "SNAPSHOT").length, 1);
  assert.deepEqual(of(records, "ALLOCATED").map(({ size }) => size), [1, 2, 2, 2, 2, 2, 3]);
});

watched("few instances are kept, so that it does not depend on the engine whether they are judged", () => {
  const counts = (...values) => ["COLLECTED", "SNAPSHOT"].map((kind) => of(recordsOf("collects.mjs", ...values), kind).length);
  assert.deepEqual(counts("3"), [0, 4]);
  assert.deepEqual(counts("3", "1500"), [3, 1], "large ones are not");
});

watched("a snapshot is the memory, without what is zero", () => {
  const records = recordsOf("host.mjs");
  const [snapshot] = of(records, "SNAPSHOT");
  assert.equal(snapshot.pages, 2);
  assert.deepEqual(of(records, "GLOBALS").map(({ live_frames, globals }) => [live_frames, globals.length]), [[0, 1], [0, 1]]);
  const [low] = of(records, "SNAPSHOT_BYTES");
  assert.deepEqual([low.address, low.contents.subarray(0, 101)], [0, Buffer.from([...Array(100).fill(1), 0])]);
  assert.equal(low.contents.length, 4096);
});

for (const way of ["code", "exitCode", "throws", "rejects", "listener", "listenerCode", "listenerExits", "listenerThrows", "handled", "aborts", "emits", "rethrows", "emitsThrown", "natural"]) {
  watched(`the end of a program that ends like this: ${way}`, () => {
    const { status, traces } = runWatched("ends.mjs", way);
    const records = readTrace(onlyTrace(traces));
    assert.deepEqual(of(records, "EXIT", "SNAPSHOT").map(({ record }) => record), ["SNAPSHOT", "EXIT"]);
    assert.equal(of(records, "EXIT")[0].code, status);
    assert.equal(of(records, "ALLOCATED").length, ["listener", "aborts", "emits", "emitsThrown"].includes(way) ? 2 : 1);
  });
}

watched("a program that is killed leaves a readable trace", async () => {
  const { child, traces } = startWatched("busy.mjs");
  await once(child.stdout, "data");
  // Until some full chunks are written: a busy machine needs longer.
  while (statSync(traceFiles(traces)[0]).size < 200_000) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill("SIGKILL");
  await once(child, "exit");
  const { totals, truncated, end } = onlyReport(traces);
  assert.ok(totals.allocations > 1000, `${totals.allocations}`);
  assert.deepEqual([end, truncated], [null, true]);
});

watched("the stack overflows: no half of a record stays", () => {
  const records = recordsOf("recurses.mjs");
  const sizes = of(records, "ALLOCATED").map(({ size }) => size);
  assert.ok(sizes.length > 1000, `${sizes.length} allocations`);
  assert.deepEqual(sizes.filter((size) => size !== 8), []);
  assert.equal(of(records, "EXIT").length, 1);
});

watched("contexts of node:vm, and a module that goes from one to another", () => {
  const records = recordsOf("contexts.mjs");
  assert.deepEqual(of(records, "ALLOCATED").map(({ size }) => size), [1, 2, 3, 4]);
  assert.deepEqual(of(records, "SIZE_READ").map(({ pages }) => pages), [2, 2]);
  assert.equal(of(records, "MODULE").length, 1);
});

watched("a program without modules leaves nothing", () => {
  const { status, stdout, traces } = runWatched("idle.mjs");
  assert.deepEqual([status, stdout], [0, "done\n"]);
  assert.throws(() => readdirSync(traces), { code: "ENOENT" });
});

watched("a module that cannot be instrumented passes through, with a note", () => {
  const result = runWatched("passes.mjs");
  assert.deepEqual([result.status, result.stdout, result.stderr], [0, "3\nCompileError\n", ""]);
  const notes = of(readTrace(onlyTrace(result.traces)), "NOTE");
  assert.deepEqual(notes.map(({ words }) => words.replace(/[0-9a-f]{8}\./, "")), ["module wasm-wasm is not watched: the module has no memory, so nothing is recorded"]);
});

watched("functions that allocate can be named", () => {
  const { traces } = runWith({ LINMEM_INSTRUMENT_OPTIONS: '["--malloc", "upper"]' }, "commonjs.cjs");
  const [module] = of(readTrace(onlyTrace(traces)), "MODULE");
  assert.ok(JSON.parse(module.allocator).functions.some(({ role, evidence }) => role === "malloc" && evidence.kind === "flag"));
});

watched("without the linmem program, one line says so", () => {
  const { status, stdout, stderr } = runWith({ LINMEM_PROGRAM: "/none/linmem" }, "child.mjs", "child");
  assert.deepEqual([status, stdout, stderr], [3, "child\n", "linmem: there is no program /none/linmem: nothing is watched\n"]);
});

watched("a trace that cannot be written: one line, and the program goes on", () => {
  const { status, stdout, stderr } = runWith({ LINMEM_TRACE_DIR: "/dev/null/traces" }, "strings.mjs");
  assert.equal(status, 0);
  assert.match(stdout, /^131072 2 2 memory/);
  assert.match(stderr, /^linmem: cannot write the trace, and recording stops here: ENOTDIR.*\n$/);
});
