// Memories and instances that the engine refuses, where few fit: each memory takes about 10 GiB of addresses.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { GUESTS } from "./case-guests.js";
import { at, codes, found, frames, messageOf, problems, stackOf, theOnly } from "./case-report.js";
import { makeGuests, removeDirectory, reportWith, runLimited, skip } from "./support.js";

makeGuests(GUESTS);

after(removeDirectory);

// Node's own addresses, and those of some sixty memories.
const FEW_FIT = "-v 600000000";

// Less than the largest memory.
const LIMITS = { fallback: "-d 3000000" };

const UNCAUGHT = ["instances", "asynchronous", "memories", "imported", "traps", "throws"];

function program(name, cases) {
  const line = (words) => at(name, words);
  for (const [way, check] of Object.entries(cases)) {
    test(`${name}: ${way}`, { skip: skip || (process.platform !== "linux" && "only Linux limits addresses") }, () => {
      const { status, stdout, traces } = runLimited(LIMITS[way] ?? FEW_FIT, `cases/${name}.mjs`, way);
      assert.equal(status, UNCAUGHT.includes(way) ? 1 : 0);
      check(reportWith([], traces), line, stdout.trim().split("\n"));
    });
  }
}

const NO_INSTANCE = "RangeError: WebAssembly.Instance(): Out of memory: Cannot allocate Wasm memory for new instance";

// Other versions of the engine say it in other words.
const withoutWords = (text) => text.replace(/RangeError: WebAssembly\.\w+\(\): [^,;]*/, "WORDS");

function assertPiledUp(report, { what, refusedAt, madeAt, uncaught = true, pagesEach = 1, instancesEach = 1 }) {
  const { numbers, severity } = theOnly(report, "memory-refused");
  const { memories } = numbers;
  assert.ok(memories > 20 && memories < 100, `${memories} memories`);
  assert.deepEqual([severity, numbers.pages, numbers.instances, numbers.instances_made], ["error", pagesEach * memories, instancesEach * memories, instancesEach * memories]);
  const pages = `${pagesEach * memories} pages (${(pagesEach * memories * 65536).toLocaleString("en")} bytes)`;
  const made = instancesEach ? `; the program made ${memories} instances, all of them at ${madeAt}` : "";
  const message = `the engine refused ${what} (${refusedAt}): WORDS${uncaught ? ", which nobody caught" : ""}; ${memories} memories were alive then, with ${pages} in all${made}`;
  assert.equal(withoutWords(messageOf(report, "memory-refused")), message);
  assert.equal(report.answers.length, 1);
  assert.match(report.answers[0], /^The engine refused .* Engines reserve addresses for each memory, about 10 GiB however small it is/);
  assert.deepEqual([found(report, "instance-per-call"), found(report, "not-returned"), problems(report)], [[], [], ["memory-refused"]]);
  assert.equal(codes(report)[0], "memory-refused");
}

const nameOf = (report) => report.program;

program("refused", {
  instances(report, line) {
    const place = line("// makes one for each request");
    assertPiledUp(report, { what: `an instance of ${nameOf(report)}`, refusedAt: place, madeAt: place });
    const { numbers } = theOnly(report, "memory-refused");
    const finding = theOnly(report, "memory-refused");
    assert.ok(finding.message.includes(NO_INSTANCE), finding.message);
    assert.equal(stackOf(finding, "refused once")[0], `serve (${place})`);
    assert.equal(stackOf(finding, `instances made ${numbers.instances_made} times`)[0], `serve (${place})`);
    assert.deepEqual(report.end, { kind: "exit", code: 1 });
  },

  caught(report, line, printed) {
    const place = line("// makes one for each request");
    const { numbers } = theOnly(report, "memory-refused");
    assert.equal(numbers.times, printed.length);
    assert.equal(numbers.times + numbers.instances_made, 200);
    assertPiledUp(report, { what: `${numbers.times} instances of ${nameOf(report)}`, refusedAt: place, madeAt: place, uncaught: false });
  },

  asynchronous(report, line) {
    const place = line("// makes one later");
    assertPiledUp(report, { what: `an instance of ${nameOf(report)}`, refusedAt: place, madeAt: place });
  },

  memories(report, line) {
    assertPiledUp(report, { what: "the program a memory", refusedAt: line("// makes a memory"), pagesEach: 2, instancesEach: 0 });
    assert.deepEqual([report.program, report.instances], ["", []]);
  },

  imported(report, line) {
    assertPiledUp(report, { what: "the program a memory", refusedAt: line("// makes one to import"), madeAt: line("// imports it"), pagesEach: 2 });
  },

  // In one job; without linmem it runs, too.
  dropped(report) {
    assert.deepEqual([problems(report), codes(report), report.end.code], [[], ["instance-per-call"], 0]);
    assert.deepEqual([report.instances.length, report.totals.allocations, report.totals.frees], [2000, 2000, 2000]);
    assert.equal(report.answers, undefined);
  },

  fallback(report, line, printed) {
    const { numbers, severity, message } = theOnly(report, "memory-refused");
    assert.deepEqual(printed, ["RangeError", "RangeError"]);
    assert.deepEqual([severity, numbers.times, report.answers, problems(report)], ["note", 2, undefined, []]);
    assert.ok(message.startsWith("the engine refused the program 2 memories ("), message);
    assert.ok(message.includes(`${line("// asks for much")}): RangeError: `), message);
  },

  unlinked(report, line, printed) {
    assert.deepEqual(printed, ["LinkError", "LinkError"]);
    const { numbers, severity } = theOnly(report, "not-instantiated");
    assert.deepEqual([severity, numbers.times, problems(report)], ["note", 2, []]);
    const said = messageOf(report, "not-instantiated");
    assert.ok(said.startsWith("the engine refused 2 instances of wasm-"), said);
    assert.ok(said.includes(`(${line("// does not link")}): LinkError: WebAssembly.Instance(): Import #0`), said);
  },

  "unlinked later"(report, line) {
    const said = messageOf(report, "not-instantiated");
    assert.ok(said.includes(`(${line("// links later")}): LinkError: WebAssembly.instantiate(): Import #0`), said);
  },

  traps(report, line) {
    const { severity, stacks } = theOnly(report, "not-instantiated");
    assert.equal(severity, "warning");
    assert.ok(messageOf(report, "not-instantiated").endsWith(`(${line("// traps")}): RuntimeError: unreachable, which nobody caught`));
    assert.equal(frames(stacks[0].stack)[0], `traps (${line("// traps")})`);
  },

  throws(report) {
    assert.ok(theOnly(report, "not-instantiated").message.endsWith(": TypeError: not today, which nobody caught"));
    assert.deepEqual(found(report, "not-returned"), []);
  },
});
