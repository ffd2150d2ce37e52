// Workers that the program ends: what they did is told, and what they never came to is not missing.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { GUESTS } from "./case-guests.js";
import { codes, problems } from "./case-report.js";
import { IMPORT, makeGuests, removeDirectory, reportWith, runWith, skip } from "./support.js";

makeGuests(GUESTS);

after(removeDirectory);

const watched = (name, run) => test(name, { skip }, run);

function reportOf(way, options, environment = {}) {
  const { status, stderr, traces } = runWith(environment, "cases/ended.mjs", way, options);
  assert.deepEqual([status, stderr], [way === "killed" ? null : 0, ""]);
  return reportWith([], traces);
}

/** What is the same in each run: how many of the workers came to make an instance is up to the machine. */
const verdict = (report) => [problems(report), report.truncated, report.notes ?? [], report.end, report.totals.at_end.blocks, report.program];

function assertHealthyPool(report) {
  const [found, truncated, notes, end, left, program] = verdict(report);
  assert.deepEqual([found, truncated, notes, end, left], [[], false, [], { kind: "exit", code: 0 }, 0]);
  assert.match(program, /^wasm-/);
}

const WATCHED = ["inherits", "env: process.env", "execArgv: []", "execArgv: [], env: process.env"];

for (const options of WATCHED) {
  watched(`a pool that is ended before it does anything, with ${options}: 20 runs are alike`, () => {
    for (let run = 0; run < 10; run++) {
      for (const way of ["at once", "when online"]) assertHealthyPool(reportOf(way, options));
    }
  });
}

watched("workers with an `env` without linmem: those that never ran miss nothing, those that ran do", () => {
  for (let run = 0; run < 5; run++) assertHealthyPool(reportOf("at once", "env: {}"));
  for (let run = 0; run < 5; run++) {
    const report = reportOf("when online", "env: {}");
    assert.deepEqual([...new Set(problems(report))], ["events-missing"]);
    assert.match(report.notes[0], /a worker thread was not watched, as its `env` has no NODE_OPTIONS/);
  }
});

for (const options of WATCHED) {
  watched(`what a worker has allocated is told, and that it is not judged, with ${options}`, () => {
    for (let run = 0; run < 3; run++) {
      const report = reportOf("allocated", options);
      assert.deepEqual([codes(report), report.truncated], [["not-judged", "not-judged", "not-judged"], false]);
      assert.deepEqual([report.totals.allocations, report.totals.frees, report.totals.at_end.bytes], [18, 3, 600]);
      assert.deepEqual(report.findings.map(({ message }) => message), Array(3).fill("200 bytes in 5 blocks alive at the end, leaked or not: its thread was ended before linmem could look at it"));
      assert.deepEqual(report.end, { kind: "exit", code: 0 });
    }
  });
}

watched("a memory that only ended workers shared", () => {
  const report = reportOf("shared", "inherits");
  assert.deepEqual([codes(report), report.truncated, report.totals.allocations], [Array(3).fill("not-judged"), false, 3]);
  assert.match(report.findings[0].message, /: its thread was ended before/);
});

watched("a process that is killed is told from workers that are ended", () => {
  const report = reportOf("killed", "inherits");
  assert.deepEqual([report.truncated, report.end, report.totals.allocations], [true, null, 18]);
});

watched("with `--import` alone, workers are watched too", () => {
  assert.equal(reportOf("allocated", "inherits", { NODE_OPTIONS: IMPORT }).totals.allocations, 18);
});
