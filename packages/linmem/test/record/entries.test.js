// How often the recorder looks at the stack, to know whether an entry is inside another one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeHost } from "./fake-host.js";

const INSIDE = { host: ["callback (app.mjs:2)", [3, 40], "main (app.mjs:9)"] };
const OUTSIDE = { host: ["main (app.mjs:9)"] };

// Nothing of an entry inside another one crosses: the level's complement says so.
function enter(guest, level, running, stack) {
  const answer = guest.hook("entered", [0, level, running, 0, 0, 0, 0, 0], stack);
  return answer < 0 ? ~answer : answer;
}

/** A function of the guest that calls an import, which enters `entries` times each time. */
function callOften(guest, calls, entries) {
  const before = guest.stacksTaken;
  for (let call = 0; call < calls; call++) {
    for (let entry = 0; entry < entries; entry++) assert.equal(enter(guest, 1, 1, INSIDE), 1);
    guest.hook("resumed", [0], INSIDE);
  }
  return guest.stacksTaken - before;
}

test("an import that enters again each time has the stack looked at less and less often", () => {
  const guest = new FakeHost();
  enter(guest, 0, 0, OUTSIDE);
  callOften(guest, 1000, 2);
  assert.ok(callOften(guest, 1000, 2) <= 2);
});

test("entries that lie deep inside each other cost a look each, once", () => {
  const guest = new FakeHost();
  enter(guest, 0, 0, OUTSIDE);
  const descend = () => {
    for (let level = 1; level <= 100; level++) assert.equal(enter(guest, level, level, INSIDE), level);
    guest.hook("resumed", [0], INSIDE);
  };
  for (let round = 0; round < 10; round++) descend();
  const before = guest.stacksTaken;
  for (let round = 0; round < 10; round++) descend();
  assert.ok(guest.stacksTaken - before <= 2);
});

test("an entry from outside is known after an exception that left, also when the stack is not looked at often any more", () => {
  const guest = new FakeHost();
  enter(guest, 0, 0, OUTSIDE);
  callOften(guest, 5000, 1);
  // The import never came back, so the module still counts it.
  const levels = Array.from({ length: 5 }, () => enter(guest, 1, 1, OUTSIDE));
  assert.deepEqual(levels.slice(1), [0, 0, 0, 0]);
});

test("exceptions that leave again and again do not make levels deeper and deeper", () => {
  const guest = new FakeHost();
  enter(guest, 0, 0, OUTSIDE);
  callOften(guest, 5000, 1);
  let level = 0;
  let wrong = 0;
  for (let call = 0; call < 1000; call++) {
    // Each call stays in an import, one level deeper than it began.
    level = enter(guest, level + 1, level + 1, OUTSIDE);
    if (level > 0) wrong++;
    assert.ok(level <= 1);
  }
  assert.ok(wrong <= 1, `${wrong} of 1000 were taken for entries inside others`);
});

test("what another module enters, which was called through a table, is inside the entry under way", () => {
  const guest = new FakeHost();
  enter(guest, 0, 0, OUTSIDE);
  // The module waits in no import.
  assert.equal(enter(guest, 0, 1, INSIDE), 1);
  assert.equal(enter(guest, 1, 1, INSIDE), 1);
  assert.equal(enter(guest, 1, 0, OUTSIDE), 0, "the outermost one returned");
});

test("what an outer entry returns crosses, also after another module has entered inside it", () => {
  const guest = new FakeHost({ malloc: 1 });
  guest.hook("entered", [2, 0, 0, 0, 0, 0, 0, 0], OUTSIDE);
  guest.hook("allocated", [0x1000, 8, 0, 0, 0], { frame: [1, 0], ...OUTSIDE });
  guest.hook("entered", [3, 0, 1, 0, 0, 0, 0, 0], INSIDE);
  guest.hook("returned", [3, 0x1000], INSIDE);
  guest.hook("returned", [2, 0x1000], OUTSIDE);
  const returned = guest.records().filter(({ record }) => record === "RETURNED");
  assert.deepEqual(returned.map((record) => record.function), [2]);
});

