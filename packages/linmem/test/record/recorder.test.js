// The recorder with ports of the test's own: no state is shared, a sink may fail, budgets are kept.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeHost } from "./fake-host.js";
import { ContextTable } from "../../src/record/context-table.js";
import { Contexts } from "../../src/record/contexts.js";
import { CALLERS_OF_CONTEXT, MAGIC, MAX_CALLER_FRAMES, MAX_CONTEXTS, MAX_STACKS, STACKS_OF_ENTRY, TAGS } from "../../src/record/names.js";
import { RECORDS } from "../node/read-trace.js";

const of = (records, ...kinds) => records.filter(({ record }) => kinds.includes(record));

test("names: tags and magic are those of docs/trace-format.md", () => {
  assert.deepEqual(TAGS, Object.fromEntries([...RECORDS].map(([tag, { record }]) => [record, tag])));
  assert.deepEqual(MAGIC, [...Buffer.from("linmem\0\x01", "latin1")]);
});

test("two recorders in one program know nothing of each other", () => {
  const [first, second] = [new FakeHost(), new FakeHost()];
  first.hook("allocated", [4096, 10, 0, 7, 1], { frame: [7, 1] });
  second.hook("allocated", [8192, 20, 0, 8, 2], { frame: [8, 2] });
  for (const host of [second, first]) host.hook("entered", [3, 0, 0, 0, 0, 0, 0, 4096], {});
  const seen = (host) => of(host.records(), "INSTANCE", "CONTEXT", "MEMORY", "ALLOCATED", "PASSED").map(({ record, ...fields }) => [record, ...Object.values(fields)]);
  const begin = [["MEMORY", 1, null, 65536, 0], ["INSTANCE", 0, 0]];
  assert.deepEqual(seen(first), [...begin, ["CONTEXT", [[7, 1]]], ["ALLOCATED", 0, 4096, 10], ["PASSED", 3, 3, 1, 4096]]);
  assert.deepEqual(seen(second), [...begin, ["CONTEXT", [[8, 2]]], ["ALLOCATED", 0, 8192, 20]]);
});

test("a sink that fails stops the recording, with one line, and the program goes on", () => {
  let chunks = 0;
  const host = new FakeHost({
    sink() {
      if (++chunks > 1) throw new Error("the disk is full");
    },
  });
  for (let turn = 0; turn < 50_000; turn++) host.hook("allocated", [4096, 10, 0, 7, 1], { frame: [7, 1] });
  host.snapshot(false);
  host.recorder.exit(0);
  assert.deepEqual([chunks, host.complaints, host.recorder.records.isKept], [2, ["cannot write the trace, and recording stops here: the disk is full"], false]);
});

test("contexts after very many stacks have no frames, but each entry has a part of its own", () => {
  const host = new FakeHost();
  const free = (value) => host.hook("freed", [4096, -1, 0, 3, value], { frame: [3, value] });
  const last = MAX_STACKS + STACKS_OF_ENTRY;
  for (let value = 0; value < last + 10; value++) free(value);
  host.hook("entered", [5, 0, 0, 0, 0, 0, 0, 0], {});
  for (let value = last + 10; value < last + 20; value++) free(value);
  const contexts = of(host.records(), "CONTEXT");
  assert.equal(contexts.length, last + 20);
  const without = contexts.map(({ frames }, number) => (frames.length === 0 ? number : -1)).filter((number) => number >= 0);
  assert.deepEqual(without, Array.from({ length: 10 }, (_, index) => last + index));
  assert.deepEqual(contexts[last - 1].frames, [[3, last - 1]]);
});

test("after very many frames stacks are taken in short, and say so; callers are still taken in full", () => {
  const host = new FakeHost();
  const callers = Array.from({ length: 30 }, (_, line) => `caller (app.mjs:${line})`);
  const free = (value, below) => host.hook("freed", [4096, -1, 0, 3, value], { frame: [3, value], below, host: callers });
  const enter = () => host.hook("entered", [5, 0, 0, 0, 0, 0, 0, 0], { host: callers });
  enter();
  for (let value = 0; value < 1400; value++) free(value, 98);
  enter();
  free(1400, 98);
  enter();
  free(1401, 10);
  const records = host.records();
  const lengths = of(records, "CONTEXT").map(({ frames }) => frames.length);
  assert.deepEqual([lengths[0], lengths[1000]], [99, 99], "in full");
  assert.deepEqual([lengths[1399], lengths[1400], lengths[1401]], [25, 25, 11], "in short, if they are longer than that");
  const [deep, whole] = of(records, "CONTEXT").slice(-2).map(({ frames }) => frames.at(-1));
  assert.deepEqual([deep, whole], ["(frames not looked at)", [9, 1009]]);
  const last = of(records, "ENTERED").at(-1).caller;
  assert.deepEqual(of(records, "HOST_STACK")[last].frames, callers);
});

