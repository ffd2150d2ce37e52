// What pages send to `linmem browser` is a stranger's: no message makes another file, or goes into somebody else's.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { PageRecordings, recordingOf } from "../../src/driver/page-recordings.js";
import { MAGIC, TAGS } from "../../src/record/names.js";
import { readRecords } from "../node/read-trace.js";

const ID = "0123456789abcdef";
const OTHER = "fedcba9876543210";
const base64 = (bytes) => Buffer.from(bytes).toString("base64");

let directory, recordings, told;
const page = { number: 3, session: "A", name: "page http://localhost/" };
const worker = { number: 4, session: "B", name: "worker http://localhost/worker.js" };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "linmem-pages-"));
  told = [];
  recordings = new PageRecordings(directory, (line) => told.push(line));
});

afterEach(() => rmSync(directory, { recursive: true }));

const files = () => readdirSync(directory).sort();
const contents = (name) => readFileSync(join(directory, name));

test("a trace comes in parts", () => {
  recordings.take(page, 1, `b${ID}`);
  assert.deepEqual(files(), []);
  recordings.take(page, 1, `t${ID}${base64([1, 2])}`);
  recordings.take(page, 1, `t${ID}${base64([3])}`);
  recordings.take(page, 1, `e${ID}`);
  recordings.take(page, 1, `t${ID}${base64([4])}`);
  recordings.finish();
  assert.deepEqual(files(), ["3-0.trace"]);
  assert.deepEqual([...contents("3-0.trace")], [1, 2, 3]);
});

for (const message of ["", "b", `b../../${ID}`, `t${ID}`, `x${ID}`, `b${ID.toUpperCase()}`, `t../../../x${ID}AAAA`, `\0b${ID}`]) {
  test(`no file for ${JSON.stringify(message)}`, () => {
    recordings.take(page, 1, message);
    recordings.take(page, 1, `t${ID}${base64([1])}`);
    recordings.finish();
    assert.deepEqual(files(), []);
  });
}

test("what is not base64 is not written", () => {
  recordings.take(page, 1, `b${ID}`);
  for (const text of ["AA AA", "AAAA\n", "=AAA", "é"]) recordings.take(page, 1, `t${ID}${text}`);
  assert.deepEqual(files(), []);
});

test("a recording belongs to the context that began it", () => {
  recordings.take(page, 1, `b${ID}`);
  for (const [target, context] of [[worker, 1], [page, 2]]) {
    recordings.take(target, context, `t${ID}${base64([9])}`);
    recordings.take(target, context, `e${ID}`);
    recordings.take(target, context, `b${ID}`);
  }
  assert.deepEqual(recordings.unfinished.map(({ context }) => context), [1]);
  recordings.take(page, 1, `t${ID}${base64([1])}`);
  recordings.take(page, 1, `e${ID}`);
  assert.deepEqual([...contents("3-0.trace")], [1]);
});

test("a page that is left has an end, if its snapshot was the last thing", () => {
  for (const [id, last] of [[ID, `l${ID}`], [OTHER, `t${OTHER}`]]) {
    recordings.take(page, 1, `b${id}`);
    recordings.take(page, 1, `t${id}${base64(MAGIC)}`);
    recordings.take(page, 1, `l${id}`);
    recordings.take(page, 1, last);
  }
  recordings.finish();
  const [left, stopped] = files().map((name) => readRecords(contents(name)));
  assert.deepEqual(left.map(({ record }) => record), ["EXIT"]);
  assert.match(JSON.stringify(stopped), /page http:\/\/localhost\/ was stopped before its last records came/);
});