test("the trace is told that an outer entry returns, after another module has entered inside it", () => {
  const guest = new FakeHost({ malloc: 1 });
  guest.hook("entered", [2, 0, 0, 0, 0, 0, 0, 0], OUTSIDE);
  guest.hook("entered", [3, 0, 1, 0, 0, 0, 0, 0], INSIDE);
  guest.hook("allocated", [0x1000, 8, 0, 0, 0], { frame: [1, 0], ...INSIDE });
  guest.hook("returned", [2, 0x1000], OUTSIDE);
  const order = guest.records().filter(({ record }) => ["ENTERED", "RESUMED", "RETURNED"].includes(record));
  assert.deepEqual(order.map(({ record, level }) => [record, level]), [["ENTERED", 1], ["RESUMED", 0], ["RETURNED", undefined]]);
});

test("what no entry under way returns leaves them as they are", () => {
  const guest = new FakeHost({ malloc: 1 });
  guest.hook("entered", [2, 0, 0, 0, 0, 0, 0, 0], OUTSIDE);
  guest.hook("entered", [3, 0, 1, 0, 0, 0, 0, 0], INSIDE);
  guest.hook("returned", [9, 0x1000], INSIDE);
  guest.hook("allocated", [0x1000, 8, 0, 0, 0], { frame: [1, 0], ...INSIDE });
  const entered = guest.records().filter(({ record }) => record === "ENTERED");
  assert.deepEqual(entered.map((record) => [record.function, record.level]), [[3, 1]]);
});

test("who passes the address of a freed block is looked at, also after many calls", () => {
  const passers = (frees) => {
    const guest = new FakeHost({ malloc: 1 });
    guest.hook("allocated", [4096, 16, 0, 7, 40], { frame: [7, 40], host: ["main (app.mjs:1)"] });
    if (frees) guest.hook("freed", [4096, -1, 0, 7, 41], { frame: [7, 41], host: ["main (app.mjs:2)"] });
    for (let call = 0; call < 40; call++) guest.hook("entered", [1, 0, 0, 0, 0, 0, 0, 0], OUTSIDE);
    guest.hook("entered", [1, 0, 0, 0, 4096, 0, 0, 0], { host: ["late (app.mjs:30)"] });
    const records = guest.records();
    const [{ caller }] = records.filter(({ record }) => record === "PASSED");
    return caller === null ? null : records.filter(({ record }) => record === "HOST_STACK")[caller].frames;
  };
  assert.deepEqual(passers(true), ["late (app.mjs:30)"]);
  assert.equal(passers(false), null, "a block that is there needs no stack");
});

// A guest in which `deep` entries are inside each other, each called by a function of the guest, and the innermost one allocates
// in one of two functions.
const nested = (deep) => {
  const between = Array.from({ length: deep - 1 }, (_, level) => [`invoke (glue.js:1)`, [level % 30, 2000 + level], "ENTRY"]).flat();
  return { host: ["invoke (glue.js:1)", [3, 40], "ENTRY", ...between, "main (app.mjs:9)"] };
};

test("of entries inside others that allocate, stacks are whole and mostly taken in part", () => {
  const guest = new FakeHost({ malloc: 1 });
  const stack = nested(40);
  enter(guest, 0, 0, OUTSIDE);
  for (let level = 1; level <= 40; level++) assert.equal(enter(guest, level, level, stack), level);
  const allocate = (offset) => guest.hook("allocated", [0x1000, 8, 0, offset, 0], { frame: [1, offset], ...stack });
  const innermost = () => enter(guest, 40, 40, stack);
  allocate(10);
  const before = guest.framesTaken;
  for (let round = 1; round <= 10; round++) {
    guest.hook("resumed", [39], stack);
    innermost();
    allocate(10 + round);
  }
  // Each time a look at whether the entry is inside another, and the frames that are near.
  assert.ok(guest.framesTaken - before < 10 * 50, `${guest.framesTaken - before} frames`);
  const callers = guest.records().filter(({ record, frames }) => record === "HOST_STACK" && frames.length > 40);
  assert.equal(callers.length, 1, "the same for all of them");
  assert.equal(callers[0].frames.at(-1), "main (app.mjs:9)");
});