test("callers are taken for many entries with the same first context, and then for few", () => {
  const host = new FakeHost();
  const entries = 4 * CALLERS_OF_CONTEXT;
  for (let entry = 0; entry < entries; entry++) {
    const where = { host: [`caller (app.mjs:${entry % 2})`] };
    host.hook("entered", [5, 0, 0, 0, 0, 0, 0, 0], where);
    host.hook("freed", [4096, -1, 0, 3, 1], { frame: [3, 1], ...where });
  }
  const callers = of(host.records(), "ENTERED").map(({ caller }) => caller);
  assert.deepEqual(callers.slice(0, 4), [1, 2, 1, 2]);
  const taken = callers.filter((caller) => caller !== null).length;
  assert.equal(taken, CALLERS_OF_CONTEXT + 2, "then the 2^k-th ones only");
});

test("entries that come often and deep do not use up the callers of others: each kind has a part, and each function", () => {
  const host = new FakeHost();
  const deep = { host: [...Array.from({ length: 99 }, (_, line) => `deep (app.mjs:${line})`), [3, 50]] };
  const enter = (index, level, where) => {
    host.hook("entered", [index, level, level, 0, 0, 0, 0, 0], where);
    host.hook("freed", [4096, -1, 0, 3, index], { frame: [3, index], ...where });
  };
  enter(1, 0, { host: ["main (app.mjs:1)"] });
  const entries = 2 * (MAX_CALLER_FRAMES[1] / 100);
  for (let entry = 0; entry < entries; entry++) enter(2, 1, deep);
  // Nothing is left for entries inside others, but this function was not among them.
  enter(4, 1, deep);
  for (let entry = 0; entry < 100; entry++) enter(1, 0, { host: [`main (app.mjs:${entry})`] });
  const of1 = of(host.records(), "ENTERED").filter((entered) => entered.function === 1);
  const taken = (entered) => entered.filter(({ caller }) => caller !== null).length;
  assert.deepEqual([of1.length, taken(of1)], [101, 101]);
  assert.equal(taken(of(host.records(), "ENTERED").filter((entered) => entered.function === 4)), 1);
  const untaken = of(host.records(), "ENTERED").filter((entered) => entered.function === 2 && entered.caller === null);
  assert.ok(untaken.length > 0);
});

test("contexts after very many share one, with no frames", () => {
  const written = [];
  const contexts = new Contexts({ context: (frames) => written.push(frames.length) }, {});
  const module = { contexts: new ContextTable() };
  const numbers = new Set();
  for (let value = 0; value < MAX_CONTEXTS + 1000; value++) numbers.add(contexts.add(module, value, value >> 3, [{}]));
  assert.deepEqual([numbers.size, written.length, written.filter((length) => length > 0).length], [MAX_CONTEXTS + 1, MAX_CONTEXTS + 1, MAX_CONTEXTS]);
  assert.deepEqual([module.contexts.get(5, 0), module.contexts.get(MAX_CONTEXTS, MAX_CONTEXTS >> 3)], [5, -1]);
});

test("records of any length go through the chunk", () => {
  const host = new FakeHost();
  const words = "x".repeat(200_000);
  host.recorder.records.note(words);
  for (let turn = 0; turn < 30_000; turn++) host.hook("allocated", [(turn * 7919) | 0, turn, 0, 7, 1], { frame: [7, 1] });
  const records = host.records();
  assert.equal(of(records, "NOTE")[0].words, words);
  assert.deepEqual(of(records, "ALLOCATED").map(({ pointer, size }) => [pointer, size]), Array.from({ length: 30_000 }, (_, turn) => [turn * 7919, turn]));
});

test("a snapshot has the parts of the memory that are not zero, within a page each", () => {
  const host = new FakeHost();
  host.memory.grow(3);
  const bytes = new Uint8Array(host.memory.buffer);
  for (const at of [0, 4095, 8192, 65535, 65536, 131072 + 4096, 262143]) bytes[at] = 1;
  host.snapshot(false);
  const parts = of(host.records(), "SNAPSHOT_BYTES");
  assert.deepEqual(parts.map(({ address, contents }) => [address, contents.length]), [[0, 4096], [8192, 4096], [61440, 4096], [65536, 4096], [135168, 4096], [258048, 4096]]);
  for (const { address, contents } of parts) assert.deepEqual([...contents], [...bytes.subarray(address, address + contents.length)]);
});