test("a copy has an end where a snapshot was the last thing, and the recording goes on", () => {
  const copies = mkdtempSync(join(directory, "copies-"));
  for (const [id, last] of [[ID, `s${ID}`], [OTHER, `t${OTHER}`]]) {
    recordings.take(page, 1, `b${id}`);
    assert.equal(recordings.has(id), true);
    recordings.take(page, 1, `t${id}${base64(MAGIC)}`);
    recordings.take(page, 1, `s${id}`);
    recordings.take(page, 1, last);
  }
  recordings.copyTo(copies);
  const [saved, stopped] = readdirSync(copies).sort().map((name) => readRecords(readFileSync(join(copies, name))));
  assert.deepEqual(saved.map(({ record }) => record), ["EXIT"]);
  assert.match(JSON.stringify(stopped), /was stopped before its last records came/);
  assert.deepEqual([...contents("3-0.trace")], [...MAGIC]);
  // A snapshot in between is not the end of a page that is gone.
  recordings.finish();
  assert.match(JSON.stringify(readRecords(contents("3-0.trace"))), /was stopped before its last records came/);
});

test("a recording that has ended is copied as it is", () => {
  const copies = mkdtempSync(join(directory, "copies-"));
  for (const message of [`b${ID}`, `t${ID}${base64(MAGIC)}`, `e${ID}`]) recordings.take(page, 1, message);
  recordings.copyTo(copies);
  assert.deepEqual([...readFileSync(join(copies, "3-0.trace"))], [...MAGIC]);
});

test("what only the driver has to say is a recording too", () => {
  assert.equal(recordings.isEmpty, true);
  const records = readRecords(recordingOf(["worker x is not watched", "y"]));
  assert.deepEqual(records.map(({ record }) => record), ["NOTE", "NOTE", "EXIT"]);
});

test("a recording is named as the document was that made it", () => {
  const tab = { ...page };
  recordings.take(tab, 1, `b${ID}`);
  recordings.take(tab, 1, `t${ID}${base64(MAGIC)}`);
  tab.name = "page http://localhost/next";
  recordings.finish();
  assert.match(JSON.stringify(readRecords(contents("3-0.trace"))), /page http:\/\/localhost\/ was stopped/);
});

test("words that come late are in their place, and what cannot be written is told in the end", async () => {
  const mark = (line) => `${ID}["","http://localhost/a.js",${line},1,"","http://localhost"]`;
  const frame = (text) => [0, text.length, ...Buffer.from(text)];
  const maps = { wordsOf: async ({ line }) => (await new Promise((resolve) => setTimeout(resolve, 10 / line)), `line ${line}`) };
  const late = new PageRecordings(directory, () => {}, maps);
  late.take(page, 1, `b${ID}`);
  late.take(page, 1, `t${ID}${base64([7, ...frame(mark(1)), 8, ...frame(mark(2))])}`);
  late.take(page, 1, `t${ID}${base64([9])}`);
  late.take(page, 1, `e${ID}`);
  await late.settled();
  late.finish();
  assert.deepEqual([...contents("3-0.trace")], [7, ...frame("line 1"), 8, ...frame("line 2"), 9]);

  const failing = new PageRecordings(join(directory, "missing"), () => {}, maps);
  failing.take(page, 1, `b${ID}`);
  failing.take(page, 1, `t${ID}${base64(frame(mark(1)).slice(1))}`);
  await new Promise((resolve) => setTimeout(resolve, 30));
  await assert.rejects(failing.settled(), /cannot write .*no such file or directory/);
});

test("complaints are short and few", () => {
  recordings.take(page, 1, `b${ID}`);
  for (let time = 0; time < 1000; time++) recordings.take(page, 1, `c${ID}${"x".repeat(10_000)}`);
  assert.equal(told.length, 100);
  assert.ok(told.every((line) => line.length <= 300));
});

test("there are not more recordings than any page needs", () => {
  for (let count = 0; count < 10_100; count++) {
    const id = count.toString(16).padStart(16, "0");
    recordings.take(page, 1, `b${id}`);
  }
  assert.equal(recordings.unfinished.length, 10_000);
});

test("a record by the driver is one that can be read", () => {
  assert.equal(TAGS.EXIT < 0x80 && TAGS.NOTE < 0x80, true);
  const long = { ...page, name: `page http://localhost/${"x".repeat(1000)}` };
  recordings.take(long, 1, `b${ID}`);
  recordings.take(long, 1, `t${ID}${base64(MAGIC)}`);
  recordings.finish();
  assert.equal(readRecords(contents("3-0.trace")).length, 1);
});

