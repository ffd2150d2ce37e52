// Records of several threads, in whatever way they end, and the memories that they share.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

const program = (name) => fileURLToPath(new URL(`programs/${name}.mjs`, import.meta.url));

function run(name, words, { directory = tmpdir(), options = [] } = {}) {
  const env = { ...process.env, LINMEM_TRACE_DIR: directory };
  const { status, stdout, stderr } = spawnSync(process.execPath, [...options, program(name), ...words], { env, encoding: "utf8", timeout: 60_000 });
  assert.equal(status, 0, stderr);
  return stdout;
}

const LARGE_BYTES = 300_000;

// The records of each thread's file: { number, count } in the order of the file. Where a thread was
// terminated, a file may end within a large record.
function recordsOf(file) {
  const bytes = readFileSync(file);
  const records = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at];
    if (length === 0) {
      assert.ok(bytes.subarray(at, at + LARGE_BYTES).every((byte) => byte === 0), `${file} goes on after half a record at ${at}`);
      at += LARGE_BYTES;
      continue;
    }
    assert.ok(at + length <= bytes.length, `${file} ends within a record`);
    assert.ok(bytes.subarray(at + 17, at + length).every((byte) => byte === length), `${file} has a torn record at ${at}`);
    records.push({ number: bytes.readDoubleBE(at + 1), count: bytes.readUInt32BE(at + 13) });
    at += length;
  }
  return records;
}

function record(name) {
  const directory = mkdtempSync(join(tmpdir(), "linmem-threads-"));
  try {
    const printed = run("threads", [name], { directory });
    const threads = readdirSync(directory).map((file) => recordsOf(join(directory, file)));
    for (const records of threads) assert.deepEqual(records.map(({ count }) => count), records.map((_, index) => index), "a thread's records are in order");
    for (const records of threads) for (let at = 1; at < records.length; at++) assert.ok(records[at - 1].number < records[at].number);
    const numbers = Float64Array.from(threads.flatMap((records) => records.map(({ number }) => number))).sort();
    return { printed, threads, numbers };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const holes = (numbers) => numbers.filter((number, index) => number !== (index === 0 ? -1 : numbers[index - 1]) + 1).length;

test("Threads that end by themselves leave all records, and their slots to others", () => {
  const { threads, numbers } = record("many");
  assert.deepEqual(threads.map(({ length }) => length), Array(20).fill(20_000));
  assert.equal(numbers.at(-1), 20 * 20_000 - 1);
  assert.equal(holes(numbers), 0);
});

test("A terminated thread leaves what it published, and loses one number at most", () => {
  const { threads, numbers } = record("terminated");
  assert.equal(threads.length, 15);
  assert.ok(holes(numbers) <= 15, `${holes(numbers)} holes`);
  assert.equal(new Set(numbers).size, numbers.length);
});

test("process.exit saves threads that wait for good or still run", () => {
  const { threads, numbers } = record("exits");
  assert.equal(threads.length, 5);
  assert.ok(threads.some(({ length }) => length === 20_001));
  // A thread that has no processor for half a second can lose the number that it has just taken.
  assert.ok(holes(numbers) <= threads.length - 1, `${holes(numbers)} holes`);
  assert.equal(new Set(numbers).size, numbers.length);
});

test("A thread that ends takes those with it that it had started", () => {
  const { printed, threads } = record("nested");
  assert.equal(printed, "0 0 0\n");
  assert.ok(threads[0].length > 0);
});

const OPTIONS = { collected: ["--expose-gc"], without: ["--import", "data:text/javascript,delete Atomics.waitAsync"] };

for (const name of ["at-once", "nested", "blocked", "back", "clones", "futex", "strangers", "without", "collected", "limit"]) {
  test(`Memories are told apart: ${name}`, () => assert.equal(run("shared-memories", [name], { options: OPTIONS[name] }), "as expected\n"));
}
