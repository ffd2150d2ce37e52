// Reports on the same program are the same, run after run, except for the times.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { GUESTS } from "./case-guests.js";
import { reportOf } from "./case-report.js";
import { makeGuests, removeDirectory, skip } from "./support.js";

makeGuests(GUESTS);
after(removeDirectory);

const RUNS = 10;

for (const [name, way] of [["lines", "many"], ["table", "linked"], ["two", "leaks"], ["trampoline", "escapes"], ["shared", "leaks"], ["calls", "finalized, some freed"]]) {
  test(`${name}, ${way}: ${RUNS} reports`, { skip }, () => {
    const [first, ...others] = Array.from({ length: RUNS }, () => withoutTimes(reportOf(name, way)));
    assert.ok(first.findings.length > 0);
    for (const other of others) assert.deepEqual(other, first);
  });
}

const withoutTimes = ({ micros, ...report }) => report;