const joined = (thread = "7") => {
  recordings.take(page, 1, `b${ID}`);
  recordings.take(worker, 1, `b${OTHER}`);
  recordings.take(worker, 1, `j${OTHER}${ID}:${thread}`);
};
const sent = (...bytes) => recordings.take(worker, 1, `t${OTHER}${base64(bytes)}`);
const rest = (at, ...bytes) => recordings.take(page, 1, `r${ID}7:${at}:${base64(bytes)}`);

// What a thread has sent and what its page sends, in several orders: each byte once, and the end is not told.
for (const [what, send] of Object.entries({
  "after it": () => [sent(1, 2), rest(2, 3, 4)],
  "some of it again": () => [sent(1, 2), rest(1, 2, 3, 4)],
  "all of it again": () => [sent(1, 2, 3, 4), rest(1, 2, 3)],
  "before it": () => [rest(2, 3, 4), sent(1), sent(2)],
  "before it, and some of it again": () => [rest(1, 2, 3, 4), sent(1, 2, 3), sent(4)],
  "before it, in parts": () => [rest(2, 3), rest(3, 4), sent(1, 2)],
  "first of all": () => [rest(0, 1, 2, 3, 4), sent(1, 2)],
})) {
  test(`a page sends for a thread ${what}`, () => {
    joined();
    send();
    recordings.take(page, 1, `e${ID}`);
    recordings.finish();
    assert.deepEqual([...contents("4-1.trace")], [1, 2, 3, 4]);
  });
}

test("a thread may be heard of before its page", () => {
  recordings.take(worker, 1, `b${OTHER}`);
  recordings.take(worker, 1, `j${OTHER}${ID}:7`);
  recordings.take(page, 1, `b${ID}`);
  sent(1);
  rest(1, 2);
  recordings.take(page, 1, `e${ID}`);
  recordings.finish();
  assert.deepEqual([...contents("4-0.trace")], [1, 2]);
});

test("a thread of which a part is missing has no more after that, and it is told", () => {
  joined();
  recordings.take(worker, 1, `t${OTHER}${base64(MAGIC)}`);
  rest(MAGIC.length + 3, 3, 4);
  recordings.take(page, 1, `e${ID}`);
  recordings.finish();
  assert.match(JSON.stringify(readRecords(contents("4-1.trace"))), /worker http:\/\/localhost\/worker\.js was stopped before its last records came/);
});

test("so it is where the page has not ended", () => {
  joined();
  recordings.take(worker, 1, `t${OTHER}${base64(MAGIC)}`);
  recordings.finish();
  assert.match(JSON.stringify(readRecords(contents("4-1.trace"))), /stopped before its last records came/);
});

test("nobody else sends for a thread, or makes another thread's recording its own", () => {
  joined();
  sent(1);
  for (const message of ["r", `r${ID}`, `r${ID}7:1:é`, `r${ID}8:1:${base64([9])}`, `r${ID}-7:1:${base64([9])}`, `r${OTHER}7:1:${base64([9])}`]) recordings.take(page, 1, message);
  recordings.take(worker, 1, `r${ID}7:1:${base64([9])}`);
  recordings.take(page, 2, `r${ID}7:1:${base64([9])}`);
  const third = "00000000000000aa";
  recordings.take(page, 1, `b${third}`);
  for (const text of [`${ID}:7`, `${ID}`, `${ID}:x`, `../${ID}:1`, `${OTHER.replace("f", "0")}:1`]) recordings.take(page, 1, `j${third}${text}`);
  rest(1, 2);
  recordings.take(worker, 1, `e${OTHER}`);
  rest(2, 3);
  assert.deepEqual([...contents("4-1.trace")], [1, 2]);
  assert.deepEqual(files(), ["4-1.trace"]);
});
